// SPDX-License-Identifier: MIT
// Other programs of the host, run to their end.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr size_t COMMAND_ARGUMENTS_MAX = 4096;

// Arguments of a command; the strings are borrowed.
struct command {
    const char *arguments[COMMAND_ARGUMENTS_MAX];
    size_t count;
};

// Adds an argument; ends the process with a message when there are too many.
void command_add(struct command *command, const char *argument);

// Adds all arguments of another one.
void command_add_all(struct command *command, const struct command *more);

// A copy of a string that lasts as long as this process.
[[nodiscard]] const char *keep(const char *text);

// Runs it with our own stdin, stdout and stderr.  Its exit status; 127 if it can't be
// found, 128+n if a signal ended it.
[[nodiscard]] int command_run(const struct command *command);

// The same with its stdout handed to `read`, in pieces, and, if `quiet`, without stderr.
[[nodiscard]] int command_read(const struct command *command, bool quiet,
                               void (*read)(void *context, const char *bytes, size_t count),
                               void *context);
