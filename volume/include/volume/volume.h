// SPDX-License-Identifier: MIT
// A volume: directories, files and symlinks on a medium, which survive the loss of power.
//
// What is promised:
//  1. Each operation happens as a whole or not at all, whenever the power goes.
//  2. What volume_sync has answered with OK is there afterwards.  What came later is there up
//     to some point in the order of the operations, and nothing behind that.
//  3. What is read is what was written, or the outcome is CORRUPTED: each page has a checksum,
//     with its number in it.
//  4. When the medium fails in a write, nothing can be changed any more until the volume is
//     opened again; then it is as after a loss of power.
//
// The engine is SQLite: one table of nodes, one of pieces of files, in two areas of the medium
// (vfs.c), the database and its log.  A node is known by its number, never given twice; a
// file, directory or symlink has exactly one name, or none when it was removed while
// somebody had it open.  Names and offsets are legal: the caller has checked them.
//
// Not thread-safe, and nothing here waits but the medium.  Runs on capOS (services/store) and on
// the host (`capos disk`).  Tested by volume_test.c and volume_power_test.c.
#pragma once

#include <gen/wire/directory.h>
#include <gen/wire/file.h>
#include <lib/wire.h>
#include <volume/medium.h>

constexpr uint64_t VOLUME_ROOT = 1;            // the root directory's number
constexpr uint64_t VOLUME_BYTES_MIN = 1 << 20; // of a medium
constexpr uint64_t VOLUME_FILE_BYTES_MAX = UINT64_C(1) << 40;
// So much is one operation, which fits the log of the smallest volume.
constexpr uint32_t VOLUME_WRITE_BYTES_MAX = 64 * 1024;

struct volume;

struct volume_options {
    uint32_t cache_bytes;      // memory for pages, besides some hundred KiB
    uint32_t read_cache_bytes; // and for what is read again and again
    bool format;               // make a volume on a medium whose first page is zero
    int64_t (*now_ns)(void);
    void (*random)(void *to, uint32_t bytes);
};

// Opens a volume; one at a time in a process.  NOT_FOUND: the first page is zero, and `format`
// isn't asked for; CORRUPTED: it is something else, or damaged; NO_SPACE: the medium is smaller
// than VOLUME_BYTES_MIN or than the volume was; INPUT_OUTPUT; NO_ACCESS: no memory.
[[nodiscard]] enum file_outcome volume_open(struct medium *medium,
                                            const struct volume_options *options,
                                            struct volume **out_volume);
// Gives everything back.  What wasn't synced is lost.
void volume_close(struct volume *volume);

struct volume_node {
    uint64_t number;
    enum file_kind kind;
};

struct volume_creation {
    enum file_kind kind;
    uint16_t mode;
    struct wire_data target; // of a symlink
};

struct volume_stat {
    enum file_kind kind;
    uint16_t mode;
    bool removed;
    uint64_t size_bytes; // of a directory: its entries
    uint64_t stored_bytes;
    uint64_t version;
    int64_t modified_ns, changed_ns, accessed_ns, created_ns;
};

struct volume_attributes {
    bool set_mode, set_modified, set_accessed;
    uint16_t mode;
    int64_t modified_ns, accessed_ns;
};

// ---- Names -------------------------------------------------------------------------

// OK, NOT_FOUND, INPUT_OUTPUT, CORRUPTED, as all that follow.
[[nodiscard]] enum file_outcome volume_lookup(struct volume *volume, uint64_t directory,
                                              struct wire_data name,
                                              struct volume_node *out_node);
// The name is free.  NO_SPACE, QUOTA_EXCEEDED; NOT_FOUND: the directory is removed.
[[nodiscard]] enum file_outcome volume_create(struct volume *volume, uint64_t directory,
                                              struct wire_data name,
                                              const struct volume_creation *creation,
                                              struct volume_node *out_node);
// Takes a node's name away; NOT_EMPTY.  The node stays until volume_forget.
[[nodiscard]] enum file_outcome volume_remove(struct volume *volume, uint64_t node);
// Gives a node another name, which leads to `replaced`, or to nothing (0).  What is replaced
// is removed, or, with `exchange`, gets the node's old name.  INTO_ITSELF, NOT_EMPTY,
// NO_SPACE, QUOTA_EXCEEDED; NOT_FOUND: the directory is removed; OTHER_SERVICE: other limits
// apply there, and it is no file (or two are to be exchanged).
[[nodiscard]] enum file_outcome volume_rename(struct volume *volume, uint64_t node,
                                              uint64_t to_directory, struct wire_data to_name,
                                              uint64_t replaced, bool exchange);
// Nobody has the node open: if it has no name, it goes.
void volume_forget(struct volume *volume, uint64_t node);

struct volume_entry {
    uint64_t node; // greater than that of the entry before
    enum file_kind kind;
    uint32_t name_bytes;
    uint8_t name[DIRECTORY_ENTRY_NAME_BYTES_MAX];
};
// The entry behind a node's number, 0 for the first.  NOT_FOUND: there are no more.
[[nodiscard]] enum file_outcome volume_next(struct volume *volume, uint64_t directory,
                                            uint64_t after, struct volume_entry *out_entry);

// ---- Nodes -------------------------------------------------------------------------

[[nodiscard]] enum file_outcome volume_stat(struct volume *volume, uint64_t node,
                                            struct volume_stat *out_stat);
[[nodiscard]] enum file_outcome volume_set_attributes(struct volume *volume, uint64_t node,
                                                      const struct volume_attributes *set);
// Up to `bytes_max` bytes of where a symlink leads.
[[nodiscard]] enum file_outcome volume_read_symlink(struct volume *volume, uint64_t node,
                                                    void *target, uint32_t bytes_max,
                                                    uint32_t *out_bytes);

// ---- Contents ----------------------------------------------------------------------

// Fewer bytes than asked for only at the end.
[[nodiscard]] enum file_outcome volume_read(struct volume *volume, uint64_t node,
                                            uint64_t offset, void *to, uint32_t bytes,
                                            uint32_t *out_read);
// All or nothing, up to VOLUME_WRITE_BYTES_MAX at a time.  NO_SPACE, QUOTA_EXCEEDED, TOO_LARGE.
[[nodiscard]] enum file_outcome volume_write(struct volume *volume, uint64_t node,
                                             uint64_t offset, const void *from, uint32_t bytes);
[[nodiscard]] enum file_outcome volume_truncate(struct volume *volume, uint64_t node,
                                                uint64_t size_bytes);

// ---- Quotas ------------------------------------------------------------------------

constexpr uint64_t VOLUME_QUOTA_BYTES_MAX = UINT64_C(1) << 60;

// Limits what all below a directory may take up, 512 bytes for each name included; what would
// be more ends with QUOTA_EXCEEDED and changes nothing.  0: no limit.  NOT_EMPTY: the directory
// has entries and no limit, or is to have none; NOT_DIRECTORY; NO_SPACE; NOT_SUPPORTED: 8
// limits apply to it already.  A limit may be less than what is taken up.
[[nodiscard]] enum file_outcome volume_quota_set(struct volume *volume, uint64_t directory,
                                                 uint64_t limit_bytes);

struct volume_quota {
    uint64_t total_bytes, free_bytes; // UINT64_MAX: no limit applies
};
// The tightest of the limits that apply to a directory.
[[nodiscard]] enum file_outcome volume_quota_room(struct volume *volume, uint64_t directory,
                                                  struct volume_quota *out_quota);

// ---- The whole ---------------------------------------------------------------------

// All that was done is durable when this returns with OK.
[[nodiscard]] enum file_outcome volume_sync(struct volume *volume);

struct volume_room {
    uint64_t total_bytes, free_bytes;
    uint64_t node_count;
};
[[nodiscard]] enum file_outcome volume_room(struct volume *volume,
                                            struct volume_room *out_room);

// A snapshot: all of the medium as it is now, while the volume goes on being used.  It is a
// volume itself.  Until it ends, pages that change are kept in a part of the free room.  One at
// a time: BUSY; NO_SPACE: there is little room, or no memory.
[[nodiscard]] enum file_outcome volume_snapshot_begin(struct volume *volume);
void volume_snapshot_end(struct volume *volume);
[[nodiscard]] bool volume_snapshot_is_open(const struct volume *volume);
[[nodiscard]] uint64_t volume_snapshot_bytes(const struct volume *volume);
// Reads within its size.  NO_SPACE: more was changed since than there was room for; it can only
// be ended.
[[nodiscard]] enum file_outcome volume_snapshot_read(struct volume *volume, uint64_t offset,
                                                     void *to, uint32_t bytes);

// Reads everything and compares it with itself; `found` is told of what is wrong.  OK: nothing
// is; CORRUPTED; INPUT_OUTPUT.
[[nodiscard]] enum file_outcome volume_check(struct volume *volume,
                                             void (*found)(void *context, const char *what),
                                             void *context);
