// SPDX-License-Identifier: MIT
// From user mode into the core and back: SYSCALL, interrupts, faults, and idling.
//
// One shape for all: save the user's registers in the current thread, take the kernel
// lock, call the core, which returns the thread to resume; switch if it is another;
// drop the lock and go.
//
// Invariants:
//  1. Interrupts are off from entry to exit; only the halt loop takes them in ring 0.
//  2. While the kernel runs, GS points to struct percpu; the user's GS base waits in
//     MSR_KERNEL_GS_BASE.
//  3. The kernel stack is empty at each entry: nothing on it survives an upcall.  So an
//     interrupt of the halt loop just drops the frame, and the race between deciding to
//     halt and an interrupt can't be lost: STI takes effect after HLT has begun.
//  4. Nothing of a thread is touched after the lock has been dropped, and before it is taken
//     only its saved registers are written: who ends a thread that another CPU runs makes
//     that CPU leave it first (remote.h).
//  5. SYSRET to an address that isn't canonical would fault in ring 0.  It returns behind a
//     SYSCALL instruction, and the last user page ends a page before the hole (USER_ADDRESS_END).
//  6. No register that the kernel has used reaches the user: SYSCALL returns with all
//     caller-saved ones cleared but RAX, RCX and R11, which hold what was the user's.
//
// References: Intel SDM volume 2, SYSCALL, SYSRET, SWAPGS; volume 3, 6.14.
#include <kernel/arch/x86_64/layout.h>

    .section .text.entry, "ax", @progbits
    .code64

// ---- A CPU that was started: from boot/trampoline.S ----------------------------------

    .globl cpu_entry
cpu_entry:
    xorl %edi, %edi
    xchgq %rdi, cpu_starting(%rip)
    testq %rdi, %rdi
    jz 1f // nobody waits for this CPU
    movq PERCPU_STACK(%rdi), %rsp
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    xorl %ebp, %ebp // the end of backtraces
    call cpu_start
1:  cli
    hlt
    jmp 1b

// ---- SYSCALL ------------------------------------------------------------------------
// RAX: number; RDI, RSI: arguments; RCX: return address; R11: flags.  SFMASK has
// cleared IF, DF, AC, TF, NT.

// The way back to a thread whose callee-saved registers and GS base are loaded.
.macro SYSRET_TO thread
    movq THREAD_RIP(\thread), %rcx
    movq THREAD_RFLAGS(\thread), %r11
    movq THREAD_RSP(\thread), %rsp
    movq THREAD_RAX(\thread), %rax
    xorl %edi, %edi
    xorl %esi, %esi
    xorl %edx, %edx
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    movb $0, kernel_lock(%rip)
    sysretq
.endm

    .globl syscall_entry
    .balign 64
syscall_entry:
    swapgs
    movq %gs:PERCPU_THREAD, %rdx
    movq %rsp, THREAD_RSP(%rdx)
    movq %gs:PERCPU_STACK, %rsp
    movq %rcx, THREAD_RIP(%rdx)
    movq %r11, THREAD_RFLAGS(%rdx)
    movq %rbx, THREAD_RBX(%rdx)
    movq %rbp, THREAD_RBP(%rdx)
    movq %r12, THREAD_R12(%rdx)
    movq %r13, THREAD_R13(%rdx)
    movq %r14, THREAD_R14(%rdx)
    movq %r15, THREAD_R15(%rdx)
    movl $1, %ecx // KERNEL_LOCK_TAKEN
    xchgw %cx, kernel_lock(%rip)
    testl %ecx, %ecx
    jnz .Lsyscall_lock_wait
.Lsyscall_locked:
    cmpq $1, %rax
    jne .Lsyscall_other
    cmpq $1, %rdi
    jne .Lsyscall_enter
    cmpq $-1, %rsi // CAPOS_FOREVER
    jne .Lsyscall_enter
    call kernel_cap_enter_one // preserves nothing
    cmpq %gs:PERCPU_THREAD, %rax
    jne .Lswitch
.Lresume_preserved:
    movq THREAD_RBX(%rax), %rbx
    movq THREAD_RBP(%rax), %rbp
    movq THREAD_R12(%rax), %r12
    movq THREAD_R13(%rax), %r13
    movq THREAD_R14(%rax), %r14
    movq THREAD_R15(%rax), %r15
.Lsysret: // RAX: the thread; its callee-saved registers are loaded
    swapgs
    SYSRET_TO %rax

.Lsyscall_enter:
    call kernel_cap_enter

.Lsyscall_leave: // RAX: the thread to resume, or null, which PERCPU_THREAD never is.
                 // RBX, RBP, R12 to R15 are as at entry
    cmpq %gs:PERCPU_THREAD, %rax
    je .Lsysret

// From a thread that made a system call to another that did: thread_switch in line, without
// what is needed for those that were interrupted.  RAX: the other, or null.
.Lswitch:
    testq %rax, %rax
    jz .Lidle
    cmpb $THREAD_KIND_SYSCALL, THREAD_KIND(%rax)
    jne .Lresume_other
    movq %gs:PERCPU_THREAD, %rsi
    movw %ds, THREAD_DATA_SELECTORS(%rsi)
    movw %es, THREAD_DATA_SELECTORS+2(%rsi)
    movw %fs, THREAD_DATA_SELECTORS+4(%rsi)
    movw %gs, THREAD_DATA_SELECTORS+6(%rsi)
    cmpq $0, THREAD_DATA_SELECTORS(%rsi)
    jne .Lresume_other // clears them
    movq %rax, %rdi
    movq %rdi, %gs:PERCPU_THREAD
    stmxcsr THREAD_MXCSR(%rsi)
    fnstcw THREAD_X87(%rsi)
    movq THREAD_ROOT(%rdi), %rcx
    cmpq %gs:PERCPU_CR3, %rcx
    je 1f // of the same process: its vector registers may stay
    movq %rcx, %gs:PERCPU_CR3
    movq %rcx, %cr3
    movl $-1, %eax
    movl $-1, %edx
    xrstor64 fpu_initial(%rip)
1:  ldmxcsr THREAD_MXCSR(%rdi)
    fldcw THREAD_X87(%rdi)
    rdfsbaseq %rcx
    movq %rcx, THREAD_FS_BASE(%rsi)
    movq THREAD_FS_BASE(%rdi), %rcx
    wrfsbaseq %rcx
    swapgs // what follows can't fault, and an NMI finds struct percpu by itself
    rdgsbaseq %rcx
    movq %rcx, THREAD_GS_BASE(%rsi)
    movq THREAD_GS_BASE(%rdi), %rcx
    wrgsbaseq %rcx
    movq THREAD_RBX(%rdi), %rbx
    movq THREAD_RBP(%rdi), %rbp
    movq THREAD_R12(%rdi), %r12
    movq THREAD_R13(%rdi), %r13
    movq THREAD_R14(%rdi), %r14
    movq THREAD_R15(%rdi), %r15
    SYSRET_TO %rdi

.Lsyscall_other:
    testq %rax, %rax
    jnz 1f
    call kernel_exit
    jmp .Lsyscall_leave
1:  call kernel_bad_syscall
    jmp .Lsyscall_leave

.Lsyscall_lock_wait: // CX: what the lock was; RAX, RDI, RSI are live
    pushq %rax
    pushq %rdi
    pushq %rsi
    subq $8, %rsp
    movl %ecx, %edi
    call kernel_lock_wait
    movl %eax, %ecx
    addq $8, %rsp
    popq %rsi
    popq %rdi
    popq %rax
    testb %cl, %cl
    jnz .Lsyscall_locked
    // The thread was taken away while it waited: its system call isn't made.
    call kernel_reschedule
    jmp resume

// ---- Resuming a thread --------------------------------------------------------------

// RAX: the thread to resume, or null.  The lock is held.
    .globl resume
resume:
    cmpq %gs:PERCPU_THREAD, %rax
    je 1f
.Lresume_other: // than the one whose state is in the CPU
    testq %rax, %rax
    jz .Lidle
    movq %rax, %rdi
    call thread_switch
1:  cmpb $THREAD_KIND_SYSCALL, THREAD_KIND(%rax)
    je .Lresume_preserved
    movq %rax, %rdx
    movb $THREAD_KIND_SYSCALL, THREAD_KIND(%rdx) // what its next system call makes it
    pushq $SELECTOR_USER_DATA
    pushq THREAD_RSP(%rdx)
    pushq THREAD_RFLAGS(%rdx)
    pushq $SELECTOR_USER_CODE
    pushq THREAD_RIP(%rdx)
    movq THREAD_RBX(%rdx), %rbx
    movq THREAD_RBP(%rdx), %rbp
    movq THREAD_R12(%rdx), %r12
    movq THREAD_R13(%rdx), %r13
    movq THREAD_R14(%rdx), %r14
    movq THREAD_R15(%rdx), %r15
    movq THREAD_RAX(%rdx), %rax
    movq THREAD_RCX(%rdx), %rcx
    movq THREAD_RSI(%rdx), %rsi
    movq THREAD_RDI(%rdx), %rdi
    movq THREAD_R8(%rdx), %r8
    movq THREAD_R9(%rdx), %r9
    movq THREAD_R10(%rdx), %r10
    movq THREAD_R11(%rdx), %r11
    movq THREAD_RDX(%rdx), %rdx
    movb $0, kernel_lock(%rip)
    swapgs
    iretq

.Lidle:
    call thread_leave
    movb $1, %gs:PERCPU_IDLE
    movq %gs:PERCPU_STACK, %rsp
    movb $0, kernel_lock(%rip)
.Lhalt:
    sti
    hlt
    cli // only an NMI comes back here
    jmp .Lhalt

// void idle_first(void): a CPU that was started idles, and has never had the lock.
    .globl idle_first
idle_first:
    movb $1, %gs:PERCPU_IDLE
    movq %gs:PERCPU_STACK, %rsp
    jmp .Lhalt

// void resume_first(struct thread *): leaves the boot code for ever.
    .globl resume_first
resume_first:
    movq %rdi, %rax
    movq %gs:PERCPU_STACK, %rsp
    jmp resume

// ---- Interrupts and faults ----------------------------------------------------------
// Each stub leaves: vector, error code, RIP, CS, RFLAGS, RSP, SS.

    .globl trap_stubs
    .balign STUB_BYTES
trap_stubs:
    .set vector, 0
    .rept VECTOR_COUNT
    // Faults with an error code of the CPU: DF, TS, NP, SS, GP, PF, AC, CP, VC, SX.
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
    pushq $0
    .endif
    pushq $vector
    // NMI, DF and MC may come at any instruction, even before SWAPGS.
    .if vector == 2 || vector == 8 || vector == 18
    jmp trap_anywhere
    .else
    jmp trap_common
    .endif
    .balign STUB_BYTES
    .set vector, vector + 1
    .endr

trap_common:
    testb $3, 24(%rsp) // CS
    jz .Ltrap_kernel
    swapgs
    lfence // no speculation with the wrong GS (CVE-2019-1125)
    pushq %rdx
    movq %gs:PERCPU_THREAD, %rdx
    popq THREAD_RDX(%rdx)
    movq %rax, THREAD_RAX(%rdx)
    movq %rcx, THREAD_RCX(%rdx)
    movq %rsi, THREAD_RSI(%rdx)
    movq %rdi, THREAD_RDI(%rdx)
    movq %r8, THREAD_R8(%rdx)
    movq %r9, THREAD_R9(%rdx)
    movq %r10, THREAD_R10(%rdx)
    movq %r11, THREAD_R11(%rdx)
    movq %rbx, THREAD_RBX(%rdx)
    movq %rbp, THREAD_RBP(%rdx)
    movq %r12, THREAD_R12(%rdx)
    movq %r13, THREAD_R13(%rdx)
    movq %r14, THREAD_R14(%rdx)
    movq %r15, THREAD_R15(%rdx)
    movb $THREAD_KIND_INTERRUPTED, THREAD_KIND(%rdx)
    popq %rdi // vector
    popq %rsi // error code
    popq THREAD_RIP(%rdx)
    popq %rax // CS
    popq THREAD_RFLAGS(%rdx)
    popq THREAD_RSP(%rdx)
.Ltrap_dispatch: // RDI: vector; RSI: error code
    movq %gs:PERCPU_STACK, %rsp
    pushq $2
    popfq // the user's AC would open SMAP, DF break string instructions
    xorl %ebp, %ebp
    call trap_dispatch
    jmp resume

// In ring 0 only the halt loop is interrupted; anything else is a fault of the kernel.
.Ltrap_kernel:
    cmpb $0, %gs:PERCPU_IDLE
    je trap_fatal
    cmpq $VECTOR_PIC, (%rsp)
    jb trap_fatal
    movb $0, %gs:PERCPU_IDLE
    popq %rdi
    popq %rsi
    jmp .Ltrap_dispatch

.macro PUSH_FRAME // the rest of struct trap_frame
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

trap_fatal:
    PUSH_FRAME
    movq %rsp, %rdi
    andq $-16, %rsp
    cld
    call trap_kernel_fault
    ud2

// On a stack of its own whose last word points to struct percpu, since GS may be the
// user's, to whatever the user has set it.
trap_anywhere:
    PUSH_FRAME
    rdgsbaseq %rbx
    movq %rsp, %rax
    orq $(FAULT_STACK_BYTES - 1), %rax
    movq -7(%rax), %rax
    wrgsbaseq %rax
    movq %rsp, %rdi
    movq %rsp, %r12
    andq $-16, %rsp
    cld
    call trap_anywhere_dispatch // returns from an NMI
    movq %r12, %rsp
    wrgsbaseq %rbx
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq
