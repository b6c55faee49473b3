// SPDX-License-Identifier: MIT
// The heap over pages of the host: reservations without access, commits with it.
#include "heap.h"

#include <test/test.h>

#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { RESERVATIONS_MAX = 1024 };
static struct {
    uint8_t *address;
    size_t bytes, committed;
} reserved[RESERVATIONS_MAX];
static size_t committed_bytes, commit_limit = SIZE_MAX;
static unsigned reservations;
static jmp_buf corrupt_jump;
static const char *corrupt_what;

// The reservation that an address lies in; that of nullptr is an unused entry.
static unsigned reserved_find(const void *address)
{
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++)
        if (address == nullptr
                ? reserved[i].address == nullptr
                : (uintptr_t)address - (uintptr_t)reserved[i].address < reserved[i].bytes)
            return i;
    CHECK(address == nullptr);
    return 0;
}

static void *pages_reserve(size_t bytes)
{
    void *address =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED)
        return nullptr;
    reservations++;
    unsigned i = reserved_find(nullptr);
    reserved[i].address = address;
    reserved[i].bytes = bytes;
    reserved[i].committed = 0;
    return address;
}

static bool pages_commit(void *address, size_t bytes)
{
    if (committed_bytes + bytes > commit_limit)
        return false;
    CHECK(mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0);
    committed_bytes += bytes;
    reserved[reserved_find(address)].committed += bytes;
    return true;
}

static void pages_decommit(void *address, size_t bytes)
{
    CHECK(mmap(address, bytes, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == address);
    committed_bytes -= bytes;
    reserved[reserved_find(address)].committed -= bytes;
}

static void pages_unmap(void *address, size_t bytes)
{
    CHECK(munmap(address, bytes) == 0);
    unsigned i = reserved_find(address);
    CHECK(reserved[i].address == address && reserved[i].bytes == bytes);
    committed_bytes -= reserved[i].committed;
    reserved[i].address = nullptr;
    reserved[i].bytes = 0;
    reservations--;
}

static void pages_corrupt(const char *what, const void *address)
{
    (void)address;
    corrupt_what = what;
    longjmp(corrupt_jump, 1);
}

static const struct heap_pages pages = {pages_reserve, pages_commit, pages_decommit,
                                        pages_unmap, pages_corrupt};

static void heap_fresh(struct heap *heap)
{
    heap_init(heap, &pages, 0x1234567890abcdef);
    commit_limit = SIZE_MAX;
}

// What free says about a block, nullptr if it takes it.
static const char *free_complaint(struct heap *heap, void *block)
{
    corrupt_what = nullptr;
    if (setjmp(corrupt_jump) == 0)
        heap_free(heap, block);
    return corrupt_what;
}

static void heap_blocks_have_their_size_and_alignment(void)
{
    struct heap heap;
    heap_fresh(&heap);
    for (size_t bytes = 0; bytes < 70000; bytes += bytes < 2000 ? 1 : 97) {
        uint8_t *block = heap_allocate(&heap, bytes);
        CHECK(block != nullptr);
        CHECK_EQ((uintptr_t)block % 16, 0);
        CHECK(heap_block_bytes(&heap, block) >= bytes);
        if (bytes > 160 && bytes <= HEAP_SMALL_BYTES_MAX)
            CHECK(heap_block_bytes(&heap, block) <= bytes + bytes / 4);
        memset(block, 0xa5, heap_block_bytes(&heap, block));
        heap_free(&heap, block);
    }
}

static void heap_aligned_blocks_are_aligned(void)
{
    struct heap heap;
    heap_fresh(&heap);
    for (size_t alignment = 1; alignment <= 1 << 21; alignment *= 2) {
        for (size_t bytes = 1; bytes < 100000; bytes = bytes * 3 + 1) {
            uint8_t *block = heap_allocate_aligned(&heap, alignment, bytes);
            CHECK(block != nullptr);
            CHECK_EQ((uintptr_t)block % alignment, 0);
            memset(block, 1, bytes);
            heap_free(&heap, block);
        }
    }
}

static void heap_random_use_keeps_contents(void)
{
    enum { SLOTS = 400 };
    static struct {
        uint8_t *block;
        size_t bytes;
        uint8_t fill;
    } slots[SLOTS];
    struct heap heap;
    size_t committed_before = committed_bytes;
    heap_fresh(&heap);
    memset(slots, 0, sizeof slots);
    srand(7);
    for (unsigned step = 0; step < 60000; step++) {
        unsigned i = (unsigned)rand() % SLOTS;
        size_t bytes = (size_t)rand() % (rand() % 50 == 0 ? 200000 : 600);
        if (slots[i].block != nullptr && rand() % 2 == 0) {
            heap_free(&heap, slots[i].block);
            slots[i].block = nullptr;
            continue;
        }
        size_t kept = slots[i].block == nullptr ? 0 : slots[i].bytes;
        uint8_t *block = kept == 0 && slots[i].block == nullptr
                             ? heap_allocate(&heap, bytes)
                             : heap_resize(&heap, slots[i].block, bytes);
        CHECK(block != nullptr);
        for (size_t at = 0; at < (kept < bytes ? kept : bytes); at++)
            if (block[at] != slots[i].fill) {
                CHECK(block[at] == slots[i].fill);
                return;
            }
        slots[i].block = block;
        slots[i].bytes = bytes;
        slots[i].fill = (uint8_t)step;
        memset(block, slots[i].fill, bytes);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[i].block != nullptr)
            heap_free(&heap, slots[i].block);
    CHECK(committed_bytes - committed_before < 4 << 20); // one span of each class may stay
}

static void heap_finds_frees_that_are_wrong(void)
{
    struct heap heap;
    heap_fresh(&heap);
    uint8_t *block = heap_allocate(&heap, 100), *other = heap_allocate(&heap, 100);
    uint8_t *large = heap_allocate(&heap, 100000);
    CHECK(free_complaint(&heap, block + 16) != nullptr);
    CHECK(free_complaint(&heap, large + 16) != nullptr);
    CHECK(free_complaint(&heap, large + 1) != nullptr);
    CHECK(free_complaint(&heap, block) == nullptr);
    CHECK(free_complaint(&heap, block) != nullptr);
    CHECK(free_complaint(&heap, other + HEAP_SPAN_BYTES * 8) != nullptr);
    memset(large - 8, 0, 8); // an underrun into the header: only the seal is checked
    CHECK(free_complaint(&heap, other) == nullptr);
}

static void heap_without_memory_says_so_and_goes_on(void)
{
    struct heap heap;
    heap_fresh(&heap);
    void *block = heap_allocate(&heap, 1000);
    void *large = heap_allocate(&heap, 100000);
    commit_limit = committed_bytes;
    CHECK(heap_allocate(&heap, 5000) == nullptr);
    CHECK(heap_allocate(&heap, 100000) == nullptr);
    CHECK(heap_allocate(&heap, SIZE_MAX) == nullptr);
    CHECK(heap_allocate(&heap, SIZE_MAX - 8192) == nullptr);
    CHECK(heap_resize(&heap, large, SIZE_MAX - 4096) == nullptr);
    CHECK(heap_resize(&heap, large, 1 << 20) == nullptr);
    CHECK(heap_allocate(&heap, 1000) != nullptr);
    commit_limit = SIZE_MAX;
    void *other = heap_allocate(&heap, 5000);
    CHECK(other != nullptr);
    heap_free(&heap, other);
    heap_free(&heap, block);
    heap_free(&heap, large);
}

static void heap_large_blocks_grow_in_place_and_go_back(void)
{
    struct heap heap;
    heap_fresh(&heap);
    unsigned before = reservations;
    size_t committed_before = committed_bytes;
    uint8_t *block = heap_allocate(&heap, 100000);
    memset(block, 3, 100000);
    uint8_t *grown = heap_resize(&heap, block, 130000);
    CHECK(grown == block);
    CHECK_EQ(grown[129999], 0);
    heap_free(&heap, grown);
    CHECK_EQ(reservations, before);
    CHECK_EQ(committed_bytes, committed_before);
}

int main(void)
{
    RUN(heap_blocks_have_their_size_and_alignment);
    RUN(heap_aligned_blocks_are_aligned);
    RUN(heap_finds_frees_that_are_wrong);
    RUN(heap_without_memory_says_so_and_goes_on);
    RUN(heap_large_blocks_grow_in_place_and_go_back);
    RUN(heap_random_use_keeps_contents);
    return test_report();
}
