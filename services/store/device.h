// SPDX-License-Identifier: MIT
// A BlockDevice as the medium of a volume (device.c).
//
// Invariant: what was written and not flushed when the driver ended is never taken for written.
// Such a volume is opened anew: the process ends, and init starts it again.
#pragma once

#include <gen/capos/caps.h>
#include <volume/medium.h>

// Opens the device.  nullptr, with the reason in *out_problem, if it has none that can be used.
[[nodiscard]] struct medium *device_open(block_device_cap device, const char **out_problem);
