// SPDX-License-Identifier: MIT
// Owns what `--dir` means.  Tested by directories_test.c and tests/cli/dir_test.py.
#include "directories.h"

#include <dirent.h>
#include <errno.h>
#include <lib/nearest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

// ---- The text ----------------------------------------------------------------------

static const char *last_colon(const char *text, size_t size_bytes)
{
    return memrchr(text, ':', size_bytes);
}

struct directory_parts directory_split(const char *text)
{
    struct directory_parts parts = {.host = text, .host_bytes = strlen(text)};
    const char *colon = last_colon(text, parts.host_bytes);
    if (colon != nullptr && (strcmp(colon, ":ro") == 0 || strcmp(colon, ":rw") == 0)) {
        parts.read_only = colon[2] == 'o';
        parts.host_bytes = (size_t)(colon - text);
        colon = last_colon(text, parts.host_bytes);
    }
    if (colon != nullptr) {
        parts.guest = colon + 1;
        parts.guest_bytes = parts.host_bytes - (size_t)(parts.guest - text);
        parts.host_bytes = (size_t)(colon - text);
    }
    return parts;
}

bool directory_name_is_good(const char *name, size_t size_bytes)
{
    if (size_bytes == 0 || size_bytes >= DIRECTORY_NAME_BYTES || *name == '-' || *name == '.')
        return false;
    for (size_t i = 0; i < size_bytes; i++) {
        char c = name[i];
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!good)
            return false;
    }
    return true;
}

// ---- The directory -----------------------------------------------------------------

// The directory beside one that isn't there whose name is nearest; nullptr: none is near.
static const char *nearest_directory(const char *path)
{
    static char best[256];
    char parent[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    const char *name = slash != nullptr ? slash + 1 : path;
    if (slash == nullptr)
        snprintf(parent, sizeof parent, ".");
    else
        snprintf(parent, sizeof parent, "%.*s/", (int)(slash - path), path);
    struct nearest nearest = nearest_to(name, strlen(name));
    struct dirent *entry;
    DIR *listing = opendir(parent);
    while (listing != nullptr && (entry = readdir(listing)) != nullptr) {
        uint32_t before = nearest.best_distance;
        if (entry->d_type == DT_DIR)
            nearest_offer(&nearest, entry->d_name);
        if (nearest.best_distance != before) {
            snprintf(best, sizeof best, "%s", entry->d_name);
            nearest.best = best;
        }
    }
    if (listing != nullptr)
        closedir(listing);
    return nearest.best;
}

static int fail_without(const char *path, int error)
{
    const char *nearest = error == ENOENT ? nearest_directory(path) : nullptr;
    if (nearest != nullptr)
        return fail(EXIT_CAPOS_FAILED, "--dir: there is no directory %s; did you mean %s?",
                    path, nearest);
    return fail(EXIT_CAPOS_FAILED, "--dir: %s: %s", path, strerror(error));
}

// Finds the directory and writes its path without symlinks.
static int find(const char *path, char out_path[PATH_BYTES])
{
    struct stat status;
    char *found = realpath(path, nullptr);
    if (found == nullptr)
        return fail_without(path, errno);
    bool fits = strlen(found) < PATH_BYTES;
    if (fits)
        strcpy(out_path, found);
    free(found);
    if (!fits)
        return fail(EXIT_CAPOS_FAILED, "--dir: %s: %s", path, strerror(ENAMETOOLONG));
    if (stat(out_path, &status) != 0)
        return fail_without(path, errno);
    if (!S_ISDIR(status.st_mode))
        return fail_without(path, ENOTDIR);
    if (access(out_path, R_OK | X_OK) != 0)
        return fail_without(path, errno);
    return 0;
}

// ---- The name ----------------------------------------------------------------------

const struct directory_option directory_options[] = {
    [DIRECTORY_OF_HOST] = {"--dir", "--dir HOST:NAME"},
    [DIRECTORY_OF_DISK] = {"--disk", "--disk FILE:NAME"},
    [DIRECTORY_IN_MEMORY] = {"--tmp", "--tmp SIZE:NAME"},
};

int directory_name_read(enum directory_kind kind, const char *guest, size_t guest_bytes,
                        const char *usual, char out_name[DIRECTORY_NAME_BYTES])
{
    bool is_given = guest_bytes != 0;
    const char *name = is_given ? guest : usual;
    size_t bytes = is_given ? guest_bytes : strlen(usual);
    if (!directory_name_is_good(name, bytes))
        return fail(EXIT_CAPOS_FAILED,
                    "%s: \"%.*s\" is no name for a capability: 1 to 31 letters, digits, "
                    "-, _ and .%s%s%s",
                    directory_options[kind].name, (int)bytes, name, is_given ? "" : "; ",
                    is_given ? "" : directory_options[kind].renaming,
                    is_given ? "" : " gives another one");
    memcpy(out_name, name, bytes);
    out_name[bytes] = 0;
    return 0;
}

int directory_read(const char *text, struct directory *out_directory)
{
    struct directory_parts parts = directory_split(text);
    char path[PATH_BYTES];
    if (parts.host_bytes == 0)
        return fail(EXIT_CAPOS_FAILED, "--dir takes HOST[:GUEST][:ro|rw], not %s", text);
    if (parts.host_bytes >= sizeof path)
        return fail(EXIT_CAPOS_FAILED, "--dir: %s: %s", text, strerror(ENAMETOOLONG));
    memcpy(path, parts.host, parts.host_bytes);
    path[parts.host_bytes] = 0;
    out_directory->read_only = parts.read_only;
    int status = find(path, out_directory->path);
    if (status != 0)
        return status;
    const char *last = strrchr(out_directory->path, '/') + 1;
    return directory_name_read(DIRECTORY_OF_HOST, parts.guest, parts.guest_bytes, last,
                               out_directory->name);
}
