// SPDX-License-Identifier: MIT
// See smp.h.
//
// A CPU is started by INIT and two STARTUP interrupts, which name the page where it begins: a
// copy of boot/trampoline.S.  It sets itself up like the first one, shows that its clock is the
// same, and idles: from then on it is like a CPU that has run out of threads.
//
// Invariants:
//  1. One CPU is started at a time.  One that is late is reset by another INIT before the next is
//     started, so none takes what was meant for another.
//  2. What is in percpu_at(0 .. arch_cpu_count() - 1) has come up, and stays.
//
// References: Intel SDM volume 3, 9.4 (MP initialisation), 18.17.3 (TSC of several CPUs).
// Tested in tests/arch/test_boot.py.
#include <kernel/arch/x86_64/smp.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/apic.h>
#include <kernel/arch/x86_64/clock.h>
#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/fpu.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/arch/x86_64/trap.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/sched/cpu.h>

constexpr uint64_t LOW_MEMORY_END = 1 << 20;
constexpr uint64_t TABLE_MEMORY_END = UINT64_C(1) << 32; // CR3 has 32 bits in real mode
constexpr uint64_t RESET_NS = 10'000'000;                // of a real CPU, after INIT
constexpr uint64_t REPEAT_NS = 200'000;                  // between the STARTUPs
// A virtual CPU comes when the host lets it.
constexpr uint64_t PATIENCE_NS = 10'000'000'000;
constexpr uint32_t CLOCK_ROUNDS = 4;

// What a CPU has of its own, behind a guard page.
struct cpu_area {
    uint8_t stack[STACK_BYTES];
    uint8_t fault_stacks[FAULT_STACK_COUNT][FAULT_STACK_BYTES];
    struct percpu percpu;
    struct cpu core;
};
static_assert(offsetof(struct cpu_area, fault_stacks) % FAULT_STACK_BYTES == 0);

extern const uint8_t trampoline_start[], trampoline_end[], trampoline_long[], trampoline_gdt[],
    trampoline_gdt_base[], trampoline_far[], trampoline_root[], trampoline_entry[];

static struct percpu *percpus[ARCH_CPU_COUNT_MAX] = {&boot_percpu};
static uint32_t cpu_count = 1;
struct percpu *cpu_starting;

// How far the CPU that is being started has come; it goes on with the odd steps, the first
// CPU with the even ones.
static struct {
    uint32_t step;
    uint64_t tsc; // read by the new CPU
    bool unlike;  // it lacks a feature that the first has
} start;

enum : uint32_t { STEP_STARTING = 0, STEP_VERDICT = 1 + 2 * CLOCK_ROUNDS };

struct percpu *percpu_at(uint32_t index)
{
    return percpus[index];
}

uint32_t arch_cpu_count(void)
{
    return cpu_count;
}

struct cpu *arch_cpu_at(uint32_t index)
{
    ASSERT(index < cpu_count);
    return percpus[index]->core;
}

static uint32_t step_now(void)
{
    return __atomic_load_n(&start.step, __ATOMIC_ACQUIRE);
}

static void step_set(uint32_t step)
{
    __atomic_store_n(&start.step, step, __ATOMIC_RELEASE);
}

// ---- The new CPU --------------------------------------------------------------------

// Its guard of the stack may change while it idles, so it isn't used here.
__attribute__((no_stack_protector)) void cpu_start(struct percpu *cpu)
{
    msr_write(MSR_GS_BASE, (uint64_t)cpu); // percpu() works
    cr3_write(kernel_root_physical());     // without the trampoline
    cpu_init();
    fpu_init_cpu();
    apic_init_cpu();
    clock_init_cpu();
    start.unlike = !cpu_is_like_first();
    for (uint32_t step = STEP_STARTING + 1; step < STEP_VERDICT; step += 2) {
        step_set(step);
        while (step_now() != step + 1)
            cpu_relax();
        start.tsc = tsc_read_ordered();
    }
    step_set(STEP_VERDICT);
    while (step_now() == STEP_VERDICT)
        cpu_relax();
    idle_first();
}

// ---- The first CPU ------------------------------------------------------------------

// Waits for a step of the new CPU; false if it doesn't come.
static bool await(uint32_t step)
{
    uint64_t end_ns = arch_now_ns() + PATIENCE_NS;
    while (step_now() != step) {
        if (arch_now_ns() > end_ns)
            return false;
        cpu_relax();
    }
    return true;
}

// Lets the new CPU read its clock between two readings of this one's, so that a difference
// shows that is greater than a message between them takes.
static bool clocks_agree(void)
{
    bool agree = true;
    for (uint32_t step = STEP_STARTING + 1; step < STEP_VERDICT; step += 2) {
        uint64_t before = tsc_read_ordered();
        step_set(step + 1);
        if (!await(step + 2))
            return false;
        uint64_t after = tsc_read_ordered();
        agree &= before <= start.tsc && start.tsc <= after;
    }
    return agree;
}

// Why a CPU can't be used; nullptr if it has come.
static const char *start_one(uint32_t apic_id, struct percpu *cpu, paddr_t trampoline)
{
    start = (typeof(start)){.step = STEP_STARTING};
    __atomic_store_n(&cpu_starting, cpu, __ATOMIC_RELEASE);
    apic_send_init(apic_id);
    if (!cpu_features.hypervisor)
        clock_wait_ns(RESET_NS);
    apic_send_startup(apic_id, trampoline);
    clock_wait_ns(REPEAT_NS);
    if (step_now() == STEP_STARTING) // else it would restart what has begun
        apic_send_startup(apic_id, trampoline);
    const char *problem = nullptr;
    if (!await(STEP_STARTING + 1))
        problem = "it doesn't start";
    else if (!clocks_agree())
        problem = "its time-stamp counter differs";
    else if (start.unlike)
        problem = "its features differ";
    if (problem == nullptr)
        step_set(STEP_VERDICT + 1);
    else
        apic_send_init(apic_id);
    return problem;
}

// Page tables with the trampoline's first 2 MiB at their own address, and the kernel's half.
static paddr_t make_tables(struct memory_map *free, paddr_t pages[3])
{
    for (unsigned i = 0; i < 3; i++) {
        pages[i] = memory_map_take_page(free, TABLE_MEMORY_END);
        if (pages[i] == 0)
            return 0;
        __builtin_memset(table_pointer(pages[i]), 0, PAGE_BYTES);
    }
    uint64_t *root = table_pointer(pages[0]);
    for (unsigned i = KERNEL_HALF_FIRST; i < TABLE_ENTRIES; i++)
        root[i] = kernel_root[i];
    root[0] = pages[1] | PTE_PRESENT | PTE_WRITE;
    table_pointer(pages[1])[0] = pages[2] | PTE_PRESENT | PTE_WRITE;
    table_pointer(pages[2])[0] = 0 | PTE_PRESENT | PTE_LARGE; // read and execute, not global
    return pages[0];
}

static void copy_trampoline(paddr_t page, paddr_t root)
{
    uint8_t *copy = arch_frame_pointer(page);
    size_t size = (size_t)(trampoline_end - trampoline_start);
    ASSERT(size <= PAGE_BYTES);
    __builtin_memcpy(copy, trampoline_start, size);
    uint64_t entry = (uint64_t)cpu_entry;
    const struct {
        const uint8_t *at;
        uint64_t value;
        size_t size_bytes;
    } patches[] = {
        {trampoline_gdt_base, page + (uint64_t)(trampoline_gdt - trampoline_start), 4},
        {trampoline_far, page + (uint64_t)(trampoline_long - trampoline_start), 4},
        {trampoline_root, root, 4},
        {trampoline_entry, entry, 8},
    };
    for (unsigned i = 0; i < sizeof(patches) / sizeof(patches[0]); i++)
        __builtin_memcpy(copy + (patches[i].at - trampoline_start), &patches[i].value,
                         patches[i].size_bytes);
}

// A CPU's own memory; nullptr if there is no room.
static struct percpu *make_percpu(uint32_t apic_id, struct memory_map *free)
{
    struct cpu_area *area =
        kernel_map_area((sizeof(*area) + PAGE_BYTES - 1) / PAGE_BYTES, free);
    if (area == nullptr)
        return nullptr;
    struct percpu *cpu = &area->percpu;
    *cpu = (struct percpu){
        .self = cpu,
        .core = &area->core,
        .thread = &cpu->no_thread,
        .stack_top = (uint64_t)area->stack + sizeof(area->stack),
        .fault_stacks = area->fault_stacks,
        .timer_wanted_ns = UINT64_MAX,
        .timer_programmed_ns = UINT64_MAX,
        .apic_id = apic_id,
    };
    return cpu;
}

static void start_all(const struct acpi_cpus *cpus, struct memory_map *free, paddr_t trampoline)
{
    for (unsigned i = 0; i < cpus->count && cpu_count < ARCH_CPU_COUNT_MAX; i++) {
        uint32_t id = cpus->apic_ids[i];
        if (id == boot_percpu.apic_id)
            continue;
        struct percpu *cpu = make_percpu(id, free);
        const char *problem =
            cpu == nullptr ? "there is no memory for it" : start_one(id, cpu, trampoline);
        if (problem == nullptr)
            percpus[cpu_count++] = cpu;
        else
            log_printf("cpu: the one with APIC id %u stays unused: %s\n", id, problem);
    }
}

void smp_start(const struct acpi_cpus *cpus, struct memory_map *free)
{
    if (cpus->count <= 1)
        return;
    paddr_t pages[3] = {};
    paddr_t trampoline = memory_map_take_page(free, LOW_MEMORY_END);
    paddr_t root = make_tables(free, pages);
    if (trampoline != 0 && root != 0) {
        copy_trampoline(trampoline, root);
        start_all(cpus, free, trampoline);
    } else {
        log_printf("cpu: no memory below 1 MiB to start the others\n");
    }
    if (trampoline != 0)
        memory_map_add(free, trampoline, PAGE_BYTES);
    for (unsigned i = 0; i < 3; i++)
        if (pages[i] != 0)
            memory_map_add(free, pages[i], PAGE_BYTES);
    if (cpus->found > ARCH_CPU_COUNT_MAX)
        log_printf("cpu: the machine has %u CPUs, capOS uses %u\n", cpus->found,
                   ARCH_CPU_COUNT_MAX);
    log_printf("cpu: %u run\n", cpu_count);
}
