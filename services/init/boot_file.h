// SPDX-License-Identifier: MIT
// The files that the machine was started with, as init uses them.
#pragma once

#include <gen/capos/caps.h>
#include <gen/status.h>
#include <stdint.h>

struct boot_file {
    memory_object_cap object; // owned
    uint64_t size_bytes;
};

// Opens a file of the boot package.  STATUS_FAILED: there is none of that name.
[[nodiscard]] enum status boot_file_open(const char *name, struct boot_file *out_file);

// Maps a file for reading, for good; *out_message_bytes is its size.  The pages belong to
// the kernel and never change.
[[nodiscard]] enum status boot_file_map(const char *name, const void **out_bytes,
                                        uint64_t *out_size_bytes);
