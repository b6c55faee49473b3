// SPDX-License-Identifier: MIT
// Threads: what musl's pthread_create and pthread_exit need of a kernel.
//
// musl makes the stack with everything in it and frees it.  At its top libcapos's block and
// ours have their place.  A thread is interrupted, for pthread_cancel, by a flag that it looks
// at before it waits and by waking it where it waits; between its look and the kernel's a
// waking would be lost, so whoever interrupts goes on until the thread has noticed.
//
// Blocking calls on streams and files aren't interrupted.
#include "thread.h"

#include "abi.h"
#include "errno.h"
#include "process.h"

#include <posix/calls.h>
#include <capos/capset.h>
#include <capos/park.h>
#include <capos/sync.h>
#include <capos/thread.h>

constexpr uint64_t BLOCK_ALIGNMENT = 16;

static struct posix_thread first;
static struct posix_thread *others; // under the lock
static struct capos_mutex others_lock;
static uint32_t tid_last;
static bool first_ended;

struct posix_thread *thread_now(void)
{
    struct posix_thread *thread = *capos_thread_slot();
    return thread != nullptr ? thread : &first;
}

// ---- Starting ------------------------------------------------------------------------

// The first thread's is the process's.
static uint32_t tid_next(void)
{
    return (uint32_t)capos_process_id() + __atomic_add_fetch(&tid_last, 1, __ATOMIC_RELAXED);
}

struct start {
    struct posix_thread thread;
    int (*run)(void *argument);
    void *argument;
};

static int thread_begin(void *argument)
{
    struct start *start = argument;
    *capos_thread_slot() = &start->thread;
    return start->run(start->argument);
}

static void list_add(struct posix_thread *thread)
{
    capos_mutex_lock(&others_lock);
    thread->next = others;
    thread->place = &others;
    if (others != nullptr)
        others->place = &thread->next;
    others = thread;
    capos_mutex_unlock(&others_lock);
}

static void list_remove(struct posix_thread *thread)
{
    capos_mutex_lock(&others_lock);
    if (thread == &first)
        first_ended = true;
    else
        *thread->place = thread->next;
    if (thread->next != nullptr)
        thread->next->place = thread->place;
    capos_mutex_unlock(&others_lock);
}

long clone(int (*run)(void *argument), void *stack, long flags, void *argument,
           uint32_t *parent_tid, void *base, uint32_t *child_tid);

// ENOSYS: anything but a thread.  EPERM: the program lacks "threads"; pthread_create makes
// EAGAIN of every failure.
long clone(int (*run)(void *argument), void *stack, long flags, void *argument,
           uint32_t *parent_tid, void *base, uint32_t *child_tid)
{
    if ((flags & CLONE_THREAD) == 0)
        return -ENOSYS;
    struct start *start =
        (struct start *)(((uint64_t)stack - sizeof *start) & ~(BLOCK_ALIGNMENT - 1));
    *start = (struct start){.run = run, .argument = argument};
    start->thread.tid = tid_next();
    start->thread.clear_tid = child_tid;
    start->thread.blocked = thread_now()->blocked;
    list_add(&start->thread);
    *parent_tid = start->thread.tid;
    enum status status = capos_thread_start_at(start, base, thread_begin, start);
    if (status == STATUS_OK)
        return start->thread.tid;
    list_remove(&start->thread);
    return status == STATUS_NOT_FOUND ? -EPERM : error_of_status(status);
}

long call_set_thread_area(long base)
{
    capos_thread_set_base((void *)base);
    return 0;
}

long call_set_tid_address(long address)
{
    struct posix_thread *thread = thread_now();
    if (thread == &first && thread->tid == 0)
        thread->tid = (uint32_t)capos_process_id();
    thread->clear_tid = (uint32_t *)address;
    return thread->tid;
}

// ---- Ending --------------------------------------------------------------------------

[[noreturn]] static void thread_finish(void *address, size_t byte_count)
{
    struct posix_thread *thread = thread_now();
    uint32_t *clear_tid = thread->clear_tid;
    list_remove(thread);
    capos_thread_end(clear_tid, address, byte_count);
}

long call_exit(long status)
{
    (void)status;
    thread_finish(nullptr, 0);
}

[[noreturn]] void unmap_self(void *address, size_t byte_count);

[[noreturn]] void unmap_self(void *address, size_t byte_count)
{
    thread_finish(address, byte_count);
}

// ---- Interrupting --------------------------------------------------------------------

bool thread_take_interruption(struct posix_thread *thread)
{
    return __atomic_exchange_n(&thread->interrupted, 0, __ATOMIC_SEQ_CST) != 0;
}

static struct posix_thread *find(long tid)
{
    if (first.tid == tid && !first_ended)
        return &first;
    struct posix_thread *thread = others;
    while (thread != nullptr && thread->tid != tid)
        thread = thread->next;
    return thread;
}

// Wakes it until it has noticed, or waits for nothing.
static void interrupt(struct posix_thread *thread)
{
    __atomic_store_n(&thread->interrupted, 1, __ATOMIC_SEQ_CST);
    capos_unpark(&thread->interrupted, UINT32_MAX);
    for (;;) {
        const uint32_t *parked = __atomic_load_n(&thread->parked, __ATOMIC_SEQ_CST);
        if (parked == nullptr || __atomic_load_n(&thread->interrupted, __ATOMIC_SEQ_CST) == 0)
            return;
        capos_unpark(parked, UINT32_MAX);
        capos_thread_yield();
    }
}

// A thread stays in the list while it waits, so it is there as long as the lock is held.
long thread_interrupt(long tid)
{
    capos_mutex_lock(&others_lock);
    struct posix_thread *thread = find(tid);
    if (thread != nullptr)
        interrupt(thread);
    capos_mutex_unlock(&others_lock);
    return thread == nullptr ? -ESRCH : 0;
}

// ---- The rest --------------------------------------------------------------------------

long call_gettid(void)
{
    return thread_now()->tid;
}

long call_sched_yield(void)
{
    capos_thread_yield();
    return 0;
}

// musl does itself what a kernel would do with the list when a thread ends.
long call_set_robust_list(long head, long byte_count)
{
    (void)head;
    (void)byte_count;
    return 0;
}
