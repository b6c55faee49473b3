// SPDX-License-Identifier: MIT
// Tests of kernel/cap: tables, ids, and capabilities that travel with calls and answers.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/timer.h>
#include <kernel/ipc/invocation.h>
#include <kernel/object/object.h>
#include <kernel/object/objects.h>

static struct actor *server, *client;
static capos_cap_id endpoint, object;

static capos_cap_id mint_for(struct actor *actor, uint64_t word)
{
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = word);
    struct capos_cqe cqe = actor_call(server, &call);
    CHECK_EQ(cqe.result, 0);
    capos_cap_id minted = actor_result_cap(server, 0, &cqe, 0);
    capos_cap_id given = actor_give(actor, actor_object(server, minted));
    CHECK_EQ(actor_release(server, minted), 0);
    return given;
}

static void make_pair(void)
{
    server = actor_create("server");
    client = actor_create("client");
    endpoint = actor_give_own(server, endpoint_create(server->budget, 8), CAPOS_HOLD_COPY);
    object = mint_for(client, 1);
}

static capos_cap_id give_notification(struct actor *actor, enum capos_hold_mode mode)
{
    return actor_give_own(actor, notification_create(actor->budget), mode);
}

static uint32_t live(const struct actor *actor)
{
    return actor->process->caps.live_count;
}

static struct actor_call call_with(const struct capos_transfer *transfers, uint16_t count)
{
    struct actor_call call = call_of(object, INTERFACE_STDIO, 1);
    call.transfers = transfers;
    call.transfer_count = count;
    return call;
}

// Submits a call in slot 3 that nobody receives yet, or that fails: then its status.
static enum status submit_with(const struct capos_transfer *transfers, uint16_t count)
{
    struct actor_call call = call_with(transfers, count);
    struct capos_cqe cqe;
    actor_submit_call(client, 3, &call);
    return actor_pop(client, &cqe) ? (enum status) - cqe.result : STATUS_OK;
}

static struct capos_cqe receive(void)
{
    actor_submit_receive(server, 1, endpoint);
    return take(server);
}

static enum status answer_with(uint64_t call_id, const struct capos_transfer *transfers,
                               uint16_t count)
{
    struct actor_call call = call_of(endpoint, call_id, 0);
    call.transfers = transfers;
    call.transfer_count = count;
    return (enum status) - actor_return(server, &call);
}

static void finish_call(void)
{
    CHECK_EQ(answer_with(actor_received(server, 1).call_id, nullptr, 0), STATUS_OK);
    CHECK_EQ(take(client).result, 0);
}

// ---- Ids ----------------------------------------------------------------------------

CORE_TEST(an_id_that_was_released_never_names_anything_again)
{
    struct actor *actor = actor_create("ids");
    capos_cap_id first = give_notification(actor, CAPOS_HOLD_COPY);
    CHECK_EQ(actor_release(actor, first), 0);
    for (unsigned i = 0; i < 300; i++) {
        capos_cap_id again = give_notification(actor, CAPOS_HOLD_COPY);
        CHECK_EQ((uint32_t)again, (uint32_t)first); // the slot is used again
        CHECK(again != first);
        CHECK(actor_object(actor, first) == nullptr);
        CHECK_STATUS(actor_release(actor, first), STATUS_BAD_CAPABILITY);
        CHECK_EQ(actor_release(actor, again), 0);
    }
    CHECK_STATUS(actor_release(actor, first), STATUS_BAD_CAPABILITY);
}

CORE_TEST(a_slot_is_retired_when_its_generations_are_used_up)
{
    struct actor *actor = actor_create("retired");
    capos_cap_id first = give_notification(actor, CAPOS_HOLD_COPY);
    CHECK_EQ(actor_release(actor, first), 0);
    cap_table_slot(&actor->process->caps, (uint32_t)first)->generation = UINT32_MAX;
    capos_cap_id last = give_notification(actor, CAPOS_HOLD_COPY);
    CHECK_EQ(last, (uint64_t)UINT32_MAX << 32 | (uint32_t)first);
    CHECK_EQ(actor_release(actor, last), 0);
    capos_cap_id other = give_notification(actor, CAPOS_HOLD_COPY);
    CHECK((uint32_t)other != (uint32_t)first);
    CHECK_STATUS(actor_release(actor, (uint32_t)first), STATUS_BAD_CAPABILITY);
}

CORE_TEST(a_table_grows_and_keeps_its_ids)
{
    struct actor *actor = actor_create("many");
    enum { COUNT = 1000 };
    static capos_cap_id ids[COUNT];
    struct object *notification = notification_create(actor->budget);
    for (unsigned i = 0; i < COUNT; i++)
        ids[i] = actor_give(actor, notification);
    object_put(notification);
    CHECK_EQ(live(actor), COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK(actor_object(actor, ids[i]) == notification);
    for (unsigned i = 0; i < COUNT; i++)
        CHECK_EQ(actor_release(actor, ids[i]), 0);
    CHECK_EQ(live(actor), 0);
}

CORE_TEST(a_capability_of_another_process_is_nothing_here)
{
    make_pair();
    capos_cap_id secret = give_notification(server, CAPOS_HOLD_COPY);
    for (unsigned i = 0; i < 5; i++) // more slots than the client has
        secret = give_notification(server, CAPOS_HOLD_COPY);
    struct actor_call call = call_of(secret, INTERFACE_NOTIFICATION, 0);
    CHECK_STATUS(actor_call(client, &call).result, STATUS_BAD_CAPABILITY);
}

CORE_TEST(a_call_names_the_interface_that_the_capability_has)
{
    make_pair();
    capos_cap_id timer = actor_give(client, timer_object());
    struct actor_call call = call_of(timer, INTERFACE_NOTIFICATION, 0);
    CHECK_STATUS(actor_call(client, &call).result, STATUS_WRONG_INTERFACE);
    call = call_of(object, INTERFACE_TIMER, TIMER_METHOD_NOW);
    CHECK_STATUS(actor_call(client, &call).result, STATUS_WRONG_INTERFACE);
    actor_push_receive(client, 1, timer);
    CHECK_EQ(actor_enter(client, 0, 0), 1);
    CHECK_STATUS(take(client).result, STATUS_WRONG_INTERFACE);
}

// ---- With calls ---------------------------------------------------------------------

CORE_TEST(a_copy_leaves_the_sender_its_hold)
{
    make_pair();
    capos_cap_id sent = give_notification(client, CAPOS_HOLD_COPY);
    struct object *notification = actor_object(client, sent);
    struct capos_transfer transfer = {.cap = sent};
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    struct capos_cqe cqe = receive();
    CHECK_EQ(cqe.transfer_count, 1);
    capos_cap_id arrived = actor_received_cap(server, 1, &cqe, 0);
    CHECK(actor_object(server, arrived) == notification);
    CHECK(actor_object(client, sent) == notification);
    CHECK_EQ(notification->hold_count, 2);
    finish_call();
}

CORE_TEST(a_move_takes_the_senders_hold_when_it_arrives)
{
    make_pair();
    capos_cap_id sent = give_notification(client, CAPOS_HOLD_MOVE);
    struct object *notification = actor_object(client, sent);
    struct capos_transfer transfer = {
        .cap = sent, .how = CAPOS_TRANSFER_MOVE, .receiver_mode = CAPOS_HOLD_COPY};
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    // On its way: the sender can't name it, nor send it again, nor release it.
    CHECK(actor_object(client, sent) == nullptr);
    CHECK_EQ(live(client), 2);
    CHECK_STATUS(actor_release(client, sent), STATUS_BAD_CAPABILITY);
    CHECK_EQ(submit_with(&transfer, 1), STATUS_BAD_CAPABILITY);
    struct capos_cqe cqe = receive();
    capos_cap_id arrived = actor_received_cap(server, 1, &cqe, 0);
    CHECK(actor_object(server, arrived) == notification);
    CHECK_EQ(notification->hold_count, 1);
    CHECK_EQ(live(client), 1);
    // The mode was not widened by the wish for COPY.
    struct cap_slot *slot = cap_table_lookup(&server->process->caps, arrived);
    CHECK_EQ(slot->mode, CAPOS_HOLD_MOVE);
    finish_call();
}

CORE_TEST(sixteen_capabilities_travel_in_order)
{
    make_pair();
    struct capos_transfer transfers[16];
    struct object *objects[16];
    for (unsigned i = 0; i < 16; i++) {
        capos_cap_id cap = give_notification(client, CAPOS_HOLD_COPY);
        objects[i] = actor_object(client, cap);
        transfers[i] = (struct capos_transfer){.cap = cap, .how = i & 1};
    }
    CHECK_EQ(submit_with(transfers, 16), STATUS_OK);
    struct capos_cqe cqe = receive();
    CHECK_EQ(cqe.transfer_count, 16);
    for (unsigned i = 0; i < 16; i++)
        CHECK(actor_object(server, actor_received_cap(server, 1, &cqe, i)) == objects[i]);
    CHECK_EQ(live(client), 1 + 8);
    finish_call();
}

CORE_TEST(modes_are_narrowed_and_bind_the_receiver)
{
    make_pair();
    struct capos_transfer transfer = {.cap = give_notification(client, CAPOS_HOLD_COPY),
                                      .receiver_mode = CAPOS_HOLD_NONE};
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    struct capos_cqe cqe = receive();
    struct capos_transfer back = {.cap = actor_received_cap(server, 1, &cqe, 0)};
    uint64_t call_id = actor_received(server, 1).call_id;
    CHECK_EQ(answer_with(call_id, &back, 1), STATUS_BAD_TRANSFER);
    back.how = CAPOS_TRANSFER_MOVE;
    CHECK_EQ(answer_with(call_id, &back, 1), STATUS_BAD_TRANSFER);
    finish_call();
    transfer.cap = give_notification(client, CAPOS_HOLD_MOVE);
    transfer.receiver_mode = CAPOS_HOLD_COPY;
    CHECK_EQ(submit_with(&transfer, 1), STATUS_BAD_TRANSFER); // can't be copied
    transfer.cap = give_notification(client, CAPOS_HOLD_NONE);
    transfer.how = CAPOS_TRANSFER_MOVE;
    CHECK_EQ(submit_with(&transfer, 1), STATUS_BAD_TRANSFER);
}

CORE_TEST(a_bad_descriptor_moves_nothing)
{
    make_pair();
    capos_cap_id moved = give_notification(client, CAPOS_HOLD_COPY);
    capos_cap_id copied = give_notification(client, CAPOS_HOLD_COPY);
    struct object *a = actor_object(client, moved), *b = actor_object(client, copied);
    static const struct {
        struct capos_transfer last;
        enum status status;
    } cases[] = {
        {{.cap = 0}, STATUS_BAD_CAPABILITY},
        {{.cap = UINT64_MAX}, STATUS_BAD_CAPABILITY},
        {{.cap = 1, .how = 3}, STATUS_BAD_TRANSFER},
        {{.cap = 1, .receiver_mode = 3}, STATUS_BAD_TRANSFER},
        {{.cap = 1, .reserved = 1}, STATUS_BAD_TRANSFER},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct capos_transfer transfers[3] = {
            {.cap = moved, .how = CAPOS_TRANSFER_MOVE}, {.cap = copied}, cases[i].last};
        CHECK_EQ(submit_with(transfers, 3), cases[i].status);
        CHECK(actor_object(client, moved) == a);
        CHECK(actor_object(client, copied) == b);
        CHECK_EQ(a->hold_count, 1);
        CHECK_EQ(b->hold_count, 1);
    }
    struct capos_transfer twice[2] = {{.cap = moved, .how = CAPOS_TRANSFER_MOVE},
                                      {.cap = moved, .how = CAPOS_TRANSFER_MOVE}};
    CHECK_EQ(submit_with(twice, 2), STATUS_BAD_TRANSFER);
    twice[1].how = CAPOS_TRANSFER_COPY;
    CHECK_EQ(submit_with(twice, 2), STATUS_BAD_TRANSFER);
    CHECK(actor_object(client, moved) == a);
}

CORE_TEST(cancel_brings_a_moved_capability_back)
{
    make_pair();
    capos_cap_id sent = give_notification(client, CAPOS_HOLD_COPY);
    struct object *notification = actor_object(client, sent);
    struct capos_transfer transfer = {.cap = sent, .how = CAPOS_TRANSFER_MOVE};
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    CHECK(actor_object(client, sent) == nullptr);
    actor_push_simple(client, 5, CAPOS_OP_CANCEL, 0, 3);
    CHECK_EQ(actor_enter(client, 0, 0), 2);
    CHECK(actor_object(client, sent) == notification);
    CHECK_EQ(notification->hold_count, 1);
}

CORE_TEST(what_is_called_may_be_given_away_and_the_call_refused)
{
    make_pair();
    uint64_t used_bytes = client->budget->used_bytes;
    struct budget *budget = budget_split(client->budget, 4 * PAGE_BYTES);
    capos_cap_id own = actor_give_own(client, &budget->object, CAPOS_HOLD_MOVE);
    struct capos_transfer given = {.cap = own, .how = CAPOS_TRANSFER_GIVE};
    struct actor_call call =
        call_of(own, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_REVOCABLE);
    WITH(&call, memory_budget_create_revocable_params, .target = 1); // there is only 0
    call.transfers = &given;
    call.transfer_count = 1;
    CHECK_STATUS(actor_call(client, &call).result, STATUS_BAD_TRANSFER);
    CHECK(actor_object(client, own) == nullptr);
    CHECK_EQ(client->budget->used_bytes, used_bytes);
}

CORE_TEST(the_end_of_the_server_brings_moved_capabilities_back)
{
    make_pair();
    capos_cap_id sent = give_notification(client, CAPOS_HOLD_COPY);
    struct object *notification = actor_object(client, sent);
    struct capos_transfer transfer = {.cap = sent, .how = CAPOS_TRANSFER_MOVE};
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    actor_destroy(server);
    CHECK_STATUS(take(client).result, STATUS_DISCONNECTED);
    CHECK(actor_object(client, sent) == notification);
}

CORE_TEST(the_end_of_the_sender_drops_what_it_had_on_the_way)
{
    make_pair();
    struct object *notification = notification_create(server->budget);
    (void)actor_give(server, notification);
    struct capos_transfer transfers[2] = {
        {.cap = actor_give(client, notification), .how = CAPOS_TRANSFER_MOVE},
        {.cap = actor_give(client, notification), .how = CAPOS_TRANSFER_COPY}};
    CHECK_EQ(submit_with(transfers, 2), STATUS_OK);
    CHECK_EQ(notification->hold_count, 4);
    actor_destroy(client);
    CHECK_EQ(notification->hold_count, 1);
    object_put(notification);
}

// ---- With answers -------------------------------------------------------------------

CORE_TEST(an_answer_carries_capabilities)
{
    make_pair();
    CHECK_EQ(submit_with(nullptr, 0), STATUS_OK);
    uint64_t call_id = (receive(), actor_received(server, 1).call_id);
    capos_cap_id kept = give_notification(server, CAPOS_HOLD_COPY);
    capos_cap_id moved = give_notification(server, CAPOS_HOLD_COPY);
    struct object *a = actor_object(server, kept), *b = actor_object(server, moved);
    struct capos_transfer transfers[2] = {{.cap = kept},
                                          {.cap = moved, .how = CAPOS_TRANSFER_MOVE}};
    CHECK_EQ(answer_with(call_id, transfers, 2), STATUS_OK);
    struct capos_cqe cqe = take(client);
    CHECK_EQ(cqe.transfer_count, 2);
    CHECK(actor_object(client, actor_result_cap(client, 3, &cqe, 0)) == a);
    CHECK(actor_object(client, actor_result_cap(client, 3, &cqe, 1)) == b);
    CHECK(actor_object(server, kept) == a);
    CHECK(actor_object(server, moved) == nullptr);
}

CORE_TEST(an_answer_that_does_not_fit_leaves_the_server_its_capabilities)
{
    make_pair();
    capos_cap_id sent = give_notification(server, CAPOS_HOLD_COPY);
    struct object *notification = actor_object(server, sent);
    struct capos_transfer transfer = {.cap = sent, .how = CAPOS_TRANSFER_MOVE};
    actor_push(client, &(struct capos_sqe){.opcode = CAPOS_OP_CALL,
                                           .user_data = 3,
                                           .cap = object,
                                           .interface_id = INTERFACE_STDIO,
                                           .result = client->memory,
                                           .result_bytes_max = 8});
    CHECK_EQ(actor_enter(client, 0, 0), 0);
    CHECK_EQ(receive().result, 0);
    CHECK_EQ(answer_with(actor_received(server, 1).call_id, &transfer, 1), STATUS_OK);
    CHECK_STATUS(take(client).result, STATUS_NO_RESULT_SPACE);
    CHECK(actor_object(server, sent) == notification);
    CHECK_EQ(live(client), 1);
}

CORE_TEST(what_is_given_with_an_answer_is_gone_though_it_does_not_fit)
{
    make_pair();
    capos_cap_id sent = give_notification(server, CAPOS_HOLD_COPY);
    capos_cap_id kept = give_notification(server, CAPOS_HOLD_COPY);
    struct capos_transfer transfers[3] = {{.cap = sent, .how = CAPOS_TRANSFER_GIVE},
                                          {.cap = kept, .how = CAPOS_TRANSFER_MOVE},
                                          {.cap = 0}};
    actor_push(client, &(struct capos_sqe){.opcode = CAPOS_OP_CALL,
                                           .user_data = 3,
                                           .cap = object,
                                           .interface_id = INTERFACE_STDIO,
                                           .result = client->memory,
                                           .result_bytes_max = 8});
    CHECK_EQ(actor_enter(client, 0, 0), 0);
    CHECK_EQ(receive().result, 0);
    uint64_t call_id = actor_received(server, 1).call_id;
    CHECK_EQ(answer_with(call_id, transfers, 3), STATUS_BAD_CAPABILITY);
    CHECK(actor_object(server, sent) != nullptr); // the message wasn't valid
    CHECK_EQ(answer_with(call_id, transfers, 2), STATUS_OK);
    CHECK_STATUS(take(client).result, STATUS_NO_RESULT_SPACE);
    CHECK(actor_object(server, sent) == nullptr);
    CHECK(actor_object(server, kept) != nullptr);
    CHECK_EQ(live(client), 1);
}

CORE_TEST(what_is_given_arrives_like_what_is_moved)
{
    make_pair();
    capos_cap_id sent = give_notification(client, CAPOS_HOLD_COPY);
    struct object *notification = actor_object(client, sent);
    struct capos_transfer transfer = {.cap = sent, .how = CAPOS_TRANSFER_GIVE};
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    CHECK(actor_object(client, sent) == nullptr); // in transit
    struct capos_cqe cqe = receive();
    CHECK(actor_object(server, actor_received_cap(server, 1, &cqe, 0)) == notification);
    CHECK(actor_object(client, sent) == nullptr);
    CHECK_EQ(notification->hold_count, 1);
    CHECK_EQ(answer_with(actor_received(server, 1).call_id, nullptr, 0), STATUS_OK);
    CHECK_EQ(take(client).result, 0);
    // Withdrawn, it doesn't come back.
    sent = give_notification(client, CAPOS_HOLD_COPY);
    transfer.cap = sent;
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    actor_push_simple(client, 9, CAPOS_OP_CANCEL, 0, 3);
    (void)actor_enter(client, 0, 0);
    CHECK_STATUS(take(client).result, STATUS_CANCELLED);
    CHECK_EQ(take(client).result, 0);
    CHECK(actor_object(client, sent) == nullptr);
    CHECK_EQ(live(client), 1);
}

// ---- Results that don't fit ---------------------------------------------------------

// A method that makes a capability and more data than fits, as generated code would run it:
// no interface of the kernel has one.
static enum status make_too_much(struct object *self, struct invocation *invocation)
{
    (void)self;
    struct object *made = notification_create(invocation->process->budget);
    if (made == nullptr)
        return STATUS_OVERLOADED;
    CHECK_EQ(invocation_add_capability(invocation, made), 0);
    uint32_t room_bytes;
    (void)invocation_results(invocation, &room_bytes);
    return room_bytes < 4096 ? STATUS_NO_RESULT_SPACE : STATUS_FAILED;
}

static const struct method_dispatch large_methods[] = {{.name = "make",
                                                        .call = make_too_much,
                                                        .params_bytes_max = 64,
                                                        .results_bytes_min = 16,
                                                        .results_caps = 1}};
static const struct interface_dispatch large_dispatch = {
    .interface_id = 0x1234, .name = "Large", .method_count = 1, .methods = large_methods};
static const struct object_type large_type = {.dispatch = &large_dispatch,
                                              .hold_mode = CAPOS_HOLD_COPY};
static struct object large = {.type = &large_type, .reference_count = 1};

CORE_TEST(a_method_whose_data_does_not_fit_beside_its_capability_is_a_typed_error)
{
    make_pair();
    capos_cap_id cap = actor_give(client, &large);
    uint32_t before = live(client);
    actor_push(client, &(struct capos_sqe){.opcode = CAPOS_OP_CALL,
                                           .flags = CAPOS_SQE_RESULT_IN_RING,
                                           .user_data = 3,
                                           .cap = cap,
                                           .interface_id = 0x1234,
                                           .result = CAPOS_RING_MESSAGE_OFFSET,
                                           .result_bytes_max = 64});
    CHECK_EQ(actor_enter(client, 0, 0), 1);
    struct capos_cqe cqe = take(client);
    CHECK_STATUS(cqe.result, STATUS_NO_RESULT_SPACE);
    CHECK_EQ(cqe.transfer_count | cqe.result_bytes, 0);
    CHECK_EQ(live(client), before);
}

// ---- No room ------------------------------------------------------------------------

// Fills an actor's table to the last slot and takes its budget away.
static void fill_table(struct actor *actor)
{
    struct object *notification = notification_create(actor->budget);
    while (actor->process->caps.free_count > 0)
        (void)actor_give(actor, notification);
    object_put(notification);
    harness_squeeze(actor->budget, 0, 0);
}

CORE_TEST(a_server_without_room_for_capabilities_costs_the_caller_nothing)
{
    make_pair();
    capos_cap_id sent = give_notification(client, CAPOS_HOLD_COPY);
    struct object *notification = actor_object(client, sent);
    struct capos_transfer transfer = {.cap = sent, .how = CAPOS_TRANSFER_MOVE};
    fill_table(server);
    CHECK_EQ(submit_with(&transfer, 1), STATUS_OK);
    actor_push_receive(server, 1, endpoint);
    // The receive takes the next call; the one that can't be delivered fails.
    (void)actor_enter(server, 0, 0);
    harness_relax(server->budget);
    CHECK_STATUS(take(client).result, STATUS_OVERLOADED);
    CHECK(actor_object(client, sent) == notification);
}

CORE_TEST(a_caller_without_room_for_capabilities_costs_the_server_nothing)
{
    make_pair();
    CHECK_EQ(submit_with(nullptr, 0), STATUS_OK);
    CHECK_EQ(receive().result, 0);
    capos_cap_id sent = give_notification(server, CAPOS_HOLD_COPY);
    struct object *notification = actor_object(server, sent);
    struct capos_transfer transfer = {.cap = sent, .how = CAPOS_TRANSFER_MOVE};
    fill_table(client);
    CHECK_EQ(answer_with(actor_received(server, 1).call_id, &transfer, 1), STATUS_OK);
    harness_relax(client->budget);
    CHECK_STATUS(take(client).result, STATUS_OVERLOADED);
    CHECK(actor_object(server, sent) == notification);
}

CORE_TEST(a_kernel_method_without_room_for_its_result_has_no_effect)
{
    make_pair();
    capos_cap_id budget = actor_give(client, &client->budget->object);
    uint64_t used_bytes = client->budget->used_bytes;
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_NOTIFICATION);
    fill_table(client);
    struct capos_cqe cqe = actor_call(client, &call);
    harness_relax(client->budget);
    CHECK_STATUS(cqe.result, STATUS_OVERLOADED);
    CHECK_EQ(cqe.transfer_count, 0);
    CHECK(client->budget->used_bytes >= used_bytes);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(an_id_that_was_released_never_names_anything_again);
    RUN(a_slot_is_retired_when_its_generations_are_used_up);
    RUN(a_table_grows_and_keeps_its_ids);
    RUN(a_capability_of_another_process_is_nothing_here);
    RUN(a_call_names_the_interface_that_the_capability_has);
    RUN(a_copy_leaves_the_sender_its_hold);
    RUN(a_move_takes_the_senders_hold_when_it_arrives);
    RUN(sixteen_capabilities_travel_in_order);
    RUN(modes_are_narrowed_and_bind_the_receiver);
    RUN(a_bad_descriptor_moves_nothing);
    RUN(cancel_brings_a_moved_capability_back);
    RUN(what_is_called_may_be_given_away_and_the_call_refused);
    RUN(the_end_of_the_server_brings_moved_capabilities_back);
    RUN(the_end_of_the_sender_drops_what_it_had_on_the_way);
    RUN(an_answer_carries_capabilities);
    RUN(an_answer_that_does_not_fit_leaves_the_server_its_capabilities);
    RUN(what_is_given_with_an_answer_is_gone_though_it_does_not_fit);
    RUN(what_is_given_arrives_like_what_is_moved);
    RUN(a_method_whose_data_does_not_fit_beside_its_capability_is_a_typed_error);
    RUN(a_server_without_room_for_capabilities_costs_the_caller_nothing);
    RUN(a_caller_without_room_for_capabilities_costs_the_server_nothing);
    RUN(a_kernel_method_without_room_for_its_result_has_no_effect);
    return test_report();
}
