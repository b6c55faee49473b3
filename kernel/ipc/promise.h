// SPDX-License-Identifier: MIT
// Promises: calls on whose results others may build before they have arrived (promise.c).
//
// A call with PROMISE has one from its submission to FINISH.  It is named by the call's
// user_data, and holds no capability itself: it remembers which ones came with the results, and
// they are looked up in the caller's table when they are used.
//
//     pending   the call is under way; who builds on it waits in `waiting`
//     kept      it succeeded
//     broken    it failed; who builds on it fails likewise
//
// Invariants:
//  1. No two promises of a thread have the same name, finished ones included.
//  2. `waiting` is empty unless it is pending.
//  3. A promise that is finished, settled and not waited for by anybody is dropped.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <lib/list.h>

struct op;
struct thread;

// Of one thread at a time: as many as its queues have entries.
constexpr uint32_t PROMISE_COUNT_MAX = 64;

struct promise {
    struct list_link thread_link;  // in thread->promises
    struct list_link dropped_link; // about to be dropped
    struct list waiting;           // struct op.queue_link
    struct thread *thread;
    uint64_t name;
    bool settled;
    bool finished;          // by FINISH
    uint16_t keep;          // FINISH: bit i: capability i stays
    uint16_t cap_count;     // kept
    int32_t result;         // of the call, once settled; < 0: broken
    uint32_t resumed_count; // submissions that waited and haven't been taken yet
    capos_cap_id caps[CAPOS_TRANSFER_COUNT_MAX];
};

// A pending promise of a thread.  STATUS_OVERLOADED: the budget or the number is exhausted;
// STATUS_INVALID_ARGUMENT: there is one of that name.
[[nodiscard]] enum status promise_create(struct thread *thread, uint64_t name,
                                         struct promise **out_promise);

// Notes which capabilities came with the results.
void promise_note_caps(struct promise *promise, const struct capos_cap_record *records,
                       uint32_t count);

// The call has completed: hands who waits to chain_run.
void promise_settle(struct promise *promise, int32_t result);

// What a call with PIPELINE is on.  STATUS_PENDING: it waits, or its completion has been posted.
// STATUS_NOT_FOUND: no such promise; STATUS_BAD_CAPABILITY: its results have no such
// capability; the status of the call that failed; STATUS_OVERLOADED.
[[nodiscard]] enum status promise_resolve(struct thread *thread, const struct capos_sqe *sqe,
                                          capos_cap_id *out_cap);

// FINISH.  STATUS_NOT_FOUND.
[[nodiscard]] enum status promise_finish(struct thread *thread, uint64_t name, uint16_t keep);

// A submission that waited was taken or is gone.
void promise_unwait(struct promise *promise);

// Drops those that are done with.  Not in the middle of an operation: it releases capabilities.
void promise_drop_finished(void);

// Frees the promises of a thread that ends, behind its operations.
void promise_discard_all(struct thread *thread);
