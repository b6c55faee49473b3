// SPDX-License-Identifier: MIT
// The smallest program: what spawn_exit_wait starts.
#include <asm/unistd.h>

[[noreturn]] void _start(void);
void _start(void)
{
    __asm__ volatile("syscall" ::"a"(__NR_exit), "D"(0));
    __builtin_unreachable();
}
