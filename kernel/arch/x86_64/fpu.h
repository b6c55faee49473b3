// SPDX-License-Identifier: MIT
// x87, SSE, AVX and AVX-512 state of user code (fpu.c).  The kernel itself never uses
// these registers, so whatever a thread left stays until the next thread needs them.
//
// Enabled are the components that come with the registers alone.  Protection keys
// (they would change what a page's access means), AMX (8 KiB per thread) and the
// supervisor components are not.
#pragma once

#include <stdint.h>

#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/x86.h>

// The start of a save area (Intel SDM volume 1, 13.4).
struct fpu_area {
    alignas(64) uint16_t x87_control;
    uint8_t reserved0[22];
    uint32_t mxcsr;
    uint8_t reserved1[484];
    uint64_t in_use; // XSTATE_BV: components that aren't in their initial state
    uint64_t header[7];
};
static_assert(sizeof(struct fpu_area) == 576);

extern const struct fpu_area fpu_initial;

// Chooses the components and their size, and enables them on this CPU.
void fpu_init(void);

// Enables them on another one.
void fpu_init_cpu(void);

// Makes an area hold the initial state.
void fpu_init_area(struct fpu_area *area);

static inline void fpu_save(void *area)
{
    if (cpu_features.xsaveopt)
        xsaveopt(area);
    else
        xsave(area);
}

static inline void fpu_restore(const void *area)
{
    xrstor(area);
}

// What a C function preserves: the control words.
static inline void fpu_save_control(uint32_t *mxcsr, uint16_t *x87_control)
{
    mxcsr_save(mxcsr);
    x87_control_save(x87_control);
}

// The initial state, with those.
static inline void fpu_reset(const uint32_t *mxcsr, const uint16_t *x87_control)
{
    xrstor(&fpu_initial);
    mxcsr_load(mxcsr);
    x87_control_load(x87_control);
}
