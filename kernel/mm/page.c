// SPDX-License-Identifier: MIT
// Pages of an address space.  See page.h.
//
// Frames of anonymous memory belong to the mapping; those of objects to the object, which
// the region keeps alive; those of the kernel to whoever mapped them.
//
// Invariants:
//  1. space->resident_bytes counts the pages that are mapped.
//  2. A frame is put only after the flush that follows its unmapping: until then another
//     CPU could still reach it.
//
// What pages may be mapped was decided before: nothing here can fail.  Tested in
// space_test.c.
#include <kernel/mm/page.h>

#include <kernel/debug/panic.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/memory_object.h>

constexpr uint64_t AROUND_BYTES = 16 * PAGE_BYTES; // brought in by one fault on an object
constexpr unsigned UNMAP_BATCH = 32;               // frames between two flushes

static_assert((int)PROTECTION_NONE == (int)PAGE_NONE);
static_assert((int)PROTECTION_READ == (int)PAGE_READ);
static_assert((int)PROTECTION_READ_WRITE == (int)PAGE_READ_WRITE);
static_assert((int)PROTECTION_READ_EXECUTE == (int)PAGE_READ_EXECUTE);

enum page_access page_access_of(enum protection protection)
{
    return (enum page_access)protection;
}

static enum page_cache cache_of(const struct region *region)
{
    return region->kind == REGION_OBJECT ? memory_object_cache(region->object) : PAGE_CACHED;
}

static uint64_t offset_of(const struct region *region, uint64_t address)
{
    return region->offset_bytes + (address - region->start);
}

void page_map(struct space *space, const struct region *region, uint64_t address, paddr_t frame)
{
    ASSERT(frame != 0 && address >= region->start && address < region->end);
    arch_space_map(&space->arch, address, frame, page_access_of(region->protection),
                   cache_of(region));
    space->resident_bytes += PAGE_BYTES;
}

void page_map_present(struct space *space, const struct region *region, uint64_t start,
                      uint64_t end)
{
    for (uint64_t address = start; address < end; address += PAGE_BYTES) {
        paddr_t frame = memory_object_frame_present(region->object, offset_of(region, address));
        enum page_access access;
        if (frame != 0 && arch_space_lookup(&space->arch, address, &access) == 0)
            page_map(space, region, address, frame);
    }
}

void page_bring_in(struct space *space, const struct region *region, uint64_t address)
{
    if (region->kind == REGION_ANONYMOUS) {
        paddr_t frame = frame_get_zeroed(0);
        ASSERT(frame != 0); // it was charged when it was committed
        page_map(space, region, address, frame);
        return;
    }
    ASSERT(region->kind == REGION_OBJECT);
    page_map(space, region, address,
             memory_object_frame(region->object, offset_of(region, address)));
    uint64_t end = region->end - address < AROUND_BYTES ? region->end : address + AROUND_BYTES;
    page_map_present(space, region, address + PAGE_BYTES, end);
}

// Unmaps until the batch is full or the range done; returns where it got.
static uint64_t unmap_batch(struct space *space, uint64_t start, uint64_t end,
                            paddr_t frames[UNMAP_BATCH], unsigned *out_count)
{
    unsigned count = 0;
    uint64_t address = start;
    for (; address < end && count < UNMAP_BATCH; address += PAGE_BYTES) {
        paddr_t frame = arch_space_unmap(&space->arch, address);
        if (frame != 0)
            frames[count++] = frame;
    }
    *out_count = count;
    return address;
}

void page_unmap_all(struct space *space, const struct region *region, uint64_t start,
                    uint64_t end)
{
    while (start < end) {
        paddr_t frames[UNMAP_BATCH];
        unsigned count;
        uint64_t done = unmap_batch(space, start, end, frames, &count);
        if (count > 0)
            arch_space_flush(&space->arch, start, done - start);
        ASSERT(count * PAGE_BYTES <= space->resident_bytes);
        space->resident_bytes -= count * PAGE_BYTES;
        for (unsigned i = 0; region->kind == REGION_ANONYMOUS && i < count; i++)
            frame_put(frames[i]);
        start = done;
    }
}

void page_protect_all(struct space *space, const struct region *region, uint64_t start,
                      uint64_t end)
{
    for (uint64_t address = start; address < end; address += PAGE_BYTES) {
        enum page_access access;
        paddr_t frame = arch_space_lookup(&space->arch, address, &access);
        if (frame != 0)
            arch_space_map(&space->arch, address, frame, page_access_of(region->protection),
                           cache_of(region));
    }
    arch_space_flush(&space->arch, start, end - start);
}
