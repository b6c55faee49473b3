// SPDX-License-Identifier: MIT
// The two system calls and the instruction that faults on purpose.  Programs need none of
// them: the generated clients enter the kernel, exit() ends the program.
#pragma once

#include <stdint.h>

// Takes the submissions and waits for `min_complete` completions or until the time has
// passed.  Returns the number of completions that are there, or the negative of an enum
// status.  abi/syscall.h is the manual.
[[nodiscard]] int64_t capos_cap_enter(uint64_t min_complete, uint64_t timeout_ns);

// Ends the process at once: nothing is flushed and no atexit function runs.
[[noreturn]] void capos_exit_now(int64_t code);

// Executes an undefined instruction: the process ends as `faulted`, illegalInstruction.
[[noreturn]] void capos_trap(void);
