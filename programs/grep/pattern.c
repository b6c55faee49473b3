// SPDX-License-Identifier: MIT
// All ways to match are followed at once, so the work for one beginning is bounded by the
// product of the lengths.  Source: Thompson, "Regular Expression Search Algorithm", 1968.
#include "pattern.h"

#include <ctype.h>
#include <string.h>

// The end of the item that begins at `at`; nullptr if it has none.
static const char *item_end(const char *at)
{
    if (*at == '\\')
        return at[1] == '\0' ? nullptr : at + 2;
    if (*at != '[')
        return at + 1;
    at++;
    if (*at == '^')
        at++;
    if (*at == ']') // the first one is a byte like any other
        at++;
    while (*at != '\0' && *at != ']')
        at++;
    return *at == '\0' ? nullptr : at + 1;
}

bool pattern_is_valid(const char *pattern)
{
    if (strlen(pattern) > PATTERN_BYTES_MAX)
        return false;
    while (*pattern != '\0') {
        pattern = item_end(pattern);
        if (pattern == nullptr)
            return false;
    }
    return true;
}

static unsigned char folded(char byte, bool ignore_case)
{
    return (unsigned char)(ignore_case ? tolower((unsigned char)byte) : (unsigned char)byte);
}

static bool set_has(const char *at, const char *end, char byte, bool ignore_case)
{
    bool negated = at[1] == '^';
    unsigned char wanted = folded(byte, ignore_case);
    bool found = false;
    for (at += negated ? 2 : 1; at < end - 1; at++) {
        unsigned char first = folded(*at, ignore_case), last = first;
        if (at[1] == '-' && at + 2 < end - 1) {
            last = folded(at[2], ignore_case);
            at += 2;
        }
        found = found || (wanted >= first && wanted <= last);
    }
    return found != negated;
}

static bool item_takes(const char *at, const char *end, char byte, bool ignore_case)
{
    if (*at == '.')
        return true;
    if (*at == '[')
        return set_has(at, end, byte, ignore_case);
    if (*at == '\\')
        at++;
    return folded(*at, ignore_case) == folded(byte, ignore_case);
}

// states[i]: the pattern up to its byte i has been matched.  What is starred may be left out.
static void states_close(const char *pattern, bool *states)
{
    for (const char *at = pattern; *at != '\0';) {
        const char *end = item_end(at);
        bool starred = *end == '*';
        if (starred && states[at - pattern])
            states[end + 1 - pattern] = true;
        at = end + starred;
    }
}

// A match that begins here.
static bool match_here(const char *pattern, size_t length, bool to_end, const char *line,
                       size_t line_bytes, bool ignore_case)
{
    bool states[PATTERN_BYTES_MAX + 2] = {true}, next[PATTERN_BYTES_MAX + 2];
    states_close(pattern, states);
    for (size_t i = 0; i < line_bytes; i++) {
        if (states[length] && !to_end)
            return true;
        memset(next, 0, length + 1);
        bool any = false;
        for (const char *at = pattern; *at != '\0';) {
            const char *end = item_end(at);
            bool starred = *end == '*';
            if (states[at - pattern] && item_takes(at, end, line[i], ignore_case))
                any = next[(starred ? at : end) - pattern] = true;
            at = end + starred;
        }
        if (!any)
            return false;
        memcpy(states, next, length + 1);
        states_close(pattern, states);
    }
    return states[length];
}

bool pattern_matches(const char *pattern, const char *line, size_t line_bytes, bool ignore_case)
{
    char text[PATTERN_BYTES_MAX + 1];
    bool from_start = pattern[0] == '^';
    size_t length = strlen(pattern) - from_start;
    memcpy(text, pattern + from_start, length + 1);
    // A $ at the end that isn't a byte: the item that it would be begins there.
    bool to_end = false;
    for (const char *at = text; *at != '\0'; at = item_end(at))
        to_end = at[0] == '$' && at[1] == '\0';
    if (to_end)
        text[--length] = '\0';
    for (size_t at = 0; at <= line_bytes; at++) {
        if (match_here(text, length, to_end, line + at, line_bytes - at, ignore_case))
            return true;
        if (from_start)
            break;
    }
    return false;
}
