// SPDX-License-Identifier: MIT
// Where a CPU begins that another one starts: in real mode, at the start of a page below
// 1 MiB to which smp.c has copied this code.  It goes straight to 64-bit mode and to cpu_entry
// (entry.S).  All addresses are relative to the page; what depends on where that is, smp.c
// writes into the copy.
//
// Reference: Intel SDM volume 3, 9.4.4 (MP initialisation), 10.8.5 (initialising IA-32e mode).
#include <kernel/arch/x86_64/layout.h>

#define MSR_EFER_NUMBER 0xc0000080
#define EFER_SCE_LME_NXE 0x901
#define CR4_PAE_PGE 0xa0
#define CR0_PG_WP_NE_ET_MP_PE 0x80010033
#define OFFSET(symbol) ((symbol) - trampoline_start)

    .section .rodata.trampoline, "a", @progbits
    .balign 16
    .globl trampoline_start
trampoline_start:
    .code16
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl OFFSET(trampoline_gdt_pointer)
    movl $CR4_PAE_PGE, %eax
    movl %eax, %cr4
    movl OFFSET(trampoline_root), %eax
    movl %eax, %cr3
    movl $MSR_EFER_NUMBER, %ecx
    movl $EFER_SCE_LME_NXE, %eax
    xorl %edx, %edx
    wrmsr
    movl $CR0_PG_WP_NE_ET_MP_PE, %eax
    movl %eax, %cr0
    ljmpl *OFFSET(trampoline_far)

    .code64
    .globl trampoline_long
trampoline_long:
    jmpq *trampoline_entry(%rip)

    .balign 8
    .globl trampoline_gdt
trampoline_gdt: // the first entries of the GDT of cpu.c
    .quad 0
    .quad 0x00af9b000000ffff // SELECTOR_KERNEL_CODE
    .quad 0x00cf93000000ffff // SELECTOR_KERNEL_DATA
trampoline_gdt_pointer:
    .short 3 * 8 - 1
    .globl trampoline_gdt_base
trampoline_gdt_base:
    .long 0 // of trampoline_gdt
    .globl trampoline_far
trampoline_far:
    .long 0 // of trampoline_long
    .short SELECTOR_KERNEL_CODE
    .globl trampoline_root
trampoline_root:
    .long 0 // page tables with the identity of this page
    .balign 8
    .globl trampoline_entry
trampoline_entry:
    .quad 0 // cpu_entry
    .globl trampoline_end
trampoline_end:
