// SPDX-License-Identifier: MIT
// Who runs next (sched.c).
//
// Each CPU has a queue of ready threads in the order of virtual run time; a thread runs
// for a slice or until it blocks.  The CPU's timer is set only when somebody else is ready
// or a deadline is pending: an idle or a lone thread is never interrupted (tickless).
// Hand-off: a thread that became ready while another runs isn't queued at once; if the
// running thread then blocks, the CPU goes straight to it.
#pragma once

#include <stdint.h>

struct thread;

constexpr uint64_t SCHED_SLICE_NS = 4'000'000;

void sched_init(void);

// A thread that was NEW or WAITING can run.
void sched_ready(struct thread *thread);

// A thread ends, whatever its state.
void sched_forget(struct thread *thread);

// The current thread blocks until something makes it ready.
void sched_block(struct thread *thread);

// The end of every upcall: finishes ending processes, picks the thread to resume and sets
// the timer.  nullptr: idle.
[[nodiscard]] struct thread *sched_leave(void);

// Called by upcalls that interrupted the current thread, before sched_leave: takes the CPU
// from it if its slice is over or somebody ready is far behind it.
void sched_preempt(void);

// The current thread waits for one completion, and `to`, which waits and has its completion,
// runs at once: sched_block, sched_ready and sched_leave in one.  Only if
// sched_can_hand_over: nobody else became ready in this upcall.
[[nodiscard]] bool sched_can_hand_over(void);
[[nodiscard]] struct thread *sched_hand_over(struct thread *from, struct thread *to);
