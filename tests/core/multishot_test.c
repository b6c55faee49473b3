// SPDX-License-Identifier: MIT
// Tests of RECV with MULTISHOT in kernel/object/endpoint.c: slots that are filled and given
// back, and the completion entries that they hold.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <kernel/object/objects.h>

constexpr uint32_t SLOT_BYTES = 128;
constexpr uint64_t MANY = 77; // the user_data of the receive

static struct actor *server, *client;
static capos_cap_id endpoint, object;

static capos_cap_id mint_for(struct actor *actor, uint64_t word)
{
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = word);
    struct capos_cqe cqe = actor_call(server, &call);
    capos_cap_id minted = actor_result_cap(server, 0, &cqe, 0);
    capos_cap_id given = actor_give(actor, actor_object(server, minted));
    CHECK_EQ(actor_release(server, minted), 0);
    return given;
}

static void make_pair(void)
{
    server = actor_create("server");
    client = actor_create("client");
    endpoint = actor_give_own(server, endpoint_create(server->budget, 64), CAPOS_HOLD_COPY);
    object = mint_for(client, 5);
}

static struct capos_sqe many_sqe(uint16_t slots)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_RECV,
        .flags = CAPOS_SQE_MULTISHOT,
        .method = slots,
        .user_data = MANY,
        .cap = endpoint,
        .result = server->memory,
        .result_bytes_max = SLOT_BYTES,
    };
}

static void arm(uint16_t slots)
{
    struct capos_sqe sqe = many_sqe(slots);
    actor_push(server, &sqe);
    (void)actor_enter(server, 0, 0);
}

// A call of the client whose message is one word.
static void push_call(unsigned slot, uint64_t word)
{
    struct actor_call call = call_of(object, INTERFACE_STDIO, 1);
    call.params = &word;
    call.params_bytes = 8;
    actor_push_call(client, slot, &call);
}

static void send(unsigned slot, uint64_t word)
{
    push_call(slot, word);
    (void)actor_enter(client, 0, 0);
}

// Takes a completion with a call: its slot, and its id.
static unsigned take_call(uint64_t word, uint64_t *out_call_id)
{
    struct capos_cqe cqe = take(server);
    CHECK_EQ(cqe.user_data, MANY);
    CHECK_EQ(cqe.flags, CAPOS_CQE_MORE);
    CHECK_EQ(cqe.result_bytes, 8);
    struct {
        struct capos_recv_header header;
        uint64_t word;
    } received = {};
    actor_read(server, server->memory + (uint64_t)cqe.result * SLOT_BYTES, &received,
               sizeof received);
    CHECK_EQ(received.word, word);
    *out_call_id = received.header.call_id;
    return (unsigned)cqe.result;
}

// Answers a call, or none, and gives a slot back.  Returns what completed; 0 if nothing did.
static enum status give_back(uint64_t call_id, unsigned slot)
{
    actor_push(server, &(struct capos_sqe){.opcode = CAPOS_OP_RETURN_RECV,
                                           .flags = CAPOS_SQE_MULTISHOT,
                                           .user_data = 1,
                                           .cap = endpoint,
                                           .call_id = call_id,
                                           .params = server->memory,
                                           .result = MANY,
                                           .result_bytes_max = slot});
    (void)actor_enter(server, 0, 0);
    const struct capos_cqe *queue =
        (void *)((uint8_t *)actor_ring(server) + CAPOS_RING_CQ_OFFSET);
    uint32_t tail = actor_ring(server)->cq_tail;
    struct capos_cqe cqe;
    if (tail == server->cq_head || queue[(tail - 1) % CAPOS_CQ_ENTRIES].user_data != 1)
        return STATUS_OK;
    CHECK(actor_pop(server, &cqe));
    return (enum status)(-cqe.result);
}

static uint32_t pending(void)
{
    return actor_thread(server)->ring.pending_count;
}

CORE_TEST(one_receive_takes_call_after_call)
{
    make_pair();
    arm(4);
    CHECK_EQ(pending(), 5);
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t call_id;
        send(3, 1000 + i);
        unsigned slot = take_call(1000 + i, &call_id);
        CHECK_EQ(pending(), 4);
        CHECK_EQ(give_back(call_id, slot), STATUS_OK);
        CHECK(nothing_completed(server));
        CHECK_EQ(take(client).result, 0);
        CHECK_EQ(pending(), 5);
    }
}

CORE_TEST(no_message_overwrites_one_that_the_server_has)
{
    make_pair();
    arm(3);
    uint64_t ids[6];
    unsigned slots[6];
    for (unsigned i = 0; i < 5; i++)
        send(i, 100 + i);
    for (unsigned i = 0; i < 3; i++)
        slots[i] = take_call(100 + i, &ids[i]);
    CHECK(nothing_completed(server)); // two wait
    CHECK(slots[0] != slots[1] && slots[1] != slots[2] && slots[0] != slots[2]);
    CHECK_EQ(give_back(ids[1], slots[1]), STATUS_OK);
    CHECK_EQ(take_call(103, &ids[3]), slots[1]);
    uint64_t word;
    actor_read(server, server->memory + slots[0] * SLOT_BYTES + 32, &word, sizeof word);
    CHECK_EQ(word, 100);
    // Without an answer: of a call that is answered later.
    CHECK_EQ(give_back(0, slots[0]), STATUS_OK);
    CHECK_EQ(take_call(104, &ids[4]), slots[0]);
    struct actor_call late = call_of(endpoint, ids[0], 0);
    CHECK_EQ(actor_return(server, &late), 0);
}

CORE_TEST(a_slot_is_given_back_once_and_stays_taken_if_the_answer_fails)
{
    make_pair();
    arm(2);
    CHECK_EQ(give_back(0, 0), STATUS_NOT_FOUND); // the server doesn't have it
    CHECK_EQ(give_back(0, 2), STATUS_NOT_FOUND);
    CHECK_EQ(give_back(0, UINT32_MAX), STATUS_NOT_FOUND);
    send(3, 1);
    uint64_t call_id;
    unsigned slot = take_call(1, &call_id);
    CHECK_EQ(give_back(call_id + 1, slot), STATUS_NOT_FOUND);
    CHECK_EQ(pending(), 2);
    CHECK_EQ(give_back(call_id, slot), STATUS_OK);
    CHECK_EQ(give_back(0, slot), STATUS_NOT_FOUND);
    CHECK_EQ(take(client).result, 0);
    actor_push(server, &(struct capos_sqe){.opcode = CAPOS_OP_RETURN_RECV,
                                           .flags = CAPOS_SQE_MULTISHOT | CAPOS_SQE_LINK,
                                           .cap = endpoint,
                                           .result = MANY});
    actor_push(server, &(struct capos_sqe){.opcode = CAPOS_OP_NOP});
    (void)actor_enter(server, 0, 0);
    CHECK_STATUS(take(server).result, STATUS_BAD_FLAGS);
    CHECK_STATUS(take(server).result, STATUS_CANCELLED);
}

CORE_TEST(what_is_queued_already_fills_the_slots)
{
    make_pair();
    for (unsigned i = 0; i < 4; i++)
        send(i, i);
    capos_cap_id other = mint_for(client, 9);
    CHECK_EQ(actor_release(client, other), 0);
    arm(3);
    struct capos_cqe notice = take(server);
    CHECK_EQ(notice.flags, CAPOS_CQE_MORE | CAPOS_CQE_RELEASED);
    struct capos_recv_header header;
    actor_read(server, server->memory + (uint64_t)notice.result * SLOT_BYTES, &header,
               sizeof header);
    CHECK_EQ(header.word, 9);
    CHECK_EQ(header.call_id, 0);
    uint64_t ids[4];
    (void)take_call(0, &ids[0]);
    (void)take_call(1, &ids[1]);
    CHECK(nothing_completed(server));
    CHECK_EQ(give_back(0, (unsigned)notice.result), STATUS_OK);
    CHECK_EQ(take_call(2, &ids[2]), (unsigned)notice.result);
}

CORE_TEST(it_ends_without_more)
{
    make_pair();
    arm(4);
    send(3, 1);
    uint64_t call_id;
    unsigned slot = take_call(1, &call_id);
    actor_push_simple(server, 2, CAPOS_OP_CANCEL, 0, MANY);
    (void)actor_enter(server, 0, 0);
    struct capos_cqe cqe = take(server);
    CHECK_EQ(cqe.user_data, MANY);
    CHECK_STATUS(cqe.result, STATUS_CANCELLED);
    CHECK_EQ(cqe.flags, 0);
    CHECK_EQ(take(server).result, 0);
    CHECK_EQ(pending(), 0);
    CHECK_EQ(give_back(call_id, slot), STATUS_NOT_FOUND);
    struct actor_call call = call_of(endpoint, call_id, 0); // a plain RETURN answers
    CHECK_EQ(actor_return(server, &call), 0);
    CHECK_EQ(take(client).result, 0);
    // Also with every slot taken, and by the end of the Endpoint.
    arm(1);
    send(3, 2);
    (void)take_call(2, &call_id);
    actor_push_simple(server, 2, CAPOS_OP_RELEASE, endpoint, 0);
    (void)actor_enter(server, 0, 0);
    CHECK_STATUS(take(server).result, STATUS_DISCONNECTED);
    CHECK_EQ(take(server).result, 0);
    CHECK_EQ(pending(), 0);
}

CORE_TEST(bad_slots_and_a_full_queue_are_refused)
{
    make_pair();
    struct {
        struct capos_sqe sqe;
        enum status status;
    } cases[10];
    for (unsigned i = 0; i < 10; i++)
        cases[i].sqe = many_sqe(4), cases[i].status = STATUS_BAD_LENGTH;
    cases[0].sqe.method = 0;
    cases[1].sqe.method = CAPOS_RECV_SLOTS_MAX + 1;
    cases[2].sqe.result_bytes_max = 24;
    cases[3].sqe.result_bytes_max = 100;
    cases[4].sqe.result_bytes_max = UINT32_MAX - 7;
    cases[5].sqe.result += 4, cases[5].status = STATUS_BAD_ADDRESS;
    cases[6].sqe.result = UINT64_MAX - 127, cases[6].status = STATUS_BAD_ADDRESS;
    cases[7].sqe.flags |= CAPOS_SQE_RESULT_IN_RING, cases[7].status = STATUS_BAD_ADDRESS;
    cases[8].sqe.flags |= CAPOS_SQE_RESULT_IN_RING, cases[8].status = STATUS_BAD_ADDRESS;
    cases[8].sqe.result = CAPOS_RING_BYTES - 4 * SLOT_BYTES + 8;
    cases[9].sqe.cap = 0, cases[9].status = STATUS_BAD_CAPABILITY;
    for (unsigned i = 0; i < 10; i++) {
        actor_push(server, &cases[i].sqe);
        (void)actor_enter(server, 0, 0);
        CHECK_STATUS(take(server).result, cases[i].status);
    }
    // 33 entries each: the second doesn't fit, nor do more than 31 others.
    arm(32);
    CHECK_EQ(pending(), 33);
    arm(32);
    CHECK_STATUS(take(server).result, STATUS_QUEUE_FULL);
    for (unsigned i = 0; i < 40; i++)
        actor_push_simple(server, 100 + i, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(server, 0, 0), 31);
}

// Submissions that were admitted together with it don't get the entries of its slots.
CORE_TEST(arming_among_others_takes_no_entry_twice)
{
    make_pair();
    for (unsigned i = 0; i < 20; i++)
        actor_push_simple(server, i, CAPOS_OP_NOP, 0, 0);
    struct capos_sqe sqe = many_sqe(32);
    actor_push(server, &sqe);
    for (unsigned i = 0; i < 40; i++)
        actor_push_simple(server, 100 + i, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(server, 0, 0), 31); // 20 and 11 of the 40; 33 are held
    CHECK_EQ(pending(), 33);
    struct capos_cqe cqe;
    for (unsigned i = 0; i < 31; i++)
        CHECK(actor_pop(server, &cqe));
    for (unsigned i = 0; i < 32; i++)
        push_call(i % 32, i);
    (void)actor_enter(client, 0, 0);
    CHECK_EQ(actor_ring(server)->cq_tail - server->cq_head, 32);
    CHECK_EQ(actor_enter(server, 0, 0), 61);
}

CORE_TEST(bad_memory_ends_it_and_costs_no_call)
{
    make_pair();
    struct capos_sqe sqe = many_sqe(4);
    sqe.result = server->memory + ACTOR_MEMORY_BYTES - SLOT_BYTES; // the first slot is good
    actor_push(server, &sqe);
    (void)actor_enter(server, 0, 0);
    send(3, 1);
    send(4, 2);
    CHECK_EQ(take(server).flags, CAPOS_CQE_MORE);
    struct capos_cqe cqe = take(server);
    CHECK_STATUS(cqe.result, STATUS_BAD_ADDRESS);
    CHECK_EQ(cqe.flags, 0);
    CHECK_EQ(pending(), 0);
    arm(1);
    uint64_t call_id;
    (void)take_call(2, &call_id);
}

CORE_TEST(slots_in_the_ring_are_filled)
{
    make_pair();
    struct capos_sqe sqe = many_sqe(4);
    sqe.flags |= CAPOS_SQE_RESULT_IN_RING;
    sqe.result = CAPOS_RING_MESSAGE_OFFSET;
    actor_push(server, &sqe);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    push_call(3, 42);
    CHECK_EQ(actor_enter(client, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK_EQ(actor_returned(server), 1);
    struct capos_cqe cqe = take(server);
    const uint8_t *slot = (const uint8_t *)actor_ring(server) + CAPOS_RING_MESSAGE_OFFSET +
                          (uint64_t)cqe.result * SLOT_BYTES;
    uint64_t word;
    memcpy(&word, slot + sizeof(struct capos_recv_header), sizeof word);
    CHECK_EQ(word, 42);
}

static void with_the_end_of_either_side_nothing_is_left(void)
{
    for (unsigned who = 0; who < 2; who++) {
        harness_begin();
        make_pair();
        arm(3);
        for (unsigned i = 0; i < 5; i++)
            send(i, i);
        actor_destroy(who == 0 ? server : client);
        CHECK(harness_end());
    }
}

static void without_memory_it_is_overloaded(void)
{
    for (uint64_t pages = 0; pages < 3; pages++) {
        harness_begin();
        make_pair();
        harness_squeeze(server->budget, pages, 0);
        struct capos_cqe cqe;
        bool overloaded = false;
        for (unsigned i = 0; i < 20; i++) {
            arm(1);
            while (actor_pop(server, &cqe))
                overloaded |= cqe.result == -(int32_t)STATUS_OVERLOADED;
        }
        CHECK(overloaded || pages > 0);
        harness_relax(server->budget);
        CHECK(harness_end());
    }
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(one_receive_takes_call_after_call);
    RUN(no_message_overwrites_one_that_the_server_has);
    RUN(a_slot_is_given_back_once_and_stays_taken_if_the_answer_fails);
    RUN(what_is_queued_already_fills_the_slots);
    RUN(it_ends_without_more);
    RUN(bad_slots_and_a_full_queue_are_refused);
    RUN(arming_among_others_takes_no_entry_twice);
    RUN(bad_memory_ends_it_and_costs_no_call);
    RUN(slots_in_the_ring_are_filled);
    RUN(with_the_end_of_either_side_nothing_is_left);
    RUN(without_memory_it_is_overloaded);
    return test_report();
}
