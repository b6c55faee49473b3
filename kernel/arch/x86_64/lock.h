// SPDX-License-Identifier: MIT
// The big kernel lock: taken when the kernel is entered, dropped when it is left (lock.c).
//
// A word that is exchanged by who comes, and not fair: whoever runs takes it.  In a virtual machine
// the CPU whose turn it would be is often one that the host isn't running, and a lock that is
// passed on in order is then passed on at the host's pace; docs/decisions/0009 has the figures.
// But nobody starves: who has waited for long reserves the lock, and others leave it alone.
//
// entry.S takes and drops it in line for SYSCALL; everything else takes it here and leaves by
// entry.S.  A CPU that waits serves what the owner asks of it (remote.h); interrupts are off, so
// it couldn't be reached otherwise.
#pragma once

#include <stdint.h>

constexpr uint16_t KERNEL_LOCK_TAKEN = 1;        // the lower byte, which the owner clears
constexpr uint16_t KERNEL_LOCK_RESERVED = 0x100; // only for those who have waited for long

extern uint16_t kernel_lock;

// Waits for the lock after TAKEN was put into it, where `before` was, which isn't 0.  Returns
// whether the thread that entered the kernel is still loaded: false if the owner took it away
// (arch_thread_stop), or if this CPU was idle.
bool kernel_lock_wait(uint16_t before);

static inline void kernel_lock_take(void)
{
    uint16_t before = __atomic_exchange_n(&kernel_lock, KERNEL_LOCK_TAKEN, __ATOMIC_ACQUIRE);
    if (before != 0)
        (void)kernel_lock_wait(before);
}
