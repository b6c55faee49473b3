// SPDX-License-Identifier: MIT
// A file of the host as the medium of a volume.
#pragma once

#include <volume/medium.h>

struct file_medium {
    struct medium medium;
    int fd;
};

// Opens a file for one process alone, whole pages of it.  nullptr, or why it can't be opened.
[[nodiscard]] const char *file_medium_open(struct file_medium *file, const char *path,
                                           bool writable);
void file_medium_close(struct file_medium *file);
