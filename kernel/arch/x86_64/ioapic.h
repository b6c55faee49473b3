// SPDX-License-Identifier: MIT
// Interrupt lines: the I/O APICs, as ACPI lists them (ioapic.c).
#pragma once

#include <kernel/arch/x86_64/boot/memory_map.h>

struct acpi_interrupts;

// Finds and masks all lines.  Adds the controllers' registers to `reserved`.
void ioapic_init(const struct acpi_interrupts *interrupts, struct memory_map *reserved);
