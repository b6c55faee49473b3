// SPDX-License-Identifier: MIT
// The terminal that we were started from.
#pragma once

#include <abi/host_link.h>

// Which of stdin, stdout and stderr are terminals, and the size of the window.
[[nodiscard]] struct capos_link_info terminal_describe(void);

// Gives the keys to the machine as they are typed, Ctrl-C too, if stdin and stdout are
// terminals and we are in the foreground.  Ctrl-\ alone keeps its meaning: SIGQUIT.
void terminal_take_keys(void);
// Gives them back; does nothing if they weren't taken.
void terminal_restore(void);
