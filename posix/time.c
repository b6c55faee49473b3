// SPDX-License-Identifier: MIT
// Clocks and sleeping, over the grant "timer".
//
// Without it there is no time at all: EPERM.  The time of day is nobody's to give yet:
// CLOCK_REALTIME is EPERM, and time() then returns 0.
#include "time.h"

#include "errno.h"
#include "thread.h"

#include <posix/calls.h>
#include <capos/park.h>
#include <gen/capos/timer.h>

constexpr int64_t NS_PER_S = 1'000'000'000;

bool time_to_ns(const struct posix_timespec *time, int64_t *out_ns)
{
    if (time->tv_nsec < 0 || time->tv_nsec >= NS_PER_S)
        return false;
    return !__builtin_mul_overflow(time->tv_sec, NS_PER_S, out_ns) &&
           !__builtin_add_overflow(*out_ns, time->tv_nsec, out_ns);
}

static struct posix_timespec time_of(int64_t time_ns)
{
    return (struct posix_timespec){time_ns / NS_PER_S, time_ns % NS_PER_S};
}

static bool is_monotonic(long clock)
{
    return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
}

static long now(long clock, int64_t *out_ns)
{
    timer_cap timer;
    uint64_t time_ns = 0;
    *out_ns = 0;
    if (!is_monotonic(clock))
        return clock == CLOCK_REALTIME ? -EPERM : -EINVAL;
    if (timer_cap_find("timer", &timer) != STATUS_OK)
        return -EPERM;
    enum status status = timer_now(timer, &time_ns);
    *out_ns = (int64_t)time_ns;
    return status == STATUS_OK ? 0 : error_of_status(status);
}

// Stores the time 0 if it fails, for callers that don't look.
long call_clock_gettime(long clock, long time)
{
    int64_t time_ns;
    long error = now(clock, &time_ns);
    *(struct posix_timespec *)time = time_of(time_ns);
    return error;
}

long call_clock_getres(long clock, long resolution)
{
    int64_t time_ns;
    long error = now(clock, &time_ns);
    if (error == 0 && resolution != 0)
        *(struct posix_timespec *)resolution = (struct posix_timespec){.tv_nsec = 1};
    return error;
}

// Sleeps until a time of CLOCK_MONOTONIC, on a word that whoever interrupts the thread changes.
static long sleep_until(int64_t deadline_ns)
{
    struct posix_thread *thread = thread_now();
    for (;;) {
        int64_t time_ns;
        long error = now(CLOCK_MONOTONIC, &time_ns);
        if (error != 0)
            return error;
        if (thread_take_interruption(thread))
            return -EINTR;
        if (time_ns >= deadline_ns)
            return 0;
        enum status status =
            capos_park(&thread->interrupted, 0, (uint64_t)(deadline_ns - time_ns));
        if (status != STATUS_OK && status != STATUS_TIMED_OUT)
            return status == STATUS_BAD_CAPABILITY ? -EPERM : error_of_status(status);
    }
}

static void store_rest(int64_t deadline_ns, struct posix_timespec *out_rest)
{
    int64_t time_ns;
    if (out_rest != nullptr && now(CLOCK_MONOTONIC, &time_ns) == 0)
        *out_rest = time_of(deadline_ns > time_ns ? deadline_ns - time_ns : 0);
}

// A sleep of a length is the same by every clock.
static long sleep_for(const struct posix_timespec *length, struct posix_timespec *out_rest)
{
    int64_t length_ns, deadline_ns;
    if (length->tv_sec < 0 || length->tv_nsec < 0 || length->tv_nsec >= NS_PER_S)
        return -EINVAL;
    if (!time_to_ns(length, &length_ns))
        length_ns = INT64_MAX;
    long error = now(CLOCK_MONOTONIC, &deadline_ns);
    if (error != 0)
        return error;
    if (__builtin_add_overflow(deadline_ns, length_ns, &deadline_ns))
        deadline_ns = INT64_MAX;
    error = sleep_until(deadline_ns);
    if (error == -EINTR)
        store_rest(deadline_ns, out_rest);
    return error;
}

long call_nanosleep(long length, long rest)
{
    return sleep_for((const struct posix_timespec *)length, (struct posix_timespec *)rest);
}

long call_clock_nanosleep(long clock, long flags, long time, long rest)
{
    int64_t deadline_ns, time_ns;
    if ((flags & ~(long)TIMER_ABSTIME) != 0)
        return -EINVAL;
    if (flags == 0 && (is_monotonic(clock) || clock == CLOCK_REALTIME))
        return sleep_for((const struct posix_timespec *)time, (struct posix_timespec *)rest);
    long error = now(clock, &time_ns);
    if (error != 0)
        return error;
    if (!time_to_ns((const struct posix_timespec *)time, &deadline_ns))
        return -EINVAL;
    return sleep_until(deadline_ns);
}
