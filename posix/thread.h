// SPDX-License-Identifier: MIT
// What posix/ knows of each thread.
#pragma once

#include <stdint.h>

struct posix_thread {
    uint32_t tid;
    uint32_t interrupted;      // a waiting call is to return -EINTR; atomic, slept on by sleeps
    const uint32_t *parked;    // the futex that it sleeps on, or null; atomic
    uint32_t *clear_tid;       // what is set to 0 when the thread has ended
    uint64_t blocked, pending; // signals: bit i is signal i + 1
    struct posix_thread *next; // of all threads but the first
    struct posix_thread **place; // what points to this one
};

[[nodiscard]] struct posix_thread *thread_now(void);

// Whether somebody interrupted the thread since the last time it asked.
[[nodiscard]] bool thread_take_interruption(struct posix_thread *thread);

// Makes the call in which a thread waits, or the next one in which it would, return -EINTR.
// ESRCH.
[[nodiscard]] long thread_interrupt(long tid);
