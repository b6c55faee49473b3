// SPDX-License-Identifier: MIT
// Values as text, for people and as JSON.  Tested by lib/value_test.c.
#include <lib/value.h>

#include <lib/fmt.h>
#include <lib/string.h>

static void put(const struct value_sink *sink, const char *text)
{
    sink->write(sink->context, text, strlen(text));
}

// ---- Numbers -----------------------------------------------------------------------

struct scale {
    uint64_t one; // how many of the unit
    const char *name;
};

static const struct scale time_scales[] = {{1000000000, "s"}, {1000000, "ms"}, {1000, "µs"}};
static const struct scale size_scales[] = {
    {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}};

// The largest scale that the number reaches; nullptr: none.
static const struct scale *scale_of(uint64_t magnitude, const char *unit)
{
    const struct scale *scales = nullptr;
    if (strlen(unit) == 2 && memcmp(unit, "ns", 2) == 0)
        scales = time_scales;
    else if (strlen(unit) == 5 && memcmp(unit, "bytes", 5) == 0)
        scales = size_scales;
    for (uint32_t i = 0; scales != nullptr && i < 3; i++)
        if (magnitude >= scales[i].one)
            return &scales[i];
    return nullptr;
}

void value_format_number(char buffer[VALUE_NUMBER_BYTES], uint64_t magnitude, bool negative,
                         const char *unit)
{
    const char *sign = negative ? "-" : "";
    unsigned long long exact = magnitude;
    const struct scale *scale = scale_of(magnitude, unit);
    if (scale == nullptr) {
        size_t used = fmt_format(buffer, VALUE_NUMBER_BYTES, "%s%llu%s%.32s", sign, exact,
                                 unit[0] != 0 ? " " : "", unit);
        if (unit[0] == 0 && !negative && magnitude >= UINT16_MAX)
            fmt_format(buffer + used, VALUE_NUMBER_BYTES - used, " (0x%llx)", exact);
        return;
    }
    unsigned long long whole = magnitude / scale->one;
    // Below 2^30 times 1000: no overflow.
    unsigned thousandths = (unsigned)(magnitude % scale->one * 1000 / scale->one);
    char fraction[8] = "";
    if (thousandths != 0) {
        size_t length = fmt_format(fraction, sizeof fraction, ".%03u", thousandths);
        while (fraction[length - 1] == '0')
            fraction[--length] = 0;
    }
    fmt_format(buffer, VALUE_NUMBER_BYTES, "%s%llu%s %s (%s%llu %s)", sign, whole, fraction,
               scale->name, sign, exact, unit);
}

// ---- Text and data -----------------------------------------------------------------

// Text in quotes, with what a terminal would act on escaped as in JSON.
static void put_quoted(const struct value_sink *sink, const char *text, uint32_t size_bytes)
{
    char escape[8];
    put(sink, "\"");
    for (uint32_t i = 0; i < size_bytes; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte == '"' || byte == '\\')
            fmt_format(escape, sizeof escape, "\\%c", byte);
        else if (byte == '\n')
            fmt_format(escape, sizeof escape, "\\n");
        else if (byte < 0x20 || byte == 0x7f)
            fmt_format(escape, sizeof escape, "\\u%04x", byte);
        else
            escape[0] = (char)byte, escape[1] = 0;
        put(sink, escape);
    }
    put(sink, "\"");
}

static bool is_readable(const uint8_t *data, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++)
        if ((data[i] < 0x20 && data[i] != '\n' && data[i] != '\t') || data[i] >= 0x7f)
            return false;
    return true;
}

static void put_data(const struct value_sink *sink, const uint8_t *data, uint32_t size_bytes)
{
    constexpr uint32_t SHOWN_MAX = 64;
    char text[48];
    if (is_readable(data, size_bytes)) {
        put_quoted(sink, (const char *)data, size_bytes);
        return;
    }
    fmt_format(text, sizeof text, "<%u bytes:", size_bytes);
    put(sink, text);
    for (uint32_t i = 0; i < size_bytes && i < SHOWN_MAX; i++) {
        fmt_format(text, sizeof text, " %02x", data[i]);
        put(sink, text);
    }
    put(sink, size_bytes > SHOWN_MAX ? " ...>" : ">");
}

// ---- For people --------------------------------------------------------------------
// A tree that value_read made is no deeper than its descriptor.

static void put_items(const struct value_sink *sink, const struct descriptor *descriptor,
                      const struct value *value)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const struct value_item *item = &value->items[i];
        if (i != 0)
            put(sink, ", ");
        if (item->name != nullptr) {
            sink->write(sink->context, item->name, item->name_bytes);
            put(sink, ": ");
        }
        value_print(sink, descriptor, &item->value, item->unit);
    }
}

void value_print(const struct value_sink *sink, const struct descriptor *descriptor,
                 const struct value *value, const char *unit)
{
    char number[VALUE_NUMBER_BYTES];
    switch (value->kind) {
    case VALUE_NULL:
        put(sink, "null");
        break;
    case VALUE_BOOL:
        put(sink, value->number != 0 ? "true" : "false");
        break;
    case VALUE_INTEGER:
        value_format_number(number, value->number, value->negative,
                            unit == nullptr ? "" : unit);
        put(sink, number);
        break;
    case VALUE_TEXT:
        put_quoted(sink, value->text, value->count);
        break;
    case VALUE_DATA:
        put_data(sink, value->data, value->count);
        break;
    case VALUE_NAME:
        sink->write(sink->context, value->text, value->count);
        break;
    case VALUE_CAPABILITY:
        put(sink, "<");
        put(sink, descriptor_interface_name(descriptor, value->interface_id));
        put(sink, ">");
        break;
    case VALUE_LIST:
    case VALUE_STRUCT:
        put(sink, value->kind == VALUE_LIST ? "[" : "{");
        put_items(sink, descriptor, value);
        put(sink, value->kind == VALUE_LIST ? "]" : "}");
        break;
    }
}

void value_print_fields(const struct value_sink *sink, const struct descriptor *descriptor,
                        const struct value *value, const char *indent)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const struct value_item *item = &value->items[i];
        put(sink, indent);
        sink->write(sink->context, item->name, item->name_bytes);
        put(sink, ": ");
        value_print(sink, descriptor, &item->value, item->unit);
        put(sink, "\n");
    }
}

// ---- JSON --------------------------------------------------------------------------

static void put_json_data(const struct value_sink *sink, const uint8_t *data,
                          uint32_t size_bytes)
{
    char number[8];
    put(sink, "[");
    for (uint32_t i = 0; i < size_bytes; i++) {
        fmt_format(number, sizeof number, "%s%u", i == 0 ? "" : ",", data[i]);
        put(sink, number);
    }
    put(sink, "]");
}

static void put_json_items(const struct value_sink *sink, const struct descriptor *descriptor,
                           const struct value *value)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const struct value_item *item = &value->items[i];
        if (i != 0)
            put(sink, ",");
        if (item->name != nullptr) {
            put_quoted(sink, item->name, item->name_bytes);
            put(sink, ":");
        }
        value_print_json(sink, descriptor, &item->value);
    }
}

void value_print_json(const struct value_sink *sink, const struct descriptor *descriptor,
                      const struct value *value)
{
    char number[24];
    switch (value->kind) {
    case VALUE_NULL:
        put(sink, "null");
        break;
    case VALUE_BOOL:
        put(sink, value->number != 0 ? "true" : "false");
        break;
    case VALUE_INTEGER:
        fmt_format(number, sizeof number, "\"%s%llu\"", value->negative ? "-" : "",
                   (unsigned long long)value->number);
        put(sink, number);
        break;
    case VALUE_TEXT:
    case VALUE_NAME:
        put_quoted(sink, value->text, value->count);
        break;
    case VALUE_DATA:
        put_json_data(sink, value->data, value->count);
        break;
    case VALUE_CAPABILITY: {
        const char *name = descriptor_interface_name(descriptor, value->interface_id);
        put_quoted(sink, name, (uint32_t)strlen(name));
        break;
    }
    case VALUE_LIST:
    case VALUE_STRUCT:
        put(sink, value->kind == VALUE_LIST ? "[" : "{");
        put_json_items(sink, descriptor, value);
        put(sink, value->kind == VALUE_LIST ? "]" : "}");
        break;
    }
}
