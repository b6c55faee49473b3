// SPDX-License-Identifier: MIT
// DmaPool: the right to memory whose bus address is known (interface:
// schema/device_memory.capnp).
//
// Without an IOMMU a driver that may tell its device an address may reach all RAM, so
// whoever holds a DmaPool and a device is trusted with the machine.  What is allocated is
// charged to the caller's process, so a driver's memory is bounded by its own budget.
//
// A driver that is killed leaves a device that still writes.  So a pool may be a *keeper*: it
// has a reference on everything that was allocated from it, until somebody who has reset
// the device says that it is forgotten.  The root keeps nothing.  For the same reason only
// a keeper pins what others allocated.
//
// Invariants:
//  1. What a keeper refers to is charged to who allocated it, and the structure that refers to
//     it to the process that allocated or pinned.
//  2. While memory is pinned its frames stay what they are: each was made its object's own
//     (memory_object_frame_own), and there are no new snapshots to share it with.
//
// Tested in device_test.c, tests/core/devices_test.c.
#include <gen/kernel/device_memory.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/slab.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>
#include <lib/container_of.h>
#include <lib/list.h>

constexpr uint64_t ALLOCATE_BYTES_MAX = (uint64_t)2 << 20;
static_assert(ALLOCATE_BYTES_MAX <= MEMORY_OBJECT_CONTIGUOUS_BYTES_MAX);

struct kept {
    struct list_link link;
    struct budget *budget;        // referenced
    struct memory_object *memory; // referenced
    bool pinned;
};

struct keeper {
    struct object object;
    struct budget *budget; // referenced
    struct list kept;
};

static struct slab_cache kept_cache = SLAB_CACHE(struct kept);
static struct slab_cache keeper_cache = SLAB_CACHE(struct keeper);

static struct keeper *keeper_of(struct object *object)
{
    return container_of(object, struct keeper, object);
}

static void kept_put(struct kept *kept)
{
    struct budget *budget = kept->budget;
    if (kept->pinned)
        memory_object_unpin(kept->memory);
    if (kept->memory != nullptr)
        object_put(memory_object_as_object(kept->memory));
    slab_put(&kept_cache, budget, kept);
    object_put(&budget->object);
}

static struct kept *kept_get(struct budget *budget)
{
    struct kept *kept = slab_get(&kept_cache, budget);
    if (kept == nullptr)
        return nullptr;
    object_get(&budget->object);
    kept->budget = budget;
    return kept;
}

static void keeper_forget_all(struct keeper *keeper)
{
    while (!list_empty(&keeper->kept)) {
        struct kept *kept = container_of(list_first(&keeper->kept), struct kept, link);
        list_remove(&kept->link);
        kept_put(kept);
    }
}

static void keeper_destroy(struct object *self)
{
    struct keeper *keeper = keeper_of(self);
    struct budget *budget = keeper->budget;
    keeper_forget_all(keeper);
    slab_put(&keeper_cache, budget, keeper);
    object_put(&budget->object);
}

static const struct object_type dma_pool_type = {
    .dispatch = &dma_pool_dispatch,
};

static const struct object_type keeper_type = {
    .dispatch = &dma_pool_dispatch,
    .destroy = keeper_destroy,
};

static struct object dma_pool = {.type = &dma_pool_type, .reference_count = 1};

struct object *dma_pool_object(void)
{
    return &dma_pool;
}

static struct memory_object *allocate_kept(struct keeper *keeper, struct budget *budget,
                                           uint64_t size_bytes, paddr_t *out_base)
{
    struct kept *kept = kept_get(budget);
    if (kept == nullptr)
        return nullptr;
    kept->memory = memory_object_create_contiguous(budget, size_bytes, out_base);
    if (kept->memory == nullptr) {
        kept_put(kept);
        return nullptr;
    }
    object_get(memory_object_as_object(kept->memory));
    list_push_back(&keeper->kept, &kept->link);
    return kept->memory;
}

enum status dma_pool_allocate(struct object *self, struct invocation *invocation,
                              const struct dma_pool_allocate_params *params,
                              struct dma_pool_allocate_results *out_results)
{
    if (params->size_bytes == 0 || params->size_bytes % PAGE_BYTES != 0 ||
        params->size_bytes > ALLOCATE_BYTES_MAX)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "sizeBytes: a multiple of 4096, not zero, at most 2 MiB");
    paddr_t base;
    struct budget *budget = invocation->process->budget;
    struct memory_object *memory =
        self->type == &keeper_type
            ? allocate_kept(keeper_of(self), budget, params->size_bytes, &base)
            : memory_object_create_contiguous(budget, params->size_bytes, &base);
    if (memory == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the caller's memory budget is exhausted, or no contiguous run "
                               "of this size is left");
    out_results->object =
        invocation_add_capability(invocation, memory_object_as_object(memory));
    out_results->bus_address = base;
    return STATUS_OK;
}

enum status dma_pool_keeper(struct object *, struct invocation *invocation,
                            struct dma_pool_keeper_results *out_results)
{
    struct budget *budget = invocation->process->budget;
    struct keeper *keeper = slab_get(&keeper_cache, budget);
    if (keeper == nullptr)
        return STATUS_OVERLOADED;
    object_init(&keeper->object, &keeper_type);
    object_get(&budget->object);
    keeper->budget = budget;
    list_init(&keeper->kept);
    out_results->pool = invocation_add_capability(invocation, &keeper->object);
    return STATUS_OK;
}

enum status dma_pool_forget(struct object *self, struct invocation *invocation,
                            const struct dma_pool_forget_params *params)
{
    struct object *memory = invocation_object(invocation, params->object);
    if (self->type == &keeper_type)
        for (struct list_link *node = list_first(&keeper_of(self)->kept); node != nullptr;
             node = list_next(&keeper_of(self)->kept, node)) {
            struct kept *kept = container_of(node, struct kept, link);
            if (memory_object_as_object(kept->memory) != memory)
                continue;
            list_remove(&kept->link);
            kept_put(kept);
            return STATUS_OK;
        }
    return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                           "object: memory that this pool keeps");
}

// What `pin` hands to the encoder; the kernel runs one method at a time.
static uint64_t pinned_pages[ALLOCATE_BYTES_MAX / PAGE_BYTES];
static_assert(sizeof pinned_pages == DMA_POOL_PIN_RESULTS_PAGES_BYTES_MAX);

static const char *pin_problem(const struct memory_object *memory,
                               const struct dma_pool_pin_params *params)
{
    uint64_t size_bytes = memory_object_size_bytes(memory);
    if (!memory_object_writable(memory) || memory_object_cache(memory) == PAGE_UNCACHED)
        return "object: RAM that may be written to";
    if (params->size_bytes == 0 || params->size_bytes % PAGE_BYTES != 0 ||
        params->size_bytes > ALLOCATE_BYTES_MAX || params->size_bytes > size_bytes)
        return "sizeBytes: a multiple of 4096, not zero, at most 2 MiB and the object's size";
    if (params->offset_bytes % PAGE_BYTES != 0 ||
        params->offset_bytes > size_bytes - params->size_bytes)
        return "offsetBytes: a multiple of 4096; offsetBytes + sizeBytes is at most the "
               "object's size";
    return nullptr;
}

enum status dma_pool_pin(struct object *self, struct invocation *invocation,
                         const struct dma_pool_pin_params *params,
                         struct dma_pool_pin_results *out_results)
{
    if (self->type != &keeper_type)
        return invocation_fail(invocation, STATUS_FAILED,
                               "only a pool that keeps memory pins: see keeper");
    struct object *object = invocation_object(invocation, params->object);
    struct memory_object *memory = memory_object_of(object);
    const char *problem = pin_problem(memory, params);
    if (problem != nullptr)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, problem);
    struct kept *kept = kept_get(invocation->process->budget);
    if (kept == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the caller's memory budget is exhausted");
    object_get(object);
    memory_object_pin(memory);
    kept->memory = memory;
    kept->pinned = true;
    list_push_back(&keeper_of(self)->kept, &kept->link);
    uint64_t count = params->size_bytes / PAGE_BYTES;
    for (uint64_t i = 0; i < count; i++)
        pinned_pages[i] =
            memory_object_frame_own(memory, params->offset_bytes + i * PAGE_BYTES);
    out_results->pages = (struct wire_data){.data = (const uint8_t *)pinned_pages,
                                            .size_bytes = (uint32_t)(count * 8)};
    return STATUS_OK;
}

enum status dma_pool_forget_all(struct object *self, struct invocation *)
{
    if (self->type == &keeper_type)
        keeper_forget_all(keeper_of(self));
    return STATUS_OK;
}
