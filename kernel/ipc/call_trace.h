// SPDX-License-Identifier: MIT
// The trace that a parent attaches to a process before it starts (call_trace.c).
// abi/trace.h describes the memory.
//
// A process that isn't traced pays one comparison per submission.  A traced one takes the
// long way of IPC, and whoever calls or answers it too, so that there are four places which
// record: submit(), submit_finish(), op_finish() and the answers of submit.c.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <kernel/ipc/ring.h>

struct budget;
struct call_trace;
struct memory_object;
struct object;
struct op;
struct process;
struct thread;

// A trace into a writable, cached object of legal size; refers to both objects.  nullptr when
// the budget, which pays for the structure, is exhausted.
[[nodiscard]] struct call_trace *call_trace_create(struct budget *budget,
                                                   struct memory_object *buffer,
                                                   struct object *notification, uint64_t bits,
                                                   uint32_t capture_bytes);
void call_trace_destroy(struct call_trace *trace, struct budget *budget);

// Records the process's name and its CapSet.
void call_trace_start(const struct process *process);

// Makes a submission of a traced thread the one that is under way, and records it unless it
// serves: that is recorded when it is done.
void call_trace_submit(struct thread *thread, const struct capos_sqe *sqe);

// Records the answer to a received call; `status` says whether it went.  If it didn't, the
// submission under way has no other completion.
void call_trace_return(struct thread *thread, const struct capos_sqe *sqe, enum status status);

// A recorded submission that had to wait is under way again.
void call_trace_resume(struct call_trace *trace, uint64_t id);

// Records that the submission under way is complete, of a RECV what was received.
void call_trace_finish(struct thread *thread, const struct capos_sqe *sqe,
                       const struct capos_cqe *completion);

// Records that an operation is complete which came from a recorded submission.
void call_trace_finish_op(struct op *op, const struct capos_cqe *completion);

// The recorded submission that is under way, 0 for none: what an op remembers.
[[nodiscard]] uint64_t call_trace_current_slow(const struct call_trace *trace);
[[nodiscard]] static inline uint64_t call_trace_current(const struct ring *ring)
{
    return ring->trace == nullptr ? 0 : call_trace_current_slow(ring->trace);
}

// Tells the consumers whose rings got their first record.  Not done at once, because a
// record may be written in the middle of a walk over waiters: sched_leave does it.
void call_trace_signal(void);
