// SPDX-License-Identifier: MIT
// Text of bounded length that is put together piece by piece.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr size_t TEXT_BYTES = 8192;

struct text {
    char bytes[TEXT_BYTES]; // ends with NUL
    size_t count;
    bool cut; // something didn't fit
};

void text_add(struct text *text, const char *bytes, size_t count);
void text_addf(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// In double quotes, with everything but printable ASCII escaped as JSON has it for text, and
// as \xHH if `data`.
void text_add_quoted(struct text *text, const void *bytes, size_t count, bool data);
