// SPDX-License-Identifier: MIT
// The window's size, from a terminal that is only a wire: it is asked where its last corner is
// by an escape sequence, and the answer is found among the keys.  No input or output.
//
// The question saves the cursor (DECSC), moves it beyond every corner (CUP), asks for its
// position (DSR 6), and brings it back (DECRC); the answer is the cursor position report,
// ESC [ row ; column R (ECMA-48, VT100).
//
// Invariants:
//  1. What isn't an answer passes unchanged and in its order.
//  2. Nothing is held back unless a question is open: its owner gives the questions up when
//     somebody reads for whom a lone Escape must not wait for the next key.
//
// xterm sends ESC [ 1 ; modifier R for F3 with a modifier: a window of one row isn't believed.
// Tested by size_query_test.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIZE_QUERY "\0337\033[999;999H\033[6n\0338"

constexpr uint32_t SIZE_QUERY_HELD_MAX = 16;
constexpr uint32_t SIZE_QUERY_SIDE_MIN = 2;
constexpr uint32_t SIZE_QUERY_SIDE_MAX = 1000;

// Zero-initialise it.
struct size_query {
    uint32_t open;       // questions that are out, whose answers would be taken
    uint32_t held_bytes; // the beginning of what may be an answer
    char held[SIZE_QUERY_HELD_MAX];
    uint16_t columns, rows; // of the last answer; 0: none yet
};

// Takes answers out of what was typed.  Writes what is left to `out_keys`, which has room
// for `bytes` + SIZE_QUERY_HELD_MAX and doesn't overlap `keys`, and returns its length.  An
// answer changes `columns` and `rows` and closes a question.
[[nodiscard]] size_t size_query_filter(struct size_query *query, const char *keys, size_t bytes,
                                       char *out_keys);

// Closes all questions.  Writes what is held back to `out_keys`, which has room for
// SIZE_QUERY_HELD_MAX, and returns its length.
[[nodiscard]] size_t size_query_give_up(struct size_query *query, char *out_keys);
