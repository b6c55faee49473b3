// SPDX-License-Identifier: MIT
// What the shell reads of files: of programs' for their declarations, of directories' entries.
// For struct shell_world.
#pragma once

#include "eval.h"

// What a program of the boot package says of its operands; 0: nothing.
[[nodiscard]] uint32_t files_operands(void *context, const char *name, uint32_t name_bytes);

[[nodiscard]] bool files_entries(void *context, const struct value *directory, const char *path,
                                 bool (*take)(void *taker, const char *name, bool is_directory),
                                 void *taker, struct value_problem *problem);
