// SPDX-License-Identifier: MIT
// Notification: 64 event bits and who waits for them.
//
// Invariants:
//  1. No waiter's mask meets the bits that are set.
//  2. A waiter is an op whose private_word is its mask, in order of arrival.
//
// Tested in tests/core/notification_test.c and tests/iface/notification_test.c.

#include <gen/kernel/notification.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/op.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <lib/container_of.h>

struct notification {
    struct object object;
    struct budget *budget; // referenced
    uint64_t bits;
    struct list waiters; // struct op.queue_link
};

static struct slab_cache notification_cache = SLAB_CACHE(struct notification);

static const char reason_zero_bits[] = "bits: at least one";
static const char reason_zero_mask[] = "mask: at least one bit";

static void notification_destroy(struct object *object)
{
    struct notification *notification = container_of(object, struct notification, object);
    struct budget *budget = notification->budget;
    ASSERT(list_empty(&notification->waiters)); // each has a reference
    slab_put(&notification_cache, budget, notification);
    object_put(&budget->object);
}

static const struct object_type notification_type = {
    .dispatch = &notification_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = notification_destroy,
};

static struct notification *notification_of(struct object *object)
{
    ASSERT(object->type == &notification_type);
    return container_of(object, struct notification, object);
}

struct object *notification_create(struct budget *budget)
{
    struct notification *notification = slab_get(&notification_cache, budget);
    if (notification == nullptr)
        return nullptr;
    object_init(&notification->object, &notification_type);
    object_get(&budget->object);
    notification->budget = budget;
    list_init(&notification->waiters);
    return &notification->object;
}

static void waiter_cancel(struct op *op)
{
    list_remove(&op->queue_link);
}

// Hands the bits that are set to the oldest waiters whose masks meet them.
static void notification_serve(struct notification *notification)
{
    LIST_FOR_EACH(op, &notification->waiters, struct op, queue_link)
    {
        uint64_t met = notification->bits & op->private_word;
        if (met == 0)
            continue;
        notification->bits &= ~met;
        list_remove(&op->queue_link);
        notification_wait_complete(op, &(struct notification_wait_results){.bits = met});
        if (notification->bits == 0)
            return;
    }
}

void notification_post(struct object *object, uint64_t bits)
{
    struct notification *notification = notification_of(object);
    ASSERT(bits != 0);
    notification->bits |= bits;
    notification_serve(notification);
}

enum status notification_signal(struct object *self, struct invocation *invocation,
                                const struct notification_signal_params *params)
{
    struct notification *notification = notification_of(self);
    if (params->bits == 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_zero_bits);
    notification->bits |= params->bits;
    notification_serve(notification);
    return STATUS_OK;
}

enum status notification_poll(struct object *self, struct invocation *invocation,
                              const struct notification_poll_params *params,
                              struct notification_poll_results *out_results)
{
    struct notification *notification = notification_of(self);
    if (params->mask == 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_zero_mask);
    out_results->bits = notification->bits & params->mask;
    notification->bits &= ~params->mask;
    return STATUS_OK;
}

enum status notification_wait(struct object *self, struct invocation *invocation,
                              const struct notification_wait_params *params,
                              struct notification_wait_results *out_results)
{
    struct notification *notification = notification_of(self);
    if (params->mask == 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_zero_mask);
    uint64_t met = notification->bits & params->mask;
    if (met != 0) {
        notification->bits &= ~met;
        out_results->bits = met;
        return STATUS_OK;
    }
    struct op *op = invocation_defer(invocation, self, waiter_cancel);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    op->private_word = params->mask;
    list_push_back(&notification->waiters, &op->queue_link);
    return STATUS_PENDING;
}
