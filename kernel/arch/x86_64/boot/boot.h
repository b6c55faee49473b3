// SPDX-License-Identifier: MIT
// What a boot protocol tells, in one form, and the two protocols (pvh.c, multiboot2.c).
#pragma once

#include <stdint.h>

#include <kernel/arch/x86_64/boot/memory_map.h>

struct boot_facts {
    struct memory_map ram;          // usable RAM, whatever lies in it
    struct memory_map firmware_ram; // RAM that the firmware keeps: ACPI tables and NVS
    struct memory_map reserved;     // what the firmware calls reserved
    struct boot_range package;      // the first module; size 0 without one
    uint64_t acpi_root;             // physical address of the RSDT or XSDT, or 0
    bool acpi_root_is_xsdt;
    char command_line[2048]; // NUL-terminated; cut if longer
};

// Both read the loader's structures from physical memory and never trust a count or a
// size in them further than the facts can hold.  They panic when the loader isn't what
// the entry point says.
void pvh_read(uint64_t start_info, struct boot_facts *out_facts);
void multiboot2_read(uint64_t information, struct boot_facts *out_facts);

// Adds one entry of a memory map.
void boot_facts_add(struct boot_facts *facts, enum memory_kind kind, uint64_t base,
                    uint64_t size_bytes);

// Copies a NUL-terminated string of at most size_bytes.
void boot_facts_set_command_line(struct boot_facts *facts, uint64_t text, uint64_t size_bytes);

// Notes the ACPI tables that an RSDP in physical memory points to.
void boot_facts_set_rsdp(struct boot_facts *facts, uint64_t rsdp);
