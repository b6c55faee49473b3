// SPDX-License-Identifier: MIT
// Threads of one process: starting, ending, joining, and what the end of a thread or of its
// process does to what each of them is in the middle of.
#include "core_test.h"

#include <gen/wire/notification.h>
#include <gen/wire/thread.h>
#include <gen/wire/timer.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/sched.h>
#include <kernel/upcall.h>

// Each thread has a part of the first actor's memory, enough for a few slots.
constexpr uint64_t PART_BYTES = 16 << 10;
constexpr uint64_t PARTS = ACTOR_MEMORY_BYTES / PART_BYTES;

static struct actor *first;
static capos_cap_id spawner, control, handle;
static unsigned part; // the next one of first's memory

static void make_process(void)
{
    first = actor_create("threads");
    spawner = actor_give(first, thread_spawner_normal());
    control = actor_give(first, thread_control_object());
    part = 1;
}

static struct capos_cqe start_cqe(const struct thread_spawner_start_params *start)
{
    struct actor_call call =
        call_of(spawner, INTERFACE_THREAD_SPAWNER, THREAD_SPAWNER_METHOD_START);
    WITH(&call, thread_spawner_start_params, .entry = start->entry,
         .stack_pointer = start->stack_pointer, .argument = start->argument,
         .thread_base = start->thread_base, .priority = start->priority);
    return actor_call(first, &call);
}

// Starts a thread of the first actor's process; its handle is in `handle`.
static struct actor *start_thread(void)
{
    struct capos_cqe cqe = start_cqe(&(struct thread_spawner_start_params){.entry = 0x1000});
    CHECK_STATUS(cqe.result, STATUS_OK);
    handle = actor_result_cap(first, 0, &cqe, 0);
    CHECK(part < PARTS);
    return actor_adopt_thread(first, handle, first->memory + part++ * PART_BYTES);
}

static struct actor_call join_call(capos_cap_id thread)
{
    return call_of(thread, INTERFACE_THREAD_HANDLE, THREAD_HANDLE_METHOD_JOIN);
}

// Submits a call whose completion isn't expected at once.
static void begin(struct actor *actor, unsigned slot, const struct actor_call *call)
{
    actor_submit_call(actor, slot, call);
}

static void thread_exit_now(struct actor *actor, int64_t code)
{
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_EXIT);
    WITH(&call, thread_control_exit_params, .code = code);
    actor_push_call(actor, 1, &call);
    CHECK_EQ(actor_enter(actor, 1, CAPOS_FOREVER), ACTOR_ENDED);
}

static enum status status_of(struct actor *actor, const struct actor_call *call)
{
    return (enum status) - actor_call(actor, call).result;
}

static uint64_t thread_count(void)
{
    return list_count(&first->process->threads);
}

// ---- Starting -------------------------------------------------------------------------

CORE_TEST(a_thread_starts_with_its_registers)
{
    make_process();
    struct capos_cqe cqe = start_cqe(&(struct thread_spawner_start_params){
        .entry = 0x401000, .stack_pointer = 0x7000, .argument = 7, .thread_base = 0x8000});
    CHECK_STATUS(cqe.result, STATUS_OK);
    struct actor *second = actor_adopt_thread(first, actor_result_cap(first, 0, &cqe, 0), 0);
    struct host_entry entry = host_thread_entry(&actor_thread(second)->arch);
    CHECK_EQ(entry.entry, 0x401000);
    CHECK_EQ(entry.stack_pointer, 0x7000);
    CHECK_EQ(entry.rdx, 7);
    CHECK_EQ(entry.base, 0x8000);
    CHECK_EQ(entry.rdi, actor_thread(second)->ring.user_address);
    CHECK_EQ(entry.rsi, first->process->capset_address);
    CHECK_EQ(thread_count(), 2);
    CHECK(actor_ring(second) != actor_ring(first));
}

CORE_TEST(a_thread_has_a_ring_of_its_own)
{
    make_process();
    struct actor *second = start_thread();
    actor_push_simple(second, 5, CAPOS_OP_NOP, 0, 0);
    actor_push_simple(first, 6, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(second, 1, CAPOS_FOREVER), 1);
    CHECK_EQ(take(second).user_data, 5);
    CHECK(nothing_completed(first));
    CHECK_EQ(actor_enter(first, 1, CAPOS_FOREVER), 1);
    CHECK_EQ(take(first).user_data, 6);
}

CORE_TEST(bad_arguments_of_start_are_named)
{
    make_process();
    CHECK_STATUS(start_cqe(&(struct thread_spawner_start_params){.priority = 17}).result,
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(
        start_cqe(&(struct thread_spawner_start_params){.thread_base = USER_ADDRESS_END})
            .result,
        STATUS_INVALID_ARGUMENT);
    CHECK_EQ(thread_count(), 1);
}

CORE_TEST(a_narrower_spawner_bounds_the_priority)
{
    make_process();
    struct actor_call call =
        call_of(spawner, INTERFACE_THREAD_SPAWNER, THREAD_SPAWNER_METHOD_NARROW);
    WITH(&call, thread_spawner_narrow_params, .priority_max = 17);
    CHECK_EQ(status_of(first, &call), STATUS_INVALID_ARGUMENT); // wider
    WITH(&call, thread_spawner_narrow_params, .priority_max = 0);
    CHECK_EQ(status_of(first, &call), STATUS_INVALID_ARGUMENT);
    WITH(&call, thread_spawner_narrow_params, .priority_max = 4);
    struct capos_cqe cqe = actor_call(first, &call);
    spawner = actor_result_cap(first, 0, &cqe, 0);
    CHECK_STATUS(start_cqe(&(struct thread_spawner_start_params){.priority = 5}).result,
                 STATUS_INVALID_ARGUMENT);
    CHECK_EQ(actor_thread(start_thread())->priority, 4); // the caller's, as far as allowed
}

CORE_TEST(a_thread_changes_its_priority_within_the_bound)
{
    make_process();
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_PRIORITY);
    WITH(&call, thread_control_set_priority_params, .priority = 17);
    CHECK_EQ(status_of(first, &call), STATUS_INVALID_ARGUMENT);
    WITH(&call, thread_control_set_priority_params, .priority = 0);
    CHECK_EQ(status_of(first, &call), STATUS_INVALID_ARGUMENT);
    WITH(&call, thread_control_set_priority_params, .priority = 3);
    CHECK_EQ(status_of(first, &call), STATUS_OK);
    CHECK_EQ(actor_thread(first)->priority, 3);
    CHECK_EQ(actor_thread(start_thread())->priority, 3);
    WITH(&call, thread_control_set_priority_params, .priority = 16);
    CHECK_EQ(status_of(first, &call), STATUS_OK);
}

static enum status set_latency(struct actor *actor, enum latency_class latency_class)
{
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_LATENCY_CLASS);
    WITH(&call, thread_control_set_latency_class_params, .latency_class = latency_class);
    return status_of(actor, &call);
}

static enum status narrow_spawner(uint8_t priority_max, enum latency_class latency_max)
{
    struct actor_call call =
        call_of(spawner, INTERFACE_THREAD_SPAWNER, THREAD_SPAWNER_METHOD_NARROW);
    WITH(&call, thread_spawner_narrow_params, .priority_max = priority_max,
         .latency_max = latency_max);
    struct capos_cqe cqe = actor_call(first, &call);
    if (cqe.result == 0)
        spawner = actor_result_cap(first, 0, &cqe, 0);
    return (enum status) - cqe.result;
}

CORE_TEST(a_thread_is_interactive_only_if_its_spawner_allows_it)
{
    make_process();
    CHECK_EQ(set_latency(first, LATENCY_CLASS_NORMAL), STATUS_OK);
    CHECK_EQ(set_latency(first, LATENCY_CLASS_INTERACTIVE), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_latency(start_thread(), LATENCY_CLASS_INTERACTIVE), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(narrow_spawner(1, LATENCY_CLASS_INTERACTIVE), STATUS_INVALID_ARGUMENT);
    spawner = actor_give(first, thread_spawner_any());
    CHECK_EQ(narrow_spawner(1, LATENCY_CLASS_INTERACTIVE), STATUS_OK);
    struct actor *allowed = start_thread();
    CHECK_EQ(actor_thread(allowed)->latency_class, LATENCY_CLASS_NORMAL);
    CHECK_EQ(set_latency(allowed, LATENCY_CLASS_INTERACTIVE), STATUS_OK);
    CHECK_EQ(actor_thread(allowed)->latency_class, LATENCY_CLASS_INTERACTIVE);
    struct capos_cqe cqe =
        actor_call(allowed, &(struct actor_call){.cap = control,
                                                 .interface_id = INTERFACE_THREAD_CONTROL,
                                                 .method = THREAD_CONTROL_METHOD_LATENCY});
    struct thread_control_latency_results latency = {};
    RESULTS(allowed, 0, cqe, thread_control_latency_results, &latency);
    CHECK_EQ(latency.latency_class, LATENCY_CLASS_INTERACTIVE);
    CHECK_EQ(latency.latency_max, LATENCY_CLASS_INTERACTIVE);
    CHECK_EQ(set_latency(allowed, LATENCY_CLASS_NORMAL), STATUS_OK);
    // There is no way back to a wider one.
    CHECK_EQ(narrow_spawner(1, LATENCY_CLASS_NORMAL), STATUS_OK);
    CHECK_EQ(narrow_spawner(1, LATENCY_CLASS_INTERACTIVE), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(set_latency(start_thread(), LATENCY_CLASS_INTERACTIVE), STATUS_INVALID_ARGUMENT);
}

CORE_TEST(affinity_needs_a_cpu_of_the_machine)
{
    make_process();
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_AFFINITY);
    uint64_t cpus = (UINT64_C(2) << (arch_cpu_count() - 1)) - 1;
    WITH(&call, thread_control_set_affinity_params, .cpus = ~cpus);
    CHECK_EQ(status_of(first, &call), STATUS_INVALID_ARGUMENT);
    WITH(&call, thread_control_set_affinity_params, .cpus = UINT64_MAX);
    CHECK_EQ(status_of(first, &call), STATUS_OK);
    struct capos_cqe cqe = actor_call(first, &(struct actor_call){
                                                 .cap = control,
                                                 .interface_id = INTERFACE_THREAD_CONTROL,
                                                 .method = THREAD_CONTROL_METHOD_INFO,
                                             });
    struct thread_control_info_results info = {};
    RESULTS(first, 0, cqe, thread_control_info_results, &info);
    CHECK_EQ(info.cpus, cpus);
    CHECK_EQ(info.cpu_count, arch_cpu_count());
    CHECK_EQ(info.thread_id, 1);
    CHECK_EQ(info.priority, 16);
    CHECK_EQ(info.priority_max, 16);
}

CORE_TEST(the_thread_base_lies_in_user_space)
{
    make_process();
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_THREAD_BASE);
    WITH(&call, thread_control_set_thread_base_params, .thread_base = UINT64_C(1) << 63);
    CHECK_EQ(status_of(first, &call), STATUS_INVALID_ARGUMENT);
    WITH(&call, thread_control_set_thread_base_params, .thread_base = 0x5000);
    CHECK_EQ(status_of(first, &call), STATUS_OK);
    CHECK_EQ(host_thread_entry(&actor_thread(first)->arch).base, 0x5000);
}

// ---- Ending ---------------------------------------------------------------------------

CORE_TEST(an_exit_gives_back_all_that_a_thread_has)
{
    make_process();
    // The first thread brings page tables that stay, and a slab page.
    thread_exit_now(start_thread(), 0);
    CHECK_EQ(actor_release(first, handle), 0);
    uint64_t regions = first->process->space.region_count;
    uint64_t used_bytes = first->budget->used_bytes;
    for (unsigned i = 0; i < 5; i++) {
        thread_exit_now(start_thread(), i);
        CHECK_EQ(actor_release(first, handle), 0);
    }
    CHECK_EQ(first->budget->used_bytes, used_bytes);
    CHECK_EQ(first->process->space.region_count, regions);
    CHECK_EQ(thread_count(), 1);
}

// The pages of the thread that ended last are kept, and any thread of the process can write
// into its ring.
CORE_TEST(a_thread_in_the_place_of_another_finds_nothing_of_it)
{
    make_process();
    struct actor *second = start_thread();
    struct capos_ring_header *ring = actor_ring(second);
    uint64_t address = actor_thread(second)->ring.user_address;
    for (unsigned i = 0; i < 3; i++)
        actor_push_simple(second, i, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(second, 3, CAPOS_FOREVER), 3);
    thread_exit_now(second, 0);
    memset(ring, 0x5a, CAPOS_RING_BYTES);
    struct actor *third = start_thread();
    CHECK_EQ(actor_thread(third)->ring.user_address, address);
    CHECK(actor_ring(third) == ring);
    CHECK_EQ(ring->magic, CAPOS_RING_MAGIC);
    CHECK(nothing_completed(third));
    CHECK_EQ(actor_enter(third, 0, 0), 0);
    actor_push_simple(third, 7, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(third, 1, CAPOS_FOREVER), 1);
    CHECK_EQ(take(third).user_data, 7);
    struct actor *fourth = start_thread(); // at the same time: a place of its own
    CHECK(actor_ring(fourth) != ring);
}

CORE_TEST(nothing_behind_an_exit_is_submitted)
{
    make_process();
    struct actor *second = start_thread();
    capos_cap_id signal =
        actor_give_own(first, notification_create(first->budget), CAPOS_HOLD_COPY);
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_EXIT);
    WITH(&call, thread_control_exit_params, .code = 1);
    actor_push_call(second, 1, &call);
    actor_push_simple(second, 2, CAPOS_OP_RELEASE, signal, 0);
    CHECK_EQ(actor_enter(second, 0, 0), ACTOR_ENDED);
    CHECK(actor_object(first, signal) != nullptr);
}

CORE_TEST(what_an_ending_thread_waits_for_is_withdrawn)
{
    make_process();
    struct actor *second = start_thread();
    capos_cap_id signal =
        actor_give_own(first, notification_create(first->budget), CAPOS_HOLD_COPY);
    capos_cap_id timer = actor_give(first, timer_object());
    struct actor_call wait = call_of(signal, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&wait, notification_wait_params, .mask = 1);
    begin(second, 1, &wait);
    struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = 1000);
    begin(second, 2, &sleep);
    thread_exit_now(second, 0);
    host_advance_ns(2000);
    // Nobody is left to take the bit, so it stays.
    struct actor_call post =
        call_of(signal, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&post, notification_signal_params, .bits = 1);
    CHECK_EQ(status_of(first, &post), STATUS_OK);
    CHECK_EQ(status_of(first, &wait), STATUS_OK);
}

CORE_TEST(the_last_exit_ends_the_process_with_its_code)
{
    make_process();
    struct actor *second = start_thread();
    struct actor *parent = actor_create("parent");
    capos_cap_id process = actor_give(parent, &first->process->object);
    struct actor_call wait =
        call_of(process, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_WAIT);
    begin(parent, 1, &wait);
    thread_exit_now(first, 3); // the first thread isn't special
    CHECK(actor_alive(second));
    CHECK(nothing_completed(parent));
    thread_exit_now(second, 4);
    struct process_handle_wait_results end = {};
    struct capos_cqe cqe = take(parent);
    RESULTS(parent, 1, cqe, process_handle_wait_results, &end);
    CHECK_EQ(end.kind, END_KIND_EXITED);
    CHECK_EQ(end.exit_code, 4);
}

CORE_TEST(the_system_call_exit_ends_every_thread)
{
    make_process();
    struct actor *second = start_thread(), *third = start_thread();
    actor_exit(second, 9);
    CHECK(!actor_alive(first));
    CHECK(!actor_alive(third));
    CHECK_EQ(first->process->end.exit_code, 9);
}

CORE_TEST(a_fault_ends_every_thread)
{
    make_process();
    struct actor *second = start_thread(), *third = start_thread();
    CHECK(!actor_touch(third, 0x10000, true));
    CHECK(!actor_alive(first));
    CHECK(!actor_alive(second));
    CHECK_EQ(first->process->end.kind, END_KIND_FAULTED);
}

CORE_TEST(exit_and_unmap_takes_the_stack_along)
{
    make_process();
    struct actor *second = start_thread();
    uint64_t stack;
    const char *reason;
    CHECK_EQ(space_allocate(&first->process->space, 8 * PAGE_BYTES, 0, PROTECTION_READ_WRITE,
                            &stack, &reason),
             STATUS_OK);
    uint64_t committed_bytes = first->process->space.committed_bytes;
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_EXIT_AND_UNMAP);
    // A range that is refused leaves the thread alone.
    WITH(&call, thread_control_exit_and_unmap_params, .address = stack, .length_bytes = 100);
    CHECK_EQ(status_of(second, &call), STATUS_INVALID_ARGUMENT);
    WITH(&call, thread_control_exit_and_unmap_params,
         .address = actor_thread(second)->ring.user_address, .length_bytes = PAGE_BYTES);
    CHECK_EQ(status_of(second, &call), STATUS_FAILED);
    WITH(&call, thread_control_exit_and_unmap_params, .code = 5, .address = stack,
         .length_bytes = 8 * PAGE_BYTES);
    actor_push_call(second, 1, &call);
    CHECK_EQ(actor_enter(second, 1, CAPOS_FOREVER), ACTOR_ENDED);
    CHECK_EQ(first->process->space.committed_bytes, committed_bytes - 8 * PAGE_BYTES);
    struct actor_call join = join_call(handle);
    struct capos_cqe cqe = actor_call(first, &join);
    struct thread_handle_join_results joined = {};
    RESULTS(first, 0, cqe, thread_handle_join_results, &joined);
    CHECK_EQ(joined.exit_code, 5);
}

// ---- Joining --------------------------------------------------------------------------

CORE_TEST(a_join_waits_for_the_end)
{
    make_process();
    struct actor *second = start_thread();
    struct actor_call join = join_call(handle);
    actor_push_call(first, 1, &join);
    CHECK_EQ(actor_enter(first, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    thread_exit_now(second, -7);
    CHECK_EQ(actor_returned(first), 1);
    struct capos_cqe cqe = take(first);
    struct thread_handle_join_results joined = {};
    RESULTS(first, 1, cqe, thread_handle_join_results, &joined);
    CHECK_EQ(joined.exit_code, -7);
}

CORE_TEST(a_thread_is_joined_once)
{
    make_process();
    struct actor *second = start_thread(), *third;
    capos_cap_id seconds_handle = handle;
    struct actor_call join = join_call(seconds_handle);
    struct actor_call detach =
        call_of(seconds_handle, INTERFACE_THREAD_HANDLE, THREAD_HANDLE_METHOD_DETACH);
    CHECK_EQ(status_of(second, &join), STATUS_FAILED); // itself
    third = start_thread();
    begin(third, 1, &join);
    CHECK_EQ(status_of(first, &join), STATUS_FAILED);   // being joined
    CHECK_EQ(status_of(first, &detach), STATUS_FAILED); // being joined
    thread_exit_now(second, 0);
    CHECK_STATUS(take(third).result, STATUS_OK);
    CHECK_EQ(status_of(first, &join), STATUS_FAILED);   // joined
    CHECK_EQ(status_of(first, &detach), STATUS_FAILED); // joined
}

CORE_TEST(a_detached_thread_cannot_be_joined)
{
    make_process();
    struct actor *second = start_thread();
    struct actor_call join = join_call(handle);
    struct actor_call detach =
        call_of(handle, INTERFACE_THREAD_HANDLE, THREAD_HANDLE_METHOD_DETACH);
    CHECK_EQ(status_of(first, &detach), STATUS_OK);
    CHECK_EQ(status_of(first, &detach), STATUS_FAILED);
    CHECK_EQ(status_of(first, &join), STATUS_FAILED);
    thread_exit_now(second, 0);
    CHECK_EQ(status_of(first, &join), STATUS_FAILED);
}

CORE_TEST(a_cancelled_join_can_be_done_by_somebody_else)
{
    make_process();
    struct actor *second = start_thread();
    struct actor_call join = join_call(handle);
    begin(first, 1, &join);
    actor_push_simple(first, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK_EQ(actor_enter(first, 2, CAPOS_FOREVER), 2);
    CHECK_STATUS(take(first).result, STATUS_CANCELLED);
    CHECK_STATUS(take(first).result, STATUS_OK);
    begin(first, 1, &join);
    thread_exit_now(second, 0);
    CHECK_STATUS(take(first).result, STATUS_OK);
}

CORE_TEST(a_joiner_that_ends_lets_somebody_else_join)
{
    make_process();
    struct actor *second = start_thread();
    struct actor_call join = join_call(handle);
    struct actor *third = start_thread();
    begin(third, 1, &join);
    thread_exit_now(third, 0);
    begin(first, 1, &join);
    thread_exit_now(second, 0);
    CHECK_STATUS(take(first).result, STATUS_OK);
}

CORE_TEST(a_thread_of_another_process_can_be_joined)
{
    make_process();
    struct actor *second = start_thread();
    struct object *object = actor_object(first, handle);
    struct actor *stranger = actor_create("stranger");
    struct actor_call join = join_call(actor_give(stranger, object));
    begin(stranger, 1, &join);
    thread_exit_now(second, 0);
    CHECK_STATUS(take(stranger).result, STATUS_OK);

    // One whose process ends first is never going to exit.
    second = start_thread();
    join = join_call(actor_give(stranger, actor_object(first, handle)));
    begin(stranger, 1, &join);
    actor_kill(first);
    CHECK_STATUS(take(stranger).result, STATUS_DISCONNECTED);
    CHECK_EQ(status_of(stranger, &join), STATUS_FAILED); // joined, in vain
}

CORE_TEST(a_handle_tells_what_became_of_its_thread)
{
    make_process();
    struct actor *second = start_thread();
    struct thread_handle_info_results info = {};
    struct actor_call call =
        call_of(handle, INTERFACE_THREAD_HANDLE, THREAD_HANDLE_METHOD_INFO);
    struct capos_cqe cqe = actor_call(first, &call);
    RESULTS(first, 0, cqe, thread_handle_info_results, &info);
    CHECK_EQ(info.thread_id, 2);
    CHECK(info.running);
    CHECK_EQ(info.priority, 16);
    thread_exit_now(second, 0);
    cqe = actor_call(first, &call);
    RESULTS(first, 0, cqe, thread_handle_info_results, &info);
    CHECK(!info.running);
    CHECK_EQ(info.priority, 0);
}

// ---- Scheduling -----------------------------------------------------------------------

static void yield_now(struct actor *actor)
{
    struct actor_call call =
        call_of(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_YIELD);
    actor_push_call(actor, 0, &call);
    (void)actor_enter(actor, 1, CAPOS_FOREVER);
    struct capos_cqe cqe = take(actor);
    CHECK_STATUS(cqe.result, STATUS_OK);
}

CORE_TEST(a_yield_lets_the_others_run)
{
    make_process();
    struct actor *second = start_thread();
    actor_run(first);
    yield_now(first);
    CHECK(arch_cpu()->current == actor_thread(second));
    CHECK_EQ(actor_thread(first)->state, THREAD_READY);
    yield_now(second);
    CHECK(arch_cpu()->current == actor_thread(first));
    thread_exit_now(second, 0);
    yield_now(first); // nobody else: it runs on
    CHECK(arch_cpu()->current == actor_thread(first));
}

// The share of the CPU that the first of two busy threads gets, in percent.
static uint64_t share_of_first(uint8_t priority)
{
    make_process();
    struct actor *second = start_thread();
    sched_set_priority(actor_thread(second), priority);
    uint64_t ran_ns = 0;
    constexpr uint64_t step_ns = 1'000'000, steps = 4000;
    for (unsigned i = 0; i < steps; i++) {
        if (arch_cpu()->current == actor_thread(first))
            ran_ns += step_ns;
        host_advance_ns(step_ns);
    }
    return ran_ns * 100 / (step_ns * steps);
}

CORE_TEST(equal_threads_share_the_cpu)
{
    uint64_t share = share_of_first(16);
    CHECK(share >= 45 && share <= 55);
}

CORE_TEST(a_lower_priority_gets_less_and_does_not_starve)
{
    uint64_t share = share_of_first(10); // (5/4)^6 is 3.8: 79 percent
    CHECK(share >= 72 && share <= 86);
}

// ---- The end at any step ----------------------------------------------------------------

static struct actor *worker, *helper, *observer;
static capos_cap_id worker_handle, shared_signal;

static bool can_act(const struct actor *actor)
{
    return actor_alive(actor) && actor_returned(actor) != ACTOR_BLOCKED;
}

static void worker_waits(void)
{
    struct actor_call wait =
        call_of(shared_signal, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&wait, notification_wait_params, .mask = 1);
    actor_push_call(worker, 1, &wait);
    (void)actor_enter(worker, 1, CAPOS_FOREVER);
}

static void first_joins(void)
{
    struct actor_call join = join_call(worker_handle);
    actor_push_call(first, 1, &join);
    (void)actor_enter(first, 1, CAPOS_FOREVER);
}

static void helper_signals(void)
{
    struct actor_call post =
        call_of(shared_signal, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&post, notification_signal_params, .bits = 1);
    actor_push_call(helper, 1, &post);
    (void)actor_enter(helper, 0, 0);
}

static void worker_exits(void)
{
    thread_exit_now(worker, 1);
}

static void helper_exits(void)
{
    thread_exit_now(helper, 1);
}

static const struct step {
    void (*act)(void);
    struct actor **actor;
} steps[] = {
    {worker_waits, &worker}, {first_joins, &first},   {helper_signals, &helper},
    {worker_exits, &worker}, {helper_exits, &helper},
};
constexpr unsigned STEPS = sizeof steps / sizeof steps[0];

enum end_by { END_BY_KILL, END_BY_EXIT, END_BY_THREAD_EXIT };

// A few threads work together; before step `cut` the victim, or by it the process, ends.
static void cooperate(unsigned cut, struct actor **victim, enum end_by how)
{
    harness_begin();
    make_process();
    worker = start_thread();
    worker_handle = handle;
    helper = start_thread();
    shared_signal = actor_give_own(first, notification_create(first->budget), CAPOS_HOLD_COPY);
    observer = actor_create("observer");
    capos_cap_id process = actor_give(observer, &first->process->object);
    struct actor_call wait =
        call_of(process, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_WAIT);
    begin(observer, 1, &wait);
    for (unsigned i = 0; i < STEPS; i++) {
        if (i == cut && how == END_BY_KILL)
            actor_kill(*victim);
        else if (i == cut && can_act(*victim) && how == END_BY_EXIT)
            actor_exit(*victim, 1);
        else if (i == cut && can_act(*victim))
            thread_exit_now(*victim, 1);
        if (can_act(*steps[i].actor))
            steps[i].act();
    }
    if (cut < STEPS && how == END_BY_KILL)
        CHECK_STATUS(take(observer).result, STATUS_OK);
    if (cut == STEPS) {
        CHECK_STATUS(take(first).result, STATUS_OK);
        CHECK_EQ(thread_count(), 1);
    }
    CHECK(harness_end());
}

static void threads_cooperate(void)
{
    cooperate(STEPS, &first, END_BY_KILL);
}

static void the_end_of_anybody_at_any_step_loses_nothing(void)
{
    struct actor **const victims[] = {&first, &worker, &helper};
    for (unsigned cut = 0; cut < STEPS; cut++) {
        for (unsigned i = 0; i < 3; i++) {
            cooperate(cut, victims[i], END_BY_KILL);
            cooperate(cut, victims[i], END_BY_EXIT);
            cooperate(cut, victims[i], END_BY_THREAD_EXIT);
        }
    }
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_thread_starts_with_its_registers);
    RUN(a_thread_has_a_ring_of_its_own);
    RUN(bad_arguments_of_start_are_named);
    RUN(a_narrower_spawner_bounds_the_priority);
    RUN(a_thread_changes_its_priority_within_the_bound);
    RUN(a_thread_is_interactive_only_if_its_spawner_allows_it);
    RUN(affinity_needs_a_cpu_of_the_machine);
    RUN(the_thread_base_lies_in_user_space);
    RUN(an_exit_gives_back_all_that_a_thread_has);
    RUN(a_thread_in_the_place_of_another_finds_nothing_of_it);
    RUN(nothing_behind_an_exit_is_submitted);
    RUN(what_an_ending_thread_waits_for_is_withdrawn);
    RUN(the_last_exit_ends_the_process_with_its_code);
    RUN(the_system_call_exit_ends_every_thread);
    RUN(a_fault_ends_every_thread);
    RUN(exit_and_unmap_takes_the_stack_along);
    RUN(a_join_waits_for_the_end);
    RUN(a_thread_is_joined_once);
    RUN(a_detached_thread_cannot_be_joined);
    RUN(a_cancelled_join_can_be_done_by_somebody_else);
    RUN(a_joiner_that_ends_lets_somebody_else_join);
    RUN(a_thread_of_another_process_can_be_joined);
    RUN(a_handle_tells_what_became_of_its_thread);
    RUN(a_yield_lets_the_others_run);
    RUN(equal_threads_share_the_cpu);
    RUN(a_lower_priority_gets_less_and_does_not_starve);
    RUN(threads_cooperate);
    RUN(the_end_of_anybody_at_any_step_loses_nothing);
    return test_report();
}
