// SPDX-License-Identifier: MIT
// Files that are open: File and ReadOnlyFile as descriptions.
#include "regular.h"

#include "errno.h"
#include "map.h"
#include "status.h"

#include <gen/capos/file.h>

// The largest piece that capos_file_write does as a whole or not at all is small; a write that
// meets the end of the medium tells of the pieces before.
constexpr size_t PIECE_BYTES = 65536;

static long ended(enum status status, enum file_outcome outcome)
{
    return status == STATUS_OK ? error_of_file(outcome) : error_of_status(status);
}

static long regular_read_at(struct open_file *file, void *buffer, size_t byte_count,
                            uint64_t offset)
{
    size_t read = 0;
    uint32_t error = capos_file_read(&file->file, offset, buffer, byte_count, &read);
    return error == 0 ? (long)read : error_of_file(error);
}

static long regular_read(struct open_file *file, void *buffer, size_t byte_count)
{
    long read = regular_read_at(file, buffer, byte_count, file->position);
    if (read > 0)
        file->position += (uint64_t)read;
    return read;
}

static long regular_write_at(struct open_file *file, const void *data, size_t byte_count,
                             uint64_t offset)
{
    const uint8_t *from = data;
    size_t done = 0;
    while (done < byte_count) {
        size_t rest = byte_count - done, count = rest < PIECE_BYTES ? rest : PIECE_BYTES;
        uint32_t error = capos_file_write(&file->file, offset + done, from + done, count);
        if (error != 0)
            return done > 0 ? (long)done : error_of_file(error);
        done += count;
    }
    return (long)done;
}

// Moves the position to the end of what was written.
static long regular_append(struct open_file *file, const void *data, size_t byte_count)
{
    size_t written = 0;
    uint64_t offset = 0;
    uint32_t error = capos_file_append(&file->file, data, byte_count, &written, &offset);
    if (written == 0 && error != 0)
        return error_of_file(error);
    if (written > 0)
        file->position = offset + written;
    return (long)written;
}

static long regular_write(struct open_file *file, const void *data, size_t byte_count)
{
    if ((file->flags & O_APPEND) != 0)
        return regular_append(file, data, byte_count);
    long written = regular_write_at(file, data, byte_count, file->position);
    if (written > 0)
        file->position += (uint64_t)written;
    return written;
}

static long regular_stat(struct open_file *file, struct directory_stat_results *out_stat)
{
    struct directory_stat_results *s = out_stat;
    *s = (struct directory_stat_results){};
    enum status status =
        file->file.read_only
            ? read_only_file_stat((read_only_file_cap){file->file.id}, &s->outcome, &s->kind,
                                  &s->mode, &s->link_count, &s->inode, &s->size_bytes,
                                  &s->stored_bytes, &s->version, &s->modified_ns,
                                  &s->changed_ns, &s->accessed_ns, &s->created_ns)
            : file_stat((file_cap){file->file.id}, &s->outcome, &s->kind, &s->mode,
                        &s->link_count, &s->inode, &s->size_bytes, &s->stored_bytes,
                        &s->version, &s->modified_ns, &s->changed_ns, &s->accessed_ns,
                        &s->created_ns);
    return ended(status, s->outcome);
}

static long regular_status(struct open_file *file, struct posix_stat *out_status)
{
    struct directory_stat_results stat;
    long error = regular_stat(file, &stat);
    if (error == 0)
        status_fill(&stat, file->device, out_status);
    return error;
}

static long regular_seek(struct open_file *file, int64_t offset, long whence)
{
    struct directory_stat_results stat;
    int64_t base = 0, position;
    long error = 0;
    if (whence == SEEK_CUR)
        base = (int64_t)file->position;
    else if (whence == SEEK_END && (error = regular_stat(file, &stat)) == 0)
        base = (int64_t)stat.size_bytes;
    else if (whence != SEEK_SET && whence != SEEK_END)
        error = -EINVAL;
    if (error != 0)
        return error;
    if (__builtin_add_overflow(base, offset, &position) || position < 0)
        return -EINVAL;
    file->position = (uint64_t)position;
    return position;
}

static long regular_truncate(struct open_file *file, uint64_t size_bytes)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if ((file->flags & O_ACCMODE) == O_RDONLY)
        return -EINVAL;
    return ended(file_truncate((file_cap){file->file.id}, size_bytes, &outcome), outcome);
}

// A file that was opened for reading alone has nothing to be made durable by this program.
static long regular_sync(struct open_file *file, bool data_only)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (file->file.read_only)
        return 0;
    enum status status = file_sync((file_cap){file->file.id}, data_only, &outcome);
    return ended(status, outcome);
}

static long regular_mode(struct open_file *file, uint16_t mode)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (file->file.read_only)
        return -EROFS;
    enum status status = file_set_attributes((file_cap){file->file.id}, true, false, false,
                                             mode, 0, 0, &outcome);
    return ended(status, outcome);
}

static void regular_close(struct open_file *file)
{
    capos_file_close(&file->file);
}

static const struct open_ops regular_ops = {
    .type = S_IFREG,
    .read = regular_read,
    .write = regular_write,
    .read_at = regular_read_at,
    .write_at = regular_write_at,
    .seek = regular_seek,
    .status = regular_status,
    .truncate = regular_truncate,
    .sync = regular_sync,
    .map = map_regular,
    .mode = regular_mode,
    .close = regular_close,
};

long regular_open(struct capos_file file, uint32_t device, uint32_t flags, bool close_on_exec)
{
    struct open_file *opened = open_file_create(&regular_ops, flags);
    if (opened == nullptr) {
        capos_file_close(&file);
        return -ENOMEM;
    }
    opened->file = file;
    opened->device = device;
    return descriptor_install(opened, 0, close_on_exec);
}
