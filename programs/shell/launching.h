// SPDX-License-Identifier: MIT
// Starting programs for a shell that holds a RestrictedLauncher and no ProcessSpawner.
#pragma once

#include <gen/capos/caps.h>

#include "eval.h"

// Whether that is the only way.
[[nodiscard]] bool launching_is_the_only_way(void);

// Starts a program.  False: `problem` says why not.
[[nodiscard]] bool launching_start(const struct shell_program *program,
                                   const struct syntax *syntax, const char *name,
                                   process_handle_cap *out_process,
                                   struct value_problem *problem);
