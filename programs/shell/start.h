// SPDX-License-Identifier: MIT
// Starting one program of the boot package.
#pragma once

#include <gen/capos/process.h>
#include <gen/capos/stdio.h>

#include "eval.h"

// Starts a program: charged to a budget of its own, which returns to the shell's with the
// program's end; granted what the line says.  `stdio`, lent, stands for the shell's own among
// the grants.  False: see the problem.
[[nodiscard]] bool start_program(const char *name, const struct shell_program *program,
                                 const struct syntax *syntax, stdio_cap stdio,
                                 process_handle_cap *out_handle, struct value_problem *problem);
// Whether the shell's own StdIO is among a program's grants.
[[nodiscard]] bool start_has_stdio(const struct shell_program *program);
// The programs that there are; for struct shell_world.
[[nodiscard]] bool start_program_at(void *context, uint32_t index,
                                    char out_name[SHELL_PROGRAM_BYTES]);
