// SPDX-License-Identifier: MIT
// Messages of the kernel itself, for the person who debugs a machine (log.c).
//
// They go to the emergency console at once, unbuffered and slow, so the kernel logs
// only what happens rarely: how it booted, and what should not have happened.  What
// happens often is traced (debug/trace.h).  A process's mistakes are answered with a
// typed error and never logged.
#pragma once

#include <stdarg.h>

// Prints one formatted message; `format` as in lib/fmt.h, with its own newline.  A
// message of more than LOG_MESSAGE_BYTES_MAX - 1 bytes is cut.  Never fails, never
// allocates.
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_vprintf(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

constexpr unsigned LOG_MESSAGE_BYTES_MAX = 512;
