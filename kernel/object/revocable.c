// SPDX-License-Identifier: MIT
// Revocable capabilities and Revoker (interface: schema/revoker.capnp).
//
// A forwarder stands for another object: a call on it is a call on its target, with the
// caller's own process, buffers and capabilities.  The revoker cuts it off.
//
// Its dispatch table has no methods, so that a call on it ends where a call of an unknown method
// does, and only there it is asked whether the object is a forwarder: calls on other objects
// pay nothing.
//
// Invariants:
//  1. A forwarder that isn't revoked has one hold on its target; it gives it up when it is
//     revoked, or with its own last hold.
//  2. At most REVOCABLE_DEPTH_MAX of them stand one behind the other, and never in a circle,
//     since a target exists before its forwarder and never changes.
//  3. No method of the kernel gets a forwarder as an argument of a typed parameter
//     (invocation_check_capability).
//
// What it doesn't do: follow what a call returns.  That is the target's own to give.
// Tested in tests/core/revocable_test.c and tests/iface/revoker_test.c.

#include <kernel/object/revocable.h>

#include <gen/kernel/revoker.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/call.h>
#include <kernel/ipc/endpoint.h>
#include <kernel/ipc/submit.h>
#include <kernel/mm/budget.h>
#include <kernel/mm/slab.h>
#include <kernel/object/object.h>
#include <lib/container_of.h>

struct revocable {
    struct object object;
    struct budget *budget; // referenced
    struct object *target; // held; nullptr when it was revoked
    uint64_t interface_id;
    uint32_t depth;
};

struct revoker {
    struct object object;
    struct revocable *revocable; // referenced
};

static struct slab_cache revocable_cache = SLAB_CACHE(struct revocable);
static struct slab_cache revoker_cache = SLAB_CACHE(struct revoker);

static const char reason_revoked[] = "this capability was revoked by who lent it";

static const struct interface_dispatch no_methods = {.name = "Revocable"};

static struct revocable *revocable_of(struct object *object)
{
    ASSERT(object->type == &revocable_type);
    return container_of(object, struct revocable, object);
}

static void cut_off(struct revocable *revocable)
{
    struct object *target = revocable->target;
    revocable->target = nullptr;
    if (target != nullptr)
        object_unhold(target);
}

static void revocable_unheld(struct object *object)
{
    cut_off(revocable_of(object));
}

static void revocable_destroy(struct object *object)
{
    struct revocable *revocable = revocable_of(object);
    struct budget *budget = revocable->budget;
    cut_off(revocable); // it may never have been held
    slab_put(&revocable_cache, budget, revocable);
    object_put(&budget->object);
}

const struct object_type revocable_type = {
    .dispatch = &no_methods,
    .hold_mode = CAPOS_HOLD_COPY,
    .unheld = revocable_unheld,
    .destroy = revocable_destroy,
};

static void revoker_destroy(struct object *object)
{
    struct revoker *revoker = container_of(object, struct revoker, object);
    struct revocable *revocable = revoker->revocable;
    slab_put(&revoker_cache, revocable->budget, revoker);
    object_put(&revocable->object);
}

static const struct object_type revoker_type = {
    .dispatch = &revoker_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = revoker_destroy,
};

uint32_t revocable_depth(const struct object *object)
{
    return object->type == &revocable_type
               ? container_of(object, const struct revocable, object)->depth
               : 0;
}

uint64_t revocable_interface_id(const struct object *forwarder)
{
    ASSERT(forwarder->type == &revocable_type);
    return container_of(forwarder, const struct revocable, object)->interface_id;
}

const struct object *revocable_held(const struct object *forwarder)
{
    ASSERT(forwarder->type == &revocable_type);
    return container_of(forwarder, const struct revocable, object)->target;
}

struct object *revocable_target(struct object *object)
{
    while (object != nullptr && object->type == &revocable_type)
        object = revocable_of(object)->target;
    return object;
}

bool revocable_create(struct budget *budget, struct object *target, uint64_t interface_id,
                      struct object **out_forwarder, struct object **out_revoker)
{
    ASSERT(revocable_depth(target) < REVOCABLE_DEPTH_MAX);
    struct revocable *revocable = slab_get(&revocable_cache, budget);
    if (revocable == nullptr)
        return false;
    struct revoker *revoker = slab_get(&revoker_cache, budget);
    if (revoker == nullptr) {
        slab_put(&revocable_cache, budget, revocable);
        return false;
    }
    object_init(&revocable->object, &revocable_type);
    object_get(&budget->object);
    object_hold(target);
    revocable->budget = budget;
    revocable->target = target;
    revocable->interface_id = interface_id;
    revocable->depth = revocable_depth(target) + 1;
    object_init(&revoker->object, &revoker_type);
    object_get(&revocable->object);
    revoker->revocable = revocable;
    *out_forwarder = &revocable->object;
    *out_revoker = &revoker->object;
    return true;
}

enum status revocable_call(struct thread *thread, const struct capos_sqe *sqe,
                           struct object *forwarder)
{
    struct object *target = revocable_target(forwarder);
    if (target == nullptr)
        return submit_fail(thread, sqe, STATUS_DISCONNECTED, reason_revoked);
    // The call itself may cut the target off: it is perhaps the Revoker of this forwarder.
    object_get(target);
    enum status status = target->type->dispatch == nullptr
                             ? endpoint_call(thread, sqe, target)
                             : call_kernel_object(thread, sqe, target);
    object_put(target);
    return status;
}

enum status revoker_revoke(struct object *self, struct invocation *)
{
    cut_off(container_of(self, struct revoker, object)->revocable);
    return STATUS_OK;
}
