// SPDX-License-Identifier: MIT
// Owns the host's lists of boot package files.  The layout is lib/boot_package.c's.
// Tested by package_test.c.
#include "package.h"

#include <errno.h>
#include <lib/boot_package.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool package_add(struct package *package, const char *name, const void *data, size_t bytes)
{
    struct package_file file = {.name = name, .data = data, .bytes = bytes};
    for (size_t i = 0; i < package->count; i++) {
        if (strcmp(package->files[i].name, name) == 0) {
            package->files[i] = file;
            return true;
        }
    }
    if (package->count == PACKAGE_FILES_MAX)
        return false;
    package->files[package->count++] = file;
    return true;
}

const struct package_file *package_find(const struct package *package, const char *name)
{
    for (size_t i = 0; i < package->count; i++) {
        if (strcmp(package->files[i].name, name) == 0)
            return &package->files[i];
    }
    return nullptr;
}

bool package_add_all(struct package *package, const void *image, size_t bytes)
{
    if (!boot_package_check(image, bytes))
        return false;
    const struct capos_boot_package *header = image;
    for (uint32_t i = 0; i < boot_package_count(header); i++) {
        const struct capos_boot_entry *entry = boot_package_at(header, i);
        if (!package_add(package, entry->name, (const uint8_t *)image + entry->offset_bytes,
                         entry->size_bytes))
            return false;
    }
    return true;
}

// Makes the header and the sorted table; nullptr if the names or sizes don't allow it.
static struct capos_boot_package *package_table(const struct package *package)
{
    uint32_t count = (uint32_t)package->count;
    struct capos_boot_package *header = calloc(1, boot_package_table_bytes(count));
    if (header == nullptr)
        return nullptr;
    header->entry_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct package_file *file = &package->files[i];
        header->entries[i].size_bytes = file->bytes;
        if (!boot_package_name_set(&header->entries[i], file->name, strlen(file->name))) {
            free(header);
            return nullptr;
        }
    }
    qsort(header->entries, count, sizeof header->entries[0], boot_package_compare);
    if (!boot_package_layout(header)) {
        free(header);
        return nullptr;
    }
    return header;
}

static bool write_all(int fd, const void *data, size_t bytes, uint64_t offset)
{
    const uint8_t *from = data;
    while (bytes > 0) {
        ssize_t written = pwrite(fd, from, bytes, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        from += written;
        bytes -= (size_t)written;
        offset += (uint64_t)written;
    }
    return true;
}

const char *package_write(const struct package *package, int fd)
{
    struct capos_boot_package *header = package_table(package);
    if (header == nullptr)
        return "a file's name is too long or empty, or the package is too large";
    // ftruncate makes the zeros between the files.
    bool ok = ftruncate(fd, 0) == 0 && ftruncate(fd, (off_t)header->package_bytes) == 0 &&
              write_all(fd, header, boot_package_table_bytes(header->entry_count), 0);
    for (uint32_t i = 0; ok && i < header->entry_count; i++) {
        const struct capos_boot_entry *entry = &header->entries[i];
        const struct package_file *file = package_find(package, entry->name);
        ok = write_all(fd, file->data, file->bytes, entry->offset_bytes);
    }
    free(header);
    return ok ? nullptr : strerror(errno);
}
