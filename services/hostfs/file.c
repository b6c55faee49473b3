// SPDX-License-Identifier: MIT
// The methods of File and FileBuffer; the first ones of File are those of ReadOnlyFile too.
#include "hostfs.h"

#include <gen/capos/memory_object.h>
#include <string.h>

constexpr uint16_t MODE_MAX = 07777;
constexpr uint64_t FILE_BYTES_MAX = INT64_MAX;
constexpr uint64_t BUFFER_BYTES_MAX = 4 * 1024 * 1024;
constexpr uint32_t READS_AHEAD = 4; // requests under way for one read into a buffer

// Held while a file's size is asked for and then written at.
static struct capos_mutex append_lock;

// ---- Sizes -------------------------------------------------------------------------

// Whether the byte at `offset` is there.
static enum file_outcome has_byte(struct worker *worker, uint32_t fid, uint64_t offset,
                                  bool *out_has)
{
    struct ninep_message message = {.type = NINEP_TREAD};
    message.read.fid = fid;
    message.read.offset = offset;
    message.read.count = 1;
    enum file_outcome outcome = outcome_of(exchange_run(worker->exchange, &message));
    *out_has = outcome == FILE_OUTCOME_OK && worker->exchange->answer.data.size_bytes == 1;
    return outcome;
}

// The size of a file that no name leads to: found by reading, since a host may know such a
// file's attributes by its name only.
static enum file_outcome size_search(struct worker *worker, uint32_t fid, uint64_t *out_bytes)
{
    uint64_t low = 0, high = 1; // the size is at least `low`, and below `high` in the end
    bool has;
    enum file_outcome outcome = has_byte(worker, fid, 0, &has);
    while (outcome == FILE_OUTCOME_OK && has && high < FILE_BYTES_MAX / 2) {
        low = high;
        high *= 2;
        outcome = has_byte(worker, fid, high - 1, &has);
    }
    while (outcome == FILE_OUTCOME_OK && low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        outcome = has_byte(worker, fid, middle - 1, &has);
        *(has ? &low : &high) = middle;
    }
    *out_bytes = low;
    return outcome;
}

// The file's attributes, also when its name is gone.
static enum file_outcome file_attributes(struct worker *worker, const struct node *node,
                                         struct directory_stat_results *out_stat)
{
    enum file_outcome outcome = attributes_get(worker->exchange, node->fid);
    if (outcome == FILE_OUTCOME_OK)
        *out_stat = attributes_of(&worker->exchange->answer.attributes);
    bool is_it = outcome == FILE_OUTCOME_OK && out_stat->inode == node->inode;
    bool is_gone = outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_NOT_FOUND ||
                   outcome == FILE_OUTCOME_NOT_DIRECTORY;
    if (is_it || !is_gone)
        return outcome;
    *out_stat = (struct directory_stat_results){.kind = FILE_KIND_FILE, .inode = node->inode};
    return size_search(worker, node->fid, &out_stat->size_bytes);
}

// ---- Reading -----------------------------------------------------------------------

static void on_read(void *context, struct capos_server_call *call,
                    const struct file_read_params *params)
{
    struct worker *worker = context;
    struct file_read_results results = {.outcome = FILE_OUTCOME_OK};
    if (params->length_bytes > FILE_READ_RESULTS_DATA_BYTES_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "lengthBytes: 0 to 4096");
        return;
    }
    struct node *node = called_node(call, NODE_FILE);
    if (node == nullptr)
        return;
    struct ninep_message message = {.type = NINEP_TREAD};
    message.read.fid = node->fid;
    message.read.offset = params->offset_bytes;
    message.read.count = params->length_bytes;
    if (params->length_bytes != 0 && params->offset_bytes < FILE_BYTES_MAX) {
        results.outcome = outcome_of(exchange_run(worker->exchange, &message));
        if (results.outcome == FILE_OUTCOME_OK)
            results.data = (struct wire_data){worker->exchange->answer.data.bytes,
                                              worker->exchange->answer.data.size_bytes};
    }
    node_put(worker->exchange, node); // the data stay (fid_clunk)
    file_read_reply(call, &results);
}

static void on_stat(void *context, struct capos_server_call *call)
{
    struct worker *worker = context;
    struct directory_stat_results stat = {};
    struct node *node = called_node(call, NODE_FILE);
    if (node == nullptr)
        return;
    enum file_outcome outcome = file_attributes(worker, node, &stat);
    node_put(worker->exchange, node);
    file_stat_reply(call, &(struct file_stat_results){
                              .outcome = outcome,
                              .kind = stat.kind,
                              .mode = stat.mode,
                              .link_count = stat.link_count,
                              .inode = stat.inode,
                              .size_bytes = stat.size_bytes,
                              .stored_bytes = stat.stored_bytes,
                              .version = stat.version,
                              .modified_ns = stat.modified_ns,
                              .changed_ns = stat.changed_ns,
                              .accessed_ns = stat.accessed_ns,
                              .created_ns = stat.created_ns,
                          });
}

// A host's file has its pages on the host.
static void on_map(void *, struct capos_server_call *call, const struct file_map_params *)
{
    file_map_reply(call,
                   &(struct file_map_results){.outcome = FILE_OUTCOME_NOT_SUPPORTED,
                                              .object = WIRE_CAP_NULL},
                   nullptr, 0);
}

static void on_map_writable(void *, struct capos_server_call *call,
                            const struct file_map_writable_params *)
{
    file_map_writable_reply(call,
                            &(struct file_map_writable_results){
                                .outcome = FILE_OUTCOME_NOT_SUPPORTED, .object = WIRE_CAP_NULL},
                            nullptr, 0);
}

// ---- Writing -----------------------------------------------------------------------

// Writes at an offset, by one request.
static enum file_outcome write_at(struct exchange *exchange, uint32_t fid, uint64_t offset,
                                  const uint8_t *data, uint32_t size_bytes,
                                  uint32_t *out_written)
{
    struct ninep_message message = {.type = NINEP_TWRITE};
    message.write.fid = fid;
    message.write.offset = offset;
    message.write.data = (struct ninep_bytes){data, size_bytes};
    *out_written = 0;
    if (size_bytes == 0)
        return FILE_OUTCOME_OK;
    if (offset > FILE_BYTES_MAX - size_bytes)
        return FILE_OUTCOME_TOO_LARGE;
    enum file_outcome outcome = outcome_of(exchange_run(exchange, &message));
    if (outcome == FILE_OUTCOME_OK)
        *out_written = exchange->answer.count;
    return outcome;
}

static void on_write(void *context, struct capos_server_call *call,
                     const struct file_write_params *params)
{
    struct worker *worker = context;
    struct node *node = called_node(call, NODE_FILE);
    if (node == nullptr)
        return;
    struct file_write_results results = {};
    node->changed = true;
    results.outcome =
        write_at(worker->exchange, node->fid, params->offset_bytes, params->data.data,
                 params->data.size_bytes, &results.written_bytes);
    node_put(worker->exchange, node);
    file_write_reply(call, &results);
}

static void on_append(void *context, struct capos_server_call *call,
                      const struct file_append_params *params)
{
    struct worker *worker = context;
    struct directory_stat_results stat = {};
    struct file_append_results results = {};
    struct node *node = called_node(call, NODE_FILE);
    if (node == nullptr)
        return;
    node->changed = true;
    capos_mutex_lock(&append_lock);
    results.outcome = file_attributes(worker, node, &stat);
    if (results.outcome == FILE_OUTCOME_OK) {
        results.offset_bytes = stat.size_bytes;
        results.outcome =
            write_at(worker->exchange, node->fid, stat.size_bytes, params->data.data,
                     params->data.size_bytes, &results.written_bytes);
    }
    capos_mutex_unlock(&append_lock);
    node_put(worker->exchange, node);
    file_append_reply(call, &results);
}

// A fid for the file by its name, for Tsetattr: QEMU before 10 carries that out on what the
// name leads to, also for a fid that is open, and that may be another file by now.
// NOT_SUPPORTED: it is, or there is none.
static enum file_outcome named_fid(struct worker *worker, const struct node *node,
                                   uint32_t *out_fid)
{
    enum file_outcome outcome = resolve_clone(worker->exchange, node->fid, out_fid);
    if (outcome != FILE_OUTCOME_OK)
        return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_NOT_SUPPORTED : outcome;
    outcome = attributes_get(worker->exchange, *out_fid);
    if (outcome == FILE_OUTCOME_OK &&
        worker->exchange->answer.attributes.qid.path == node->inode)
        return FILE_OUTCOME_OK;
    fid_clunk(worker->exchange, *out_fid);
    return outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_NOT_FOUND
               ? FILE_OUTCOME_NOT_SUPPORTED
               : outcome;
}

static enum file_outcome truncate_named(struct worker *worker, uint32_t fid,
                                        uint64_t size_bytes)
{
    struct ninep_message message = {.type = NINEP_TSETATTR};
    message.set_attributes.fid = fid;
    message.set_attributes.valid = NINEP_SET_SIZE;
    message.set_attributes.size_bytes = size_bytes;
    return outcome_of(exchange_run(worker->exchange, &message));
}

// A file without a name can grow by a byte at its new end; nothing makes it shorter.
static enum file_outcome grow_nameless(struct worker *worker, const struct node *node,
                                       uint64_t size_bytes)
{
    static const uint8_t zero;
    struct directory_stat_results stat = {};
    uint32_t written;
    enum file_outcome outcome = file_attributes(worker, node, &stat);
    if (outcome != FILE_OUTCOME_OK || size_bytes == stat.size_bytes)
        return outcome;
    if (size_bytes < stat.size_bytes)
        return FILE_OUTCOME_NOT_SUPPORTED;
    return write_at(worker->exchange, node->fid, size_bytes - 1, &zero, 1, &written);
}

static enum file_outcome truncate_file(struct worker *worker, const struct node *node,
                                       uint64_t size_bytes)
{
    uint32_t fid;
    if (size_bytes > FILE_BYTES_MAX)
        return FILE_OUTCOME_TOO_LARGE;
    // Until it is done the name stays that of this file.
    capos_mutex_lock(&names_lock);
    enum file_outcome outcome = named_fid(worker, node, &fid);
    if (outcome == FILE_OUTCOME_OK) {
        outcome = truncate_named(worker, fid, size_bytes);
        fid_clunk(worker->exchange, fid);
    } else if (outcome == FILE_OUTCOME_NOT_SUPPORTED) {
        outcome = grow_nameless(worker, node, size_bytes);
    }
    capos_mutex_unlock(&names_lock);
    return outcome;
}

static void on_truncate(void *context, struct capos_server_call *call,
                        const struct file_truncate_params *params)
{
    struct worker *worker = context;
    struct node *node = called_node(call, NODE_FILE);
    if (node == nullptr)
        return;
    node->changed = true;
    struct file_truncate_results results = {
        .outcome = truncate_file(worker, node, params->size_bytes)};
    node_put(worker->exchange, node);
    file_truncate_reply(call, &results);
}

static void on_sync(void *context, struct capos_server_call *call,
                    const struct file_sync_params *params)
{
    struct worker *worker = context;
    struct node *node = called_node(call, NODE_FILE);
    if (node == nullptr)
        return;
    node->changed = false;
    struct file_sync_results results = {
        .outcome = sync_fid(worker->exchange, node->fid, params->data_only)};
    if (results.outcome != FILE_OUTCOME_OK)
        node->changed = true;
    node_put(worker->exchange, node);
    file_sync_reply(call, &results);
}

static enum file_outcome change_attributes(struct worker *worker, const struct node *node,
                                           const struct attribute_changes *changes)
{
    uint32_t fid;
    capos_mutex_lock(&names_lock);
    enum file_outcome outcome = named_fid(worker, node, &fid);
    if (outcome == FILE_OUTCOME_OK) {
        outcome = attributes_set(worker->exchange, fid, changes);
        fid_clunk(worker->exchange, fid);
    }
    capos_mutex_unlock(&names_lock);
    return outcome;
}

static void on_set_attributes(void *context, struct capos_server_call *call,
                              const struct file_set_attributes_params *params)
{
    struct worker *worker = context;
    if (params->mode > MODE_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "mode: 0 to 0o7777");
        return;
    }
    struct node *node = called_node(call, NODE_FILE);
    if (node == nullptr)
        return;
    struct attribute_changes changes = {
        .mode = params->set_mode,
        .modified = params->set_modified,
        .accessed = params->set_accessed,
        .new_mode = params->mode,
        .modified_ns = params->modified_ns,
        .accessed_ns = params->accessed_ns,
    };
    struct file_set_attributes_results results = {
        .outcome = change_attributes(worker, node, &changes)};
    node_put(worker->exchange, node);
    file_set_attributes_reply(call, &results);
}

static void on_read_only(void *context, struct capos_server_call *call)
{
    struct capos_transfer transfer;
    if (!called_narrowed(context, call, NODE_FILE, INTERFACE_READ_ONLY_FILE, &transfer))
        return;
    file_read_only_reply(call, &(struct file_read_only_results){.file = 0}, &transfer, 1);
}

// ---- Buffers -----------------------------------------------------------------------

// Takes the memory.
static enum status buffer_create(memory_object_cap object, struct node **out_node)
{
    uint64_t size_bytes;
    bool writable;
    enum status status = memory_object_info(object, &size_bytes, &writable, nullptr);
    if (status == STATUS_OK && (!writable || size_bytes > BUFFER_BYTES_MAX))
        status = STATUS_INVALID_ARGUMENT;
    if (status != STATUS_OK) {
        memory_object_cap_release(&object);
        return status;
    }
    struct device_buffer *buffer = device_buffer_create(object, size_bytes, &status);
    if (buffer == nullptr)
        return status;
    struct node *node = node_create(NODE_BUFFER, NINEP_NO_FID, 0);
    if (node == nullptr) {
        device_buffer_destroy(buffer);
        return STATUS_OVERLOADED;
    }
    node->buffer = buffer;
    *out_node = node;
    return STATUS_OK;
}

static void on_create_buffer(void *context, struct capos_server_call *call,
                             const struct file_create_buffer_params *params)
{
    struct worker *worker = context;
    memory_object_cap object;
    struct node *node;
    capos_cap_id cap;
    if (capos_server_take(call, params->memory, INTERFACE_MEMORY_OBJECT, &object.id) !=
        STATUS_OK) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "memory: a MemoryObject");
        return;
    }
    enum status status = buffer_create(object, &node);
    if (status == STATUS_INVALID_ARGUMENT) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "memory: writable, 4096 bytes to 4 MiB");
        return;
    }
    if (status != STATUS_OK) {
        fail_memory(call);
        return;
    }
    status = object_mint(node, INTERFACE_FILE_BUFFER, &cap);
    node_put(worker->exchange, node);
    if (status != STATUS_OK) {
        fail_memory(call);
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(cap);
    file_create_buffer_reply(call, &(struct file_create_buffer_results){.buffer = 0}, &transfer,
                             1);
}

// What a call on a buffer is about.
struct transfer {
    struct node *buffer, *file;
    uint64_t offset; // in the buffer
    uint32_t size_bytes;
};

static bool transfer_begin(struct worker *worker, struct capos_server_call *call,
                           uint32_t file_cap, uint32_t buffer_offset, uint32_t size_bytes,
                           bool writes, struct transfer *out_transfer)
{
    uint64_t interface_id;
    struct node *buffer = called_node(call, NODE_BUFFER);
    if (buffer == nullptr)
        return false;
    struct node *file = given_node(call, file_cap, NODE_FILE, &interface_id);
    uint64_t whole_bytes = buffer->buffer->size_bytes;
    bool fits = buffer_offset <= whole_bytes && size_bytes <= whole_bytes - buffer_offset;
    bool may = file != nullptr && (!writes || interface_id == INTERFACE_FILE);
    if (fits && may) {
        *out_transfer = (struct transfer){buffer, file, buffer_offset, size_bytes};
        return true;
    }
    if (file != nullptr)
        node_put(worker->exchange, file);
    node_put(worker->exchange, buffer);
    capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                      fits ? "file: one of this service's"
                           : "bufferOffsetBytes, lengthBytes: within the buffer");
    return false;
}

static void transfer_end(struct worker *worker, const struct transfer *transfer)
{
    node_put(worker->exchange, transfer->file);
    node_put(worker->exchange, transfer->buffer);
}

// Requests under way for one read, in the order of the file.
struct reads {
    struct exchange *exchanges[READS_AHEAD];
    uint32_t bytes[READS_AHEAD];
    uint32_t first, count;
};

// Asks for the next bytes.
static void read_send(struct reads *reads, struct exchange *exchange,
                      const struct transfer *transfer, uint64_t file_offset, uint32_t done,
                      uint32_t bytes)
{
    uint32_t index = (reads->first + reads->count++) % READS_AHEAD;
    struct ninep_message message = {.type = NINEP_TREAD};
    message.read.fid = transfer->file->fid;
    message.read.offset = file_offset + done;
    message.read.count = bytes;
    reads->exchanges[index] = exchange;
    reads->bytes[index] = bytes;
    exchange_send_bulk(exchange, &message, transfer->buffer->buffer, transfer->offset + done);
}

// Waits for the oldest one.  *out_end: the file ended there.
static enum file_outcome read_take(struct reads *reads, uint32_t *out_bytes, bool *out_end)
{
    struct exchange *exchange = reads->exchanges[reads->first];
    enum file_outcome outcome = outcome_of(exchange_wait(exchange));
    uint32_t bytes = outcome == FILE_OUTCOME_OK ? exchange->answer.data.size_bytes : 0;
    *out_end = bytes < reads->bytes[reads->first];
    *out_bytes = bytes;
    device_bulk_put(exchange);
    reads->first = (reads->first + 1) % READS_AHEAD;
    reads->count--;
    return outcome;
}

static enum file_outcome read_all(const struct transfer *transfer, uint64_t offset,
                                  uint32_t *out_bytes)
{
    struct reads reads = {};
    uint32_t sent = 0, taken = 0, bytes;
    bool end = transfer->size_bytes == 0 || offset >= FILE_BYTES_MAX - transfer->size_bytes;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    while (outcome == FILE_OUTCOME_OK && !end) {
        while (sent < transfer->size_bytes && reads.count < READS_AHEAD) {
            struct exchange *exchange = device_bulk_get(reads.count == 0);
            if (exchange == nullptr)
                break;
            uint32_t rest = transfer->size_bytes - sent, most = device_bulk_bytes();
            bytes = rest < most ? rest : most;
            read_send(&reads, exchange, transfer, offset, sent, bytes);
            sent += bytes;
        }
        outcome = read_take(&reads, &bytes, &end);
        taken += bytes;
        end = end || taken == transfer->size_bytes;
    }
    while (reads.count > 0) // behind the end
        (void)read_take(&reads, &bytes, &end);
    *out_bytes = taken;
    return outcome;
}

static void on_buffer_read(void *context, struct capos_server_call *call,
                           const struct file_buffer_read_params *params)
{
    struct worker *worker = context;
    struct transfer transfer;
    if (!transfer_begin(worker, call, params->file, params->buffer_offset_bytes,
                        params->length_bytes, false, &transfer))
        return;
    struct file_buffer_read_results results = {};
    results.outcome = read_all(&transfer, params->offset_bytes, &results.read_bytes);
    transfer_end(worker, &transfer);
    file_buffer_read_reply(call, &results);
}

static enum file_outcome write_piece(struct exchange *exchange, const struct transfer *transfer,
                                     uint64_t file_offset, uint32_t done, uint32_t *out_written)
{
    uint32_t rest = transfer->size_bytes - done, most = device_bulk_bytes();
    uint32_t bytes = rest < most ? rest : most;
    struct ninep_message message = {.type = NINEP_TWRITE};
    message.write.fid = transfer->file->fid;
    message.write.offset = file_offset + done;
    message.write.data.size_bytes = bytes;
    *out_written = 0;
    if (file_offset + done > FILE_BYTES_MAX - bytes)
        return FILE_OUTCOME_TOO_LARGE;
    exchange_send_bulk(exchange, &message, transfer->buffer->buffer, transfer->offset + done);
    enum file_outcome outcome = outcome_of(exchange_wait(exchange));
    if (outcome == FILE_OUTCOME_OK)
        *out_written = exchange->answer.count;
    return outcome;
}

// Piece by piece, so that what was written has no gap when a piece fails.
static enum file_outcome write_all(const struct transfer *transfer, uint64_t offset,
                                   uint32_t *out_bytes)
{
    struct exchange *exchange = device_bulk_get(true);
    uint32_t done = 0, written = 1;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    transfer->file->changed = true;
    while (outcome == FILE_OUTCOME_OK && done < transfer->size_bytes && written > 0) {
        outcome = write_piece(exchange, transfer, offset, done, &written);
        done += written;
    }
    device_bulk_put(exchange);
    *out_bytes = done;
    return done > 0 ? FILE_OUTCOME_OK : outcome;
}

static void on_buffer_write(void *context, struct capos_server_call *call,
                            const struct file_buffer_write_params *params)
{
    struct worker *worker = context;
    struct transfer transfer;
    if (!transfer_begin(worker, call, params->file, params->buffer_offset_bytes,
                        params->length_bytes, true, &transfer))
        return;
    struct file_buffer_write_results results = {};
    results.outcome = write_all(&transfer, params->offset_bytes, &results.written_bytes);
    transfer_end(worker, &transfer);
    file_buffer_write_reply(call, &results);
}

static void on_buffer_append(void *context, struct capos_server_call *call,
                             const struct file_buffer_append_params *params)
{
    struct worker *worker = context;
    struct directory_stat_results stat = {};
    struct transfer transfer;
    if (!transfer_begin(worker, call, params->file, params->buffer_offset_bytes,
                        params->length_bytes, true, &transfer))
        return;
    struct file_buffer_append_results results = {};
    capos_mutex_lock(&append_lock);
    results.outcome = file_attributes(worker, transfer.file, &stat);
    if (results.outcome == FILE_OUTCOME_OK) {
        results.offset_bytes = stat.size_bytes;
        results.outcome = write_all(&transfer, stat.size_bytes, &results.written_bytes);
    }
    capos_mutex_unlock(&append_lock);
    transfer_end(worker, &transfer);
    file_buffer_append_reply(call, &results);
}

const struct file_server_ops file_ops = {
    .read = on_read,
    .stat = on_stat,
    .map = on_map,
    .create_buffer = on_create_buffer,
    .write = on_write,
    .append = on_append,
    .truncate = on_truncate,
    .sync = on_sync,
    .set_attributes = on_set_attributes,
    .map_writable = on_map_writable,
    .read_only = on_read_only,
};

const struct file_buffer_server_ops buffer_ops = {
    .read = on_buffer_read,
    .write = on_buffer_write,
    .append = on_buffer_append,
};
