// SPDX-License-Identifier: MIT
// Tests of what is shared until it is written to: copies of spaces, snapshots of objects, large
// pages, and pages that are charged when they are touched.
//
// The model is what each page of each space and object holds.  Random writes, protections,
// copies and ends are done on both; everybody must see what the model says, and in the end
// every frame and every charge is back.
#include <kernel/mm/space.h>

#include <gen/kernel/process.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/mm_test.h>
#include <kernel/mm/region.h>

constexpr uint64_t RAM_BYTES = (uint64_t)96 << 20;
constexpr uint64_t BASE = (uint64_t)1 << 40; // aligned to large pages

static const char *reason;

static void write_byte(struct space *space, uint64_t address, uint8_t byte)
{
    CHECK_EQ(space_copy_out(space, address, &byte, 1), STATUS_OK);
}

static uint8_t read_byte(struct space *space, uint64_t address)
{
    uint8_t byte = 0xee;
    CHECK_EQ(space_copy_in(space, &byte, address, 1), STATUS_OK);
    return byte;
}

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

static void commit(struct space *space, uint64_t address, uint64_t length_bytes)
{
    CHECK_EQ(
        space_allocate(space, length_bytes, address, PROTECTION_READ_WRITE, &address, &reason),
        STATUS_OK);
}

static void commit_lazily(struct space *space, uint64_t address, uint64_t length_bytes)
{
    CHECK_EQ(space_reserve(space, length_bytes, address, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(space_commit_lazily(space, address, length_bytes, PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
}

static struct arch_mapping mapping_at(const struct space *space, uint64_t address)
{
    struct arch_mapping mapping = {};
    (void)arch_space_next(&space->arch, address, address + PAGE_BYTES, &mapping);
    return mapping;
}

// ---- The model ------------------------------------------------------------------------

// Each space: anonymous memory with room for a large page, lazy memory, and a shared object.
constexpr unsigned ANONYMOUS_PAGES = 600, LAZY_PAGES = 30, OBJECT_PAGES = 560;
constexpr uint64_t LAZY = BASE + (ANONYMOUS_PAGES + 8) * PAGE_BYTES;
constexpr uint64_t SHARED = BASE + 3 * LARGE_PAGE_BYTES;
constexpr unsigned SPACES = 4, OBJECTS = 4;

struct model_space {
    bool used;
    struct space space;
    uint8_t anonymous[ANONYMOUS_PAGES], lazy[LAZY_PAGES];
    bool writable[ANONYMOUS_PAGES];
};

// An object has a space of its own in which it is mapped whole.
struct model_object {
    struct memory_object *object; // nullptr: none
    struct space space;
    uint8_t bytes[OBJECT_PAGES];
};

static struct model_space spaces[SPACES];
static struct model_object objects[OBJECTS]; // the first is the one that all spaces map
static struct budget *budget;

static void object_map(struct model_object *object)
{
    uint64_t address = BASE;
    CHECK_EQ(space_init(&object->space, budget, 1), STATUS_OK);
    CHECK_EQ(space_map(&object->space, object->object, 0, OBJECT_PAGES * PAGE_BYTES, BASE,
                       PROTECTION_READ_WRITE, &address, &reason),
             STATUS_OK);
}

static void object_drop(struct model_object *object)
{
    space_fini(&object->space);
    object_put(memory_object_as_object(object->object));
    object->object = nullptr;
}

static void model_begin(void)
{
    memset(spaces, 0, sizeof spaces);
    memset(objects, 0, sizeof objects);
    objects[0].object = memory_object_create(budget, OBJECT_PAGES * PAGE_BYTES);
    object_map(&objects[0]);
    uint64_t address;
    spaces[0].used = true;
    memset(spaces[0].writable, true, sizeof spaces[0].writable);
    CHECK_EQ(space_init(&spaces[0].space, budget, 1), STATUS_OK);
    commit(&spaces[0].space, BASE, ANONYMOUS_PAGES * PAGE_BYTES);
    commit_lazily(&spaces[0].space, LAZY, LAZY_PAGES * PAGE_BYTES);
    CHECK_EQ(space_map(&spaces[0].space, objects[0].object, 0, OBJECT_PAGES * PAGE_BYTES,
                       SHARED, PROTECTION_READ_WRITE, &address, &reason),
             STATUS_OK);
}

static void model_end(void)
{
    for (unsigned i = 0; i < SPACES; i++)
        if (spaces[i].used)
            space_fini(&spaces[i].space);
    for (unsigned i = 0; i < OBJECTS; i++)
        if (objects[i].object != nullptr)
            object_drop(&objects[i]);
}

static struct model_space *some_space(void)
{
    struct model_space *space;
    do
        space = &spaces[random_below(SPACES)];
    while (!space->used);
    return space;
}

static void do_write(void)
{
    struct model_space *space = some_space();
    uint8_t byte = (uint8_t)random_next();
    unsigned page;
    switch (random_below(4)) {
    case 0:
        page = (unsigned)random_below(LAZY_PAGES);
        write_byte(&space->space, LAZY + page * PAGE_BYTES + 7, byte);
        space->lazy[page] = byte;
        break;
    case 1:
        page = (unsigned)random_below(OBJECT_PAGES);
        write_byte(&space->space, SHARED + page * PAGE_BYTES + 7, byte);
        objects[0].bytes[page] = byte;
        break;
    default:
        page = (unsigned)random_below(ANONYMOUS_PAGES);
        CHECK_EQ(space_copy_out(&space->space, BASE + page * PAGE_BYTES + 7, &byte, 1),
                 space->writable[page] ? STATUS_OK : STATUS_BAD_ADDRESS);
        if (space->writable[page])
            space->anonymous[page] = byte;
    }
}

static void do_write_object(void)
{
    struct model_object *object = &objects[random_below(OBJECTS)];
    if (object->object == nullptr)
        return;
    unsigned page = (unsigned)random_below(OBJECT_PAGES);
    uint8_t byte = (uint8_t)random_next();
    write_byte(&object->space, BASE + page * PAGE_BYTES + 7, byte);
    object->bytes[page] = byte;
}

static void do_protect(void)
{
    struct model_space *space = some_space();
    unsigned first = (unsigned)random_below(ANONYMOUS_PAGES);
    unsigned count = 1 + (unsigned)random_below(ANONYMOUS_PAGES - first);
    bool writable = random_below(3) > 0;
    CHECK_EQ(space_protect(&space->space, BASE + first * PAGE_BYTES, count * PAGE_BYTES,
                           writable ? PROTECTION_READ_WRITE : PROTECTION_READ, &reason),
             STATUS_OK);
    memset(&space->writable[first], writable, count);
}

// A copy, straight or by way of a snapshot.
static void do_clone(void)
{
    struct model_space *from = some_space();
    struct model_space *to = &spaces[random_below(SPACES)];
    if (to->used)
        return;
    struct space snapshot;
    bool by_snapshot = random_below(2) == 0;
    CHECK_EQ(space_init(&to->space, budget, 2), STATUS_OK);
    if (by_snapshot) {
        CHECK_EQ(space_init(&snapshot, budget, 3), STATUS_OK);
        snapshot.is_snapshot = true;
        CHECK_EQ(space_clone(&snapshot, &from->space), STATUS_OK);
        CHECK_EQ(snapshot.committed_bytes <= from->space.committed_bytes, true);
    }
    CHECK_EQ(space_clone(&to->space, by_snapshot ? &snapshot : &from->space), STATUS_OK);
    if (by_snapshot)
        space_fini(&snapshot);
    CHECK_EQ(to->space.committed_bytes, from->space.committed_bytes);
    memcpy(to->anonymous, from->anonymous, sizeof to->anonymous);
    memcpy(to->lazy, from->lazy, sizeof to->lazy);
    memcpy(to->writable, from->writable, sizeof to->writable);
    to->used = true;
}

static void do_end(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < SPACES; i++)
        count += spaces[i].used;
    if (count == 1)
        return;
    struct model_space *space = some_space();
    space_fini(&space->space);
    space->used = false;
}

static void do_snapshot_object(void)
{
    struct model_object *from = &objects[random_below(OBJECTS)];
    struct model_object *to = &objects[1 + random_below(OBJECTS - 1)];
    if (from->object == nullptr || from == to)
        return;
    if (to->object != nullptr) {
        object_drop(to);
        return;
    }
    enum status status;
    to->object = memory_object_create_snapshot(budget, from->object, &status, &reason);
    CHECK(to->object != nullptr);
    memcpy(to->bytes, from->bytes, sizeof to->bytes);
    object_map(to);
}

static void check_all(void)
{
    for (unsigned i = 0; i < SPACES; i++) {
        struct model_space *space = &spaces[i];
        for (unsigned page = 0; space->used && page < ANONYMOUS_PAGES; page++)
            CHECK_EQ(read_byte(&space->space, BASE + page * PAGE_BYTES + 7),
                     space->anonymous[page]);
        for (unsigned page = 0; space->used && page < LAZY_PAGES; page++)
            CHECK_EQ(read_byte(&space->space, LAZY + page * PAGE_BYTES + 7), space->lazy[page]);
        for (unsigned page = 0; space->used && page < OBJECT_PAGES; page += 3)
            CHECK_EQ(read_byte(&space->space, SHARED + page * PAGE_BYTES + 7),
                     objects[0].bytes[page]);
    }
    for (unsigned i = 0; i < OBJECTS; i++)
        for (unsigned page = 0; objects[i].object != nullptr && page < OBJECT_PAGES; page++)
            CHECK_EQ(read_byte(&objects[i].space, BASE + page * PAGE_BYTES + 7),
                     objects[i].bytes[page]);
}

static void copies_hold_what_the_model_says_under_random_operations(void)
{
    static void (*const operations[])(void) = {
        do_write,        do_write,   do_write, do_write, do_write,           do_write_object,
        do_write_object, do_protect, do_clone, do_end,   do_snapshot_object,
    };
    budget = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(budget);
    for (uint64_t seed = 1; seed <= 6 && !test_this_failed; seed++) {
        random_state = seed;
        model_begin();
        for (unsigned step = 0; step < 1500 && !test_this_failed; step++) {
            operations[random_below(sizeof operations / sizeof operations[0])]();
            if (random_below(300) == 0)
                check_all();
        }
        check_all();
        model_end();
        mm_check_counts(budget, before);
    }
}

// ---- Copies of spaces -------------------------------------------------------------------

static void a_copy_takes_frames_only_for_what_is_written(void)
{
    struct fixture f;
    fixture_init(&f);
    struct space copy;
    commit(&f.space, BASE, 100 * PAGE_BYTES);
    for (unsigned i = 0; i < 100; i++)
        write_byte(&f.space, BASE + i * PAGE_BYTES, (uint8_t)i);
    CHECK_EQ(space_init(&copy, f.root, 2), STATUS_OK);
    CHECK_EQ(space_clone(&copy, &f.space), STATUS_OK);
    uint64_t frames = frame_free_count();
    for (unsigned i = 0; i < 100; i++)
        CHECK_EQ(read_byte(&copy, BASE + i * PAGE_BYTES), i);
    CHECK_EQ(frame_free_count(), frames);
    for (unsigned i = 0; i < 10; i++)
        write_byte(&copy, BASE + i * PAGE_BYTES, 0xaa);
    for (unsigned i = 0; i < 10; i++) // the other side's page is its own by now
        write_byte(&f.space, BASE + i * PAGE_BYTES, 0xbb);
    CHECK_EQ(frame_free_count(), frames - 10);
    CHECK_EQ(read_byte(&copy, BASE), 0xaa);
    space_fini(&copy);
    fixture_fini(&f);
}

static void a_copy_has_its_own_of_what_the_process_was_built_with(void)
{
    struct fixture f;
    fixture_init(&f);
    struct space copy, second;
    uint64_t address = 0;
    struct memory_object *data = memory_object_create(f.root, 5 * PAGE_BYTES);
    CHECK_EQ(space_map_image(&f.space, data, PAGE_BYTES, 4 * PAGE_BYTES, BASE,
                             PROTECTION_READ_WRITE, &address, &reason),
             STATUS_OK);
    object_put(memory_object_as_object(data));
    for (unsigned i = 0; i < 3; i++)
        write_byte(&f.space, BASE + i * PAGE_BYTES, (uint8_t)(i + 1));
    CHECK_EQ(space_protect(&f.space, BASE, PAGE_BYTES, PROTECTION_READ, &reason), STATUS_OK);
    CHECK_EQ(space_init(&copy, f.root, 2), STATUS_OK);
    CHECK_EQ(space_clone(&copy, &f.space), STATUS_OK);
    CHECK_EQ(copy.committed_bytes, 4 * PAGE_BYTES);
    write_byte(&f.space, BASE + PAGE_BYTES, 20);
    write_byte(&copy, BASE + 2 * PAGE_BYTES, 30);
    write_byte(&copy, BASE + 3 * PAGE_BYTES, 40); // never touched before
    CHECK_EQ(read_byte(&copy, BASE + PAGE_BYTES), 2);
    CHECK_EQ(read_byte(&f.space, BASE + 2 * PAGE_BYTES), 3);
    CHECK_EQ(read_byte(&f.space, BASE + 3 * PAGE_BYTES), 0);
    CHECK_EQ(space_protect(&copy, BASE, PAGE_BYTES, PROTECTION_READ_WRITE, &reason), STATUS_OK);
    write_byte(&copy, BASE, 10);
    CHECK_EQ(read_byte(&f.space, BASE), 1);
    CHECK_EQ(space_init(&second, f.root, 3), STATUS_OK);
    CHECK_EQ(space_clone(&second, &copy), STATUS_OK);
    CHECK_EQ(read_byte(&second, BASE), 10);
    space_fini(&copy);
    space_fini(&second);
    fixture_fini(&f);
}

static void a_copy_has_neither_devices_nor_the_kernels_pages(void)
{
    struct fixture f;
    fixture_init(&f);
    struct space copy;
    paddr_t ring = frame_get_zeroed(0);
    uint64_t ring_address = 0, device_address = 0, shared_address = 0;
    struct memory_object *device = memory_object_create_physical(f.root, 0xfee00000, PAGE_BYTES,
                                                                 true, false, PAGE_UNCACHED);
    struct memory_object *shared = memory_object_create(f.root, PAGE_BYTES);
    CHECK_EQ(
        space_map_kernel_frames(&f.space, ring, PAGE_BYTES, PAGE_READ_WRITE, &ring_address),
        STATUS_OK);
    CHECK_EQ(space_map(&f.space, device, 0, PAGE_BYTES, 0, PROTECTION_READ_WRITE,
                       &device_address, &reason),
             STATUS_OK);
    CHECK_EQ(space_map(&f.space, shared, 0, PAGE_BYTES, 0, PROTECTION_READ_WRITE,
                       &shared_address, &reason),
             STATUS_OK);
    object_put(memory_object_as_object(device));
    object_put(memory_object_as_object(shared));
    CHECK_EQ(space_init(&copy, f.root, 2), STATUS_OK);
    CHECK_EQ(space_clone(&copy, &f.space), STATUS_OK);
    CHECK_EQ(copy.region_count, 1);
    CHECK_EQ(copy.uncached_count, 0);
    CHECK(region_find(&copy, ring_address) == nullptr);
    CHECK(region_find(&copy, device_address) == nullptr);
    write_byte(&copy, shared_address, 42); // shared for good
    CHECK_EQ(read_byte(&f.space, shared_address), 42);
    space_fini(&copy);
    space_fini(&f.space);
    frame_put(ring);
    mm_check_counts(f.root, f.before);
}

static void a_copy_without_memory_is_a_whole_failure(void)
{
    struct fixture f;
    fixture_init(&f);
    commit(&f.space, BASE, 6 * PAGE_BYTES);
    commit(&f.space, BASE + LARGE_PAGE_BYTES, LARGE_PAGE_BYTES);
    commit_lazily(&f.space, BASE + 3 * LARGE_PAGE_BYTES, 9 * PAGE_BYTES);
    struct memory_object *object = memory_object_create(f.root, 3 * PAGE_BYTES);
    uint64_t address = 0;
    CHECK_EQ(space_map(&f.space, object, 0, 3 * PAGE_BYTES, BASE + 4 * LARGE_PAGE_BYTES,
                       PROTECTION_READ_WRITE, &address, &reason),
             STATUS_OK);
    object_put(memory_object_as_object(object));
    write_byte(&f.space, BASE, 1);
    write_byte(&f.space, BASE + LARGE_PAGE_BYTES, 2);
    write_byte(&f.space, BASE + 3 * LARGE_PAGE_BYTES, 3);
    for (unsigned is_snapshot = 0; is_snapshot < 2; is_snapshot++) {
        enum status status = STATUS_OVERLOADED;
        uint64_t pages = 1;
        for (; status != STATUS_OK && pages < 600; pages++) {
            struct budget *small = budget_split(f.root, pages * PAGE_BYTES);
            struct space copy;
            status = space_init(&copy, small, 2);
            if (status == STATUS_OK) {
                copy.is_snapshot = is_snapshot != 0;
                status = space_clone(&copy, &f.space);
                space_fini(&copy);
            }
            CHECK(status == STATUS_OK || status == STATUS_OVERLOADED);
            CHECK_EQ(small->used_bytes, 0);
            object_put(&small->object);
        }
        CHECK_EQ(status, STATUS_OK);
        CHECK(pages > 512);
    }
    write_byte(&f.space, BASE, 4); // the original goes on as before
    write_byte(&f.space, BASE + LARGE_PAGE_BYTES, 5);
    write_byte(&f.space, BASE + 3 * LARGE_PAGE_BYTES, 6);
    fixture_fini(&f);
}

static void writes_to_a_copy_flush_the_old_frame(void)
{
    struct fixture f;
    fixture_init(&f);
    struct space copy;
    commit(&f.space, BASE, 3 * PAGE_BYTES);
    write_byte(&f.space, BASE, 1);
    CHECK_EQ(space_init(&copy, f.root, 2), STATUS_OK);
    uint64_t flushes = host_flush_count;
    CHECK_EQ(space_clone(&copy, &f.space), STATUS_OK);
    CHECK(host_flush_count > flushes); // the original can't write any more
    CHECK_EQ(mapping_at(&f.space, BASE).access, PAGE_READ);
    CHECK_EQ(mapping_at(&copy, BASE).access, PAGE_READ);
    flushes = host_flush_count;
    write_byte(&f.space, BASE, 2);
    CHECK(host_flush_count > flushes);
    CHECK_EQ(mapping_at(&f.space, BASE).access, PAGE_READ_WRITE);
    CHECK(mapping_at(&f.space, BASE).frame != mapping_at(&copy, BASE).frame);
    space_fini(&copy);
    fixture_fini(&f);
}

// ---- Snapshots of objects ---------------------------------------------------------------

static void a_snapshot_of_a_view_is_of_its_part(void)
{
    struct fixture f;
    fixture_init(&f);
    enum status status;
    uint64_t address = 0;
    struct memory_object *whole = memory_object_create(f.root, 20 * PAGE_BYTES);
    CHECK_EQ(space_map(&f.space, whole, 0, 20 * PAGE_BYTES, BASE, PROTECTION_READ_WRITE,
                       &address, &reason),
             STATUS_OK);
    for (unsigned i = 0; i < 20; i++)
        write_byte(&f.space, BASE + i * PAGE_BYTES, (uint8_t)(i + 1));
    struct memory_object *view =
        memory_object_create_view(f.root, whole, 5 * PAGE_BYTES, 10 * PAGE_BYTES, false, false);
    struct memory_object *snapshot =
        memory_object_create_snapshot(f.root, view, &status, &reason);
    CHECK_EQ(memory_object_size_bytes(snapshot), 10 * PAGE_BYTES);
    CHECK(memory_object_writable(snapshot) && !memory_object_executable(snapshot));
    object_put(memory_object_as_object(view));
    uint64_t copy = BASE + 32 * PAGE_BYTES;
    CHECK_EQ(space_map(&f.space, snapshot, 0, 10 * PAGE_BYTES, copy, PROTECTION_READ_WRITE,
                       &address, &reason),
             STATUS_OK);
    write_byte(&f.space, BASE + 5 * PAGE_BYTES, 99);
    CHECK_EQ(read_byte(&f.space, copy), 6);
    write_byte(&f.space, copy + PAGE_BYTES, 98);
    CHECK_EQ(read_byte(&f.space, BASE + 6 * PAGE_BYTES), 7);
    CHECK_EQ(read_byte(&f.space, BASE + 4 * PAGE_BYTES), 5);
    object_put(memory_object_as_object(snapshot));
    object_put(memory_object_as_object(whole));
    fixture_fini(&f);
}

static void a_snapshot_of_what_is_never_written_copies_from_there(void)
{
    struct fixture f;
    fixture_init(&f);
    enum status status;
    uint64_t address = 0;
    // As a file of the boot package: frames that the allocator doesn't manage.
    paddr_t outside = frame_get_zeroed(1);
    *(uint8_t *)arch_frame_pointer(outside + PAGE_BYTES) = 77;
    struct memory_object *file = memory_object_create_physical(f.root, outside, 2 * PAGE_BYTES,
                                                               false, true, PAGE_CACHED);
    struct memory_object *snapshot =
        memory_object_create_snapshot(f.root, file, &status, &reason);
    CHECK_EQ(space_map(&f.space, snapshot, 0, 2 * PAGE_BYTES, BASE, PROTECTION_READ_WRITE,
                       &address, &reason),
             STATUS_OK);
    object_put(memory_object_as_object(snapshot));
    CHECK_EQ(read_byte(&f.space, BASE + PAGE_BYTES), 77);
    write_byte(&f.space, BASE + PAGE_BYTES, 78);
    CHECK_EQ(*(uint8_t *)arch_frame_pointer(outside + PAGE_BYTES), 77);
    CHECK_EQ(read_byte(&f.space, BASE + PAGE_BYTES), 78);
    space_fini(&f.space);
    object_put(memory_object_as_object(file));
    CHECK_EQ(space_init(&f.space, f.root, 1), STATUS_OK);
    frame_put_run(outside, 1);
    fixture_fini(&f);
}

static void a_snapshot_isnt_made_of_what_others_write_to(void)
{
    struct fixture f;
    fixture_init(&f);
    paddr_t base;
    struct memory_object *refused[] = {
        memory_object_create_contiguous(f.root, 2 * PAGE_BYTES, &base),
        memory_object_create_physical(f.root, 0xfee00000, PAGE_BYTES, true, false,
                                      PAGE_UNCACHED),
        memory_object_create(f.root, PAGE_BYTES),
    };
    memory_object_pin(refused[2]);
    for (unsigned i = 0; i < 3; i++) {
        enum status status = STATUS_OK;
        reason = nullptr;
        CHECK(memory_object_create_snapshot(f.root, refused[i], &status, &reason) == nullptr);
        CHECK_EQ(status, STATUS_FAILED);
        CHECK(reason != nullptr);
    }
    memory_object_unpin(refused[2]);
    for (unsigned i = 0; i < 3; i++)
        object_put(memory_object_as_object(refused[i]));
    fixture_fini(&f);
}

static void a_snapshot_is_charged_whole_or_not_made(void)
{
    struct fixture f;
    fixture_init(&f);
    enum status status;
    struct memory_object *object = memory_object_create(f.root, 40 * PAGE_BYTES);
    for (unsigned i = 0; i < 40; i += 2)
        (void)memory_object_frame(object, i * PAGE_BYTES);
    struct memory_object *snapshot = nullptr;
    for (uint64_t pages = 1; snapshot == nullptr && pages < 60; pages++) {
        struct budget *small = budget_split(f.root, pages * PAGE_BYTES);
        snapshot = memory_object_create_snapshot(small, object, &status, &reason);
        CHECK_EQ(snapshot == nullptr ? STATUS_OVERLOADED : STATUS_FAILED, status);
        CHECK_EQ(small->used_bytes, snapshot == nullptr ? 0 : 42 * PAGE_BYTES);
        object_put(&small->object);
    }
    uint64_t frames = frame_free_count();
    for (unsigned i = 0; i < 40; i++)
        (void)memory_object_frame_own(object, i * PAGE_BYTES);
    CHECK_EQ(frame_free_count(), frames - 40); // 20 copies, 20 that were never there
    object_put(memory_object_as_object(object));
    for (unsigned i = 0; i < 40; i++)
        (void)memory_object_frame_own(snapshot, i * PAGE_BYTES);
    object_put(memory_object_as_object(snapshot));
    fixture_fini(&f);
}

// ---- Lazy memory ------------------------------------------------------------------------

static void lazy_pages_are_charged_when_touched_and_then_a_touch_can_fail(void)
{
    struct budget *root = mm_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct budget *small = budget_split(root, 12 * PAGE_BYTES);
    struct space space;
    CHECK_EQ(space_init(&space, small, 1), STATUS_OK);
    commit_lazily(&space, BASE, (uint64_t)1 << 40); // a TiB
    CHECK_EQ(small->used_bytes, 2 * PAGE_BYTES);    // the root table, the region
    CHECK_EQ(space.committed_bytes, 0);
    write_byte(&space, BASE + ((uint64_t)1 << 39), 1);
    CHECK_EQ(space.committed_bytes, PAGE_BYTES);
    CHECK_EQ(small->used_bytes, 6 * PAGE_BYTES); // three tables more, and the page
    uint64_t address = BASE + ((uint64_t)1 << 39);
    unsigned touched = 1, kind = FAULT_KIND_NONE;
    while (space_fault(&space, address + touched * PAGE_BYTES, true, false, &kind) == STATUS_OK)
        touched++;
    CHECK_EQ(touched, 7);
    CHECK_EQ(kind, FAULT_KIND_OUT_OF_MEMORY);
    uint8_t byte = 1;
    CHECK_EQ(space_copy_out(&space, address + 7 * PAGE_BYTES, &byte, 1), STATUS_BAD_ADDRESS);
    CHECK_EQ(space_copy_in(&space, &byte, BASE, 1), STATUS_BAD_ADDRESS); // no table
    CHECK_EQ(small->used_bytes, small->limit_bytes);
    // What is given back can be touched elsewhere.
    CHECK_EQ(space_decommit(&space, address, PAGE_BYTES, &reason), STATUS_OK);
    CHECK_EQ(space_fault(&space, address + 7 * PAGE_BYTES, true, false, &kind), STATUS_OK);
    CHECK_EQ(space_unmap(&space, BASE, (uint64_t)1 << 40, &reason), STATUS_OK);
    CHECK_EQ(space.committed_bytes, 0);
    commit_lazily(&space, address, 64 * PAGE_BYTES);
    write_byte(&space, address + 63 * PAGE_BYTES, 1);
    space_fini(&space);
    object_put(&small->object);
    mm_check_counts(root, before);
}

static void commit_makes_lazy_pages_charged(void)
{
    struct fixture f;
    fixture_init(&f);
    commit_lazily(&f.space, BASE, 20 * PAGE_BYTES);
    write_byte(&f.space, BASE + 5 * PAGE_BYTES, 55);
    uint64_t user = f.root->used_bytes - f.root->kernel_bytes;
    CHECK_EQ(space_commit(&f.space, BASE, 10 * PAGE_BYTES, PROTECTION_READ_WRITE, &reason),
             STATUS_OK);
    CHECK_EQ(f.root->used_bytes - f.root->kernel_bytes, user + 9 * PAGE_BYTES);
    CHECK_EQ(f.space.committed_bytes, 10 * PAGE_BYTES);
    CHECK_EQ(read_byte(&f.space, BASE + 5 * PAGE_BYTES), 55);
    // Lazily again: what is committed stays so.
    CHECK_EQ(space_commit_lazily(&f.space, BASE, 20 * PAGE_BYTES, PROTECTION_READ, &reason),
             STATUS_OK);
    CHECK_EQ(f.space.committed_bytes, 10 * PAGE_BYTES);
    CHECK_EQ(f.space.region_count, 2);
    CHECK_EQ(space_decommit(&f.space, BASE, 20 * PAGE_BYTES, &reason), STATUS_OK);
    CHECK_EQ(f.root->used_bytes - f.root->kernel_bytes, user - PAGE_BYTES);
    fixture_fini(&f);
}

// ---- Large pages ------------------------------------------------------------------------

static void a_touch_maps_a_large_page_where_one_fits(void)
{
    struct fixture f;
    fixture_init(&f);
    commit(&f.space, BASE - PAGE_BYTES, 2 * LARGE_PAGE_BYTES + 2 * PAGE_BYTES);
    uint64_t maps = host_map_count;
    write_byte(&f.space, BASE + LARGE_PAGE_BYTES / 2, 1);
    CHECK_EQ(host_map_count, maps + 1);
    CHECK_EQ(f.space.resident_bytes, LARGE_PAGE_BYTES);
    CHECK_EQ(mapping_at(&f.space, BASE).size_bytes, LARGE_PAGE_BYTES);
    CHECK_EQ(read_byte(&f.space, BASE), 0);
    write_byte(&f.space, BASE - 1, 2); // outside: a page
    CHECK_EQ(f.space.resident_bytes, LARGE_PAGE_BYTES + PAGE_BYTES);
    // Lazy memory is charged by the page, so it gets pages.
    commit_lazily(&f.space, BASE + 4 * LARGE_PAGE_BYTES, LARGE_PAGE_BYTES);
    write_byte(&f.space, BASE + 4 * LARGE_PAGE_BYTES, 3);
    CHECK_EQ(mapping_at(&f.space, BASE + 4 * LARGE_PAGE_BYTES).size_bytes, PAGE_BYTES);
    fixture_fini(&f);
}

static void changing_a_part_splits_a_large_page(void)
{
    struct fixture f;
    fixture_init(&f);
    for (unsigned operation = 0; operation < 3; operation++) {
        commit(&f.space, BASE, LARGE_PAGE_BYTES);
        for (unsigned i = 0; i < 512; i++)
            write_byte(&f.space, BASE + i * PAGE_BYTES, (uint8_t)i);
        CHECK_EQ(mapping_at(&f.space, BASE).size_bytes, LARGE_PAGE_BYTES);
        uint64_t at = BASE + 100 * PAGE_BYTES, length = 3 * PAGE_BYTES;
        enum status status =
            operation == 0   ? space_protect(&f.space, at, length, PROTECTION_READ, &reason)
            : operation == 1 ? space_unmap(&f.space, at, length, &reason)
                             : space_protect(&f.space, at, length, PROTECTION_NONE, &reason);
        CHECK_EQ(status, STATUS_OK);
        CHECK_EQ(mapping_at(&f.space, BASE).size_bytes, PAGE_BYTES);
        CHECK_EQ(f.space.resident_bytes,
                 LARGE_PAGE_BYTES - (operation == 1 ? 3 * PAGE_BYTES : 0));
        for (unsigned i = 0; i < 512; i++) {
            uint8_t byte = 0;
            bool gone = i >= 100 && i < 103 && operation > 0;
            CHECK_EQ(space_copy_in(&f.space, &byte, BASE + i * PAGE_BYTES, 1),
                     gone ? STATUS_BAD_ADDRESS : STATUS_OK);
            CHECK(gone || byte == (uint8_t)i);
        }
        CHECK_EQ(space_unmap(&f.space, BASE, LARGE_PAGE_BYTES, &reason), STATUS_OK);
        CHECK_EQ(f.space.resident_bytes, 0);
    }
    fixture_fini(&f);
}

static void protecting_all_of_a_large_page_keeps_it(void)
{
    struct fixture f;
    fixture_init(&f);
    commit(&f.space, BASE, LARGE_PAGE_BYTES);
    write_byte(&f.space, BASE, 1);
    CHECK_EQ(space_protect(&f.space, BASE, LARGE_PAGE_BYTES, PROTECTION_READ, &reason),
             STATUS_OK);
    struct arch_mapping mapping = mapping_at(&f.space, BASE);
    CHECK_EQ(mapping.size_bytes, LARGE_PAGE_BYTES);
    CHECK_EQ(mapping.access, PAGE_READ);
    fixture_fini(&f);
}

static void objects_are_mapped_by_large_pages(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t address = 0;
    struct memory_object *object = memory_object_create(f.root, 3 * LARGE_PAGE_BYTES);
    CHECK_EQ(space_map(&f.space, object, 0, 3 * LARGE_PAGE_BYTES, BASE, PROTECTION_READ_WRITE,
                       &address, &reason),
             STATUS_OK);
    write_byte(&f.space, BASE + LARGE_PAGE_BYTES + 5 * PAGE_BYTES, 9);
    CHECK_EQ(mapping_at(&f.space, BASE + LARGE_PAGE_BYTES).size_bytes, LARGE_PAGE_BYTES);
    // Where address and offset differ modulo the size, pages are all that fits.
    CHECK_EQ(space_map(&f.space, object, 0, 3 * LARGE_PAGE_BYTES,
                       BASE + 8 * LARGE_PAGE_BYTES + PAGE_BYTES, PROTECTION_READ, &address,
                       &reason),
             STATUS_OK);
    CHECK_EQ(read_byte(&f.space, address + LARGE_PAGE_BYTES + 5 * PAGE_BYTES), 9);
    CHECK_EQ(mapping_at(&f.space, address + LARGE_PAGE_BYTES + 5 * PAGE_BYTES).size_bytes,
             PAGE_BYTES);
    // A write behind a snapshot parts one page of it.
    enum status status;
    struct memory_object *snapshot =
        memory_object_create_snapshot(f.root, object, &status, &reason);
    CHECK_EQ(mapping_at(&f.space, BASE + LARGE_PAGE_BYTES).access, PAGE_READ);
    write_byte(&f.space, BASE + LARGE_PAGE_BYTES + 5 * PAGE_BYTES, 10);
    CHECK_EQ(read_byte(&f.space, address + LARGE_PAGE_BYTES + 5 * PAGE_BYTES), 10);
    CHECK_EQ(mapping_at(&f.space, BASE + LARGE_PAGE_BYTES).size_bytes, PAGE_BYTES);
    object_put(memory_object_as_object(snapshot));
    object_put(memory_object_as_object(object));
    fixture_fini(&f);
}

static void chosen_addresses_of_long_ranges_fit_large_pages(void)
{
    struct fixture f;
    fixture_init(&f);
    uint64_t address = 0;
    CHECK_EQ(
        space_allocate(&f.space, LARGE_PAGE_BYTES, 0, PROTECTION_READ_WRITE, &address, &reason),
        STATUS_OK);
    CHECK_EQ(address % LARGE_PAGE_BYTES, 0);
    CHECK_EQ(space_reserve(&f.space, 5 * LARGE_PAGE_BYTES, 0, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(address % LARGE_PAGE_BYTES, 0);
    fixture_fini(&f);
}

static void without_a_run_a_touch_maps_a_page(void)
{
    struct fixture f;
    fixture_init(&f);
    commit(&f.space, BASE, LARGE_PAGE_BYTES);
    // No run is left, but every second page of some runs is.
    static paddr_t runs[64];
    unsigned count = 0;
    while (count < 64 && (runs[count] = frame_get(LARGE_PAGE_ORDER)) != 0) {
        for (unsigned i = 0; i < 512; i += 2)
            frame_put(runs[count] + i * PAGE_BYTES);
        count++;
    }
    CHECK(count > 0 && count < 64);
    write_byte(&f.space, BASE + PAGE_BYTES, 1);
    CHECK_EQ(mapping_at(&f.space, BASE + PAGE_BYTES).size_bytes, PAGE_BYTES);
    CHECK_EQ(f.space.resident_bytes, PAGE_BYTES);
    for (unsigned run = 0; run < count; run++)
        for (unsigned i = 1; i < 512; i += 2)
            frame_put(runs[run] + i * PAGE_BYTES);
    fixture_fini(&f);
}

// ---- Cost -------------------------------------------------------------------------------

static void what_isnt_mapped_costs_no_time(void)
{
    struct fixture f;
    fixture_init(&f);
    constexpr uint64_t huge = (uint64_t)16 << 40;
    commit_lazily(&f.space, BASE, huge);
    write_byte(&f.space, BASE, 1);
    write_byte(&f.space, BASE + huge - 1, 1);
    uint64_t steps = host_next_count;
    CHECK_EQ(space_protect(&f.space, BASE, huge, PROTECTION_READ, &reason), STATUS_OK);
    CHECK(host_next_count - steps < 8000);
    steps = host_next_count;
    CHECK_EQ(space_unmap(&f.space, BASE, huge, &reason), STATUS_OK);
    CHECK(host_next_count - steps < 8000);
    fixture_fini(&f);
}

static void what_would_take_too_long_is_refused_and_done_in_parts(void)
{
    struct fixture f;
    fixture_init(&f);
    // One object, mapped over and over, where no large page fits.
    constexpr uint64_t pages = 1024, copies = SPACE_WORK_MAX / pages + 1;
    constexpr uint64_t length = pages * PAGE_BYTES, all = copies * length;
    struct memory_object *object = memory_object_create(f.root, length);
    uint64_t address = 0;
    unsigned kind = 0;
    for (uint64_t copy = 0; copy < copies; copy++) {
        uint64_t start = BASE + PAGE_BYTES + copy * length;
        CHECK_EQ(space_map(&f.space, object, 0, length, start, PROTECTION_READ_WRITE, &address,
                           &reason),
                 STATUS_OK);
        for (uint64_t at = start; at < start + length; at += 16 * PAGE_BYTES)
            CHECK_EQ(space_fault(&f.space, at, false, false, &kind), STATUS_OK);
    }
    object_put(memory_object_as_object(object));
    CHECK_EQ(f.space.resident_bytes, all);
    uint64_t start = BASE + PAGE_BYTES;
    CHECK_EQ(space_unmap(&f.space, start, all, &reason), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(space_protect(&f.space, start, all, PROTECTION_READ, &reason),
             STATUS_INVALID_ARGUMENT);
    CHECK_EQ(f.space.resident_bytes, all);
    CHECK_EQ(f.space.region_count, copies);
    CHECK_EQ(space_protect(&f.space, start, all - length, PROTECTION_READ, &reason), STATUS_OK);
    CHECK_EQ(space_unmap(&f.space, start, length, &reason), STATUS_OK);
    // What isn't mapped doesn't count.
    CHECK_EQ(
        space_unmap(&f.space, USER_ADDRESS_MIN, USER_ADDRESS_END - USER_ADDRESS_MIN, &reason),
        STATUS_INVALID_ARGUMENT); // the regions do
    CHECK_EQ(space_unmap(&f.space, start + length, length, &reason), STATUS_OK);
    CHECK_EQ(
        space_unmap(&f.space, USER_ADDRESS_MIN, USER_ADDRESS_END - USER_ADDRESS_MIN, &reason),
        STATUS_OK);
    CHECK_EQ(f.space.region_count, 0);
    fixture_fini(&f);
}

int main(void)
{
    RUN(copies_hold_what_the_model_says_under_random_operations);
    RUN(a_copy_takes_frames_only_for_what_is_written);
    RUN(a_copy_has_its_own_of_what_the_process_was_built_with);
    RUN(a_copy_has_neither_devices_nor_the_kernels_pages);
    RUN(a_copy_without_memory_is_a_whole_failure);
    RUN(writes_to_a_copy_flush_the_old_frame);
    RUN(a_snapshot_of_a_view_is_of_its_part);
    RUN(a_snapshot_of_what_is_never_written_copies_from_there);
    RUN(a_snapshot_isnt_made_of_what_others_write_to);
    RUN(a_snapshot_is_charged_whole_or_not_made);
    RUN(lazy_pages_are_charged_when_touched_and_then_a_touch_can_fail);
    RUN(commit_makes_lazy_pages_charged);
    RUN(a_touch_maps_a_large_page_where_one_fits);
    RUN(changing_a_part_splits_a_large_page);
    RUN(protecting_all_of_a_large_page_keeps_it);
    RUN(objects_are_mapped_by_large_pages);
    RUN(chosen_addresses_of_long_ranges_fit_large_pages);
    RUN(without_a_run_a_touch_maps_a_page);
    RUN(what_isnt_mapped_costs_no_time);
    RUN(what_would_take_too_long_is_refused_and_done_in_parts);
    return test_report();
}
