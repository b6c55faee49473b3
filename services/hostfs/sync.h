// SPDX-License-Identifier: MIT
// What has to be made durable for a Directory.sync: the protocol can ask for that of one file
// or one directory at a time only, so what was changed is remembered until it was.
//
// Invariants:
//  1. A file that was written to and closed stays open on the host until it is durable.
//  2. A directory whose names were changed is remembered by a fid of its own.
#pragma once

#include "device.h"

#include <gen/wire/file.h>

// Takes the fid of a file that was written to since it was last made durable.
void sync_take_file(struct exchange *exchange, uint32_t fid);
// Names of the directory `fid`, with that inode, have changed.
void sync_note_directory(struct exchange *exchange, uint32_t fid, uint64_t inode);
// Makes durable all that was changed: what was taken and noted, and open files.
[[nodiscard]] enum file_outcome sync_all(struct exchange *exchange);

// Makes one open file or directory durable.
[[nodiscard]] enum file_outcome sync_fid(struct exchange *exchange, uint32_t fid,
                                         bool data_only);
