// SPDX-License-Identifier: MIT
// The schema at run time.  The format and the rules are in the header.
#include <lib/descriptor.h>

#include <lib/string.h>

constexpr uint32_t HEADER_BYTES = 16 + 8 * DESCRIPTOR_SECTION_COUNT;

static const uint32_t record_bytes[DESCRIPTOR_SECTION_COUNT] = {24, 20, 32, 48, 16, 8, 1};

static uint32_t read_u16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t read_u32(const uint8_t *at)
{
    return read_u16(at) | read_u16(at + 2) << 16;
}

static uint64_t read_u64(const uint8_t *at)
{
    return read_u32(at) | (uint64_t)read_u32(at + 4) << 32;
}

static const uint8_t *record_at(const struct descriptor *descriptor,
                                enum descriptor_section section, uint32_t index)
{
    return descriptor->bytes + descriptor->offset[section] +
           (size_t)index * record_bytes[section];
}

static const char *string_at(const struct descriptor *descriptor, const uint8_t *at)
{
    return (const char *)descriptor->bytes + descriptor->offset[DESCRIPTOR_STRINGS] +
           read_u32(at);
}

static bool name_is(const char *name, const char *other, size_t other_bytes)
{
    return strlen(name) == other_bytes && memcmp(name, other, other_bytes) == 0;
}

uint32_t descriptor_kind_bits(enum descriptor_kind kind)
{
    static const uint8_t bits[DESCRIPTOR_KIND_COUNT] = {
        [DESCRIPTOR_BOOL] = 1,     [DESCRIPTOR_INT8] = 8,     [DESCRIPTOR_INT16] = 16,
        [DESCRIPTOR_INT32] = 32,   [DESCRIPTOR_INT64] = 64,   [DESCRIPTOR_UINT8] = 8,
        [DESCRIPTOR_UINT16] = 16,  [DESCRIPTOR_UINT32] = 32,  [DESCRIPTOR_UINT64] = 64,
        [DESCRIPTOR_FLOAT32] = 32, [DESCRIPTOR_FLOAT64] = 64, [DESCRIPTOR_ENUM] = 16,
    };
    return kind < DESCRIPTOR_KIND_COUNT ? bits[kind] : 0;
}

bool descriptor_kind_is_pointer(enum descriptor_kind kind)
{
    return kind == DESCRIPTOR_TEXT || kind == DESCRIPTOR_DATA || kind == DESCRIPTOR_LIST ||
           kind == DESCRIPTOR_STRUCT || kind == DESCRIPTOR_CAPABILITY;
}

// ---- Reading records ---------------------------------------------------------------

bool descriptor_interface_at(const struct descriptor *descriptor, uint32_t index,
                             struct descriptor_interface *out_interface)
{
    if (index >= descriptor->count[DESCRIPTOR_INTERFACES])
        return false;
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_INTERFACES, index);
    *out_interface = (struct descriptor_interface){
        .id = read_u64(at),
        .name = string_at(descriptor, at + 8),
        .doc = string_at(descriptor, at + 12),
        .first_method = read_u32(at + 16),
        .method_count = (uint16_t)read_u16(at + 20),
        .kernel_homed = (read_u16(at + 22) & 1) != 0,
    };
    return true;
}

static void method_read(const struct descriptor *descriptor, uint32_t index,
                        struct descriptor_method *out_method)
{
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_METHODS, index);
    *out_method = (struct descriptor_method){
        .name = string_at(descriptor, at),
        .doc = string_at(descriptor, at + 4),
        .params = read_u32(at + 8),
        .results = read_u32(at + 12),
        .ordinal = (uint16_t)read_u16(at + 16),
        .pending = (read_u16(at + 18) & 1) != 0,
    };
}

bool descriptor_method_at(const struct descriptor *descriptor,
                          const struct descriptor_interface *interface, uint32_t ordinal,
                          struct descriptor_method *out_method)
{
    if (ordinal >= interface->method_count)
        return false;
    method_read(descriptor, interface->first_method + ordinal, out_method);
    return true;
}

bool descriptor_struct_at(const struct descriptor *descriptor, uint32_t index,
                          struct descriptor_struct *out_struct)
{
    if (index >= descriptor->count[DESCRIPTOR_STRUCTS])
        return false;
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_STRUCTS, index);
    *out_struct = (struct descriptor_struct){
        .name = string_at(descriptor, at),
        .doc = string_at(descriptor, at + 4),
        .first_field = read_u32(at + 8),
        .field_count = (uint16_t)read_u16(at + 12),
        .data_words = (uint16_t)read_u16(at + 14),
        .pointer_count = (uint16_t)read_u16(at + 16),
        .depth = (uint16_t)read_u16(at + 18),
        .union_count = (uint16_t)read_u16(at + 20),
        .is_group = (read_u16(at + 22) & 1) != 0,
        .union_offset_bits = read_u32(at + 24),
    };
    return true;
}

static void field_read(const struct descriptor *descriptor, uint32_t index,
                       struct descriptor_field *out_field)
{
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_FIELDS, index);
    *out_field = (struct descriptor_field){
        .name = string_at(descriptor, at),
        .doc = string_at(descriptor, at + 4),
        .unit = string_at(descriptor, at + 8),
        .kind = (enum descriptor_kind)at[12],
        .element = (enum descriptor_kind)at[13],
        .discriminant = (uint16_t)read_u16(at + 14),
        .offset = read_u32(at + 16),
        .bytes_max = read_u32(at + 20),
        .count_max = read_u32(at + 24),
        .type = read_u32(at + 28),
        .default_bits = read_u64(at + 32),
        .interface_id = read_u64(at + 40),
    };
}

bool descriptor_field_at(const struct descriptor *descriptor,
                         const struct descriptor_struct *of, uint32_t index,
                         struct descriptor_field *out_field)
{
    if (index >= of->field_count)
        return false;
    field_read(descriptor, of->first_field + index, out_field);
    return true;
}

bool descriptor_enum_at(const struct descriptor *descriptor, uint32_t index,
                        struct descriptor_enum *out_enum)
{
    if (index >= descriptor->count[DESCRIPTOR_ENUMS])
        return false;
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_ENUMS, index);
    *out_enum = (struct descriptor_enum){
        .name = string_at(descriptor, at),
        .doc = string_at(descriptor, at + 4),
        .first_enumerant = read_u32(at + 8),
        .count = read_u32(at + 12),
    };
    return true;
}

bool descriptor_enumerant_at(const struct descriptor *descriptor,
                             const struct descriptor_enum *of, uint32_t value,
                             struct descriptor_enumerant *out_enumerant)
{
    if (value >= of->count)
        return false;
    const uint8_t *at =
        record_at(descriptor, DESCRIPTOR_ENUMERANTS, of->first_enumerant + value);
    *out_enumerant = (struct descriptor_enumerant){
        .name = string_at(descriptor, at),
        .doc = string_at(descriptor, at + 4),
    };
    return true;
}

// ---- Searching ---------------------------------------------------------------------

bool descriptor_interface_by_id(const struct descriptor *descriptor, uint64_t id,
                                struct descriptor_interface *out_interface)
{
    uint32_t low = 0, high = descriptor->count[DESCRIPTOR_INTERFACES];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t found = read_u64(record_at(descriptor, DESCRIPTOR_INTERFACES, middle));
        if (found == id)
            return descriptor_interface_at(descriptor, middle, out_interface);
        if (found < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool descriptor_interface_by_name(const struct descriptor *descriptor, const char *name,
                                  size_t name_bytes, struct descriptor_interface *out_interface)
{
    struct descriptor_interface interface;
    for (uint32_t i = 0; descriptor_interface_at(descriptor, i, &interface); i++) {
        if (name_is(interface.name, name, name_bytes)) {
            *out_interface = interface;
            return true;
        }
    }
    return false;
}

const char *descriptor_interface_name(const struct descriptor *descriptor, uint64_t id)
{
    struct descriptor_interface interface;
    return descriptor_interface_by_id(descriptor, id, &interface) ? interface.name : "?";
}

bool descriptor_method_by_name(const struct descriptor *descriptor,
                               const struct descriptor_interface *interface, const char *name,
                               size_t name_bytes, struct descriptor_method *out_method)
{
    struct descriptor_method method;
    for (uint32_t i = 0; descriptor_method_at(descriptor, interface, i, &method); i++) {
        if (name_is(method.name, name, name_bytes)) {
            *out_method = method;
            return true;
        }
    }
    return false;
}

bool descriptor_struct_by_name(const struct descriptor *descriptor, const char *name,
                               size_t name_bytes, uint32_t *out_index)
{
    struct descriptor_struct found;
    for (uint32_t i = 0; descriptor_struct_at(descriptor, i, &found); i++) {
        if (name_is(found.name, name, name_bytes)) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

bool descriptor_field_by_name(const struct descriptor *descriptor,
                              const struct descriptor_struct *of, const char *name,
                              size_t name_bytes, uint32_t *out_index)
{
    struct descriptor_field field;
    for (uint32_t i = 0; descriptor_field_at(descriptor, of, i, &field); i++) {
        if (name_is(field.name, name, name_bytes)) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

// ---- Checking ----------------------------------------------------------------------

// Whether `count` records from `first` on exist.
static bool range_exists(const struct descriptor *descriptor, enum descriptor_section section,
                         uint64_t first, uint64_t count)
{
    return first + count <= descriptor->count[section];
}

static bool string_exists(const struct descriptor *descriptor, const uint8_t *at)
{
    return read_u32(at) < descriptor->count[DESCRIPTOR_STRINGS];
}

// The first two words of most records are a name and a doc.
static bool name_exists(const struct descriptor *descriptor, const uint8_t *at)
{
    return string_exists(descriptor, at) && string_exists(descriptor, at + 4);
}

static bool sections_check(struct descriptor *descriptor, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < DESCRIPTOR_SECTION_COUNT; i++) {
        const uint8_t *at = descriptor->bytes + 16 + 8 * i;
        descriptor->offset[i] = read_u32(at);
        descriptor->count[i] = read_u32(at + 4);
        uint64_t section_bytes = (uint64_t)descriptor->count[i] * record_bytes[i];
        if (descriptor->offset[i] < HEADER_BYTES || descriptor->offset[i] > size_bytes ||
            section_bytes > size_bytes - descriptor->offset[i])
            return false;
    }
    uint32_t string_bytes = descriptor->count[DESCRIPTOR_STRINGS];
    const uint8_t *strings = descriptor->bytes + descriptor->offset[DESCRIPTOR_STRINGS];
    return string_bytes != 0 && strings[0] == 0 && strings[string_bytes - 1] == 0;
}

static bool interface_check(const struct descriptor *descriptor, uint32_t index)
{
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_INTERFACES, index);
    bool sorted =
        index == 0 || read_u64(at - record_bytes[DESCRIPTOR_INTERFACES]) < read_u64(at);
    return sorted && name_exists(descriptor, at + 8) &&
           range_exists(descriptor, DESCRIPTOR_METHODS, read_u32(at + 16), read_u16(at + 20));
}

static bool method_check(const struct descriptor *descriptor, uint32_t index)
{
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_METHODS, index);
    return name_exists(descriptor, at) &&
           range_exists(descriptor, DESCRIPTOR_STRUCTS, read_u32(at + 8), 1) &&
           range_exists(descriptor, DESCRIPTOR_STRUCTS, read_u32(at + 12), 1);
}

// Whether a struct inside `of` is one that may be: less deep, and a group of the same layout.
static bool inner_check(const struct descriptor *descriptor, const struct descriptor_struct *of,
                        const struct descriptor_field *field)
{
    struct descriptor_struct inner;
    if (!descriptor_struct_at(descriptor, field->type, &inner) || inner.depth >= of->depth)
        return false;
    return field->kind != DESCRIPTOR_GROUP ||
           (inner.data_words == of->data_words && inner.pointer_count == of->pointer_count);
}

static bool element_check(const struct descriptor *descriptor,
                          const struct descriptor_struct *of,
                          const struct descriptor_field *field)
{
    switch (field->element) {
    case DESCRIPTOR_ENUM:
        return range_exists(descriptor, DESCRIPTOR_ENUMS, field->type, 1);
    case DESCRIPTOR_STRUCT:
        return inner_check(descriptor, of, field);
    case DESCRIPTOR_TEXT:
    case DESCRIPTOR_DATA:
        return true;
    default:
        return descriptor_kind_bits(field->element) >= 8;
    }
}

static bool field_check(const struct descriptor *descriptor, const struct descriptor_struct *of,
                        const struct descriptor_field *field)
{
    uint32_t bits = descriptor_kind_bits(field->kind);
    if (field->kind >= DESCRIPTOR_KIND_COUNT)
        return false;
    if (bits != 0 &&
        (field->offset % bits != 0 || (uint64_t)field->offset + bits > of->data_words * 64u))
        return false;
    if (descriptor_kind_is_pointer(field->kind) && field->offset >= of->pointer_count)
        return false;
    if (field->discriminant != DESCRIPTOR_NO_DISCRIMINANT && of->union_count == 0)
        return false;
    switch (field->kind) {
    case DESCRIPTOR_LIST:
        return element_check(descriptor, of, field);
    case DESCRIPTOR_ENUM:
        return range_exists(descriptor, DESCRIPTOR_ENUMS, field->type, 1);
    case DESCRIPTOR_STRUCT:
    case DESCRIPTOR_GROUP:
        return inner_check(descriptor, of, field);
    default:
        return true;
    }
}

// The fields of structs are checked in one pass over all structs; a blob in which structs
// share fields must not make that pass longer than its size, so they may not.
static bool struct_check(const struct descriptor *descriptor, uint32_t index,
                         uint32_t *next_field)
{
    struct descriptor_struct of;
    struct descriptor_field field;
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_STRUCTS, index);
    if (!name_exists(descriptor, at) || !descriptor_struct_at(descriptor, index, &of) ||
        of.first_field != *next_field || of.depth > DESCRIPTOR_DEPTH_MAX ||
        !range_exists(descriptor, DESCRIPTOR_FIELDS, of.first_field, of.field_count))
        return false;
    *next_field += of.field_count;
    if (of.union_count != 0 &&
        (of.union_offset_bits % 16 != 0 || of.union_offset_bits >= of.data_words * 64u))
        return false;
    for (uint32_t i = 0; i < of.field_count; i++) {
        at = record_at(descriptor, DESCRIPTOR_FIELDS, of.first_field + i);
        if (!name_exists(descriptor, at) || !string_exists(descriptor, at + 8))
            return false;
        field_read(descriptor, of.first_field + i, &field);
        if (!field_check(descriptor, &of, &field))
            return false;
    }
    return true;
}

static bool enum_check(const struct descriptor *descriptor, uint32_t index)
{
    const uint8_t *at = record_at(descriptor, DESCRIPTOR_ENUMS, index);
    return name_exists(descriptor, at) &&
           range_exists(descriptor, DESCRIPTOR_ENUMERANTS, read_u32(at + 8), read_u32(at + 12));
}

static bool records_check(const struct descriptor *descriptor)
{
    uint32_t next_field = 0;
    for (uint32_t i = 0; i < descriptor->count[DESCRIPTOR_INTERFACES]; i++)
        if (!interface_check(descriptor, i))
            return false;
    for (uint32_t i = 0; i < descriptor->count[DESCRIPTOR_METHODS]; i++)
        if (!method_check(descriptor, i))
            return false;
    for (uint32_t i = 0; i < descriptor->count[DESCRIPTOR_STRUCTS]; i++)
        if (!struct_check(descriptor, i, &next_field))
            return false;
    for (uint32_t i = 0; i < descriptor->count[DESCRIPTOR_ENUMS]; i++)
        if (!enum_check(descriptor, i))
            return false;
    for (uint32_t i = 0; i < descriptor->count[DESCRIPTOR_ENUMERANTS]; i++)
        if (!name_exists(descriptor, record_at(descriptor, DESCRIPTOR_ENUMERANTS, i)))
            return false;
    return true;
}

enum status descriptor_open(const void *blob, size_t size_bytes,
                            struct descriptor *out_descriptor)
{
    struct descriptor descriptor = {.bytes = blob};
    if (size_bytes < HEADER_BYTES || size_bytes > UINT32_MAX ||
        read_u32(descriptor.bytes) != DESCRIPTOR_MAGIC ||
        read_u32(descriptor.bytes + 4) != DESCRIPTOR_VERSION ||
        read_u32(descriptor.bytes + 8) != size_bytes || read_u32(descriptor.bytes + 12) != 0)
        return STATUS_BAD_MESSAGE;
    if (!sections_check(&descriptor, (uint32_t)size_bytes) || !records_check(&descriptor))
        return STATUS_BAD_MESSAGE;
    *out_descriptor = descriptor;
    return STATUS_OK;
}
