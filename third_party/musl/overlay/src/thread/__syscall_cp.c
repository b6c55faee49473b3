// SPDX-License-Identifier: MIT
// Cancellation points of a program that cancels no thread: ordinary calls.
#include "pthread_impl.h"
#include "syscall.h"

static long no_request(long n)
{
    return 0;
}
weak_alias(no_request, __capos_cancel_before);

static long no_cancellation(long n)
{
    return -EINTR;
}
weak_alias(no_cancellation, __capos_cancel_after);
