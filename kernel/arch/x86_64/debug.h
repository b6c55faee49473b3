// SPDX-License-Identifier: MIT
// Set-up of debug.c.
#pragma once

#include <stdint.h>

// Whether a panic ends QEMU by its isa-debug-exit device (the word panic=exit in the
// command line) instead of halting.
void debug_init(bool stop_by_exit);

// Stops this CPU for ever if another one panics.
void debug_stop_if_asked(void);

// Prints a code address with its name, and the frames from a frame pointer on.
void debug_backtrace(uint64_t instruction_pointer, uint64_t frame_pointer);

// The table of function names, from the linker script; empty in the first link.
extern const uint32_t ksyms_start[], ksyms_end[];

// The value that the compiler puts below each return address.
extern uint64_t __stack_chk_guard;
