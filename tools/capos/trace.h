// SPDX-License-Identifier: MIT
// The trace of a program as it comes from the machine: records in, lines out, and the audit
// of who used what (trace.c).
#pragma once

#include <abi/host_link.h>
#include <abi/trace.h>
#include <stdio.h>

#include "text.h"

constexpr uint32_t TRACE_CALLS_MAX = 256;  // in flight; a thread has at most 64
constexpr uint32_t TRACE_GRANTS_MAX = 128; // of a CapSet
constexpr uint32_t TRACE_USES_MAX = 1024;  // rows of the audit
constexpr uint32_t TRACE_RECORD_BYTES_MAX =
    sizeof(struct capos_trace_record) + CAPOS_TRACE_CAPTURE_BYTES_MAX;

// A call whose completion hasn't come.
struct trace_call {
    uint64_t id; // 0: free
    uint64_t time_ns;
    uint64_t interface_id;
    uint16_t method;
    bool release;
    uint32_t use;     // row of the audit, TRACE_USES_MAX if it has none
    struct text text; // the line up to the results
};

struct trace_grant {
    uint64_t cap;
    uint64_t interface_id;
    char name[32];
};

// How often a capability's method was called.
struct trace_use {
    uint64_t cap;
    uint64_t interface_id;
    uint16_t method;
    bool release;
    uint64_t calls;
    uint64_t failures;
};

struct trace {
    FILE *lines; // nullptr: none are wanted
    bool json;
    const char *problem; // why the rest of the stream was ignored, or nullptr

    // The record that is being received.
    alignas(8) uint8_t record[TRACE_RECORD_BYTES_MAX];
    uint32_t record_bytes;

    uint64_t process_id;
    char process_name[64];
    uint64_t lost_count;   // records that the kernel dropped
    uint64_t unused_count; // calls that found no row in the audit
    uint32_t grant_count;
    struct trace_grant grants[TRACE_GRANTS_MAX];
    uint32_t use_count;
    struct trace_use uses[TRACE_USES_MAX];
    struct trace_call calls[TRACE_CALLS_MAX];
};

void trace_init(struct trace *trace, FILE *lines, bool json);

// Takes a piece of the stream of records.
void trace_receive(struct trace *trace, const uint8_t *data, size_t size_bytes);

// Writes the lines of calls that never completed, and how the program ended; nullptr if that
// isn't known.
void trace_end(struct trace *trace, const struct capos_link_finish *finish);

// Writes the audit, a line per method of a capability, with tabs between the columns.
void trace_write_audit(const struct trace *trace, FILE *file);
