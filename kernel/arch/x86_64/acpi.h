// SPDX-License-Identifier: MIT
// The one ACPI table that the kernel reads: the MADT, which says where the I/O APICs are
// and how the ISA lines are wired (acpi.c).
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

// Reads the tables below a root (RSDT or XSDT; 0: no ACPI).  Without a MADT: the one
// I/O APIC where every PC has it, and the wiring of the buses.
void acpi_read(paddr_t root, bool root_is_xsdt, struct acpi_interrupts *out_interrupts);
