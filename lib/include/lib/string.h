// SPDX-License-Identifier: MIT
// The functions on bytes that a compiler expects of every environment, as ISO C declares them.
// The kernel's are in kernel/arch, those of user programs in libcapos, the host has a libc.
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

// A freestanding compiler takes these for ordinary functions; as builtins, those of a small
// constant size become a few moves.
#define memcpy(to, from, size)  __builtin_memcpy(to, from, size)
#define memmove(to, from, size) __builtin_memmove(to, from, size)
#define memset(to, byte, size)  __builtin_memset(to, byte, size)
