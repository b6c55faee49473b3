// SPDX-License-Identifier: MIT
// Cap'n Proto messages.  The rules are in the header.
//
// A pointer word, from its low bits on (encoding.html, "Structs", "Lists"):
//   struct      2 bits 0, 30 bits signed offset, 16 bits data words, 16 bits pointers
//   list        2 bits 1, 30 bits signed offset, 3 bits element size, 29 bits count
//   far         2 bits 2: refused
//   capability  2 bits 3, 30 bits zero, 32 bits index
// Offsets count words from the end of the pointer word.  All ones but the kind, offset -1:
// an object of no size at the pointer itself.
#include <lib/wire.h>

enum pointer_kind {
    POINTER_STRUCT = 0,
    POINTER_LIST = 1,
    POINTER_OTHER = 3,
};

// The element sizes of a list pointer.
enum element_size {
    ELEMENT_BIT = 1,
    ELEMENT_BYTE = 2,
    ELEMENT_EIGHT_BYTES = 5,
    ELEMENT_POINTER = 6,
    ELEMENT_COMPOSITE = 7, // a tag word with the elements' sizes, then structs
};

static const uint8_t element_bits[] = {0, 1, 8, 16, 32, 64, 64, 0};

static uint32_t pointer_kind(uint64_t pointer)
{
    return (uint32_t)pointer & 3;
}

// The word that a struct or list pointer at word `at` leads to, which must leave room for
// `size_words` behind it.
static bool pointer_target(uint64_t pointer, uint32_t at, uint32_t word_count,
                           uint64_t size_words, uint32_t *out_target)
{
    int64_t target = (int64_t)at + 1 + ((int32_t)(uint32_t)pointer >> 2);
    if (target < 0 || target > word_count || size_words > word_count - (uint64_t)target)
        return false;
    *out_target = (uint32_t)target;
    return true;
}

static bool budget_charge(uint32_t *budget_words, uint64_t words)
{
    if (budget_words == nullptr)
        return true;
    if (words > *budget_words)
        return false;
    *budget_words -= (uint32_t)words;
    return true;
}

// The struct that pointer word `pointer` at word `at` leads to; a null pointer leads to
// one without any field.
static enum status follow_struct(const wire_word *words, uint32_t word_count, uint32_t at,
                                 uint64_t pointer, uint32_t *budget_words,
                                 struct wire_struct *out_struct)
{
    uint32_t data_words = (uint16_t)(pointer >> 32);
    uint32_t pointer_count = (uint16_t)(pointer >> 48);
    uint32_t target = 0;
    if (pointer_kind(pointer) != POINTER_STRUCT ||
        (pointer != 0 &&
         !pointer_target(pointer, at, word_count, data_words + pointer_count, &target)) ||
        !budget_charge(budget_words, data_words + pointer_count))
        return STATUS_BAD_MESSAGE;
    *out_struct = (struct wire_struct){
        .words = words,
        .word_count = word_count,
        .data = (const uint8_t *)(words + target),
        .data_bytes = data_words * 8,
        .pointers = target + data_words,
        .pointer_count = pointer_count,
        .budget_words = budget_words,
    };
    return STATUS_OK;
}

enum status wire_read_root(const void *message, uint32_t size_bytes,
                           struct wire_struct *out_struct)
{
    const wire_word *words = message;
    if (size_bytes == 0 || size_bytes % 8 != 0)
        return STATUS_BAD_MESSAGE;
    return follow_struct(words, size_bytes / 8, 0, words[0], nullptr, out_struct);
}

enum status wire_read_empty(const void *message, uint32_t size_bytes)
{
    struct wire_struct root;
    return size_bytes == 0 ? STATUS_OK : wire_read_root(message, size_bytes, &root);
}

void wire_read_data_section(const struct wire_struct *from, wire_word *out_words,
                            uint32_t word_count)
{
    uint32_t bytes = word_count * 8;
    uint32_t bytes_there = from->data_bytes < bytes ? from->data_bytes : bytes;
    __builtin_memset(out_words, 0, bytes);
    if (bytes_there != 0)
        __builtin_memcpy(out_words, from->data, bytes_there);
}

// Pointer field `index`, 0 if the struct lacks it.
static uint64_t read_pointer(const struct wire_struct *from, uint32_t index)
{
    return index < from->pointer_count ? from->words[from->pointers + index] : 0;
}

// The bytes that pointer word `pointer` at word `at` leads to: not null, a list of bytes.
static enum status follow_bytes(const struct wire_struct *from, uint32_t at, uint64_t pointer,
                                const uint8_t **out_bytes, uint32_t *out_size_bytes)
{
    uint32_t size_bytes = (uint32_t)(pointer >> 35);
    uint32_t size_words = (size_bytes + 7) / 8, target;
    if (pointer_kind(pointer) != POINTER_LIST || (pointer >> 32 & 7) != ELEMENT_BYTE ||
        !pointer_target(pointer, at, from->word_count, size_words, &target) ||
        !budget_charge(from->budget_words, size_words))
        return STATUS_BAD_MESSAGE;
    *out_bytes = (const uint8_t *)(from->words + target);
    *out_size_bytes = size_bytes;
    return STATUS_OK;
}

enum status wire_read_text(const struct wire_struct *from, uint32_t index, uint32_t bytes_max,
                           struct wire_text *out_text)
{
    uint64_t pointer = read_pointer(from, index);
    if (pointer == 0) {
        *out_text = (struct wire_text){"", 0};
        return STATUS_OK;
    }
    const uint8_t *bytes;
    uint32_t size_bytes;
    enum status status =
        follow_bytes(from, from->pointers + index, pointer, &bytes, &size_bytes);
    if (status != STATUS_OK)
        return status;
    // The NUL counts in the message, not in the bound.
    if (size_bytes == 0 || size_bytes - 1 > bytes_max || bytes[size_bytes - 1] != 0)
        return STATUS_BAD_MESSAGE;
    *out_text = (struct wire_text){(const char *)bytes, size_bytes - 1};
    return STATUS_OK;
}

enum status wire_read_data(const struct wire_struct *from, uint32_t index, uint32_t bytes_max,
                           struct wire_data *out_data)
{
    uint64_t pointer = read_pointer(from, index);
    if (pointer == 0) {
        *out_data = (struct wire_data){(const uint8_t *)"", 0};
        return STATUS_OK;
    }
    const uint8_t *bytes;
    uint32_t size_bytes;
    enum status status =
        follow_bytes(from, from->pointers + index, pointer, &bytes, &size_bytes);
    if (status != STATUS_OK)
        return status;
    if (size_bytes > bytes_max)
        return STATUS_BAD_MESSAGE;
    *out_data = (struct wire_data){bytes, size_bytes};
    return STATUS_OK;
}

enum status wire_read_capability(const struct wire_struct *from, uint32_t index,
                                 uint32_t *out_capability)
{
    uint64_t pointer = read_pointer(from, index);
    if (pointer == 0) {
        *out_capability = WIRE_CAP_NULL;
        return STATUS_OK;
    }
    if ((uint32_t)pointer != POINTER_OTHER)
        return STATUS_BAD_MESSAGE;
    *out_capability = (uint32_t)(pointer >> 32);
    return STATUS_OK;
}

enum status wire_read_struct(const struct wire_struct *from, uint32_t index,
                             struct wire_struct *out_struct)
{
    return follow_struct(from->words, from->word_count, from->pointers + index,
                         read_pointer(from, index), from->budget_words, out_struct);
}

// Fills in the element layout of a list of structs from its tag word, which stands where
// the elements would: a struct pointer with the count in place of the offset.
static bool composite_list(uint64_t tag, uint32_t content_words, struct wire_list *list)
{
    uint32_t data_words = (uint16_t)(tag >> 32);
    uint32_t pointer_count = (uint16_t)(tag >> 48);
    uint32_t step_words = data_words + pointer_count;
    list->count = (uint32_t)tag >> 2;
    list->step_bits = step_words * 64;
    list->data_bytes = data_words * 8;
    list->pointer_count = pointer_count;
    list->first_word++; // behind the tag
    return pointer_kind(tag) == POINTER_STRUCT &&
           (uint64_t)list->count * step_words <= content_words;
}

// The list that pointer field `index` leads to, whatever its elements.  A null pointer is
// an empty list, *out_size then ELEMENT_COMPOSITE.
static enum status follow_list(const struct wire_struct *from, uint32_t index,
                               uint32_t count_max, enum element_size *out_size,
                               struct wire_list *out_list)
{
    uint64_t pointer = read_pointer(from, index);
    struct wire_list list = {.words = from->words, .word_count = from->word_count};
    *out_size = ELEMENT_COMPOSITE;
    if (pointer == 0) {
        *out_list = list;
        return STATUS_OK;
    }
    uint32_t size = (uint32_t)(pointer >> 32) & 7;
    uint32_t count = (uint32_t)(pointer >> 35); // of words, without the tag, if composite
    uint64_t size_words = size == ELEMENT_COMPOSITE
                              ? (uint64_t)count + 1
                              : ((uint64_t)count * element_bits[size] + 63) / 64;
    if (pointer_kind(pointer) != POINTER_LIST ||
        !pointer_target(pointer, from->pointers + index, from->word_count, size_words,
                        &list.first_word) ||
        !budget_charge(from->budget_words, size_words))
        return STATUS_BAD_MESSAGE;
    list.count = count;
    list.step_bits = element_bits[size];
    list.data_bytes = size == ELEMENT_POINTER ? 0 : element_bits[size] / 8;
    list.pointer_count = size == ELEMENT_POINTER;
    if (size == ELEMENT_COMPOSITE &&
        !composite_list(from->words[list.first_word], count, &list))
        return STATUS_BAD_MESSAGE;
    if (list.count > count_max)
        return STATUS_BAD_MESSAGE;
    *out_size = (enum element_size)size;
    *out_list = list;
    return STATUS_OK;
}

enum status wire_read_struct_list(const struct wire_struct *from, uint32_t index,
                                  uint32_t count_max, struct wire_list *out_list)
{
    enum element_size size;
    enum status status = follow_list(from, index, count_max, &size, out_list);
    // A list of bits is the one list that can't be read as a list of structs.
    return status == STATUS_OK && size == ELEMENT_BIT ? STATUS_BAD_MESSAGE : status;
}

enum status wire_read_number_list(const struct wire_struct *from, uint32_t index,
                                  uint32_t count_max, uint32_t bits, struct wire_list *out_list)
{
    enum element_size size;
    enum status status = follow_list(from, index, count_max, &size, out_list);
    if (status != STATUS_OK)
        return status;
    if (size == ELEMENT_BIT || (out_list->count != 0 && out_list->data_bytes * 8 < bits))
        return STATUS_BAD_MESSAGE;
    out_list->data_bytes = bits / 8; // of each element, as the schema has it
    return STATUS_OK;
}

// The pointer of element `index` as a struct with that one pointer.
static struct wire_struct pointer_element(const struct wire_list *list, uint32_t index,
                                          uint32_t *budget_words)
{
    return (struct wire_struct){
        .words = list->words,
        .word_count = list->word_count,
        .pointers = list->first_word + index * (list->step_bits / 64) + list->data_bytes / 8,
        .pointer_count = list->pointer_count != 0,
        .budget_words = budget_words,
    };
}

// A list of pointers, or of structs whose first pointer is meant.
static enum status follow_pointer_list(const struct wire_struct *from, uint32_t index,
                                       uint32_t count_max, struct wire_list *out_list)
{
    enum element_size size;
    enum status status = follow_list(from, index, count_max, &size, out_list);
    if (status == STATUS_OK && size != ELEMENT_POINTER && size != ELEMENT_COMPOSITE)
        return STATUS_BAD_MESSAGE;
    return status;
}

enum status wire_read_text_list(const struct wire_struct *from, uint32_t index,
                                uint32_t count_max, uint32_t bytes_max,
                                struct wire_list *out_list)
{
    enum status status = follow_pointer_list(from, index, count_max, out_list);
    struct wire_text text;
    for (uint32_t i = 0; status == STATUS_OK && i < out_list->count; i++) {
        struct wire_struct element = pointer_element(out_list, i, from->budget_words);
        status = wire_read_text(&element, 0, bytes_max, &text);
    }
    return status;
}

enum status wire_read_data_list(const struct wire_struct *from, uint32_t index,
                                uint32_t count_max, uint32_t bytes_max,
                                struct wire_list *out_list)
{
    enum status status = follow_pointer_list(from, index, count_max, out_list);
    struct wire_data data;
    for (uint32_t i = 0; status == STATUS_OK && i < out_list->count; i++) {
        struct wire_struct element = pointer_element(out_list, i, from->budget_words);
        status = wire_read_data(&element, 0, bytes_max, &data);
    }
    return status;
}

enum status wire_list_text(const struct wire_list *list, uint32_t index,
                           struct wire_text *out_text)
{
    if (index >= list->count)
        return STATUS_INVALID_ARGUMENT;
    struct wire_struct element = pointer_element(list, index, nullptr);
    return wire_read_text(&element, 0, UINT32_MAX, out_text);
}

enum status wire_list_data(const struct wire_list *list, uint32_t index,
                           struct wire_data *out_data)
{
    if (index >= list->count)
        return STATUS_INVALID_ARGUMENT;
    struct wire_struct element = pointer_element(list, index, nullptr);
    return wire_read_data(&element, 0, UINT32_MAX, out_data);
}

uint64_t wire_list_number(const struct wire_list *list, uint32_t index)
{
    uint64_t number = 0;
    if (index < list->count)
        __builtin_memcpy(&number,
                         (const uint8_t *)(list->words + list->first_word) +
                             (uint64_t)index * list->step_bits / 8,
                         list->data_bytes);
    return number;
}

enum status wire_list_struct(const struct wire_list *list, uint32_t index,
                             uint32_t *budget_words, struct wire_struct *out_struct)
{
    if (index >= list->count)
        return STATUS_INVALID_ARGUMENT;
    // The list itself was charged; the elements are part of it.
    uint64_t offset_bytes = (uint64_t)index * list->step_bits / 8;
    *out_struct = (struct wire_struct){
        .words = list->words,
        .word_count = list->word_count,
        .data = (const uint8_t *)(list->words + list->first_word) + offset_bytes,
        .data_bytes = list->data_bytes,
        .pointers = list->first_word + (uint32_t)(offset_bytes / 8) + list->data_bytes / 8,
        .pointer_count = list->pointer_count,
        .budget_words = budget_words,
    };
    return STATUS_OK;
}

// ---- Writing -----------------------------------------------------------------------

static uint64_t list_pointer(uint32_t pointer, uint32_t target, enum element_size size,
                             uint32_t count)
{
    uint32_t offset = target - pointer - 1;
    return (uint64_t)count << 35 | (uint64_t)size << 32 | (uint32_t)(offset << 2) |
           POINTER_LIST;
}

// Appends `size_bytes` bytes and `padding_bytes` zero bytes, at least to the word's end.
static bool write_bytes(wire_word *words, uint32_t word_count, uint32_t pointer, uint32_t *end,
                        const void *bytes, uint32_t size_bytes, uint32_t nul_bytes)
{
    uint64_t size_words = ((uint64_t)size_bytes + nul_bytes + 7) / 8;
    if (size_words > word_count - *end)
        return false;
    words[pointer] = list_pointer(pointer, *end, ELEMENT_BYTE, size_bytes + nul_bytes);
    words[*end + size_words - 1] = 0;
    __builtin_memcpy(words + *end, bytes, size_bytes);
    *end += (uint32_t)size_words;
    return true;
}

bool wire_write_text(wire_word *words, uint32_t word_count, uint32_t pointer, uint32_t *end,
                     struct wire_text text, uint32_t bytes_max)
{
    if (text.size_bytes > bytes_max)
        return false;
    words[pointer] = 0;
    if (text.size_bytes == 0)
        return true;
    return write_bytes(words, word_count, pointer, end, text.text, text.size_bytes, 1);
}

bool wire_write_data(wire_word *words, uint32_t word_count, uint32_t pointer, uint32_t *end,
                     struct wire_data data, uint32_t bytes_max)
{
    if (data.size_bytes > bytes_max)
        return false;
    words[pointer] = 0;
    if (data.size_bytes == 0)
        return true;
    return write_bytes(words, word_count, pointer, end, data.data, data.size_bytes, 0);
}

void wire_builder_init(struct wire_builder *builder, void *buffer, uint32_t buffer_bytes)
{
    *builder = (struct wire_builder){
        .words = buffer,
        .capacity_words = buffer_bytes / 8,
        .used_words = 1,
        .failed = buffer_bytes < 8,
    };
    if (!builder->failed)
        builder->words[0] = 0;
}

uint32_t wire_builder_finish(const struct wire_builder *builder)
{
    return builder->failed ? 0 : builder->used_words * 8;
}

// Takes zeroed words from the arena; 0 on failure, which is remembered.
static uint32_t builder_take(struct wire_builder *builder, uint64_t word_count)
{
    if (builder->failed || word_count > builder->capacity_words - builder->used_words) {
        builder->failed = true;
        return 0;
    }
    uint32_t first = builder->used_words;
    __builtin_memset(builder->words + first, 0, word_count * 8);
    builder->used_words += (uint32_t)word_count;
    return first;
}

struct wire_struct_builder wire_build_root(struct wire_builder *builder, uint32_t data_words,
                                           uint32_t pointer_count)
{
    uint32_t word = builder_take(builder, data_words + pointer_count);
    if (word != 0)
        builder->words[0] = WIRE_STRUCT_POINTER(data_words, pointer_count);
    return (struct wire_struct_builder){builder, word};
}

void wire_build_number(struct wire_struct_builder into, uint32_t offset_bits, uint32_t bits,
                       uint64_t value)
{
    if (into.builder->failed)
        return;
    wire_word *word = into.builder->words + into.word + offset_bits / 64;
    uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    *word = (*word & ~(mask << offset_bits % 64)) | (value & mask) << offset_bits % 64;
}

void wire_build_text(struct wire_struct_builder into, uint32_t pointer, struct wire_text text,
                     uint32_t bytes_max)
{
    struct wire_builder *builder = into.builder;
    if (!builder->failed)
        builder->failed =
            !wire_write_text(builder->words, builder->capacity_words, into.word + pointer,
                             &builder->used_words, text, bytes_max);
}

void wire_build_data(struct wire_struct_builder into, uint32_t pointer, struct wire_data data,
                     uint32_t bytes_max)
{
    struct wire_builder *builder = into.builder;
    if (!builder->failed)
        builder->failed =
            !wire_write_data(builder->words, builder->capacity_words, into.word + pointer,
                             &builder->used_words, data, bytes_max);
}

void wire_build_capability(struct wire_struct_builder into, uint32_t pointer,
                           uint32_t capability)
{
    if (!into.builder->failed)
        into.builder->words[into.word + pointer] = wire_capability_word(capability);
}

struct wire_struct_builder wire_build_struct(struct wire_struct_builder into, uint32_t pointer,
                                             uint32_t data_words, uint32_t pointer_count)
{
    struct wire_builder *builder = into.builder;
    uint32_t word = builder_take(builder, data_words + pointer_count);
    if (word != 0) {
        uint32_t offset = word - (into.word + pointer) - 1;
        builder->words[into.word + pointer] =
            WIRE_STRUCT_POINTER(data_words, pointer_count) | (uint32_t)(offset << 2);
    }
    return (struct wire_struct_builder){builder, word};
}

// Takes room for a list of `count` elements in `size_words` words and points at it.
static uint32_t build_list(struct wire_struct_builder into, uint32_t pointer, uint32_t count,
                           uint32_t count_max, uint64_t size_words, enum element_size size,
                           uint32_t pointer_count_field)
{
    if (count > count_max)
        into.builder->failed = true;
    uint32_t first = builder_take(into.builder, size_words);
    if (first != 0)
        into.builder->words[into.word + pointer] =
            list_pointer(into.word + pointer, first, size, pointer_count_field);
    return first;
}

struct wire_struct_list_builder wire_build_struct_list(struct wire_struct_builder into,
                                                       uint32_t pointer, uint32_t count,
                                                       uint32_t count_max, uint32_t data_words,
                                                       uint32_t pointer_count)
{
    uint32_t step_words = data_words + pointer_count;
    uint64_t content_words = (uint64_t)count * step_words;
    uint32_t tag = build_list(into, pointer, count, count_max, content_words + 1,
                              ELEMENT_COMPOSITE, (uint32_t)content_words);
    if (tag != 0)
        into.builder->words[tag] =
            WIRE_STRUCT_POINTER(data_words, pointer_count) | (uint32_t)(count << 2);
    return (struct wire_struct_list_builder){into.builder, tag + 1, count, step_words};
}

struct wire_text_list_builder wire_build_text_list(struct wire_struct_builder into,
                                                   uint32_t pointer, uint32_t count,
                                                   uint32_t count_max, uint32_t bytes_max)
{
    uint32_t first = build_list(into, pointer, count, count_max, count, ELEMENT_POINTER, count);
    return (struct wire_text_list_builder){into.builder, first, count, bytes_max};
}

struct wire_struct_builder wire_build_element(struct wire_struct_list_builder list,
                                              uint32_t index)
{
    if (index >= list.count)
        list.builder->failed = true;
    return (struct wire_struct_builder){list.builder,
                                        list.first_word + index * list.step_words};
}

void wire_text_list_set(struct wire_text_list_builder list, uint32_t index,
                        struct wire_text text)
{
    if (index >= list.count)
        list.builder->failed = true;
    struct wire_struct_builder place = {list.builder, list.first_word};
    wire_build_text(place, index, text, list.bytes_max);
}

void wire_data_list_set(struct wire_text_list_builder list, uint32_t index,
                        struct wire_data data)
{
    if (index >= list.count)
        list.builder->failed = true;
    struct wire_struct_builder place = {list.builder, list.first_word};
    wire_build_data(place, index, data, list.bytes_max);
}

void wire_build_number_list(struct wire_struct_builder into, uint32_t pointer,
                            const void *numbers, uint32_t count, uint32_t count_max,
                            uint32_t bits)
{
    uint32_t size = ELEMENT_BYTE + (uint32_t)__builtin_ctz(bits / 8);
    uint64_t size_words = ((uint64_t)count * bits + 63) / 64;
    uint32_t first =
        build_list(into, pointer, count, count_max, size_words, (enum element_size)size, count);
    if (first != 0 && count != 0)
        __builtin_memcpy(into.builder->words + first, numbers, (uint64_t)count * bits / 8);
}
