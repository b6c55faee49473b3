// SPDX-License-Identifier: MIT
// Tests of kernel/object/endpoint.c: calls between processes, in every order of events and
// with every end.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <gen/wire/errors.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>

constexpr uint64_t WORD = 0xfeedface12345678;

// A server that holds an Endpoint, and a client that holds an object minted on it.
static struct actor *server, *client;
static capos_cap_id endpoint, object;

static capos_cap_id mint(uint64_t word)
{
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = word);
    struct capos_cqe cqe = actor_call(server, &call);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.transfer_count, 1);
    return actor_result_cap(server, 0, &cqe, 0);
}

// Gives a new object to an actor; the server keeps nothing.
static capos_cap_id mint_for(struct actor *actor, uint64_t word)
{
    capos_cap_id minted = mint(word);
    capos_cap_id given = actor_give(actor, actor_object(server, minted));
    CHECK_EQ(actor_release(server, minted), 0);
    return given;
}

static void make_pair(uint32_t queue_max)
{
    server = actor_create("server");
    client = actor_create("client");
    endpoint =
        actor_give_own(server, endpoint_create(server->budget, queue_max), CAPOS_HOLD_COPY);
    object = mint_for(client, WORD);
}

static const char request[24] = "what is the answer? ...", answer[16] = "it is 42 .......";

// The call that the tests make: method 7 with the request.
static struct actor_call request_call(void)
{
    struct actor_call call = call_of(object, INTERFACE_STDIO, 7);
    call.params = request;
    call.params_bytes = sizeof request;
    return call;
}

static struct actor_call answer_call(uint64_t call_id)
{
    struct actor_call call = call_of(endpoint, call_id, 0);
    call.params = answer;
    call.params_bytes = sizeof answer;
    return call;
}

static void submit_request(unsigned slot)
{
    struct actor_call call = request_call();
    actor_submit_call(client, slot, &call);
}

// Takes the completion of a RECV in a slot, checks that it is the request, and returns
// the call's id.
static uint64_t check_request(unsigned slot)
{
    struct capos_cqe cqe = take(server);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.flags, 0);
    CHECK_EQ(cqe.result_bytes, sizeof request);
    CHECK_EQ(cqe.transfer_count, 0);
    struct {
        struct capos_recv_header header;
        char message[sizeof request];
    } received;
    actor_result(server, slot, &received, sizeof received);
    CHECK_EQ(received.header.word, WORD);
    CHECK_EQ(received.header.interface_id, INTERFACE_STDIO);
    CHECK_EQ(received.header.method, 7);
    CHECK(received.header.call_id != 0);
    CHECK(memcmp(received.message, request, sizeof request) == 0);
    return received.header.call_id;
}

// Receives the request in slot 1.
static uint64_t receive_request(void)
{
    actor_submit_receive(server, 1, endpoint);
    return check_request(1);
}

static void return_answer(uint64_t call_id)
{
    struct actor_call call = answer_call(call_id);
    CHECK_EQ(actor_return(server, &call), 0);
}

static void check_answer(unsigned slot)
{
    struct capos_cqe cqe = take(client);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.flags, 0);
    CHECK_EQ(cqe.result_bytes, sizeof answer);
    CHECK_EQ(cqe.transfer_count, 0);
    char message[sizeof answer];
    actor_result(client, slot, message, sizeof message);
    CHECK(memcmp(message, answer, sizeof answer) == 0);
}

// Checks that the client's next completion is an exception with words.
static void check_exception(unsigned slot, enum status status)
{
    struct capos_cqe cqe = take(client);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_STATUS(cqe.result, status);
    CHECK_EQ(cqe.flags, CAPOS_CQE_EXCEPTION);
    struct cap_exception exception;
    RESULTS(client, slot, cqe, cap_exception, &exception);
    CHECK_EQ(exception.type, status - STATUS_FAILED);
    CHECK(exception.reason.size_bytes > 0);
}

static void check_failed(struct actor *actor, unsigned slot, enum status status)
{
    struct capos_cqe cqe = take(actor);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_STATUS(cqe.result, status);
    CHECK_EQ(cqe.flags | cqe.result_bytes | cqe.transfer_count, 0);
}

static void check_notice(unsigned slot, uint64_t word)
{
    struct capos_cqe cqe = take(server);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.flags, CAPOS_CQE_RELEASED);
    struct capos_recv_header header = actor_received(server, slot);
    CHECK_EQ(header.call_id, 0);
    CHECK_EQ(header.word, word);
    CHECK_EQ(header.interface_id, INTERFACE_STDIO);
}

// ---- Orders of events ---------------------------------------------------------------

CORE_TEST(a_call_waits_for_a_receive)
{
    make_pair(4);
    submit_request(3);
    CHECK(nothing_completed(client));
    uint64_t call_id = receive_request();
    CHECK(nothing_completed(client));
    return_answer(call_id);
    check_answer(3);
}

CORE_TEST(a_receive_waits_for_a_call)
{
    make_pair(4);
    actor_submit_receive(server, 1, endpoint);
    CHECK(nothing_completed(server));
    submit_request(3);
    return_answer(check_request(1));
    check_answer(3);
}

CORE_TEST(calls_are_received_in_order_and_answered_in_any)
{
    make_pair(8);
    uint64_t ids[8];
    for (unsigned i = 0; i < 8; i++)
        submit_request(10 + i);
    for (unsigned i = 0; i < 8; i++)
        ids[i] = receive_request();
    for (unsigned i = 0; i < 8; i++) {
        return_answer(ids[i ^ 5]);
        check_answer(10 + (i ^ 5));
    }
}

CORE_TEST(several_receives_take_one_call_each)
{
    make_pair(8);
    for (unsigned i = 0; i < 3; i++)
        actor_submit_receive(server, 20 + i, endpoint);
    for (unsigned i = 0; i < 3; i++) {
        submit_request(i);
        return_answer(check_request(20 + i));
        check_answer(i);
    }
}

CORE_TEST(return_and_receive_is_one_completion)
{
    make_pair(4);
    submit_request(3);
    uint64_t call_id = receive_request();
    actor_push(server, &(struct capos_sqe){
                           .opcode = CAPOS_OP_RETURN_RECV,
                           .user_data = 2,
                           .cap = endpoint,
                           .call_id = call_id,
                           .result = actor_result_address(server, 2),
                           .result_bytes_max = ACTOR_RESULT_BYTES,
                       });
    CHECK_EQ(actor_enter(server, 0, 0), 0);
    struct capos_cqe cqe = take(client);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.result_bytes, 0);
    submit_request(4);
    return_answer(check_request(2));
    check_answer(4);
}

CORE_TEST(a_failed_return_does_not_receive)
{
    make_pair(4);
    submit_request(3);
    actor_push(server, &(struct capos_sqe){
                           .opcode = CAPOS_OP_RETURN_RECV,
                           .user_data = 2,
                           .cap = endpoint,
                           .call_id = 77,
                           .result = actor_result_address(server, 2),
                           .result_bytes_max = ACTOR_RESULT_BYTES,
                       });
    CHECK_EQ(actor_enter(server, 0, 0), 1);
    check_failed(server, 2, STATUS_NOT_FOUND);
    return_answer(receive_request());
    check_answer(3);
}

CORE_TEST(a_call_goes_straight_to_the_waiting_server_and_back)
{
    make_pair(4);
    struct actor *third = actor_create("third, ready before them");
    actor_run(client); // third is in the queue
    actor_push_receive(server, 1, endpoint);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    struct actor_call call = request_call();
    actor_push_call(client, 3, &call);
    CHECK_EQ(actor_enter(client, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK(arch_cpu()->current == actor_thread(server));
    CHECK_EQ(actor_returned(server), 1);
    call = answer_call(check_request(1));
    actor_push_return(server, 0, &call);
    CHECK_EQ(actor_enter(server, 0, 0), 1);
    CHECK_EQ(take(server).result, 0);
    actor_push_receive(server, 1, endpoint);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK(actor_alive(third));
    check_answer(3);
}

CORE_TEST(a_thread_can_call_itself)
{
    make_pair(4);
    capos_cap_id own = mint(WORD);
    struct actor_call call = request_call();
    call.cap = own;
    actor_submit_receive(server, 1, endpoint);
    actor_push_call(server, 2, &call);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), 1);
    call = answer_call(check_request(1));
    actor_push_return(server, 3, &call);
    CHECK_EQ(actor_enter(server, 0, 0), 2);
    CHECK_EQ(take(server).user_data, 2);
    CHECK_EQ(take(server).user_data, 3);
}

CORE_TEST(a_thread_can_call_itself_with_overlapping_buffers)
{
    make_pair(4);
    struct capos_sqe receive = {
        .opcode = CAPOS_OP_RECV,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .cap = endpoint,
        .result = CAPOS_RING_MESSAGE_OFFSET + 64,
        .result_bytes_max = 4096,
    };
    struct capos_sqe call = {
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING,
        .user_data = 1,
        .cap = mint(WORD),
        .interface_id = INTERFACE_STDIO,
        .params = CAPOS_RING_MESSAGE_OFFSET,
        .params_bytes = 2048,
    };
    actor_push(server, &receive);
    actor_push(server, &call);
    CHECK_EQ(actor_enter(server, 0, 0), 1);
    CHECK_EQ(take(server).result_bytes, 2048);
}

// ---- Messages -----------------------------------------------------------------------

CORE_TEST(an_exception_reaches_the_caller_as_it_is)
{
    make_pair(4);
    alignas(8) uint8_t message[CAP_EXCEPTION_BYTES_MAX];
    struct cap_exception exception = {.type = EXCEPTION_TYPE_OVERLOADED,
                                      .reason = {.text = "come back", .size_bytes = 9}};
    struct actor_call call = call_of(endpoint, 0, STATUS_OVERLOADED);
    call.params = message;
    call.params_bytes = cap_exception_encode(&exception, message, sizeof message);
    submit_request(3);
    call.interface_id = receive_request();
    CHECK_EQ(actor_return(server, &call), 0);
    check_exception(3, STATUS_OVERLOADED);
}

CORE_TEST(only_exceptions_can_be_returned_as_exceptions)
{
    make_pair(4);
    submit_request(3);
    struct actor_call call = answer_call(receive_request());
    call.method = STATUS_BAD_OPCODE;
    CHECK_STATUS(actor_return(server, &call), STATUS_BAD_FLAGS);
    call.method = UINT16_MAX;
    CHECK_STATUS(actor_return(server, &call), STATUS_BAD_FLAGS);
    call.method = 0;
    CHECK_EQ(actor_return(server, &call), 0);
    check_answer(3);
}

CORE_TEST(a_message_in_the_ring_and_one_of_the_greatest_size_pass)
{
    make_pair(4);
    uint64_t to = client->memory, from = server->memory + 65536;
    static uint8_t bytes[CAPOS_MESSAGE_BYTES_MAX], echo[CAPOS_MESSAGE_BYTES_MAX];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 + i / 256);
    actor_write(client, to, bytes, sizeof bytes);
    actor_push(server, &(struct capos_sqe){
                           .opcode = CAPOS_OP_RECV,
                           .user_data = 1,
                           .cap = endpoint,
                           .result = from,
                           .result_bytes_max = sizeof(struct capos_recv_header) + sizeof bytes,
                       });
    CHECK_EQ(actor_enter(server, 0, 0), 0);
    struct capos_sqe sqe = {
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .user_data = 2,
        .cap = object,
        .interface_id = INTERFACE_STDIO,
        .params = to,
        .params_bytes = sizeof bytes + 8,
        .result = CAPOS_RING_MESSAGE_OFFSET,
        .result_bytes_max = CAPOS_RING_MESSAGE_BYTES,
    };
    actor_push(client, &sqe);
    CHECK_EQ(actor_enter(client, 0, 0), 1);
    check_failed(client, 2, STATUS_BAD_LENGTH);
    sqe.params_bytes = sizeof bytes;
    actor_push(client, &sqe);
    CHECK_EQ(actor_enter(client, 0, 0), 0);
    CHECK_EQ(take(server).result_bytes, sizeof bytes);
    actor_read(server, from + sizeof(struct capos_recv_header), echo, sizeof echo);
    CHECK(memcmp(bytes, echo, sizeof bytes) == 0);
    struct capos_recv_header header;
    actor_read(server, from, &header, sizeof header);
    return_answer(header.call_id);
    CHECK_EQ(take(client).result_bytes, sizeof answer);
    CHECK(memcmp((uint8_t *)actor_ring(client) + CAPOS_RING_MESSAGE_OFFSET, answer,
                 sizeof answer) == 0);
}

CORE_TEST(impossible_buffers_of_a_call_are_refused)
{
    make_pair(4);
    const struct capos_sqe good = {
        .opcode = CAPOS_OP_CALL,
        .user_data = 2,
        .cap = object,
        .interface_id = INTERFACE_STDIO,
        .params = client->memory,
        .params_bytes = 16,
        .result = client->memory + 64,
        .result_bytes_max = 64,
    };
    struct capos_sqe bad[] = {good, good, good, good, good, good, good};
    enum status expected[] = {STATUS_BAD_ADDRESS, STATUS_BAD_LENGTH,  STATUS_BAD_ADDRESS,
                              STATUS_BAD_ADDRESS, STATUS_BAD_ADDRESS, STATUS_BAD_ADDRESS,
                              STATUS_BAD_LENGTH};
    bad[0].params += 4;
    bad[1].params_bytes = 12;
    bad[2].result += 1;
    bad[3].flags = CAPOS_SQE_PARAMS_IN_RING; // an address is no offset
    bad[4].flags = CAPOS_SQE_RESULT_IN_RING;
    bad[4].result = CAPOS_RING_SQ_OFFSET;
    bad[5].flags = CAPOS_SQE_RESULT_IN_RING;
    bad[5].result = CAPOS_RING_BYTES - 56;
    bad[6].result_bytes_max = UINT32_MAX;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        actor_push(client, &bad[i]);
        CHECK_EQ(actor_enter(client, 0, 0), 1);
        check_failed(client, 2, expected[i]);
    }
}

CORE_TEST(a_callers_bad_memory_is_its_own_error)
{
    make_pair(4);
    struct capos_sqe sqe = {
        .opcode = CAPOS_OP_CALL,
        .user_data = 2,
        .cap = object,
        .interface_id = INTERFACE_STDIO,
        .params = client->memory + ACTOR_MEMORY_BYTES - 8, // the second half isn't mapped
        .params_bytes = 16,
    };
    actor_submit_receive(server, 1, endpoint);
    actor_push(client, &sqe);
    CHECK_EQ(actor_enter(client, 0, 0), 1);
    check_failed(client, 2, STATUS_BAD_ADDRESS);
    CHECK(nothing_completed(server));
    // Queued first, received later; and an answer that has nowhere to go.
    sqe.params = client->memory;
    sqe.result = 0x1000;
    sqe.result_bytes_max = 64;
    sqe.params_bytes = 0;
    actor_push(client, &sqe);
    CHECK_EQ(actor_enter(client, 0, 0), 0);
    CHECK_EQ(take(server).result, 0);
    return_answer(actor_received(server, 1).call_id);
    check_failed(client, 2, STATUS_BAD_ADDRESS);
}

CORE_TEST(a_servers_bad_memory_costs_no_call)
{
    make_pair(4);
    actor_push(server, &(struct capos_sqe){
                           .opcode = CAPOS_OP_RECV,
                           .user_data = 1,
                           .cap = endpoint,
                           .result = server->memory + ACTOR_MEMORY_BYTES - 40,
                           .result_bytes_max = 4096,
                       });
    CHECK_EQ(actor_enter(server, 0, 0), 0);
    submit_request(3);
    check_failed(server, 1, STATUS_BAD_ADDRESS);
    CHECK(nothing_completed(client));
    uint64_t call_id = receive_request();
    struct capos_sqe sqe = {
        .opcode = CAPOS_OP_RETURN,
        .user_data = 2,
        .cap = endpoint,
        .call_id = call_id,
        .params = 0x1000,
        .params_bytes = 16,
    };
    actor_push(server, &sqe);
    CHECK_EQ(actor_enter(server, 0, 0), 1);
    check_failed(server, 2, STATUS_BAD_ADDRESS);
    CHECK(nothing_completed(client));
    return_answer(call_id);
    check_answer(3);
}

CORE_TEST(a_message_too_long_for_the_server_fails_and_the_receive_goes_on)
{
    make_pair(4);
    struct capos_sqe receive = {
        .opcode = CAPOS_OP_RECV,
        .user_data = 1,
        .cap = endpoint,
        .result = actor_result_address(server, 1),
        .result_bytes_max = sizeof(struct capos_recv_header) + 16,
    };
    actor_push(server, &receive);
    CHECK_EQ(actor_enter(server, 0, 0), 0);
    submit_request(3); // 24 bytes
    check_failed(client, 3, STATUS_BAD_LENGTH);
    struct actor_call call = request_call();
    call.params_bytes = 16;
    actor_submit_call(client, 4, &call);
    CHECK_EQ(take(server).result_bytes, 16);
    receive.result_bytes_max = sizeof(struct capos_recv_header) - 8;
    actor_push(server, &receive);
    CHECK_EQ(actor_enter(server, 0, 0), 1);
    check_failed(server, 1, STATUS_BAD_LENGTH);
}

CORE_TEST(a_result_too_long_for_the_caller_is_its_own_error)
{
    make_pair(4);
    actor_push(client, &(struct capos_sqe){
                           .opcode = CAPOS_OP_CALL,
                           .user_data = 2,
                           .cap = object,
                           .interface_id = INTERFACE_STDIO,
                           .result = client->memory,
                           .result_bytes_max = sizeof answer - 8,
                       });
    CHECK_EQ(actor_enter(client, 0, 0), 0);
    actor_submit_receive(server, 1, endpoint);
    CHECK_EQ(take(server).result, 0);
    return_answer(actor_received(server, 1).call_id);
    check_failed(client, 2, STATUS_NO_RESULT_SPACE);
}

// ---- Ends ---------------------------------------------------------------------------

static struct capos_cqe cancel(struct actor *actor, unsigned slot)
{
    actor_push_simple(actor, 31, CAPOS_OP_CANCEL, 0, slot);
    (void)actor_enter(actor, 0, 0);
    return take(actor);
}

CORE_TEST(cancel_withdraws_a_queued_call)
{
    make_pair(4);
    submit_request(3);
    submit_request(4);
    struct capos_cqe cqe = cancel(client, 3);
    CHECK_EQ(cqe.user_data, 3);
    CHECK_STATUS(cqe.result, STATUS_CANCELLED);
    CHECK_EQ(take(client).result, 0); // of the CANCEL
    return_answer(receive_request());
    check_answer(4);
    cqe = cancel(client, 3);
    CHECK_STATUS(cqe.result, STATUS_NOT_FOUND);
}

CORE_TEST(cancel_withdraws_a_delivered_call)
{
    make_pair(4);
    submit_request(3);
    uint64_t call_id = receive_request();
    CHECK_STATUS(cancel(client, 3).result, STATUS_CANCELLED);
    CHECK_EQ(take(client).result, 0);
    struct actor_call call = answer_call(call_id);
    CHECK_STATUS(actor_return(server, &call), STATUS_NOT_FOUND);
    submit_request(3); // takes the same slot of the endpoint
    CHECK_STATUS(actor_return(server, &call), STATUS_NOT_FOUND);
    return_answer(receive_request());
    check_answer(3);
}

CORE_TEST(cancel_withdraws_a_receive)
{
    make_pair(4);
    actor_submit_receive(server, 1, endpoint);
    CHECK_STATUS(cancel(server, 1).result, STATUS_CANCELLED);
    CHECK_EQ(take(server).result, 0);
    submit_request(3);
    CHECK(nothing_completed(server));
    return_answer(receive_request());
    check_answer(3);
}

CORE_TEST(a_full_queue_is_overloaded)
{
    make_pair(2);
    submit_request(3);
    submit_request(4);
    submit_request(5);
    check_exception(5, STATUS_OVERLOADED);
    uint64_t call_id = receive_request(); // delivered calls count too
    submit_request(5);
    check_exception(5, STATUS_OVERLOADED);
    return_answer(call_id);
    check_answer(3);
    submit_request(5);
    CHECK(nothing_completed(client));
}

static int32_t revoke(capos_cap_id minted)
{
    struct capos_transfer transfer = {.cap = minted};
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_REVOKE);
    WITH(&call, endpoint_revoke_params, .object = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return actor_call(server, &call).result;
}

CORE_TEST(revoke_cuts_off_queued_and_delivered_calls_and_every_copy)
{
    make_pair(4);
    capos_cap_id kept = mint(WORD + 1);
    object = actor_give(client, actor_object(server, kept));
    struct actor *other = actor_create("other");
    capos_cap_id copy = actor_give(other, actor_object(server, kept));
    submit_request(3);
    submit_request(4);
    actor_submit_receive(server, 1, endpoint);
    CHECK_EQ(take(server).result, 0);
    uint64_t call_id = actor_received(server, 1).call_id;
    CHECK_EQ(revoke(kept), 0);
    check_exception(3, STATUS_DISCONNECTED);
    check_exception(4, STATUS_DISCONNECTED);
    struct actor_call call = answer_call(call_id);
    CHECK_STATUS(actor_return(server, &call), STATUS_NOT_FOUND);
    submit_request(5);
    check_exception(5, STATUS_DISCONNECTED);
    call = request_call();
    call.cap = copy;
    CHECK_STATUS(actor_call(other, &call).result, STATUS_DISCONNECTED);
    CHECK_EQ(revoke(kept), 0);
    CHECK(nothing_completed(server));
}

CORE_TEST(disconnect_ends_delivered_calls_and_leaves_queued_ones)
{
    make_pair(4);
    submit_request(3);
    submit_request(4);
    uint64_t call_id = receive_request();
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_DISCONNECT);
    CHECK_EQ(actor_call(server, &call).result, 0);
    check_exception(3, STATUS_DISCONNECTED);
    CHECK(nothing_completed(client));
    struct actor_call late = answer_call(call_id);
    CHECK_STATUS(actor_return(server, &late), STATUS_NOT_FOUND);
    return_answer(receive_request());
    check_answer(4);
    CHECK_EQ(actor_call(server, &call).result, 0);
}

CORE_TEST(revoke_refuses_what_it_did_not_mint)
{
    make_pair(4);
    capos_cap_id other =
        actor_give_own(server, endpoint_create(server->budget, 1), CAPOS_HOLD_COPY);
    CHECK_STATUS(revoke(other), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(revoke(endpoint), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(revoke(other + 1), STATUS_BAD_CAPABILITY);
    capos_cap_id minted = mint(1), own = endpoint;
    endpoint = other;
    CHECK_STATUS(revoke(minted), STATUS_INVALID_ARGUMENT);
    endpoint = own;
    CHECK_EQ(revoke(minted), 0);
}

CORE_TEST(mint_refuses_interfaces_of_the_kernel)
{
    make_pair(4);
    static const uint64_t ids[] = {0, INTERFACE_TIMER, INTERFACE_ENDPOINT,
                                   INTERFACE_MEMORY_OBJECT};
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
        WITH(&call, endpoint_mint_params, .interface_id = ids[i]);
        CHECK_STATUS(actor_call(server, &call).result, STATUS_INVALID_ARGUMENT);
    }
}

CORE_TEST(the_end_of_the_server_disconnects_its_callers)
{
    make_pair(4);
    submit_request(3);
    submit_request(4);
    (void)receive_request();
    actor_destroy(server);
    check_exception(3, STATUS_DISCONNECTED);
    check_exception(4, STATUS_DISCONNECTED);
    submit_request(5);
    check_exception(5, STATUS_DISCONNECTED);
}

CORE_TEST(releasing_the_endpoint_ends_its_receives_and_calls)
{
    make_pair(4);
    actor_submit_receive(server, 1, endpoint);
    CHECK_EQ(actor_release(client, object), 0);
    check_notice(1, WORD);
    object = mint_for(client, WORD);
    actor_submit_receive(server, 1, endpoint);
    actor_push_simple(server, 0, CAPOS_OP_RELEASE, endpoint, 0);
    CHECK_EQ(actor_enter(server, 0, 0), 2);
    struct capos_cqe cqe = take(server);
    CHECK_EQ(cqe.user_data, 1);
    CHECK_STATUS(cqe.result, STATUS_DISCONNECTED);
    CHECK_EQ(take(server).result, 0);
    submit_request(3);
    check_exception(3, STATUS_DISCONNECTED);
    CHECK_EQ(actor_release(client, object), 0);
}

// A second process that holds the server's Endpoint.
static struct actor *deputy;
static capos_cap_id deputy_endpoint;

static void make_deputy(void)
{
    deputy = actor_create("deputy");
    deputy_endpoint = actor_give(deputy, actor_object(server, endpoint));
}

CORE_TEST(the_end_of_a_receiver_disconnects_what_it_had_though_others_serve)
{
    make_pair(8);
    make_deputy();
    submit_request(3);
    submit_request(4);
    submit_request(5);
    uint64_t call_id = receive_request(); // the server has one, the deputy another
    actor_submit_receive(deputy, 1, deputy_endpoint);
    CHECK_EQ(take(deputy).result, 0);
    uint64_t deputys = actor_received(deputy, 1).call_id;
    actor_destroy(server);
    check_exception(3, STATUS_DISCONNECTED);
    CHECK(nothing_completed(client));
    struct actor_call call = call_of(deputy_endpoint, call_id, 0);
    CHECK_STATUS(actor_return(deputy, &call), STATUS_NOT_FOUND);
    call = call_of(deputy_endpoint, deputys, 0);
    CHECK_EQ(actor_return(deputy, &call), 0);
    CHECK_EQ(take(client).user_data, 4);
    actor_submit_receive(deputy, 1, deputy_endpoint); // the one that waited
    CHECK_EQ(take(deputy).result, 0);
    actor_destroy(deputy);
    check_exception(5, STATUS_DISCONNECTED);
}

CORE_TEST(a_receiver_that_gave_its_endpoint_away_still_answers_for_what_it_had)
{
    make_pair(8);
    make_deputy();
    submit_request(3);
    submit_request(4);
    uint64_t call_id = receive_request();
    (void)receive_request();
    CHECK_EQ(actor_release(server, endpoint), 0);
    CHECK(nothing_completed(client));
    struct actor_call call = call_of(deputy_endpoint, call_id, 0); // ids are the Endpoint's
    CHECK_EQ(actor_return(deputy, &call), 0);
    CHECK_EQ(take(client).user_data, 3);
    actor_destroy(server);
    check_exception(4, STATUS_DISCONNECTED);
}

// ---- Endpoint.watch -----------------------------------------------------------------

static void watch(unsigned slot, uint64_t call_id)
{
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_WATCH);
    WITH(&call, endpoint_watch_params, .call_id = call_id);
    actor_submit_call(server, slot, &call);
}

static void check_watch(unsigned slot, bool answered)
{
    struct capos_cqe cqe = take(server);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_EQ(cqe.result, 0);
    struct endpoint_watch_results results;
    RESULTS(server, slot, cqe, endpoint_watch_results, &results);
    CHECK_EQ(results.answered, answered);
}

CORE_TEST(a_watcher_learns_that_nobody_waits_for_the_answer)
{
    make_pair(8);
    submit_request(3);
    watch(5, receive_request());
    CHECK(nothing_completed(server));
    actor_push_simple(client, 9, CAPOS_OP_CANCEL, 0, 3);
    CHECK_EQ(actor_enter(client, 0, 0), 2);
    check_watch(5, false);
    check_failed(client, 3, STATUS_CANCELLED);
    CHECK_EQ(take(client).result, 0);

    capos_cap_id kept = mint(WORD);
    capos_cap_id before = object;
    object = actor_give(client, actor_object(server, kept));
    submit_request(3);
    watch(6, receive_request());
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_REVOKE);
    struct capos_transfer transfer = {.cap = kept};
    WITH(&call, endpoint_revoke_params, .object = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    actor_submit_call(server, 0, &call);
    check_watch(6, false);
    CHECK_EQ(take(server).result, 0);
    check_exception(3, STATUS_DISCONNECTED);

    object = before;
    submit_request(3);
    watch(7, receive_request());
    actor_destroy(client);
    check_watch(7, false);
}

CORE_TEST(a_watcher_learns_of_the_answer)
{
    make_pair(8);
    submit_request(3);
    uint64_t call_id = receive_request();
    watch(5, call_id);
    watch(6, call_id);
    CHECK_STATUS(take(server).result, STATUS_FAILED); // one watcher at a time
    struct actor_call call = answer_call(call_id);
    actor_push_return(server, 0, &call);
    CHECK_EQ(actor_enter(server, 0, 0), 2);
    check_watch(5, true);
    CHECK_EQ(take(server).result, 0);
    check_answer(3);
    watch(6, call_id); // there is no such call any more
    check_watch(6, false);
    watch(7, 0);
    check_watch(7, false);
}

CORE_TEST(a_watch_can_be_withdrawn_and_ends_with_its_endpoint)
{
    make_pair(8);
    submit_request(3);
    uint64_t call_id = receive_request();
    watch(5, call_id);
    actor_push_simple(server, 9, CAPOS_OP_CANCEL, 0, 5);
    CHECK_EQ(actor_enter(server, 0, 0), 2);
    check_failed(server, 5, STATUS_CANCELLED);
    CHECK_EQ(take(server).result, 0);
    watch(6, call_id);
    actor_push_simple(server, 9, CAPOS_OP_RELEASE, endpoint, 0);
    CHECK_EQ(actor_enter(server, 0, 0), 2);
    check_watch(6, false);
    CHECK_EQ(take(server).result, 0);
    check_exception(3, STATUS_DISCONNECTED);
}

CORE_TEST(a_watcher_may_end_before_the_call)
{
    make_pair(8);
    make_deputy();
    submit_request(3);
    uint64_t call_id = receive_request();
    struct actor_call call =
        call_of(deputy_endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_WATCH);
    WITH(&call, endpoint_watch_params, .call_id = call_id);
    actor_submit_call(deputy, 5, &call);
    actor_destroy(deputy);
    return_answer(call_id);
    check_answer(3);
}

CORE_TEST(the_end_of_the_client_withdraws_its_calls)
{
    make_pair(4);
    submit_request(3);
    submit_request(4);
    uint64_t call_id = receive_request();
    actor_destroy(client);
    struct actor_call call = answer_call(call_id);
    CHECK_STATUS(actor_return(server, &call), STATUS_NOT_FOUND);
    actor_submit_receive(server, 1, endpoint); // not the second call, but:
    check_notice(1, WORD);
}

CORE_TEST(a_server_that_waits_outlives_a_client_that_is_killed)
{
    make_pair(4);
    actor_push_receive(server, 1, endpoint);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    actor_destroy(client);
    CHECK_EQ(actor_returned(server), 1);
    check_notice(1, WORD);
}

CORE_TEST(a_dying_thread_is_not_woken_by_what_its_end_completes)
{
    // The client's second endpoint lives only in the message of its queued call.  When the
    // client is killed, discarding that call closes the endpoint, which ends the client's
    // own other call while the client waits for it.
    make_pair(4);
    capos_cap_id second =
        actor_give_own(client, endpoint_create(client->budget, 1), CAPOS_HOLD_COPY);
    struct actor_call mint_call = call_of(second, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint_call, endpoint_mint_params, .interface_id = INTERFACE_STDIO);
    struct capos_cqe cqe = actor_call(client, &mint_call);
    capos_cap_id own = actor_result_cap(client, 0, &cqe, 0);
    struct actor_call call = request_call();
    struct capos_transfer transfer = {.cap = second};
    call.transfers = &transfer;
    call.transfer_count = 1;
    actor_submit_call(client, 3, &call);
    CHECK_EQ(actor_release(client, second), 0);
    call = request_call();
    call.cap = own;
    actor_push_call(client, 4, &call);
    CHECK_EQ(actor_enter(client, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    actor_destroy(client);
    CHECK(arch_cpu()->handoff == nullptr);
    actor_submit_receive(server, 1, endpoint);
    check_notice(1, WORD);
}

// ---- Release notices ----------------------------------------------------------------

CORE_TEST(the_last_release_tells_the_server_once)
{
    make_pair(4);
    capos_cap_id copy = actor_give(client, actor_object(client, object));
    CHECK_EQ(actor_release(client, object), 0);
    actor_submit_receive(server, 1, endpoint);
    CHECK(nothing_completed(server));
    CHECK_EQ(actor_release(client, copy), 0);
    check_notice(1, WORD);
    actor_submit_receive(server, 1, endpoint);
    CHECK(nothing_completed(server));
}

CORE_TEST(notices_queue_until_they_are_received)
{
    make_pair(4);
    for (uint64_t word = 100; word < 120; word++)
        CHECK_EQ(actor_release(client, mint_for(client, word)), 0);
    for (uint64_t word = 100; word < 120; word++) {
        actor_submit_receive(server, 1, endpoint);
        check_notice(1, word);
    }
}

CORE_TEST(a_notice_comes_after_the_last_call_on_its_object)
{
    make_pair(4);
    submit_request(3);
    CHECK_EQ(actor_release(client, object), 0);
    uint64_t call_id = receive_request(); // not a notice
    actor_submit_receive(server, 2, endpoint);
    CHECK(nothing_completed(server));
    struct actor_call call = answer_call(call_id);
    actor_push_return(server, 5, &call);
    CHECK_EQ(actor_enter(server, 0, 0), 2);
    check_answer(3);
    check_notice(2, WORD);
    CHECK_EQ(take(server).user_data, 5);
}

CORE_TEST(a_refused_call_that_was_the_last_hold_is_a_notice_to_the_same_receive)
{
    make_pair(4);
    submit_request(3);
    CHECK_EQ(actor_release(client, object), 0);
    struct capos_sqe receive = {
        .opcode = CAPOS_OP_RECV,
        .user_data = 1,
        .cap = endpoint,
        .result = actor_result_address(server, 1),
        .result_bytes_max = sizeof(struct capos_recv_header) + 16,
    };
    actor_push(server, &receive);
    CHECK_EQ(actor_enter(server, 0, 0), 1);
    check_failed(client, 3, STATUS_BAD_LENGTH); // 24 bytes
    check_notice(1, WORD);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_call_waits_for_a_receive);
    RUN(a_receive_waits_for_a_call);
    RUN(calls_are_received_in_order_and_answered_in_any);
    RUN(several_receives_take_one_call_each);
    RUN(return_and_receive_is_one_completion);
    RUN(a_failed_return_does_not_receive);
    RUN(a_call_goes_straight_to_the_waiting_server_and_back);
    RUN(a_thread_can_call_itself);
    RUN(a_thread_can_call_itself_with_overlapping_buffers);
    RUN(an_exception_reaches_the_caller_as_it_is);
    RUN(only_exceptions_can_be_returned_as_exceptions);
    RUN(a_message_in_the_ring_and_one_of_the_greatest_size_pass);
    RUN(impossible_buffers_of_a_call_are_refused);
    RUN(a_callers_bad_memory_is_its_own_error);
    RUN(a_servers_bad_memory_costs_no_call);
    RUN(a_message_too_long_for_the_server_fails_and_the_receive_goes_on);
    RUN(a_result_too_long_for_the_caller_is_its_own_error);
    RUN(cancel_withdraws_a_queued_call);
    RUN(cancel_withdraws_a_delivered_call);
    RUN(cancel_withdraws_a_receive);
    RUN(a_full_queue_is_overloaded);
    RUN(revoke_cuts_off_queued_and_delivered_calls_and_every_copy);
    RUN(disconnect_ends_delivered_calls_and_leaves_queued_ones);
    RUN(revoke_refuses_what_it_did_not_mint);
    RUN(mint_refuses_interfaces_of_the_kernel);
    RUN(the_end_of_the_server_disconnects_its_callers);
    RUN(releasing_the_endpoint_ends_its_receives_and_calls);
    RUN(the_end_of_a_receiver_disconnects_what_it_had_though_others_serve);
    RUN(a_receiver_that_gave_its_endpoint_away_still_answers_for_what_it_had);
    RUN(a_watcher_learns_that_nobody_waits_for_the_answer);
    RUN(a_watcher_learns_of_the_answer);
    RUN(a_watch_can_be_withdrawn_and_ends_with_its_endpoint);
    RUN(a_watcher_may_end_before_the_call);
    RUN(the_end_of_the_client_withdraws_its_calls);
    RUN(a_server_that_waits_outlives_a_client_that_is_killed);
    RUN(a_dying_thread_is_not_woken_by_what_its_end_completes);
    RUN(the_last_release_tells_the_server_once);
    RUN(notices_queue_until_they_are_received);
    RUN(a_notice_comes_after_the_last_call_on_its_object);
    RUN(a_refused_call_that_was_the_last_hold_is_a_notice_to_the_same_receive);
    return test_report();
}
