// SPDX-License-Identifier: MIT
// Many words at once, by the string instructions.  Source: Intel SDM, volume 2, REP MOVS, REP STOS.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Copies `count` words of 8 bytes, ascending.
static inline void copy_words(void *to, const void *from, size_t count)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static inline void fill_words(void *to, uint64_t word, size_t count)
{
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(word) : "memory");
}
