// SPDX-License-Identifier: MIT
// The CPU passes from a thread that begins to wait to one whose wait ends: sched_block,
// sched_ready and sched_leave in one, in line for the short ways of ipc/handover.c.
//
// Only for an upcall in which nobody else became ready, and between threads that wait plainly
// (thread.h, invariant 5).  What isn't done:
//   - the time isn't looked at: the server works on its caller's time, so cpu->charged stays;
//   - the clock of who slept isn't brought forward: that is done when it pays for itself, or goes
//     into a queue (sched.c, charge_current);
//   - no event is traced: the trace of the last switches would hold nothing else.
#pragma once

#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>

// Whether a thread can be handed over to on this CPU; moves it here if it may run here.
[[nodiscard]] static inline bool sched_can_hand_over_to(struct thread *thread, struct cpu *cpu)
{
    return thread->plain_wait == cpu || sched_come_here(thread);
}

// `from`, the current thread, waits for one completion, and there is none; `to` has got its one
// completion and can be handed over to.  Returns `to`.
[[nodiscard, gnu::always_inline]] static inline struct thread *
sched_hand_over(struct cpu *cpu, struct thread *from, struct thread *to)
{
    from->state = THREAD_WAITING;
    from->wait_count = 1;
    from->plain_wait = cpu;
    to->state = THREAD_RUNNING;
    to->plain_wait = nullptr;
    arch_thread_set_result(&to->arch, 1);
    cpu->current = to;
    return to->process->caps.tells_time == cpu->tsc_allowed ? to : sched_clock_update(to);
}
