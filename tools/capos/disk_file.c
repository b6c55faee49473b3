// SPDX-License-Identifier: MIT
// `capos run --disk FILE[:SIZE]`; see disk_file.h.  Tested by disk_file_test.c and
// tests/cli/store_test.py.
#include "disk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "say.h"

// Reads a size; false if the text is none.
static bool size_read(const char *text, uint64_t *out_bytes)
{
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return false;
    *out_bytes = strtoull(text, &end, 10);
    const char *unit = *end != 0 ? strchr(units, *end) : nullptr;
    if (errno != 0 || (*end != 0 && (unit == nullptr || end[1] != 0)))
        return false;
    unsigned shift = unit != nullptr ? 10 * (unsigned)(unit - units + 1) : 0;
    bool fits = *out_bytes <= (uint64_t)INT64_MAX >> shift;
    *out_bytes = fits ? *out_bytes << shift : 0;
    return true;
}

bool disk_file_read(const char *text, char *out_path, size_t path_bytes, uint64_t *out_bytes)
{
    const char *colon = strrchr(text, ':');
    bool sized = colon != nullptr && size_read(colon + 1, out_bytes);
    size_t bytes = sized ? (size_t)(colon - text) : strlen(text);
    if (!sized)
        *out_bytes = 0;
    if (bytes == 0 || bytes >= path_bytes || (sized && *out_bytes < DISK_BYTES_MIN))
        return false;
    memcpy(out_path, text, bytes);
    out_path[bytes] = 0;
    return true;
}

// A file that is there stays as it is, whatever its size.
static int file_make(const char *path, uint64_t bytes)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && bytes == 0)
        return fail(EXIT_CAPOS_FAILED,
                    "--disk: there is no %s; --disk %s:64M makes one of 64 MiB", path, path);
    if (fd < 0 && errno == ENOENT) {
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0) {
            close(fd);
            return fail(EXIT_CAPOS_FAILED, "--disk: %s: %s", path, strerror(errno));
        }
    }
    if (fd < 0)
        return fail(EXIT_CAPOS_FAILED, "--disk: %s: %s", path, strerror(errno));
    close(fd);
    return 0;
}

// In an option of QEMU's a comma is written twice.
static void drive_write(char *to, size_t bytes, const char *path)
{
    size_t used = (size_t)snprintf(to, bytes, "if=none,id=disk,format=raw,file=");
    for (; *path != 0 && used + 3 < bytes; path++) {
        to[used++] = *path;
        if (*path == ',')
            to[used++] = ',';
    }
    to[used] = 0;
}

int disk_file_add(struct run_options *options)
{
    static char path[PATH_BYTES], drive[2 * PATH_BYTES + 64];
    uint64_t bytes;
    if (!disk_file_read(options->disk, path, sizeof path, &bytes))
        return fail(EXIT_CAPOS_FAILED,
                    "--disk takes FILE or FILE:SIZE of 1M or more, not %.80s", options->disk);
    int status = file_make(path, bytes);
    if (status != 0)
        return status;
    drive_write(drive, sizeof drive, path);
    const char *const more[] = {"-drive", drive, "-device", "virtio-blk-device,drive=disk"};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        options->qemu_arguments[options->qemu_argument_count++] = more[i];
    return 0;
}
