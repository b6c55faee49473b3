// SPDX-License-Identifier: MIT
// Where the thread's ring lies.  See <capos/ring.h>.
#include <capos/ring.h>

#include "thread.h"

struct capos_ring_header *capos_ring(void)
{
    return thread_self()->ring.header;
}
