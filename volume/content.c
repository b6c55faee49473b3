// SPDX-License-Identifier: MIT
// What is in files: pieces of up to 64 KiB, a row each; see <volume/volume.h>.
//
// A piece has room for a power of two of bytes, and grows with the file; what it lacks reads as
// zero, and so does what is in it behind the file's end.
#include "parts.h"

#include <stdlib.h>
#include <string.h>

constexpr uint32_t PIECE_BYTES_MIN = 64;
constexpr uint64_t WRITE_PAGES = 20; // that change besides the pages of the data

static uint64_t row_of(uint64_t node, uint64_t piece)
{
    return node << PIECE_BITS | piece;
}

// ---- The piece that is open --------------------------------------------------------

void volume_blob_close(struct volume *volume)
{
    (void)sqlite3_blob_close(volume->blob);
    volume->blob = nullptr;
}

// Opens a piece.  NOT_FOUND: there is none, so all of it is zero.
static enum file_outcome blob_open(struct volume *volume, uint64_t row, bool writable)
{
    int result;
    if (volume->blob != nullptr && (!writable || volume->blob_writable)) {
        result = sqlite3_blob_reopen(volume->blob, (sqlite3_int64)row);
    } else {
        volume_blob_close(volume);
        result = sqlite3_blob_open(volume->database, "main", "piece", "bytes",
                                   (sqlite3_int64)row, writable, &volume->blob);
        volume->blob_writable = writable;
    }
    if (result == SQLITE_OK)
        return FILE_OUTCOME_OK;
    volume_blob_close(volume);
    return (result & 0xff) == SQLITE_ERROR ? FILE_OUTCOME_NOT_FOUND
                                           : volume_fault(volume, result);
}

// ---- Reading -----------------------------------------------------------------------

// Reads what there is of `size` bytes of the open piece, and zeros behind them.
static enum file_outcome blob_read(struct volume *volume, uint32_t size, uint32_t offset,
                                   uint8_t *to, uint32_t bytes)
{
    uint32_t there = offset < size ? size - offset : 0;
    uint32_t count = there < bytes ? there : bytes;
    memset(to + count, 0, bytes - count);
    if (count == 0)
        return FILE_OUTCOME_OK;
    int result = sqlite3_blob_read(volume->blob, to, (int)count, (int)offset);
    return result == SQLITE_OK ? FILE_OUTCOME_OK : volume_fault(volume, result);
}

static void piece_copy(const uint8_t *piece, uint32_t size, uint32_t offset, uint8_t *to,
                       uint32_t bytes)
{
    uint32_t there = offset < size ? size - offset : 0;
    uint32_t count = there < bytes ? there : bytes;
    memcpy(to, piece + (count > 0 ? offset : 0), count);
    memset(to + count, 0, bytes - count);
}

// Whether a piece goes into the cache as a whole: when much of it is read, or a part of it again.
static bool piece_is_wanted(struct volume *volume, uint64_t row, uint32_t size, uint32_t bytes)
{
    bool again = volume->missed_piece == row;
    volume->missed_piece = row;
    return !volume->failed && (again || bytes >= size / 2);
}

static enum file_outcome piece_read(struct volume *volume, uint64_t row, uint32_t offset,
                                    uint8_t *to, uint32_t bytes)
{
    uint32_t size;
    // Once the volume has failed, the cache may have what is gone.
    uint8_t *piece = volume->failed ? nullptr : cache_find(volume->cache, row, &size);
    if (piece != nullptr) {
        piece_copy(piece, size, offset, to, bytes);
        return FILE_OUTCOME_OK;
    }
    enum file_outcome outcome = blob_open(volume, row, false);
    if (outcome == FILE_OUTCOME_NOT_FOUND) {
        memset(to, 0, bytes);
        return FILE_OUTCOME_OK;
    }
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    size = (uint32_t)sqlite3_blob_bytes(volume->blob);
    if (piece_is_wanted(volume, row, size, bytes))
        piece = cache_add(volume->cache, row, size);
    if (piece == nullptr)
        return blob_read(volume, size, offset, to, bytes);
    outcome = blob_read(volume, size, 0, piece, size);
    if (outcome == FILE_OUTCOME_OK)
        piece_copy(piece, size, offset, to, bytes);
    else
        cache_drop(volume->cache, row);
    return outcome;
}

enum file_outcome volume_read(struct volume *volume, uint64_t node, uint64_t offset, void *to,
                              uint32_t bytes, uint32_t *out_read)
{
    struct node_row row;
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    uint64_t there = offset < row.size ? row.size - offset : 0;
    uint32_t count = there < bytes ? (uint32_t)there : bytes;
    for (uint32_t done = 0; done < count;) {
        uint64_t at = offset + done;
        uint32_t skip = (uint32_t)(at % PIECE_BYTES);
        uint32_t step = PIECE_BYTES - skip < count - done ? PIECE_BYTES - skip : count - done;
        outcome = piece_read(volume, row_of(node, at / PIECE_BYTES), skip, (uint8_t *)to + done,
                             step);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        done += step;
    }
    *out_read = count;
    return FILE_OUTCOME_OK;
}

// ---- Writing -----------------------------------------------------------------------

static uint32_t capacity_for(uint32_t bytes)
{
    uint32_t capacity = PIECE_BYTES_MIN;
    while (capacity < bytes)
        capacity *= 2;
    return capacity;
}

// Makes a piece of `capacity` bytes of what there was and zeros.
static enum file_outcome piece_make(struct volume *volume, uint64_t row, uint32_t capacity,
                                    bool exists, uint32_t old_bytes)
{
    static uint8_t bytes[PIECE_BYTES];
    enum file_outcome outcome = FILE_OUTCOME_OK;
    memset(bytes, 0, capacity);
    if (exists)
        outcome = piece_read(volume, row, 0, bytes, old_bytes);
    volume_blob_close(volume);
    cache_drop(volume->cache, row);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    sqlite3_stmt *statement =
        volume_statement(volume, exists ? STATEMENT_PIECE_GROW : STATEMENT_PIECE_INSERT);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)row);
    (void)sqlite3_bind_blob(statement, 2, bytes, (int)capacity, SQLITE_STATIC);
    return volume_run(volume, statement);
}

// Writes into one piece; *stored grows by what it takes up more.
static enum file_outcome piece_write(struct volume *volume, uint64_t row, uint32_t offset,
                                     const uint8_t *from, uint32_t bytes, uint64_t *stored)
{
    enum file_outcome outcome = blob_open(volume, row, true);
    bool exists = outcome == FILE_OUTCOME_OK;
    if (!exists && outcome != FILE_OUTCOME_NOT_FOUND)
        return outcome;
    uint32_t size = exists ? (uint32_t)sqlite3_blob_bytes(volume->blob) : 0;
    if (!exists || size < offset + bytes) {
        uint32_t capacity = capacity_for(offset + bytes);
        outcome = piece_make(volume, row, capacity, exists, size);
        *stored += capacity - size;
        if (outcome == FILE_OUTCOME_OK)
            outcome = blob_open(volume, row, true);
        if (outcome != FILE_OUTCOME_OK)
            return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_CORRUPTED : outcome;
    }
    uint8_t *piece = cache_find(volume->cache, row, &size);
    if (piece != nullptr)
        memcpy(piece + offset, from, bytes);
    int result = sqlite3_blob_write(volume->blob, from, (int)bytes, (int)offset);
    if (result == SQLITE_OK)
        return FILE_OUTCOME_OK;
    cache_drop(volume->cache, row);
    return volume_fault(volume, result);
}

static enum file_outcome content_set(struct volume *volume, uint64_t node, uint64_t size,
                                     uint64_t stored)
{
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_CONTENT);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)node);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)size);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)stored);
    (void)sqlite3_bind_int64(statement, 4, volume->options.now_ns());
    return volume_run(volume, statement);
}

// How much more a write makes a file take up.
static enum file_outcome growth_of(struct volume *volume, uint64_t node, uint64_t offset,
                                   uint32_t bytes, uint64_t *out_growth)
{
    *out_growth = 0;
    for (uint64_t at = offset, end = offset + bytes; at < end;) {
        uint64_t stop = (at / PIECE_BYTES + 1) * PIECE_BYTES;
        uint32_t capacity =
            capacity_for((uint32_t)((stop < end ? stop : end) - 1) % PIECE_BYTES + 1);
        enum file_outcome outcome = blob_open(volume, row_of(node, at / PIECE_BYTES), false);
        if (outcome != FILE_OUTCOME_OK && outcome != FILE_OUTCOME_NOT_FOUND)
            return outcome;
        uint32_t size =
            outcome == FILE_OUTCOME_OK ? (uint32_t)sqlite3_blob_bytes(volume->blob) : 0;
        *out_growth += capacity > size ? capacity - size : 0;
        at = stop;
    }
    return FILE_OUTCOME_OK;
}

enum file_outcome volume_write(struct volume *volume, uint64_t node, uint64_t offset,
                               const void *from, uint32_t bytes)
{
    struct node_row row;
    uint64_t growth;
    if (bytes > VOLUME_WRITE_BYTES_MAX || offset > VOLUME_FILE_BYTES_MAX ||
        bytes > VOLUME_FILE_BYTES_MAX - offset)
        return FILE_OUTCOME_TOO_LARGE;
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome == FILE_OUTCOME_OK && row.area != 0) {
        outcome = growth_of(volume, node, offset, bytes, &growth);
        if (outcome == FILE_OUTCOME_OK)
            outcome = volume_area_check(volume, row.area, 0, growth);
    }
    uint64_t stored = row.stored;
    // A piece that grows is written anew as a whole.
    uint64_t pieces = (offset + bytes) / PIECE_BYTES - offset / PIECE_BYTES + 1;
    if (outcome == FILE_OUTCOME_OK)
        outcome =
            volume_prepare(volume, pieces * (PIECE_BYTES / MEDIUM_PAGE + 1) + WRITE_PAGES);
    for (uint32_t done = 0; outcome == FILE_OUTCOME_OK && done < bytes;) {
        uint64_t at = offset + done;
        uint32_t skip = (uint32_t)(at % PIECE_BYTES);
        uint32_t step = PIECE_BYTES - skip < bytes - done ? PIECE_BYTES - skip : bytes - done;
        outcome = piece_write(volume, row_of(node, at / PIECE_BYTES), skip,
                              (const uint8_t *)from + done, step, &row.stored);
        done += step;
    }
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = volume_area_charge(volume, row.area, (int64_t)(row.stored - stored));
    uint64_t end = offset + bytes;
    return outcome == FILE_OUTCOME_OK
               ? content_set(volume, node, end > row.size ? end : row.size, row.stored)
               : outcome;
}

// ---- Cutting off -------------------------------------------------------------------

enum file_outcome volume_pieces_delete(struct volume *volume, uint64_t node, uint64_t size,
                                       uint64_t first)
{
    volume_blob_close(volume);
    cache_drop_range(volume->cache, row_of(node, first),
                     row_of(node, (size + PIECE_BYTES - 1) / PIECE_BYTES));
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_PIECES_DELETE);
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)row_of(node, first));
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)row_of(node + 1, 0));
    return volume_run(volume, statement);
}

// Zeroes what is in the last piece behind the new end.
static enum file_outcome tail_clear(struct volume *volume, uint64_t node, uint64_t size)
{
    static const uint8_t zeros[PIECE_BYTES];
    uint32_t offset = (uint32_t)(size % PIECE_BYTES);
    enum file_outcome outcome = blob_open(volume, row_of(node, size / PIECE_BYTES), true);
    if (outcome != FILE_OUTCOME_OK)
        return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_OK : outcome;
    uint32_t there = (uint32_t)sqlite3_blob_bytes(volume->blob);
    if (there <= offset)
        return FILE_OUTCOME_OK;
    cache_drop(volume->cache, row_of(node, size / PIECE_BYTES));
    int result = sqlite3_blob_write(volume->blob, zeros, (int)(there - offset), (int)offset);
    return result == SQLITE_OK ? FILE_OUTCOME_OK : volume_fault(volume, result);
}

enum file_outcome volume_truncate(struct volume *volume, uint64_t node, uint64_t size_bytes)
{
    struct node_row row;
    if (size_bytes > VOLUME_FILE_BYTES_MAX)
        return FILE_OUTCOME_TOO_LARGE;
    enum file_outcome outcome = volume_node(volume, node, &row);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_prepare(volume, PIECE_BYTES / MEDIUM_PAGE + WRITE_PAGES);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    uint64_t stored = row.stored;
    if (size_bytes < row.size) {
        uint64_t first = (size_bytes + PIECE_BYTES - 1) / PIECE_BYTES;
        outcome = volume_pieces_delete(volume, node, row.size, first);
        if (outcome == FILE_OUTCOME_OK && size_bytes % PIECE_BYTES != 0)
            outcome = tail_clear(volume, node, size_bytes);
        if (row.stored > first * PIECE_BYTES)
            row.stored = first * PIECE_BYTES;
    }
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_area_charge(volume, row.area, (int64_t)(row.stored - stored));
    return outcome == FILE_OUTCOME_OK ? content_set(volume, node, size_bytes, row.stored)
                                      : outcome;
}
