// SPDX-License-Identifier: MIT
// The file of the host that a machine has as its disk.
#pragma once

#include <stdint.h>

#include "run_options.h"

constexpr uint64_t DISK_BYTES_MIN = 1 << 20;

// Reads FILE[:SIZE], SIZE in bytes or with K, M or G.  What isn't a size belongs to the name;
// *out_bytes is 0 then.  False: the size is too small or too large.
[[nodiscard]] bool disk_file_read(const char *text, char *out_path, size_t path_bytes,
                                  uint64_t *out_bytes);

// Makes the file if it isn't there and a size was given, and adds it to QEMU's arguments.  0, or
// an exit status, and the reason was said.
[[nodiscard]] int disk_file_add(struct run_options *options);
