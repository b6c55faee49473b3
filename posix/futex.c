// SPDX-License-Identifier: MIT
// Futexes, over the grant "park": what musl's locks sleep on.
#include "abi.h"
#include "errno.h"
#include "thread.h"
#include "time.h"

#include <posix/calls.h>
#include <capos/park.h>

static long wait(const uint32_t *word, uint32_t expected, const struct posix_timespec *timeout)
{
    struct posix_thread *thread = thread_now();
    int64_t timeout_ns = 0;
    if (timeout != nullptr && (!time_to_ns(timeout, &timeout_ns) || timeout_ns < 0))
        return -EINVAL;
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != expected)
        return -EAGAIN;
    __atomic_store_n(&thread->parked, word, __ATOMIC_SEQ_CST);
    enum status status = STATUS_CANCELLED;
    if (!thread_take_interruption(thread))
        status = capos_park(word, expected,
                            timeout == nullptr ? CAPOS_FOREVER : (uint64_t)timeout_ns);
    __atomic_store_n(&thread->parked, nullptr, __ATOMIC_SEQ_CST);
    if (status == STATUS_OK && thread_take_interruption(thread))
        status = STATUS_CANCELLED;
    if (status == STATUS_BAD_CAPABILITY) // a time-out, and no Timer
        return -EPERM;
    return status == STATUS_OK ? 0 : error_of_status(status);
}

static long wake(const uint32_t *word, long count)
{
    capos_unpark(word, count < 0 ? UINT32_MAX : (uint32_t)count);
    return 0;
}

// A futex of memory that processes share is the same.  The count of the woken isn't known: 0.
// ENOSYS: operations that musl does without.
long call_futex(long word, long operation, long value, long timeout, long target,
                long comparison)
{
    (void)comparison;
    switch ((uint32_t)operation & ~(uint32_t)FUTEX_PRIVATE) {
    case FUTEX_WAIT:
        return wait((const uint32_t *)word, (uint32_t)value,
                    (const struct posix_timespec *)timeout);
    case FUTEX_WAKE:
        return wake((const uint32_t *)word, (int)value);
    case FUTEX_REQUEUE:
        capos_unpark_move((const uint32_t *)word, (uint32_t)value, (const uint32_t *)target);
        return 0;
    default:
        return -ENOSYS;
    }
}
