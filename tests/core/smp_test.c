// SPDX-License-Identifier: MIT
// Several CPUs: where threads run, what one CPU does to another.  The test chooses which CPU makes
// the next upcall (host_cpu_use) and when kicks arrive (host_deliver_kicks), so every order of
// two CPUs that matters to the core is one that a test can write down.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <gen/wire/timer.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/sched.h>
#include <kernel/upcall.h>

constexpr uint32_t CPUS = 4;

static struct thread *current_on(uint32_t index)
{
    return arch_cpu_at(index)->current;
}

// The CPU that runs an actor; CPUS if none does.
static uint32_t cpu_of(const struct actor *actor)
{
    for (uint32_t i = 0; i < CPUS; i++)
        if (current_on(i) == actor_thread(actor))
            return i;
    return CPUS;
}

// An actor that spins on a CPU of its own.
static struct actor *spinner_on(uint32_t index, const char *name)
{
    struct actor *actor = actor_create(name);
    sched_set_affinity(actor_thread(actor), UINT64_C(1) << index);
    host_resume(sched_leave());
    host_deliver_kicks();
    CHECK_EQ(cpu_of(actor), index);
    sched_set_affinity(actor_thread(actor), THREAD_AFFINITY_ALL);
    return actor;
}

// Another thread of an actor's process, for some CPUs.
static struct thread *second_thread_for(struct actor *actor, uint64_t cpus)
{
    struct thread *thread = thread_create(actor->process, PRIORITY_NORMAL, PRIORITY_NORMAL);
    CHECK(thread != nullptr);
    arch_thread_init(&thread->arch, actor->memory, actor->memory, 0, 0, 0);
    sched_set_affinity(thread, cpus);
    sched_ready(thread);
    return thread;
}

static struct thread *second_thread(struct actor *actor)
{
    return second_thread_for(actor, THREAD_AFFINITY_ALL);
}

static uint64_t run_ns(struct actor *actor)
{
    sched_account();
    return actor->process->cpu_time_ns;
}

// ---- Placement ----------------------------------------------------------------------

CORE_TEST(a_second_ready_thread_gets_an_idle_cpu)
{
    struct actor *first = actor_create("first");
    CHECK_EQ(cpu_of(first), 0);
    CHECK(!host_cpu_kicked(1) && !host_cpu_kicked(2) && !host_cpu_kicked(3));
    struct actor *second = actor_create("second");
    CHECK_EQ(cpu_of(first), 0);
    CHECK_EQ(cpu_of(second), CPUS); // it waits, and somebody is on the way
    CHECK_EQ(host_cpu_kicked(1) + host_cpu_kicked(2) + host_cpu_kicked(3), 1);
    host_deliver_kicks();
    CHECK(cpu_of(second) != 0 && cpu_of(second) != CPUS);
    CHECK_EQ(cpu_of(first), 0);
}

CORE_TEST(as_many_cpus_are_woken_as_threads_wait)
{
    struct actor *actors[6];
    for (unsigned i = 0; i < 6; i++)
        actors[i] = actor_create("many");
    CHECK(host_cpu_kicked(1) && host_cpu_kicked(2) && host_cpu_kicked(3));
    host_deliver_kicks();
    unsigned running = 0;
    for (unsigned i = 0; i < 6; i++)
        running += cpu_of(actors[i]) != CPUS;
    CHECK_EQ(running, CPUS);
    CHECK_EQ(arch_cpu_at(0)->offers, 0);
}

CORE_TEST(a_cpu_that_runs_out_of_threads_takes_one_from_the_longest_queue)
{
    struct actor *actors[7];
    for (unsigned i = 0; i < 7; i++)
        actors[i] = actor_create("many");
    host_deliver_kicks();
    uint32_t waiting = arch_cpu_at(0)->queue_count;
    CHECK_EQ(waiting, 3);
    for (unsigned i = 0; i < 7 && waiting > 0; i++) {
        uint32_t cpu = cpu_of(actors[i]);
        if (cpu == 0 || cpu == CPUS)
            continue;
        actor_exit(actors[i], 0);
        CHECK(current_on(cpu) != nullptr);
        CHECK_EQ(arch_cpu_at(0)->queue_count, --waiting);
    }
    CHECK_EQ(waiting, 0);
}

CORE_TEST(a_woken_cpu_that_finds_nothing_idles_again)
{
    struct actor *first = actor_create("first");
    struct actor *second = actor_create("second");
    actor_exit(first, 0); // CPU 0 goes on to the second itself
    CHECK_EQ(cpu_of(second), 0);
    host_deliver_kicks();
    CHECK_EQ(cpu_of(second), 0);
    CHECK_EQ(arch_cpu_at(0)->offers, 0);
    // And it can be woken again.
    struct actor *third = actor_create("third");
    host_deliver_kicks();
    CHECK(cpu_of(third) != CPUS);
}

CORE_TEST(a_thread_whose_cpu_went_to_a_longer_queue_is_offered_again)
{
    struct actor *busy = spinner_on(1, "busy");
    (void)spinner_on(0, "also busy");
    struct actor *waits = actor_create("waits");
    CHECK(host_cpu_kicked(2) && !host_cpu_kicked(3));
    host_cpu_use(1);
    (void)second_thread_for(busy, 1 << 1 | 1 << 2);
    (void)second_thread_for(busy, 1 << 1 | 1 << 2);
    host_resume(sched_leave());
    CHECK(!host_cpu_kicked(3)); // these may not run there
    host_deliver_kicks();
    CHECK(current_on(2)->process == busy->process);
    CHECK_EQ(cpu_of(waits), 3);
}

CORE_TEST(affinity_moves_a_thread_that_runs)
{
    struct actor *actor = actor_create("pinned");
    CHECK_EQ(cpu_of(actor), 0);
    sched_set_affinity(actor_thread(actor), 1 << 2);
    host_resume(sched_leave());
    CHECK(current_on(0) == nullptr && host_cpu_kicked(2));
    host_deliver_kicks();
    CHECK_EQ(cpu_of(actor), 2);
    // From another CPU, too.
    sched_set_affinity(actor_thread(actor), 1 << 3 | 1 << 1);
    CHECK(host_cpu_kicked(2));
    host_deliver_kicks();
    CHECK(cpu_of(actor) == 1 || cpu_of(actor) == 3);
}

CORE_TEST(affinity_moves_a_thread_that_waits_in_a_queue)
{
    struct actor *first = spinner_on(0, "first"), *second = actor_create("second");
    CHECK_EQ(cpu_of(first), 0);
    CHECK_EQ(cpu_of(second), CPUS);
    sched_set_affinity(actor_thread(second), 1 << 3);
    host_deliver_kicks();
    CHECK_EQ(cpu_of(second), 3);
}

CORE_TEST(affinity_may_name_cpus_that_are_not_there)
{
    struct actor *actor = actor_create("pinned");
    sched_set_affinity(actor_thread(actor), UINT64_C(1) << 63 | 1);
    host_resume(sched_leave());
    CHECK_EQ(cpu_of(actor), 0);
}

CORE_TEST(a_pinned_thread_is_not_stolen)
{
    struct actor *first = spinner_on(0, "first"), *second = actor_create("second");
    sched_set_affinity(actor_thread(second), 1);
    host_resume(sched_leave());
    host_deliver_kicks();
    CHECK_EQ(cpu_of(second), CPUS);
    host_advance_ns(4 * SCHED_SLICE_NS);
    CHECK(cpu_of(first) == 0 || cpu_of(second) == 0);
    CHECK(current_on(1) != actor_thread(second) && current_on(2) != actor_thread(second));
    actor_kill(first);
    CHECK_EQ(cpu_of(second), 0);
}

// ---- Calls from one CPU to another ----------------------------------------------------

static struct actor *client, *server;
static capos_cap_id endpoint, object;

static void make_pair(void)
{
    server = actor_create("server");
    endpoint = actor_give_own(server, endpoint_create(server->budget, 4), CAPOS_HOLD_COPY);
    struct actor_call mint = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint, endpoint_mint_params, .interface_id = INTERFACE_STDIO);
    struct capos_cqe cqe = actor_call(server, &mint);
    capos_cap_id minted = actor_result_cap(server, 0, &cqe, 0);
    struct object *held = actor_object(server, minted);
    client = actor_create("client");
    object = actor_give(client, held);
    CHECK_EQ(actor_release(server, minted), 0);
}

static void server_waits(void)
{
    actor_push_simple(server, 1, CAPOS_OP_RECV, endpoint, 0);
    struct capos_sqe sqe = {
        .opcode = CAPOS_OP_RECV,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .user_data = 1,
        .cap = endpoint,
        .result = CAPOS_RING_MESSAGE_OFFSET,
        .result_bytes_max = 1024,
    };
    server->sq_tail--;
    actor_push(server, &sqe);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
}

static void client_calls(void)
{
    struct capos_sqe sqe = {
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .user_data = 2,
        .cap = object,
        .interface_id = INTERFACE_STDIO,
        .params = CAPOS_RING_MESSAGE_OFFSET,
        .result = CAPOS_RING_MESSAGE_OFFSET + 2048,
        .result_bytes_max = 1024,
    };
    actor_push(client, &sqe);
    CHECK_EQ(actor_enter(client, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
}

static uint64_t received_call_id(void)
{
    const uint8_t *ring = (const uint8_t *)actor_ring(server);
    struct capos_recv_header header;
    memcpy(&header, ring + CAPOS_RING_MESSAGE_OFFSET, sizeof header);
    struct capos_cqe cqe = take(server);
    CHECK_EQ(cqe.result, 0);
    return header.call_id;
}

CORE_TEST(a_server_comes_to_the_cpu_of_its_caller)
{
    make_pair();
    sched_set_affinity(actor_thread(server), 1 << 1);
    host_resume(sched_leave());
    host_deliver_kicks();
    server_waits();
    CHECK(current_on(1) == nullptr);
    sched_set_affinity(actor_thread(server), THREAD_AFFINITY_ALL);
    host_cpu_use(2);
    host_deliver_kicks();
    actor_run(client);
    uint32_t at = cpu_of(client);
    client_calls();
    CHECK_EQ(cpu_of(server), at);
    for (uint32_t i = 0; i < CPUS; i++)
        CHECK(i == at || !host_cpu_kicked(i));
}

CORE_TEST(a_server_that_is_pinned_elsewhere_is_woken_there)
{
    make_pair();
    sched_set_affinity(actor_thread(server), 1 << 1);
    host_resume(sched_leave());
    host_deliver_kicks();
    server_waits();
    host_cpu_use(0);
    actor_run(client);
    CHECK_EQ(cpu_of(client), 0);
    client_calls();
    CHECK(current_on(0) == nullptr && host_cpu_kicked(1));
    host_deliver_kicks();
    CHECK_EQ(cpu_of(server), 1);
    // And back: the client may run anywhere, so it runs on with the server that answers.
    struct capos_sqe answer = {
        .opcode = CAPOS_OP_RETURN_RECV,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .user_data = 3,
        .cap = endpoint,
        .call_id = received_call_id(),
        .params = CAPOS_RING_MESSAGE_OFFSET + 2048,
        .result = CAPOS_RING_MESSAGE_OFFSET,
        .result_bytes_max = 1024,
    };
    actor_push(server, &answer);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK_EQ(cpu_of(client), 1);
    CHECK_EQ(take(client).user_data, 2);
}

CORE_TEST(a_server_that_is_pinned_while_it_waits_is_not_handed_over_to)
{
    make_pair();
    server_waits();
    uint32_t at = actor_thread(server)->cpu->index, other = at == 3 ? 2 : 3;
    sched_set_affinity(actor_thread(server), 1 << other);
    sched_set_affinity(actor_thread(client), 1 << at);
    host_resume(sched_leave());
    host_deliver_kicks();
    CHECK_EQ(cpu_of(client), at);
    client_calls();
    host_deliver_kicks();
    CHECK_EQ(cpu_of(server), other);
}

CORE_TEST(a_client_that_is_answered_by_another_cpu_gets_an_idle_one)
{
    make_pair();
    server_waits();
    host_deliver_kicks();
    host_cpu_use(0);
    actor_run(client);
    client_calls();
    uint32_t at = cpu_of(server);
    // An answer, without a wait: the server runs on.
    actor_push_simple(server, 4, CAPOS_OP_RETURN, endpoint, received_call_id());
    CHECK_EQ(actor_enter(server, 0, 0), 1);
    CHECK_EQ(cpu_of(server), at);
    host_deliver_kicks();
    CHECK(cpu_of(client) != at && cpu_of(client) != CPUS);
    CHECK_EQ(take(client).user_data, 2);
}

// A caller that is woken by somebody else while its server works on its time.
CORE_TEST(a_caller_that_another_cpu_wakes_no_longer_pays)
{
    make_pair();
    capos_cap_id timer = actor_give(client, timer_object());
    server_waits();
    host_deliver_kicks();
    host_cpu_use(0);
    actor_run(client);
    struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = 1000);
    actor_submit_call(client, 5, &sleep);
    client_calls();
    CHECK(arch_cpu_at(cpu_of(server))->charged == actor_thread(client));
    // Another CPU finds the deadline passed.
    host_cpu_use(3);
    host_advance_ns(1000);
    CHECK(arch_cpu_at(cpu_of(server))->charged == actor_thread(server));
    host_deliver_kicks();
    CHECK(cpu_of(client) != CPUS && cpu_of(client) != cpu_of(server));
    uint64_t before_ns = run_ns(client);
    host_advance_ns(500);
    CHECK_EQ(run_ns(client), before_ns + 500);
}

// A pair that pass each other the CPU by waking and parking in one operation, on different CPUs
// at first; `pinned`: one of them may not come to the other's.
static void pass_by_parking(bool pinned)
{
    struct actor *sleeper = spinner_on(1, "sleeper");
    struct actor *waker = actor_adopt(sleeper->process, sleeper->memory + 32 * PAGE_BYTES);
    capos_cap_id park = actor_give(sleeper, park_space_object());
    uint64_t word = sleeper->memory + 40 * PAGE_BYTES;
    waker->thread_id = second_thread_for(sleeper, 1)->id;
    host_resume(sched_leave());
    host_deliver_kicks();
    CHECK_EQ(cpu_of(waker), 0);
    if (pinned)
        sched_set_affinity(actor_thread(sleeper), 1 << 1);
    actor_push_park(sleeper, 1, park, word, 0, CAPOS_FOREVER);
    CHECK_EQ(actor_enter(sleeper, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    actor_push(waker, &(struct capos_sqe){.opcode = CAPOS_OP_PARK,
                                          .user_data = 2,
                                          .cap = park,
                                          .params = word + 64,
                                          .result = word,
                                          .result_bytes_max = 1,
                                          .timeout_ns = CAPOS_FOREVER});
    CHECK_EQ(actor_enter(waker, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    host_deliver_kicks();
    CHECK_EQ(cpu_of(sleeper), pinned ? 1 : 0);
    CHECK_EQ(actor_thread(sleeper)->cpu->index, cpu_of(sleeper));
    actor_kill(sleeper);
    actor_drop(waker);
}

CORE_TEST(who_is_woken_by_parking_comes_to_the_cpu_of_the_waker)
{
    pass_by_parking(false);
}

CORE_TEST(who_is_woken_by_parking_and_may_not_come_runs_where_it_may)
{
    pass_by_parking(true);
}

// ---- Ending ---------------------------------------------------------------------------

CORE_TEST(a_process_that_runs_on_another_cpu_is_killed_there)
{
    struct actor *killer = spinner_on(0, "killer"), *victim = spinner_on(2, "victim");
    CHECK(actor_touch(victim, victim->memory, true));
    host_cpu_use(0);
    actor_kill(victim);
    CHECK(!actor_alive(victim));
    CHECK_EQ(cpu_of(killer), 0);
    CHECK(current_on(2) == nullptr && host_cpu_kicked(2));
    host_deliver_kicks();
    CHECK(current_on(2) == nullptr);
}

CORE_TEST(the_next_thread_of_a_cpu_runs_when_its_current_one_is_killed)
{
    struct actor *victim = spinner_on(2, "victim"), *next = actor_create("next");
    sched_set_affinity(actor_thread(next), 1 << 2);
    host_resume(sched_leave());
    host_deliver_kicks();
    CHECK_EQ(cpu_of(victim), 2);
    host_cpu_use(0);
    actor_kill(victim);
    host_deliver_kicks();
    CHECK_EQ(cpu_of(next), 2);
}

CORE_TEST(a_process_ends_with_threads_on_every_cpu)
{
    struct actor *actor = spinner_on(0, "threads");
    struct thread *threads[CPUS + 1];
    for (unsigned i = 0; i < CPUS + 1; i++)
        threads[i] = second_thread(actor);
    host_resume(sched_leave());
    host_deliver_kicks();
    for (uint32_t i = 1; i < CPUS; i++)
        CHECK(current_on(i) != nullptr && current_on(i)->process == actor->process);
    CHECK_EQ(arch_cpu_at(0)->queue_count, 2); // of CPUS + 2 threads
    (void)threads;
    host_cpu_use(0);
    host_resume(kernel_exit(7));
    CHECK(!actor_alive(actor));
    CHECK_EQ(actor->process->end.exit_code, 7);
    for (uint32_t i = 1; i < CPUS; i++)
        CHECK(current_on(i) == nullptr && host_cpu_kicked(i));
    host_deliver_kicks();
}

// ---- Translations -----------------------------------------------------------------------

CORE_TEST(an_unmapped_page_is_forgotten_where_the_space_is_loaded)
{
    struct actor *actor = spinner_on(0, "unmaps"), *other = spinner_on(2, "other");
    struct thread *thread = second_thread(actor);
    host_resume(sched_leave());
    host_deliver_kicks();
    CHECK(actor_touch(other, other->memory, true));
    uint32_t at = thread->cpu->index;
    CHECK(at != 0 && at != 2 && current_on(at) == thread);
    host_cpu_use(0);
    CHECK(actor_touch(actor, actor->memory, true));
    host_cpu_use(at);
    host_tlb_fill(actor->memory);
    host_cpu_use(0);
    uint64_t before = host_shootdown_count;
    const char *reason;
    CHECK_EQ(space_decommit(&actor->process->space, actor->memory, PAGE_BYTES, &reason),
             STATUS_OK);
    CHECK_EQ(host_shootdown_count, before + 1); // the two others don't hold the space
    host_resume(sched_leave());                 // checks that nobody remembers the page
}

CORE_TEST(a_page_that_loses_a_right_loses_it_everywhere)
{
    struct actor *actor = spinner_on(0, "protects");
    struct thread *thread = second_thread(actor);
    host_resume(sched_leave());
    host_deliver_kicks();
    host_cpu_use(0);
    CHECK(actor_touch(actor, actor->memory, true));
    host_cpu_use(thread->cpu->index);
    host_tlb_fill(actor->memory);
    host_cpu_use(0);
    const char *reason;
    CHECK_EQ(space_protect(&actor->process->space, actor->memory, PAGE_BYTES, PROTECTION_READ,
                           &reason),
             STATUS_OK);
    host_resume(sched_leave());
}

CORE_TEST(a_space_that_nobody_else_holds_is_unmapped_in_quiet)
{
    struct actor *actor = spinner_on(0, "alone"), *other = spinner_on(1, "other");
    CHECK(actor_touch(other, other->memory, true));
    host_cpu_use(0);
    CHECK(actor_touch(actor, actor->memory, true));
    uint64_t before = host_shootdown_count;
    const char *reason;
    CHECK_EQ(space_decommit(&actor->process->space, actor->memory, PAGE_BYTES, &reason),
             STATUS_OK);
    CHECK_EQ(host_shootdown_count, before);
}

// ---- Time -------------------------------------------------------------------------------

static struct actor *sleeper_on(uint32_t cpu, uint64_t duration_ns)
{
    struct actor *actor = spinner_on(cpu, "sleeper");
    capos_cap_id timer = actor_give(actor, timer_object());
    struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = duration_ns);
    actor_push_call(actor, 5, &sleep);
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    host_cpu_use(0);
    return actor;
}

CORE_TEST(deadlines_of_several_cpus_are_met_in_order)
{
    struct actor *last = sleeper_on(1, 5000), *first = sleeper_on(2, 3000),
                 *middle = sleeper_on(3, 4000);
    host_advance_ns(2999);
    CHECK_EQ(actor_returned(first), ACTOR_BLOCKED);
    host_advance_ns(1);
    CHECK_EQ(actor_returned(first), 1);
    CHECK_EQ(actor_returned(middle), ACTOR_BLOCKED);
    host_advance_ns(1000);
    CHECK_EQ(actor_returned(middle), 1);
    host_advance_ns(1000);
    CHECK_EQ(actor_returned(last), 1);
}

CORE_TEST(a_deadline_is_met_by_the_cpu_that_idles_after_setting_it)
{
    struct actor *actor = sleeper_on(2, 1000);
    host_advance_ns(999);
    CHECK_EQ(actor_returned(actor), ACTOR_BLOCKED);
    host_advance_ns(1);
    CHECK_EQ(actor_returned(actor), 1);
}

CORE_TEST(a_deadline_outlives_the_one_before_it)
{
    struct actor *late = sleeper_on(1, 5000), *early = sleeper_on(2, 3000);
    actor_kill(early); // the earlier deadline is withdrawn by yet another CPU
    host_advance_ns(4999);
    CHECK_EQ(actor_returned(late), ACTOR_BLOCKED);
    host_advance_ns(1);
    CHECK_EQ(actor_returned(late), 1);
}

CORE_TEST(cpus_that_idle_or_run_one_thread_are_not_interrupted)
{
    (void)spinner_on(0, "a");
    (void)spinner_on(1, "b");
    host_advance_ns(2 * SCHED_SLICE_NS);
    CHECK_EQ(host_timer_ns(), UINT64_MAX);
}

CORE_TEST(a_process_that_gains_a_timer_may_read_the_clock_on_its_cpu)
{
    struct actor *actor = spinner_on(2, "gains");
    host_cpu_use(2);
    CHECK(!host_tsc_allowed());
    host_cpu_use(0);
    capos_cap_id timer = actor_give(actor, timer_object());
    CHECK(host_cpu_kicked(2));
    host_deliver_kicks();
    host_cpu_use(2);
    CHECK(host_tsc_allowed());
    CHECK_EQ(actor_release(actor, timer), 0);
    CHECK(!host_tsc_allowed());
}

// ---- Shares -----------------------------------------------------------------------------

// On the same budget as another one, if it isn't nullptr: a priority counts among those.
static struct actor *pinned_beside(const struct actor *beside, const char *name)
{
    struct actor *actor =
        beside == nullptr ? actor_create(name) : actor_create_on(beside->budget, name);
    sched_set_affinity(actor_thread(actor), 1);
    return actor;
}

static struct actor *pinned(const char *name)
{
    return pinned_beside(nullptr, name);
}

static void let_run(uint64_t duration_ns)
{
    host_resume(sched_leave());
    host_deliver_kicks();
    host_advance_ns(duration_ns);
}

static bool about(uint64_t value, uint64_t wanted, uint64_t tolerance)
{
    return value + tolerance >= wanted && value <= wanted + tolerance;
}

// Five steps of 5/4 are a factor of 3.05.
CORE_TEST(a_thread_runs_in_proportion_to_its_priority)
{
    struct actor *light = pinned("light"), *heavy = pinned_beside(light, "heavy");
    sched_set_priority(actor_thread(heavy), PRIORITY_NORMAL + 5);
    let_run(405 * SCHED_SLICE_NS);
    CHECK(about(run_ns(light), 100 * SCHED_SLICE_NS, 4 * SCHED_SLICE_NS));
    CHECK(about(run_ns(heavy), 305 * SCHED_SLICE_NS, 4 * SCHED_SLICE_NS));
}

// Thirty steps are a factor of 808.
CORE_TEST(the_lightest_thread_is_not_starved)
{
    struct actor *light = pinned("light"), *heavy = pinned_beside(light, "heavy");
    sched_set_priority(actor_thread(light), 1);
    sched_set_priority(actor_thread(heavy), PRIORITY_MAX);
    sched_set_latency_class(actor_thread(heavy), LATENCY_CLASS_INTERACTIVE);
    let_run(809 * 10 * SCHED_SLICE_NS);
    CHECK(about(run_ns(light), 10 * SCHED_SLICE_NS, 4 * SCHED_SLICE_NS));
}

// ---- Balance ----------------------------------------------------------------------------

// Processes that spin on any of the first `cpus` CPUs; all of them start on the first.
static void crowd_make(struct actor **actors, unsigned count, uint32_t cpus)
{
    for (unsigned i = 0; i < count; i++)
        actors[i] = pinned("one of many");
    for (unsigned i = 0; i < count; i++)
        sched_set_affinity(actor_thread(actors[i]), (UINT64_C(1) << cpus) - 1);
}

static bool all_ran(struct actor *const *actors, unsigned count, uint64_t wanted_ns)
{
    bool ok = true;
    for (unsigned i = 0; i < count; i++)
        ok &= about(run_ns(actors[i]), wanted_ns, wanted_ns / 20);
    return ok;
}

CORE_TEST(three_busy_threads_have_two_thirds_of_a_cpu_each)
{
    struct actor *actors[3];
    crowd_make(actors, 3, 2);
    let_run(600 * SCHED_SLICE_NS);
    CHECK(all_ran(actors, 3, 400 * SCHED_SLICE_NS));
}

CORE_TEST(seven_busy_threads_share_four_cpus)
{
    struct actor *actors[7];
    crowd_make(actors, 7, 4);
    let_run(1400 * SCHED_SLICE_NS);
    CHECK(all_ran(actors, 7, 800 * SCHED_SLICE_NS));
}

CORE_TEST(a_crowd_on_one_cpu_spreads_over_the_busy_ones)
{
    struct actor *actors[9];
    for (uint32_t i = 1; i < CPUS; i++)
        sched_set_affinity(actor_thread(spinner_on(i, "at home")), UINT64_C(1) << i);
    crowd_make(actors, 9, CPUS);
    let_run(12 * SCHED_SLICE_NS);
    for (uint32_t i = 0; i < CPUS; i++)
        CHECK_EQ(arch_cpu_at(i)->queue_count + 1, 3); // 12 threads
}

CORE_TEST(balanced_cpus_exchange_no_threads)
{
    struct actor *actors[4];
    crowd_make(actors, 4, 2);
    let_run(20 * SCHED_SLICE_NS);
    const struct cpu *cpus[4];
    for (unsigned i = 0; i < 4; i++)
        cpus[i] = actor_thread(actors[i])->cpu;
    for (unsigned step = 0; step < 100; step++) {
        let_run(SCHED_SLICE_NS);
        for (unsigned i = 0; i < 4; i++)
            CHECK(actor_thread(actors[i])->cpu == cpus[i]);
    }
}

CORE_TEST(a_thread_that_may_not_run_elsewhere_is_not_moved_for_balance)
{
    struct actor *crowded[3] = {pinned("a"), pinned("b"), pinned("c")};
    struct actor *alone = spinner_on(1, "alone");
    sched_set_affinity(actor_thread(alone), 1 << 1);
    let_run(300 * SCHED_SLICE_NS);
    CHECK(all_ran(crowded, 3, 100 * SCHED_SLICE_NS));
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(actor_thread(crowded[i])->cpu->index, 0);
}

CORE_TEST(a_lone_thread_beside_a_crowd_that_may_not_come_is_not_interrupted)
{
    (void)pinned("a");
    (void)pinned("b");
    struct actor *alone = spinner_on(1, "alone");
    let_run(50 * SCHED_SLICE_NS);
    CHECK_EQ(arch_cpu_at(1)->timer_ns, UINT64_MAX);
    CHECK_EQ(cpu_of(alone), 1);
}

// ---- Latency ----------------------------------------------------------------------------

CORE_TEST(an_interactive_thread_goes_first_when_it_wakes)
{
    struct actor *sleeper = sleeper_on(0, 10 * SCHED_SLICE_NS);
    struct thread *thread = actor_thread(sleeper);
    sched_set_affinity(thread, 1);
    sched_set_latency_class(thread, LATENCY_CLASS_INTERACTIVE);
    for (unsigned i = 0; i < 3; i++)
        (void)pinned("spinner");
    let_run(10 * SCHED_SLICE_NS);
    CHECK_EQ(cpu_of(sleeper), 0);
}

// How many other threads get the CPU between a sleeper's deadline and its turn, on a CPU that
// five threads keep busy.
static unsigned others_first(enum latency_class latency_class)
{
    struct actor *sleeper = sleeper_on(0, 93 * SCHED_SLICE_NS / 4);
    sched_set_affinity(actor_thread(sleeper), 1);
    sched_set_latency_class(actor_thread(sleeper), latency_class);
    struct actor *spinners[5];
    for (unsigned i = 0; i < 5; i++)
        spinners[i] = pinned("spinner");
    let_run(20 * SCHED_SLICE_NS);
    unsigned count = 0;
    const struct thread *before = current_on(0);
    for (unsigned steps = 0; actor_thread(sleeper)->state == THREAD_WAITING; steps++) {
        CHECK(steps < 1000);
        host_advance_ns(SCHED_SLICE_NS / 100);
        before = current_on(0) != actor_thread(sleeper) ? current_on(0) : before;
    }
    for (; current_on(0) != actor_thread(sleeper); host_advance_ns(SCHED_SLICE_NS / 100)) {
        count += current_on(0) != before;
        before = current_on(0);
    }
    actor_destroy(sleeper);
    for (unsigned i = 0; i < 5; i++)
        actor_destroy(spinners[i]);
    return count;
}

CORE_TEST(an_interactive_thread_runs_at_the_first_decision_after_its_deadline)
{
    CHECK_EQ(others_first(LATENCY_CLASS_INTERACTIVE), 0);
    CHECK(others_first(LATENCY_CLASS_NORMAL) > 0);
}

CORE_TEST(an_interactive_thread_that_spins_gets_its_share_and_a_head_start)
{
    struct actor *spinner = pinned("spinner"), *interactive = pinned("interactive");
    sched_set_latency_class(actor_thread(interactive), LATENCY_CLASS_INTERACTIVE);
    let_run(100 * SCHED_SLICE_NS);
    CHECK(about(run_ns(interactive), 50 * SCHED_SLICE_NS, 4 * SCHED_SLICE_NS));
    CHECK(about(run_ns(spinner), 50 * SCHED_SLICE_NS, 4 * SCHED_SLICE_NS));
}

CORE_TEST(a_thread_that_moves_keeps_its_distance_to_the_clock)
{
    struct actor *old = spinner_on(0, "old");
    host_advance_ns(1000 * SCHED_SLICE_NS); // CPU 0's clock is far ahead of the others'
    struct actor *young = spinner_on(1, "young");
    uint64_t young_ns = run_ns(young), old_ns = run_ns(old);
    sched_set_affinity(actor_thread(old), 1 << 1);
    host_deliver_kicks();
    sched_set_affinity(actor_thread(young), 1 << 1);
    let_run(100 * SCHED_SLICE_NS);
    CHECK(about(run_ns(old) - old_ns, 50 * SCHED_SLICE_NS, 3 * SCHED_SLICE_NS));
    CHECK(about(run_ns(young) - young_ns, 50 * SCHED_SLICE_NS, 3 * SCHED_SLICE_NS));
}

CORE_TEST(priority_may_change_in_any_state)
{
    struct actor *running = pinned("running"), *queued = pinned("queued");
    struct actor *waiting = sleeper_on(1, 1000);
    struct actor *const actors[] = {running, queued, waiting};
    for (unsigned i = 0; i < 3; i++) {
        for (uint8_t step = 0; step < 2; step++) {
            sched_set_priority(actor_thread(actors[i]), PRIORITY_MAX - step);
            sched_set_latency_class(actor_thread(actors[i]), (enum latency_class)step);
        }
    }
    let_run(100 * SCHED_SLICE_NS);
    CHECK(about(run_ns(running), run_ns(queued), 4 * SCHED_SLICE_NS));
}

// ---- Everything at once -----------------------------------------------------------------

static uint64_t random_state = 12345;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % limit;
}

constexpr unsigned STORM_ACTORS = 12;
static struct actor *crowd[STORM_ACTORS];

// One of the actors does something on some CPU.
static void storm_step(struct actor **place)
{
    struct actor *actor = *place;
    if (actor == nullptr || !actor_alive(actor)) {
        if (actor != nullptr)
            actor_destroy(actor);
        *place = actor_create("storm");
        return;
    }
    switch (random_below(8)) {
    case 0:
        actor_destroy(actor);
        *place = nullptr;
        return;
    case 1:
        sched_set_affinity(actor_thread(actor), 1 + random_below(15));
        host_resume(sched_leave());
        return;
    case 2:
        sched_set_priority(actor_thread(actor), (uint8_t)(1 + random_below(PRIORITY_MAX)));
        sched_set_latency_class(actor_thread(actor), (enum latency_class)random_below(2));
        return;
    case 3:
        (void)second_thread(actor);
        host_resume(sched_leave());
        return;
    default:
        break;
    }
    // As user code does: only where it runs.
    struct thread *thread = actor_thread(actor);
    if (thread->state != THREAD_RUNNING)
        return;
    host_cpu_use(thread->cpu->index);
    switch (random_below(4)) {
    case 0:
        (void)actor_touch(actor, actor->memory + random_below(16) * PAGE_BYTES, true);
        break;
    case 1: {
        const char *reason;
        (void)!space_decommit(&actor->process->space, actor->memory, 16 * PAGE_BYTES, &reason);
        (void)!space_commit(&actor->process->space, actor->memory, 16 * PAGE_BYTES,
                            PROTECTION_READ_WRITE, &reason);
        host_resume(sched_leave());
        break;
    }
    case 2:
        host_resume(kernel_exit(0));
        break;
    default:
        host_resume(kernel_reschedule());
        break;
    }
}

// What holds when nobody is on the way: each CPU runs what it may, and none idles while a thread
// that it may run waits where it would look.
static void check_all_cpus(void)
{
    for (uint32_t i = 0; i < CPUS; i++) {
        const struct thread *current = current_on(i);
        if (current != nullptr) {
            CHECK(current->state == THREAD_RUNNING && current->cpu == arch_cpu_at(i));
            CHECK(current->affinity >> i & 1);
            continue;
        }
        for (uint32_t other = 0; other < CPUS; other++) {
            const struct thread *first = lane_first(arch_cpu_at(other)->queue);
            CHECK(first == nullptr || !(first->affinity >> i & 1));
        }
    }
}

CORE_TEST(a_storm_on_all_cpus_leaves_nothing)
{
    for (unsigned step = 0; step < 20'000; step++) {
        host_cpu_use(random_below(CPUS));
        storm_step(&crowd[random_below(STORM_ACTORS)]);
        if (random_below(3) == 0) {
            host_deliver_kicks();
            check_all_cpus();
        }
        if (random_below(5) == 0)
            host_advance_ns(random_below(2 * SCHED_SLICE_NS));
    }
    for (unsigned i = 0; i < STORM_ACTORS; i++) {
        if (crowd[i] != nullptr)
            actor_destroy(crowd[i]);
        crowd[i] = nullptr;
    }
    host_deliver_kicks();
    for (uint32_t i = 0; i < CPUS; i++)
        CHECK(current_on(i) == nullptr && arch_cpu_at(i)->queue_count == 0 &&
              arch_cpu_at(i)->offers == 0);
}

int main(void)
{
    harness_boot_cpus(HARNESS_RAM_BYTES, CPUS);
    RUN(a_second_ready_thread_gets_an_idle_cpu);
    RUN(as_many_cpus_are_woken_as_threads_wait);
    RUN(a_cpu_that_runs_out_of_threads_takes_one_from_the_longest_queue);
    RUN(a_woken_cpu_that_finds_nothing_idles_again);
    RUN(a_thread_whose_cpu_went_to_a_longer_queue_is_offered_again);
    RUN(affinity_moves_a_thread_that_runs);
    RUN(affinity_moves_a_thread_that_waits_in_a_queue);
    RUN(affinity_may_name_cpus_that_are_not_there);
    RUN(a_pinned_thread_is_not_stolen);
    RUN(a_server_comes_to_the_cpu_of_its_caller);
    RUN(a_server_that_is_pinned_elsewhere_is_woken_there);
    RUN(a_server_that_is_pinned_while_it_waits_is_not_handed_over_to);
    RUN(a_client_that_is_answered_by_another_cpu_gets_an_idle_one);
    RUN(a_caller_that_another_cpu_wakes_no_longer_pays);
    RUN(who_is_woken_by_parking_comes_to_the_cpu_of_the_waker);
    RUN(who_is_woken_by_parking_and_may_not_come_runs_where_it_may);
    RUN(a_process_that_runs_on_another_cpu_is_killed_there);
    RUN(the_next_thread_of_a_cpu_runs_when_its_current_one_is_killed);
    RUN(a_process_ends_with_threads_on_every_cpu);
    RUN(an_unmapped_page_is_forgotten_where_the_space_is_loaded);
    RUN(a_page_that_loses_a_right_loses_it_everywhere);
    RUN(a_space_that_nobody_else_holds_is_unmapped_in_quiet);
    RUN(deadlines_of_several_cpus_are_met_in_order);
    RUN(a_deadline_is_met_by_the_cpu_that_idles_after_setting_it);
    RUN(a_deadline_outlives_the_one_before_it);
    RUN(cpus_that_idle_or_run_one_thread_are_not_interrupted);
    RUN(a_process_that_gains_a_timer_may_read_the_clock_on_its_cpu);
    RUN(a_thread_runs_in_proportion_to_its_priority);
    RUN(the_lightest_thread_is_not_starved);
    RUN(three_busy_threads_have_two_thirds_of_a_cpu_each);
    RUN(seven_busy_threads_share_four_cpus);
    RUN(a_crowd_on_one_cpu_spreads_over_the_busy_ones);
    RUN(balanced_cpus_exchange_no_threads);
    RUN(a_thread_that_may_not_run_elsewhere_is_not_moved_for_balance);
    RUN(a_lone_thread_beside_a_crowd_that_may_not_come_is_not_interrupted);
    RUN(an_interactive_thread_goes_first_when_it_wakes);
    RUN(an_interactive_thread_runs_at_the_first_decision_after_its_deadline);
    RUN(an_interactive_thread_that_spins_gets_its_share_and_a_head_start);
    RUN(a_thread_that_moves_keeps_its_distance_to_the_clock);
    RUN(priority_may_change_in_any_state);
    RUN(a_storm_on_all_cpus_leaves_nothing);
    return test_report();
}
