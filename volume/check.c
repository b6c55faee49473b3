// SPDX-License-Identifier: MIT
// Looking for what is wrong with a volume; see volume_check.
//
// SQLite looks at its own structures, and reads every page, so every checksum is compared;
// then the tables are compared with each other.
#include "parts.h"
#include "vfs.h"

#include <string.h>

// Each finds rows that mustn't be there, with one text that says which.
static const char *const rules[] = {
    "SELECT 'node ' || number || ' is in ' || parent || ', which is no directory' FROM node n"
    " WHERE parent <> 0 AND NOT EXISTS"
    " (SELECT 1 FROM node p WHERE p.number = n.parent AND p.kind = 1)",
    "SELECT 'directory ' || number || ' counts ' || size || ' entries' FROM node n WHERE kind = 1"
    " AND size <> (SELECT count(*) FROM node c WHERE c.parent = n.number AND c.number <> n.number)",
    "SELECT 'node ' || number || ' has no name' FROM node"
    " WHERE number > 1 AND parent <> 0 AND (name IS NULL OR length(name) NOT BETWEEN 1 AND 255)",
    "SELECT 'piece ' || (number & 16777215) || ' belongs to no file, ' || (number >> 24)"
    " FROM piece p WHERE NOT EXISTS"
    " (SELECT 1 FROM node n WHERE n.number = p.number >> 24 AND n.kind = 0)",
    "SELECT 'piece ' || (p.number & 16777215) || ' of ' || n.number || ' lies behind its end'"
    " FROM piece p JOIN node n ON n.number = p.number >> 24"
    " WHERE (p.number & 16777215) * 65536 >= n.size",
    "SELECT 'number ' || max(number) || ' may be given again' FROM node"
    " HAVING max(number) >= (SELECT next FROM numbers)",
    "SELECT 'node ' || number || ' lies in no directory below the root' FROM node"
    " WHERE parent <> 0 AND number NOT IN (WITH RECURSIVE reached(number) AS (VALUES(1), (-1) UNION"
    " SELECT n.number FROM node n JOIN reached r ON n.parent = r.number)"
    " SELECT number FROM reached)",
    "SELECT 'name ' || quote(name) || ' leads to a blob that isn''t there, ' || hex(hash)"
    " FROM change WHERE hash IS NOT NULL AND NOT EXISTS"
    " (SELECT 1 FROM node WHERE parent = -1 AND name = hash)",
    "SELECT 'a name was changed in version ' || version || ', which is to come' FROM change"
    " WHERE version > (SELECT version FROM space)",
    "SELECT 'node ' || n.number || ' lies in another area than its directory' FROM node n"
    " JOIN node p ON p.number = n.parent WHERE n.area <> p.area AND n.area <> n.number"
    " AND n.parent <> n.number",
    "SELECT 'node ' || number || ' lies in an area that isn''t there' FROM node"
    " WHERE area <> 0 AND area NOT IN (SELECT directory FROM quota)",
    // What each node is charged, to which area; and each area with those that lie around it.
    "WITH RECURSIVE charge(area, bytes) AS (SELECT ifnull((SELECT around FROM quota"
    " WHERE directory = number), area), 512 + stored FROM node),"
    " within(inner_area, area) AS (SELECT directory, directory FROM quota UNION"
    " SELECT a.inner_area, q.around FROM within a JOIN quota q ON q.directory = a.area"
    " WHERE q.around <> 0)"
    " SELECT 'the quota of directory ' || directory || ' counts ' || used FROM quota q"
    " WHERE used <> (SELECT ifnull(sum(bytes), 0) FROM charge WHERE area IN"
    " (SELECT inner_area FROM within WHERE within.area = q.directory))",
    "SELECT 'the names count ' || names FROM space WHERE names <> (SELECT count(*) FROM"
    " (SELECT hash, max(version) FROM change GROUP BY name) WHERE hash IS NOT NULL)",
};

// Runs a query whose rows are complaints, but for `good`.
static enum file_outcome complaints(struct volume *volume, const char *text, const char *good,
                                    void (*found)(void *context, const char *what),
                                    void *context)
{
    sqlite3_stmt *statement;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    int result = sqlite3_prepare_v2(volume->database, text, -1, &statement, nullptr);
    if (result != SQLITE_OK)
        return volume_fault(volume, result);
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *what = (const char *)sqlite3_column_text(statement, 0);
        if (what == nullptr || (good != nullptr && sqlite3_stricmp(what, good) == 0))
            continue;
        found(context, what);
        outcome = FILE_OUTCOME_CORRUPTED;
    }
    result = sqlite3_finalize(statement);
    return result == SQLITE_OK ? outcome : volume_fault(volume, result);
}

// Every blob has the hash that it is found by.
static enum file_outcome blobs_check(struct volume *volume,
                                     void (*found)(void *context, const char *what),
                                     void *context)
{
    enum file_outcome worst = FILE_OUTCOME_OK, outcome;
    struct volume_entry entry = {};
    while ((outcome = volume_next(volume, VOLUME_STORE, entry.node, &entry)) ==
           FILE_OUTCOME_OK) {
        struct volume_hash hash;
        char text[40];
        if (entry.name_bytes == sizeof hash) {
            memcpy(&hash, entry.name, sizeof hash);
            outcome = volume_blob_verify(volume, entry.node, &hash);
        } else {
            outcome = FILE_OUTCOME_CORRUPTED;
        }
        if (outcome == FILE_OUTCOME_OK)
            continue;
        sqlite3_snprintf(sizeof text, text, "blob %llu has another hash", entry.node);
        found(context, text);
        worst = outcome;
    }
    return outcome == FILE_OUTCOME_NOT_FOUND ? worst : outcome;
}

enum file_outcome volume_check(struct volume *volume,
                               void (*found)(void *context, const char *what), void *context)
{
    volume_blob_close(volume);
    enum file_outcome outcome =
        complaints(volume, "PRAGMA integrity_check", "ok", found, context);
    for (uint32_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        enum file_outcome other = complaints(volume, rules[i], nullptr, found, context);
        if (outcome == FILE_OUTCOME_OK)
            outcome = other;
    }
    if (outcome == FILE_OUTCOME_OK)
        outcome = blobs_check(volume, found, context);
    if (vfs_is_corrupted())
        found(context, "a page has a wrong checksum");
    return vfs_is_corrupted() ? FILE_OUTCOME_CORRUPTED : outcome;
}
