// SPDX-License-Identifier: MIT
// VirtualMemory: reserve, commit, decommit, protect, map, unmap on the caller's own space;
// what is refused; and what a process that touches the wrong page ends with.
#include <capos/test.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t USER_END = 0x7ffffffff000;
constexpr uint64_t LONGEST = UINT64_MAX - PAGE + 1; // the largest multiple of 4096

static uint64_t reserve(uint64_t length_bytes)
{
    uint64_t address = 0;
    CHECK_OK(virtual_memory_reserve(test_memory(), length_bytes, 0, 0, &address));
    return address;
}

static void unmap(uint64_t address, uint64_t length_bytes)
{
    CHECK_OK(virtual_memory_unmap(test_memory(), address, length_bytes));
}

static volatile uint64_t *word_at(uint64_t address)
{
    return (volatile uint64_t *)address;
}

// ---- Roles: each touches one page and ends with a fault; the exit code is the line that
// should not have been reached.

// A region of three pages in the child: reserved, committed as it asks.
static int region_make(enum protection protection, virtual_memory_cap *out_memory,
                       uint64_t *out_address)
{
    EXPECT_OK(virtual_memory_cap_find("memory", out_memory));
    EXPECT_OK(virtual_memory_reserve(*out_memory, 3 * PAGE, 0, 0, out_address));
    EXPECT_OK(virtual_memory_commit(*out_memory, *out_address + PAGE, PAGE, protection));
    return 0;
}

static int child_touches_nothing_mapped(void)
{
    *word_at(0x10000) = 1;
    return __LINE__;
}

static int child_touches_the_null_page(void)
{
    return (int)*word_at(8) + __LINE__;
}

static int child_writes_a_read_only_page(void)
{
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT(region_make(PROTECTION_READ, &memory, &address) == 0);
    EXPECT(*word_at(address + PAGE) == 0);
    *word_at(address + PAGE) = 1;
    return __LINE__;
}

static int child_reads_a_page_without_protection(void)
{
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT(region_make(PROTECTION_NONE, &memory, &address) == 0);
    return (int)*word_at(address + PAGE) + __LINE__;
}

static int child_executes_a_data_page(void)
{
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT(region_make(PROTECTION_READ_WRITE, &memory, &address) == 0);
    *word_at(address + PAGE) = 0xc3c3c3c3c3c3c3c3; // ret
    ((void (*)(void))(address + PAGE))();
    return __LINE__;
}

static int child_writes_its_own_code(void)
{
    *(volatile uint8_t *)(uint64_t)child_writes_its_own_code = 0xc3;
    return __LINE__;
}

static int child_touches_the_page_below_its_memory(void)
{
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT(region_make(PROTECTION_READ_WRITE, &memory, &address) == 0);
    *word_at(address + PAGE) = 1;
    *word_at(address + PAGE - 8) = 1;
    return __LINE__;
}

static int child_touches_a_decommitted_page(void)
{
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT(region_make(PROTECTION_READ_WRITE, &memory, &address) == 0);
    *word_at(address + PAGE) = 1;
    EXPECT_OK(virtual_memory_decommit(memory, address + PAGE, PAGE));
    *word_at(address + PAGE) = 1;
    return __LINE__;
}

static int child_touches_an_unmapped_page(void)
{
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT(region_make(PROTECTION_READ_WRITE, &memory, &address) == 0);
    *word_at(address + PAGE) = 1;
    EXPECT_OK(virtual_memory_unmap(memory, address, 3 * PAGE));
    *word_at(address + PAGE) = 1;
    return __LINE__;
}

static int child_writes_after_a_protect(void)
{
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT(region_make(PROTECTION_READ_WRITE, &memory, &address) == 0);
    *word_at(address + PAGE) = 1;
    EXPECT_OK(virtual_memory_protect(memory, address + PAGE, PAGE, PROTECTION_READ));
    EXPECT(*word_at(address + PAGE) == 1);
    *word_at(address + PAGE) = 2;
    return __LINE__;
}

static int child_writes_the_capset_page(void)
{
    uint64_t address = (uint64_t)capos_capset_at(0);
    *word_at(address) = 0;
    return __LINE__;
}

static int overflow(int depth)
{
    volatile char frame[1024];
    frame[0] = (char)depth;
    return depth == 1 << 24 ? 0 : overflow(depth + 1) + frame[0];
}

static int child_overflows_its_stack(void)
{
    return overflow(0);
}

static int child_has_its_own_space(void)
{
    virtual_memory_cap memory;
    uint64_t committed_bytes;
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(virtual_memory_info(memory, nullptr, &committed_bytes, nullptr));
    EXPECT(committed_bytes < (UINT64_C(64) << 20)); // not the parent's
    return 0;
}

// ---- Tests: authority ------------------------------------------------------------------

// Page after page of more than any machine has.
static int child_touches_more_than_there_is(void)
{
    constexpr uint64_t length = UINT64_C(1) << 45;
    virtual_memory_cap memory;
    uint64_t address;
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(virtual_memory_reserve(memory, length, 0, 0, &address));
    EXPECT_OK(virtual_memory_commit_lazily(memory, address, length, PROTECTION_READ_WRITE));
    for (uint64_t at = 0; at < length; at += PAGE)
        *word_at(address + at) = 1;
    return __LINE__;
}

static void memory_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("memory", INTERFACE_VIRTUAL_MEMORY);
}

static void the_capability_means_the_space_of_whoever_calls(void)
{
    const struct test_child_grant grants[] = {test_lend("memory", test_memory().id)};
    CHECK_CHILD("has its own space", grants, 1);
}

// ---- Tests: reserve --------------------------------------------------------------------

static void a_huge_reservation_costs_nothing(void)
{
    uint64_t before = test_charged_bytes();
    uint64_t address = reserve(UINT64_C(1) << 40);
    CHECK(test_charged_bytes() <= before + PAGE);
    unmap(address, UINT64_C(1) << 40);
}

static void reserve_takes_the_address_that_was_asked_for(void)
{
    uint64_t address = reserve(16 * PAGE), again = 0;
    unmap(address, 16 * PAGE);
    CHECK_OK(virtual_memory_reserve(test_memory(), 16 * PAGE, address, 0, &again));
    CHECK_EQ(again, address);
    CHECK_STATUS(virtual_memory_reserve(test_memory(), PAGE, address + 5 * PAGE, 0, nullptr),
                 STATUS_FAILED);
    unmap(address, 16 * PAGE);
}

static void reserve_aligns_as_asked(void)
{
    for (uint64_t alignment = PAGE; alignment <= UINT64_C(1) << 32; alignment <<= 4) {
        uint64_t address = 1;
        CHECK_OK(virtual_memory_reserve(test_memory(), 3 * PAGE, 0, alignment, &address));
        CHECK_EQ(address % alignment, 0);
        unmap(address, 3 * PAGE);
    }
    CHECK_STATUS(virtual_memory_reserve(test_memory(), PAGE, 0, 3 * PAGE, nullptr),
                 STATUS_INVALID_ARGUMENT);
}

static void reserve_refuses_ranges_outside_of_user_space(void)
{
    static const struct {
        uint64_t length_bytes, address;
        enum status status;
    } ranges[] = {
        {0, 0, STATUS_INVALID_ARGUMENT},
        {1, 0, STATUS_INVALID_ARGUMENT},
        {PAGE, 1, STATUS_INVALID_ARGUMENT},
        {PAGE, 0xf000, STATUS_INVALID_ARGUMENT},
        {PAGE, USER_END, STATUS_INVALID_ARGUMENT},
        {2 * PAGE, USER_END - PAGE, STATUS_INVALID_ARGUMENT},
        {PAGE, 0xffff800000000000, STATUS_INVALID_ARGUMENT},
        {LONGEST, 0x10000, STATUS_INVALID_ARGUMENT},
        {LONGEST, 0, STATUS_FAILED},
        {USER_END, 0, STATUS_FAILED},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        CHECK_STATUS(virtual_memory_reserve(test_memory(), ranges[i].length_bytes,
                                            ranges[i].address, 0, nullptr),
                     ranges[i].status);
}

// ---- Tests: commit and decommit ----------------------------------------------------------

static void committed_pages_are_zero_charged_and_writable(void)
{
    uint64_t address = reserve(8 * PAGE);
    uint64_t before = test_charged_bytes();
    CHECK_OK(virtual_memory_commit(test_memory(), address, 8 * PAGE, PROTECTION_READ_WRITE));
    CHECK(test_charged_bytes() - before >= 8 * PAGE);
    for (uint64_t offset = 0; offset < 8 * PAGE; offset += 8)
        if (!CHECK(*word_at(address + offset) == 0))
            break;
    *word_at(address + 3 * PAGE) = 3;
    CHECK_EQ(*word_at(address + 3 * PAGE), 3);
    unmap(address, 8 * PAGE);
}

static void committing_again_keeps_the_contents(void)
{
    uint64_t address = reserve(4 * PAGE);
    CHECK_OK(virtual_memory_commit(test_memory(), address + PAGE, PAGE, PROTECTION_READ_WRITE));
    *word_at(address + PAGE) = 77;
    CHECK_OK(virtual_memory_commit(test_memory(), address, 4 * PAGE, PROTECTION_READ_WRITE));
    CHECK_EQ(*word_at(address + PAGE), 77);
    CHECK_EQ(*word_at(address + 2 * PAGE), 0);
    unmap(address, 4 * PAGE);
}

static void decommit_gives_the_memory_back_and_the_pages_are_zero_again(void)
{
    uint64_t address = reserve(8 * PAGE);
    CHECK_OK(virtual_memory_commit(test_memory(), address, 8 * PAGE, PROTECTION_READ_WRITE));
    *word_at(address + 4 * PAGE) = 4;
    uint64_t before = test_charged_bytes();
    CHECK_OK(virtual_memory_decommit(test_memory(), address + 2 * PAGE, 4 * PAGE));
    CHECK(before - test_charged_bytes() >= 3 * PAGE); // less one that regions may take
    CHECK_OK(virtual_memory_commit(test_memory(), address, 8 * PAGE, PROTECTION_READ_WRITE));
    CHECK_EQ(*word_at(address + 4 * PAGE), 0);
    unmap(address, 8 * PAGE);
}

static void commit_stays_within_one_reservation(void)
{
    uint64_t address = reserve(2 * PAGE);
    virtual_memory_cap memory = test_memory();
    CHECK_STATUS(virtual_memory_commit(memory, address, 3 * PAGE, PROTECTION_READ_WRITE),
                 STATUS_FAILED);
    CHECK_STATUS(virtual_memory_commit(memory, address, 0, PROTECTION_READ_WRITE),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(virtual_memory_commit(memory, address + 1, PAGE, PROTECTION_READ_WRITE),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(virtual_memory_commit(memory, address, LONGEST, PROTECTION_READ_WRITE),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(virtual_memory_decommit(memory, address, 3 * PAGE), STATUS_FAILED);
    unmap(address, 2 * PAGE);
    CHECK_STATUS(virtual_memory_commit(memory, address, PAGE, PROTECTION_READ_WRITE),
                 STATUS_FAILED);
}

static void commit_of_more_than_the_budget_is_overloaded_and_changes_nothing(void)
{
    uint64_t address = reserve(UINT64_C(1) << 40);
    uint64_t before = test_charged_bytes();
    CHECK_STATUS(
        virtual_memory_commit(test_memory(), address, UINT64_C(1) << 40, PROTECTION_READ_WRITE),
        STATUS_OVERLOADED);
    CHECK_EQ(test_charged_bytes(), before);
    unmap(address, UINT64_C(1) << 40);
}

// ---- Tests: protect, map, unmap ------------------------------------------------------------

static void no_protection_is_writable_and_executable(void)
{
    uint64_t address = reserve(PAGE);
    virtual_memory_cap memory = test_memory();
    for (unsigned protection = 4; protection < 9; protection++)
        CHECK_STATUS(virtual_memory_commit(memory, address, PAGE, (enum protection)protection),
                     STATUS_BAD_MESSAGE);
    CHECK_OK(virtual_memory_commit(memory, address, PAGE, PROTECTION_READ_WRITE));
    CHECK_STATUS(virtual_memory_protect(memory, address, PAGE, (enum protection)7),
                 STATUS_BAD_MESSAGE);
    unmap(address, PAGE);
}

// Code is written to a page that is writable, then made executable, then it isn't writable.
static void written_code_runs_once_it_is_executable(void)
{
    uint64_t address = reserve(PAGE);
    static const uint8_t code[] = {0xb8, 42, 0, 0, 0, 0xc3}; // mov eax, 42; ret
    CHECK_OK(virtual_memory_commit(test_memory(), address, PAGE, PROTECTION_READ_WRITE));
    memcpy((void *)address, code, sizeof code);
    CHECK_OK(virtual_memory_protect(test_memory(), address, PAGE, PROTECTION_READ_EXECUTE));
    CHECK_EQ(((int (*)(void))address)(), 42);
    unmap(address, PAGE);
}

static void protect_of_free_or_reserved_pages_fails(void)
{
    uint64_t address = reserve(2 * PAGE);
    CHECK_STATUS(virtual_memory_protect(test_memory(), address, PAGE, PROTECTION_READ),
                 STATUS_FAILED);
    unmap(address, 2 * PAGE);
    CHECK_STATUS(virtual_memory_protect(test_memory(), address, PAGE, PROTECTION_READ),
                 STATUS_FAILED);
}

static void map_takes_an_address_and_refuses_one_that_is_taken(void)
{
    memory_object_cap object = {};
    uint64_t address = reserve(4 * PAGE), mapped = 0;
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 2 * PAGE, &object));
    CHECK_STATUS(
        virtual_memory_map(test_memory(), object, 0, PAGE, address, PROTECTION_READ, &mapped),
        STATUS_FAILED);
    unmap(address, 4 * PAGE);
    CHECK_OK(virtual_memory_map(test_memory(), object, PAGE, PAGE, address, PROTECTION_READ,
                                &mapped));
    CHECK_EQ(mapped, address);
    CHECK_EQ(*word_at(address), 0);
    unmap(address, PAGE);
    memory_object_cap_release(&object);
}

static void map_refuses_what_is_outside_of_the_object(void)
{
    memory_object_cap object = {};
    virtual_memory_cap memory = test_memory();
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 2 * PAGE, &object));
    static const struct {
        uint64_t offset_bytes, length_bytes;
    } parts[] = {{0, 0},    {0, 3 * PAGE}, {PAGE, 2 * PAGE},    {2 * PAGE, PAGE},
                 {1, PAGE}, {0, PAGE - 1}, {LONGEST, 2 * PAGE}, {PAGE, LONGEST}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        CHECK_STATUS(virtual_memory_map(memory, object, parts[i].offset_bytes,
                                        parts[i].length_bytes, 0, PROTECTION_READ, nullptr),
                     STATUS_INVALID_ARGUMENT);
    memory_object_cap_release(&object);
}

static void one_object_is_mapped_twice(void)
{
    memory_object_cap object = {};
    uint64_t first = 0, second = 0;
    CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &object));
    CHECK_OK(
        virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE, &first));
    CHECK_OK(virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ, &second));
    if (first != 0 && second != 0) {
        *word_at(first) = 5;
        CHECK_EQ(*word_at(second), 5);
        unmap(first, PAGE);
        CHECK_EQ(*word_at(second), 5);
        unmap(second, PAGE);
    }
    memory_object_cap_release(&object);
}

static void unmap_takes_regions_apart(void)
{
    uint64_t address = reserve(8 * PAGE), regions_before = 0, regions_after = 0;
    CHECK_OK(virtual_memory_info(test_memory(), &regions_before, nullptr, nullptr));
    CHECK_OK(virtual_memory_commit(test_memory(), address, 8 * PAGE, PROTECTION_READ_WRITE));
    *word_at(address) = 1;
    *word_at(address + 7 * PAGE) = 8;
    unmap(address + 2 * PAGE, 2 * PAGE);
    unmap(address + 2 * PAGE, 2 * PAGE); // free addresses are no error
    CHECK_EQ(*word_at(address), 1);
    CHECK_EQ(*word_at(address + 7 * PAGE), 8);
    unmap(address, 8 * PAGE);
    CHECK_OK(virtual_memory_info(test_memory(), &regions_after, nullptr, nullptr));
    CHECK_EQ(regions_after, regions_before - 1);
}

static void the_pages_of_the_kernel_stay(void)
{
    uint64_t capset = (uint64_t)capos_capset_at(0) & ~(PAGE - 1);
    CHECK_STATUS(virtual_memory_unmap(test_memory(), capset, PAGE), STATUS_FAILED);
    CHECK_STATUS(virtual_memory_protect(test_memory(), capset, PAGE, PROTECTION_READ_WRITE),
                 STATUS_FAILED);
    CHECK_STATUS(virtual_memory_decommit(test_memory(), capset, PAGE), STATUS_FAILED);
}

static void info_counts_what_was_committed(void)
{
    uint64_t before = 0, after = 0, address = reserve(4 * PAGE);
    CHECK_OK(virtual_memory_info(test_memory(), nullptr, &before, nullptr));
    CHECK_OK(virtual_memory_commit(test_memory(), address, 3 * PAGE, PROTECTION_READ));
    CHECK_OK(virtual_memory_info(test_memory(), nullptr, &after, nullptr));
    CHECK_EQ(after - before, 3 * PAGE);
    unmap(address, 4 * PAGE);
    CHECK_OK(virtual_memory_info(test_memory(), nullptr, &after, nullptr));
    CHECK_EQ(after, before);
}

// Random operations on a range, then all of it given back: what the counts of the harness
// are for.
static void many_operations_leave_nothing_behind(void)
{
    enum { PAGES = 32 };
    uint64_t address = reserve(PAGES * PAGE), seed = 12345;
    for (int i = 0; i < 400; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        uint64_t first = (seed >> 33) % PAGES, count = 1 + (seed >> 43) % (PAGES - first);
        uint64_t start = address + first * PAGE, length = count * PAGE;
        enum protection protection = (enum protection)((seed >> 53) % 4);
        enum status status = STATUS_OK;
        switch ((seed >> 59) % 3) {
        case 0:
            status = virtual_memory_commit(test_memory(), start, length, protection);
            break;
        case 1:
            status = virtual_memory_decommit(test_memory(), start, length);
            break;
        case 2:
            status = virtual_memory_protect(test_memory(), start, length, protection);
            break;
        }
        CHECK(status == STATUS_OK || status == STATUS_FAILED);
    }
    unmap(address, PAGES * PAGE);
}

// ---- Tests: faults -------------------------------------------------------------------------

static uint64_t used_bytes(void)
{
    uint64_t bytes = 0;
    CHECK_OK(memory_budget_info(test_budget(), nullptr, &bytes, nullptr, nullptr));
    return bytes;
}

static void page_tables_are_given_back(void)
{
    constexpr uint64_t count = 20, length = 64 * PAGE, step = UINT64_C(1) << 39;
    constexpr uint64_t base = UINT64_C(80) << 40, tables = 3 * PAGE; // of each of these ranges
    uint64_t address, before = used_bytes();
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < count; i++) {
            CHECK_OK(virtual_memory_allocate(test_memory(), length, base + i * step,
                                             PROTECTION_READ_WRITE, &address));
            *(volatile uint8_t *)(base + i * step + round * PAGE) = 1;
        }
        // Kept before were those of some other range, of two tables of each level at most.
        CHECK(used_bytes() + 6 * PAGE >= before + count * (length + tables));
        for (uint64_t i = 0; i < count; i++)
            unmap(base + i * step, length);
        CHECK(used_bytes() <= before + 3 * tables); // now it is the last of these
    }
}

static void a_touch_of_the_wrong_page_ends_the_process_with_the_kind_of_fault(void)
{
    static const struct {
        const char *role;
        enum fault_kind fault;
    } faults[] = {
        {"touches nothing mapped", FAULT_KIND_UNMAPPED},
        {"touches the null page", FAULT_KIND_UNMAPPED},
        {"writes a read-only page", FAULT_KIND_PROTECTION},
        {"reads a page without protection", FAULT_KIND_PROTECTION},
        {"executes a data page", FAULT_KIND_PROTECTION},
        {"writes its own code", FAULT_KIND_PROTECTION},
        {"touches the page below its memory", FAULT_KIND_GUARD_PAGE},
        {"touches a decommitted page", FAULT_KIND_UNMAPPED},
        {"touches an unmapped page", FAULT_KIND_UNMAPPED},
        {"writes after a protect", FAULT_KIND_PROTECTION},
        {"writes the CapSet page", FAULT_KIND_PROTECTION},
        {"overflows its stack", FAULT_KIND_GUARD_PAGE},
    };
    const struct test_child_grant grants[] = {test_lend("memory", test_memory().id)};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (!CHECK_FAULTS(faults[i].role, grants, 1, faults[i].fault, nullptr))
            test_fail(__FILE__, __LINE__, "in the child that %s", faults[i].role);
}

static void a_fault_names_the_address(void)
{
    struct test_end end;
    if (!CHECK_FAULTS("touches nothing mapped", nullptr, 0, FAULT_KIND_UNMAPPED, &end))
        return;
    CHECK_EQ(end.fault_address, 0x10000);
    CHECK(end.instruction_pointer != 0 && end.stack_pointer != 0);
}

static void allocate_is_reserve_and_commit_in_one(void)
{
    uint64_t charged = test_charged_bytes(), address = 0, large = 0;
    CHECK_OK(virtual_memory_allocate(test_memory(), PAGE, 0, PROTECTION_READ_WRITE, &address));
    CHECK_EQ(*word_at(address), 0);
    *word_at(address) = 1;
    // Long enough for large pages: cut in the middle, it still is what it was.
    constexpr uint64_t length = UINT64_C(4) << 20;
    CHECK_OK(virtual_memory_allocate(test_memory(), length, 0, PROTECTION_READ_WRITE, &large));
    CHECK_EQ(large % (UINT64_C(2) << 20), 0);
    for (uint64_t at = 0; at < length; at += PAGE)
        *word_at(large + at) = at;
    CHECK_OK(virtual_memory_protect(test_memory(), large + PAGE, PAGE, PROTECTION_READ));
    unmap(large + length / 2 + PAGE, PAGE);
    for (uint64_t at = 0; at < length; at += PAGE)
        if (at != length / 2 + PAGE)
            CHECK_EQ(*word_at(large + at), at);
    CHECK_STATUS(
        virtual_memory_allocate(test_memory(), PAGE, address, PROTECTION_READ, nullptr),
        STATUS_FAILED);
    unmap(address, PAGE);
    unmap(large, length);
    CHECK(test_charged_bytes() <= charged + 16 * PAGE); // some page tables stay
}

static void lazy_memory_is_charged_when_it_is_touched(void)
{
    constexpr uint64_t length = UINT64_C(64) << 30;
    uint64_t address = reserve(length), before, after;
    CHECK_OK(
        virtual_memory_commit_lazily(test_memory(), address, length, PROTECTION_READ_WRITE));
    CHECK_OK(virtual_memory_info(test_memory(), nullptr, &before, nullptr));
    *word_at(address + (length >> 1)) = 7;
    *word_at(address + length - PAGE) = 8;
    CHECK_OK(virtual_memory_info(test_memory(), nullptr, &after, nullptr));
    CHECK_EQ(after - before, 2 * PAGE);
    CHECK_EQ(*word_at(address + (length >> 1)), 7);
    CHECK_OK(virtual_memory_decommit(test_memory(), address, length));
    CHECK_OK(virtual_memory_info(test_memory(), nullptr, &after, nullptr));
    CHECK_EQ(after, before);
    unmap(address, length);
}

static void more_lazy_memory_than_the_budget_has_is_a_fault_of_its_own_kind(void)
{
    constexpr uint64_t left = UINT64_C(2) << 20;
    struct test_end end;
    memory_budget_cap rest = {};
    uint64_t limit_bytes = 0, used_bytes = 0;
    CHECK_OK(memory_budget_info(test_budget(), &limit_bytes, &used_bytes, nullptr, nullptr));
    CHECK_OK(memory_budget_split(test_budget(), limit_bytes - used_bytes - left, &rest));
    const struct test_child_grant grants[] = {test_lend("memory", test_memory().id)};
    if (CHECK_FAULTS("touches more than there is", grants, 1, FAULT_KIND_OUT_OF_MEMORY, &end))
        CHECK(end.fault_address != 0);
    memory_budget_cap_release(&rest);
}

static void tests(void)
{
    RUN(memory_is_out_of_reach_without_the_grant);
    RUN(the_capability_means_the_space_of_whoever_calls);
    RUN(a_huge_reservation_costs_nothing);
    RUN(reserve_takes_the_address_that_was_asked_for);
    RUN(reserve_aligns_as_asked);
    RUN(reserve_refuses_ranges_outside_of_user_space);
    RUN(committed_pages_are_zero_charged_and_writable);
    RUN(committing_again_keeps_the_contents);
    RUN(decommit_gives_the_memory_back_and_the_pages_are_zero_again);
    RUN(commit_stays_within_one_reservation);
    RUN(commit_of_more_than_the_budget_is_overloaded_and_changes_nothing);
    RUN(no_protection_is_writable_and_executable);
    RUN(written_code_runs_once_it_is_executable);
    RUN(protect_of_free_or_reserved_pages_fails);
    RUN(map_takes_an_address_and_refuses_one_that_is_taken);
    RUN(map_refuses_what_is_outside_of_the_object);
    RUN(one_object_is_mapped_twice);
    RUN(unmap_takes_regions_apart);
    RUN(the_pages_of_the_kernel_stay);
    RUN(info_counts_what_was_committed);
    RUN(many_operations_leave_nothing_behind);
    RUN(page_tables_are_given_back);
    RUN(a_touch_of_the_wrong_page_ends_the_process_with_the_kind_of_fault);
    RUN(a_fault_names_the_address);
    RUN(allocate_is_reserve_and_commit_in_one);
    RUN(lazy_memory_is_charged_when_it_is_touched);
    RUN(more_lazy_memory_than_the_budget_has_is_a_fault_of_its_own_kind);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"has its own space", child_has_its_own_space},
        {"touches nothing mapped", child_touches_nothing_mapped},
        {"touches the null page", child_touches_the_null_page},
        {"writes a read-only page", child_writes_a_read_only_page},
        {"reads a page without protection", child_reads_a_page_without_protection},
        {"executes a data page", child_executes_a_data_page},
        {"writes its own code", child_writes_its_own_code},
        {"touches the page below its memory", child_touches_the_page_below_its_memory},
        {"touches a decommitted page", child_touches_a_decommitted_page},
        {"touches an unmapped page", child_touches_an_unmapped_page},
        {"writes after a protect", child_writes_after_a_protect},
        {"writes the CapSet page", child_writes_the_capset_page},
        {"overflows its stack", child_overflows_its_stack},
        {"touches more than there is", child_touches_more_than_there_is},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
