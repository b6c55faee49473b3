// SPDX-License-Identifier: MIT
// The few files below /dev that need no service.
#pragma once

#include "abi.h"

struct device;

// The device of an absolute path, or null.
[[nodiscard]] const struct device *device_find(const char *absolute);

// A descriptor.  EPERM: random numbers, and the program lacks "entropy".
[[nodiscard]] long device_open(const struct device *device, uint32_t flags);

void device_status(const struct device *device, struct posix_stat *out_status);
