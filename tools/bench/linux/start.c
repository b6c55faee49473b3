// SPDX-License-Identifier: MIT
// Entering and leaving the program, which is the machine's first process, and output.
#include "start.h"

#include <linux/reboot.h>
#include <stddef.h>

#include "../../../programs/bench/system.h"
#include "syscalls.h"

// RSP is 16-byte aligned here; the call makes it what a function expects.
[[gnu::naked, noreturn]] void _start(void)
{
    __asm__("xorl %%ebp, %%ebp\n\t"
            "call %P0\n\t"
            "ud2"
            :
            : "i"(init_main));
}

void machine_end(void)
{
    if (call0(__NR_getpid) != 1) // started by mistake on a machine that isn't its own
        call3(__NR_exit_group, 1, 0, 0);
    // The machine has no power switch.  It is told not to restart, and ends instead.
    call4(__NR_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_RESTART, 0);
    for (;;)
        call0(__NR_pause);
}

// ---- Output -------------------------------------------------------------------------

void print(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0')
        size++;
    call3(__NR_write, 1, (long)text, (long)size);
}

void print_number(uint64_t number)
{
    char text[21];
    size_t at = sizeof text - 1;
    text[at] = '\0';
    do
        text[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    print(text + at);
}

void fail(const char *what, long result)
{
    print("failed: ");
    print(what);
    print(": error ");
    print_number((uint64_t)-result);
    print("\n");
    machine_end();
}

// ---- Regions ------------------------------------------------------------------------

void system_mark_begin(void)
{
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x9b, 0xca" ::: "memory");
}

void system_mark_end(void)
{
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x9e, 0xca" ::: "memory");
}

void system_print_region(const char *name, unsigned operations)
{
    print("region ");
    print(name);
    print(" ");
    print_number(operations);
    print("\n");
}
