// SPDX-License-Identifier: MIT
// Tests of DeviceMemory, DmaPool and IoPorts.
#include <gen/kernel/device_memory.h>
#include <gen/kernel/io_ports.h>

#include <kernel/mm/memory_object.h>
#include <kernel/object/object_test.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>

constexpr uint64_t RAM_BYTES = (uint64_t)16 << 20;
constexpr paddr_t RAM_END = HOST_RAM_BASE + RAM_BYTES;

static void device_memory_never_touches_ram(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct object *all = device_memory_create_root(root);
    constexpr uint64_t huge = ~(PAGE_BYTES - 1);
    static const struct device_memory_range_params bad[] = {
        {.offset_bytes = HOST_RAM_BASE, .size_bytes = PAGE_BYTES},
        {.offset_bytes = ((uint64_t)1 << 46) - PAGE_BYTES, .size_bytes = 2 * PAGE_BYTES},
        {.offset_bytes = RAM_END - PAGE_BYTES, .size_bytes = PAGE_BYTES},
        {.offset_bytes = RAM_END - PAGE_BYTES, .size_bytes = 2 * PAGE_BYTES},
        {.offset_bytes = 0, .size_bytes = PAGE_BYTES},
        {.offset_bytes = 0, .size_bytes = (uint64_t)1 << 46},
        {.offset_bytes = RAM_END, .size_bytes = 0},
        {.offset_bytes = RAM_END, .size_bytes = 1},
        {.offset_bytes = RAM_END + 1, .size_bytes = PAGE_BYTES},
        {.offset_bytes = (uint64_t)1 << 46, .size_bytes = PAGE_BYTES},
        {.offset_bytes = RAM_END, .size_bytes = (uint64_t)1 << 46},
        {.offset_bytes = huge, .size_bytes = 2 * PAGE_BYTES},
        {.offset_bytes = RAM_END, .size_bytes = huge},
    };
    struct device_memory_range_results results;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct invocation call = call_of_process();
        check_refused(device_memory_range(all, &call, &bad[i], &results),
                      STATUS_INVALID_ARGUMENT, &call);
    }
    struct invocation call = call_of_process();
    struct device_memory_object_results object;
    check_refused(device_memory_object(all, &call, &object), STATUS_FAILED, &call);
    object_put(all);
    mm_check_counts(root, before);
}

static void device_memory_ranges_nest_and_become_uncached_objects(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct object *all = device_memory_create_root(root);
    struct invocation call = call_of_process();
    struct device_memory_range_params params = {.offset_bytes = 0xfeb00000,
                                                .size_bytes = 16 * PAGE_BYTES};
    struct device_memory_range_results results;
    CHECK_EQ(device_memory_range(all, &call, &params, &results), STATUS_OK);
    struct object *outer = result_of(&call);
    params = (struct device_memory_range_params){.offset_bytes = 4 * PAGE_BYTES,
                                                 .size_bytes = 12 * PAGE_BYTES};
    call = call_of_process();
    CHECK_EQ(device_memory_range(outer, &call, &params, &results), STATUS_OK);
    struct object *inner = result_of(&call);
    params.size_bytes += PAGE_BYTES;
    call = call_of_process();
    check_refused(device_memory_range(outer, &call, &params, &results), STATUS_INVALID_ARGUMENT,
                  &call);

    struct device_memory_info_results info;
    CHECK_EQ(device_memory_info(inner, &call, &info), STATUS_OK);
    CHECK_EQ(info.physical_address, 0xfeb04000);
    CHECK_EQ(info.size_bytes, 12 * PAGE_BYTES);

    call = call_of_process();
    struct device_memory_object_results object_results;
    CHECK_EQ(device_memory_object(inner, &call, &object_results), STATUS_OK);
    struct memory_object *registers = memory_object_of(result_of(&call));
    CHECK_EQ(memory_object_frame(registers, PAGE_BYTES), 0xfeb05000);
    CHECK_EQ(memory_object_cache(registers), PAGE_UNCACHED);
    CHECK(memory_object_writable(registers) && !memory_object_executable(registers));
    object_put(result_of(&call));
    object_put(inner);
    object_put(outer);
    object_put(all);
    mm_check_counts(root, before);
}

static void dma_pool_charges_the_caller(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct budget *budget = budget_split(root, 20 * PAGE_BYTES);
    struct object *pool = dma_pool_object();
    struct process process = {.budget = budget};
    uint64_t root_used = root->used_bytes;
    struct invocation call = {.process = &process};
    struct dma_pool_allocate_params params = {.size_bytes = 5 * PAGE_BYTES};
    struct dma_pool_allocate_results results;
    CHECK_EQ(dma_pool_allocate(pool, &call, &params, &results), STATUS_OK);
    struct memory_object *memory = memory_object_of(result_of(&call));
    CHECK_EQ(memory_object_frame(memory, 2 * PAGE_BYTES), results.bus_address + 2 * PAGE_BYTES);
    CHECK_EQ(root->used_bytes, root_used);
    CHECK_EQ(budget->used_bytes - budget->kernel_bytes, 5 * PAGE_BYTES);
    object_put(result_of(&call));

    static const struct {
        uint64_t size;
        enum status status;
    } bad[] = {
        {0, STATUS_INVALID_ARGUMENT},
        {100, STATUS_INVALID_ARGUMENT},
        {((uint64_t)2 << 20) + PAGE_BYTES, STATUS_INVALID_ARGUMENT},
        {~(PAGE_BYTES - 1), STATUS_INVALID_ARGUMENT},
        {20 * PAGE_BYTES, STATUS_OVERLOADED},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        call = (struct invocation){.process = &process};
        params.size_bytes = bad[i].size;
        check_refused(dma_pool_allocate(pool, &call, &params, &results), bad[i].status, &call);
    }
    CHECK_EQ(budget->used_bytes, 0);
    object_put(&budget->object);
    mm_check_counts(root, before);
}

static struct object *allocate_from(struct object *pool, struct process *process)
{
    struct invocation call = {.process = process};
    struct dma_pool_allocate_params params = {.size_bytes = 2 * PAGE_BYTES};
    struct dma_pool_allocate_results results;
    CHECK_EQ(dma_pool_allocate(pool, &call, &params, &results), STATUS_OK);
    return result_of(&call);
}

static enum status forget(struct object *pool, struct object *memory)
{
    struct invocation_transfer transfer = {.object = memory};
    struct invocation call = {.transfers = &transfer, .transfer_count = 1};
    struct dma_pool_forget_params params = {.object = 0};
    return dma_pool_forget(pool, &call, &params);
}

static struct object *keeper_of_process(struct process *process)
{
    struct invocation call = {.process = process};
    struct dma_pool_keeper_results results;
    CHECK_EQ(dma_pool_keeper(dma_pool_object(), &call, &results), STATUS_OK);
    return result_of(&call);
}

static void a_keeper_keeps_memory_until_it_is_forgotten(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct budget *budget = budget_split(root, 20 * PAGE_BYTES);
    struct process process = {.budget = budget};
    struct object *keeper = keeper_of_process(&process);

    struct object *first = allocate_from(keeper, &process);
    struct object *second = allocate_from(keeper, &process);
    struct object *foreign = allocate_from(dma_pool_object(), &process);
    CHECK_EQ(forget(keeper, foreign), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(forget(dma_pool_object(), foreign), STATUS_INVALID_ARGUMENT);
    object_put(foreign);
    object_put(first); // its driver is gone, and it is still there
    CHECK_EQ(budget->used_bytes - budget->kernel_bytes, 4 * PAGE_BYTES);
    CHECK_EQ(forget(keeper, second), STATUS_OK);
    CHECK_EQ(forget(keeper, second), STATUS_INVALID_ARGUMENT);
    object_put(second);
    CHECK_EQ(budget->used_bytes - budget->kernel_bytes, 2 * PAGE_BYTES);
    struct invocation call = {.process = &process};
    CHECK_EQ(dma_pool_forget_all(keeper, &call), STATUS_OK);
    CHECK_EQ(budget->used_bytes - budget->kernel_bytes, 0);

    object_put(allocate_from(keeper, &process));
    object_put(keeper);
    CHECK_EQ(budget->used_bytes, 0);
    object_put(&budget->object);
    mm_check_counts(root, before);
}

static enum status pin(struct object *pool, struct process *process,
                       struct memory_object *memory, uint64_t offset, uint64_t size,
                       struct dma_pool_pin_results *out_results)
{
    struct invocation_transfer transfer = {.object = memory_object_as_object(memory)};
    struct invocation call = {.process = process, .transfers = &transfer, .transfer_count = 1};
    struct dma_pool_pin_params params = {
        .object = 0, .offset_bytes = offset, .size_bytes = size};
    return dma_pool_pin(pool, &call, &params, out_results);
}

static void pinned_memory_keeps_its_frames_until_it_is_forgotten(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct process process = {.budget = root};
    struct object *keeper = keeper_of_process(&process);
    struct memory_object *memory = memory_object_create(root, 10 * PAGE_BYTES);
    enum status status;
    const char *reason;
    paddr_t shared = memory_object_frame(memory, 2 * PAGE_BYTES);
    struct memory_object *earlier =
        memory_object_create_snapshot(root, memory, &status, &reason);

    struct dma_pool_pin_results results;
    CHECK_EQ(pin(keeper, &process, memory, PAGE_BYTES, 9 * PAGE_BYTES, &results), STATUS_OK);
    CHECK_EQ(results.pages.size_bytes, 9 * sizeof(uint64_t));
    for (uint64_t i = 0; i < 9; i++) {
        uint64_t page;
        memcpy(&page, results.pages.data + i * sizeof page, sizeof page);
        CHECK_EQ(page, memory_object_frame_present(memory, (i + 1) * PAGE_BYTES));
        CHECK(page != shared); // a device doesn't write to the snapshot
    }
    CHECK(memory_object_create_snapshot(root, memory, &status, &reason) == nullptr);
    CHECK_EQ(status, STATUS_FAILED);

    CHECK_EQ(pin(keeper, &process, memory, 0, PAGE_BYTES, &results), STATUS_OK);
    struct object *object = memory_object_as_object(memory);
    CHECK_EQ(forget(keeper, object), STATUS_OK); // one of two
    object_put(object);                          // its owner is gone, and it is still there
    uint64_t used_bytes = root->used_bytes;
    CHECK_EQ(forget(keeper, object), STATUS_OK);
    CHECK(root->used_bytes + 10 * PAGE_BYTES <= used_bytes);
    object_put(memory_object_as_object(earlier));
    object_put(keeper);
    mm_check_counts(root, before);
}

static void only_ram_that_may_be_written_is_pinned_and_only_by_a_keeper(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct process process = {.budget = root};
    struct object *pool = dma_pool_object(), *keeper = keeper_of_process(&process);
    constexpr uint64_t size = (uint64_t)4 << 20;
    struct memory_object *memory = memory_object_create(root, size);
    struct memory_object *view = memory_object_create_view(root, memory, 0, size, false, false);
    struct memory_object *registers = memory_object_create_physical(
        root, RAM_END, size, /*writable=*/true, /*executable=*/false, PAGE_UNCACHED);
    const struct {
        struct object *pool;
        struct memory_object *memory;
        uint64_t offset, size;
        enum status status;
    } bad[] = {
        {pool, memory, 0, PAGE_BYTES, STATUS_FAILED},
        {keeper, view, 0, PAGE_BYTES, STATUS_INVALID_ARGUMENT},
        {keeper, registers, 0, PAGE_BYTES, STATUS_INVALID_ARGUMENT},
        {keeper, memory, 0, 0, STATUS_INVALID_ARGUMENT},
        {keeper, memory, 0, 100, STATUS_INVALID_ARGUMENT},
        {keeper, memory, 0, size / 2 + PAGE_BYTES, STATUS_INVALID_ARGUMENT},
        {keeper, memory, 100, PAGE_BYTES, STATUS_INVALID_ARGUMENT},
        {keeper, memory, size, PAGE_BYTES, STATUS_INVALID_ARGUMENT},
        {keeper, memory, size - PAGE_BYTES, 2 * PAGE_BYTES, STATUS_INVALID_ARGUMENT},
        {keeper, memory, -PAGE_BYTES, 2 * PAGE_BYTES, STATUS_INVALID_ARGUMENT},
    };
    struct dma_pool_pin_results results;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(
            pin(bad[i].pool, &process, bad[i].memory, bad[i].offset, bad[i].size, &results),
            bad[i].status);
    object_put(memory_object_as_object(view));
    object_put(memory_object_as_object(memory));
    object_put(memory_object_as_object(registers));
    object_put(keeper);
    mm_check_counts(root, before);
}

static enum status read_port(struct object *ports, uint16_t port, uint8_t width)
{
    struct invocation call = call_of_process();
    struct io_ports_read_params params = {.port = port, .width_bytes = width};
    struct io_ports_read_results results;
    return io_ports_read(ports, &call, &params, &results);
}

static void io_ports_reach_only_their_range_with_their_whole_width(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct object *all = io_ports_create_root(root);
    struct invocation call = call_of_process();
    struct io_ports_range_params params = {.first = 0x3f8, .count = 8};
    struct io_ports_range_results results;
    CHECK_EQ(io_ports_range(all, &call, &params, &results), STATUS_OK);
    struct object *serial = result_of(&call);

    CHECK_EQ(read_port(serial, 0x3f8, 4), STATUS_OK);
    CHECK_EQ(read_port(serial, 0x3ff, 1), STATUS_OK);
    CHECK_EQ(read_port(serial, 0x3fc, 4), STATUS_OK);
    CHECK_EQ(read_port(serial, 0x3ff, 2), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(read_port(serial, 0x3fd, 4), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(read_port(serial, 0x3f7, 1), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(read_port(serial, 0x400, 1), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(read_port(serial, 0x3f8, 0), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(read_port(serial, 0x3f8, 3), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(read_port(serial, 0x3f8, 255), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(read_port(all, 0xffff, 1), STATUS_OK);
    CHECK_EQ(read_port(all, 0xffff, 2), STATUS_INVALID_ARGUMENT);

    static const struct io_ports_range_params bad[] = {
        {.first = 0x3f8, .count = 0},  {.first = 0x3f8, .count = 9},
        {.first = 0x3f7, .count = 1},  {.first = 0x400, .count = 1},
        {.first = 0, .count = 65536},  {.first = 0x3f8, .count = UINT32_MAX},
        {.first = 0xffff, .count = 2},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        call = call_of_process();
        check_refused(io_ports_range(serial, &call, &bad[i], &results), STATUS_INVALID_ARGUMENT,
                      &call);
    }
    object_put(serial);
    object_put(all);
    mm_check_counts(root, before);
}

static void io_ports_write_refuses_values_wider_than_the_port(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct object *all = io_ports_create_root(root);
    static const struct {
        uint8_t width;
        uint32_t value;
        enum status status;
    } writes[] = {
        {1, 0xff, STATUS_OK},       {1, 0x100, STATUS_INVALID_ARGUMENT},
        {2, 0xffff, STATUS_OK},     {2, 0x10000, STATUS_INVALID_ARGUMENT},
        {4, 0xffffffff, STATUS_OK}, {3, 0, STATUS_INVALID_ARGUMENT},
    };
    for (unsigned i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        struct invocation call = call_of_process();
        struct io_ports_write_params params = {
            .port = 0x80, .width_bytes = writes[i].width, .value = writes[i].value};
        CHECK_EQ(io_ports_write(all, &call, &params), writes[i].status);
    }
    struct invocation call = call_of_process();
    struct io_ports_read_params params = {.port = 0x80, .width_bytes = 4};
    struct io_ports_read_results results;
    CHECK_EQ(io_ports_read(all, &call, &params, &results), STATUS_OK);
    CHECK_EQ(results.value, 0xffffffff);
    object_put(all);
}

static void io_ports_select_a_register_and_access_it(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct object *pci = io_ports_create_pci(root);
    static const struct {
        uint16_t select_port, port;
        uint8_t width;
        uint32_t value;
        enum status status;
    } writes[] = {
        {0xcf8, 0xcfc, 4, 0x12345678, STATUS_OK},
        {0xcf8, 0xcfe, 2, 0xaaaa, STATUS_OK},
        {0xcf8, 0xcff, 2, 0, STATUS_INVALID_ARGUMENT},
        {0xcf8, 0xcfe, 2, 0x10000, STATUS_INVALID_ARGUMENT},
        {0xcf8, 0xcfc, 3, 0, STATUS_INVALID_ARGUMENT},
        {0xcf7, 0xcfc, 4, 0, STATUS_INVALID_ARGUMENT},
        {0xcfd, 0xcfc, 1, 0, STATUS_INVALID_ARGUMENT},
        {0xcf8, 0xd00, 1, 0, STATUS_INVALID_ARGUMENT},
    };
    for (unsigned i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        struct invocation call = call_of_process();
        struct io_ports_write_selected_params params = {
            .select_port = writes[i].select_port,
            .selection = 0x80000000 + i,
            .port = writes[i].port,
            .width_bytes = writes[i].width,
            .value = writes[i].value,
        };
        CHECK_EQ(io_ports_write_selected(pci, &call, &params), writes[i].status);
    }
    // What was refused touched neither port.
    CHECK_EQ(arch_port_read(0xcf8, 4), 0x80000001);
    CHECK_EQ(arch_port_read(0xcfc, 4), 0xaaaa5678);
    struct invocation call = call_of_process();
    struct io_ports_read_selected_params params = {
        .select_port = 0xcf8, .selection = 0x80000042, .port = 0xcfc, .width_bytes = 2};
    struct io_ports_read_selected_results results;
    CHECK_EQ(io_ports_read_selected(pci, &call, &params, &results), STATUS_OK);
    CHECK_EQ(results.value, 0x5678);
    CHECK_EQ(arch_port_read(0xcf8, 4), 0x80000042);
    params.select_port = 0xcf0;
    CHECK_EQ(io_ports_read_selected(pci, &call, &params, &results), STATUS_INVALID_ARGUMENT);
    object_put(pci);
    mm_check_counts(root, before);
}

int main(void)
{
    RUN(device_memory_never_touches_ram);
    RUN(device_memory_ranges_nest_and_become_uncached_objects);
    RUN(dma_pool_charges_the_caller);
    RUN(a_keeper_keeps_memory_until_it_is_forgotten);
    RUN(pinned_memory_keeps_its_frames_until_it_is_forgotten);
    RUN(only_ram_that_may_be_written_is_pinned_and_only_by_a_keeper);
    RUN(io_ports_reach_only_their_range_with_their_whole_width);
    RUN(io_ports_write_refuses_values_wider_than_the_port);
    RUN(io_ports_select_a_register_and_access_it);
    return test_report();
}
