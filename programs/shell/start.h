// SPDX-License-Identifier: MIT
// Starting one program of the boot package.
#pragma once

#include <capos/spawn.h>

#include <gen/capos/process.h>
#include <gen/capos/stdio.h>
#include <gen/capos/terminal.h>

#include "eval.h"

// What a program gets where the line names the shell's own.  Lent.
struct start_stand_ins {
    stdio_cap stdio;
    terminal_session_cap terminal;
};

// Starts a program: charged to a budget of its own, which returns to the shell's with the
// program's end; granted what the line says; its calls recorded if `trace` isn't nullptr.
// False: see the problem.
[[nodiscard]] bool start_program(const char *name, const struct shell_program *program,
                                 const struct syntax *syntax,
                                 const struct start_stand_ins *stand_ins,
                                 const struct capos_spawn_trace *trace,
                                 process_handle_cap *out_handle, struct value_problem *problem);
// Whether the shell's own StdIO, or TerminalSession, is among a program's grants.
[[nodiscard]] bool start_has_stdio(const struct shell_program *program);
[[nodiscard]] bool start_has_terminal(const struct shell_program *program);
// The programs that there are; for struct shell_world.
[[nodiscard]] bool start_program_at(void *context, uint32_t index,
                                    char out_name[SHELL_PROGRAM_BYTES]);
