// SPDX-License-Identifier: MIT
// The page tables of a space.  See table.h.
//
// Each is charged as a page of the kernel's when it is made and until it is given back, at the
// latest with the space.  They are in a list, so that the end of a space needn't look for them.
//
// Invariant: where a region may have pages its tables are there, but for what lies in a lazy
// one and was never touched.  So only a table that spans nothing but free and reserved addresses is
// given back, and it is empty.
//
// Tested in table_test.c.
#include <kernel/mm/table.h>

#include <kernel/debug/panic.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/region.h>

// ---- The frames (the other side of kernel/arch.h) -------------------------------------

paddr_t mm_table_frame_get(void *cookie)
{
    struct space *space = cookie;
    if (budget_charge(space->budget, CHARGE_KERNEL, PAGE_BYTES) != STATUS_OK)
        return 0;
    paddr_t address = frame_get_one_zeroed();
    ASSERT(address != 0); // it was charged
    struct frame *frame = frame_lookup(address);
    frame->next = space->table_first;
    frame->previous = 0;
    if (frame->next != 0)
        frame_lookup(frame_of_number(frame->next))->previous = frame_number(address);
    space->table_first = frame_number(address);
    space->table_bytes += PAGE_BYTES;
    return address;
}

void mm_table_frame_put(void *cookie, paddr_t address)
{
    struct space *space = cookie;
    const struct frame *frame = frame_lookup(address);
    if (frame->next != 0)
        frame_lookup(frame_of_number(frame->next))->previous = frame->previous;
    if (frame->previous != 0)
        frame_lookup(frame_of_number(frame->previous))->next = frame->next;
    else
        space->table_first = frame->next;
    frame_put(address);
    ASSERT(space->table_bytes >= PAGE_BYTES);
    space->table_bytes -= PAGE_BYTES;
    budget_uncharge(space->budget, CHARGE_KERNEL, PAGE_BYTES);
}

void mm_table_frames_put(void *cookie)
{
    struct space *space = cookie;
    uint64_t put_bytes = 0;
    while (space->table_first != 0) {
        paddr_t frame = frame_of_number(space->table_first);
        space->table_first = frame_lookup(frame)->next;
        frame_put(frame);
        put_bytes += PAGE_BYTES;
    }
    ASSERT(put_bytes == space->table_bytes);
    space->table_bytes = 0;
    budget_uncharge(space->budget, CHARGE_KERNEL, put_bytes);
}

// ---- Giving back ----------------------------------------------------------------------

// Of reservations that lie next to each other in the tree of regions this many are looked at, for
// it takes time; the next one counts as needing its tables.
constexpr unsigned RESERVATIONS_MAX = 16;

static bool needs_tables(const struct region *region, unsigned *reservations)
{
    return region->kind != REGION_RESERVED || ++*reservations > RESERVATIONS_MAX;
}

// The first region from one on that needs tables; nullptr without one.
static const struct region *needing_from(const struct region *region)
{
    unsigned reservations = 0;
    while (region != nullptr && !needs_tables(region, &reservations))
        region = region_next(region);
    return region;
}

// Where the last region before one (nullptr: the last of all) ends that needs tables.
static uint64_t needed_until(const struct space *space, const struct region *region)
{
    unsigned reservations = 0;
    const struct region *before =
        region == nullptr ? region_last(space) : region_previous(region);
    while (before != nullptr && !needs_tables(before, &reservations))
        before = region_previous(before);
    return before == nullptr ? 0 : before->end;
}

void table_trim(struct space *space, uint64_t start, uint64_t end)
{
    for (uint64_t at = start; at < end;) {
        const struct region *next = needing_from(region_find_from(space, at));
        uint64_t high = next == nullptr ? USER_TABLES_END : next->start;
        if (at < high) // else it lies in a region that needs its tables
            arch_space_trim(&space->arch, space, needed_until(space, next), high, at,
                            high < end ? high : end);
        if (next == nullptr)
            return;
        at = next->end;
    }
}

static bool in_the_same_tables(uint64_t a, uint64_t b)
{
    return a / LARGE_PAGE_BYTES == b / LARGE_PAGE_BYTES;
}

void table_let_go(struct space *space, uint64_t start, uint64_t end)
{
    uint64_t old_start = space->let_go_start, old_end = space->let_go_end;
    bool kept = end - start <= LARGE_PAGE_BYTES; // at most two tables of each level
    space->let_go_start = kept ? start : 0;
    space->let_go_end = kept ? end : 0;
    if (!kept)
        table_trim(space, start, end);
    if (old_end == 0 || (kept && in_the_same_tables(old_start, start) &&
                         in_the_same_tables(old_end - 1, end - 1)))
        return;
    table_trim(space, old_start, old_end);
}
