// SPDX-License-Identifier: MIT
// The programs that the shell started, and the commands on them.
#pragma once

#include "eval.h"

extern const struct command jobs_commands[];
extern const uint32_t jobs_command_count;

// Starts a program or a pipeline, and lists the jobs; for struct shell_world.
[[nodiscard]] bool jobs_start(void *context, const struct shell_pipeline *pipeline,
                              struct value_problem *problem);
[[nodiscard]] bool jobs_at(void *context, uint32_t index, uint32_t *out_number,
                           char out_name[SHELL_PROGRAM_BYTES]);
// Says how the jobs ended that nobody waits for; then they are gone.
void jobs_tell(void);
