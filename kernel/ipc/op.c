// SPDX-License-Identifier: MIT
// Operations.  See op.h.

#include <kernel/ipc/op.h>

#include <kernel/debug/panic.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/chain.h>
#include <kernel/mm/slab.h>
#include <kernel/object/object.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

static struct slab_cache op_cache = SLAB_CACHE(struct op);

static struct op *op_allocate(struct thread *thread)
{
    struct op *op = thread->op_cache;
    if (op != nullptr) {
        thread->op_cache = op->next_free;
        thread->op_cache_count--;
        return op;
    }
    op = slab_get(&op_cache, thread->process->budget); // zeroed
    if (op == nullptr)
        return nullptr;
    op->thread = op->result.thread = thread;
    return op;
}

struct op *op_create(struct thread *thread, uint64_t user_data, struct object *object,
                     void (*on_cancel)(struct op *op))
{
    if (!op_spare_make(thread))
        return nullptr;
    struct op *op = op_create_from_spare(thread, user_data, object, on_cancel);
    op->plain = false;
    op->queue_link = (struct list_link){};
    return op;
}

bool op_spare_make(struct thread *thread)
{
    if (thread->op_spare != nullptr)
        return true;
    struct op *op = op_allocate(thread);
    if (op == nullptr)
        return false;
    list_push_back(&thread->operations, &op->thread_link);
    thread->op_spare = op;
    return true;
}

static void op_drop_transfers(struct op *op)
{
    transfer_drop(op->transfers);
    transfer_set_destroy(op->transfers);
    op->transfers = nullptr;
}

void op_retire(struct op *op)
{
    struct thread *thread = op->thread;
    ASSERT(!op->special && !op->keeps_object && !list_linked(&op->queue_link));
    ASSERT(!op->timeout.pending && op->call_slot == nullptr && op->result.thread == thread);
    if (op->transfers != nullptr)
        op_drop_transfers(op);
    if (thread->op_spare == nullptr) {
        op_retire_to_spare(op, thread);
        return;
    }
    list_remove(&op->thread_link);
    thread->ring.pending_count--;
    if (thread->op_cache_count >= OP_CACHE_MAX) {
        slab_put(&op_cache, thread->process->budget, op);
        return;
    }
    op->next_free = thread->op_cache;
    thread->op_cache = op;
    thread->op_cache_count++;
}

void op_cache_drain(struct thread *thread)
{
    if (thread->op_spare != nullptr) {
        list_remove(&thread->op_spare->thread_link);
        slab_put(&op_cache, thread->process->budget, thread->op_spare);
        thread->op_spare = nullptr;
    }
    while (thread->op_cache != nullptr) {
        struct op *op = thread->op_cache;
        thread->op_cache = op->next_free;
        slab_put(&op_cache, thread->process->budget, op);
    }
    thread->op_cache_count = 0;
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
    struct object *object = op->object;
    bool keeps_object = op->keeps_object;
    op->keeps_object = false;
    op_retire(op);
    if (keeps_object)
        object_put(object);
}

void op_attend_slow(struct op *op)
{
    struct ring *ring = &op->thread->ring;
    op->special = true;
    op->plain = false;
    op->trace_id = call_trace_current(ring);
    if (ring->under_way != nullptr)
        chain_attach(op, ring->under_way);
}

void op_unattend(struct op *op, struct under_way *out_under_way)
{
    chain_detach(op, out_under_way);
    op->trace_id = 0;
    op->special = false;
}

[[gnu::noinline]] static void op_finish_special(struct op *op, int32_t result, uint32_t flags,
                                                uint32_t result_bytes, uint32_t transfer_count)
{
    struct thread *thread = op->thread;
    uint64_t user_data = op->user_data;
    struct under_way under_way;
    if (op->trace_id != 0)
        call_trace_finish_op(op, &(struct capos_cqe){
                                     .result = result,
                                     .flags = flags,
                                     .result_bytes = result_bytes,
                                     .transfer_count = transfer_count,
                                 });
    op_unattend(op, &under_way);
    op_free(op);
    ring_post(thread, user_data, result, flags, result_bytes, transfer_count);
    chain_settle(thread, &under_way, result);
}

void op_finish(struct op *op, int32_t result, uint32_t flags, uint32_t result_bytes,
               uint32_t transfer_count)
{
    if (op->special) {
        op_finish_special(op, result, flags, result_bytes, transfer_count);
        return;
    }
    struct thread *thread = op->thread;
    uint64_t user_data = op->user_data;
    op_free(op);
    ring_post(thread, user_data, result, flags, result_bytes, transfer_count);
}

void op_finish_status(struct op *op, enum status status)
{
    op_finish(op, -(int32_t)status, 0, 0, 0);
}

[[gnu::noinline]] static void op_drop_special(struct op *op)
{
    struct under_way dropped;
    op_unattend(op, &dropped);
}

void op_discard(struct op *op)
{
    if (op->special)
        op_drop_special(op);
    op_free(op);
}

enum status op_cancel(struct thread *thread, uint64_t user_data)
{
    LIST_FOR_EACH(op, &thread->operations, struct op, thread_link)
    {
        if (op->user_data != user_data || op == thread->op_spare)
            continue;
        op->on_cancel(op);
        op_finish_status(op, STATUS_CANCELLED);
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

// The thread's oldest pending operation; nullptr without one.
static struct op *first_pending(const struct thread *thread)
{
    const struct list *operations = &thread->operations;
    struct op *op = LIST_FIRST(operations, struct op, thread_link);
    return op != nullptr && op == thread->op_spare
               ? LIST_NEXT(operations, op, struct op, thread_link)
               : op;
}

void op_discard_all(struct thread *thread)
{
    // Not a walk: discarding one operation may end others of the same thread.
    struct op *op;
    while ((op = first_pending(thread)) != nullptr) {
        op->on_cancel(op);
        op_discard(op);
    }
}
