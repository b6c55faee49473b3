// SPDX-License-Identifier: MIT
// Address spaces: their life and the operations of VirtualMemory.  See space.h for the
// invariants.
//
// Every operation validates, then prepares (charges, page tables, regions: all that can
// fail), then commits, which can't.  Regions are first split at the ends of the range,
// which changes nothing that user code can see, then changed whole, then joined again.
//
// Tested in space_test.c, against a map of single pages as model.
#include <kernel/mm/space.h>

#include <kernel/debug/panic.h>
#include <kernel/ipc/park.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/page.h>
#include <kernel/mm/region.h>
#include <kernel/mm/table.h>

// Mappings up to this size get the pages that exist at once: a fault costs as much as
// mapping ten pages.
constexpr uint64_t EAGER_BYTES = 32 * PAGE_BYTES;
// What is allocated anew must be cleared too, so less of it is brought in at once.
constexpr uint64_t EAGER_ANONYMOUS_BYTES = 4 * PAGE_BYTES;

// Chosen addresses lie above this, so that programs linked to fixed addresses find room.
constexpr uint64_t PLACEMENT_MIN = (uint64_t)1 << 32;
constexpr uint64_t PLACEMENT_RANGE = (uint64_t)1 << 46; // randomized: 34 bits of pages

static const char reason_length[] = "lengthBytes: a multiple of 4096, not zero";
static const char reason_address[] =
    "address: a multiple of 4096 from 0x10000; the range ends at or below 0x7ffffffff000";
static const char reason_protection[] =
    "protection: none, read, readWrite or readExecute, and no more than the object allows";
static const char reason_alignment[] = "alignmentBytes: a power of two, or 0 for 4096";
static const char reason_offset[] =
    "offsetBytes: a multiple of 4096; offsetBytes + lengthBytes is at most the object's size";
static const char reason_taken[] = "address: a part of the range is taken";
static const char reason_no_range[] =
    "lengthBytes: no free range of this length and alignment is left";
static const char reason_not_reserved[] = "address: the range isn't within one reservation";
static const char reason_not_mapped[] =
    "address: a part of the range isn't committed or mapped, or holds the kernel's pages";
static const char reason_work[] =
    "lengthBytes: more than 65536 pages or regions are mapped there; do it in parts";
static_assert(SPACE_WORK_MAX == 65536);
static const char reason_kernel[] =
    "address: the range holds pages of the kernel (ring, CapSet), which stay";

// ---- Life -----------------------------------------------------------------------------

enum status space_init(struct space *space, struct budget *budget, uint64_t placement_seed)
{
    *space = (struct space){
        .budget = budget,
        .placement_hint =
            PLACEMENT_MIN + placement_seed % (PLACEMENT_RANGE / PAGE_BYTES) * PAGE_BYTES,
    };
    space->kernel_hint = space->placement_hint;
    list_init(&space->sleepers);
    region_tree_init(space);
    enum status status = arch_space_init(&space->arch, space);
    if (status != STATUS_OK) {
        ASSERT(space->table_bytes == 0);
        return status;
    }
    object_get(&budget->object);
    return STATUS_OK;
}

static void uncommit(struct space *space, uint64_t size_bytes)
{
    ASSERT(size_bytes <= space->committed_bytes);
    space->committed_bytes -= size_bytes;
    budget_uncharge(space->budget, CHARGE_USER, size_bytes);
}

// Takes what is mapped in a region away, with its charge: the one place where pages leave a
// space.  What is known by its address, like a sleeper that waits for a word of it, is to be
// told here: by address or by object and offset, never by frame, for a write to a page that
// is shared gives it another frame.
static void region_empty(struct space *space, const struct region *region)
{
    if (region->kind == REGION_RESERVED)
        return;
    uint64_t mapped_bytes = page_unmap_all(space, region, region->start, region->end);
    if (region->kind == REGION_ANONYMOUS)
        uncommit(space, region->lazy || space->is_snapshot ? mapped_bytes
                                                           : region->end - region->start);
}

// Takes everything of a region away.
static void region_discard(struct space *space, struct region *region)
{
    region_empty(space, region);
    region_remove(space, region);
}

// Takes the front of a region away, as far as *work reaches: all that it can fail is to come to the
// end.
static void discard_some(struct space *space, struct region *region, uint64_t *work)
{
    constexpr uint64_t region_work = 8; // as long as so many pages
    uint64_t start = region->start, done = region->end, unmapped_bytes = 0;
    *work -= region_work < *work ? region_work : *work;
    if (region->kind != REGION_RESERVED)
        done = page_unmap_some(space, region, start, work, &unmapped_bytes);
    if (region->kind == REGION_ANONYMOUS)
        uncommit(space, region->lazy || space->is_snapshot ? unmapped_bytes : done - start);
    if (done == region->end)
        region_remove(space, region);
    else if (done > start)
        region_remove_front(space, region, done);
    table_let_go(space, start, done);
}

bool space_shrink(struct space *space)
{
    arch_space_unload(&space->arch);
    uint64_t left = space->resident_bytes / PAGE_BYTES + space->table_bytes / PAGE_BYTES;
    if (left + space->region_count <= SPACE_STEP_WORK)
        return true;
    region_spare_drop(space);
    struct region *region;
    uint64_t work = SPACE_STEP_WORK;
    while (work > 0 && (region = region_find_from(space, 0)) != nullptr)
        discard_some(space, region, &work);
    return false;
}

// What is unmapped one by one elsewhere goes with the tables here: no CPU has them loaded, so
// there is nothing to flush, and who sleeps on a word of the space has ended with it.
void space_fini(struct space *space)
{
    arch_space_unload(&space->arch);
    for (const struct region *region = region_find_from(space, 0); region != nullptr;
         region = region_next(region))
        if (region->kind == REGION_ANONYMOUS)
            page_put_all(space, region);
    region_remove_all(space);
    arch_space_fini(&space->arch, space);
    budget_uncharge(space->budget, CHARGE_USER, space->committed_bytes);
    space->committed_bytes = 0;
    space->resident_bytes = 0;
    ASSERT(space->region_count == 0 && space->uncached_count == 0 && space->table_bytes == 0);
    object_put(&space->budget->object);
    space->budget = nullptr;
}

// ---- Arguments ------------------------------------------------------------------------

static enum status invalid(const char **out_reason, const char *reason)
{
    *out_reason = reason;
    return STATUS_INVALID_ARGUMENT;
}

static enum status failed(const char **out_reason, const char *reason)
{
    *out_reason = reason;
    return STATUS_FAILED;
}

static enum status check_length(uint64_t length_bytes, const char **out_reason)
{
    if (length_bytes == 0 || length_bytes % PAGE_BYTES != 0)
        return invalid(out_reason, reason_length);
    return STATUS_OK;
}

static enum status check_range(uint64_t address, uint64_t length_bytes, const char **out_reason)
{
    enum status status = check_length(length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    if (address % PAGE_BYTES != 0 || address < USER_ADDRESS_MIN ||
        address >= USER_ADDRESS_END || length_bytes > USER_ADDRESS_END - address)
        return invalid(out_reason, reason_address);
    return STATUS_OK;
}

// Whether a range may be changed in one go.
static enum status check_work(const struct space *space, uint64_t start, uint64_t end,
                              const char **out_reason)
{
    constexpr uint64_t large_page_work = 32;
    if (end - start <= SPACE_WORK_MAX * PAGE_BYTES)
        return STATUS_OK;
    uint64_t work = 0;
    for (const struct region *region = region_find_from(space, start);
         region != nullptr && region->start < end && work <= SPACE_WORK_MAX;
         region = region_next(region))
        work++;
    struct arch_mapping mapping;
    for (uint64_t at = start;
         work <= SPACE_WORK_MAX && arch_space_next(&space->arch, at, end, &mapping);
         at = mapping.address + mapping.size_bytes)
        work += mapping.size_bytes > PAGE_BYTES ? large_page_work : 1;
    return work <= SPACE_WORK_MAX ? STATUS_OK : invalid(out_reason, reason_work);
}

static bool protection_known(enum protection protection)
{
    return (unsigned)protection <= PROTECTION_READ_EXECUTE;
}

static bool object_allows(const struct memory_object *object, enum protection protection)
{
    if (protection == PROTECTION_READ_WRITE)
        return memory_object_writable(object);
    if (protection == PROTECTION_READ_EXECUTE)
        return memory_object_executable(object);
    return true;
}

static bool range_is_free(const struct space *space, uint64_t start, uint64_t end,
                          struct region **out_next)
{
    *out_next = region_find_from(space, start);
    return *out_next == nullptr || (*out_next)->start >= end;
}

// A range that may have large pages is aligned to them if one can be found.
static bool find_free(const struct space *space, uint64_t from, uint64_t length_bytes,
                      uint64_t alignment_bytes, uint64_t *out_address, struct region **out_next)
{
    if (length_bytes >= LARGE_PAGE_BYTES && alignment_bytes < LARGE_PAGE_BYTES &&
        region_find_free(space, from, length_bytes, LARGE_PAGE_BYTES, out_address, out_next))
        return true;
    return region_find_free(space, from, length_bytes, alignment_bytes, out_address, out_next);
}

// Checks a given range (address != 0) or chooses one, behind `from` if possible; out_next: the
// first region behind it.
static enum status choose(struct space *space, uint64_t from, uint64_t length_bytes,
                          uint64_t address, uint64_t alignment_bytes, uint64_t *out_address,
                          struct region **out_next, const char **out_reason)
{
    enum status status = check_length(length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    region_spare_drop(space);
    if (address == 0) {
        if (length_bytes > USER_ADDRESS_END - USER_ADDRESS_MIN ||
            !find_free(space, from, length_bytes, alignment_bytes, out_address, out_next))
            return failed(out_reason, reason_no_range);
        return STATUS_OK;
    }
    status = check_range(address, length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    if (!range_is_free(space, address, address + length_bytes, out_next))
        return failed(out_reason, reason_taken);
    *out_address = address;
    return STATUS_OK;
}

// ---- Operations -----------------------------------------------------------------------

enum status space_reserve(struct space *space, uint64_t length_bytes, uint64_t address,
                          uint64_t alignment_bytes, uint64_t *out_address,
                          const char **out_reason)
{
    if ((alignment_bytes & (alignment_bytes - 1)) != 0 && alignment_bytes != 0)
        return invalid(out_reason, reason_alignment);
    if (alignment_bytes < PAGE_BYTES)
        alignment_bytes = PAGE_BYTES;
    uint64_t start;
    struct region *next;
    enum status status = choose(space, space->placement_hint, length_bytes, address,
                                alignment_bytes, &start, &next, out_reason);
    if (status != STATUS_OK)
        return status;

    struct region *region = region_create(space);
    if (region == nullptr)
        return STATUS_OVERLOADED;

    region->start = start;
    region->end = start + length_bytes;
    region->kind = REGION_RESERVED;
    region_insert(space, region, next);
    if (address != 0) // else it touches nothing
        region_join(space, region);
    *out_address = start;
    return STATUS_OK;
}

// Whether a range lies within reservations, and how much of it isn't charged.
static bool within_reservation(struct space *space, uint64_t start, uint64_t end,
                               uint64_t *out_uncommitted_bytes)
{
    *out_uncommitted_bytes = 0;
    const struct region *region = region_find(space, start);
    uint64_t done = start;
    for (; done < end; region = region_next(region)) {
        if (region == nullptr || region->start > done ||
            (region->kind != REGION_RESERVED && region->kind != REGION_ANONYMOUS))
            return false;
        uint64_t stop = region->end < end ? region->end : end;
        if (region->kind == REGION_RESERVED)
            *out_uncommitted_bytes += stop - done;
        else if (region->lazy)
            *out_uncommitted_bytes += stop - done - page_count_mapped(space, done, stop);
        done = stop;
    }
    return true;
}

// What space_commit needs: a charge, page tables, regions of its own.  Tables of what was
// committed already are there.
static enum status commit_prepare(struct space *space, uint64_t start, uint64_t end,
                                  uint64_t charge_bytes)
{
    enum status status = budget_charge(space->budget, CHARGE_USER, charge_bytes);
    if (status != STATUS_OK)
        return status;
    status = arch_space_prepare(&space->arch, space, start, end - start);
    if (status == STATUS_OK)
        status = region_isolate(space, start, end);
    if (status == STATUS_OK)
        return STATUS_OK;
    table_trim(space, start, end);
    budget_uncharge(space->budget, CHARGE_USER, charge_bytes);
    return status;
}

static void set_protection(struct space *space, struct region *region,
                           enum protection protection)
{
    if (region->protection == protection)
        return;
    region->protection = (uint8_t)protection;
    page_protect_all(space, region, region->start, region->end);
}

static enum status check_commit(struct space *space, uint64_t address, uint64_t length_bytes,
                                enum protection protection, uint64_t *out_charge_bytes,
                                const char **out_reason)
{
    enum status status = check_range(address, length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    if (!protection_known(protection))
        return invalid(out_reason, reason_protection);
    region_spare_drop(space);
    status = check_work(space, address, address + length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    if (!within_reservation(space, address, address + length_bytes, out_charge_bytes))
        return failed(out_reason, reason_not_reserved);
    return STATUS_OK;
}

// Makes what is reserved in a range committed, lazily or not, and protects all of it.
static void commit_all(struct space *space, uint64_t start, uint64_t end,
                       enum protection protection, bool lazy)
{
    for (struct region *region = region_find(space, start);
         region != nullptr && region->start < end; region = region_next(region)) {
        if (region->kind == REGION_ANONYMOUS) {
            set_protection(space, region, protection);
            region->lazy = region->lazy && lazy;
        } else {
            region->kind = REGION_ANONYMOUS;
            region->protection = (uint8_t)protection;
            region->lazy = lazy;
        }
    }
    region_merge(space, start, end);
    if (protection == PROTECTION_NONE)
        park_wake_range(space, start, end);
}

enum status space_commit(struct space *space, uint64_t address, uint64_t length_bytes,
                         enum protection protection, const char **out_reason)
{
    uint64_t charge_bytes;
    enum status status =
        check_commit(space, address, length_bytes, protection, &charge_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    status = commit_prepare(space, address, address + length_bytes, charge_bytes);
    if (status != STATUS_OK)
        return status;

    space->committed_bytes += charge_bytes;
    commit_all(space, address, address + length_bytes, protection, /*lazy=*/false);
    return STATUS_OK;
}

enum status space_commit_lazily(struct space *space, uint64_t address, uint64_t length_bytes,
                                enum protection protection, const char **out_reason)
{
    uint64_t charge_bytes;
    enum status status =
        check_commit(space, address, length_bytes, protection, &charge_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    status = region_isolate(space, address, address + length_bytes);
    if (status != STATUS_OK)
        return status;

    commit_all(space, address, address + length_bytes, protection, /*lazy=*/true);
    return STATUS_OK;
}

// A region with page tables whose range is free; it is the spare one or outside the tree.
struct mapping {
    struct region *region;
    struct region *next; // the first one behind it
};

// Frees a region that never was in the tree, and gives its tables back.
static void mapping_cancel(struct space *space, struct region *region)
{
    table_trim(space, region->start, region->end);
    region_destroy(space, region);
}

static enum status mapping_make(struct space *space, uint64_t from, uint64_t length_bytes,
                                uint64_t address, struct mapping *out_mapping,
                                const char **out_reason)
{
    uint64_t start;
    enum status status = choose(space, from, length_bytes, address, PAGE_BYTES, &start,
                                &out_mapping->next, out_reason);
    if (status != STATUS_OK)
        return status;
    struct region *region = region_create(space);
    if (region == nullptr)
        return STATUS_OVERLOADED;
    region->start = start;
    region->end = start + length_bytes;
    out_mapping->region = region;
    status = arch_space_prepare(&space->arch, space, start, length_bytes);
    if (status != STATUS_OK)
        mapping_cancel(space, region);
    return status;
}

static enum status mapping_begin(struct space *space, uint64_t from, uint64_t length_bytes,
                                 uint64_t address, struct mapping *out_mapping,
                                 const char **out_reason)
{
    out_mapping->region = address == 0 ? region_spare_of(space, length_bytes) : nullptr;
    return out_mapping->region != nullptr
               ? STATUS_OK
               : mapping_make(space, from, length_bytes, address, out_mapping, out_reason);
}

static void mapping_insert(struct space *space, const struct mapping *mapping)
{
    if (mapping->region == space->spare)
        region_revive(space);
    else
        region_insert(space, mapping->region, mapping->next);
}

// Makes charged memory of a region in the tree, which is empty.
static inline uint64_t populate(struct space *space, const struct region *region)
{
    uint64_t start = region->start, end = region->end;
    if (end - start <= EAGER_ANONYMOUS_BYTES && region->protection != PROTECTION_NONE)
        for (uint64_t at = start; at < end; at += PAGE_BYTES)
            page_map_own(space, region, at, frame_get_one_zeroed()); // it is charged
    return start;
}

static inline void become_anonymous(struct space *space, struct region *region,
                                    enum protection protection)
{
    space->committed_bytes += region->end - region->start;
    region->kind = REGION_ANONYMOUS;
    region->protection = (uint8_t)protection;
}

[[gnu::noinline]] static enum status allocate_anew(struct space *space, uint64_t length_bytes,
                                                   uint64_t address, enum protection protection,
                                                   uint64_t *out_address,
                                                   const char **out_reason)
{
    struct mapping mapping;
    enum status status =
        mapping_make(space, space->placement_hint, length_bytes, address, &mapping, out_reason);
    if (status != STATUS_OK)
        return status;
    struct region *region = mapping.region;
    status = budget_charge(space->budget, CHARGE_USER, length_bytes);
    if (status != STATUS_OK) {
        mapping_cancel(space, region);
        return status;
    }

    become_anonymous(space, region, protection);
    region_insert(space, region, mapping.next);
    *out_address = populate(space, region);
    if (address != 0)
        region_join(space, region);
    return STATUS_OK;
}

enum status space_allocate(struct space *space, uint64_t length_bytes, uint64_t address,
                           enum protection protection, uint64_t *out_address,
                           const char **out_reason)
{
    if (!protection_known(protection))
        return invalid(out_reason, reason_protection);
    struct region *region = address == 0 ? region_spare_of(space, length_bytes) : nullptr;
    if (region == nullptr)
        return allocate_anew(space, length_bytes, address, protection, out_address, out_reason);
    if (budget_charge(space->budget, CHARGE_USER, length_bytes) != STATUS_OK)
        return STATUS_OVERLOADED;

    become_anonymous(space, region, protection);
    region_revive(space);
    *out_address = populate(space, region);
    return STATUS_OK;
}

enum status space_decommit(struct space *space, uint64_t address, uint64_t length_bytes,
                           const char **out_reason)
{
    enum status status = check_range(address, length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    uint64_t end = address + length_bytes;
    uint64_t uncommitted_bytes;
    region_spare_drop(space);
    status = check_work(space, address, end, out_reason);
    if (status != STATUS_OK)
        return status;
    if (!within_reservation(space, address, end, &uncommitted_bytes))
        return failed(out_reason, reason_not_reserved);

    status = region_isolate(space, address, end);
    if (status != STATUS_OK)
        return status;

    for (struct region *region = region_find(space, address);
         region != nullptr && region->start < end; region = region_next(region)) {
        if (region->kind == REGION_RESERVED)
            continue;
        region_empty(space, region);
        region->kind = REGION_RESERVED;
        region->protection = PROTECTION_NONE;
        region->lazy = false;
    }
    region_merge(space, address, end);
    table_let_go(space, address, end);
    park_wake_range(space, address, end);
    return STATUS_OK;
}

// Whether all of a range is committed or mapped, and a protection is allowed everywhere.
static enum status check_protectable(struct space *space, uint64_t start, uint64_t end,
                                     enum protection protection, const char **out_reason)
{
    const struct region *region = region_find(space, start);
    for (uint64_t done = start; done < end; region = region_next(region)) {
        if (region == nullptr || region->start > done ||
            (region->kind != REGION_ANONYMOUS && region->kind != REGION_OBJECT))
            return failed(out_reason, reason_not_mapped);
        if (region->kind == REGION_OBJECT && !object_allows(region->object, protection))
            return invalid(out_reason, reason_protection);
        done = region->end;
    }
    return STATUS_OK;
}

enum status space_protect(struct space *space, uint64_t address, uint64_t length_bytes,
                          enum protection protection, const char **out_reason)
{
    enum status status = check_range(address, length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    if (!protection_known(protection))
        return invalid(out_reason, reason_protection);
    uint64_t end = address + length_bytes;
    region_spare_drop(space);
    status = check_work(space, address, end, out_reason);
    if (status != STATUS_OK)
        return status;
    status = check_protectable(space, address, end, protection, out_reason);
    if (status != STATUS_OK)
        return status;

    status = region_isolate(space, address, end);
    if (status != STATUS_OK)
        return status;

    for (struct region *region = region_find(space, address);
         region != nullptr && region->start < end; region = region_next(region))
        set_protection(space, region, protection);
    region_merge(space, address, end);
    if (protection == PROTECTION_NONE)
        park_wake_range(space, address, end);
    return STATUS_OK;
}

static enum status map(struct space *space, struct memory_object *object, uint64_t offset_bytes,
                       uint64_t length_bytes, uint64_t address, enum protection protection,
                       bool is_image, uint64_t *out_address, const char **out_reason)
{
    uint64_t size_bytes = memory_object_size_bytes(object);
    if (offset_bytes % PAGE_BYTES != 0 || offset_bytes > size_bytes ||
        length_bytes > size_bytes - offset_bytes)
        return invalid(out_reason, reason_offset);
    if (!protection_known(protection) || !object_allows(object, protection))
        return invalid(out_reason, reason_protection);
    struct mapping mapping;
    enum status status = mapping_begin(space, space->placement_hint, length_bytes, address,
                                       &mapping, out_reason);
    if (status != STATUS_OK)
        return status;

    struct region *region = mapping.region;
    *out_address = region->start;
    region->kind = REGION_OBJECT;
    region->protection = (uint8_t)protection;
    region->object = object;
    region->offset_bytes = offset_bytes;
    region->is_image = is_image;
    mapping_insert(space, &mapping);
    if (length_bytes <= EAGER_BYTES && protection != PROTECTION_NONE)
        page_map_new(space, region);
    if (address != 0)
        region_join(space, region);
    return STATUS_OK;
}

enum status space_map(struct space *space, struct memory_object *object, uint64_t offset_bytes,
                      uint64_t length_bytes, uint64_t address, enum protection protection,
                      uint64_t *out_address, const char **out_reason)
{
    return map(space, object, offset_bytes, length_bytes, address, protection,
               /*is_image=*/false, out_address, out_reason);
}

enum status space_map_image(struct space *space, struct memory_object *object,
                            uint64_t offset_bytes, uint64_t length_bytes, uint64_t address,
                            enum protection protection, uint64_t *out_address,
                            const char **out_reason)
{
    return map(space, object, offset_bytes, length_bytes, address, protection,
               /*is_image=*/true, out_address, out_reason);
}

// Whether a range is one region that may be unmapped, and no more than may be done at once.
static bool is_whole(const struct region *region, uint64_t start, uint64_t length_bytes)
{
    return region != nullptr && region->start == start && region->end - start == length_bytes &&
           region->kind != REGION_KERNEL && region->kind != REGION_SPARE &&
           length_bytes <= SPACE_WORK_MAX * PAGE_BYTES;
}

[[gnu::noinline]] static enum status unmap_range(struct space *space, uint64_t address,
                                                 uint64_t length_bytes, const char **out_reason)
{
    enum status status = check_range(address, length_bytes, out_reason);
    if (status != STATUS_OK)
        return status;
    uint64_t end = address + length_bytes;
    status = check_work(space, address, end, out_reason);
    if (status != STATUS_OK)
        return status;
    region_spare_drop(space);
    struct region *first = region_find_from(space, address);
    bool cuts = false; // whether a region lies in the range in part
    for (const struct region *region = first; region != nullptr && region->start < end;
         region = region_next(region)) {
        if (region->kind == REGION_KERNEL)
            return failed(out_reason, reason_kernel);
        cuts |= region->start < address || region->end > end;
    }

    if (cuts) {
        status = region_isolate(space, address, end);
        if (status != STATUS_OK)
            return status;
        first = region_find_from(space, address);
    }

    struct region *region = first;
    while (region != nullptr && region->start < end) {
        struct region *next = region_next(region);
        region_discard(space, region);
        region = next;
    }
    table_let_go(space, address, end);
    park_wake_range(space, address, end);
    return STATUS_OK;
}

// What was mapped is most often unmapped as it was.
enum status space_unmap(struct space *space, uint64_t address, uint64_t length_bytes,
                        const char **out_reason)
{
    struct region *region = region_find(space, address);
    if (!is_whole(region, address, length_bytes))
        return unmap_range(space, address, length_bytes, out_reason);
    region_empty(space, region);
    region_retire(space, region);
    park_wake_range(space, address, address + length_bytes);
    return STATUS_OK;
}

void space_place_kernel_frames(struct space *space, uint64_t address)
{
    constexpr uint64_t spread_pages = 64; // few of the pages that a table maps
    uint64_t pages = 1 + space->placement_hint / PAGE_BYTES % spread_pages;
    if (address >= PLACEMENT_MIN &&
        address < USER_ADDRESS_END - (1 + spread_pages) * PAGE_BYTES)
        space->kernel_hint = (address & ~(PAGE_BYTES - 1)) + pages * PAGE_BYTES;
}

enum status space_map_kernel_frames(struct space *space, paddr_t first, uint64_t length_bytes,
                                    enum page_access access, uint64_t *out_address)
{
    ASSERT(first % PAGE_BYTES == 0 && length_bytes % PAGE_BYTES == 0 && length_bytes > 0);
    struct mapping mapping;
    const char *reason;
    if (mapping_begin(space, space->kernel_hint, length_bytes, 0, &mapping, &reason) !=
        STATUS_OK)
        return STATUS_OVERLOADED;

    struct region *region = mapping.region;
    region->kind = REGION_KERNEL;
    region->protection = access;
    mapping_insert(space, &mapping);
    page_map_run(space, region, region->start, first, length_bytes / PAGE_BYTES);
    *out_address = region->start;
    return STATUS_OK;
}

void space_unmap_kernel_frames(struct space *space, uint64_t address)
{
    struct region *region = region_find(space, address);
    ASSERT(region != nullptr && region->kind == REGION_KERNEL && region->start == address);
    region_empty(space, region);
    region_retire(space, region);
}
