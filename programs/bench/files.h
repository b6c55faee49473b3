// SPDX-License-Identifier: MIT
// The rows of files: on a directory in memory.
#pragma once

// Needs the grant "ramfs".
void files_measure(void);
