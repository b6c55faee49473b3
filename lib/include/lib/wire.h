// SPDX-License-Identifier: MIT
// Cap'n Proto messages: the bounds-checked reading and writing that the generated codecs
// (<gen/wire/X.h>) are made of.
//
// A message here is one unframed segment: the root pointer is its first word.  Generated
// decoders compare the root pointer with the one that generated encoders write; a message
// of that form costs a handful of loads, any other legal form goes through wire.c.
//
// Invariants:
//  1. Nothing outside the message is read, whatever its words say.  Sizes and offsets are
//     computed in 64 bits from fields of at most 32, so no sum can wrap.
//  2. No decision depends on two reads of one word: a message that changes while it is
//     read can yield any legal value, never an illegal access.
//  3. Only one segment: far pointers are refused.
//  4. A message with lists is walked once when it is decoded, and each object that is
//     reached costs its words from a budget of the message's length: a message can't make
//     a reader do more work than its size, by pointing at one object many times.
//     How deep it nests is bounded by the schema, in which no struct contains itself.
//  5. Evolution: a field that the message lacks has its default, one that the schema
//     lacks is ignored; a list of structs may arrive as a list of its first field.  An enum
//     value that the schema lacks is refused: no code knows what it means.
//  6. X_encode only writes to its buffer, so it may be memory that others change.
//
// What it doesn't do: packing, several segments, canonical form by the letter (sections
// are written in full), pointers to unknown types.
//
// Encoding: https://capnproto.org/encoding.html.  Tested by lib/wire_test.c, against the
// reference implementation by tests/wire, fuzzed by tests/fuzz/fuzz_wire.c.
#pragma once

#include <gen/status.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are used as they arrive");

// A word of a message.  Messages live in memory that was written as anything.
typedef uint64_t wire_word __attribute__((may_alias));

// The value of a capability field that names no capability.
constexpr uint32_t WIRE_CAP_NULL = UINT32_MAX;

// Text of a message; `text[size_bytes]` is a NUL.  Never a null pointer after decoding.
struct wire_text {
    const char *text;
    uint32_t size_bytes; // without the NUL
};

// Data of a message.  Never a null pointer after decoding.
struct wire_data {
    const uint8_t *data;
    uint32_t size_bytes;
};

// A list of a message, checked when the struct that contains it was decoded.
struct wire_list {
    const wire_word *words; // the message
    uint32_t word_count;    // its length
    uint32_t count;         // elements
    uint32_t first_word;    // where they start
    uint32_t step_bits;     // from one to the next
    uint32_t data_bytes;    // of the data section of an element
    uint32_t pointer_count; // of an element
};

// ---- For programs ------------------------------------------------------------------

// An element of a List(Text) or List(Data).  Points into the message.
// STATUS_INVALID_ARGUMENT: no such element.  STATUS_BAD_MESSAGE only if the message was
// changed after decoding.
[[nodiscard]] enum status wire_list_text(const struct wire_list *list, uint32_t index,
                                         struct wire_text *out_text);
[[nodiscard]] enum status wire_list_data(const struct wire_list *list, uint32_t index,
                                         struct wire_data *out_data);

// An element of a list of integers or enums, as its bits; 0 if there is no such element.
[[nodiscard]] uint64_t wire_list_number(const struct wire_list *list, uint32_t index);

// A text from a C string, which must not be a null pointer.
[[nodiscard]] static inline struct wire_text wire_text_of(const char *text)
{
    return (struct wire_text){text, (uint32_t)__builtin_strlen(text)};
}

// Whether a text equals a C string.
[[nodiscard]] static inline bool wire_text_equals(struct wire_text text, const char *other)
{
    uint64_t size = __builtin_strlen(other);
    return text.size_bytes == size && __builtin_memcmp(text.text, other, size) == 0;
}

// A message under construction, in memory of the caller.  Generated setters write to it
// (`run_request_root`, `run_request_set_program`).  A setter that fails (no space, a bound
// exceeded, an element that isn't there) is remembered, and wire_builder_finish tells.
struct wire_builder {
    wire_word *words;
    uint32_t capacity_words;
    uint32_t used_words;
    bool failed;
};

// Starts a message in `buffer`, 8-byte aligned.
void wire_builder_init(struct wire_builder *builder, void *buffer, uint32_t buffer_bytes);

// The size of the message in bytes; 0 if any setter failed.
[[nodiscard]] uint32_t wire_builder_finish(const struct wire_builder *builder);

// A list of texts, or of data, under construction.
struct wire_text_list_builder {
    struct wire_builder *builder;
    uint32_t first_word;
    uint32_t count;
    uint32_t bytes_max; // of each element
};

// Set an element, once.
void wire_text_list_set(struct wire_text_list_builder list, uint32_t index,
                        struct wire_text text);
void wire_data_list_set(struct wire_text_list_builder list, uint32_t index,
                        struct wire_data data);

// ---- For generated code ------------------------------------------------------------

// A struct of a message.  Private to generated code and wire.c.
struct wire_struct {
    const wire_word *words; // the message
    uint32_t word_count;
    const uint8_t *data; // the data section
    uint32_t data_bytes;
    uint32_t pointers; // index of the first word of the pointer section
    uint32_t pointer_count;
    uint32_t *budget_words; // what may still be visited; nullptr: not counted
};

// The pointer to a struct right behind it.
#define WIRE_STRUCT_POINTER(data_words, pointer_count) \
    ((uint64_t)(data_words) << 32 | (uint64_t)(pointer_count) << 48)

// Finds the root struct.  STATUS_BAD_MESSAGE unless it lies within the message.
[[nodiscard]] enum status wire_read_root(const void *message, uint32_t size_bytes,
                                         struct wire_struct *out_struct);

// Checks a message of a struct without fields: 0 bytes, or any well-formed root.
[[nodiscard]] enum status wire_read_empty(const void *message, uint32_t size_bytes);

// Copies the data section, cut or filled with zeros to `word_count` words.
void wire_read_data_section(const struct wire_struct *from, wire_word *out_words,
                            uint32_t word_count);

// Read pointer field `index`.  STATUS_BAD_MESSAGE unless it is null or of the right kind,
// in bounds, and no longer than the bound.
[[nodiscard]] enum status wire_read_text(const struct wire_struct *from, uint32_t index,
                                         uint32_t bytes_max, struct wire_text *out_text);
[[nodiscard]] enum status wire_read_data(const struct wire_struct *from, uint32_t index,
                                         uint32_t bytes_max, struct wire_data *out_data);
[[nodiscard]] enum status wire_read_capability(const struct wire_struct *from, uint32_t index,
                                               uint32_t *out_capability);
[[nodiscard]] enum status wire_read_struct(const struct wire_struct *from, uint32_t index,
                                           struct wire_struct *out_struct);
[[nodiscard]] enum status wire_read_struct_list(const struct wire_struct *from, uint32_t index,
                                                uint32_t count_max, struct wire_list *out_list);
[[nodiscard]] enum status wire_read_number_list(const struct wire_struct *from, uint32_t index,
                                                uint32_t count_max, uint32_t element_bits,
                                                struct wire_list *out_list);
// Checks each element too, against `bytes_max`.
[[nodiscard]] enum status wire_read_text_list(const struct wire_struct *from, uint32_t index,
                                              uint32_t count_max, uint32_t bytes_max,
                                              struct wire_list *out_list);
[[nodiscard]] enum status wire_read_data_list(const struct wire_struct *from, uint32_t index,
                                              uint32_t count_max, uint32_t bytes_max,
                                              struct wire_list *out_list);

// An element of a list of structs; `budget_words` as in struct wire_struct.
// STATUS_INVALID_ARGUMENT: no such element.  STATUS_BAD_MESSAGE: the budget is exhausted.
[[nodiscard]] enum status wire_list_struct(const struct wire_list *list, uint32_t index,
                                           uint32_t *budget_words,
                                           struct wire_struct *out_struct);

// Appends the contents of a Text or Data field at word `*end` of a message of
// `word_count` words, points word `pointer` at it and moves the end.  False if it
// doesn't fit or exceeds the bound.  An empty Data or Text is a null pointer.
[[nodiscard]] bool wire_write_text(wire_word *words, uint32_t word_count, uint32_t pointer,
                                   uint32_t *end, struct wire_text text, uint32_t bytes_max);
[[nodiscard]] bool wire_write_data(wire_word *words, uint32_t word_count, uint32_t pointer,
                                   uint32_t *end, struct wire_data data, uint32_t bytes_max);

// The pointer word of a capability field.
[[nodiscard]] static inline uint64_t wire_capability_word(uint32_t capability)
{
    return capability == WIRE_CAP_NULL ? 0 : (uint64_t)capability << 32 | 3;
}

// A struct under construction: word 0 is nowhere, the struct of a builder that failed.
struct wire_struct_builder {
    struct wire_builder *builder;
    uint32_t word;
};
struct wire_struct_list_builder {
    struct wire_builder *builder;
    uint32_t first_word;
    uint32_t count;
    uint32_t step_words;
};

[[nodiscard]] struct wire_struct_builder
wire_build_root(struct wire_builder *builder, uint32_t data_words, uint32_t pointer_count);
// Stores `bits` bits at bit `offset_bits` of the data section, aligned to their size.
void wire_build_number(struct wire_struct_builder into, uint32_t offset_bits, uint32_t bits,
                       uint64_t value);
// Set the pointer at word `pointer` of the struct (counted from its data section).
void wire_build_text(struct wire_struct_builder into, uint32_t pointer, struct wire_text text,
                     uint32_t bytes_max);
void wire_build_data(struct wire_struct_builder into, uint32_t pointer, struct wire_data data,
                     uint32_t bytes_max);
void wire_build_capability(struct wire_struct_builder into, uint32_t pointer,
                           uint32_t capability);
[[nodiscard]] struct wire_struct_builder wire_build_struct(struct wire_struct_builder into,
                                                           uint32_t pointer,
                                                           uint32_t data_words,
                                                           uint32_t pointer_count);
[[nodiscard]] struct wire_struct_list_builder
wire_build_struct_list(struct wire_struct_builder into, uint32_t pointer, uint32_t count,
                       uint32_t count_max, uint32_t data_words, uint32_t pointer_count);
[[nodiscard]] struct wire_text_list_builder
wire_build_text_list(struct wire_struct_builder into, uint32_t pointer, uint32_t count,
                     uint32_t count_max, uint32_t bytes_max);
// Element `index` of a list of structs.
[[nodiscard]] struct wire_struct_builder
wire_build_element(struct wire_struct_list_builder list, uint32_t index);
// A list of integers of 8, 16, 32 or 64 bits, copied.
void wire_build_number_list(struct wire_struct_builder into, uint32_t pointer,
                            const void *numbers, uint32_t count, uint32_t count_max,
                            uint32_t element_bits);
