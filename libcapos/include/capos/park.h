// SPDX-License-Identifier: MIT
// Sleeping on words of memory, over the grant "park" (ParkSpace), which every program has.
// <capos/sync.h> has the locks that most programs want.
//
//     while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0)
//         (void)capos_park(&word, 0, CAPOS_FOREVER);
//
//     __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
//     capos_unpark(&word, 1);
//
// A word may lie in memory that processes share; then they wake each other.
#pragma once

#include <abi/syscall.h> // CAPOS_FOREVER
#include <gen/status.h>
#include <stdint.h>

// Sleeps as long as nobody wakes the word's sleepers, if the word holds `expected`; looking
// and falling asleep are one step.  STATUS_OK: look again, for the word may have changed, or
// the program lacks "park" and this has only yielded.  STATUS_TIMED_OUT; STATUS_BAD_CAPABILITY:
// timeout_ns is neither 0 nor CAPOS_FOREVER, and the program holds no Timer;
// STATUS_BAD_ADDRESS: the word isn't readable, misaligned, or stopped to be there.
[[nodiscard]] enum status capos_park(const uint32_t *word, uint32_t expected,
                                     uint64_t timeout_ns);
[[nodiscard]] enum status capos_park_64(const uint64_t *word, uint64_t expected,
                                        uint64_t timeout_ns);

// Wakes up to `count` sleepers of a word, those that came first.  The word need not be there
// any more: whoever takes a lock may free it before its unlocker has woken anybody.
void capos_unpark(const void *word, uint32_t count);

// Wakes `count` sleepers of a word and moves the others to another word.
void capos_unpark_move(const void *word, uint32_t count, const void *target);

// capos_unpark(woken, 1), then capos_park(word, expected, CAPOS_FOREVER), by one operation, in
// which the kernel switches from the one thread to the other.
[[nodiscard]] enum status capos_unpark_and_park(const void *woken, const uint32_t *word,
                                                uint32_t expected);
