// SPDX-License-Identifier: MIT
// One run of a machine: carries the bytes between it and us until it ends.
#pragma once

#include <abi/host_link.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

enum session_end {
    SESSION_FINISHED, // finish
    SESSION_REFUSED,  // refusal, reason
    SESSION_TIMED_OUT,
    SESSION_SIGNALLED, // signal
    SESSION_FAILED,    // reason; the log says more
};

constexpr size_t SESSION_LOG_BYTES = 32 * 1024;

struct session {
    enum session_end end;
    struct capos_link_finish finish;
    uint32_t refusal; // enum host_control_refusal
    int signal;       // the one that we got
    int output_error; // errno of a write to stdout that failed: output is lost
    char reason[512];
    char log[SESSION_LOG_BYTES + 1]; // the end of what kernel and QEMU printed
    size_t log_bytes;
};

// Blocks the signals that end a run, so that session_run can take them; to be called
// before the machine is started.
void session_prepare(void);

// How session_run is wanted.
struct session_options {
    uint64_t timeout_ms; // 0: no limit
    bool verbose;        // shows the log as it comes
    bool gdb;            // lets the machine take as long as a debugger holds it
    bool tty;            // gives the terminal's keys to the machine, if there is one
    // Takes the records of calls as they come; may be nullptr.
    void (*on_trace)(void *context, const uint8_t *data, size_t size_bytes);
    void *trace_context;
};

// Carries stdin, stdout and stderr until the program, the machine, the time or a signal ends
// it.  When it returns, the machine is gone, the terminal is as it was, and all output that
// came is written out, unless a signal or the time cut it short.
void session_run(struct session *session, struct machine *machine,
                 const struct session_options *options);
