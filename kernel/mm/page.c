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
//  3. No page is mapped for writing whose frame has another reference (mm/frame.h): the write
//     faults, and page_make_writable copies.
//  4. A large page is made only where its table has been prepared, so splitting it, which
//     every change of a part does first, can't fail.
//
// What pages may be mapped was decided before: but for pages of lazy regions, which are
// charged here, nothing can fail.  Tested in space_test.c.
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

// Whether a frame of a region can have other references.
static bool has_shared(const struct space *space, const struct region *region)
{
    if (region->kind == REGION_ANONYMOUS)
        return space->has_shared;
    return region->kind == REGION_OBJECT && memory_object_has_shared(region->object);
}

static bool run_is_shared(paddr_t first, uint64_t size_bytes)
{
    for (uint64_t at = 0; at < size_bytes; at += PAGE_BYTES)
        if (frame_is_shared(first + at))
            return true;
    return false;
}

// The access with which frames of a region are mapped now (invariant 3).
static enum page_access access_for(const struct space *space, const struct region *region,
                                   paddr_t first, uint64_t size_bytes)
{
    enum page_access access = page_access_of(region->protection);
    if (access == PAGE_READ_WRITE && has_shared(space, region) &&
        run_is_shared(first, size_bytes))
        return PAGE_READ;
    return access;
}

void page_map(struct space *space, const struct region *region, uint64_t address, paddr_t frame)
{
    ASSERT(frame != 0 && address >= region->start && address < region->end);
    arch_space_map(&space->arch, address, frame, access_for(space, region, frame, PAGE_BYTES),
                   cache_of(region));
    space->resident_bytes += PAGE_BYTES;
}

[[gnu::always_inline]] void page_map_own(struct space *space, const struct region *region,
                                         uint64_t address, paddr_t frame)
{
    ASSERT(frame != 0 && region->kind == REGION_ANONYMOUS);
    arch_space_map(&space->arch, address, frame, page_access_of(region->protection),
                   PAGE_CACHED);
    space->resident_bytes += PAGE_BYTES;
}

void page_map_run(struct space *space, const struct region *region, uint64_t address,
                  paddr_t first, uint64_t page_count)
{
    ASSERT(first != 0 && address >= region->start);
    ASSERT(page_count <= (region->end - address) / PAGE_BYTES && !has_shared(space, region));
    arch_space_map_run(&space->arch, address, first, page_count,
                       page_access_of(region->protection), cache_of(region));
    space->resident_bytes += page_count * PAGE_BYTES;
}

void page_map_new(struct space *space, const struct region *region)
{
    if (has_shared(space, region)) {
        page_map_present(space, region, region->start, region->end);
        return;
    }
    uint64_t count;
    for (uint64_t at = region->start; at < region->end; at += count * PAGE_BYTES) {
        paddr_t first = memory_object_run_present(region->object, offset_of(region, at),
                                                  (region->end - at) / PAGE_BYTES, &count);
        if (first != 0)
            page_map_run(space, region, at, first, count);
    }
}

// Turns the large page that an address is part of into pages.
static void split_large(struct space *space, const struct arch_mapping *mapping)
{
    arch_space_split_large(&space->arch, mapping->address);
    arch_space_flush(&space->arch, mapping->address, PAGE_BYTES);
}

static bool is_large(const struct arch_mapping *mapping)
{
    return mapping->size_bytes > PAGE_BYTES;
}

// Finds the next mapping in a range; one that is in it only in part is split.
static bool next_whole(struct space *space, uint64_t start, uint64_t end,
                       struct arch_mapping *out_mapping)
{
    if (!arch_space_next(&space->arch, start, end, out_mapping))
        return false;
    if (out_mapping->address >= start && out_mapping->size_bytes <= end - out_mapping->address)
        return true;
    split_large(space, out_mapping);
    return arch_space_next(&space->arch, start, end, out_mapping);
}

// ---- Bringing in ----------------------------------------------------------------------

// Whether a large page around an address lies in the region and nothing is mapped there.
static bool has_room_for_large(const struct space *space, const struct region *region,
                               uint64_t address)
{
    uint64_t start = address & ~(LARGE_PAGE_BYTES - 1);
    struct arch_mapping mapping;
    return start >= region->start && start < region->end &&
           region->end - start >= LARGE_PAGE_BYTES &&
           !arch_space_next(&space->arch, start, start + LARGE_PAGE_BYTES, &mapping);
}

static void map_large(struct space *space, const struct region *region, uint64_t address,
                      paddr_t first)
{
    address &= ~(LARGE_PAGE_BYTES - 1);
    arch_space_map_large(&space->arch, address, first,
                         access_for(space, region, first, LARGE_PAGE_BYTES), cache_of(region));
    arch_space_flush(&space->arch, address, PAGE_BYTES); // of the table that was there
    space->resident_bytes += LARGE_PAGE_BYTES;
}

// Charges a page that is touched first, and makes its tables.
static enum status lazy_prepare(struct space *space, uint64_t address, uint64_t size_bytes)
{
    if (budget_charge(space->budget, CHARGE_USER, size_bytes) != STATUS_OK)
        return STATUS_OVERLOADED;
    if (arch_space_prepare(&space->arch, space, address, size_bytes) != STATUS_OK) {
        budget_uncharge(space->budget, CHARGE_USER, size_bytes);
        return STATUS_OVERLOADED;
    }
    space->committed_bytes += size_bytes;
    return STATUS_OK;
}

static enum status bring_in_anonymous(struct space *space, const struct region *region,
                                      uint64_t address)
{
    // A lazy region asked for memory page by page.
    if (region->lazy) {
        if (lazy_prepare(space, address, PAGE_BYTES) != STATUS_OK)
            return STATUS_OVERLOADED;
    } else if (has_room_for_large(space, region, address)) {
        paddr_t first = frame_get_zeroed(LARGE_PAGE_ORDER);
        if (first != 0) {
            map_large(space, region, address, first);
            return STATUS_OK;
        }
    }
    paddr_t frame = frame_get_one_zeroed();
    ASSERT(frame != 0); // it is charged
    page_map(space, region, address, frame);
    return STATUS_OK;
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

// The large page of an object that can be mapped around an address; 0 if there is none.
static paddr_t object_large(const struct space *space, const struct region *region,
                            uint64_t address)
{
    if (region->end - region->start < LARGE_PAGE_BYTES ||
        !has_room_for_large(space, region, address))
        return 0;
    return memory_object_frame_large(region->object,
                                     offset_of(region, address & ~(LARGE_PAGE_BYTES - 1)));
}

enum status page_bring_in(struct space *space, const struct region *region, uint64_t address)
{
    if (region->kind == REGION_ANONYMOUS)
        return bring_in_anonymous(space, region, address);
    ASSERT(region->kind == REGION_OBJECT);
    paddr_t frame = memory_object_frame(region->object, offset_of(region, address));
    paddr_t large = object_large(space, region, address);
    if (large != 0) {
        map_large(space, region, address, large);
        return STATUS_OK;
    }
    page_map(space, region, address, frame);
    uint64_t end = region->end - address < AROUND_BYTES ? region->end : address + AROUND_BYTES;
    page_map_present(space, region, address + PAGE_BYTES, end);
    return STATUS_OK;
}

// ---- Sharing --------------------------------------------------------------------------

// Maps another frame at a page, which is mapped.
static void replace(struct space *space, const struct region *region, uint64_t address,
                    paddr_t frame)
{
    arch_space_map(&space->arch, address, frame, access_for(space, region, frame, PAGE_BYTES),
                   cache_of(region));
    arch_space_flush(&space->arch, address, PAGE_BYTES);
}

static void anonymous_make_writable(struct space *space, const struct region *region,
                                    uint64_t address, paddr_t old)
{
    if (!frame_is_shared(old)) {
        replace(space, region, address, old);
        return;
    }
    paddr_t copy = frame_get_one();
    ASSERT(copy != 0); // each who shares the old one pays for a page
    __builtin_memcpy(arch_frame_pointer(copy), arch_frame_pointer(old), PAGE_BYTES);
    replace(space, region, address, copy);
    frame_put(old);
}

void page_make_writable(struct space *space, const struct region *region, uint64_t address)
{
    struct arch_mapping mapping;
    bool mapped = arch_space_next(&space->arch, address, address + PAGE_BYTES, &mapping);
    ASSERT(mapped && region->protection == PROTECTION_READ_WRITE);
    if (is_large(&mapping)) {
        if (!run_is_shared(mapping.frame, mapping.size_bytes)) {
            arch_space_map_large(&space->arch, mapping.address, mapping.frame, PAGE_READ_WRITE,
                                 cache_of(region));
            arch_space_flush(&space->arch, mapping.address, PAGE_BYTES);
            return;
        }
        split_large(space, &mapping);
    }
    enum page_access access;
    paddr_t old = arch_space_lookup(&space->arch, address, &access);
    if (region->kind == REGION_ANONYMOUS)
        anonymous_make_writable(space, region, address, old);
    else
        replace(space, region, address,
                memory_object_frame_own(region->object, offset_of(region, address)));
}

// Where a region maps an offset of the whole object; false if it doesn't.
static bool address_of(const struct region *region, uint64_t whole_offset,
                       uint64_t *out_address)
{
    uint64_t start = memory_object_whole_offset(region->object, region->offset_bytes);
    *out_address = region->start + (whole_offset - start);
    return whole_offset >= start && whole_offset - start < region->end - region->start;
}

void mm_mappings_replace(struct list *mappings, uint64_t offset_bytes, paddr_t frame)
{
    LIST_FOR_EACH(region, mappings, struct region, object_link)
    {
        struct space *space = region->space;
        uint64_t address;
        struct arch_mapping mapping;
        if (!address_of(region, offset_bytes, &address) ||
            !arch_space_next(&space->arch, address, address + PAGE_BYTES, &mapping))
            continue;
        if (is_large(&mapping))
            split_large(space, &mapping);
        replace(space, region, address, frame);
    }
}

void mm_mappings_narrow(struct list *mappings, uint64_t offset_bytes, uint64_t length_bytes)
{
    LIST_FOR_EACH(region, mappings, struct region, object_link)
    {
        uint64_t start = memory_object_whole_offset(region->object, region->offset_bytes);
        uint64_t end = start + (region->end - region->start);
        uint64_t low = start > offset_bytes ? start : offset_bytes;
        uint64_t high = end < offset_bytes + length_bytes ? end : offset_bytes + length_bytes;
        if (low < high && region->protection == PROTECTION_READ_WRITE)
            page_protect_all(region->space, region, region->start + (low - start),
                             region->start + (high - start));
    }
}

enum status page_share_all(struct space *from, const struct region *from_region,
                           struct space *to, const struct region *to_region)
{
    struct arch_mapping mapping;
    enum status status = STATUS_OK;
    uint64_t start = from_region->start, at = start;
    for (; next_whole(from, at, from_region->end, &mapping);
         at = mapping.address + mapping.size_bytes) {
        if (to_region->lazy || to->is_snapshot)
            status = lazy_prepare(to, mapping.address, mapping.size_bytes);
        if (status != STATUS_OK)
            break;
        unsigned order = is_large(&mapping) ? LARGE_PAGE_ORDER : 0;
        frame_ref_run(mapping.frame, order);
        void (*map)(struct arch_space *, uint64_t, paddr_t, enum page_access, enum page_cache) =
            is_large(&mapping) ? arch_space_map_large : arch_space_map;
        // All of it has another reference now, so its first frame tells.
        enum page_access access = access_for(from, from_region, mapping.frame, PAGE_BYTES);
        map(&from->arch, mapping.address, mapping.frame, access, PAGE_CACHED);
        map(&to->arch, mapping.address, mapping.frame, access, PAGE_CACHED);
        to->resident_bytes += mapping.size_bytes;
    }
    if (at > start)
        arch_space_flush(&from->arch, start, at - start);
    return status;
}

enum status page_share_object(const struct region *from_region, struct space *to,
                              const struct region *to_region)
{
    enum status status = STATUS_OK;
    uint64_t address = to_region->start;
    for (; address < to_region->end && status == STATUS_OK; address += PAGE_BYTES) {
        paddr_t frame =
            memory_object_frame_present(from_region->object, offset_of(from_region, address));
        if (frame == 0)
            continue;
        if (to->is_snapshot)
            status = lazy_prepare(to, address, PAGE_BYTES);
        if (status != STATUS_OK)
            break;
        frame_ref(frame);
        page_map(to, to_region, address, frame);
    }
    memory_object_part(from_region->object, from_region->offset_bytes,
                       from_region->end - from_region->start);
    return status;
}

// ---- Unmapping and protecting -----------------------------------------------------------

// Unmaps pages that follow each other until the batch is full or the range done; returns
// where it got.
static uint64_t unmap_batch(struct space *space, uint64_t start, uint64_t end,
                            paddr_t frames[UNMAP_BATCH], unsigned *out_count)
{
    unsigned count = 0;
    uint64_t address = start;
    for (; address < end && count < UNMAP_BATCH; address += PAGE_BYTES) {
        paddr_t frame = arch_space_unmap(&space->arch, address);
        if (frame == 0)
            break;
        frames[count++] = frame;
    }
    *out_count = count;
    return address;
}

static void unmap_large(struct space *space, const struct region *region,
                        const struct arch_mapping *mapping)
{
    arch_space_unmap_large(&space->arch, mapping->address);
    arch_space_flush(&space->arch, mapping->address, mapping->size_bytes);
    if (region->kind == REGION_ANONYMOUS)
        frame_put_run(mapping->frame, LARGE_PAGE_ORDER);
}

// Unmaps a batch of pages or a large page, the first behind *address and before `end`, and moves
// *address behind it; returns how many bytes were mapped, 0 if there is nothing.
static uint64_t unmap_next(struct space *space, const struct region *region, uint64_t *address,
                           uint64_t end)
{
    paddr_t frames[UNMAP_BATCH];
    unsigned count;
    struct arch_mapping mapping = {.address = *address};
    *address = unmap_batch(space, mapping.address, end, frames, &count);
    if (count == 0) {
        if (!next_whole(space, mapping.address, end, &mapping)) {
            *address = end;
            return 0;
        }
        if (is_large(&mapping)) {
            unmap_large(space, region, &mapping);
            space->resident_bytes -= mapping.size_bytes;
            *address = mapping.address + mapping.size_bytes;
            return mapping.size_bytes;
        }
        *address = unmap_batch(space, mapping.address, end, frames, &count);
    }
    arch_space_flush(&space->arch, mapping.address, *address - mapping.address);
    for (unsigned i = 0; region->kind == REGION_ANONYMOUS && i < count; i++)
        frame_put(frames[i]);
    space->resident_bytes -= count * PAGE_BYTES;
    return count * PAGE_BYTES;
}

[[gnu::noinline]] static uint64_t unmap_many(struct space *space, const struct region *region,
                                             uint64_t start, uint64_t end)
{
    uint64_t resident_bytes = space->resident_bytes, unmapped_bytes = 0;
    while (start < end)
        unmapped_bytes += unmap_next(space, region, &start, end);
    ASSERT(unmapped_bytes <= resident_bytes);
    return unmapped_bytes;
}

uint64_t page_unmap_some(struct space *space, const struct region *region, uint64_t start,
                         uint64_t *work, uint64_t *out_unmapped_bytes)
{
    constexpr uint64_t look_tables = 64; // to look through so many takes as long ...
    constexpr uint64_t look_work = 256;  // ... as so many pages
    uint64_t look_bytes = space->table_bytes <= look_tables * PAGE_BYTES
                              ? USER_ADDRESS_END
                              : look_tables * LARGE_PAGE_BYTES;
    *out_unmapped_bytes = 0;
    while (start < region->end && *work > 0) {
        uint64_t end = region->end - start < look_bytes
                           ? region->end
                           : (start + look_bytes) & ~(LARGE_PAGE_BYTES - 1);
        uint64_t unmapped_bytes = unmap_next(space, region, &start, end);
        uint64_t done = unmapped_bytes / PAGE_BYTES;
        if (unmapped_bytes == 0)
            done = look_work;
        *work -= done < *work ? done : *work;
        *out_unmapped_bytes += unmapped_bytes;
    }
    return start;
}

// Unmaps a page that is no part of a large one; returns false if there is none.
static inline bool unmap_one(struct space *space, const struct region *region, uint64_t address)
{
    paddr_t frame = arch_space_unmap(&space->arch, address);
    if (frame == 0)
        return false;
    arch_space_flush(&space->arch, address, PAGE_BYTES);
    ASSERT(space->resident_bytes >= PAGE_BYTES);
    space->resident_bytes -= PAGE_BYTES;
    if (region->kind == REGION_ANONYMOUS)
        frame_put(frame);
    return true;
}

uint64_t page_unmap_all(struct space *space, const struct region *region, uint64_t start,
                        uint64_t end)
{
    if (end - start == PAGE_BYTES && unmap_one(space, region, start))
        return PAGE_BYTES;
    return unmap_many(space, region, start, end);
}

void page_put_all(struct space *space, const struct region *region)
{
    struct arch_mapping mapping;
    for (uint64_t at = region->start; next_whole(space, at, region->end, &mapping);
         at = mapping.address + mapping.size_bytes)
        frame_put_run(mapping.frame, is_large(&mapping) ? LARGE_PAGE_ORDER : 0);
}

void page_protect_all(struct space *space, const struct region *region, uint64_t start,
                      uint64_t end)
{
    struct arch_mapping mapping;
    uint64_t at = start;
    for (; next_whole(space, at, end, &mapping); at = mapping.address + mapping.size_bytes) {
        enum page_access access = access_for(space, region, mapping.frame, mapping.size_bytes);
        if (is_large(&mapping))
            arch_space_map_large(&space->arch, mapping.address, mapping.frame, access,
                                 cache_of(region));
        else
            arch_space_map(&space->arch, mapping.address, mapping.frame, access,
                           cache_of(region));
    }
    if (at > start)
        arch_space_flush(&space->arch, start, at - start);
}

uint64_t page_count_mapped(const struct space *space, uint64_t start, uint64_t end)
{
    struct arch_mapping mapping;
    uint64_t mapped_bytes = 0;
    for (uint64_t at = start; arch_space_next(&space->arch, at, end, &mapping);
         at = mapping.address + mapping.size_bytes) {
        uint64_t low = mapping.address > start ? mapping.address : start;
        uint64_t high = mapping.address + mapping.size_bytes;
        mapped_bytes += (high < end ? high : end) - low;
    }
    return mapped_bytes;
}
