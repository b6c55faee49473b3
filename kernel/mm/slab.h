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
    uint32_t object_bytes; // at most 4096; a multiple of 8
    uint32_t live_count;   // objects handed out, of all budgets
    uint8_t class_index;   // SLAB_CLASS
};

// The size class of objects: how many classes are smaller.
#define SLAB_CLASS(bytes)                                                                      \
    (((bytes) > 32) + ((bytes) > 64) + ((bytes) > 96) + ((bytes) > 128) + ((bytes) > 192) +    \
     ((bytes) > 256) + ((bytes) > 320) + ((bytes) > 384) + ((bytes) > 512) + ((bytes) > 640) + \
     ((bytes) > 768) + ((bytes) > 1024) + ((bytes) > 1344) + ((bytes) > 2048) +                \
     ((bytes) > 4096))

#define SLAB_CACHE_OF(cache_name, bytes)   \
    {.name = (cache_name),                 \
     .object_bytes = ((bytes) + 7u) & ~7u, \
     .class_index = (uint8_t)SLAB_CLASS(bytes)}
#define SLAB_CACHE(type) SLAB_CACHE_OF(#type, sizeof(type))

// Of a type whose size is known late.  The cache has no objects.
static inline void slab_cache_init(struct slab_cache *cache, size_t object_bytes)
{
    cache->object_bytes = (uint32_t)(object_bytes + 7) & ~7u;
    cache->class_index = (uint8_t)SLAB_CLASS(object_bytes);
}

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
