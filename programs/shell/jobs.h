// SPDX-License-Identifier: MIT
// The programs that the shell started: `run`, `spawn`, `ps`, `jobs`, `kill`, `wait`.
#pragma once

#include "eval.h"

// Start a program and obey the commands on jobs; for struct shell_world.
[[nodiscard]] bool jobs_start(void *context, const struct shell_program *program,
                              struct value_problem *problem);
[[nodiscard]] bool jobs_command(void *context, enum statement_kind command, uint64_t number,
                                struct value_problem *problem);
