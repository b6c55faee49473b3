// SPDX-License-Identifier: MIT
// What sqlite3.c asks of a header, without a C library that has it.
#pragma once

#define fabs(number) __builtin_fabs(number)
#define INFINITY     __builtin_inff()
