// SPDX-License-Identifier: MIT
// Operations: submissions that complete later (op.c).
//
// Invariants:
//  1. An op is in its thread's list, holds one completion entry of its ring, and its
//     object outlives it: by a reference (op_keep_object), or because the object finishes
//     the ops in its queues before it goes, as an Endpoint does.
//  2. It ends exactly once: op_finish posts its completion, op_discard posts nothing.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <kernel/cap/transfer.h>
#include <kernel/ipc/span.h>
#include <kernel/sched/timeout.h>
#include <lib/list.h>

struct object;
struct thread;

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
    // What the object keeps with a pending method: a mask, a deadline.
    uint64_t private_word;
    uint64_t trace_id; // of the recorded submission that it comes from, or 0
    struct timeout timeout;
    // CALL on a minted object:
    struct span params;
    struct transfer_set *transfers; // resolved capabilities, or nullptr
    uint32_t call_slot;             // of the Endpoint, or CALL_SLOT_NONE
    uint16_t method;
    bool delivered;    // a server has received it
    bool keeps_object; // has a reference on the object
};

constexpr uint32_t CALL_SLOT_NONE = UINT32_MAX;

// A pending operation of a thread on an object.  nullptr when the budget is exhausted.
[[nodiscard]] struct op *op_create(struct thread *thread, uint64_t user_data,
                                   struct object *object, void (*on_cancel)(struct op *op));

// Takes a reference on the op's object for the op's life.
void op_keep_object(struct op *op);

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
