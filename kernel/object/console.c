// SPDX-License-Identifier: MIT
// Console: the emergency output.  One object for the machine, without a limit, and narrower
// ones that may write so many bytes.
//
// Invariant: all that may still be written through limited consoles was taken from the
// allowance of the one that each was made from, so a chain of them is no wider than its first.
//
// Tested in console_test.c here and tests/iface/console_test.c.

#include <gen/kernel/console.h>
#include <kernel/arch.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <kernel/sched/process.h>
#include <lib/container_of.h>

struct console {
    struct object object;
    struct budget *budget; // referenced; nullptr: the one without a limit
    uint64_t left_bytes;
};

static struct slab_cache consoles = SLAB_CACHE(struct console);

static struct console *console_of(struct object *object)
{
    return container_of(object, struct console, object);
}

static void console_destroy(struct object *self)
{
    struct budget *budget = console_of(self)->budget;
    slab_put(&consoles, budget, console_of(self));
    object_put(&budget->object);
}

static const struct object_type console_type = {
    .dispatch = &console_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = console_destroy,
};

static struct console console = {
    .object = {.type = &console_type, .reference_count = 1},
    .left_bytes = UINT64_MAX,
};

struct object *console_object(void)
{
    return &console.object;
}

// Takes bytes from an allowance; false if it doesn't reach.
static bool take(struct console *from, uint64_t bytes)
{
    if (from->budget == nullptr)
        return true;
    if (bytes > from->left_bytes)
        return false;
    from->left_bytes -= bytes;
    return true;
}

enum status console_write(struct object *self, struct invocation *invocation,
                          const struct console_write_params *params)
{
    if (!take(console_of(self), params->data.size_bytes))
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "data: more than the console's allowance has left");
    arch_console_write(params->data.data, params->data.size_bytes);
    return STATUS_OK;
}

enum status console_limit(struct object *self, struct invocation *invocation,
                          const struct console_limit_params *params,
                          struct console_limit_results *out_results)
{
    struct budget *budget = invocation->process->budget;
    struct console *limited = slab_get(&consoles, budget);
    if (limited == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED,
                               "the caller's memory budget is exhausted");
    if (!take(console_of(self), params->bytes_max)) {
        slab_put(&consoles, budget, limited);
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "bytesMax: at most what this console has left");
    }
    object_init(&limited->object, &console_type);
    object_get(&budget->object);
    limited->budget = budget;
    limited->left_bytes = params->bytes_max;
    out_results->console = invocation_add_capability(invocation, &limited->object);
    return STATUS_OK;
}

enum status console_info(struct object *self, struct invocation *,
                         struct console_info_results *out_results)
{
    out_results->left_bytes = console_of(self)->left_bytes;
    return STATUS_OK;
}
