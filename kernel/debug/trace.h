// SPDX-License-Identifier: MIT
// The last things that the kernel did: a ring of fixed size in its memory, which a
// panic and the debugger print (trace.c).
//
// Cheap enough to be always on: an event is an enum and two numbers, their meaning is
// in TRACE_EVENTS.  The big kernel lock is held wherever an event is written.
#pragma once

#include <stdint.h>

// event, its name, what its two numbers are
#define TRACE_EVENTS(EVENT)                                         \
    EVENT(TRACE_NONE, "none", "", "")                               \
    EVENT(TRACE_SWITCH, "switch", "to_process", "thread")           \
    EVENT(TRACE_TIMER, "timer", "now_ns", "")                       \
    EVENT(TRACE_IRQ, "irq", "line", "")                             \
    EVENT(TRACE_FAULT, "fault", "kind", "address")                  \
    EVENT(TRACE_PROCESS_START, "process_start", "process", "entry") \
    EVENT(TRACE_PROCESS_END, "process_end", "process", "kind")      \
    EVENT(TRACE_PROCESS_FREE, "process_free", "process", "")        \
    EVENT(TRACE_THREAD_START, "thread_start", "process", "thread")  \
    EVENT(TRACE_THREAD_END, "thread_end", "process", "thread")      \
    EVENT(TRACE_REVOKE, "revoke", "word", "")                       \
    EVENT(TRACE_CHARGE_REFUSED, "charge_refused", "limit", "size")

enum trace_event : uint32_t {
#define TRACE_EVENT_NUMBER(event, name, a, b) event,
    TRACE_EVENTS(TRACE_EVENT_NUMBER)
#undef TRACE_EVENT_NUMBER
        TRACE_EVENT_COUNT,
};

constexpr uint32_t TRACE_ENTRIES = 256; // a power of two

struct trace_entry {
    enum trace_event event;
    uint64_t a, b;
};

struct trace_ring {
    uint32_t next; // events written since boot, modulo 2^32
    struct trace_entry entries[TRACE_ENTRIES];
};

extern struct trace_ring trace_ring; // for trace() and the debugger alone

static inline void trace(enum trace_event event, uint64_t a, uint64_t b)
{
    struct trace_entry *entry = &trace_ring.entries[trace_ring.next++ % TRACE_ENTRIES];
    entry->event = event;
    entry->a = a;
    entry->b = b;
}

// Prints the last `count` events (at most TRACE_ENTRIES), oldest first.
void trace_dump(uint32_t count);
