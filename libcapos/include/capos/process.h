// SPDX-License-Identifier: MIT
// What a program knows of itself: its environment and how it was started.
#pragma once

#include <abi/startup.h>

// The "NAME=value" strings, ended by nullptr.  Writable, as C allows.
[[nodiscard]] char **capos_environment(void);

// The block that the loader made.
[[nodiscard]] const struct capos_startup *capos_startup_block(void);
