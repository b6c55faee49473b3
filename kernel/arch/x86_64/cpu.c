// SPDX-License-Identifier: MIT
// See cpu.h.  References: Intel SDM volume 3, 2.5 (control registers), 3.4.5 (segment
// descriptors), 6.14 (64-bit interrupts), 8.7 (task management); volume 4 (registers).
#include <kernel/arch/x86_64/cpu.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/trap.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/sched/cpu.h>

struct cpu_features cpu_features;

alignas(4096) uint8_t boot_stack[STACK_GUARD_BYTES + STACK_BYTES];
static alignas(FAULT_STACK_BYTES) uint8_t
    boot_fault_stacks[FAULT_STACK_COUNT][FAULT_STACK_BYTES];
struct percpu boot_percpu = {
    .self = &boot_percpu,
    .core = &boot_cpu,
    .thread = &boot_percpu.no_thread,
    .stack_top = (uint64_t)boot_stack + sizeof(boot_stack),
    .fault_stacks = boot_fault_stacks,
    .timer_wanted_ns = UINT64_MAX,
    .timer_programmed_ns = UINT64_MAX,
};

// The last word of each points to struct percpu: see trap_anywhere in entry.S.
enum fault_stack { FAULT_STACK_NMI, FAULT_STACK_DOUBLE, FAULT_STACK_MACHINE };
static_assert(FAULT_STACK_MACHINE + 1 == FAULT_STACK_COUNT);

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t stack; // of the TSS's interrupt stacks; 0: the stack of the CPU
    uint8_t kind;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
static_assert(sizeof(struct gate) == 16);
static struct gate gates[VECTOR_COUNT];

struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct cpu *arch_cpu(void)
{
    struct cpu *core;
    __asm__("movq %%gs:%c1, %0" : "=r"(core) : "i"(PERCPU_CORE));
    return core;
}

// ---- Features -----------------------------------------------------------------------

enum cpuid_register { EAX, EBX, ECX, EDX };

static bool has_bit(uint32_t leaf, enum cpuid_register which, unsigned bit)
{
    uint32_t leaf_max = cpuid_read(leaf & 0x80000000, 0).eax;
    if (leaf > leaf_max)
        return false;
    struct cpuid id = cpuid_read(leaf, 0);
    const uint32_t registers[] = {id.eax, id.ebx, id.ecx, id.edx};
    return registers[which] >> bit & 1;
}

static const struct {
    const char *name;
    uint32_t leaf;
    uint8_t which, bit;
} required[] = {
    {"APIC", 1, EDX, 9},
    {"FXSR", 1, EDX, 24},
    {"XSAVE", 1, ECX, 26},
    {"PGE", 1, EDX, 13},
    {"TSC", 1, EDX, 4},
    {"FSGSBASE", 7, EBX, 0},
    {"SYSCALL", 0x80000001, EDX, 11},
};

static struct cpu_features read_features(void)
{
    return (struct cpu_features){
        .x2apic = has_bit(1, ECX, 21),
        .tsc_deadline = has_bit(1, ECX, 24),
        .tsc_invariant = has_bit(0x80000007, EDX, 8),
        .rdrand = has_bit(1, ECX, 30),
        .rdseed = has_bit(7, EBX, 18),
        .smep = has_bit(7, EBX, 7),
        .smap = has_bit(7, EBX, 20),
        .umip = has_bit(7, ECX, 2),
        .hypervisor = has_bit(1, ECX, 31),
        .xsaveopt = cpuid_read(0xd, 1).eax & 1,
    };
}

void cpu_detect(void)
{
    unsigned missing = 0;
    for (unsigned i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (has_bit(required[i].leaf, required[i].which, required[i].bit))
            continue;
        log_printf("cpu: capOS needs a CPU with %s; this one has none\n", required[i].name);
        missing++;
    }
    if (missing > 0)
        PANIC("this CPU lacks %u features; with QEMU, -cpu max has all", missing);

    cpu_features = read_features();
}

bool cpu_is_like_first(void)
{
    struct cpu_features features = read_features();
    return __builtin_memcmp(&features, &cpu_features, sizeof(features)) == 0;
}

void cpu_log(void)
{
    if (!cpu_features.smep || !cpu_features.smap || !cpu_features.umip)
        log_printf("cpu: without%s%s%s; the kernel runs with less protection\n",
                   cpu_features.smep ? "" : " SMEP", cpu_features.smap ? "" : " SMAP",
                   cpu_features.umip ? "" : " UMIP");
    if (!cpu_features.rdrand && !cpu_features.rdseed)
        log_printf("cpu: without RDRAND and RDSEED; random numbers are weak\n");
    if (!cpu_features.tsc_invariant && !cpu_features.hypervisor)
        log_printf("cpu: without an invariant TSC; time may drift\n");
}

// ---- Setting up ---------------------------------------------------------------------

// The kinds of memory that a page-table entry can name, as after a reset: what firmware did to
// them on one CPU holds for none.
constexpr uint64_t PAT_INITIAL = 0x0007040600070406;

static void init_control_registers(struct percpu *cpu)
{
    msr_write(MSR_PAT, PAT_INITIAL);
    cr0_write(CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
    cpu->cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE |
               CR4_OSXSAVE | CR4_TSD;
    if (cpu_features.smep)
        cpu->cr4 |= CR4_SMEP;
    if (cpu_features.smap)
        cpu->cr4 |= CR4_SMAP;
    if (cpu_features.umip)
        cpu->cr4 |= CR4_UMIP;
    cr4_write(cpu->cr4);
    cpu->cr3 = cr3_read();
}

// The top of a fault stack, below the word that points to struct percpu.
static uint64_t init_fault_stack(enum fault_stack which, struct percpu *cpu)
{
    uint8_t *end = cpu->fault_stacks[which] + FAULT_STACK_BYTES;
    *(struct percpu **)(void *)(end - sizeof(void *)) = cpu;
    return (uint64_t)end - 16;
}

static void tss_set(uint32_t pair[2], uint64_t value)
{
    pair[0] = (uint32_t)value;
    pair[1] = (uint32_t)(value >> 32);
}

static void init_segments(struct percpu *cpu)
{
    tss_set(&cpu->tss.stacks[0], cpu->stack_top);
    for (unsigned i = 0; i < FAULT_STACK_COUNT; i++)
        tss_set(&cpu->tss.interrupt_stacks[2 * i], init_fault_stack(i, cpu));
    cpu->tss.io_map_offset = sizeof(cpu->tss);

    uint64_t tss = (uint64_t)&cpu->tss;
    cpu->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00af9b000000ffff;
    cpu->gdt[SELECTOR_KERNEL_DATA / 8] = 0x00cf93000000ffff;
    cpu->gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffff;
    cpu->gdt[SELECTOR_USER_CODE / 8] = 0x00affb000000ffff;
    // An available 64-bit TSS: limit, base in three pieces, present.
    cpu->gdt[SELECTOR_TSS / 8] = (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16 |
                                 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[SELECTOR_TSS / 8 + 1] = tss >> 32;
    struct descriptor_pointer pointer = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
    // CS stays: the selector means the same in the table that booting used.
    __asm__ volatile("lgdt %0; ltr %w1; lldt %w2"
                     :
                     : "m"(pointer), "r"(SELECTOR_TSS), "r"(0)
                     : "memory");
}

static uint8_t vector_stack(unsigned vector)
{
    switch (vector) {
    case VECTOR_NMI:
        return FAULT_STACK_NMI + 1;
    case VECTOR_DOUBLE_FAULT:
        return FAULT_STACK_DOUBLE + 1;
    case VECTOR_MACHINE_CHECK:
        return FAULT_STACK_MACHINE + 1;
    default:
        return 0;
    }
}

static void init_gates(void)
{
    constexpr uint8_t interrupt_gate = 0x8e;
    constexpr uint8_t user_may_raise = 0x60;
    for (unsigned i = 0; i < VECTOR_COUNT; i++) {
        uint64_t stub = (uint64_t)trap_stubs[i];
        gates[i] = (struct gate){
            .offset_low = (uint16_t)stub,
            .selector = SELECTOR_KERNEL_CODE,
            .stack = vector_stack(i),
            .kind = interrupt_gate | (i == VECTOR_BREAKPOINT ? user_may_raise : 0),
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
}

static void load_gates(void)
{
    struct descriptor_pointer pointer = {sizeof(gates) - 1, (uint64_t)gates};
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

static void init_syscall(void)
{
    // SYSCALL loads CS and SS from the first; SYSRET adds 16 and 8 to the second.
    msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 |
                            (uint64_t)(SELECTOR_KERNEL_DATA | 3) << 48);
    msr_write(MSR_LSTAR, (uint64_t)syscall_entry);
    msr_write(MSR_SFMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT);
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
    msr_write(MSR_SYSENTER_CS, 0); // SYSENTER faults
    msr_write(MSR_KERNEL_GS_BASE, 0);
    msr_write(MSR_FS_BASE, 0);
}
static_assert(SELECTOR_USER_DATA == SELECTOR_KERNEL_DATA + 8 + 3);
static_assert(SELECTOR_USER_CODE == SELECTOR_KERNEL_DATA + 16 + 3);

void cpu_init(void)
{
    struct percpu *cpu = percpu();
    init_control_registers(cpu);
    init_segments(cpu);
    if (cpu == &boot_percpu)
        init_gates();
    load_gates();
    init_syscall();
}

void arch_set_tsc_allowed(bool allowed)
{
    struct percpu *cpu = percpu();
    uint64_t cr4 = allowed ? cpu->cr4 & ~CR4_TSD : cpu->cr4 | CR4_TSD;
    if (cr4 == cpu->cr4)
        return;
    cpu->cr4 = cr4;
    cr4_write(cr4);
}
