// SPDX-License-Identifier: MIT
// What the rest of arch uses of user address spaces; the core's part is in arch.h (space.c).
#pragma once

#include <stdint.h>

// Makes this CPU forget the translations of a range, if the space of that root is loaded.
void space_flush_here(uint64_t root, uint64_t address, uint64_t length_bytes);
