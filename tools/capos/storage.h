// SPDX-License-Identifier: MIT
// What --dir, --disk and --tmp give to a program: directories of the host, files of disks,
// directories in memory.
#pragma once

#include "disk_file.h"
#include "image.h"
#include "run_options.h"

// A directory in memory: `--tmp SIZE[:GUEST]`.
struct memory_place {
    char name[DIRECTORY_NAME_BYTES];
    uint64_t size_bytes; // a multiple of 4096
};

struct storage {
    struct directory directories[DIRECTORIES_MAX];
    struct disk_file disks[DISKS_MAX];
    struct memory_place tmps[TMPS_MAX];
    uint32_t directory_count, disk_count, tmp_count;
};

// Reads SIZE[:GUEST], an operand of --tmp.  0, or the status to exit with; a message has been
// printed then.
[[nodiscard]] int memory_place_read(const char *text, struct memory_place *out_place);

// Looks at all that the options name, and that the system can serve it, before anything is
// booted.  0, or the status to exit with; a message has been printed then.
[[nodiscard]] int storage_read(const struct image *image, const struct run_options *options,
                               struct storage *out_storage);

// The memory of the machine that its services take, in bytes.
[[nodiscard]] uint64_t storage_memory_bytes(const struct image *image,
                                            const struct storage *storage);
