// SPDX-License-Identifier: MIT
// Between entry.S and C: what it calls when the CPU interrupts something (trap.c), and
// what it offers.
#pragma once

#include <stdint.h>

#include <kernel/arch/x86_64/layout.h>

// The registers at a fault of the kernel itself, or at an NMI, as entry.S pushes them.
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct thread;

// In entry.S: the code of each vector, and what SYSCALL jumps to (not to be called).
extern const uint8_t trap_stubs[VECTOR_COUNT][STUB_BYTES];
void syscall_entry(void);

// In entry.S: leaves the boot code for a thread, with the lock held; or to idle, without it.
[[noreturn]] void resume_first(struct thread *thread);
[[noreturn]] void idle_first(void);

// An interrupt or fault in user mode, or an interrupt of the halt loop.  Takes the lock;
// returns the thread to resume.
[[nodiscard]] struct thread *trap_dispatch(uint64_t vector, uint64_t error);

// A fault of the kernel.
[[noreturn]] void trap_kernel_fault(const struct trap_frame *frame);

// NMI, double fault, machine check: in whatever state.  Returns from an NMI.
void trap_anywhere_dispatch(const struct trap_frame *frame);
