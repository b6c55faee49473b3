// SPDX-License-Identifier: MIT
// Pages of an address space: what is mapped where, and its frames (page.c).  Private to
// kernel/mm.
//
// Every function takes whole pages of one region whose page tables have been prepared.
#pragma once

#include <kernel/mm/region.h>

// The page access of a protection: the numbers are the same.
[[nodiscard]] enum page_access page_access_of(enum protection protection);

// Maps a frame at a page where nothing is mapped.
void page_map(struct space *space, const struct region *region, uint64_t address,
              paddr_t frame);

// The same for a frame of anonymous memory that nobody shares.
void page_map_own(struct space *space, const struct region *region, uint64_t address,
                  paddr_t frame);

// The same for pages and frames that follow each other, which nobody can share until he writes.
void page_map_run(struct space *space, const struct region *region, uint64_t address,
                  paddr_t first, uint64_t page_count);

// Brings the page in: a fresh zeroed frame, or the object's, and what lies around it if that
// costs no more faults: a large page, or a few of the object's next pages that exist already.
// Nothing is mapped at `address`.  STATUS_OVERLOADED only for a lazy region.
[[nodiscard]] enum status page_bring_in(struct space *space, const struct region *region,
                                        uint64_t address);

// Makes a page that is mapped, of a region that allows it, writable: a frame that others
// share is replaced by a copy.
void page_make_writable(struct space *space, const struct region *region, uint64_t address);

// Maps those of the object's pages in a range that exist and aren't mapped.
void page_map_present(struct space *space, const struct region *region, uint64_t start,
                      uint64_t end);

// The same for all of a region in which nothing is mapped.
void page_map_new(struct space *space, const struct region *region);

// Unmaps what is mapped in a range, puts the frames of anonymous memory, and returns how
// many bytes were mapped.
uint64_t page_unmap_all(struct space *space, const struct region *region, uint64_t start,
                        uint64_t end);

// The same from `start` on as far as *work reaches, of which what was done is taken; returns up to
// where.  out_unmapped_bytes: how many were mapped.
[[nodiscard]] uint64_t page_unmap_some(struct space *space, const struct region *region,
                                       uint64_t start, uint64_t *work,
                                       uint64_t *out_unmapped_bytes);

// Puts the frames of a region of anonymous memory, in a space that ends: they stay in its
// tables, which nobody uses any more.
void page_put_all(struct space *space, const struct region *region);

// Gives what is mapped in a range the access of the region's protection.
void page_protect_all(struct space *space, const struct region *region, uint64_t start,
                      uint64_t end);

// How many bytes of a range are mapped.
[[nodiscard]] uint64_t page_count_mapped(const struct space *space, uint64_t start,
                                         uint64_t end);

// Maps the frames of a region of anonymous memory, as far as they are there, in another space
// too, where a region of the same range has been made.  Neither can write to them until
// page_make_writable.  STATUS_OVERLOADED if the other region is lazy and a page can't be
// charged; then some are mapped.
[[nodiscard]] enum status page_share_all(struct space *from, const struct region *from_region,
                                         struct space *to, const struct region *to_region);
// The same for the frames of the object that a region maps, into anonymous memory.
[[nodiscard]] enum status page_share_object(const struct region *from_region, struct space *to,
                                            const struct region *to_region);
