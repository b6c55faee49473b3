// SPDX-License-Identifier: MIT
// Cancellation without signals: a request is a flag of the thread, looked at before each
// cancellation point, and the thread's call is interrupted if it waits in one.
//
// A request that comes between the look and the call isn't lost: the interruption is kept until the
// thread would wait.  A thread with PTHREAD_CANCEL_ASYNCHRONOUS is cancelled at its next
// cancellation point too, which is what the standard guarantees at least.
#include "pthread_impl.h"
#include "syscall.h"

hidden long __cancel(void)
{
    pthread_t self = __pthread_self();
    if (self->canceldisable == PTHREAD_CANCEL_ENABLE || self->cancelasync)
        pthread_exit(PTHREAD_CANCELED);
    self->canceldisable = PTHREAD_CANCEL_DISABLE;
    return -ECANCELED;
}

// close() has given the descriptor back when it returns, so it never fails this way.
static int wanted(long n)
{
    pthread_t self = __pthread_self();
    return self->cancel && self->canceldisable != PTHREAD_CANCEL_DISABLE &&
           !(n == SYS_close && self->canceldisable != PTHREAD_CANCEL_ENABLE);
}

long __capos_cancel_before(long n)
{
    return wanted(n) ? __cancel() : 0;
}

long __capos_cancel_after(long n)
{
    return n != SYS_close && wanted(n) ? __cancel() : -EINTR;
}

void __testcancel()
{
    pthread_t self = __pthread_self();
    if (self->cancel && !self->canceldisable)
        __cancel();
}

int pthread_cancel(pthread_t t)
{
    a_store(&t->cancel, 1);
    if (t == pthread_self()) {
        if (t->canceldisable == PTHREAD_CANCEL_ENABLE && t->cancelasync)
            pthread_exit(PTHREAD_CANCELED);
        return 0;
    }
    return pthread_kill(t, SIGCANCEL);
}
