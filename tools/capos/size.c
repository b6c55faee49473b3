// SPDX-License-Identifier: MIT
// Sizes as people write them; see size.h.  Tested by size_test.c.
#include "size.h"

#include <string.h>

bool size_read(const char *text, size_t bytes, uint64_t *out_bytes)
{
    static const char units[] = "KMG";
    const char *unit = bytes > 1 ? memchr(units, text[bytes - 1], sizeof units - 1) : nullptr;
    size_t digits = bytes - (unit != nullptr);
    unsigned shift = unit != nullptr ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t number = 0;
    if (digits == 0)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (text[i] < '0' || text[i] > '9' ||
            __builtin_mul_overflow(number, UINT64_C(10), &number) ||
            __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
            return false;
    }
    if (number > (uint64_t)INT64_MAX >> shift)
        return false;
    *out_bytes = number << shift;
    return true;
}
