// SPDX-License-Identifier: MIT
// SystemInspector: who holds what (interface: schema/system_inspector.capnp).
//
// Objects are known by numbers: their addresses, mixed with a secret of this boot in a way that
// is one to one but says nothing of where the kernel is.
//
// Tested in tests/iface/system_inspector_test.c.

#include <gen/kernel/system_inspector.h>
#include <kernel/ipc/endpoint_state.h>
#include <kernel/ipc/invocation.h>
#include <kernel/object/entropy_source.h>
#include <kernel/object/objects.h>
#include <kernel/object/revocable.h>
#include <kernel/sched/process.h>
#include <lib/string.h>

static const struct object_type system_inspector_type = {
    .dispatch = &system_inspector_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
};

static struct object system_inspector = {.type = &system_inspector_type, .reference_count = 1};

struct object *system_inspector_object(void)
{
    return &system_inspector;
}

// ---- Numbers ------------------------------------------------------------------------

// The mixer is the one of splitmix64 (Steele, Lea, Flood 2014), between two secrets.
static uint64_t number_of(const struct object *object)
{
    static uint64_t secret[2];
    while (secret[0] == 0 || secret[1] == 0) {
        secret[0] = entropy_word();
        secret[1] = entropy_word();
    }
    if (object == nullptr)
        return 0;
    uint64_t number = (uint64_t)(uintptr_t)object ^ secret[0];
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return (number ^ number >> 31) ^ secret[1];
}

// ---- Processes ----------------------------------------------------------------------

enum status system_inspector_process(struct object *, struct invocation *,
                                     const struct system_inspector_process_params *params,
                                     struct system_inspector_process_results *out_results)
{
    const struct process *found = nullptr;
    LIST_FOR_EACH(process, &process_all, struct process, all_link)
    {
        if (process->state == PROCESS_ALIVE && process->id > params->after &&
            (found == nullptr || process->id < found->id))
            found = process;
    }
    *out_results = (struct system_inspector_process_results){};
    if (found == nullptr)
        return STATUS_OK;
    *out_results = (struct system_inspector_process_results){
        .process_id = found->id,
        .name = {.text = found->name, .size_bytes = found->name_bytes},
        .thread_count = (uint32_t)list_count(&found->threads),
        .capability_count = found->caps.live_count,
        .cpu_time_ns = found->cpu_time_ns,
        .resident_bytes = found->space.resident_bytes,
    };
    return STATUS_OK;
}

static const struct process *process_find(uint64_t id)
{
    LIST_FOR_EACH(process, &process_all, struct process, all_link)
    {
        if (process->id == id && process->state == PROCESS_ALIVE)
            return process;
    }
    return nullptr;
}

// ---- Capabilities -------------------------------------------------------------------

// The name under which a hold was granted; empty if it came later.
static struct wire_text name_of(const struct process *process, capos_cap_id cap)
{
    for (uint32_t i = 0; i < process->capset->count; i++) {
        const struct capos_capset_entry *entry = &process->capset->entries[i];
        if (entry->cap == cap)
            return (struct wire_text){.text = entry->name,
                                      .size_bytes = (uint32_t)strlen(entry->name)};
    }
    return (struct wire_text){};
}

static const struct object *server_of(struct object *object)
{
    struct object *target = revocable_target(object);
    return target != nullptr && target->type == &minted_type
               ? &minted_of(target)->endpoint->object
               : nullptr;
}

enum status system_inspector_capability(struct object *, struct invocation *invocation,
                                        const struct system_inspector_capability_params *params,
                                        struct system_inspector_capability_results *out_results)
{
    const struct process *process = process_find(params->process_id);
    if (process == nullptr)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT,
                               "processId: no live process has that number");
    *out_results = (struct system_inspector_capability_results){};
    const struct cap_table *table = &process->caps;
    for (uint32_t i = params->slot; i < table->slot_count; i++) {
        const struct cap_slot *slot = cap_table_slot(table, i);
        if (slot->object == nullptr)
            continue;
        *out_results = (struct system_inspector_capability_results){
            .next_slot = i + 1,
            .name = name_of(process, (uint64_t)slot->generation << 32 | i),
            .interface_id = slot->interface_id,
            .object = number_of(slot->object),
            .server = number_of(server_of(slot->object)),
            .revocable = slot->object->type == &revocable_type,
        };
        break;
    }
    return STATUS_OK;
}
