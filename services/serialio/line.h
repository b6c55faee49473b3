// SPDX-License-Identifier: MIT
// What a person types, made into lines: the least line editing that a terminal needs
// (line.c).
//
//     Enter       ends the line, as '\n'
//     Backspace   takes the last character back
//     Ctrl-U      takes the whole line back
//     Ctrl-D      at the start of a line: end of input; within one: passes it on
//
// Invariants:
//  1. What was passed on (`ready`) is never edited any more.
//  2. Bytes beyond the room are dropped, with a bell.
//
// Tested by line_test.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr uint32_t LINE_BYTES_MAX = 4096;
constexpr uint32_t LINE_ECHO_BYTES_MAX = 3;

struct line {
    uint32_t first; // of the unread bytes
    uint32_t ready; // end of what a reader may have
    uint32_t end;   // end of the line being edited
    bool input_ended;
    uint8_t bytes[LINE_BYTES_MAX];
};

// Takes a byte from the keyboard.  Returns how many bytes to show, in `echo`; for Ctrl-U
// they are to be shown once for each character that is taken back.
[[nodiscard]] size_t line_type(struct line *line, uint8_t byte,
                               uint8_t echo[LINE_ECHO_BYTES_MAX], uint32_t *out_times);

// Whether a read can be answered now: with bytes, or at the end of input with none.
[[nodiscard]] bool line_is_ready(const struct line *line);
// The bytes that a reader may have, in one piece, and that some were read.
[[nodiscard]] size_t line_peek(const struct line *line, const uint8_t **out_data);
void line_take(struct line *line, size_t size_bytes);
