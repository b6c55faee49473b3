// SPDX-License-Identifier: MIT
// Every method of the kernel and every ring operation, with memory that ends at its first,
// second, ... n-th allocation: each time a typed error, nothing lost, and in the end success.
// The last test compares with the schema, so no method can be forgotten.
#include "core_test.h"

#include <abi/load.h>
#include <gen/descriptor.h>
#include <gen/wire/boot_package.h>
#include <gen/wire/console.h>
#include <gen/wire/device_memory.h>
#include <gen/wire/endpoint.h>
#include <gen/wire/entropy_source.h>
#include <gen/wire/forker.h>
#include <gen/wire/interrupt.h>
#include <gen/wire/io_ports.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/memory_object.h>
#include <gen/wire/notification.h>
#include <gen/wire/process.h>
#include <gen/wire/system_inspector.h>
#include <gen/wire/thread.h>
#include <gen/wire/timer.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/arch/host/invariants.h>
#include <kernel/object/objects.h>
#include <lib/descriptor.h>

constexpr uint64_t CHILD_MEMORY = 0x40000000;

constexpr unsigned SLACK_MAX = 3;

// The actor that runs out of memory, what it holds, and a server with plenty.
static struct actor *actor, *server;
static capos_cap_id budget, memory, spawner, object, endpoint, moved, notified, own_endpoint;

// The methods that succeeded in the end.
constexpr unsigned COVERED_MAX = 256;
static struct {
    uint64_t interface_id;
    uint16_t method;
} covered[COVERED_MAX];
static unsigned covered_count;

static bool is_covered(uint64_t interface_id, uint16_t method)
{
    for (unsigned i = 0; i < covered_count; i++)
        if (covered[i].interface_id == interface_id && covered[i].method == method)
            return true;
    return false;
}

static void cover(uint64_t interface_id, uint16_t method)
{
    if (is_covered(interface_id, method))
        return;
    CHECK(covered_count < COVERED_MAX);
    covered[covered_count].interface_id = interface_id;
    covered[covered_count++].method = method;
}

// Runs the core's part of an operation: pushes, enters, and returns the status of the
// last completion; STATUS_PENDING if there is none, STATUS_OK if it ended the actor's thread.
static enum status run(unsigned slot, const struct actor_call *call, struct capos_cqe *out_cqe)
{
    actor_push_call(actor, slot, call);
    enum status status = STATUS_OK;
    if (actor_enter(actor, 0, 0) != ACTOR_ENDED)
        status = actor_pop(actor, out_cqe) ? (enum status) - out_cqe->result : STATUS_PENDING;
    if (status == STATUS_OK || status == STATUS_PENDING)
        cover(call->interface_id, call->method);
    return status;
}

static enum status call_method(capos_cap_id cap, uint64_t interface_id, uint16_t method)
{
    struct actor_call call = call_of(cap, interface_id, method);
    struct capos_cqe cqe;
    return run(1, &call, &cqe);
}

// A call with params that the codec of `prefix` writes, and its status.
#define CALL(cap, interface_id, method, prefix, ...)                        \
    ({                                                                      \
        struct actor_call call_ = call_of((cap), (interface_id), (method)); \
        struct capos_cqe cqe_;                                              \
        WITH(&call_, prefix, __VA_ARGS__);                                  \
        run(1, &call_, &cqe_);                                              \
    })

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
    notified = actor_give_own(actor, notification_create(actor->budget), CAPOS_HOLD_COPY);
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

// These never need memory, so they succeed without any.
static enum status ask_what_is_known(void)
{
    capos_cap_id boot = actor_give(actor, harness_root("boot"));
    capos_cap_id timer = actor_give(actor, timer_object());
    CHECK_EQ(call_method(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_INFO),
             STATUS_OK);
    CHECK_EQ(call_method(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_PEAK),
             STATUS_OK);
    CHECK_EQ(call_method(actor_give(actor, harness_root("console")), INTERFACE_CONSOLE,
                         CONSOLE_METHOD_INFO),
             STATUS_OK);
    CHECK_EQ(call_method(timer, INTERFACE_TIMER, TIMER_METHOD_NOW), STATUS_OK);
    CHECK_EQ(call_method(boot, INTERFACE_BOOT_PACKAGE, BOOT_PACKAGE_METHOD_INFO), STATUS_OK);
    CHECK_EQ(CALL(boot, INTERFACE_BOOT_PACKAGE, BOOT_PACKAGE_METHOD_ENTRY,
                  boot_package_entry_params, .index = 1),
             STATUS_OK);
    return call_method(actor_give(actor, harness_root("devices")), INTERFACE_DEVICE_MEMORY,
                       DEVICE_MEMORY_METHOD_INFO);
}

static enum status use_what_is_there(void)
{
    capos_cap_id ports = actor_give(actor, harness_root("ports"));
    CHECK_EQ(CALL(actor_give(actor, harness_root("console")), INTERFACE_CONSOLE,
                  CONSOLE_METHOD_WRITE, console_write_params,
                  .data = {(const uint8_t *)"hi", 2}),
             STATUS_OK);
    CHECK_EQ(CALL(actor_give(actor, harness_root("entropy")), INTERFACE_ENTROPY_SOURCE,
                  ENTROPY_SOURCE_METHOD_FILL, entropy_source_fill_params, .length_bytes = 32),
             STATUS_OK);
    CHECK_EQ(CALL(ports, INTERFACE_IO_PORTS, IO_PORTS_METHOD_READ, io_ports_read_params,
                  .port = 0x60, .width_bytes = 1),
             STATUS_OK);
    CHECK_EQ(CALL(ports, INTERFACE_IO_PORTS, IO_PORTS_METHOD_WRITE, io_ports_write_params,
                  .port = 0x60, .width_bytes = 1, .value = 7),
             STATUS_OK);
    CHECK_EQ(CALL(ports, INTERFACE_IO_PORTS, IO_PORTS_METHOD_READ_SELECTED,
                  io_ports_read_selected_params, .select_port = 0x60, .port = 0x64,
                  .width_bytes = 1),
             STATUS_OK);
    CHECK_EQ(CALL(ports, INTERFACE_IO_PORTS, IO_PORTS_METHOD_WRITE_SELECTED,
                  io_ports_write_selected_params, .select_port = 0x60, .port = 0x64,
                  .width_bytes = 1, .value = 7),
             STATUS_OK);
    capos_cap_id inspector = actor_give(actor, harness_root("inspector"));
    CHECK_EQ(CALL(inspector, INTERFACE_SYSTEM_INSPECTOR, SYSTEM_INSPECTOR_METHOD_PROCESS,
                  system_inspector_process_params, .after = 0),
             STATUS_OK);
    CHECK_EQ(CALL(inspector, INTERFACE_SYSTEM_INSPECTOR, SYSTEM_INSPECTOR_METHOD_CAPABILITY,
                  system_inspector_capability_params, .process_id = actor->process->id),
             STATUS_OK);
    return CALL(moved, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL,
                notification_signal_params, .bits = 1);
}

static enum status lend_use_and_take_back(void)
{
    struct capos_transfer transfer = {.cap = notified};
    struct capos_cqe cqe;
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_REVOCABLE);
    WITH(&call, memory_budget_create_revocable_params, .target = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id lent = actor_result_cap(actor, 1, &cqe, 0);
    capos_cap_id revoker = actor_result_cap(actor, 1, &cqe, 1);
    CHECK_EQ(CALL(lent, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL,
                  notification_signal_params, .bits = 1),
             STATUS_OK);
    return call_method(revoker, INTERFACE_REVOKER, REVOKER_METHOD_REVOKE);
}

static enum status sleep_until(void)
{
    capos_cap_id timer = actor_give(actor, timer_object());
    enum status status = CALL(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP_UNTIL,
                              timer_sleep_until_params, .deadline_ns = UINT64_MAX);
    return status == STATUS_PENDING ? STATUS_OK : status;
}

static enum status mint_revoke_and_disconnect(void)
{
    struct capos_cqe cqe;
    struct actor_call call = call_of(own_endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    struct capos_transfer transfer = {.cap = actor_result_cap(actor, 1, &cqe, 0)};
    call = call_of(own_endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_IDENTIFY);
    WITH(&call, endpoint_identify_params, .object = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    CHECK_EQ(run(1, &call, &cqe), STATUS_OK);
    call = call_of(own_endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_REVOKE);
    WITH(&call, endpoint_revoke_params, .object = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    CHECK_EQ(run(1, &call, &cqe), STATUS_OK);
    return call_method(own_endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_DISCONNECT);
}

static enum status wait_for_a_process_and_kill_it(void)
{
    capos_cap_id process = actor_give(actor, &server->process->object);
    enum status status =
        call_method(process, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_WAIT);
    if (status != STATUS_PENDING)
        return status;
    CHECK_EQ(call_method(process, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_INFO),
             STATUS_OK);
    CHECK_EQ(call_method(process, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_KILL),
             STATUS_OK);
    struct capos_cqe cqe;
    return actor_pop(actor, &cqe) ? (enum status) - cqe.result : STATUS_PENDING;
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
    CHECK_EQ(call_method(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_INFO),
             STATUS_OK);
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
    CHECK_EQ(call_method(file, INTERFACE_MEMORY_OBJECT, MEMORY_OBJECT_METHOD_INFO), STATUS_OK);
    CHECK_EQ(CALL(file, INTERFACE_MEMORY_OBJECT, MEMORY_OBJECT_METHOD_READ,
                  memory_object_read_params, .offset_bytes = 100, .length_bytes = 16),
             STATUS_OK);
    return CALL(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_UNMAP,
                virtual_memory_unmap_params, .address = mapped.address, .length_bytes = 4096);
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

static enum status wait_for_a_message(void)
{
    struct capos_cqe cqe;
    struct actor_call call =
        call_of(actor_give(actor, interrupt_controller_object()),
                INTERFACE_INTERRUPT_CONTROLLER, INTERRUPT_CONTROLLER_METHOD_MESSAGE);
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

static enum status keep_dma_memory(void)
{
    struct capos_cqe cqe;
    struct actor_call call = call_of(actor_give(actor, harness_root("dma")), INTERFACE_DMA_POOL,
                                     DMA_POOL_METHOD_KEEPER);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id keeper = actor_result_cap(actor, 1, &cqe, 0);
    call = call_of(keeper, INTERFACE_DMA_POOL, DMA_POOL_METHOD_ALLOCATE);
    WITH(&call, dma_pool_allocate_params, .size_bytes = 4 * PAGE_BYTES);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    struct capos_transfer transfer = {.cap = actor_result_cap(actor, 1, &cqe, 0)};
    call = call_of(keeper, INTERFACE_DMA_POOL, DMA_POOL_METHOD_FORGET);
    WITH(&call, dma_pool_forget_params, .object = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    return call_method(keeper, INTERFACE_DMA_POOL, DMA_POOL_METHOD_FORGET_ALL);
}

static enum status pin_memory(void)
{
    struct capos_cqe cqe;
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT);
    WITH(&call, memory_budget_create_memory_object_params, .size_bytes = 5 * PAGE_BYTES);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    struct capos_transfer transfer = {.cap = actor_result_cap(actor, 1, &cqe, 0)};
    call = call_of(actor_give(actor, harness_root("dma")), INTERFACE_DMA_POOL,
                   DMA_POOL_METHOD_KEEPER);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    call =
        call_of(actor_result_cap(actor, 1, &cqe, 0), INTERFACE_DMA_POOL, DMA_POOL_METHOD_PIN);
    WITH(&call, dma_pool_pin_params, .object = 0, .size_bytes = 5 * PAGE_BYTES);
    call.transfers = &transfer;
    call.transfer_count = 1;
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
    transfer.cap = actor_give(actor, thread_spawner_any());
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_SCHEDULE);
    WITH(&call, process_builder_schedule_params, .bounds = 0, .priority = 9);
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

// A child whose calls are recorded, with a mapping.
static enum status build_a_child_that_is_recorded(void)
{
    struct capos_cqe cqe;
    struct capos_transfer transfers[] = {{.cap = budget}, {}};
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT);
    WITH(&call, memory_budget_create_memory_object_params, .size_bytes = 3 * PAGE_BYTES);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id buffer = actor_result_cap(actor, 1, &cqe, 0);
    call = call_of(spawner, INTERFACE_PROCESS_SPAWNER, PROCESS_SPAWNER_METHOD_CREATE);
    WITH(&call, process_spawner_create_params, .name = {"child", 5}, .budget = 0);
    call.transfers = transfers;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id builder = actor_result_cap(actor, 1, &cqe, 0);
    transfers[0].cap = buffer;
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_MAP);
    WITH(&call, process_builder_map_params, .object = 0, .length_bytes = PAGE_BYTES,
         .address = CHILD_MEMORY, .protection = PROTECTION_READ);
    call.transfers = transfers;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    const struct capos_load_piece piece = {.address = CHILD_MEMORY + 8 * PAGE_BYTES,
                                           .length_bytes = 3 * PAGE_BYTES,
                                           .copy_bytes = PAGE_BYTES + 1,
                                           .kind = CAPOS_LOAD_COMMIT,
                                           .protection = PROTECTION_READ_WRITE};
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_LOAD);
    WITH(&call, process_builder_load_params, .file = 0,
         .pieces = {(const uint8_t *)&piece, sizeof piece},
         .contents_address = CHILD_MEMORY + 11 * PAGE_BYTES - 1,
         .contents = {(const uint8_t *)"x", 1});
    call.transfers = transfers;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    transfers[1].cap = notified;
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_TRACE);
    WITH(&call, process_builder_trace_params, .buffer = 0, .notification = 1, .bits = 1,
         .capture_bytes = 64);
    call.transfers = transfers;
    call.transfer_count = 2;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    return CALL(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_START,
                process_builder_start_params, .entry = CHILD_MEMORY,
                .stack_pointer = CHILD_MEMORY + 4096);
}

// Starts a thread of the actor's process; it uses the upper half of the actor's memory.
static enum status start_thread(capos_cap_id *out_handle, struct actor **out_thread)
{
    struct capos_cqe cqe;
    struct actor_call call = call_of(actor_give(actor, thread_spawner_normal()),
                                     INTERFACE_THREAD_SPAWNER, THREAD_SPAWNER_METHOD_START);
    WITH(&call, thread_spawner_start_params, .entry = 0x1000);
    enum status status = run(1, &call, &cqe);
    CHECK_EQ(list_count(&actor->process->threads), status == STATUS_OK ? 2 : 1);
    if (status != STATUS_OK)
        return status;
    *out_handle = actor_result_cap(actor, 1, &cqe, 0);
    *out_thread =
        actor_adopt_thread(actor, *out_handle, actor->memory + ACTOR_MEMORY_BYTES / 2);
    return STATUS_OK;
}

// A method of the second thread, while the first one joins it.
static enum status end_a_thread_by(uint16_t method)
{
    capos_cap_id handle;
    struct actor *second, *first = actor;
    enum status status = start_thread(&handle, &second);
    if (status != STATUS_OK)
        return status;
    status = call_method(handle, INTERFACE_THREAD_HANDLE, THREAD_HANDLE_METHOD_JOIN);
    if (status != STATUS_PENDING)
        return status;
    capos_cap_id control = actor_give(actor, thread_control_object());
    actor = second;
    // A stack at the end of the actor's memory.
    status = method == THREAD_CONTROL_METHOD_EXIT
                 ? CALL(control, INTERFACE_THREAD_CONTROL, method, thread_control_exit_params,
                        .code = 1)
                 : CALL(control, INTERFACE_THREAD_CONTROL, method,
                        thread_control_exit_and_unmap_params,
                        .address = first->memory + ACTOR_MEMORY_BYTES - 4 * PAGE_BYTES,
                        .length_bytes = 2 * PAGE_BYTES);
    actor = first;
    CHECK_EQ(list_count(&actor->process->threads), status == STATUS_OK ? 1 : 2);
    return status;
}

static enum status end_a_thread(void)
{
    return end_a_thread_by(THREAD_CONTROL_METHOD_EXIT);
}

static enum status end_a_thread_with_its_stack(void)
{
    return end_a_thread_by(THREAD_CONTROL_METHOD_EXIT_AND_UNMAP);
}

static enum status park_many_times(void)
{
    capos_cap_id space = actor_give(actor, park_space_object());
    struct capos_cqe cqe;
    CHECK_EQ(call_method(space, INTERFACE_PARK_SPACE, PARK_SPACE_METHOD_INFO), STATUS_OK);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t word = actor->memory + ACTOR_MEMORY_BYTES - 8;
        actor_push_park(actor, i, space, word, 0, CAPOS_FOREVER);
        (void)actor_enter(actor, 0, 0);
        if (actor_pop(actor, &cqe))
            return (enum status) - cqe.result;
    }
    return STATUS_OK;
}

static enum status narrow_a_thread_spawner(void)
{
    return CALL(actor_give(actor, thread_spawner_normal()), INTERFACE_THREAD_SPAWNER,
                THREAD_SPAWNER_METHOD_NARROW, thread_spawner_narrow_params, .priority_max = 1);
}

static enum status control_the_thread(void)
{
    capos_cap_id handle, control = actor_give(actor, thread_control_object());
    struct actor *second;
    CHECK_EQ(call_method(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_INFO),
             STATUS_OK);
    CHECK_EQ(call_method(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_YIELD),
             STATUS_OK);
    CHECK_EQ(CALL(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_THREAD_BASE,
                  thread_control_set_thread_base_params, .thread_base = 0x1000),
             STATUS_OK);
    CHECK_EQ(CALL(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_PRIORITY,
                  thread_control_set_priority_params, .priority = 2),
             STATUS_OK);
    CHECK_EQ(CALL(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_LATENCY_CLASS,
                  thread_control_set_latency_class_params, .latency_class = 0),
             STATUS_OK);
    CHECK_EQ(call_method(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_LATENCY),
             STATUS_OK);
    CHECK_EQ(CALL(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_AFFINITY,
                  thread_control_set_affinity_params, .cpus = 1),
             STATUS_OK);
    CHECK_EQ(CALL(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_SET_FAULT_HANDLER,
                  thread_control_set_fault_handler_params, .entry = 0x1000, .frame = 0x2000),
             STATUS_OK);
    CHECK_EQ(CALL(control, INTERFACE_THREAD_CONTROL, THREAD_CONTROL_METHOD_RESUME,
                  thread_control_resume_params, .frame = actor->memory),
             STATUS_OK);
    enum status status = start_thread(&handle, &second);
    if (status != STATUS_OK)
        return status;
    CHECK_EQ(call_method(handle, INTERFACE_THREAD_HANDLE, THREAD_HANDLE_METHOD_INFO),
             STATUS_OK);
    return call_method(handle, INTERFACE_THREAD_HANDLE, THREAD_HANDLE_METHOD_DETACH);
}

static enum status commit_lazily_and_touch(void)
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
    call.method = VIRTUAL_MEMORY_METHOD_COMMIT_LAZILY;
    WITH(&call, virtual_memory_commit_lazily_params, .address = reserved.address + (1 << 30),
         .length_bytes = UINT64_C(1) << 30, .protection = PROTECTION_READ_WRITE);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    if (actor_touch(actor, reserved.address + (1 << 30), true))
        return STATUS_OK;
    CHECK_EQ(actor->process->end.fault, FAULT_KIND_OUT_OF_MEMORY);
    return STATUS_OVERLOADED;
}

static enum status allocate_and_snapshot_an_object(void)
{
    struct capos_cqe cqe;
    struct actor_call call =
        call_of(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_ALLOCATE);
    WITH(&call, virtual_memory_allocate_params, .length_bytes = 3 << 20,
         .protection = PROTECTION_READ_WRITE);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    call = call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT);
    WITH(&call, memory_budget_create_memory_object_params, .size_bytes = 12 * PAGE_BYTES);
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    return call_method(actor_result_cap(actor, 1, &cqe, 0), INTERFACE_MEMORY_OBJECT,
                       MEMORY_OBJECT_METHOD_SNAPSHOT);
}

// One call with the budget as its capability; the result's capability.
static enum status call_with(capos_cap_id cap, uint64_t interface_id, uint16_t method,
                             capos_cap_id lent, capos_cap_id *out_result)
{
    struct capos_cqe cqe;
    struct capos_transfer transfer = {.cap = lent};
    struct actor_call call = call_of(cap, interface_id, method);
    call.transfers = &transfer;
    call.transfer_count = 1;
    WITH(&call, forker_snapshot_params, .budget = 0); // one capability, whatever it is
    enum status status = run(1, &call, &cqe);
    if (status == STATUS_OK && cqe.transfer_count > 0)
        *out_result = actor_result_cap(actor, 1, &cqe, 0);
    return status;
}

static enum status fork_a_process(void)
{
    struct capos_cqe cqe;
    capos_cap_id snapshot;
    CHECK(actor_touch(actor, actor->memory, true));
    enum status status = call_with(actor_give(actor, harness_root("forker")), INTERFACE_FORKER,
                                   FORKER_METHOD_SNAPSHOT, budget, &snapshot);
    if (status != STATUS_OK)
        return status;
    CHECK_EQ(call_method(snapshot, INTERFACE_ADDRESS_SPACE_SNAPSHOT,
                         ADDRESS_SPACE_SNAPSHOT_METHOD_INFO),
             STATUS_OK);
    struct capos_transfer transfer = {.cap = budget};
    struct actor_call call =
        call_of(spawner, INTERFACE_PROCESS_SPAWNER, PROCESS_SPAWNER_METHOD_CREATE);
    WITH(&call, process_spawner_create_params, .name = {"fork", 4}, .budget = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id builder = actor_result_cap(actor, 1, &cqe, 0);
    status = call_with(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_MAP_SNAPSHOT,
                       snapshot, &snapshot);
    if (status != STATUS_OK)
        return status;
    call = call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_START);
    WITH(&call, process_builder_start_params, .entry = actor->memory,
         .stack_pointer = actor->memory + 4096);
    return run(1, &call, &cqe);
}

static enum status watch_a_budget(void)
{
    struct capos_cqe cqe;
    struct capos_transfer transfer = {
        .cap = actor_give_own(server, notification_create(server->budget), CAPOS_HOLD_COPY)};
    transfer.cap = actor_give(actor, actor_object(server, transfer.cap));
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_WATCH);
    WITH(&call, memory_budget_watch_params, .threshold_bytes = UINT64_MAX, .bits = 1);
    call.transfers = &transfer;
    call.transfer_count = 1;
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    return call_method(actor_result_cap(actor, 1, &cqe, 0), INTERFACE_BUDGET_WATCH,
                       BUDGET_WATCH_METHOD_INFO);
}

// There must be a page that isn't used.
static enum status give_a_page_back(void)
{
    return CALL(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_GIVE_BACK,
                memory_budget_give_back_params, .size_bytes = PAGE_BYTES);
}

static enum status weigh_a_budget(void)
{
    struct capos_cqe cqe;
    struct actor_call call =
        call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_SPLIT);
    WITH(&call, memory_budget_split_params, .size_bytes = PAGE_BYTES);
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    struct capos_transfer transfer = {.cap = actor_result_cap(actor, 1, &cqe, 0)};
    call = call_of(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_SET_CPU_WEIGHT);
    WITH(&call, memory_budget_set_cpu_weight_params, .budget = 0, .weight = 5);
    call.transfers = &transfer;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    return call_method(budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CPU_WEIGHT);
}

static enum status limit_a_console(void)
{
    struct capos_cqe cqe;
    struct actor_call call = call_of(actor_give(actor, harness_root("console")),
                                     INTERFACE_CONSOLE, CONSOLE_METHOD_LIMIT);
    WITH(&call, console_limit_params, .bytes_max = 100);
    return run(1, &call, &cqe);
}

static enum status poll_a_notification(void)
{
    return CALL(moved, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_POLL,
                notification_poll_params, .mask = 1);
}

static enum status let_an_interrupt_ring(void)
{
    struct actor_call call =
        call_of(actor_give(actor, interrupt_controller_object()),
                INTERFACE_INTERRUPT_CONTROLLER, INTERRUPT_CONTROLLER_METHOD_BIND);
    WITH(&call, interrupt_controller_bind_params, .line = 3);
    struct capos_cqe cqe;
    enum status status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    capos_cap_id interrupt = actor_result_cap(actor, 1, &cqe, 0);
    struct capos_transfer transfer = {
        .cap = actor_give_own(server, notification_create(server->budget), CAPOS_HOLD_COPY)};
    transfer.cap = actor_give(actor, actor_object(server, transfer.cap));
    call = call_of(interrupt, INTERFACE_INTERRUPT, INTERRUPT_METHOD_NOTIFY);
    WITH(&call, interrupt_notify_params, .notification = 0, .bits = 1);
    call.transfers = &transfer;
    call.transfer_count = 1;
    status = run(1, &call, &cqe);
    if (status != STATUS_OK)
        return status;
    return call_method(interrupt, INTERFACE_INTERRUPT, INTERRUPT_METHOD_REARM);
}

static enum status watch_a_call(void)
{
    // The server calls, the poor actor serves.
    struct actor_call call =
        call_of(actor_give(server, actor_object(actor, object)), INTERFACE_STDIO, 0);
    actor_submit_call(server, 1, &call);
    struct capos_cqe cqe;
    actor_push_receive(actor, 1, endpoint);
    (void)actor_enter(actor, 0, 0);
    if (!actor_pop(actor, &cqe) || cqe.result != 0)
        return STATUS_OVERLOADED;
    enum status status =
        CALL(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_WATCH, endpoint_watch_params,
             .call_id = actor_received(actor, 1).call_id);
    return status == STATUS_PENDING ? STATUS_OK : status;
}

// ---- The loop -----------------------------------------------------------------------

// Repeats an operation in a new world each time, with one page more.  With another slack
// other structures of it are the first that find no room.
static void exhaust_with(enum status (*operation)(void), unsigned slack)
{
    enum status status = STATUS_OVERLOADED;
    for (uint64_t pages = 0; pages < 2000 && status == STATUS_OVERLOADED; pages++) {
        harness_begin();
        make_world();
        harness_squeeze(actor->budget, pages, slack);
        status = operation();
        kernel_check_invariants();
        harness_relax(actor->budget);
        CHECK(harness_end());
    }
    CHECK_EQ(status, STATUS_OK);
}

static void exhaust(enum status (*operation)(void))
{
    for (unsigned slack = 0; slack <= SLACK_MAX; slack++)
        exhaust_with(operation, slack);
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
EXHAUST(wait_for_a_message)
EXHAUST(take_devices)
EXHAUST(allocate_dma_memory)
EXHAUST(keep_dma_memory)
EXHAUST(pin_memory)
EXHAUST(build_and_start_a_process)
EXHAUST(build_a_child_that_is_recorded)
EXHAUST(ask_what_is_known)
EXHAUST(use_what_is_there)
EXHAUST(lend_use_and_take_back)
EXHAUST(sleep_until)
EXHAUST(mint_revoke_and_disconnect)
EXHAUST(wait_for_a_process_and_kill_it)
EXHAUST(end_a_thread)
EXHAUST(end_a_thread_with_its_stack)
EXHAUST(park_many_times)
EXHAUST(narrow_a_thread_spawner)
EXHAUST(control_the_thread)
EXHAUST(commit_lazily_and_touch)
EXHAUST(allocate_and_snapshot_an_object)
EXHAUST(fork_a_process)
EXHAUST(watch_a_budget)
EXHAUST(give_a_page_back)
EXHAUST(weigh_a_budget)
EXHAUST(limit_a_console)
EXHAUST(poll_a_notification)
EXHAUST(let_an_interrupt_ring)
EXHAUST(watch_a_call)

// ---- What was forgotten -------------------------------------------------------------

static void every_method_of_the_kernel_ran_out_of_memory(void)
{
    struct descriptor schema;
    struct descriptor_interface interface;
    struct descriptor_method method;
    CHECK_EQ(descriptor_open(descriptor_blob, sizeof descriptor_blob, &schema), STATUS_OK);
    for (uint32_t i = 0; descriptor_interface_at(&schema, i, &interface); i++) {
        for (uint32_t j = 0;
             interface.kernel_homed && descriptor_method_at(&schema, &interface, j, &method);
             j++)
            if (!is_covered(interface.id, method.ordinal)) {
                printf("# no operation calls %s.%s\n", interface.name, method.name);
                CHECK(false);
            }
    }
}

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
    RUN(wait_for_a_message_without_memory);
    RUN(take_devices_without_memory);
    RUN(allocate_dma_memory_without_memory);
    RUN(keep_dma_memory_without_memory);
    RUN(pin_memory_without_memory);
    RUN(build_and_start_a_process_without_memory);
    RUN(build_a_child_that_is_recorded_without_memory);
    RUN(ask_what_is_known_without_memory);
    RUN(use_what_is_there_without_memory);
    RUN(lend_use_and_take_back_without_memory);
    RUN(sleep_until_without_memory);
    RUN(mint_revoke_and_disconnect_without_memory);
    RUN(wait_for_a_process_and_kill_it_without_memory);
    RUN(end_a_thread_without_memory);
    RUN(end_a_thread_with_its_stack_without_memory);
    RUN(park_many_times_without_memory);
    RUN(narrow_a_thread_spawner_without_memory);
    RUN(control_the_thread_without_memory);
    RUN(commit_lazily_and_touch_without_memory);
    RUN(allocate_and_snapshot_an_object_without_memory);
    RUN(fork_a_process_without_memory);
    RUN(watch_a_budget_without_memory);
    RUN(give_a_page_back_without_memory);
    RUN(weigh_a_budget_without_memory);
    RUN(limit_a_console_without_memory);
    RUN(poll_a_notification_without_memory);
    RUN(let_an_interrupt_ring_without_memory);
    RUN(watch_a_call_without_memory);
    RUN(every_method_of_the_kernel_ran_out_of_memory);
    return test_report();
}
