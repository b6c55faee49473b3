// SPDX-License-Identifier: MIT
// The heap's algorithm, apart from where its pages come from (heap.c).
//
// Small blocks, up to HEAP_SMALL_BYTES_MAX, come from *spans*: 64 KiB of one arena, cut
// into blocks of one size class.  A larger block is a mapping of its own.
//
// Invariants:
//  1. What the heap knows of a span lies outside of it, in a table, so a program that
//     writes beyond its block damages its own data, never the books.
//  2. Bit i of a span's map is set as long as block i has an owner.  A free of a block
//     without owner, or of an address that is no block, is found, and fatal.
//  3. A mapping starts with a header sealed by a secret; a free checks the seal.
//  4. All blocks are aligned to 16 bytes.
//
// Doesn't lock: each process has one thread so far.
// Tested by heap_test.c over pages of the host.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr size_t HEAP_SPAN_BYTES = 64 * 1024;
constexpr size_t HEAP_SMALL_BYTES_MAX = 16 * 1024;
constexpr uint32_t HEAP_CLASS_COUNT = 36;
constexpr uint32_t HEAP_SPAN_COUNT_MAX = 16 * 1024; // an arena of 1 GiB
constexpr uint32_t HEAP_SPAN_NONE = UINT32_MAX;

// Where pages come from.  Sizes are multiples of 4096, addresses too.
struct heap_pages {
    // Sets addresses aside; nullptr without any.
    void *(*reserve)(size_t bytes);
    // Backs them with zeroed memory; false without any.
    bool (*commit)(void *address, size_t bytes);
    // Takes the memory back; the addresses stay reserved.
    void (*decommit)(void *address, size_t bytes);
    // Gives addresses and memory back.
    void (*unmap)(void *address, size_t bytes);
    // The program's books are wrong.  Doesn't return.
    void (*corrupt)(const char *what, const void *address);
};

struct heap_span;

struct heap {
    const struct heap_pages *pages;
    uint64_t secret;
    uint8_t *arena;          // nullptr until the first block
    struct heap_span *spans; // HEAP_SPAN_COUNT_MAX of them, committed as they are used
    uint32_t span_count;     // spans ever used, the first ones of the arena
    uint32_t span_free;      // first unused span below span_count, or HEAP_SPAN_NONE
    uint32_t partial[HEAP_CLASS_COUNT]; // first span of the class with a free block
};

// A heap without any pages yet; `secret` is a random number.
void heap_init(struct heap *heap, const struct heap_pages *pages, uint64_t secret);

// A block of at least `bytes` bytes, not zeroed; nullptr without memory.
[[nodiscard]] void *heap_allocate(struct heap *heap, size_t bytes);
// The same at a multiple of `alignment`, a power of two up to 1 GiB.
[[nodiscard]] void *heap_allocate_aligned(struct heap *heap, size_t alignment, size_t bytes);
// Whether a fresh block of that many bytes is known to be zero: it is a new mapping.
[[nodiscard]] bool heap_is_zeroed(size_t bytes);
void heap_free(struct heap *heap, void *block);
// The block with its first bytes, perhaps elsewhere; nullptr without memory, and the old
// one is untouched.
[[nodiscard]] void *heap_resize(struct heap *heap, void *block, size_t bytes);
// How many bytes the owner may use.
[[nodiscard]] size_t heap_block_bytes(struct heap *heap, const void *block);
