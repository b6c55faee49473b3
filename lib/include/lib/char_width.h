// SPDX-License-Identifier: MIT
// Characters as a terminal shows them: reading UTF-8, and how many columns a character takes.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The number of columns of a Unicode code point on a terminal: 0 for combining marks and
// formatting characters, 2 for East Asian wide characters and emoji, else 1.  Control
// characters have no width of their own; the answer for them is 1.
[[nodiscard]] uint32_t char_width(uint32_t code_point);

// Reads the first character of `count` bytes of UTF-8 (RFC 3629).  Returns the number of its
// bytes, 1 to 4.  0: the bytes aren't UTF-8, or, if *out_incomplete, they are the
// beginning of a character.
[[nodiscard]] uint32_t char_decode(const char *text, size_t count, uint32_t *out_code_point,
                                   bool *out_incomplete);
