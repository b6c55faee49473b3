// SPDX-License-Identifier: MIT
// The rows of files: on a directory in memory, and on a disk.
#pragma once

// Needs the grant "ramfs".
void files_measure(void);
// Needs the Directory "disk", empty, with room for 100,000 small files.
void files_measure_disk(void);
