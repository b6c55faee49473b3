// SPDX-License-Identifier: MIT
// `help`: the schema's documentation, and that of the shell's own commands.
#pragma once

#include "eval.h"

// Explains a topic: a command, a held name, an interface, either with a method behind a
// point; nothing: the shell itself.  False: there is no such topic, see the shell's problem.
[[nodiscard]] bool help_show(struct shell *shell, const char *topic, size_t topic_bytes);
