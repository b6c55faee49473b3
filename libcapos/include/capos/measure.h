// SPDX-License-Identifier: MIT
// For measuring the system itself: marks that an instruction counter sees, and the two
// operations of the ring that no typed call needs.
#pragma once

#include <stdint.h>

// The begin and the end of a measured region: instructions without effect that the plug-in
// tools/bench/insn_count.c recognises.  They cost the same wherever they stand.
void capos_mark_begin(void);
void capos_mark_end(void);

// Submits `count` NOPs (1 to 32), enters the kernel once and consumes their completions.
void capos_nop(uint32_t count);
