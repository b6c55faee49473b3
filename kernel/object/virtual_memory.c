// SPDX-License-Identifier: MIT
// VirtualMemory: the caller's own address space (interface: schema/virtual_memory.capnp).
//
// One object serves every process, for it has no state: a method works on the space of
// whoever calls.  All that it does is in mm/space.c.  Tested in virtual_memory_test.c.
#include <gen/kernel/virtual_memory.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/space.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>

static void virtual_memory_destroy(struct object *)
{
    PANIC("the VirtualMemory object holds a reference on itself");
}

static const struct object_type virtual_memory_type = {
    .dispatch = &virtual_memory_dispatch,
    .destroy = virtual_memory_destroy,
};

// Its first reference is never put.
static struct object virtual_memory = {.type = &virtual_memory_type, .reference_count = 1};

struct object *virtual_memory_create(void)
{
    object_get(&virtual_memory);
    return &virtual_memory;
}

// The answer of a method whose work returned `status`, and a reason for two of them.
static enum status answer(struct invocation *invocation, enum status status, const char *reason)
{
    if (status == STATUS_OK)
        return STATUS_OK;
    if (status == STATUS_OVERLOADED)
        reason = "the process's memory budget is exhausted";
    return invocation_fail(invocation, status, reason);
}

enum status virtual_memory_reserve(struct object *, struct invocation *invocation,
                                   const struct virtual_memory_reserve_params *params,
                                   struct virtual_memory_reserve_results *out_results)
{
    const char *reason = nullptr;
    enum status status =
        space_reserve(&invocation->process->space, params->length_bytes, params->address,
                      params->alignment_bytes, &out_results->address, &reason);
    return answer(invocation, status, reason);
}

enum status virtual_memory_commit(struct object *, struct invocation *invocation,
                                  const struct virtual_memory_commit_params *params)
{
    const char *reason = nullptr;
    enum status status = space_commit(&invocation->process->space, params->address,
                                      params->length_bytes, params->protection, &reason);
    return answer(invocation, status, reason);
}

enum status virtual_memory_decommit(struct object *, struct invocation *invocation,
                                    const struct virtual_memory_decommit_params *params)
{
    const char *reason = nullptr;
    enum status status = space_decommit(&invocation->process->space, params->address,
                                        params->length_bytes, &reason);
    return answer(invocation, status, reason);
}

enum status virtual_memory_protect(struct object *, struct invocation *invocation,
                                   const struct virtual_memory_protect_params *params)
{
    const char *reason = nullptr;
    enum status status = space_protect(&invocation->process->space, params->address,
                                       params->length_bytes, params->protection, &reason);
    return answer(invocation, status, reason);
}

enum status virtual_memory_map(struct object *, struct invocation *invocation,
                               const struct virtual_memory_map_params *params,
                               struct virtual_memory_map_results *out_results)
{
    const char *reason = nullptr;
    struct memory_object *object =
        memory_object_of(invocation_object(invocation, params->object));
    enum status status = space_map(&invocation->process->space, object, params->offset_bytes,
                                   params->length_bytes, params->address, params->protection,
                                   &out_results->address, &reason);
    return answer(invocation, status, reason);
}

enum status virtual_memory_unmap(struct object *, struct invocation *invocation,
                                 const struct virtual_memory_unmap_params *params)
{
    const char *reason = nullptr;
    enum status status = space_unmap(&invocation->process->space, params->address,
                                     params->length_bytes, &reason);
    return answer(invocation, status, reason);
}

enum status virtual_memory_info(struct object *, struct invocation *invocation,
                                struct virtual_memory_info_results *out_results)
{
    const struct space *space = &invocation->process->space;
    *out_results = (struct virtual_memory_info_results){
        .region_count = space->region_count,
        .committed_bytes = space->committed_bytes,
        .resident_bytes = space->resident_bytes,
    };
    return STATUS_OK;
}

enum status virtual_memory_allocate(struct object *, struct invocation *invocation,
                                    const struct virtual_memory_allocate_params *params,
                                    struct virtual_memory_allocate_results *out_results)
{
    const char *reason = nullptr;
    enum status status =
        space_allocate(&invocation->process->space, params->length_bytes, params->address,
                       params->protection, &out_results->address, &reason);
    return answer(invocation, status, reason);
}

enum status
virtual_memory_commit_lazily(struct object *, struct invocation *invocation,
                             const struct virtual_memory_commit_lazily_params *params)
{
    const char *reason = nullptr;
    enum status status = space_commit_lazily(&invocation->process->space, params->address,
                                             params->length_bytes, params->protection, &reason);
    return answer(invocation, status, reason);
}
