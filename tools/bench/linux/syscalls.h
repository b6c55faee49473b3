// SPDX-License-Identifier: MIT
// Linux's system calls, inline and without a C library: what a program costs here is the
// kernel's, and the few instructions around it.
//
// Reference: System V ABI for AMD64, A.2.1 (AMD64 Linux Kernel Conventions).
#pragma once

#include <asm/unistd.h>
#include <stdint.h>

static inline long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long call4(long number, long a, long b, long c, long d)
{
    register long r10 __asm__("r10") = d;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long call3(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    return result;
}

static inline long call0(long number)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
    return result;
}

// Prints what failed and ends the machine.
[[noreturn]] void fail(const char *what, long result);

// A result that isn't an error.
static inline long good(long result, const char *what)
{
    if (result < 0)
        fail(what, result);
    return result;
}
