// SPDX-License-Identifier: MIT
// Timer: the clock and waiting for it.  Stateless: a sleep is an op with a timeout.
// Tested in tests/core/timer_test.c and tests/iface/timer_test.c.

#include <gen/kernel/timer.h>
#include <kernel/arch.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/op.h>
#include <kernel/object/object.h>
#include <kernel/object/objects.h>
#include <lib/container_of.h>

static const struct object_type timer_type = {
    .dispatch = &timer_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .tells_time = true,
};

static struct object timer = {.type = &timer_type, .reference_count = 1};

struct object *timer_object(void)
{
    return &timer;
}

enum status timer_now(struct object *, struct invocation *,
                      struct timer_now_results *out_results)
{
    out_results->time_ns = arch_now_ns();
    return STATUS_OK;
}

static void sleep_cancel(struct op *op)
{
    timeout_stop(&op->timeout);
}

static void sleep_fire(struct timeout *timeout)
{
    timer_sleep_complete(container_of(timeout, struct op, timeout));
}

static void sleep_until_fire(struct timeout *timeout)
{
    timer_sleep_until_complete(container_of(timeout, struct op, timeout));
}

static enum status sleep_start(struct object *self, struct invocation *invocation,
                               uint64_t deadline_ns, void (*fire)(struct timeout *timeout))
{
    if (deadline_ns <= arch_now_ns())
        return STATUS_OK;
    struct op *op = invocation_defer(invocation, self, sleep_cancel);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    timeout_start(&op->timeout, deadline_ns, fire);
    return STATUS_PENDING;
}

enum status timer_sleep(struct object *self, struct invocation *invocation,
                        const struct timer_sleep_params *params)
{
    uint64_t deadline_ns;
    if (__builtin_add_overflow(arch_now_ns(), params->duration_ns, &deadline_ns))
        deadline_ns = UINT64_MAX;
    return sleep_start(self, invocation, deadline_ns, sleep_fire);
}

enum status timer_sleep_until(struct object *self, struct invocation *invocation,
                              const struct timer_sleep_until_params *params)
{
    return sleep_start(self, invocation, params->deadline_ns, sleep_until_fire);
}
