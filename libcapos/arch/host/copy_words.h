// SPDX-License-Identifier: MIT
// As libcapos/arch/x86_64/copy_words.h, in C.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint64_t copied_word [[gnu::aligned(1), gnu::may_alias]];

static inline void copy_words(void *to, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((copied_word *)to)[i] = ((const copied_word *)from)[i];
}

static inline void fill_words(void *to, uint64_t word, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((copied_word *)to)[i] = word;
}
