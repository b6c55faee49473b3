// SPDX-License-Identifier: MIT
// A system that can be booted: its package and what its manifest lets a program have.
#pragma once

#include <gen/wire/manifest.h>
#include <stddef.h>

#include "files.h"
#include "package.h"

constexpr size_t IMAGE_NAME_BYTES = 64;

struct image {
    struct file_map map;
    struct package package; // borrows from `map`
    struct system_manifest manifest;
    char grant_names[SYSTEM_MANIFEST_GRANTABLE_COUNT_MAX][IMAGE_NAME_BYTES];
    uint32_t grant_count;
};

// Reads a package in memory, which the caller keeps.  nullptr, or what is wrong with it.
[[nodiscard]] const char *image_read(struct image *image, const void *data, size_t bytes);

// Opens build/system/NAME.package.  0, or an exit status after a message.
[[nodiscard]] int image_open(struct image *image, const char *system);

// Whether `capos run --grant NAME` is possible.
[[nodiscard]] bool image_grants(const struct image *image, const char *name);

// Whether every program has a capability of that name.
[[nodiscard]] bool image_gives(const struct image *image, const char *name);

// Whether a service of the system serves an interface.
[[nodiscard]] bool image_serves(const struct image *image, uint64_t interface_id);

// Whether a grantable capability leads to the driver of block devices, which are those of the
// disks if the machine has any.
[[nodiscard]] bool image_drives_disks(const struct image *image, const char *name);

// What a disk has besides its files that `capos run --disk --grant NAME` is possible for: NAME is
// "store", or "notes.store" for the disk "notes".
[[nodiscard]] bool image_disk_grants(const struct image *image, const char *name);

// The grantable name that is nearest to a mistyped one, or nullptr.
[[nodiscard]] const char *image_nearest_grant(const struct image *image, const char *name);

// Whether a file of the package is a program that a person can ask for: neither the
// manifest nor a service.
[[nodiscard]] bool image_has_program(const struct image *image, const char *name);

// The program that is nearest to a mistyped name, or nullptr.
[[nodiscard]] const char *image_nearest_program(const struct image *image, const char *name);
