// SPDX-License-Identifier: MIT
// The end of the kernel when one of its own invariants is broken (panic.c).
//
// A panic prints the message, the last trace entries, the registers and a symbolised
// backtrace, and stops the machine.  Nothing that a process does leads here: ASSERT
// states what the kernel itself guarantees, never what it was told.  Assertions stay
// in release builds.
#pragma once

// Stops the machine; the message is formatted as in lib/fmt.h, without a newline.
#define PANIC(...) panic_at(__FILE__, __LINE__, __VA_ARGS__)

// Stops the machine unless the condition holds.
#define ASSERT(condition)                         \
    (__builtin_expect(!!(condition), 1) ? (void)0 \
                                        : panic_assert(__FILE__, __LINE__, #condition))

[[noreturn]] void panic_at(const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
[[noreturn]] void panic_assert(const char *file, unsigned line, const char *condition)
    __attribute__((cold));
