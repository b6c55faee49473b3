// SPDX-License-Identifier: MIT
// The one identity that a program sees: nothing in capOS goes by it.
#pragma once

#include <stdint.h>

constexpr uint32_t IDENTITY = 1000; // as user and as group

// Ends the process with a status from 0 to 255.
[[noreturn]] void process_exit(long status);
