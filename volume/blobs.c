// SPDX-License-Identifier: MIT
// Blobs; see <volume/store.h>.
//
// Invariant: what has a name in VOLUME_STORE is a file whose bytes have that SHA-256, and it is
// never written to.
#include "parts.h"

#include <string.h>

static struct wire_data name_of(const struct volume_hash *hash)
{
    return (struct wire_data){hash->bytes, sizeof hash->bytes};
}

// ---- Putting -----------------------------------------------------------------------

enum file_outcome volume_put_begin(struct volume *volume, struct volume_put *put)
{
    *put = (struct volume_put){};
    sha256_init(&put->hash);
    return volume_create_unnamed(volume, &put->node);
}

enum file_outcome volume_put_add(struct volume *volume, struct volume_put *put,
                                 const void *from, uint32_t bytes)
{
    enum file_outcome outcome = volume_write(volume, put->node, put->size_bytes, from, bytes);
    if (outcome == FILE_OUTCOME_OK) {
        sha256_update(&put->hash, from, bytes);
        put->size_bytes += bytes;
    }
    return outcome;
}

void volume_put_cancel(struct volume *volume, struct volume_put *put)
{
    volume_forget(volume, put->node);
}

enum file_outcome volume_put_finish(struct volume *volume, struct volume_put *put,
                                    struct volume_hash *out_hash, bool *out_created)
{
    struct volume_node found;
    sha256_final(&put->hash, out_hash->bytes);
    enum file_outcome outcome = volume_blob_find(volume, out_hash, &found);
    *out_created = outcome == FILE_OUTCOME_NOT_FOUND;
    if (*out_created)
        outcome = volume_name_unnamed(volume, put->node, VOLUME_STORE, name_of(out_hash));
    if (outcome != FILE_OUTCOME_OK || !*out_created)
        volume_forget(volume, put->node);
    return outcome;
}

enum file_outcome volume_put(struct volume *volume, const void *from, uint32_t bytes,
                             struct volume_hash *out_hash, bool *out_created)
{
    struct volume_node found;
    struct volume_put put;
    struct sha256 hash;
    sha256_init(&hash);
    sha256_update(&hash, from, bytes);
    sha256_final(&hash, out_hash->bytes);
    *out_created = false;
    enum file_outcome outcome = volume_blob_find(volume, out_hash, &found);
    if (outcome != FILE_OUTCOME_NOT_FOUND)
        return outcome;
    outcome = volume_put_begin(volume, &put);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = volume_put_add(volume, &put, from, bytes);
    if (outcome == FILE_OUTCOME_OK)
        return volume_put_finish(volume, &put, out_hash, out_created);
    volume_put_cancel(volume, &put);
    return outcome;
}

// ---- Finding -----------------------------------------------------------------------

enum file_outcome volume_blob_find(struct volume *volume, const struct volume_hash *hash,
                                   struct volume_node *out_node)
{
    return volume_lookup(volume, VOLUME_STORE, name_of(hash), out_node);
}

enum file_outcome volume_blob_verify(struct volume *volume, uint64_t node,
                                     const struct volume_hash *hash)
{
    static uint8_t bytes[PIECE_BYTES];
    struct sha256 sum;
    struct volume_hash found;
    uint32_t count;
    sha256_init(&sum);
    for (uint64_t offset = 0;; offset += count) {
        enum file_outcome outcome =
            volume_read(volume, node, offset, bytes, sizeof bytes, &count);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        if (count == 0)
            break;
        sha256_update(&sum, bytes, count);
    }
    sha256_final(&sum, found.bytes);
    return memcmp(&found, hash, sizeof found) == 0 ? FILE_OUTCOME_OK : FILE_OUTCOME_CORRUPTED;
}

enum file_outcome volume_blob_remove(struct volume *volume, const struct volume_hash *hash,
                                     uint64_t *out_node)
{
    struct volume_node node;
    enum file_outcome outcome = volume_blob_find(volume, hash, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_CHANGE_OF_HASH);
    (void)sqlite3_bind_blob(statement, 1, hash->bytes, sizeof hash->bytes, SQLITE_STATIC);
    outcome = volume_row(volume, statement);
    (void)sqlite3_reset(statement);
    if (outcome != FILE_OUTCOME_NOT_FOUND)
        return outcome == FILE_OUTCOME_OK ? FILE_OUTCOME_BUSY : outcome;
    *out_node = node.number;
    return volume_remove(volume, node.number);
}

enum file_outcome volume_blobs_info(struct volume *volume, struct volume_blobs *out_info)
{
    struct node_row row;
    enum file_outcome outcome = volume_node(volume, VOLUME_STORE, &row);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    sqlite3_stmt *statement = volume_statement(volume, STATEMENT_STORED);
    outcome = volume_row(volume, statement);
    if (outcome == FILE_OUTCOME_OK)
        *out_info =
            (struct volume_blobs){row.size, (uint64_t)sqlite3_column_int64(statement, 0)};
    (void)sqlite3_reset(statement);
    return outcome;
}
