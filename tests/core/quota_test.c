// SPDX-License-Identifier: MIT
// Every ledger that a process can use up: it gets a typed error, again and again, and two
// others that talk to each other all the while notice nothing.
#include "core_test.h"

#include <gen/wire/console.h>
#include <gen/wire/endpoint.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/timer.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/object/objects.h>

static struct actor *culprit, *client, *server;
static capos_cap_id endpoint, object; // of the others
static uint64_t others_used_bytes;

static capos_cap_id mint_for(capos_cap_id on, struct actor *owner, struct actor *holder)
{
    struct actor_call call = call_of(on, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO);
    struct capos_cqe cqe = actor_call(owner, &call);
    CHECK_EQ(cqe.result, 0);
    capos_cap_id minted = actor_result_cap(owner, 0, &cqe, 0);
    capos_cap_id given = actor_give(holder, actor_object(owner, minted));
    CHECK_EQ(actor_release(owner, minted), 0);
    return given;
}

// One call of the client, and the server's answer.
static void round_trip(void)
{
    static const char text[16] = "a message of 15";
    struct actor_call call = call_of(object, INTERFACE_STDIO, 3);
    call.params = text;
    call.params_bytes = sizeof text;
    actor_submit_receive(server, 1, endpoint);
    actor_submit_call(client, 1, &call);
    CHECK_EQ(take(server).result, 0);
    struct actor_call answer = {.cap = endpoint,
                                .interface_id = actor_received(server, 1).call_id,
                                .params = text,
                                .params_bytes = sizeof text};
    CHECK_EQ(actor_return(server, &answer), 0);
    CHECK_EQ(take(client).result, 0);
}

// What the others do at any time: they talk, and their memory is as it was.
static void others_work(void)
{
    for (unsigned i = 0; i < 20; i++)
        round_trip();
    CHECK_EQ(client->budget->used_bytes + server->budget->used_bytes, others_used_bytes);
}

static void make_world(void)
{
    culprit = actor_create("culprit");
    client = actor_create("client");
    server = actor_create("server");
    endpoint = actor_give_own(server, endpoint_create(server->budget, 4), CAPOS_HOLD_COPY);
    object = mint_for(endpoint, server, client);
    round_trip(); // makes what is kept for the next time
    others_used_bytes = client->budget->used_bytes + server->budget->used_bytes;
    others_work();
}

// Repeats an operation of the culprit until it is refused, with the others at work in
// between; returns how often it succeeded.
static unsigned repeat(enum status (*operation)(void), unsigned count_max, enum status expected)
{
    unsigned count = 0;
    enum status status = STATUS_OK;
    while (count <= count_max && (status = operation()) == STATUS_OK)
        if (++count % (count_max / 8 + 1) == 0)
            others_work();
    CHECK_EQ(status, expected);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(operation(), expected);
        others_work();
    }
    CHECK(actor_alive(culprit));
    return count;
}

static enum status call_status(const struct actor_call *call)
{
    return (enum status) - actor_call(culprit, call).result;
}

// ---- The ledgers ----------------------------------------------------------------------

static capos_cap_id console, budget, memory, timer, busy;

// Consoles that may write nothing: a capability each, and hardly anything else.
static enum status take_a_slot(void)
{
    struct actor_call call = call_of(console, INTERFACE_CONSOLE, CONSOLE_METHOD_LIMIT);
    WITH(&call, console_limit_params, .bytes_max = 0);
    return call_status(&call);
}

CORE_TEST(capability_slots_end_for_who_fills_them)
{
    make_world();
    console = actor_give(culprit, console_object());
    unsigned count = repeat(take_a_slot, 200000, STATUS_OVERLOADED);
    CHECK(count > 100000); // the table's own limit,
    const struct budget *paid = culprit->budget;
    CHECK(paid->used_bytes < paid->limit_bytes); // not that of memory
    // One that goes makes room for one.
    const struct cap_table *table = &culprit->process->caps;
    CHECK_EQ(actor_release(culprit,
                           (capos_cap_id)cap_table_slot(table, 500)->generation << 32 | 500),
             0);
    CHECK_EQ(take_a_slot(), STATUS_OK);
    CHECK_EQ(take_a_slot(), STATUS_OVERLOADED);
}

static enum status take_kernel_memory(void)
{
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_ENDPOINT);
    WITH(&call, memory_budget_create_endpoint_params, .queue_max = 4096);
    return call_status(&call);
}

CORE_TEST(kernel_memory_ends_for_who_takes_it)
{
    make_world();
    budget = actor_give(culprit, &culprit->budget->object);
    CHECK(repeat(take_kernel_memory, 1000, STATUS_OVERLOADED) > 50);
}

static enum status take_user_memory(void)
{
    struct actor_call call =
        call_of(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_ALLOCATE);
    WITH(&call, virtual_memory_allocate_params, .length_bytes = 16 * PAGE_BYTES,
         .protection = PROTECTION_READ_WRITE);
    return call_status(&call);
}

CORE_TEST(user_memory_ends_for_who_takes_it)
{
    make_world();
    memory = actor_give(culprit, harness_root("memory"));
    CHECK(repeat(take_user_memory, 1000, STATUS_OVERLOADED) > 50);
}

static uint64_t lazy_address;

static enum status touch_lazily(void)
{
    if (!actor_touch(culprit, lazy_address, true))
        return STATUS_OVERLOADED;
    lazy_address += PAGE_BYTES;
    return STATUS_OK;
}

CORE_TEST(lazy_memory_ends_with_a_fault_of_who_touches_it)
{
    make_world();
    const char *reason = nullptr;
    struct space *space = &culprit->process->space;
    CHECK_EQ(space_reserve(space, UINT64_C(1) << 30, 0, 0, &lazy_address, &reason), STATUS_OK);
    CHECK_EQ(space_commit_lazily(space, lazy_address, UINT64_C(1) << 30, PROTECTION_READ_WRITE,
                                 &reason),
             STATUS_OK);
    unsigned count = 0;
    for (; touch_lazily() == STATUS_OK; count++)
        if (count % 500 == 0)
            others_work();
    CHECK(count > 1000);
    CHECK_EQ(culprit->process->end.kind, END_KIND_FAULTED);
    CHECK_EQ(culprit->process->end.fault, FAULT_KIND_OUT_OF_MEMORY);
    CHECK_EQ(culprit->process->end.fault_address, lazy_address);
    others_work();
}

// A call that stays pending.  There is a completion entry for each, so when these are used up,
// waiting for one more is refused.
static enum status sleep_for_ever(void)
{
    struct actor_call call = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&call, timer_sleep_params, .duration_ns = UINT64_MAX);
    const struct ring *ring = &actor_thread(culprit)->ring;
    uint32_t pending = ring->pending_count;
    if (pending == CAPOS_CQ_ENTRIES)
        return (enum status) - actor_enter(culprit, CAPOS_CQ_ENTRIES + 1, 0);
    actor_push_call(culprit, 2, &call);
    CHECK_EQ(actor_enter(culprit, 0, 0), 0);
    CHECK_EQ(ring->pending_count, pending + 1);
    return STATUS_OK;
}

CORE_TEST(pending_calls_end_for_who_makes_them)
{
    make_world();
    timer = actor_give(culprit, timer_object());
    CHECK_EQ(repeat(sleep_for_ever, 1000, STATUS_INVALID_ARGUMENT), CAPOS_CQ_ENTRIES);
    struct actor_call call = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_NOW);
    actor_push_call(culprit, 3, &call);
    CHECK_EQ(actor_enter(culprit, 0, 0), 0); // stays where it is, without damage
    CHECK(nothing_completed(culprit));
    CHECK_EQ(actor_thread(culprit)->ring.pending_count, CAPOS_CQ_ENTRIES);
    others_work();
}

static enum status call_the_busy_server(void)
{
    struct actor_call call = call_of(busy, INTERFACE_STDIO, 3);
    actor_push_call(culprit, 2, &call);
    (void)actor_enter(culprit, 0, 0);
    struct capos_cqe cqe;
    return actor_pop(culprit, &cqe) ? (enum status) - cqe.result : STATUS_OK;
}

CORE_TEST(the_queue_of_an_endpoint_ends_for_who_fills_it)
{
    make_world();
    // The same server's, who doesn't receive there.
    capos_cap_id other =
        actor_give_own(server, endpoint_create(server->budget, 16), CAPOS_HOLD_COPY);
    busy = mint_for(other, server, culprit);
    others_used_bytes = client->budget->used_bytes + server->budget->used_bytes;
    CHECK_EQ(repeat(call_the_busy_server, 100, STATUS_OVERLOADED), 16);
}

static enum status write_ten_bytes(void)
{
    struct actor_call call = call_of(console, INTERFACE_CONSOLE, CONSOLE_METHOD_WRITE);
    WITH(&call, console_write_params, .data = {(const uint8_t *)"ten bytes\n", 10});
    return call_status(&call);
}

CORE_TEST(log_bytes_end_for_who_writes_them)
{
    make_world();
    struct actor_call call =
        call_of(actor_give(culprit, console_object()), INTERFACE_CONSOLE, CONSOLE_METHOD_LIMIT);
    WITH(&call, console_limit_params, .bytes_max = 255);
    struct capos_cqe cqe = actor_call(culprit, &call);
    console = actor_result_cap(culprit, 0, &cqe, 0);
    host_console_clear();
    CHECK_EQ(repeat(write_ten_bytes, 100, STATUS_OVERLOADED), 25);
    CHECK_EQ(strlen(host_console_text()), 250);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(capability_slots_end_for_who_fills_them);
    RUN(kernel_memory_ends_for_who_takes_it);
    RUN(user_memory_ends_for_who_takes_it);
    RUN(lazy_memory_ends_with_a_fault_of_who_touches_it);
    RUN(pending_calls_end_for_who_makes_them);
    RUN(the_queue_of_an_endpoint_ends_for_who_fills_it);
    RUN(log_bytes_end_for_who_writes_them);
    return test_report();
}
