// SPDX-License-Identifier: MIT
// From the boot loader to C: the PVH and Multiboot2 entries, in 32-bit mode without
// paging, and the way from there into long mode at the kernel's linked address.
//
// The code that runs before paging is linked high and loaded low: PHYSICAL() turns a
// symbol into where it is.  The kernel's own mapping is final here (text read-execute,
// rodata read-only, data without execute); the identity map of the first 2 MiB, which
// only these few instructions need, is dropped by kernel_map_init.
//
// The image is mapped at a random multiple of 2 MiB within 1 GiB from where it was
// linked.  .krelocs lists the 32-bit words to which the distance is added: operands, and
// the low halves of pointers, which never carry.  Without a list nothing moves.
//
// References: Xen's docs/misc/pvh.pandoc and start_info.h; the Multiboot2 Specification
// 2.0, section 3; Intel SDM volume 3, 10.8.5 (initialising IA-32e mode).
#include <kernel/arch/x86_64/layout.h>

#define PHYSICAL(symbol) ((symbol) - KERNEL_BASE)

#define CPUID_EXTENDED 0x80000001
#define CPUID_LONG_MODE (1 << 29) // EDX
#define CPUID_NO_EXECUTE (1 << 20)
#define CPUID_RDRAND (1 << 30) // ECX of leaf 1
#define MSR_EFER_NUMBER 0xc0000080
#define EFER_SCE_LME_NXE 0x901
#define CR4_PAE_PGE 0xa0
#define CR0_PG_WP_NE_ET_MP_PE 0x80010033

#define UART 0x3f8
#define UART_LINE_STATUS 0x3fd
#define UART_READY 0x20

// ---- What boot loaders look for -----------------------------------------------------

    .section .note.pvh, "a", @note
    .balign 4 // QEMU places the parts of a note by its segment's alignment
    .long 4   // name
    .long 8   // descriptor
    .long 18  // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad PHYSICAL(pvh_entry)

    .section .boot.header, "ax", @progbits
    .balign 8
multiboot2_header:
    .long 0xe85250d6 // magic
    .long 0          // i386, protected mode
    .long multiboot2_header_end - multiboot2_header
    .long -(0xe85250d6 + 0 + (multiboot2_header_end - multiboot2_header))
    .balign 8
    .short 3, 0 // entry address: the ELF header's is the linked one
    .long 12
    .long PHYSICAL(multiboot2_entry)
    .balign 8
    .short 6, 0 // modules start at page boundaries
    .long 8
    .balign 8
    .short 0, 0 // end
    .long 8
multiboot2_header_end:

// ---- 32-bit mode --------------------------------------------------------------------

    .section .boot.text, "ax", @progbits
    .code32

    .globl pvh_entry
pvh_entry: // EBX: struct hvm_start_info
    movl $BOOT_PVH, %esi
    jmp boot_common

    .globl multiboot2_entry
multiboot2_entry: // EBX: the Multiboot2 information
    movl $BOOT_MULTIBOOT2, %esi

boot_common: // ESI: how we came here; EBX: what the loader left
    cli
    cld
    movl %ebx, %ebp
    movl $0x80000000, %eax
    cpuid
    cmpl $CPUID_EXTENDED, %eax
    jb boot_unsuitable
    movl $CPUID_EXTENDED, %eax
    cpuid
    andl $(CPUID_LONG_MODE | CPUID_NO_EXECUTE), %edx
    cmpl $(CPUID_LONG_MODE | CPUID_NO_EXECUTE), %edx
    jne boot_unsuitable

    // EDI: the distance.
    xorl %edi, %edi
    movl $PHYSICAL(krelocs_start), %eax
    cmpl $PHYSICAL(krelocs_end), %eax
    je boot_map
    rdtsc
    movl %eax, %edi
    movl $1, %eax
    cpuid
    testl $CPUID_RDRAND, %ecx
    jz 1f
    rdrandl %eax
    jnc 1f
    xorl %eax, %edi
1:  imull $0x9e3779b1, %edi, %edi // spreads the low bits, which vary most, to the top
    shrl $23, %edi
    shll $21, %edi
    movl $PHYSICAL(krelocs_start), %ebx
2:  movl (%ebx), %eax
    addl %edi, KERNEL_IMAGE_PHYSICAL(%eax)
    addl $4, %ebx
    cmpl $PHYSICAL(krelocs_end), %ebx
    jb 2b

boot_map:
// Maps the image's pages [from, to) in the kernel's page table.
.macro MAP_IMAGE from, to, flags, flags_high
    movl $PHYSICAL(\from), %eax
1:  cmpl $PHYSICAL(\to), %eax
    jae 2f
    movl %eax, %ecx
    shrl $9, %ecx // page number times 8, the offset of the entry
    leal (PTE_PRESENT | PTE_GLOBAL | \flags)(%eax), %edx
    movl %edx, PHYSICAL(kernel_page_table)(%ecx)
    movl $\flags_high, PHYSICAL(kernel_page_table) + 4(%ecx)
    addl $0x1000, %eax
    jmp 1b
2:
.endm
    MAP_IMAGE image_start, rodata_start, 0, 0
    MAP_IMAGE rodata_start, data_start, 0, PTE_NO_EXECUTE_HIGH
    MAP_IMAGE data_start, ksyms_start, PTE_WRITE, PTE_NO_EXECUTE_HIGH
    MAP_IMAGE ksyms_start, image_end, 0, PTE_NO_EXECUTE_HIGH

    // The image, by the last entry of the root and the last but one of the next.
    movl $(PHYSICAL(kernel_directory_pointers) + (PTE_PRESENT | PTE_WRITE)), PHYSICAL(kernel_root) + 511 * 8
    movl $(PHYSICAL(kernel_directory) + (PTE_PRESENT | PTE_WRITE)), PHYSICAL(kernel_directory_pointers) + 510 * 8
    shrl $18, %edi // an entry of 8 bytes per 2 MiB
    movl $(PHYSICAL(kernel_page_table) + (PTE_PRESENT | PTE_WRITE)), PHYSICAL(kernel_directory)(%edi)
    // The first 2 MiB at their physical address, by the tables of the direct map.
    movl $(PHYSICAL(direct_directory_pointers) + (PTE_PRESENT | PTE_WRITE)), PHYSICAL(kernel_root)
    movl $(PHYSICAL(direct_directory_pointers) + (PTE_PRESENT | PTE_WRITE)), PHYSICAL(kernel_root) + 256 * 8
    movl $(PHYSICAL(direct_directory) + (PTE_PRESENT | PTE_WRITE)), PHYSICAL(direct_directory_pointers)
    movl $(PTE_PRESENT | PTE_WRITE | PTE_LARGE), PHYSICAL(direct_directory)

    movl $CR4_PAE_PGE, %eax
    movl %eax, %cr4
    movl $PHYSICAL(kernel_root), %eax
    movl %eax, %cr3
    movl $MSR_EFER_NUMBER, %ecx
    movl $EFER_SCE_LME_NXE, %eax
    xorl %edx, %edx
    wrmsr
    movl $CR0_PG_WP_NE_ET_MP_PE, %eax
    movl %eax, %cr0
    lgdtl PHYSICAL(boot_gdt_pointer)
    ljmpl $SELECTOR_KERNEL_CODE, $PHYSICAL(boot_long_mode)

// Prints why and stops.  No stack yet.
boot_unsuitable:
    movl $PHYSICAL(boot_unsuitable_text), %esi
1:  lodsb
    testb %al, %al
    jz 3f
    movb %al, %bl
    movl $100000, %ecx // of a UART that isn't there
    movw $UART_LINE_STATUS, %dx
2:  inb %dx, %al
    testb $UART_READY, %al
    loopz 2b
    movw $UART, %dx
    movb %bl, %al
    outb %al, %dx
    jmp 1b
3:  hlt
    jmp 3b

    .code64
boot_long_mode:
    movabsq $boot_high, %rax
    jmpq *%rax

    .section .boot.text.data, "ax", @progbits
    .balign 8
boot_gdt: // the first entries of the GDT of cpu.c
    .quad 0
    .quad 0x00af9b000000ffff // SELECTOR_KERNEL_CODE
    .quad 0x00cf93000000ffff // SELECTOR_KERNEL_DATA
boot_gdt_pointer:
    .short 3 * 8 - 1
    .long PHYSICAL(boot_gdt)
boot_unsuitable_text:
    .asciz "capOS: this CPU can't run 64-bit code with no-execute pages.\r\n"

// ---- 64-bit mode, at the linked address ---------------------------------------------

    .section .text.entry, "ax", @progbits
boot_high:
    leaq boot_stack + STACK_GUARD_BYTES + STACK_BYTES(%rip), %rsp
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl %esi, %edi // how
    movl %ebp, %esi // the information's physical address
    xorl %ebp, %ebp // the end of backtraces
    call arch_start
    ud2

// ---- The kernel's page tables; kernel_map.c goes on with them -----------------------

    .section .bss.pages, "aw", @nobits
    .balign 4096
.macro TABLE name
    .globl \name
\name:
    .skip 4096
.endm
    TABLE kernel_root
    TABLE kernel_directory_pointers
    TABLE kernel_directory
    TABLE kernel_page_table
    TABLE direct_directory_pointers
    TABLE direct_directory
    TABLE direct_page_table
