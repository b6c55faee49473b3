// SPDX-License-Identifier: MIT
// Lifetime of kernel objects.  See object.h.
//
// A builder may hold a builder that holds a builder: ending one must not recurse.  So both
// events, `unheld` and `destroy`, go through one list, and the outermost call empties it.
// An object that waits for its `unheld` keeps the reference of its last hold meanwhile.

#include <kernel/object/object.h>

#include <kernel/debug/panic.h>

static struct object *reap_first;
static bool reaping;

static void reap(struct object *object)
{
    object->next_reaped = reap_first;
    reap_first = object;
    if (reaping)
        return;
    reaping = true;
    while ((object = reap_first) != nullptr) {
        reap_first = object->next_reaped;
        if (object->unheld_pending) {
            object->unheld_pending = false;
            object->type->unheld(object);
            object_put(object);
        } else {
            object->type->destroy(object);
        }
    }
    reaping = false;
}

void object_get(struct object *object)
{
    ASSERT(object->reference_count > 0 && object->reference_count < UINT32_MAX);
    object->reference_count++;
}

void object_put(struct object *object)
{
    ASSERT(object->reference_count > 0);
    if (--object->reference_count == 0)
        reap(object);
}

void object_unhold(struct object *object)
{
    ASSERT(object->hold_count > 0);
    if (--object->hold_count == 0 && object->type->unheld != nullptr) {
        object->unheld_pending = true;
        reap(object);
    } else {
        object_put(object);
    }
}
