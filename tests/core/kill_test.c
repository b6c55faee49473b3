// SPDX-License-Identifier: MIT
// A conversation of three processes that uses every way of waiting and every kind of
// transfer, cut off after each of its steps by the end of each of them: the others go on
// as far as they can, and nothing is lost.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <gen/wire/notification.h>
#include <gen/wire/timer.h>
#include <kernel/object/objects.h>

static struct actor *client, *middle, *server;

// Each holds an object on the next one's endpoint, and a notification that all share.
static capos_cap_id client_object, middle_object, middle_endpoint, server_endpoint;
static capos_cap_id client_signal, middle_signal, server_signal, client_timer, client_gift;

static bool can_act(const struct actor *actor)
{
    return actor_alive(actor) && actor_returned(actor) != ACTOR_BLOCKED;
}

static void enter(struct actor *actor)
{
    (void)actor_enter(actor, 0, 0);
}

static capos_cap_id mint_for(struct actor *owner, capos_cap_id endpoint, struct actor *holder)
{
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO);
    struct capos_cqe cqe = actor_call(owner, &call);
    capos_cap_id minted = actor_result_cap(owner, 0, &cqe, 0);
    capos_cap_id given = actor_give(holder, actor_object(owner, minted));
    CHECK_EQ(actor_release(owner, minted), 0);
    return given;
}

static void make_world(void)
{
    client = actor_create("client");
    middle = actor_create("middle");
    server = actor_create("server");
    middle_endpoint =
        actor_give_own(middle, endpoint_create(middle->budget, 4), CAPOS_HOLD_COPY);
    server_endpoint =
        actor_give_own(server, endpoint_create(server->budget, 4), CAPOS_HOLD_COPY);
    client_object = mint_for(middle, middle_endpoint, client);
    middle_object = mint_for(server, server_endpoint, middle);
    struct object *notification = notification_create(middle->budget);
    client_signal = actor_give(client, notification);
    middle_signal = actor_give(middle, notification);
    server_signal = actor_give_own(server, notification, CAPOS_HOLD_COPY);
    client_timer = actor_give(client, timer_object());
    client_gift = actor_give_own(client, notification_create(client->budget), CAPOS_HOLD_MOVE);
}

// ---- The steps ----------------------------------------------------------------------

static struct capos_transfer gift_transfer(void)
{
    return (struct capos_transfer){.cap = client_gift, .how = CAPOS_TRANSFER_MOVE};
}

static void client_calls_with_a_gift(void)
{
    struct capos_transfer transfer = gift_transfer();
    struct actor_call call = call_of(client_object, INTERFACE_STDIO, 1);
    call.transfers = &transfer;
    call.transfer_count = 1;
    actor_push_call(client, 1, &call);
    enter(client);
}

static void client_sleeps(void)
{
    struct actor_call call = call_of(client_timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&call, timer_sleep_params, .duration_ns = 1000);
    actor_push_call(client, 2, &call);
    enter(client);
}

static void wait_for_signal(struct actor *actor, capos_cap_id signal, uint64_t mask)
{
    struct actor_call call = call_of(signal, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&call, notification_wait_params, .mask = mask);
    actor_push_call(actor, 3, &call);
    enter(actor);
}

static void client_waits_for_a_signal(void)
{
    wait_for_signal(client, client_signal, 1);
}

static void middle_waits_for_a_signal(void)
{
    wait_for_signal(middle, middle_signal, 2);
}

static void client_blocks(void)
{
    (void)actor_enter(client, 3, CAPOS_FOREVER);
}

static void server_receives_and_blocks(void)
{
    actor_push_receive(server, 1, server_endpoint);
    (void)actor_enter(server, 1, CAPOS_FOREVER);
}

// The completion of slot 1, if it came; earlier ones are of no interest.
static bool take_slot_1(struct actor *actor, struct capos_cqe *out_cqe)
{
    while (actor_pop(actor, out_cqe))
        if (out_cqe->user_data == 1)
            return out_cqe->result == 0;
    return false;
}

static void middle_receives(void)
{
    actor_push_receive(middle, 1, middle_endpoint);
    enter(middle);
}

// What middle received from the client, for its answer.
static uint64_t middle_call_id, server_call_id;

static void middle_passes_the_gift_on(void)
{
    struct capos_cqe cqe;
    if (!take_slot_1(middle, &cqe) || cqe.transfer_count == 0)
        return;
    middle_call_id = actor_received(middle, 1).call_id;
    struct capos_transfer transfer = {.cap = actor_received_cap(middle, 1, &cqe, 0),
                                      .how = CAPOS_TRANSFER_MOVE};
    struct actor_call call = call_of(middle_object, INTERFACE_STDIO, 2);
    call.transfers = &transfer;
    call.transfer_count = 1;
    actor_push_call(middle, 4, &call);
    enter(middle);
}

static void server_answers_with_the_gift(void)
{
    struct capos_cqe cqe;
    if (!take_slot_1(server, &cqe) || cqe.transfer_count == 0)
        return;
    server_call_id = actor_received(server, 1).call_id;
    struct capos_transfer transfer = {.cap = actor_received_cap(server, 1, &cqe, 0),
                                      .how = CAPOS_TRANSFER_MOVE};
    struct actor_call call = call_of(server_endpoint, server_call_id, 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    actor_push_return(server, 5, &call);
    enter(server);
}

static void middle_answers_with_a_copy(void)
{
    struct actor_call call = call_of(middle_endpoint, middle_call_id, 0);
    struct capos_transfer transfer = {.cap = middle_object};
    call.transfers = &transfer;
    call.transfer_count = 1;
    actor_push_return(middle, 5, &call);
    enter(middle);
}

static void server_signals(void)
{
    struct actor_call call =
        call_of(server_signal, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&call, notification_signal_params, .bits = 3);
    actor_push_call(server, 6, &call);
    enter(server);
}

static void middle_releases_its_endpoint(void)
{
    actor_push_simple(middle, 7, CAPOS_OP_RELEASE, middle_endpoint, 0);
    enter(middle);
}

static void time_goes_by(void)
{
    host_advance_ns(2000);
}

static const struct step {
    void (*act)(void);
    struct actor **actor; // nullptr: nobody's
} steps[] = {
    {client_calls_with_a_gift, &client},
    {client_sleeps, &client},
    {client_waits_for_a_signal, &client},
    {middle_waits_for_a_signal, &middle},
    {client_blocks, &client},
    {server_receives_and_blocks, &server},
    {middle_receives, &middle},
    {middle_passes_the_gift_on, &middle},
    {server_answers_with_the_gift, &server},
    {time_goes_by, nullptr},
    {middle_answers_with_a_copy, &middle},
    {server_signals, &server},
    {server_receives_and_blocks, &server},
    {middle_releases_its_endpoint, &middle},
    {time_goes_by, nullptr},
};
constexpr unsigned STEPS = sizeof steps / sizeof steps[0];

// Runs the conversation; after `cut` steps the victim ends.
static void converse(unsigned cut, struct actor **victim, bool by_itself)
{
    harness_begin();
    make_world();
    middle_call_id = server_call_id = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        if (i == cut && by_itself && can_act(*victim))
            actor_exit(*victim, 1);
        else if (i == cut)
            actor_kill(*victim);
        if (steps[i].actor == nullptr || can_act(*steps[i].actor))
            steps[i].act();
    }
    if (cut == STEPS) { // nobody ended: the gift went round, and the copy arrived
        CHECK(actor_object(client, client_gift) == nullptr);
        CHECK_EQ(client->process->caps.live_count, 4);
        CHECK_EQ(middle->process->caps.live_count, 3);
        CHECK_EQ(server->process->caps.live_count, 2);
    }
    CHECK(harness_end());
}

static void a_conversation_ends_as_it_should(void)
{
    converse(STEPS, &client, false);
}

static void anybody_can_be_killed_at_any_step(void)
{
    for (unsigned cut = 0; cut < STEPS; cut++) {
        converse(cut, &client, false);
        converse(cut, &middle, false);
        converse(cut, &server, false);
    }
}

static void anybody_can_exit_at_any_step(void)
{
    for (unsigned cut = 0; cut < STEPS; cut++) {
        converse(cut, &client, true);
        converse(cut, &middle, true);
        converse(cut, &server, true);
    }
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_conversation_ends_as_it_should);
    RUN(anybody_can_be_killed_at_any_step);
    RUN(anybody_can_exit_at_any_step);
    return test_report();
}
