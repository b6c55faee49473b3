// SPDX-License-Identifier: MIT
// See ioapic.h.  Line n of the kernel is ACPI's global system interrupt n.
// Numbers behind the last line are those of messages, which go to the local APIC directly.
// Reference: Intel 82093AA I/O APIC data sheet, 3; Intel SDM volume 3, "Message Signalled
// Interrupts".
#include <kernel/arch/x86_64/ioapic.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/acpi.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/debug/log.h>
#include <kernel/debug/panic.h>

constexpr uint8_t IOAPIC_VERSION = 1;
constexpr uint8_t IOAPIC_REDIRECTION = 0x10; // two registers per line

constexpr uint32_t REDIRECTION_LOW_ACTIVE = 1u << 13;
constexpr uint32_t REDIRECTION_LEVEL = 1u << 15;
constexpr uint32_t REDIRECTION_MASKED = 1u << 16;

constexpr uint32_t ISA_LINES = 16;

constexpr uint32_t MESSAGE_ADDRESS = 0xfee00000;

struct ioapic {
    volatile uint32_t *select;
    volatile uint32_t *window;
};

struct line {
    uint8_t ioapic;
    uint8_t index;   // on that controller
    bool active_low; // when nothing is known of the wiring: as the bus has it
    uint32_t redirection;
};

static struct ioapic ioapics[ACPI_IOAPIC_MAX];
static struct line lines[ARCH_IRQ_COUNT_MAX];
static uint32_t line_count;

static uint32_t ioapic_read(const struct ioapic *ioapic, uint8_t which)
{
    *ioapic->select = which;
    return *ioapic->window;
}

static void ioapic_write(const struct ioapic *ioapic, uint8_t which, uint32_t value)
{
    *ioapic->select = which;
    *ioapic->window = value;
}

static void line_write(const struct line *line)
{
    ioapic_write(&ioapics[line->ioapic], (uint8_t)(IOAPIC_REDIRECTION + 2 * line->index),
                 line->redirection);
}

static void add_lines(uint8_t which, uint32_t line_base,
                      const struct acpi_interrupts *interrupts)
{
    uint32_t version = ioapic_read(&ioapics[which], IOAPIC_VERSION);
    if (version == UINT32_MAX) // nothing answers
        return;
    uint32_t count = (version >> 16 & 0xff) + 1;
    for (uint32_t i = 0; i < count && line_base + i < ARCH_IRQ_COUNT_MAX; i++) {
        uint32_t number = line_base + i;
        enum acpi_polarity polarity = interrupts->polarity[number];
        // ISA lines are active high, PCI's low.
        if (polarity == ACPI_POLARITY_BUS && number >= ISA_LINES)
            polarity = ACPI_POLARITY_LOW;
        lines[number] = (struct line){
            .ioapic = which,
            .index = (uint8_t)i,
            .active_low = polarity == ACPI_POLARITY_LOW,
            .redirection = REDIRECTION_MASKED,
        };
        line_write(&lines[number]);
        if (line_count <= number)
            line_count = number + 1;
    }
}

void ioapic_init(const struct acpi_interrupts *interrupts, struct memory_map *reserved)
{
    for (uint8_t i = 0; i < interrupts->ioapic_count; i++) {
        paddr_t registers = interrupts->ioapics[i].registers;
        paddr_t page = registers & PTE_ADDRESS;
        volatile uint8_t *mapped = kernel_map_registers(page);
        mapped += registers - page;
        ioapics[i].select = (volatile uint32_t *)(volatile void *)mapped;
        ioapics[i].window = (volatile uint32_t *)(volatile void *)(mapped + 0x10);
        memory_map_add(reserved, page, PAGE_BYTES);
        add_lines(i, interrupts->ioapics[i].line_base, interrupts);
    }
    if (line_count == 0)
        log_printf("ioapic: none; devices can't interrupt\n");
}

uint32_t arch_irq_count(void)
{
    return line_count;
}

void arch_irq_setup(uint32_t number, bool level_triggered)
{
    ASSERT(number < line_count);
    struct line *line = &lines[number];
    line->redirection = (VECTOR_IRQ + number) | REDIRECTION_MASKED;
    if (level_triggered)
        line->redirection |= REDIRECTION_LEVEL;
    // An edge-triggered line rises, whatever bus it is numbered with: only a shared
    // level-triggered PCI line is active low.
    if (level_triggered && line->active_low)
        line->redirection |= REDIRECTION_LOW_ACTIVE;
    ioapic_write(&ioapics[line->ioapic], (uint8_t)(IOAPIC_REDIRECTION + 2 * line->index + 1),
                 boot_percpu.apic_id << 24);
    line_write(line);
}

void arch_irq_unmask(uint32_t number)
{
    if (number >= line_count) // of messages
        return;
    lines[number].redirection &= ~REDIRECTION_MASKED;
    line_write(&lines[number]);
}

void arch_irq_mask(uint32_t number)
{
    if (number >= line_count)
        return;
    lines[number].redirection |= REDIRECTION_MASKED;
    line_write(&lines[number]);
}

void arch_irq_message(uint32_t number, uint64_t *out_address, uint32_t *out_data)
{
    ASSERT(number >= line_count && number < ARCH_IRQ_COUNT_MAX);
    // To one CPU, fixed delivery, edge-triggered.
    *out_address = MESSAGE_ADDRESS | boot_percpu.apic_id << 12;
    *out_data = VECTOR_IRQ + number;
}
