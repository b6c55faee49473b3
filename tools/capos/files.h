// SPDX-License-Identifier: MIT
// Files of the host: where capOS was built, and whole files in memory.
#pragma once

#include <stddef.h>
#include <stdint.h>

// A file mapped read-only, page-aligned.  `data` is nullptr for an empty file.
struct file_map {
    const uint8_t *data;
    size_t bytes;
};

// Maps a regular file.  0, or an errno.
[[nodiscard]] int file_map_open(const char *path, struct file_map *out_map);
void file_map_close(struct file_map *map);

constexpr size_t PATH_BYTES = 4096;

// Writes the path of something below the folder that capOS was cloned into, found from
// where this command lies (build/host/capos).  `format` is relative to that folder.
// Ends the process with a message if it can't be found or is too long.
void tree_path(char out_path[PATH_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// Whether a command can be found through PATH; its path in out_path if so.
[[nodiscard]] bool command_find(const char *name, char out_path[PATH_BYTES]);
