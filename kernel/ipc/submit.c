// SPDX-License-Identifier: MIT
// Submissions, by opcode.  See submit.h.

#include <kernel/ipc/submit.h>

#include <kernel/cap/table.h>
#include <kernel/ipc/call.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/endpoint.h>
#include <kernel/ipc/op.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

// Not inlined, and called last, so that who isn't traced needs no stack frame for it.
[[gnu::noinline]] static void finish_traced(struct thread *thread, const struct capos_sqe *sqe,
                                            int32_t result, uint32_t flags,
                                            uint32_t result_bytes, uint32_t transfer_count)
{
    call_trace_finish(thread, sqe,
                      &(struct capos_cqe){
                          .result = result,
                          .flags = flags,
                          .result_bytes = result_bytes,
                          .transfer_count = transfer_count,
                      });
    ring_post(thread, sqe->user_data, result, flags, result_bytes, transfer_count);
}

void submit_finish(struct thread *thread, const struct capos_sqe *sqe, int32_t result,
                   uint32_t flags, uint32_t result_bytes, uint32_t transfer_count)
{
    if (thread->ring.trace != nullptr) {
        finish_traced(thread, sqe, result, flags, result_bytes, transfer_count);
        return;
    }
    ring_post(thread, sqe->user_data, result, flags, result_bytes, transfer_count);
}

void submit_finish_status(struct thread *thread, const struct capos_sqe *sqe,
                          enum status status)
{
    submit_finish(thread, sqe, -(int32_t)status, 0, 0, 0);
}

enum status submit_fail(struct thread *thread, const struct capos_sqe *sqe, enum status status,
                        const char *reason)
{
    struct span result;
    uint32_t size_bytes = 0;
    if (span_init(&result, thread, sqe->result, sqe->result_bytes_max,
                  (sqe->flags & CAPOS_SQE_RESULT_IN_RING) != 0) == STATUS_OK)
        size_bytes = span_write_exception(&result, status, reason);
    submit_finish(thread, sqe, -(int32_t)status, size_bytes > 0 ? CAPOS_CQE_EXCEPTION : 0,
                  size_bytes, 0);
    return STATUS_PENDING;
}

// Each returns STATUS_PENDING when the completion is or will be posted elsewhere;
// otherwise the caller posts the status.

static enum status submit_call(struct thread *thread, const struct capos_sqe *sqe)
{
    if ((sqe->flags & CAPOS_SQE_EXCEPTION) != 0)
        return STATUS_BAD_FLAGS;
    struct cap_slot *slot = cap_table_lookup(&thread->process->caps, sqe->cap);
    if (slot == nullptr)
        return STATUS_BAD_CAPABILITY;
    if (slot->interface_id != sqe->interface_id)
        return STATUS_WRONG_INTERFACE;
    struct object *object = slot->object;
    if (object->type->dispatch != nullptr)
        return call_kernel_object(thread, sqe, object);
    return endpoint_call(thread, sqe, object);
}

static enum status submit_receive(struct thread *thread, const struct capos_sqe *sqe)
{
    struct object *object;
    enum status status = endpoint_lookup(thread, sqe->cap, &object);
    return status == STATUS_OK ? endpoint_receive(thread, sqe, object) : status;
}

// The first half of RETURN_RECV, and all of RETURN.
static enum status answer(struct thread *thread, const struct capos_sqe *sqe,
                          struct object **out_endpoint)
{
    enum status status = endpoint_lookup(thread, sqe->cap, out_endpoint);
    if (status == STATUS_OK)
        status = endpoint_return(thread, sqe, *out_endpoint);
    if (thread->ring.trace != nullptr)
        call_trace_return(thread, sqe, status);
    return status;
}

static enum status submit_return(struct thread *thread, const struct capos_sqe *sqe)
{
    struct object *object;
    return answer(thread, sqe, &object);
}

static enum status submit_return_receive(struct thread *thread, const struct capos_sqe *sqe)
{
    struct object *object;
    enum status status = answer(thread, sqe, &object);
    return status == STATUS_OK ? endpoint_receive(thread, sqe, object) : status;
}

static enum status submit_release(struct thread *thread, const struct capos_sqe *sqe)
{
    return cap_table_release(&thread->process->caps, sqe->cap);
}

static enum status submit_cancel(struct thread *thread, const struct capos_sqe *sqe)
{
    return op_cancel(thread, sqe->call_id);
}

// What an opcode understands; every other flag and count must be zero.
struct opcode_rule {
    enum status (*submit)(struct thread *thread, const struct capos_sqe *sqe);
    uint8_t flags;
    bool transfers;
};

static const struct opcode_rule opcode_rules[CAPOS_OP_COUNT] = {
    [CAPOS_OP_CALL] = {submit_call, CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING, true},
    [CAPOS_OP_RECV] = {submit_receive, CAPOS_SQE_RESULT_IN_RING, false},
    [CAPOS_OP_RETURN] = {submit_return, CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_EXCEPTION, true},
    [CAPOS_OP_RETURN_RECV] = {submit_return_receive, CAPOS_SQE_FLAGS_KNOWN, true},
    [CAPOS_OP_RELEASE] = {submit_release, 0, false},
    [CAPOS_OP_CANCEL] = {submit_cancel, 0, false},
};

static enum status submit_checked(struct thread *thread, const struct capos_sqe *sqe)
{
    if (sqe->opcode >= CAPOS_OP_COUNT)
        return STATUS_BAD_OPCODE;
    const struct opcode_rule *rule = &opcode_rules[sqe->opcode];
    if ((sqe->flags & ~rule->flags) != 0 || sqe->reserved != 0 || sqe->reserved1 != 0)
        return STATUS_BAD_FLAGS;
    if (sqe->transfer_count > (rule->transfers ? CAPOS_TRANSFER_COUNT_MAX : 0))
        return STATUS_BAD_TRANSFER;
    return rule->submit == nullptr ? STATUS_OK : rule->submit(thread, sqe); // nullptr: NOP
}

void submit_end(struct thread *thread, const struct capos_sqe *sqe, enum status status)
{
    if (status == STATUS_PENDING)
        return;
    if (status == STATUS_OVERLOADED) // the one exception that the ring itself can raise
        (void)submit_fail(thread, sqe, status, "the caller's memory budget is exhausted");
    else
        submit_finish_status(thread, sqe, status);
}

// The first word of a NOP without flags: everything else of it may be anything.
constexpr uint64_t NOP_FIRST_WORD = CAPOS_OP_NOP;
static_assert(offsetof(struct capos_sqe, user_data) == 8);

void submit(struct thread *thread, const struct capos_sqe *shared)
{
    const volatile uint64_t *words = (const volatile uint64_t *)shared;
    if (words[0] == NOP_FIRST_WORD) {
        ring_post(thread, words[1], 0, 0, 0, 0);
        return;
    }
    const struct capos_sqe sqe = *(const volatile struct capos_sqe *)shared;
    if (thread->ring.trace != nullptr)
        call_trace_submit(thread, &sqe);
    submit_end(thread, &sqe, submit_checked(thread, &sqe));
}
