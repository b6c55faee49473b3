// SPDX-License-Identifier: MIT
// Faults that a program handles: null pointers of a language, guard pages, breakpoints.
//
//     static void on_fault(struct capos_fault_frame *frame, void *)
//     {
//         if (frame->fault == FAULT_KIND_UNMAPPED)
//             frame->registers.rip = (uint64_t)recover;
//     }
//
//     alignas(16) static uint8_t stack[16384];
//     capos_fault_handler_set(on_fault, nullptr, stack, sizeof stack);
#pragma once

#include <abi/fault.h>
#include <gen/status.h>
#include <gen/wire/process.h> // enum fault_kind
#include <stddef.h>

constexpr size_t CAPOS_FAULT_STACK_BYTES_MIN = 8192;

// Calls `handler(frame, context)` when the calling thread faults; other threads have their own
// handlers, at first none.  When it returns, the thread goes on with the registers in the
// frame, as they were or as the handler changed them, and with the vector registers that it
// had.  It may end the thread instead.  A fault in it, or registers that user code can't have,
// end the process with the fault that came first.
//
// The handler runs on `stack`, which the thread lends for as long as it lives or until another
// handler is set, and which isn't the one that may overflow.  It may call whatever the code that
// faulted was not in the middle of: libcapos too, unless a function of libcapos faulted on an
// address that it was given.  A null handler: faults end the process again.  Neither blocks nor
// allocates.
//
// STATUS_NOT_FOUND: the program lacks "thread".  STATUS_INVALID_ARGUMENT: the stack is smaller
// than CAPOS_FAULT_STACK_BYTES_MIN, or than twice the vector registers of this CPU.
[[nodiscard]] enum status
capos_fault_handler_set(void (*handler)(struct capos_fault_frame *frame, void *context),
                        void *context, void *stack, size_t stack_bytes);
