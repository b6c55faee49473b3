// SPDX-License-Identifier: MIT
// DmaPool: the right to memory whose bus address is known (interface:
// schema/device_memory.capnp).
//
// Without an IOMMU a driver that may tell its device an address may reach all RAM, so
// whoever holds a DmaPool and a device is trusted with the machine; with the freeing, too:
// memory that a device still writes to when the last reference goes is somebody else's
// next.  Stateless: what is allocated is charged to the caller's process, so a driver's memory is
// bounded by its own budget.  Tested in device_test.c.
#include <gen/kernel/device_memory.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/memory_object.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>

constexpr uint64_t ALLOCATE_BYTES_MAX = (uint64_t)2 << 20;
static_assert(ALLOCATE_BYTES_MAX <= MEMORY_OBJECT_CONTIGUOUS_BYTES_MAX);

static const struct object_type dma_pool_type = {
    .dispatch = &dma_pool_dispatch,
};

static struct object dma_pool = {.type = &dma_pool_type, .reference_count = 1};

struct object *dma_pool_object(void)
{
    return &dma_pool;
}

enum status dma_pool_allocate(struct object *, struct invocation *invocation,
                              const struct dma_pool_allocate_params *params,
                              struct dma_pool_allocate_results *out_results)
{
    if (params->size_bytes == 0 || params->size_bytes % PAGE_BYTES != 0 ||
        params->size_bytes > ALLOCATE_BYTES_MAX)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "sizeBytes: a multiple of 4096, not zero, at most 2 MiB");
    paddr_t base;
    struct memory_object *memory =
        memory_object_create_contiguous(invocation->process->budget, params->size_bytes, &base);
    if (memory == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the caller's memory budget is exhausted, or no contiguous run "
                               "of this size is left");
    out_results->object =
        invocation_add_capability(invocation, memory_object_as_object(memory));
    out_results->bus_address = base;
    return STATUS_OK;
}
