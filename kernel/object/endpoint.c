// SPDX-License-Identifier: MIT
// Endpoint: where calls meet their server.
//
// The idea: a call is never copied into the kernel.  It waits as an operation of its
// caller until a server receives, and only then the message moves, once, from the
// caller's memory to the server's.  Capabilities are resolved when the call is submitted.
//
// A call is, in this order:
//     queued     in `calls`, has a slot
//     delivered  in `received` of the process that has it, has a slot; its id was given out
//     finished   its completion is posted, the slot is free
//
// Invariants:
//  1. Each unfinished call has one slot; the number of slots is fixed, so the kernel
//     memory and the work of closing are bounded by queue_max.
//  2. `receivers` and `calls` are never both non-empty, nor `receivers` and `notices`.
//  3. A minted object gives one release notice in its life, after its last hold.  An
//     unfinished call has a hold: a server that freed its state on a notice is not called.
//  4. After close, all lists and slots are empty and stay so.  Since close comes before
//     destroy, and an unfinished call holds its object, the operations need no references.
//  5. A RECV with MULTISHOT holds one completion entry for each free slot of its buffer, and one
//     for its own end.  It is in `receivers` while a slot is free, else in `full`.
//
// What it doesn't do: decide about messages.  Neither the message nor the word is looked at.
// Tested in tests/core/endpoint_test.c and tests/iface/endpoint_test.c.

#include <kernel/ipc/endpoint.h>

#include <gen/interfaces.h>
#include <gen/kernel/endpoint.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/call.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/chain.h>
#include <kernel/ipc/endpoint_state.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/promise.h>
#include <kernel/ipc/submit.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <kernel/object/revocable.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

static struct slab_cache endpoint_cache = SLAB_CACHE(struct endpoint);
static struct slab_cache minted_cache = SLAB_CACHE(struct minted);

static const char reason_gone[] = "the server behind this capability is gone";
static const char reason_ended[] = "the server ended before it answered";
static const char reason_revoked[] = "this capability was revoked by its server";
static const char reason_full[] = "the server's queue is full";
static const char reason_table_full[] = "no room for the capabilities of the message";

static void endpoint_unheld(struct object *object);
static void endpoint_destroy(struct object *object);
static void minted_unheld(struct object *object);
static void minted_destroy(struct object *object);

const struct object_type endpoint_type = {
    .dispatch = &endpoint_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .unheld = endpoint_unheld,
    .destroy = endpoint_destroy,
};

const struct object_type minted_type = {
    .hold_mode = CAPOS_HOLD_COPY,
    .unheld = minted_unheld,
    .destroy = minted_destroy,
};

// ---- The end of calls ---------------------------------------------------------------

// Tells who watches a call that it ends.
static void call_tell_watcher(struct op *call, bool answered)
{
    struct op *watcher = call->watcher;
    if (watcher == nullptr)
        return;
    call->watcher = nullptr;
    endpoint_watch_complete(watcher, &(struct endpoint_watch_results){.answered = answered});
}

void call_withdraw(struct op *op)
{
    struct endpoint *endpoint = minted_of(op->object)->endpoint;
    call_tell_watcher(op, false);
    if (list_linked(&op->queue_link))
        list_remove(&op->queue_link);
    slot_free(endpoint, op);
    object_unhold(op->object);
}

static void call_finish_status(struct op *op, enum status status)
{
    call_withdraw(op);
    op_finish_status(op, status);
}

static void call_fail(struct op *op, enum status status, const char *reason)
{
    call_withdraw(op);
    op_fail(op, status, reason);
}

void receive_withdraw(struct op *op)
{
    list_remove(&op->queue_link);
}

// ---- Receives with many slots -------------------------------------------------------

static struct slab_cache multishot_cache = SLAB_CACHE(struct multishot);

// Ends it: what the server has, it keeps.
void multishot_withdraw(struct op *op)
{
    if (list_linked(&op->queue_link))
        list_remove(&op->queue_link);
    op->thread->ring.pending_count -= multishot_free_slots(op->multishot);
    slab_put(&multishot_cache, op->thread->process->budget, op->multishot);
    op->multishot = nullptr;
}

// Where a receive that waits takes the next message.
struct place {
    struct span buffer;
    uint32_t slot;
};

static struct place receive_place(const struct op *receive)
{
    struct place place = {.buffer = receive->result};
    if (is_multishot(receive)) {
        place.slot = (uint32_t)__builtin_ctzll(~receive->multishot->taken);
        place.buffer.address += (uint64_t)place.slot * place.buffer.size_bytes;
    }
    return place;
}

// Records what one slot got: for that the receive looks like one of that slot.
static void receive_trace(struct op *receive, const struct place *place, uint32_t flags,
                          uint32_t message_bytes, uint32_t transfer_count)
{
    struct span slots = receive->result;
    receive->result = place->buffer;
    call_trace_finish_op(receive, &(struct capos_cqe){
                                      .result = (int32_t)place->slot,
                                      .flags = flags | CAPOS_CQE_MORE,
                                      .result_bytes = message_bytes,
                                      .transfer_count = transfer_count,
                                  });
    receive->result = slots;
}

// Something has been put there.  A receive that isn't in a list yet stays out of `receivers`.
static void receive_complete(struct op *receive, const struct place *place, uint32_t flags,
                             uint32_t message_bytes, uint32_t transfer_count)
{
    if (!is_multishot(receive)) {
        receive_withdraw(receive);
        op_finish(receive, 0, flags, message_bytes, transfer_count);
        return;
    }
    struct multishot *multishot = receive->multishot;
    struct thread *thread = receive->thread;
    if (receive->trace_id != 0)
        receive_trace(receive, place, flags, message_bytes, transfer_count);
    multishot->taken |= UINT64_C(1) << place->slot;
    if (multishot_free_slots(multishot) == 0) {
        if (list_linked(&receive->queue_link))
            list_remove(&receive->queue_link);
        list_push_back(&endpoint_of(receive->object)->full, &receive->queue_link);
    }
    thread->ring.pending_count--;
    ring_post(thread, receive->user_data, (int32_t)place->slot, flags | CAPOS_CQE_MORE,
              message_bytes, transfer_count);
}

// It ends with an error.
static void receive_fail(struct op *receive, enum status status)
{
    receive->on_cancel(receive);
    op_finish_status(receive, status);
}

// ---- Delivery -----------------------------------------------------------------------

enum delivery {
    DELIVERY_DONE,
    DELIVERY_CALL_FAILED,    // the call has been finished; the receive can go on
    DELIVERY_RECEIVE_FAILED, // the server's buffer is bad; the call is as before
};

// Whether every page of a buffer can be read.
static bool span_readable(const struct span *span)
{
    uint8_t byte;
    for (uint64_t at = 0; at < span->size_bytes; at += PAGE_BYTES) {
        if (span_read(span, (uint32_t)at, &byte, 1) != STATUS_OK)
            return false;
    }
    return span->size_bytes == 0 ||
           span_read(span, span->size_bytes - 1, &byte, 1) == STATUS_OK;
}

static uint32_t round_up_8(uint32_t size_bytes)
{
    return (size_bytes + 7u) & ~7u;
}

// Copies a message into a buffer and makes sure that the records behind it can be written:
// after this, handing over the capabilities can't fail.
static enum status message_copy(const struct span *to, uint32_t to_offset,
                                const struct span *from, uint32_t message_bytes,
                                uint32_t transfer_count)
{
    enum status status = span_copy(to, to_offset, from, 0, message_bytes);
    if (status != STATUS_OK || transfer_count == 0)
        return status;
    static const struct capos_cap_record blank[CAPOS_TRANSFER_COUNT_MAX];
    return span_write(to, to_offset + round_up_8(message_bytes), blank,
                      transfer_count * (uint32_t)sizeof blank[0]);
}

// Hands the capabilities over, and tells the promise of the call that they answer, if any.
static void message_commit(const struct span *to, uint32_t to_offset, uint32_t message_bytes,
                           struct transfer_set *set, struct promise *promise)
{
    uint32_t count = set->count;
    if (count == 0)
        return;
    struct capos_cap_record records[CAPOS_TRANSFER_COUNT_MAX];
    transfer_commit(set, to->thread->process, records);
    enum status status = span_write(to, to_offset + round_up_8(message_bytes), records,
                                    count * (uint32_t)sizeof records[0]);
    ASSERT(status == STATUS_OK); // message_copy wrote the same place
    if (promise != nullptr)
        promise_note_caps(promise, records, count);
}

// Moves a queued call's message into a server's buffer.
static enum delivery call_deliver(struct op *call, const struct span *buffer,
                                  uint32_t *out_transfer_count)
{
    struct minted *minted = minted_of(call->object);
    struct process *server = buffer->thread->process;
    uint32_t transfer_count = call->transfers == nullptr ? 0 : call->transfers->count;
    uint32_t message_bytes = call->params.size_bytes;
    uint32_t header_bytes = sizeof(struct capos_recv_header);
    if (header_bytes + message_bytes + transfer_count * sizeof(struct capos_cap_record) >
        buffer->size_bytes) {
        call_finish_status(call, STATUS_BAD_LENGTH);
        return DELIVERY_CALL_FAILED;
    }
    if (transfer_count > 0 &&
        cap_table_reserve(&server->caps, server->budget, transfer_count) != STATUS_OK) {
        call_fail(call, STATUS_OVERLOADED, reason_table_full);
        return DELIVERY_CALL_FAILED;
    }
    struct capos_recv_header header = {
        .call_id = call->call_slot->next_id,
        .word = minted->word,
        .interface_id = minted->interface_id,
        .method = call->method,
    };
    if (span_write(buffer, 0, &header, header_bytes) != STATUS_OK)
        return DELIVERY_RECEIVE_FAILED;
    if (message_copy(buffer, header_bytes, &call->params, message_bytes, transfer_count) !=
        STATUS_OK) {
        if (span_readable(&call->params))
            return DELIVERY_RECEIVE_FAILED;
        call_finish_status(call, STATUS_BAD_ADDRESS);
        return DELIVERY_CALL_FAILED;
    }
    if (call->transfers != nullptr)
        message_commit(buffer, header_bytes, message_bytes, call->transfers, nullptr);
    if (list_linked(&call->queue_link))
        list_remove(&call->queue_link);
    list_push_back(&server->received, &call->queue_link);
    (void)slot_deliver(call->call_slot);
    *out_transfer_count = transfer_count;
    return DELIVERY_DONE;
}

// Offers a call to the waiting receives; it is queued if none takes it.
static void call_offer(struct endpoint *endpoint, struct op *call)
{
    struct list_link *link;
    while ((link = list_first(&endpoint->receivers)) != nullptr) {
        struct op *receive = container_of(link, struct op, queue_link);
        struct place place = receive_place(receive);
        uint32_t message_bytes = call->params.size_bytes;
        uint32_t transfer_count;
        enum delivery delivery = call_deliver(call, &place.buffer, &transfer_count);
        if (delivery == DELIVERY_CALL_FAILED)
            return;
        if (delivery == DELIVERY_DONE) {
            receive_complete(receive, &place, 0, message_bytes, transfer_count);
            return;
        }
        receive_fail(receive, STATUS_BAD_ADDRESS);
    }
    list_push_back(&endpoint->calls, &call->queue_link);
}

// Writes a release notice into a server's buffer.
static enum status notice_deliver(struct endpoint *endpoint, const struct span *buffer)
{
    struct minted *minted =
        container_of(list_first(&endpoint->notices), struct minted, notice_link);
    struct capos_recv_header header = {
        .word = minted->word,
        .interface_id = minted->interface_id,
    };
    enum status status = span_write(buffer, 0, &header, sizeof header);
    if (status == STATUS_OK) {
        list_remove(&minted->notice_link);
        object_put(&minted->object);
    }
    return status;
}

// ---- Ring operations ----------------------------------------------------------------

enum status endpoint_lookup(struct thread *thread, capos_cap_id id,
                            struct object **out_endpoint)
{
    struct cap_slot *slot = cap_table_lookup(&thread->process->caps, id);
    if (slot == nullptr)
        return STATUS_BAD_CAPABILITY;
    if (slot->object->type != &endpoint_type)
        return STATUS_WRONG_INTERFACE;
    *out_endpoint = slot->object;
    return STATUS_OK;
}

// The transfer descriptors behind a message, resolved.
static enum status descriptors_resolve(struct transfer_set *set, const struct span *with,
                                       uint32_t message_bytes, uint32_t count)
{
    struct capos_transfer descriptors[CAPOS_TRANSFER_COUNT_MAX];
    enum status status =
        span_read(with, message_bytes, descriptors, count * (uint32_t)sizeof descriptors[0]);
    if (status != STATUS_OK)
        return status;
    return transfer_resolve(set, with->thread->process, descriptors, count);
}

static enum status call_admit(struct thread *thread, const struct capos_sqe *sqe,
                              struct minted *minted, struct op **out_op)
{
    struct span params, result;
    enum status status = message_span(&params, thread, sqe);
    if (status == STATUS_OK)
        status = span_init(&result, thread, sqe->result, sqe->result_bytes_max,
                           (sqe->flags & CAPOS_SQE_RESULT_IN_RING) != 0);
    if (status != STATUS_OK)
        return status;
    struct op *op = op_create(thread, sqe->user_data, &minted->object, call_withdraw);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    op->result = result;
    op->params = params;
    op->params.size_bytes = sqe->params_bytes; // the message alone
    op->method = sqe->method;
    op->plain = result.in_ring && sqe->transfer_count == 0;
    if (sqe->transfer_count > 0) {
        op->transfers = transfer_set_create(thread->process);
        status = op->transfers == nullptr
                     ? STATUS_OVERLOADED
                     : descriptors_resolve(op->transfers, &params, sqe->params_bytes,
                                           sqe->transfer_count);
        if (status != STATUS_OK) {
            op_discard(op);
            return status;
        }
    }
    op_attend(op, &thread->ring);
    *out_op = op;
    return STATUS_OK;
}

enum status endpoint_call(struct thread *thread, const struct capos_sqe *sqe,
                          struct object *object)
{
    struct minted *minted = minted_of(object);
    struct endpoint *endpoint = minted->endpoint;
    if (minted->revoked)
        return submit_fail(thread, sqe, STATUS_DISCONNECTED, reason_revoked);
    if (endpoint->closed)
        return submit_fail(thread, sqe, STATUS_DISCONNECTED, reason_gone);
    if (endpoint->first_free == nullptr)
        return submit_fail(thread, sqe, STATUS_OVERLOADED, reason_full);
    struct op *op;
    enum status status = call_admit(thread, sqe, minted, &op);
    if (status != STATUS_OK)
        return status;
    slot_assign(endpoint, op);
    object_hold(&minted->object);
    call_offer(endpoint, op);
    return STATUS_PENDING;
}

enum status endpoint_receive(struct thread *thread, const struct capos_sqe *sqe,
                             struct object *object)
{
    struct endpoint *endpoint = endpoint_of(object);
    struct span buffer;
    enum status status = span_init(&buffer, thread, sqe->result, sqe->result_bytes_max,
                                   (sqe->flags & CAPOS_SQE_RESULT_IN_RING) != 0);
    if (status != STATUS_OK)
        return status;
    if (buffer.size_bytes < sizeof(struct capos_recv_header))
        return STATUS_BAD_LENGTH;
    struct list_link *link;
    while (list_empty(&endpoint->notices) && (link = list_first(&endpoint->calls)) != nullptr) {
        struct op *call = container_of(link, struct op, queue_link);
        uint32_t message_bytes = call->params.size_bytes;
        uint32_t transfer_count;
        switch (call_deliver(call, &buffer, &transfer_count)) {
        case DELIVERY_DONE:
            submit_finish(thread, sqe, 0, 0, message_bytes, transfer_count);
            return STATUS_PENDING;
        case DELIVERY_RECEIVE_FAILED:
            return STATUS_BAD_ADDRESS;
        case DELIVERY_CALL_FAILED: // its end may have been the last of its object's holds
            break;
        }
    }
    if (!list_empty(&endpoint->notices)) {
        status = notice_deliver(endpoint, &buffer);
        if (status != STATUS_OK)
            return status;
        submit_finish(thread, sqe, 0, CAPOS_CQE_RELEASED, 0, 0);
        return STATUS_PENDING;
    }
    struct op *op = op_create(thread, sqe->user_data, object, receive_withdraw);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    op->result = buffer;
    op->plain = buffer.in_ring;
    op_attend(op, &thread->ring);
    list_push_back(&endpoint->receivers, &op->queue_link);
    return STATUS_PENDING;
}

// Fills the free slots with what is queued; the op is in no list.  It may end.
static void multishot_fill(struct endpoint *endpoint, struct op *op)
{
    while (multishot_free_slots(op->multishot) > 0) {
        struct place place = receive_place(op);
        struct list_link *link = list_first(&endpoint->calls);
        if (!list_empty(&endpoint->notices)) {
            if (notice_deliver(endpoint, &place.buffer) != STATUS_OK) {
                receive_fail(op, STATUS_BAD_ADDRESS);
                return;
            }
            receive_complete(op, &place, CAPOS_CQE_RELEASED, 0, 0);
        } else if (link != nullptr) {
            struct op *call = container_of(link, struct op, queue_link);
            uint32_t message_bytes = call->params.size_bytes;
            uint32_t transfer_count;
            enum delivery delivery = call_deliver(call, &place.buffer, &transfer_count);
            if (delivery == DELIVERY_RECEIVE_FAILED) {
                receive_fail(op, STATUS_BAD_ADDRESS);
                return;
            }
            if (delivery == DELIVERY_DONE)
                receive_complete(op, &place, 0, message_bytes, transfer_count);
        } else {
            list_push_back(&endpoint->receivers, &op->queue_link);
            return;
        }
    }
}

enum status endpoint_receive_many(struct thread *thread, const struct capos_sqe *sqe,
                                  struct object *object)
{
    struct ring *ring = &thread->ring;
    uint32_t slot_count = sqe->method, slot_bytes = sqe->result_bytes_max;
    bool in_ring = (sqe->flags & CAPOS_SQE_RESULT_IN_RING) != 0;
    if (slot_count == 0 || slot_count > CAPOS_RECV_SLOTS_MAX || slot_bytes % 8 != 0 ||
        slot_bytes < sizeof(struct capos_recv_header))
        return STATUS_BAD_LENGTH;
    struct span slots;
    uint64_t all_bytes = (uint64_t)slot_count * slot_bytes;
    enum status status =
        span_init(&slots, thread, sqe->result, in_ring ? all_bytes : slot_bytes, in_ring);
    if (status == STATUS_OK && sqe->result > UINT64_MAX - all_bytes)
        status = STATUS_BAD_ADDRESS;
    if (status != STATUS_OK)
        return status;
    slots.size_bytes = slot_bytes; // of one; receive_place adds the offset
    if (ring_available(ring) + ring->pending_count + 1 + slot_count > CAPOS_CQ_ENTRIES)
        return STATUS_QUEUE_FULL;
    struct multishot *multishot = slab_get(&multishot_cache, thread->process->budget);
    if (multishot == nullptr)
        return STATUS_OVERLOADED;
    struct op *op = op_create(thread, sqe->user_data, object, multishot_withdraw);
    if (op == nullptr) {
        slab_put(&multishot_cache, thread->process->budget, multishot);
        return STATUS_OVERLOADED;
    }
    multishot->slot_count = slot_count;
    ring->pending_count += slot_count;
    op->multishot = multishot;
    op->result = slots;
    op_attend_slow(op); // special: nothing is handed over to it
    multishot_fill(endpoint_of(object), op);
    return STATUS_PENDING;
}

// The receive with many slots of a thread whose slot the server has; nullptr if there is none.
static struct op *multishot_find(struct thread *thread, const struct object *endpoint,
                                 uint64_t user_data, uint32_t slot)
{
    LIST_FOR_EACH(op, &thread->operations, struct op, thread_link)
    {
        if (op->user_data == user_data && op != thread->op_spare && is_multishot(op) &&
            op->object == endpoint)
            return slot < op->multishot->slot_count && (op->multishot->taken >> slot & 1) != 0
                       ? op
                       : nullptr;
    }
    return nullptr;
}

enum status endpoint_return_slot(struct thread *thread, const struct capos_sqe *sqe,
                                 struct object *object)
{
    uint32_t slot = sqe->result_bytes_max;
    if ((sqe->flags & (CAPOS_SQE_LINK | CAPOS_SQE_RESULT_IN_RING)) != 0)
        return STATUS_BAD_FLAGS;
    if (sqe->call_id == 0 && (sqe->params_bytes != 0 || sqe->transfer_count != 0 ||
                              sqe->method != 0 || (sqe->flags & CAPOS_SQE_EXCEPTION) != 0))
        return STATUS_BAD_FLAGS;
    if (multishot_find(thread, object, sqe->result, slot) == nullptr)
        return STATUS_NOT_FOUND;
    if (sqe->call_id != 0) {
        enum status status = endpoint_return(thread, sqe, object);
        if (thread->ring.trace != nullptr)
            call_trace_return(thread, sqe, status);
        if (status != STATUS_OK)
            return status;
        if (arch_cpu()->chains_ready)
            chain_run();
    }
    struct op *op = multishot_find(thread, object, sqe->result, slot);
    if (op == nullptr) // withdrawn by what waited for the answer
        return STATUS_NOT_FOUND;
    op->multishot->taken &= ~(UINT64_C(1) << slot);
    thread->ring.pending_count++; // the entry of this submission, which won't complete
    list_remove(&op->queue_link);
    multishot_fill(endpoint_of(object), op);
    return STATUS_PENDING;
}

// Gives a delivered call its answer.  STATUS_OK also when the caller couldn't take it:
// that is the caller's error, not the server's.
static enum status call_answer(struct op *call, const struct span *answer,
                               uint32_t message_bytes, struct transfer_set *set, int32_t result,
                               uint32_t flags)
{
    struct process *caller = call->thread->process;
    uint32_t count = set->count;
    if (message_bytes + count * sizeof(struct capos_cap_record) > call->result.size_bytes) {
        // An exception whose words don't fit still says what kind it is.
        call_tell_watcher(call, true);
        call_finish_status(call, result < 0 ? (enum status)(-result) : STATUS_NO_RESULT_SPACE);
        return STATUS_OK;
    }
    if (count > 0 && cap_table_reserve(&caller->caps, caller->budget, count) != STATUS_OK) {
        call_tell_watcher(call, true);
        call_fail(call, STATUS_OVERLOADED, reason_table_full);
        return STATUS_OK;
    }
    bool copied = message_copy(&call->result, 0, answer, message_bytes, count) == STATUS_OK;
    if (!copied && !span_readable(answer))
        return STATUS_BAD_ADDRESS;
    call_tell_watcher(call, true);
    if (!copied) {
        call_finish_status(call, STATUS_BAD_ADDRESS);
        return STATUS_OK;
    }
    message_commit(&call->result, 0, message_bytes, set, call->promise);
    call_withdraw(call);
    op_finish(call, result, flags, message_bytes, count);
    return STATUS_OK;
}

enum status endpoint_return(struct thread *thread, const struct capos_sqe *sqe,
                            struct object *object)
{
    struct endpoint *endpoint = endpoint_of(object);
    struct op *call = call_lookup(endpoint, sqe->call_id);
    if (call == nullptr)
        return STATUS_NOT_FOUND;
    bool exception = (sqe->flags & CAPOS_SQE_EXCEPTION) != 0;
    if (exception ? sqe->method < STATUS_FAILED || sqe->method > STATUS_INVALID_ARGUMENT
                  : sqe->method != 0)
        return STATUS_BAD_FLAGS;
    struct span answer;
    enum status status = message_span(&answer, thread, sqe);
    if (status != STATUS_OK)
        return status;
    struct transfer_set set;
    set.count = 0;
    if (sqe->transfer_count > 0) {
        status = descriptors_resolve(&set, &answer, sqe->params_bytes, sqe->transfer_count);
        if (status != STATUS_OK)
            return status;
    }
    status =
        call_answer(call, &answer, sqe->params_bytes, &set,
                    exception ? -(int32_t)sqe->method : 0, exception ? CAPOS_CQE_EXCEPTION : 0);
    if (set.count > 0)
        transfer_drop(&set);
    return status;
}

void endpoint_receiver_ended(struct process *process)
{
    struct list_link *link;
    while ((link = list_first(&process->received)) != nullptr)
        call_fail(container_of(link, struct op, queue_link), STATUS_DISCONNECTED, reason_ended);
}

// ---- Life ---------------------------------------------------------------------------

static void endpoint_unheld(struct object *object)
{
    struct endpoint *endpoint = endpoint_of(object);
    endpoint->closed = true;
    for (uint32_t i = 0; i < endpoint->slot_count; i++) {
        if (endpoint->slots[i].op != nullptr)
            call_fail(endpoint->slots[i].op, STATUS_DISCONNECTED, reason_gone);
    }
    struct list_link *link;
    list_append_all(&endpoint->receivers, &endpoint->full);
    while ((link = list_first(&endpoint->receivers)) != nullptr)
        receive_fail(container_of(link, struct op, queue_link), STATUS_DISCONNECTED);
    while ((link = list_pop_front(&endpoint->notices)) != nullptr)
        object_put(&container_of(link, struct minted, notice_link)->object);
}

static void endpoint_destroy(struct object *object)
{
    struct endpoint *endpoint = endpoint_of(object);
    struct budget *budget = endpoint->budget;
    kernel_pages_put(budget, endpoint->slots, endpoint->slots_order);
    slab_put(&endpoint_cache, budget, endpoint);
    object_put(&budget->object);
}

static void minted_unheld(struct object *object)
{
    struct minted *minted = minted_of(object);
    struct endpoint *endpoint = minted->endpoint;
    if (endpoint->closed)
        return;
    object_get(object);
    list_push_back(&endpoint->notices, &minted->notice_link);
    struct list_link *link;
    while (!list_empty(&endpoint->notices) &&
           (link = list_first(&endpoint->receivers)) != nullptr) {
        struct op *receive = container_of(link, struct op, queue_link);
        struct place place = receive_place(receive);
        enum status status = notice_deliver(endpoint, &place.buffer);
        if (status == STATUS_OK)
            receive_complete(receive, &place, CAPOS_CQE_RELEASED, 0, 0);
        else
            receive_fail(receive, status);
    }
}

static void minted_destroy(struct object *object)
{
    struct minted *minted = minted_of(object);
    struct endpoint *endpoint = minted->endpoint;
    slab_put(&minted_cache, endpoint->budget, minted);
    object_put(&endpoint->object);
}

uint64_t object_interface_id(const struct object *object)
{
    if (object->type == &minted_type)
        return container_of(object, const struct minted, object)->interface_id;
    if (object->type == &revocable_type)
        return revocable_interface_id(object);
    return object->type->dispatch->interface_id;
}

struct object *endpoint_create(struct budget *budget, uint32_t queue_max)
{
    ASSERT(queue_max >= 1 && queue_max <= ENDPOINT_QUEUE_MAX);
    struct endpoint *endpoint = slab_get(&endpoint_cache, budget);
    if (endpoint == nullptr)
        return nullptr;
    while ((PAGE_BYTES << endpoint->slots_order) < queue_max * sizeof(struct call_slot))
        endpoint->slots_order++;
    endpoint->slots = kernel_pages_get(budget, endpoint->slots_order);
    if (endpoint->slots == nullptr) {
        slab_put(&endpoint_cache, budget, endpoint);
        return nullptr;
    }
    object_init(&endpoint->object, &endpoint_type);
    object_get(&budget->object);
    endpoint->budget = budget;
    endpoint->slot_count = queue_max;
    for (uint32_t i = queue_max; i-- > 0;) {
        struct call_slot *slot = &endpoint->slots[i];
        *slot = (struct call_slot){.next_id = UINT64_C(1) << 32 | (i + 1),
                                   .next_free = endpoint->first_free};
        endpoint->first_free = slot;
    }
    list_init(&endpoint->receivers);
    list_init(&endpoint->full);
    list_init(&endpoint->calls);
    list_init(&endpoint->notices);
    return &endpoint->object;
}

// ---- Methods ------------------------------------------------------------------------

enum status endpoint_mint(struct object *self, struct invocation *invocation,
                          const struct endpoint_mint_params *params,
                          struct endpoint_mint_results *out_results)
{
    struct endpoint *endpoint = endpoint_of(self);
    const struct interface_info *known = interface_lookup(params->interface_id);
    if (params->interface_id == 0 || (known != nullptr && known->kernel_homed))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "interfaceId: not zero and not a kernel-homed interface");
    struct minted *minted = slab_get(&minted_cache, endpoint->budget);
    if (minted == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the endpoint's memory budget is exhausted");
    object_init(&minted->object, &minted_type);
    object_get(&endpoint->object);
    minted->endpoint = endpoint;
    minted->interface_id = params->interface_id;
    minted->word = params->word;
    out_results->object = invocation_add_capability(invocation, &minted->object);
    return STATUS_OK;
}

enum status endpoint_revoke(struct object *self, struct invocation *invocation,
                            const struct endpoint_revoke_params *params)
{
    struct endpoint *endpoint = endpoint_of(self);
    struct object *object = invocation_object(invocation, params->object);
    if (object->type != &minted_type || minted_of(object)->endpoint != endpoint)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "object: one that this endpoint minted");
    struct minted *minted = minted_of(object);
    trace(TRACE_REVOKE, minted->word, 0);
    minted->revoked = true;
    for (uint32_t i = 0; i < endpoint->slot_count; i++) {
        struct op *op = endpoint->slots[i].op;
        if (op != nullptr && op->object == object)
            call_fail(op, STATUS_DISCONNECTED, reason_revoked);
    }
    return STATUS_OK;
}

enum status endpoint_identify(struct object *self, struct invocation *invocation,
                              const struct endpoint_identify_params *params,
                              struct endpoint_identify_results *out_results)
{
    struct object *object = revocable_target(invocation_object(invocation, params->object));
    if (object == nullptr || object->type != &minted_type ||
        minted_of(object)->endpoint != endpoint_of(self) || minted_of(object)->revoked)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "object: one that this endpoint minted, not revoked");
    out_results->word = minted_of(object)->word;
    out_results->interface_id = minted_of(object)->interface_id;
    return STATUS_OK;
}

enum status endpoint_disconnect(struct object *self, struct invocation *)
{
    struct endpoint *endpoint = endpoint_of(self);
    for (uint32_t i = 0; i < endpoint->slot_count; i++) {
        struct op *op = endpoint->slots[i].op;
        if (op != nullptr && call_is_delivered(op))
            call_fail(op, STATUS_DISCONNECTED, reason_ended);
    }
    return STATUS_OK;
}

static void watch_cancel(struct op *op)
{
    op->watched->watcher = nullptr;
}

enum status endpoint_watch(struct object *self, struct invocation *invocation,
                           const struct endpoint_watch_params *params,
                           struct endpoint_watch_results *out_results)
{
    struct op *call = call_lookup(endpoint_of(self), params->call_id);
    if (call == nullptr) {
        out_results->answered = false;
        return STATUS_OK;
    }
    if (call->watcher != nullptr)
        return invocation_fail(invocation, STATUS_FAILED, "callId: watched already");
    struct op *op = invocation_defer(invocation, self, watch_cancel);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    op->watched = call;
    call->watcher = op;
    call->special = true;
    call->plain = false;
    return STATUS_PENDING;
}
