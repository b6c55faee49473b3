// SPDX-License-Identifier: MIT
// Where the shell's lines come from.  A script ends at the first line that fails, with status 1
// and the place of the line on standard error; a person may try again.
#pragma once

#include "eval.h"

// Each runs lines until they end or the shell does; shell->status is then the exit status.
void lines_of_arguments(struct shell *shell, int count, char **lines);
// A file of the boot package.
void lines_of_file(struct shell *shell, const char *name);
// The shell's StdIO; with a prompt if a person types.
void lines_of_input(struct shell *shell);
// The TerminalSession, which is open.
void lines_of_person(struct shell *shell);
