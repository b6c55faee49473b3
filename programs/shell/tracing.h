// SPDX-License-Identifier: MIT
// The traces of programs that the shell starts: `trace on NAME`, `trace off`.
#pragma once

#include <capos/spawn.h>
#include <gen/wire/process.h>
#include <lib/descriptor.h>

#include "eval.h"

extern const struct command tracing_command;

// One program's trace.
struct tracing;

// What the lines are decoded by; lives as long as the shell.
void tracing_init(const struct descriptor *schema);

// Whether a program of that name is to be traced when it starts.
[[nodiscard]] bool tracing_is_wanted(const char *program);

// A trace with its ring, paid by the shell; its lines begin with the job's number.  nullptr:
// `problem` says why not.  What the kernel needs to know goes to *out_spawn_trace.
[[nodiscard]] struct tracing *tracing_begin(uint32_t job,
                                            struct capos_spawn_trace *out_spawn_trace,
                                            struct value_problem *problem);

// The program runs: from now on its lines are written as they come, in the event loop.
void tracing_follow(struct tracing *tracing);

// The program has ended: writes the rest, and gives the trace back.
void tracing_finish(struct tracing *tracing, const struct process_handle_wait_results *end);

// Gives a trace back whose program wasn't started.
void tracing_end(struct tracing *tracing);
