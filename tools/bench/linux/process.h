// SPDX-License-Identifier: MIT
// Processes and threads of Linux.
#pragma once

#include <stdint.h>

constexpr long PROCESS_END_SIGNAL = 17; // SIGCHLD

// clone(2) of a thread, or of a process that borrows the memory: it runs a function on another
// stack, then exits.  The words for the thread's number may be null.  A number or an error.
long process_clone(long flags, void *stack_end, uint32_t *out_id, uint32_t *cleared_id,
                   void (*run)(void));

// Forks a process that runs a function, then exits.
long process_start(void (*run)(void));
void process_kill(long process);
// Waits for a process, which must exit with 0.
void process_await(long process);
