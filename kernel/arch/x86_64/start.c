// SPDX-License-Identifier: MIT
// Bringing the machine up, in order; then the core, which never comes back.
#include <kernel/arch.h>

#include <kernel/arch/x86_64/acpi.h>
#include <kernel/arch/x86_64/apic.h>
#include <kernel/arch/x86_64/boot/boot.h>
#include <kernel/arch/x86_64/clock.h>
#include <kernel/arch/x86_64/cpu.h>
#include <kernel/arch/x86_64/debug.h>
#include <kernel/arch/x86_64/fpu.h>
#include <kernel/arch/x86_64/ioapic.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/arch/x86_64/lock.h>
#include <kernel/arch/x86_64/mp_table.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/serial.h>
#include <kernel/arch/x86_64/smp.h>
#include <kernel/arch/x86_64/trap.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>
#include <kernel/upcall.h>

constexpr uint64_t FIRMWARE_BYTES = 65536; // real-mode leftovers, and address 0

[[noreturn]] void arch_start(uint32_t how, uint64_t information);

static void read_facts(uint32_t how, uint64_t information, struct boot_facts *out_facts)
{
    *out_facts = (struct boot_facts){};
    if (how == BOOT_PVH)
        pvh_read(information, out_facts);
    else
        multiboot2_read(information, out_facts);
    // What the firmware lists as both is reserved.
    for (unsigned i = 0; i < out_facts->reserved.count; i++)
        memory_map_remove(&out_facts->ram, out_facts->reserved.ranges[i].base,
                          out_facts->reserved.ranges[i].size_bytes);
    if (out_facts->ram.count == 0)
        PANIC("the boot loader reports no memory");
}

// Whether `text` starts with a word that a space or the end follows.
static bool starts_with_word(const char *text, const char *word)
{
    while (*word != '\0')
        if (*text++ != *word++)
            return false;
    return *text == ' ' || *text == '\0';
}

// Words of the command line are separated by spaces.
static bool has_word(const char *line, const char *word)
{
    for (const char *at = line; *at != '\0'; at++)
        if ((at == line || at[-1] == ' ') && starts_with_word(at, word))
            return true;
    return false;
}

// The RAM that nobody uses: without the image, the module and the first 64 KiB.
static struct memory_map free_memory(const struct boot_facts *facts)
{
    struct memory_map free = facts->ram;
    uint64_t package = facts->package.base & ~(PAGE_BYTES - 1);
    uint64_t package_end = facts->package.base + facts->package.size_bytes;
    memory_map_remove(&free, 0, FIRMWARE_BYTES);
    memory_map_remove(&free, KERNEL_IMAGE_PHYSICAL,
                      (uint64_t)image_end - (uint64_t)image_start);
    memory_map_remove(&free, package, package_end - package);
    memory_map_trim_to_pages(&free);
    return free;
}

// Physical addresses that are nobody's to map: RAM, and interrupt controllers.
static struct memory_map refused_memory(const struct boot_facts *facts,
                                        const struct acpi_interrupts *interrupts)
{
    struct memory_map refused = facts->ram;
    for (unsigned i = 0; i < facts->firmware_ram.count; i++)
        memory_map_add(&refused, facts->firmware_ram.ranges[i].base,
                       facts->firmware_ram.ranges[i].size_bytes);
    memory_map_add(&refused, apic_physical(), PAGE_BYTES);
    ioapic_init(interrupts, &refused);
    return refused;
}

// Memory, interrupts, time and the other CPUs, from what the boot loader said.
static void init_machine(const struct boot_facts *facts, struct boot_info *out_info)
{
    struct memory_map free = free_memory(facts);
    kernel_map_init(&facts->ram, &free);

    struct acpi_interrupts interrupts;
    struct acpi_cpus cpus;
    acpi_read(facts->acpi_root, facts->acpi_root_is_xsdt, &interrupts, &cpus);
    if (cpus.found == 0)
        mp_table_read(&cpus);
    apic_init();
    boot_percpu.apic_id = apic_id();
    struct memory_map refused = refused_memory(facts, &interrupts);
    clock_init();
    smp_start(&cpus, &free);

    memory_map_copy(&free, out_info->ram, &out_info->ram_count);
    memory_map_copy(&refused, out_info->reserved, &out_info->reserved_count);
    out_info->package = facts->package;
    __builtin_memcpy(out_info->command_line, facts->command_line,
                     sizeof(out_info->command_line));
}
static_assert(sizeof((struct boot_info){}.command_line) ==
              sizeof((struct boot_facts){}.command_line));

// Everything up to the core, in order.  Not inlined: its large locals shall be gone when
// the core starts.
[[gnu::noinline]] static void bring_up(uint32_t how, uint64_t information,
                                       struct boot_info *out_info)
{
    struct boot_facts facts;
    read_facts(how, information, &facts);                   // memory, command line
    debug_init(has_word(facts.command_line, "panic=exit")); // how a panic ends
    cpu_detect();                                           // what the rest may use
    cpu_init();                                             // faults are reported
    cpu_log();                                              // protections that lack
    fpu_init();                                             // a thread's save area
    init_machine(&facts, out_info);                         // memory, lines, time, CPUs
}

static uint64_t choose_stack_guard(void)
{
    uint8_t seed[32];
    uint64_t value;
    arch_entropy(seed);
    __builtin_memcpy(&value, seed, sizeof(value));
    return value & ~0xffull; // a NUL byte stops strings that run over
}

// Changes the stack protector's value, so it must not be protected itself.
__attribute__((no_stack_protector)) void arch_start(uint32_t how, uint64_t information)
{
    msr_write(MSR_GS_BASE, (uint64_t)&boot_percpu); // percpu() works
    serial_init();                                  // log_printf and PANIC print
    struct boot_info info;
    bring_up(how, information, &info);
    __stack_chk_guard = choose_stack_guard();
    kernel_lock_take();
    resume_first(kernel_boot(&info));
}
