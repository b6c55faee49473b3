// SPDX-License-Identifier: MIT
// The short way of one submission: a call on a kernel object without the queue's loop, IPC
// from a caller straight to the server that waits for it and back, and (in ipc/park.c) from a
// thread that falls asleep to one that it wakes.
//
// It does what the long way does (ipc/ring.c, ipc/submit.c, object/endpoint.c), with the steps
// left out that the case makes idle.  All conditions are checked before the first change,
// so whatever doesn't fit takes the long way, with the same outcome:
//
//  1. One submission, with nothing before it but quiet releases, and no unconsumed completion:
//     the thread waits for what it asks now.
//  2. Both messages and both result buffers lie in the rings: no copy can fail.
//  3. No exception; at most one capability travels, which may, and there is a slot for it.
//  4. The partner waits, this completion ends its wait, and it may run on this CPU: it can
//     run at once.
//  5. Neither the thread nor its partner is traced.
//  6. A server that answers finds neither a queued call nor a notice: it will wait; and the
//     answered call isn't the last hold of its object, which would raise a notice.
//
// Tested by every test of IPC: tests/core/endpoint_test.c takes both ways on purpose.

#include <kernel/ipc/handover.h>

#include <abi/syscall.h>
#include <kernel/cap/table.h>
#include <kernel/ipc/call.h>
#include <kernel/ipc/endpoint_state.h>
#include <kernel/ipc/enter.h>
#include <kernel/ipc/park.h>
#include <kernel/ipc/submit.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>
#include <lib/string.h>

constexpr uint32_t TRANSFER_BYTES = sizeof(struct capos_transfer);
static_assert(sizeof(struct capos_transfer) == sizeof(struct capos_cap_record));

// The first word of a submission: opcode, flags, method, number of transfers, result index.
constexpr uint64_t IN_RING = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING;
constexpr uint64_t WORD_CALL = CAPOS_OP_CALL | IN_RING << 8;
constexpr uint64_t WORD_RETURN_RECV = CAPOS_OP_RETURN_RECV | IN_RING << 8;
constexpr uint64_t WORD_QUIET_RELEASE = CAPOS_OP_RELEASE | CAPOS_SQE_QUIET << 8;
constexpr uint64_t WORD_METHOD_MASK = UINT64_C(0xffff) << 16;
constexpr uint64_t WORD_ONE_GIFT = UINT64_C(1) << 32; // transfer_count 1
static_assert(offsetof(struct capos_sqe, flags) == 1 &&
              offsetof(struct capos_sqe, method) == 2 &&
              offsetof(struct capos_sqe, transfer_count) == 4);

// Whether a buffer lies in the message area.
static inline bool message_in_ring(uint64_t offset, uint64_t size_bytes)
{
    uint64_t start = offset - CAPOS_RING_MESSAGE_OFFSET; // huge for an offset before it
    return start <= CAPOS_RING_MESSAGE_BYTES &&
           size_bytes <= CAPOS_RING_MESSAGE_BYTES - start && (offset | size_bytes) % 8 == 0;
}

static struct span ring_span(struct thread *thread, uint64_t offset, uint32_t size_bytes)
{
    return (struct span){
        .thread = thread, .address = offset, .size_bytes = size_bytes, .in_ring = true};
}

// A capability beside a message.
struct gift {
    struct cap_slot *slot; // of the sender
    capos_cap_id id;
    enum capos_hold_mode mode; // of the receiver
    bool moved;
};

// Reads the one descriptor behind a message in the ring.  Returns whether the capability can
// travel; nothing has changed.
static inline bool gift_find(struct gift *gift, struct thread *thread,
                             const struct capos_sqe *sqe, const struct process *receiver)
{
    const struct capos_transfer descriptor =
        *(const volatile struct capos_transfer *)(thread->ring.base + sqe->params +
                                                  sqe->params_bytes);
    struct cap_slot *slot = cap_table_lookup(&thread->process->caps, descriptor.cap);
    if (slot == nullptr || descriptor.how > CAPOS_TRANSFER_GIVE ||
        descriptor.receiver_mode > CAPOS_HOLD_NONE || descriptor.reserved != 0 ||
        receiver->caps.free_count == 0)
        return false;
    bool moved = descriptor.how != CAPOS_TRANSFER_COPY;
    if (slot->mode == CAPOS_HOLD_NONE || (slot->mode == CAPOS_HOLD_MOVE && !moved))
        return false;
    *gift = (struct gift){
        .slot = slot,
        .id = descriptor.cap,
        .mode = slot->mode > descriptor.receiver_mode ? slot->mode : descriptor.receiver_mode,
        .moved = moved,
    };
    return true;
}

// Hands it over, and describes it behind the message that was written.
static inline void gift_give(const struct gift *gift, struct thread *thread,
                             struct process *receiver, void *record)
{
    struct object *object = gift->slot->object;
    uint64_t interface_id = gift->slot->interface_id;
    if (gift->moved)
        (void)cap_table_take(&thread->process->caps, gift->slot, gift->id);
    else
        object_hold(object);
    *(struct capos_cap_record *)record = (struct capos_cap_record){
        .cap = cap_table_insert(&receiver->caps, object, interface_id, gift->mode),
        .interface_id = interface_id,
    };
}

// Each of these returns whether it did it all; then *out_next is the thread to resume,
// nullptr for none.  `count` is a constant, how many capabilities travel: for none the compiler
// makes a function that doesn't know of any.
// A call on an object whose server waits for it.
[[gnu::always_inline]] static inline bool
handover_to_server(struct thread *thread, const struct capos_sqe *sqe, struct minted *minted,
                   uint32_t count, struct thread **out_next)
{
    struct endpoint *endpoint = minted->endpoint;
    if (minted->revoked || list_empty(&endpoint->receivers) ||
        endpoint->first_free == CALL_SLOT_NONE)
        return false;
    struct op *receive = container_of(list_first(&endpoint->receivers), struct op, queue_link);
    struct thread *server = receive->thread;
    uint64_t params = sqe->params, result = sqe->result;
    uint32_t params_bytes = sqe->params_bytes, result_bytes_max = sqe->result_bytes_max;
    uint32_t records_bytes = count * TRANSFER_BYTES;
    struct gift gift;
    if (!receive->result.in_ring || receive->special || !thread_waits_for_one(server) ||
        !message_in_ring(params, (uint64_t)params_bytes + records_bytes) ||
        !message_in_ring(result, result_bytes_max) ||
        sizeof(struct capos_recv_header) + params_bytes + records_bytes >
            receive->result.size_bytes ||
        !sched_can_run_here(server))
        return false;
    if (count > 0 && !gift_find(&gift, thread, sqe, server->process))
        return false;
    struct op *call = op_create(thread, sqe->user_data, &minted->object, call_withdraw);
    if (call == nullptr)
        return false;

    ring_advance(&thread->ring);
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
    to += sizeof(struct capos_recv_header);
    memcpy(to, thread->ring.base + params, params_bytes);
    if (count > 0)
        gift_give(&gift, thread, server->process, to + params_bytes);
    uint64_t user_data = receive->user_data;
    list_remove(&receive->queue_link);
    op_retire(receive);
    ring_complete(&server->ring, user_data, 0, 0, params_bytes, count);
    *out_next = sched_hand_over(thread, server);
    return true;
}

[[gnu::noinline]] static bool handover_to_server_alone(struct thread *thread,
                                                       const struct capos_sqe *sqe,
                                                       struct minted *minted,
                                                       struct thread **out_next)
{
    return handover_to_server(thread, sqe, minted, 0, out_next);
}

[[gnu::noinline]] static bool handover_to_server_with_gift(struct thread *thread,
                                                           const struct capos_sqe *sqe,
                                                           struct minted *minted,
                                                           struct thread **out_next)
{
    return handover_to_server(thread, sqe, minted, 1, out_next);
}

// A call on an object of the kernel.
static void handover_to_kernel(struct thread *thread, const struct capos_sqe *sqe,
                               struct object *object, struct thread **out_next)
{
    ring_advance(&thread->ring);
    enum status status = call_kernel_object(thread, sqe, object);
    if (status != STATUS_PENDING)
        submit_end(thread, sqe, status);
    *out_next = enter_wait(thread, 1, CAPOS_FOREVER);
}

// An answer to a caller that waits for it, by a server that will wait then.
[[gnu::always_inline]] static inline bool
handover_return(struct thread *thread, const struct capos_sqe *sqe, struct endpoint *endpoint,
                uint32_t count, struct thread **out_next)
{
    struct op *call = slot_lookup(endpoint, sqe->call_id);
    if (call == nullptr || call->special || call->object->hold_count == 1 ||
        !list_empty(&endpoint->calls) || !list_empty(&endpoint->notices))
        return false;
    struct thread *caller = call->thread;
    uint64_t answer = sqe->params, buffer = sqe->result;
    uint32_t answer_bytes = sqe->params_bytes, buffer_bytes = sqe->result_bytes_max;
    uint32_t records_bytes = count * TRANSFER_BYTES;
    struct gift gift;
    if (!call->result.in_ring || !thread_waits_for_one(caller) ||
        (uint64_t)answer_bytes + records_bytes > call->result.size_bytes ||
        !message_in_ring(answer, (uint64_t)answer_bytes + records_bytes) ||
        !message_in_ring(buffer, buffer_bytes) ||
        buffer_bytes < sizeof(struct capos_recv_header) || !sched_can_run_here(caller))
        return false;
    if (count > 0 && !gift_find(&gift, thread, sqe, caller->process))
        return false;
    struct op *receive = op_create(thread, sqe->user_data, &endpoint->object, receive_withdraw);
    if (receive == nullptr)
        return false;

    ring_advance(&thread->ring);
    receive->result = ring_span(thread, buffer, buffer_bytes);
    list_push_back(&endpoint->receivers, &receive->queue_link);
    uint8_t *to = caller->ring.base + call->result.address;
    memcpy(to, thread->ring.base + answer, answer_bytes);
    if (count > 0)
        gift_give(&gift, thread, caller->process, to + answer_bytes);
    uint64_t user_data = call->user_data;
    list_remove(&call->queue_link); // what call_withdraw does, for one that nobody watches
    slot_free(endpoint, call->call_slot);
    call->call_slot = CALL_SLOT_NONE;
    object_unhold_one_of(call->object);
    op_retire(call);
    ring_complete(&caller->ring, user_data, 0, 0, answer_bytes, count);
    *out_next = sched_hand_over(thread, caller);
    return true;
}

[[gnu::noinline]] static bool handover_return_alone(struct thread *thread,
                                                    const struct capos_sqe *sqe,
                                                    struct endpoint *endpoint,
                                                    struct thread **out_next)
{
    return handover_return(thread, sqe, endpoint, 0, out_next);
}

[[gnu::noinline]] static bool handover_return_with_gift(struct thread *thread,
                                                        const struct capos_sqe *sqe,
                                                        struct endpoint *endpoint,
                                                        struct thread **out_next)
{
    return handover_return(thread, sqe, endpoint, 1, out_next);
}

static const struct capos_sqe *first_submission(const struct ring *ring)
{
    const struct capos_sqe *queue =
        (const struct capos_sqe *)(ring->base + CAPOS_RING_SQ_OFFSET);
    return &queue[ring->sq_head % CAPOS_SQ_ENTRIES];
}

// Takes the quiet releases before the last of `count` submissions, then that one.
[[gnu::noinline]] static bool handover_behind_releases(struct thread *thread, uint32_t count,
                                                       struct thread **out_next)
{
    struct ring *ring = &thread->ring;
    if (count > CAPOS_SQ_ENTRIES || ring_available(ring) != 0 ||
        count > CAPOS_CQ_ENTRIES - ring->pending_count)
        return false;
    for (; count > 1; count--) {
        const struct capos_sqe sqe = *(const volatile struct capos_sqe *)first_submission(ring);
        uint64_t word;
        memcpy(&word, &sqe, sizeof word);
        if (word != WORD_QUIET_RELEASE || ring->attention)
            return false;
        ring->sq_head++;
        submit_end(thread, &sqe, submit_checked(thread, &sqe));
    }
    // What a release made ready has its turn at the end of the upcall, which a hand-over skips.
    const struct cpu *cpu = arch_cpu();
    bool put_off = cpu->chains_ready || cpu->traces_unread || cpu->watches_due;
    return !put_off && handover(thread, out_next);
}

// Not inlined: what doesn't come here needs no stack frame.
[[gnu::noinline]] bool handover(struct thread *thread, struct thread **out_next)
{
    const struct ring *ring = &thread->ring;
    const struct capos_ring_header *header = ring_header(ring);
    uint32_t count = __atomic_load_n(&header->sq_tail, __ATOMIC_ACQUIRE) - ring->sq_head;
    const struct capos_sqe *shared = first_submission(ring);
    uint8_t opcode = *(const volatile uint8_t *)&shared->opcode; // spares a NOP the copy
    if (count != 1)
        return count > 1 && opcode == CAPOS_OP_RELEASE &&
               handover_behind_releases(thread, count, out_next);
    if ((opcode != CAPOS_OP_CALL && opcode != CAPOS_OP_RETURN_RECV &&
         opcode != CAPOS_OP_PARK) ||
        ring_available(ring) != 0 || ring->pending_count >= CAPOS_CQ_ENTRIES ||
        ring->attention || !sched_can_hand_over())
        return false;
    if (opcode == CAPOS_OP_PARK)
        return *(const volatile uint64_t *)shared == CAPOS_OP_PARK &&
               park_handover(thread, shared, out_next);
    const struct capos_sqe sqe = *(const volatile struct capos_sqe *)shared;
    const struct cap_slot *slot;
    [[clang::always_inline]] slot = cap_table_lookup(&thread->process->caps, sqe.cap);
    uint64_t word;
    memcpy(&word, &sqe, sizeof word);
    if (slot == nullptr || sqe.reserved1 != 0)
        return false;
    struct object *object = slot->object;
    word &= ~WORD_METHOD_MASK;
    if (word == WORD_RETURN_RECV && sqe.method == 0 && object->type == &endpoint_type)
        return handover_return_alone(thread, &sqe, endpoint_of(object), out_next);
    if (word == (WORD_RETURN_RECV | WORD_ONE_GIFT) && sqe.method == 0 &&
        object->type == &endpoint_type)
        return handover_return_with_gift(thread, &sqe, endpoint_of(object), out_next);
    if ((word & ~WORD_ONE_GIFT) != WORD_CALL || slot->interface_id != sqe.interface_id)
        return false;
    if (object->type != &minted_type) {
        handover_to_kernel(thread, &sqe, object, out_next);
        return true;
    }
    if (word == WORD_CALL)
        return handover_to_server_alone(thread, &sqe, minted_of(object), out_next);
    return handover_to_server_with_gift(thread, &sqe, minted_of(object), out_next);
}
