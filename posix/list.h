// SPDX-License-Identifier: MIT
// Directories that are open, to list them and as the place that paths begin at.
#pragma once

#include "descriptor.h"
#include "resolve.h"

// Takes the directory, whose id is 0 for the root that has the grants alone.
[[nodiscard]] long list_open(struct capos_directory directory, const struct resolved *resolved,
                             uint32_t flags, bool close_on_exec);

// Its absolute path, as it was opened; nullptr if it is no directory.
[[nodiscard]] const char *list_name(const struct open_file *file);
