// SPDX-License-Identifier: MIT
// The ring itself, for a runtime that brings its own ring client, and for tests.
#pragma once

#include <abi/ring.h>

// The calling thread's ring.  libcapos keeps indices of its own: a thread that writes
// submissions or consumes completions itself must not use <capos/call.h> from then on, and
// ends by capos_exit_now.
[[nodiscard]] struct capos_ring_header *capos_ring(void);
