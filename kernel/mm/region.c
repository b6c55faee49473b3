// SPDX-License-Identifier: MIT
// Regions of an address space.  See region.h.
//
// Invariants:
//  1. region->gap is the distance from the end of the region before (or from
//     USER_ADDRESS_MIN) to its start; every change of an end updates the next one's.
//  2. Each region in the tree that maps an object holds a reference on it and is in its list
//     of mappings.
//  3. space->region_count and space->uncached_count count the regions in the tree, but for the
//     spare one.
//  4. space->last_found is in the tree, or nullptr.
//  5. A region that is `apart` has been so since it was looked at: what is linked next to it, or
//     moves its end, clears that.
//
// Pages are page.c's business; here are only addresses.  Tested in space_test.c.
#include <kernel/mm/region.h>

#include <kernel/debug/panic.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/slab.h>
#include <kernel/mm/table.h>

static struct slab_cache regions = SLAB_CACHE(struct region);

static struct region *region_of(struct rbtree_node *node)
{
    return container_of_or_null(node, struct region, node);
}

struct region *region_last(const struct space *space)
{
    return region_of(rbtree_last(&space->regions));
}

struct region *region_next(const struct region *region)
{
    return region_of(rbtree_next(&region->node));
}

struct region *region_previous(const struct region *region)
{
    return region_of(rbtree_previous(&region->node));
}

struct region *region_find_from(const struct space *space, uint64_t address)
{
    struct region *found = nullptr;
    struct rbtree_node *node = space->regions.root;
    while (node != nullptr) {
        struct region *region = region_of(node);
        if (region->end > address) {
            found = region;
            node = node->child[0];
        } else {
            node = node->child[1];
        }
    }
    return found;
}

struct region *region_find_other(struct space *space, uint64_t address)
{
    struct region *region = region_find_from(space, address);
    if (region == nullptr || region->start > address)
        return nullptr;
    space->last_found = region;
    return region;
}

// ---- The tree and its gaps ----------------------------------------------------------

static bool update_gap_max(struct rbtree_node *node)
{
    struct region *region = (struct region *)node;
    uint64_t gap_max = region->gap;
    for (unsigned side = 0; side < 2; side++) {
        const struct region *child = (const struct region *)node->child[side];
        if (child != nullptr && child->gap_max > gap_max)
            gap_max = child->gap_max;
    }
    bool changed = region->gap_max != gap_max;
    region->gap_max = gap_max;
    return changed;
}
static_assert(offsetof(struct region, node) == 0);

void region_tree_init(struct space *space)
{
    rbtree_init(&space->regions, update_gap_max);
}

static uint64_t gap_of(const struct region *region, const struct region *previous)
{
    return region->start - (previous == nullptr ? USER_ADDRESS_MIN : previous->end);
}

static void set_gap(struct space *space, struct region *region, const struct region *previous)
{
    region->gap = gap_of(region, previous);
    rbtree_changed(&space->regions, &region->node);
}

static bool is_uncached(const struct region *region)
{
    return region->kind == REGION_OBJECT &&
           memory_object_cache(region->object) == PAGE_UNCACHED;
}

static void region_link(struct space *space, struct region *region, struct region *next)
{
    struct region *previous = next == nullptr ? region_last(space) : region_previous(next);
    ASSERT(previous == nullptr || previous->end <= region->start);
    ASSERT(next == nullptr || region->end <= next->start);
    region->gap = gap_of(region, previous);
    if (previous != nullptr)
        previous->apart = false;
    if (next != nullptr)
        next->apart = false;
    // Of two neighbours one has no child on the side of the other.
    if (next != nullptr && next->node.child[0] == nullptr)
        rbtree_link(&space->regions, &region->node, &next->node, 0);
    else
        rbtree_link(&space->regions, &region->node,
                    previous == nullptr ? nullptr : &previous->node, 1);
    if (next != nullptr)
        set_gap(space, next, region);
}

static void region_unlink(struct space *space, struct region *region)
{
    struct region *previous = region_previous(region);
    struct region *next = region_next(region);
    rbtree_remove(&space->regions, &region->node);
    if (space->last_found == region)
        space->last_found = nullptr;
    if (next != nullptr)
        set_gap(space, next, previous);
}

struct region *region_create(struct space *space)
{
    return slab_get(&regions, space->budget);
}

void region_destroy(struct space *space, struct region *region)
{
    slab_put(&regions, space->budget, region);
}

static void enter_object(struct space *space, struct region *region)
{
    object_get(memory_object_as_object(region->object));
    list_push_back(memory_object_mappings(region->object), &region->object_link);
    space->uncached_count += is_uncached(region);
}

static void leave_object(struct space *space, struct region *region)
{
    space->uncached_count -= is_uncached(region);
    list_remove(&region->object_link);
    object_put(memory_object_as_object(region->object));
}

// A region in the tree has become one, or is no longer one.
[[gnu::always_inline]] static inline void enter(struct space *space, struct region *region)
{
    space->words.bytes = 0;
    space->last_found = region; // what comes is used next
    space->region_count++;
    if (region->kind == REGION_OBJECT)
        enter_object(space, region);
}

[[gnu::always_inline]] static inline void leave(struct space *space, struct region *region)
{
    space->words.bytes = 0;
    space->region_count--;
    if (region->kind == REGION_OBJECT)
        leave_object(space, region);
}

void region_insert(struct space *space, struct region *region, struct region *next)
{
    ASSERT(region->start < region->end && region->start >= USER_ADDRESS_MIN);
    ASSERT(region->end <= USER_ADDRESS_END && region != space->spare);
    region->space = space;
    region_link(space, region, next);
    enter(space, region);
}

void region_revive(struct space *space)
{
    struct region *region = space->spare;
    space->spare = nullptr;
    enter(space, region);
}

void region_remove(struct space *space, struct region *region)
{
    region_unlink(space, region);
    leave(space, region);
    region_destroy(space, region);
}

void region_remove_front(struct space *space, struct region *region, uint64_t address)
{
    ASSERT(address > region->start && address < region->end);
    space->words.bytes = 0;
    region->offset_bytes += address - region->start;
    region->gap += address - region->start;
    region->start = address;
    rbtree_changed(&space->regions, &region->node);
}

// Whether a space could have chosen the place of a region.
[[gnu::noinline]] static bool look_apart(struct region *region)
{
    const struct region *next = region_next(region);
    region->apart =
        region->gap >= PAGE_BYTES &&
        (next == nullptr ? USER_ADDRESS_END - region->end : next->gap) >= PAGE_BYTES;
    return region->apart;
}

void region_retire(struct space *space, struct region *region)
{
    constexpr uint64_t spare_bytes_max = 32 * PAGE_BYTES; // large ranges come and go seldom
    region_spare_drop(space);
    bool has_tables = region->kind != REGION_RESERVED && !region->lazy;
    if (region->end - region->start > spare_bytes_max || !has_tables ||
        (!region->apart && !look_apart(region))) {
        uint64_t start = region->start, end = region->end;
        region_remove(space, region);
        table_let_go(space, start, end);
        return;
    }
    leave(space, region);
    region->kind = REGION_SPARE;
    region->protection = PROTECTION_NONE;
    region->lazy = false;
    region->is_image = false;
    space->spare = region;
}

void region_spare_free(struct space *space)
{
    struct region *spare = space->spare;
    uint64_t start = spare->start, end = spare->end;
    space->spare = nullptr;
    region_unlink(space, spare);
    region_destroy(space, spare);
    table_let_go(space, start, end);
}

// Takes leaf after leaf, so that the tree needn't be kept in balance.
void region_remove_all(struct space *space)
{
    struct rbtree_node *node = space->regions.root;
    while (node != nullptr) {
        struct rbtree_node *child = node->child[0] != nullptr ? node->child[0] : node->child[1];
        if (child != nullptr) {
            node = child;
            continue;
        }
        struct rbtree_node *parent = node->parent;
        if (parent != nullptr)
            parent->child[parent->child[1] == node] = nullptr;
        if (region_of(node)->kind == REGION_OBJECT)
            leave_object(space, region_of(node));
        region_destroy(space, region_of(node));
        node = parent;
    }
    region_tree_init(space);
    space->last_found = nullptr;
    space->spare = nullptr;
    space->region_count = 0;
    space->uncached_count = 0;
}

// ---- Splitting and joining ----------------------------------------------------------

static enum status split(struct space *space, uint64_t address)
{
    struct region *lower = region_find(space, address);
    if (lower == nullptr || lower->start == address)
        return STATUS_OK;
    ASSERT(lower->kind != REGION_KERNEL);
    struct region *upper = region_create(space);
    if (upper == nullptr)
        return STATUS_OVERLOADED;
    *upper = (struct region){.start = address,
                             .end = lower->end,
                             .object = lower->object,
                             .offset_bytes = lower->offset_bytes + (address - lower->start),
                             .kind = lower->kind,
                             .protection = lower->protection,
                             .lazy = lower->lazy,
                             .is_image = lower->is_image};
    lower->end = address;
    lower->apart = false;
    region_insert(space, upper, region_next(lower));
    return STATUS_OK;
}

static bool joinable(const struct region *lower, const struct region *upper)
{
    if (lower->end != upper->start || lower->kind != upper->kind ||
        lower->protection != upper->protection || lower->lazy != upper->lazy ||
        lower->is_image != upper->is_image || lower->kind == REGION_KERNEL)
        return false;
    return lower->kind != REGION_OBJECT ||
           (lower->object == upper->object &&
            lower->offset_bytes + (lower->end - lower->start) == upper->offset_bytes);
}

// Makes a region and the next one, which it can be joined with, one.
static void absorb(struct space *space, struct region *region, struct region *next)
{
    region->end = next->end; // before it goes: its successor's gap is measured from it
    region->apart = false;
    region_remove(space, next);
}

void region_merge(struct space *space, uint64_t start, uint64_t end)
{
    struct region *region = region_find_from(space, start - 1);
    struct region *next;
    while (region != nullptr && (next = region_next(region)) != nullptr && next->start <= end) {
        if (joinable(region, next))
            absorb(space, region, next);
        else
            region = next;
    }
}

void region_join(struct space *space, struct region *region)
{
    struct region *next = region_next(region), *previous = region_previous(region);
    if (next != nullptr && joinable(region, next))
        absorb(space, region, next);
    if (previous != nullptr && joinable(previous, region))
        absorb(space, previous, region);
}

enum status region_isolate(struct space *space, uint64_t start, uint64_t end)
{
    space->words.bytes = 0; // what is isolated is going to change
    enum status status = split(space, start);
    if (status == STATUS_OK)
        status = split(space, end);
    if (status != STATUS_OK)
        region_merge(space, start, end);
    return status;
}

// ---- Free ranges --------------------------------------------------------------------

static bool has_gap(const struct rbtree_node *node, uint64_t size_bytes)
{
    return node != nullptr && ((const struct region *)node)->gap_max >= size_bytes;
}

// The first region of a subtree that has_gap with a gap of at least that size.
static struct region *first_with_gap(struct rbtree_node *node, uint64_t size_bytes)
{
    while (true) {
        if (has_gap(node->child[0], size_bytes))
            node = node->child[0];
        else if (region_of(node)->gap >= size_bytes)
            return region_of(node);
        else
            node = node->child[1];
    }
}

// The first region behind another with a gap of at least that size; nullptr without one.
static struct region *next_with_gap(struct region *region, uint64_t size_bytes)
{
    struct rbtree_node *node = &region->node;
    if (has_gap(node->child[1], size_bytes))
        return first_with_gap(node->child[1], size_bytes);
    for (; node->parent != nullptr; node = node->parent) {
        if (node->parent->child[0] != node)
            continue;
        if (region_of(node->parent)->gap >= size_bytes)
            return region_of(node->parent);
        if (has_gap(node->parent->child[1], size_bytes))
            return first_with_gap(node->parent->child[1], size_bytes);
    }
    return nullptr;
}

// Whether the free range [gap_start, gap_end) has room from `from` on, and where.
static bool place(uint64_t gap_start, uint64_t gap_end, uint64_t from, uint64_t length_bytes,
                  uint64_t alignment_bytes, uint64_t *out_address)
{
    uint64_t address = gap_start + PAGE_BYTES;
    if (address < from)
        address = from;
    uint64_t aligned = (address + (alignment_bytes - 1)) & ~(alignment_bytes - 1);
    if (aligned < address || aligned > gap_end || gap_end - aligned < length_bytes + PAGE_BYTES)
        return false;
    *out_address = aligned;
    return true;
}

// First fit from an address on.
static bool find_free_from(const struct space *space, uint64_t from, uint64_t length_bytes,
                           uint64_t alignment_bytes, uint64_t *out_address,
                           struct region **out_next)
{
    // A gap of this size holds the range wherever the gap begins.
    uint64_t size_bytes = length_bytes + alignment_bytes + PAGE_BYTES;
    struct region *region = region_find_from(space, from);
    for (; region != nullptr; region = next_with_gap(region, size_bytes)) {
        *out_next = region;
        if (place(region->start - region->gap, region->start, from, length_bytes,
                  alignment_bytes, out_address))
            return true;
    }
    *out_next = nullptr;
    const struct region *last = region_of(rbtree_last(&space->regions));
    return place(last == nullptr ? USER_ADDRESS_MIN : last->end, USER_ADDRESS_END, from,
                 length_bytes, alignment_bytes, out_address);
}

bool region_find_free(const struct space *space, uint64_t from, uint64_t length_bytes,
                      uint64_t alignment_bytes, uint64_t *out_address, struct region **out_next)
{
    ASSERT(alignment_bytes >= PAGE_BYTES && length_bytes <= USER_ADDRESS_END);
    return find_free_from(space, from, length_bytes, alignment_bytes, out_address, out_next) ||
           find_free_from(space, USER_ADDRESS_MIN, length_bytes, alignment_bytes, out_address,
                          out_next);
}
