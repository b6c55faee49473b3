// SPDX-License-Identifier: MIT
// The methods of Store, over the volume's blobs.
#include "parts.h"

#include <capos/panic.h>

#include <gen/capos/memory_object.h>
#include <gen/capos/store.h>
#include <gen/capos/virtual_memory.h>
#include <gen/wire/directory.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;
// Of a client's memory that is mapped at a time.
constexpr uint64_t WINDOW_BYTES = 1 << 20;
// A message fits the server's buffer, as <capos/tree.h> has it.
static_assert(STORE_PUT_PARAMS_BYTES_MAX <= DIRECTORY_RENAME_PARAMS_BYTES_MAX);

bool hash_take(struct capos_server_call *call, struct wire_data data,
               struct volume_hash *out_hash)
{
    if (data.size_bytes != sizeof out_hash->bytes) {
        refuse(call, "hash: 32 bytes");
        return false;
    }
    memcpy(out_hash->bytes, data.data, sizeof out_hash->bytes);
    return true;
}

// ---- Putting -----------------------------------------------------------------------

static void on_put(void *, struct capos_server_call *call,
                   const struct store_put_params *params)
{
    struct volume_hash hash = {};
    bool created = false;
    enum file_outcome outcome =
        volume_put(volume, params->data.data, params->data.size_bytes, &hash, &created);
    store_put_reply(call, &(struct store_put_results){.outcome = outcome,
                                                      .hash = hash_data(&hash),
                                                      .created = created});
}

// Adds what a mapped window holds.  It is copied first: the client may change it meanwhile, and
// the hash is that of what is kept.
static enum file_outcome window_put(struct volume_put *put, const uint8_t *window,
                                    uint64_t size_bytes)
{
    static uint8_t copy[VOLUME_WRITE_BYTES_MAX];
    enum file_outcome outcome = FILE_OUTCOME_OK;
    for (uint64_t done = 0; outcome == FILE_OUTCOME_OK && done < size_bytes;) {
        uint64_t left = size_bytes - done;
        uint32_t step = left < sizeof copy ? (uint32_t)left : (uint32_t)sizeof copy;
        memcpy(copy, window + done, step);
        outcome = volume_put_add(volume, put, copy, step);
        done += step;
    }
    return outcome;
}

static enum file_outcome memory_put(memory_object_cap object, uint64_t size_bytes,
                                    struct volume_put *put, enum status *out_status)
{
    *out_status = STATUS_OK;
    for (uint64_t done = 0; done < size_bytes;) {
        uint64_t left = size_bytes - done, address;
        uint64_t step = left < WINDOW_BYTES ? left : WINDOW_BYTES;
        uint64_t mapped = (step + PAGE - 1) & ~(PAGE - 1);
        *out_status =
            virtual_memory_map(memory, object, done, mapped, 0, PROTECTION_READ, &address);
        if (*out_status != STATUS_OK)
            return FILE_OUTCOME_NO_SPACE;
        enum file_outcome outcome = window_put(put, (const uint8_t *)address, step);
        if (virtual_memory_unmap(memory, address, mapped) != STATUS_OK)
            capos_panic("store: a client's memory can't be unmapped");
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        done += step;
    }
    return FILE_OUTCOME_OK;
}

static void on_put_memory(void *, struct capos_server_call *call,
                          const struct store_put_memory_params *params)
{
    struct volume_put put;
    struct volume_hash hash = {};
    bool created = false;
    uint64_t object_bytes = 0;
    memory_object_cap object;
    if (capos_server_take(call, params->memory, INTERFACE_MEMORY_OBJECT, &object.id) !=
        STATUS_OK) {
        refuse(call, "memory: a MemoryObject");
        return;
    }
    enum status status = memory_object_info(object, &object_bytes, nullptr, nullptr);
    if (status == STATUS_OK && params->size_bytes > object_bytes) {
        memory_object_cap_release(&object);
        refuse(call, "sizeBytes: at most those of the memory");
        return;
    }
    enum file_outcome outcome = volume_put_begin(volume, &put);
    if (outcome == FILE_OUTCOME_OK) {
        if (status == STATUS_OK)
            outcome = memory_put(object, params->size_bytes, &put, &status);
        if (outcome == FILE_OUTCOME_OK && status == STATUS_OK)
            outcome = volume_put_finish(volume, &put, &hash, &created);
        else
            volume_put_cancel(volume, &put);
    }
    memory_object_cap_release(&object);
    if (status == STATUS_OK)
        store_put_memory_reply(
            call, &(struct store_put_memory_results){
                      .outcome = outcome, .hash = hash_data(&hash), .created = created});
    else
        capos_server_fail(call, STATUS_OVERLOADED, "the memory can't be mapped");
}

// ---- Looking -----------------------------------------------------------------------

static void on_open(void *, struct capos_server_call *call,
                    const struct store_open_params *params)
{
    struct volume_hash hash;
    struct store_open_results results = {.file = WIRE_CAP_NULL};
    uint64_t object;
    if (!hash_take(call, params->hash, &hash))
        return;
    results.outcome = blob_open(&hash, &results.size_bytes, &object);
    if (results.outcome == FILE_OUTCOME_NO_SPACE) {
        capos_server_fail(call, STATUS_OVERLOADED, "too much is open, or there is no memory");
        return;
    }
    bool opened = results.outcome == FILE_OUTCOME_OK;
    struct capos_transfer transfer = {};
    if (opened) {
        transfer = capos_transfer_move(object);
        results.file = 0;
    }
    store_open_reply(call, &results, &transfer, opened ? 1 : 0);
}

static void on_has(void *, struct capos_server_call *call,
                   const struct store_has_params *params)
{
    struct volume_hash hash;
    struct volume_node node;
    struct volume_stat stat = {};
    if (!hash_take(call, params->hash, &hash))
        return;
    enum file_outcome outcome = volume_blob_find(volume, &hash, &node);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_stat(volume, node.number, &stat);
    store_has_reply(
        call, &(struct store_has_results){.outcome = outcome, .size_bytes = stat.size_bytes});
}

static void on_verify(void *, struct capos_server_call *call,
                      const struct store_verify_params *params)
{
    struct volume_hash hash;
    struct volume_node node;
    if (!hash_take(call, params->hash, &hash))
        return;
    enum file_outcome outcome = volume_blob_find(volume, &hash, &node);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_blob_verify(volume, node.number, &hash);
    store_verify_reply(call, &(struct store_verify_results){.outcome = outcome});
}

static void on_remove(void *, struct capos_server_call *call,
                      const struct store_remove_params *params)
{
    struct volume_hash hash;
    uint64_t number;
    if (!hash_take(call, params->hash, &hash))
        return;
    enum file_outcome outcome = volume_blob_remove(volume, &hash, &number);
    if (outcome == FILE_OUTCOME_OK)
        blob_removed(number);
    store_remove_reply(call, &(struct store_remove_results){.outcome = outcome});
}

static void on_sync(void *, struct capos_server_call *call)
{
    store_sync_reply(call, &(struct store_sync_results){.outcome = sync_all()});
}

static void on_info(void *, struct capos_server_call *call)
{
    struct volume_blobs blobs = {};
    struct volume_room room = {};
    if (volume_blobs_info(volume, &blobs) != FILE_OUTCOME_OK ||
        volume_room(volume, &room) != FILE_OUTCOME_OK) {
        capos_server_fail(call, STATUS_FAILED, "the disk can't be read");
        return;
    }
    store_info_reply(call,
                     &(struct store_info_results){.blob_count = blobs.count,
                                                  .stored_bytes = blobs.stored_bytes,
                                                  .free_bytes = room.free_bytes,
                                                  .blob_bytes_max = VOLUME_FILE_BYTES_MAX});
}

void store_on_call(struct capos_server_call *call)
{
    static const struct store_server_ops ops = {
        .put = on_put,
        .put_memory = on_put_memory,
        .open = on_open,
        .has = on_has,
        .verify = on_verify,
        .remove = on_remove,
        .sync = on_sync,
        .info = on_info,
    };
    store_serve(&ops, nullptr, call);
}
