// SPDX-License-Identifier: MIT
// Pipes: what one program of a pipeline writes is what the next one reads.
//
// Each program of a pipeline gets a StdIO of its own, an *end*, which the shell serves: its
// input or output is a pipe; the rest, standard error among it, goes to the StdIO that the
// program would have had alone, its *outer* one.
//
// Nothing is buffered.  A write waits in its message until the reader has read all of it, so
// a writer is as fast as its reader, and a write that was answered has arrived.
//
// Invariants:
//  1. An end has an Endpoint and receive buffers of its own: a program that writes what nobody
//     reads holds up itself, not the other pipes and not the shell.
//  2. A reader gets the end of input when the writer's end is released and everything was
//     read; a writer gets `disconnected` when the reader's end is released.
//
// Tested by tests/cli/shell_test.py, booted.
#pragma once

#include <gen/capos/stdio.h>

// How many ends there may be at once: the shell's ring has room for what they have under way.
constexpr uint32_t PIPE_ENDS_MAX = 8;

struct pipe_end;

// Makes the ends of `count` programs, 2 or more, in their order.  The outer StdIOs are lent
// until the ends are destroyed.  STATUS_OVERLOADED: too many ends, or no memory.
[[nodiscard]] enum status pipe_create(const stdio_cap *outers, uint32_t count,
                                      struct pipe_end **out_ends);
// The StdIO of a program's end, to be moved to it; once.
[[nodiscard]] stdio_cap pipe_end_take(struct pipe_end *end);
// The programs have ended.
void pipe_destroy(struct pipe_end **ends, uint32_t count);
