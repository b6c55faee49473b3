// SPDX-License-Identifier: MIT
// What must hold of the whole core between any two upcalls (invariants.c).
#pragma once

// Panics with the broken invariant's text.  Takes time linear in the processes, the slots of
// their tables and what is pending.
void kernel_check_invariants(void);
