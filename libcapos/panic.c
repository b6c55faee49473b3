// SPDX-License-Identifier: MIT
// The last words of a program, and text on the emergency console.
#include <capos/panic.h>

#include <capos/capset.h>
#include <capos/print.h>
#include <capos/syscall.h>

#include <gen/capos/console.h>
#include <gen/capos/stdio.h>
#include <lib/fmt.h>
#include <stdarg.h>
#include <string.h>

constexpr size_t TEXT_BYTES_MAX = 512;

// Returns whether a console took the text.
static bool console_write_text(const char *text, size_t text_bytes)
{
    console_cap console;
    return capos_find("console", INTERFACE_CONSOLE, &console.id) == STATUS_OK &&
           console_write(console, text, text_bytes) == STATUS_OK;
}

static size_t shorter(size_t bytes, size_t bytes_max)
{
    return bytes < bytes_max ? bytes : bytes_max;
}

void capos_console_print(const char *format, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    size_t bytes = fmt_vformat(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)console_write_text(text, shorter(bytes, sizeof text - 1));
}

void capos_panic(const char *format, ...)
{
    static bool panicking;
    char text[TEXT_BYTES_MAX] = "panic: ";
    size_t prefix = strlen(text);
    va_list arguments;
    if (panicking) // what failed now is the way to tell
        capos_trap();
    panicking = true;
    va_start(arguments, format);
    size_t bytes = fmt_vformat(text + prefix, sizeof text - prefix - 1, format, arguments);
    va_end(arguments);
    bytes = prefix + shorter(bytes, sizeof text - prefix - 2);
    text[bytes++] = '\n';
    stdio_cap stdio;
    if (!console_write_text(text, bytes) &&
        capos_find("stdio", INTERFACE_STDIO, &stdio.id) == STATUS_OK)
        (void)stdio_write(stdio, OUTPUT_STREAM_ERROR, text, bytes);
    capos_trap();
}

void __stack_chk_fail(void);

// Called by functions whose canary was overwritten.
[[noreturn]] void __stack_chk_fail(void)
{
    capos_panic("a buffer on the stack was overrun");
}
