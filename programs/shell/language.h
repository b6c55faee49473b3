// SPDX-License-Identifier: MIT
// The statements of the language: expressions, and the commands that need no machine.
#pragma once

#include "eval.h"

extern const struct command language_commands[];
extern const uint32_t language_command_count;

// What a line without a command stands for that begins with the name of a program.
extern const struct command language_plain;

// Evaluates the statement's expression and shows its value.
[[nodiscard]] bool language_run_expression(struct shell *shell);
