// SPDX-License-Identifier: MIT
// Quotas of directories; see volume_quota_set.
//
// A directory with a quota begins an *area*: all below it, down to the next such directories.
// Each node's row has the area that it lies in; a directory that begins one has its own, and is
// itself charged to the one around it, as a whole area is.
//
// Invariants:
//  1. `used` of an area is what each node in it or in an area inside it is charged: NODE_BYTES
//     and what its contents take up.
//  2. A node lies in the area of its directory.  One without a name stays where it was, and is
//     charged there until it goes; so an area may outlive its directory.
//  3. Nothing is charged beyond the limit of an area; a limit may be set below what is used.
#include "parts.h"

constexpr uint64_t NODE_BYTES = 512; // for a name and what else is known of a node
constexpr uint32_t DEPTH_MAX = 8;    // of areas in each other: each may be a page that changes
constexpr uint64_t QUOTA_PAGES = 12;

struct quota_row {
    uint64_t outer; // 0: none
    uint64_t most, used;
};

// NOT_FOUND: the directory has none.
static enum file_outcome quota_get(struct volume *volume, uint64_t directory,
                                   struct quota_row *out_row)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_QUOTA);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)directory);
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK)
        *out_row = (struct quota_row){
            .outer = (uint64_t)sqlite3_column_int64(statement, 0),
            .most = (uint64_t)sqlite3_column_int64(statement, 1),
            .used = (uint64_t)sqlite3_column_int64(statement, 2),
        };
    (void)sqlite3_reset(statement);
    return outcome;
}

static enum file_outcome quota_add(struct volume *volume, uint64_t directory, int64_t bytes)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_QUOTA_ADD);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)directory);
    (void)sqlite3_bind_int64(statement, 2, bytes);
    return volume_run(volume, statement);
}

static enum file_outcome quota_delete(struct volume *volume, uint64_t directory)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_QUOTA_DELETE);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)directory);
    return volume_run(volume, statement);
}

// Whether `inner` is `outer` or lies in it; 0 is all around.
static enum file_outcome lies_in(struct volume *volume, uint64_t inner, uint64_t outer,
                                 bool *out_in)
{
    *out_in = true;
    for (uint32_t depth = 0; depth < DEPTH_MAX; depth++) {
        struct quota_row row;
        if (inner == outer || outer == 0)
            return FILE_OUTCOME_OK;
        *out_in = inner != 0;
        if (inner == 0)
            return FILE_OUTCOME_OK;
        enum file_outcome outcome = quota_get(volume, inner, &row);
        if (outcome != FILE_OUTCOME_OK)
            return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_CORRUPTED : outcome;
        inner = row.outer;
    }
    return FILE_OUTCOME_CORRUPTED;
}

enum file_outcome volume_area_check(struct volume *volume, uint64_t area, uint64_t beside,
                                    uint64_t bytes)
{
    for (uint32_t depth = 0; area != 0 && bytes != 0 && depth < DEPTH_MAX; depth++) {
        struct quota_row row;
        bool common = false;
        enum file_outcome outcome = quota_get(volume, area, &row);
        if (outcome == FILE_OUTCOME_OK && beside != 0)
            outcome = lies_in(volume, beside, area, &common);
        if (outcome != FILE_OUTCOME_OK)
            return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_CORRUPTED : outcome;
        if (common)
            return FILE_OUTCOME_OK; // it was charged there already
        if (row.used > row.most || bytes > row.most - row.used)
            return FILE_OUTCOME_QUOTA_EXCEEDED;
        area = row.outer;
    }
    return FILE_OUTCOME_OK;
}

enum file_outcome volume_area_charge(struct volume *volume, uint64_t area, int64_t bytes)
{
    for (uint32_t depth = 0; area != 0 && bytes != 0 && depth < DEPTH_MAX; depth++) {
        struct quota_row row;
        struct node_row node;
        enum file_outcome outcome = quota_get(volume, area, &row);
        if (outcome == FILE_OUTCOME_OK)
            outcome = quota_add(volume, area, bytes);
        // Invariant 2: the last one in it takes the area with it.
        if (outcome == FILE_OUTCOME_OK && bytes < 0 && row.used == (uint64_t)-bytes) {
            volume->generation++;
            outcome = volume_node(volume, area, &node);
            if (outcome == FILE_OUTCOME_NOT_FOUND)
                outcome = quota_delete(volume, area);
        }
        if (outcome != FILE_OUTCOME_OK)
            return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_CORRUPTED : outcome;
        area = row.outer;
    }
    return FILE_OUTCOME_OK;
}

uint64_t volume_node_charge(const struct node_row *row)
{
    return NODE_BYTES + row->stored;
}

enum file_outcome volume_area_around(struct volume *volume, uint64_t node,
                                     const struct node_row *row, uint64_t *out_area)
{
    struct quota_row quota;
    *out_area = row->area;
    if (row->area != node)
        return FILE_OUTCOME_OK;
    enum file_outcome outcome = quota_get(volume, node, &quota);
    if (outcome == FILE_OUTCOME_OK)
        *out_area = quota.outer;
    return outcome;
}

enum file_outcome volume_area_leave(struct volume *volume, uint64_t node,
                                    const struct node_row *row)
{
    uint64_t around;
    struct quota_row quota;
    if (row->area == 0)
        return FILE_OUTCOME_OK;
    enum file_outcome outcome = volume_area_around(volume, node, row, &around);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_area_charge(volume, around, -(int64_t)volume_node_charge(row));
    if (outcome != FILE_OUTCOME_OK || row->area != node)
        return outcome;
    outcome = quota_get(volume, node, &quota);
    return outcome == FILE_OUTCOME_OK && quota.used == 0 ? quota_delete(volume, node) : outcome;
}

static enum file_outcome area_set(struct volume *volume, uint64_t node, uint64_t area)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_AREA_SET);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)node);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)area);
    return volume_run(volume, statement);
}

enum file_outcome volume_area_move(struct volume *volume, uint64_t node,
                                   const struct node_row *row, uint64_t area)
{
    int64_t bytes = (int64_t)volume_node_charge(row);
    enum file_outcome outcome = volume_area_charge(volume, area, bytes);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_area_charge(volume, row->area, -bytes);
    return outcome == FILE_OUTCOME_OK ? area_set(volume, node, area) : outcome;
}

// ---- Setting -----------------------------------------------------------------------

static enum file_outcome quota_insert(struct volume *volume, uint64_t directory,
                                      const struct quota_row *row)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_QUOTA_INSERT);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)directory);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)row->outer);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)row->most);
    (void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)row->used);
    return volume_run(volume, statement);
}

// How many areas lie around one.
static enum file_outcome depth_of(struct volume *volume, uint64_t area, uint32_t *out_depth)
{
    for (*out_depth = 0; area != 0 && *out_depth < DEPTH_MAX; ++*out_depth) {
        struct quota_row row;
        enum file_outcome outcome = quota_get(volume, area, &row);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        area = row.outer;
    }
    return FILE_OUTCOME_OK;
}

enum file_outcome volume_quota_set(struct volume *volume, uint64_t directory,
                                   uint64_t limit_bytes)
{
    struct node_row node;
    struct quota_row row;
    uint32_t depth;
    if (limit_bytes > VOLUME_QUOTA_BYTES_MAX)
        limit_bytes = VOLUME_QUOTA_BYTES_MAX;
    enum file_outcome outcome = volume_node(volume, directory, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (node.parent == 0 || node.kind != FILE_KIND_DIRECTORY)
        return node.parent == 0 ? FILE_OUTCOME_NOT_FOUND : FILE_OUTCOME_NOT_DIRECTORY;
    bool has = node.area == directory;
    if (has)
        outcome = quota_get(volume, directory, &row);
    else
        outcome = depth_of(volume, node.area, &depth);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    // What is there already was charged elsewhere; and what was charged here stays so.
    if (!has && (node.size > 0 || depth + 1 >= DEPTH_MAX))
        return node.size > 0 ? FILE_OUTCOME_NOT_EMPTY : FILE_OUTCOME_NOT_SUPPORTED;
    if (has && limit_bytes == 0 && row.used > 0)
        return FILE_OUTCOME_NOT_EMPTY;
    if (!has && limit_bytes == 0)
        return FILE_OUTCOME_OK;
    outcome = volume_prepare(volume, QUOTA_PAGES);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (!has)
        row = (struct quota_row){.outer = node.area};
    row.most = limit_bytes;
    if (limit_bytes == 0) {
        outcome = area_set(volume, directory, row.outer);
        return outcome == FILE_OUTCOME_OK ? quota_delete(volume, directory) : outcome;
    }
    outcome = quota_insert(volume, directory, &row);
    return outcome == FILE_OUTCOME_OK && !has ? area_set(volume, directory, directory)
                                              : outcome;
}

enum file_outcome volume_quota_room(struct volume *volume, uint64_t directory,
                                    struct volume_quota *out_quota)
{
    struct node_row node;
    enum file_outcome outcome = volume_node(volume, directory, &node);
    uint64_t area = outcome == FILE_OUTCOME_OK ? node.area : 0;
    *out_quota = (struct volume_quota){UINT64_MAX, UINT64_MAX};
    for (uint32_t depth = 0; area != 0 && outcome == FILE_OUTCOME_OK && depth < DEPTH_MAX;
         depth++) {
        struct quota_row row;
        outcome = quota_get(volume, area, &row);
        if (outcome != FILE_OUTCOME_OK)
            break;
        uint64_t left = row.used < row.most ? row.most - row.used : 0;
        if (left < out_quota->free_bytes)
            out_quota->free_bytes = left;
        if (row.most < out_quota->total_bytes)
            out_quota->total_bytes = row.most;
        area = row.outer;
    }
    return outcome;
}
