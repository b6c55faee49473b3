// SPDX-License-Identifier: MIT
// Mappings of files.
#pragma once

#include "descriptor.h"
#include "memory.h"

// The mapping's address.  EACCES: the file isn't open for it; ENODEV: its service has no pages
// of it; ENOMEM.
[[nodiscard]] long map_regular(struct open_file *file, const struct mapping *mapping);
