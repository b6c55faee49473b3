// SPDX-License-Identifier: MIT
// Timer: the clock, waiting for it, and that time can't be told without one.
#include <capos/test.h>

#include <abi/syscall.h>
#include <capos/syscall.h>
#include <gen/capos/timer.h>

constexpr uint64_t MILLISECOND = 1'000'000;

static uint64_t now(void)
{
    uint64_t time_ns = 0;
    CHECK_OK(timer_now(test_timer(), &time_ns));
    return time_ns;
}

// ---- Roles ---------------------------------------------------------------------------

static int child_uses_the_timer(void)
{
    timer_cap timer;
    uint64_t before, after;
    EXPECT_OK(timer_cap_find("timer", &timer));
    EXPECT_OK(timer_now(timer, &before));
    EXPECT_OK(timer_sleep(timer, MILLISECOND));
    EXPECT_OK(timer_now(timer, &after));
    EXPECT(after - before >= MILLISECOND);
    return 0;
}

// A wait of at most `timeout_ns` for a completion that doesn't come.
static int child_waits_without_a_timer(void)
{
    EXPECT(capos_cap_enter(1, MILLISECOND) == -(int64_t)STATUS_BAD_CAPABILITY);
    EXPECT(capos_cap_enter(0, MILLISECOND) == 0);
    EXPECT(capos_cap_enter(1, CAPOS_FOREVER) == -(int64_t)STATUS_QUEUE_FULL);
    return 0;
}

static int child_waits_with_a_timer(void)
{
    timer_cap timer;
    uint64_t before, after;
    EXPECT_OK(timer_cap_find("timer", &timer));
    EXPECT_OK(timer_now(timer, &before));
    EXPECT(capos_cap_enter(1, 2 * MILLISECOND) == 0);
    EXPECT_OK(timer_now(timer, &after));
    EXPECT(after - before >= 2 * MILLISECOND);
    return 0;
}

static int child_reads_the_time_stamp_counter(void)
{
    uint64_t before = __builtin_ia32_rdtsc();
    EXPECT(__builtin_ia32_rdtsc() >= before);
    return 0;
}

// Gives its only Timer up between two reads of the counter.
static int child_releases_its_timer(void)
{
    timer_cap timer;
    EXPECT_OK(timer_cap_find("timer", &timer));
    (void)__builtin_ia32_rdtsc();
    timer_cap_release(&timer);
    EXPECT(capos_cap_enter(0, 0) >= 0);
    (void)__builtin_ia32_rdtsc();
    return __LINE__;
}

// ---- Tests ---------------------------------------------------------------------------

static void timer_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("timer", INTERFACE_TIMER);
}

static void timer_works_for_whom_it_was_granted(void)
{
    const struct test_child_grant grants[] = {test_lend("timer", test_timer().id)};
    CHECK_CHILD("uses the timer", grants, 1);
}

static void timer_now_never_goes_back(void)
{
    uint64_t last = now();
    for (int i = 0; i < 200; i++) {
        uint64_t next = now();
        if (!CHECK(next >= last))
            return;
        last = next;
    }
}

static void timer_sleep_takes_at_least_its_time(void)
{
    uint64_t before = now();
    CHECK_OK(timer_sleep(test_timer(), 3 * MILLISECOND));
    CHECK(now() - before >= 3 * MILLISECOND);
}

static void timer_sleep_of_nothing_completes_at_once(void)
{
    CHECK_OK(timer_sleep(test_timer(), 0));
}

static void timer_sleep_until_reaches_the_deadline(void)
{
    uint64_t deadline = now() + 2 * MILLISECOND;
    CHECK_OK(timer_sleep_until(test_timer(), deadline));
    CHECK(now() >= deadline);
}

static void timer_sleep_until_the_past_completes_at_once(void)
{
    struct capos_call call;
    CHECK_OK(timer_sleep_until_begin(&call, test_timer(), 1));
    CHECK_EQ(now() > 1, true); // a synchronous call submits what was begun before
    CHECK(capos_call_is_done(&call));
    CHECK_OK(timer_sleep_until_finish(&call));
}

static void timer_sleeps_complete_in_the_order_of_their_deadlines(void)
{
    struct capos_call late, early;
    uint64_t begin = now();
    CHECK_OK(timer_sleep_until_begin(&late, test_timer(), begin + 40 * MILLISECOND));
    CHECK_OK(timer_sleep_until_begin(&early, test_timer(), begin + 2 * MILLISECOND));
    CHECK_OK(timer_sleep_finish(&early));
    // Unless the machine was so slow that both have passed.
    CHECK(!capos_call_is_done(&late) || now() >= begin + 40 * MILLISECOND);
    CHECK_OK(timer_sleep_finish(&late));
    CHECK(now() >= begin + 40 * MILLISECOND);
}

static void timer_sleep_is_cancelled(void)
{
    struct capos_call call;
    CHECK_OK(timer_sleep_begin(&call, test_timer(), 3'600'000 * MILLISECOND));
    capos_call_cancel(&call);
    CHECK_STATUS(timer_sleep_finish(&call), STATUS_CANCELLED);
}

static void timer_sleep_beyond_the_range_of_the_clock_sleeps_for_ever(void)
{
    struct capos_call call;
    CHECK_OK(timer_sleep_begin(&call, test_timer(), UINT64_MAX));
    CHECK_OK(timer_sleep(test_timer(), MILLISECOND));
    CHECK(!capos_call_is_done(&call));
    capos_call_cancel(&call);
    CHECK_STATUS(timer_sleep_finish(&call), STATUS_CANCELLED);
}

static void many_sleeps_are_in_flight_at_once(void)
{
    struct capos_call calls[32];
    for (size_t i = 0; i < 32; i++)
        CHECK_OK(timer_sleep_begin(&calls[i], test_timer(), (32 - i) * MILLISECOND / 8));
    for (size_t i = 0; i < 32; i++)
        CHECK_OK(timer_sleep_finish(&calls[i]));
}

static void a_bounded_wait_needs_a_timer(void)
{
    const struct test_child_grant grants[] = {test_lend("timer", test_timer().id)};
    CHECK_CHILD("waits without a timer", nullptr, 0);
    CHECK_CHILD("waits with a timer", grants, 1);
}

static void the_time_stamp_counter_needs_a_timer(void)
{
    const struct test_child_grant grants[] = {test_lend("timer", test_timer().id)};
    CHECK_FAULTS("reads the time stamp counter", nullptr, 0, FAULT_KIND_GENERAL_PROTECTION,
                 nullptr);
    CHECK_CHILD("reads the time stamp counter", grants, 1);
}

static void the_time_stamp_counter_goes_with_the_last_timer(void)
{
    const struct test_child_grant grants[] = {test_lend("timer", test_timer().id)};
    CHECK_FAULTS("releases its timer", grants, 1, FAULT_KIND_GENERAL_PROTECTION, nullptr);
}

static void tests(void)
{
    RUN(timer_is_out_of_reach_without_the_grant);
    RUN(timer_works_for_whom_it_was_granted);
    RUN(timer_now_never_goes_back);
    RUN(timer_sleep_takes_at_least_its_time);
    RUN(timer_sleep_of_nothing_completes_at_once);
    RUN(timer_sleep_until_reaches_the_deadline);
    RUN(timer_sleep_until_the_past_completes_at_once);
    RUN(timer_sleeps_complete_in_the_order_of_their_deadlines);
    RUN(timer_sleep_is_cancelled);
    RUN(timer_sleep_beyond_the_range_of_the_clock_sleeps_for_ever);
    RUN(many_sleeps_are_in_flight_at_once);
    RUN(a_bounded_wait_needs_a_timer);
    RUN(the_time_stamp_counter_needs_a_timer);
    RUN(the_time_stamp_counter_goes_with_the_last_timer);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"uses the timer", child_uses_the_timer},
        {"waits without a timer", child_waits_without_a_timer},
        {"waits with a timer", child_waits_with_a_timer},
        {"reads the time stamp counter", child_reads_the_time_stamp_counter},
        {"releases its timer", child_releases_its_timer},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
