// SPDX-License-Identifier: MIT
// What the files of the store service share: the volume, and the words of its exports.
#pragma once

#include <capos/server.h>
#include <gen/capos/caps.h>
#include <volume/store.h>

constexpr uint64_t WORD_ROOT = 1;
constexpr uint64_t WORD_STORE = 2;
constexpr uint64_t WORD_NAMESPACE = 3;
constexpr uint64_t WORD_SNAPSHOT = 4;

extern struct volume *volume;
extern endpoint_cap endpoint;
extern virtual_memory_cap memory;

// Makes all that was done durable.
[[nodiscard]] enum file_outcome sync_all(void);

// A blob's bytes as an object of tree; what to move to the client.  NO_SPACE: there is no
// memory for it, or too much is open.
[[nodiscard]] enum file_outcome blob_open(const struct volume_hash *hash,
                                          uint64_t *out_size_bytes, uint64_t *out_cap);
// A blob's name is gone; the blob goes when nobody has it open.
void blob_removed(uint64_t number);

// A message's hash.  False: the call was refused.
[[nodiscard]] bool hash_take(struct capos_server_call *call, struct wire_data data,
                             struct volume_hash *out_hash);

static inline struct wire_data hash_data(const struct volume_hash *hash)
{
    return (struct wire_data){hash->bytes, sizeof hash->bytes};
}

static inline void refuse(struct capos_server_call *call, const char *reason)
{
    capos_server_fail(call, STATUS_INVALID_ARGUMENT, reason);
}

// Makes the ReadOnlyDirectory of the disk's snapshot.
void snapshot_export(void);

void store_on_call(struct capos_server_call *call);
// Of Namespace and ReadOnlyNamespace.
void namespace_on_call(struct capos_server_call *call);
