// SPDX-License-Identifier: MIT
// The programs that the shell started, and the commands on them: `ps`, `jobs`, `kill`, `wait`.
#pragma once

#include "eval.h"

extern const struct command jobs_commands[];
extern const uint32_t jobs_command_count;

// Starts a program; for struct shell_world.
[[nodiscard]] bool jobs_start(void *context, const struct shell_program *program,
                              struct value_problem *problem);
