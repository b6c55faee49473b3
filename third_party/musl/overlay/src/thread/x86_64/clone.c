// SPDX-License-Identifier: MIT
// Threads are started by posix/thread.c.
#include <stdarg.h>
#include "pthread_impl.h"

hidden long __capos_clone(int (*)(void *), void *, long, void *, int *, void *, int *);

int __clone(int (*func)(void *), void *stack, int flags, void *arg, ...)
{
    va_list ap;
    va_start(ap, arg);
    int *parent_tid = va_arg(ap, int *);
    void *tls = va_arg(ap, void *);
    int *child_tid = va_arg(ap, int *);
    va_end(ap);
    return __capos_clone(func, stack, flags, arg, parent_tid, tls, child_tid);
}
