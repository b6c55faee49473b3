// SPDX-License-Identifier: MIT
// Owns what `--disk` means; see disk_file.h.  Tested by disk_file_test.c and
// tests/cli/store_test.py.
#include "disk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "size.h"

struct disk_parts disk_split(const char *text)
{
    struct disk_parts parts = {.file = text, .file_bytes = strlen(text)};
    for (int i = 0; i < 2 && parts.size_bytes == 0; i++) {
        const char *colon = memrchr(text, ':', parts.file_bytes);
        if (colon == nullptr)
            break;
        const char *part = colon + 1;
        size_t part_bytes = parts.file_bytes - (size_t)(part - text);
        if (!size_read(part, part_bytes, &parts.size_bytes)) {
            if (parts.guest != nullptr)
                break; // the colon belongs to the name of the file
            parts.guest = part;
            parts.guest_bytes = part_bytes;
        } else if (parts.size_bytes == 0) {
            parts.size_bytes = 1; // a size, and too small
        }
        parts.file_bytes = (size_t)(colon - text);
    }
    return parts;
}

static int file_make(const char *path, uint64_t size_bytes)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(EXIT_CAPOS_FAILED, "--disk: %s: %s", path, strerror(errno));
    int error = ftruncate(fd, (off_t)size_bytes) == 0 ? 0 : errno;
    close(fd);
    if (error == 0)
        return 0;
    unlink(path);
    return fail(EXIT_CAPOS_FAILED, "--disk: %s: %s", path, strerror(error));
}

// Whether a file could be made there.
static bool folder_exists(const char *path)
{
    char folder[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (slash == nullptr)
        return true;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path) + 1, path);
    return access(folder, F_OK) == 0;
}

// A file that is there stays as it is, whatever its size.
static int file_check(const char *path, uint64_t size_bytes, bool *out_is_device)
{
    struct stat status;
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    if (error == ENOENT && size_bytes != 0)
        return file_make(path, size_bytes);
    if (error == ENOENT && folder_exists(path))
        return fail(EXIT_CAPOS_FAILED,
                    "--disk: there is no %s; --disk %s:64M makes one of 64 MiB", path, path);
    if (error != 0)
        return fail(EXIT_CAPOS_FAILED, "--disk: %s: %s", path, strerror(error));
    bool known = fstat(fd, &status) == 0;
    close(fd);
    *out_is_device = known && S_ISBLK(status.st_mode);
    if (!known || (!*out_is_device && !S_ISREG(status.st_mode)))
        return fail(EXIT_CAPOS_FAILED, "--disk: %s is neither a file nor a block device", path);
    if (!*out_is_device && (uint64_t)status.st_size < DISK_BYTES_MIN)
        return fail(EXIT_CAPOS_FAILED, "--disk: %s has %lld bytes; a disk has 1 MiB or more",
                    path, (long long)status.st_size);
    return 0;
}

int disk_file_read(const char *text, struct disk_file *out_disk)
{
    struct disk_parts parts = disk_split(text);
    if (parts.file_bytes == 0)
        return fail(EXIT_CAPOS_FAILED, "--disk takes FILE[:SIZE][:GUEST], not %s", text);
    if (parts.size_bytes != 0 && parts.size_bytes < DISK_BYTES_MIN)
        return fail(EXIT_CAPOS_FAILED, "--disk: %s: a disk has 1M or more", text);
    if (parts.file_bytes >= sizeof out_disk->path)
        return fail(EXIT_CAPOS_FAILED, "--disk: %s: %s", text, strerror(ENAMETOOLONG));
    memcpy(out_disk->path, parts.file, parts.file_bytes);
    out_disk->path[parts.file_bytes] = 0;
    int status = directory_name_read(DIRECTORY_OF_DISK, parts.guest, parts.guest_bytes, "disk",
                                     out_disk->name);
    return status != 0 ? status
                       : file_check(out_disk->path, parts.size_bytes, &out_disk->is_device);
}
