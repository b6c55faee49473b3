// SPDX-License-Identifier: MIT
// A budget's share of the CPUs: who runs on it has that share together, in virtual time.
#include "core_test.h"

#include <gen/wire/memory_budget.h>
#include <gen/wire/timer.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/sched.h>
#include <kernel/upcall.h>

constexpr uint32_t CPUS = 2;
constexpr unsigned MANY = 50;

static uint64_t run_ns(const struct actor *actor)
{
    sched_account();
    return actor->process->cpu_time_ns;
}

// Lets everybody run and says what part of the time an actor got, in percent of one CPU.
static uint64_t percent_of(const struct actor *actor, unsigned slices)
{
    host_resume(sched_leave());
    host_deliver_kicks();
    uint64_t before_ns = run_ns(actor);
    host_advance_ns(slices * SCHED_SLICE_NS);
    return (run_ns(actor) - before_ns) * 100 / (slices * SCHED_SLICE_NS);
}

static void pin(struct actor *actor)
{
    sched_set_affinity(actor_thread(actor), 1);
    host_resume(sched_leave());
    host_deliver_kicks();
}

// A process that spins on CPU 0.
static struct actor *spinner(const char *name)
{
    struct actor *actor = actor_create(name);
    pin(actor);
    return actor;
}

static struct actor *spinner_on(struct budget *budget, const char *name)
{
    struct actor *actor = actor_create_on(budget, name);
    pin(actor);
    return actor;
}

static void add_threads(struct actor *actor, unsigned count, uint64_t cpus)
{
    for (unsigned i = 0; i < count; i++) {
        struct thread *thread = thread_create(actor->process, PRIORITY_NORMAL, PRIORITY_NORMAL);
        CHECK(thread != nullptr);
        arch_thread_init(&thread->arch, actor->memory, actor->memory, 0, 0, 0);
        sched_set_affinity(thread, cpus);
        sched_ready(thread);
    }
}

static bool about(uint64_t value, uint64_t wanted)
{
    return value + 2 >= wanted && value <= wanted + 2;
}

CORE_TEST(many_threads_of_one_budget_have_one_share)
{
    struct actor *hog = spinner("hog"), *other = spinner("other");
    add_threads(hog, MANY - 1, 1);
    CHECK(about(percent_of(other, 400), 50));
}

CORE_TEST(many_processes_of_one_budget_have_one_share)
{
    struct actor *hog = spinner("hog"), *other = spinner("other");
    for (unsigned i = 0; i < 20; i++)
        (void)spinner_on(hog->budget, "another hog");
    CHECK(about(percent_of(other, 400), 50));
}

CORE_TEST(budgets_that_are_split_from_a_budget_divide_its_share)
{
    struct actor *hog = spinner("hog"), *other = spinner("other");
    struct budget *parts[10];
    struct actor *part = nullptr;
    for (unsigned i = 0; i < 10; i++) {
        parts[i] = budget_split(hog->budget, 1 << 20);
        part = spinner_on(parts[i], "part");
        object_put(&parts[i]->object);
    }
    CHECK(about(percent_of(other, 880), 50));
    CHECK(about(percent_of(part, 880), 50 / 11)); // the parts and the hog itself
    CHECK(about(percent_of(hog, 880), 50 / 11));
}

// Who computes for a slice and then sleeps for three needs a quarter of the CPU.
static unsigned rounds_of_work(struct actor *worker, capos_cap_id timer, unsigned slices)
{
    unsigned rounds = 0;
    uint64_t wanted_ns = run_ns(worker) + SCHED_SLICE_NS;
    for (uint64_t i = 0; i < slices * UINT64_C(40); i++) {
        host_advance_ns(SCHED_SLICE_NS / 40);
        if (actor_thread(worker)->state != THREAD_RUNNING || run_ns(worker) < wanted_ns)
            continue;
        struct capos_cqe cqe;
        while (actor_pop(worker, &cqe))
            ;
        struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
        WITH(&sleep, timer_sleep_params, .duration_ns = 3 * SCHED_SLICE_NS);
        actor_push_call(worker, 5, &sleep);
        CHECK_EQ(actor_enter(worker, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
        wanted_ns = run_ns(worker) + SCHED_SLICE_NS;
        rounds++;
    }
    return rounds;
}

CORE_TEST(a_hog_does_not_cost_others_their_throughput)
{
    struct actor *worker = spinner("worker");
    capos_cap_id timer = actor_give(worker, timer_object());
    unsigned alone = rounds_of_work(worker, timer, 400);
    CHECK(alone >= 95 && alone <= 100);
    struct actor *hog = spinner("hog");
    add_threads(hog, MANY - 1, 1);
    unsigned beside_a_hog = rounds_of_work(worker, timer, 400);
    // It waits for the slice that is under way when it wakes, at most: 5 slices for 4.
    CHECK(beside_a_hog >= alone * 4 / 5 - 1);
    printf("# rounds of work: %u alone, %u beside %u busy threads\n", alone, beside_a_hog,
           MANY);
}

CORE_TEST(a_hog_on_all_cpus_leaves_a_single_thread_half_a_cpu_at_least)
{
    struct actor *other = actor_create("other"), *hog = actor_create("hog");
    add_threads(hog, MANY - 1, THREAD_AFFINITY_ALL);
    CHECK(percent_of(other, 400) >= 48);
}

CORE_TEST(the_weight_decides_the_share)
{
    struct actor *heavy = spinner("heavy"), *light = spinner("light");
    sched_set_weight(heavy->budget, 300);
    add_threads(light, MANY - 1, 1);
    CHECK(about(percent_of(heavy, 400), 75));
    sched_set_weight(heavy->budget, 25); // at any time
    CHECK(about(percent_of(heavy, 400), 20));
    sched_set_weight(light->budget, 25);
    CHECK(about(percent_of(heavy, 400), 50));
}

CORE_TEST(the_weight_decides_the_share_of_all_cpus)
{
    struct actor *light = actor_create("light"), *heavy = actor_create("heavy");
    add_threads(light, 7, THREAD_AFFINITY_ALL);
    add_threads(heavy, 7, THREAD_AFFINITY_ALL);
    sched_set_weight(heavy->budget, 300);
    (void)percent_of(light, 50); // until they have spread
    CHECK(percent_of(light, 400) + 10 >= CPUS * 25 && percent_of(light, 400) <= CPUS * 25 + 10);
    CHECK(percent_of(heavy, 400) + 10 >= CPUS * 75);
}

CORE_TEST(the_lightest_budget_is_not_starved_and_holds_nobody_up)
{
    struct actor *light = spinner("light");
    sched_set_weight(light->budget, 1);
    host_advance_ns(100 * SCHED_SLICE_NS);
    struct actor *first = spinner("first");
    CHECK(percent_of(first, 300) >= 98);
    // Another newcomer gets its half soon, although the clock of the light one is far ahead.
    struct actor *second = spinner("second");
    CHECK(about(percent_of(second, 50), 50));
    uint64_t before_ns = run_ns(light);
    host_advance_ns(2010 * SCHED_SLICE_NS);
    CHECK(run_ns(light) > before_ns);
}

CORE_TEST(a_share_that_was_not_used_is_not_saved_up)
{
    struct actor *spins = spinner("spins"), *sleeps = spinner("sleeps");
    capos_cap_id timer = actor_give(sleeps, timer_object());
    struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = 1000 * SCHED_SLICE_NS);
    actor_push_call(sleeps, 5, &sleep);
    CHECK_EQ(actor_enter(sleeps, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    host_advance_ns(1000 * SCHED_SLICE_NS);
    CHECK(about(percent_of(spins, 100), 50));
}

// A lone thread isn't interrupted, so nobody charges it meanwhile.
CORE_TEST(who_ran_alone_for_long_has_paid_for_it_when_another_comes)
{
    struct actor *old = spinner("old");
    host_advance_ns(1000 * SCHED_SLICE_NS);
    struct actor *new = spinner("new");
    CHECK(about(percent_of(new, 100), 50));
    CHECK(about(percent_of(old, 100), 50));
}

// Turns that are far shorter than what a budget may owe.
CORE_TEST(short_turns_are_paid_for)
{
    struct actor *hog = spinner("hog"), *other = spinner("other");
    add_threads(hog, 7, 1);
    uint64_t before_ns = run_ns(other);
    constexpr uint64_t TURNS = 10'000, TURN_NS = LANE_UNPAID_NS / 50;
    for (unsigned i = 0; i < TURNS; i++) {
        host_advance_ns(TURN_NS);
        sched_give_way();
        host_resume(sched_leave());
    }
    CHECK(about((run_ns(other) - before_ns) * 100 / (TURNS * TURN_NS), 50));
}

CORE_TEST(priorities_divide_the_share_of_a_budget_and_no_other)
{
    struct actor *urgent = spinner("urgent"), *other = spinner("other");
    struct actor *beside = spinner_on(urgent->budget, "beside");
    sched_set_priority(actor_thread(urgent), PRIORITY_NORMAL + 5); // a factor of 3.05
    CHECK(about(percent_of(other, 400), 50));
    CHECK(about(percent_of(urgent, 400), 38));
    CHECK(about(percent_of(beside, 400), 12));
}

CORE_TEST(the_priority_that_a_thread_starts_with_counts)
{
    struct actor *heavy = spinner("heavy");
    struct thread *light = thread_create(heavy->process, 1, 1);
    CHECK(light->contender.slowness > actor_thread(heavy)->contender.slowness);
    thread_destroy(light);
}

CORE_TEST(an_interactive_thread_goes_ahead_of_other_budgets_too)
{
    struct actor *hog = spinner("hog"), *terminal = spinner("terminal");
    add_threads(hog, MANY - 1, 1);
    add_threads(terminal, MANY - 1, 1); // its own budget is busy as well
    struct thread *thread = actor_thread(terminal);
    thread->latency_max = LATENCY_CLASS_INTERACTIVE;
    sched_set_latency_class(thread, LATENCY_CLASS_INTERACTIVE);
    capos_cap_id timer = actor_give(terminal, timer_object());
    for (unsigned i = 0; i < 20; i++) {
        struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
        WITH(&sleep, timer_sleep_params, .duration_ns = (9 + i) * SCHED_SLICE_NS + 1000 * i);
        actor_run(terminal);
        actor_push_call(terminal, 5, &sleep);
        CHECK_EQ(actor_enter(terminal, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
        host_advance_ns((9 + i) * SCHED_SLICE_NS + 1000 * i);
        (void)take(terminal);
        CHECK(arch_cpu_at(0)->current == thread);
    }
    CHECK(about(percent_of(terminal, 400), 50)); // and that is all
}

CORE_TEST(budgets_may_be_nested_deeper_than_lanes)
{
    struct actor *other = spinner("other");
    struct budget *chain[2 * LANE_DEPTH_MAX];
    chain[0] = budget_split(harness_root_budget(), 8 << 20);
    for (unsigned i = 1; i < 2 * LANE_DEPTH_MAX; i++) {
        chain[i] = budget_split(chain[i - 1], (8 << 20) - i * (128 << 10));
        CHECK(chain[i] != nullptr);
        sched_set_weight(chain[i], 50);
    }
    (void)spinner_on(chain[2 * LANE_DEPTH_MAX - 1], "bottom");
    CHECK(about(percent_of(other, 400), 50));
    for (unsigned i = 0; i < 2 * LANE_DEPTH_MAX; i++)
        object_put(&chain[i]->object);
}

// ---- The interface --------------------------------------------------------------------

static enum status set_weight(struct actor *actor, capos_cap_id parent, capos_cap_id child,
                              uint32_t weight)
{
    struct capos_transfer transfer = {.cap = child};
    struct actor_call call =
        call_of(parent, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_SET_CPU_WEIGHT);
    WITH(&call, memory_budget_set_cpu_weight_params, .budget = 0, .weight = weight);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return (enum status) - actor_call(actor, &call).result;
}

CORE_TEST(only_who_split_a_budget_sets_its_weight)
{
    struct actor *actor = actor_create("parent");
    capos_cap_id own = actor_give(actor, &actor->budget->object);
    capos_cap_id root = actor_give(actor, &harness_root_budget()->object);
    struct budget *part = budget_split(actor->budget, 1 << 20);
    capos_cap_id child = actor_give_own(actor, &part->object, CAPOS_HOLD_COPY);
    CHECK_EQ(set_weight(actor, own, child, 7), STATUS_OK);
    CHECK_EQ(part->weight, 7);
    CHECK_EQ(set_weight(actor, own, own, 7), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_weight(actor, child, own, 7), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_weight(actor, root, child, 7), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_weight(actor, root, root, 7), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_weight(actor, own, child, 0), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_weight(actor, own, child, WEIGHT_MAX + 1), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_weight(actor, own, child, WEIGHT_MAX), STATUS_OK);
    struct actor_call call =
        call_of(child, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CPU_WEIGHT);
    struct capos_cqe cqe = actor_call(actor, &call);
    struct memory_budget_cpu_weight_results results = {};
    RESULTS(actor, 0, cqe, memory_budget_cpu_weight_results, &results);
    CHECK_EQ(results.weight, WEIGHT_MAX);
}

int main(void)
{
    harness_boot_cpus(HARNESS_RAM_BYTES, CPUS);
    RUN(many_threads_of_one_budget_have_one_share);
    RUN(many_processes_of_one_budget_have_one_share);
    RUN(budgets_that_are_split_from_a_budget_divide_its_share);
    RUN(a_hog_does_not_cost_others_their_throughput);
    RUN(a_hog_on_all_cpus_leaves_a_single_thread_half_a_cpu_at_least);
    RUN(the_weight_decides_the_share);
    RUN(the_weight_decides_the_share_of_all_cpus);
    RUN(the_lightest_budget_is_not_starved_and_holds_nobody_up);
    RUN(a_share_that_was_not_used_is_not_saved_up);
    RUN(who_ran_alone_for_long_has_paid_for_it_when_another_comes);
    RUN(short_turns_are_paid_for);
    RUN(priorities_divide_the_share_of_a_budget_and_no_other);
    RUN(the_priority_that_a_thread_starts_with_counts);
    RUN(an_interactive_thread_goes_ahead_of_other_budgets_too);
    RUN(budgets_may_be_nested_deeper_than_lanes);
    RUN(only_who_split_a_budget_sets_its_weight);
    return test_report();
}
