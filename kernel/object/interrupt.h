// SPDX-License-Identifier: MIT
// The way of an interrupt into the core.
#pragma once

#include <stdint.h>

// A line raised an interrupt and is masked: completes its waiters.
void interrupt_raise(uint32_t line);
