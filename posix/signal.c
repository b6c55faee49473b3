// SPDX-License-Identifier: MIT
// Signals of a program to itself.
//
// What raise, abort and kill(getpid(), ...) need: dispositions, masks, and a handler that is
// called by the thread that raises, before the call returns.  Nobody else can send a program a
// signal.  One that would end the process ends it with the status 128 plus its number.
#include "abi.h"
#include "errno.h"
#include "process.h"
#include "thread.h"

#include <posix/calls.h>
#include <capos/capset.h>
#include <capos/sync.h>

#include <string.h>

static struct posix_sigaction actions[SIGNAL_COUNT];
static struct capos_mutex actions_lock;

static uint64_t bit_of(long signal)
{
    return UINT64_C(1) << (signal - 1);
}

static bool is_signal(long signal)
{
    return signal >= 1 && signal <= SIGNAL_COUNT;
}

static bool is_fixed(long signal)
{
    return signal == SIGKILL || signal == SIGSTOP;
}

// Changes the action, if `new` isn't null, and returns the one that it was.
static struct posix_sigaction exchange(long signal, const struct posix_sigaction *new)
{
    capos_mutex_lock(&actions_lock);
    struct posix_sigaction old = actions[signal - 1];
    if (new != nullptr)
        actions[signal - 1] = *new;
    capos_mutex_unlock(&actions_lock);
    return old;
}

long call_rt_sigaction(long signal, long new, long old, long mask_bytes)
{
    if (!is_signal(signal) || mask_bytes != sizeof(uint64_t) || (new != 0 && is_fixed(signal)))
        return -EINVAL;
    struct posix_sigaction was = exchange(signal, (const struct posix_sigaction *)new);
    if (old != 0)
        *(struct posix_sigaction *)old = was;
    return 0;
}

// ---- Delivery ------------------------------------------------------------------------

static bool is_ignored_by_default(long signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT ||
           (signal >= SIGSTOP && signal <= SIGTTOU);
}

// What a handler with SA_SIGINFO is told: signo, errno, code, and who sent it.
struct posix_siginfo {
    int32_t signal, error, code, padding;
    uint32_t process, user;
    uint8_t rest[104];
};
static_assert(sizeof(struct posix_siginfo) == 128);
constexpr int32_t SI_TKILL = -6;

static void call_handler(const struct posix_sigaction *action, long signal)
{
    if ((action->flags & SA_SIGINFO) == 0) {
        ((void (*)(int))action->handler)((int)signal);
        return;
    }
    static uint64_t context[121]; // ucontext_t: the registers aren't known
    struct posix_siginfo info = {.signal = (int32_t)signal,
                                 .code = SI_TKILL,
                                 .process = (uint32_t)capos_process_id(),
                                 .user = IDENTITY};
    ((void (*)(int, void *, void *))action->handler)((int)signal, &info, context);
}

static void deliver(long signal)
{
    struct posix_thread *thread = thread_now();
    const struct posix_sigaction reset = {};
    struct posix_sigaction action = exchange(signal, nullptr);
    if (action.handler == SIG_IGN ||
        (action.handler == SIG_DFL && is_ignored_by_default(signal)))
        return;
    if (action.handler == SIG_DFL)
        process_exit(128 + signal);
    if ((action.flags & SA_RESETHAND) != 0)
        (void)exchange(signal, &reset);
    uint64_t blocked = thread->blocked;
    thread->blocked |= action.mask | ((action.flags & SA_NODEFER) != 0 ? 0 : bit_of(signal));
    call_handler(&action, signal);
    thread->blocked = blocked;
}

static void deliver_pending(struct posix_thread *thread)
{
    uint64_t ready;
    while ((ready = thread->pending & ~thread->blocked) != 0) {
        long signal = __builtin_ctzll(ready) + 1;
        thread->pending &= ~bit_of(signal);
        deliver(signal);
    }
}

long call_rt_sigprocmask(long how, long set, long old, long mask_bytes)
{
    struct posix_thread *thread = thread_now();
    uint64_t was = thread->blocked;
    if (mask_bytes != sizeof(uint64_t))
        return -EINVAL;
    if (set != 0) {
        uint64_t mask = *(const uint64_t *)set & ~(bit_of(SIGKILL) | bit_of(SIGSTOP));
        if (how == SIG_BLOCK)
            thread->blocked |= mask;
        else if (how == SIG_UNBLOCK)
            thread->blocked &= ~mask;
        else if (how == SIG_SETMASK)
            thread->blocked = mask;
        else
            return -EINVAL;
    }
    if (old != 0)
        *(uint64_t *)old = was;
    deliver_pending(thread);
    return 0;
}

long call_rt_sigpending(long set, long mask_bytes)
{
    if ((unsigned long)mask_bytes > sizeof(uint64_t))
        return -EINVAL;
    memcpy((void *)set, &thread_now()->pending, (size_t)mask_bytes);
    return 0;
}

// ---- Sending -------------------------------------------------------------------------

static long raise(long signal)
{
    struct posix_thread *thread = thread_now();
    thread->pending |= bit_of(signal);
    deliver_pending(thread);
    return 0;
}

// To another thread only SIGCANCEL, which interrupts what it waits for: EPERM.
long call_tkill(long tid, long signal)
{
    if (signal != 0 && !is_signal(signal))
        return -EINVAL;
    if (tid == thread_now()->tid)
        return signal == 0 ? 0 : raise(signal);
    return signal == SIGCANCEL ? thread_interrupt(tid) : -EPERM;
}

long call_tgkill(long process, long tid, long signal)
{
    return process == (long)capos_process_id() ? call_tkill(tid, signal) : -ESRCH;
}

// ESRCH: a program knows of no process but its own.
long call_kill(long process, long signal)
{
    if (signal != 0 && !is_signal(signal))
        return -EINVAL;
    if (process != (long)capos_process_id() && process != 0)
        return -ESRCH;
    return signal == 0 ? 0 : raise(signal);
}
