// SPDX-License-Identifier: MIT
// The trace ring and its printing.  Tested in tests/core/debug_test.c.
#include <kernel/debug/trace.h>

#include <kernel/debug/log.h>

struct trace_ring trace_ring;

static_assert((TRACE_ENTRIES & (TRACE_ENTRIES - 1)) == 0);

struct trace_event_text {
    const char *name, *a, *b;
};

static const struct trace_event_text event_texts[TRACE_EVENT_COUNT] = {
#define TRACE_EVENT_TEXT(event, name, a, b) [event] = {name, a, b},
    TRACE_EVENTS(TRACE_EVENT_TEXT)
#undef TRACE_EVENT_TEXT
};

static void print_number(const char *name, uint64_t value)
{
    if (name[0] != '\0')
        log_printf(value < 4096 ? " %s=%lu" : " %s=%#lx", name, value);
}

static void print_entry(uint32_t number, const struct trace_entry *entry)
{
    // A panic may come from memory that was overwritten: no entry is trusted.
    if (entry->event >= TRACE_EVENT_COUNT) {
        log_printf("  %8u event %u?\n", number, entry->event);
        return;
    }
    const struct trace_event_text *text = &event_texts[entry->event];
    log_printf("  %8u %s", number, text->name);
    print_number(text->a, entry->a);
    print_number(text->b, entry->b);
    log_printf("\n");
}

void trace_dump(uint32_t count)
{
    uint32_t end = trace_ring.next;
    if (count > TRACE_ENTRIES)
        count = TRACE_ENTRIES;
    log_printf("last %u trace entries:\n", count < end ? count : end);
    for (uint32_t number = end - (count < end ? count : end); number != end; number++)
        print_entry(number, &trace_ring.entries[number % TRACE_ENTRIES]);
}
