// SPDX-License-Identifier: MIT
// Console: the emergency output.  Stateless; one object for the machine.

#include <gen/kernel/console.h>
#include <kernel/arch.h>
#include <kernel/object/object.h>
#include <kernel/object/objects.h>

static const struct object_type console_type = {
    .dispatch = &console_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
};

static struct object console = {.type = &console_type, .reference_count = 1};

struct object *console_object(void)
{
    return &console;
}

enum status console_write(struct object *, struct invocation *,
                          const struct console_write_params *params)
{
    arch_console_write(params->data.data, params->data.size_bytes);
    return STATUS_OK;
}
