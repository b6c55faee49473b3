// SPDX-License-Identifier: MIT
// Capabilities on their way.  See transfer.h.  Tested in tests/core/transfer_test.c.

#include <kernel/cap/transfer.h>

#include <kernel/cap/table.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/slab.h>
#include <kernel/object/object.h>
#include <kernel/sched/process.h>

static struct slab_cache transfer_set_cache = SLAB_CACHE(struct transfer_set);

static enum status transfer_resolve_one(struct invocation_transfer *entry,
                                        struct process *sender,
                                        const struct capos_transfer *descriptor)
{
    if (descriptor->how > CAPOS_TRANSFER_GIVE || descriptor->receiver_mode > CAPOS_HOLD_NONE ||
        descriptor->reserved != 0)
        return STATUS_BAD_TRANSFER;
    struct cap_slot *slot = cap_table_lookup(&sender->caps, descriptor->cap);
    if (slot == nullptr)
        return STATUS_BAD_CAPABILITY;
    bool moved = descriptor->how != CAPOS_TRANSFER_COPY;
    if (slot->mode == CAPOS_HOLD_NONE || (slot->mode == CAPOS_HOLD_MOVE && !moved))
        return STATUS_BAD_TRANSFER;
    uint8_t mode = (uint8_t)descriptor->receiver_mode;
    *entry = (struct invocation_transfer){
        .object = slot->object,
        .interface_id = slot->interface_id,
        .sender_id = descriptor->cap,
        .mode = mode > slot->mode ? mode : slot->mode, // narrowed, never widened
        .moved = moved,
        .given = descriptor->how == CAPOS_TRANSFER_GIVE,
    };
    if (moved)
        slot->id = CAP_ID_NONE;
    else
        object_hold(slot->object);
    return STATUS_OK;
}

// Whether an earlier descriptor of the set moves a capability.
static bool transfer_moves(const struct transfer_set *set, capos_cap_id id)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->entries[i].moved && set->entries[i].sender_id == id)
            return true;
    return false;
}

static void transfer_undo(struct transfer_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct invocation_transfer *entry = &set->entries[i];
        if (entry->moved)
            cap_table_slot(&set->sender->caps, (uint32_t)entry->sender_id)->id =
                entry->sender_id;
        else
            object_unhold(entry->object);
    }
    set->count = 0;
}

enum status transfer_resolve(struct transfer_set *set, struct process *sender,
                             const struct capos_transfer *descriptors, uint32_t count)
{
    ASSERT(count <= CAPOS_TRANSFER_COUNT_MAX);
    set->sender = sender;
    set->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum status status = transfer_resolve_one(&set->entries[i], sender, &descriptors[i]);
        if (status != STATUS_OK) {
            if (transfer_moves(set, descriptors[i].cap))
                status = STATUS_BAD_TRANSFER; // it names what the message itself takes away
            transfer_undo(set);
            return status;
        }
        set->count++;
    }
    return STATUS_OK;
}

// The slot of a moved capability, still in transit, and its hold.
static struct object *transfer_take_moved(struct transfer_set *set,
                                          const struct invocation_transfer *entry)
{
    struct cap_slot *slot = cap_table_slot(&set->sender->caps, (uint32_t)entry->sender_id);
    ASSERT(cap_slot_in_transit(slot) && slot->object == entry->object);
    return cap_table_take(&set->sender->caps, slot, entry->sender_id);
}

void transfer_commit(struct transfer_set *set, struct process *receiver,
                     struct capos_cap_record *out_records)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct invocation_transfer *entry = &set->entries[i];
        if (entry->moved)
            (void)transfer_take_moved(set, entry); // the hold goes on to the receiver
        out_records[i] = (struct capos_cap_record){
            .cap = cap_table_insert(&receiver->caps, entry->object, entry->interface_id,
                                    entry->mode),
            .interface_id = entry->interface_id,
        };
    }
    set->count = 0;
}

void transfer_consume(struct transfer_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->entries[i].moved)
            (void)transfer_take_moved(set, &set->entries[i]);
        object_unhold(set->entries[i].object);
    }
    set->count = 0;
}

void transfer_drop(struct transfer_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        const struct invocation_transfer *entry = &set->entries[i];
        if (!entry->given)
            continue;
        object_unhold(transfer_take_moved(set, entry));
        set->entries[i--] = set->entries[--set->count];
    }
    transfer_undo(set);
}

struct transfer_set *transfer_set_create(struct process *sender)
{
    struct transfer_set *set = slab_get(&transfer_set_cache, sender->budget);
    if (set != nullptr)
        set->sender = sender;
    return set;
}

void transfer_set_destroy(struct transfer_set *set)
{
    ASSERT(set->count == 0);
    slab_put(&transfer_set_cache, set->sender->budget, set);
}
