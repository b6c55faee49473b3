// SPDX-License-Identifier: MIT
// Random bytes, over the grant "entropy".
#pragma once

#include <stddef.h>

[[nodiscard]] bool random_present(void);

// Returns the count, or the negative of an errno.  EPERM: the program lacks the grant.
[[nodiscard]] long random_fill(void *buffer, size_t byte_count);
