// SPDX-License-Identifier: MIT
// The two files of the engine, database and log, as areas of a medium (vfs.c).
//
//     page 0            the label: where the areas are
//     log               SQLite's write-ahead log
//     database          to the end
//
// Invariants:
//  1. Each page of the database ends with a checksum of itself and its number, which is
//     compared whenever it is read.  The log has SQLite's own.
//  2. Who writes into a part of a page writes back what was in the rest, so a page that
//     is torn loses nothing that was flushed.
#pragma once

#include <gen/wire/file.h>
#include <volume/medium.h>

constexpr uint32_t VFS_RESERVED_BYTES = 8; // of each page, for the checksum

struct vfs_facts {
    bool fresh; // there is no label yet: the database is empty
    uint64_t log_bytes;
    uint64_t database_bytes;
};

// Reads the label, or plans one, and registers the VFS "volume" with the files "volume" and
// "volume-wal".  The outcomes are those of volume_open.
[[nodiscard]] enum file_outcome vfs_start(struct medium *medium, bool format,
                                          void (*random)(void *to, uint32_t bytes),
                                          struct vfs_facts *out_facts);
void vfs_stop(void);

// Keeps what the database's pages hold now: of each that is written from then on, the old one is
// copied to one of the last `reserve_pages` of its area, which SQLite doesn't use until
// vfs_snapshot_end.  The log is empty.  NO_SPACE: no memory; INPUT_OUTPUT.
[[nodiscard]] enum file_outcome vfs_snapshot_begin(uint64_t reserve_pages);
void vfs_snapshot_end(void);
// A page of the medium as it was then, with an empty log.  NO_SPACE: more was written than there
// was room to keep.
[[nodiscard]] enum file_outcome vfs_snapshot_read(uint64_t page, void *to);

// Writes the label: what is flushed by now is a volume.  False: the medium failed.
[[nodiscard]] bool vfs_label(void);

// Whether a checksum was wrong since vfs_start.
[[nodiscard]] bool vfs_is_corrupted(void);
