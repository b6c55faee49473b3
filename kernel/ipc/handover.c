// SPDX-License-Identifier: MIT
// The short way of one submission: a call on a kernel object without the queue's loop, and
// IPC from a caller straight to the server that waits for it, and back.
//
// It does what the long way does (ipc/ring.c, ipc/submit.c, object/endpoint.c), with the steps
// left out that the case makes idle.  All conditions are checked before the first change,
// so whatever doesn't fit takes the long way, with the same outcome:
//
//  1. One submission, no unconsumed completion: the thread waits for what it asks now.
//  2. Both messages and both result buffers lie in the rings: no copy can fail.
//  3. No capability travels, no exception.
//  4. The partner waits, this completion ends its wait, and it may run on this CPU: it can
//     run at once.
//  5. Neither the thread nor its partner is traced.
//  6. A server that answers finds neither a queued call nor a notice: it will wait; and the
//     answered call isn't the last hold of its object, which would raise a notice.
//
// Tested by every test of IPC: tests/core/endpoint_test.c takes both ways on purpose.

#include <kernel/ipc/handover.h>

#include <abi/syscall.h>
#include <kernel/ipc/call.h>
#include <kernel/ipc/endpoint_state.h>
#include <kernel/ipc/enter.h>
#include <kernel/ipc/submit.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>
#include <lib/string.h>

// The first word of a submission: opcode, flags, method, number of transfers, reserved.
constexpr uint64_t IN_RING = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING;
constexpr uint64_t WORD_CALL = CAPOS_OP_CALL | IN_RING << 8;
constexpr uint64_t WORD_RETURN_RECV = CAPOS_OP_RETURN_RECV | IN_RING << 8;
constexpr uint64_t WORD_METHOD_MASK = UINT64_C(0xffff) << 16;
static_assert(offsetof(struct capos_sqe, flags) == 1 &&
              offsetof(struct capos_sqe, method) == 2);

// Whether a buffer lies in the message area.
static bool message_in_ring(uint64_t offset, uint32_t size_bytes)
{
    uint64_t start = offset - CAPOS_RING_MESSAGE_OFFSET; // huge for an offset before it
    return start <= CAPOS_RING_MESSAGE_BYTES &&
           size_bytes <= CAPOS_RING_MESSAGE_BYTES - start && (offset | size_bytes) % 8 == 0;
}

static bool waits_for_one(const struct thread *thread)
{
    return thread->state == THREAD_WAITING &&
           ring_available(&thread->ring) + 1 >= thread->wait_count;
}

// The submission has been taken.
static void advance(struct ring *ring)
{
    ring->sq_head++;
    __atomic_store_n(&ring_header(ring)->sq_head, ring->sq_head, __ATOMIC_RELEASE);
}

static struct span ring_span(struct thread *thread, uint64_t offset, uint32_t size_bytes)
{
    return (struct span){
        .thread = thread, .address = offset, .size_bytes = size_bytes, .in_ring = true};
}

// Each of these returns whether it did it all; then *out_next is the thread to resume,
// nullptr for none.

// A call on an object whose server waits for it.
static bool handover_to_server(struct thread *thread, const struct capos_sqe *sqe,
                               struct minted *minted, struct thread **out_next)
{
    struct endpoint *endpoint = minted->endpoint;
    if (minted->revoked || list_empty(&endpoint->receivers) ||
        endpoint->first_free == CALL_SLOT_NONE)
        return false;
    struct op *receive = container_of(list_first(&endpoint->receivers), struct op, queue_link);
    struct thread *server = receive->thread;
    uint64_t params = sqe->params, result = sqe->result;
    uint32_t params_bytes = sqe->params_bytes, result_bytes_max = sqe->result_bytes_max;
    if (!receive->result.in_ring || receive->special || !waits_for_one(server) ||
        !message_in_ring(params, params_bytes) || !message_in_ring(result, result_bytes_max) ||
        sizeof(struct capos_recv_header) + params_bytes > receive->result.size_bytes ||
        !sched_can_run_here(server))
        return false;
    struct op *call = op_create(thread, sqe->user_data, &minted->object, call_withdraw);
    if (call == nullptr)
        return false;

    advance(&thread->ring);
    call->result = ring_span(thread, result, result_bytes_max);
    call->delivered = true;
    list_push_back(&server->process->received, &call->queue_link);
    object_hold(&minted->object);
    slot_assign(endpoint, call);
    uint8_t *to = server->ring.base + receive->result.address;
    *(struct capos_recv_header *)to = (struct capos_recv_header){
        .call_id = slot_call_id(endpoint, call->call_slot),
        .word = minted->word,
        .interface_id = minted->interface_id,
        .method = sqe->method,
    };
    memcpy(to + sizeof(struct capos_recv_header), thread->ring.base + params, params_bytes);
    uint64_t user_data = receive->user_data;
    list_remove(&receive->queue_link);
    op_retire(receive);
    ring_complete(&server->ring, user_data, 0, 0, params_bytes, 0);
    *out_next = sched_hand_over(thread, server);
    return true;
}

// A call of the thread: on a kernel object, or on one that a server minted.
static bool handover_call(struct thread *thread, const struct capos_sqe *sqe,
                          struct thread **out_next)
{
    const struct cap_slot *slot = cap_table_lookup(&thread->process->caps, sqe->cap);
    if (slot == nullptr || slot->interface_id != sqe->interface_id)
        return false;
    struct object *object = slot->object;
    if (object->type == &minted_type)
        return handover_to_server(thread, sqe, minted_of(object), out_next);
    advance(&thread->ring);
    enum status status = call_kernel_object(thread, sqe, object);
    if (status != STATUS_PENDING)
        submit_end(thread, sqe, status);
    *out_next = enter_wait(thread, 1, CAPOS_FOREVER);
    return true;
}

// An answer to a caller that waits for it, by a server that will wait then.
static bool handover_return(struct thread *thread, const struct capos_sqe *sqe,
                            struct thread **out_next)
{
    const struct cap_slot *slot = cap_table_lookup(&thread->process->caps, sqe->cap);
    if (slot == nullptr || slot->object->type != &endpoint_type)
        return false;
    struct endpoint *endpoint = endpoint_of(slot->object);
    struct op *call = slot_lookup(endpoint, sqe->call_id);
    if (call == nullptr || call->special || call->object->hold_count == 1 ||
        !list_empty(&endpoint->calls) || !list_empty(&endpoint->notices))
        return false;
    struct thread *caller = call->thread;
    uint64_t answer = sqe->params, buffer = sqe->result;
    uint32_t answer_bytes = sqe->params_bytes, buffer_bytes = sqe->result_bytes_max;
    if (!call->result.in_ring || !waits_for_one(caller) ||
        answer_bytes > call->result.size_bytes || !message_in_ring(answer, answer_bytes) ||
        !message_in_ring(buffer, buffer_bytes) ||
        buffer_bytes < sizeof(struct capos_recv_header) || !sched_can_run_here(caller))
        return false;
    struct op *receive = op_create(thread, sqe->user_data, &endpoint->object, receive_withdraw);
    if (receive == nullptr)
        return false;

    advance(&thread->ring);
    receive->result = ring_span(thread, buffer, buffer_bytes);
    list_push_back(&endpoint->receivers, &receive->queue_link);
    memcpy(caller->ring.base + call->result.address, thread->ring.base + answer, answer_bytes);
    uint64_t user_data = call->user_data;
    list_remove(&call->queue_link); // what call_withdraw does, for one that nobody watches
    slot_free(endpoint, call->call_slot);
    call->call_slot = CALL_SLOT_NONE;
    object_unhold_one_of(call->object);
    op_retire(call);
    ring_complete(&caller->ring, user_data, 0, 0, answer_bytes, 0);
    *out_next = sched_hand_over(thread, caller);
    return true;
}

// Not inlined: what doesn't come here needs no stack frame.
[[gnu::noinline]] bool handover(struct thread *thread, struct thread **out_next)
{
    const struct ring *ring = &thread->ring;
    const struct capos_ring_header *header = ring_header(ring);
    if (__atomic_load_n(&header->sq_tail, __ATOMIC_ACQUIRE) - ring->sq_head != 1 ||
        ring_available(ring) != 0 || ring->pending_count >= CAPOS_CQ_ENTRIES ||
        ring->attention || !sched_can_hand_over())
        return false;
    const struct capos_sqe *queue =
        (const struct capos_sqe *)(ring->base + CAPOS_RING_SQ_OFFSET);
    const struct capos_sqe *shared = &queue[ring->sq_head % CAPOS_SQ_ENTRIES];
    uint8_t opcode = *(const volatile uint8_t *)&shared->opcode; // spares a NOP the copy
    if (opcode != CAPOS_OP_CALL && opcode != CAPOS_OP_RETURN_RECV)
        return false;
    const struct capos_sqe sqe = *(const volatile struct capos_sqe *)shared;
    uint64_t word;
    memcpy(&word, &sqe, sizeof word);
    if (sqe.reserved1 != 0)
        return false;
    if ((word & ~WORD_METHOD_MASK) == WORD_CALL)
        return handover_call(thread, &sqe, out_next);
    return word == WORD_RETURN_RECV && handover_return(thread, &sqe, out_next);
}
