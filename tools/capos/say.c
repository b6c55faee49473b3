// SPDX-License-Identifier: MIT
// Owns the form of our own messages.
#include "say.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 1, 0))) static void say_arguments(const char *format,
                                                                va_list arguments)
{
    char text[2048];
    vsnprintf(text, sizeof text, format, arguments);
    fflush(stdout);
    fprintf(stderr, "capos: %s\n", text);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_arguments(format, arguments);
    va_end(arguments);
}

int fail(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say_arguments(format, arguments);
    va_end(arguments);
    return status;
}
