// SPDX-License-Identifier: MIT
// The boot package: the files that the machine starts with, as one boot module.
//
// A header, a table of entries, then the files in the order of the table, each at
// the first multiple of 4096 behind what precedes it and padded with zeros, so that
// their pages can be mapped in place.  Entries are in strictly ascending order of
// their names' bytes, so names are unique and found by binary search.  All numbers
// are little-endian.  The kernel and init treat it as hostile input:
// lib/boot_package.h checks it once.
//
// The kernel starts the file named "init".
#pragma once

#include <stdint.h>

#define CAPOS_BOOT_PACKAGE_MAGIC      0x4b4341504f4f42u // "BOOPACK" as little-endian bytes
#define CAPOS_BOOT_PACKAGE_NAME_BYTES 64u               // 1 to 63 bytes, then NULs
#define CAPOS_BOOT_PACKAGE_COUNT_MAX  4096u

struct capos_boot_entry {
    char name[CAPOS_BOOT_PACKAGE_NAME_BYTES];
    uint64_t offset_bytes; // from the start of the package; a multiple of 4096
    uint64_t size_bytes;
};
static_assert(sizeof(struct capos_boot_entry) == 80);

struct capos_boot_package {
    uint64_t magic;
    uint64_t package_bytes; // the whole, a multiple of 4096
    uint32_t entry_count;
    uint32_t reserved; // 0
    struct capos_boot_entry entries[];
};
static_assert(sizeof(struct capos_boot_package) == 24);
