// SPDX-License-Identifier: MIT
// Submissions, by opcode.  See submit.h.

#include <kernel/ipc/submit.h>

#include <kernel/cap/table.h>
#include <kernel/ipc/call.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/chain.h>
#include <kernel/ipc/endpoint.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/park.h>
#include <kernel/ipc/promise.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

// Not inlined, and called last, so that what is ordinary needs no stack frame for it.
[[gnu::noinline]] static void finish_attended(struct thread *thread,
                                              const struct capos_sqe *sqe, int32_t result,
                                              uint32_t flags, uint32_t result_bytes,
                                              uint32_t transfer_count)
{
    if (thread->ring.trace != nullptr)
        call_trace_finish(thread, sqe,
                          &(struct capos_cqe){
                              .result = result,
                              .flags = flags,
                              .result_bytes = result_bytes,
                              .transfer_count = transfer_count,
                          });
    if (result < 0 || (sqe->flags & CAPOS_SQE_QUIET) == 0)
        ring_post(thread, sqe->user_data, result, flags, result_bytes, transfer_count);
    chain_settle_under_way(thread, result);
}

void submit_finish(struct thread *thread, const struct capos_sqe *sqe, int32_t result,
                   uint32_t flags, uint32_t result_bytes, uint32_t transfer_count)
{
    if (thread->ring.attention) {
        finish_attended(thread, sqe, result, flags, result_bytes, transfer_count);
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

static enum status submit_nop(struct thread *, const struct capos_sqe *)
{
    return STATUS_OK;
}

static enum status submit_call(struct thread *thread, const struct capos_sqe *sqe)
{
    capos_cap_id cap = sqe->cap;
    if ((sqe->flags & CAPOS_SQE_PIPELINE) != 0) {
        enum status status = promise_resolve(thread, sqe, &cap);
        if (status != STATUS_OK)
            return status;
    } else if (sqe->result_index != 0) {
        return STATUS_BAD_FLAGS;
    }
    struct cap_slot *slot = cap_table_lookup(&thread->process->caps, cap);
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
    if (status != STATUS_OK)
        return status;
    return (sqe->flags & CAPOS_SQE_MULTISHOT) != 0 ? endpoint_receive_many(thread, sqe, object)
                                                   : endpoint_receive(thread, sqe, object);
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

static enum status submit_return_slot(struct thread *thread, const struct capos_sqe *sqe)
{
    struct object *object;
    enum status status = endpoint_lookup(thread, sqe->cap, &object);
    return status == STATUS_OK ? endpoint_return_slot(thread, sqe, object) : status;
}

static enum status submit_return_receive(struct thread *thread, const struct capos_sqe *sqe)
{
    struct object *object;
    if ((sqe->flags & CAPOS_SQE_MULTISHOT) != 0)
        return submit_return_slot(thread, sqe);
    enum status status = answer(thread, sqe, &object);
    if (status != STATUS_OK)
        return status;
    // What waited for this answer may be a call that this receive takes.
    if (arch_cpu()->chains_ready)
        chain_run();
    return endpoint_receive(thread, sqe, object);
}

static enum status submit_release(struct thread *thread, const struct capos_sqe *sqe)
{
    return cap_table_release(&thread->process->caps, sqe->cap);
}

static enum status submit_cancel(struct thread *thread, const struct capos_sqe *sqe)
{
    return op_cancel(thread, sqe->call_id);
}

static enum status submit_finish_promise(struct thread *thread, const struct capos_sqe *sqe)
{
    return promise_finish(thread, sqe->call_id, sqe->method);
}

// What an opcode understands; every other flag and count must be zero.
struct opcode_rule {
    enum status (*submit)(struct thread *thread, const struct capos_sqe *sqe);
    uint8_t flags;
    bool transfers;
};

constexpr uint8_t CALL_FLAGS = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING |
                               CAPOS_SQE_LINK | CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE;
constexpr uint8_t RECV_FLAGS = CAPOS_SQE_RESULT_IN_RING | CAPOS_SQE_LINK | CAPOS_SQE_MULTISHOT;
constexpr uint8_t RETURN_FLAGS =
    CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_EXCEPTION | CAPOS_SQE_LINK;
constexpr uint8_t SHORT_FLAGS = CAPOS_SQE_LINK | CAPOS_SQE_QUIET;

static const struct opcode_rule opcode_rules[CAPOS_OP_COUNT] = {
    [CAPOS_OP_NOP] = {submit_nop, CAPOS_SQE_LINK, false},
    [CAPOS_OP_CALL] = {submit_call, CALL_FLAGS, true},
    [CAPOS_OP_RECV] = {submit_receive, RECV_FLAGS, false},
    [CAPOS_OP_RETURN] = {submit_return, RETURN_FLAGS | CAPOS_SQE_QUIET, true},
    [CAPOS_OP_RETURN_RECV] = {submit_return_receive, RETURN_FLAGS | RECV_FLAGS, true},
    [CAPOS_OP_RELEASE] = {submit_release, SHORT_FLAGS, false},
    [CAPOS_OP_CANCEL] = {submit_cancel, SHORT_FLAGS, false},
    [CAPOS_OP_FINISH] = {submit_finish_promise, SHORT_FLAGS, false},
    [CAPOS_OP_PARK] = {park, CAPOS_SQE_LINK, false},
    [CAPOS_OP_UNPARK] = {unpark, SHORT_FLAGS, false},
};

enum status submit_checked(struct thread *thread, const struct capos_sqe *sqe)
{
    if (sqe->opcode >= CAPOS_OP_COUNT || opcode_rules[sqe->opcode].submit == nullptr)
        return STATUS_BAD_OPCODE;
    const struct opcode_rule *rule = &opcode_rules[sqe->opcode];
    if ((sqe->flags & ~rule->flags) != 0 ||
        (sqe->reserved1 != 0 && sqe->opcode != CAPOS_OP_PARK) || // there it is timeout_ns
        (sqe->result_index != 0 && sqe->opcode != CAPOS_OP_CALL))
        return STATUS_BAD_FLAGS;
    if (sqe->transfer_count > (rule->transfers ? CAPOS_TRANSFER_COUNT_MAX : 0))
        return STATUS_BAD_TRANSFER;
    return rule->submit(thread, sqe);
}

void submit_end(struct thread *thread, const struct capos_sqe *sqe, enum status status)
{
    if (status == STATUS_PENDING)
        return;
    if (status == STATUS_OVERLOADED) // the one exception that the ring itself can raise
        (void)submit_fail(thread, sqe, status, "the caller's memory budget is exhausted");
    else if (status != STATUS_OK || (sqe->flags & CAPOS_SQE_QUIET) == 0 ||
             thread->ring.attention)
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
    if ((sqe.flags & (CAPOS_SQE_LINK | CAPOS_SQE_PROMISE | CAPOS_SQE_MULTISHOT)) != 0)
        chain_submit(thread, &sqe);
    else
        submit_end(thread, &sqe, submit_checked(thread, &sqe));
}
