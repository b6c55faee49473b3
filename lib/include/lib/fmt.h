// SPDX-License-Identifier: MIT
// Formatted text into a buffer, for the kernel, user programs and the host (fmt.c).
//
// The formats are those of C's snprintf (C23, 7.23.6.1) without floating point, wide
// characters and %n:
//   flags       - + space # 0
//   width       a number or *
//   precision   . and a number or *
//   length      hh h l ll z t j
//   conversion  d i u x X o c s p %
// What isn't such a conversion is copied as it stands.  %s of a null pointer is
// "(null)"; %p is 0x and lower-case digits.
#pragma once

#include <stdarg.h>
#include <stddef.h>

// Formats into `buffer`, which holds buffer_bytes and is always NUL-terminated unless
// buffer_bytes is 0 (then it may be null).  Returns the length of the whole text
// without its NUL, whether it fitted or not.
size_t fmt_vformat(char *buffer, size_t buffer_bytes, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
size_t fmt_format(char *buffer, size_t buffer_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
