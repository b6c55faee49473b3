// SPDX-License-Identifier: MIT
// Reading and laying out a boot package (boot_package.c); the format is in
// abi/boot_package.h.
//
// A reader calls boot_package_check once; everything else takes a checked package.  No
// pointer here is owned: all point into the caller's package.
#pragma once

#include <abi/boot_package.h>
#include <stddef.h>

// Whether `package`, 8-byte aligned, starts a well-formed package that lies within
// size_bytes.  Looks at the header and the table, not at the files.
[[nodiscard]] bool boot_package_check(const void *package, uint64_t size_bytes);

// Of a checked package: the number of files, the file at a position (nullptr from the
// count on), the file of a name (nullptr without one).
[[nodiscard]] uint32_t boot_package_count(const struct capos_boot_package *package);
[[nodiscard]] const struct capos_boot_entry *
boot_package_at(const struct capos_boot_package *package, uint32_t index);
[[nodiscard]] const struct capos_boot_entry *
boot_package_find(const struct capos_boot_package *package, const char *name,
                  size_t name_bytes);

// For writers.  Header and table of a package of `entry_count` files, in bytes.
[[nodiscard]] size_t boot_package_table_bytes(uint32_t entry_count);

// Sets an entry's name.  False, and nothing is changed, unless it has 1 to
// CAPOS_BOOT_PACKAGE_NAME_BYTES - 1 bytes, none of them NUL.
[[nodiscard]] bool boot_package_name_set(struct capos_boot_entry *entry, const char *name,
                                         size_t name_bytes);

// The order of entries in the table, for qsort: less than, equal to or greater than 0.
[[nodiscard]] int boot_package_compare(const void *entry, const void *other);

// Completes the header and the offsets of a table whose entry_count, names and sizes
// are set and which is sorted by boot_package_compare.  Each file then goes to its
// offset, and zeros to all bytes between and up to package_bytes.  False if there are
// too many files, a name is missing, repeated or out of order, or the sizes overflow.
[[nodiscard]] bool boot_package_layout(struct capos_boot_package *package);
