// SPDX-License-Identifier: MIT
// Tests of kernel/object/timer.c, kernel/sched/timeout.c and kernel/sched/sched.c, in
// virtual time.
#include "core_test.h"

#include <gen/wire/timer.h>
#include <kernel/arch.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/sched.h>
#include <kernel/upcall.h>

static struct actor *actor;
static capos_cap_id timer;

static void make(void)
{
    actor = actor_create("sleeper");
    timer = actor_give(actor, timer_object());
}

static uint64_t now(void)
{
    struct actor_call call = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_NOW);
    struct capos_cqe cqe = actor_call(actor, &call);
    struct timer_now_results results = {};
    RESULTS(actor, 0, cqe, timer_now_results, &results);
    return results.time_ns;
}

static void submit_sleep(unsigned slot, uint64_t duration_ns)
{
    struct actor_call call = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&call, timer_sleep_params, .duration_ns = duration_ns);
    actor_submit_call(actor, slot, &call);
}

static void submit_sleep_until(unsigned slot, uint64_t deadline_ns)
{
    struct actor_call call = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP_UNTIL);
    WITH(&call, timer_sleep_until_params, .deadline_ns = deadline_ns);
    actor_submit_call(actor, slot, &call);
}

static void check_slept(unsigned slot)
{
    struct capos_cqe cqe = take(actor);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_EQ(cqe.result, 0);
}

CORE_TEST(now_is_the_time_since_boot)
{
    make();
    uint64_t before_ns = now();
    host_advance_ns(12'345);
    CHECK_EQ(now(), before_ns + 12'345);
}

CORE_TEST(a_sleep_completes_when_its_time_has_passed_and_not_before)
{
    make();
    submit_sleep(1, 1000);
    host_advance_ns(999);
    CHECK(nothing_completed(actor));
    host_advance_ns(1);
    check_slept(1);
}

CORE_TEST(sleeps_complete_in_the_order_of_their_deadlines)
{
    make();
    uint64_t start_ns = arch_now_ns();
    static const uint64_t times_ns[] = {500, 100, 900, 300, 700, 100};
    for (unsigned i = 0; i < 6; i++)
        submit_sleep(i, times_ns[i]);
    submit_sleep_until(6, start_ns + 200);
    CHECK_EQ(host_timer_ns(), start_ns + 100);
    host_advance_ns(1000);
    static const unsigned order[] = {1, 5, 6, 3, 0, 4, 2};
    for (unsigned i = 0; i < 7; i++)
        check_slept(order[i]);
    CHECK_EQ(host_timer_ns(), UINT64_MAX); // nothing to wake up for
}

CORE_TEST(a_deadline_that_has_passed_completes_at_once)
{
    make();
    host_advance_ns(100);
    submit_sleep_until(1, arch_now_ns());
    check_slept(1);
    submit_sleep_until(2, 0);
    check_slept(2);
    submit_sleep(3, 0);
    check_slept(3);
}

CORE_TEST(a_sleep_beyond_the_clock_lasts_for_ever)
{
    make();
    submit_sleep(1, UINT64_MAX);
    host_advance_ns(UINT64_C(1) << 60);
    CHECK(nothing_completed(actor));
    actor_push_simple(actor, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK_EQ(actor_enter(actor, 0, 0), 2);
    CHECK_STATUS(take(actor).result, STATUS_CANCELLED);
    CHECK_EQ(take(actor).result, 0);
    CHECK_EQ(timeout_next_ns(), UINT64_MAX);
}

CORE_TEST(a_thread_that_blocks_is_woken_by_its_sleep)
{
    make();
    submit_sleep(1, 1'000'000);
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK(arch_cpu()->current == nullptr);
    host_advance_ns(1'000'000);
    CHECK_EQ(actor_returned(actor), 1);
    CHECK(arch_cpu()->current == actor_thread(actor));
    check_slept(1);
}

CORE_TEST(a_wait_ends_by_whichever_comes_first)
{
    make();
    submit_sleep(1, 500);
    CHECK_EQ(actor_enter(actor, 1, 1000), ACTOR_BLOCKED);
    host_advance_ns(500);
    CHECK_EQ(actor_returned(actor), 1);
    check_slept(1);
    CHECK_EQ(timeout_next_ns(), UINT64_MAX); // the wait's own deadline is gone
    submit_sleep(1, 500);
    CHECK_EQ(actor_enter(actor, 1, 200), ACTOR_BLOCKED);
    host_advance_ns(200);
    CHECK_EQ(actor_returned(actor), 0);
    host_advance_ns(300);
    check_slept(1);
}

CORE_TEST(the_time_stamp_counter_is_for_those_who_hold_a_timer)
{
    make();
    struct actor *timeless = actor_create("timeless");
    actor_run(timeless);
    // actor_run doesn't switch as the core does; a blocked thread that goes on does.
    submit_sleep(1, 10);
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK(arch_cpu()->current == actor_thread(timeless));
    CHECK(!host_tsc_allowed());
    actor_exit(timeless, 0);
    host_advance_ns(10);
    CHECK(arch_cpu()->current == actor_thread(actor));
    CHECK(host_tsc_allowed());
}

CORE_TEST(the_time_stamp_counter_goes_with_the_last_timer)
{
    make();
    actor_run(actor);
    (void)actor_enter(actor, 0, 0);
    CHECK(host_tsc_allowed());
    capos_cap_id second = actor_give(actor, timer_object());
    CHECK_EQ(actor_release(actor, timer), 0);
    CHECK(host_tsc_allowed());
    CHECK_EQ(actor_release(actor, second), 0);
    CHECK(!host_tsc_allowed());
}

CORE_TEST(a_timer_interrupt_that_comes_early_is_asked_for_again)
{
    make();
    submit_sleep(1, 1000);
    uint64_t deadline_ns = host_timer_ns();
    CHECK_EQ(deadline_ns, arch_now_ns() + 1000);
    arch_timer_set(UINT64_MAX); // as a machine whose timer has fired
    (void)!kernel_timer();
    CHECK_EQ(host_timer_ns(), deadline_ns);
    CHECK(nothing_completed(actor));
    host_advance_ns(1000);
    check_slept(1);
}

// ---- Scheduling ---------------------------------------------------------------------

CORE_TEST(ready_threads_take_turns_by_slices)
{
    struct actor *spinners[3] = {actor_create("a"), actor_create("b"), actor_create("c")};
    for (unsigned i = 0; i < 300; i++)
        host_advance_ns(SCHED_SLICE_NS / 2);
    uint64_t times_ns[3], sum_ns = 0;
    for (unsigned i = 0; i < 3; i++)
        sum_ns += times_ns[i] = spinners[i]->process->cpu_time_ns;
    for (unsigned i = 0; i < 3; i++) {
        CHECK(times_ns[i] >= sum_ns / 3 - 2 * SCHED_SLICE_NS);
        CHECK(times_ns[i] <= sum_ns / 3 + 2 * SCHED_SLICE_NS);
    }
}

CORE_TEST(a_lone_thread_is_never_interrupted)
{
    make();
    actor_run(actor);
    CHECK_EQ(host_timer_ns(), UINT64_MAX);
    struct actor *second = actor_create("second");
    CHECK(host_timer_ns() <= arch_now_ns() + SCHED_SLICE_NS);
    actor_exit(second, 0);
    host_advance_ns(2 * SCHED_SLICE_NS);
    CHECK_EQ(host_timer_ns(), UINT64_MAX);
}

CORE_TEST(a_sleeper_that_wakes_up_does_not_wait_for_a_spinner)
{
    make();
    struct actor *spinner = actor_create("spinner");
    for (unsigned round = 0; round < 10; round++) {
        submit_sleep(1, 20 * SCHED_SLICE_NS);
        CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
        CHECK(arch_cpu()->current == actor_thread(spinner));
        host_advance_ns(20 * SCHED_SLICE_NS);
        uint64_t waited_ns = 0;
        while (arch_cpu()->current != actor_thread(actor) && waited_ns < 10 * SCHED_SLICE_NS) {
            host_advance_ns(SCHED_SLICE_NS / 8);
            waited_ns += SCHED_SLICE_NS / 8;
        }
        CHECK(waited_ns <= SCHED_SLICE_NS);
        check_slept(1);
    }
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(now_is_the_time_since_boot);
    RUN(a_sleep_completes_when_its_time_has_passed_and_not_before);
    RUN(sleeps_complete_in_the_order_of_their_deadlines);
    RUN(a_deadline_that_has_passed_completes_at_once);
    RUN(a_sleep_beyond_the_clock_lasts_for_ever);
    RUN(a_thread_that_blocks_is_woken_by_its_sleep);
    RUN(a_wait_ends_by_whichever_comes_first);
    RUN(the_time_stamp_counter_is_for_those_who_hold_a_timer);
    RUN(the_time_stamp_counter_goes_with_the_last_timer);
    RUN(a_timer_interrupt_that_comes_early_is_asked_for_again);
    RUN(ready_threads_take_turns_by_slices);
    RUN(a_lone_thread_is_never_interrupted);
    RUN(a_sleeper_that_wakes_up_does_not_wait_for_a_spinner);
    return test_report();
}
