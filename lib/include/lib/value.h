// SPDX-License-Identifier: MIT
// Values whose type is known at run time only: messages are built from them and read into
// them, with a descriptor in place of generated code.
//
// A value is a tree in memory of the caller.  The same tree goes in both directions, so what
// was read from one message can be put into another.
//
// Invariants:
//  1. A message that value_build makes is one that the generated decoder accepts; what
//     value_read accepts, the generated decoder accepts too.
//  2. Every error names the field, what was given and what is legal.
//  3. Nothing is allocated: items lie in the caller's arena, texts and names are lent from the
//     message and the descriptor.  How deep anything recurses is bounded by
//     DESCRIPTOR_DEPTH_MAX.
//
// What it doesn't do: arithmetic on floating-point numbers, which are INTEGER values of their
// bits; lists of bool and of lists.
//
// Tested by lib/value_test.c against every generated codec, fuzzed by
// tests/fuzz/fuzz_descriptor.c.
#pragma once

#include <abi/ring.h>
#include <lib/descriptor.h>

enum value_kind : uint8_t {
    VALUE_NULL,
    VALUE_BOOL,       // number: 0 or 1
    VALUE_INTEGER,    // number: the magnitude; negative
    VALUE_TEXT,       // text, count: bytes
    VALUE_DATA,       // data, count: bytes
    VALUE_NAME,       // text, count: bytes; of an enum
    VALUE_CAPABILITY, // number: whatever the caller knows it by; interface_id
    VALUE_LIST,       // items, count
    VALUE_STRUCT,     // items, count
};

struct value {
    enum value_kind kind;
    bool negative; // then number isn't 0
    uint32_t count;
    union {
        uint64_t number;
        const char *text;
        const uint8_t *data;
        struct value_item *items;
    };
    uint64_t interface_id; // of a CAPABILITY; 0: unknown, and then only the callee checks it
};

// A field of a struct, an element of a list, or an argument.
struct value_item {
    const char *name; // nullptr: an element, or an argument by its position
    uint32_t name_bytes;
    const char *unit; // "" or nullptr: none
    struct value value;
};

// ---- Building ----------------------------------------------------------------------

// A message: the caller sets buffer (8-byte aligned) and buffer_bytes.
struct value_message {
    void *buffer;
    uint32_t buffer_bytes;
    uint32_t size_bytes; // 0 for a struct without fields
    // What the indices of capability fields stand for: the numbers of the values.
    uint64_t capabilities[CAPOS_TRANSFER_COUNT_MAX];
    uint32_t capability_count;
};

// Why something was refused, for a person.
struct value_problem {
    char text[240];
};

// Builds a message of a struct.  Arguments are by position, in the order of the fields, or by
// name; what isn't given has its default.  STATUS_INVALID_ARGUMENT: see out_problem.
[[nodiscard]] enum status value_build(const struct descriptor *descriptor, uint32_t of,
                                      const struct value_item *arguments,
                                      uint32_t argument_count, struct value_message *message,
                                      struct value_problem *out_problem);

// The size of a struct's message with every field at its bound; UINT32_MAX if it has fields
// without one.
[[nodiscard]] uint32_t value_bytes_max(const struct descriptor *descriptor, uint32_t of);
// How many capabilities such a message carries at most, not counting those in lists.
[[nodiscard]] uint32_t value_capability_count(const struct descriptor *descriptor, uint32_t of);

// ---- Reading -----------------------------------------------------------------------

// Memory for items.
struct value_arena {
    struct value_item *items;
    uint32_t count_max;
    uint32_t count;
};

// What a capability index of a message stands for.
struct value_capability {
    uint64_t number;
    uint64_t interface_id;
};

// Reads a message into a STRUCT value.  STATUS_BAD_MESSAGE: it isn't well-formed or exceeds a
// bound.  STATUS_OVERLOADED: the arena is full.
[[nodiscard]] enum status value_read(const struct descriptor *descriptor, uint32_t of,
                                     const void *message, uint32_t size_bytes,
                                     const struct value_capability *capabilities,
                                     uint32_t capability_count, struct value_arena *arena,
                                     struct value *out_value);

// The item of a STRUCT value by its name; nullptr without one.
[[nodiscard]] const struct value_item *value_item_of(const struct value *value,
                                                     const char *name, size_t name_bytes);

// ---- Printing ----------------------------------------------------------------------

struct value_sink {
    void (*write)(void *context, const char *text, size_t size_bytes);
    void *context;
};

// For people: numbers with their units, large ones scaled with the exact number behind
// ("1.5 ms (1500000 ns)"), capabilities by their interface.  A struct within another value is
// in braces.
void value_print(const struct value_sink *sink, const struct descriptor *descriptor,
                 const struct value *value, const char *unit);
// A STRUCT value, one line "name: value" per field, each led by `indent`.
void value_print_fields(const struct value_sink *sink, const struct descriptor *descriptor,
                        const struct value *value, const char *indent);
// As JSON, without spaces: 64-bit numbers exceed what JSON readers keep, so all integers are
// strings; Data is an array of numbers, a capability its interface's name.
void value_print_json(const struct value_sink *sink, const struct descriptor *descriptor,
                      const struct value *value);

// A number with its unit, as value_print does, at most 95 bytes.
constexpr size_t VALUE_NUMBER_BYTES = 96;
void value_format_number(char buffer[VALUE_NUMBER_BYTES], uint64_t magnitude, bool negative,
                         const char *unit);
