// SPDX-License-Identifier: MIT
// The last thing that the kernel does.
//
// Invariant: a panic while panicking prints nothing more, so that a fault in the printing
// of the trace can't recurse; the machine stops with what was said.  Of several CPUs that
// panic one prints (arch_panic_begin).
//
// Not here: registers and backtrace, which arch_panic_stop prints.  Tested in
// tests/core/debug_test.c.
#include <kernel/debug/panic.h>

#include <kernel/arch.h>
#include <kernel/debug/log.h>
#include <kernel/debug/trace.h>

constexpr uint32_t PANIC_TRACE_ENTRIES = 32;

[[noreturn]] static void finish(void)
{
    log_printf("\n");
    trace_dump(PANIC_TRACE_ENTRIES);
    arch_panic_stop();
}

static void begin(const char *file, unsigned line)
{
    static bool panicking;
    arch_panic_begin();
    if (panicking)
        arch_panic_stop();
    panicking = true;
    log_printf("\npanic: %s:%u: ", file, line);
}

[[noreturn]] void panic_at(const char *file, unsigned line, const char *format, ...)
{
    begin(file, line);
    va_list arguments;
    va_start(arguments, format);
    log_vprintf(format, arguments);
    va_end(arguments);
    finish();
}

[[noreturn]] void panic_assert(const char *file, unsigned line, const char *condition)
{
    begin(file, line);
    log_printf("assertion failed: %s", condition);
    finish();
}
