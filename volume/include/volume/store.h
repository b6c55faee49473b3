// SPDX-License-Identifier: MIT
// Blobs of a volume, which are found by the SHA-256 of their bytes, and names that lead to them.
//
// A blob is a file in a directory that has no name, VOLUME_STORE: it is read with volume_read,
// and lives on without its name until volume_forget.  The names form one space per volume;
// each of its changes makes a new version of it.  docs/decisions/0028 says how they are kept.
//
// Everything here is one operation in the sense of <volume/volume.h>, rule 1, and durable after
// volume_sync.  The outcomes OK, INPUT_OUTPUT and CORRUPTED aren't mentioned each time.  Tested
// by store_test.c and volume_power_test.c.
#pragma once

#include <lib/sha256.h>
#include <volume/volume.h>

constexpr uint64_t VOLUME_STORE = UINT64_MAX; // the directory of blobs; reached by no path
constexpr uint32_t VOLUME_NAME_BYTES_MAX = 255;

struct volume_hash {
    uint8_t bytes[SHA256_BYTES];
};

// ---- Blobs -------------------------------------------------------------------------

// A blob in the making.  Caller's storage, from begin to finish or cancel.
struct volume_put {
    struct sha256 hash;
    uint64_t node; // without a name
    uint64_t size_bytes;
};

// NO_SPACE.
[[nodiscard]] enum file_outcome volume_put_begin(struct volume *volume, struct volume_put *put);
// Adds up to VOLUME_WRITE_BYTES_MAX bytes.  NO_SPACE, TOO_LARGE.
[[nodiscard]] enum file_outcome volume_put_add(struct volume *volume, struct volume_put *put,
                                               const void *from, uint32_t bytes);
// Keeps it, or forgets it if there was such a blob (*out_created false).  NO_SPACE: it is
// forgotten too.
[[nodiscard]] enum file_outcome volume_put_finish(struct volume *volume, struct volume_put *put,
                                                  struct volume_hash *out_hash,
                                                  bool *out_created);
void volume_put_cancel(struct volume *volume, struct volume_put *put);

// All three, for up to VOLUME_WRITE_BYTES_MAX bytes; writes nothing if there is such a blob.
[[nodiscard]] enum file_outcome volume_put(struct volume *volume, const void *from,
                                           uint32_t bytes, struct volume_hash *out_hash,
                                           bool *out_created);

// NOT_FOUND.
[[nodiscard]] enum file_outcome volume_blob_find(struct volume *volume,
                                                 const struct volume_hash *hash,
                                                 struct volume_node *out_node);
// Reads all of a blob.  CORRUPTED: its bytes have another hash.
[[nodiscard]] enum file_outcome volume_blob_verify(struct volume *volume, uint64_t node,
                                                   const struct volume_hash *hash);
// Takes a blob's name away, as volume_remove.  NOT_FOUND; BUSY: a name leads to it, or did.
[[nodiscard]] enum file_outcome
volume_blob_remove(struct volume *volume, const struct volume_hash *hash, uint64_t *out_node);

struct volume_blobs {
    uint64_t count;
    uint64_t stored_bytes;
};
// Looks at every blob's entry.
[[nodiscard]] enum file_outcome volume_blobs_info(struct volume *volume,
                                                  struct volume_blobs *out_info);

// ---- Names -------------------------------------------------------------------------

// Where a name leads, or led.
struct volume_lead {
    bool leads; // to `hash`; otherwise to nothing
    struct volume_hash hash;
    uint64_t version; // of the names, since when; 0: it never led anywhere
    int64_t time_ns;
};

// The newest change of a name before a version, UINT64_MAX for the last of all.  NOT_FOUND: there
// is none.
[[nodiscard]] enum file_outcome volume_name_get(struct volume *volume, struct wire_data name,
                                                uint64_t before, struct volume_lead *out_lead);

struct volume_name {
    uint32_t name_bytes;
    uint8_t name[VOLUME_NAME_BYTES_MAX];
    struct volume_lead lead;
};
// The next name that leads somewhere, in the order of bytes; an empty name is before all.
// NOT_FOUND: there are no more.
[[nodiscard]] enum file_outcome volume_name_next(struct volume *volume, struct wire_data after,
                                                 struct volume_name *out_name);

// Leads a name to a blob, or to nothing (nullptr), if it now leads to `expected`.  *out_lead is
// where it leads afterwards, with OK and BUSY.  BUSY: it leads elsewhere; NOT_FOUND: there is
// no such blob; NO_SPACE.  Leading it to where it leads changes nothing.
[[nodiscard]] enum file_outcome volume_name_set(struct volume *volume, struct wire_data name,
                                                const struct volume_hash *expected,
                                                const struct volume_hash *hash,
                                                struct volume_lead *out_lead);

struct volume_names {
    uint64_t version;         // 0: nothing was ever changed
    uint64_t name_count;      // that lead somewhere
    uint64_t history_version; // changes before it were dropped
};
[[nodiscard]] enum file_outcome volume_names_info(struct volume *volume,
                                                  struct volume_names *out_info);

// Keeps where all names lead as a blob.  NO_SPACE.
[[nodiscard]] enum file_outcome volume_names_snapshot(struct volume *volume,
                                                      struct volume_hash *out_hash);
// Leads all names to where they led then.  NOT_FOUND: there is no such blob, or one that a name
// led to is gone; CORRUPTED: it is no snapshot; NO_SPACE.
[[nodiscard]] enum file_outcome volume_names_restore(struct volume *volume,
                                                     const struct volume_hash *hash);
// Drops the changes before a version, but for where each name led then.  In several
// operations: after a power cut some may be there.
[[nodiscard]] enum file_outcome volume_names_forget(struct volume *volume, uint64_t version);
