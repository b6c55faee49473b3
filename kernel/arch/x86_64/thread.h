// SPDX-License-Identifier: MIT
// The saved user state of a thread, and switching between threads (thread.c).
//
// A thread's state is split by how soon it is needed:
//   - general registers are saved by entry.S before the core runs; by SYSCALL only
//     those that a C function preserves, since the ABI lets the others die;
//   - FPU state, FS and GS base stay in the CPU and are saved only when another thread
//     is switched to, or the CPU goes idle.
//
// Invariants:
//  1. percpu.thread is the thread whose FPU state and bases are in the CPU; if none,
//     percpu.no_thread, so that it is never null and saving needs no question.
//  2. When the kernel lock is free, the thread that is loaded on a CPU is the core's current
//     one there.  So what is saved of every other thread is all of it.
//  3. A thread of kind SYSCALL has no vector state but MXCSR and the x87 control word;
//     when it is switched to, all other vector state is initialised, so nothing of one
//     process is seen by another.  Between two threads of one process, which could read each
//     other's memory as well, that is left out.
//  4. A thread that is in user mode is of kind SYSCALL already; only an interrupt or a fault
//     makes it INTERRUPTED, until it is resumed.
//
// Of the switches those between two threads that made system calls are done in entry.S, in the
// same steps as in thread_switch.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/layout.h>

// What struct arch_thread.words holds.
struct thread_state {
    uint64_t rbx, rbp, r12, r13, r14, r15;
    uint64_t rsp, rip, rflags;
    uint64_t rax; // of kind SYSCALL: the result of the system call
    // Only of kind INTERRUPTED:
    uint64_t rcx, rdx, rsi, rdi, r8, r9, r10, r11;
    uint64_t fs_base, gs_base;
    // Only of kind SYSCALL:
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t reserved;
    uint16_t data_selectors[4]; // scratch of entry.S: DS, ES, FS, GS when it was left
    uint64_t root;              // of its space's tables
};
static_assert(sizeof(struct thread_state) <= ARCH_THREAD_WORDS * sizeof(uint64_t));
static_assert(offsetof(struct arch_thread, words) == 0);
static_assert(offsetof(struct arch_thread, kind) == THREAD_KIND);
static_assert(offsetof(struct thread_state, rbx) == THREAD_RBX);
static_assert(offsetof(struct thread_state, rbp) == THREAD_RBP);
static_assert(offsetof(struct thread_state, r12) == THREAD_R12);
static_assert(offsetof(struct thread_state, r15) == THREAD_R15);
static_assert(offsetof(struct thread_state, rsp) == THREAD_RSP);
static_assert(offsetof(struct thread_state, rip) == THREAD_RIP);
static_assert(offsetof(struct thread_state, rflags) == THREAD_RFLAGS);
static_assert(offsetof(struct thread_state, rax) == THREAD_RAX);
static_assert(offsetof(struct thread_state, rcx) == THREAD_RCX);
static_assert(offsetof(struct thread_state, rdx) == THREAD_RDX);
static_assert(offsetof(struct thread_state, rsi) == THREAD_RSI);
static_assert(offsetof(struct thread_state, rdi) == THREAD_RDI);
static_assert(offsetof(struct thread_state, r8) == THREAD_R8);
static_assert(offsetof(struct thread_state, r11) == THREAD_R11);

static_assert(offsetof(struct thread_state, fs_base) == THREAD_FS_BASE);
static_assert(offsetof(struct thread_state, gs_base) == THREAD_GS_BASE);
static_assert(offsetof(struct thread_state, mxcsr) == THREAD_MXCSR);
static_assert(offsetof(struct thread_state, x87_control) == THREAD_X87);
static_assert(offsetof(struct thread_state, data_selectors) == THREAD_DATA_SELECTORS);
static_assert(offsetof(struct thread_state, root) == THREAD_ROOT);

static inline struct thread_state *thread_state(struct arch_thread *thread)
{
    return (struct thread_state *)thread->words;
}

// Makes `next` the thread whose state is in the CPU, and returns it.  Saves what is left of
// the one before.  Called by entry.S when an upcall returned another thread than entered.
struct arch_thread *thread_switch(struct arch_thread *next);

// Saves what is left of the loaded thread, if one is, before the CPU idles or because another
// CPU ends the thread.  The address space stays if this is the only CPU; else the kernel's own
// tables are loaded.
void thread_leave(void);
