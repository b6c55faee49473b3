// SPDX-License-Identifier: MIT
// What each CPU has of its own.  Everything here is read and written under the kernel lock,
// also that of another CPU.
#pragma once

#include <stdint.h>

#include <kernel/ipc/invocation.h>
#include <kernel/mm/frame.h>

struct lane;
struct process;
struct thread;

struct cpu {
    uint32_t index;         // of arch_cpu_at
    struct thread *current; // whose call, fault or time this is; nullptr when idle
    struct thread *charged; // who pays for the time since switched_ns
    struct thread *handoff; // runnable, not in the queue: goes next if current blocks
    // Whether sched_leave has anything to look at: somebody became ready or blocked, a process
    // is ending, a deadline or a clock hold came or went, another CPU asks.
    bool changed;
    bool yielding;              // current lets the others go first
    bool traces_unread;         // call_trace_signal has something to do
    bool watches_due;           // budget_watch_signal has something to do
    bool chains_ready;          // chain_run has something to do
    struct process *acting_for; // whose submission chain_run takes, or nullptr
    struct lane *queue;         // of lane_roots: who is ready here
    uint32_t queue_count;       // threads in it
    uint32_t offers;            // CPUs that were woken for this queue and haven't come yet
    struct cpu *woken_by;       // for whose queue this one was woken and hasn't come yet
    uint64_t switched_ns;       // what was charged up to
    uint64_t slice_end_ns;      // when current has to make room; UINT64_MAX when alone
    uint64_t balance_ns;        // not before that a thread changes places with another CPU's
    uint64_t timer_ns;          // what arch_timer_set was last told
    bool tsc_allowed;           // what arch_set_tsc_allowed was last told
    struct frame_cache frames;
    // Messages of kernel-homed methods, while one runs.
    alignas(16) uint8_t params[INVOCATION_PARAMS_BYTES_MAX];
    alignas(16) uint8_t results[INVOCATION_RESULTS_BYTES_MAX];
};

// The CPU that boots.  arch_cpu() returns it before and after kernel_boot.
extern struct cpu boot_cpu;
