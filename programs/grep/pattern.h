// SPDX-License-Identifier: MIT
// Patterns of grep: basic regular expressions, as far as people type them.
//
//     c       that byte          .       any byte
//     [a-z_]  one of those       [^a-z]  none of those
//     x*      x, any number      ^  $    the beginning and the end of the line
//     \c      the byte c, whatever it means otherwise
//
// No groups and no alternatives; one pass over the line for each place where a match may begin.
// Tested by pattern_test.c.
#pragma once

#include <stddef.h>

constexpr size_t PATTERN_BYTES_MAX = 1024;

// Whether a text is a pattern: brackets are closed and a \ isn't the last byte.
[[nodiscard]] bool pattern_is_valid(const char *pattern);

// Whether a line, without its newline, has a match.
[[nodiscard]] bool pattern_matches(const char *pattern, const char *line, size_t line_bytes,
                                   bool ignore_case);
