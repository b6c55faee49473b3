// SPDX-License-Identifier: MIT
// Tests of address spaces.
//
// The model is a map of single pages: what each is, its protection, what its bytes are.
// Random operations are done on both; whether one succeeds, each page's protection and
// contents, the number of regions and every count must agree.  The same runs with
// budgets so small that any step may fail: then nothing may have changed.
#include <kernel/mm/space.h>

#include <gen/kernel/process.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/mm_test.h>
#include <kernel/mm/region.h>

constexpr uint64_t RAM_BYTES = (uint64_t)16 << 20;

// ---- The model ------------------------------------------------------------------------

constexpr unsigned WINDOW_PAGES = 48;
// Across the border of two page tables, so that operations need both.
constexpr uint64_t WINDOW = ((uint64_t)1 << 40) + ((uint64_t)1 << 30) - 24 * PAGE_BYTES;
constexpr unsigned OBJECT_COUNT = 3;
constexpr unsigned OBJECT_PAGES = 20;

enum model_kind { MODEL_FREE, MODEL_RESERVED, MODEL_ANONYMOUS, MODEL_OBJECT };

struct model_page {
    enum model_kind kind;
    enum protection protection;
    uint8_t byte; // MODEL_ANONYMOUS: of all its bytes, first and last are looked at
    unsigned object, object_page;
};

static struct model_page model[WINDOW_PAGES];
static uint8_t object_bytes[OBJECT_COUNT][OBJECT_PAGES];
static struct memory_object *objects[OBJECT_COUNT];
static const bool object_writable[OBJECT_COUNT] = {true, false, true};
static const bool object_executable[OBJECT_COUNT] = {true, true, false};

static bool model_can_read(const struct model_page *page)
{
    return page->kind >= MODEL_ANONYMOUS && page->protection != PROTECTION_NONE;
}

static bool model_can_write(const struct model_page *page)
{
    return page->kind >= MODEL_ANONYMOUS && page->protection == PROTECTION_READ_WRITE;
}

static uint8_t *model_byte(struct model_page *page)
{
    return page->kind == MODEL_OBJECT ? &object_bytes[page->object][page->object_page]
                                      : &page->byte;
}

static bool model_object_allows(unsigned object, enum protection protection)
{
    return (protection != PROTECTION_READ_WRITE || object_writable[object]) &&
           (protection != PROTECTION_READ_EXECUTE || object_executable[object]);
}

static bool model_joined(const struct model_page *page, const struct model_page *next)
{
    return page->kind == next->kind && page->protection == next->protection &&
           (page->kind != MODEL_OBJECT ||
            (page->object == next->object && page->object_page + 1 == next->object_page));
}

static uint64_t model_region_count(void)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < WINDOW_PAGES; i++)
        count +=
            model[i].kind != MODEL_FREE && (i == 0 || !model_joined(&model[i - 1], &model[i]));
    return count;
}

static uint64_t model_count(enum model_kind kind)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < WINDOW_PAGES; i++)
        count += model[i].kind == kind;
    return count;
}

static unsigned model_fault_kind(unsigned index, bool write, bool execute)
{
    const struct model_page *page = &model[index];
    bool allowed = execute ? page->protection == PROTECTION_READ_EXECUTE
                   : write ? model_can_write(page)
                           : model_can_read(page);
    if (page->kind >= MODEL_ANONYMOUS && allowed)
        return FAULT_KIND_NONE;
    bool inaccessible = page->kind < MODEL_ANONYMOUS ||
                        (page->kind == MODEL_ANONYMOUS && page->protection == PROTECTION_NONE);
    if (inaccessible && index + 1 < WINDOW_PAGES && model[index + 1].kind == MODEL_ANONYMOUS &&
        model[index + 1].protection == PROTECTION_READ_WRITE)
        return FAULT_KIND_GUARD_PAGE;
    return page->kind < MODEL_ANONYMOUS ? FAULT_KIND_UNMAPPED : FAULT_KIND_PROTECTION;
}

// ---- Comparing ------------------------------------------------------------------------

static uint64_t page_address(unsigned index)
{
    return WINDOW + index * PAGE_BYTES;
}

// The tree's order, its gaps and their maxima.
static uint64_t check_gaps(const struct rbtree_node *node)
{
    if (node == nullptr)
        return 0;
    const struct region *region = (const struct region *)node;
    uint64_t max = region->gap;
    for (unsigned side = 0; side < 2; side++) {
        uint64_t below = check_gaps(node->child[side]);
        max = below > max ? below : max;
    }
    CHECK_EQ(region->gap_max, max);
    return max;
}

static void check_tree(const struct space *space)
{
    uint64_t end = USER_ADDRESS_MIN, count = 0;
    for (const struct region *region = region_find_from(space, 0); region != nullptr;
         region = region_next(region)) {
        CHECK(region->start >= end && region->end > region->start);
        CHECK_EQ(region->gap, region->start - end);
        end = region->end;
        const struct region *next = region_next(region);
        if (region->apart) {
            CHECK(region->gap >= PAGE_BYTES);
            CHECK((next == nullptr ? USER_ADDRESS_END - end : next->gap) >= PAGE_BYTES);
        }
        if (region == space->spare)
            CHECK(region->kind == REGION_SPARE && region->protection == PROTECTION_NONE);
        else
            CHECK(region->kind != REGION_SPARE);
        count += region != space->spare;
    }
    CHECK(end <= USER_ADDRESS_END);
    CHECK_EQ(space->region_count, count);
    (void)check_gaps(space->regions.root);
}

static void check_page(struct space *space, unsigned index)
{
    struct model_page *page = &model[index];
    uint8_t bytes[2] = {0xee, 0xee};
    enum status expected = model_can_read(page) ? STATUS_OK : STATUS_BAD_ADDRESS;
    CHECK_EQ(space_copy_in(space, &bytes[0], page_address(index), 1), expected);
    CHECK_EQ(space_copy_in(space, &bytes[1], page_address(index) + PAGE_BYTES - 1, 1),
             expected);
    if (expected == STATUS_OK) {
        CHECK_EQ(bytes[0], *model_byte(page));
        CHECK_EQ(bytes[1], *model_byte(page));
    }
    for (unsigned access = 0; access < 3; access++) {
        unsigned kind = FAULT_KIND_NONE;
        bool write = access == 1, execute = access == 2;
        enum status status = space_fault(space, page_address(index) + 5, write, execute, &kind);
        CHECK_EQ(kind, model_fault_kind(index, write, execute));
        CHECK_EQ(status, kind == FAULT_KIND_NONE ? STATUS_OK : STATUS_FAILED);
    }
}

// All but the contents, without touching a page.
static void check_counts(const struct space *space)
{
    check_tree(space);
    CHECK_EQ(space->region_count, model_region_count());
    CHECK_EQ(space->committed_bytes, model_count(MODEL_ANONYMOUS) * PAGE_BYTES);
    const struct budget *budget = space->budget;
    CHECK_EQ(budget->used_bytes - budget->kernel_bytes, space->committed_bytes);
    uint64_t slab_bytes = budget->kernel_bytes - space->table_bytes;
    CHECK(slab_bytes % PAGE_BYTES == 0 &&
          slab_bytes >= space->region_count * sizeof(struct region));
    CHECK(slab_bytes <= 2 * PAGE_BYTES); // regions, and nothing leaks

    uint64_t resident = 0;
    for (unsigned i = 0; i < WINDOW_PAGES; i++) {
        enum page_access access = PAGE_NONE;
        if (arch_space_lookup(&space->arch, page_address(i), &access) == 0)
            continue;
        resident += PAGE_BYTES;
        CHECK(model[i].kind >= MODEL_ANONYMOUS);
        CHECK_EQ(access, (enum page_access)model[i].protection);
    }
    CHECK_EQ(space->resident_bytes, resident);
}

// ---- Random operations ------------------------------------------------------------------

struct range {
    unsigned first, count;
};

static struct range random_range(void)
{
    unsigned first = (unsigned)random_below(WINDOW_PAGES);
    unsigned room = WINDOW_PAGES - first;
    unsigned bound = random_below(4) == 0 ? room : room < 8 ? room : 8;
    return (struct range){first, 1 + (unsigned)random_below(bound)};
}

static bool all_are(struct range range, enum model_kind a, enum model_kind b)
{
    for (unsigned i = range.first; i < range.first + range.count; i++)
        if (model[i].kind != a && model[i].kind != b)
            return false;
    return true;
}

static enum protection random_protection(void)
{
    // Often the same, so that neighbours join.
    return random_below(2) == 0 ? PROTECTION_READ_WRITE : (enum protection)random_below(4);
}

static const char *reason;

// The status that the space returned is what the model says, or memory ran out.  Whether
// the model is to change.
static bool agree(enum status status, enum status expected)
{
    if (status == STATUS_OVERLOADED && expected == STATUS_OK)
        return false;
    CHECK_EQ(status, expected);
    if (status != STATUS_OK)
        CHECK(reason != nullptr && strchr(reason, ':') != nullptr);
    return status == STATUS_OK;
}

static void do_reserve(struct space *space, struct range range)
{
    uint64_t address = 0;
    enum status status = space_reserve(space, range.count * PAGE_BYTES,
                                       page_address(range.first), 0, &address, &reason);
    bool free = all_are(range, MODEL_FREE, MODEL_FREE);
    if (!agree(status, free ? STATUS_OK : STATUS_FAILED))
        return;
    CHECK_EQ(address, page_address(range.first));
    for (unsigned i = range.first; i < range.first + range.count; i++)
        model[i] = (struct model_page){.kind = MODEL_RESERVED};
}

static void do_commit(struct space *space, struct range range)
{
    enum protection protection = random_protection();
    enum status status = space_commit(space, page_address(range.first),
                                      range.count * PAGE_BYTES, protection, &reason);
    bool reserved = all_are(range, MODEL_RESERVED, MODEL_ANONYMOUS);
    if (!agree(status, reserved ? STATUS_OK : STATUS_FAILED))
        return;
    for (unsigned i = range.first; i < range.first + range.count; i++) {
        if (model[i].kind == MODEL_RESERVED)
            model[i] = (struct model_page){.kind = MODEL_ANONYMOUS};
        model[i].protection = protection;
    }
}

static void do_allocate(struct space *space, struct range range)
{
    enum protection protection = random_protection();
    uint64_t address = 0;
    enum status status =
        space_allocate(space, range.count * PAGE_BYTES, page_address(range.first), protection,
                       &address, &reason);
    bool free = all_are(range, MODEL_FREE, MODEL_FREE);
    if (!agree(status, free ? STATUS_OK : STATUS_FAILED))
        return;
    CHECK_EQ(address, page_address(range.first));
    for (unsigned i = range.first; i < range.first + range.count; i++)
        model[i] = (struct model_page){.kind = MODEL_ANONYMOUS, .protection = protection};
}

static void do_decommit(struct space *space, struct range range)
{
    enum status status =
        space_decommit(space, page_address(range.first), range.count * PAGE_BYTES, &reason);
    bool reserved = all_are(range, MODEL_RESERVED, MODEL_ANONYMOUS);
    if (!agree(status, reserved ? STATUS_OK : STATUS_FAILED))
        return;
    for (unsigned i = range.first; i < range.first + range.count; i++)
        model[i] = (struct model_page){.kind = MODEL_RESERVED};
}

static enum status expected_protect(struct range range, enum protection protection)
{
    for (unsigned i = range.first; i < range.first + range.count; i++) {
        if (model[i].kind < MODEL_ANONYMOUS)
            return STATUS_FAILED;
        if (model[i].kind == MODEL_OBJECT && !model_object_allows(model[i].object, protection))
            return STATUS_INVALID_ARGUMENT;
    }
    return STATUS_OK;
}

static void do_protect(struct space *space, struct range range)
{
    enum protection protection = random_protection();
    enum status status = space_protect(space, page_address(range.first),
                                       range.count * PAGE_BYTES, protection, &reason);
    if (!agree(status, expected_protect(range, protection)))
        return;
    for (unsigned i = range.first; i < range.first + range.count; i++)
        model[i].protection = protection;
}

static void do_map(struct space *space, struct range range)
{
    enum protection protection = random_protection();
    unsigned object = (unsigned)random_below(OBJECT_COUNT);
    unsigned offset = (unsigned)random_below(OBJECT_PAGES);
    uint64_t address = 0;
    enum status status =
        space_map(space, objects[object], offset * PAGE_BYTES, range.count * PAGE_BYTES,
                  page_address(range.first), protection, &address, &reason);
    enum status expected = STATUS_OK;
    if (offset + range.count > OBJECT_PAGES || !model_object_allows(object, protection))
        expected = STATUS_INVALID_ARGUMENT;
    else if (!all_are(range, MODEL_FREE, MODEL_FREE))
        expected = STATUS_FAILED;
    if (!agree(status, expected))
        return;
    CHECK_EQ(address, page_address(range.first));
    for (unsigned i = 0; i < range.count; i++)
        model[range.first + i] = (struct model_page){.kind = MODEL_OBJECT,
                                                     .protection = protection,
                                                     .object = object,
                                                     .object_page = offset + i};
}

static void do_unmap(struct space *space, struct range range)
{
    enum status status =
        space_unmap(space, page_address(range.first), range.count * PAGE_BYTES, &reason);
    if (!agree(status, STATUS_OK))
        return;
    for (unsigned i = range.first; i < range.first + range.count; i++)
        model[i] = (struct model_page){};
}

// Fills whole pages with a byte, through the copy routine.
static void do_write(struct space *space, struct range range)
{
    static uint8_t bytes[WINDOW_PAGES * PAGE_BYTES];
    uint8_t byte = (uint8_t)random_next();
    memset(bytes, byte, range.count * PAGE_BYTES);
    unsigned writable = 0;
    while (writable < range.count && model_can_write(&model[range.first + writable]))
        writable++;
    enum status status =
        space_copy_out(space, page_address(range.first), bytes, range.count * PAGE_BYTES);
    CHECK_EQ(status, writable == range.count ? STATUS_OK : STATUS_BAD_ADDRESS);
    for (unsigned i = 0; i < writable; i++)
        *model_byte(&model[range.first + i]) = byte;
}

static void do_something(struct space *space)
{
    static void (*const operations[])(struct space *, struct range) = {
        do_reserve, do_reserve, do_commit, do_commit, do_commit, do_decommit, do_protect,
        do_protect, do_map,     do_map,    do_unmap,  do_write,  do_write,    do_allocate,
    };
    reason = nullptr;
    operations[random_below(sizeof operations / sizeof operations[0])](space, random_range());
}

static void objects_make(struct budget *root)
{
    memset(object_bytes, 0, sizeof object_bytes);
    for (unsigned i = 0; i < OBJECT_COUNT; i++) {
        struct memory_object *whole = memory_object_create(root, OBJECT_PAGES * PAGE_BYTES);
        objects[i] = memory_object_create_view(root, whole, 0, OBJECT_PAGES * PAGE_BYTES,
                                               object_writable[i], object_executable[i]);
        object_put(memory_object_as_object(whole));
    }
}

static void objects_put(void)
{
    for (unsigned i = 0; i < OBJECT_COUNT; i++)
        object_put(memory_object_as_object(objects[i]));
}

// Random steps in a space with a budget of that many pages; then all is as before.
static void run_model(struct budget *root, uint64_t budget_pages, unsigned steps)
{
    struct mm_counts before = mm_count(root);
    memset(model, 0, sizeof model);
    objects_make(root);
    struct budget *budget = budget_split(root, budget_pages * PAGE_BYTES);
    struct space space;
    enum status status = space_init(&space, budget, random_next());
    if (status == STATUS_OK) {
        for (unsigned step = 0; step < steps && !test_this_failed; step++) {
            do_something(&space);
            check_counts(&space);
            if (random_below(4) == 0)
                check_page(&space, (unsigned)random_below(WINDOW_PAGES));
            if (random_below(64) == 0)
                for (unsigned i = 0; i < WINDOW_PAGES; i++)
                    check_page(&space, i);
        }
        space_fini(&space);
    } else {
        CHECK_EQ(status, STATUS_OVERLOADED);
    }
    CHECK_EQ(budget->used_bytes, 0);
    CHECK_EQ(budget->object.reference_count, 1);
    object_put(&budget->object);
    objects_put();
    mm_check_counts(root, before);
}

static void space_behaves_as_the_model_under_random_operations(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    for (random_state = 1; random_state <= 40 && !test_this_failed; random_state++) {
        uint64_t seed = random_state;
        run_model(root, 200, 600);
        random_state = seed;
    }
}

static void space_operations_fail_whole_at_every_budget(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    for (uint64_t pages = 0; pages < 70 && !test_this_failed; pages++) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            random_state = seed * 1000 + pages;
            if (pages > 0)
                run_model(root, pages, 250);
        }
    }
}

// ---- Single properties ------------------------------------------------------------------

struct fixture {
    struct budget *root;
    struct mm_counts before;
    struct space space;
};

static void fixture_init(struct fixture *fixture)
{
    fixture->root = mm_machine(RAM_BYTES);
    fixture->before = mm_count(fixture->root);
    CHECK_EQ(space_init(&fixture->space, fixture->root, 0x1234567), STATUS_OK);
}

static void fixture_fini(struct fixture *fixture)
{
    space_fini(&fixture->space);
    mm_check_counts(fixture->root, fixture->before);
}

static void space_arguments_at_the_edges_are_checked(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t address = 0;
    constexpr uint64_t top = USER_ADDRESS_END - PAGE_BYTES;
    constexpr uint64_t huge = ~(PAGE_BYTES - 1);
    static const struct {
        uint64_t address, length;
        bool good;
    } ranges[] = {
        {top, PAGE_BYTES, true},
        {top, 2 * PAGE_BYTES, false},
        {USER_ADDRESS_END, PAGE_BYTES, false},
        {USER_ADDRESS_MIN, PAGE_BYTES, true},
        {USER_ADDRESS_MIN - PAGE_BYTES, PAGE_BYTES, false},
        {USER_ADDRESS_MIN - PAGE_BYTES, 2 * PAGE_BYTES, false},
        {PAGE_BYTES, PAGE_BYTES, false},
        {USER_ADDRESS_MIN + 1, PAGE_BYTES, false},
        {USER_ADDRESS_MIN, PAGE_BYTES + 1, false},
        {USER_ADDRESS_MIN, 0, false},
        {USER_ADDRESS_MIN, huge, false},
        {huge, PAGE_BYTES, false},
        {huge, huge, false},
        {0xffff800000000000, PAGE_BYTES, false},
        {USER_ADDRESS_MIN, USER_ADDRESS_END - USER_ADDRESS_MIN, true},
        {USER_ADDRESS_MIN, USER_ADDRESS_END, false},
    };
    for (unsigned i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        uint64_t at = ranges[i].address, length = ranges[i].length;
        enum status bad = STATUS_INVALID_ARGUMENT;
        enum status state = ranges[i].good ? STATUS_FAILED : bad;
        CHECK_EQ(space_commit(&f.space, at, length, PROTECTION_READ, &reason), state);
        CHECK_EQ(space_decommit(&f.space, at, length, &reason), state);
        CHECK_EQ(space_protect(&f.space, at, length, PROTECTION_READ, &reason), state);
        CHECK_EQ(space_unmap(&f.space, at, length, &reason), ranges[i].good ? STATUS_OK : bad);
        CHECK_EQ(space_reserve(&f.space, length, at, 0, &address, &reason),
                 ranges[i].good ? STATUS_OK : bad);
        if (ranges[i].good)
            CHECK_EQ(space_unmap(&f.space, at, length, &reason), STATUS_OK);
    }
    CHECK_EQ(space_commit(&f.space, 0, PAGE_BYTES, PROTECTION_READ, &reason),
             STATUS_INVALID_ARGUMENT);
    CHECK_EQ(space_unmap(&f.space, 0, PAGE_BYTES, &reason), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(space_reserve(&f.space, 0, 0, 0, &address, &reason), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(space_reserve(&f.space, huge, 0, 0, &address, &reason), STATUS_FAILED);
    CHECK_EQ(space_reserve(&f.space, USER_ADDRESS_END, 0, 0, &address, &reason), STATUS_FAILED);
    CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, 0, 3 * PAGE_BYTES, &address, &reason),
             STATUS_INVALID_ARGUMENT);
    CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, 0, (uint64_t)1 << 63, &address, &reason),
             STATUS_FAILED);
    CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, 0, 1, &address, &reason), STATUS_OK);
    CHECK_EQ(space_commit(&f.space, address, PAGE_BYTES, (enum protection)4, &reason),
             STATUS_INVALID_ARGUMENT);
    CHECK_EQ(space_commit(&f.space, address, PAGE_BYTES, (enum protection)0xffff, &reason),
             STATUS_INVALID_ARGUMENT);
    fixture_fini(&f);
}

static void space_map_checks_offset_length_and_rights(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t address = 0;
    constexpr uint64_t huge = ~(PAGE_BYTES - 1);
    struct memory_object *object = memory_object_create(f.root, 4 * PAGE_BYTES);
    struct memory_object *narrow =
        memory_object_create_view(f.root, object, 0, PAGE_BYTES, false, false);
    static const struct {
        uint64_t offset, length;
    } bad[] = {{1, PAGE_BYTES},
               {0, 5 * PAGE_BYTES},
               {4 * PAGE_BYTES, PAGE_BYTES},
               {5 * PAGE_BYTES, PAGE_BYTES},
               {huge, PAGE_BYTES},
               {PAGE_BYTES, huge},
               {huge, 2 * PAGE_BYTES},
               {0, 0},
               {4 * PAGE_BYTES, 0}};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(space_map(&f.space, object, bad[i].offset, bad[i].length, 0, PROTECTION_READ,
                           &address, &reason),
                 STATUS_INVALID_ARGUMENT);
    CHECK_EQ(
        space_map(&f.space, narrow, 0, PAGE_BYTES, 0, PROTECTION_READ_WRITE, &address, &reason),
        STATUS_INVALID_ARGUMENT);
    CHECK_EQ(space_map(&f.space, narrow, 0, PAGE_BYTES, 0, PROTECTION_READ_EXECUTE, &address,
                       &reason),
             STATUS_INVALID_ARGUMENT);
    CHECK_EQ(f.space.region_count, 0);
    CHECK_EQ(space_map(&f.space, narrow, 0, PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
             STATUS_OK);
    CHECK_EQ(space_protect(&f.space, address, PAGE_BYTES, PROTECTION_READ_WRITE, &reason),
             STATUS_INVALID_ARGUMENT);
    object_put(memory_object_as_object(narrow));
    object_put(memory_object_as_object(object));
    fixture_fini(&f);
}

static void space_chosen_ranges_are_aligned_and_have_free_pages_around_them(void)
{
    struct fixture f;
    fixture_init(&f);
    random_state = 5;
    for (unsigned i = 0; i < 300 && !test_this_failed; i++) {
        uint64_t length = (1 + random_below(40)) * PAGE_BYTES;
        uint64_t alignment = (uint64_t)1 << random_below(25);
        uint64_t address = 0;
        CHECK_EQ(space_reserve(&f.space, length, 0, alignment, &address, &reason), STATUS_OK);
        CHECK(address % PAGE_BYTES == 0 && address % alignment == 0);
        CHECK(address >= f.space.placement_hint);
        CHECK(region_find(&f.space, address - 1) == nullptr);
        CHECK(region_find(&f.space, address + length) == nullptr);
        CHECK_EQ(f.space.region_count, i + 1);
        check_tree(&f.space);
    }
    fixture_fini(&f);
}

// What the kernel says of a page that is gone, and of what lies around it.
static void check_gone(struct space *space, uint64_t address)
{
    uint8_t byte;
    unsigned kind = FAULT_KIND_NONE;
    struct space_word word;
    CHECK_EQ(space_copy_in(space, &byte, address, 1), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_word_at(space, address, &word), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_fault(space, address, true, false, &kind), STATUS_FAILED);
    CHECK_EQ(kind, FAULT_KIND_UNMAPPED);
}

static void space_keeps_the_place_of_what_was_unmapped_last(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t first = 0, address = 0;
    uint8_t byte = 7;
    CHECK_EQ(space_allocate(&f.space, PAGE_BYTES, 0, PROTECTION_READ_WRITE, &first, &reason),
             STATUS_OK);
    uint64_t used = f.root->used_bytes;
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(space_copy_out(&f.space, first, &byte, 1), STATUS_OK);
        CHECK_EQ(space_unmap(&f.space, first, PAGE_BYTES, &reason), STATUS_OK);
        CHECK_EQ(f.space.region_count, 0);
        CHECK_EQ(f.space.committed_bytes, 0);
        check_gone(&f.space, first);
        CHECK_EQ(space_unmap(&f.space, first, PAGE_BYTES, &reason), STATUS_OK);
        CHECK_EQ(
            space_allocate(&f.space, PAGE_BYTES, 0, PROTECTION_READ_WRITE, &address, &reason),
            STATUS_OK);
        CHECK_EQ(address, first);
        uint8_t read = 1;
        CHECK_EQ(space_copy_in(&f.space, &read, first, 1), STATUS_OK);
        CHECK_EQ(read, 0);
        CHECK_EQ(f.root->used_bytes, used);
        check_tree(&f.space);
    }
    // An object takes the place, as long as it is as long.
    CHECK_EQ(space_unmap(&f.space, first, PAGE_BYTES, &reason), STATUS_OK);
    struct memory_object *object = memory_object_create(f.root, 2 * PAGE_BYTES);
    CHECK_EQ(space_map(&f.space, object, PAGE_BYTES, PAGE_BYTES, 0, PROTECTION_READ, &address,
                       &reason),
             STATUS_OK);
    CHECK_EQ(address, first);
    CHECK_EQ(space_copy_out(&f.space, first, &byte, 1), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_unmap(&f.space, first, PAGE_BYTES, &reason), STATUS_OK);
    check_gone(&f.space, first);
    object_put(memory_object_as_object(object)); // which nobody refers to any more
    CHECK_EQ(space_allocate(&f.space, 2 * PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
             STATUS_OK);
    check_tree(&f.space);
    fixture_fini(&f);
}

// It is remembered that a place has a free page on both sides, until it hasn't.
static void space_keeps_no_place_that_something_was_put_next_to(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t first = 0, address = 0;
    CHECK_EQ(space_allocate(&f.space, PAGE_BYTES, 0, PROTECTION_READ, &first, &reason),
             STATUS_OK);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_EQ(space_unmap(&f.space, first, PAGE_BYTES, &reason), STATUS_OK);
        CHECK_EQ(space_allocate(&f.space, PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
                 STATUS_OK);
        CHECK_EQ(address, first);
        uint64_t beside = i % 2 == 0 ? first - PAGE_BYTES : first + PAGE_BYTES;
        CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, beside, 0, &address, &reason), STATUS_OK);
        check_tree(&f.space);
        CHECK_EQ(space_unmap(&f.space, first, PAGE_BYTES, &reason), STATUS_OK);
        CHECK_EQ(space_allocate(&f.space, PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
                 STATUS_OK);
        CHECK(address != first);
        CHECK_EQ(space_unmap(&f.space, beside, PAGE_BYTES, &reason), STATUS_OK);
        first = address;
    }
    fixture_fini(&f);
}

static void space_gives_the_kept_place_to_whoever_names_it(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t first = 0, address = 0;
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(space_allocate(&f.space, 2 * PAGE_BYTES, 0, PROTECTION_READ, &first, &reason),
                 STATUS_OK);
        CHECK_EQ(space_unmap(&f.space, first, 2 * PAGE_BYTES, &reason), STATUS_OK);
        // Half of it, or what lies next to it: then it is no place that a space may choose.
        uint64_t at = first + (i == 0 ? PAGE_BYTES : 2 * PAGE_BYTES);
        CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, at, 0, &address, &reason), STATUS_OK);
        check_tree(&f.space);
        CHECK_EQ(
            space_allocate(&f.space, 2 * PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
            STATUS_OK);
        CHECK(address > at + PAGE_BYTES || address + 2 * PAGE_BYTES < at);
        CHECK_EQ(space_unmap(&f.space, at, PAGE_BYTES, &reason), STATUS_OK);
        CHECK_EQ(space_unmap(&f.space, address, 2 * PAGE_BYTES, &reason), STATUS_OK);
    }
    // What lies directly beside another region isn't kept.
    CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, first, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(space_allocate(&f.space, PAGE_BYTES, first + PAGE_BYTES, PROTECTION_READ, &address,
                            &reason),
             STATUS_OK);
    CHECK_EQ(space_unmap(&f.space, first + PAGE_BYTES, PAGE_BYTES, &reason), STATUS_OK);
    CHECK(f.space.spare == nullptr);
    CHECK_EQ(space_allocate(&f.space, PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
             STATUS_OK);
    CHECK(address != first + PAGE_BYTES);
    check_tree(&f.space);
    fixture_fini(&f);
}

// First fit by looking at each gap: what region_find_free must answer from an address on.
static bool find_free_linearly(const struct space *space, uint64_t from, uint64_t length,
                               uint64_t alignment, uint64_t *out_address)
{
    uint64_t gap_start = USER_ADDRESS_MIN;
    for (const struct region *region = region_find_from(space, 0);;
         region = region_next(region)) {
        uint64_t gap_end = region == nullptr ? USER_ADDRESS_END : region->start;
        uint64_t start = gap_start + PAGE_BYTES > from ? gap_start + PAGE_BYTES : from;
        uint64_t address = (start + alignment - 1) / alignment * alignment;
        if (address + length + PAGE_BYTES <= gap_end) {
            *out_address = address;
            return true;
        }
        if (region == nullptr)
            return false;
        gap_start = region->end;
    }
}

static void space_finds_the_first_fit_from_its_hint_on(void)
{
    struct fixture f;
    fixture_init(&f);
    // Only a window of 300 pages around the hint is free.
    uint64_t low = f.space.placement_hint - 100 * PAGE_BYTES;
    uint64_t high = f.space.placement_hint + 200 * PAGE_BYTES;
    uint64_t address = 0;
    CHECK_EQ(
        space_reserve(&f.space, low - USER_ADDRESS_MIN, USER_ADDRESS_MIN, 0, &address, &reason),
        STATUS_OK);
    CHECK_EQ(space_reserve(&f.space, USER_ADDRESS_END - high, high, 0, &address, &reason),
             STATUS_OK);
    random_state = 23;
    unsigned found = 0, refused = 0;
    for (unsigned step = 0; step < 6000 && !test_this_failed; step++) {
        uint64_t length = (1 + random_below(random_below(8) == 0 ? 60 : 6)) * PAGE_BYTES;
        if (random_below(3) == 0) {
            uint64_t at = low + random_below(300) * PAGE_BYTES;
            if (length > high - at)
                length = high - at;
            CHECK_EQ(space_unmap(&f.space, at, length, &reason), STATUS_OK);
            continue;
        }
        uint64_t expected = 0;
        bool free =
            find_free_linearly(&f.space, f.space.placement_hint, length, PAGE_BYTES,
                               &expected) ||
            find_free_linearly(&f.space, USER_ADDRESS_MIN, length, PAGE_BYTES, &expected);
        enum status status = space_reserve(&f.space, length, 0, 0, &address, &reason);
        CHECK_EQ(status, free ? STATUS_OK : STATUS_FAILED);
        if (free)
            CHECK_EQ(address, expected);
        *(free ? &found : &refused) += 1;
        check_tree(&f.space);
    }
    CHECK(found > 500 && refused > 100);
    fixture_fini(&f);
}

static void space_finds_the_only_gap_that_is_left(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t address = 0;
    CHECK_EQ(space_reserve(&f.space, USER_ADDRESS_END - USER_ADDRESS_MIN, USER_ADDRESS_MIN, 0,
                           &address, &reason),
             STATUS_OK);
    CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, 0, 0, &address, &reason), STATUS_FAILED);
    static const uint64_t gaps[] = {USER_ADDRESS_MIN, (uint64_t)1 << 33,
                                    USER_ADDRESS_END - 8 * PAGE_BYTES};
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ(space_unmap(&f.space, gaps[i], 8 * PAGE_BYTES, &reason), STATUS_OK);
        CHECK_EQ(space_reserve(&f.space, 7 * PAGE_BYTES, 0, 0, &address, &reason),
                 STATUS_FAILED);
        CHECK_EQ(space_reserve(&f.space, 6 * PAGE_BYTES, 0, 0, &address, &reason), STATUS_OK);
        CHECK_EQ(address, gaps[i] + PAGE_BYTES);
    }
    fixture_fini(&f);
}

static void space_reservations_cost_nothing_however_large(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t address = 0;
    CHECK_EQ(space_reserve(&f.space, (uint64_t)512 << 30, 0, 0, &address, &reason), STATUS_OK);
    uint64_t used = f.root->used_bytes;
    uint64_t frames = frame_free_count();
    CHECK_EQ(
        space_reserve(&f.space, (uint64_t)16 << 40, 0, (uint64_t)1 << 30, &address, &reason),
        STATUS_OK);
    CHECK_EQ(f.root->used_bytes, used);
    CHECK_EQ(frame_free_count(), frames);
    CHECK_EQ(space_commit(&f.space, address + ((uint64_t)8 << 40), 2 * PAGE_BYTES,
                          PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
    CHECK_EQ(f.space.region_count, 4);
    CHECK_EQ(space_unmap(&f.space, address, (uint64_t)16 << 40, &reason), STATUS_OK);
    CHECK_EQ(f.space.region_count, 1);
    fixture_fini(&f);
}

static void space_handles_ten_thousand_regions(void)
{
    struct fixture f;
    fixture_init(&f);
    constexpr unsigned count = 10000;
    static uint64_t addresses[count];
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, 0, 0, &addresses[i], &reason), STATUS_OK);
    CHECK_EQ(f.space.region_count, count);
    check_tree(&f.space);
    // Each second one goes, and the holes are found again.
    for (unsigned i = 0; i < count; i += 2)
        CHECK_EQ(space_unmap(&f.space, addresses[i], PAGE_BYTES, &reason), STATUS_OK);
    for (unsigned i = 0; i < count; i += 2) {
        uint64_t address = 0;
        CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, 0, 0, &address, &reason), STATUS_OK);
        CHECK(address < addresses[count - 1]);
    }
    check_tree(&f.space);
    fixture_fini(&f);
}

static void space_protect_undoes_the_first_split_when_the_second_fails(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    constexpr uint64_t base = (uint64_t)1 << 32;
    // Four tables, one page of regions, three pages of memory.
    struct budget *budget = budget_split(root, 8 * PAGE_BYTES);
    struct space space;
    uint64_t address = 0;
    CHECK_EQ(space_init(&space, budget, 1), STATUS_OK);
    CHECK_EQ(space_reserve(&space, 3 * PAGE_BYTES, base, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(space_commit(&space, base, 3 * PAGE_BYTES, PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
    CHECK_EQ(budget->used_bytes, budget->limit_bytes);
    // Fill the page of regions up to the last one.
    uint64_t count = 1;
    for (; space_reserve(&space, PAGE_BYTES, 0, 0, &address, &reason) == STATUS_OK; count++) {
    }
    CHECK_EQ(space_unmap(&space, address, PAGE_BYTES, &reason), STATUS_OK);
    CHECK_EQ(space.region_count, count - 1);
    CHECK_EQ(space_protect(&space, base + PAGE_BYTES, PAGE_BYTES, PROTECTION_READ, &reason),
             STATUS_OVERLOADED);
    CHECK_EQ(space.region_count, count - 1);
    check_tree(&space);
    CHECK_EQ(space_protect(&space, base, PAGE_BYTES, PROTECTION_READ, &reason), STATUS_OK);
    CHECK_EQ(space.region_count, count);
    space_fini(&space);
    object_put(&budget->object);
    mm_check_counts(root, before);
}

static void space_reports_the_kind_of_fault(void)
{
    struct fixture f;
    fixture_init(&f);
    constexpr uint64_t base = (uint64_t)1 << 32;
    uint64_t address = 0;
    unsigned kind = 0;
    CHECK_EQ(space_reserve(&f.space, 8 * PAGE_BYTES, base, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(space_commit(&f.space, base + 4 * PAGE_BYTES, 4 * PAGE_BYTES,
                          PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
#define FAULT_IS(at, write, execute, expected)                                     \
    do {                                                                           \
        CHECK_EQ(space_fault(&f.space, at, write, execute, &kind), STATUS_FAILED); \
        CHECK_EQ(kind, expected);                                                  \
    } while (0)
    FAULT_IS(base + 4 * PAGE_BYTES - 8, true, false, FAULT_KIND_GUARD_PAGE);
    FAULT_IS(base + 3 * PAGE_BYTES, false, false, FAULT_KIND_GUARD_PAGE);
    FAULT_IS(base + 3 * PAGE_BYTES - 1, true, false, FAULT_KIND_UNMAPPED);
    FAULT_IS(base + 4 * PAGE_BYTES, false, true, FAULT_KIND_PROTECTION);
    FAULT_IS(0, false, false, FAULT_KIND_UNMAPPED);
    FAULT_IS(base + 8 * PAGE_BYTES, false, false, FAULT_KIND_UNMAPPED);
    FAULT_IS(USER_ADDRESS_END - 1, true, false, FAULT_KIND_UNMAPPED);
    FAULT_IS(USER_ADDRESS_END, true, false, FAULT_KIND_UNMAPPED);
    FAULT_IS(UINT64_MAX, true, false, FAULT_KIND_UNMAPPED);
    FAULT_IS(0xffff800000000000, false, false, FAULT_KIND_UNMAPPED);
    CHECK_EQ(
        space_protect(&f.space, base + 4 * PAGE_BYTES, PAGE_BYTES, PROTECTION_NONE, &reason),
        STATUS_OK);
    FAULT_IS(base + 4 * PAGE_BYTES + 1, true, false, FAULT_KIND_GUARD_PAGE);
    CHECK_EQ(
        space_protect(&f.space, base + 5 * PAGE_BYTES, PAGE_BYTES, PROTECTION_READ, &reason),
        STATUS_OK);
    FAULT_IS(base + 5 * PAGE_BYTES, true, false, FAULT_KIND_PROTECTION);
    FAULT_IS(base + 4 * PAGE_BYTES + 1, true, false, FAULT_KIND_PROTECTION);
#undef FAULT_IS
    CHECK_EQ(space_fault(&f.space, base + 7 * PAGE_BYTES + 3, true, false, &kind), STATUS_OK);
    CHECK_EQ(space_fault(&f.space, base + 7 * PAGE_BYTES + 3, true, false, &kind), STATUS_OK);
    CHECK_EQ(f.space.resident_bytes, PAGE_BYTES);
    fixture_fini(&f);
}

static void space_kernel_frames_stay_until_the_end(void)
{
    struct fixture f;
    fixture_init(&f);
    paddr_t ring = frame_get_zeroed(2);
    uint64_t address = 0;
    CHECK_EQ(space_map_kernel_frames(&f.space, ring, 4 * PAGE_BYTES, PAGE_READ_WRITE, &address),
             STATUS_OK);
    CHECK_EQ(f.space.resident_bytes, 4 * PAGE_BYTES);
    uint64_t word = 0x1122334455667788;
    CHECK_EQ(space_copy_out(&f.space, address + PAGE_BYTES - 4, &word, 8), STATUS_OK);
    CHECK(memcmp((uint8_t *)arch_frame_pointer(ring) + PAGE_BYTES - 4, &word, 8) == 0);

    constexpr uint64_t sizes[] = {PAGE_BYTES, 6 * PAGE_BYTES};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t at = address - (sizes[i] > PAGE_BYTES ? PAGE_BYTES : 0);
        CHECK_EQ(space_unmap(&f.space, at, sizes[i], &reason), STATUS_FAILED);
        CHECK_EQ(space_protect(&f.space, at, sizes[i], PROTECTION_READ, &reason),
                 STATUS_FAILED);
        CHECK_EQ(space_decommit(&f.space, at, sizes[i], &reason), STATUS_FAILED);
        CHECK_EQ(space_commit(&f.space, at, sizes[i], PROTECTION_READ, &reason), STATUS_FAILED);
        CHECK_EQ(space_reserve(&f.space, sizes[i], at, 0, &address, &reason), STATUS_FAILED);
    }
    uint64_t read_only = 0;
    paddr_t capset = frame_get_zeroed(0);
    CHECK_EQ(space_map_kernel_frames(&f.space, capset, PAGE_BYTES, PAGE_READ, &read_only),
             STATUS_OK);
    CHECK_EQ(space_copy_out(&f.space, read_only, &word, 8), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_copy_in(&f.space, &word, read_only, 8), STATUS_OK);
    CHECK_EQ(word, 0);

    space_fini(&f.space);
    CHECK_EQ(frame_free_count(), f.before.free_frames - 5);
    for (unsigned i = 0; i < 4; i++)
        frame_put(ring + i * PAGE_BYTES);
    frame_put(capset);
    mm_check_counts(f.root, f.before);
}

static void space_puts_kernel_frames_where_it_is_told(void)
{
    struct fixture f;
    fixture_init(&f);
    constexpr uint64_t stack = (uint64_t)7 << 40;
    uint64_t address = 0, hint = f.space.placement_hint;
    for (uint64_t bad = 0; bad < USER_ADDRESS_END; bad += USER_ADDRESS_END - PAGE_BYTES)
        space_place_kernel_frames(&f.space, bad);
    space_place_kernel_frames(&f.space, UINT64_MAX);
    CHECK_EQ(f.space.kernel_hint, hint);

    CHECK_EQ(space_allocate(&f.space, 8 * PAGE_BYTES, stack, PROTECTION_READ_WRITE, &address,
                            &reason),
             STATUS_OK);
    uint64_t table_bytes = f.space.table_bytes;
    space_place_kernel_frames(&f.space, stack + 4 * PAGE_BYTES);
    paddr_t frames[2] = {frame_get_zeroed(0), frame_get_zeroed(0)};
    uint64_t addresses[2];
    for (unsigned i = 0; i < 2; i++) {
        CHECK_EQ(
            space_map_kernel_frames(&f.space, frames[i], PAGE_BYTES, PAGE_READ, &addresses[i]),
            STATUS_OK);
        CHECK(addresses[i] > stack + 8 * PAGE_BYTES && addresses[i] < stack + 80 * PAGE_BYTES);
    }
    CHECK(addresses[1] > addresses[0] + PAGE_BYTES);
    CHECK_EQ(f.space.table_bytes, table_bytes);
    CHECK_EQ(space_allocate(&f.space, PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
             STATUS_OK);
    CHECK(address >= hint && address - hint < 100 * PAGE_BYTES);
    space_fini(&f.space);
    for (unsigned i = 0; i < 2; i++)
        frame_put(frames[i]);
    mm_check_counts(f.root, f.before);
}

// Only what is committed to be written to, and charged, is brought in before it is touched.
static void space_expects_writes_only_where_they_cannot_fail(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t base = 0;
    CHECK_EQ(space_reserve(&f.space, 64 * PAGE_BYTES, 0, 0, &base, &reason), STATUS_OK);
    CHECK_EQ(space_commit(&f.space, base, 2 * PAGE_BYTES, PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
    CHECK_EQ(
        space_commit(&f.space, base + 2 * PAGE_BYTES, PAGE_BYTES, PROTECTION_READ, &reason),
        STATUS_OK);
    CHECK_EQ(space_commit_lazily(&f.space, base + 3 * PAGE_BYTES, PAGE_BYTES,
                                 PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
    for (uint64_t page = 2; page < 5; page++)
        space_expect_write(&f.space, base + page * PAGE_BYTES);
    space_expect_write(&f.space, 0);
    space_expect_write(&f.space, UINT64_MAX);
    CHECK_EQ(f.space.resident_bytes, 0);
    for (unsigned i = 0; i < 2; i++) {
        space_expect_write(&f.space, base + 2 * PAGE_BYTES - 1);
        CHECK_EQ(f.space.resident_bytes, PAGE_BYTES);
    }
    fixture_fini(&f);
}

static void space_copies_between_two_spaces_at_any_alignment(void)
{
    struct fixture f;
    fixture_init(&f);
    struct space other;
    CHECK_EQ(space_init(&other, f.root, 99), STATUS_OK);
    uint64_t from = 0, to = 0;
    constexpr uint64_t length = 4 * PAGE_BYTES;
    CHECK_EQ(space_reserve(&f.space, length, 0, 0, &from, &reason), STATUS_OK);
    CHECK_EQ(space_commit(&f.space, from, length, PROTECTION_READ_WRITE, &reason), STATUS_OK);
    CHECK_EQ(space_reserve(&other, length, 0, 0, &to, &reason), STATUS_OK);
    CHECK_EQ(space_commit(&other, to, length, PROTECTION_READ_WRITE, &reason), STATUS_OK);
    static uint8_t bytes[length], expected[length], actual[length];
    random_state = 17;
    for (unsigned i = 0; i < length; i++)
        bytes[i] = (uint8_t)random_next();
    CHECK_EQ(space_copy_out(&f.space, from, bytes, length), STATUS_OK);
    memset(expected, 0, length);
    for (unsigned i = 0; i < 400; i++) {
        uint64_t size = random_below(2) == 0 ? random_below(64) : random_below(length);
        uint64_t source = random_below(length - size + 1),
                 target = random_below(length - size + 1);
        CHECK_EQ(space_copy_across(&other, to + target, &f.space, from + source, size),
                 STATUS_OK);
        memcpy(expected + target, bytes + source, size);
        CHECK_EQ(space_copy_in(&other, actual, to, length), STATUS_OK);
        CHECK(memcmp(actual, expected, length) == 0);
    }
    // Within one page, overlapping.
    CHECK_EQ(space_copy_across(&f.space, from + 1, &f.space, from, 100), STATUS_OK);
    CHECK_EQ(space_copy_in(&f.space, actual, from + 1, 100), STATUS_OK);
    CHECK(memcmp(actual, bytes, 100) == 0);
    // Off either end, and what is no user memory at all.
    CHECK_EQ(space_copy_across(&other, to, &f.space, from + 8, length), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_copy_across(&other, to + 8, &f.space, from, length), STATUS_BAD_ADDRESS);
    static const uint64_t bad[] = {0,          USER_ADDRESS_END - 4, USER_ADDRESS_END,
                                   1ull << 63, UINT64_MAX - 3,       0xffffffff80000000};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(space_copy_in(&f.space, actual, bad[i], 8), STATUS_BAD_ADDRESS);
        CHECK_EQ(space_copy_out(&f.space, bad[i], actual, 8), STATUS_BAD_ADDRESS);
        CHECK_EQ(space_copy_across(&f.space, bad[i], &f.space, from, 8), STATUS_BAD_ADDRESS);
        CHECK_EQ(space_copy_across(&f.space, from, &f.space, bad[i], 8), STATUS_BAD_ADDRESS);
    }
    CHECK_EQ(space_copy_in(&f.space, actual, from, UINT64_MAX), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_copy_in(&f.space, actual, 0, 0), STATUS_OK);
    space_fini(&other);
    fixture_fini(&f);
}

static void space_mappings_share_the_object_and_keep_it(void)
{
    struct fixture f;
    fixture_init(&f);
    struct space other;
    CHECK_EQ(space_init(&other, f.root, 7), STATUS_OK);
    struct memory_object *object = memory_object_create(f.root, 40 * PAGE_BYTES);
    uint64_t here = 0, there = 0;
    CHECK_EQ(space_map(&f.space, object, 0, 40 * PAGE_BYTES, 0, PROTECTION_READ_WRITE, &here,
                       &reason),
             STATUS_OK);
    CHECK_EQ(space_map(&other, object, 10 * PAGE_BYTES, 10 * PAGE_BYTES, 0,
                       PROTECTION_READ_EXECUTE, &there, &reason),
             STATUS_OK);
    object_put(memory_object_as_object(object));
    uint32_t word = 0xfeedface, read = 0;
    CHECK_EQ(space_copy_out(&f.space, here + 15 * PAGE_BYTES, &word, 4), STATUS_OK);
    CHECK_EQ(space_copy_in(&other, &read, there + 5 * PAGE_BYTES, 4), STATUS_OK);
    CHECK_EQ(read, word);
    CHECK_EQ(space_copy_out(&other, there, &word, 4), STATUS_BAD_ADDRESS);
    // A hole in the middle: both ends keep the object.
    CHECK_EQ(space_unmap(&f.space, here + PAGE_BYTES, 38 * PAGE_BYTES, &reason), STATUS_OK);
    CHECK_EQ(space_copy_in(&f.space, &read, here + 39 * PAGE_BYTES, 4), STATUS_OK);
    CHECK_EQ(read, 0);
    CHECK_EQ(space_copy_in(&f.space, &read, here + 15 * PAGE_BYTES, 4), STATUS_BAD_ADDRESS);
    space_fini(&other);
    fixture_fini(&f);
}

static void space_map_maps_present_pages_at_once(void)
{
    struct fixture f;
    fixture_init(&f);
    struct memory_object *object = memory_object_create(f.root, 100 * PAGE_BYTES);
    for (unsigned i = 0; i < 100; i++)
        if (i != 3)
            (void)memory_object_frame(object, i * PAGE_BYTES);
    uint64_t address = 0;
    CHECK_EQ(space_map(&f.space, object, 0, 32 * PAGE_BYTES, 0, PROTECTION_READ_EXECUTE,
                       &address, &reason),
             STATUS_OK);
    CHECK_EQ(f.space.resident_bytes, 31 * PAGE_BYTES);
    // A longer range waits for faults, each of which brings in what is next to it.
    CHECK_EQ(
        space_map(&f.space, object, 0, 100 * PAGE_BYTES, 0, PROTECTION_READ, &address, &reason),
        STATUS_OK);
    CHECK_EQ(f.space.resident_bytes, 31 * PAGE_BYTES);
    unsigned kind = 0;
    CHECK_EQ(space_fault(&f.space, address + 50 * PAGE_BYTES, false, false, &kind), STATUS_OK);
    CHECK_EQ(f.space.resident_bytes, (31 + 16) * PAGE_BYTES);
    CHECK_EQ(space_fault(&f.space, address + 95 * PAGE_BYTES, false, false, &kind), STATUS_OK);
    CHECK_EQ(f.space.resident_bytes, (31 + 16 + 5) * PAGE_BYTES);
    object_put(memory_object_as_object(object));
    fixture_fini(&f);
}

static void space_never_copies_device_registers(void)
{
    struct fixture f;
    fixture_init(&f);
    struct memory_object *device = memory_object_create_physical(
        f.root, 0xfee00000, 2 * PAGE_BYTES, true, false, PAGE_UNCACHED);
    uint64_t address = 0;
    CHECK_EQ(space_map(&f.space, device, 0, 2 * PAGE_BYTES, 0, PROTECTION_READ_WRITE, &address,
                       &reason),
             STATUS_OK);
    object_put(memory_object_as_object(device));
    uint64_t word = 0, memory = 0;
    CHECK_EQ(space_copy_in(&f.space, &word, address, 8), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_copy_out(&f.space, address + PAGE_BYTES, &word, 8), STATUS_BAD_ADDRESS);
    // Its memory can be copied all the same.
    CHECK_EQ(space_reserve(&f.space, PAGE_BYTES, 0, 0, &memory, &reason), STATUS_OK);
    CHECK_EQ(space_commit(&f.space, memory, PAGE_BYTES, PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
    CHECK_EQ(space_copy_out(&f.space, memory, &word, 8), STATUS_OK);
    CHECK_EQ(space_copy_across(&f.space, memory, &f.space, address, 8), STATUS_BAD_ADDRESS);
    CHECK_EQ(f.space.uncached_count, 1);
    CHECK_EQ(space_unmap(&f.space, address, PAGE_BYTES, &reason), STATUS_OK);
    CHECK_EQ(f.space.uncached_count, 1);
    CHECK_EQ(space_unmap(&f.space, address, 2 * PAGE_BYTES, &reason), STATUS_OK);
    CHECK_EQ(f.space.uncached_count, 0);
    fixture_fini(&f);
}

static void space_flushes_before_frames_are_free_again(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t address = 0;
    constexpr uint64_t pages = 100;
    static uint8_t bytes[pages * PAGE_BYTES];
    CHECK_EQ(space_reserve(&f.space, pages * PAGE_BYTES, 0, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(
        space_commit(&f.space, address, pages * PAGE_BYTES, PROTECTION_READ_WRITE, &reason),
        STATUS_OK);
    CHECK_EQ(space_copy_out(&f.space, address, bytes, sizeof bytes), STATUS_OK);
    uint64_t flushed = host_flush_pages;
    CHECK_EQ(space_protect(&f.space, address, pages * PAGE_BYTES, PROTECTION_READ, &reason),
             STATUS_OK);
    CHECK(host_flush_pages - flushed >= pages);
    flushed = host_flush_pages;
    CHECK_EQ(space_decommit(&f.space, address, pages * PAGE_BYTES, &reason), STATUS_OK);
    CHECK(host_flush_pages - flushed >= pages);
    CHECK_EQ(f.space.resident_bytes, 0);
    fixture_fini(&f);
}

int main(void)
{
    RUN(space_behaves_as_the_model_under_random_operations);
    RUN(space_operations_fail_whole_at_every_budget);
    RUN(space_arguments_at_the_edges_are_checked);
    RUN(space_map_checks_offset_length_and_rights);
    RUN(space_chosen_ranges_are_aligned_and_have_free_pages_around_them);
    RUN(space_keeps_the_place_of_what_was_unmapped_last);
    RUN(space_keeps_no_place_that_something_was_put_next_to);
    RUN(space_gives_the_kept_place_to_whoever_names_it);
    RUN(space_finds_the_first_fit_from_its_hint_on);
    RUN(space_finds_the_only_gap_that_is_left);
    RUN(space_reservations_cost_nothing_however_large);
    RUN(space_handles_ten_thousand_regions);
    RUN(space_protect_undoes_the_first_split_when_the_second_fails);
    RUN(space_reports_the_kind_of_fault);
    RUN(space_kernel_frames_stay_until_the_end);
    RUN(space_puts_kernel_frames_where_it_is_told);
    RUN(space_expects_writes_only_where_they_cannot_fail);
    RUN(space_copies_between_two_spaces_at_any_alignment);
    RUN(space_mappings_share_the_object_and_keep_it);
    RUN(space_map_maps_present_pages_at_once);
    RUN(space_never_copies_device_registers);
    RUN(space_flushes_before_frames_are_free_again);
    return test_report();
}
