// SPDX-License-Identifier: MIT
// Allowances: how much may still be written through each StdIO that has a limit (allowance.c).
//
// Such a StdIO is an object of its own, whose word names its allowance.  All other words have
// no limit.
//
// Invariant: all that may still be written through limited ones was taken from the allowance of
// the one that each was made from, so a chain of them is no wider than its first.
//
// Bytes go in, decisions come out: nothing here knows of calls.  Tested in allowance_test.c.
#pragma once

#include <stdint.h>

#include <gen/status.h>

constexpr uint32_t ALLOWANCE_COUNT_MAX = 64; // at a time

// Makes an allowance out of that of `parent_word`, if that has one.  STATUS_INVALID_ARGUMENT:
// that has less; STATUS_OVERLOADED: there are as many as there may be.
[[nodiscard]] enum status allowance_make(uint64_t parent_word, uint64_t bytes_max,
                                         uint64_t *out_word);

// Takes all of the bytes, or nothing: false if the allowance doesn't reach.
[[nodiscard]] bool allowance_take(uint64_t word, uint64_t bytes);

// Nobody holds the object any more; what is left is gone.
void allowance_end(uint64_t word);
