// SPDX-License-Identifier: MIT
// Tests of the methods of VirtualMemory: that they work on the caller's space and answer
// with its status and reason.  The work itself is tested in mm/space_test.c.
#include <gen/kernel/virtual_memory.h>

#include <kernel/mm/memory_object.h>
#include <kernel/object/object_test.h>
#include <kernel/object/roots.h>

constexpr uint64_t RAM_BYTES = (uint64_t)16 << 20;

static void virtual_memory_does_the_life_of_a_range(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    CHECK_EQ(space_init(&test_process.space, root, 1), STATUS_OK);
    struct object *memory = virtual_memory_create();
    struct invocation call = call_of_process();

    struct virtual_memory_reserve_params reserve = {.length_bytes = 8 * PAGE_BYTES};
    struct virtual_memory_reserve_results range;
    CHECK_EQ(virtual_memory_reserve(memory, &call, &reserve, &range), STATUS_OK);
    struct virtual_memory_commit_params commit = {.address = range.address,
                                                  .length_bytes = 4 * PAGE_BYTES,
                                                  .protection = PROTECTION_READ_WRITE};
    CHECK_EQ(virtual_memory_commit(memory, &call, &commit), STATUS_OK);
    CHECK_EQ(space_copy_out(&test_process.space, range.address, "x", 1), STATUS_OK);
    struct virtual_memory_protect_params protect = {
        .address = range.address, .length_bytes = PAGE_BYTES, .protection = PROTECTION_READ};
    CHECK_EQ(virtual_memory_protect(memory, &call, &protect), STATUS_OK);
    CHECK_EQ(space_copy_out(&test_process.space, range.address, "x", 1), STATUS_BAD_ADDRESS);

    struct virtual_memory_info_results info;
    CHECK_EQ(virtual_memory_info(memory, &call, &info), STATUS_OK);
    CHECK_EQ(info.region_count, 3);
    CHECK_EQ(info.committed_bytes, 4 * PAGE_BYTES);
    CHECK_EQ(info.resident_bytes, PAGE_BYTES);

    struct virtual_memory_decommit_params decommit = {.address = range.address,
                                                      .length_bytes = PAGE_BYTES};
    CHECK_EQ(virtual_memory_decommit(memory, &call, &decommit), STATUS_OK);
    struct virtual_memory_unmap_params unmap = {.address = range.address,
                                                .length_bytes = 8 * PAGE_BYTES};
    CHECK_EQ(virtual_memory_unmap(memory, &call, &unmap), STATUS_OK);
    CHECK_EQ(virtual_memory_info(memory, &call, &info), STATUS_OK);
    CHECK_EQ(info.region_count, 0);
    CHECK_EQ(info.resident_bytes, 0);

    object_put(memory);
    space_fini(&test_process.space);
    mm_check_counts(root, before);
}

static void virtual_memory_maps_the_object_beside_the_call(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    CHECK_EQ(space_init(&test_process.space, root, 1), STATUS_OK);
    struct object *memory = virtual_memory_create();
    struct memory_object *object = memory_object_create(root, 2 * PAGE_BYTES);
    struct invocation_transfer transfer = {.object = memory_object_as_object(object),
                                           .interface_id = INTERFACE_MEMORY_OBJECT};
    struct invocation call = call_of_process();
    call.transfers = &transfer;
    call.transfer_count = 1;
    struct virtual_memory_map_params map = {.object = 0,
                                            .offset_bytes = PAGE_BYTES,
                                            .length_bytes = PAGE_BYTES,
                                            .protection = PROTECTION_READ_WRITE};
    struct virtual_memory_map_results mapped;
    CHECK_EQ(virtual_memory_map(memory, &call, &map, &mapped), STATUS_OK);
    CHECK_EQ(space_copy_out(&test_process.space, mapped.address, "word", 4), STATUS_OK);
    CHECK(memcmp(arch_frame_pointer(memory_object_frame(object, PAGE_BYTES)), "word", 4) == 0);
    map.length_bytes = 2 * PAGE_BYTES;
    check_refused(virtual_memory_map(memory, &call, &map, &mapped), STATUS_INVALID_ARGUMENT,
                  &call);
    object_put(memory_object_as_object(object));
    object_put(memory);
    space_fini(&test_process.space);
    mm_check_counts(root, before);
}

static void virtual_memory_says_why_it_refuses(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    CHECK_EQ(space_init(&test_process.space, root, 1), STATUS_OK);
    struct object *memory = virtual_memory_create();
    struct virtual_memory_commit_params commit = {
        .address = 0x100000, .length_bytes = PAGE_BYTES, .protection = PROTECTION_READ};
    struct invocation call = call_of_process();
    check_refused(virtual_memory_commit(memory, &call, &commit), STATUS_FAILED, &call);
    commit.length_bytes = 5;
    call = call_of_process();
    check_refused(virtual_memory_commit(memory, &call, &commit), STATUS_INVALID_ARGUMENT,
                  &call);

    struct virtual_memory_reserve_params reserve = {.address = 0x100000,
                                                    .length_bytes = 2 * RAM_BYTES};
    struct virtual_memory_reserve_results range;
    CHECK_EQ(virtual_memory_reserve(memory, &call, &reserve, &range), STATUS_OK);
    commit.length_bytes = 2 * RAM_BYTES;
    call = call_of_process();
    check_refused(virtual_memory_commit(memory, &call, &commit), STATUS_OVERLOADED, &call);
    object_put(memory);
    space_fini(&test_process.space);
}

int main(void)
{
    RUN(virtual_memory_does_the_life_of_a_range);
    RUN(virtual_memory_maps_the_object_beside_the_call);
    RUN(virtual_memory_says_why_it_refuses);
    return test_report();
}
