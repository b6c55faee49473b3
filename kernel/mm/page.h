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

// Brings the page in: a fresh zeroed frame, or the object's, and then a few of the
// object's next pages that exist already.  Nothing is mapped at `address`.
void page_bring_in(struct space *space, const struct region *region, uint64_t address);

// Maps those of the object's pages in a range that exist and aren't mapped.
void page_map_present(struct space *space, const struct region *region, uint64_t start,
                      uint64_t end);

// Unmaps what is mapped in a range; the frames of anonymous memory are put.
void page_unmap_all(struct space *space, const struct region *region, uint64_t start,
                    uint64_t end);

// Gives what is mapped in a range the access of the region's protection.
void page_protect_all(struct space *space, const struct region *region, uint64_t start,
                      uint64_t end);
