// SPDX-License-Identifier: MIT
// Tests of memory objects: every size of tree, charges, views, methods.
#include <kernel/mm/memory_object.h>

#include <gen/kernel/memory_object.h>
#include <kernel/object/object_test.h>

constexpr uint64_t RAM_BYTES = (uint64_t)16 << 20;

static void put(struct memory_object *object)
{
    object_put(memory_object_as_object(object));
}

static void memory_object_of_any_size_is_charged_in_full_and_returns_all(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    root->limit_bytes = (uint64_t)1 << 50; // for sizes of which few pages are touched
    struct mm_counts before = mm_count(root);
    static const struct {
        uint64_t pages, tables;
    } sizes[] = {{1, 0},
                 {8, 0},
                 {9, 1},
                 {1024, 1},
                 {1025, 1 + 2},
                 {1024 * 1024, 1 + 1024},
                 {1024 * 1024 + 1, 1 + 2 + 1025},
                 {(uint64_t)1 << 30, 1 + 1024 + 1024 * 1024}};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint64_t pages = sizes[i].pages;
        struct memory_object *object = memory_object_create(root, pages * PAGE_BYTES);
        CHECK(object != nullptr);
        CHECK_EQ(root->used_bytes - root->kernel_bytes, pages * PAGE_BYTES);
        CHECK_EQ(root->kernel_bytes, (1 + sizes[i].tables) * PAGE_BYTES);
        uint64_t used = root->used_bytes;
        // The ends, and around the borders of tree pages.
        static const uint64_t indices[] = {0, 1, 7, 8, 1023, 1024, 1025, 1048575, 1048576};
        paddr_t frames[10] = {};
        for (unsigned k = 0; k < 10; k++) {
            uint64_t index = k < 9 ? indices[k] : pages - 1;
            if (index >= pages)
                continue;
            bool seen = k == 9 && memory_object_frame_present(object, index * PAGE_BYTES) != 0;
            frames[k] = memory_object_frame(object, index * PAGE_BYTES);
            CHECK(frames[k] != 0);
            CHECK_EQ(memory_object_frame(object, index * PAGE_BYTES), frames[k]);
            CHECK_EQ(memory_object_frame_present(object, index * PAGE_BYTES), frames[k]);
            for (unsigned j = 0; j < k && !seen; j++)
                CHECK(frames[j] != frames[k]);
        }
        CHECK_EQ(root->used_bytes, used);
        put(object);
        mm_check_counts(root, before);
    }
    CHECK(memory_object_create(root, MEMORY_OBJECT_BYTES_MAX + PAGE_BYTES) == nullptr);
    CHECK(memory_object_create(root, ~(PAGE_BYTES - 1)) == nullptr);
    mm_check_counts(root, before);
}

static void memory_object_creation_fails_whole_at_every_budget(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    for (uint64_t pages = 1; pages < 16; pages++) {
        struct budget *budget = budget_split(root, pages * PAGE_BYTES);
        // Needs 9 pages, a tree page and a page of structures.
        struct memory_object *object = memory_object_create(budget, 9 * PAGE_BYTES);
        CHECK_EQ(object != nullptr, pages >= 11);
        if (object != nullptr) {
            for (uint64_t i = 0; i < 9; i++)
                CHECK(memory_object_frame(object, i * PAGE_BYTES) != 0);
            put(object);
        }
        paddr_t base;
        object = memory_object_create_contiguous(budget, 9 * PAGE_BYTES, &base);
        CHECK_EQ(object != nullptr, pages >= 10);
        if (object != nullptr)
            put(object);
        CHECK_EQ(budget->used_bytes, 0);
        CHECK_EQ(budget->object.reference_count, 1);
        object_put(&budget->object);
    }
}

static void memory_object_contiguous_is_zeroed_aligned_and_exact(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    for (uint64_t pages = 1; pages <= 40; pages++) {
        paddr_t dirty = frame_get(6);
        memset(arch_frame_pointer(dirty), 0xff, PAGE_BYTES << 6);
        for (unsigned i = 0; i < 64; i++)
            frame_put(dirty + i * PAGE_BYTES);
        paddr_t base = 0;
        struct memory_object *object =
            memory_object_create_contiguous(root, pages * PAGE_BYTES, &base);
        CHECK_EQ(before.free_frames - frame_free_count(), pages + 1);
        for (uint64_t i = 0; i < pages; i++) {
            CHECK_EQ(memory_object_frame(object, i * PAGE_BYTES), base + i * PAGE_BYTES);
            const uint8_t *bytes = arch_frame_pointer(base + i * PAGE_BYTES);
            CHECK(bytes[0] == 0 && bytes[PAGE_BYTES - 1] == 0);
        }
        CHECK(!memory_object_executable(object) && memory_object_writable(object));
        put(object);
        mm_check_counts(root, before);
    }
}

static void memory_object_contiguous_fails_whole_without_a_run(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    static paddr_t frames[RAM_BYTES / PAGE_BYTES];
    unsigned count = 0;
    while ((frames[count] = frame_get(0)) != 0)
        count++;
    for (unsigned i = 0; i < count; i += 2)
        frame_put(frames[i]);
    struct mm_counts before = mm_count(root);
    paddr_t base = 0;
    CHECK(memory_object_create_contiguous(root, 2 * PAGE_BYTES, &base) == nullptr);
    CHECK(memory_object_create_contiguous(root, MEMORY_OBJECT_CONTIGUOUS_BYTES_MAX + PAGE_BYTES,
                                          &base) == nullptr);
    mm_check_counts(root, before);
}

static void memory_object_view_shares_pages_and_outlives_the_whole(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct memory_object *whole = memory_object_create(root, 20 * PAGE_BYTES);
    struct memory_object *view =
        memory_object_create_view(root, whole, 5 * PAGE_BYTES, 10 * PAGE_BYTES, true, false);
    struct memory_object *narrow =
        memory_object_create_view(root, view, 2 * PAGE_BYTES, PAGE_BYTES, false, false);
    paddr_t frame = memory_object_frame(whole, 7 * PAGE_BYTES);
    CHECK_EQ(memory_object_frame(view, 2 * PAGE_BYTES), frame);
    CHECK_EQ(memory_object_frame_present(narrow, 0), frame);
    put(view);
    put(whole);
    CHECK_EQ(memory_object_frame(narrow, 0), frame);
    CHECK_EQ(root->used_bytes - root->kernel_bytes, 20 * PAGE_BYTES);
    put(narrow);
    mm_check_counts(root, before);
}

static void memory_object_view_method_refuses_more_than_the_object(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct memory_object *whole = memory_object_create(root, 4 * PAGE_BYTES);
    struct memory_object *object =
        memory_object_create_view(root, whole, 0, 4 * PAGE_BYTES, false, false);
    constexpr uint64_t huge = ~(PAGE_BYTES - 1);
    static const struct memory_object_view_params bad[] = {
        {.offset_bytes = 0, .size_bytes = 0},
        {.offset_bytes = 0, .size_bytes = 100},
        {.offset_bytes = 0, .size_bytes = 5 * PAGE_BYTES},
        {.offset_bytes = 4 * PAGE_BYTES, .size_bytes = PAGE_BYTES},
        {.offset_bytes = 8, .size_bytes = PAGE_BYTES},
        {.offset_bytes = huge, .size_bytes = PAGE_BYTES},
        {.offset_bytes = PAGE_BYTES, .size_bytes = huge},
        {.offset_bytes = huge, .size_bytes = 2 * PAGE_BYTES},
        {.offset_bytes = 0, .size_bytes = PAGE_BYTES, .writable = true},
        {.offset_bytes = 0, .size_bytes = PAGE_BYTES, .executable = true},
    };
    struct memory_object_view_results results;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct invocation call = call_of_process();
        check_refused(
            memory_object_view(memory_object_as_object(object), &call, &bad[i], &results),
            STATUS_INVALID_ARGUMENT, &call);
    }
    struct invocation call = call_of_process();
    struct memory_object_view_params good = {.offset_bytes = 3 * PAGE_BYTES,
                                             .size_bytes = PAGE_BYTES};
    CHECK_EQ(memory_object_view(memory_object_as_object(object), &call, &good, &results),
             STATUS_OK);
    struct memory_object_info_results info;
    CHECK_EQ(memory_object_info(result_of(&call), &call, &info), STATUS_OK);
    CHECK_EQ(info.size_bytes, PAGE_BYTES);
    CHECK(!info.writable && !info.executable);
    object_put(result_of(&call));
    put(object);
    put(whole);
    mm_check_counts(root, before);
}

static void memory_object_read_crosses_pages_and_reads_untouched_ones_as_zero(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct memory_object *object = memory_object_create(root, 3 * PAGE_BYTES);
    uint8_t *first = arch_frame_pointer(memory_object_frame(object, 0));
    memset(first, 7, PAGE_BYTES);
    uint64_t free_frames = frame_free_count();

    struct invocation call = call_of_process();
    struct memory_object_read_results results;
    struct memory_object_read_params params = {.offset_bytes = PAGE_BYTES - 3,
                                               .length_bytes = 4096};
    CHECK_EQ(memory_object_read(memory_object_as_object(object), &call, &params, &results),
             STATUS_OK);
    CHECK_EQ(results.data.size_bytes, 4096);
    for (unsigned i = 0; i < 4096; i++)
        CHECK_EQ(results.data.data[i], i < 3 ? 7 : 0);
    CHECK_EQ(frame_free_count(), free_frames);

    static const struct memory_object_read_params bad[] = {
        {.offset_bytes = 0, .length_bytes = 0},
        {.offset_bytes = 0, .length_bytes = 4097},
        {.offset_bytes = 0, .length_bytes = UINT32_MAX},
        {.offset_bytes = 2 * PAGE_BYTES + 1, .length_bytes = 4096},
        {.offset_bytes = 3 * PAGE_BYTES, .length_bytes = 1},
        {.offset_bytes = UINT64_MAX, .length_bytes = 2},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        call = call_of_process();
        check_refused(
            memory_object_read(memory_object_as_object(object), &call, &bad[i], &results),
            STATUS_INVALID_ARGUMENT, &call);
    }
    params = (struct memory_object_read_params){.offset_bytes = 3 * PAGE_BYTES - 1,
                                                .length_bytes = 1};
    CHECK_EQ(memory_object_read(memory_object_as_object(object), &call, &params, &results),
             STATUS_OK);
    put(object);
}

static void memory_object_read_refuses_device_registers(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct memory_object *device =
        memory_object_create_physical(root, 0xfee00000, PAGE_BYTES, true, false, PAGE_UNCACHED);
    struct memory_object *view =
        memory_object_create_view(root, device, 0, PAGE_BYTES, true, false);
    struct memory_object_read_params params = {.offset_bytes = 0, .length_bytes = 4};
    struct memory_object_read_results results;
    struct invocation call = call_of_process();
    check_refused(memory_object_read(memory_object_as_object(view), &call, &params, &results),
                  STATUS_FAILED, &call);
    put(view);
    put(device);
}

int main(void)
{
    RUN(memory_object_of_any_size_is_charged_in_full_and_returns_all);
    RUN(memory_object_creation_fails_whole_at_every_budget);
    RUN(memory_object_contiguous_is_zeroed_aligned_and_exact);
    RUN(memory_object_contiguous_fails_whole_without_a_run);
    RUN(memory_object_view_shares_pages_and_outlives_the_whole);
    RUN(memory_object_view_method_refuses_more_than_the_object);
    RUN(memory_object_read_crosses_pages_and_reads_untouched_ones_as_zero);
    RUN(memory_object_read_refuses_device_registers);
    return test_report();
}
