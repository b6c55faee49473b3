// SPDX-License-Identifier: MIT
// Blobs for C programs: whole ones, of any size, in and out of a Store, and their hashes as text.
//
// Every function returns how it ended as those of <capos/file.h> do: 0 for done, a FILE_OUTCOME_*
// or CAPOS_FILE_STATUS plus an enum status.  Names have methods that need no help:
// <gen/capos/store.h>, namespace_get, namespace_set.
//
//     uint8_t hash[CAPOS_HASH_BYTES];
//     uint32_t error = capos_store_put(store, text, strlen(text), hash);
//
// Everything is synchronous.  Implemented in store.c, tested by tests/system/store_test.c.
#pragma once

#include <capos/file.h>
#include <gen/capos/caps.h>

constexpr size_t CAPOS_HASH_BYTES = 32;
constexpr size_t CAPOS_HASH_TEXT_BYTES = 2 * CAPOS_HASH_BYTES + 1;

// Keeps bytes, and says what they are found by.  They are durable after Store.sync, or a
// change of a Namespace.  More than 2048 bytes go through memory of the program's budget, as
// much as they are.
[[nodiscard]] uint32_t capos_store_put(store_cap store, const void *data, size_t byte_count,
                                       uint8_t out_hash[CAPOS_HASH_BYTES]);

// A whole blob: *out_data is from malloc, with a NUL behind it.  NOT_FOUND; CORRUPTED; TOO_LARGE
// beyond `bytes_max`.
[[nodiscard]] uint32_t capos_store_get(store_cap store, const uint8_t hash[CAPOS_HASH_BYTES],
                                       size_t bytes_max, void **out_data, size_t *out_bytes);

// Opens a blob, to be read piece by piece and closed with capos_file_close.
[[nodiscard]] uint32_t capos_store_open(store_cap store, const uint8_t hash[CAPOS_HASH_BYTES],
                                        struct capos_file *out_file);

// Sixty-four digits, and back; false if the text is something else.
void capos_hash_print(const uint8_t hash[CAPOS_HASH_BYTES], char text[CAPOS_HASH_TEXT_BYTES]);
[[nodiscard]] bool capos_hash_parse(const char *text, uint8_t out_hash[CAPOS_HASH_BYTES]);
