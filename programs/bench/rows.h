// SPDX-License-Identifier: MIT
// The operations that exist on every system that is measured: the same code on each.
#pragma once

// Measures all of them, one after the other.
void rows_measure(void);

// The receiving half of the row bulk_per_mib: copies SHARED_BYTES out of shared memory.
void rows_take(const void *shared);
