// SPDX-License-Identifier: MIT
// ParkSpace: the capability behind PARK and UNPARK, which are in ipc/park.c.
//
// One object serves every process, for it has no state.

#include <gen/kernel/thread.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/object/objects.h>
#include <kernel/sched/process.h>

static void park_space_destroy(struct object *)
{
    PANIC("the ParkSpace object holds a reference on itself");
}

static const struct object_type park_space_type = {
    .dispatch = &park_space_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = park_space_destroy,
};

// Its first reference is never put.
static struct object park_space = {.type = &park_space_type, .reference_count = 1};

struct object *park_space_object(void)
{
    return &park_space;
}

enum status park_space_info(struct object *, struct invocation *invocation,
                            struct park_space_info_results *out_results)
{
    out_results->sleeper_count = (uint32_t)list_count(&invocation->process->space.sleepers);
    return STATUS_OK;
}
