// SPDX-License-Identifier: MIT
// MemoryObject: shared pages, and views that can be narrowed and never widened.
#include <capos/test.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;

static memory_object_cap create(uint64_t page_count)
{
    memory_object_cap object = {};
    CHECK_OK(memory_budget_create_memory_object(test_budget(), page_count * PAGE, &object));
    return object;
}

static volatile uint64_t *map(memory_object_cap object, uint64_t offset_bytes,
                              uint64_t length_bytes, enum protection protection)
{
    uint64_t address = 0;
    if (!CHECK_OK(virtual_memory_map(test_memory(), object, offset_bytes, length_bytes, 0,
                                     protection, &address)))
        return nullptr;
    return (volatile uint64_t *)address;
}

static void unmap(volatile uint64_t *address, uint64_t length_bytes)
{
    CHECK_OK(virtual_memory_unmap(test_memory(), (uint64_t)address, length_bytes));
}

static uint64_t read_word(memory_object_cap object, uint64_t offset_bytes)
{
    uint64_t word = 0;
    CHECK_OK(
        memory_object_read(object, offset_bytes, sizeof word, &word, sizeof word, nullptr));
    return word;
}

// Adds one to each page's first word of the object "pages".
static int child_counts_up(void)
{
    virtual_memory_cap memory;
    memory_object_cap pages;
    uint64_t size_bytes, address;
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(memory_object_cap_find("pages", &pages));
    EXPECT_OK(memory_object_info(pages, &size_bytes, nullptr, nullptr));
    EXPECT_OK(
        virtual_memory_map(memory, pages, 0, size_bytes, 0, PROTECTION_READ_WRITE, &address));
    for (uint64_t offset = 0; offset < size_bytes; offset += PAGE)
        ++*(volatile uint64_t *)(address + offset);
    return 0;
}

static int child_may_only_read(void)
{
    virtual_memory_cap memory;
    memory_object_cap pages;
    uint64_t address;
    bool writable, executable;
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(memory_object_cap_find("pages", &pages));
    EXPECT_OK(memory_object_info(pages, nullptr, &writable, &executable));
    EXPECT(!writable && !executable);
    EXPECT(virtual_memory_map(memory, pages, 0, PAGE, 0, PROTECTION_READ_WRITE, &address) ==
           STATUS_INVALID_ARGUMENT);
    EXPECT_OK(virtual_memory_map(memory, pages, 0, PAGE, 0, PROTECTION_READ, &address));
    EXPECT(*(volatile uint64_t *)address == 41);
    EXPECT(virtual_memory_protect(memory, address, PAGE, PROTECTION_READ_WRITE) ==
           STATUS_INVALID_ARGUMENT);
    return 0;
}

static void object_is_out_of_reach_without_the_grant(void)
{
    memory_object_cap object = create(1);
    CHECK_DENIED("pages", INTERFACE_MEMORY_OBJECT);
    memory_object_cap_release(&object);
}

static void two_processes_share_the_pages(void)
{
    memory_object_cap object = create(3);
    volatile uint64_t *words = map(object, 0, 3 * PAGE, PROTECTION_READ_WRITE);
    if (words != nullptr) {
        words[0] = 41;
        words[2 * PAGE / 8] = 99;
        const struct test_child_grant grants[] = {test_lend("pages", object.id),
                                                  test_lend("memory", test_memory().id)};
        CHECK_CHILD("counts up", grants, 2);
        CHECK_EQ(words[0], 42);
        CHECK_EQ(words[PAGE / 8], 1);
        CHECK_EQ(words[2 * PAGE / 8], 100);
        unmap(words, 3 * PAGE);
    }
    memory_object_cap_release(&object);
}

static void a_read_only_view_is_all_that_its_holder_gets(void)
{
    memory_object_cap object = create(1), view = {};
    volatile uint64_t *words = map(object, 0, PAGE, PROTECTION_READ_WRITE);
    CHECK_OK(memory_object_view(object, 0, PAGE, false, false, &view));
    if (words != nullptr) {
        words[0] = 41;
        const struct test_child_grant grants[] = {test_lend("pages", view.id),
                                                  test_lend("memory", test_memory().id)};
        CHECK_CHILD("may only read", grants, 2);
        unmap(words, PAGE);
    }
    memory_object_cap_release(&view);
    memory_object_cap_release(&object);
}

static void a_new_object_is_zero_and_can_do_everything(void)
{
    memory_object_cap object = create(2);
    uint64_t size_bytes = 0;
    bool writable = false, executable = false;
    CHECK_OK(memory_object_info(object, &size_bytes, &writable, &executable));
    CHECK_EQ(size_bytes, 2 * PAGE);
    CHECK(writable && executable);
    CHECK_EQ(read_word(object, 0), 0);
    CHECK_EQ(read_word(object, 2 * PAGE - 8), 0);
    memory_object_cap_release(&object);
}

// Memory that was written and given back is zero for whom it is given next.
static void pages_are_zeroed_before_they_are_used_again(void)
{
    for (int round = 0; round < 2; round++) {
        memory_object_cap object = create(16);
        volatile uint64_t *words = map(object, 0, 16 * PAGE, PROTECTION_READ_WRITE);
        for (size_t i = 0; words != nullptr && i < 16 * PAGE / 8; i++) {
            if (words[i] != 0) {
                CHECK_EQ(words[i], 0);
                break;
            }
            words[i] = 0x5ec2e75ec2e75ec2;
        }
        unmap(words, 16 * PAGE);
        memory_object_cap_release(&object);
    }
}

static void a_mapping_outlives_the_capability(void)
{
    memory_object_cap object = create(1);
    volatile uint64_t *words = map(object, 0, PAGE, PROTECTION_READ_WRITE);
    memory_object_cap_release(&object);
    CHECK(test_charged_bytes() > 0); // the release has taken effect
    if (words != nullptr) {
        words[7] = 7;
        CHECK_EQ(words[7], 7);
        unmap(words, PAGE);
    }
}

static void a_view_shows_its_part(void)
{
    memory_object_cap object = create(4), view = {}, inner = {};
    volatile uint64_t *words = map(object, 0, 4 * PAGE, PROTECTION_READ_WRITE);
    for (uint64_t page = 0; words != nullptr && page < 4; page++)
        words[page * PAGE / 8] = 10 + page;
    CHECK_OK(memory_object_view(object, PAGE, 3 * PAGE, true, false, &view));
    CHECK_OK(memory_object_view(view, PAGE, PAGE, true, false, &inner));
    CHECK_EQ(read_word(view, 0), 11);
    CHECK_EQ(read_word(inner, 0), 12);
    CHECK_STATUS(memory_object_read(inner, PAGE, 8, nullptr, 0, nullptr),
                 STATUS_INVALID_ARGUMENT);
    unmap(words, 4 * PAGE);
    memory_object_cap_release(&object);
    CHECK_EQ(read_word(inner, 0), 12); // a view keeps what it shows
    memory_object_cap_release(&view);
    memory_object_cap_release(&inner);
}

static void a_view_is_never_wider_than_what_it_is_made_of(void)
{
    memory_object_cap object = create(4), view = {};
    uint64_t address;
    CHECK_OK(memory_object_view(object, PAGE, 2 * PAGE, false, false, &view));
    CHECK_STATUS(memory_object_view(view, 0, 3 * PAGE, false, false, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_object_view(view, PAGE, 2 * PAGE, false, false, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_object_view(view, 0, PAGE, true, false, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_object_view(view, 0, PAGE, false, true, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(
        virtual_memory_map(test_memory(), view, 0, PAGE, 0, PROTECTION_READ_EXECUTE, &address),
        STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(
        virtual_memory_map(test_memory(), view, 0, 3 * PAGE, 0, PROTECTION_READ, &address),
        STATUS_INVALID_ARGUMENT);
    memory_object_cap_release(&view);
    memory_object_cap_release(&object);
}

static void view_refuses_ranges_that_are_none(void)
{
    memory_object_cap object = create(4);
    static const struct {
        uint64_t offset_bytes, size_bytes;
    } ranges[] = {
        {0, 0},
        {0, PAGE + 1},
        {1, PAGE},
        {0, 5 * PAGE},
        {4 * PAGE, PAGE},
        {UINT64_MAX - PAGE + 1, 2 * PAGE},
        {PAGE, UINT64_MAX - PAGE + 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        CHECK_STATUS(memory_object_view(object, ranges[i].offset_bytes, ranges[i].size_bytes,
                                        false, false, nullptr),
                     STATUS_INVALID_ARGUMENT);
    memory_object_cap_release(&object);
}

static void read_copies_across_pages_and_not_beyond_the_end(void)
{
    memory_object_cap object = create(2);
    static uint8_t data[PAGE];
    size_t data_bytes = 0;
    volatile uint64_t *words = map(object, 0, 2 * PAGE, PROTECTION_READ_WRITE);
    if (words != nullptr) {
        words[PAGE / 8 - 1] = 1;
        words[PAGE / 8] = 2;
        unmap(words, 2 * PAGE);
    }
    CHECK_OK(memory_object_read(object, PAGE - 8, 16, data, sizeof data, &data_bytes));
    CHECK_EQ(data_bytes, 16);
    CHECK_EQ(data[0], 1);
    CHECK_EQ(data[8], 2);
    CHECK_OK(memory_object_read(object, PAGE, PAGE, data, sizeof data, &data_bytes));
    CHECK_EQ(data_bytes, PAGE);
    CHECK_STATUS(memory_object_read(object, 2 * PAGE - 8, 9, data, sizeof data, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_object_read(object, UINT64_MAX, 1, data, sizeof data, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_object_read(object, 0, 0, data, sizeof data, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_object_read(object, 0, PAGE + 1, data, sizeof data, nullptr),
                 STATUS_INVALID_ARGUMENT);
    memory_object_cap_release(&object);
}

static void a_snapshot_and_its_original_part_when_one_is_written(void)
{
    memory_object_cap original = create(4), snapshot = {};
    volatile uint64_t *words = map(original, 0, 4 * PAGE, PROTECTION_READ_WRITE);
    for (uint64_t page = 0; page < 3; page++) // the last one is never touched
        words[page * PAGE / 8] = 10 + page;
    CHECK_OK(memory_object_snapshot(original, &snapshot));
    volatile uint64_t *copies = map(snapshot, 0, 4 * PAGE, PROTECTION_READ_WRITE);
    words[0] = 20;
    copies[PAGE / 8] = 31;
    copies[3 * PAGE / 8] = 33;
    CHECK_EQ(words[0], 20);
    CHECK_EQ(copies[0], 10);
    CHECK_EQ(words[PAGE / 8], 11);
    CHECK_EQ(copies[PAGE / 8], 31);
    CHECK_EQ(words[2 * PAGE / 8], 12);
    CHECK_EQ(copies[2 * PAGE / 8], 12);
    CHECK_EQ(words[3 * PAGE / 8], 0);
    CHECK_EQ(read_word(snapshot, 3 * PAGE), 33);
    unmap(words, 4 * PAGE);
    memory_object_cap_release(&original);
    CHECK_EQ(copies[2 * PAGE / 8], 12);
    unmap(copies, 4 * PAGE);
    memory_object_cap_release(&snapshot);
}

static void a_snapshot_is_charged_in_full_at_once(void)
{
    memory_object_cap original = create(64), snapshot = {};
    uint64_t before = test_charged_bytes();
    CHECK_OK(memory_object_snapshot(original, &snapshot));
    CHECK(test_charged_bytes() - before >= 64 * PAGE);
    memory_object_cap_release(&snapshot);
    memory_object_cap_release(&original);
}

static void tests(void)
{
    RUN(object_is_out_of_reach_without_the_grant);
    RUN(two_processes_share_the_pages);
    RUN(a_read_only_view_is_all_that_its_holder_gets);
    RUN(a_new_object_is_zero_and_can_do_everything);
    RUN(pages_are_zeroed_before_they_are_used_again);
    RUN(a_mapping_outlives_the_capability);
    RUN(a_view_shows_its_part);
    RUN(a_view_is_never_wider_than_what_it_is_made_of);
    RUN(view_refuses_ranges_that_are_none);
    RUN(read_copies_across_pages_and_not_beyond_the_end);
    RUN(a_snapshot_and_its_original_part_when_one_is_written);
    RUN(a_snapshot_is_charged_in_full_at_once);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"counts up", child_counts_up},
                                             {"may only read", child_may_only_read}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
