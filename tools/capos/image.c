// SPDX-License-Identifier: MIT
// Owns the host's view of a built system.  The package is our own build's, but it is read
// with the same checks as init uses.  Tested by image_test.c.
#include "image.h"

#include <dirent.h>
#include <errno.h>
#include <gen/interfaces.h>
#include <lib/nearest.h>
#include <stdio.h>
#include <string.h>

#include "say.h"

constexpr uint32_t SYSTEMS_MAX = 64; // that a mistyped name is compared with

// Copies the names of the grantable capabilities to C strings.
static const char *read_grants(struct image *image)
{
    for (uint32_t i = 0; i < image->manifest.grantable.count; i++) {
        struct grant grant;
        if (grant_at(&image->manifest.grantable, i, &grant) != STATUS_OK)
            return "a grant of its manifest can't be read";
        snprintf(image->grant_names[image->grant_count++], IMAGE_NAME_BYTES, "%.*s",
                 (int)grant.name.size_bytes, grant.name.text);
    }
    return nullptr;
}

const char *image_read(struct image *image, const void *data, size_t bytes)
{
    *image = (struct image){};
    if (!package_add_all(&image->package, data, bytes))
        return "it is not a boot package";
    const struct package_file *manifest = package_find(&image->package, "manifest");
    if (manifest == nullptr)
        return "it has no manifest";
    if (manifest->bytes > UINT32_MAX ||
        system_manifest_decode(manifest->data, (uint32_t)manifest->bytes, &image->manifest) !=
            STATUS_OK)
        return "its manifest is malformed";
    return read_grants(image);
}

// The package whose name is nearest to one that isn't there; nullptr: none is near.
static const char *nearest_system(const char *system, const char *folder)
{
    static char names[SYSTEMS_MAX][IMAGE_NAME_BYTES];
    static const char suffix[] = ".package";
    struct nearest nearest = nearest_to(system, strlen(system));
    struct dirent *entry;
    DIR *listing = opendir(folder);
    uint32_t count = 0;
    while (listing != nullptr && count < SYSTEMS_MAX && (entry = readdir(listing)) != nullptr) {
        size_t bytes = strlen(entry->d_name), name_bytes = bytes - (sizeof suffix - 1);
        if (bytes < sizeof suffix || name_bytes >= IMAGE_NAME_BYTES ||
            strcmp(entry->d_name + name_bytes, suffix) != 0)
            continue;
        memcpy(names[count], entry->d_name, name_bytes);
        nearest_offer(&nearest, names[count++]);
    }
    if (listing != nullptr)
        closedir(listing);
    return nearest.best;
}

static int fail_without_system(const char *system, const char *path, int error)
{
    char folder[PATH_BYTES];
    tree_path(folder, "build/system");
    const char *nearest = error == ENOENT ? nearest_system(system, folder) : nullptr;
    if (nearest != nullptr)
        return fail(EXIT_CAPOS_FAILED, "there is no system %s; did you mean %s?", system,
                    nearest);
    return fail(EXIT_CAPOS_FAILED, "there is no system %s: %s: %s (run `make`)", system, path,
                strerror(error));
}

int image_open(struct image *image, const char *system)
{
    char path[PATH_BYTES];
    struct file_map map;
    if (strchr(system, '/') != nullptr)
        return fail(EXIT_CAPOS_FAILED, "--system takes the name of a manifest, not a path");
    tree_path(path, "build/system/%s.package", system);
    int error = file_map_open(path, &map);
    if (error != 0)
        return fail_without_system(system, path, error);
    const char *problem = image_read(image, map.data, map.bytes);
    image->map = map;
    if (problem != nullptr)
        return fail(EXIT_CAPOS_FAILED, "%s: %s", path, problem);
    return 0;
}

// ---- Grants ------------------------------------------------------------------------

bool image_grants(const struct image *image, const char *name)
{
    for (uint32_t i = 0; i < image->grant_count; i++) {
        if (strcmp(image->grant_names[i], name) == 0)
            return true;
    }
    return false;
}

bool image_gives(const struct image *image, const char *name)
{
    // What init makes for every program (services/init/program.c).
    static const char *const own[] = {"memory", "thread", "park", "budget"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(own[i], name) == 0)
            return true;
    for (uint32_t i = 0; i < image->manifest.program_grants.count; i++) {
        struct grant grant;
        if (grant_at(&image->manifest.program_grants, i, &grant) == STATUS_OK &&
            wire_text_equals(grant.name, name))
            return true;
    }
    return false;
}

bool image_serves(const struct image *image, uint64_t interface_id)
{
    for (uint32_t i = 0; i < image->manifest.services.count; i++) {
        struct service service;
        struct export export;
        if (service_at(&image->manifest.services, i, &service) != STATUS_OK)
            continue;
        for (uint32_t at = 0; at < service.exports.count; at++)
            if (export_at(&service.exports, at, &export) == STATUS_OK &&
                export.interface_id == interface_id)
                return true;
    }
    return false;
}

bool image_drives_disks(const struct image *image, const char *name)
{
    for (uint32_t i = 0; i < image->manifest.grantable.count; i++) {
        struct grant grant;
        if (grant_at(&image->manifest.grantable, i, &grant) == STATUS_OK &&
            wire_text_equals(grant.name, name))
            return grant.source.which == GRANT_SOURCE_SERVICE &&
                   wire_text_equals(grant.source.service.service,
                                    image->manifest.disk_driver.name.text);
    }
    return false;
}

bool image_disk_grants(const struct image *image, const char *name)
{
    const char *dot = strchr(name, '.');
    const struct wire_list *exports = &image->manifest.disk.exports;
    for (uint32_t i = 0; i < exports->count; i++) {
        struct export export;
        if (export_at(exports, i, &export) == STATUS_OK &&
            export.interface_id != INTERFACE_DIRECTORY &&
            wire_text_equals(export.name, dot != nullptr ? dot + 1 : name))
            return true;
    }
    return false;
}

const char *image_nearest_grant(const struct image *image, const char *name)
{
    const char *names[SYSTEM_MANIFEST_GRANTABLE_COUNT_MAX];
    for (uint32_t i = 0; i < image->grant_count; i++)
        names[i] = image->grant_names[i];
    return nearest_name(name, names, image->grant_count);
}

// ---- Programs ----------------------------------------------------------------------

static bool is_service(const struct image *image, const char *name)
{
    for (uint32_t i = 0; i < image->manifest.services.count; i++) {
        struct service service;
        if (service_at(&image->manifest.services, i, &service) == STATUS_OK &&
            wire_text_equals(service.binary, name))
            return true;
    }
    return wire_text_equals(image->manifest.host_directory.binary, name) ||
           wire_text_equals(image->manifest.disk.binary, name);
}

bool image_has_program(const struct image *image, const char *name)
{
    return package_find(&image->package, name) != nullptr && strcmp(name, "init") != 0 &&
           strcmp(name, "manifest") != 0 && !is_service(image, name);
}

const char *image_nearest_program(const struct image *image, const char *name)
{
    const char *names[PACKAGE_FILES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < image->package.count; i++) {
        if (image_has_program(image, image->package.files[i].name))
            names[count++] = image->package.files[i].name;
    }
    return nearest_name(name, names, count);
}
