// SPDX-License-Identifier: MIT
// Forker and AddressSpaceSnapshot: copies of the caller's address space (interface:
// schema/forker.capnp).
//
// A snapshot is a space in which nobody runs; all that happens to it is in mm/snapshot.c.
// The Forker is stateless, one for the machine: who holds it may copy itself, nobody else.
// Tested in tests/core/fork_test.c and tests/iface/forker_test.c.
#include <gen/kernel/forker.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/slab.h>
#include <kernel/object/forker.h>
#include <kernel/object/roots.h>
#include <kernel/sched/process.h>
#include <lib/container_of.h>

struct snapshot {
    struct object object;
    struct space space; // has a reference on the budget
};

static struct slab_cache snapshots = SLAB_CACHE(struct snapshot);

static struct snapshot *snapshot_of(struct object *object)
{
    return container_of(object, struct snapshot, object);
}

static void snapshot_destroy(struct object *self)
{
    struct snapshot *snapshot = snapshot_of(self);
    struct budget *budget = snapshot->space.budget;
    object_get(&budget->object); // beyond the space's
    space_fini(&snapshot->space);
    slab_put(&snapshots, budget, snapshot);
    object_put(&budget->object);
}

static const struct object_type snapshot_type = {
    .dispatch = &address_space_snapshot_dispatch,
    .destroy = snapshot_destroy,
};

static const struct object_type forker_type = {
    .dispatch = &forker_dispatch,
};

static struct object forker = {.type = &forker_type, .reference_count = 1};

struct object *forker_object(void)
{
    return &forker;
}

struct space *address_space_snapshot_space(struct object *snapshot)
{
    ASSERT(snapshot->type == &snapshot_type);
    return &snapshot_of(snapshot)->space;
}

static struct snapshot *snapshot_create(struct budget *budget, struct space *original)
{
    struct snapshot *snapshot = slab_get(&snapshots, budget);
    if (snapshot == nullptr)
        return nullptr;
    if (space_init(&snapshot->space, budget, 0) != STATUS_OK) {
        slab_put(&snapshots, budget, snapshot);
        return nullptr;
    }
    object_init(&snapshot->object, &snapshot_type);
    snapshot->space.is_snapshot = true;
    if (space_clone(&snapshot->space, original) != STATUS_OK) {
        object_put(&snapshot->object);
        return nullptr;
    }
    return snapshot;
}

enum status forker_snapshot(struct object *, struct invocation *invocation,
                            const struct forker_snapshot_params *params,
                            struct forker_snapshot_results *out_results)
{
    struct object *budget = invocation_object(invocation, params->budget);
    struct snapshot *snapshot = snapshot_create(container_of(budget, struct budget, object),
                                                &invocation->process->space);
    if (snapshot == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED, "the memory budget is exhausted");
    out_results->snapshot = invocation_add_capability(invocation, &snapshot->object);
    return STATUS_OK;
}

enum status address_space_snapshot_info(struct object *self, struct invocation *,
                                        struct address_space_snapshot_info_results *out_results)
{
    const struct space *space = &snapshot_of(self)->space;
    *out_results = (struct address_space_snapshot_info_results){
        .region_count = space->region_count,
        .charged_bytes = space->committed_bytes,
    };
    return STATUS_OK;
}
