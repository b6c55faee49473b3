// SPDX-License-Identifier: MIT
// A file of the host that a machine has as a disk: `--disk FILE[:SIZE][:GUEST]`.
#pragma once

#include "directories.h"

constexpr uint64_t DISK_BYTES_MIN = 1 << 20;

struct disk_file {
    char path[PATH_BYTES];
    char name[DIRECTORY_NAME_BYTES]; // of the Directory of its files
    bool is_device;                  // a block device of the host, no regular file
};

// The parts of FILE[:SIZE][:GUEST].  A last part that is a size is SIZE, any other GUEST, which
// may be empty: "a:b:" is the file "a:b".
struct disk_parts {
    const char *file; // in the text
    size_t file_bytes;
    const char *guest;
    size_t guest_bytes;  // 0: not given
    uint64_t size_bytes; // 0: not given
};
[[nodiscard]] struct disk_parts disk_split(const char *text);

// Looks at the file that `text`, an operand of --disk, names; makes it if it isn't there and a
// size was given.  0, or the status to exit with; a message has been printed then.
[[nodiscard]] int disk_file_read(const char *text, struct disk_file *out_disk);
