// SPDX-License-Identifier: MIT
// Address spaces: regions, mappings, demand-zero pages, snapshots, and the one copy routine
// (space.c, fault.c, region.c, page.c, table.c, snapshot.c, copy.c).
//
// Invariants:
//  1. Regions are disjoint, sorted in a red-black tree, and cover every mapped page.
//     Neighbours that could be one region are one.
//  2. Committed pages and page tables are charged when committed; a touch can't fail.
//     Lazily committed ones are charged when touched; then a touch can fail, which is a
//     fault.  Page tables that nothing needs any more are given back, but for those of the short
//     range that was let go last (table.h).
//  3. No page is writable and executable.
//  4. A frame that two spaces or objects share is mapped for writing nowhere: the first write
//     to it makes a copy, which was charged when the sharing began.
//  5. User memory is reached by walking this structure and copying from or to the
//     frame: no user address is ever dereferenced.
//
// Costs: O(log regions) to find anything, a free range included; then linear in what is
// mapped in the range, pages or large pages (what was reserved, or committed and not touched,
// costs a step for each 2 MiB that have a page table, each GiB that hasn't).
#pragma once

#include <stdint.h>

#include <gen/kernel/virtual_memory.h> // enum protection
#include <kernel/arch.h>
#include <kernel/mm/budget.h>
#include <lib/list.h>
#include <lib/rbtree.h>

struct memory_object;

// What a word of user memory is, for whoever waits for it to change: a place in a memory
// object, the same in every space that maps it, or in the space itself.
struct space_word {
    const void *owner;
    uint64_t offset;
};

// A readable range of which the words are known: where the last one was looked up.
struct space_word_range {
    uint64_t start;
    uint64_t bytes;          // 0: nothing is known
    struct space_word first; // the one at `start`
};

struct space {
    struct arch_space arch;
    struct budget *budget;     // referenced; pays for everything here
    struct rbtree regions;     // struct region (region.h), by address
    struct region *last_found; // in the tree, or nullptr; where the next one is looked for
    struct region *spare;      // region_retire; not counted
    uint64_t region_count;
    uint64_t committed_bytes;      // anonymous memory, charged
    uint64_t resident_bytes;       // pages that are mapped now, own and shared
    uint64_t table_bytes;          // page tables, charged
    uint32_t table_first;          // their frames' numbers, linked by struct frame
    uint64_t let_go_start;         // the range whose tables table_let_go has kept
    uint64_t let_go_end;           // 0: none
    uint64_t uncached_count;       // regions of device registers, which can't be copied
    uint64_t placement_hint;       // where the search for a free range starts, random
    uint64_t kernel_hint;          // the same for frames of the kernel's own
    bool has_shared;               // frames of anonymous memory may be those of a snapshot
    bool is_snapshot;              // nobody runs in it; anonymous memory is charged as if lazy
    struct space_word_range words; // forgotten when a region changes
    struct list sleepers;          // struct op.queue_link of parked threads (ipc/park.c)
};

// An empty space.  STATUS_OVERLOADED without memory; then nothing is kept.
[[nodiscard]] enum status space_init(struct space *space, struct budget *budget,
                                     uint64_t placement_seed);
// Unmaps everything and uncharges it.
void space_fini(struct space *space);

// What one step of work on a space may do, in pages or what takes as long; the kernel does other
// things between two.
constexpr uint64_t SPACE_STEP_WORK = 2048;

// One step before space_fini of a space in which nobody runs any more: gives a part of what it has
// back, the lowest first, and returns whether the rest is no more than a step too.  The
// space stays one.
[[nodiscard]] bool space_shrink(struct space *space);

// What one of the operations below may change, in pages, regions and, 32 each, large pages:
// the kernel is alone as long as it runs, so what would take longer is refused and done in
// parts.  A range of so many pages never has more.
constexpr uint64_t SPACE_WORK_MAX = 65536;

// The operations of VirtualMemory; arguments are checked here, `out_reason` gets a
// static text that names the argument and its range when the status is
// STATUS_INVALID_ARGUMENT or STATUS_FAILED.  All take effect whole or not at all;
// STATUS_OVERLOADED: the space's budget is exhausted.

// An address that the space chooses has a free page before and behind the range, so that
// running over either end faults.  Adjacent reservations join into one.
[[nodiscard]] enum status space_reserve(struct space *space, uint64_t length_bytes,
                                        uint64_t address, uint64_t alignment_bytes,
                                        uint64_t *out_address, const char **out_reason);
[[nodiscard]] enum status space_commit(struct space *space, uint64_t address,
                                       uint64_t length_bytes, enum protection protection,
                                       const char **out_reason);
// The same for pages and tables that are charged when they are touched; pages that are
// committed already stay so and take the protection.
[[nodiscard]] enum status space_commit_lazily(struct space *space, uint64_t address,
                                              uint64_t length_bytes, enum protection protection,
                                              const char **out_reason);
// Reserves and commits at once: a range that is free.  address 0: chosen.  A short range is
// brought in at once.
[[nodiscard]] enum status space_allocate(struct space *space, uint64_t length_bytes,
                                         uint64_t address, enum protection protection,
                                         uint64_t *out_address, const char **out_reason);
[[nodiscard]] enum status space_decommit(struct space *space, uint64_t address,
                                         uint64_t length_bytes, const char **out_reason);
[[nodiscard]] enum status space_protect(struct space *space, uint64_t address,
                                        uint64_t length_bytes, enum protection protection,
                                        const char **out_reason);
// Takes a reference on the object.  address 0: chosen.  The pages of a short range that
// the object has already are mapped now, the others when they are touched.
[[nodiscard]] enum status space_map(struct space *space, struct memory_object *object,
                                    uint64_t offset_bytes, uint64_t length_bytes,
                                    uint64_t address, enum protection protection,
                                    uint64_t *out_address, const char **out_reason);
// The same for what a process is built with: a copy of the space has a copy of it.
[[nodiscard]] enum status space_map_image(struct space *space, struct memory_object *object,
                                          uint64_t offset_bytes, uint64_t length_bytes,
                                          uint64_t address, enum protection protection,
                                          uint64_t *out_address, const char **out_reason);
[[nodiscard]] enum status space_unmap(struct space *space, uint64_t address,
                                      uint64_t length_bytes, const char **out_reason);

// Where the next frames of the kernel's own go: a few pages, at random, behind an address that
// the program uses, so that they need no page tables of their own.  An address that a space
// wouldn't choose changes nothing.
void space_place_kernel_frames(struct space *space, uint64_t address);

// Maps frames of the kernel's own (ring, CapSet) at an address chosen by the space.
// The frames stay the caller's, who keeps them until they are unmapped or the space has
// ended; user code may not unmap or protect the range.  STATUS_OVERLOADED: budget or
// addresses are exhausted.
[[nodiscard]] enum status space_map_kernel_frames(struct space *space, paddr_t first,
                                                  uint64_t length_bytes,
                                                  enum page_access access,
                                                  uint64_t *out_address);
// Unmaps what space_map_kernel_frames mapped at an address.  No CPU reaches the frames
// through this space any more.
void space_unmap_kernel_frames(struct space *space, uint64_t address);

// Makes an empty space, in which nobody runs, a copy of another one as it is now: the same
// reservations and mappings; anonymous memory, and what of the image can be written to, shared
// until one side writes.  Left out are device registers and what is the kernel's.  With
// to->is_snapshot only the memory that is there now is charged, else all that is committed.
// STATUS_OVERLOADED without memory; then `to` is a part of the copy, to be ended.  Linear in
// the regions and in what is mapped.
[[nodiscard]] enum status space_clone(struct space *to, struct space *from);

// Resolves a user page fault: STATUS_OK, the access can be tried again; otherwise
// STATUS_FAILED and the kind of fault (enum fault_kind): unmapped, protection, or
// guardPage for the page directly below committed read-write memory, if nothing
// accessible is there: stacks grow into it; or outOfMemory for lazily committed memory
// when the budget is exhausted.
[[nodiscard]] enum status space_fault(struct space *space, uint64_t address, bool write,
                                      bool execute, unsigned *out_fault_kind);

// Brings the page of an address in that is going to be written to, if it is committed memory that
// isn't there yet; else nothing.
void space_expect_write(struct space *space, uint64_t address);

// The word at an address.  STATUS_BAD_ADDRESS: nothing is committed or mapped there that may
// be read.
[[nodiscard]] enum status space_word_find(struct space *space, uint64_t address,
                                          struct space_word *out_word);
[[nodiscard]] static inline enum status space_word_at(struct space *space, uint64_t address,
                                                      struct space_word *out_word)
{
    uint64_t distance = address - space->words.start;
    if (distance >= space->words.bytes)
        return space_word_find(space, address, out_word);
    out_word->owner = space->words.first.owner;
    out_word->offset = space->words.first.offset + distance;
    return STATUS_OK;
}
// Reads an aligned word of 4 or 8 bytes in one access.  STATUS_BAD_ADDRESS as above.
[[nodiscard]] enum status space_load(struct space *space, uint64_t address,
                                     unsigned width_bytes, uint64_t *out_value);
// The same in line for a word of 4 bytes in the page in which the last one was.
[[nodiscard]] static inline enum status space_load_32(struct space *space, uint64_t address,
                                                      uint64_t *out_value)
{
    const struct arch_space *arch = &space->arch;
    if ((address & ~(PAGE_BYTES - 1)) + 1 != arch->known_page || address % 4 != 0)
        return space_load(space, address, 4, out_value);
    *out_value = __atomic_load_n(
        (const uint32_t *)(const void *)(arch->known_bytes + address % PAGE_BYTES),
        __ATOMIC_SEQ_CST);
    return STATUS_OK;
}

// The copy routine.  Copies between user memory of two spaces, or of one and the
// kernel.  STATUS_BAD_ADDRESS if a page isn't mapped with the access needed, or is device
// registers; then part may have been copied.  Brings demand-zero pages in.
[[nodiscard]] enum status space_copy_in(struct space *space, void *to, uint64_t from,
                                        uint64_t size_bytes);
[[nodiscard]] enum status space_copy_out(struct space *space, uint64_t to, const void *from,
                                         uint64_t size_bytes);
[[nodiscard]] enum status space_copy_across(struct space *to_space, uint64_t to,
                                            struct space *from_space, uint64_t from,
                                            uint64_t size_bytes);

// Copies bytes of an object, which isn't device registers, to where space_allocate has just
// committed memory, whatever its protection.  `to` and offset_bytes lie at the same place of
// their pages; both ranges have been checked.
void space_fill(struct space *space, uint64_t to, const struct memory_object *object,
                uint64_t offset_bytes, uint64_t size_bytes);
