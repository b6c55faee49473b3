// SPDX-License-Identifier: MIT
// Changes of the names of files.
#pragma once

#include <stdint.h>

// The mode of something new: what was asked for, less the umask.
[[nodiscard]] uint16_t change_new_mode(uint32_t mode);
