// SPDX-License-Identifier: MIT
// The page tables of a space: which of them it needs, and when the others are given back
// (table.c).  Private to kernel/mm.
#pragma once

#include <kernel/mm/space.h>

// A range of the space maps nothing any more and no region needs its tables.  Those of a short
// range are kept until another one is let go elsewhere: what comes and goes there in turns finds
// its tables.
void table_let_go(struct space *space, uint64_t start, uint64_t end);

// The same without keeping any: an operation failed that had prepared the range.
void table_trim(struct space *space, uint64_t start, uint64_t end);
