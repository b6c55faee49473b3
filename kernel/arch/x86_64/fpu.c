// SPDX-License-Identifier: MIT
// See fpu.h.  Reference: Intel SDM volume 1, chapter 13.
#include <kernel/arch/x86_64/fpu.h>

#include <kernel/arch.h>

constexpr uint16_t X87_CONTROL_INITIAL = 0x37f; // all exceptions masked, 64-bit precision
constexpr uint32_t MXCSR_INITIAL = 0x1f80;      // all exceptions masked, round to nearest

constexpr uint64_t XCR0_X87_SSE = 0x3;
constexpr uint64_t XCR0_AVX = 0x4;
constexpr uint64_t XCR0_AVX512 = 0xe0; // three components, all or none

const struct fpu_area fpu_initial = {
    .x87_control = X87_CONTROL_INITIAL,
    .mxcsr = MXCSR_INITIAL,
};

static uint64_t components; // XCR0
static size_t area_bytes;

void fpu_init_cpu(void)
{
    xcr0_write(components);
    fpu_restore(&fpu_initial);
}

void fpu_init(void)
{
    struct cpuid supported = cpuid_read(0xd, 0);
    components = XCR0_X87_SSE | (supported.eax & XCR0_AVX);
    if ((components & XCR0_AVX) && (supported.eax & XCR0_AVX512) == XCR0_AVX512)
        components |= XCR0_AVX512;
    fpu_init_cpu();
    // EBX: the size that the components enabled just now need.
    area_bytes = (cpuid_read(0xd, 0).ebx + 63u) & ~63u;
}

size_t arch_fpu_bytes(void)
{
    return area_bytes;
}

void fpu_init_area(struct fpu_area *area)
{
    // What XSTATE_BV says isn't in use is never read; MXCSR always is.
    area->x87_control = X87_CONTROL_INITIAL;
    area->mxcsr = MXCSR_INITIAL;
    area->in_use = 0;
    for (unsigned i = 0; i < sizeof(area->header) / sizeof(area->header[0]); i++)
        area->header[i] = 0;
}
