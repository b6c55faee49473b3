// SPDX-License-Identifier: MIT
// Threads: saved user state, a ring, and what is pending on it (thread.c).
//
// A thread has no kernel stack.  Blocking means: its state says WAITING, and whoever posts
// the completion that it waits for makes it ready.
//
// Invariants:
//  1. RUNNING: it is cpu->current.  READY: it is in cpu->queue or is cpu->handoff.
//     WAITING: neither, and it is in cap_enter.  Here `cpu` is thread->cpu.
//  2. Each pending operation is in `operations`; their number is ring.pending_count.
#pragma once

#include <stdint.h>

#include <kernel/arch.h>
#include <kernel/ipc/ring.h>
#include <kernel/sched/timeout.h>
#include <lib/list.h>

struct op;
struct process;

struct cpu;

enum thread_state : uint8_t {
    THREAD_NEW, // its process hasn't started, or it is ending
    THREAD_RUNNING,
    THREAD_READY,
    THREAD_WAITING,
};

// How soon a thread runs when it becomes ready; how much it runs is decided by its weight
// alone.
enum latency_class : uint8_t {
    LATENCY_NORMAL,
    LATENCY_INTERACTIVE, // goes ahead of the others, until it has used its head start
};

constexpr uint32_t THREAD_WEIGHT_MIN = 16;
constexpr uint32_t THREAD_WEIGHT_DEFAULT = 1024; // twice the weight is twice the CPU time
constexpr uint32_t THREAD_WEIGHT_MAX = 65536;
constexpr uint64_t THREAD_AFFINITY_ALL = UINT64_MAX;

struct thread {
    struct arch_thread arch; // first: arch finds it by the thread's address
    struct process *process;
    struct ring ring;
    paddr_t ring_frames;
    enum thread_state state;
    uint32_t wait_count;         // WAITING: completions that end the wait
    struct timeout wait_timeout; // WAITING with a deadline
    struct list operations;      // struct op.thread_link
    struct list promises;        // struct promise.thread_link
    uint32_t promise_count;
    struct op *op_cache; // free ops, charged already
    uint32_t op_cache_count;
    struct rbtree_node queue_node;
    struct cpu *cpu;                  // where it runs, is queued, or ran last
    uint64_t virtual_ns;              // run time, weighted, by the clock of `cpu`
    uint64_t affinity_mask;           // a bit per CPU that it may run on; sched_set_affinity
    uint32_t weight;                  // its share; sched_set_priority
    enum latency_class latency_class; // likewise
    struct list_link process_link;
};

// A thread of a process: its ring is mapped into the process's space; not started.
// nullptr when the process's budget is exhausted.
[[nodiscard]] struct thread *thread_create(struct process *process);

// Ends a thread: withdraws its pending operations, takes it from the scheduler, frees it.
void thread_destroy(struct thread *thread);
