// SPDX-License-Identifier: MIT
// The instructions that C has no words for, one inline function each, and the bits of
// the registers that they reach (Intel SDM volumes 2 and 4).
#pragma once

#include <stdint.h>

// ---- Control registers --------------------------------------------------------------

constexpr uint64_t CR0_PE = 1u << 0;
constexpr uint64_t CR0_MP = 1u << 1;
constexpr uint64_t CR0_ET = 1u << 4;
constexpr uint64_t CR0_NE = 1u << 5;
constexpr uint64_t CR0_WP = 1u << 16;
constexpr uint64_t CR0_AM = 1u << 18;
constexpr uint64_t CR0_PG = 1u << 31;

constexpr uint64_t CR4_TSD = 1u << 2;
constexpr uint64_t CR4_PAE = 1u << 5;
constexpr uint64_t CR4_MCE = 1u << 6;
constexpr uint64_t CR4_PGE = 1u << 7;
constexpr uint64_t CR4_OSFXSR = 1u << 9;
constexpr uint64_t CR4_OSXMMEXCPT = 1u << 10;
constexpr uint64_t CR4_UMIP = 1u << 11;
constexpr uint64_t CR4_FSGSBASE = 1u << 16;
constexpr uint64_t CR4_OSXSAVE = 1u << 18;
constexpr uint64_t CR4_SMEP = 1u << 20;
constexpr uint64_t CR4_SMAP = 1u << 21;

static inline void cr0_write(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint64_t cr0_read(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr0, %0" : "=r"(value));
    return value;
}

static inline uint64_t cr2_read(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

static inline uint64_t cr3_read(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}

static inline void cr3_write(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint64_t cr4_read(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}

static inline void cr4_write(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static inline void tlb_flush_page(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

// ---- Model-specific registers -------------------------------------------------------

constexpr uint32_t MSR_APIC_BASE = 0x1b;
constexpr uint32_t MSR_SYSENTER_CS = 0x174;
constexpr uint32_t MSR_PAT = 0x277;
constexpr uint32_t MSR_TSC_DEADLINE = 0x6e0;
constexpr uint32_t MSR_X2APIC = 0x800;
constexpr uint32_t MSR_EFER = 0xc0000080;
constexpr uint32_t MSR_STAR = 0xc0000081;
constexpr uint32_t MSR_LSTAR = 0xc0000082;
constexpr uint32_t MSR_SFMASK = 0xc0000084;
constexpr uint32_t MSR_FS_BASE = 0xc0000100;
constexpr uint32_t MSR_GS_BASE = 0xc0000101;
constexpr uint32_t MSR_KERNEL_GS_BASE = 0xc0000102;

constexpr uint64_t EFER_SCE = 1u << 0;
constexpr uint64_t EFER_NXE = 1u << 11;

static inline uint64_t msr_read(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void msr_write(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

// ---- Flags --------------------------------------------------------------------------

constexpr uint64_t RFLAGS_FIXED = 1u << 1; // always set
constexpr uint64_t RFLAGS_TF = 1u << 8;
constexpr uint64_t RFLAGS_IF = 1u << 9;
constexpr uint64_t RFLAGS_DF = 1u << 10;
constexpr uint64_t RFLAGS_IOPL = 3u << 12;
constexpr uint64_t RFLAGS_NT = 1u << 14;
constexpr uint64_t RFLAGS_AC = 1u << 18;

// ---- Identification, time, random numbers -------------------------------------------

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid_read(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid id;
    __asm__ volatile("cpuid"
                     : "=a"(id.eax), "=b"(id.ebx), "=c"(id.ecx), "=d"(id.edx)
                     : "a"(leaf), "c"(subleaf));
    return id;
}

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

// After all earlier instructions, and before all later ones.
static inline uint64_t tsc_read_ordered(void)
{
    __asm__ volatile("lfence" : : : "memory");
    uint64_t tsc = tsc_read();
    __asm__ volatile("lfence" : : : "memory");
    return tsc;
}

static inline bool rdseed_try(uint64_t *out_value)
{
    bool ok;
    __asm__ volatile("rdseed %0" : "=r"(*out_value), "=@ccc"(ok));
    return ok;
}

static inline bool rdrand_try(uint64_t *out_value)
{
    bool ok;
    __asm__ volatile("rdrand %0" : "=r"(*out_value), "=@ccc"(ok));
    return ok;
}

// ---- Ports --------------------------------------------------------------------------

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t port_read16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t port_read32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

// ---- Segment bases and vector state -------------------------------------------------

static inline uint64_t fs_base_read(void)
{
    uint64_t base;
    __asm__ volatile("rdfsbase %0" : "=r"(base));
    return base;
}

static inline void fs_base_write(uint64_t base)
{
    __asm__ volatile("wrfsbase %0" : : "r"(base));
}

// Sets the user's GS base, the one that isn't active while the kernel runs, and returns
// what it was.
static inline uint64_t user_gs_base_exchange(uint64_t base)
{
    uint64_t old;
    __asm__ volatile("swapgs; rdgsbase %0; wrgsbase %1; swapgs"
                     : "=&r"(old)
                     : "r"(base)
                     : "memory");
    return old;
}

// Whether any of the data segment registers of user code isn't 0.
static inline bool selectors_any(void)
{
    uint32_t ds, es, fs, gs;
    __asm__ volatile("movl %%ds, %0; movl %%es, %1; movl %%fs, %2; movl %%gs, %3"
                     : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    return (ds | es | fs | gs) != 0;
}

// Sets them to 0, and with that the FS base and the user's GS base perhaps too.
static inline void selectors_clear(void)
{
    __asm__ volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%fs;"
                     "swapgs; movl %0, %%gs; swapgs"
                     :
                     : "r"(0)
                     : "memory");
}

static inline void xcr0_write(uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static inline void mxcsr_save(uint32_t *to)
{
    __asm__ volatile("stmxcsr %0" : "=m"(*to));
}

static inline void mxcsr_load(const uint32_t *from)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(*from));
}

static inline void x87_control_save(uint16_t *to)
{
    __asm__ volatile("fnstcw %0" : "=m"(*to));
}

static inline void x87_control_load(const uint16_t *from)
{
    __asm__ volatile("fldcw %0" : : "m"(*from));
}

// All state components in XCR0.
static inline void xsave(void *area)
{
    __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

static inline void xsaveopt(void *area)
{
    __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

static inline void xrstor(const void *area)
{
    __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause");
}
