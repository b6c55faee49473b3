// SPDX-License-Identifier: MIT
// What is known of files: stat and its family.
#include "status.h"

#include "descriptor.h"
#include "device.h"
#include "errno.h"
#include "process.h"
#include "resolve.h"

#include <posix/calls.h>
#include <string.h>

constexpr int64_t NS_PER_S = 1'000'000'000;
constexpr uint32_t ROOT_DEVICE = 1;

static struct posix_timespec time_of(int64_t time_ns)
{
    int64_t seconds = time_ns / NS_PER_S, rest = time_ns % NS_PER_S;
    if (rest < 0) {
        seconds--;
        rest += NS_PER_S;
    }
    return (struct posix_timespec){seconds, rest};
}

static uint32_t type_of(enum file_kind kind)
{
    switch (kind) {
    case FILE_KIND_DIRECTORY:
        return S_IFDIR;
    case FILE_KIND_SYMLINK:
        return S_IFLNK;
    case FILE_KIND_OTHER:
        return S_IFCHR;
    default:
        return S_IFREG;
    }
}

void status_fill(const struct directory_stat_results *stat, uint32_t device,
                 struct posix_stat *out_status)
{
    *out_status = (struct posix_stat){
        .st_dev = device,
        .st_ino = stat->inode,
        .st_nlink = stat->link_count,
        .st_mode = type_of(stat->kind) | stat->mode,
        .st_uid = IDENTITY,
        .st_gid = IDENTITY,
        .st_size = (int64_t)stat->size_bytes,
        .st_blksize = 65536,
        .st_blocks = (int64_t)((stat->stored_bytes + 511) / 512),
        .st_atim = time_of(stat->accessed_ns),
        .st_mtim = time_of(stat->modified_ns),
        .st_ctim = time_of(stat->changed_ns),
    };
}

void status_of_root(struct posix_stat *out_status)
{
    const struct directory_stat_results stat = {
        .kind = FILE_KIND_DIRECTORY, .mode = 0555, .link_count = 1, .inode = 1};
    status_fill(&stat, ROOT_DEVICE, out_status);
}

long status_of(const struct capos_directory *from, const char *path, bool follow,
               uint32_t device, struct posix_stat *out_status)
{
    struct directory_stat_results stat;
    long error = error_of_file(capos_file_stat(from, path, follow, &stat));
    if (error == 0)
        status_fill(&stat, device, out_status);
    return error;
}

static long status_of_path(long from, const char *path, bool follow,
                           struct posix_stat *out_status)
{
    struct resolved resolved;
    resolved.absolute[0] = '\0';
    long error = resolve(from, path, &resolved);
    const struct device *device = device_find(resolved.absolute);
    if (device != nullptr && !grant_present("dev")) {
        device_status(device, out_status);
        return 0;
    }
    if (error != 0)
        return error;
    if (resolved.directory.id == 0) {
        status_of_root(out_status);
        return 0;
    }
    error = status_of(&resolved.directory, resolved.path, follow || resolved.ends_with_slash,
                      resolved.device, out_status);
    if (error == 0 && resolved.ends_with_slash && (out_status->st_mode & S_IFDIR) == 0)
        error = -ENOTDIR;
    return error;
}

static long status_of_descriptor(long descriptor, struct posix_stat *out_status)
{
    struct open_file *file = descriptor_get(descriptor);
    if (file == nullptr)
        return -EBADF;
    capos_mutex_lock(&file->lock);
    long error = file->ops->status(file, out_status);
    capos_mutex_unlock(&file->lock);
    open_file_put(file);
    return error;
}

long call_stat(long path, long status)
{
    return status_of_path(AT_FDCWD, (const char *)path, true, (struct posix_stat *)status);
}

long call_lstat(long path, long status)
{
    return status_of_path(AT_FDCWD, (const char *)path, false, (struct posix_stat *)status);
}

long call_fstat(long descriptor, long status)
{
    return status_of_descriptor(descriptor, (struct posix_stat *)status);
}

long call_newfstatat(long from, long path, long status, long flags)
{
    if ((flags & ~(long)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | 0x800)) != 0) // AT_NO_AUTOMOUNT
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) != 0 && *(const char *)path == '\0' && from != AT_FDCWD)
        return status_of_descriptor(from, (struct posix_stat *)status);
    return status_of_path(from, (const char *)path, (flags & AT_SYMLINK_NOFOLLOW) == 0,
                          (struct posix_stat *)status);
}

// What the program may do follows from what it holds: all may be read, nothing in a read-only
// directory be written; whether a file may be executed, its mode says.
static long access_of(long from, const char *path, long mode)
{
    struct posix_stat status;
    struct resolved resolved;
    long error = status_of_path(from, path, true, &status);
    if (error == 0 && (status.st_mode & S_IFCHR) == S_IFCHR)
        return (mode & X_OK) != 0 ? -EACCES : 0;
    if (error == 0)
        error = resolve(from, path, &resolved);
    if (error != 0)
        return error;
    bool writable = resolved.directory.id != 0 && !resolved.directory.read_only;
    if ((mode & W_OK) != 0 && !writable)
        return -EROFS;
    if ((mode & X_OK) != 0 && (status.st_mode & 0111) == 0)
        return -EACCES;
    return 0;
}

long call_access(long path, long mode)
{
    return access_of(AT_FDCWD, (const char *)path, mode);
}

long call_faccessat(long from, long path, long mode)
{
    return access_of(from, (const char *)path, mode);
}

long call_faccessat2(long from, long path, long mode, long flags)
{
    if ((flags & ~(long)(AT_EACCESS | AT_SYMLINK_NOFOLLOW)) != 0)
        return -EINVAL;
    return access_of(from, (const char *)path, mode);
}

// EINVAL: it isn't a symlink.
long call_readlinkat(long from, long path, long buffer, long byte_count)
{
    struct resolved resolved;
    char target[CAPOS_PATH_BYTES_MAX + 1];
    long error = resolve(from, (const char *)path, &resolved);
    if (error != 0)
        return error;
    if (byte_count <= 0 || resolved.directory.id == 0)
        return -EINVAL;
    uint32_t outcome = capos_file_read_symlink(&resolved.directory, resolved.path, target);
    if (outcome != 0)
        return outcome == FILE_OUTCOME_NOT_SUPPORTED ? -EINVAL : error_of_file(outcome);
    size_t bytes = strlen(target);
    if (bytes > (size_t)byte_count)
        bytes = (size_t)byte_count;
    memcpy((void *)buffer, target, bytes);
    return (long)bytes;
}

long call_readlink(long path, long buffer, long byte_count)
{
    return call_readlinkat(AT_FDCWD, path, buffer, byte_count);
}
