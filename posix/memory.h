// SPDX-License-Identifier: MIT
// What memory.c and map.c share.
#pragma once

#include <gen/capos/virtual_memory.h>

constexpr uint64_t MEMORY_PAGE = 4096;

[[nodiscard]] static inline uint64_t memory_page_up(uint64_t bytes)
{
    return (bytes + MEMORY_PAGE - 1) & ~(MEMORY_PAGE - 1);
}

// A file's mapping that is to be made.
struct mapping {
    virtual_memory_cap memory;
    uint64_t address; // 0: anywhere
    uint64_t bytes;   // whole pages
    enum protection protection;
    bool shared;
    uint64_t offset; // in the file, whole pages
};

// New memory of zeros; `address` 0: anywhere.  As VirtualMemory.allocate.
[[nodiscard]] enum status memory_map_zeros(virtual_memory_cap memory, uint64_t address,
                                           uint64_t bytes, enum protection protection,
                                           uint64_t *out_address);

// A change of a range, in parts that the kernel takes.
[[nodiscard]] enum status
memory_change(virtual_memory_cap memory, uint64_t address, uint64_t bytes,
              enum status (*part)(virtual_memory_cap memory, uint64_t address, uint64_t bytes));
