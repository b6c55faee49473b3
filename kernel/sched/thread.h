// SPDX-License-Identifier: MIT
// Threads: saved user state, a ring, and what is pending on it (thread.c).
//
// A thread has no kernel stack.  Blocking means: its state says WAITING, and whoever posts
// the completion that it waits for makes it ready.
//
// Invariants:
//  1. RUNNING: it is cpu->current.  READY: it is in its lane, or is cpu->handoff.
//     WAITING: neither, and it is in cap_enter.  Here `cpu` is thread->cpu.
//  2. Each pending operation is in `operations`; their number is ring.pending_count, with the
//     entries that a RECV with many slots holds.  op_spare is there too.
//  3. A thread that is some cpu->current isn't torn down under that CPU's feet: it is marked
//     `ending`, and sched_leave does it at the end of the upcall.  Marked are a thread that
//     has exited and every thread of a process that is ending; none takes another
//     submission or returns to user mode.
//  4. 1 <= priority <= priority_max <= PRIORITY_MAX; latency_class <= latency_max.
//  5. A thread waits plainly if it waits for one completion, for ever, and there was none when
//     it began: its next completion makes it run, and its cap_enter returns 1.  What other
//     threads of the process write into its ring meanwhile doesn't matter to that.
#pragma once

#include <stdint.h>

#include <gen/wire/process.h> // struct process_handle_wait_results
#include <gen/wire/thread.h>
#include <kernel/arch.h>
#include <kernel/ipc/ring.h>
#include <kernel/sched/lane.h>
#include <kernel/sched/timeout.h>
#include <lib/list.h>

struct budget;
struct object;
struct op;
struct process;
struct thread_handle;

constexpr uint8_t PRIORITY_MAX = 31;
constexpr uint8_t PRIORITY_NORMAL = 16; // of a process's first thread

struct cpu;

// Where the thread goes when it faults; `entry` 0: nowhere, the process ends.
struct fault_handler {
    uint64_t entry;
    uint64_t stack_pointer;
    uint64_t frame; // user address of a struct capos_fault_frame
};

enum thread_state : uint8_t {
    THREAD_NEW, // its process hasn't started, or it is ending
    THREAD_RUNNING,
    THREAD_READY,
    THREAD_WAITING,
};

constexpr uint64_t THREAD_AFFINITY_ALL = UINT64_MAX;

struct thread {
    struct arch_thread arch; // first: arch finds it by the thread's address
    struct process *process;
    struct ring ring;
    paddr_t ring_frames;
    enum thread_state state;
    bool ending;
    bool resumed; // goes on elsewhere, without a result of its system call
    bool exited;  // by itself, with exit_code
    uint8_t priority;
    uint8_t priority_max;
    uint32_t wait_count;         // WAITING: completions that end the wait
    struct timeout wait_timeout; // WAITING with a deadline
    struct cpu *plain_wait;      // `cpu` if WAITING plainly (invariant 5), else nullptr
    struct list operations;      // struct op.thread_link
    struct list promises;        // struct promise.thread_link
    uint32_t promise_count;
    struct op *op_spare; // a free op that stays in `operations`, or nullptr
    struct op *op_cache; // further free ops; all are charged already
    uint32_t op_cache_count;
    struct contender contender; // in the lane of its budget, on `cpu`
    struct cpu *cpu;            // where it runs, is queued, or ran last
    uint64_t moved_ns;          // when it was moved to `cpu` for balance
    uint64_t affinity;          // bit i: may run on CPU i
    enum latency_class latency_class;
    enum latency_class latency_max;
    struct list_link process_link;
    uint64_t id;                  // in its process: 1, 2, 3
    struct thread_handle *handle; // referenced; nullptr: the process's first thread
    int64_t exit_code;
    struct fault_handler fault_handler;
    bool in_fault_handler;
    struct process_handle_wait_results fault; // in_fault_handler: what it handles
};

// A thread of a process: its ring is mapped into the process's space; not started; of normal
// latency, without the right to another.
// nullptr when the process's budget is exhausted.
[[nodiscard]] struct thread *thread_create(struct process *process, uint8_t priority,
                                           uint8_t priority_max);

// The current thread ends at the end of this upcall; if it is the last of its process, so
// does the process, as exited with this code.
void thread_exit(struct thread *thread, int64_t code);

// Does what thread_exit and process_end put off.  Only sched_leave calls it.
void thread_finish_ending(struct thread *thread);

// Ends a thread: withdraws its pending operations, takes it from the scheduler, tells its
// handle, frees it or keeps its pages for the process's next thread.
void thread_destroy(struct thread *thread);

// Gives the pages back that were kept, of a process whose space has ended.
void thread_spares_free(struct process *process);

// ---- ThreadHandle (object/thread_handle.c) --------------------------------------------

// What others know of a thread, for as long as somebody refers to it.  nullptr when the
// budget is exhausted.
[[nodiscard]] struct thread_handle *thread_handle_create(struct thread *thread,
                                                         struct budget *budget);
[[nodiscard]] struct object *thread_handle_as_object(struct thread_handle *handle);
// The thread is gone, with its exit code if it exited; drops the thread's reference.
void thread_handle_ended(struct thread_handle *handle, bool exited, int64_t exit_code);
