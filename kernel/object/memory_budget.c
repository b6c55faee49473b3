// SPDX-License-Identifier: MIT
// MemoryBudget: an amount of memory and the right to turn it into objects, and BudgetWatch
// (interfaces: schema/memory_budget.capnp).  The arithmetic is in mm/budget.c; here are the
// methods.
//
// What is made by a method is charged to the budget that is called, not to the caller's.
// Tested in memory_budget_test.c.
#include <gen/kernel/memory_budget.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/budget.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <kernel/object/revocable.h>
#include <kernel/sched/lane.h>
#include <kernel/sched/sched.h>

static_assert(offsetof(struct budget, object) == 0);

static struct budget *budget_of(struct object *object)
{
    ASSERT(object->type == &memory_budget_type);
    return (struct budget *)object;
}

static void memory_budget_destroy(struct object *self)
{
    budget_destroy(budget_of(self));
}

const struct object_type memory_budget_type = {
    .dispatch = &memory_budget_dispatch,
    .destroy = memory_budget_destroy,
};

static enum status exhausted(struct invocation *invocation)
{
    return invocation_fail(invocation, STATUS_OVERLOADED, "the memory budget is exhausted");
}

static bool is_page_multiple(uint64_t size_bytes)
{
    return size_bytes != 0 && size_bytes % PAGE_BYTES == 0;
}

enum status memory_budget_info(struct object *self, struct invocation *,
                               struct memory_budget_info_results *out_results)
{
    const struct budget *budget = budget_of(self);
    *out_results = (struct memory_budget_info_results){
        .limit_bytes = budget->limit_bytes,
        .used_bytes = budget->used_bytes,
        .kernel_bytes = budget->kernel_bytes,
        .split_bytes = budget->split_bytes,
    };
    return STATUS_OK;
}

enum status memory_budget_split(struct object *self, struct invocation *invocation,
                                const struct memory_budget_split_params *params,
                                struct memory_budget_split_results *out_results)
{
    if (!is_page_multiple(params->size_bytes))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "sizeBytes: a multiple of 4096, not zero");
    struct budget *child = budget_split(budget_of(self), params->size_bytes);
    if (child == nullptr)
        return exhausted(invocation);
    out_results->budget = invocation_add_capability(invocation, &child->object);
    return STATUS_OK;
}

enum status memory_budget_create_memory_object(
    struct object *self, struct invocation *invocation,
    const struct memory_budget_create_memory_object_params *params,
    struct memory_budget_create_memory_object_results *out_results)
{
    if (!is_page_multiple(params->size_bytes))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "sizeBytes: a multiple of 4096, not zero");
    struct memory_object *object = memory_object_create(budget_of(self), params->size_bytes);
    if (object == nullptr)
        return exhausted(invocation);
    out_results->object =
        invocation_add_capability(invocation, memory_object_as_object(object));
    return STATUS_OK;
}

enum status
memory_budget_create_endpoint(struct object *self, struct invocation *invocation,
                              const struct memory_budget_create_endpoint_params *params,
                              struct memory_budget_create_endpoint_results *out_results)
{
    if (params->queue_max == 0 || params->queue_max > ENDPOINT_QUEUE_MAX)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, "queueMax: 1 to 4096");
    static_assert(ENDPOINT_QUEUE_MAX == 4096);
    struct object *endpoint = endpoint_create(budget_of(self), params->queue_max);
    if (endpoint == nullptr)
        return exhausted(invocation);
    out_results->endpoint = invocation_add_capability(invocation, endpoint);
    return STATUS_OK;
}

enum status
memory_budget_create_notification(struct object *self, struct invocation *invocation,
                                  struct memory_budget_create_notification_results *out_results)
{
    struct object *notification = notification_create(budget_of(self));
    if (notification == nullptr)
        return exhausted(invocation);
    out_results->notification = invocation_add_capability(invocation, notification);
    return STATUS_OK;
}

enum status memory_budget_give_back(struct object *self, struct invocation *invocation,
                                    const struct memory_budget_give_back_params *params)
{
    if (!is_page_multiple(params->size_bytes))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "sizeBytes: a multiple of 4096, not zero");
    enum status status = budget_give_back(budget_of(self), params->size_bytes);
    if (status == STATUS_FAILED)
        return invocation_fail(invocation, status,
                               "the budget of the machine was split from none");
    if (status != STATUS_OK)
        return invocation_fail(invocation, status, "sizeBytes: more than the budget has free");
    return STATUS_OK;
}

enum status memory_budget_peak(struct object *self, struct invocation *,
                               struct memory_budget_peak_results *out_results)
{
    out_results->used_bytes_max = budget_of(self)->used_bytes_max;
    return STATUS_OK;
}

enum status
memory_budget_set_cpu_weight(struct object *self, struct invocation *invocation,
                             const struct memory_budget_set_cpu_weight_params *params)
{
    struct budget *child = budget_of(invocation_object(invocation, params->budget));
    if (child->parent != budget_of(self))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "budget: one that was split from this one");
    if (params->weight == 0 || params->weight > WEIGHT_MAX)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, "weight: 1 to 10000");
    static_assert(WEIGHT_MAX == 10'000);
    sched_set_weight(child, params->weight);
    return STATUS_OK;
}

enum status memory_budget_cpu_weight(struct object *self, struct invocation *,
                                     struct memory_budget_cpu_weight_results *out_results)
{
    out_results->weight = budget_of(self)->weight;
    return STATUS_OK;
}

// ---- BudgetWatch ------------------------------------------------------------------------

static struct slab_cache budget_watches = SLAB_CACHE(struct budget_watch);

static void budget_watch_destroy(struct object *self)
{
    struct budget_watch *watch = (struct budget_watch *)self;
    struct budget *budget = watch->budget;
    struct object *notification = watch->notification;
    budget_watch_stop(watch);
    slab_put(&budget_watches, budget, watch);
    object_put(&budget->object);
    object_put(notification);
}
static_assert(offsetof(struct budget_watch, object) == 0);

static const struct object_type budget_watch_type = {
    .dispatch = &budget_watch_dispatch,
    .destroy = budget_watch_destroy,
};

enum status memory_budget_watch(struct object *self, struct invocation *invocation,
                                const struct memory_budget_watch_params *params,
                                struct memory_budget_watch_results *out_results)
{
    if (params->bits == 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, "bits: at least one");
    struct budget *budget = budget_of(self);
    struct budget_watch *watch = slab_get(&budget_watches, budget);
    if (watch == nullptr)
        return exhausted(invocation);
    object_init(&watch->object, &budget_watch_type);
    watch->budget = budget;
    watch->notification = invocation_object(invocation, params->notification);
    watch->threshold_bytes = params->threshold_bytes;
    watch->bits = params->bits;
    object_get(&budget->object);
    object_get(watch->notification);
    budget_watch_start(watch);
    out_results->watch = invocation_add_capability(invocation, &watch->object);
    return STATUS_OK;
}

enum status budget_watch_info(struct object *self, struct invocation *,
                              struct budget_watch_info_results *out_results)
{
    const struct budget_watch *watch = (const struct budget_watch *)self;
    *out_results = (struct budget_watch_info_results){
        .threshold_bytes = watch->threshold_bytes,
        .reached = watch->fired,
    };
    return STATUS_OK;
}

// ---- Lending ----------------------------------------------------------------------------

enum status
memory_budget_create_revocable(struct object *self, struct invocation *invocation,
                               const struct memory_budget_create_revocable_params *params,
                               struct memory_budget_create_revocable_results *out_results)
{
    const struct invocation_transfer *target = &invocation->transfers[params->target];
    struct object *forwarder, *revoker;
    // A forwarder can be copied: what it forwards to must be too, or lending would widen it.
    if (target->mode != CAPOS_HOLD_COPY)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "target: a capability that may be copied");
    if (revocable_depth(target->object) == REVOCABLE_DEPTH_MAX)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "target: it is lent through 8 others already");
    static_assert(REVOCABLE_DEPTH_MAX == 8);
    if (!revocable_create(budget_of(self), target->object, target->interface_id, &forwarder,
                          &revoker))
        return exhausted(invocation);
    out_results->capability = invocation_add_capability(invocation, forwarder);
    out_results->revoker = invocation_add_capability(invocation, revoker);
    return STATUS_OK;
}
