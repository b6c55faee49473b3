// SPDX-License-Identifier: MIT
// What changes names: making, removing, renaming, modes and times.
#include "change.h"

#include "descriptor.h"
#include "errno.h"
#include "resolve.h"
#include "time.h"

#include <posix/calls.h>
#include <gen/capos/directory.h>
#include <string.h>

constexpr uint32_t MODE_BITS = 07777, UMASK_BITS = 0777;

static uint32_t umask_now = 022;

uint16_t change_new_mode(uint32_t mode)
{
    return (uint16_t)(mode & MODE_BITS & ~__atomic_load_n(&umask_now, __ATOMIC_RELAXED));
}

long call_umask(long mask)
{
    return __atomic_exchange_n(&umask_now, (uint32_t)mask & UMASK_BITS, __ATOMIC_RELAXED);
}

static long ended(enum status status, enum file_outcome outcome)
{
    return status == STATUS_OK ? error_of_file(outcome) : error_of_status(status);
}

// Where a name is to be changed.  EROFS: in the root that has the grants alone, in a read-only
// directory, or a grant itself.
static long resolve_change(long from, long path, struct resolved *out_resolved)
{
    out_resolved->directory = (struct capos_directory){};
    long error = resolve(from, (const char *)path, out_resolved);
    if (error == -ENOENT && *(const char *)path != '\0')
        return -EROFS;
    if (error != 0)
        return error;
    bool fixed = out_resolved->directory.id == 0 || out_resolved->directory.read_only ||
                 out_resolved->path[0] == '\0';
    return fixed ? -EROFS : 0;
}

// The same for a name that must be there: ENOENT comes before EROFS.
static long resolve_existing(long from, long path, struct resolved *out_resolved)
{
    struct directory_stat_results stat;
    long error = resolve_change(from, path, out_resolved);
    if (error != -EROFS)
        return error;
    error = resolve(from, (const char *)path, out_resolved);
    if (error == 0 && out_resolved->directory.id != 0)
        error = error_of_file(
            capos_file_stat(&out_resolved->directory, out_resolved->path, false, &stat));
    return error == 0 ? -EROFS : error;
}

static directory_cap directory_of(const struct resolved *resolved)
{
    return (directory_cap){resolved->directory.id};
}

// ---- Making --------------------------------------------------------------------------

// Something that is there already is EEXIST, also where nothing could be made.
static long resolve_new(long from, long path, struct resolved *out_resolved)
{
    struct directory_stat_results stat;
    long error = resolve_change(from, path, out_resolved);
    if (error != -EROFS || resolve(from, (const char *)path, out_resolved) != 0)
        return error;
    if (out_resolved->directory.id == 0 ||
        capos_file_stat(&out_resolved->directory, out_resolved->path, false, &stat) == 0)
        return -EEXIST;
    return -EROFS;
}

long call_mkdirat(long from, long path, long mode)
{
    struct resolved resolved;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    long error = resolve_new(from, path, &resolved);
    if (error != 0)
        return error;
    enum status status = directory_create_directory(directory_of(&resolved), resolved.path,
                                                    strlen(resolved.path),
                                                    change_new_mode((uint32_t)mode), &outcome);
    return ended(status, outcome);
}

long call_mkdir(long path, long mode)
{
    return call_mkdirat(AT_FDCWD, path, mode);
}

long call_symlinkat(long target, long from, long path)
{
    struct resolved resolved;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    size_t bytes = strlen((const char *)target);
    if (bytes == 0)
        return -ENOENT;
    if (bytes > CAPOS_PATH_BYTES_MAX)
        return -ENAMETOOLONG;
    long error = resolve_new(from, path, &resolved);
    if (error != 0)
        return error;
    enum status status =
        directory_create_symlink(directory_of(&resolved), resolved.path, strlen(resolved.path),
                                 (const char *)target, bytes, &outcome);
    return ended(status, outcome);
}

long call_symlink(long target, long path)
{
    return call_symlinkat(target, AT_FDCWD, path);
}

// ---- Removing and renaming -----------------------------------------------------------

long call_unlinkat(long from, long path, long flags)
{
    struct resolved resolved;
    if ((flags & ~(long)AT_REMOVEDIR) != 0)
        return -EINVAL;
    long error = resolve_existing(from, path, &resolved);
    if (error != 0)
        return error;
    return error_of_file(capos_file_remove(&resolved.directory, resolved.path,
                                           flags != 0 ? DIRECTORY_REMOVAL_DIRECTORY
                                                      : DIRECTORY_REMOVAL_NOT_DIRECTORY));
}

long call_unlink(long path)
{
    return call_unlinkat(AT_FDCWD, path, 0);
}

long call_rmdir(long path)
{
    return call_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

// EXDEV: the two are of different services.
long call_renameat2(long from, long path, long to, long to_path, long flags)
{
    struct resolved old, new;
    enum directory_replacement replacement = DIRECTORY_REPLACEMENT_REPLACE;
    if (flags == RENAME_NOREPLACE)
        replacement = DIRECTORY_REPLACEMENT_REFUSE;
    else if (flags == RENAME_EXCHANGE)
        replacement = DIRECTORY_REPLACEMENT_EXCHANGE;
    else if (flags != 0)
        return -EINVAL;
    long error = resolve_existing(from, path, &old);
    if (error == 0)
        error = resolve_change(to, to_path, &new);
    if (error != 0)
        return error;
    return error_of_file(
        capos_file_rename(&old.directory, old.path, &new.directory, new.path, replacement));
}

long call_renameat(long from, long path, long to, long to_path)
{
    return call_renameat2(from, path, to, to_path, 0);
}

long call_rename(long path, long to_path)
{
    return call_renameat2(AT_FDCWD, path, AT_FDCWD, to_path, 0);
}

// ---- Attributes and size -----------------------------------------------------------

long call_fchmodat(long from, long path, long mode)
{
    struct resolved resolved;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    long error = resolve_existing(from, path, &resolved);
    if (error != 0)
        return error;
    enum status status = directory_set_attributes(
        directory_of(&resolved), resolved.path, strlen(resolved.path), false, true, false,
        false, (uint16_t)((uint32_t)mode & MODE_BITS), 0, 0, &outcome);
    return ended(status, outcome);
}

long call_chmod(long path, long mode)
{
    return call_fchmodat(AT_FDCWD, path, mode);
}

long call_fchmod(long descriptor, long mode)
{
    struct open_file *file = descriptor_get(descriptor);
    long error = -EINVAL;
    if (file == nullptr)
        return -EBADF;
    capos_mutex_lock(&file->lock);
    if (file->ops->mode != nullptr)
        error = file->ops->mode(file, (uint16_t)((uint32_t)mode & MODE_BITS));
    capos_mutex_unlock(&file->lock);
    open_file_put(file);
    return error;
}

// One of the two times: whether to set it, and to what.  EPERM: to now, which the program can't
// know.
static long time_to_set(const struct posix_timespec *given, bool *out_set, int64_t *out_ns)
{
    *out_set = given == nullptr || given->tv_nsec != UTIME_OMIT;
    *out_ns = 0;
    if (!*out_set)
        return 0;
    if (given == nullptr || given->tv_nsec == UTIME_NOW)
        return -EPERM;
    return time_to_ns(given, out_ns) ? 0 : -EINVAL;
}

long call_utimensat(long from, long path, long times, long flags)
{
    const struct posix_timespec *given = (const struct posix_timespec *)times;
    struct resolved resolved;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    bool set_accessed, set_modified;
    int64_t accessed_ns, modified_ns;
    if (path == 0 || (flags & ~(long)AT_SYMLINK_NOFOLLOW) != 0)
        return -EINVAL;
    long error = resolve_existing(from, path, &resolved);
    if (error == 0)
        error = time_to_set(given, &set_accessed, &accessed_ns);
    if (error == 0)
        error =
            time_to_set(given == nullptr ? nullptr : given + 1, &set_modified, &modified_ns);
    if (error != 0)
        return error;
    enum status status = directory_set_attributes(
        directory_of(&resolved), resolved.path, strlen(resolved.path), flags != 0, false,
        set_modified, set_accessed, 0, modified_ns, accessed_ns, &outcome);
    return ended(status, outcome);
}

long call_truncate(long path, long size_bytes)
{
    long descriptor = call_openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (descriptor < 0)
        return descriptor;
    long error = call_ftruncate(descriptor, size_bytes);
    (void)call_close(descriptor);
    return error;
}
