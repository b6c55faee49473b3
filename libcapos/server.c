// SPDX-License-Identifier: MIT
// The server's side of calls: receiving and answering.
//
// A server has a fixed number of slots.  A slot is either in flight (a RECV waits in the
// kernel), or it holds what arrived until that is answered; the answer and the next RECV
// are one submission.  A detached call is a copy outside of the slots.
//
// Invariants:
//  1. While a slot isn't in flight, an entry of the ring is reserved for it, so an answer
//     always finds room.
//  2. Capabilities that came with a call and were not taken are released by the answer.
//  3. The only slot of a server takes a larger reply buffer for one answer, and gives it back
//     when its next message shows that the kernel has read it.
//  4. Capabilities that an answer moves are given: they are gone also when the client had no
//     room for them.  What an answer leaves that failed, because the client is gone, is
//     released when that is known, from the descriptors in the reply buffer.
#include <capos/server.h>

#include "thread.h"

#include <capos/loop.h>
#include <capos/panic.h>

#include <gen/wire/errors.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t RECEIVE_COUNT_DEFAULT = 4;
constexpr uint32_t MESSAGE_BYTES_DEFAULT = 224;
constexpr uint32_t REPLY_BYTES_DEFAULT = 256;
static_assert(CAP_EXCEPTION_BYTES_MAX <= REPLY_BYTES_DEFAULT);

enum slot_state : uint8_t {
    SLOT_RECEIVING, // RECV in flight
    SLOT_RETURNING, // RETURN_RECV in flight
    SLOT_ARRIVED,   // holds a call or a notice
    SLOT_RETIRED,   // the endpoint is gone
    SLOT_DETACHED,  // no slot, but a call on the heap
};

enum slot_memory : uint8_t { MEMORY_IN_RING, MEMORY_SYNC, MEMORY_ON_HEAP, MEMORY_OF_CALLER };

static const char reason_refused[] =
    "the server's answer holds a capability that it can't give";

static uint32_t round_up_8(uint32_t bytes)
{
    return (bytes + 7) & ~7u;
}

// ---- Receiving ---------------------------------------------------------------------

// The slot's reservation makes the submission possible.
static struct capos_sqe *slot_submission(struct ring_client *ring,
                                         struct capos_server_call *slot)
{
    struct capos_sqe *entry = ring_submission(ring, (uint64_t)slot, COMPLETION_RECEIVE);
    if (entry == nullptr)
        capos_panic("server: the ring has no room, against invariant 2 of thread.h");
    ring->reserved--;
    return entry;
}

static void slot_receive(struct capos_server_call *slot)
{
    struct ring_client *ring = &thread_self()->ring;
    struct capos_sqe *entry = slot_submission(ring, slot);
    *entry = (struct capos_sqe){
        .opcode = CAPOS_OP_RECV,
        .flags = slot->receive_flags,
        .user_data = (uint64_t)slot | COMPLETION_RECEIVE,
        .cap = slot->server->endpoint,
        .result_bytes_max = slot->server->receive_bytes,
        .result = slot->receive_place,
    };
    slot->state = SLOT_RECEIVING;
    ring_submit(ring);
}

// What the slots of a server with several may take of the ring, each: others need it too.
constexpr uint32_t RING_BYTES_OF_MANY = 1024;

// Memory in the ring if there is room, else on the heap; nullptr without any.
static uint8_t *memory_take(struct ring_client *ring, const struct capos_server *server,
                            uint32_t bytes, uint8_t *out_memory)
{
    uint8_t *taken = nullptr;
    if (server->receive_count == 1 || bytes <= RING_BYTES_OF_MANY)
        taken = ring_area_take(ring, bytes);
    *out_memory = MEMORY_IN_RING;
    if (taken != nullptr)
        return taken;
    *out_memory = MEMORY_ON_HEAP;
    return malloc(bytes);
}

static void memory_give(struct ring_client *ring, uint8_t *buffer, uint32_t bytes,
                        uint8_t memory)
{
    if (buffer == nullptr || memory == MEMORY_OF_CALLER)
        return;
    if (memory == MEMORY_IN_RING)
        ring_area_give(ring, buffer, bytes);
    else if (memory == MEMORY_SYNC)
        ring_sync_give(ring);
    else
        free(buffer);
}

static enum status slot_init(struct ring_client *ring, struct capos_server *server,
                             struct capos_server_call *slot, uint8_t *buffer)
{
    *slot = (struct capos_server_call){.server = server, .state = SLOT_RETIRED};
    slot->receive_buffer = buffer;
    slot->receive_memory = MEMORY_OF_CALLER;
    if (buffer == nullptr)
        slot->receive_buffer =
            memory_take(ring, server, server->receive_bytes, &slot->receive_memory);
    slot->reply_bytes_max = REPLY_BYTES_DEFAULT;
    slot->reply_buffer = memory_take(ring, server, REPLY_BYTES_DEFAULT, &slot->reply_memory);
    if (slot->receive_buffer == nullptr || slot->reply_buffer == nullptr)
        return STATUS_OVERLOADED;
    slot->receive_place =
        ring_place(ring, slot->receive_buffer, CAPOS_SQE_RESULT_IN_RING, &slot->receive_flags);
    slot->reply_place =
        ring_place(ring, slot->reply_buffer, CAPOS_SQE_PARAMS_IN_RING, &slot->reply_flags);
    return STATUS_OK;
}

// Invariant 3: back to the small buffer.
static void reply_shrink(struct ring_client *ring, struct capos_server_call *call)
{
    if (call->small_reply_buffer == nullptr)
        return;
    memory_give(ring, call->reply_buffer, call->reply_bytes_max, call->reply_memory);
    call->reply_buffer = call->small_reply_buffer;
    call->reply_memory = call->small_reply_memory;
    call->small_reply_buffer = nullptr;
    call->reply_bytes_max = REPLY_BYTES_DEFAULT;
    call->reply_flags = 0;
    call->reply_place =
        ring_place(ring, call->reply_buffer, CAPOS_SQE_PARAMS_IN_RING, &call->reply_flags);
}

static void slots_fini(struct ring_client *ring, struct capos_server *server, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct capos_server_call *slot = &server->slots[i];
        memory_give(ring, slot->receive_buffer, server->receive_bytes, slot->receive_memory);
        reply_shrink(ring, slot);
        memory_give(ring, slot->reply_buffer, slot->reply_bytes_max, slot->reply_memory);
    }
}

enum status capos_server_start(struct capos_server *server, capos_cap_id endpoint,
                               const struct capos_server_handlers *handlers, void *context,
                               const struct capos_server_options *options)
{
    struct ring_client *ring = &thread_self()->ring;
    struct capos_server_options chosen =
        options != nullptr ? *options : (struct capos_server_options){};
    if (chosen.receive_count == 0)
        chosen.receive_count = RECEIVE_COUNT_DEFAULT;
    if (chosen.message_bytes_max == 0)
        chosen.message_bytes_max = MESSAGE_BYTES_DEFAULT;
    if (chosen.receive_count > CAPOS_SERVER_RECEIVE_MAX ||
        chosen.message_bytes_max > CAPOS_MESSAGE_BYTES_MAX)
        return STATUS_INVALID_ARGUMENT;
    if (ring->in_flight + ring->reserved + chosen.receive_count >= ring->in_flight_max)
        return STATUS_OVERLOADED;
    server->endpoint = endpoint;
    server->handlers = *handlers;
    server->context = context;
    server->receive_bytes = capos_server_buffer_bytes(chosen.message_bytes_max);
    server->receive_count = chosen.receive_count;
    server->stopping = false;
    for (uint32_t i = 0; i < chosen.receive_count; i++) {
        uint8_t *buffer = chosen.buffers;
        if (buffer != nullptr)
            buffer += (size_t)i * server->receive_bytes;
        enum status status = slot_init(ring, server, &server->slots[i], buffer);
        if (status != STATUS_OK) {
            slots_fini(ring, server, i + 1);
            return status;
        }
    }
    ring->reserved += chosen.receive_count;
    for (uint32_t i = 0; i < chosen.receive_count; i++)
        slot_receive(&server->slots[i]);
    return STATUS_OK;
}

enum status capos_serve(capos_cap_id endpoint, const struct capos_server_handlers *handlers,
                        void *context)
{
    static struct capos_server server;
    enum status status = capos_server_start(&server, endpoint, handlers, context, nullptr);
    if (status == STATUS_OK)
        capos_loop_run();
    return status;
}

void server_arrived_append(struct ring_client *ring, struct capos_server_call *call)
{
    call->next = nullptr;
    if (ring->arrived_first == nullptr)
        ring->arrived_first = call;
    else
        ring->arrived_last->next = call;
    ring->arrived_last = call;
}

void server_receive_done(struct ring_client *ring, struct capos_server_call *call,
                         const struct capos_cqe *completion)
{
    ring->reserved++;
    call->completion_result = completion->result;
    call->completion_flags = completion->flags;
    call->params_bytes = completion->result_bytes;
    call->cap_count = (uint16_t)completion->transfer_count;
    server_arrived_append(ring, call);
}

static void slot_retire(struct capos_server_call *slot)
{
    slot->state = SLOT_RETIRED;
    thread_self()->ring.reserved--;
}

// Whether the client still waits, because the answer held a capability that isn't the
// server's to give.  Then it gets an exception, whose own failure is no refusal.
static bool answer_is_refused(const struct capos_server_call *call)
{
    return call->reply_transfer_count > 0 &&
           (call->completion_result == -(int32_t)STATUS_BAD_CAPABILITY ||
            call->completion_result == -(int32_t)STATUS_BAD_TRANSFER);
}

// Invariant 3.
static void gifts_release(struct capos_server_call *call)
{
    const struct capos_transfer *transfers =
        (const struct capos_transfer *)(call->reply_buffer + call->reply_message_bytes);
    for (uint32_t i = 0; i < call->reply_transfer_count; i++)
        if (transfers[i].how == CAPOS_TRANSFER_GIVE)
            ring_release_if_held(&thread_self()->ring, transfers[i].cap);
}

// A completion that is an error.  Of an answer: it was refused, or its client is gone, which
// is no concern of the server.  Of a receive: the endpoint is gone, or capos_server_stop
// withdrew it.
static void slot_failed(struct capos_server_call *slot)
{
    enum status status = (enum status)(-slot->completion_result);
    if (status == STATUS_OVERLOADED)
        capos_panic("server: no memory to receive with");
    bool of_answer = slot->state == SLOT_RETURNING && status != STATUS_DISCONNECTED &&
                     status != STATUS_CANCELLED;
    if (of_answer)
        gifts_release(slot);
    if (of_answer && answer_is_refused(slot))
        capos_server_fail(slot, STATUS_FAILED, reason_refused);
    else if (of_answer && !slot->server->stopping)
        slot_receive(slot);
    else
        slot_retire(slot);
}

void server_dispatch(struct capos_server_call *call)
{
    struct capos_server *server = call->server;
    if (call->completion_result < 0) {
        slot_failed(call);
        return;
    }
    struct capos_recv_header header;
    memcpy(&header, call->receive_buffer, sizeof header);
    reply_shrink(&thread_self()->ring, call);
    if ((call->completion_flags & CAPOS_CQE_RELEASED) != 0) {
        if (server->stopping)
            slot_retire(call);
        else
            slot_receive(call);
        if (server->handlers.on_released != nullptr)
            server->handlers.on_released(server->context, header.word);
        return;
    }
    call->state = SLOT_ARRIVED;
    call->call_id = header.call_id;
    call->word = header.word;
    call->interface_id = header.interface_id;
    call->method = (uint16_t)header.method;
    call->params = call->receive_buffer + CAPOS_SERVER_MESSAGE_OFFSET;
    call->caps =
        (const struct capos_cap_record *)(call->receive_buffer + CAPOS_SERVER_MESSAGE_OFFSET +
                                          round_up_8(call->params_bytes));
    call->caps_taken = 0;
    if (server->stopping)
        capos_server_fail(call, STATUS_DISCONNECTED, "the server has stopped");
    else
        server->handlers.on_call(server->context, call);
}

enum status capos_server_check(const struct capos_server_call *call, uint32_t index,
                               uint64_t interface_id)
{
    if (index >= call->cap_count || (call->caps_taken >> index & 1) != 0)
        return STATUS_BAD_TRANSFER;
    if (interface_id != 0 && call->caps[index].interface_id != interface_id)
        return STATUS_WRONG_INTERFACE;
    return STATUS_OK;
}

enum status capos_server_take(struct capos_server_call *call, uint32_t index,
                              uint64_t interface_id, capos_cap_id *out_cap)
{
    enum status status = capos_server_check(call, index, interface_id);
    if (status != STATUS_OK)
        return status;
    call->caps_taken |= (uint16_t)(1u << index);
    *out_cap = call->caps[index].cap;
    return STATUS_OK;
}

static void caps_release(struct capos_server_call *call)
{
    for (uint32_t i = 0; i < call->cap_count; i++)
        if ((call->caps_taken >> i & 1) == 0)
            capos_release(call->caps[i].cap);
    call->cap_count = 0;
}

struct capos_server_call *capos_server_detach(struct capos_server_call *call)
{
    struct capos_server_call *detached = malloc(sizeof *detached);
    uint8_t *reply_buffer = malloc(REPLY_BYTES_DEFAULT);
    if (detached == nullptr || reply_buffer == nullptr) {
        free(detached);
        free(reply_buffer);
        return nullptr;
    }
    caps_release(call);
    *detached = (struct capos_server_call){
        .word = call->word,
        .interface_id = call->interface_id,
        .method = call->method,
        .call_id = call->call_id,
        .server = call->server,
        .reply_buffer = reply_buffer,
        .reply_place = (uint64_t)reply_buffer,
        .reply_bytes_max = REPLY_BYTES_DEFAULT,
        .reply_memory = MEMORY_ON_HEAP,
        .state = SLOT_DETACHED,
    };
    slot_receive(call);
    return detached;
}

// ---- Answering ---------------------------------------------------------------------

// Makes the reply buffer large enough; its first `kept_bytes` stay.  False without memory.
//
// A slot keeps the larger buffer.  The only slot of a server takes one for this answer: if it is
// free, the part of the ring for synchronous calls, which the server gets back with its next
// message, before it calls anybody.
static bool reply_grow(struct capos_server_call *call, uint32_t bytes, uint32_t kept_bytes)
{
    struct ring_client *ring = &thread_self()->ring;
    bool only_slot = call->state != SLOT_DETACHED && call->server->receive_count == 1;
    uint8_t *buffer = only_slot ? ring_sync_take(ring, bytes) : nullptr;
    uint8_t memory = buffer != nullptr ? MEMORY_SYNC : MEMORY_ON_HEAP;
    if (buffer == nullptr)
        buffer = malloc(bytes);
    if (buffer == nullptr)
        return false;
    memcpy(buffer, call->reply_buffer, kept_bytes);
    if (only_slot && call->small_reply_buffer == nullptr) {
        call->small_reply_buffer = call->reply_buffer;
        call->small_reply_memory = call->reply_memory;
    } else {
        memory_give(ring, call->reply_buffer, call->reply_bytes_max, call->reply_memory);
    }
    call->reply_memory = memory;
    call->reply_buffer = buffer;
    call->reply_bytes_max = bytes;
    call->reply_flags = 0;
    call->reply_place = ring_place(ring, buffer, CAPOS_SQE_PARAMS_IN_RING, &call->reply_flags);
    return true;
}

void *capos_server_reply_buffer(struct capos_server_call *call, uint32_t bytes_max)
{
    uint32_t needed = round_up_8(bytes_max);
    if (needed > call->reply_bytes_max && !reply_grow(call, needed, 0))
        return nullptr;
    return call->reply_buffer;
}

// An answer as a submission: results, or an exception if `exception` isn't 0.  A slot goes
// on to receive, unless its server stops.
static void answer(struct capos_server_call *call, uint32_t bytes, uint32_t transfer_count,
                   enum status exception)
{
    struct ring_client *ring = &thread_self()->ring;
    caps_release(call);
    bool receives = call->state != SLOT_DETACHED && !call->server->stopping;
    struct capos_sqe *entry = receives
                                  ? slot_submission(ring, call)
                                  : ring_submission(ring, (uint64_t)call, COMPLETION_RETURN);
    if (entry == nullptr)
        capos_panic("server: the ring has no room, against invariant 2 of thread.h");
    *entry = (struct capos_sqe){
        .opcode = receives ? CAPOS_OP_RETURN_RECV : CAPOS_OP_RETURN,
        .flags = (uint8_t)(call->reply_flags | (receives ? call->receive_flags : 0) |
                           (exception == STATUS_OK ? 0 : CAPOS_SQE_EXCEPTION)),
        .method = (uint16_t)exception,
        .transfer_count = (uint16_t)transfer_count,
        .user_data = (uint64_t)call | (receives ? COMPLETION_RECEIVE : COMPLETION_RETURN),
        .cap = call->server->endpoint,
        .call_id = call->call_id,
        .params = call->reply_place,
        .params_bytes = bytes,
        .result_bytes_max = receives ? call->server->receive_bytes : 0,
        .result = receives ? call->receive_place : 0,
    };
    call->reply_transfer_count = (uint16_t)transfer_count;
    call->reply_message_bytes = round_up_8(bytes);
    if (receives)
        call->state = SLOT_RETURNING;
    ring_submit(ring);
}

static void transfers_write(struct capos_server_call *call, uint32_t message_bytes,
                            const struct capos_transfer *transfers, uint32_t count)
{
    struct capos_transfer *to = (struct capos_transfer *)(call->reply_buffer + message_bytes);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = transfers[i];
        if (to[i].how == CAPOS_TRANSFER_MOVE)
            to[i].how = CAPOS_TRANSFER_GIVE;
    }
}

static void moves_release(const struct capos_transfer *transfers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (transfers[i].how != CAPOS_TRANSFER_COPY)
            ring_release_if_held(&thread_self()->ring, transfers[i].cap);
}

void capos_server_reply(struct capos_server_call *call, uint32_t results_bytes,
                        const struct capos_transfer *transfers, uint32_t transfer_count)
{
    if (transfer_count != 0) {
        uint32_t message_bytes = round_up_8(results_bytes);
        uint32_t transfer_bytes = transfer_count * (uint32_t)sizeof *transfers;
        if (message_bytes + transfer_bytes > call->reply_bytes_max &&
            !reply_grow(call, message_bytes + transfer_bytes, results_bytes)) {
            moves_release(transfers, transfer_count);
            capos_server_fail(call, STATUS_OVERLOADED, "the server is out of memory");
            return;
        }
        transfers_write(call, message_bytes, transfers, transfer_count);
    }
    answer(call, results_bytes, transfer_count, STATUS_OK);
}

void capos_server_fail(struct capos_server_call *call, enum status status, const char *reason)
{
    struct cap_exception exception = {
        .type = (enum exception_type)(status - 1),
        .reason = {.text = reason, .size_bytes = (uint32_t)strnlen(reason, 200)},
    };
    uint32_t bytes =
        cap_exception_encode(&exception, call->reply_buffer, call->reply_bytes_max);
    answer(call, bytes, 0, status);
}

void server_return_done(struct capos_server_call *call, const struct capos_cqe *completion)
{
    call->completion_result = completion->result;
    if (completion->result < 0)
        gifts_release(call);
    if (answer_is_refused(call)) {
        capos_server_fail(call, STATUS_FAILED, reason_refused);
        return;
    }
    if (call->state != SLOT_DETACHED) {
        slot_retire(call);
        return;
    }
    reply_shrink(&thread_self()->ring, call);
    memory_give(&thread_self()->ring, call->reply_buffer, call->reply_bytes_max,
                call->reply_memory);
    free(call);
}

// ---- The end -----------------------------------------------------------------------

static bool slots_are_retired(const struct capos_server *server)
{
    for (uint32_t i = 0; i < server->receive_count; i++)
        if (server->slots[i].state != SLOT_RETIRED)
            return false;
    return true;
}

void capos_server_stop(struct capos_server *server)
{
    struct ring_client *ring = &thread_self()->ring;
    server->stopping = true;
    for (uint32_t i = 0; i < server->receive_count; i++) {
        const struct capos_server_call *slot = &server->slots[i];
        if (slot->state == SLOT_RECEIVING || slot->state == SLOT_RETURNING)
            ring_cancel(ring, (uint64_t)slot | COMPLETION_RECEIVE);
    }
    while (!slots_are_retired(server)) {
        ring_wait(ring);
        server_dispatch_arrived(ring, server);
    }
    slots_fini(ring, server, server->receive_count);
}
