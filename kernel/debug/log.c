// SPDX-License-Identifier: MIT
// Messages of the kernel to the emergency console.
//
// Not here: the Console object, by which processes write there
// (kernel/object/console.c).  Tested in tests/core/debug_test.c.
#include <kernel/debug/log.h>

#include <kernel/arch.h>
#include <lib/fmt.h>

void log_vprintf(const char *format, va_list arguments)
{
    char message[LOG_MESSAGE_BYTES_MAX];
    size_t length = fmt_vformat(message, sizeof message, format, arguments);
    arch_console_write(message, length < sizeof message ? length : sizeof message - 1);
}

void log_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_vprintf(format, arguments);
    va_end(arguments);
}
