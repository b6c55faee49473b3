// SPDX-License-Identifier: MIT
// The kernel half of every address space: the image, device registers, the direct map
// of RAM (kernel_map.c).
//
// Invariants:
//  1. The root's entries for the kernel half are final when kernel_boot is called, so
//     copying them into a new root is all that an address space needs.
//  2. The image's pages aren't in the direct map: its code can't be written by an alias.
//  3. All of it is global and without the user bit.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/boot/memory_map.h>
#include <kernel/arch/x86_64/layout.h>

constexpr uint64_t PTE_NO_EXECUTE = (uint64_t)PTE_NO_EXECUTE_HIGH << 32;
constexpr uint64_t PTE_ADDRESS = 0x000ffffffffff000;
constexpr unsigned TABLE_ENTRIES = 512;
constexpr unsigned KERNEL_HALF_FIRST = 256; // entry of the root

// From the linker script.
extern const uint8_t image_start[], text_start[], text_end[], rodata_start[], data_start[],
    image_end[];

// Where what was linked at KERNEL_BASE is.
[[nodiscard]] static inline uint64_t kernel_base(void)
{
    return (uint64_t)image_start - KERNEL_IMAGE_PHYSICAL;
}

// The tables that boot/entry.S has begun.
extern uint64_t kernel_root[TABLE_ENTRIES];
extern uint64_t kernel_page_table[TABLE_ENTRIES]; // of the image
extern uint64_t direct_directory_pointers[TABLE_ENTRIES];
extern uint64_t direct_directory[TABLE_ENTRIES];  // of the first GiB
extern uint64_t direct_page_table[TABLE_ENTRIES]; // of the first 2 MiB
[[nodiscard]] paddr_t kernel_root_physical(void);

// Copies from physical memory, wherever it is, before or after there is a direct map.
// For what boot loaders and firmware leave behind; slow.
void physical_read(void *to, paddr_t from, size_t size_bytes);

// Maps a page of device registers, uncached, for ever.
[[nodiscard]] volatile void *kernel_map_registers(paddr_t page);

// Maps zeroed pages out of `free` in a row, for ever, behind one that is never mapped: a stack at
// their start that overflows faults.  nullptr if there is no room for them.
[[nodiscard]] void *kernel_map_area(uint64_t page_count, struct memory_map *free);

// Builds the direct map of `ram` and drops what only booting needed: the identity map
// and the page below the stack.  Tables that the image has no room for are taken out of
// `free`, a subset of it.
void kernel_map_init(const struct memory_map *ram, struct memory_map *free);

[[nodiscard]] static inline uint64_t *table_pointer(paddr_t table)
{
    return (uint64_t *)(DIRECT_MAP_BASE + table);
}
