// SPDX-License-Identifier: MIT
// Calls on descriptors: reading, writing, seeking, and what else a kind of description may have.
#include "descriptor.h"
#include "errno.h"

#include <posix/calls.h>

constexpr size_t BYTES_MAX = 0x7ffff000; // of one call, as on Linux

// A description with its lock, if it needs one, for one call.
static struct open_file *take(long descriptor)
{
    struct open_file *file = descriptor_get(descriptor);
    if (file != nullptr && !file->ops->stateless)
        capos_mutex_lock(&file->lock);
    return file;
}

static long give(struct open_file *file, long result)
{
    if (!file->ops->stateless)
        capos_mutex_unlock(&file->lock);
    open_file_put(file);
    if (result == -EPIPE)
        (void)call_tkill(call_gettid(), SIGPIPE);
    return result;
}

// The same if it can be read from; nullptr is EBADF in both cases.
static struct open_file *take_readable(long descriptor)
{
    struct open_file *file = take(descriptor);
    if (file == nullptr ||
        (file->ops->read != nullptr && (file->flags & O_ACCMODE) != O_WRONLY))
        return file;
    (void)give(file, 0);
    return nullptr;
}

// The same if it can be written to.
static struct open_file *take_writable(long descriptor)
{
    struct open_file *file = take(descriptor);
    if (file == nullptr ||
        (file->ops->write != nullptr && (file->flags & O_ACCMODE) != O_RDONLY))
        return file;
    (void)give(file, 0);
    return nullptr;
}

static size_t bounded(long byte_count)
{
    return (size_t)byte_count < BYTES_MAX ? (size_t)byte_count : BYTES_MAX;
}

long call_read(long descriptor, long buffer, long byte_count)
{
    struct open_file *file = take_readable(descriptor);
    if (file == nullptr)
        return -EBADF;
    return give(file, file->ops->read(file, (void *)buffer, bounded(byte_count)));
}

long call_write(long descriptor, long data, long byte_count)
{
    struct open_file *file = take_writable(descriptor);
    if (file == nullptr)
        return -EBADF;
    return give(file, file->ops->write(file, (const void *)data, bounded(byte_count)));
}

// Does a call for each piece until one of them is short.
static long each(struct open_file *file, const struct posix_iovec *pieces, long count,
                 long (*transfer)(struct open_file *file, const struct posix_iovec *piece))
{
    size_t done = 0;
    for (long i = 0; i < count; i++) {
        if (pieces[i].iov_len == 0)
            continue;
        long moved = transfer(file, &pieces[i]);
        if (moved < 0)
            return done > 0 ? (long)done : moved;
        done += (size_t)moved;
        if ((uint64_t)moved < pieces[i].iov_len)
            break;
    }
    return (long)done;
}

static long read_piece(struct open_file *file, const struct posix_iovec *piece)
{
    return file->ops->read(file, piece->iov_base, piece->iov_len);
}

static long write_piece(struct open_file *file, const struct posix_iovec *piece)
{
    return file->ops->write(file, piece->iov_base, piece->iov_len);
}

static bool pieces_are_valid(const struct posix_iovec *pieces, long count)
{
    size_t bytes = 0;
    if (count < 0 || count > IOV_MAX)
        return false;
    for (long i = 0; i < count; i++)
        if (__builtin_add_overflow(bytes, pieces[i].iov_len, &bytes) || bytes > BYTES_MAX)
            return false;
    return true;
}

long call_readv(long descriptor, long pieces, long count)
{
    struct open_file *file = take_readable(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (!pieces_are_valid((const struct posix_iovec *)pieces, count))
        return give(file, -EINVAL);
    return give(file, each(file, (const struct posix_iovec *)pieces, count, read_piece));
}

long call_writev(long descriptor, long pieces, long count)
{
    struct open_file *file = take_writable(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (!pieces_are_valid((const struct posix_iovec *)pieces, count))
        return give(file, -EINVAL);
    return give(file, each(file, (const struct posix_iovec *)pieces, count, write_piece));
}

long call_pread64(long descriptor, long buffer, long byte_count, long offset)
{
    struct open_file *file = take_readable(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (file->ops->read_at == nullptr)
        return give(file, file->ops->type == S_IFDIR ? -EISDIR : -ESPIPE);
    if (offset < 0)
        return give(file, -EINVAL);
    return give(
        file, file->ops->read_at(file, (void *)buffer, bounded(byte_count), (uint64_t)offset));
}

long call_pwrite64(long descriptor, long data, long byte_count, long offset)
{
    struct open_file *file = take_writable(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (file->ops->write_at == nullptr)
        return give(file, -ESPIPE);
    if (offset < 0)
        return give(file, -EINVAL);
    return give(file, file->ops->write_at(file, (const void *)data, bounded(byte_count),
                                          (uint64_t)offset));
}

long call_lseek(long descriptor, long offset, long whence)
{
    struct open_file *file = take(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (file->ops->seek == nullptr)
        return give(file, -ESPIPE);
    return give(file, file->ops->seek(file, offset, whence));
}

long call_ftruncate(long descriptor, long size_bytes)
{
    struct open_file *file = take(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (file->ops->truncate == nullptr || size_bytes < 0)
        return give(file, -EINVAL);
    return give(file, file->ops->truncate(file, (uint64_t)size_bytes));
}

static long sync_descriptor(long descriptor, bool data_only)
{
    struct open_file *file = take(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (file->ops->sync == nullptr)
        return give(file, -EINVAL);
    return give(file, file->ops->sync(file, data_only));
}

long call_fsync(long descriptor)
{
    return sync_descriptor(descriptor, false);
}

long call_fdatasync(long descriptor)
{
    return sync_descriptor(descriptor, true);
}

long call_ioctl(long descriptor, long request, long argument)
{
    struct open_file *file = take(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (file->ops->control == nullptr)
        return give(file, -ENOTTY);
    return give(file, file->ops->control(file, request, (void *)argument));
}

long call_getdents64(long descriptor, long buffer, long byte_count)
{
    struct open_file *file = take(descriptor);
    if (file == nullptr)
        return -EBADF;
    if (file->ops->list == nullptr)
        return give(file, -ENOTDIR);
    return give(file, file->ops->list(file, (void *)buffer, bounded(byte_count)));
}
