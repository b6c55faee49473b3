// SPDX-License-Identifier: MIT
// Tests of kernel/object/revocable.c: what a forwarder forwards, and that nothing gets past
// one that was cut off.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/process.h>
#include <gen/wire/timer.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/mm/memory_object.h>
#include <kernel/object/objects.h>
#include <kernel/object/revocable.h>
#include <kernel/object/roots.h>

constexpr uint64_t ID_ECHO = 0x1234567890abcdef;

static struct actor *actor, *other;
static capos_cap_id budget, timer;

struct lent {
    capos_cap_id cap, revoker;
};

static void make(void)
{
    actor = actor_create("lender");
    budget = actor_give(actor, &actor->budget->object);
    timer = actor_give(actor, timer_object());
}

static struct capos_cqe lend_as(capos_cap_id target, enum capos_hold_mode mode)
{
    struct capos_transfer transfer = {.cap = target, .receiver_mode = (uint16_t)mode};
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_REVOCABLE);
    WITH(&call, memory_budget_create_revocable_params, .target = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return actor_call(actor, &call);
}

static struct lent lend(capos_cap_id target)
{
    struct capos_cqe cqe = lend_as(target, CAPOS_HOLD_COPY);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.transfer_count, 2);
    return (struct lent){actor_result_cap(actor, 0, &cqe, 0),
                         actor_result_cap(actor, 0, &cqe, 1)};
}

static int32_t revoke(capos_cap_id revoker)
{
    struct actor_call call = call_of(revoker, INTERFACE_REVOKER, REVOKER_METHOD_REVOKE);
    return actor_call(actor, &call).result;
}

static int32_t now_through(struct actor *caller, capos_cap_id cap)
{
    struct actor_call call = call_of(cap, INTERFACE_TIMER, TIMER_METHOD_NOW);
    return actor_call(caller, &call).result;
}

CORE_TEST(a_call_on_a_forwarder_is_one_on_its_target_until_it_is_revoked)
{
    make();
    struct lent lent = lend(timer);
    CHECK_EQ(now_through(actor, lent.cap), 0);
    CHECK_EQ(revoke(lent.revoker), 0);
    CHECK_STATUS(now_through(actor, lent.cap), STATUS_DISCONNECTED);
    CHECK_EQ(now_through(actor, timer), 0);
    CHECK_EQ(revoke(lent.revoker), 0); // again
}

CORE_TEST(a_forwarder_knows_no_other_methods_than_its_target)
{
    make();
    struct lent lent = lend(timer);
    struct actor_call call = call_of(lent.cap, INTERFACE_TIMER, 77);
    CHECK_STATUS(actor_call(actor, &call).result, STATUS_UNIMPLEMENTED);
    call = call_of(lent.cap, INTERFACE_MEMORY_BUDGET, 0);
    CHECK_STATUS(actor_call(actor, &call).result, STATUS_WRONG_INTERFACE);
}

CORE_TEST(a_copy_in_another_process_is_revoked_too)
{
    make();
    other = actor_create("borrower");
    struct lent lent = lend(timer);
    capos_cap_id copy = actor_give(other, actor_object(actor, lent.cap));
    CHECK_EQ(now_through(other, copy), 0);
    CHECK_EQ(actor_release(actor, lent.cap), 0);
    CHECK_EQ(now_through(other, copy), 0);
    CHECK_EQ(revoke(lent.revoker), 0);
    CHECK_STATUS(now_through(other, copy), STATUS_DISCONNECTED);
}

CORE_TEST(a_forwarder_lives_on_without_its_revoker)
{
    make();
    struct lent lent = lend(timer);
    CHECK_EQ(actor_release(actor, lent.revoker), 0);
    CHECK_EQ(now_through(actor, lent.cap), 0);
}

CORE_TEST(a_call_under_way_is_finished)
{
    make();
    struct lent lent = lend(timer);
    struct actor_call sleep = call_of(lent.cap, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = 1000);
    actor_submit_call(actor, 1, &sleep);
    struct actor_call call = call_of(lent.revoker, INTERFACE_REVOKER, REVOKER_METHOD_REVOKE);
    actor_submit_call(actor, 2, &call);
    CHECK_EQ(take(actor).user_data, 2);
    host_advance_ns(2000);
    struct capos_cqe done = take(actor);
    CHECK_EQ(done.user_data, 1);
    CHECK_EQ(done.result, 0);
}

// ---- In front of a server -----------------------------------------------------------

static capos_cap_id served;

static capos_cap_id mint(void)
{
    served = actor_give_own(actor, endpoint_create(actor->budget, 4), CAPOS_HOLD_COPY);
    struct actor_call call = call_of(served, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = ID_ECHO, .word = 7);
    struct capos_cqe cqe = actor_call(actor, &call);
    return actor_result_cap(actor, 0, &cqe, 0);
}

CORE_TEST(calls_on_a_forwarder_reach_the_server_of_its_target)
{
    make();
    other = actor_create("borrower");
    capos_cap_id echo = mint();
    struct lent lent = lend(echo);
    capos_cap_id copy = actor_give(other, actor_object(actor, lent.cap));
    actor_submit_receive(actor, 1, served);
    struct actor_call call = call_of(copy, ID_ECHO, 3);
    actor_submit_call(other, 2, &call);
    CHECK_EQ(take(actor).result, 0);
    struct capos_recv_header received = actor_received(actor, 1);
    CHECK_EQ(received.word, 7);
    CHECK_EQ(received.method, 3);
    CHECK_EQ(revoke(lent.revoker), 0); // the call is under way
    struct actor_call reply = {.cap = served, .interface_id = received.call_id};
    CHECK_EQ(actor_return(actor, &reply), 0);
    CHECK_EQ(take(other).result, 0);
    CHECK_STATUS(actor_call(other, &call).result, STATUS_DISCONNECTED);
}

CORE_TEST(a_server_learns_of_a_revocation_that_took_the_last_hold)
{
    make();
    capos_cap_id echo = mint();
    struct lent lent = lend(echo);
    CHECK_EQ(actor_release(actor, echo), 0);
    actor_submit_receive(actor, 1, served);
    CHECK(nothing_completed(actor));
    struct actor_call call = call_of(lent.revoker, INTERFACE_REVOKER, REVOKER_METHOD_REVOKE);
    actor_submit_call(actor, 2, &call);
    CHECK_EQ(take(actor).flags, CAPOS_CQE_RELEASED);
    CHECK_EQ(take(actor).user_data, 2);
}

CORE_TEST(the_last_release_of_a_forwarder_gives_its_target_up)
{
    make();
    capos_cap_id echo = mint();
    struct lent lent = lend(echo);
    CHECK_EQ(actor_release(actor, echo), 0);
    CHECK_EQ(actor_release(actor, lent.cap), 0);
    actor_submit_receive(actor, 1, served);
    CHECK_EQ(take(actor).flags, CAPOS_CQE_RELEASED);
    CHECK_EQ(revoke(lent.revoker), 0); // of nothing
}

// ---- Abuse --------------------------------------------------------------------------

CORE_TEST(the_kernel_takes_no_forwarder_for_what_it_stands_for)
{
    make();
    struct memory_object *pages = memory_object_create(actor->budget, 4096);
    capos_cap_id memory = actor_give(actor, virtual_memory_create());
    struct lent lent =
        lend(actor_give_own(actor, memory_object_as_object(pages), CAPOS_HOLD_COPY));
    struct capos_transfer transfer = {.cap = lent.cap};
    struct actor_call call =
        call_of(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_MAP);
    WITH(&call, virtual_memory_map_params, .object = 0, .length_bytes = 4096,
         .protection = PROTECTION_READ);
    call.transfers = &transfer;
    call.transfer_count = 1;
    CHECK_STATUS(actor_call(actor, &call).result, STATUS_WRONG_INTERFACE);
}

CORE_TEST(what_may_not_be_copied_may_not_be_lent)
{
    make();
    CHECK_STATUS(lend_as(timer, CAPOS_HOLD_MOVE).result, STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(lend_as(timer, CAPOS_HOLD_NONE).result, STATUS_INVALID_ARGUMENT);
}

CORE_TEST(forwarders_behind_each_other_are_bounded_and_each_cuts_off)
{
    make();
    struct lent lent[REVOCABLE_DEPTH_MAX];
    capos_cap_id target = timer;
    for (uint32_t i = 0; i < REVOCABLE_DEPTH_MAX; i++) {
        lent[i] = lend(target);
        target = lent[i].cap;
    }
    CHECK_EQ(now_through(actor, target), 0);
    CHECK_STATUS(lend_as(target, CAPOS_HOLD_COPY).result, STATUS_INVALID_ARGUMENT);
    CHECK_EQ(revoke(lent[3].revoker), 0);
    CHECK_STATUS(now_through(actor, target), STATUS_DISCONNECTED);
    CHECK_EQ(now_through(actor, lent[2].cap), 0);
}

CORE_TEST(a_revoker_that_is_lent_may_cut_itself_off)
{
    make();
    struct lent inner = lend(timer);
    struct lent outer = lend(inner.revoker); // revoking `outer` through `outer`'s own target:
    struct lent last = lend(outer.revoker);
    CHECK_EQ(actor_release(actor, outer.revoker), 0);
    CHECK_EQ(actor_release(actor, inner.revoker), 0);
    CHECK_EQ(revoke(outer.cap), 0); // calls inner's revoker
    CHECK_STATUS(now_through(actor, inner.cap), STATUS_DISCONNECTED);
    CHECK_EQ(revoke(last.cap), 0); // calls outer's revoker, the last hold on inner's
    CHECK_STATUS(revoke(outer.cap), STATUS_DISCONNECTED);
    CHECK_EQ(revoke(last.revoker), 0);
    CHECK_STATUS(revoke(last.cap), STATUS_DISCONNECTED);
}

CORE_TEST(lending_without_memory_leaves_nothing)
{
    make();
    harness_squeeze(actor->budget, 0, 0);
    CHECK_STATUS(lend_as(timer, CAPOS_HOLD_COPY).result, STATUS_OVERLOADED);
    harness_relax(actor->budget);
    CHECK_EQ(revoke(lend(timer).revoker), 0);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_call_on_a_forwarder_is_one_on_its_target_until_it_is_revoked);
    RUN(a_forwarder_knows_no_other_methods_than_its_target);
    RUN(a_copy_in_another_process_is_revoked_too);
    RUN(a_forwarder_lives_on_without_its_revoker);
    RUN(a_call_under_way_is_finished);
    RUN(calls_on_a_forwarder_reach_the_server_of_its_target);
    RUN(a_server_learns_of_a_revocation_that_took_the_last_hold);
    RUN(the_last_release_of_a_forwarder_gives_its_target_up);
    RUN(the_kernel_takes_no_forwarder_for_what_it_stands_for);
    RUN(what_may_not_be_copied_may_not_be_lent);
    RUN(forwarders_behind_each_other_are_bounded_and_each_cuts_off);
    RUN(a_revoker_that_is_lent_may_cut_itself_off);
    RUN(lending_without_memory_leaves_nothing);
    return test_report();
}
