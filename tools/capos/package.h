// SPDX-License-Identifier: MIT
// Boot packages (abi/boot_package.h) as the host makes and reads them.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct package_file {
    const char *name; // borrowed
    const void *data; // borrowed
    size_t bytes;
};

constexpr size_t PACKAGE_FILES_MAX = 512;

// A list of files that is to become a package.  Zero-initialise it.
struct package {
    struct package_file files[PACKAGE_FILES_MAX];
    size_t count;
};

// Adds a file, in place of one of the same name.  False if the package is full.
[[nodiscard]] bool package_add(struct package *package, const char *name, const void *data,
                               size_t bytes);

// The file of a name, or nullptr.
[[nodiscard]] const struct package_file *package_find(const struct package *package,
                                                      const char *name);

// Adds all files of a package in memory, 8-byte aligned; names and data are borrowed
// from it.  False if it isn't a well-formed package.
[[nodiscard]] bool package_add_all(struct package *package, const void *image, size_t bytes);

// Writes the package to a file descriptor at offset 0.  Returns nullptr, or what went
// wrong.
[[nodiscard]] const char *package_write(const struct package *package, int fd);
