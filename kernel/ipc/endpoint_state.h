// SPDX-License-Identifier: MIT
// What an Endpoint and a minted object are, for the two files that work on them:
// object/endpoint.c, which has the idea and the invariants, and ipc/handover.c, the short way
// of the common case.
#pragma once

#include <stdint.h>

#include <kernel/debug/panic.h>
#include <kernel/ipc/op.h>
#include <kernel/object/object.h>
#include <lib/container_of.h>
#include <lib/list.h>

struct budget;

// The low half of a call's id is the number of its slot, from 1 on, so no id is 0; the high half
// counts the slot's calls.
struct call_slot {
    struct op *op;    // nullptr when free
    uint64_t call_id; // of the delivered call; 0: there is none
    uint64_t next_id; // of the call that will be delivered next
    struct call_slot *next_free;
};

struct endpoint {
    struct object object;
    struct budget *budget; // referenced; pays for this, the slots and minted objects
    struct list receivers; // struct op.queue_link, waiting RECVs
    struct list full;      // struct op.queue_link, RECVs all of whose slots are taken
    struct list calls;     // struct op.queue_link, queued calls
    struct list notices;   // struct minted.notice_link, each with a reference
    struct call_slot *slots;
    unsigned slots_order; // of the pages that hold them
    uint32_t slot_count;
    struct call_slot *first_free; // nullptr: all are in use
    bool closed;
};

struct minted {
    struct object object;
    struct endpoint *endpoint; // referenced
    uint64_t interface_id;
    uint64_t word;
    struct list_link notice_link;
    bool revoked;
};

extern const struct object_type endpoint_type;
extern const struct object_type minted_type;

static inline struct endpoint *endpoint_of(struct object *object)
{
    ASSERT(object->type == &endpoint_type);
    return container_of(object, struct endpoint, object);
}

static inline struct minted *minted_of(struct object *object)
{
    ASSERT(object->type == &minted_type);
    return container_of(object, struct minted, object);
}

static inline void slot_assign(struct endpoint *endpoint, struct op *op)
{
    struct call_slot *slot = endpoint->first_free;
    endpoint->first_free = slot->next_free;
    slot->op = op;
    op->call_slot = slot;
}

// The call is delivered: returns the id that its server gets.
static inline uint64_t slot_deliver(struct call_slot *slot)
{
    return slot->call_id = slot->next_id;
}

static inline bool call_is_delivered(const struct op *call)
{
    return call->call_slot->call_id != 0;
}

static inline void slot_free(struct endpoint *endpoint, struct op *op)
{
    struct call_slot *slot = op->call_slot;
    op->call_slot = nullptr;
    slot->op = nullptr;
    slot->call_id = 0;
    slot->next_id += UINT64_C(1) << 32;
    slot->next_free = endpoint->first_free;
    endpoint->first_free = slot;
}

// The slot of the delivered call that an id names; nullptr without one.
static inline struct call_slot *slot_lookup(const struct endpoint *endpoint, uint64_t call_id)
{
    uint32_t index = (uint32_t)call_id - 1;
    if (index >= endpoint->slot_count)
        return nullptr;
    struct call_slot *slot = &endpoint->slots[index];
    return slot->call_id == call_id ? slot : nullptr;
}

// That call.
static inline struct op *call_lookup(const struct endpoint *endpoint, uint64_t call_id)
{
    const struct call_slot *slot = slot_lookup(endpoint, call_id);
    return slot == nullptr ? nullptr : slot->op;
}

// Takes a call out of its endpoint, wherever it is; its slot is free.
void call_withdraw(struct op *op);

// Takes a receive out of its endpoint.
void receive_withdraw(struct op *op);

// What a RECV with MULTISHOT has besides its op.
struct multishot {
    uint64_t taken; // bit i: the server has slot i
    uint32_t slot_count;
};

// The same for one with MULTISHOT; no other op has this on_cancel.
void multishot_withdraw(struct op *op);

static inline bool is_multishot(const struct op *receive)
{
    return receive->on_cancel == multishot_withdraw;
}

static inline uint32_t multishot_free_slots(const struct multishot *multishot)
{
    return multishot->slot_count - (uint32_t)__builtin_popcountll(multishot->taken);
}
