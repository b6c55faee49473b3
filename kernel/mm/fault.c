// SPDX-License-Identifier: MIT
// The page fault of an address space.  See space.h.
//
// A fault on a page that may be accessed brings the page in: it was charged when it was
// committed or mapped, so that can't fail, unless it was committed lazily and there is no
// memory now.  Any other gets a name that tells the program's author what to look for.
// Tested in space_test.c.
#include <kernel/mm/space.h>

#include <gen/kernel/process.h> // enum fault_kind
#include <kernel/debug/panic.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/page.h>
#include <kernel/mm/region.h>

static bool region_allows(const struct region *region, bool write, bool execute)
{
    if (execute)
        return region->protection == PROTECTION_READ_EXECUTE;
    if (write)
        return region->protection == PROTECTION_READ_WRITE;
    return region->protection != PROTECTION_NONE;
}

// Whether the page of an address that isn't accessible lies directly below a stack, as far
// as the kernel can tell: below committed read-write memory.
static bool is_guard_page(struct space *space, const struct region *region, uint64_t address)
{
    if (region != nullptr && (region->protection != PROTECTION_NONE ||
                              region->kind == REGION_OBJECT || region->kind == REGION_KERNEL))
        return false;
    const struct region *above = region_find(space, (address & ~(PAGE_BYTES - 1)) + PAGE_BYTES);
    return above != nullptr && above->kind == REGION_ANONYMOUS &&
           above->protection == PROTECTION_READ_WRITE;
}

enum status space_fault(struct space *space, uint64_t address, bool write, bool execute,
                        unsigned *out_fault_kind)
{
    const struct region *region = region_find(space, address);
    if (region == nullptr || !region_allows(region, write, execute)) {
        if (is_guard_page(space, region, address))
            *out_fault_kind = FAULT_KIND_GUARD_PAGE;
        else if (region == nullptr || region->kind == REGION_RESERVED ||
                 region->kind == REGION_SPARE)
            *out_fault_kind = FAULT_KIND_UNMAPPED;
        else
            *out_fault_kind = FAULT_KIND_PROTECTION;
        return STATUS_FAILED;
    }
    uint64_t page = address & ~(PAGE_BYTES - 1);
    enum page_access access;
    if (arch_space_lookup(&space->arch, page, &access) == 0) {
        if (page_bring_in(space, region, page) != STATUS_OK) {
            *out_fault_kind = FAULT_KIND_OUT_OF_MEMORY;
            return STATUS_FAILED;
        }
        if (!write || region->kind != REGION_OBJECT ||
            !memory_object_has_shared(region->object))
            return STATUS_OK;
        (void)arch_space_lookup(&space->arch, page, &access);
    }
    if (write && access != PAGE_READ_WRITE)
        page_make_writable(space, region, page);
    else // another thread was faster, or the CPU's translation is stale
        arch_space_flush(&space->arch, page, PAGE_BYTES);
    return STATUS_OK;
}

void space_expect_write(struct space *space, uint64_t address)
{
    const struct region *region = region_find(space, address);
    uint64_t page = address & ~(PAGE_BYTES - 1);
    enum page_access access;
    if (region == nullptr || region->kind != REGION_ANONYMOUS || region->lazy ||
        region->protection != PROTECTION_READ_WRITE ||
        arch_space_lookup(&space->arch, page, &access) != 0)
        return;
    enum status status = page_bring_in(space, region, page);
    ASSERT(status == STATUS_OK); // it is charged
}
