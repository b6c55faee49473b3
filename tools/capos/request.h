// SPDX-License-Identifier: MIT
// The request that init reads: which program, with which arguments and grants.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "storage.h"

// The most that a request of the documented bounds can need is limited by this instead:
// 2 MiB of arguments and environment, as on other systems.
constexpr size_t REQUEST_BYTES_MAX = 2u << 20;

// Encodes a request into `buffer` (8-byte aligned, of REQUEST_BYTES_MAX).  `program` is
// the name of a file of the package, `name` what the process is called; arguments[0] is
// replaced by `name`.  `storage` is what --dir, --disk and --tmp give.  Returns the size in
// bytes, 0 if it doesn't fit.
[[nodiscard]] uint32_t request_encode(const struct run_options *options,
                                      const struct storage *storage, const char *program,
                                      const char *name, void *buffer);

// What a program is called: the last part of its path, without ".c", cut to 63 bytes.
void request_name(const char *path, char out_name[64]);
