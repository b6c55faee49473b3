// SPDX-License-Identifier: MIT
// The person at the terminal, if the shell was granted a TerminalSession and there is one.
//
// The shell serves a Completer for the lines that it reads, and hears of Ctrl-C while it is
// busy.  Without a session nothing here does anything.
#pragma once

#include <gen/capos/terminal.h>

#include "eval.h"

// Finds the session, under "terminal".  False: there is none, or nobody sits there.  The shell
// must live as long as the program.
[[nodiscard]] bool session_open(struct shell *shell);
[[nodiscard]] bool session_is_open(void);
// Lent.
[[nodiscard]] terminal_session_cap session_terminal(void);

// Reads a line while calls are served; ended by a NUL.
[[nodiscard]] enum line_end session_read_line(const char *prompt, char *line, size_t line_max);
// Whether a line is being read.
[[nodiscard]] bool session_is_reading(void);

// Whether Ctrl-C was typed while nobody read, since it was asked last.
[[nodiscard]] bool session_interrupted(void);
