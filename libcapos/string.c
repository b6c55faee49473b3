// SPDX-License-Identifier: MIT
// Strings, as in C23 7.26.  Plain loops: strings are short.
#include <string.h>

#include <stdint.h>
#include <stdlib.h>

#undef strlen

[[clang::no_builtin]] size_t strlen(const char *text)
{
    const char *end = text;
    while (*end != '\0')
        end++;
    return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && text[length] != '\0')
        length++;
    return length;
}

void *memchr(const void *memory, int value, size_t size)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] == (uint8_t)value)
            return (void *)(uintptr_t)(bytes + i);
    return nullptr;
}

int strcmp(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right)
        left++, right++;
    return (int)(uint8_t)*left - (int)(uint8_t)*right;
}

int strncmp(const char *left, const char *right, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i] || left[i] == '\0')
            return (int)(uint8_t)left[i] - (int)(uint8_t)right[i];
    return 0;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    memcpy(to, from, strlen(from) + 1);
    return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strnlen(from, size);
    memcpy(to, from, length);
    memset(to + length, 0, size - length);
    return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t size)
{
    size_t length = strnlen(from, size);
    char *end = to + strlen(to);
    memcpy(end, from, length);
    end[length] = '\0';
    return to;
}

char *strchr(const char *text, int character)
{
    for (;; text++) {
        if (*text == (char)character)
            return (char *)(uintptr_t)text;
        if (*text == '\0')
            return nullptr;
    }
}

char *strrchr(const char *text, int character)
{
    const char *found = nullptr;
    for (;; text++) {
        if (*text == (char)character)
            found = text;
        if (*text == '\0')
            return (char *)(uintptr_t)found;
    }
}

char *strstr(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text != '\0' || length == 0; text++)
        if (strncmp(text, part, length) == 0)
            return (char *)(uintptr_t)text;
    return nullptr;
}

size_t strspn(const char *text, const char *set)
{
    size_t length = 0;
    while (text[length] != '\0' && strchr(set, text[length]) != nullptr)
        length++;
    return length;
}

size_t strcspn(const char *text, const char *set)
{
    size_t length = 0;
    while (text[length] != '\0' && strchr(set, text[length]) == nullptr)
        length++;
    return length;
}

char *strpbrk(const char *text, const char *set)
{
    text += strcspn(text, set);
    return *text == '\0' ? nullptr : (char *)(uintptr_t)text;
}

char *strtok_r(char *restrict text, const char *restrict separators, char **restrict rest)
{
    char *start = text != nullptr ? text : *rest;
    start += strspn(start, separators);
    if (*start == '\0') {
        *rest = start;
        return nullptr;
    }
    char *end = start + strcspn(start, separators);
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    return start;
}

char *strndup(const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    char *copy = malloc(length + 1);
    if (copy == nullptr)
        return nullptr;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *strdup(const char *text)
{
    return strndup(text, strlen(text));
}
