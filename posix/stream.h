// SPDX-License-Identifier: MIT
// The standard streams, over the grant "stdio".
#pragma once

#include "descriptor.h"

constexpr uint32_t STREAM_COUNT = 3;

[[nodiscard]] bool stream_present(void);
// A description of stream 0, 1 or 2; nullptr without memory.
[[nodiscard]] struct open_file *stream_open(uint32_t stream);
