// SPDX-License-Identifier: MIT
// Operations.  See op.h.

#include <kernel/ipc/op.h>

#include <kernel/debug/panic.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/mm/slab.h>
#include <kernel/object/object.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

static struct slab_cache op_cache = SLAB_CACHE(struct op);

// A thread keeps this many free ops, so that a round trip of IPC allocates nothing.
constexpr uint32_t OP_CACHE_MAX = 4;

// A fresh op; slab_get has zeroed it.
[[gnu::noinline]] static struct op *op_storage_new(struct thread *thread)
{
    struct op *op = slab_get(&op_cache, thread->process->budget);
    if (op == nullptr)
        return nullptr;
    op->thread = thread;
    op->call_slot = CALL_SLOT_NONE;
    return op;
}

// A free op is clean: its links are null, no timeout, no transfers, no slot, not delivered,
// not recorded.
static struct op *op_storage_get(struct thread *thread)
{
    struct op *op = thread->op_cache;
    if (op == nullptr)
        return op_storage_new(thread);
    thread->op_cache = op->next_free;
    thread->op_cache_count--;
    return op;
}

// A cache that is full gives the op back.
[[gnu::noinline]] static void op_storage_free(struct thread *thread, struct op *op)
{
    slab_put(&op_cache, thread->process->budget, op);
}

static void op_storage_put(struct thread *thread, struct op *op)
{
    if (thread->op_cache_count >= OP_CACHE_MAX) {
        op_storage_free(thread, op);
        return;
    }
    op->next_free = thread->op_cache;
    thread->op_cache = op;
    thread->op_cache_count++;
}

void op_cache_drain(struct thread *thread)
{
    while (thread->op_cache != nullptr) {
        struct op *op = thread->op_cache;
        thread->op_cache = op->next_free;
        slab_put(&op_cache, thread->process->budget, op);
    }
    thread->op_cache_count = 0;
}

struct op *op_create(struct thread *thread, uint64_t user_data, struct object *object,
                     void (*on_cancel)(struct op *op))
{
    struct op *op = op_storage_get(thread);
    if (op == nullptr)
        return nullptr;
    op->object = object;
    op->on_cancel = on_cancel;
    op->user_data = user_data;
    list_push_back(&thread->operations, &op->thread_link);
    thread->ring.pending_count++;
    return op;
}

[[gnu::noinline]] static void op_drop_transfers(struct op *op)
{
    transfer_drop(op->transfers);
    transfer_set_destroy(op->transfers);
    op->transfers = nullptr;
}

void op_keep_object(struct op *op)
{
    object_get(op->object);
    op->keeps_object = true;
}

// Takes the op out of its thread; what it referred to is dropped last, because that may
// end other objects and with them other operations.
static void op_free(struct op *op)
{
    struct thread *thread = op->thread;
    struct object *object = op->object;
    bool keeps_object = op->keeps_object;
    ASSERT(!op->timeout.pending && !list_linked(&op->queue_link));
    ASSERT(op->call_slot == CALL_SLOT_NONE);
    if (op->transfers != nullptr)
        op_drop_transfers(op);
    op->delivered = false;
    op->keeps_object = false;
    list_remove(&op->thread_link);
    thread->ring.pending_count--;
    op_storage_put(thread, op);
    if (keeps_object)
        object_put(object);
}

[[gnu::noinline]] static void op_trace(struct op *op, int32_t result, uint32_t flags,
                                       uint32_t result_bytes, uint32_t transfer_count)
{
    call_trace_finish_op(op, &(struct capos_cqe){
                                 .result = result,
                                 .flags = flags,
                                 .result_bytes = result_bytes,
                                 .transfer_count = transfer_count,
                             });
    op->trace_id = 0;
}

void op_finish(struct op *op, int32_t result, uint32_t flags, uint32_t result_bytes,
               uint32_t transfer_count)
{
    struct thread *thread = op->thread;
    uint64_t user_data = op->user_data;
    if (op->trace_id != 0)
        op_trace(op, result, flags, result_bytes, transfer_count);
    op_free(op);
    ring_post(thread, user_data, result, flags, result_bytes, transfer_count);
}

void op_finish_status(struct op *op, enum status status)
{
    op_finish(op, -(int32_t)status, 0, 0, 0);
}

void op_discard(struct op *op)
{
    op_free(op);
}

enum status op_cancel(struct thread *thread, uint64_t user_data)
{
    LIST_FOR_EACH(op, &thread->operations, struct op, thread_link)
    {
        if (op->user_data != user_data)
            continue;
        op->on_cancel(op);
        op_finish_status(op, STATUS_CANCELLED);
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

void op_discard_all(struct thread *thread)
{
    // Not a walk: discarding one operation may end others of the same thread.
    struct list_link *link;
    while ((link = list_first(&thread->operations)) != nullptr) {
        struct op *op = container_of(link, struct op, thread_link);
        op->on_cancel(op);
        op_discard(op);
    }
}
