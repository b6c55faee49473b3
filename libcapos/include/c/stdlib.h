// SPDX-License-Identifier: MIT
// As in C23 7.24: the part that needs no locale, no errno and no floating point.
#pragma once

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1
#define RAND_MAX     0x7fffffff

[[nodiscard]] void *malloc(size_t size) __attribute__((malloc, alloc_size(1)));
[[nodiscard]] void *calloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));
[[nodiscard]] void *realloc(void *block, size_t size) __attribute__((alloc_size(2)));
[[nodiscard]] void *aligned_alloc(size_t alignment, size_t size)
    __attribute__((malloc, alloc_align(1), alloc_size(2)));
void free(void *block);

// Runs the atexit functions, flushes the streams, ends the process.
[[noreturn]] void exit(int code);
[[noreturn]] void _Exit(int code);
// Ends the process with a fault that its parent sees, after a word on the error stream.
[[noreturn]] void abort(void);
// Up to 32 functions, called by exit in the opposite order.  Not zero: no room.
int atexit(void (*function)(void));

// The value of an environment string; nullptr without one.
char *getenv(const char *name);

// Values beyond the type's range become its limit; there is no errno to say so.
long strtol(const char *restrict text, char **restrict end, int base);
long long strtoll(const char *restrict text, char **restrict end, int base);
unsigned long strtoul(const char *restrict text, char **restrict end, int base);
unsigned long long strtoull(const char *restrict text, char **restrict end, int base);
int atoi(const char *text);
long atol(const char *text);
long long atoll(const char *text);

int abs(int number);
long labs(long number);
long long llabs(long long number);

// Pseudo-random, not for keys: an EntropySource is for those.
int rand(void);
void srand(unsigned seed);

void qsort(void *array, size_t count, size_t size,
           int (*compare)(const void *left, const void *right));
void *bsearch(const void *key, const void *array, size_t count, size_t size,
              int (*compare)(const void *key, const void *element));
