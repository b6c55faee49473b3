// SPDX-License-Identifier: MIT
// Notification: signals are collected, waiters served in order, between processes too.
#include <capos/test.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>

static notification_cap create(void)
{
    notification_cap notification = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    return notification;
}

static uint64_t wait(notification_cap notification, uint64_t mask)
{
    uint64_t bits = 0;
    CHECK_OK(notification_wait(notification, mask, &bits));
    return bits;
}

static int child_signals(void)
{
    notification_cap notification;
    EXPECT_OK(notification_cap_find("bell", &notification));
    EXPECT_OK(notification_signal(notification, 0x10));
    return 0;
}

// Waits for "bell", then rings "answer".
static int child_answers(void)
{
    notification_cap bell, answer;
    uint64_t bits;
    EXPECT_OK(notification_cap_find("bell", &bell));
    EXPECT_OK(notification_cap_find("answer", &answer));
    EXPECT_OK(notification_wait(bell, UINT64_MAX, &bits));
    EXPECT_OK(notification_signal(answer, bits << 1));
    return 0;
}

static void notification_is_out_of_reach_without_the_grant(void)
{
    notification_cap notification = create();
    CHECK_DENIED("bell", INTERFACE_NOTIFICATION);
    notification_cap_release(&notification);
}

static void a_signal_from_another_process_arrives(void)
{
    notification_cap notification = create();
    const struct test_child_grant grants[] = {test_lend("bell", notification.id)};
    CHECK_CHILD("signals", grants, 1);
    CHECK_EQ(wait(notification, UINT64_MAX), 0x10);
    notification_cap_release(&notification);
}

static void two_processes_ring_back_and_forth(void)
{
    notification_cap bell = create(), answer = create();
    const struct test_child_grant grants[] = {test_lend("bell", bell.id),
                                              test_lend("answer", answer.id)};
    process_handle_cap process;
    struct test_end end;
    if (CHECK_OK(test_start("answers", nullptr, 0, grants, 2, &process))) {
        CHECK_OK(notification_signal(bell, 4));
        CHECK_EQ(wait(answer, UINT64_MAX), 8);
        CHECK_OK(test_wait(process, &end));
        CHECK_EQ(end.exit_code, 0);
    }
    notification_cap_release(&bell);
    notification_cap_release(&answer);
}

static void signals_are_collected_until_somebody_waits(void)
{
    notification_cap notification = create();
    CHECK_OK(notification_signal(notification, 1));
    CHECK_OK(notification_signal(notification, 1));
    CHECK_OK(notification_signal(notification, 0x8000000000000000));
    CHECK_EQ(wait(notification, UINT64_MAX), 0x8000000000000001);
    notification_cap_release(&notification);
}

static void wait_takes_only_the_bits_of_its_mask(void)
{
    notification_cap notification = create();
    CHECK_OK(notification_signal(notification, 7));
    CHECK_EQ(wait(notification, 2), 2);
    CHECK_EQ(wait(notification, 0xf), 5);
    notification_cap_release(&notification);
}

static void a_signal_completes_the_oldest_waiter_whose_mask_it_meets(void)
{
    notification_cap notification = create();
    struct capos_call other, first, second;
    uint64_t bits = 0;
    CHECK_OK(notification_wait_begin(&other, notification, 2));
    CHECK_OK(notification_wait_begin(&first, notification, 1));
    CHECK_OK(notification_wait_begin(&second, notification, 1));
    CHECK_OK(notification_signal(notification, 1));
    CHECK_OK(notification_wait_finish(&first, &bits));
    CHECK_EQ(bits, 1);
    CHECK(!capos_call_is_done(&other) && !capos_call_is_done(&second));
    CHECK_OK(notification_signal(notification, 3));
    CHECK_OK(notification_wait_finish(&second, &bits));
    CHECK_EQ(bits, 1);
    CHECK_OK(notification_wait_finish(&other, &bits));
    CHECK_EQ(bits, 2);
    notification_cap_release(&notification);
}

static void a_cancelled_wait_takes_no_signal(void)
{
    notification_cap notification = create();
    struct capos_call call;
    uint64_t bits;
    CHECK_OK(notification_wait_begin(&call, notification, 1));
    capos_call_cancel(&call);
    CHECK_STATUS(notification_wait_finish(&call, &bits), STATUS_CANCELLED);
    CHECK_OK(notification_signal(notification, 1));
    CHECK_EQ(wait(notification, 1), 1);
    notification_cap_release(&notification);
}

static void zero_bits_are_refused(void)
{
    notification_cap notification = create();
    CHECK_STATUS(notification_signal(notification, 0), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(notification_wait(notification, 0, nullptr), STATUS_INVALID_ARGUMENT);
    notification_cap_release(&notification);
}

// A pending wait keeps the object, so nothing breaks and the wait can be withdrawn.
static void releasing_the_last_hold_leaves_a_pending_wait_to_be_cancelled(void)
{
    notification_cap notification = create();
    struct capos_call call;
    CHECK_OK(notification_wait_begin(&call, notification, 1));
    CHECK_OK(notification_signal(notification, 2));
    notification_cap_release(&notification);
    capos_call_cancel(&call);
    CHECK_STATUS(notification_wait_finish(&call, nullptr), STATUS_CANCELLED);
}

static void tests(void)
{
    RUN(notification_is_out_of_reach_without_the_grant);
    RUN(a_signal_from_another_process_arrives);
    RUN(two_processes_ring_back_and_forth);
    RUN(signals_are_collected_until_somebody_waits);
    RUN(wait_takes_only_the_bits_of_its_mask);
    RUN(a_signal_completes_the_oldest_waiter_whose_mask_it_meets);
    RUN(a_cancelled_wait_takes_no_signal);
    RUN(zero_bits_are_refused);
    RUN(releasing_the_last_hold_leaves_a_pending_wait_to_be_cancelled);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"signals", child_signals},
                                             {"answers", child_answers}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
