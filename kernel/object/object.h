// SPDX-License-Identifier: MIT
// What every kernel object begins with.
//
// Two counts keep an object alive.  `hold_count` counts slots of capability tables,
// capabilities in transit, and calls under way on a minted object; when the last is gone,
// `unheld` runs: the object stops serving (an Endpoint disconnects its callers, a minted
// object tells its server).  `reference_count` counts everything that points to the
// object, holds included; when the last is gone, `destroy` frees it.
#pragma once

#include <stdint.h>

#include <abi/ring.h>            // enum capos_hold_mode
#include <gen/kernel/dispatch.h> // struct interface_dispatch
#include <kernel/debug/panic.h>

struct object;

struct object_type {
    // Methods, generated from the schema; nullptr for a type whose calls go elsewhere
    // (a minted object: to its Endpoint).
    const struct interface_dispatch *dispatch;
    // The widest mode of a hold: enum capos_hold_mode.
    uint8_t hold_mode;
    // A process that holds one may tell the time: see CR4.TSD in arch_set_tsc_allowed,
    // and cap_enter's timeout.
    bool tells_time;
    // A call failed before its method ran, with a transport error or for want of memory.
    // May be nullptr.
    void (*call_refused)(struct object *object, enum status status);
    // The last hold is gone.  May be nullptr.
    void (*unheld)(struct object *object);
    // The last reference is gone: frees the storage.
    void (*destroy)(struct object *object);
};

struct object {
    const struct object_type *type;
    uint32_t reference_count;
    uint32_t hold_count;
    struct object *next_reaped; // private to object.c
    bool unheld_pending;        // private to object.c
};

// A new object: one reference (the caller's), no hold.
static inline void object_init(struct object *object, const struct object_type *type)
{
    *object = (struct object){.type = type, .reference_count = 1};
}

void object_get(struct object *object);
// Dropping a reference or a hold may end objects that hold others, to any depth: the work
// is queued and done in a loop by the outermost call, so kernel stack use is bounded.
void object_put(struct object *object);
// A hold carries its own reference.
static inline void object_hold(struct object *object)
{
    ASSERT(object->reference_count > 0 && object->reference_count < UINT32_MAX / 2);
    object->reference_count++;
    object->hold_count++;
}
void object_unhold(struct object *object);
// A hold for the time of a call on an object that is held, and its end when it isn't the last:
// object_hold leaves room for as many calls as there can be.
static inline void object_hold_for_call(struct object *object)
{
    object->reference_count++;
    object->hold_count++;
}
static inline void object_unhold_after_call(struct object *object)
{
    object->reference_count--;
    object->hold_count--;
}
