// SPDX-License-Identifier: MIT
// What is known of a file, in POSIX's words.
#pragma once

#include "abi.h"

#include <capos/file.h>

// Of a path below a directory, "" for that one itself.
[[nodiscard]] long status_of(const struct capos_directory *from, const char *path, bool follow,
                             uint32_t device, struct posix_stat *out_status);
// Of the root that has the grants alone.
void status_of_root(struct posix_stat *out_status);

// What a service tells of a file, as the results of Directory.stat are.
void status_fill(const struct directory_stat_results *stat, uint32_t device,
                 struct posix_stat *out_status);
