// SPDX-License-Identifier: MIT
// Tests of kernel/object/process_spawner.c and kernel/sched/process.c: processes that are
// built by others, and every way in which they end.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <gen/wire/errors.h>
#include <gen/wire/interrupt.h>
#include <gen/wire/notification.h>
#include <gen/wire/process.h>
#include <gen/wire/timer.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/upcall.h>

constexpr uint64_t CHILD_MEMORY = 0x10000000;

static struct actor *parent;
static capos_cap_id spawner, budget;

static void make_parent(void)
{
    parent = actor_create("parent");
    spawner = actor_give(parent, process_spawner_object());
    budget = actor_give(parent, &parent->budget->object);
}

// ---- The parent's calls -------------------------------------------------------------

static struct capos_cqe create_cqe(void)
{
    struct capos_transfer transfer = {.cap = budget};
    struct actor_call call =
        call_of(spawner, INTERFACE_PROCESS_SPAWNER, PROCESS_SPAWNER_METHOD_CREATE);
    WITH(&call, process_spawner_create_params, .name = {"child", 5}, .budget = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return actor_call(parent, &call);
}

static capos_cap_id create(void)
{
    struct capos_cqe cqe = create_cqe();
    CHECK_EQ(cqe.result, 0);
    return actor_result_cap(parent, 0, &cqe, 0);
}

static int32_t commit(capos_cap_id builder, uint64_t address, uint64_t length_bytes)
{
    struct actor_call call =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_COMMIT);
    WITH(&call, process_builder_commit_params, .address = address, .length_bytes = length_bytes,
         .protection = PROTECTION_READ_WRITE);
    return actor_call(parent, &call).result;
}

static int32_t grant(capos_cap_id builder, const char *name, struct capos_transfer transfer)
{
    struct actor_call call =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_GRANT);
    WITH(&call, process_builder_grant_params, .name = {name, (uint32_t)strlen(name)},
         .capability = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return actor_call(parent, &call).result;
}

static struct capos_cqe start_cqe(capos_cap_id builder)
{
    struct actor_call call =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_START);
    WITH(&call, process_builder_start_params, .entry = CHILD_MEMORY,
         .stack_pointer = CHILD_MEMORY + 4096, .argument = 77);
    return actor_call(parent, &call);
}

static capos_cap_id start(capos_cap_id builder)
{
    struct capos_cqe cqe = start_cqe(builder);
    CHECK_EQ(cqe.result, 0);
    return actor_result_cap(parent, 0, &cqe, 0);
}

// Builds and starts a child that has memory and nothing else.
static struct actor *make_child(capos_cap_id *out_handle)
{
    capos_cap_id builder = create();
    CHECK_EQ(commit(builder, CHILD_MEMORY, ACTOR_MEMORY_BYTES), 0);
    *out_handle = start(builder);
    CHECK_EQ(actor_release(parent, builder), 0);
    struct object *process = actor_object(parent, *out_handle);
    return actor_adopt(container_of(process, struct process, object), CHILD_MEMORY);
}

static struct actor_call wait_call(capos_cap_id handle)
{
    return call_of(handle, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_WAIT);
}

static int32_t kill(capos_cap_id handle)
{
    struct actor_call call =
        call_of(handle, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_KILL);
    return actor_call(parent, &call).result;
}

static struct process_handle_wait_results take_end(struct actor *actor, unsigned slot)
{
    struct process_handle_wait_results end = {};
    struct capos_cqe cqe = take(actor);
    CHECK_EQ(cqe.result, 0);
    CHECK_EQ(cqe.user_data, slot);
    RESULTS(actor, slot, cqe, process_handle_wait_results, &end);
    return end;
}

static struct process_handle_wait_results wait_end(capos_cap_id handle)
{
    struct actor_call call = wait_call(handle);
    actor_submit_call(parent, 1, &call);
    return take_end(parent, 1);
}

// ---- Building -----------------------------------------------------------------------

CORE_TEST(a_child_finds_its_ring_its_capset_and_its_argument)
{
    make_parent();
    capos_cap_id builder = create();
    CHECK_EQ(commit(builder, CHILD_MEMORY, 8192), 0);
    capos_cap_id timer = actor_give(parent, timer_object());
    CHECK_EQ(grant(builder, "clock", (struct capos_transfer){.cap = timer}), 0);
    CHECK_EQ(grant(builder, "purse",
                   (struct capos_transfer){.cap = budget, .receiver_mode = CAPOS_HOLD_NONE}),
             0);
    capos_cap_id handle = start(builder);
    struct object *object = actor_object(parent, handle);
    struct actor *child = actor_adopt(container_of(object, struct process, object), 0);

    struct host_entry entry = host_thread_entry(&actor_thread(child)->arch);
    CHECK_EQ(entry.entry, CHILD_MEMORY);
    CHECK_EQ(entry.stack_pointer, CHILD_MEMORY + 4096);
    CHECK_EQ(entry.rdx, 77);
    struct capos_ring_header ring;
    actor_read(child, entry.rdi, &ring, sizeof ring);
    CHECK_EQ(ring.magic, CAPOS_RING_MAGIC);
    CHECK(actor_touch(child, entry.rdi + CAPOS_RING_BYTES - 1, true));
    static alignas(8) uint8_t page[PAGE_BYTES];
    const struct capos_capset *capset = (const void *)page;
    actor_read(child, entry.rsi, page, sizeof page);
    CHECK_EQ(capset->magic, CAPOS_CAPSET_MAGIC);
    CHECK_EQ(capset->count, 2);
    CHECK_EQ(capset->entry_bytes, sizeof(struct capos_capset_entry));
    CHECK_EQ(capset->process_id, child->process->id);
    CHECK(strcmp(capset->entries[0].name, "clock") == 0);
    CHECK_EQ(capset->entries[0].interface_id, INTERFACE_TIMER);
    CHECK(actor_object(child, capset->entries[0].cap) == timer_object());
    CHECK(strcmp(capset->entries[1].name, "purse") == 0);
    CHECK(actor_object(child, capset->entries[1].cap) == &parent->budget->object);
    // The CapSet page is read-only.
    CHECK(actor_touch(child, entry.rsi, false));
    CHECK(!actor_touch(child, entry.rsi, true));
    CHECK_EQ(wait_end(handle).fault, FAULT_KIND_PROTECTION);
}

CORE_TEST(a_child_holds_what_it_was_granted_and_nothing_else)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    CHECK_EQ(child->process->caps.live_count, 0);
    for (uint32_t index = 0; index < 200; index++) {
        struct actor_call call = call_of((UINT64_C(1) << 32) + index, INTERFACE_TIMER, 0);
        CHECK_STATUS(actor_call(child, &call).result, STATUS_BAD_CAPABILITY);
    }
    CHECK_STATUS(actor_enter(child, 1, 1000), STATUS_BAD_CAPABILITY); // no clock either
}

CORE_TEST(releasing_a_builder_discards_what_was_built)
{
    make_parent();
    capos_cap_id builder = create();
    uint64_t used_bytes = parent->budget->used_bytes;
    CHECK_EQ(commit(builder, CHILD_MEMORY, 1 << 20), 0);
    CHECK_EQ(grant(builder, "budget", (struct capos_transfer){.cap = budget}), 0);
    CHECK(parent->budget->used_bytes > used_bytes + (1 << 20));
    CHECK_EQ(actor_release(parent, builder), 0);
    CHECK(parent->budget->used_bytes < used_bytes);
}

CORE_TEST(the_first_failure_spoils_the_builder)
{
    make_parent();
    capos_cap_id builder = create();
    CHECK_STATUS(commit(builder, 0, 4096), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(commit(builder, CHILD_MEMORY, 4096), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(grant(builder, "x", (struct capos_transfer){.cap = budget}),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(start_cqe(builder).result, STATUS_INVALID_ARGUMENT);
}

CORE_TEST(a_call_that_is_refused_spoils_the_builder_too)
{
    make_parent();
    capos_cap_id builder = create();
    struct actor_call call =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_COMMIT);
    static const uint64_t broken[1] = {UINT64_MAX};
    call.params = broken;
    call.params_bytes = sizeof broken;
    CHECK_STATUS(actor_call(parent, &call).result, STATUS_BAD_MESSAGE);
    CHECK_STATUS(start_cqe(builder).result, STATUS_FAILED);
}

CORE_TEST(names_of_grants_are_unique_and_short)
{
    make_parent();
    static const char *const bad[] = {"", "same"};
    capos_cap_id builder;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        builder = create();
        CHECK_EQ(grant(builder, "same", (struct capos_transfer){.cap = budget}), 0);
        CHECK_STATUS(grant(builder, bad[i], (struct capos_transfer){.cap = budget}),
                     STATUS_INVALID_ARGUMENT);
    }
    builder = create();
    for (unsigned i = 0; i < CAPOS_CAPSET_COUNT_MAX; i++) {
        char name[CAPOS_CAPSET_NAME_BYTES] = {(char)('0' + i / 10), (char)('0' + i % 10)};
        memset(name + 2, 'x', sizeof name - 3); // 31 bytes
        CHECK_EQ(grant(builder, name, (struct capos_transfer){.cap = budget}), 0);
    }
    CHECK_STATUS(grant(builder, "one more", (struct capos_transfer){.cap = budget}),
                 STATUS_OVERLOADED);
}

CORE_TEST(a_moved_grant_leaves_the_parent)
{
    make_parent();
    capos_cap_id builder = create();
    capos_cap_id own =
        actor_give_own(parent, notification_create(parent->budget), CAPOS_HOLD_MOVE);
    CHECK_STATUS(grant(builder, "n", (struct capos_transfer){.cap = own}), STATUS_BAD_TRANSFER);
    CHECK(actor_object(parent, own) != nullptr);
    builder = create();
    CHECK_EQ(
        grant(builder, "n", (struct capos_transfer){.cap = own, .how = CAPOS_TRANSFER_MOVE}),
        0);
    CHECK(actor_object(parent, own) == nullptr);
}

CORE_TEST(a_builder_has_one_holder_and_is_spent_by_start)
{
    make_parent();
    capos_cap_id builder = create(), other = create();
    CHECK_STATUS(grant(other, "b", (struct capos_transfer){.cap = builder}),
                 STATUS_BAD_TRANSFER);
    CHECK_EQ(commit(builder, CHILD_MEMORY, 4096), 0);
    (void)start(builder);
    CHECK_STATUS(commit(builder, CHILD_MEMORY + 4096, 4096), STATUS_FAILED);
    CHECK_STATUS(start_cqe(builder).result, STATUS_FAILED);
    CHECK_STATUS(grant(create(), "self", (struct capos_transfer){.cap = 0}),
                 STATUS_BAD_CAPABILITY);
}

CORE_TEST(a_chain_of_builders_ends_without_deep_recursion)
{
    make_parent();
    capos_cap_id inner = create();
    for (unsigned i = 0; i < 300; i++) {
        capos_cap_id outer = create();
        CHECK_EQ(grant(outer, "inner",
                       (struct capos_transfer){.cap = inner, .how = CAPOS_TRANSFER_MOVE}),
                 0);
        inner = outer;
    }
    CHECK_EQ(list_count(&process_all), 1 + 1 + 301);
    CHECK_EQ(actor_release(parent, inner), 0);
    CHECK_EQ(list_count(&process_all), 1 + 1);
}

CORE_TEST(a_builder_granted_to_itself_is_refused)
{
    make_parent();
    capos_cap_id builder = create();
    CHECK_STATUS(grant(builder, "self",
                       (struct capos_transfer){.cap = builder, .how = CAPOS_TRANSFER_MOVE}),
                 STATUS_INVALID_ARGUMENT);
    CHECK(actor_object(parent, builder) != nullptr);
}

CORE_TEST(builders_that_hold_each_other_do_not_leak)
{
    make_parent();
    capos_cap_id a = create(), b = create();
    CHECK_EQ(grant(a, "b", (struct capos_transfer){.cap = b, .how = CAPOS_TRANSFER_MOVE}), 0);
    // b is in a's table now; nobody can put a into b any more but a's process, which would
    // have to run first.
    CHECK_STATUS(grant(b, "a", (struct capos_transfer){.cap = a, .how = CAPOS_TRANSFER_MOVE}),
                 STATUS_BAD_CAPABILITY);
}

// ---- Waiting ------------------------------------------------------------------------

CORE_TEST(every_waiter_gets_the_same_answer)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle), *friend = actor_create("friend");
    struct actor_call call = wait_call(handle);
    actor_submit_call(parent, 1, &call);
    actor_submit_call(parent, 2, &call);
    call = wait_call(actor_give(friend, actor_object(parent, handle)));
    actor_push_call(friend, 3, &call);
    CHECK_EQ(actor_enter(friend, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK(nothing_completed(parent));
    actor_exit(child, 42);
    CHECK_EQ(actor_returned(friend), 1);
    struct process_handle_wait_results ends[] = {take_end(parent, 1), take_end(parent, 2),
                                                 take_end(friend, 3), wait_end(handle)};
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(ends[i].kind, END_KIND_EXITED);
        CHECK_EQ(ends[i].exit_code, 42);
        CHECK_EQ(ends[i].fault, FAULT_KIND_NONE);
    }
}

CORE_TEST(a_wait_can_be_cancelled)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    struct actor_call call = wait_call(handle);
    actor_submit_call(parent, 1, &call);
    actor_push_simple(parent, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK_EQ(actor_enter(parent, 0, 0), 2);
    CHECK_STATUS(take(parent).result, STATUS_CANCELLED);
    CHECK_EQ(take(parent).result, 0);
    actor_exit(child, 1);
    CHECK(nothing_completed(parent));
}

CORE_TEST(what_is_known_outlives_the_process_and_what_it_has_does_not)
{
    make_parent();
    uint64_t used_bytes = parent->budget->used_bytes;
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    actor_exit(child, -7);
    // All that is left is the page of struct process, and perhaps one of the table.
    CHECK(parent->budget->used_bytes <= used_bytes + 2 * PAGE_BYTES);
    CHECK_EQ(wait_end(handle).exit_code, -7);
    struct actor_call call =
        call_of(handle, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_INFO);
    struct capos_cqe cqe = actor_call(parent, &call);
    struct process_handle_info_results info;
    RESULTS(parent, 0, cqe, process_handle_info_results, &info);
    CHECK_EQ(info.process_id, child->process->id);
    CHECK(info.name.size_bytes == 5 && memcmp(info.name.text, "child", 5) == 0);
    CHECK_EQ(info.kind, END_KIND_EXITED);
    CHECK_EQ(info.capability_count, 0);
}

CORE_TEST(releasing_the_handle_does_not_end_the_process)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    CHECK_EQ(actor_release(parent, handle), 0);
    CHECK(actor_alive(child));
    actor_push_simple(child, 0, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(child, 1, CAPOS_FOREVER), 1);
}

CORE_TEST(a_process_outlives_its_parent)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    actor_destroy(parent);
    CHECK(actor_alive(child));
    actor_exit(child, 0);
}

CORE_TEST(a_process_that_waits_for_itself_can_be_killed)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    struct actor_call call = wait_call(actor_give(child, &child->process->object));
    actor_push_call(child, 1, &call);
    CHECK_EQ(actor_enter(child, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK_EQ(kill(handle), 0);
    CHECK_EQ(wait_end(handle).kind, END_KIND_KILLED);
}

// ---- Faults and kills ---------------------------------------------------------------

CORE_TEST(a_fault_ends_the_process_with_its_kind_and_address)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    CHECK(actor_touch(child, CHILD_MEMORY, true));
    CHECK(!actor_touch(child, 0xdead000, true));
    struct process_handle_wait_results end = wait_end(handle);
    CHECK_EQ(end.kind, END_KIND_FAULTED);
    CHECK_EQ(end.fault, FAULT_KIND_UNMAPPED);
    CHECK_EQ(end.fault_address, 0xdead000);
    CHECK_EQ(end.instruction_pointer, CHILD_MEMORY);
    CHECK_EQ(end.stack_pointer, CHILD_MEMORY + 4096);
}

CORE_TEST(other_faults_end_the_process_as_they_are)
{
    make_parent();
    for (unsigned kind = FAULT_KIND_DIVIDE; kind <= FAULT_KIND_BREAKPOINT; kind++) {
        capos_cap_id handle;
        struct actor *child = make_child(&handle);
        actor_run(child);
        (void)!kernel_fault((enum fault_kind)kind, 0, false, false);
        CHECK_EQ(wait_end(handle).fault, kind);
    }
}

static enum status schedule(capos_cap_id builder, struct object *bounds, uint8_t priority,
                            enum latency_class latency_class)
{
    struct capos_transfer transfer = {.cap = actor_give(parent, bounds)};
    struct actor_call call =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_SCHEDULE);
    WITH(&call, process_builder_schedule_params, .bounds = 0, .priority = priority,
         .latency_class = latency_class);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return (enum status) - actor_call(parent, &call).result;
}

CORE_TEST(a_builder_schedules_the_first_thread_as_its_spawner_allows)
{
    static const struct {
        uint8_t priority;
        enum latency_class latency_class;
    } refused[] = {
        {0, LATENCY_CLASS_NORMAL}, {17, LATENCY_CLASS_NORMAL}, {16, LATENCY_CLASS_INTERACTIVE}};
    make_parent();
    for (unsigned i = 0; i < 3; i++) {
        capos_cap_id builder = create();
        CHECK_EQ(schedule(builder, thread_spawner_normal(), refused[i].priority,
                          refused[i].latency_class),
                 STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(start_cqe(builder).result, STATUS_INVALID_ARGUMENT); // it is spoiled
        CHECK_EQ(actor_release(parent, builder), 0);
    }
    capos_cap_id builder = create();
    CHECK_EQ(commit(builder, CHILD_MEMORY, ACTOR_MEMORY_BYTES), 0);
    CHECK_EQ(schedule(builder, thread_spawner_any(), 20, LATENCY_CLASS_INTERACTIVE), STATUS_OK);
    struct object *object = actor_object(parent, start(builder));
    struct actor *child =
        actor_adopt(container_of(object, struct process, object), CHILD_MEMORY);
    const struct thread *thread = actor_thread(child);
    CHECK_EQ(thread->priority, 20);
    CHECK_EQ(thread->priority_max, 20);
    CHECK_EQ(thread->latency_class, LATENCY_CLASS_INTERACTIVE);
    CHECK_EQ(thread->latency_max, LATENCY_CLASS_INTERACTIVE);
}

CORE_TEST(a_kill_ends_a_process_once)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    CHECK_EQ(kill(handle), 0);
    CHECK(!actor_alive(child));
    CHECK_EQ(kill(handle), 0);
    CHECK_EQ(wait_end(handle).kind, END_KIND_KILLED);
    struct actor *other = make_child(&handle);
    actor_exit(other, 3);
    CHECK_EQ(kill(handle), 0);
    CHECK_EQ(wait_end(handle).kind, END_KIND_EXITED);
}

CORE_TEST(a_process_that_kills_itself_takes_no_further_submission)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    capos_cap_id self = actor_give(child, &child->process->object);
    struct object *notification = notification_create(parent->budget);
    struct actor_call signal = call_of(actor_give(child, notification), INTERFACE_NOTIFICATION,
                                       NOTIFICATION_METHOD_SIGNAL);
    WITH(&signal, notification_signal_params, .bits = 1);
    struct actor_call call =
        call_of(self, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_KILL);
    actor_push_call(child, 0, &call);
    actor_push_call(child, 1, &signal);
    CHECK_EQ(actor_enter(child, 2, CAPOS_FOREVER), ACTOR_ENDED);
    CHECK_EQ(wait_end(handle).kind, END_KIND_KILLED);
    struct actor_call wait = call_of(actor_give(parent, notification), INTERFACE_NOTIFICATION,
                                     NOTIFICATION_METHOD_WAIT);
    WITH(&wait, notification_wait_params, .mask = 1);
    actor_submit_call(parent, 1, &wait);
    CHECK(nothing_completed(parent));
    object_put(notification);
}

CORE_TEST(a_process_with_everything_pending_can_be_killed)
{
    make_parent();
    capos_cap_id handle;
    struct actor *child = make_child(&handle);
    capos_cap_id timer = actor_give(child, timer_object());
    capos_cap_id notification =
        actor_give_own(child, notification_create(child->budget), CAPOS_HOLD_COPY);
    capos_cap_id endpoint =
        actor_give_own(child, endpoint_create(child->budget, 4), CAPOS_HOLD_COPY);
    capos_cap_id interrupts = actor_give(child, interrupt_controller_object());
    struct actor_call mint = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint, endpoint_mint_params, .interface_id = INTERFACE_STDIO);
    struct capos_cqe cqe = actor_call(child, &mint);
    capos_cap_id minted = actor_result_cap(child, 0, &cqe, 0);
    struct actor_call bind =
        call_of(interrupts, INTERFACE_INTERRUPT_CONTROLLER, INTERRUPT_CONTROLLER_METHOD_BIND);
    WITH(&bind, interrupt_controller_bind_params, .line = 5);
    cqe = actor_call(child, &bind);
    capos_cap_id interrupt = actor_result_cap(child, 0, &cqe, 0);

    struct actor_call delivered = call_of(minted, INTERFACE_STDIO, 0);
    actor_push_call(child, 1, &delivered);
    actor_push_receive(child, 2, endpoint);
    struct capos_transfer transfer = {.cap = notification, .how = CAPOS_TRANSFER_COPY};
    struct actor_call queued = call_of(minted, INTERFACE_STDIO, 0);
    queued.transfers = &transfer;
    queued.transfer_count = 1;
    actor_push_call(child, 3, &queued);
    struct actor_call wait =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&wait, notification_wait_params, .mask = 1);
    actor_push_call(child, 4, &wait);
    struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = 1'000'000'000);
    actor_push_call(child, 5, &sleep);
    struct actor_call irq = call_of(interrupt, INTERFACE_INTERRUPT, INTERRUPT_METHOD_WAIT);
    actor_push_call(child, 6, &irq);
    struct actor_call self = wait_call(actor_give(child, &child->process->object));
    actor_push_call(child, 7, &self);
    CHECK_EQ(actor_enter(child, 10, 2'000'000'000), ACTOR_BLOCKED);
    CHECK_EQ(actor_thread(child)->ring.pending_count, 6); // all but the RECV's
    CHECK_EQ(kill(handle), 0);
    CHECK_EQ(wait_end(handle).kind, END_KIND_KILLED);
    CHECK(host_irq_masked(5));
    CHECK_EQ(timeout_next_ns(), UINT64_MAX);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_child_finds_its_ring_its_capset_and_its_argument);
    RUN(a_child_holds_what_it_was_granted_and_nothing_else);
    RUN(releasing_a_builder_discards_what_was_built);
    RUN(the_first_failure_spoils_the_builder);
    RUN(a_call_that_is_refused_spoils_the_builder_too);
    RUN(names_of_grants_are_unique_and_short);
    RUN(a_moved_grant_leaves_the_parent);
    RUN(a_builder_has_one_holder_and_is_spent_by_start);
    RUN(a_chain_of_builders_ends_without_deep_recursion);
    RUN(a_builder_granted_to_itself_is_refused);
    RUN(builders_that_hold_each_other_do_not_leak);
    RUN(every_waiter_gets_the_same_answer);
    RUN(a_wait_can_be_cancelled);
    RUN(what_is_known_outlives_the_process_and_what_it_has_does_not);
    RUN(releasing_the_handle_does_not_end_the_process);
    RUN(a_process_outlives_its_parent);
    RUN(a_process_that_waits_for_itself_can_be_killed);
    RUN(a_fault_ends_the_process_with_its_kind_and_address);
    RUN(other_faults_end_the_process_as_they_are);
    RUN(a_builder_schedules_the_first_thread_as_its_spawner_allows);
    RUN(a_kill_ends_a_process_once);
    RUN(a_process_that_kills_itself_takes_no_further_submission);
    RUN(a_process_with_everything_pending_can_be_killed);
    return test_report();
}
