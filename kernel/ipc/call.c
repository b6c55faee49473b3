// SPDX-License-Identifier: MIT
// Calls on objects of the kernel, from the submission to the completion.  See call.h and
// invocation.h.
//
// The order: everything about the buffers, the transfers and the room for results is
// checked and reserved first, then the method runs, then the results go out.  The one thing
// that can still fail after a method changed something is a result buffer that isn't mapped;
// then the caller gets badAddress and the result capabilities are dropped.

#include <kernel/ipc/call.h>

#include <kernel/debug/panic.h>
#include <kernel/ipc/chain.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/submit.h>
#include <kernel/object/object.h>
#include <kernel/object/objects.h>
#include <kernel/object/revocable.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>
#include <lib/string.h>
#include <lib/wire.h>

static const char reason_no_method[] = "the interface has no such method";
static const char reason_no_memory[] = "the memory budget is exhausted";

// ---- What methods and generated code use --------------------------------------------

enum status invocation_check_capability(struct invocation *invocation, uint32_t index,
                                        uint64_t interface_id)
{
    if (index >= invocation->transfer_count)
        return STATUS_BAD_TRANSFER;
    const struct invocation_transfer *transfer = &invocation->transfers[index];
    // A forwarder has the interface of its target, but isn't one.
    if (interface_id != 0 &&
        (transfer->interface_id != interface_id || transfer->object->type == &revocable_type))
        return STATUS_WRONG_INTERFACE;
    return STATUS_OK;
}

struct object *invocation_object(const struct invocation *invocation, uint32_t index)
{
    ASSERT(index < invocation->transfer_count);
    return invocation->transfers[index].object;
}

uint32_t invocation_add_capability(struct invocation *invocation, struct object *object)
{
    ASSERT(invocation->result_cap_count < CAPOS_TRANSFER_COUNT_MAX);
    invocation->result_caps[invocation->result_cap_count] = object;
    return invocation->result_cap_count++;
}

void *invocation_results(struct invocation *invocation, uint32_t *out_bytes_max)
{
    *out_bytes_max = invocation->results_bytes_max;
    return invocation->results;
}

void invocation_set_results_bytes(struct invocation *invocation, uint32_t size_bytes)
{
    ASSERT(size_bytes % 8 == 0 && size_bytes <= invocation->results_bytes_max);
    invocation->results_bytes = size_bytes;
}

enum status invocation_fail(struct invocation *invocation, enum status status,
                            const char *reason)
{
    ASSERT(status >= STATUS_FAILED && status <= STATUS_INVALID_ARGUMENT);
    invocation->reason = reason;
    return status;
}

// The buffer that was found good.
static struct span result_span(const struct invocation *invocation)
{
    return (struct span){
        .thread = invocation->thread,
        .address = invocation->result,
        .size_bytes = invocation->result_bytes_max,
        .in_ring = invocation->result_in_ring,
    };
}

struct op *invocation_defer(struct invocation *invocation, struct object *object,
                            void (*on_cancel)(struct op *op))
{
    struct op *op = op_create(invocation->thread, invocation->user_data, object, on_cancel);
    if (op == nullptr)
        return nullptr;
    op->result = result_span(invocation);
    op_attend(op, &invocation->thread->ring);
    op_keep_object(op);
    return op;
}

void *op_results(struct op *, uint32_t *out_bytes_max)
{
    *out_bytes_max = INVOCATION_RESULTS_BYTES_MAX;
    return arch_cpu()->results;
}

void op_complete(struct op *op, uint32_t results_bytes)
{
    enum status status = STATUS_OK;
    if (results_bytes > op->result.size_bytes)
        status = STATUS_NO_RESULT_SPACE;
    else if (results_bytes > 0)
        status = span_write(&op->result, 0, arch_cpu()->results, results_bytes);
    op_finish(op, -(int32_t)status, 0, status == STATUS_OK ? results_bytes : 0, 0);
}

void op_fail(struct op *op, enum status status, const char *reason)
{
    uint32_t size_bytes = span_write_exception(&op->result, status, reason);
    op_finish(op, -(int32_t)status, size_bytes > 0 ? CAPOS_CQE_EXCEPTION : 0, size_bytes, 0);
}

// ---- One call -----------------------------------------------------------------------

// Copies the message into the kernel and resolves the capabilities beside it.
static enum status call_take_params(struct invocation *invocation, struct transfer_set *set,
                                    const struct capos_sqe *sqe,
                                    const struct method_dispatch *method)
{
    if (sqe->params_bytes > method->params_bytes_max || sqe->params_bytes % 8 != 0)
        return STATUS_BAD_MESSAGE;
    if (sqe->params_bytes == 0 && sqe->transfer_count == 0)
        return STATUS_OK;
    struct span params;
    enum status status = message_span(&params, invocation->thread, sqe);
    if (status == STATUS_OK)
        status = span_read(&params, 0, arch_cpu()->params, sqe->params_bytes);
    if (status != STATUS_OK || sqe->transfer_count == 0)
        return status;
    struct capos_transfer descriptors[CAPOS_TRANSFER_COUNT_MAX];
    status = span_read(&params, sqe->params_bytes, descriptors,
                       sqe->transfer_count * (uint32_t)sizeof descriptors[0]);
    if (status == STATUS_OK)
        status = transfer_resolve(set, invocation->process, descriptors, sqe->transfer_count);
    invocation->transfers = set->entries;
    invocation->transfer_count = (uint16_t)set->count;
    return status;
}

static enum status call_take_result_room(struct invocation *invocation,
                                         const struct capos_sqe *sqe,
                                         const struct method_dispatch *method)
{
    struct span result;
    enum status status =
        span_init(&result, invocation->thread, sqe->result, sqe->result_bytes_max,
                  (sqe->flags & CAPOS_SQE_RESULT_IN_RING) != 0);
    if (status != STATUS_OK)
        return status;
    uint64_t needed = method->results_bytes_min +
                      method->results_caps * (uint64_t)sizeof(struct capos_cap_record);
    if (needed > sqe->result_bytes_max)
        return STATUS_NO_RESULT_SPACE;
    invocation->result = sqe->result;
    invocation->result_bytes_max = result.size_bytes;
    invocation->result_in_ring = result.in_ring;
    // A buffer in the ring is kernel memory, so results are encoded where they belong; the
    // encoders only write, and what user code does to them meanwhile is its own affair.
    if (result.in_ring) {
        invocation->results = span_in_ring(&result);
        invocation->results_bytes_max = sqe->result_bytes_max;
    } else {
        invocation->results = arch_cpu()->results;
        invocation->results_bytes_max = INVOCATION_RESULTS_BYTES_MAX;
    }
    if (method->results_caps == 0)
        return STATUS_OK;
    return cap_table_reserve(&invocation->process->caps, invocation->process->budget,
                             method->results_caps);
}

static void call_drop_result_caps(struct invocation *invocation)
{
    for (uint32_t i = 0; i < invocation->result_cap_count; i++)
        object_put(invocation->result_caps[i]);
}

// Writes the results and hands the result capabilities over.
static enum status call_give_results(struct invocation *invocation)
{
    const struct span to = result_span(invocation);
    uint32_t message_bytes = invocation->results_bytes;
    uint32_t count = invocation->result_cap_count;
    struct capos_cap_record records[CAPOS_TRANSFER_COUNT_MAX];
    uint32_t records_bytes = count * (uint32_t)sizeof records[0];
    if (message_bytes + records_bytes > to.size_bytes)
        return STATUS_NO_RESULT_SPACE;
    enum status status = STATUS_OK;
    if (message_bytes > 0 && !to.in_ring) // else they were encoded in place
        status = span_write(&to, 0, invocation->results, message_bytes);
    if (status != STATUS_OK || count == 0)
        return status;
    memset(records, 0, records_bytes);
    status = span_write(&to, message_bytes, records, records_bytes);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < count; i++) {
        struct object *object = invocation->result_caps[i];
        object_hold(object);
        records[i].interface_id = object_interface_id(object);
        records[i].cap = cap_table_insert(&invocation->process->caps, object,
                                          records[i].interface_id, object->type->hold_mode);
    }
    status = span_write(&to, message_bytes, records, records_bytes);
    ASSERT(status == STATUS_OK); // the same place was written a moment ago
    if (invocation->thread->ring.attention)
        chain_note_caps(invocation->thread, records, count);
    return STATUS_OK;
}

// The method didn't run: a transport error, or no memory.
static enum status call_refuse(struct object *object, enum status status)
{
    if (object->type->call_refused != nullptr)
        object->type->call_refused(object, status);
    return status;
}

enum status call_failed(const struct invocation *invocation, const struct capos_sqe *sqe,
                        struct object *object, enum status status)
{
    if (status > STATUS_INVALID_ARGUMENT) // the message or a capability is of a wrong type
        return call_refuse(object, status);
    return submit_fail(invocation->thread, sqe, status,
                       invocation->reason == nullptr ? reason_no_memory : invocation->reason);
}

// Runs the method on what was taken and posts the completion unless it is deferred.
static enum status call_run(struct invocation *invocation, const struct capos_sqe *sqe,
                            struct object *object, const struct method_dispatch *method,
                            struct transfer_set *set)
{
    enum status status = method->call(object, invocation);
    uint32_t result_cap_count = invocation->result_cap_count;
    if (status == STATUS_OK) {
        status = call_give_results(invocation);
        if (status != STATUS_OK)
            result_cap_count = 0;
        call_drop_result_caps(invocation);
        if (set->count > 0)
            transfer_consume(set);
        if (status != STATUS_OK)
            return status;
        submit_finish(invocation->thread, sqe, 0, 0, invocation->results_bytes,
                      result_cap_count);
        return STATUS_PENDING;
    }
    // Results that don't fit leave the capabilities that the method made for them.
    ASSERT(result_cap_count == 0 || status == STATUS_NO_RESULT_SPACE);
    call_drop_result_caps(invocation);
    if (status != STATUS_PENDING)
        status = call_failed(invocation, sqe, object, status);
    if (set->count > 0)
        transfer_drop(set); // what is given away may be the object itself
    return status;
}

enum status call_kernel_object(struct thread *thread, const struct capos_sqe *sqe,
                               struct object *object)
{
    const struct interface_dispatch *dispatch = object->type->dispatch;
    if (sqe->method >= dispatch->method_count && object->type == &revocable_type)
        return revocable_call(thread, sqe, object);
    if (sqe->method >= dispatch->method_count)
        return submit_fail(thread, sqe, STATUS_UNIMPLEMENTED, reason_no_method);
    const struct method_dispatch *method = &dispatch->methods[sqe->method];
    struct invocation invocation;
    invocation.thread = thread;
    invocation.process = thread->process;
    invocation.params = arch_cpu()->params;
    invocation.params_bytes = sqe->params_bytes;
    invocation.transfer_count = 0;
    invocation.result_cap_count = 0;
    invocation.reason = nullptr;
    invocation.results_bytes = 0;
    invocation.user_data = sqe->user_data;
    struct transfer_set set;
    set.count = 0;
    enum status status = call_take_params(&invocation, &set, sqe, method);
    if (status == STATUS_OK)
        status = call_take_result_room(&invocation, sqe, method);
    if (status == STATUS_OK)
        return call_run(&invocation, sqe, object, method, &set);
    status = call_refuse(object, status);
    if (set.count > 0)
        transfer_drop(&set);
    return status;
}
