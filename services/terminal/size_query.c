// SPDX-License-Identifier: MIT
// Finding the answer among the keys; see size_query.h.
#include "size_query.h"

#include <string.h>

enum match { MATCH_NOT, MATCH_BEGINS, MATCH_WHOLE };

// Reads digits; returns behind them.  A number beyond the range stays beyond it.
static size_t number_read(const char *text, size_t at, size_t bytes, uint32_t *out_number)
{
    uint32_t number = 0;
    for (; at < bytes && text[at] >= '0' && text[at] <= '9'; at++)
        if (number <= SIZE_QUERY_SIDE_MAX)
            number = number * 10 + (uint32_t)(text[at] - '0');
    *out_number = number;
    return at;
}

static bool is_side(uint32_t number)
{
    return number >= SIZE_QUERY_SIDE_MIN && number <= SIZE_QUERY_SIDE_MAX;
}

// Whether a text is, or begins like, ESC [ rows ; columns R.
static enum match match(const char *text, size_t bytes, uint32_t *out_rows,
                        uint32_t *out_columns)
{
    static const char intro[] = {0x1b, '['};
    size_t known = bytes < sizeof intro ? bytes : sizeof intro;
    if (memcmp(text, intro, known) != 0)
        return MATCH_NOT;
    size_t at = number_read(text, known, bytes, out_rows);
    if (at == bytes)
        return MATCH_BEGINS;
    if (text[at] != ';')
        return MATCH_NOT;
    at = number_read(text, at + 1, bytes, out_columns);
    if (at == bytes)
        return MATCH_BEGINS;
    bool is_answer = text[at] == 'R' && is_side(*out_rows) && is_side(*out_columns);
    return is_answer ? MATCH_WHOLE : MATCH_NOT;
}

// Takes a key into what is held; returns how many held bytes are keys after all.
static size_t hold(struct size_query *query, char key)
{
    uint32_t rows, columns;
    query->held[query->held_bytes++] = key;
    switch (match(query->held, query->held_bytes, &rows, &columns)) {
    case MATCH_BEGINS:
        return query->held_bytes == SIZE_QUERY_HELD_MAX ? query->held_bytes : 0;
    case MATCH_WHOLE:
        query->rows = (uint16_t)rows;
        query->columns = (uint16_t)columns;
        query->held_bytes = 0;
        query->open--;
        return 0;
    case MATCH_NOT:
        break;
    }
    // The key that doesn't fit may begin an answer itself.
    bool begins = key == 0x1b && query->held_bytes > 1;
    return begins ? query->held_bytes - 1 : query->held_bytes;
}

static size_t give(struct size_query *query, size_t bytes, char *out_keys)
{
    memcpy(out_keys, query->held, bytes);
    query->held_bytes -= (uint32_t)bytes;
    memmove(query->held, query->held + bytes, query->held_bytes);
    return bytes;
}

size_t size_query_filter(struct size_query *query, const char *keys, size_t bytes,
                         char *out_keys)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (query->open == 0)
            out_keys[count++] = keys[i];
        else
            count += give(query, hold(query, keys[i]), out_keys + count);
    }
    return count;
}

size_t size_query_give_up(struct size_query *query, char *out_keys)
{
    query->open = 0;
    return give(query, query->held_bytes, out_keys);
}
