// SPDX-License-Identifier: MIT
// Capability tables.  See table.h.
//
// Tested in tests/core/transfer_test.c.

#include <kernel/cap/table.h>

#include <kernel/arch.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/slab.h>
#include <kernel/object/object.h>
#include <kernel/sched/sched.h>

static_assert(sizeof(struct cap_slot) == 32);

void cap_table_init(struct cap_table *table)
{
    *table = (struct cap_table){.first_free = CAP_SLOT_NONE};
}

static void clock_holds_change(struct cap_table *table, int by)
{
    table->clock_holds += (uint32_t)by;
    table->tells_time = table->clock_holds > 0;
    sched_clock_changed(table);
}

static void cap_table_push_free(struct cap_table *table, struct cap_slot *slot, uint32_t index)
{
    slot->next_free = table->first_free;
    table->first_free = index;
    table->free_count++;
}

static enum status cap_table_grow(struct cap_table *table, struct budget *budget)
{
    unsigned chunk = table->chunk_count;
    if (chunk == CAP_CHUNK_COUNT)
        return STATUS_OVERLOADED;
    struct cap_slot *slots = kernel_pages_get(budget, chunk);
    if (slots == nullptr)
        return STATUS_OVERLOADED;
    table->chunks[chunk] = slots;
    table->chunk_count++;
    uint32_t first = table->slot_count;
    uint32_t count = CAP_CHUNK_SLOTS << chunk;
    table->slot_count += count;
    table->near_count = CAP_CHUNK_SLOTS;
    // From the back, so that low slots are handed out first.
    for (uint32_t i = count; i-- > 0;) {
        slots[i].generation = 1;
        slots[i].id = CAP_ID_NONE;
        cap_table_push_free(table, &slots[i], first + i);
    }
    return STATUS_OK;
}

enum status cap_table_reserve(struct cap_table *table, struct budget *budget, uint32_t count)
{
    while (table->free_count < count) {
        enum status status = cap_table_grow(table, budget);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

capos_cap_id cap_table_insert(struct cap_table *table, struct object *object,
                              uint64_t interface_id, enum capos_hold_mode mode)
{
    ASSERT(table->free_count > 0 && object->hold_count > 0);
    uint32_t index = table->first_free;
    struct cap_slot *slot = cap_table_slot(table, index);
    table->first_free = slot->next_free;
    table->free_count--;
    table->live_count++;
    if (object->type->tells_time)
        clock_holds_change(table, 1);
    slot->object = object;
    slot->interface_id = interface_id;
    slot->mode = (uint8_t)mode;
    slot->id = (uint64_t)slot->generation << 32 | index;
    return slot->id;
}

struct object *cap_table_take(struct cap_table *table, struct cap_slot *slot, capos_cap_id id)
{
    struct object *object = slot->object;
    ASSERT(object != nullptr);
    table->live_count--;
    if (object->type->tells_time)
        clock_holds_change(table, -1);
    slot->object = nullptr;
    slot->id = CAP_ID_NONE;
    slot->generation++;
    if (slot->generation != 0) // else retired: its generations are used up
        cap_table_push_free(table, slot, (uint32_t)id);
    return object;
}

enum status cap_table_release(struct cap_table *table, capos_cap_id id)
{
    struct cap_slot *slot = cap_table_lookup(table, id);
    if (slot == nullptr)
        return STATUS_BAD_CAPABILITY;
    object_unhold(cap_table_take(table, slot, id));
    return STATUS_OK;
}

void cap_table_fini(struct cap_table *table, struct budget *budget)
{
    for (uint32_t i = 0; i < table->slot_count && table->live_count > 0; i++) {
        struct cap_slot *slot = cap_table_slot(table, i);
        if (slot->object != nullptr)
            object_unhold(cap_table_take(table, slot, i));
    }
    for (unsigned chunk = 0; chunk < table->chunk_count; chunk++)
        kernel_pages_put(budget, table->chunks[chunk], chunk);
    cap_table_init(table);
}
