// SPDX-License-Identifier: MIT
// Capability tables: a process's holds, and the only way it names objects (table.c).
//
// A CapId is a slot and a generation.  Each release raises the slot's generation, so an
// id that was released never names anything again; a slot whose generation would wrap is
// retired.  The table grows in chunks of doubling size, charged to the process; it
// never shrinks before the process ends.
//
// Invariants:
//  1. A live slot is one hold: it carries one hold count of its object.
//  2. A free slot is in the free list unless it is retired.
//  3. A slot in transit (a move that hasn't arrived) can't be named; it still is the hold.
//  4. clock_holds counts the live holds on objects that tell the time.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>

struct budget;
struct object;

struct cap_slot {
    struct object *object; // nullptr when free
    uint64_t interface_id;
    capos_cap_id id;     // what names the live hold; CAP_ID_NONE if free or in transit
    uint32_t generation; // of the live hold, or of the next one
    union {
        uint8_t mode;       // of the hold: enum capos_hold_mode
        uint32_t next_free; // slot number; CAP_SLOT_NONE at the end
    };
};

constexpr capos_cap_id CAP_ID_NONE = UINT64_MAX; // beyond the slots of any table

[[nodiscard]] static inline bool cap_slot_in_transit(const struct cap_slot *slot)
{
    return slot->object != nullptr && slot->id == CAP_ID_NONE;
}

constexpr uint32_t CAP_SLOT_NONE = UINT32_MAX;
constexpr uint32_t CAP_CHUNK_SLOTS = 4096 / sizeof(struct cap_slot); // in chunk 0
constexpr unsigned CAP_CHUNK_COUNT = 10; // chunk k has CAP_CHUNK_SLOTS << k slots
static_assert(CAP_CHUNK_SLOTS == 128);

struct cap_table {
    struct cap_slot *chunks[CAP_CHUNK_COUNT];
    uint32_t near_count; // slots in chunk 0
    uint32_t slot_count; // in all chunks
    uint32_t live_count;
    uint32_t free_count; // in the free list
    uint32_t first_free;
    uint32_t chunk_count;
    uint32_t clock_holds;
    bool tells_time; // clock_holds > 0
};

void cap_table_init(struct cap_table *table);
// Drops every hold and gives the chunks back.
void cap_table_fini(struct cap_table *table, struct budget *budget);

// Makes sure that `count` inserts will succeed.  STATUS_OVERLOADED when the budget or the
// largest size of a table is exhausted.
[[nodiscard]] enum status cap_table_reserve(struct cap_table *table, struct budget *budget,
                                            uint32_t count);

// Adds a hold.  The caller passes its hold count on the object on to the table.
capos_cap_id cap_table_insert(struct cap_table *table, struct object *object,
                              uint64_t interface_id, enum capos_hold_mode mode);

// The slot of a number below slot_count, whatever its state.  Slot s lies in chunk
// k = floor(log2(s / CAP_CHUNK_SLOTS + 1)), so slot numbers never move.
[[nodiscard]] static inline struct cap_slot *cap_table_slot(const struct cap_table *table,
                                                            uint32_t index)
{
    uint32_t block = index / CAP_CHUNK_SLOTS + 1;
    unsigned chunk = 31u - (unsigned)__builtin_clz(block);
    return &table->chunks[chunk][index - CAP_CHUNK_SLOTS * ((1u << chunk) - 1)];
}

// The live slot that an id names; nullptr if there is none.
[[nodiscard]] static inline struct cap_slot *cap_table_lookup(const struct cap_table *table,
                                                              capos_cap_id id)
{
    uint32_t index = (uint32_t)id;
    struct cap_slot *slot;
    if (index < table->near_count) [[clang::likely]]
        slot = &table->chunks[0][index];
    else if (index < table->slot_count)
        slot = cap_table_slot(table, index);
    else
        return nullptr;
    return slot->id == id ? slot : nullptr;
}

// Empties a slot.  The hold count is the caller's again: it passes it on or drops it.
struct object *cap_table_take(struct cap_table *table, struct cap_slot *slot, capos_cap_id id);

// Drops the hold that an id names.  STATUS_BAD_CAPABILITY if there is none.
[[nodiscard]] enum status cap_table_release(struct cap_table *table, capos_cap_id id);
