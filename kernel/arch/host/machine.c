// SPDX-License-Identifier: MIT
// The machine of host tests: all of kernel/arch.h but page tables (space.c).
//
// RAM is one anonymous mapping; a physical address is an offset into it.  Time moves only
// when a test moves it.  A panic prints the console and a backtrace of the test process
// and aborts it, so that a sanitizer run, a fuzzer and a debugger all see it.
//
// Invariants:
//  1. Upcalls come only from host_* functions that a test calls, never from within an
//     arch_* function: the core is never entered twice.
//  2. A CPU's timer is a request for one upcall: it is cleared before it is delivered.
//  3. At the end of every upcall each translation that any CPU remembers is that of the page
//     tables: nobody reaches a frame that was unmapped.
//
// Tested in tests/core, by everything.
#include <kernel/arch/host/machine.h>

#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kernel/debug/panic.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/thread.h>
#include <kernel/upcall.h>

constexpr size_t CONSOLE_BYTES = 65536;
constexpr size_t FPU_BYTES = 512;

// What struct arch_thread.words holds.
struct host_thread {
    struct capos_registers registers;
    uint64_t result;
    uint64_t base;
};
static_assert(sizeof(struct host_thread) <= ARCH_THREAD_WORDS * sizeof(uint64_t));

constexpr unsigned TLB_ENTRIES = 64;

struct host_cpu {
    struct cpu *core;
    struct arch_thread *loaded; // runs user code; nullptr when idle
    const struct arch_space *space;
    uint64_t timer_ns;
    bool tsc_allowed, kicked;
    unsigned tlb_next; // the oldest entry
    struct {
        uint64_t address; // 0: unused
        paddr_t frame;
        enum page_access access;
    } tlb[TLB_ENTRIES];
};

struct irq_line {
    bool set_up, unmasked, raised;
};

static struct {
    uint8_t *ram;
    uint64_t ram_bytes;
    uint64_t now_ns;
    struct irq_line lines[HOST_IRQ_COUNT];
    uint32_t cpu_count;
    struct host_cpu *active; // the one that the test runs on
    struct host_cpu cpus[ARCH_CPU_COUNT_MAX];
    size_t console_bytes;
    char console[CONSOLE_BYTES + 1]; // with a NUL
} machine;

uint8_t host_ports[65536];
uint64_t host_shootdown_count, host_flush_count, host_flush_pages;

static struct cpu other_cpus[ARCH_CPU_COUNT_MAX - 1];

static void host_tlb_load(struct host_cpu *cpu, const struct arch_space *space);
static void host_tlb_check(const struct host_cpu *cpu);

void host_machine_init(uint64_t ram_bytes, uint32_t cpu_count, struct boot_info *out_info)
{
    ASSERT(ram_bytes % PAGE_BYTES == 0 && cpu_count > 0 && cpu_count <= ARCH_CPU_COUNT_MAX);
    host_machine_fini();
    void *ram = mmap(nullptr, ram_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ram == MAP_FAILED) {
        perror("host_machine_init: mmap");
        abort();
    }
    machine.ram = ram;
    machine.ram_bytes = ram_bytes;
    machine.cpu_count = cpu_count;
    machine.active = &machine.cpus[0];
    for (uint32_t i = 0; i < cpu_count; i++)
        machine.cpus[i] = (struct host_cpu){
            .core = i == 0 ? &boot_cpu : &other_cpus[i - 1],
            .timer_ns = UINT64_MAX,
        };
    memset(host_ports, 0, sizeof host_ports);
    *out_info = (struct boot_info){
        .ram = {{.base = HOST_RAM_BASE, .size_bytes = ram_bytes}},
        .ram_count = 1,
        .reserved = {{.base = 0, .size_bytes = HOST_RAM_BASE + ram_bytes}},
        .reserved_count = 1,
    };
}

void host_machine_fini(void)
{
    if (machine.ram != nullptr)
        munmap(machine.ram, machine.ram_bytes);
    memset(&machine, 0, sizeof machine);
}

void arch_words_copy(void *to, const void *from, size_t size_bytes)
{
    memcpy(to, from, size_bytes);
}

void arch_words_clear(void *to, size_t size_bytes)
{
    memset(to, 0, size_bytes);
}

void *arch_frame_pointer(paddr_t address)
{
    uint64_t offset = address - HOST_RAM_BASE;
    ASSERT(address >= HOST_RAM_BASE && offset < machine.ram_bytes);
    return machine.ram + offset;
}

paddr_t arch_physical_end(void)
{
    return (paddr_t)1 << 46;
}

// ---- Threads ------------------------------------------------------------------------

size_t arch_fpu_bytes(void)
{
    return FPU_BYTES;
}

static struct host_thread *host_thread(struct arch_thread *thread)
{
    return (struct host_thread *)(void *)thread->words;
}

static const struct host_thread *host_thread_const(const struct arch_thread *thread)
{
    return (const struct host_thread *)(const void *)thread->words;
}

void arch_thread_registers(const struct arch_thread *thread,
                           struct capos_registers *out_registers)
{
    *out_registers = host_thread_const(thread)->registers;
}

const char *arch_registers_check(const struct capos_registers *registers)
{
    if (registers->rip >= USER_ADDRESS_END)
        return "rip: below 0x7ffffffff000";
    if ((registers->rflags & ~(uint64_t)CAPOS_RFLAGS_ALLOWED) != 0)
        return "rflags: no other flags than those of 0x250fd7";
    return nullptr;
}

void arch_thread_set_registers(struct arch_thread *thread,
                               const struct capos_registers *registers)
{
    host_thread(thread)->registers = *registers;
}

void arch_thread_init(struct arch_thread *thread, uint64_t entry, uint64_t stack_pointer,
                      uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
    ASSERT(thread->space != nullptr);
    *host_thread(thread) = (struct host_thread){
        .registers = {.rip = entry, .rsp = stack_pointer, .rdi = rdi, .rsi = rsi, .rdx = rdx}};
}

void arch_thread_set_base(struct arch_thread *thread, uint64_t base)
{
    ASSERT(base < USER_ADDRESS_END);
    host_thread(thread)->base = base;
}

void arch_thread_stop(struct arch_thread *thread)
{
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        struct host_cpu *cpu = &machine.cpus[i];
        if (cpu == machine.active || cpu->loaded != thread)
            continue;
        cpu->loaded = nullptr;
        host_tlb_load(cpu, nullptr);
        cpu->kicked = true;
    }
}

void arch_thread_fini(struct arch_thread *thread)
{
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        ASSERT(machine.cpus[i].loaded != thread || &machine.cpus[i] == machine.active);
    if (machine.active->loaded == thread)
        machine.active->loaded = nullptr;
    memset(thread->words, 0xee, sizeof thread->words);
    thread->space = nullptr;
}

void arch_thread_set_result(struct arch_thread *thread, int64_t result)
{
    host_thread(thread)->result = (uint64_t)result;
}

uint64_t arch_thread_instruction_pointer(const struct arch_thread *thread)
{
    return host_thread_const(thread)->registers.rip;
}

uint64_t arch_thread_stack_pointer(const struct arch_thread *thread)
{
    return host_thread_const(thread)->registers.rsp;
}

int64_t host_thread_result(const struct arch_thread *thread)
{
    return (int64_t)host_thread_const(thread)->result;
}

struct host_entry host_thread_entry(const struct arch_thread *thread)
{
    const struct host_thread *state = host_thread_const(thread);
    const struct capos_registers *registers = &state->registers;
    return (struct host_entry){registers->rip, registers->rsp, registers->rdi,
                               registers->rsi, registers->rdx, state->base};
}

// ---- CPUs ---------------------------------------------------------------------------

struct cpu *arch_cpu(void)
{
    return machine.active->core;
}

uint32_t arch_cpu_count(void)
{
    return machine.cpu_count;
}

struct cpu *arch_cpu_at(uint32_t index)
{
    ASSERT(index < machine.cpu_count);
    return machine.cpus[index].core;
}

void arch_cpu_kick(struct cpu *cpu)
{
    ASSERT(cpu != arch_cpu());
    machine.cpus[cpu->index].kicked = true;
}

void arch_set_tsc_allowed(bool allowed)
{
    machine.active->tsc_allowed = allowed;
}

bool host_tsc_allowed(void)
{
    return machine.active->tsc_allowed;
}

void host_cpu_use(uint32_t index)
{
    ASSERT(index < machine.cpu_count);
    machine.active = &machine.cpus[index];
}

bool host_cpu_kicked(uint32_t index)
{
    ASSERT(index < machine.cpu_count);
    return machine.cpus[index].kicked;
}

static struct host_cpu *first_kicked(void)
{
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        if (machine.cpus[i].kicked)
            return &machine.cpus[i];
    return nullptr;
}

void host_deliver_kicks(void)
{
    struct host_cpu *before = machine.active, *cpu;
    while ((cpu = first_kicked()) != nullptr) {
        cpu->kicked = false;
        machine.active = cpu;
        host_resume(kernel_reschedule());
    }
    machine.active = before;
}

void host_resume(const struct thread *next)
{
    struct host_cpu *cpu = machine.active;
    ASSERT(next == cpu->core->current);
    cpu->loaded = nullptr;
    if (next != nullptr) {
        struct thread *thread = container_of(&next->arch, struct thread, arch);
        cpu->loaded = &thread->arch;
        ASSERT(thread->state == THREAD_RUNNING && thread->cpu == cpu->core);
    }
    host_tlb_load(cpu, next == nullptr ? nullptr : next->arch.space);
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        host_tlb_check(&machine.cpus[i]);
}

// ---- Translations -------------------------------------------------------------------

// Loading another space forgets those of the one before.
static void host_tlb_load(struct host_cpu *cpu, const struct arch_space *space)
{
    if (cpu->space == space)
        return;
    cpu->space = space;
    memset(cpu->tlb, 0, sizeof cpu->tlb);
}

static void host_tlb_check(const struct host_cpu *cpu)
{
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        if (cpu->tlb[i].address == 0)
            continue;
        enum page_access access = PAGE_NONE;
        paddr_t frame = arch_space_lookup(cpu->space, cpu->tlb[i].address, &access);
        // More access than is remembered is found out by a fault.
        ASSERT(frame == cpu->tlb[i].frame &&
               (access == cpu->tlb[i].access || cpu->tlb[i].access == PAGE_READ));
    }
}

void host_tlb_fill(uint64_t address)
{
    struct host_cpu *cpu = machine.active;
    uint64_t page = address & ~(PAGE_BYTES - 1);
    enum page_access access = PAGE_NONE;
    ASSERT(cpu->space != nullptr);
    paddr_t frame = arch_space_lookup(cpu->space, page, &access);
    ASSERT(frame != 0 && access != PAGE_NONE);
    unsigned at = cpu->tlb_next++ % TLB_ENTRIES;
    cpu->tlb[at].address = page;
    cpu->tlb[at].frame = frame;
    cpu->tlb[at].access = access;
}

void arch_space_flush(struct arch_space *space, uint64_t address, uint64_t length_bytes)
{
    ASSERT(space->root != 0 && address % PAGE_BYTES == 0 && length_bytes % PAGE_BYTES == 0);
    if (space->known_page - 1 - address < length_bytes) // no more than must be
        space->known_page = 0;
    host_flush_count++;
    host_flush_pages += length_bytes / PAGE_BYTES;
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        struct host_cpu *cpu = &machine.cpus[i];
        if (cpu->space != space)
            continue;
        if (cpu != machine.active)
            host_shootdown_count++;
        for (unsigned at = 0; at < TLB_ENTRIES; at++)
            if (cpu->tlb[at].address - address < length_bytes)
                cpu->tlb[at].address = 0;
    }
}

void host_space_unload(const struct arch_space *space)
{
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        ASSERT(machine.cpus[i].space != space || &machine.cpus[i] == machine.active);
    if (machine.active->space == space)
        host_tlb_load(machine.active, nullptr);
}

// ---- Time ---------------------------------------------------------------------------

uint64_t arch_now_ns(void)
{
    return machine.now_ns;
}

void arch_timer_set(uint64_t deadline_ns)
{
    machine.active->timer_ns = deadline_ns;
}

// The CPU whose timer fires next.
static struct host_cpu *next_timer(void)
{
    struct host_cpu *next = &machine.cpus[0];
    for (uint32_t i = 1; i < machine.cpu_count; i++)
        if (machine.cpus[i].timer_ns < next->timer_ns)
            next = &machine.cpus[i];
    return next;
}

uint64_t host_timer_ns(void)
{
    return next_timer()->timer_ns;
}

void host_advance_ns(uint64_t duration_ns)
{
    uint64_t target_ns = machine.now_ns + duration_ns;
    ASSERT(target_ns >= machine.now_ns);
    struct host_cpu *before = machine.active, *cpu;
    while ((cpu = next_timer())->timer_ns <= target_ns) {
        if (cpu->timer_ns > machine.now_ns)
            machine.now_ns = cpu->timer_ns;
        cpu->timer_ns = UINT64_MAX;
        machine.active = cpu;
        host_resume(kernel_timer());
        host_deliver_kicks();
    }
    machine.now_ns = target_ns;
    machine.active = before;
}

// ---- Devices ------------------------------------------------------------------------

uint32_t arch_irq_count(void)
{
    return HOST_IRQ_COUNT;
}

static struct irq_line *irq_line(uint32_t line)
{
    ASSERT(line < HOST_IRQ_COUNT);
    return &machine.lines[line];
}

void arch_irq_setup(uint32_t line, bool level_triggered)
{
    (void)level_triggered; // a raised line stays raised until it is delivered
    *irq_line(line) = (struct irq_line){.set_up = true};
}

void arch_irq_unmask(uint32_t line)
{
    if (line >= HOST_IRQ_COUNT) // of messages
        return;
    ASSERT(irq_line(line)->set_up);
    irq_line(line)->unmasked = true;
}

void arch_irq_mask(uint32_t line)
{
    if (line < HOST_IRQ_COUNT)
        irq_line(line)->unmasked = false;
}

void arch_irq_message(uint32_t number, uint64_t *out_address, uint32_t *out_data)
{
    ASSERT(number >= HOST_IRQ_COUNT && number < ARCH_IRQ_COUNT_MAX);
    *out_address = HOST_MESSAGE_ADDRESS;
    *out_data = number;
}

void host_message(uint32_t data)
{
    struct host_cpu *before = machine.active;
    machine.active = &machine.cpus[0];
    host_resume(kernel_irq(data));
    machine.active = before;
}

bool host_irq_masked(uint32_t line)
{
    return !irq_line(line)->unmasked;
}

void host_irq_deliver(void)
{
    struct host_cpu *before = machine.active;
    machine.active = &machine.cpus[0];
    for (uint32_t i = 0; i < HOST_IRQ_COUNT; i++) {
        struct irq_line *line = irq_line(i);
        if (line->set_up && line->unmasked && line->raised) {
            line->raised = line->unmasked = false;
            host_resume(kernel_irq(i));
        }
    }
    machine.active = before;
}

void host_irq_raise(uint32_t line)
{
    irq_line(line)->raised = true;
    host_irq_deliver();
}

uint32_t arch_port_read(uint16_t port, unsigned width_bytes)
{
    uint32_t value = 0;
    ASSERT(width_bytes <= sizeof value && port + width_bytes <= sizeof host_ports);
    memcpy(&value, host_ports + port, width_bytes);
    return value;
}

void arch_port_write(uint16_t port, unsigned width_bytes, uint32_t value)
{
    ASSERT(width_bytes <= sizeof value && port + width_bytes <= sizeof host_ports);
    memcpy(host_ports + port, &value, width_bytes);
}

void arch_entropy(uint8_t seed[32])
{
    for (unsigned i = 0; i < 32; i++)
        seed[i] = (uint8_t)(0xa5 + 7 * i);
}

// ---- Console and panic --------------------------------------------------------------

void arch_console_write(const void *data, size_t size)
{
    if (size > CONSOLE_BYTES - machine.console_bytes) {
        size_t keep = machine.console_bytes / 2;
        memmove(machine.console, machine.console + machine.console_bytes - keep, keep);
        machine.console_bytes = keep;
    }
    size_t room = CONSOLE_BYTES - machine.console_bytes;
    size_t taken = size < room ? size : room;
    memcpy(machine.console + machine.console_bytes, data, taken);
    machine.console_bytes += taken;
    machine.console[machine.console_bytes] = '\0';
}

const char *host_console_text(void)
{
    return machine.console;
}

void host_console_clear(void)
{
    machine.console_bytes = 0;
    machine.console[0] = '\0';
}

void arch_backtrace(void)
{
    void *frames[64];
    backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
}

void arch_panic_begin(void)
{
}

void arch_panic_stop(void)
{
    fflush(stdout);
    fputs(machine.console, stderr);
    arch_backtrace();
    abort();
}
