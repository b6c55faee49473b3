// SPDX-License-Identifier: MIT
// malloc and its family: the heap over the program's own VirtualMemory, its grant "memory".
// Without that grant there is no heap: malloc returns nullptr.
//
// The heap has one lock, which is never held while a program's code runs.
#include "heap.h"
#include "thread.h"

#include <capos/capset.h>
#include <capos/panic.h>
#include <capos/sync.h>

#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

static virtual_memory_cap memory;

static void *pages_reserve(size_t bytes)
{
    uint64_t address;
    if (virtual_memory_reserve(memory, bytes, 0, 0, &address) != STATUS_OK)
        return nullptr;
    return (void *)address;
}

static bool pages_commit(void *address, size_t bytes)
{
    return virtual_memory_commit(memory, (uint64_t)address, bytes, PROTECTION_READ_WRITE) ==
           STATUS_OK;
}

// VirtualMemory changes a range of this length in one call, whatever is mapped there.
constexpr size_t CHANGE_BYTES_MAX = (size_t)256 << 20;

static size_t change_bytes(size_t bytes)
{
    return bytes < CHANGE_BYTES_MAX ? bytes : CHANGE_BYTES_MAX;
}

static void pages_decommit(void *address, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += change_bytes(bytes - done))
        if (virtual_memory_decommit(memory, (uint64_t)address + done,
                                    change_bytes(bytes - done)) != STATUS_OK)
            capos_panic("heap: %p can't be decommitted", address);
}

static void pages_unmap(void *address, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += change_bytes(bytes - done))
        if (virtual_memory_unmap(memory, (uint64_t)address + done,
                                 change_bytes(bytes - done)) != STATUS_OK)
            capos_panic("heap: %p can't be unmapped", address);
}

static void pages_corrupt(const char *what, const void *address)
{
    capos_panic("heap: %p: %s", address, what);
}

static const struct heap_pages pages = {
    .reserve = pages_reserve,
    .commit = pages_commit,
    .decommit = pages_decommit,
    .unmap = pages_unmap,
    .corrupt = pages_corrupt,
};

static struct heap heap;
static struct capos_mutex heap_lock;
static struct thread *heap_owner; // of the lock

// A call for pages waits for its completion and consumes others on the way; a server then
// gives memory back while its thread is in the heap.  Such blocks wait here, linked by their
// first words, until the heap is as it should be.
static void *freed_later;

static bool heap_is_mine(void)
{
    return __atomic_load_n(&heap_owner, __ATOMIC_RELAXED) == thread_self();
}

static void heap_lock_take(void)
{
    capos_mutex_lock(&heap_lock);
    __atomic_store_n(&heap_owner, thread_self(), __ATOMIC_RELAXED);
}

// Also frees what was freed meanwhile.
static void *heap_give(void *block)
{
    while (freed_later != nullptr) {
        void *later = freed_later;
        freed_later = *(void **)later;
        heap_free(&heap, later);
    }
    __atomic_store_n(&heap_owner, nullptr, __ATOMIC_RELAXED);
    capos_mutex_unlock(&heap_lock);
    return block;
}

// Takes the lock of the heap, which is made at its first use; nullptr, without the lock, if
// the program lacks the grant, or from within the heap itself.
static struct heap *heap_take(void)
{
    if (heap_is_mine())
        return nullptr;
    heap_lock_take();
    if (heap.pages != nullptr) [[clang::likely]]
        return &heap;
    if (capos_find("memory", INTERFACE_VIRTUAL_MEMORY, &memory.id) != STATUS_OK)
        return heap_give(nullptr);
    heap_init(&heap, &pages, thread_self()->canary);
    return &heap;
}

void *malloc(size_t size)
{
    struct heap *h = heap_take();
    return h == nullptr ? nullptr : heap_give(heap_allocate(h, size));
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return nullptr;
    void *block = malloc(bytes);
    if (block != nullptr && !heap_is_zeroed(bytes))
        memset(block, 0, bytes);
    return block;
}

void *realloc(void *block, size_t size)
{
    if (block == nullptr)
        return malloc(size);
    struct heap *h = heap_take();
    return h == nullptr ? nullptr : heap_give(heap_resize(h, block, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > (size_t)1 << 30)
        return nullptr;
    struct heap *h = heap_take();
    return h == nullptr ? nullptr : heap_give(heap_allocate_aligned(h, alignment, size));
}

void free(void *block)
{
    if (block == nullptr)
        return;
    if (heap_is_mine()) {
        *(void **)block = freed_later;
        freed_later = block;
        return;
    }
    heap_lock_take();
    if (heap.pages == nullptr)
        capos_panic("heap: %p: not a block of the heap", block);
    heap_free(&heap, block);
    (void)heap_give(nullptr);
}
