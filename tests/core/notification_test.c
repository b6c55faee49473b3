// SPDX-License-Identifier: MIT
// Tests of kernel/object/notification.c.
#include "core_test.h"

#include <gen/wire/notification.h>
#include <kernel/object/objects.h>

static struct actor *actor;
static capos_cap_id notification;

static void make(void)
{
    actor = actor_create("waiter");
    notification = actor_give_own(actor, notification_create(actor->budget), CAPOS_HOLD_COPY);
}

static struct actor_call wait_call(uint64_t mask)
{
    struct actor_call call =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&call, notification_wait_params, .mask = mask);
    return call;
}

static void submit_wait(unsigned slot, uint64_t mask)
{
    struct actor_call call = wait_call(mask);
    actor_submit_call(actor, slot, &call);
}

// Signals as the waiter's own process; the completion of the signal comes last.
static void signal(uint64_t bits)
{
    struct actor_call call =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&call, notification_signal_params, .bits = bits);
    actor_push_call(actor, 31, &call);
    CHECK(actor_enter(actor, 0, 0) >= 1);
}

static void check_signalled(void)
{
    struct capos_cqe cqe = take(actor);
    CHECK_EQ(cqe.user_data, 31);
    CHECK_EQ(cqe.result, 0);
}

static void check_bits(unsigned slot, uint64_t bits)
{
    struct capos_cqe cqe = take(actor);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_EQ(cqe.result, 0);
    struct notification_wait_results results = {};
    RESULTS(actor, slot, cqe, notification_wait_results, &results);
    CHECK_EQ(results.bits, bits);
}

CORE_TEST(a_signal_waits_for_a_waiter)
{
    make();
    signal(0x30);
    check_signalled();
    signal(0x05);
    check_signalled();
    submit_wait(1, 0x14);
    check_bits(1, 0x14);
    submit_wait(1, UINT64_MAX);
    check_bits(1, 0x21);
    submit_wait(1, UINT64_MAX);
    CHECK(nothing_completed(actor));
}

CORE_TEST(a_waiter_waits_for_a_signal_that_it_cares_about)
{
    make();
    submit_wait(1, 0x8);
    signal(0x7);
    check_signalled();
    CHECK(nothing_completed(actor));
    signal(UINT64_C(1) << 63 | 0x8);
    check_bits(1, 0x8);
    check_signalled();
    submit_wait(1, UINT64_MAX);
    check_bits(1, UINT64_C(1) << 63 | 0x7);
}

CORE_TEST(each_bit_is_seen_by_the_oldest_waiter_that_wants_it)
{
    make();
    submit_wait(1, 0x3);
    submit_wait(2, 0x6);
    submit_wait(3, 0x7);
    signal(0x7);
    check_bits(1, 0x3);
    check_bits(2, 0x4);
    check_signalled();
    signal(0x4);
    check_bits(3, 0x4);
    check_signalled();
}

CORE_TEST(a_signal_wakes_a_blocked_thread)
{
    make();
    struct actor *signaller = actor_create("signaller");
    struct actor_call call = wait_call(1);
    actor_push_call(actor, 1, &call);
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    call = call_of(actor_give(signaller, actor_object(actor, notification)),
                   INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&call, notification_signal_params, .bits = 1);
    CHECK_EQ(actor_call(signaller, &call).result, 0);
    CHECK_EQ(actor_returned(actor), 1);
    check_bits(1, 1);
}

static uint64_t poll(uint64_t mask)
{
    struct actor_call call =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_POLL);
    WITH(&call, notification_poll_params, .mask = mask);
    struct capos_cqe cqe = actor_call(actor, &call);
    CHECK_EQ(cqe.result, 0);
    struct notification_poll_results results = {};
    RESULTS(actor, 0, cqe, notification_poll_results, &results);
    return results.bits;
}

CORE_TEST(poll_takes_what_is_there_and_never_waits)
{
    make();
    CHECK_EQ(poll(UINT64_MAX), 0);
    signal(0x3);
    check_signalled();
    signal(0x2); // one with the first
    check_signalled();
    CHECK_EQ(poll(0x6), 0x2);
    CHECK_EQ(poll(0x6), 0);
    CHECK_EQ(poll(UINT64_MAX), 0x1);
    struct actor_call call =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_POLL);
    WITH(&call, notification_poll_params, .mask = 0);
    CHECK_STATUS(actor_call(actor, &call).result, STATUS_INVALID_ARGUMENT);
}

CORE_TEST(nothing_can_be_signalled_or_waited_for_with_no_bit)
{
    make();
    struct actor_call call = wait_call(0);
    CHECK_STATUS(actor_call(actor, &call).result, STATUS_INVALID_ARGUMENT);
    call.method = NOTIFICATION_METHOD_SIGNAL;
    CHECK_STATUS(actor_call(actor, &call).result, STATUS_INVALID_ARGUMENT);
    call.method = NOTIFICATION_METHODS;
    CHECK_STATUS(actor_call(actor, &call).result, STATUS_UNIMPLEMENTED);
}

CORE_TEST(a_cancelled_wait_takes_no_bits)
{
    make();
    submit_wait(1, 1);
    actor_push_simple(actor, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK_EQ(actor_enter(actor, 0, 0), 2);
    CHECK_STATUS(take(actor).result, STATUS_CANCELLED);
    CHECK_EQ(take(actor).result, 0);
    signal(1);
    check_signalled();
    submit_wait(1, 1);
    check_bits(1, 1);
}

CORE_TEST(a_waiter_that_ends_takes_no_bits)
{
    make();
    struct actor *other = actor_create("other");
    struct actor_call call = wait_call(1);
    call.cap = actor_give(other, actor_object(actor, notification));
    actor_submit_call(other, 1, &call);
    submit_wait(2, 1);
    actor_destroy(other);
    signal(1);
    check_bits(2, 1);
    check_signalled();
}

CORE_TEST(a_wait_outlives_the_capability_by_which_it_was_made)
{
    make();
    struct actor *other = actor_create("other");
    capos_cap_id others = actor_give(other, actor_object(actor, notification));
    submit_wait(1, 1);
    CHECK_EQ(actor_release(actor, notification), 0);
    CHECK(nothing_completed(actor));
    struct actor_call call =
        call_of(others, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&call, notification_signal_params, .bits = 1);
    CHECK_EQ(actor_call(other, &call).result, 0);
    check_bits(1, 1);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_signal_waits_for_a_waiter);
    RUN(a_waiter_waits_for_a_signal_that_it_cares_about);
    RUN(each_bit_is_seen_by_the_oldest_waiter_that_wants_it);
    RUN(a_signal_wakes_a_blocked_thread);
    RUN(poll_takes_what_is_there_and_never_waits);
    RUN(nothing_can_be_signalled_or_waited_for_with_no_bit);
    RUN(a_cancelled_wait_takes_no_bits);
    RUN(a_waiter_that_ends_takes_no_bits);
    RUN(a_wait_outlives_the_capability_by_which_it_was_made);
    return test_report();
}
