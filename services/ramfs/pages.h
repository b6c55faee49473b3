// SPDX-License-Identifier: MIT
// The memory of one ram file system: pages for data and small pieces for names.
//
// Pages come in *chunks*, which a source gives and takes back: MemoryObjects charged to the
// creator's budget, or the heap in host tests.  A page is named by a number, so that an index
// of pages takes 4 bytes for each; 0 is no page.
//
// Invariants:
//  1. In a chunk of its own (`pages_get_chunk`) a page that is put is not used again before the
//     chunk is gone: somebody else may have it mapped.
//  2. A chunk without a used page goes back to the source, but for one that is kept.
//  3. `page_count` never exceeds `page_count_max`.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr uint32_t PAGES_BYTES = 4096; // of a page
constexpr uint32_t PAGES_CHUNK_MAX = 256;
constexpr uint32_t PIECE_SIZES = 7; // 32 to 2048 bytes, powers of two

// Where chunks come from.
struct pages_source {
    // Zero-filled memory; nullptr if there is none.  *out_object is the source's name for it.
    void *(*get)(void *context, uint32_t page_count, uint64_t *out_object);
    void (*put)(void *context, void *memory, uint32_t page_count, uint64_t object);
    void *context;
};

struct chunk {
    uint8_t *memory; // nullptr: free
    uint64_t object;
    uint32_t page_count;
    uint32_t used_count;
    uint64_t free[PAGES_CHUNK_MAX / 64]; // bit: the page can be used
    bool own;                            // invariant 1
};

struct pages {
    struct pages_source source;
    struct chunk *chunks; // by number; 0 is none
    uint32_t chunk_count; // places in `chunks`
    uint32_t page_count;  // in all chunks
    uint32_t page_count_max;
    uint32_t used_count;
    uint32_t first_free; // no chunk before it has a free page
    struct piece *pieces[PIECE_SIZES];
};

void pages_init(struct pages *pages, const struct pages_source *source,
                uint32_t page_count_max);
// Gives back all chunks.
void pages_fini(struct pages *pages);

// A page with any contents; 0 if there is none.
[[nodiscard]] uint32_t pages_get(struct pages *pages);
void pages_put(struct pages *pages, uint32_t page);
[[nodiscard]] void *pages_at(const struct pages *pages, uint32_t page);

// A chunk of its own, all of its pages used and zero; returns the number of its first page,
// behind which the others have the following numbers.  0 if there is none.
[[nodiscard]] uint32_t pages_get_chunk(struct pages *pages, uint32_t page_count);
// The chunk of its own that a page lies in; nullptr: it lies in another one.
[[nodiscard]] const struct chunk *pages_own_chunk(const struct pages *pages, uint32_t page);
[[nodiscard]] static inline uint32_t pages_place_in_chunk(uint32_t page)
{
    return page % PAGES_CHUNK_MAX;
}

// A zeroed piece of memory of 1 to 2048 bytes; nullptr if there is none.
[[nodiscard]] void *pages_piece_get(struct pages *pages, size_t size_bytes);
void pages_piece_put(struct pages *pages, void *piece, size_t size_bytes);
