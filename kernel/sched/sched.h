// SPDX-License-Identifier: MIT
// Who runs next (sched.c).
//
// Each CPU has a queue of ready threads, in the order of lane.h; a thread runs
// for a slice or until it blocks.  A CPU's timer is set only when somebody else is ready
// there or the next deadline is its to watch: an idle or a lone thread is never interrupted
// (tickless).
// Hand-off: a thread that became ready while another runs isn't queued at once; if the
// running thread then blocks, the CPU goes straight to it.  So two threads that talk stay
// on one CPU.
// Several CPUs: a thread that waits in a queue is offered to an idle CPU, which is kicked and
// takes it; a CPU that runs out of threads looks into the other queues itself.
// Balance: at the end of a slice a CPU gives a thread to a busy one that has fewer.  So only CPUs
// on which somebody waits look at the others, and who runs alone is left alone.
#pragma once

#include <kernel/sched/thread.h>
#include <kernel/upcall.h>

struct budget;
struct cap_table;

void sched_init(void);

// A new thread's place: state NEW, normal latency, any CPU; its priority is set next.
void sched_thread_init(struct thread *thread);

// Sets the weight of a thread in its lane, by its priority, 1 to PRIORITY_MAX; and its class.
void sched_set_priority(struct thread *thread, uint8_t priority);
void sched_set_latency_class(struct thread *thread, enum latency_class latency_class);

// Sets the weight of a budget other than the root, 1 to WEIGHT_MAX.
void sched_set_weight(struct budget *budget, uint32_t weight);

// Brings the times that processes have used up to now; else they are those of the last switch.
void sched_account(void);

// A process gained or lost the right to read the time-stamp counter.
void sched_clock_changed(const struct cap_table *caps);

// A thread that was NEW or WAITING can run.
void sched_ready(struct thread *thread);

// A thread ends, whatever its state.  If it runs on another CPU, that has left it when this
// returns.
void sched_forget(struct thread *thread);

// The current thread blocks until something makes it ready; it may wait plainly.
void sched_block(struct thread *thread, bool plainly);

// The current thread lets those that are ready go first, once; without any it runs on.
void sched_give_way(void);

// States on which CPUs a thread may run, a mask with at least one CPU of the machine, and moves
// it there.
void sched_set_affinity(struct thread *thread, uint64_t cpus);

// The end of every upcall: finishes ending threads and processes, picks the thread to resume
// and sets the timer.  nullptr: idle.
[[nodiscard]] struct thread *sched_leave(void);

// Called by upcalls that interrupted the current thread, before sched_leave: takes the CPU
// from it if its slice is over or somebody ready is far behind it.
void sched_preempt(void);

// The parts of hand_over.h that aren't done in line.  Brings a thread that waits plainly to this
// CPU; false if it doesn't, or may not run here.
[[nodiscard]] bool sched_come_here(struct thread *thread);
// Tells arch whether the process of `current`, the current thread, may read the time-stamp
// counter; returns the thread.
[[nodiscard]] UPCALL_PRESERVES_NOTHING struct thread *
sched_clock_update(struct thread *current);
