// SPDX-License-Identifier: MIT
// NOPs through the ring.  See <capos/measure.h>.
#include "thread.h"

#include <capos/measure.h>

void capos_nop(uint32_t count)
{
    struct ring_client *ring = &thread_self()->ring;
    uint32_t in_flight = ring->in_flight;
    for (uint32_t i = 0; i < count; i++) {
        struct capos_sqe *entry = ring_submission(ring, 0, COMPLETION_RELEASE);
        if (entry == nullptr)
            break; // calls in flight take all the room
        entry->opcode = CAPOS_OP_NOP;
        ring_submit(ring);
    }
    while (ring->in_flight > in_flight)
        ring_wait(ring);
}
