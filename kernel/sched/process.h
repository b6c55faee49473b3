// SPDX-License-Identifier: MIT
// Processes: an address space, a capability table, a budget and threads (process.c).
//
// The struct is also the kernel object behind ProcessHandle: what a process *has* is
// released the moment it ends, what is *known* of it stays as long as someone refers to it.
//
// Invariants:
//  1. BUILDING: no thread runs.  ALIVE: at least one thread, or `ending`.  ENDED: no thread, no
//     space, no capability, and every waiter has been answered.
//  2. A process whose thread is entering the kernel isn't torn down under its feet: it and
//     all its threads are marked `ending`, and sched_leave does it at the end of the upcall.
//     One end ends every thread, whatever each is doing.  Its memory is given back in steps
//     (space_shrink), between which the kernel does other things; what is left is charged.
//  3. A process ends when a thread calls the system call exit, faults, or is the last one to
//     exit; or when somebody kills it.
#pragma once

#include <stdint.h>

#include <abi/capset.h>
#include <gen/kernel/process.h>
#include <gen/wire/thread.h>
#include <kernel/cap/table.h>
#include <kernel/mm/space.h>
#include <kernel/object/object.h>
#include <kernel/sched/timeout.h>
#include <lib/list.h>

struct call_trace;

enum process_state : uint8_t { PROCESS_BUILDING, PROCESS_ALIVE, PROCESS_ENDED };

constexpr size_t PROCESS_NAME_BYTES = 64; // with the NUL

struct process {
    struct object object; // ProcessHandle
    struct space space;
    struct cap_table caps;
    struct budget *budget; // referenced
    struct list threads;   // struct thread.process_link
    // Likewise, of ended threads whose pages are kept: one, or all if the process is ending.
    struct list spare_threads;
    struct list waiters;  // struct op of ProcessHandle.wait
    struct list received; // struct op.queue_link, calls that it received and hasn't answered
    enum process_state state;
    bool ending;
    bool is_init;                           // the machine stops when it ends
    struct process_handle_wait_results end; // how it ended
    uint8_t first_priority;                 // of the first thread
    enum latency_class first_latency_class;
    uint64_t id;
    uint64_t last_thread_id;
    uint64_t cpu_time_ns;
    char name[PROCESS_NAME_BYTES];
    uint32_t name_bytes;
    struct capos_capset *capset; // one page of the kernel's, mapped at start
    paddr_t capset_frame;
    uint64_t capset_address;   // in the space, once started
    struct list_link all_link; // of process_all
    struct call_trace *trace;  // nullptr: it isn't traced
    struct timeout next_step;  // of its end
};

// Every process that isn't ended, for panic and trace.
extern struct list process_all;

// A process without memory, capabilities or threads, with one reference.  nullptr when
// the budget is exhausted.
[[nodiscard]] struct process *process_create(struct budget *budget, const char *name,
                                             uint32_t name_bytes);

// Puts a hold into the table and its name into the CapSet.  Consumes nothing: takes its own
// hold on the object.  STATUS_OVERLOADED: table, CapSet or budget full;
// STATUS_INVALID_ARGUMENT: a bad or repeated name.
[[nodiscard]] enum status process_grant(struct process *process, const char *name,
                                        uint32_t name_bytes, struct object *object,
                                        uint64_t interface_id, enum capos_hold_mode mode);

// Makes the first thread and starts it.  STATUS_OVERLOADED without memory; then the
// process is as before.
[[nodiscard]] enum status process_start(struct process *process, uint64_t entry,
                                        uint64_t stack_pointer, uint64_t argument);

// Ends a process: at once, or at the end of this upcall if one of its threads is current.
// The first reason stands.
void process_end(struct process *process, const struct process_handle_wait_results *end);

// Does what process_end put off.  Only sched_leave calls it, by thread_finish_ending.
void process_finish_ending(struct process *process);
