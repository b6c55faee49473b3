// SPDX-License-Identifier: MIT
// Variables: values and capabilities by name.
//
// A capability that came from a call belongs to the variables whose values have it in them,
// however many there are: it is released when the last of them is gone or has another value.
#pragma once

#include "eval.h"

// The variable of that name, or nullptr.
[[nodiscard]] const struct shell_variable *variables_find(const struct shell *shell,
                                                          const char *name, size_t name_bytes);
// Binds a copy of a value, and takes what it has of the statement's result capabilities.
// False: no room, see the shell's problem; then nothing has changed.
[[nodiscard]] bool variables_bind(struct shell *shell, const char *name, uint32_t name_bytes,
                                  const struct value *value, const char *unit);
// Forgets a variable.  False: there is none of that name, see the shell's problem.
[[nodiscard]] bool variables_release(struct shell *shell, const char *name,
                                     uint32_t name_bytes);
void variables_release_all(struct shell *shell);
