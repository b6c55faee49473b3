// SPDX-License-Identifier: MIT
// Saying why something couldn't be done, for the commands on the machine.
#pragma once

#include <gen/status.h>
#include <lib/value.h>

// Sets the problem's text.  Returns false.
bool problem_set(struct value_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// What the call that failed last said, or the name of its status.
[[nodiscard]] const char *problem_reason(enum status status);
