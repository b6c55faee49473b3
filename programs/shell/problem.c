// SPDX-License-Identifier: MIT
// Reasons in words.
#include "problem.h"

#include <capos/call.h>
#include <lib/fmt.h>
#include <stdarg.h>

bool problem_set(struct value_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fmt_vformat(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return false;
}

const char *problem_reason(enum status status)
{
    return status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason
                                             : status_name(status);
}
