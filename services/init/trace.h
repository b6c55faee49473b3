// SPDX-License-Identifier: MIT
// The requested program's trace on its way from the kernel to the host (trace.c).
#pragma once

#include <capos/spawn.h>

// Makes the ring for a trace, paid by init, and watches it.  Fails without memory.
[[nodiscard]] enum status trace_begin(const struct capos_spawner *spawner,
                                      uint32_t capture_bytes,
                                      struct capos_spawn_trace *out_trace);

// Sends what is left, and how much was lost; nothing if there is no trace.
void trace_finish(void);
