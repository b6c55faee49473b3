// SPDX-License-Identifier: MIT
// Times of POSIX in nanoseconds.
#pragma once

#include "abi.h"

// False if it is no time, or beyond the range.
[[nodiscard]] bool time_to_ns(const struct posix_timespec *time, int64_t *out_ns);
