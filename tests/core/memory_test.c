// SPDX-License-Identifier: MIT
// Tests of memory as processes see it through their calls: shared objects, views, the
// boot package, budgets.  The algorithms below are tested beside them, in kernel/mm.
#include "core_test.h"

#include <gen/wire/boot_package.h>
#include <gen/wire/device_memory.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/memory_object.h>
#include <gen/wire/virtual_memory.h>
#include <kernel/mm/frame.h>
#include <kernel/object/objects.h>

static struct actor *one, *two;
static capos_cap_id one_memory, two_memory, one_budget;

static void make_pair(void)
{
    one = actor_create("one");
    two = actor_create("two");
    one_memory = actor_give(one, harness_root("memory"));
    two_memory = actor_give(two, harness_root("memory"));
    one_budget = actor_give(one, &one->budget->object);
}

static capos_cap_id create_object(uint64_t size_bytes)
{
    struct actor_call call =
        call_of(one_budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT);
    WITH(&call, memory_budget_create_memory_object_params, .size_bytes = size_bytes);
    struct capos_cqe cqe = actor_call(one, &call);
    CHECK_EQ(cqe.result, 0);
    return actor_result_cap(one, 0, &cqe, 0);
}

static struct capos_cqe view_cqe(capos_cap_id object, uint64_t offset, uint64_t size,
                                 bool writable, bool executable)
{
    struct actor_call call =
        call_of(object, INTERFACE_MEMORY_OBJECT, MEMORY_OBJECT_METHOD_VIEW);
    WITH(&call, memory_object_view_params, .offset_bytes = offset, .size_bytes = size,
         .writable = writable, .executable = executable);
    return actor_call(one, &call);
}

static capos_cap_id view(capos_cap_id object, uint64_t offset, uint64_t size, bool writable)
{
    struct capos_cqe cqe = view_cqe(object, offset, size, writable, false);
    CHECK_EQ(cqe.result, 0);
    return actor_result_cap(one, 0, &cqe, 0);
}

// Maps an object anywhere.  Returns the address, or 0 and the status.
static uint64_t map(struct actor *actor, capos_cap_id memory, capos_cap_id object,
                    uint64_t offset, uint64_t length, enum protection protection,
                    enum status *out_status)
{
    struct capos_transfer transfer = {.cap = object};
    struct actor_call call =
        call_of(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_MAP);
    WITH(&call, virtual_memory_map_params, .object = 0, .offset_bytes = offset,
         .length_bytes = length, .protection = protection);
    call.transfers = &transfer;
    call.transfer_count = 1;
    struct capos_cqe cqe = actor_call(actor, &call);
    *out_status = (enum status) - cqe.result;
    if (cqe.result != 0)
        return 0;
    struct virtual_memory_map_results results = {};
    RESULTS(actor, 0, cqe, virtual_memory_map_results, &results);
    return results.address;
}

static int32_t unmap(struct actor *actor, capos_cap_id memory, uint64_t address,
                     uint64_t length)
{
    struct actor_call call =
        call_of(memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_UNMAP);
    WITH(&call, virtual_memory_unmap_params, .address = address, .length_bytes = length);
    return actor_call(actor, &call).result;
}

CORE_TEST(two_processes_see_each_others_writes)
{
    make_pair();
    enum status status;
    capos_cap_id object = create_object(3 * PAGE_BYTES);
    capos_cap_id others = actor_give(two, actor_object(one, object));
    uint64_t a =
        map(one, one_memory, object, 0, 3 * PAGE_BYTES, PROTECTION_READ_WRITE, &status);
    uint64_t b =
        map(two, two_memory, others, PAGE_BYTES, PAGE_BYTES, PROTECTION_READ_WRITE, &status);
    CHECK(actor_touch(one, a + PAGE_BYTES, true));
    CHECK(actor_touch(two, b, true));
    static const char hello[] = "hello", world[] = "world";
    char seen[6];
    actor_write(one, a + PAGE_BYTES + 100, hello, sizeof hello);
    actor_read(two, b + 100, seen, sizeof seen);
    CHECK(strcmp(seen, "hello") == 0);
    actor_write(two, b + 200, world, sizeof world);
    actor_read(one, a + PAGE_BYTES + 200, seen, sizeof seen);
    CHECK(strcmp(seen, "world") == 0);
    // The mapping outlives every capability and the other process.
    CHECK_EQ(actor_release(one, object), 0);
    CHECK_EQ(actor_release(two, others), 0);
    actor_destroy(one);
    actor_read(two, b + 100, seen, sizeof seen);
    CHECK(strcmp(seen, "hello") == 0);
    CHECK_EQ(unmap(two, two_memory, b, PAGE_BYTES), 0);
    CHECK(!actor_touch(two, b, false));
}

CORE_TEST(an_object_is_charged_once_and_in_full_to_its_budget)
{
    make_pair();
    uint64_t before = one->budget->used_bytes, others_before = two->budget->used_bytes;
    capos_cap_id object = create_object(16 * PAGE_BYTES);
    uint64_t charged = one->budget->used_bytes - before;
    CHECK(charged >= 16 * PAGE_BYTES && charged <= 18 * PAGE_BYTES);
    capos_cap_id others = actor_give(two, actor_object(one, object));
    enum status status;
    uint64_t address =
        map(two, two_memory, others, 0, 16 * PAGE_BYTES, PROTECTION_READ_WRITE, &status);
    for (unsigned i = 0; i < 16; i++)
        CHECK(actor_touch(two, address + i * PAGE_BYTES, true));
    CHECK_EQ(one->budget->used_bytes - before, charged);
    CHECK(two->budget->used_bytes - others_before < 8 * PAGE_BYTES); // tables alone
}

CORE_TEST(a_view_is_narrower_and_there_is_no_way_back)
{
    make_pair();
    capos_cap_id object = create_object(8 * PAGE_BYTES);
    capos_cap_id part = view(object, 2 * PAGE_BYTES, 4 * PAGE_BYTES, false);
    enum status status;
    CHECK(map(one, one_memory, part, 0, 4 * PAGE_BYTES, PROTECTION_READ, &status) != 0);
    CHECK_EQ(map(one, one_memory, part, 0, 5 * PAGE_BYTES, PROTECTION_READ, &status), 0);
    CHECK_EQ(status, STATUS_INVALID_ARGUMENT);
    CHECK_EQ(map(one, one_memory, part, 0, PAGE_BYTES, PROTECTION_READ_WRITE, &status), 0);
    CHECK_EQ(status, STATUS_INVALID_ARGUMENT);
    CHECK_EQ(map(one, one_memory, part, UINT64_MAX - 4095, 8192, PROTECTION_READ, &status), 0);
    CHECK_EQ(status, STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(view_cqe(part, 0, 4 * PAGE_BYTES, true, false).result,
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(view_cqe(part, 0, 4 * PAGE_BYTES, false, true).result,
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(view_cqe(part, PAGE_BYTES, 4 * PAGE_BYTES, false, false).result,
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(view_cqe(part, 0, 0, false, false).result, STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(view_cqe(part, 0, UINT64_MAX & ~UINT64_C(4095), false, false).result,
                 STATUS_INVALID_ARGUMENT);
}

CORE_TEST(a_view_shows_the_pages_of_the_whole)
{
    make_pair();
    capos_cap_id object = create_object(8 * PAGE_BYTES);
    capos_cap_id deep = object;
    for (unsigned i = 0; i < 5; i++) // a view of a view of a view ...
        deep = view(deep, PAGE_BYTES, (7 - i) * PAGE_BYTES, true);
    enum status status;
    uint64_t whole =
        map(one, one_memory, object, 0, 8 * PAGE_BYTES, PROTECTION_READ_WRITE, &status);
    uint64_t part =
        map(one, one_memory, deep, 0, 3 * PAGE_BYTES, PROTECTION_READ_WRITE, &status);
    uint64_t mark = 0x1122334455667788, seen = 0;
    actor_write(one, whole + 5 * PAGE_BYTES + 8, &mark, sizeof mark);
    actor_read(one, part + 8, &seen, sizeof seen);
    CHECK_EQ(seen, mark);
}

CORE_TEST(a_page_of_an_object_gets_no_right_that_the_object_lacks)
{
    make_pair();
    capos_cap_id part = view(create_object(PAGE_BYTES), 0, PAGE_BYTES, false);
    enum status status;
    uint64_t address = map(one, one_memory, part, 0, PAGE_BYTES, PROTECTION_READ, &status);
    struct actor_call call =
        call_of(one_memory, INTERFACE_VIRTUAL_MEMORY, VIRTUAL_MEMORY_METHOD_PROTECT);
    WITH(&call, virtual_memory_protect_params, .address = address, .length_bytes = PAGE_BYTES,
         .protection = PROTECTION_READ_WRITE);
    CHECK_STATUS(actor_call(one, &call).result, STATUS_INVALID_ARGUMENT);
    WITH(&call, virtual_memory_protect_params, .address = address, .length_bytes = PAGE_BYTES,
         .protection = PROTECTION_READ_EXECUTE);
    CHECK_STATUS(actor_call(one, &call).result, STATUS_INVALID_ARGUMENT);
    CHECK(actor_touch(one, address, false));
    CHECK(!actor_touch(one, address, true));
}

CORE_TEST(a_process_cannot_unmap_its_ring_or_its_capset)
{
    make_pair();
    struct host_entry entry = host_thread_entry(&actor_thread(one)->arch);
    CHECK(unmap(one, one_memory, entry.rdi, CAPOS_RING_BYTES) != 0);
    CHECK(unmap(one, one_memory, entry.rsi, PAGE_BYTES) != 0);
    CHECK(unmap(one, one_memory, USER_ADDRESS_MIN, USER_ADDRESS_END - USER_ADDRESS_MIN) != 0);
    actor_push_simple(one, 0, CAPOS_OP_NOP, 0, 0);
    CHECK_EQ(actor_enter(one, 1, CAPOS_FOREVER), 1);
}

CORE_TEST(a_file_of_the_boot_package_is_read_only_and_padded_with_zeros)
{
    make_pair();
    capos_cap_id boot = actor_give(one, harness_root("boot"));
    struct actor_call call = call_of(boot, INTERFACE_BOOT_PACKAGE, BOOT_PACKAGE_METHOD_OPEN);
    WITH(&call, boot_package_open_params, .name = {"absent", 6});
    CHECK_STATUS(actor_call(one, &call).result, STATUS_FAILED);
    WITH(&call, boot_package_open_params, .name = {"sample", 6});
    struct capos_cqe cqe = actor_call(one, &call);
    struct boot_package_open_results opened = {};
    RESULTS(one, 0, cqe, boot_package_open_results, &opened);
    CHECK_EQ(opened.size_bytes, HARNESS_SAMPLE_BYTES);
    capos_cap_id file = actor_result_cap(one, 0, &cqe, 0);
    enum status status;
    uint64_t address = map(one, one_memory, file, 0, 8192, PROTECTION_READ, &status);
    static uint8_t bytes[8192];
    actor_read(one, address, bytes, sizeof bytes);
    for (unsigned i = 0; i < sizeof bytes; i++)
        CHECK_EQ(bytes[i], i < HARNESS_SAMPLE_BYTES ? (uint8_t)(i * 7) : 0);
    CHECK_EQ(map(one, one_memory, file, 0, 8192, PROTECTION_READ_WRITE, &status), 0);
    CHECK_EQ(status, STATUS_INVALID_ARGUMENT);
    CHECK(map(one, one_memory, file, 0, 8192, PROTECTION_READ_EXECUTE, &status) != 0);
}

// Maps the file in a new process, touches it, and returns the frames that this took.
static uint64_t frames_of_an_instance(paddr_t out_frames[2])
{
    struct actor *actor = actor_create("instance");
    capos_cap_id memory = actor_give(actor, harness_root("memory"));
    struct actor_call call = call_of(actor_give(actor, harness_root("boot")),
                                     INTERFACE_BOOT_PACKAGE, BOOT_PACKAGE_METHOD_OPEN);
    WITH(&call, boot_package_open_params, .name = {"sample", 6});
    struct capos_cqe cqe = actor_call(actor, &call);
    capos_cap_id file = actor_result_cap(actor, 0, &cqe, 0);
    uint64_t before = frame_free_count();
    enum status status;
    uint64_t address =
        map(actor, memory, file, 0, 2 * PAGE_BYTES, PROTECTION_READ_EXECUTE, &status);
    for (unsigned page = 0; page < 2; page++) {
        enum page_access access;
        CHECK(actor_touch(actor, address + page * PAGE_BYTES, false));
        out_frames[page] = arch_space_lookup(&actor->process->space.arch,
                                             address + page * PAGE_BYTES, &access);
    }
    return before - frame_free_count();
}

CORE_TEST(instances_of_a_program_share_the_frames_of_its_text)
{
    paddr_t first[2], frames[2];
    constexpr uint64_t tables_and_region = 5;
    CHECK(frames_of_an_instance(first) <= tables_and_region);
    CHECK(frame_lookup(first[0]) == nullptr); // the boot package's own: they cost nobody any
    for (unsigned i = 1; i < 8; i++) {
        CHECK(frames_of_an_instance(frames) <= tables_and_region);
        CHECK_EQ(frames[0], first[0]);
        CHECK_EQ(frames[1], first[1]);
    }
}

CORE_TEST(memory_of_a_split_budget_returns_with_its_last_user)
{
    make_pair();
    uint64_t used_before = one->budget->used_bytes;
    struct actor_call call =
        call_of(one_budget, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_SPLIT);
    WITH(&call, memory_budget_split_params, .size_bytes = 16 * PAGE_BYTES);
    struct capos_cqe cqe = actor_call(one, &call);
    capos_cap_id part = actor_result_cap(one, 0, &cqe, 0), whole = one_budget;
    one_budget = part;
    capos_cap_id object = create_object(8 * PAGE_BYTES);
    call = call_of(part, INTERFACE_MEMORY_BUDGET, MEMORY_BUDGET_METHOD_CREATE_MEMORY_OBJECT);
    WITH(&call, memory_budget_create_memory_object_params, .size_bytes = 8 * PAGE_BYTES);
    CHECK_STATUS(actor_call(one, &call).result, STATUS_OVERLOADED);
    one_budget = whole;
    CHECK_EQ(actor_release(one, part), 0);
    CHECK(one->budget->used_bytes >= used_before + 16 * PAGE_BYTES);
    CHECK_EQ(actor_release(one, object), 0);
    CHECK_EQ(one->budget->used_bytes, used_before);
}

CORE_TEST(device_memory_never_contains_ram)
{
    make_pair();
    capos_cap_id devices = actor_give(one, harness_root("devices"));
    struct actor_call call =
        call_of(devices, INTERFACE_DEVICE_MEMORY, DEVICE_MEMORY_METHOD_RANGE);
    static const struct {
        uint64_t offset, size;
    } ranges[] = {
        {HOST_RAM_BASE, PAGE_BYTES},
        {HOST_RAM_BASE - PAGE_BYTES, 2 * PAGE_BYTES},
        {HOST_RAM_BASE + HARNESS_RAM_BYTES - PAGE_BYTES, PAGE_BYTES}, // the boot package
        {0, UINT64_C(1) << 40},
        {UINT64_MAX - 4095, 4096},
        {UINT64_C(1) << 63, UINT64_C(1) << 63},
    };
    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        WITH(&call, device_memory_range_params, .offset_bytes = ranges[i].offset,
             .size_bytes = ranges[i].size);
        CHECK_STATUS(actor_call(one, &call).result, STATUS_INVALID_ARGUMENT);
    }
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(two_processes_see_each_others_writes);
    RUN(an_object_is_charged_once_and_in_full_to_its_budget);
    RUN(a_view_is_narrower_and_there_is_no_way_back);
    RUN(a_view_shows_the_pages_of_the_whole);
    RUN(a_page_of_an_object_gets_no_right_that_the_object_lacks);
    RUN(a_process_cannot_unmap_its_ring_or_its_capset);
    RUN(a_file_of_the_boot_package_is_read_only_and_padded_with_zeros);
    RUN(instances_of_a_program_share_the_frames_of_its_text);
    RUN(memory_of_a_split_budget_returns_with_its_last_user);
    RUN(device_memory_never_contains_ram);
    return test_report();
}
