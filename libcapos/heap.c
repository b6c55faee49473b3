// SPDX-License-Identifier: MIT
// The heap's algorithm; heap.h has the idea and the invariants.
#include "heap.h"

#include <string.h>

constexpr size_t PAGE = 4096;
constexpr uint32_t MAP_WORDS = HEAP_SPAN_BYTES / 16 / 64;
constexpr uint64_t LARGE_SEAL = UINT64_C(0x6c617267652e6d61);

struct heap_span {
    uint32_t class_index;
    uint32_t block_count;
    uint32_t used_count;
    uint32_t word_hint; // no word of the map below it has a clear bit
    uint32_t next;      // in the list of the class's spans with a free block, or of
    uint32_t previous;  // unused spans (next only)
    bool in_use;
    uint64_t map[MAP_WORDS]; // bit set: the block has an owner, or doesn't exist
};

// What lies at the start of a mapping, or of the part of it that the block needs.
struct large_header {
    uint64_t seal; // LARGE_SEAL ^ secret ^ own address
    uint8_t *reservation;
    size_t reserved_bytes;
    size_t committed_bytes; // from the page of this header on
};
static_assert(sizeof(struct large_header) % 16 == 0);

// ---- Size classes ------------------------------------------------------------------
// 16 to 128 in steps of 16, then four for each doubling: waste stays below a fifth.

static uint32_t class_of(size_t bytes)
{
    if (bytes <= 128)
        return bytes == 0 ? 0 : (uint32_t)((bytes - 1) / 16);
    // 2^shift <= bytes - 1 < 2^(shift + 1); the two bits below the first choose the class.
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(bytes - 1);
    uint32_t quarter = (uint32_t)((bytes - 1) >> (shift - 2)) & 3;
    return 8 + (shift - 7) * 4 + quarter;
}

static uint32_t class_bytes(uint32_t class_index)
{
    if (class_index < 8)
        return (class_index + 1) * 16;
    uint32_t shift = 7 + (class_index - 8) / 4;
    return (1u << shift) + ((class_index - 8) % 4 + 1) * (1u << (shift - 2));
}

static size_t round_up(size_t bytes, size_t step)
{
    return (bytes + step - 1) & ~(step - 1);
}

// ---- Spans -------------------------------------------------------------------------

void heap_init(struct heap *heap, const struct heap_pages *pages, uint64_t secret)
{
    *heap = (struct heap){.pages = pages, .secret = secret, .span_free = HEAP_SPAN_NONE};
    for (uint32_t i = 0; i < HEAP_CLASS_COUNT; i++)
        heap->partial[i] = HEAP_SPAN_NONE;
}

static uint8_t *span_address(const struct heap *heap, const struct heap_span *span)
{
    return heap->arena + (size_t)(span - heap->spans) * HEAP_SPAN_BYTES;
}

// Reserves the arena and, behind it, the table of spans.
static bool arena_reserve(struct heap *heap)
{
    size_t arena_bytes = HEAP_SPAN_COUNT_MAX * HEAP_SPAN_BYTES;
    size_t table_bytes = round_up(HEAP_SPAN_COUNT_MAX * sizeof(struct heap_span), PAGE);
    uint8_t *arena = heap->pages->reserve(arena_bytes + table_bytes);
    if (arena == nullptr)
        return false;
    heap->arena = arena;
    heap->spans = (struct heap_span *)(void *)(arena + arena_bytes);
    return true;
}

// Commits the table's pages that the next span needs and earlier ones didn't.
static bool span_entry_commit(struct heap *heap)
{
    size_t used = round_up(heap->span_count * sizeof(struct heap_span), PAGE);
    size_t needed = round_up((heap->span_count + 1) * sizeof(struct heap_span), PAGE);
    return needed == used || heap->pages->commit((uint8_t *)heap->spans + used, needed - used);
}

// Backs a span with memory: one that was used before if possible.
static struct heap_span *span_take(struct heap *heap)
{
    struct heap_span *span;
    if (heap->arena == nullptr && !arena_reserve(heap))
        return nullptr;
    if (heap->span_free != HEAP_SPAN_NONE) {
        span = &heap->spans[heap->span_free];
        if (!heap->pages->commit(span_address(heap, span), HEAP_SPAN_BYTES))
            return nullptr;
        heap->span_free = span->next;
        return span;
    }
    if (heap->span_count == HEAP_SPAN_COUNT_MAX || !span_entry_commit(heap))
        return nullptr;
    span = &heap->spans[heap->span_count];
    if (!heap->pages->commit(span_address(heap, span), HEAP_SPAN_BYTES))
        return nullptr;
    heap->span_count++;
    return span;
}

static void partial_insert(struct heap *heap, struct heap_span *span)
{
    uint32_t index = (uint32_t)(span - heap->spans);
    uint32_t *first = &heap->partial[span->class_index];
    span->next = *first;
    span->previous = HEAP_SPAN_NONE;
    if (*first != HEAP_SPAN_NONE)
        heap->spans[*first].previous = index;
    *first = index;
}

static void partial_remove(struct heap *heap, struct heap_span *span)
{
    if (span->previous == HEAP_SPAN_NONE)
        heap->partial[span->class_index] = span->next;
    else
        heap->spans[span->previous].next = span->next;
    if (span->next != HEAP_SPAN_NONE)
        heap->spans[span->next].previous = span->previous;
}

// Makes a span of free blocks of a class and puts it in the class's list.
static struct heap_span *span_create(struct heap *heap, uint32_t class_index)
{
    struct heap_span *span = span_take(heap);
    if (span == nullptr)
        return nullptr;
    uint32_t count = (uint32_t)HEAP_SPAN_BYTES / class_bytes(class_index);
    span->class_index = class_index;
    span->block_count = count;
    span->used_count = 0;
    span->word_hint = 0;
    span->in_use = true;
    for (uint32_t word = 0; word < MAP_WORDS; word++) {
        uint32_t first = word * 64;
        span->map[word] = first >= count        ? UINT64_MAX
                          : count - first >= 64 ? 0
                                                : ~((UINT64_C(1) << (count - first)) - 1);
    }
    partial_insert(heap, span);
    return span;
}

// Gives the memory of an empty span back.
static void span_release(struct heap *heap, struct heap_span *span)
{
    partial_remove(heap, span);
    heap->pages->decommit(span_address(heap, span), HEAP_SPAN_BYTES);
    span->in_use = false;
    span->next = heap->span_free;
    heap->span_free = (uint32_t)(span - heap->spans);
}

static void *small_allocate(struct heap *heap, uint32_t class_index)
{
    uint32_t first = heap->partial[class_index];
    struct heap_span *span =
        first != HEAP_SPAN_NONE ? &heap->spans[first] : span_create(heap, class_index);
    if (span == nullptr)
        return nullptr;
    uint32_t word = span->word_hint;
    while (span->map[word] == UINT64_MAX)
        word++;
    uint32_t bit = (uint32_t)__builtin_ctzll(~span->map[word]);
    span->map[word] |= UINT64_C(1) << bit;
    span->word_hint = word;
    if (++span->used_count == span->block_count)
        partial_remove(heap, span);
    return span_address(heap, span) + (size_t)(word * 64 + bit) * class_bytes(class_index);
}

// The span and the index of a small block; corrupt() unless the block has an owner.
static struct heap_span *small_find(struct heap *heap, const void *block, uint32_t *out_index)
{
    size_t offset = (size_t)((const uint8_t *)block - heap->arena);
    struct heap_span *span = &heap->spans[offset / HEAP_SPAN_BYTES];
    if (offset / HEAP_SPAN_BYTES >= heap->span_count || !span->in_use)
        heap->pages->corrupt("not a block of the heap", block);
    uint32_t bytes = class_bytes(span->class_index);
    uint32_t index = (uint32_t)(offset % HEAP_SPAN_BYTES) / bytes;
    if (index >= span->block_count || offset % HEAP_SPAN_BYTES != (size_t)index * bytes)
        heap->pages->corrupt("not the start of a block", block);
    if ((span->map[index / 64] >> (index % 64) & 1) == 0)
        heap->pages->corrupt("the block was freed before", block);
    *out_index = index;
    return span;
}

static void small_free(struct heap *heap, void *block)
{
    uint32_t index;
    struct heap_span *span = small_find(heap, block, &index);
    if (span->used_count-- == span->block_count)
        partial_insert(heap, span);
    span->map[index / 64] &= ~(UINT64_C(1) << (index % 64));
    if (index / 64 < span->word_hint)
        span->word_hint = index / 64;
    // One empty span of a class stays, for programs that allocate and free in turns.
    if (span->used_count == 0 &&
        (span->next != HEAP_SPAN_NONE || span->previous != HEAP_SPAN_NONE))
        span_release(heap, span);
}

// ---- Mappings ----------------------------------------------------------------------

static struct large_header *large_header_of(const void *block)
{
    return (struct large_header *)((uintptr_t)block - sizeof(struct large_header));
}

static uint64_t large_seal(const struct heap *heap, const struct large_header *header)
{
    return LARGE_SEAL ^ heap->secret ^ (uint64_t)(uintptr_t)header;
}

static uintptr_t page_of(const void *address)
{
    return (uintptr_t)address & ~(uintptr_t)(PAGE - 1);
}

// The committed part starts on the header's page; the block lies behind the header.
static void *large_allocate(struct heap *heap, size_t alignment, size_t bytes)
{
    size_t slack = alignment > sizeof(struct large_header) ? alignment : 0;
    size_t total;
    if (__builtin_add_overflow(bytes, slack + sizeof(struct large_header) + PAGE, &total))
        return nullptr;
    // Half as much again stays reserved, so that a block that grows rarely has to move.
    size_t reserved;
    if (__builtin_add_overflow(total, total / 2 + PAGE, &reserved))
        return nullptr;
    reserved = round_up(reserved, PAGE);
    uint8_t *reservation = heap->pages->reserve(reserved);
    if (reservation == nullptr)
        return nullptr;
    uintptr_t block = round_up((uintptr_t)reservation + sizeof(struct large_header),
                               alignment < 16 ? 16 : alignment);
    struct large_header *header = large_header_of((void *)block);
    size_t committed = round_up(block + bytes, PAGE) - page_of(header);
    if (!heap->pages->commit((void *)page_of(header), committed)) {
        heap->pages->unmap(reservation, reserved);
        return nullptr;
    }
    header->seal = large_seal(heap, header);
    header->reservation = reservation;
    header->reserved_bytes = reserved;
    header->committed_bytes = committed;
    return (void *)block;
}

static struct large_header *large_find(struct heap *heap, const void *block)
{
    if ((uintptr_t)block % 16 != 0)
        heap->pages->corrupt("not the start of a block", block);
    struct large_header *header = large_header_of(block);
    if (header->seal != large_seal(heap, header))
        heap->pages->corrupt("not a block of the heap, or its header was overwritten", block);
    return header;
}

static void large_free(struct heap *heap, void *block)
{
    struct large_header *header = large_find(heap, block);
    header->seal = 0;
    heap->pages->unmap(header->reservation, header->reserved_bytes);
}

// Commits or decommits pages at the end.  False if the reservation is too small.
static bool large_resize(struct heap *heap, void *block, size_t bytes)
{
    struct large_header *header = large_find(heap, block);
    uintptr_t start = page_of(header), old_end = start + header->committed_bytes;
    size_t end_bytes;
    if (__builtin_add_overflow((uintptr_t)block, bytes + PAGE, &end_bytes))
        return false;
    uintptr_t end = round_up((uintptr_t)block + bytes, PAGE);
    if (end > (uintptr_t)header->reservation + header->reserved_bytes)
        return false;
    if (end > old_end && !heap->pages->commit((void *)old_end, end - old_end))
        return false;
    if (end < old_end)
        heap->pages->decommit((void *)end, old_end - end);
    header->committed_bytes = end - start;
    return true;
}

// ---- Blocks ------------------------------------------------------------------------

static bool is_small_block(const struct heap *heap, const void *block)
{
    return (uintptr_t)block - (uintptr_t)heap->arena < HEAP_SPAN_COUNT_MAX * HEAP_SPAN_BYTES &&
           heap->arena != nullptr;
}

bool heap_is_zeroed(size_t bytes)
{
    return bytes > HEAP_SMALL_BYTES_MAX;
}

void *heap_allocate(struct heap *heap, size_t bytes)
{
    if (bytes <= HEAP_SMALL_BYTES_MAX)
        return small_allocate(heap, class_of(bytes));
    return large_allocate(heap, 16, bytes);
}

void *heap_allocate_aligned(struct heap *heap, size_t alignment, size_t bytes)
{
    if (alignment <= 16)
        return heap_allocate(heap, bytes);
    // A class whose size is a multiple of the alignment has only aligned blocks, for
    // spans start on pages.
    size_t rounded = bytes < alignment ? alignment : round_up(bytes, alignment);
    if (alignment <= PAGE && rounded <= HEAP_SMALL_BYTES_MAX && rounded >= bytes &&
        class_bytes(class_of(rounded)) % alignment == 0)
        return small_allocate(heap, class_of(rounded));
    return large_allocate(heap, alignment, bytes);
}

void heap_free(struct heap *heap, void *block)
{
    if (is_small_block(heap, block))
        small_free(heap, block);
    else
        large_free(heap, block);
}

size_t heap_block_bytes(struct heap *heap, const void *block)
{
    if (is_small_block(heap, block)) {
        uint32_t index;
        return class_bytes(small_find(heap, block, &index)->class_index);
    }
    struct large_header *header = large_find(heap, block);
    return page_of(header) + header->committed_bytes - (uintptr_t)block;
}

void *heap_resize(struct heap *heap, void *block, size_t bytes)
{
    size_t old_bytes = heap_block_bytes(heap, block);
    if (is_small_block(heap, block)) {
        if (bytes <= HEAP_SMALL_BYTES_MAX && class_bytes(class_of(bytes)) == old_bytes)
            return block;
    } else if (bytes > HEAP_SMALL_BYTES_MAX && large_resize(heap, block, bytes)) {
        return block;
    }
    void *moved = heap_allocate(heap, bytes);
    if (moved == nullptr)
        return nullptr;
    memcpy(moved, block, bytes < old_bytes ? bytes : old_bytes);
    heap_free(heap, block);
    return moved;
}
