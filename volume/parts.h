// SPDX-License-Identifier: MIT
// What the files of the volume share: the open database, its statements, its transaction.
//
// A transaction is open from the first change to the next sync, or until the log or the
// cache has had enough; it ends between two operations only.  That there is room is
// asked before an operation begins, so none fails in its middle but by a failing medium.
#pragma once

#include "cache.h"

#include <sqlite3.h>
#include <volume/store.h>
#include <volume/volume.h>

enum statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_LOOKUP,
    STATEMENT_NODE,
    STATEMENT_INSERT,
    STATEMENT_NAME,
    STATEMENT_UNNAME,
    STATEMENT_ENTRIES,
    STATEMENT_NEXT,
    STATEMENT_DELETE,
    STATEMENT_SYMLINK,
    STATEMENT_ATTRIBUTES,
    STATEMENT_CONTENT,
    STATEMENT_PIECE_INSERT,
    STATEMENT_PIECE_GET,
    STATEMENT_PIECE_GROW,
    STATEMENT_PIECES_DELETE,
    STATEMENT_NUMBERS,
    STATEMENT_PAGES,
    STATEMENT_FREE_PAGES,
    STATEMENT_COUNT_NODES,
    STATEMENT_STORED,
    STATEMENT_QUOTA,
    STATEMENT_QUOTA_ADD,
    STATEMENT_QUOTA_INSERT,
    STATEMENT_QUOTA_DELETE,
    STATEMENT_AREA_SET,
    STATEMENT_SPACE,
    STATEMENT_SPACE_SET,
    STATEMENT_CHANGE,
    STATEMENT_CHANGED_NAME,
    STATEMENT_CHANGE_INSERT,
    STATEMENT_CHANGE_OF_HASH,
    STATEMENT_CHANGES_DROP,
    STATEMENT_CHANGES_UNDO,
    STATEMENTS,
};

// The columns of a node's row.
struct node_row {
    enum file_kind kind;
    uint16_t mode;
    uint64_t parent; // 0: it was removed
    uint64_t size;   // bytes of a file or a target, entries of a directory
    uint64_t stored;
    uint64_t version;
    int64_t modified_ns, changed_ns, accessed_ns, created_ns;
    uint64_t area; // quota.c; 0: none
};

constexpr uint32_t KNOWN_ROWS = 64;

struct volume {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    struct volume_options options;
    uint64_t medium_pages;
    uint64_t pages_max;       // of the database
    uint64_t pages_used;      // when they were last counted, free ones inside included
    uint64_t pages_free;      // at least so many are left
    uint64_t pages_dirty;     // at most so many were changed since the last commit
    uint64_t pages_dirty_max; // then it is time for the next
    uint64_t pages_logged;    // at most so many are in the log
    uint64_t pages_logged_max;
    uint64_t number_next, number_end; // numbers that may be given without asking
    bool changing;                    // a transaction is open
    bool failed;                      // nothing can be changed any more
    uint64_t pages_reserved;          // of the database's, for a snapshot; 0: there is none
    // Rows that were looked at last, by their numbers.  Every change makes them all old.
    uint64_t generation;
    struct known_row {
        uint64_t number, generation;
        struct node_row row;
    } known[KNOWN_ROWS];
    struct cache *cache;   // of pieces that were read
    uint64_t missed_piece; // the last that wasn't there
    // A piece of a file that was used last, for the next use.
    sqlite3_blob *blob;
    bool blob_writable;
};

constexpr uint32_t PIECE_BYTES = 65536; // of a file in one row at most
constexpr uint32_t PIECE_BITS = 24;     // of a row's number, below those of the node
static_assert(VOLUME_FILE_BYTES_MAX / PIECE_BYTES <= UINT64_C(1) << PIECE_BITS);

// The outcome of a result of SQLite that isn't OK; if it ended the transaction, the
// volume has failed.
[[nodiscard]] enum file_outcome volume_fault(struct volume *volume, int result);

// A statement, ready for its arguments.
[[nodiscard]] sqlite3_stmt *volume_statement(struct volume *volume, enum statement which);
// Runs a statement that returns no row.
[[nodiscard]] enum file_outcome volume_run(struct volume *volume, sqlite3_stmt *statement);
// Runs a statement for one row; NOT_FOUND.  Its columns are good until the next use.
[[nodiscard]] enum file_outcome volume_row(struct volume *volume, sqlite3_stmt *statement);

// Before an operation that changes up to `pages` pages, and takes up to so many more of the
// medium: NO_SPACE, INPUT_OUTPUT if the volume has failed.
[[nodiscard]] enum file_outcome volume_prepare(struct volume *volume, uint64_t pages);

// Commits, and moves all that is in the log to where it belongs.
[[nodiscard]] enum file_outcome volume_settle(struct volume *volume);

[[nodiscard]] enum file_outcome volume_node(struct volume *volume, uint64_t number,
                                            struct node_row *out_row);

// A file without a name, which goes when it is forgotten or the volume is opened next.  NO_SPACE.
[[nodiscard]] enum file_outcome volume_create_unnamed(struct volume *volume,
                                                      uint64_t *out_number);
// Gives it a name, which is free.  NO_SPACE.
[[nodiscard]] enum file_outcome volume_name_unnamed(struct volume *volume, uint64_t node,
                                                    uint64_t directory, struct wire_data name);

// What a node is charged to its area.
[[nodiscard]] uint64_t volume_node_charge(const struct node_row *row);
// Whether so much can be charged to an area; with `beside`, of what was charged to that one.
// QUOTA_EXCEEDED.
[[nodiscard]] enum file_outcome volume_area_check(struct volume *volume, uint64_t area,
                                                  uint64_t beside, uint64_t bytes);
// Charges an area and those around it, or gives back.
[[nodiscard]] enum file_outcome volume_area_charge(struct volume *volume, uint64_t area,
                                                   int64_t bytes);
// The area that a node itself is charged to.
[[nodiscard]] enum file_outcome volume_area_around(struct volume *volume, uint64_t node,
                                                   const struct node_row *row,
                                                   uint64_t *out_area);
// A node goes to another area; it isn't a directory that begins one, or has entries.
[[nodiscard]] enum file_outcome volume_area_move(struct volume *volume, uint64_t node,
                                                 const struct node_row *row, uint64_t area);
// A node goes.
[[nodiscard]] enum file_outcome volume_area_leave(struct volume *volume, uint64_t node,
                                                  const struct node_row *row);

// Takes back what a restore of names left that was cut off.
[[nodiscard]] enum file_outcome volume_names_undo(struct volume *volume);

// Closes the piece that was used last: before its row changes in another way.
void volume_blob_close(struct volume *volume);

// Deletes the pieces of a file of so many bytes, from one on.
[[nodiscard]] enum file_outcome volume_pieces_delete(struct volume *volume, uint64_t node,
                                                     uint64_t size, uint64_t first);
