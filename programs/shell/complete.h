// SPDX-License-Identifier: MIT
// Completion: what a line may go on with.  Reads names, values and the schema; calls nothing.
// Tested by complete_test.c, fuzzed by complete_fuzz.c.
#pragma once

#include "eval.h"

constexpr uint32_t COMPLETION_BYTES_MAX = 8192; // of schema/terminal.capnp

struct completion {
    uint32_t start; // the bytes of the line from here to the cursor are completed
    uint32_t count;
    uint32_t bytes;
    // The candidates, separated by newlines; a note for the person follows behind a tab.
    char text[COMPLETION_BYTES_MAX + 1];
};

// Finds what can stand in the place of the word before the cursor.  One candidate that is
// certain comes with what belongs behind it: a point, a colon, a space.
void complete_line(const struct shell *shell, const char *line, size_t line_bytes,
                   uint32_t cursor, struct completion *out_completion);
