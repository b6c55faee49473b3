// SPDX-License-Identifier: MIT
// Formatted text to the emergency console, for programs that run before or without a
// StdIO.  Programs with a StdIO use <stdio.h>.
#pragma once

// Writes to the Console named "console"; does nothing without one.  Cut at 511 bytes.
// The formats are those of lib/fmt.h.
void capos_console_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
