// SPDX-License-Identifier: MIT
// The records of a traced process (abi/trace.h) as lines for people or programs, and the audit
// of who used what (lib/tracer.c).
#pragma once

#include <abi/trace.h>
#include <gen/wire/process.h>
#include <lib/text.h>
#include <lib/value.h>

constexpr uint32_t TRACER_GRANTS_MAX = 128; // of a CapSet
constexpr uint32_t TRACER_USES_MAX = 1024;  // rows of the audit
constexpr uint32_t TRACER_RECORD_BYTES_MAX =
    sizeof(struct capos_trace_record) + CAPOS_TRACE_CAPTURE_BYTES_MAX;

// A call whose end hasn't come.
struct tracer_call {
    uint64_t id; // 0: free
    uint64_t time_ns;
    uint64_t interface_id;
    uint16_t method;
    uint16_t kind;    // enum capos_trace_kind of what began it
    uint32_t use;     // row of the audit, TRACER_USES_MAX if it has none
    struct text text; // the line up to the results
};

struct tracer_grant {
    uint64_t cap;
    uint64_t interface_id;
    char name[32];
};

// How often a capability's method was called.
struct tracer_use {
    uint64_t cap;
    uint64_t interface_id;
    uint16_t method;
    bool release;
    uint64_t calls;
    uint64_t failures;
};

struct tracer {
    const struct descriptor *schema;
    struct value_sink lines; // write: nullptr if none are wanted
    bool json;
    const char *problem; // why the rest of the stream was ignored, or nullptr

    // The record that is being received.
    alignas(8) uint8_t record[TRACER_RECORD_BYTES_MAX];
    uint32_t record_bytes;

    uint64_t process_id;
    char process_name[64];
    uint64_t lost_count;   // records that the kernel dropped
    uint64_t unused_count; // calls that found no row in the audit
    uint32_t grant_count;
    struct tracer_grant grants[TRACER_GRANTS_MAX];
    uint32_t use_count;
    struct tracer_use uses[TRACER_USES_MAX];
    struct tracer_call *calls;
    uint32_t call_count;
};

// A tracer that keeps `call_count` calls in flight at `calls`, the caller's storage; a thread
// has at most 64.  A call that finds no room has no line.  A sink without `write` means that
// no lines are wanted.  Each line is one write with its newline.
void tracer_init(struct tracer *tracer, const struct descriptor *schema,
                 struct tracer_call *calls, uint32_t call_count, struct value_sink lines,
                 bool json);

// Takes a piece of the stream of records, cut anywhere.
void tracer_receive(struct tracer *tracer, const uint8_t *data, size_t size_bytes);

// Writes the lines of calls that never completed, and how the process ended;
// END_KIND_RUNNING: that isn't known.
void tracer_end(struct tracer *tracer, enum end_kind kind, int64_t exit_code);

// Writes the audit, a line per method of a capability, with tabs between the columns.
void tracer_write_audit(const struct tracer *tracer, const struct value_sink *sink);
