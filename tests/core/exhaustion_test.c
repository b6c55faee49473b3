// SPDX-License-Identifier: MIT
// Every operation that takes memory, with memory that ends at its first, second, ... n-th
// page: each time a typed error, nothing lost, and in the end success.
#include "core_test.h"

#include <gen/wire/boot_package.h>
#include <gen/wire/device_memory.h>
#include <gen/wire/endpoint.h>
#include <gen/wire/interrupt.h>
#include <gen/wire/io_ports.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/memory_object.h>
#include <gen/wire/notification.h>
#include <gen/wire/process.h>
#include <gen/wire/timer.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/object/objects.h>

constexpr uint64_t CHILD_MEMORY = 0x40000000;

// The actor that runs out of memory, what it holds, and a server with plenty.
static struct actor *actor, *server;
static capos_cap_id budget, memory, spawner, object, endpoint, moved, own_endpoint;

// Runs the core's part of an operation: pushes, enters, and returns the status of the
// last completion; STATUS_PENDING if there is none.
static enum status run(unsigned slot, const struct actor_call *call, struct capos_cqe *out_cqe)
{
    actor_push_call(actor, slot, call);
    (void)actor_enter(actor, 0, 0);
    if (!actor_pop(actor, out_cqe))
        return STATUS_PENDING;
    return (enum status) - out_cqe->result;
}

static enum status call_method(capos_cap_id cap, uint64_t interface_id, uint16_t method)
{
    struct actor_call call = call_of(cap, interface_id, method);
    struct capos_cqe cqe;
    return run(1, &call, &cqe);
}

static struct actor *make_actor(const char *name)
{
    struct actor *made = actor_create(name);
    budget = actor_give(made, &made->budget->object);
    memory = actor_give(made, harness_root("memory"));
    spawner = actor_give(made, harness_root("spawner"));
    return made;
}

static void make_world(void)
{
    server = make_actor("server");
    endpoint = actor_give_own(server, endpoint_create(server->budget, 4), CAPOS_HOLD_COPY);
    struct actor_call mint = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint, endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = 5);
    struct capos_cqe cqe = actor_call(server, &mint);
    capos_cap_id minted = actor_result_cap(server, 0, &cqe, 0);
    actor = make_actor("poor");
    object = actor_give(actor, actor_object(server, minted));
    endpoint = actor_give(actor, actor_object(server, endpoint));
    moved = actor_give_own(actor, notification_create(actor->budget), CAPOS_HOLD_MOVE);
    own_endpoint = actor_give_own(actor, endpoint_create(actor->budget, 1), CAPOS_HOLD_COPY);
}

// Fills the actor's table, so that the next capability needs a new chunk of it.
static void fill_table(void)
{
    while (actor->process->caps.free_count > 0)
        (void)actor_give(actor, timer_object());
}

// ---- The operations -----------------------------------------------------------------

static enum status create_notification(void)
{
    return call_method(budget, INTERFACE_MEMORY_BUDGET,
                       MEMORY_BUDGET_METHOD_CREATE_NOTIFICATION);
}

static enum status create_notification_in_a_full_table(void)
{
    fill_table();
    return create_notification();
}

static enum status create_endpoint(void)
{
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_ENDPOINT);
    WITH(&call, memory_budget_create_endpoint_params, .queue_max = 4096);
    struct capos_cqe cqe;
    return run(1, &call, &cqe);
}

static enum status create_memory_object(void)
{
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT);
    WITH(&call, memory_budget_create_memory_object_params, .size_bytes = 5 * PAGE_BYTES);
    struct capos_cqe cqe;
    return run(1, &call, &cqe);
}

static enum status split(void)
{
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_SPLIT);
    WITH(&call, memory_budget_split_params, .size_bytes = 3 * PAGE_BYTES);
    struct capos_cqe cqe;
    return run(1, &call, &cqe);
}

static enum status mint(void)
{
    struct actor_call call = call_of(own_endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO);
    struct capos_cqe cqe;
    return run(1, &call, &cqe);
}

static enum status sleep_many_times(void)
{
    capos_cap_id timer = actor_give(actor, timer_object());
    enum status status = STATUS_OK;
    for (unsigned i = 0; i < 20 && status != STATUS_OVERLOADED; i++) {
        struct actor_call call = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
        WITH(&call, timer_sleep_params, .duration_ns = UINT64_MAX);
        struct capos_cqe cqe;
        status = run(i, &call, &cqe);
    }
    return status == STATUS_PENDING ? STATUS_OK : status;
}

static enum status wait_for_a_notification(void)
{
    struct actor_call call = call_of(moved, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&call, notification_wait_params, .mask = 1);
    struct capos_cqe cqe;
    enum status status = run(1, &call, &cqe);
    return status == STATUS_PENDING ? STATUS_OK : status;
}

static enum status call_with_a_moved_capability(void)
{
    struct actor_call call = call_of(object, INTERFACE_STDIO, 0);
    struct capos_transfer transfer = {.cap = moved, .how = CAPOS_TRANSFER_MOVE};
    call.transfers = &transfer;
    call.transfer_count = 1;
    struct capos_cqe cqe;
    enum status status = run(1, &call, &cqe);
    CHECK((actor_object(actor, moved) == nullptr) == (status == STATUS_PENDING));
    return status == STATUS_PENDING ? STATUS_OK : status;
}

static enum status receive(void)
{
    actor_push_receive(actor, 1, endpoint);
    (void)actor_enter(actor, 0, 0);
    struct capos_cqe cqe;
    return actor_pop(actor, &cqe) ? (enum status) - cqe.result : STATUS_OK;
}

static enum status receive_capabilities_into_a_full_table(void)
{
    // The server calls, the poor actor serves.
    fill_table();
    struct actor_call call =
        call_of(actor_give(server, actor_object(actor, object)), INTERFACE_STDIO, 0);
    struct capos_transfer transfers[16];
    for (unsigned i = 0; i < 16; i++)
        transfers[i] = (struct capos_transfer){
            .cap = actor_give_own(server, notification_create(server->budget), CAPOS_HOLD_COPY),
            .how = CAPOS_TRANSFER_MOVE};
    call.transfers = transfers;
    call.transfer_count = 16;
    actor_submit_call(server, 1, &call);
    actor_push_receive(actor, 1, endpoint);
    (void)actor_enter(actor, 0, 0);
    struct capos_cqe cqe;
    if (actor_pop(actor, &cqe))
        return (enum status) - cqe.result;
    if (actor_pop(server, &cqe)) // the call failed, the receive goes on
        return (enum status) - cqe.result;
    return STATUS_OVERLOADED; // the receive found no memory for itself
}

static enum status reserve_commit_and_protect(void)
{
    struct capos_cqe cqe;
    struct actor_call call =
        call_of(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_RESERVE);
    WITH(&call, virtual_memory_reserve_params, .length_bytes = UINT64_C(1) << 40);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    struct virtual_memory_reserve_results reserved = {};
    RESULTS(actor, 1, cqe, virtual_memory_reserve_results, &reserved);
    call.method = VIRTUAL_MEMORY_METHOD_COMMIT;
    WITH(&call, virtual_memory_commit_params, .address = reserved.address + (4 << 20),
         .length_bytes = 3 << 20, .protection = PROTECTION_READ_WRITE);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    CHECK(actor_touch(actor, reserved.address + (4 << 20), true)); // what was charged is there
    CHECK(actor_touch(actor, reserved.address + (7 << 20) - 1, true));
    call.method = VIRTUAL_MEMORY_METHOD_PROTECT;
    WITH(&call, virtual_memory_protect_params, .address = reserved.address + (5 << 20),
         .length_bytes = 1 << 20, .protection = PROTECTION_READ);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    call.method = VIRTUAL_MEMORY_METHOD_DECOMMIT;
    WITH(&call, virtual_memory_decommit_params, .address = reserved.address + (4 << 20) + 4096,
         .length_bytes = 4096);
    return run(1, &call, &cqe);
}

static enum status map_a_file_and_view_it(void)
{
    struct capos_cqe cqe;
    struct actor_call call = call_of(actor_give(actor, harness_root("boot")),
                                     INTERFACE_BOOT_PACKAGE, BOOT_PACKAGE_METHOD_OPEN);
    WITH(&call, boot_package_open_params, .name = {"sample", 6});
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id file = actor_result_cap(actor, 1, &cqe, 0);
    call = call_of(file, INTERFACE_MEMORY_OBJECT, MEMORY_OBJECT_METHOD_VIEW);
    WITH(&call, memory_object_view_params, .offset_bytes = 4096, .size_bytes = 4096);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    struct capos_transfer transfer = {.cap = actor_result_cap(actor, 1, &cqe, 0)};
    call = call_of(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_MAP);
    WITH(&call, virtual_memory_map_params, .object = 0, .length_bytes = 4096,
         .protection = PROTECTION_READ);
    call.transfers = &transfer;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    struct virtual_memory_map_results mapped = {};
    RESULTS(actor, 1, cqe, virtual_memory_map_results, &mapped);
    CHECK(actor_touch(actor, mapped.address, false));
    uint8_t byte = 0;
    actor_read(actor, mapped.address + 1, &byte, 1);
    CHECK_EQ(byte, (uint8_t)(4097 * 7));
    return STATUS_OK;
}

static enum status bind_an_interrupt_and_wait(void)
{
    struct capos_cqe cqe;
    struct actor_call call =
        call_of(actor_give(actor, interrupt_controller_object()),
                INTERFACE_INTERRUPT_CONTROLLER, INTERRUPT_CONTROLLER_METHOD_BIND);
    WITH(&call, interrupt_controller_bind_params, .line = 3);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    call = call_of(actor_result_cap(actor, 1, &cqe, 0), INTERFACE_INTERRUPT,
                   INTERRUPT_METHOD_WAIT);
    status = run(1, &call, &cqe);
    return status == STATUS_PENDING ? STATUS_OK : status;
}

static enum status take_devices(void)
{
    struct capos_cqe cqe;
    struct actor_call call = call_of(actor_give(actor, harness_root("ports")),
                                     INTERFACE_IO_PORTS, IO_PORTS_METHOD_RANGE);
    WITH(&call, io_ports_range_params, .first = 0x60, .count = 4);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    call = call_of(actor_give(actor, harness_root("devices")), INTERFACE_DEVICE_MEMORY,
                   DEVICE_MEMORY_METHOD_RANGE);
    WITH(&call, device_memory_range_params, .offset_bytes = 0xfe000000, .size_bytes = 8192);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    return call_method(actor_result_cap(actor, 1, &cqe, 0), INTERFACE_DEVICE_MEMORY,
                       DEVICE_MEMORY_METHOD_OBJECT);
}

static enum status allocate_dma_memory(void)
{
    struct capos_cqe cqe;
    struct actor_call call = call_of(actor_give(actor, harness_root("dma")), INTERFACE_DMA_POOL,
                                     DMA_POOL_METHOD_ALLOCATE);
    WITH(&call, dma_pool_allocate_params, .size_bytes = 4 * PAGE_BYTES);
    return run(1, &call, &cqe);
}

static enum status build_and_start_a_process(void)
{
    struct capos_cqe cqe;
    struct capos_transfer transfer = {.cap = budget};
    struct actor_call call =
        call_of(spawner, INTERFACE_PROCESS_SPAWNER, PROCESS_SPAWNER_METHOD_CREATE);
    WITH(&call, process_spawner_create_params, .name = {"child", 5}, .budget = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id builder = actor_result_cap(actor, 1, &cqe, 0);
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_COMMIT);
    WITH(&call, process_builder_commit_params, .address = CHILD_MEMORY,
         .length_bytes = 4 * PAGE_BYTES, .protection = PROTECTION_READ_WRITE);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_GRANT);
    WITH(&call, process_builder_grant_params, .name = {"budget", 6}, .capability = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_START);
    WITH(&call, process_builder_start_params, .entry = CHILD_MEMORY,
         .stack_pointer = CHILD_MEMORY + 4096);
    return run(1, &call, &cqe);
}

// ---- The loop -----------------------------------------------------------------------

// Repeats an operation in a new world each time, with one page more.
static void exhaust(enum status (*operation)(void))
{
    enum status status = STATUS_OVERLOADED;
    for (uint64_t pages = 0; pages < 2000 && status == STATUS_OVERLOADED; pages++) {
        harness_begin();
        make_world();
        harness_squeeze(actor->budget, pages);
        status = operation();
        harness_relax(actor->budget);
        CHECK(harness_end());
    }
    CHECK_EQ(status, STATUS_OK);
}

#define EXHAUST(operation)                       \
    static void operation##_without_memory(void) \
    {                                            \
        exhaust(operation);                      \
    }

EXHAUST(create_notification)
EXHAUST(create_notification_in_a_full_table)
EXHAUST(create_endpoint)
EXHAUST(create_memory_object)
EXHAUST(split)
EXHAUST(mint)
EXHAUST(sleep_many_times)
EXHAUST(wait_for_a_notification)
EXHAUST(call_with_a_moved_capability)
EXHAUST(receive)
EXHAUST(receive_capabilities_into_a_full_table)
EXHAUST(reserve_commit_and_protect)
EXHAUST(map_a_file_and_view_it)
EXHAUST(bind_an_interrupt_and_wait)
EXHAUST(take_devices)
EXHAUST(allocate_dma_memory)
EXHAUST(build_and_start_a_process)

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(create_notification_without_memory);
    RUN(create_notification_in_a_full_table_without_memory);
    RUN(create_endpoint_without_memory);
    RUN(create_memory_object_without_memory);
    RUN(split_without_memory);
    RUN(mint_without_memory);
    RUN(sleep_many_times_without_memory);
    RUN(wait_for_a_notification_without_memory);
    RUN(call_with_a_moved_capability_without_memory);
    RUN(receive_without_memory);
    RUN(receive_capabilities_into_a_full_table_without_memory);
    RUN(reserve_commit_and_protect_without_memory);
    RUN(map_a_file_and_view_it_without_memory);
    RUN(bind_an_interrupt_and_wait_without_memory);
    RUN(take_devices_without_memory);
    RUN(allocate_dma_memory_without_memory);
    RUN(build_and_start_a_process_without_memory);
    return test_report();
}
