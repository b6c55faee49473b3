// SPDX-License-Identifier: MIT
// See process.h.
#include "process.h"

#include "syscalls.h"

constexpr long SIGNAL_KILL = 9;

// The function to run waits on the child's stack, for the child has no other register or
// memory of its own than RSP.
[[gnu::naked]] long process_clone(long, void *, uint32_t *, uint32_t *, void (*)(void))
{
    __asm__("subq $16, %%rsi\n\t" // stays 16-byte aligned
            "movq %%r8, (%%rsi)\n\t"
            "movq %%rcx, %%r10\n\t"
            "xorl %%r8d, %%r8d\n\t"
            "movl %0, %%eax\n\t"
            "syscall\n\t"
            "testq %%rax, %%rax\n\t"
            "jz 1f\n\t"
            "ret\n"
            "1:\txorl %%ebp, %%ebp\n\t"
            "movq (%%rsp), %%rax\n\t"
            "call *%%rax\n\t"
            "xorl %%edi, %%edi\n\t"
            "movl %1, %%eax\n\t"
            "syscall\n\t"
            "ud2"
            :
            : "i"(__NR_clone), "i"(__NR_exit));
}

long process_start(void (*run)(void))
{
    long process = good(call0(__NR_fork), "fork");
    if (process == 0) {
        run();
        call3(__NR_exit_group, 0, 0, 0);
    }
    return process;
}

void process_kill(long process)
{
    good(call3(__NR_kill, process, SIGNAL_KILL, 0), "kill");
    good(call4(__NR_wait4, process, 0, 0, 0), "wait4");
}

void process_await(long process)
{
    int status;
    good(process, "a process");
    good(call4(__NR_wait4, process, (long)&status, 0, 0), "wait4");
    if (status != 0)
        fail("a child", -status);
}
