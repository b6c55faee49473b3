// SPDX-License-Identifier: MIT
// Copies of whole address spaces.  See space_clone in space.h.
//
// A copy has the regions of the original.  Anonymous memory that is there is mapped in both,
// each frame with a reference for each, and writable in neither (page.h).  So is what the
// process was built with and may write to, its data, which becomes anonymous memory of the
// copy.  Other mappings of objects are mappings of the same objects, shared for good.
//
// What is charged: the regions and page tables of the copy; of a copy to run in, all
// anonymous memory that is committed, so that no write in it can fail later; of a snapshot,
// which nobody writes to, only what is there, so that the original's writes can't fail.
//
// Tested in snapshot_test.c.
#include <kernel/mm/space.h>

#include <kernel/debug/panic.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/page.h>
#include <kernel/mm/region.h>

static bool is_copied(const struct region *region)
{
    if (region->kind == REGION_OBJECT)
        return memory_object_cache(region->object) == PAGE_CACHED;
    return region->kind != REGION_KERNEL;
}

// The anonymous memory that a region of a copy to run in is charged with at once.
static uint64_t charged_bytes(const struct space *to, const struct region *region)
{
    bool at_once = region->kind == REGION_ANONYMOUS && !region->lazy && !to->is_snapshot;
    return at_once ? region->end - region->start : 0;
}

// Whether a copy has a region's contents, not the object that it shows.
static bool is_own(const struct region *region)
{
    return region->kind == REGION_OBJECT && region->is_image &&
           memory_object_writable(region->object) && memory_object_can_part(region->object);
}

// A region like the original one, without pages; nullptr without memory.
static struct region *clone_empty(struct space *to, const struct region *original)
{
    struct region *region = region_create(to);
    if (region == nullptr)
        return nullptr;
    region->start = original->start;
    region->end = original->end;
    region->kind = is_own(original) ? REGION_ANONYMOUS : original->kind;
    region->protection = original->protection;
    region->lazy = original->lazy;
    if (region->kind == REGION_OBJECT) {
        region->object = original->object;
        region->offset_bytes = original->offset_bytes;
        region->is_image = original->is_image;
    }
    uint64_t bytes = charged_bytes(to, region);
    if (budget_charge(to->budget, CHARGE_USER, bytes) != STATUS_OK) {
        region_destroy(to, region);
        return nullptr;
    }
    to->committed_bytes += bytes;
    region_insert(to, region, /*next=*/nullptr); // they come in order
    return region;
}

static enum status clone_region(struct space *to, struct space *from,
                                const struct region *original)
{
    const struct region *region = clone_empty(to, original);
    if (region == nullptr)
        return STATUS_OVERLOADED;
    bool touched_later = region->lazy || to->is_snapshot || region->kind == REGION_RESERVED;
    enum status status = touched_later ? STATUS_OK
                                       : arch_space_prepare(&to->arch, to, region->start,
                                                            region->end - region->start);
    if (status != STATUS_OK || region->kind != REGION_ANONYMOUS)
        return status;
    return original->kind == REGION_OBJECT ? page_share_object(original, to, region)
                                           : page_share_all(from, original, to, region);
}

enum status space_clone(struct space *to, struct space *from)
{
    ASSERT(to->region_count == 0 && to->resident_bytes == 0);
    region_spare_drop(from);
    from->has_shared = true;
    to->has_shared = true;
    enum status status = STATUS_OK;
    for (const struct region *region = region_find_from(from, 0);
         region != nullptr && status == STATUS_OK; region = region_next(region))
        if (is_copied(region))
            status = clone_region(to, from, region);
    return status;
}
