// SPDX-License-Identifier: MIT
// Threads: saved user state, a ring, and what is pending on it (thread.c).
//
// A thread has no kernel stack.  Blocking means: its state says WAITING, and whoever posts
// the completion that it waits for makes it ready.
//
// Invariants:
//  1. RUNNING: it is some cpu->current.  READY: it is in one run queue or is a
//     cpu->handoff.  WAITING: neither, and it is in cap_enter.
//  2. Each pending operation is in `operations`; their number is ring.pending_count.
#pragma once

#include <stdint.h>

#include <kernel/arch.h>
#include <kernel/ipc/ring.h>
#include <kernel/sched/timeout.h>
#include <lib/list.h>

struct op;
struct process;

enum thread_state : uint8_t {
    THREAD_NEW, // its process hasn't started, or it is ending
    THREAD_RUNNING,
    THREAD_READY,
    THREAD_WAITING,
};

struct thread {
    struct arch_thread arch; // first: arch finds it by the thread's address
    struct process *process;
    struct ring ring;
    paddr_t ring_frames;
    enum thread_state state;
    uint32_t wait_count;         // WAITING: completions that end the wait
    struct timeout wait_timeout; // WAITING with a deadline
    struct list operations;      // struct op.thread_link
    struct op *op_cache;         // free ops, charged already
    uint32_t op_cache_count;
    struct rbtree_node queue_node;
    uint64_t virtual_ns; // run time, weighted
    struct list_link process_link;
};

// A thread of a process: its ring is mapped into the process's space; not started.
// nullptr when the process's budget is exhausted.
[[nodiscard]] struct thread *thread_create(struct process *process);

// Ends a thread: withdraws its pending operations, takes it from the scheduler, frees it.
void thread_destroy(struct thread *thread);
