// SPDX-License-Identifier: MIT
// The two system calls.  There will be no third: a new operation is a ring opcode
// or a method of an interface.
//
// SYSCALL with the number in RAX and arguments in RDI, RSI.  The result comes in
// RAX.  RBX, RBP, RSP, R12 to R15, the MXCSR and the x87 control word are
// preserved, every other register is clobbered, vector registers included, as in
// a call to a C function (System V psABI for AMD64, section 3.2.1).
#pragma once

// exit(code): ends the process with an exit code.  Doesn't return.
#define CAPOS_SYS_EXIT 0

// cap_enter(min_complete, timeout_ns): takes the submissions, then waits until
// min_complete completions are there or the time has passed.
//   min_complete  0 to the number of completion entries
//   timeout_ns    0 doesn't wait; CAPOS_FOREVER waits without end.  Anything
//                 between needs a process that holds a Timer, for the time that
//                 a wait takes tells the time: otherwise -badCapability
// Returns the number of completions that are there, or the negative of an enum
// status: corruptRing, queueFull (the wait can't be satisfied), badCapability,
// invalidArgument.  A timeout is no error: it returns what is there.
#define CAPOS_SYS_CAP_ENTER 1

#define CAPOS_FOREVER UINT64_MAX
