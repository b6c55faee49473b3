// SPDX-License-Identifier: MIT
// Page tables that nothing needs are given back (table.c), whatever came before.
#include <kernel/mm/space.h>

#include <kernel/mm/memory_object.h>
#include <kernel/mm/mm_test.h>
#include <kernel/mm/region.h>

constexpr uint64_t RAM_BYTES = (uint64_t)32 << 20;
constexpr uint64_t TABLE_SPANS[] = {LARGE_PAGE_BYTES, LARGE_PAGE_BYTES << 9,
                                    LARGE_PAGE_BYTES << 18};
constexpr unsigned LEVELS_BELOW_ROOT = sizeof TABLE_SPANS / sizeof TABLE_SPANS[0];

static const char *reason;

// ---- What must be there, and what may ---------------------------------------------------

// Counts the tables of ranges that come in order.
struct table_counter {
    uint64_t count;
    uint64_t last[LEVELS_BELOW_ROOT]; // the span that was counted last, + 1
};

static void count_range(struct table_counter *counter, uint64_t start, uint64_t end)
{
    for (unsigned level = 0; level < LEVELS_BELOW_ROOT; level++) {
        uint64_t first = start / TABLE_SPANS[level], last = (end - 1) / TABLE_SPANS[level];
        if (first + 1 == counter->last[level])
            first++;
        counter->count += last + 1 - first;
        counter->last[level] = last + 1;
    }
}

// With what may be kept or untouched, or without.
static uint64_t tables_of(const struct space *space, bool all)
{
    struct table_counter counter = {.count = 1}; // the root
    uint64_t kept_start = space->let_go_start, kept_end = all ? space->let_go_end : 0;
    for (const struct region *region = region_find_from(space, 0); region != nullptr;
         region = region_next(region)) {
        if (kept_end != 0 && kept_start < region->start) {
            count_range(&counter, kept_start, kept_end);
            kept_end = 0;
        }
        if (region->kind != REGION_RESERVED && (all || !region->lazy))
            count_range(&counter, region->start, region->end);
    }
    if (kept_end != 0)
        count_range(&counter, kept_start, kept_end);
    return counter.count;
}

static void check_tables(const struct space *space)
{
    uint64_t count = space->table_bytes / PAGE_BYTES;
    CHECK(count >= tables_of(space, false));
    CHECK(count <= tables_of(space, true));
}

// ---- Random operations ------------------------------------------------------------------

constexpr unsigned PLACE_COUNT = 24;
constexpr uint64_t PAGES_MAX = 1100; // of a range: more than two tables

// Places that share tables of every level, or none.
static uint64_t place(unsigned index)
{
    uint64_t base = (uint64_t)3 << 40;
    return base + (index % 3) * 600 * PAGE_BYTES + (index / 3 % 2) * TABLE_SPANS[1] +
           (index / 6 % 2) * 5 * TABLE_SPANS[2] +
           (index / 12) * (TABLE_SPANS[1] - 8 * PAGE_BYTES);
}

// How a place is used; whatever fails must leave nothing.
static void use(struct space *space, struct memory_object *object, uint64_t start,
                uint64_t length)
{
    uint64_t address = 0;
    uint8_t byte = 1;
    switch (random_below(5)) {
    case 0:
        (void)space_allocate(space, length, start, PROTECTION_READ_WRITE, &address, &reason);
        break;
    case 1:
        if (space_reserve(space, length, start, 0, &address, &reason) == STATUS_OK)
            (void)space_commit(space, start + length / 2 / PAGE_BYTES * PAGE_BYTES, PAGE_BYTES,
                               PROTECTION_READ_WRITE, &reason);
        break;
    case 2:
        if (space_reserve(space, length, start, 0, &address, &reason) == STATUS_OK)
            (void)space_commit_lazily(space, start, length, PROTECTION_READ_WRITE, &reason);
        break;
    case 3:
        (void)space_map(space, object, 0, length < 4 * PAGE_BYTES ? length : 4 * PAGE_BYTES,
                        start, PROTECTION_READ, &address, &reason);
        break;
    default:
        (void)space_allocate(space, length, 0, PROTECTION_READ_WRITE, &address, &reason);
        (void)space_unmap(space, address, length, &reason);
    }
    (void)space_copy_out(space, start + length - PAGE_BYTES, &byte, 1);
}

static void leave(struct space *space, uint64_t start, uint64_t length)
{
    if (random_below(3) == 0)
        (void)space_decommit(space, start, length, &reason);
    else
        (void)space_unmap(space, start, length, &reason);
}

static void run(struct budget *root, uint64_t limit_pages, unsigned operations)
{
    struct mm_counts before = mm_count(root);
    struct budget *budget = budget_split(root, limit_pages * PAGE_BYTES);
    struct memory_object *object = memory_object_create(root, 4 * PAGE_BYTES);
    struct space space;
    if (space_init(&space, budget, 0x1234567) == STATUS_OK) {
        for (unsigned i = 0; i < operations && !test_this_failed; i++) {
            uint64_t start = place((unsigned)random_below(PLACE_COUNT));
            uint64_t length = (1 + random_below(random_below(2) ? 8 : PAGES_MAX)) * PAGE_BYTES;
            start += random_below(16) * PAGE_BYTES;
            if (random_below(2) == 0)
                use(&space, object, start, length);
            else
                leave(&space, start, length);
            check_tables(&space);
        }
        (void)space_unmap(&space, USER_ADDRESS_MIN, USER_ADDRESS_END - USER_ADDRESS_MIN,
                          &reason);
        CHECK_EQ(space.table_bytes, PAGE_BYTES); // what is long isn't kept
        space_fini(&space);
    }
    CHECK_EQ(budget->used_bytes, 0);
    object_put(&budget->object);
    object_put(memory_object_as_object(object));
    mm_check_counts(root, before);
}

static void tables_are_those_of_the_regions_whatever_came_before(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    for (uint64_t seed = 1; seed <= 60 && !test_this_failed; seed++) {
        random_state = seed;
        run(root, 6000, 300);
    }
}

static void tables_of_what_failed_are_given_back(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    for (uint64_t pages = 1; pages < 60 && !test_this_failed; pages++) {
        random_state = pages;
        run(root, pages, 200);
    }
}

// ---- Single properties ------------------------------------------------------------------

static void tables_stay_where_something_comes_and_goes(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct space space;
    CHECK_EQ(space_init(&space, root, 0x1234567), STATUS_OK);
    static const uint64_t lengths[] = {PAGE_BYTES, 40 * PAGE_BYTES, 2 * PAGE_BYTES};
    uint32_t table = 0;
    for (unsigned i = 0; i < 30; i++) {
        uint64_t address = 0, length = lengths[i % 3];
        CHECK_EQ(space_allocate(&space, length, 0, PROTECTION_READ_WRITE, &address, &reason),
                 STATUS_OK);
        if (table == 0)
            table = space.table_first; // the one that was made last
        CHECK_EQ(space.table_first, table);
        CHECK_EQ(space.table_bytes, 4 * PAGE_BYTES);
        CHECK_EQ(space_unmap(&space, address, length, &reason), STATUS_OK);
    }
    space_fini(&space);
    mm_check_counts(root, before);
}

static void tables_that_nothing_needs_are_no_charge(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct space space;
    CHECK_EQ(space_init(&space, root, 0x1234567), STATUS_OK);
    constexpr uint64_t length = 64 * PAGE_BYTES;
    uint64_t address = 0;
    for (uint64_t i = 1; i <= 40; i++)
        CHECK_EQ(
            space_allocate(&space, length, i << 39, PROTECTION_READ_WRITE, &address, &reason),
            STATUS_OK);
    CHECK_EQ(space.table_bytes, (1 + 3 * 40) * PAGE_BYTES);
    for (uint64_t i = 1; i <= 40; i++)
        CHECK_EQ(space_unmap(&space, i << 39, length, &reason), STATUS_OK);
    CHECK_EQ(space.table_bytes, (1 + 3) * PAGE_BYTES); // those of the last one are kept
    space_fini(&space);
    mm_check_counts(root, before);
}

static void a_table_comes_back_from_behind_a_large_page(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct space space;
    CHECK_EQ(space_init(&space, root, 0x1234567), STATUS_OK);
    uint64_t address = 0;
    uint8_t byte = 1;
    CHECK_EQ(space_allocate(&space, 2 * LARGE_PAGE_BYTES, (uint64_t)5 << 40,
                            PROTECTION_READ_WRITE, &address, &reason),
             STATUS_OK);
    CHECK_EQ(space_copy_out(&space, address, &byte, 1), STATUS_OK);
    CHECK_EQ(space.resident_bytes, LARGE_PAGE_BYTES);
    CHECK_EQ(space_unmap(&space, address + PAGE_BYTES, LARGE_PAGE_BYTES, &reason), STATUS_OK);
    check_tables(&space);
    CHECK_EQ(space_unmap(&space, address, 2 * LARGE_PAGE_BYTES, &reason), STATUS_OK);
    CHECK_EQ(space.table_bytes, PAGE_BYTES);
    space_fini(&space);
    mm_check_counts(root, before);
}

int main(void)
{
    RUN(tables_are_those_of_the_regions_whatever_came_before);
    RUN(tables_of_what_failed_are_given_back);
    RUN(tables_stay_where_something_comes_and_goes);
    RUN(tables_that_nothing_needs_are_no_charge);
    RUN(a_table_comes_back_from_behind_a_large_page);
    return test_report();
}
