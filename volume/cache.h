// SPDX-License-Identifier: MIT
// Pieces of files that were read, so that they are read again without the engine (cache.c).
//
// Invariants:
//  1. What is here is what the engine would read: who changes a piece in the engine changes it
//     here, or drops it, before the next read.
//  2. A piece is here once.
#pragma once

#include <stdint.h>

struct cache;

// Takes so much memory, or less for want of it; nullptr: none, which every function accepts.
[[nodiscard]] struct cache *cache_create(uint32_t bytes);
void cache_destroy(struct cache *cache);

// The bytes of a piece, and how many there are.  nullptr: it isn't here.  Good until the next
// cache_add.
[[nodiscard]] uint8_t *cache_find(struct cache *cache, uint64_t row, uint32_t *out_bytes);
// A place for a piece that isn't here, to be filled by the caller, or dropped.  nullptr: there is
// none for so many bytes.
[[nodiscard]] uint8_t *cache_add(struct cache *cache, uint64_t row, uint32_t bytes);
void cache_drop(struct cache *cache, uint64_t row);
// Drops rows from `first` up to, without it, `end`.
void cache_drop_range(struct cache *cache, uint64_t first, uint64_t end);
