// SPDX-License-Identifier: MIT
// The big kernel lock: taken when the kernel is entered, dropped when it is left.
//
// A test-and-set word.  entry.S takes and drops it in line for SYSCALL; everything else
// takes it here and leaves by entry.S.  It isn't fair; a ticket lock would be, for two
// more instructions on each of the fastest paths.
#pragma once

#include <stdint.h>

#include <kernel/arch/x86_64/x86.h>

extern uint32_t kernel_lock; // 1: taken

static inline void kernel_lock_take(void)
{
    while (__atomic_exchange_n(&kernel_lock, 1, __ATOMIC_ACQUIRE) != 0)
        while (__atomic_load_n(&kernel_lock, __ATOMIC_RELAXED) != 0)
            cpu_relax();
}
