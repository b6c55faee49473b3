// SPDX-License-Identifier: MIT
// Every instruction of libcapos that C cannot express: the entry points, the two system
// calls, and the thread pointer.  The register contracts are those of abi/syscall.h and
// abi/startup.h.
//
// The functions are naked, so that what stands here is all there is: each is an ordinary
// call for the compiler, and the System V calling convention already lets a callee
// clobber what the kernel clobbers.
#include "../../fault.h"
#include "../../thread.h"

#include <capos/syscall.h>

#include <abi/syscall.h>

static_assert(CAPOS_SYS_EXIT == 0 && CAPOS_SYS_CAP_ENTER == 1);
static_assert(offsetof(struct thread, self) == 0);
static_assert(offsetof(struct thread, block) == THREAD_BLOCK_OFFSET);

void _start(void);
// Of start.c; an operand of the instruction below, so that the linker sees the reference.
void capos_start(void);
void capos_start(void);

// RDI, RSI and RDX hold what capos_start takes.  RBP is zero, which ends backtraces; RSP
// is 16-byte aligned, as a call needs it.
[[gnu::naked, noreturn]] void _start(void)
{
    // An operand, not a name in the text: so the linker knows that it is needed.
    __asm__("xorl %%ebp, %%ebp\n\t"
            "call %P0\n\t"
            "ud2"
            :
            : "i"(capos_start));
}

// As _start.
[[gnu::naked]] void capos_thread_entry(void)
{
    __asm__("xorl %%ebp, %%ebp\n\t"
            "call %P0\n\t"
            "ud2"
            :
            : "i"(thread_main));
}

// RDI: the word.  From the store on the stack may be gone.
[[gnu::naked, noreturn]] void thread_end_enter(uint32_t *)
{
    __asm__("testq %rdi, %rdi\n\t"
            "jz 1f\n\t"
            "movl $0, (%rdi)\n"
            "1:\txorl %edi, %edi\n\t"
            "xorl %esi, %esi\n\t"
            "movl $1, %eax\n\t"
            "syscall\n\t"
            "ud2");
}

// RDI: struct fault_area, on top of the stack.  C is called with the x87 and SSE state of a new
// thread, whatever the code that faulted has made of it; what it had comes back afterwards.  If
// the kernel refuses the registers, the system call returns, and UD2 is a fault in the handler.
[[gnu::naked]] void fault_entry(void)
{
    __asm__("movq %%rdi, %%rbx\n\t"
            "movq %c1(%%rbx), %%rcx\n\t"
            "movl $-1, %%eax\n\t"
            "movl %%eax, %%edx\n\t"
            "xsave64 (%%rcx)\n\t"
            "fninit\n\t"
            "pushq $0x1f80\n\t" // MXCSR: all exceptions masked
            "ldmxcsr (%%rsp)\n\t"
            "popq %%rcx\n\t"
            "call %P0\n\t"
            "movq %c1(%%rbx), %%rcx\n\t"
            "movl $-1, %%eax\n\t"
            "movl %%eax, %%edx\n\t"
            "xrstor64 (%%rcx)\n\t"
            "xorl %%edi, %%edi\n\t"
            "xorl %%esi, %%esi\n\t"
            "movl %2, %%eax\n\t"
            "syscall\n\t"
            "ud2"
            :
            : "i"(fault_main), "i"(offsetof(struct fault_area, vectors)),
              "i"(CAPOS_SYS_CAP_ENTER));
}

// Intel SDM volume 1, 13.2: leaf 0xd, subleaf 0, EBX.
[[gnu::naked]] uint32_t fault_vectors_bytes(void)
{
    __asm__("pushq %rbx\n\t"
            "movl $0xd, %eax\n\t"
            "xorl %ecx, %ecx\n\t"
            "cpuid\n\t"
            "movl %ebx, %eax\n\t"
            "popq %rbx\n\t"
            "ret");
}

[[gnu::naked]] int64_t capos_cap_enter(uint64_t, uint64_t)
{
    __asm__("movl $1, %eax\n\t"
            "syscall\n\t"
            "ret");
}

[[gnu::naked, noreturn]] void capos_exit_now(int64_t)
{
    __asm__("xorl %eax, %eax\n\t"
            "syscall\n\t"
            "ud2");
}

[[gnu::naked]] void thread_set_self(void *)
{
    __asm__("wrfsbase %rdi\n\t"
            "ret");
}

[[gnu::naked, noreturn]] void capos_trap(void)
{
    __asm__("ud2");
}
