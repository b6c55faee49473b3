// SPDX-License-Identifier: MIT
// Programs that are run from their C source, compiled once.
#pragma once

#include "files.h"

// Compiles one C file, or finds it in the cache.  0 and the program's path, or an exit
// status after messages.
[[nodiscard]] int cache_compile(const char *source_path, char out_path[PATH_BYTES]);
