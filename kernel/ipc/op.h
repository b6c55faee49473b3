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
    uint32_t call_slot;             // of the Endpoint, or CALL_SLOT_NONE
    uint16_t method;
    bool delivered;    // a server has received it
    bool keeps_object; // has a reference on the object
    bool special;      // see invariant 3
};

constexpr uint32_t CALL_SLOT_NONE = UINT32_MAX;

// A thread keeps this many free ops, so that a round trip of IPC allocates nothing.  A free op
// is clean: its links are null, no timeout, no transfers, no slot, not delivered, not special.
constexpr uint32_t OP_CACHE_MAX = 4;

// What op_create and op_retire are made of, for the cases that they don't do in line.
[[nodiscard]] struct op *op_create_new(struct thread *thread, uint64_t user_data,
                                       struct object *object, void (*on_cancel)(struct op *op));
void op_drop_transfers(struct op *op);
void op_storage_free(struct op *op);
static inline void op_begin(struct op *op, uint64_t user_data, struct object *object,
                            void (*on_cancel)(struct op *op))
{
    struct thread *thread = op->thread;
    op->object = object;
    op->on_cancel = on_cancel;
    op->user_data = user_data;
    list_push_back(&thread->operations, &op->thread_link);
    thread->ring.pending_count++;
}

// A pending operation of a thread on an object.  nullptr when the budget is exhausted.
[[nodiscard]] static inline struct op *op_create(struct thread *thread, uint64_t user_data,
                                                 struct object *object,
                                                 void (*on_cancel)(struct op *op))
{
    struct op *op = thread->op_cache;
    if (op == nullptr)
        return op_create_new(thread, user_data, object, on_cancel);
    thread->op_cache = op->next_free;
    thread->op_cache_count--;
    op_begin(op, user_data, object, on_cancel);
    return op;
}

// Frees an op that isn't special and keeps no object, without a completion.
static inline void op_retire(struct op *op)
{
    struct thread *thread = op->thread;
    ASSERT(!op->special && !op->keeps_object && !list_linked(&op->queue_link));
    ASSERT(!op->timeout.pending && op->call_slot == CALL_SLOT_NONE);
    if (op->transfers != nullptr)
        op_drop_transfers(op);
    op->delivered = false;
    list_remove(&op->thread_link);
    thread->ring.pending_count--;
    if (thread->op_cache_count >= OP_CACHE_MAX) {
        op_storage_free(op);
        return;
    }
    op->next_free = thread->op_cache;
    thread->op_cache = op;
    thread->op_cache_count++;
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
