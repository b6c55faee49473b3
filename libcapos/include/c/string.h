// SPDX-License-Identifier: MIT
// Memory and strings, as in C23 7.26: the part that needs no locale and no errno.
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *left, const void *right, size_t size);
void *memchr(const void *memory, int value, size_t size);

size_t strlen(const char *text);
size_t strnlen(const char *text, size_t size);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t size);
char *strcpy(char *restrict to, const char *restrict from);
char *strncpy(char *restrict to, const char *restrict from, size_t size);
char *strcat(char *restrict to, const char *restrict from);
char *strncat(char *restrict to, const char *restrict from, size_t size);
char *strchr(const char *text, int character);
char *strrchr(const char *text, int character);
char *strstr(const char *text, const char *part);
size_t strspn(const char *text, const char *set);
size_t strcspn(const char *text, const char *set);
char *strpbrk(const char *text, const char *set);
char *strtok_r(char *restrict text, const char *restrict separators, char **restrict rest);
char *strdup(const char *text);
char *strndup(const char *text, size_t size);

// In a freestanding build the compiler doesn't know these functions by their names; so
// that small copies of a constant size still become instructions, calls go by the names
// that it does know.
#define memcpy(...)  __builtin_memcpy(__VA_ARGS__)
#define memmove(...) __builtin_memmove(__VA_ARGS__)
#define memset(...)  __builtin_memset(__VA_ARGS__)
#define memcmp(...)  __builtin_memcmp(__VA_ARGS__)
#define strlen(...)  __builtin_strlen(__VA_ARGS__)
