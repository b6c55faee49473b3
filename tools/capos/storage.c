// SPDX-License-Identifier: MIT
// What --dir, --disk and --tmp give to a program; see storage.h.
// Tested by storage_test.c, tests/cli/dir_test.py, store_test.py and tmp_test.py.
#include "storage.h"

#include <gen/interfaces.h>
#include <stdio.h>
#include <string.h>

#include "say.h"
#include "size.h"

// As Ramfs.create takes them (schema/ramfs.capnp).
constexpr uint64_t TMP_BYTES_MIN = 64 << 10;
constexpr uint64_t TMP_BYTES_MAX = UINT64_C(64) << 30;
constexpr uint64_t PAGE = 4096;
// The machine has eight places for devices; one is for the way to the host.
constexpr uint32_t DEVICES_MAX = 7;

int memory_place_read(const char *text, struct memory_place *out_place)
{
    const char *colon = strchr(text, ':');
    const char *guest = colon != nullptr ? colon + 1 : nullptr;
    size_t bytes = colon != nullptr ? (size_t)(colon - text) : strlen(text);
    if (!size_read(text, bytes, &out_place->size_bytes) ||
        out_place->size_bytes < TMP_BYTES_MIN || out_place->size_bytes > TMP_BYTES_MAX)
        return fail(EXIT_CAPOS_FAILED,
                    "--tmp takes SIZE[:GUEST], SIZE being 64K to 64G, not %s", text);
    out_place->size_bytes = (out_place->size_bytes + PAGE - 1) & ~(PAGE - 1);
    return directory_name_read(DIRECTORY_IN_MEMORY, guest, guest != nullptr ? strlen(guest) : 0,
                               "tmp", out_place->name);
}

// ---- Names -------------------------------------------------------------------------

struct names {
    const char *taken[DIRECTORIES_MAX + DISKS_MAX + TMPS_MAX];
    uint32_t count;
};

// Each capability of a program has its own name.
static int name_take(struct names *names, const struct image *image,
                     const struct run_options *options, enum directory_kind kind,
                     const char *name)
{
    const struct directory_option *option = &directory_options[kind];
    for (uint32_t i = 0; i < names->count; i++)
        if (strcmp(names->taken[i], name) == 0)
            return fail(EXIT_CAPOS_FAILED,
                        "%s: two directories are called %s; %s gives another name",
                        option->name, name, option->renaming);
    if (image_gives(image, name) || run_options_grant(options, name))
        return fail(EXIT_CAPOS_FAILED,
                    "%s: the program has another capability called %s; %s gives another name",
                    option->name, name, option->renaming);
    names->taken[names->count++] = name;
    return 0;
}

// ---- The whole ---------------------------------------------------------------------

static int check_services(const struct image *image, const struct run_options *options)
{
    if (options->directory_count > 0 && image->manifest.host_directory.name.size_bytes == 0)
        return fail(EXIT_CAPOS_FAILED, "--dir: the system %s has no service for directories",
                    options->system);
    if (options->disk_count > 0 && image->manifest.disk.name.size_bytes == 0)
        return fail(EXIT_CAPOS_FAILED, "--disk: the system %s has no service for disks",
                    options->system);
    if (options->tmp_count > 0 && !image_serves(image, INTERFACE_RAMFS))
        return fail(EXIT_CAPOS_FAILED, "--tmp: the system %s has no directories in memory",
                    options->system);
    if (options->directory_count + options->disk_count > DEVICES_MAX)
        return fail(EXIT_CAPOS_FAILED, "a machine has at most %u directories and disks",
                    DEVICES_MAX);
    return 0;
}

static int check_disks(const struct storage *storage)
{
    for (uint32_t i = 1; i < storage->disk_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(storage->disks[i].path, storage->disks[j].path) == 0)
                return fail(EXIT_CAPOS_FAILED, "--disk: %s is given twice",
                            storage->disks[i].path);
    return 0;
}

int storage_read(const struct image *image, const struct run_options *options,
                 struct storage *out_storage)
{
    struct storage *storage = out_storage;
    struct names names = {};
    int status = check_services(image, options);
    for (uint32_t i = 0; status == 0 && i < options->directory_count; i++) {
        struct directory *directory = &storage->directories[storage->directory_count++];
        status = directory_read(options->directories[i], directory);
        snprintf(directory->mount_tag, sizeof directory->mount_tag, "dir%u", i);
        if (status == 0)
            status = name_take(&names, image, options, DIRECTORY_OF_HOST, directory->name);
    }
    for (uint32_t i = 0; status == 0 && i < options->disk_count; i++) {
        struct disk_file *disk = &storage->disks[storage->disk_count++];
        status = disk_file_read(options->disks[i], disk);
        if (status == 0)
            status = name_take(&names, image, options, DIRECTORY_OF_DISK, disk->name);
    }
    for (uint32_t i = 0; status == 0 && i < options->tmp_count; i++) {
        struct memory_place *tmp = &storage->tmps[storage->tmp_count++];
        status = memory_place_read(options->tmps[i], tmp);
        if (status == 0)
            status = name_take(&names, image, options, DIRECTORY_IN_MEMORY, tmp->name);
    }
    return status != 0 ? status : check_disks(storage);
}

uint64_t storage_memory_bytes(const struct image *image, const struct storage *storage)
{
    const struct system_manifest *manifest = &image->manifest;
    uint64_t bytes = storage->directory_count * manifest->host_directory.budget_bytes;
    bytes += storage->disk_count *
             (manifest->disk.budget_bytes + manifest->disk_driver.budget_bytes);
    for (uint32_t i = 0; i < storage->tmp_count; i++) // and what the kernel's objects take
        bytes += storage->tmps[i].size_bytes + storage->tmps[i].size_bytes / 16;
    return bytes;
}
