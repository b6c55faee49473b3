// SPDX-License-Identifier: MIT
// The boundary between musl and capOS: what musl thinks are system calls are calls of functions.
//
// capos_calls.h is generated from posix/calls.txt.  The number is a constant nearly everywhere, so
// what remains of __capos_call is the call of one function, and a program links the functions that
// it can reach and no others; syscall(2) alone takes them all.
#pragma once

#include "capos_calls.h"

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)
#define IPC_64            0

#define __CAPOS_INLINE static __inline __attribute__((__always_inline__, __unused__))

__CAPOS_INLINE long __syscall0(long n)
{
    return __capos_call(n, 0, 0, 0, 0, 0, 0);
}

__CAPOS_INLINE long __syscall1(long n, long a)
{
    return __capos_call(n, a, 0, 0, 0, 0, 0);
}

__CAPOS_INLINE long __syscall2(long n, long a, long b)
{
    return __capos_call(n, a, b, 0, 0, 0, 0);
}

__CAPOS_INLINE long __syscall3(long n, long a, long b, long c)
{
    return __capos_call(n, a, b, c, 0, 0, 0);
}

__CAPOS_INLINE long __syscall4(long n, long a, long b, long c, long d)
{
    return __capos_call(n, a, b, c, d, 0, 0);
}

__CAPOS_INLINE long __syscall5(long n, long a, long b, long c, long d, long e)
{
    return __capos_call(n, a, b, c, d, e, 0);
}

__CAPOS_INLINE long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    return __capos_call(n, a, b, c, d, e, f);
}

// A cancellation point.  A request that is there before the call ends the thread before it; one
// that comes later makes a call that waits return -EINTR (src/thread/pthread_cancel.c).
__attribute__((__visibility__("hidden"))) long __capos_cancel_before(long n);
__attribute__((__visibility__("hidden"))) long __capos_cancel_after(long n);

__CAPOS_INLINE long __syscall_cp(long n, long a, long b, long c, long d, long e, long f)
{
    long r = __capos_cancel_before(n);
    if (r)
        return r;
    r = __capos_call(n, a, b, c, d, e, f);
    return r == -EINTR ? __capos_cancel_after(n) : r;
}
