// SPDX-License-Identifier: MIT
// The CapSet page, which the kernel mapped read-only before the program ran, and the
// startup block, which the parent made.
#include "start.h"

#include <capos/capset.h>
#include <capos/process.h>

#include <string.h>

struct process_start process_start;

uint32_t capos_capset_count(void)
{
    return process_start.capset->count;
}

const struct capos_capset_entry *capos_capset_at(uint32_t index)
{
    if (index >= process_start.capset->count)
        return nullptr;
    return &process_start.capset->entries[index];
}

enum status capos_find(const char *name, uint64_t interface_id, capos_cap_id *out_cap)
{
    for (uint32_t i = 0; i < process_start.capset->count; i++) {
        const struct capos_capset_entry *entry = &process_start.capset->entries[i];
        if (strcmp(entry->name, name) != 0)
            continue;
        if (entry->interface_id != interface_id)
            return STATUS_WRONG_INTERFACE;
        *out_cap = entry->cap;
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

uint64_t capos_process_id(void)
{
    return process_start.capset->process_id;
}

char **capos_environment(void)
{
    return (char **)process_start.startup->environment;
}

const struct capos_startup *capos_startup_block(void)
{
    return process_start.startup;
}
