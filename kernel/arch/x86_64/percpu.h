// SPDX-License-Identifier: MIT
// What arch keeps for each CPU; GS points to it while the kernel runs (cpu.c).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/layout.h>

// The 64-bit task-state segment (Intel SDM volume 3, 8.7): only stacks are used.
struct tss {
    uint32_t reserved0;
    uint32_t stacks[6]; // RSP0 to RSP2, each low half first
    uint32_t reserved1[2];
    uint32_t interrupt_stacks[14]; // IST1 to IST7
    uint32_t reserved2[2];
    uint16_t reserved3;
    uint16_t io_map_offset; // beyond the end: no port is allowed to user code
};
static_assert(sizeof(struct tss) == 104);

// Exceptions that may come at any instruction have a stack each: NMI, double fault, machine
// check.
constexpr unsigned FAULT_STACK_COUNT = 3;

struct percpu {
    struct percpu *self;
    struct cpu *core;           // the core's part
    struct arch_thread *thread; // whose state is in the CPU; see thread.h
    uint64_t stack_top;
    bool idle; // in the halt loop of entry.S
    uint64_t cr3;
    uint64_t cr4;
    uint64_t timer_wanted_ns;     // what the core asked for; UINT64_MAX: nothing
    uint64_t timer_programmed_ns; // when the hardware interrupts; UINT64_MAX: never
    uint32_t apic_id;
    uint32_t request; // enum remote_request; see remote.h
    bool panicking;
    bool stopped;                               // for ever, by another CPU's panic
    const struct trap_frame *fault;             // the kernel's own fault that leads to a panic
    uint8_t (*fault_stacks)[FAULT_STACK_BYTES]; // FAULT_STACK_COUNT of them
    struct arch_thread no_thread;               // of kind SYSCALL; loaded when no thread is
    struct tss tss;
    uint64_t gdt[7];
};
static_assert(offsetof(struct percpu, self) == PERCPU_SELF);
static_assert(offsetof(struct percpu, core) == PERCPU_CORE);
static_assert(offsetof(struct percpu, thread) == PERCPU_THREAD);
static_assert(offsetof(struct percpu, stack_top) == PERCPU_STACK);
static_assert(offsetof(struct percpu, idle) == PERCPU_IDLE);
static_assert(offsetof(struct percpu, cr3) == PERCPU_CR3);

extern struct percpu boot_percpu;

// This CPU's.  Not volatile: the compiler may keep it, for no code here changes CPUs.
static inline struct percpu *percpu(void)
{
    struct percpu *self;
    __asm__("movq %%gs:%c1, %0" : "=r"(self) : "i"(PERCPU_SELF));
    return self;
}

// The stack of the CPU that boots; below each CPU's is a page that is never mapped.
extern uint8_t boot_stack[STACK_GUARD_BYTES + STACK_BYTES];
