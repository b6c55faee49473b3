// SPDX-License-Identifier: MIT
// The one ACPI table that the kernel reads: the MADT, which says which CPUs there are, where
// the I/O APICs are and how the ISA lines are wired (acpi.c).
#pragma once

#include <stdint.h>

#include <kernel/arch.h>

constexpr unsigned ACPI_IOAPIC_MAX = 4;

enum acpi_polarity : uint8_t { ACPI_POLARITY_BUS, ACPI_POLARITY_HIGH, ACPI_POLARITY_LOW };

struct acpi_interrupts {
    struct {
        paddr_t registers;
        uint32_t line_base;
    } ioapics[ACPI_IOAPIC_MAX];
    unsigned ioapic_count;
    enum acpi_polarity polarity[ARCH_IRQ_COUNT_MAX]; // by line
};

struct acpi_cpus {
    uint32_t apic_ids[ARCH_CPU_COUNT_MAX];
    unsigned count;
    unsigned found; // more than count if there wasn't room for all
};

// Reads the tables below a root (RSDT or XSDT; 0: no ACPI).  Without a MADT: the one
// I/O APIC where every PC has it, the wiring of the buses, and no CPUs.
void acpi_read(paddr_t root, bool root_is_xsdt, struct acpi_interrupts *out_interrupts,
               struct acpi_cpus *out_cpus);

void acpi_cpus_add(struct acpi_cpus *cpus, uint32_t apic_id);
