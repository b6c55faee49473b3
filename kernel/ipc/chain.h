// SPDX-License-Identifier: MIT
// Submissions that wait for others: those that are linked to one before them (LINK), and
// those that build on a promise (PIPELINE) (chain.c).
//
// A submission that has to wait is an operation like others, with its SQE kept beside it: it has
// its completion entry, CANCEL finds it, and the end of its thread discards it. When its turn
// comes the operation is dropped and the SQE taken as if it came at that moment.
//
// Invariants:
//  1. What waits is in the `waiting` list of a promise, is the follower of one operation, or is
//     in the list of those that chain_run takes.
//  2. Its turn never comes in the middle of another operation: chain_run is called between
//     them, for a completion may be posted in the midst of a walk over an object's waiters.
//  3. chain_run ends: each turn takes one submission out of a waiting state, and it
//     can get into another only once, from a link to a promise.
//
// A chain of links belongs to its thread's queue: ring.chain_tail is the operation, and
// ring.chain_failed the failure, to which the thread's next submission is linked.
#pragma once

#include <abi/ring.h>
#include <gen/status.h>

struct capos_cap_record;
struct op;
struct promise;
struct ring;
struct thread;

// What a submission does with its completion besides posting it, from its being taken until
// it completes or becomes an operation.
struct under_way {
    struct promise *promise; // settles it, or nullptr
    struct op *follower;     // starts it, or nullptr
    bool open;               // the thread's next submission is linked to it
};

// Takes a submission of a thread whose ring needs attention, or with a flag that needs it.
void chain_submit(struct thread *thread, const struct capos_sqe *sqe);

// Whether the ring needs attention, after something that mattered to that has changed.
void ring_attend(struct ring *ring, bool ending);

// A submission under way becomes an operation, or an operation ends.
void chain_attach(struct op *op, struct under_way *under_way);
void chain_detach(struct op *op, struct under_way *out_under_way);

// A completion has been posted: does what follows from it.
void chain_settle(struct thread *thread, const struct under_way *under_way, int32_t result);
void chain_settle_under_way(struct thread *thread, int32_t result);

// The capabilities that come with the results of the submission that is being taken.
void chain_note_caps(struct thread *thread, const struct capos_cap_record *records,
                     uint32_t count);

// Makes a submission an operation that waits for a promise.  STATUS_PENDING; STATUS_OVERLOADED
// when the budget is exhausted.
[[nodiscard]] enum status chain_wait_for(struct thread *thread, const struct capos_sqe *sqe,
                                         struct promise *promise);

// The turn of one that waits has come: chain_run takes it.
void chain_resume(struct op *op);
// chain_run has something to do.
void chain_make_ready(void);

// Takes the submissions whose turn has come.  Only between operations: at the end of every
// upcall, and in a RETURN_RECV.
void chain_run(void);
