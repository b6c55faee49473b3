// SPDX-License-Identifier: MIT
// Owns the decoding and printing of recorded messages.  A message of which only the
// beginning was recorded is read with zeros in place of the rest, and of a long value only
// what was recorded is shown.  Tested by lib/tracer_test.c.
#include <lib/tracer_message.h>

#include <abi/ring.h>
#include <abi/trace.h>
#include <lib/string.h>
#include <lib/value.h>

constexpr uint32_t DATA_SHOWN_MAX = 64;
constexpr uint32_t ITEMS_MAX = 256;

static struct value_item items[ITEMS_MAX];
static alignas(8) uint8_t whole[CAPOS_MESSAGE_BYTES_MAX];

// ---- Reading -----------------------------------------------------------------------

// The capabilities behind the message, as far as they were recorded.
static uint32_t read_capabilities(const struct tracer_message *message,
                                  struct value_capability *out_capabilities)
{
    uint32_t start = (message->message_bytes + 7u) & ~7u;
    uint32_t count = message->transfer_count < CAPOS_TRANSFER_COUNT_MAX
                         ? message->transfer_count
                         : CAPOS_TRANSFER_COUNT_MAX;
    static_assert(sizeof(struct capos_transfer) == sizeof(struct capos_cap_record));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = start + i * (uint32_t)sizeof(struct capos_cap_record);
        struct capos_cap_record record = {};
        if (at + sizeof record <= message->captured_bytes)
            memcpy(&record, message->captured + at, sizeof record);
        // Both kinds begin with the id; only the record says an interface.
        out_capabilities[i] = (struct value_capability){
            .number = record.cap, .interface_id = message->arrived ? record.interface_id : 0};
    }
    return count;
}

static bool is_whole(const struct tracer_message *message)
{
    return message->captured_bytes >= message->message_bytes;
}

static bool read_message(const struct descriptor *schema, const struct tracer_message *message,
                         uint32_t of, struct value *out_value)
{
    struct value_capability capabilities[CAPOS_TRANSFER_COUNT_MAX];
    struct value_arena arena = {.items = items, .count_max = ITEMS_MAX};
    if (message->message_bytes > sizeof whole ||
        (message->captured_bytes == 0 && message->message_bytes > 0))
        return false;
    uint32_t recorded = is_whole(message) ? message->message_bytes : message->captured_bytes;
    if (recorded > 0)
        memcpy(whole, message->captured, recorded);
    memset(whole + recorded, 0, message->message_bytes - recorded);
    uint32_t count = read_capabilities(message, capabilities);
    return value_read(schema, of, whole, message->message_bytes, capabilities, count, &arena,
                      out_value) == STATUS_OK;
}

// ---- Text --------------------------------------------------------------------------

struct printer {
    const struct tracer_names *names;
    struct text *text;
    const uint8_t *recorded_end; // in `whole`
};

static void print_bytes(const struct printer *printer, const void *bytes, uint32_t count,
                        bool data)
{
    const uint8_t *start = bytes;
    uint32_t shown = count;
    if (start >= whole && start < whole + sizeof whole && start + shown > printer->recorded_end)
        shown = start < printer->recorded_end ? (uint32_t)(printer->recorded_end - start) : 0;
    if (shown > DATA_SHOWN_MAX)
        shown = DATA_SHOWN_MAX;
    text_add_quoted(printer->text, bytes, shown, data);
    if (shown < count)
        text_addf(printer->text, "... (%u bytes)", count);
}

// Large numbers without a unit are addresses, ids and masks.
static void print_integer(const struct printer *printer, const struct value *value,
                          const char *unit)
{
    unsigned long long number = value->number;
    bool has_unit = unit != nullptr && *unit != 0;
    if (!has_unit && !value->negative && number > 0xffff)
        text_addf(printer->text, "0x%llx", number);
    else
        text_addf(printer->text, "%s%llu%s%s", value->negative ? "-" : "", number,
                  has_unit ? " " : "", has_unit ? unit : "");
}

static void print_items(const struct printer *printer, const struct value *value);

static void print_value(const struct printer *printer, const struct value *value,
                        const char *unit)
{
    switch (value->kind) {
    case VALUE_NULL:
        text_addf(printer->text, "null");
        break;
    case VALUE_BOOL:
        text_addf(printer->text, "%s", value->number != 0 ? "true" : "false");
        break;
    case VALUE_INTEGER:
        print_integer(printer, value, unit);
        break;
    case VALUE_TEXT:
    case VALUE_DATA:
        print_bytes(printer, value->data, value->count, value->kind == VALUE_DATA);
        break;
    case VALUE_NAME:
        text_add(printer->text, value->text, value->count);
        break;
    case VALUE_CAPABILITY:
        printer->names->add_name(printer->names->context, printer->text, value->number);
        break;
    case VALUE_LIST:
    case VALUE_STRUCT:
        text_addf(printer->text, value->kind == VALUE_LIST ? "[" : "{");
        print_items(printer, value);
        text_addf(printer->text, value->kind == VALUE_LIST ? "]" : "}");
        break;
    }
}

// Recursion ends because the reader's depth is bounded.
static void print_items(const struct printer *printer, const struct value *value)
{
    for (uint32_t i = 0; i < value->count; i++) {
        const struct value_item *item = &value->items[i];
        if (i != 0)
            text_addf(printer->text, ", ");
        if (item->name != nullptr)
            text_addf(printer->text, "%.*s: ", (int)item->name_bytes, item->name);
        print_value(printer, &item->value, item->unit);
    }
}

void tracer_message_text(const struct descriptor *schema, const struct tracer_message *message,
                         uint32_t of, const struct tracer_names *names, struct text *text)
{
    struct value value;
    uint32_t recorded = is_whole(message) ? message->message_bytes : message->captured_bytes;
    struct printer printer = {names, text, whole + recorded};
    if (read_message(schema, message, of, &value))
        print_items(&printer, &value);
    else
        text_addf(text, "%u bytes", message->message_bytes);
}

// ---- JSON --------------------------------------------------------------------------

static void sink_write(void *context, const char *bytes, size_t count)
{
    text_add(context, bytes, count);
}

void tracer_message_json(const struct descriptor *schema, const struct tracer_message *message,
                         uint32_t of, struct text *text)
{
    struct value value;
    struct value_sink sink = {.write = sink_write, .context = text};
    if (is_whole(message) && read_message(schema, message, of, &value))
        value_print_json(&sink, schema, &value);
    else
        text_addf(text, "null");
}
