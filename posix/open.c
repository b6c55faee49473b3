// SPDX-License-Identifier: MIT
// open and its family.
//
// What is opened for reading alone is a ReadOnlyFile, so the program can't change it by
// accident.  A file in a read-only directory can't be opened for writing: EROFS.
#include "change.h"
#include "descriptor.h"
#include "device.h"
#include "errno.h"
#include "list.h"
#include "regular.h"
#include "resolve.h"

#include <posix/calls.h>
#include <gen/capos/directory.h>
#include <string.h>

constexpr uint32_t KEPT_FLAGS = O_ACCMODE | O_APPEND | O_NONBLOCK;

static long ended(enum status status, enum file_outcome outcome)
{
    return status == STATUS_OK ? error_of_file(outcome) : error_of_status(status);
}

// A description of its own of the directory.
static long open_directory(const struct resolved *resolved, uint32_t flags)
{
    const struct capos_directory *from = &resolved->directory;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    enum status status = STATUS_OK;
    read_only_directory_cap narrow = {};
    directory_cap wide = {};
    bool no_follow = (flags & O_NOFOLLOW) != 0;
    if (from->id != 0 && from->read_only)
        status = read_only_directory_open_read_only_directory(
            (read_only_directory_cap){from->id}, resolved->path, strlen(resolved->path),
            no_follow, &outcome, nullptr, &narrow);
    else if (from->id != 0)
        status = directory_open_directory((directory_cap){from->id}, resolved->path,
                                          strlen(resolved->path), false, no_follow, 0, &outcome,
                                          nullptr, nullptr, &wide);
    long error = ended(status, outcome);
    if (error != 0)
        return error;
    if ((flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0) {
        capos_release(narrow.id != 0 ? narrow.id : wide.id);
        return -EISDIR;
    }
    struct capos_directory opened = {narrow.id != 0 ? narrow.id : wide.id, from->read_only};
    return list_open(opened, resolved, flags & KEPT_FLAGS, (flags & O_CLOEXEC) != 0);
}

static long open_read_only(const struct resolved *resolved, uint32_t flags)
{
    const struct capos_directory *from = &resolved->directory;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    struct capos_file file;
    read_only_file_cap opened = {};
    bool no_follow = (flags & O_NOFOLLOW) != 0;
    enum status status =
        from->read_only
            ? read_only_directory_open_read_only((read_only_directory_cap){from->id},
                                                 resolved->path, strlen(resolved->path),
                                                 no_follow, &outcome, nullptr, nullptr, &opened)
            : directory_open_read_only((directory_cap){from->id}, resolved->path,
                                       strlen(resolved->path), no_follow, &outcome, nullptr,
                                       nullptr, &opened);
    long error = ended(status, outcome);
    if (error == -EISDIR)
        return open_directory(resolved, flags);
    if (error != 0)
        return error;
    capos_file_init(&file, opened.id, true);
    return regular_open(file, resolved->device, flags & KEPT_FLAGS, (flags & O_CLOEXEC) != 0);
}

// Why a file can't be opened for writing where nothing can be written.
static long refuse_writing(const struct resolved *resolved, uint32_t flags)
{
    struct directory_stat_results stat;
    uint32_t error = capos_file_stat(&resolved->directory, resolved->path, true, &stat);
    if (error == FILE_OUTCOME_NOT_FOUND && (flags & O_CREAT) != 0)
        return -EROFS;
    if (error != 0)
        return error_of_file(error);
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0)
        return -EEXIST;
    return stat.kind == FILE_KIND_DIRECTORY ? -EISDIR : -EROFS;
}

static long open_for_change(const struct resolved *resolved, uint32_t flags, uint16_t mode)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    struct capos_file file;
    file_cap opened = {};
    if (resolved->directory.read_only)
        return refuse_writing(resolved, flags);
    bool create = (flags & O_CREAT) != 0, exclusive = create && (flags & O_EXCL) != 0;
    enum status status = directory_open(
        (directory_cap){resolved->directory.id}, resolved->path, strlen(resolved->path), create,
        exclusive, (flags & O_TRUNC) != 0, (flags & O_NOFOLLOW) != 0, change_new_mode(mode),
        &outcome, nullptr, nullptr, nullptr, &opened);
    long error = ended(status, outcome);
    if (error != 0)
        return error;
    capos_file_init(&file, opened.id, false);
    return regular_open(file, resolved->device, flags & KEPT_FLAGS, (flags & O_CLOEXEC) != 0);
}

// EROFS: something would be made where nothing can.
static long open_in_root(const struct resolved *resolved, uint32_t flags)
{
    if (resolved->path[0] == '\0')
        return open_directory(resolved, flags);
    return (flags & O_CREAT) != 0 ? -EROFS : -ENOENT;
}

// EOPNOTSUPP: O_TMPFILE, and O_PATH of what isn't a directory.
long call_openat(long from, long path, long flags_given, long mode)
{
    struct resolved resolved;
    uint32_t flags = (uint32_t)flags_given;
    constexpr uint32_t CHANGES = O_CREAT | O_TRUNC;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return -EOPNOTSUPP;
    resolved.absolute[0] = '\0';
    long error = resolve(from, (const char *)path, &resolved);
    const struct device *device = device_find(resolved.absolute);
    if (device != nullptr && !grant_present("dev"))
        return device_open(device, flags);
    if (resolved.directory.id == 0 && (error == 0 || error == -ENOENT) &&
        *(const char *)path != '\0')
        return open_in_root(&resolved, flags);
    if (error != 0)
        return error;
    if ((flags & O_DIRECTORY) != 0 || resolved.path[0] == '\0' || resolved.ends_with_slash)
        return open_directory(&resolved, flags);
    if ((flags & O_ACCMODE) == O_RDONLY && (flags & CHANGES) == 0)
        return open_read_only(&resolved, flags);
    return open_for_change(&resolved, flags, (uint16_t)mode);
}

long call_open(long path, long flags, long mode)
{
    return call_openat(AT_FDCWD, path, flags, mode);
}

long call_creat(long path, long mode)
{
    return call_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
