// SPDX-License-Identifier: MIT
// Between fault.c and arch/x86_64/entry.c.
#pragma once

#include <abi/fault.h>
#include <abi/ring.h>
#include <stddef.h>
#include <stdint.h>

// What lies at the top of a handler's stack; above it the vector registers.
struct fault_area {
    struct capos_fault_frame frame; // first: the kernel hands its address over
    void *vectors;                  // XSAVE, 64-byte aligned
    void (*handler)(struct capos_fault_frame *frame, void *context);
    void *context;
    capos_cap_id control;
    alignas(8) uint8_t message[32]; // the call of ThreadControl.resume
};

// The first instruction after a fault, and what it calls.
void fault_entry(void);
void fault_main(struct fault_area *area);

// How many bytes XSAVE writes for all vector registers that user code has on this CPU.
[[nodiscard]] uint32_t fault_vectors_bytes(void);
