// SPDX-License-Identifier: MIT
// The open volume: its database, its transaction, its room; see parts.h.
#include "parts.h"
#include "vfs.h"

#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGES_SPARE = 24;        // that no operation uses up: for removing when full
constexpr uint32_t FRAME_BYTES = 4096 + 24; // of the log
constexpr uint64_t OPERATION_PAGES_MAX = 64; // the most that one operation changes

// Each version of the schema, as what it adds to the one before.
static const char *const schemas[] = {
    "CREATE TABLE node(number INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name BLOB,"
    " kind INTEGER NOT NULL, mode INTEGER NOT NULL, size INTEGER NOT NULL,"
    " stored INTEGER NOT NULL, version INTEGER NOT NULL, modified INTEGER NOT NULL,"
    " changed INTEGER NOT NULL, accessed INTEGER NOT NULL, created INTEGER NOT NULL,"
    " target BLOB);"
    "CREATE UNIQUE INDEX by_name ON node(parent, name);"
    "CREATE INDEX by_parent ON node(parent);"
    "CREATE TABLE piece(number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
    "CREATE TABLE numbers(one INTEGER PRIMARY KEY, next INTEGER NOT NULL);"
    "INSERT INTO numbers VALUES(1, 2);"
    "INSERT INTO node VALUES(1, 1, NULL, 1, 493, 0, 0, 1, 0, 0, 0, 0, NULL);",
    // Blobs, in a directory that is its own parent as the root is, and their names.
    "INSERT INTO node VALUES(-1, -1, NULL, 1, 493, 0, 0, 1, 0, 0, 0, 0, NULL);"
    "CREATE TABLE change(name BLOB NOT NULL, version INTEGER NOT NULL, hash BLOB,"
    " time INTEGER NOT NULL, PRIMARY KEY(name, version)) WITHOUT ROWID;"
    "CREATE INDEX by_hash ON change(hash) WHERE hash IS NOT NULL;"
    "CREATE TABLE space(one INTEGER PRIMARY KEY, version INTEGER NOT NULL,"
    " names INTEGER NOT NULL, history INTEGER NOT NULL, restoring INTEGER NOT NULL);"
    "INSERT INTO space VALUES(1, 0, 0, 0, 0);",
    // Quotas.
    "ALTER TABLE node ADD COLUMN area INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE quota(directory INTEGER PRIMARY KEY, around INTEGER NOT NULL,"
    " most INTEGER NOT NULL, used INTEGER NOT NULL);",
};
constexpr int SCHEMA_VERSION = sizeof schemas / sizeof schemas[0];
static_assert((int64_t)VOLUME_STORE == -1);

static const char *const texts[STATEMENTS] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_LOOKUP] = "SELECT number, kind FROM node WHERE parent = ?1 AND name = ?2",
    [STATEMENT_NODE] = "SELECT kind, mode, parent, size, stored, version, modified, changed,"
                       " accessed, created, area FROM node WHERE number = ?1",
    [STATEMENT_INSERT] = "INSERT INTO node VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, 1, ?7, ?7, ?7, ?7,"
                         " ?8, ?9)",
    [STATEMENT_NAME] = "UPDATE node SET parent = ?2, name = ?3, changed = ?4 WHERE number = ?1",
    [STATEMENT_UNNAME] = "UPDATE node SET parent = 0, name = NULL, changed = ?2"
                         " WHERE number = ?1",
    [STATEMENT_ENTRIES] = "UPDATE node SET size = size + ?2, version = version + 1,"
                          " modified = ?3, changed = ?3 WHERE number = ?1",
    [STATEMENT_NEXT] = "SELECT number, kind, name FROM node INDEXED BY by_parent"
                       " WHERE parent = ?1 AND number > ?2 ORDER BY number LIMIT 1",
    [STATEMENT_DELETE] = "DELETE FROM node WHERE number = ?1",
    [STATEMENT_SYMLINK] = "SELECT target FROM node WHERE number = ?1",
    [STATEMENT_ATTRIBUTES] = "UPDATE node SET mode = ?2, modified = ?3, accessed = ?4,"
                             " changed = ?5 WHERE number = ?1",
    [STATEMENT_CONTENT] = "UPDATE node SET size = ?2, stored = ?3, version = version + 1,"
                          " modified = ?4, changed = ?4 WHERE number = ?1",
    [STATEMENT_PIECE_INSERT] = "INSERT INTO piece VALUES(?1, ?2)",
    [STATEMENT_PIECE_GET] = "SELECT bytes FROM piece WHERE number = ?1",
    [STATEMENT_PIECE_GROW] = "UPDATE piece SET bytes = ?2 WHERE number = ?1",
    [STATEMENT_PIECES_DELETE] = "DELETE FROM piece WHERE number >= ?1 AND number < ?2",
    [STATEMENT_NUMBERS] = "UPDATE numbers SET next = next + ?1 RETURNING next",
    [STATEMENT_PAGES] = "PRAGMA page_count",
    [STATEMENT_FREE_PAGES] = "PRAGMA freelist_count",
    [STATEMENT_COUNT_NODES] = "SELECT count(*) FROM node WHERE parent > 0",
    [STATEMENT_STORED] = "SELECT total(stored) FROM node WHERE parent = -1",
    [STATEMENT_QUOTA] = "SELECT around, most, used FROM quota WHERE directory = ?1",
    [STATEMENT_QUOTA_ADD] = "UPDATE quota SET used = used + ?2 WHERE directory = ?1",
    [STATEMENT_QUOTA_INSERT] = "INSERT OR REPLACE INTO quota VALUES(?1, ?2, ?3, ?4)",
    [STATEMENT_QUOTA_DELETE] = "DELETE FROM quota WHERE directory = ?1",
    [STATEMENT_AREA_SET] = "UPDATE node SET area = ?2 WHERE number = ?1",
    [STATEMENT_SPACE] = "SELECT version, names, history, restoring FROM space",
    [STATEMENT_SPACE_SET] = "UPDATE space SET version = ?1, names = ?2, history = ?3,"
                            " restoring = ?4",
    [STATEMENT_CHANGE] = "SELECT hash, version, time FROM change"
                         " WHERE name = ?1 AND version <= ?2 ORDER BY version DESC LIMIT 1",
    [STATEMENT_CHANGED_NAME] = "SELECT name FROM change WHERE name > ?1 ORDER BY name LIMIT 1",
    [STATEMENT_CHANGE_INSERT] = "INSERT INTO change VALUES(?1, ?2, ?3, ?4)",
    [STATEMENT_CHANGE_OF_HASH] = "SELECT 1 FROM change WHERE hash = ?1 LIMIT 1",
    // A few at a time, so that each is an operation that fits the log.
    [STATEMENT_CHANGES_DROP] = "DELETE FROM change WHERE name = ?2 AND version IN"
                               " (SELECT version FROM change WHERE name = ?2 AND version < ?1"
                               " ORDER BY version LIMIT 8)",
    [STATEMENT_CHANGES_UNDO] = "DELETE FROM change WHERE (name, version) IN"
                               " (SELECT name, version FROM change WHERE version > ?1 LIMIT 8)",
};

// ---- Statements --------------------------------------------------------------------

enum file_outcome volume_fault(struct volume *volume, int result)
{
    // An error that SQLite can't contain has ended the transaction: what was changed since
    // the last sync is gone.
    if (volume->changing && sqlite3_get_autocommit(volume->database))
        volume->failed = true;
    volume->generation++;
    switch (result & 0xff) {
    case SQLITE_FULL:
        volume->failed |= volume->changing;
        return FILE_OUTCOME_NO_SPACE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FILE_OUTCOME_CORRUPTED;
    case SQLITE_IOERR:
        return result == SQLITE_IOERR_DATA || vfs_is_corrupted() ? FILE_OUTCOME_CORRUPTED
                                                                 : FILE_OUTCOME_INPUT_OUTPUT;
    default:
        return FILE_OUTCOME_INPUT_OUTPUT;
    }
}

sqlite3_stmt *volume_statement(struct volume *volume, enum statement which)
{
    sqlite3_stmt *statement = volume->statements[which];
    (void)sqlite3_reset(statement);
    return statement;
}

enum file_outcome volume_run(struct volume *volume, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    int reset = sqlite3_reset(statement);
    return result == SQLITE_DONE ? FILE_OUTCOME_OK : volume_fault(volume, reset);
}

enum file_outcome volume_row(struct volume *volume, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return FILE_OUTCOME_OK;
    result = sqlite3_reset(statement);
    return result == SQLITE_OK ? FILE_OUTCOME_NOT_FOUND : volume_fault(volume, result);
}

static enum file_outcome number_of(struct volume *volume, enum statement which,
                                   uint64_t *out_number)
{
    sqlite3_stmt *statement = volume_statement(volume, which);
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK)
        *out_number = (uint64_t)sqlite3_column_int64(statement, 0);
    (void)sqlite3_reset(statement);
    return outcome;
}

// ---- The transaction ---------------------------------------------------------------

static enum file_outcome commit(struct volume *volume)
{
    if (!volume->changing)
        return FILE_OUTCOME_OK;
    volume_blob_close(volume);
    enum file_outcome outcome = volume_run(volume, volume_statement(volume, STATEMENT_COMMIT));
    if (outcome != FILE_OUTCOME_OK) {
        volume->failed = true;
        return outcome;
    }
    volume->changing = false;
    volume->pages_logged += volume->pages_dirty;
    volume->pages_dirty = 0;
    return FILE_OUTCOME_OK;
}

// Moves what is in the log to where it belongs; the log then begins anew.
static enum file_outcome log_empty(struct volume *volume)
{
    volume_blob_close(volume);
    for (uint32_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_reset(volume->statements[i]); // none may read meanwhile
    int result = sqlite3_wal_checkpoint_v2(volume->database, nullptr, SQLITE_CHECKPOINT_RESTART,
                                           nullptr, nullptr);
    if (result != SQLITE_OK) {
        volume->failed = true;
        return volume_fault(volume, result);
    }
    volume->pages_logged = 0;
    return FILE_OUTCOME_OK;
}

enum file_outcome volume_settle(struct volume *volume)
{
    if (volume->failed)
        return FILE_OUTCOME_INPUT_OUTPUT;
    enum file_outcome outcome = commit(volume);
    return outcome == FILE_OUTCOME_OK ? log_empty(volume) : outcome;
}

static enum file_outcome room_count(struct volume *volume)
{
    uint64_t used = 0, unused = 0;
    enum file_outcome outcome = number_of(volume, STATEMENT_PAGES, &used);
    if (outcome == FILE_OUTCOME_OK)
        outcome = number_of(volume, STATEMENT_FREE_PAGES, &unused);
    // A snapshot may have taken what lies behind.
    volume->pages_free = (volume->pages_max > used ? volume->pages_max - used : 0) + unused;
    volume->pages_used = used;
    return outcome;
}

enum file_outcome volume_prepare(struct volume *volume, uint64_t pages)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    volume->generation++;
    if (volume->failed)
        return FILE_OUTCOME_INPUT_OUTPUT;
    if (volume->pages_dirty + pages > volume->pages_dirty_max)
        outcome = commit(volume);
    if (outcome == FILE_OUTCOME_OK &&
        volume->pages_logged + volume->pages_dirty + pages > volume->pages_logged_max) {
        outcome = commit(volume);
        if (outcome == FILE_OUTCOME_OK)
            outcome = log_empty(volume);
    }
    if (outcome == FILE_OUTCOME_OK && volume->pages_free < pages + PAGES_SPARE)
        outcome = room_count(volume);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (volume->pages_free < pages + PAGES_SPARE)
        return FILE_OUTCOME_NO_SPACE;
    if (!volume->changing) {
        outcome = volume_run(volume, volume_statement(volume, STATEMENT_BEGIN));
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        volume->changing = true;
    }
    volume->pages_free -= pages;
    volume->pages_dirty += pages;
    return FILE_OUTCOME_OK;
}

enum file_outcome volume_sync(struct volume *volume)
{
    return volume->failed ? FILE_OUTCOME_INPUT_OUTPUT : commit(volume);
}

enum file_outcome volume_room(struct volume *volume, struct volume_room *out_room)
{
    enum file_outcome outcome = room_count(volume);
    uint64_t usable = volume->pages_free > PAGES_SPARE ? volume->pages_free - PAGES_SPARE : 0;
    *out_room = (struct volume_room){
        .total_bytes = volume->pages_max * MEDIUM_PAGE,
        .free_bytes = usable * MEDIUM_PAGE,
    };
    return outcome == FILE_OUTCOME_OK
               ? number_of(volume, STATEMENT_COUNT_NODES, &out_room->node_count)
               : outcome;
}

// ---- Opening -----------------------------------------------------------------------

static enum file_outcome run_text(struct volume *volume, const char *text)
{
    int result = sqlite3_exec(volume->database, text, nullptr, nullptr, nullptr);
    return result == SQLITE_OK ? FILE_OUTCOME_OK : volume_fault(volume, result);
}

// Brings the tables from a version to the present one, in one step.
static enum file_outcome schema_upgrade(struct volume *volume, int version)
{
    char text[40];
    enum file_outcome outcome = run_text(volume, "BEGIN IMMEDIATE");
    for (; outcome == FILE_OUTCOME_OK && version < SCHEMA_VERSION; version++)
        outcome = run_text(volume, schemas[version]);
    sqlite3_snprintf(sizeof text, text, "PRAGMA user_version = %d; COMMIT", SCHEMA_VERSION);
    return outcome == FILE_OUTCOME_OK ? run_text(volume, text) : outcome;
}

static enum file_outcome schema_check(struct volume *volume)
{
    sqlite3_stmt *statement;
    int result =
        sqlite3_prepare_v2(volume->database, "PRAGMA user_version", -1, &statement, nullptr);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    int version = result == SQLITE_ROW ? sqlite3_column_int(statement, 0) : 0;
    (void)sqlite3_finalize(statement);
    if (result != SQLITE_ROW)
        return volume_fault(volume, result);
    if (version < 1 || version > SCHEMA_VERSION)
        return FILE_OUTCOME_CORRUPTED;
    return version < SCHEMA_VERSION ? schema_upgrade(volume, version)
                                    : (enum file_outcome)FILE_OUTCOME_OK;
}

// Makes the tables of a new volume.  Only when they are on the medium it gets its label, so
// they are there whenever there is one.
static enum file_outcome schema_make(struct volume *volume)
{
    enum file_outcome outcome = schema_upgrade(volume, 0);
    if (outcome == FILE_OUTCOME_OK &&
        sqlite3_wal_checkpoint_v2(volume->database, nullptr, SQLITE_CHECKPOINT_RESTART, nullptr,
                                  nullptr) != SQLITE_OK)
        outcome = FILE_OUTCOME_INPUT_OUTPUT;
    if (outcome == FILE_OUTCOME_OK && !vfs_label())
        outcome = FILE_OUTCOME_INPUT_OUTPUT;
    return outcome;
}

// Nodes without a name were open when the volume was left.
static enum file_outcome orphans_delete(struct volume *volume)
{
    static const char text[] = "SELECT number FROM node WHERE parent = 0 LIMIT 1";
    enum file_outcome outcome;
    do {
        sqlite3_stmt *statement;
        if (sqlite3_prepare_v2(volume->database, text, -1, &statement, nullptr) != SQLITE_OK)
            return FILE_OUTCOME_CORRUPTED;
        outcome = volume_row(volume, statement);
        uint64_t number =
            outcome == FILE_OUTCOME_OK ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
        (void)sqlite3_finalize(statement);
        if (outcome == FILE_OUTCOME_OK)
            volume_forget(volume, number);
    } while (outcome == FILE_OUTCOME_OK && !volume->failed);
    return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_OK : outcome;
}

static enum file_outcome statements_prepare(struct volume *volume)
{
    for (uint32_t i = 0; i < STATEMENTS; i++) {
        int result =
            sqlite3_prepare_v3(volume->database, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &volume->statements[i], nullptr);
        if (result != SQLITE_OK)
            return result == SQLITE_ERROR ? FILE_OUTCOME_CORRUPTED
                                          : volume_fault(volume, result);
    }
    return FILE_OUTCOME_OK;
}

static enum file_outcome database_open(struct volume *volume, const struct vfs_facts *facts)
{
    int reserved = VFS_RESERVED_BYTES;
    char text[400];
    int result = sqlite3_open_v2("volume", &volume->database,
                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "volume");
    if (result != SQLITE_OK)
        return volume_fault(volume, result);
    (void)sqlite3_extended_result_codes(volume->database, 1);
    (void)sqlite3_file_control(volume->database, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
    volume->pages_max = facts->database_bytes / MEDIUM_PAGE;
    sqlite3_snprintf(sizeof text, text,
                     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = 4096; %s"
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA wal_autocheckpoint = 0; PRAGMA cell_size_check = ON;"
                     "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -%u;"
                     "PRAGMA max_page_count = %lld;",
                     facts->fresh ? "PRAGMA journal_mode = MEMORY;" : "",
                     volume->options.cache_bytes / 1024, (long long)volume->pages_max);
    enum file_outcome outcome = run_text(volume, text);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    return facts->fresh ? schema_make(volume) : schema_check(volume);
}

enum file_outcome volume_open(struct medium *medium, const struct volume_options *options,
                              struct volume **out_volume)
{
    struct vfs_facts facts;
    struct volume *volume = calloc(1, sizeof *volume);
    if (volume == nullptr)
        return FILE_OUTCOME_NO_ACCESS;
    volume->options = *options;
    volume->generation = 1;
    volume->medium_pages = medium->page_count;
    enum file_outcome outcome = vfs_start(medium, options->format, options->random, &facts);
    if (outcome != FILE_OUTCOME_OK) {
        free(volume);
        return outcome;
    }
    // Half of the log for what is committed, and never more at once than a fourth, or half the
    // cache.
    uint64_t frames = facts.log_bytes / FRAME_BYTES;
    uint64_t cached = options->cache_bytes / MEDIUM_PAGE / 2;
    volume->pages_logged_max = frames - OPERATION_PAGES_MAX / 2;
    volume->pages_dirty_max = frames / 4 < cached ? frames / 4 : cached;
    outcome = database_open(volume, &facts);
    if (outcome == FILE_OUTCOME_OK)
        outcome = statements_prepare(volume);
    if (outcome == FILE_OUTCOME_OK)
        outcome = log_empty(volume);
    if (outcome == FILE_OUTCOME_OK)
        volume->cache = cache_create(options->read_cache_bytes); // without memory, without it
    if (outcome == FILE_OUTCOME_OK)
        outcome = orphans_delete(volume);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_names_undo(volume);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_sync(volume);
    if (outcome != FILE_OUTCOME_OK) {
        volume_close(volume);
        return outcome;
    }
    *out_volume = volume;
    return FILE_OUTCOME_OK;
}

void volume_close(struct volume *volume)
{
    volume_blob_close(volume);
    for (uint32_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_finalize(volume->statements[i]);
    // Without it, closing would move the log's pages and delete the log.
    (void)sqlite3_db_config(volume->database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    (void)sqlite3_close_v2(volume->database);
    vfs_stop();
    cache_destroy(volume->cache);
    free(volume);
}
