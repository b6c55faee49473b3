// SPDX-License-Identifier: MIT
// What a thread's fault handler is given: the fault and the registers, in memory that
// ThreadControl.setFaultHandler named.
//
// The handler starts at its entry with RDI the address of the frame, RSP the handler's stack
// and all other general registers zero.  The x87, SSE and AVX state and the FS and GS bases are
// those of the fault: a handler saves what it changes of them, and a system call changes all of
// the vector state (abi/syscall.h).  It goes on by ThreadControl.resume with a frame, this one
// or another, changed as it likes, or ends the thread.  A fault meanwhile ends the process, with
// the fault that came first.
#pragma once

#include <stddef.h>
#include <stdint.h>

// General registers of x86_64, by their numbers; then those of an interrupt's frame.
struct capos_registers {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags;
};
static_assert(sizeof(struct capos_registers) == 144);

// The flags that a resumption may have set: those that POPF changes in ring 3, RF, with which
// a breakpoint is stepped over, and IF and bit 1, which are always set.  Not IOPL, not NT, no
// virtual interrupts.
#define CAPOS_RFLAGS_ALLOWED 0x250fd7u

// capos_fault_frame.access
#define CAPOS_FAULT_WRITE   0x01u
#define CAPOS_FAULT_EXECUTE 0x02u

struct capos_fault_frame {
    uint32_t fault;  // enum fault_kind of the schema
    uint32_t access; // of a fault with an address: CAPOS_FAULT_*; neither: a read
    uint64_t address;
    struct capos_registers registers;
};
static_assert(sizeof(struct capos_fault_frame) == 160);
