// SPDX-License-Identifier: MIT
// MemoryBudget: an amount of memory and the right to turn it into objects (interface:
// schema/memory_budget.capnp).  The arithmetic is in mm/budget.c; here are the methods.
//
// What is made by a method is charged to the budget that is called, not to the caller's.
// Tested in memory_budget_test.c.
#include <gen/kernel/memory_budget.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/budget.h>
#include <kernel/mm/memory_object.h>
#include <kernel/object/objects.h>

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
