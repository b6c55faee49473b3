// SPDX-License-Identifier: MIT
// DeviceMemory: a range of physical addresses at which devices answer (interface:
// schema/device_memory.capnp).
//
// Invariants:
//  1. An object other than the root never touches RAM, so neither does any MemoryObject
//     that is made from a DeviceMemory: the root is refused by its size.
//  2. All lie below arch_physical_end(): a page-table entry that names an address beyond
//     has a reserved bit set.
//
// Tested in device_test.c.
#include <gen/kernel/device_memory.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/slab.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>

constexpr uint64_t OBJECT_BYTES_MAX = (uint64_t)1 << 30;

struct device_memory {
    struct object object;
    struct budget *budget; // referenced
    paddr_t base;
    uint64_t size_bytes;
};

static struct slab_cache device_memories = SLAB_CACHE(struct device_memory);

static struct device_memory *device_memory_of(struct object *object)
{
    return (struct device_memory *)object;
}
static_assert(offsetof(struct device_memory, object) == 0);

static void device_memory_destroy(struct object *self)
{
    struct budget *budget = device_memory_of(self)->budget;
    slab_put(&device_memories, budget, device_memory_of(self));
    object_put(&budget->object);
}

static const struct object_type device_memory_type = {
    .dispatch = &device_memory_dispatch,
    .destroy = device_memory_destroy,
};

static struct object *create(struct budget *budget, paddr_t base, uint64_t size_bytes)
{
    struct device_memory *memory = slab_get(&device_memories, budget);
    if (memory == nullptr)
        return nullptr;
    object_init(&memory->object, &device_memory_type);
    memory->budget = budget;
    memory->base = base;
    memory->size_bytes = size_bytes;
    object_get(&budget->object);
    return &memory->object;
}

struct object *device_memory_create_root(struct budget *budget)
{
    return create(budget, 0, arch_physical_end());
}

static enum status exhausted(struct invocation *invocation)
{
    return invocation_fail(invocation, STATUS_OVERLOADED,
                           "the caller's memory budget is exhausted");
}

enum status device_memory_range(struct object *self, struct invocation *invocation,
                                const struct device_memory_range_params *params,
                                struct device_memory_range_results *out_results)
{
    const struct device_memory *memory = device_memory_of(self);
    if (params->size_bytes == 0 || params->size_bytes % PAGE_BYTES != 0 ||
        params->size_bytes > memory->size_bytes)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "sizeBytes: a multiple of 4096, not zero, at most this range's "
                               "size");
    if (params->offset_bytes % PAGE_BYTES != 0 ||
        params->offset_bytes > memory->size_bytes - params->size_bytes)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "offsetBytes: a multiple of 4096; offsetBytes + sizeBytes is at "
                               "most this range's size");
    paddr_t base = memory->base + params->offset_bytes;
    if (frame_range_is_ram(base, params->size_bytes))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "offsetBytes, sizeBytes: a range that doesn't touch RAM");

    struct object *narrower = create(invocation->process->budget, base, params->size_bytes);
    if (narrower == nullptr)
        return exhausted(invocation);
    out_results->memory = invocation_add_capability(invocation, narrower);
    return STATUS_OK;
}

enum status device_memory_object(struct object *self, struct invocation *invocation,
                                 struct device_memory_object_results *out_results)
{
    const struct device_memory *memory = device_memory_of(self);
    if (memory->size_bytes > OBJECT_BYTES_MAX)
        return invocation_fail(invocation, STATUS_FAILED,
                               "the range has more than 1 GiB: take a narrower range first");
    ASSERT(!frame_range_is_ram(memory->base, memory->size_bytes));

    struct memory_object *registers = memory_object_create_physical(
        invocation->process->budget, memory->base, memory->size_bytes, /*writable=*/true,
        /*executable=*/false, PAGE_UNCACHED);
    if (registers == nullptr)
        return exhausted(invocation);
    out_results->object =
        invocation_add_capability(invocation, memory_object_as_object(registers));
    return STATUS_OK;
}

enum status device_memory_info(struct object *self, struct invocation *,
                               struct device_memory_info_results *out_results)
{
    const struct device_memory *memory = device_memory_of(self);
    *out_results = (struct device_memory_info_results){
        .physical_address = memory->base,
        .size_bytes = memory->size_bytes,
    };
    return STATUS_OK;
}
