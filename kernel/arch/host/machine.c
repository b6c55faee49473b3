// SPDX-License-Identifier: MIT
// The machine of host tests: all of kernel/arch.h but address spaces (space.c).
//
// RAM is one anonymous mapping; a physical address is an offset into it.  Time moves only
// when a test moves it.  A panic prints the console and a backtrace of the test process
// and aborts it, so that a sanitizer run, a fuzzer and a debugger all see it.
//
// Invariants:
//  1. Upcalls come only from host_* functions that a test calls, never from within an
//     arch_* function: the core is never entered twice.
//  2. The timer is a request for one upcall: it is cleared before it is delivered.
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
#include <kernel/upcall.h>

constexpr size_t CONSOLE_BYTES = 65536;
constexpr size_t FPU_BYTES = 512;

enum { WORD_ENTRY, WORD_STACK, WORD_RDI, WORD_RSI, WORD_RDX, WORD_RESULT };

struct irq_line {
    bool set_up, unmasked, raised;
};

static struct {
    uint8_t *ram;
    uint64_t ram_bytes;
    uint64_t now_ns, timer_ns;
    struct irq_line lines[HOST_IRQ_COUNT];
    bool tsc_allowed;
    size_t console_bytes;
    char console[CONSOLE_BYTES + 1]; // with a NUL
} machine;

uint8_t host_ports[65536];

void host_machine_init(uint64_t ram_bytes, struct boot_info *out_info)
{
    ASSERT(ram_bytes % PAGE_BYTES == 0);
    host_machine_fini();
    void *ram = mmap(nullptr, ram_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (ram == MAP_FAILED) {
        perror("host_machine_init: mmap");
        abort();
    }
    machine.ram = ram;
    machine.ram_bytes = ram_bytes;
    machine.timer_ns = UINT64_MAX;
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

void arch_thread_init(struct arch_thread *thread, uint64_t entry, uint64_t stack_pointer,
                      uint64_t rdi, uint64_t rsi, uint64_t rdx)
{
    ASSERT(thread->space != nullptr);
    memset(thread->words, 0, sizeof thread->words);
    thread->words[WORD_ENTRY] = entry;
    thread->words[WORD_STACK] = stack_pointer;
    thread->words[WORD_RDI] = rdi;
    thread->words[WORD_RSI] = rsi;
    thread->words[WORD_RDX] = rdx;
}

void arch_thread_fini(struct arch_thread *thread)
{
    memset(thread->words, 0xee, sizeof thread->words);
    thread->space = nullptr;
}

void arch_thread_set_result(struct arch_thread *thread, int64_t result)
{
    thread->words[WORD_RESULT] = (uint64_t)result;
}

uint64_t arch_thread_instruction_pointer(const struct arch_thread *thread)
{
    return thread->words[WORD_ENTRY];
}

uint64_t arch_thread_stack_pointer(const struct arch_thread *thread)
{
    return thread->words[WORD_STACK];
}

int64_t host_thread_result(const struct arch_thread *thread)
{
    return (int64_t)thread->words[WORD_RESULT];
}

struct host_entry host_thread_entry(const struct arch_thread *thread)
{
    const uint64_t *words = thread->words;
    return (struct host_entry){words[WORD_ENTRY], words[WORD_STACK], words[WORD_RDI],
                               words[WORD_RSI], words[WORD_RDX]};
}

struct cpu *arch_cpu(void)
{
    return &boot_cpu;
}

void arch_set_tsc_allowed(bool allowed)
{
    machine.tsc_allowed = allowed;
}

bool host_tsc_allowed(void)
{
    return machine.tsc_allowed;
}

// What a machine does with the thread that an upcall returns.
static void resume(const struct thread *thread)
{
    ASSERT(thread == boot_cpu.current);
}

// ---- Time ---------------------------------------------------------------------------

uint64_t arch_now_ns(void)
{
    return machine.now_ns;
}

void arch_timer_set(uint64_t deadline_ns)
{
    machine.timer_ns = deadline_ns;
}

uint64_t host_timer_ns(void)
{
    return machine.timer_ns;
}

void host_advance_ns(uint64_t duration_ns)
{
    uint64_t target_ns = machine.now_ns + duration_ns;
    ASSERT(target_ns >= machine.now_ns);
    while (machine.timer_ns <= target_ns) {
        if (machine.timer_ns > machine.now_ns)
            machine.now_ns = machine.timer_ns;
        machine.timer_ns = UINT64_MAX;
        resume(kernel_timer());
    }
    machine.now_ns = target_ns;
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
    ASSERT(irq_line(line)->set_up);
    irq_line(line)->unmasked = true;
}

void arch_irq_mask(uint32_t line)
{
    irq_line(line)->unmasked = false;
}

bool host_irq_masked(uint32_t line)
{
    return !irq_line(line)->unmasked;
}

void host_irq_deliver(void)
{
    for (uint32_t i = 0; i < HOST_IRQ_COUNT; i++) {
        struct irq_line *line = irq_line(i);
        if (line->set_up && line->unmasked && line->raised) {
            line->raised = line->unmasked = false;
            resume(kernel_irq(i));
        }
    }
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

void arch_panic_stop(void)
{
    fflush(stdout);
    fputs(machine.console, stderr);
    arch_backtrace();
    abort();
}
