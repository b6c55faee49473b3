// SPDX-License-Identifier: MIT
// Nodes and their names; see <volume/volume.h>.
#include "parts.h"

#include <string.h>

constexpr uint32_t NUMBERS_AT_ONCE = 256;
// Pages that operations change at most: a few levels of three trees, and what splits there.
constexpr uint64_t CREATE_PAGES = 24;
constexpr uint64_t RENAME_PAGES = 40;
constexpr uint64_t UPDATE_PAGES = 8;
constexpr uint64_t FORGET_PAGES = 24;
constexpr uint32_t DEPTH_MAX = 4096; // of a directory; more is a circle, which is damage

static void bind_name(sqlite3_stmt *statement, int index, struct wire_data name)
{
    (void)sqlite3_bind_blob(statement, index, name.data, (int)name.size_bytes, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *statement, int index, uint64_t number)
{
    (void)sqlite3_bind_int64(statement, index, (sqlite3_int64)number);
}

static uint64_t column_number(sqlite3_stmt *statement, int index)
{
    return (uint64_t)sqlite3_column_int64(statement, index);
}

// ---- Reading -----------------------------------------------------------------------

static struct node_row row_of_columns(sqlite3_stmt *statement)
{
    return (struct node_row){
        .kind = (enum file_kind)sqlite3_column_int(statement, 0),
        .mode = (uint16_t)sqlite3_column_int(statement, 1),
        .parent = column_number(statement, 2),
        .size = column_number(statement, 3),
        .stored = column_number(statement, 4),
        .version = column_number(statement, 5),
        .modified_ns = sqlite3_column_int64(statement, 6),
        .changed_ns = sqlite3_column_int64(statement, 7),
        .accessed_ns = sqlite3_column_int64(statement, 8),
        .created_ns = sqlite3_column_int64(statement, 9),
        .area = column_number(statement, 10),
    };
}

enum file_outcome volume_node(struct volume *volume, uint64_t number, struct node_row *out_row)
{
    struct known_row *known = &volume->known[number % KNOWN_ROWS];
    if (known->number == number && known->generation == volume->generation) {
        *out_row = known->row;
        return FILE_OUTCOME_OK;
    }
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_NODE);
    bind_number(statement, 1, number);
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK) {
        *out_row = row_of_columns(statement);
        *known = (struct known_row){number, volume->generation, *out_row};
    }
    (void)sqlite3_reset(statement);
    return outcome;
}

enum file_outcome volume_lookup(struct volume *volume, uint64_t directory,
                                struct wire_data name, struct volume_node *out_node)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_LOOKUP);
    bind_number(statement, 1, directory);
    bind_name(statement, 2, name);
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK)
        *out_node = (struct volume_node){column_number(statement, 0),
                                         (enum file_kind)sqlite3_column_int(statement, 1)};
    (void)sqlite3_reset(statement);
    return outcome;
}

enum file_outcome volume_next(struct volume *volume, uint64_t directory, uint64_t after,
                              struct volume_entry *out_entry)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_NEXT);
    bind_number(statement, 1, directory);
    bind_number(statement, 2,
                after > VOLUME_ROOT ? after : VOLUME_ROOT); // the root has no name
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK) {
        int bytes = sqlite3_column_bytes(statement, 2);
        if (bytes <= 0 || bytes > (int)sizeof out_entry->name) {
            outcome = FILE_OUTCOME_CORRUPTED;
        } else {
            out_entry->node = column_number(statement, 0);
            out_entry->kind = (enum file_kind)sqlite3_column_int(statement, 1);
            out_entry->name_bytes = (uint32_t)bytes;
            memcpy(out_entry->name, sqlite3_column_blob(statement, 2), (size_t)bytes);
        }
    }
    (void)sqlite3_reset(statement);
    return outcome;
}

enum file_outcome volume_stat(struct volume *volume, uint64_t node,
                              struct volume_stat *out_stat)
{
    struct node_row row;
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome == FILE_OUTCOME_OK)
        *out_stat = (struct volume_stat){
            .kind = row.kind,
            .mode = row.mode,
            .removed = row.parent == 0,
            .size_bytes = row.size,
            .stored_bytes = row.stored,
            .version = row.version,
            .modified_ns = row.modified_ns,
            .changed_ns = row.changed_ns,
            .accessed_ns = row.accessed_ns,
            .created_ns = row.created_ns,
        };
    return outcome;
}

enum file_outcome volume_read_symlink(struct volume *volume, uint64_t node, void *target,
                                      uint32_t bytes_max, uint32_t *out_bytes)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_SYMLINK);
    bind_number(statement, 1, node);
    enum file_outcome outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK) {
        uint32_t bytes = (uint32_t)sqlite3_column_bytes(statement, 0);
        *out_bytes = bytes < bytes_max ? bytes : bytes_max;
        if (bytes > 0)
            memcpy(target, sqlite3_column_blob(statement, 0), *out_bytes);
    }
    (void)sqlite3_reset(statement);
    return outcome;
}

// ---- Changing ----------------------------------------------------------------------

// One entry more or less, or the same number of other ones.
static enum file_outcome entries_change(struct volume *volume, uint64_t directory, int change,
                                        int64_t now_ns)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_ENTRIES);
    bind_number(statement, 1, directory);
    (void)sqlite3_bind_int(statement, 2, change);
    (void)sqlite3_bind_int64(statement, 3, now_ns);
    return volume_run(volume, statement);
}

static enum file_outcome name_set(struct volume *volume, uint64_t node, uint64_t directory,
                                  struct wire_data name, int64_t now_ns)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_NAME);
    bind_number(statement, 1, node);
    bind_number(statement, 2, directory);
    bind_name(statement, 3, name);
    (void)sqlite3_bind_int64(statement, 4, now_ns);
    return volume_run(volume, statement);
}

static enum file_outcome name_clear(struct volume *volume, uint64_t node, int64_t now_ns)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_UNNAME);
    bind_number(statement, 1, node);
    (void)sqlite3_bind_int64(statement, 2, now_ns);
    return volume_run(volume, statement);
}

// Numbers are taken from the medium some hundred at a time; what isn't used is lost.
static enum file_outcome number_take(struct volume *volume, uint64_t *out_number)
{
    if (volume->number_next == volume->number_end) {
        sqlite3_stmt *statement = volume_statement(volume, STATEMENT_NUMBERS);
        (void)sqlite3_bind_int(statement, 1, (int)NUMBERS_AT_ONCE);
        enum file_outcome outcome = volume_row(volume, statement);
        if (outcome == FILE_OUTCOME_OK) {
            volume->number_end = column_number(statement, 0);
            volume->number_next = volume->number_end - NUMBERS_AT_ONCE;
        }
        (void)sqlite3_reset(statement);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
    }
    *out_number = volume->number_next++;
    return FILE_OUTCOME_OK;
}

// In no directory, 0, it has no name.
static enum file_outcome node_insert(struct volume *volume, uint64_t number, uint64_t directory,
                                     struct wire_data name,
                                     const struct volume_creation *creation, uint64_t area,
                                     int64_t now_ns)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_INSERT);
    bool is_symlink = creation->kind == FILE_KIND_SYMLINK;
    bind_number(statement, 1, number);
    bind_number(statement, 2, directory);
    if (directory != 0)
        bind_name(statement, 3, name);
    else
        (void)sqlite3_bind_null(statement, 3);
    (void)sqlite3_bind_int(statement, 4, (int)creation->kind);
    (void)sqlite3_bind_int(statement, 5, creation->mode);
    (void)sqlite3_bind_int(statement, 6, is_symlink ? (int)creation->target.size_bytes : 0);
    (void)sqlite3_bind_int64(statement, 7, now_ns);
    if (is_symlink)
        bind_name(statement, 8, creation->target);
    else
        (void)sqlite3_bind_null(statement, 8);
    bind_number(statement, 9, area);
    return volume_run(volume, statement);
}

enum file_outcome volume_create(struct volume *volume, uint64_t directory,
                                struct wire_data name, const struct volume_creation *creation,
                                struct volume_node *out_node)
{
    struct node_row parent;
    uint64_t number;
    int64_t now_ns = volume->options.now_ns();
    enum file_outcome outcome = volume_node(volume, directory, &parent);
    if (outcome == FILE_OUTCOME_OK && parent.parent == 0)
        outcome = FILE_OUTCOME_NOT_FOUND;
    uint64_t charge = volume_node_charge(&(struct node_row){});
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_area_check(volume, parent.area, 0, charge);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_prepare(volume, CREATE_PAGES);
    if (outcome == FILE_OUTCOME_OK)
        outcome = number_take(volume, &number);
    if (outcome == FILE_OUTCOME_OK)
        outcome = node_insert(volume, number, directory, name, creation, parent.area, now_ns);
    if (outcome == FILE_OUTCOME_OK)
        outcome = entries_change(volume, directory, 1, now_ns);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_area_charge(volume, parent.area, (int64_t)charge);
    if (outcome == FILE_OUTCOME_OK)
        *out_node = (struct volume_node){number, creation->kind};
    return outcome;
}

enum file_outcome volume_create_unnamed(struct volume *volume, uint64_t *out_number)
{
    static const struct volume_creation creation = {.kind = FILE_KIND_FILE, .mode = 0444};
    enum file_outcome outcome = volume_prepare(volume, CREATE_PAGES);
    if (outcome == FILE_OUTCOME_OK)
        outcome = number_take(volume, out_number);
    return outcome == FILE_OUTCOME_OK
               ? node_insert(volume, *out_number, 0, (struct wire_data){}, &creation, 0,
                             volume->options.now_ns())
               : outcome;
}

enum file_outcome volume_name_unnamed(struct volume *volume, uint64_t node, uint64_t directory,
                                      struct wire_data name)
{
    int64_t now_ns = volume->options.now_ns();
    enum file_outcome outcome = volume_prepare(volume, CREATE_PAGES);
    if (outcome == FILE_OUTCOME_OK)
        outcome = name_set(volume, node, directory, name, now_ns);
    return outcome == FILE_OUTCOME_OK ? entries_change(volume, directory, 1, now_ns) : outcome;
}

enum file_outcome volume_remove(struct volume *volume, uint64_t node)
{
    struct node_row row;
    int64_t now_ns = volume->options.now_ns();
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (row.kind == FILE_KIND_DIRECTORY && row.size > 0)
        return FILE_OUTCOME_NOT_EMPTY;
    outcome = volume_prepare(volume, 0);
    if (outcome == FILE_OUTCOME_OK)
        outcome = name_clear(volume, node, now_ns);
    if (outcome == FILE_OUTCOME_OK)
        outcome = entries_change(volume, row.parent, -1, now_ns);
    return outcome;
}

// Whether `inner` is `outer` or lies below it.
static enum file_outcome lies_below(struct volume *volume, uint64_t inner, uint64_t outer,
                                    bool *out_below)
{
    *out_below = true;
    for (uint32_t depth = 0; depth < DEPTH_MAX; depth++) {
        struct node_row row;
        if (inner == outer)
            return FILE_OUTCOME_OK;
        if (inner == VOLUME_ROOT || inner == 0) {
            *out_below = false;
            return FILE_OUTCOME_OK;
        }
        enum file_outcome outcome = volume_node(volume, inner, &row);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        inner = row.parent;
    }
    return FILE_OUTCOME_CORRUPTED;
}

// What must hold before a node is moved; changes nothing.
static enum file_outcome rename_check(struct volume *volume, uint64_t node,
                                      const struct node_row *row, uint64_t to_directory,
                                      uint64_t replaced, bool exchange)
{
    struct node_row to_row, other;
    bool below = false;
    enum file_outcome outcome = volume_node(volume, to_directory, &to_row);
    if (outcome == FILE_OUTCOME_OK && to_row.parent == 0)
        return FILE_OUTCOME_NOT_FOUND;
    if (outcome == FILE_OUTCOME_OK && row->kind == FILE_KIND_DIRECTORY)
        outcome = lies_below(volume, to_directory, node, &below);
    if (outcome != FILE_OUTCOME_OK || below)
        return below ? FILE_OUTCOME_INTO_ITSELF : outcome;
    if (replaced == 0)
        return FILE_OUTCOME_OK;
    outcome = volume_node(volume, replaced, &other);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (exchange) {
        if (other.kind == FILE_KIND_DIRECTORY)
            outcome = lies_below(volume, row->parent, replaced, &below);
        return below && outcome == FILE_OUTCOME_OK ? FILE_OUTCOME_INTO_ITSELF : outcome;
    }
    return other.kind == FILE_KIND_DIRECTORY && other.size > 0 ? FILE_OUTCOME_NOT_EMPTY
                                                               : FILE_OUTCOME_OK;
}

// The name of a node, copied.
static enum file_outcome name_get(struct volume *volume, const struct node_row *row,
                                  uint64_t node, struct volume_entry *out_entry)
{
    enum file_outcome outcome = volume_next(volume, row->parent, node - 1, out_entry);
    return outcome == FILE_OUTCOME_OK && out_entry->node != node ? FILE_OUTCOME_CORRUPTED
                                                                 : outcome;
}

static enum file_outcome rename_do(struct volume *volume, uint64_t node,
                                   const struct node_row *row, uint64_t to_directory,
                                   struct wire_data to_name, uint64_t replaced, bool exchange)
{
    struct volume_entry old;
    int64_t now_ns = volume->options.now_ns();
    enum file_outcome outcome = name_get(volume, row, node, &old);
    // Two nodes never have the same name, not even between two statements.
    if (outcome == FILE_OUTCOME_OK && replaced != 0)
        outcome = name_clear(volume, replaced, now_ns);
    if (outcome == FILE_OUTCOME_OK)
        outcome = name_set(volume, node, to_directory, to_name, now_ns);
    if (outcome == FILE_OUTCOME_OK && exchange)
        outcome = name_set(volume, replaced, row->parent,
                           (struct wire_data){old.name, old.name_bytes}, now_ns);
    int source = exchange ? 0 : -1, target = exchange || replaced != 0 ? 0 : 1;
    if (outcome == FILE_OUTCOME_OK)
        outcome = entries_change(volume, row->parent, source, now_ns);
    if (outcome == FILE_OUTCOME_OK)
        outcome = entries_change(volume, to_directory, target, now_ns);
    return outcome;
}

// Whether a node may go to another area; *out_area is that one.  *out_moves: it is another.
static enum file_outcome rename_area(struct volume *volume, uint64_t node,
                                     const struct node_row *row, uint64_t to_directory,
                                     bool exchange, uint64_t *out_area, bool *out_moves)
{
    struct node_row to_row;
    uint64_t around;
    enum file_outcome outcome = volume_node(volume, to_directory, &to_row);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_area_around(volume, node, row, &around);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    *out_area = to_row.area;
    *out_moves = to_row.area != around;
    if (!*out_moves)
        return FILE_OUTCOME_OK;
    if (exchange || row->kind == FILE_KIND_DIRECTORY)
        return FILE_OUTCOME_OTHER_SERVICE; // all below it would have to be counted again
    return volume_area_check(volume, to_row.area, around, volume_node_charge(row));
}

enum file_outcome volume_rename(struct volume *volume, uint64_t node, uint64_t to_directory,
                                struct wire_data to_name, uint64_t replaced, bool exchange)
{
    struct node_row row;
    uint64_t area;
    bool moves = false;
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome == FILE_OUTCOME_OK)
        outcome = rename_check(volume, node, &row, to_directory, replaced, exchange);
    if (outcome == FILE_OUTCOME_OK)
        outcome = rename_area(volume, node, &row, to_directory, exchange, &area, &moves);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_prepare(volume, RENAME_PAGES);
    if (outcome == FILE_OUTCOME_OK)
        outcome = rename_do(volume, node, &row, to_directory, to_name, replaced, exchange);
    if (outcome == FILE_OUTCOME_OK && moves)
        outcome = volume_area_move(volume, node, &row, area);
    return outcome;
}

void volume_forget(struct volume *volume, uint64_t node)
{
    struct node_row row;
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome != FILE_OUTCOME_OK || row.parent != 0 ||
        volume_prepare(volume, 0) != FILE_OUTCOME_OK)
        return; // it goes when the volume is opened next
    volume->pages_dirty += FORGET_PAGES;
    outcome = volume_area_leave(volume, node, &row);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_pieces_delete(volume, node, row.size, 0);
    if (outcome == FILE_OUTCOME_OK) {
        sqlite3_stmt *statement = volume_statement(volume, STATEMENT_DELETE);
        bind_number(statement, 1, node);
        outcome = volume_run(volume, statement);
    }
    if (outcome != FILE_OUTCOME_OK)
        volume->failed = true;
}

enum file_outcome volume_set_attributes(struct volume *volume, uint64_t node,
                                        const struct volume_attributes *set)
{
    struct node_row row;
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_prepare(volume, UPDATE_PAGES);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_ATTRIBUTES);
    bind_number(statement, 1, node);
    (void)sqlite3_bind_int(statement, 2, set->set_mode ? set->mode : row.mode);
    (void)sqlite3_bind_int64(statement, 3,
                             set->set_modified ? set->modified_ns : row.modified_ns);
    (void)sqlite3_bind_int64(statement, 4,
                             set->set_accessed ? set->accessed_ns : row.accessed_ns);
    (void)sqlite3_bind_int64(statement, 5, volume->options.now_ns());
    return volume_run(volume, statement);
}
