// SPDX-License-Identifier: MIT
// Operations: submissions that complete later (op.c).
//
// Invariants:
//  1. An op is in its thread's list, holds one completion entry of its ring, and its
//     object outlives it: by a reference (op_keep_object), or because the object finishes
//     the ops in its queues before it goes, as an Endpoint does.
//  2. It ends exactly once: op_finish posts its completion, op_discard posts nothing.
//  3. One that isn't special has no trace id, no promise, no follower and no watcher, and
//     nothing is linked to it.
//  4. One that is plain isn't special, has no transfers, and its result buffer is in the ring:
//     the short ways of ipc/handover.c may complete it.  Nothing else looks at this.
//  5. result.thread is `thread`, for ever.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <kernel/cap/transfer.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/ring.h>
#include <kernel/ipc/span.h>
#include <kernel/mm/space.h>
#include <kernel/sched/thread.h>
#include <kernel/sched/timeout.h>
#include <lib/list.h>

struct call_slot;
struct deferral;
struct multishot;
struct object;
struct promise;
struct thread;
struct under_way;

struct op {
    struct list_link thread_link;
    struct list_link queue_link; // in a queue of the object
    struct thread *thread;       // for ever: ops are kept for reuse by their thread
    union {
        struct object *object;
        struct op *next_free; // in the thread's cache
    };
    void (*on_cancel)(struct op *op); // takes it out of the object's queue
    uint64_t user_data;
    struct span result;
    union {
        uint64_t private_word;       // of the object of a pending method: a mask, a deadline
        struct deferral *deferral;   // of a submission that waits, see chain.h
        struct multishot *multishot; // of a RECV with many slots, or nullptr
        struct op *watched;          // of Endpoint.watch: the call
    };
    uint64_t trace_id;       // of the recorded submission that it comes from, or 0
    struct promise *promise; // settled by its completion, or nullptr
    struct op *follower;     // a submission that starts when it succeeds, or nullptr
    struct op *watcher;      // Endpoint.watch on this call, or nullptr
    struct timeout timeout;
    // PARK; private_word is the word's address in the thread's process:
    struct space_word park_word;
    union {
        struct list_link park_link; // among those whose words have one hash
        // CALL on a minted object:
        struct span params;
    };
    struct transfer_set *transfers; // resolved capabilities, or nullptr
    struct call_slot *call_slot;    // of the Endpoint, or nullptr
    uint16_t method;
    bool keeps_object; // has a reference on the object
    bool special;      // see invariant 3
    bool plain;        // see invariant 4
};

// A thread keeps free ops, so that a round trip of IPC allocates nothing: this many in its cache,
// and before those a spare one that stays in the list of its operations, where it is passed
// over.  A free op is clean: no timeout, no transfers, no slot, not special.
constexpr uint32_t OP_CACHE_MAX = 4;

// A pending operation of a thread on an object.  nullptr when the budget is exhausted.
[[nodiscard]] struct op *op_create(struct thread *thread, uint64_t user_data,
                                   struct object *object, void (*on_cancel)(struct op *op));

// The same in line, from the spare, which is there.
[[nodiscard]] static inline struct op *op_create_from_spare(struct thread *thread,
                                                            uint64_t user_data,
                                                            struct object *object,
                                                            void (*on_cancel)(struct op *op))
{
    struct op *op = thread->op_spare;
    thread->op_spare = nullptr;
    op->object = object;
    op->on_cancel = on_cancel;
    op->user_data = user_data;
    thread->ring.pending_count++;
    return op;
}

// Makes sure that the thread has a spare; false when the budget is exhausted.
[[nodiscard]] bool op_spare_make(struct thread *thread);

// Frees an op that isn't special and keeps no object, without a completion.
void op_retire(struct op *op);

// The same in line for one that is clean already, and whose thread has no spare.
static inline void op_retire_to_spare(struct op *op, struct thread *thread)
{
    thread->op_spare = op;
    thread->ring.pending_count--;
}

// Takes a reference on the op's object for the op's life.
void op_keep_object(struct op *op);

// Makes the op what the submission that is being taken becomes: its completion is traced,
// settles its promise, and starts what is linked to it.
void op_attend_slow(struct op *op);
static inline void op_attend(struct op *op, const struct ring *ring)
{
    if (ring->attention)
        op_attend_slow(op);
}

// The opposite: takes from the op what its completion would do besides.
void op_unattend(struct op *op, struct under_way *out_under_way);

// Posts the completion and frees the op.  It is in no queue of its object any more.
void op_finish(struct op *op, int32_t result, uint32_t flags, uint32_t result_bytes,
               uint32_t transfer_count);

// The same for a failure without words.
void op_finish_status(struct op *op, enum status status);

// Frees the op without a completion; its thread is ending.
void op_discard(struct op *op);

// Withdraws the thread's oldest operation with that user data: it completes as cancelled.
[[nodiscard]] enum status op_cancel(struct thread *thread, uint64_t user_data);

// Withdraws and discards every operation of a thread that ends.
void op_discard_all(struct thread *thread);

// Frees what the thread's cache of ops holds.
void op_cache_drain(struct thread *thread);
