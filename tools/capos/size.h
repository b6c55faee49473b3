// SPDX-License-Identifier: MIT
// Sizes as people write them.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Reads all of `bytes` bytes as a number of bytes, or of KiB, MiB or GiB with K, M or G behind
// it.  False: it is none, or doesn't fit an int64_t.
[[nodiscard]] bool size_read(const char *text, size_t bytes, uint64_t *out_bytes);
