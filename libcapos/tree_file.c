// SPDX-License-Identifier: MIT
// The methods of File and FileBuffer.  Those of File serve ReadOnlyFile too, as far as it goes.
#include "tree_parts.h"

#include <gen/capos/file.h>
#include <gen/interfaces.h>

constexpr uint64_t FILE_BYTES_MAX = INT64_MAX;
constexpr uint64_t PAGE = 4096;
constexpr uint16_t MODE_MAX = 07777;

// Whether a piece of a file lies within what a file can have; else the outcome is tooLarge.
static bool range_fits(uint64_t offset, uint64_t byte_count)
{
    return offset <= FILE_BYTES_MAX && byte_count <= FILE_BYTES_MAX - offset;
}

static enum file_outcome read_at(struct tree_handle *handle, uint64_t offset, void *buffer,
                                 uint32_t byte_count, uint32_t *out_read)
{
    *out_read = 0;
    if (offset > FILE_BYTES_MAX || byte_count == 0)
        return FILE_OUTCOME_OK;
    return handle->tree->ops->read(handle->tree, handle->node, offset, buffer, byte_count,
                                   out_read);
}

static enum file_outcome write_at(struct tree_handle *handle, uint64_t offset, const void *data,
                                  uint32_t byte_count, uint32_t *out_written)
{
    *out_written = 0;
    if (handle->tree->ops->write == nullptr)
        return FILE_OUTCOME_READ_ONLY;
    if (!range_fits(offset, byte_count))
        return FILE_OUTCOME_TOO_LARGE;
    if (byte_count == 0)
        return FILE_OUTCOME_OK;
    return handle->tree->ops->write(handle->tree, handle->node, offset, data, byte_count,
                                    out_written);
}

static enum file_outcome append(struct tree_handle *handle, const void *data,
                                uint32_t byte_count, uint32_t *out_written,
                                uint64_t *out_offset)
{
    *out_written = 0;
    *out_offset = 0;
    if (handle->tree->ops->append == nullptr)
        return FILE_OUTCOME_READ_ONLY;
    if (byte_count == 0) {
        struct tree_stat stat;
        enum file_outcome outcome = handle->tree->ops->stat(handle->tree, handle->node, &stat);
        if (outcome == FILE_OUTCOME_OK)
            *out_offset = stat.size_bytes;
        return outcome;
    }
    return handle->tree->ops->append(handle->tree, handle->node, data, byte_count, out_written,
                                     out_offset);
}

// ---- File --------------------------------------------------------------------------

static void on_read(void *context, struct capos_server_call *call,
                    const struct file_read_params *params)
{
    static uint8_t data[FILE_READ_RESULTS_DATA_BYTES_MAX];
    if (params->length_bytes > sizeof data) {
        tree_refuse(call, "lengthBytes: 0 to 4096");
        return;
    }
    uint32_t read;
    enum file_outcome outcome =
        read_at(context, params->offset_bytes, data, params->length_bytes, &read);
    file_read_reply(call,
                    &(struct file_read_results){.outcome = outcome, .data = {data, read}});
}

static void on_stat(void *context, struct capos_server_call *call)
{
    struct tree_handle *handle = context;
    struct tree_stat stat = {};
    enum file_outcome outcome = handle->tree->ops->stat(handle->tree, handle->node, &stat);
    file_stat_reply(call, &(struct file_stat_results){
                              .outcome = outcome,
                              .kind = handle->node->kind,
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

// FILE_OUTCOME_COUNT: the call was refused.
static enum file_outcome map_range(struct tree_handle *handle, struct capos_server_call *call,
                                   uint64_t offset, uint64_t length_bytes, bool writable,
                                   struct tree_mapping *out_mapping)
{
    struct tree *tree = handle->tree;
    struct tree_stat stat;
    if (tree->ops->map == nullptr)
        return FILE_OUTCOME_NOT_SUPPORTED;
    if (writable && tree->ops->write == nullptr)
        return FILE_OUTCOME_READ_ONLY;
    enum file_outcome outcome = tree->ops->stat(tree, handle->node, &stat);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (offset % PAGE != 0 || offset >= stat.size_bytes || length_bytes == 0) {
        tree_refuse(call, "offsetBytes: a multiple of 4096 below the size; lengthBytes: not 0");
        return FILE_OUTCOME_COUNT;
    }
    uint64_t rest = stat.size_bytes - offset;
    return tree->ops->map(tree, handle->node, offset, length_bytes < rest ? length_bytes : rest,
                          writable, out_mapping);
}

static void on_map(void *context, struct capos_server_call *call,
                   const struct file_map_params *params)
{
    struct tree_mapping mapping = {};
    enum file_outcome outcome =
        map_range(context, call, params->offset_bytes, params->length_bytes, false, &mapping);
    if (outcome == (enum file_outcome)FILE_OUTCOME_COUNT)
        return;
    bool ok = outcome == FILE_OUTCOME_OK;
    struct capos_transfer transfer = capos_transfer_move(mapping.object);
    file_map_reply(call,
                   &(struct file_map_results){.outcome = outcome,
                                              .length_bytes = mapping.length_bytes,
                                              .object = ok ? 0 : WIRE_CAP_NULL},
                   &transfer, ok ? 1 : 0);
}

static void on_map_writable(void *context, struct capos_server_call *call,
                            const struct file_map_writable_params *params)
{
    struct tree_mapping mapping = {};
    enum file_outcome outcome =
        map_range(context, call, params->offset_bytes, params->length_bytes, true, &mapping);
    if (outcome == (enum file_outcome)FILE_OUTCOME_COUNT)
        return;
    bool ok = outcome == FILE_OUTCOME_OK;
    struct capos_transfer transfer = capos_transfer_move(mapping.object);
    file_map_writable_reply(
        call,
        &(struct file_map_writable_results){.outcome = outcome,
                                            .length_bytes = mapping.length_bytes,
                                            .object = ok ? 0 : WIRE_CAP_NULL},
        &transfer, ok ? 1 : 0);
}

static void on_create_buffer(void *context, struct capos_server_call *call,
                             const struct file_create_buffer_params *params)
{
    struct tree_handle *handle = context;
    struct tree_buffer buffer;
    capos_cap_id memory, object;
    if (capos_server_take(call, params->memory, INTERFACE_MEMORY_OBJECT, &memory) !=
        STATUS_OK) {
        tree_refuse(call, "memory: a MemoryObject");
        return;
    }
    enum status status = tree_buffer_map(memory, &buffer);
    capos_release(memory); // the mapping keeps the pages
    if (status == STATUS_OK)
        status = tree_mint_buffer(handle->tree, buffer, &object);
    else if (status != STATUS_OVERLOADED) {
        tree_refuse(call, "memory: writable, 4096 bytes to 4 MiB");
        return;
    }
    if (status != STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED, "no room for one more buffer");
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(object);
    file_create_buffer_reply(call, &(struct file_create_buffer_results){.buffer = 0}, &transfer,
                             1);
}

static void on_write(void *context, struct capos_server_call *call,
                     const struct file_write_params *params)
{
    uint32_t written;
    enum file_outcome outcome = write_at(context, params->offset_bytes, params->data.data,
                                         params->data.size_bytes, &written);
    file_write_reply(
        call, &(struct file_write_results){.outcome = outcome, .written_bytes = written});
}

static void on_append(void *context, struct capos_server_call *call,
                      const struct file_append_params *params)
{
    uint32_t written;
    uint64_t offset;
    enum file_outcome outcome =
        append(context, params->data.data, params->data.size_bytes, &written, &offset);
    file_append_reply(call, &(struct file_append_results){.outcome = outcome,
                                                          .written_bytes = written,
                                                          .offset_bytes = offset});
}

static void on_truncate(void *context, struct capos_server_call *call,
                        const struct file_truncate_params *params)
{
    struct tree_handle *handle = context;
    enum file_outcome outcome;
    if (handle->tree->ops->truncate == nullptr)
        outcome = FILE_OUTCOME_READ_ONLY;
    else if (!range_fits(params->size_bytes, 0))
        outcome = FILE_OUTCOME_TOO_LARGE;
    else
        outcome = handle->tree->ops->truncate(handle->tree, handle->node, params->size_bytes);
    file_truncate_reply(call, &(struct file_truncate_results){.outcome = outcome});
}

static void on_sync(void *context, struct capos_server_call *call,
                    const struct file_sync_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    file_sync_reply(
        call, &(struct file_sync_results){
                  .outcome = tree->ops->sync == nullptr
                                 ? FILE_OUTCOME_OK
                                 : tree->ops->sync(tree, handle->node, params->data_only)});
}

static void on_set_attributes(void *context, struct capos_server_call *call,
                              const struct file_set_attributes_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    if (params->mode > MODE_MAX) {
        tree_refuse(call, "mode: 0 to 0o7777");
        return;
    }
    struct tree_attributes attributes = {
        .set_mode = params->set_mode,
        .set_modified = params->set_modified,
        .set_accessed = params->set_accessed,
        .mode = params->mode,
        .modified_ns = params->modified_ns,
        .accessed_ns = params->accessed_ns,
    };
    file_set_attributes_reply(
        call, &(struct file_set_attributes_results){
                  .outcome = tree->ops->set_attributes == nullptr
                                 ? FILE_OUTCOME_READ_ONLY
                                 : tree->ops->set_attributes(tree, handle->node, &attributes)});
}

static void on_read_only(void *context, struct capos_server_call *call)
{
    struct tree_handle *handle = context;
    struct capos_transfer transfer;
    if (tree_give(call, handle->tree, tree_get(handle->node), INTERFACE_READ_ONLY_FILE,
                  &transfer))
        file_read_only_reply(call, &(struct file_read_only_results){.file = 0}, &transfer, 1);
}

const struct file_server_ops tree_file_ops = {
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

// ---- FileBuffer --------------------------------------------------------------------

// The file that a call on a buffer names, and the piece of the buffer; nullptr: it was refused.
static struct tree_handle *buffer_file(struct capos_server_call *call,
                                       const struct tree_buffer *buffer, uint32_t index,
                                       uint32_t buffer_offset, uint32_t byte_count,
                                       bool read_only_is_enough)
{
    if (buffer_offset > buffer->size_bytes || byte_count > buffer->size_bytes - buffer_offset) {
        tree_refuse(call, "bufferOffsetBytes, lengthBytes: within the buffer");
        return nullptr;
    }
    uint64_t interface_id;
    struct tree_handle *file = tree_handle_of(call, index, &interface_id);
    if (file == nullptr ||
        (interface_id != INTERFACE_FILE &&
         (!read_only_is_enough || interface_id != INTERFACE_READ_ONLY_FILE))) {
        tree_refuse(call, "file: a File of the service that made the buffer");
        return nullptr;
    }
    return file;
}

static void on_buffer_read(void *context, struct capos_server_call *call,
                           const struct file_buffer_read_params *params)
{
    struct tree_buffer *buffer = &((struct tree_handle *)context)->buffer;
    struct tree_handle *file = buffer_file(
        call, buffer, params->file, params->buffer_offset_bytes, params->length_bytes, true);
    if (file == nullptr)
        return;
    uint32_t read;
    enum file_outcome outcome =
        read_at(file, params->offset_bytes, buffer->address + params->buffer_offset_bytes,
                params->length_bytes, &read);
    file_buffer_read_reply(
        call, &(struct file_buffer_read_results){.outcome = outcome, .read_bytes = read});
}

static void on_buffer_write(void *context, struct capos_server_call *call,
                            const struct file_buffer_write_params *params)
{
    struct tree_buffer *buffer = &((struct tree_handle *)context)->buffer;
    struct tree_handle *file = buffer_file(
        call, buffer, params->file, params->buffer_offset_bytes, params->length_bytes, false);
    if (file == nullptr)
        return;
    uint32_t written;
    enum file_outcome outcome =
        write_at(file, params->offset_bytes, buffer->address + params->buffer_offset_bytes,
                 params->length_bytes, &written);
    file_buffer_write_reply(call, &(struct file_buffer_write_results){
                                      .outcome = outcome, .written_bytes = written});
}

static void on_buffer_append(void *context, struct capos_server_call *call,
                             const struct file_buffer_append_params *params)
{
    struct tree_buffer *buffer = &((struct tree_handle *)context)->buffer;
    struct tree_handle *file = buffer_file(
        call, buffer, params->file, params->buffer_offset_bytes, params->length_bytes, false);
    if (file == nullptr)
        return;
    uint32_t written;
    uint64_t offset;
    enum file_outcome outcome = append(file, buffer->address + params->buffer_offset_bytes,
                                       params->length_bytes, &written, &offset);
    file_buffer_append_reply(
        call, &(struct file_buffer_append_results){
                  .outcome = outcome, .written_bytes = written, .offset_bytes = offset});
}

const struct file_buffer_server_ops tree_buffer_ops = {
    .read = on_buffer_read,
    .write = on_buffer_write,
    .append = on_buffer_append,
};
