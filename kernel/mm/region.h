// SPDX-License-Identifier: MIT
// Regions: what a range of user addresses is used for (region.c).  Private to kernel/mm;
// the outside sees space.h.
//
// The tree is augmented with the largest free gap, so a free range is found without
// looking at each region.
#pragma once

#include <kernel/mm/space.h>
#include <lib/list.h>

enum region_kind : uint8_t {
    REGION_RESERVED,  // addresses only
    REGION_ANONYMOUS, // demand-zero memory of this space
    REGION_OBJECT,    // a part of a memory object
    REGION_KERNEL,    // frames of the kernel's own
    REGION_SPARE,     // nothing, for others than region_retire; one at most
};

struct region {
    struct rbtree_node node;
    uint64_t start; // [start, end), multiples of PAGE_BYTES
    uint64_t end;
    uint64_t gap;     // free bytes before start
    uint64_t gap_max; // the largest gap in the subtree
    // REGION_OBJECT:
    struct memory_object *object; // referenced
    uint64_t offset_bytes;        // in the object, of start
    struct list_link object_link; // of the object's mappings
    struct space *space;
    enum region_kind kind;
    uint8_t protection; // enum protection; PROTECTION_NONE for REGION_RESERVED
    bool lazy;          // REGION_ANONYMOUS: pages and tables are charged when touched
    bool is_image;      // REGION_OBJECT: the process was built with it (space_map_image)
    bool apart;         // a free page is known to be on both sides
};

// Makes the tree empty.
void region_tree_init(struct space *space);

// The region that contains an address; nullptr without one.  Most often it is the one that was
// found last.
[[nodiscard]] struct region *region_find_other(struct space *space, uint64_t address);
[[nodiscard]] static inline struct region *region_find(struct space *space, uint64_t address)
{
    struct region *last = space->last_found;
    return last != nullptr && address >= last->start && address < last->end
               ? last
               : region_find_other(space, address);
}

// The first region that ends behind an address; nullptr without one.
[[nodiscard]] struct region *region_find_from(const struct space *space, uint64_t address);

// The last region; nullptr if there is none.
[[nodiscard]] struct region *region_last(const struct space *space);
[[nodiscard]] struct region *region_next(const struct region *region);
[[nodiscard]] struct region *region_previous(const struct region *region);

// A region outside the tree, charged; nullptr without memory.
[[nodiscard]] struct region *region_create(struct space *space);
// Frees a region that is in no tree and refers to no object.
void region_destroy(struct space *space, struct region *region);

// Puts a region whose range is free into the tree, before the first region behind it (nullptr:
// there is none); takes a reference on its object and enters the object's list of mappings.
void region_insert(struct space *space, struct region *region, struct region *next);
// Takes a region out, frees it and puts its object.  Its pages have been unmapped.
void region_remove(struct space *space, struct region *region);
// The same of the part before an address within it.
void region_remove_front(struct space *space, struct region *region, uint64_t address);

// What is mapped for a short time has the same length each time.  So the region that is removed
// last may stay in the tree as space->spare, without object and pages, with its page tables:
// region_revive makes another of its length of it, without the search for a free range, an
// allocation, or a change of the tree.
//
// Nobody else may take it for a region or its range for taken: whatever walks the tree drops it
// first.  So nothing comes next to it, and what made its place one that a space may choose
// stays true: a free page on both sides.

// Removes a region, or makes it the spare one.
void region_retire(struct space *space, struct region *region);
// Frees the spare one.
void region_spare_free(struct space *space);
static inline void region_spare_drop(struct space *space)
{
    if (space->spare != nullptr)
        region_spare_free(space);
}
// The spare one if it has this length; else nullptr.
[[nodiscard]] static inline struct region *region_spare_of(const struct space *space,
                                                           uint64_t length_bytes)
{
    struct region *spare = space->spare;
    return spare != nullptr && spare->end - spare->start == length_bytes ? spare : nullptr;
}
// What region_insert is for others: makes the spare one what its fields say.
void region_revive(struct space *space);

// Removes all regions, the spare one too.
void region_remove_all(struct space *space);

// Splits the regions at the ends of a range, so that each region lies in it or outside.
// STATUS_OVERLOADED without memory; then nothing has changed.
[[nodiscard]] enum status region_isolate(struct space *space, uint64_t start, uint64_t end);
// Joins what can be joined in a range and at its ends.
void region_merge(struct space *space, uint64_t start, uint64_t end);
// Joins a region with its neighbours, if it can be.
void region_join(struct space *space, struct region *region);

// Chooses a free range with a free page on both sides, the first behind `from` if there is one.
// False when there is none (for an alignment above PAGE_BYTES: none so large that it holds the
// range wherever it begins).  out_next: the first region behind it, or nullptr.
[[nodiscard]] bool region_find_free(const struct space *space, uint64_t from,
                                    uint64_t length_bytes, uint64_t alignment_bytes,
                                    uint64_t *out_address, struct region **out_next);
