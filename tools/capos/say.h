// SPDX-License-Identifier: MIT
// Messages of `capos` itself, on stderr: one line each, beginning with "capos: ".
#pragma once

// The statuses that `capos` itself exits with; everything else is the program's.
enum exit_status {
    EXIT_TIMED_OUT = 124,
    EXIT_CAPOS_FAILED = 125,
    EXIT_NOT_EXECUTABLE = 126,
    EXIT_NOT_FOUND = 127,
    EXIT_SIGNAL_BASE = 128, // plus the number of the signal that the end resembles
};

// Prints the line; a newline is added.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Prints the line and returns `status`, for `return fail(...)`.
[[nodiscard]] int fail(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
