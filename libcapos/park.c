// SPDX-License-Identifier: MIT
// Sleeping on words of memory.  See <capos/park.h>.
// Tested in tests/iface/park_test.c.
#include "thread.h"

#include <capos/capset.h>
#include <capos/park.h>
#include <capos/thread.h>

#include <gen/capos/caps.h>

static park_space_cap space_cap; // id 0: not looked for yet, or not there

static bool space_find(park_space_cap *out_space)
{
    out_space->id = __atomic_load_n(&space_cap.id, __ATOMIC_RELAXED);
    if (out_space->id != 0)
        return true;
    if (park_space_cap_find("park", out_space) != STATUS_OK)
        return false;
    __atomic_store_n(&space_cap.id, out_space->id, __ATOMIC_RELAXED);
    return true;
}

// Without the grant, or without room in the ring, waiting is yielding.
static enum status wait_by_yielding(void)
{
    capos_thread_yield();
    return STATUS_OK;
}

static enum status park(const void *word, uint16_t flags, uint64_t expected,
                        uint64_t timeout_ns, const void *woken)
{
    struct ring_client *ring = &thread_self()->ring;
    park_space_cap space;
    struct capos_call call;
    if (!space_find(&space))
        return wait_by_yielding();
    struct capos_sqe *entry = ring_operation(ring, &call);
    if (entry == nullptr) {
        if (woken != nullptr)
            capos_unpark(woken, 1);
        return wait_by_yielding();
    }
    entry->opcode = CAPOS_OP_PARK;
    entry->method = flags;
    entry->cap = space.id;
    entry->expected = expected;
    entry->params = (uint64_t)word;
    entry->timeout_ns = timeout_ns;
    entry->result = (uint64_t)woken;
    entry->result_bytes_max = woken != nullptr;
    ring_submit(ring);
    int32_t result = ring_operation_wait(ring, &call);
    return result < 0 ? (enum status)(-result) : STATUS_OK;
}

enum status capos_park(const uint32_t *word, uint32_t expected, uint64_t timeout_ns)
{
    return park(word, 0, expected, timeout_ns, nullptr);
}

enum status capos_park_64(const uint64_t *word, uint64_t expected, uint64_t timeout_ns)
{
    return park(word, CAPOS_PARK_64, expected, timeout_ns, nullptr);
}

// Submits an UNPARK; false without the grant: then nobody sleeps.
static bool unpark(struct ring_client *ring, const void *word, uint32_t count,
                   const void *target)
{
    park_space_cap space;
    if (!space_find(&space))
        return false;
    struct capos_sqe *entry = ring_quiet(ring, CAPOS_OP_UNPARK, IF_HELD);
    entry->cap = space.id;
    entry->params = (uint64_t)word;
    entry->params_bytes = count;
    entry->result = (uint64_t)target;
    entry->result_bytes_max = target == nullptr ? 0 : UINT32_MAX;
    ring_submit(ring);
    return true;
}

void park_wake_later(struct ring_client *ring, const void *word, uint32_t count)
{
    (void)unpark(ring, word, count, nullptr);
}

void capos_unpark(const void *word, uint32_t count)
{
    struct ring_client *ring = &thread_self()->ring;
    if (unpark(ring, word, count, nullptr))
        ring_flush(ring);
}

void capos_unpark_move(const void *word, uint32_t count, const void *target)
{
    struct ring_client *ring = &thread_self()->ring;
    if (unpark(ring, word, count, target))
        ring_flush(ring);
}

enum status capos_unpark_and_park(const void *woken, const uint32_t *word, uint32_t expected)
{
    return park(word, 0, expected, CAPOS_FOREVER, woken);
}
