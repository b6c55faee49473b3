// SPDX-License-Identifier: MIT
// Sets of physical address ranges, as boot loaders describe memory (memory_map.c).
//
// Pure arithmetic.  What the firmware says may overlap, be unsorted or wrap around the
// end of the address space; the set is always sorted, disjoint and not adjacent.
#pragma once

#include <stdint.h>

#include <kernel/upcall.h> // struct boot_range

struct memory_map {
    struct boot_range ranges[BOOT_RANGE_MAX];
    unsigned count;
};

// The kinds of range in PVH's and Multiboot2's tables (the numbers are those of E820).
enum memory_kind : uint32_t {
    MEMORY_RAM = 1,
    MEMORY_RESERVED = 2,
    MEMORY_ACPI = 3,
    MEMORY_ACPI_NVS = 4,
};

// Adds a range, joining it with what it touches.  When the set is full the smallest
// range is forgotten.
void memory_map_add(struct memory_map *map, uint64_t base, uint64_t size_bytes);

// Removes whatever of the range is in the set.
void memory_map_remove(struct memory_map *map, uint64_t base, uint64_t size_bytes);

// Shrinks each range to whole pages; what is smaller than a page goes.
void memory_map_trim_to_pages(struct memory_map *map);

// Takes the highest whole page below a limit out of the set.  0 when there is none.
[[nodiscard]] uint64_t memory_map_take_page(struct memory_map *map, uint64_t limit);

// Copies the set.
void memory_map_copy(const struct memory_map *map, struct boot_range out_ranges[BOOT_RANGE_MAX],
                     unsigned *out_count);
