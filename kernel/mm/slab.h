// SPDX-License-Identifier: MIT
// Kernel structures of up to a page, charged to a budget (slab.c).
//
// Memory of a charged object is backed (see budget.h).  Objects come zeroed.  What is
// charged are the pages that hold a budget's objects, one budget's only: less than a page
// per size class more than the objects need, unless many were freed around others.
#pragma once

#include <stddef.h>

#include <kernel/mm/budget.h>

// A type of structure.
struct slab_cache {
    const char *name;
    uint32_t object_bytes; // at most 4096
    uint32_t live_count;   // objects handed out, of all budgets
    // private to slab.c:
    uint8_t class_known; // index of the size class + 1; 0 before the first use
};

#define SLAB_CACHE(type) {.name = #type, .object_bytes = sizeof(type)}

// A zeroed object, aligned to 32 bytes, and to 64 if it is larger than 96 bytes.  nullptr
// when the budget is exhausted.
[[nodiscard]] void *slab_get(struct slab_cache *cache, struct budget *budget);
// Gives it back to the budget that paid for it.
void slab_put(struct slab_cache *cache, struct budget *budget, void *object);

// Whole pages for tables that grow, contiguous, zeroed, charged as kernel memory: 2^order
// of them, order at most FRAME_ORDER_MAX.  nullptr when the budget is exhausted or no run
// is left.
[[nodiscard]] void *kernel_pages_get(struct budget *budget, unsigned order);
void kernel_pages_put(struct budget *budget, void *pages, unsigned order);
