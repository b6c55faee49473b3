// SPDX-License-Identifier: MIT
// Sleeping on words of memory: the opcodes PARK and UNPARK (park.c).  abi/ring.h says what they
// do.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <kernel/mm/space.h>
#include <kernel/upcall.h>

struct cpu;
struct thread;

// Empties the table of sleepers.
void park_init(void);

// Each returns STATUS_PENDING when the completion is or will be posted, and otherwise the
// status with which the submission completes.
[[nodiscard]] enum status park(struct thread *thread, const struct capos_sqe *sqe);
[[nodiscard]] enum status unpark(struct thread *thread, const struct capos_sqe *sqe);

// The short way of a PARK that wakes one sleeper of another word, if that thread then waits for
// nothing else and this one sleeps without a time-out: does both, switches to the other
// thread and returns true; *out_next is the thread to resume.  Otherwise changes nothing and
// returns false; the long way then has the same outcome.  Called by ipc/handover.c, which
// has checked the ring: `shared`, a PARK of a 32-bit word, is its only submission, and the
// thread waits for one completion, without a deadline.
[[nodiscard]] UPCALL_PRESERVES_NOTHING struct thread *
park_handover(struct cpu *cpu, struct thread *thread, const struct capos_sqe *shared);

void park_wake_range_slow(struct space *space, uint64_t start, uint64_t end);

// Memory of a space can't be read any more: who sleeps there wakes with badAddress.
static inline void park_wake_range(struct space *space, uint64_t start, uint64_t end)
{
    if (!list_empty(&space->sleepers))
        park_wake_range_slow(space, start, end);
}
