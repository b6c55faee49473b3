// SPDX-License-Identifier: MIT
// Building and reading messages by a descriptor.  The rules are in the header; printing is
// value_print.c.
#include <lib/value.h>

#include <lib/fmt.h>
#include <lib/nearest.h>
#include <lib/string.h>
#include <lib/wire.h>

// The longest list of numbers that can be built, for the sake of the stack.
constexpr uint32_t NUMBER_LIST_MAX = 256;

// Where in a message something is, for errors: `grants[2].name`.
struct place {
    const struct place *above;
    const char *name;
    uint32_t index;
};

struct build {
    const struct descriptor *descriptor;
    struct value_message *message;
    struct wire_builder builder;
    struct value_problem *problem;
};

// ---- Errors ------------------------------------------------------------------------

// Starts the problem with the place.  Returns how long it is.
static size_t place_print(const struct build *build, const struct place *place)
{
    const struct place *chain[2 * DESCRIPTOR_DEPTH_MAX + 2];
    char *text = build->problem->text;
    size_t room = sizeof build->problem->text / 2, used = 0;
    uint32_t count = 0;
    for (; place != nullptr && count < sizeof chain / sizeof *chain; place = place->above)
        chain[count++] = place;
    text[0] = 0;
    while (count-- > 0 && used < room)
        used += chain[count]->name != nullptr
                    ? fmt_format(text + used, room - used, "%s%s", used == 0 ? "" : ".",
                                 chain[count]->name)
                    : fmt_format(text + used, room - used, "[%u]", chain[count]->index);
    return used < room ? used : room - 1;
}

__attribute__((format(printf, 3, 4))) static enum status
refuse(struct build *build, const struct place *place, const char *format, ...)
{
    struct value_problem *problem = build->problem;
    size_t used = place_print(build, place);
    if (used != 0)
        used += fmt_format(problem->text + used, sizeof problem->text - used, ": ");
    va_list arguments;
    va_start(arguments, format);
    fmt_vformat(problem->text + used, sizeof problem->text - used, format, arguments);
    va_end(arguments);
    return STATUS_INVALID_ARGUMENT;
}

// Appends to a text that may be full.
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size,
                                                         const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    fmt_vformat(text + used, size - used, format, arguments);
    va_end(arguments);
}

static const char *kind_text(const struct build *build, const struct value *value)
{
    static const char *const texts[] = {"null",   "a bool", "a number", "text",    "data",
                                        "a name", "",       "a list",   "a struct"};
    if (value->kind != VALUE_CAPABILITY)
        return texts[value->kind];
    return descriptor_interface_name(build->descriptor, value->interface_id);
}

static enum status refuse_kind(struct build *build, const struct place *place,
                               const char *expected, const struct value *value)
{
    if (value->kind == VALUE_NAME)
        return refuse(build, place, "expected %s, got the name %.*s", expected,
                      (int)value->count, value->text);
    return refuse(build, place, "expected %s, got %s", expected, kind_text(build, value));
}

// ---- Scalars -----------------------------------------------------------------------

static enum status integer_bits(struct build *build, const struct place *place,
                                enum descriptor_kind kind, const struct value *value,
                                uint64_t *out_bits)
{
    uint32_t bits = descriptor_kind_bits(kind);
    bool is_signed = kind >= DESCRIPTOR_INT8 && kind <= DESCRIPTOR_INT64;
    uint64_t all = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    uint64_t most = is_signed ? all >> 1 : all;
    uint64_t least = is_signed ? most + 1 : 0; // its magnitude
    if (value->kind != VALUE_INTEGER)
        return refuse_kind(build, place, "a number", value);
    if (value->number > (value->negative ? least : most))
        return refuse(build, place, "%s%llu is out of range: %s%llu to %llu",
                      value->negative ? "-" : "", (unsigned long long)value->number,
                      is_signed ? "-" : "", (unsigned long long)least,
                      (unsigned long long)most);
    *out_bits = (value->negative ? 0 - value->number : value->number) & all;
    return STATUS_OK;
}

static enum status refuse_enumerant(struct build *build, const struct place *place,
                                    const struct descriptor_enum *of, const struct value *value)
{
    struct nearest nearest = nearest_to(value->text, value->count);
    struct descriptor_enumerant enumerant;
    char names[128] = "";
    for (uint32_t i = 0; descriptor_enumerant_at(build->descriptor, of, i, &enumerant); i++) {
        nearest_offer(&nearest, enumerant.name);
        append(names, sizeof names, "%s%s", i == 0 ? "" : ", ", enumerant.name);
    }
    if (nearest.best != nullptr)
        return refuse(build, place, "there is no %s %.*s; did you mean %s?", of->name,
                      (int)value->count, value->text, nearest.best);
    return refuse(build, place, "there is no %s %.*s; there are: %s", of->name,
                  (int)value->count, value->text, names);
}

static enum status enum_bits(struct build *build, const struct place *place, uint32_t type,
                             const struct value *value, uint64_t *out_bits)
{
    struct descriptor_enum of;
    struct descriptor_enumerant enumerant;
    if (!descriptor_enum_at(build->descriptor, type, &of))
        return STATUS_INVALID_ARGUMENT;
    if (value->kind != VALUE_NAME)
        return refuse_kind(build, place, of.name, value);
    for (uint32_t i = 0; descriptor_enumerant_at(build->descriptor, &of, i, &enumerant); i++) {
        if (strlen(enumerant.name) == value->count &&
            memcmp(enumerant.name, value->text, value->count) == 0) {
            *out_bits = i;
            return STATUS_OK;
        }
    }
    return refuse_enumerant(build, place, &of, value);
}

// The bits of a scalar of any kind, without the default.
static enum status scalar_bits(struct build *build, const struct place *place,
                               enum descriptor_kind kind, uint32_t type,
                               const struct value *value, uint64_t *out_bits)
{
    if (kind == DESCRIPTOR_ENUM)
        return enum_bits(build, place, type, value, out_bits);
    if (kind != DESCRIPTOR_BOOL)
        return integer_bits(build, place, kind, value, out_bits);
    if (value->kind != VALUE_BOOL)
        return refuse_kind(build, place, "true or false", value);
    *out_bits = value->number;
    return STATUS_OK;
}

// ---- Text, Data, capabilities ------------------------------------------------------

static enum status check_bytes(struct build *build, const struct place *place,
                               enum descriptor_kind kind, uint32_t bytes_max,
                               const struct value *value)
{
    bool fits =
        value->kind == VALUE_TEXT || (kind == DESCRIPTOR_DATA && value->kind == VALUE_DATA);
    if (!fits)
        return refuse_kind(build, place, kind == DESCRIPTOR_TEXT ? "text" : "text or data",
                           value);
    if (value->count > bytes_max)
        return refuse(build, place, "%u bytes are too many: at most %u", value->count,
                      bytes_max);
    return STATUS_OK;
}

static enum status build_bytes(struct build *build, struct wire_struct_builder into,
                               const struct place *place, const struct descriptor_field *field,
                               const struct value *value, uint32_t pointer)
{
    enum status status = check_bytes(build, place, field->kind, field->bytes_max, value);
    if (status != STATUS_OK)
        return status;
    if (field->kind == DESCRIPTOR_TEXT)
        wire_build_text(into, pointer, (struct wire_text){value->text, value->count},
                        field->bytes_max);
    else
        wire_build_data(into, pointer, (struct wire_data){value->data, value->count},
                        field->bytes_max);
    return STATUS_OK;
}

static enum status build_capability(struct build *build, struct wire_struct_builder into,
                                    const struct place *place,
                                    const struct descriptor_field *field,
                                    const struct value *value, uint32_t pointer)
{
    struct value_message *message = build->message;
    const char *expected =
        field->interface_id == 0
            ? "a capability"
            : descriptor_interface_name(build->descriptor, field->interface_id);
    if (value->kind == VALUE_NULL)
        return STATUS_OK;
    if (value->kind != VALUE_CAPABILITY ||
        (field->interface_id != 0 && value->interface_id != 0 &&
         value->interface_id != field->interface_id))
        return refuse_kind(build, place, expected, value);
    if (message->capability_count == CAPOS_TRANSFER_COUNT_MAX)
        return refuse(build, place, "a message carries at most %u capabilities",
                      (unsigned)CAPOS_TRANSFER_COUNT_MAX);
    wire_build_capability(into, pointer, message->capability_count);
    message->capabilities[message->capability_count++] = value->number;
    return STATUS_OK;
}

// ---- Structs and lists -------------------------------------------------------------

static enum status build_fields(struct build *build, struct wire_struct_builder into,
                                const struct descriptor_struct *of, const struct place *place,
                                const struct value_item *items, uint32_t count);

static enum status build_number_list(struct build *build, struct wire_struct_builder into,
                                     const struct place *place,
                                     const struct descriptor_field *field,
                                     const struct value *value, uint32_t pointer)
{
    uint8_t numbers[NUMBER_LIST_MAX * sizeof(uint64_t)];
    uint32_t bits = descriptor_kind_bits(field->element);
    if (value->count > NUMBER_LIST_MAX)
        return refuse(build, place, "%u numbers are too many: at most %u", value->count,
                      NUMBER_LIST_MAX);
    for (uint32_t i = 0; i < value->count; i++) {
        struct place inner = {place, nullptr, i};
        uint64_t number;
        enum status status = scalar_bits(build, &inner, field->element, field->type,
                                         &value->items[i].value, &number);
        if (status != STATUS_OK)
            return status;
        __builtin_memcpy(numbers + (size_t)i * bits / 8, &number, bits / 8);
    }
    wire_build_number_list(into, pointer, numbers, value->count, field->count_max, bits);
    return STATUS_OK;
}

static enum status build_text_list(struct build *build, struct wire_struct_builder into,
                                   const struct place *place,
                                   const struct descriptor_field *field,
                                   const struct value *value, uint32_t pointer)
{
    struct wire_text_list_builder list =
        wire_build_text_list(into, pointer, value->count, field->count_max, field->bytes_max);
    for (uint32_t i = 0; i < value->count; i++) {
        struct place inner = {place, nullptr, i};
        const struct value *element = &value->items[i].value;
        enum status status =
            check_bytes(build, &inner, field->element, field->bytes_max, element);
        if (status != STATUS_OK)
            return status;
        if (field->element == DESCRIPTOR_TEXT)
            wire_text_list_set(list, i, (struct wire_text){element->text, element->count});
        else
            wire_data_list_set(list, i, (struct wire_data){element->data, element->count});
    }
    return STATUS_OK;
}

static enum status build_struct_list(struct build *build, struct wire_struct_builder into,
                                     const struct place *place,
                                     const struct descriptor_field *field,
                                     const struct value *value, uint32_t pointer)
{
    struct descriptor_struct of;
    if (!descriptor_struct_at(build->descriptor, field->type, &of))
        return STATUS_INVALID_ARGUMENT;
    struct wire_struct_list_builder list = wire_build_struct_list(
        into, pointer, value->count, field->count_max, of.data_words, of.pointer_count);
    for (uint32_t i = 0; i < value->count; i++) {
        struct place inner = {place, nullptr, i};
        const struct value *element = &value->items[i].value;
        if (element->kind != VALUE_STRUCT)
            return refuse_kind(build, &inner, of.name, element);
        enum status status = build_fields(build, wire_build_element(list, i), &of, &inner,
                                          element->items, element->count);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status build_list(struct build *build, struct wire_struct_builder into,
                              const struct place *place, const struct descriptor_field *field,
                              const struct value *value, uint32_t pointer)
{
    if (value->kind != VALUE_LIST)
        return refuse_kind(build, place, "a list", value);
    if (value->count > field->count_max)
        return refuse(build, place, "%u elements are too many: at most %u", value->count,
                      field->count_max);
    if (value->count == 0)
        return STATUS_OK;
    if (field->element == DESCRIPTOR_STRUCT)
        return build_struct_list(build, into, place, field, value, pointer);
    if (field->element == DESCRIPTOR_TEXT || field->element == DESCRIPTOR_DATA)
        return build_text_list(build, into, place, field, value, pointer);
    return build_number_list(build, into, place, field, value, pointer);
}

static enum status build_inner(struct build *build, struct wire_struct_builder into,
                               const struct place *place, const struct descriptor_field *field,
                               const struct value *value, uint32_t pointer)
{
    struct descriptor_struct of;
    if (!descriptor_struct_at(build->descriptor, field->type, &of))
        return STATUS_INVALID_ARGUMENT;
    if (value->kind != VALUE_STRUCT)
        return refuse_kind(build, place, of.name, value);
    if (field->kind == DESCRIPTOR_STRUCT)
        into = wire_build_struct(into, pointer, of.data_words, of.pointer_count);
    return build_fields(build, into, &of, place, value->items, value->count);
}

// `data_words` are those of the struct as it lies in the message: pointers follow them.
static enum status build_field(struct build *build, struct wire_struct_builder into,
                               uint32_t data_words, const struct place *place,
                               const struct descriptor_field *field, const struct value *value)
{
    uint32_t bits = descriptor_kind_bits(field->kind);
    uint32_t pointer = data_words + field->offset;
    uint64_t number = 0;
    if (bits != 0) {
        enum status status =
            scalar_bits(build, place, field->kind, field->type, value, &number);
        if (status == STATUS_OK)
            wire_build_number(into, field->offset, bits, number ^ field->default_bits);
        return status;
    }
    switch (field->kind) {
    case DESCRIPTOR_TEXT:
    case DESCRIPTOR_DATA:
        return build_bytes(build, into, place, field, value, pointer);
    case DESCRIPTOR_CAPABILITY:
        return build_capability(build, into, place, field, value, pointer);
    case DESCRIPTOR_LIST:
        return build_list(build, into, place, field, value, pointer);
    case DESCRIPTOR_STRUCT:
    case DESCRIPTOR_GROUP:
        return build_inner(build, into, place, field, value, pointer);
    default:
        return value->kind == VALUE_NULL ? STATUS_OK : refuse_kind(build, place, "null", value);
    }
}

static enum status refuse_name(struct build *build, const struct descriptor_struct *of,
                               const struct place *place, const struct value_item *item)
{
    struct nearest nearest = nearest_to(item->name, item->name_bytes);
    struct descriptor_field field;
    char names[128] = "";
    for (uint32_t i = 0; descriptor_field_at(build->descriptor, of, i, &field); i++) {
        nearest_offer(&nearest, field.name);
        append(names, sizeof names, "%s%s", i == 0 ? "" : ", ", field.name);
    }
    if (nearest.best != nullptr)
        return refuse(build, place, "there is no %.*s; did you mean %s?", (int)item->name_bytes,
                      item->name, nearest.best);
    return refuse(build, place, "there is no %.*s; there are: %s", (int)item->name_bytes,
                  item->name, of->field_count == 0 ? "none" : names);
}

// The field that an item is for.
static enum status find_field(struct build *build, const struct descriptor_struct *of,
                              const struct place *place, const struct value_item *items,
                              uint32_t index, uint32_t *out_field)
{
    const struct value_item *item = &items[index];
    if (item->name == nullptr && index >= of->field_count)
        return refuse(build, place, "too many values: at most %u", of->field_count);
    if (item->name == nullptr) {
        *out_field = index;
        return STATUS_OK;
    }
    if (!descriptor_field_by_name(build->descriptor, of, item->name, item->name_bytes,
                                  out_field))
        return refuse_name(build, of, place, item);
    for (uint32_t i = 0; i < index; i++) {
        bool same = items[i].name == nullptr
                        ? i == *out_field
                        : items[i].name_bytes == item->name_bytes &&
                              memcmp(items[i].name, item->name, item->name_bytes) == 0;
        if (same)
            return refuse(build, place, "%.*s is given twice", (int)item->name_bytes,
                          item->name);
    }
    return STATUS_OK;
}

// The struct's own layout counts, also for the fields of its groups, whose records repeat it.
static enum status build_fields(struct build *build, struct wire_struct_builder into,
                                const struct descriptor_struct *of, const struct place *place,
                                const struct value_item *items, uint32_t count)
{
    bool union_is_set = false, names = false;
    for (uint32_t i = 0; i < count; i++) {
        struct descriptor_field field;
        uint32_t index;
        if (items[i].name == nullptr && names)
            return refuse(build, place, "values by position come before those by name");
        names = items[i].name != nullptr;
        enum status status = find_field(build, of, place, items, i, &index);
        if (status != STATUS_OK || !descriptor_field_at(build->descriptor, of, index, &field))
            return STATUS_INVALID_ARGUMENT;
        struct place inner = {place, field.name, 0};
        if (field.discriminant != DESCRIPTOR_NO_DISCRIMINANT) {
            if (union_is_set)
                return refuse(build, &inner, "another member of the same union is given");
            union_is_set = true;
            wire_build_number(into, of->union_offset_bits, 16, field.discriminant);
        }
        status = build_field(build, into, of->data_words, &inner, &field, &items[i].value);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status value_build(const struct descriptor *descriptor, uint32_t of,
                        const struct value_item *arguments, uint32_t argument_count,
                        struct value_message *message, struct value_problem *out_problem)
{
    struct build build = {.descriptor = descriptor, .message = message, .problem = out_problem};
    struct descriptor_struct root;
    out_problem->text[0] = 0;
    message->size_bytes = 0;
    message->capability_count = 0;
    if (!descriptor_struct_at(descriptor, of, &root))
        return refuse(&build, nullptr, "the schema has no such struct");
    wire_builder_init(&build.builder, message->buffer, message->buffer_bytes);
    struct wire_struct_builder into =
        wire_build_root(&build.builder, root.data_words, root.pointer_count);
    enum status status = build_fields(&build, into, &root, nullptr, arguments, argument_count);
    if (status != STATUS_OK || root.field_count == 0)
        return status;
    message->size_bytes = wire_builder_finish(&build.builder);
    if (message->size_bytes == 0)
        return refuse(&build, nullptr, "the values don't fit a message of %u bytes",
                      message->buffer_bytes);
    return STATUS_OK;
}

// ---- Bounds ------------------------------------------------------------------------

static uint64_t content_bytes(const struct descriptor *descriptor, uint32_t of);

static uint64_t text_bytes(const struct descriptor_field *field, enum descriptor_kind kind)
{
    uint64_t bytes = (uint64_t)field->bytes_max + (kind == DESCRIPTOR_TEXT);
    return (bytes + 7) & ~UINT64_C(7);
}

static uint64_t field_bytes(const struct descriptor *descriptor,
                            const struct descriptor_field *field)
{
    uint64_t element = descriptor_kind_bits(field->element) / 8;
    switch (field->kind) {
    case DESCRIPTOR_TEXT:
    case DESCRIPTOR_DATA:
        return text_bytes(field, field->kind);
    case DESCRIPTOR_STRUCT:
        return content_bytes(descriptor, field->type);
    case DESCRIPTOR_GROUP: { // its sections are those of the struct around it
        struct descriptor_struct of;
        return descriptor_struct_at(descriptor, field->type, &of)
                   ? content_bytes(descriptor, field->type) -
                         8 * (of.data_words + (uint64_t)of.pointer_count)
                   : 0;
    }
    case DESCRIPTOR_LIST:
        if (field->element == DESCRIPTOR_STRUCT)
            element = content_bytes(descriptor, field->type);
        else if (field->element == DESCRIPTOR_TEXT || field->element == DESCRIPTOR_DATA)
            element = 8 + text_bytes(field, field->element);
        return 16 + element * field->count_max; // both are at most 2^32
    default:
        return 0;
    }
}

// The sections of a struct and what they point at, at most UINT32_MAX.
static uint64_t content_bytes(const struct descriptor *descriptor, uint32_t index)
{
    struct descriptor_struct of;
    struct descriptor_field field;
    if (!descriptor_struct_at(descriptor, index, &of))
        return 0;
    uint64_t own = 8 * (of.data_words + (uint64_t)of.pointer_count), bytes = own;
    for (uint32_t i = 0; descriptor_field_at(descriptor, &of, i, &field); i++) {
        uint64_t more = field_bytes(descriptor, &field);
        // The own sections stay exact, since they are subtracted for a group.
        bytes = more > UINT32_MAX || bytes + more > UINT32_MAX + own ? UINT32_MAX + own
                                                                     : bytes + more;
    }
    return bytes;
}

uint32_t value_bytes_max(const struct descriptor *descriptor, uint32_t of)
{
    uint64_t bytes = 8 + content_bytes(descriptor, of);
    return bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
}

uint32_t value_capability_count(const struct descriptor *descriptor, uint32_t index)
{
    struct descriptor_struct of;
    struct descriptor_field field;
    uint32_t count = 0;
    if (!descriptor_struct_at(descriptor, index, &of))
        return 0;
    for (uint32_t i = 0; descriptor_field_at(descriptor, &of, i, &field); i++) {
        if (field.kind == DESCRIPTOR_CAPABILITY)
            count++;
        else if (field.kind == DESCRIPTOR_STRUCT || field.kind == DESCRIPTOR_GROUP)
            count += value_capability_count(descriptor, field.type);
    }
    return count;
}

// ---- Reading -----------------------------------------------------------------------

struct read {
    const struct descriptor *descriptor;
    const struct value_capability *capabilities;
    uint32_t capability_count;
    struct value_arena *arena;
    uint32_t budget_words;
};

static enum status take_items(struct read *read, uint32_t count, struct value_item **out_items)
{
    struct value_arena *arena = read->arena;
    if (count > arena->count_max - arena->count)
        return STATUS_OVERLOADED;
    *out_items = arena->items + arena->count;
    arena->count += count;
    return STATUS_OK;
}

// A number of the data section, which may end before or in it: the rest is zero.
static uint64_t read_bits(const struct wire_struct *from, uint32_t offset_bits, uint32_t bits)
{
    uint64_t number = 0;
    uint32_t first = offset_bits / 8, bytes = (bits + 7) / 8;
    uint32_t bytes_there = first < from->data_bytes ? from->data_bytes - first : 0;
    bytes = bytes < bytes_there ? bytes : bytes_there;
    if (bytes != 0)
        __builtin_memcpy(&number, from->data + first, bytes);
    return bits == 1 ? number >> offset_bits % 8 & 1 : number;
}

static enum status scalar_value(const struct read *read, enum descriptor_kind kind,
                                uint32_t type, uint64_t bits, struct value *out_value)
{
    struct descriptor_enum of;
    struct descriptor_enumerant enumerant;
    uint32_t width = descriptor_kind_bits(kind);
    bool is_signed = kind >= DESCRIPTOR_INT8 && kind <= DESCRIPTOR_INT64;
    if (kind == DESCRIPTOR_ENUM) {
        if (!descriptor_enum_at(read->descriptor, type, &of) ||
            !descriptor_enumerant_at(read->descriptor, &of, (uint32_t)bits, &enumerant))
            return STATUS_BAD_MESSAGE;
        *out_value = (struct value){.kind = VALUE_NAME,
                                    .count = (uint32_t)strlen(enumerant.name),
                                    .text = enumerant.name};
        return STATUS_OK;
    }
    bool negative = is_signed && (bits >> (width - 1) & 1) != 0;
    uint64_t all = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    *out_value = (struct value){.kind = kind == DESCRIPTOR_BOOL ? VALUE_BOOL : VALUE_INTEGER,
                                .negative = negative,
                                .number = negative ? (0 - bits) & all : bits};
    return STATUS_OK;
}

static struct value text_value(struct wire_text text)
{
    return (struct value){.kind = VALUE_TEXT, .count = text.size_bytes, .text = text.text};
}

static struct value data_value(struct wire_data data)
{
    return (struct value){.kind = VALUE_DATA, .count = data.size_bytes, .data = data.data};
}

static enum status read_fields(struct read *read, const struct wire_struct *from,
                               const struct descriptor_struct *of, struct value *out_value);

static enum status read_capability(const struct read *read, const struct wire_struct *from,
                                   const struct descriptor_field *field,
                                   struct value *out_value)
{
    uint32_t index;
    enum status status = wire_read_capability(from, field->offset, &index);
    *out_value = (struct value){.kind = VALUE_NULL};
    if (status != STATUS_OK || index == WIRE_CAP_NULL)
        return status;
    if (index >= read->capability_count)
        return STATUS_BAD_MESSAGE;
    *out_value = (struct value){.kind = VALUE_CAPABILITY,
                                .number = read->capabilities[index].number,
                                .interface_id = read->capabilities[index].interface_id};
    return STATUS_OK;
}

static enum status read_element(struct read *read, const struct wire_list *list,
                                const struct descriptor_field *field, uint32_t index,
                                struct value *out_value)
{
    struct wire_struct element;
    struct descriptor_struct of;
    struct wire_text text;
    struct wire_data data;
    enum status status;
    switch (field->element) {
    case DESCRIPTOR_STRUCT:
        status = wire_list_struct(list, index, &read->budget_words, &element);
        if (status != STATUS_OK || !descriptor_struct_at(read->descriptor, field->type, &of))
            return STATUS_BAD_MESSAGE;
        return read_fields(read, &element, &of, out_value);
    case DESCRIPTOR_TEXT:
        status = wire_list_text(list, index, &text);
        if (status == STATUS_OK)
            *out_value = text_value(text);
        return status;
    case DESCRIPTOR_DATA:
        status = wire_list_data(list, index, &data);
        if (status == STATUS_OK)
            *out_value = data_value(data);
        return status;
    default:
        return scalar_value(read, field->element, field->type, wire_list_number(list, index),
                            out_value);
    }
}

static enum status read_list(struct read *read, const struct wire_struct *from,
                             const struct descriptor_field *field, struct value *out_value)
{
    struct wire_list list;
    struct value_item *items;
    enum status status;
    switch (field->element) {
    case DESCRIPTOR_STRUCT:
        status = wire_read_struct_list(from, field->offset, field->count_max, &list);
        break;
    case DESCRIPTOR_TEXT:
        status =
            wire_read_text_list(from, field->offset, field->count_max, field->bytes_max, &list);
        break;
    case DESCRIPTOR_DATA:
        status =
            wire_read_data_list(from, field->offset, field->count_max, field->bytes_max, &list);
        break;
    default:
        status = wire_read_number_list(from, field->offset, field->count_max,
                                       descriptor_kind_bits(field->element), &list);
    }
    if (status == STATUS_OK)
        status = take_items(read, list.count, &items);
    for (uint32_t i = 0; status == STATUS_OK && i < list.count; i++) {
        items[i] = (struct value_item){.unit = field->unit};
        status = read_element(read, &list, field, i, &items[i].value);
    }
    if (status == STATUS_OK)
        *out_value = (struct value){.kind = VALUE_LIST, .count = list.count, .items = items};
    return status;
}

static enum status read_inner(struct read *read, const struct wire_struct *from,
                              const struct descriptor_field *field, struct value *out_value)
{
    struct wire_struct inner = *from;
    struct descriptor_struct of;
    enum status status = STATUS_OK;
    if (field->kind == DESCRIPTOR_STRUCT)
        status = wire_read_struct(from, field->offset, &inner);
    if (status != STATUS_OK || !descriptor_struct_at(read->descriptor, field->type, &of))
        return STATUS_BAD_MESSAGE;
    return read_fields(read, &inner, &of, out_value);
}

static enum status read_field(struct read *read, const struct wire_struct *from,
                              const struct descriptor_field *field, struct value *out_value)
{
    uint32_t bits = descriptor_kind_bits(field->kind);
    struct wire_text text;
    struct wire_data data;
    enum status status;
    if (bits != 0)
        return scalar_value(read, field->kind, field->type,
                            read_bits(from, field->offset, bits) ^ field->default_bits,
                            out_value);
    switch (field->kind) {
    case DESCRIPTOR_TEXT:
        status = wire_read_text(from, field->offset, field->bytes_max, &text);
        if (status == STATUS_OK)
            *out_value = text_value(text);
        return status;
    case DESCRIPTOR_DATA:
        status = wire_read_data(from, field->offset, field->bytes_max, &data);
        if (status == STATUS_OK)
            *out_value = data_value(data);
        return status;
    case DESCRIPTOR_CAPABILITY:
        return read_capability(read, from, field, out_value);
    case DESCRIPTOR_LIST:
        return read_list(read, from, field, out_value);
    case DESCRIPTOR_STRUCT:
    case DESCRIPTOR_GROUP:
        return read_inner(read, from, field, out_value);
    default:
        *out_value = (struct value){.kind = VALUE_NULL};
        return STATUS_OK;
    }
}

static enum status read_fields(struct read *read, const struct wire_struct *from,
                               const struct descriptor_struct *of, struct value *out_value)
{
    struct value_item *items;
    uint32_t count = 0;
    uint32_t which =
        of->union_count == 0 ? 0 : (uint32_t)read_bits(from, of->union_offset_bits, 16);
    if (of->union_count != 0 && which >= of->union_count)
        return STATUS_BAD_MESSAGE;
    enum status status = take_items(read, of->field_count, &items);
    for (uint32_t i = 0; status == STATUS_OK && i < of->field_count; i++) {
        struct descriptor_field field;
        if (!descriptor_field_at(read->descriptor, of, i, &field))
            return STATUS_BAD_MESSAGE;
        if (field.discriminant != DESCRIPTOR_NO_DISCRIMINANT && field.discriminant != which)
            continue;
        items[count] = (struct value_item){
            .name = field.name, .name_bytes = (uint32_t)strlen(field.name), .unit = field.unit};
        status = read_field(read, from, &field, &items[count].value);
        count++;
    }
    if (status == STATUS_OK)
        *out_value = (struct value){.kind = VALUE_STRUCT, .count = count, .items = items};
    return status;
}

enum status value_read(const struct descriptor *descriptor, uint32_t of, const void *message,
                       uint32_t size_bytes, const struct value_capability *capabilities,
                       uint32_t capability_count, struct value_arena *arena,
                       struct value *out_value)
{
    struct read read = {descriptor, capabilities, capability_count, arena, size_bytes / 8};
    struct descriptor_struct root;
    struct wire_struct from = {};
    if (!descriptor_struct_at(descriptor, of, &root))
        return STATUS_INVALID_ARGUMENT;
    if (size_bytes != 0 || root.field_count != 0) {
        enum status status = wire_read_root(message, size_bytes, &from);
        if (status != STATUS_OK)
            return status;
    }
    from.budget_words = &read.budget_words;
    return read_fields(&read, &from, &root, out_value);
}

const struct value_item *value_item_of(const struct value *value, const char *name,
                                       size_t name_bytes)
{
    for (uint32_t i = 0; value->kind == VALUE_STRUCT && i < value->count; i++)
        if (value->items[i].name_bytes == name_bytes &&
            memcmp(value->items[i].name, name, name_bytes) == 0)
            return &value->items[i];
    return nullptr;
}
