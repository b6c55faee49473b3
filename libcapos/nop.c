// SPDX-License-Identifier: MIT
// NOPs through the ring.  See <capos/measure.h>.
#include "thread.h"

#include <capos/measure.h>

void capos_nop(uint32_t count)
{
    struct ring_client *ring = &thread_self()->ring;
    uint32_t in_flight = ring->in_flight;
    uint32_t room = ring_in_flight_limit(ring, COMPLETION_QUIET) - in_flight;
    if (count > room)
        count = room; // calls in flight take the rest
    uint32_t tail = ring->sq_tail;
    for (uint32_t i = 0; i < count; i++)
        ring->submissions[tail++ & ring->submission_mask] =
            (struct capos_sqe){.opcode = CAPOS_OP_NOP, .user_data = COMPLETION_QUIET};
    ring->in_flight += count;
    ring->sq_tail = tail;
    __atomic_store_n(&ring->header->sq_tail, tail, __ATOMIC_RELEASE);
    while (ring->in_flight > in_flight)
        ring_wait(ring);
}
