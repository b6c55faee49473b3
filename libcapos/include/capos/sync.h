// SPDX-License-Identifier: MIT
// Locks between threads.  All are zero-initialised, own nothing, and may lie in memory that
// processes share.  Taking a free lock costs a few instructions and no system call.
#pragma once

#include <capos/park.h>
#include <stdint.h>

// ---- Mutex -----------------------------------------------------------------------------
// Not recursive.  Whoever locked it unlocks it.

struct capos_mutex {
    uint32_t state; // 0: free; 1: taken; 2: taken, and somebody may wait
};

void capos_mutex_wait(struct capos_mutex *mutex); // of capos_mutex_lock

static inline bool capos_mutex_try_lock(struct capos_mutex *mutex)
{
    uint32_t free = 0;
    return __atomic_compare_exchange_n(&mutex->state, &free, 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void capos_mutex_lock(struct capos_mutex *mutex)
{
    if (!capos_mutex_try_lock(mutex))
        capos_mutex_wait(mutex);
}

static inline void capos_mutex_unlock(struct capos_mutex *mutex)
{
    if (__atomic_exchange_n(&mutex->state, 0, __ATOMIC_RELEASE) == 2)
        capos_unpark(&mutex->state, 1);
}

// ---- Condition variable ------------------------------------------------------------------
// What is waited for is changed under the mutex, and looked at again after each wait.

struct capos_condition {
    uint32_t sequence; // of signals
    uint32_t waiters;
};

// Unlocks the mutex, waits for a signal, and locks the mutex again.  May return without a
// signal.
void capos_condition_wait(struct capos_condition *condition, struct capos_mutex *mutex);

// The same with a time-out.  STATUS_TIMED_OUT; STATUS_BAD_CAPABILITY: the program holds no
// Timer.  The mutex is locked in any case.
[[nodiscard]] enum status capos_condition_wait_for(struct capos_condition *condition,
                                                   struct capos_mutex *mutex,
                                                   uint64_t timeout_ns);

// Wakes one waiter, or all: one at once, and each of the others when it can have the mutex,
// which is the one that they wait with.
void capos_condition_signal(struct capos_condition *condition);
void capos_condition_broadcast(struct capos_condition *condition, struct capos_mutex *mutex);

// ---- Once --------------------------------------------------------------------------------

struct capos_once {
    uint32_t state; // 0: not yet; 1: somebody does it; 2: done
};

void capos_once_wait(struct capos_once *once, void (*function)(void)); // of capos_once

// Calls the function if nobody has, and returns when it has returned.
static inline void capos_once(struct capos_once *once, void (*function)(void))
{
    if (__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) != 2)
        capos_once_wait(once, function);
}
