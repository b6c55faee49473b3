// SPDX-License-Identifier: MIT
// NOPs through the ring.  See <capos/measure.h>.
#include "thread.h"

#include <capos/measure.h>

void capos_nop(uint32_t count)
{
    struct ring_client *ring = &thread_self()->ring;
    uint32_t in_flight = ring->in_flight;
    for (uint32_t i = 0; i < count; i++) {
        struct capos_sqe *entry = ring_entry(ring, COMPLETION_QUIET);
        if (entry == nullptr)
            break; // calls in flight take all the room
        *entry = (struct capos_sqe){.opcode = CAPOS_OP_NOP, .user_data = COMPLETION_QUIET};
        ring_submit(ring);
    }
    while (ring->in_flight > in_flight)
        ring_wait(ring);
}
