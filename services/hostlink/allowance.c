// SPDX-License-Identifier: MIT
// Allowances of limited StdIOs; see allowance.h.
#include "allowance.h"

#include <stddef.h>

// Above all words of exports, which the manifest gives: small numbers.
constexpr uint64_t FIRST_WORD = UINT64_C(1) << 63;

static struct {
    bool used;
    uint64_t left_bytes;
} allowances[ALLOWANCE_COUNT_MAX];

// nullptr: the word has no limit.
static uint64_t *left_of(uint64_t word)
{
    if (word < FIRST_WORD || word - FIRST_WORD >= ALLOWANCE_COUNT_MAX)
        return nullptr;
    return &allowances[word - FIRST_WORD].left_bytes;
}

bool allowance_take(uint64_t word, uint64_t bytes)
{
    uint64_t *left_bytes = left_of(word);
    if (left_bytes == nullptr)
        return true;
    if (bytes > *left_bytes)
        return false;
    *left_bytes -= bytes;
    return true;
}

enum status allowance_make(uint64_t parent_word, uint64_t bytes_max, uint64_t *out_word)
{
    uint32_t i = 0;
    while (i < ALLOWANCE_COUNT_MAX && allowances[i].used)
        i++;
    if (i == ALLOWANCE_COUNT_MAX)
        return STATUS_OVERLOADED;
    if (!allowance_take(parent_word, bytes_max))
        return STATUS_INVALID_ARGUMENT;
    allowances[i].used = true;
    allowances[i].left_bytes = bytes_max;
    *out_word = FIRST_WORD + i;
    return STATUS_OK;
}

void allowance_end(uint64_t word)
{
    if (left_of(word) != nullptr)
        allowances[word - FIRST_WORD].used = false;
}
