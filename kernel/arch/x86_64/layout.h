// SPDX-License-Identifier: MIT
// Numbers that C and assembly share: where things are in virtual memory, selectors, and
// the offsets of the fields that entry.S touches.  percpu.h and thread.h check the
// offsets against the C types.
#pragma once

// ---- Virtual memory -----------------------------------------------------------------
//
//   0000000000010000 - 00007ffffffff000  the user half, one per process
//   ffff800000000000 + physical address  the direct map: all RAM, read-write, no execute
//   ffffffff80000000 - ffffffffc0000000  2 MiB of this, moved by a random distance at
//                                        boot, are one page table: in its first half
//                                        device registers, what the CPUs but the first
//                                        have of their own, and what is looked at while
//                                        booting, in its second the kernel's image
#define KERNEL_BASE           0xffffffff80000000 // as linked
#define KERNEL_IMAGE_PHYSICAL 0x100000
#define DIRECT_MAP_BASE       0xffff800000000000

#define STACK_BYTES       0x4000
#define STACK_GUARD_BYTES 0x1000
#define FAULT_STACK_BYTES 0x1000

// ---- Page-table entries -------------------------------------------------------------
#define PTE_PRESENT         0x001
#define PTE_WRITE           0x002
#define PTE_USER            0x004
#define PTE_WRITE_THROUGH   0x008
#define PTE_CACHE_DISABLE   0x010
#define PTE_LARGE           0x080
#define PTE_GLOBAL          0x100
#define PTE_NO_EXECUTE_HIGH 0x80000000 // of the upper 32 bits

// ---- Selectors, in the order that SYSCALL and SYSRET want ---------------------------
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA   0x1b // with privilege level 3
#define SELECTOR_USER_CODE   0x23
#define SELECTOR_TSS         0x28

// ---- Interrupt vectors --------------------------------------------------------------
#define VECTOR_DIVIDE             0
#define VECTOR_DEBUG              1
#define VECTOR_NMI                2
#define VECTOR_BREAKPOINT         3
#define VECTOR_INVALID_OPCODE     6
#define VECTOR_DOUBLE_FAULT       8
#define VECTOR_STACK_SEGMENT      12
#define VECTOR_GENERAL_PROTECTION 13
#define VECTOR_PAGE_FAULT         14
#define VECTOR_X87                16
#define VECTOR_ALIGNMENT          17
#define VECTOR_MACHINE_CHECK      18
#define VECTOR_SIMD               19
#define VECTOR_PIC                0x20 // 16 of them; all masked, but a PIC can be spurious
#define VECTOR_IRQ                0x30 // one per line: ARCH_IRQ_COUNT_MAX
#define VECTOR_TIMER              0x70
#define VECTOR_APIC_ERROR         0x71
#define VECTOR_KICK               0x72 // from another CPU: remote.h
#define VECTOR_SPURIOUS           0x7f
#define VECTOR_COUNT              0x80

#define STUB_BYTES 16 // of code per vector in entry.S

// ---- How the kernel was entered -----------------------------------------------------
#define BOOT_PVH        1
#define BOOT_MULTIBOOT2 2

// ---- struct arch_thread: see thread.h -----------------------------------------------
#define THREAD_RBX            0
#define THREAD_RBP            8
#define THREAD_R12            16
#define THREAD_R13            24
#define THREAD_R14            32
#define THREAD_R15            40
#define THREAD_RSP            48
#define THREAD_RIP            56
#define THREAD_RFLAGS         64
#define THREAD_RAX            72
#define THREAD_RCX            80
#define THREAD_RDX            88
#define THREAD_RSI            96
#define THREAD_RDI            104
#define THREAD_R8             112
#define THREAD_R9             120
#define THREAD_R10            128
#define THREAD_R11            136
#define THREAD_FS_BASE        144
#define THREAD_GS_BASE        152
#define THREAD_MXCSR          160
#define THREAD_X87            164
#define THREAD_DATA_SELECTORS 168
#define THREAD_ROOT           176
#define THREAD_KIND           208

#define THREAD_KIND_SYSCALL     0 // entered by SYSCALL: callee-saved registers only
#define THREAD_KIND_INTERRUPTED 1 // everything, the FPU area too

// ---- struct percpu: see percpu.h ----------------------------------------------------
#define PERCPU_SELF   0
#define PERCPU_CORE   8
#define PERCPU_THREAD 16
#define PERCPU_STACK  24
#define PERCPU_IDLE   32
#define PERCPU_CR3    40
