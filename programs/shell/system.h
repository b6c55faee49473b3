// SPDX-License-Identifier: MIT
// Commands on the running system: `graph`, `revoke`.
#pragma once

#include "eval.h"

extern const struct command system_commands[];
extern const uint32_t system_command_count;
