// SPDX-License-Identifier: MIT
// Owns how `capos` finds and reads files of the host.
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

int file_map_open(const char *path, struct file_map *out_map)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    struct stat status;
    int error = fstat(fd, &status) == 0 ? 0 : errno;
    if (error == 0 && !S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    *out_map = (struct file_map){.bytes = error == 0 ? (size_t)status.st_size : 0};
    if (out_map->bytes > 0) {
        void *data = mmap(nullptr, out_map->bytes, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            error = errno;
        else
            out_map->data = data;
    }
    close(fd);
    return error;
}

void file_map_close(struct file_map *map)
{
    if (map->data != nullptr)
        munmap((void *)(uintptr_t)map->data, map->bytes);
    *map = (struct file_map){};
}

// The folder of the clone: three levels up from build/host/capos.
static const char *tree_root(void)
{
    static char root[PATH_BYTES];
    if (root[0] != 0)
        return root;
    ssize_t bytes = readlink("/proc/self/exe", root, sizeof root - 1);
    root[bytes > 0 ? bytes : 0] = 0;
    for (int level = 0; level < 3; level++) {
        char *slash = strrchr(root, '/');
        if (slash == nullptr)
            exit(fail(EXIT_CAPOS_FAILED, "can't find the folder that capOS was built in"));
        *slash = 0;
    }
    return root;
}

void tree_path(char out_path[PATH_BYTES], const char *format, ...)
{
    int bytes = snprintf(out_path, PATH_BYTES, "%s/", tree_root());
    va_list arguments;
    va_start(arguments, format);
    if (bytes > 0 && bytes < (int)PATH_BYTES)
        bytes += vsnprintf(out_path + bytes, PATH_BYTES - (size_t)bytes, format, arguments);
    va_end(arguments);
    if (bytes < 0 || bytes >= (int)PATH_BYTES)
        exit(fail(EXIT_CAPOS_FAILED, "a path is too long"));
}

bool command_find(const char *name, char out_path[PATH_BYTES])
{
    const char *path = getenv("PATH");
    while (path != nullptr && *path != 0) {
        size_t bytes = strcspn(path, ":");
        int written = snprintf(out_path, PATH_BYTES, "%.*s/%s", (int)bytes, path, name);
        if (written > 0 && written < (int)PATH_BYTES && access(out_path, X_OK) == 0)
            return true;
        path += bytes + (path[bytes] == ':');
    }
    return false;
}
