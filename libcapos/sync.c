// SPDX-License-Identifier: MIT
// Locks between threads.  See <capos/sync.h>.
//
// The mutex is the third one of U. Drepper, "Futexes are tricky" (2011): whoever has had to
// wait takes it as "somebody may wait", since it can't know that nobody else does.
// Tested in tests/iface/park_test.c.
#include <capos/sync.h>

void capos_mutex_wait(struct capos_mutex *mutex)
{
    while (__atomic_exchange_n(&mutex->state, 2, __ATOMIC_ACQUIRE) != 0)
        (void)capos_park(&mutex->state, 2, CAPOS_FOREVER);
}

// A waiter counts itself under the mutex, so whoever changes something under it and signals
// then sees the waiter.
enum status capos_condition_wait_for(struct capos_condition *condition,
                                     struct capos_mutex *mutex, uint64_t timeout_ns)
{
    __atomic_fetch_add(&condition->waiters, 1, __ATOMIC_RELAXED);
    uint32_t sequence = __atomic_load_n(&condition->sequence, __ATOMIC_RELAXED);
    capos_mutex_unlock(mutex);
    enum status status = capos_park(&condition->sequence, sequence, timeout_ns);
    // As one that had to wait: a broadcast may have moved others to the mutex.
    capos_mutex_wait(mutex);
    __atomic_fetch_sub(&condition->waiters, 1, __ATOMIC_RELAXED);
    return status;
}

void capos_condition_wait(struct capos_condition *condition, struct capos_mutex *mutex)
{
    (void)capos_condition_wait_for(condition, mutex, CAPOS_FOREVER);
}

static bool condition_advance(struct capos_condition *condition)
{
    __atomic_fetch_add(&condition->sequence, 1, __ATOMIC_RELEASE);
    return __atomic_load_n(&condition->waiters, __ATOMIC_RELAXED) != 0;
}

void capos_condition_signal(struct capos_condition *condition)
{
    if (condition_advance(condition))
        capos_unpark(&condition->sequence, 1);
}

void capos_condition_broadcast(struct capos_condition *condition, struct capos_mutex *mutex)
{
    if (condition_advance(condition))
        capos_unpark_move(&condition->sequence, 1, &mutex->state);
}

void capos_once_wait(struct capos_once *once, void (*function)(void))
{
    uint32_t state = 0;
    if (__atomic_compare_exchange_n(&once->state, &state, 1, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_ACQUIRE)) {
        function();
        __atomic_store_n(&once->state, 2, __ATOMIC_RELEASE);
        capos_unpark(&once->state, UINT32_MAX);
        return;
    }
    while (__atomic_load_n(&once->state, __ATOMIC_ACQUIRE) != 2)
        (void)capos_park(&once->state, 1, CAPOS_FOREVER);
}
