// SPDX-License-Identifier: MIT
// Names of blobs and their history; see <volume/store.h>.
//
// Each row of `change` is where a name led from a version on; the row of `space` is the present
// version, and what else is counted.
//
// Invariants:
//  1. A change of a version beyond the present one doesn't exist for anybody: a restore
//     under way wrote it.  `space.restoring` is set while there may be any.
//  2. `space.names` counts the names whose last change leads somewhere.
//  3. A blob that a change leads to has its name (volume_blob_remove).
#include "parts.h"

#include <string.h>

constexpr uint64_t CHANGE_PAGES = 20; // two trees, and the row of `space`
constexpr uint64_t DROP_PAGES = 40;   // for DROP_ROWS, see STATEMENT_CHANGES_DROP
constexpr uint32_t RECORD_BYTES_MAX = 1 + VOLUME_NAME_BYTES_MAX + SHA256_BYTES;

// A snapshot: this, then for each name, in the order of bytes, its length, itself, its hash.
static const char snapshot_magic[16] = "capOS names 1\n";

struct space {
    uint64_t version, names, history;
    bool restoring;
};

static enum file_outcome space_get(struct volume *volume, struct space *out_space)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_SPACE);
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK)
        *out_space = (struct space){
            .version = (uint64_t)sqlite3_column_int64(statement, 0),
            .names = (uint64_t)sqlite3_column_int64(statement, 1),
            .history = (uint64_t)sqlite3_column_int64(statement, 2),
            .restoring = sqlite3_column_int(statement, 3) != 0,
        };
    (void)sqlite3_reset(statement);
    return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_CORRUPTED : outcome;
}

static enum file_outcome space_set(struct volume *volume, const struct space *space)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_SPACE_SET);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)space->version);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)space->names);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)space->history);
    (void)sqlite3_bind_int(statement, 4, space->restoring);
    return volume_run(volume, statement);
}

static void bind_data(sqlite3_stmt *statement, int index, struct wire_data data)
{
    if (data.size_bytes == 0)
        (void)sqlite3_bind_zeroblob(statement, index, 0);
    else
        (void)sqlite3_bind_blob(statement, index, data.data, (int)data.size_bytes,
                                SQLITE_STATIC);
}

// ---- Looking -----------------------------------------------------------------------

// The newest change of a name up to a version.
static enum file_outcome lead_get(struct volume *volume, struct wire_data name,
                                  uint64_t version, struct volume_lead *out_lead)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_CHANGE);
    bind_data(statement, 1, name);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)version);
    *out_lead = (struct volume_lead){};
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK) {
        const void *hash = sqlite3_column_blob(statement, 0);
        out_lead->leads = hash != nullptr;
        out_lead->version = (uint64_t)sqlite3_column_int64(statement, 1);
        out_lead->time_ns = sqlite3_column_int64(statement, 2);
        if (hash != nullptr && sqlite3_column_bytes(statement, 0) != SHA256_BYTES)
            outcome = FILE_OUTCOME_CORRUPTED;
        else if (hash != nullptr)
            memcpy(out_lead->hash.bytes, hash, SHA256_BYTES);
    }
    (void)sqlite3_reset(statement);
    return outcome;
}

enum file_outcome volume_name_get(struct volume *volume, struct wire_data name, uint64_t before,
                                  struct volume_lead *out_lead)
{
    struct space space;
    enum file_outcome outcome = space_get(volume, &space);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (before == 0)
        return FILE_OUTCOME_NOT_FOUND;
    return lead_get(volume, name, before <= space.version ? before - 1 : space.version,
                    out_lead);
}

// The next name that has any change.
static enum file_outcome name_seek(struct volume *volume, struct wire_data after,
                                   struct volume_name *out_name)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_CHANGED_NAME);
    bind_data(statement, 1, after);
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK) {
        int bytes = sqlite3_column_bytes(statement, 0);
        if (bytes <= 0 || bytes > (int)sizeof out_name->name) {
            outcome = FILE_OUTCOME_CORRUPTED;
        } else {
            out_name->name_bytes = (uint32_t)bytes;
            memcpy(out_name->name, sqlite3_column_blob(statement, 0), (size_t)bytes);
        }
    }
    (void)sqlite3_reset(statement);
    return outcome;
}

static enum file_outcome name_next(struct volume *volume, uint64_t version,
                                   struct wire_data after, struct volume_name *out_name)
{
    for (;;) {
        enum file_outcome outcome = name_seek(volume, after, out_name);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        after = (struct wire_data){out_name->name, out_name->name_bytes};
        outcome = lead_get(volume, after, version, &out_name->lead);
        if (outcome == FILE_OUTCOME_OK && out_name->lead.leads)
            return FILE_OUTCOME_OK;
        if (outcome != FILE_OUTCOME_OK && outcome != FILE_OUTCOME_NOT_FOUND)
            return outcome;
    }
}

enum file_outcome volume_name_next(struct volume *volume, struct wire_data after,
                                   struct volume_name *out_name)
{
    struct space space;
    enum file_outcome outcome = space_get(volume, &space);
    return outcome == FILE_OUTCOME_OK ? name_next(volume, space.version, after, out_name)
                                      : outcome;
}

enum file_outcome volume_names_info(struct volume *volume, struct volume_names *out_info)
{
    struct space space;
    enum file_outcome outcome = space_get(volume, &space);
    if (outcome == FILE_OUTCOME_OK)
        *out_info = (struct volume_names){space.version, space.names, space.history};
    return outcome;
}

// ---- Changing ----------------------------------------------------------------------

static enum file_outcome change_insert(struct volume *volume, struct wire_data name,
                                       uint64_t version, const struct volume_hash *hash,
                                       int64_t now_ns)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_CHANGE_INSERT);
    bind_data(statement, 1, name);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)version);
    if (hash != nullptr)
        (void)sqlite3_bind_blob(statement, 3, hash->bytes, sizeof hash->bytes, SQLITE_STATIC);
    else
        (void)sqlite3_bind_null(statement, 3);
    (void)sqlite3_bind_int64(statement, 4, now_ns);
    return volume_run(volume, statement);
}

static bool leads_to(const struct volume_lead *lead, const struct volume_hash *hash)
{
    return hash == nullptr ? !lead->leads
                           : lead->leads && memcmp(&lead->hash, hash, sizeof *hash) == 0;
}

enum file_outcome volume_name_set(struct volume *volume, struct wire_data name,
                                  const struct volume_hash *expected,
                                  const struct volume_hash *hash, struct volume_lead *out_lead)
{
    struct space space;
    struct volume_node blob;
    int64_t now_ns = volume->options.now_ns();
    enum file_outcome outcome = space_get(volume, &space);
    if (outcome == FILE_OUTCOME_OK)
        outcome = lead_get(volume, name, space.version, out_lead);
    if (outcome != FILE_OUTCOME_OK && outcome != FILE_OUTCOME_NOT_FOUND)
        return outcome;
    if (!leads_to(out_lead, expected))
        return FILE_OUTCOME_BUSY;
    if (leads_to(out_lead, hash))
        return FILE_OUTCOME_OK;
    outcome = hash != nullptr ? volume_blob_find(volume, hash, &blob)
                              : (enum file_outcome)FILE_OUTCOME_OK;
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_prepare(volume, CHANGE_PAGES);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    space.version++;
    space.names += (hash != nullptr) - (uint64_t)out_lead->leads;
    outcome = change_insert(volume, name, space.version, hash, now_ns);
    if (outcome == FILE_OUTCOME_OK)
        outcome = space_set(volume, &space);
    if (outcome == FILE_OUTCOME_OK)
        *out_lead =
            (struct volume_lead){.leads = hash != nullptr,
                                 .hash = hash != nullptr ? *hash : (struct volume_hash){},
                                 .version = space.version,
                                 .time_ns = now_ns};
    return outcome;
}

// Runs a statement that deletes some rows a time, until it finds none.
static enum file_outcome drop_all(struct volume *volume, enum statement which,
                                  struct wire_data name, uint64_t version)
{
    enum file_outcome outcome;
    do {
        outcome = volume_prepare(volume, 0); // it gives room, so it needs none
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        volume->pages_dirty += DROP_PAGES;
        sqlite3_stmt *statement = volume_statement(volume, which);
        (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)version);
        if (which == STATEMENT_CHANGES_DROP)
            bind_data(statement, 2, name);
        outcome = volume_run(volume, statement);
    } while (outcome == FILE_OUTCOME_OK && sqlite3_changes(volume->database) > 0);
    return outcome;
}

enum file_outcome volume_names_forget(struct volume *volume, uint64_t version)
{
    struct space space;
    struct volume_name at = {};
    enum file_outcome outcome = space_get(volume, &space);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_prepare(volume, 0);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (version > space.version)
        version = space.version;
    if (version > space.history)
        space.history = version;
    volume->pages_dirty += 1;
    outcome = space_set(volume, &space);
    while (outcome == FILE_OUTCOME_OK) {
        struct volume_lead base;
        struct wire_data name = {at.name, at.name_bytes};
        outcome = name_seek(volume, name, &at);
        if (outcome != FILE_OUTCOME_OK)
            break;
        name.size_bytes = at.name_bytes;
        outcome = lead_get(volume, name, version, &base);
        if (outcome == FILE_OUTCOME_NOT_FOUND)
            outcome = FILE_OUTCOME_OK; // it is younger
        else if (outcome == FILE_OUTCOME_OK)
            outcome = drop_all(volume, STATEMENT_CHANGES_DROP, name,
                               base.leads ? base.version : base.version + 1);
    }
    return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_OK : outcome;
}

// ---- Snapshots ---------------------------------------------------------------------

enum file_outcome volume_names_snapshot(struct volume *volume, struct volume_hash *out_hash)
{
    static uint8_t bytes[PIECE_BYTES];
    uint32_t used = sizeof snapshot_magic;
    struct space space;
    struct volume_put put;
    struct volume_name at = {};
    bool created;
    enum file_outcome outcome = space_get(volume, &space);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_put_begin(volume, &put);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    memcpy(bytes, snapshot_magic, sizeof snapshot_magic);
    for (;;) {
        outcome =
            name_next(volume, space.version, (struct wire_data){at.name, at.name_bytes}, &at);
        if (outcome != FILE_OUTCOME_OK)
            break;
        if (used + RECORD_BYTES_MAX > sizeof bytes) {
            outcome = volume_put_add(volume, &put, bytes, used);
            if (outcome != FILE_OUTCOME_OK)
                break;
            used = 0;
        }
        bytes[used++] = (uint8_t)at.name_bytes;
        memcpy(bytes + used, at.name, at.name_bytes);
        memcpy(bytes + used + at.name_bytes, at.lead.hash.bytes, SHA256_BYTES);
        used += at.name_bytes + SHA256_BYTES;
    }
    if (outcome == FILE_OUTCOME_NOT_FOUND)
        outcome = volume_put_add(volume, &put, bytes, used);
    if (outcome == FILE_OUTCOME_OK)
        return volume_put_finish(volume, &put, out_hash, &created);
    volume_put_cancel(volume, &put);
    return outcome;
}

// A snapshot that is read.  `record.name_bytes` 0: the end.
struct reader {
    struct volume *volume;
    uint64_t node;
    uint64_t offset;
    struct volume_name record;
};

static struct wire_data record_name(const struct volume_name *record)
{
    return (struct wire_data){record->name, record->name_bytes};
}

static int compare(struct wire_data a, struct wire_data b)
{
    uint32_t common = a.size_bytes < b.size_bytes ? a.size_bytes : b.size_bytes;
    int order = memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.size_bytes > b.size_bytes) - (a.size_bytes < b.size_bytes);
}

static enum file_outcome reader_start(struct reader *reader)
{
    char magic[sizeof snapshot_magic];
    uint32_t count;
    reader->offset = sizeof magic;
    reader->record = (struct volume_name){};
    enum file_outcome outcome =
        volume_read(reader->volume, reader->node, 0, magic, sizeof magic, &count);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    return count == sizeof magic && memcmp(magic, snapshot_magic, sizeof magic) == 0
               ? FILE_OUTCOME_OK
               : FILE_OUTCOME_CORRUPTED;
}

// The next record.  CORRUPTED: it isn't whole, or out of order.
static enum file_outcome reader_next(struct reader *reader)
{
    uint8_t bytes[RECORD_BYTES_MAX];
    uint32_t count;
    struct volume_name last = reader->record;
    enum file_outcome outcome =
        volume_read(reader->volume, reader->node, reader->offset, bytes, sizeof bytes, &count);
    reader->record.name_bytes = 0;
    if (outcome != FILE_OUTCOME_OK || count == 0)
        return outcome;
    uint32_t name_bytes = bytes[0];
    if (name_bytes == 0 || count < 1 + name_bytes + SHA256_BYTES)
        return FILE_OUTCOME_CORRUPTED;
    reader->record.name_bytes = name_bytes;
    memcpy(reader->record.name, bytes + 1, name_bytes);
    memcpy(reader->record.lead.hash.bytes, bytes + 1 + name_bytes, SHA256_BYTES);
    reader->offset += 1 + name_bytes + SHA256_BYTES;
    if (memchr(reader->record.name, 0, name_bytes) != nullptr ||
        compare(record_name(&last), record_name(&reader->record)) >= 0)
        return FILE_OUTCOME_CORRUPTED;
    return FILE_OUTCOME_OK;
}

// Whether all of a snapshot can be restored; counts its names.
static enum file_outcome snapshot_check(struct reader *reader, uint64_t *out_names)
{
    *out_names = 0;
    enum file_outcome outcome = reader_start(reader);
    while (outcome == FILE_OUTCOME_OK) {
        struct volume_node blob;
        outcome = reader_next(reader);
        if (outcome != FILE_OUTCOME_OK || reader->record.name_bytes == 0)
            return outcome;
        outcome = volume_blob_find(reader->volume, &reader->record.lead.hash, &blob);
        ++*out_names;
    }
    return outcome;
}

// Writes one change of a restore, in an operation of its own.
static enum file_outcome restore_change(struct volume *volume, struct space *space,
                                        struct wire_data name, const struct volume_hash *hash,
                                        int64_t now_ns)
{
    enum file_outcome outcome = volume_prepare(volume, CHANGE_PAGES);
    if (outcome == FILE_OUTCOME_OK && !space->restoring) {
        space->restoring = true;
        outcome = space_set(volume, space);
    }
    return outcome == FILE_OUTCOME_OK
               ? change_insert(volume, name, space->version + 1, hash, now_ns)
               : outcome;
}

// Goes through the present names and those of the snapshot side by side, both in order, and
// writes what differs under the next version.
static enum file_outcome restore_changes(struct reader *reader, struct space *space)
{
    struct volume *volume = reader->volume;
    struct volume_name at = {};
    int64_t now_ns = volume->options.now_ns();
    enum file_outcome outcome = reader_start(reader);
    if (outcome == FILE_OUTCOME_OK)
        outcome = reader_next(reader);
    bool present = true, advance = true;
    while (outcome == FILE_OUTCOME_OK) {
        if (present && advance) {
            outcome = name_next(volume, space->version, record_name(&at), &at);
            present = outcome == FILE_OUTCOME_OK;
            if (!present && outcome != FILE_OUTCOME_NOT_FOUND)
                return outcome;
        }
        bool kept = reader->record.name_bytes != 0;
        if (!present && !kept)
            return FILE_OUTCOME_OK;
        int order = !kept      ? -1
                    : !present ? 1
                               : compare(record_name(&at), record_name(&reader->record));
        const struct volume_hash *hash = order < 0 ? nullptr : &reader->record.lead.hash;
        outcome = FILE_OUTCOME_OK;
        if (order != 0 || !leads_to(&at.lead, hash))
            outcome = restore_change(
                volume, space, record_name(order < 0 ? &at : &reader->record), hash, now_ns);
        advance = order <= 0;
        if (outcome == FILE_OUTCOME_OK && order >= 0)
            outcome = reader_next(reader);
    }
    return outcome;
}

enum file_outcome volume_names_undo(struct volume *volume)
{
    struct space space;
    enum file_outcome outcome = space_get(volume, &space);
    if (outcome != FILE_OUTCOME_OK || !space.restoring)
        return outcome;
    outcome = drop_all(volume, STATEMENT_CHANGES_UNDO, (struct wire_data){}, space.version);
    space.restoring = false;
    return outcome == FILE_OUTCOME_OK ? space_set(volume, &space) : outcome;
}

enum file_outcome volume_names_restore(struct volume *volume, const struct volume_hash *hash)
{
    struct space space;
    struct volume_node node;
    uint64_t names;
    struct reader reader = {.volume = volume};
    enum file_outcome outcome = volume_blob_find(volume, hash, &node);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_blob_verify(volume, node.number, hash);
    if (outcome == FILE_OUTCOME_OK)
        outcome = space_get(volume, &space);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    reader.node = node.number;
    outcome = snapshot_check(&reader, &names);
    if (outcome == FILE_OUTCOME_OK)
        outcome = restore_changes(&reader, &space);
    if (outcome == FILE_OUTCOME_OK && space.restoring)
        outcome = volume_prepare(volume, CHANGE_PAGES);
    if (outcome != FILE_OUTCOME_OK) {
        enum file_outcome undone = volume_names_undo(volume);
        return undone == FILE_OUTCOME_OK ? outcome : undone;
    }
    if (!space.restoring)
        return FILE_OUTCOME_OK; // everything leads there already
    space = (struct space){space.version + 1, names, space.history, false};
    return space_set(volume, &space);
}
