// SPDX-License-Identifier: MIT
// memcpy and its family, which the compiler also calls on its own.
//
// Copies go through 16-byte registers, and the last bytes by a copy that overlaps the one
// before it, so no size needs a loop over bytes.  What is large goes by the string
// instructions: one instruction for all of it, which a CPU does in its widest steps, and
// emulation by words.
//
// Tested by memory_copy_test.c, which includes this file under other names.
#include <copy_words.h> // of libcapos/arch/x86_64, or arch/host in host tests

#include <stddef.h>
#include <stdint.h>

#ifndef MEMORY_NAME
#define MEMORY_NAME(name) name
#endif

typedef uint8_t block16 [[gnu::vector_size(16), gnu::aligned(1), gnu::may_alias]];
typedef uint64_t words2 [[gnu::vector_size(16)]];
typedef uint64_t word8 [[gnu::aligned(1), gnu::may_alias]];
typedef uint32_t word4 [[gnu::aligned(1), gnu::may_alias]];
typedef uint16_t word2 [[gnu::aligned(1), gnu::may_alias]];

void *MEMORY_NAME(memcpy)(void *restrict to, const void *restrict from, size_t size);
void *MEMORY_NAME(memmove)(void *to, const void *from, size_t size);
void *MEMORY_NAME(memset)(void *to, int value, size_t size);
int MEMORY_NAME(memcmp)(const void *left, const void *right, size_t size);

constexpr size_t LARGE = 512; // from here on the string instructions pay off

// Up to 32 bytes: both ends are loaded before either is stored, so the areas may overlap.
static inline void copy_small(uint8_t *to, const uint8_t *from, size_t size)
{
    if (size >= 16) {
        block16 first = *(const block16 *)from, last = *(const block16 *)(from + size - 16);
        *(block16 *)to = first;
        *(block16 *)(to + size - 16) = last;
    } else if (size >= 8) {
        uint64_t first = *(const word8 *)from, last = *(const word8 *)(from + size - 8);
        *(word8 *)to = first;
        *(word8 *)(to + size - 8) = last;
    } else if (size >= 4) {
        uint32_t first = *(const word4 *)from, last = *(const word4 *)(from + size - 4);
        *(word4 *)to = first;
        *(word4 *)(to + size - 4) = last;
    } else if (size >= 2) {
        uint16_t first = *(const word2 *)from, last = *(const word2 *)(from + size - 2);
        *(word2 *)to = first;
        *(word2 *)(to + size - 2) = last;
    } else if (size == 1) {
        *to = *from;
    }
}

// More than 32 bytes, ascending; right for overlapping areas with `to` below `from`.
static inline void copy_up(uint8_t *to, const uint8_t *from, size_t size)
{
    block16 last1 = *(const block16 *)(from + size - 32);
    block16 last2 = *(const block16 *)(from + size - 16);
    uint8_t *end = to + size;
    if (size >= LARGE) {
        copy_words(to, from, size / 8);
        size = 0; // but for the last bytes
    }
    for (; size > 64; size -= 64, to += 64, from += 64) {
        block16 a = *(const block16 *)from, b = *(const block16 *)(from + 16);
        block16 c = *(const block16 *)(from + 32), d = *(const block16 *)(from + 48);
        *(block16 *)to = a;
        *(block16 *)(to + 16) = b;
        *(block16 *)(to + 32) = c;
        *(block16 *)(to + 48) = d;
    }
    if (size > 32) {
        block16 a = *(const block16 *)from, b = *(const block16 *)(from + 16);
        *(block16 *)to = a;
        *(block16 *)(to + 16) = b;
    }
    *(block16 *)(end - 32) = last1;
    *(block16 *)(end - 16) = last2;
}

// More than 32 bytes, descending; right for overlapping areas with `to` above `from`.
static inline void copy_down(uint8_t *to, const uint8_t *from, size_t size)
{
    block16 first1 = *(const block16 *)from, first2 = *(const block16 *)(from + 16);
    for (; size > 32; size -= 32) {
        block16 a = *(const block16 *)(from + size - 16);
        block16 b = *(const block16 *)(from + size - 32);
        *(block16 *)(to + size - 16) = a;
        *(block16 *)(to + size - 32) = b;
    }
    *(block16 *)to = first1;
    *(block16 *)(to + 16) = first2;
}

[[clang::no_builtin]] void *MEMORY_NAME(memcpy)(void *restrict to, const void *restrict from,
                                                size_t size)
{
    if (size <= 32)
        copy_small(to, from, size);
    else
        copy_up(to, from, size);
    return to;
}

[[clang::no_builtin]] void *MEMORY_NAME(memmove)(void *to, const void *from, size_t size)
{
    if (size <= 32)
        copy_small(to, from, size);
    else if ((uintptr_t)to - (uintptr_t)from >= size)
        copy_up(to, from, size);
    else
        copy_down(to, from, size);
    return to;
}

[[clang::no_builtin]] void *MEMORY_NAME(memset)(void *to, int value, size_t size)
{
    uint8_t *place = to;
    uint64_t word = UINT64_C(0x0101010101010101) * (uint8_t)value;
    if (size < 16) {
        if (size >= 8) {
            *(word8 *)place = word;
            *(word8 *)(place + size - 8) = word;
        } else if (size >= 4) {
            *(word4 *)place = (uint32_t)word;
            *(word4 *)(place + size - 4) = (uint32_t)word;
        } else if (size >= 2) {
            *(word2 *)place = (uint16_t)word;
            *(word2 *)(place + size - 2) = (uint16_t)word;
        } else if (size == 1) {
            *place = (uint8_t)value;
        }
        return to;
    }
    block16 block = (block16)(words2){word, word};
    uint8_t *last = place + size - 16;
    if (size >= LARGE) {
        fill_words(place, word, size / 8);
        place = last;
    }
    for (; place < last; place += 16)
        *(block16 *)place = block;
    *(block16 *)last = block;
    return to;
}

[[clang::no_builtin]] int MEMORY_NAME(memcmp)(const void *left, const void *right, size_t size)
{
    const uint8_t *a = left, *b = right;
    size_t i = 0;
    while (i + 8 <= size && *(const word8 *)(a + i) == *(const word8 *)(b + i))
        i += 8;
    for (; i < size; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}
