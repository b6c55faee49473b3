// SPDX-License-Identifier: MIT
// Copying and clearing words, in C so that the link puts it in line.
#include <kernel/arch.h>

void arch_words_copy(void *to, const void *from, size_t size_bytes)
{
    uint64_t words = size_bytes / 8;
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

void arch_words_clear(void *to, size_t size_bytes)
{
    uint64_t words = size_bytes / 8;
    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(UINT64_C(0)) : "memory");
}
