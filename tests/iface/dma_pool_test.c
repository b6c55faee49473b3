// SPDX-License-Identifier: MIT
// DmaPool: contiguous, zeroed memory with its bus address, given back on release.
#include <capos/test.h>

#include <gen/capos/device_memory.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t ALLOCATION_BYTES_MAX = 2 << 20;

static dma_pool_cap pool(void)
{
    return (dma_pool_cap){test_grant("dma", INTERFACE_DMA_POOL)};
}

static int child_allocates(void)
{
    dma_pool_cap dma;
    memory_object_cap object;
    uint64_t bus_address;
    EXPECT_OK(dma_pool_cap_find("dma", &dma));
    EXPECT_OK(dma_pool_allocate(dma, 2 * PAGE, &object, &bus_address));
    EXPECT(bus_address != 0 && bus_address % PAGE == 0);
    return 0;
}

static void dma_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("dma", INTERFACE_DMA_POOL);
}

static void dma_is_allocated_by_whom_it_was_granted(void)
{
    const struct test_child_grant grants[] = {test_lend("dma", pool().id)};
    CHECK_CHILD("allocates", grants, 1);
}

static void memory_for_devices_is_zero_writable_and_not_executable(void)
{
    memory_object_cap object = {};
    uint64_t bus_address = 0, size_bytes = 0, address = 0;
    bool writable = false, executable = true;
    for (int round = 0; round < 2; round++) {
        if (!CHECK_OK(dma_pool_allocate(pool(), 4 * PAGE, &object, &bus_address)))
            return;
        CHECK_OK(memory_object_info(object, &size_bytes, &writable, &executable));
        CHECK_EQ(size_bytes, 4 * PAGE);
        CHECK(writable && !executable);
        CHECK_OK(virtual_memory_map(test_memory(), object, 0, 4 * PAGE, 0,
                                    PROTECTION_READ_WRITE, &address));
        volatile uint64_t *words = (volatile uint64_t *)address;
        for (size_t i = 0; i < 4 * PAGE / 8; i++) {
            if (words[i] != 0) {
                CHECK_EQ(words[i], 0);
                break;
            }
            words[i] = UINT64_MAX;
        }
        CHECK_OK(virtual_memory_unmap(test_memory(), address, 4 * PAGE));
        memory_object_cap_release(&object);
    }
}

static void two_allocations_do_not_overlap(void)
{
    memory_object_cap first = {}, second = {};
    uint64_t first_bus = 0, second_bus = 0;
    CHECK_OK(dma_pool_allocate(pool(), 3 * PAGE, &first, &first_bus));
    CHECK_OK(dma_pool_allocate(pool(), 3 * PAGE, &second, &second_bus));
    CHECK(first_bus + 3 * PAGE <= second_bus || second_bus + 3 * PAGE <= first_bus);
    memory_object_cap_release(&first);
    memory_object_cap_release(&second);
}

static void the_largest_allocation_is_two_mebibytes(void)
{
    memory_object_cap object = {};
    uint64_t bus_address = 0;
    CHECK_OK(dma_pool_allocate(pool(), ALLOCATION_BYTES_MAX, &object, &bus_address));
    memory_object_cap_release(&object);
    CHECK_STATUS(dma_pool_allocate(pool(), ALLOCATION_BYTES_MAX + PAGE, nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(dma_pool_allocate(pool(), 0, nullptr, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(dma_pool_allocate(pool(), PAGE + 8, nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(dma_pool_allocate(pool(), UINT64_MAX - PAGE + 1, nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
}

static void memory_is_given_back(void)
{
    for (int i = 0; i < 100; i++) {
        memory_object_cap object = {};
        uint64_t bus_address;
        if (!CHECK_OK(dma_pool_allocate(pool(), 1 << 20, &object, &bus_address)))
            return;
        memory_object_cap_release(&object);
    }
}

static uint64_t used_bytes(void)
{
    uint64_t used = 0;
    CHECK_OK(memory_budget_info(test_budget(), nullptr, &used, nullptr, nullptr));
    return used;
}

static void a_keeper_outlives_the_driver(void)
{
    dma_pool_cap keeper = {};
    memory_object_cap object = {}, other = {};
    uint64_t bus_address;
    CHECK_OK(dma_pool_keeper(pool(), &keeper));
    uint64_t before = used_bytes();
    CHECK_OK(dma_pool_allocate(keeper, 64 * PAGE, &object, &bus_address));
    memory_object_cap_release(&object);
    CHECK(used_bytes() >= before + 64 * PAGE);
    CHECK_OK(dma_pool_forget_all(keeper));
    CHECK(used_bytes() < before + 64 * PAGE);
    CHECK_OK(dma_pool_allocate(keeper, PAGE, &object, &bus_address));
    CHECK_OK(dma_pool_allocate(pool(), PAGE, &other, &bus_address));
    CHECK_STATUS(dma_pool_forget(keeper, other), STATUS_INVALID_ARGUMENT);
    CHECK_OK(dma_pool_forget(keeper, object));
    memory_object_cap_release(&object);
    memory_object_cap_release(&other);
    dma_pool_cap_release(&keeper);
}

static void memory_of_others_is_pinned_where_it_is(void)
{
    constexpr uint64_t size = 8 * PAGE;
    dma_pool_cap keeper = {};
    memory_object_cap object = {}, snapshot = {};
    uint64_t before = used_bytes(), pages[9] = {}, address = 0;
    size_t bytes = 0;
    CHECK_OK(dma_pool_keeper(pool(), &keeper));
    CHECK_OK(memory_budget_create_memory_object(test_budget(), size, &object));
    CHECK_STATUS(dma_pool_pin(pool(), object, 0, size, pages, sizeof pages, &bytes),
                 STATUS_FAILED);
    CHECK_OK(dma_pool_pin(keeper, object, 0, size, pages, sizeof pages, &bytes));
    CHECK_EQ(bytes, 8 * sizeof pages[0]);
    for (int i = 0; i < 8; i++)
        CHECK(pages[i] != 0 && pages[i] % PAGE == 0 && pages[i] != pages[i + 1]);
    CHECK_STATUS(memory_object_snapshot(object, &snapshot), STATUS_FAILED);
    CHECK_OK(
        virtual_memory_map(test_memory(), object, 0, size, 0, PROTECTION_READ_WRITE, &address));
    CHECK_OK(virtual_memory_unmap(test_memory(), address, size));
    CHECK_OK(dma_pool_forget(keeper, object));
    CHECK_STATUS(dma_pool_forget(keeper, object), STATUS_INVALID_ARGUMENT);
    CHECK_OK(memory_object_snapshot(object, &snapshot));
    memory_object_cap_release(&snapshot);
    // Who pinned it holds it, until it says that it doesn't any more.
    CHECK_OK(dma_pool_pin(keeper, object, PAGE, PAGE, pages, sizeof pages, &bytes));
    memory_object_cap_release(&object);
    CHECK(used_bytes() >= before + size);
    dma_pool_cap_release(&keeper);
    CHECK_EQ(used_bytes(), before);
}

static void tests(void)
{
    RUN(dma_is_out_of_reach_without_the_grant);
    RUN(dma_is_allocated_by_whom_it_was_granted);
    RUN(memory_for_devices_is_zero_writable_and_not_executable);
    RUN(two_allocations_do_not_overlap);
    RUN(the_largest_allocation_is_two_mebibytes);
    RUN(memory_is_given_back);
    RUN(a_keeper_outlives_the_driver);
    RUN(memory_of_others_is_pinned_where_it_is);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"allocates", child_allocates}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
