// SPDX-License-Identifier: MIT
// Files that are open.
#pragma once

#include "descriptor.h"

// Takes a File, or a ReadOnlyFile.
[[nodiscard]] long regular_open(struct capos_file file, uint32_t device, uint32_t flags,
                                bool close_on_exec);
