// SPDX-License-Identifier: MIT
// Paths: the grants as a tree, the working directory.
//
// `a/..` is `.`, also where `a` is a symlink to a directory elsewhere.
#include "resolve.h"

#include "descriptor.h"
#include "errno.h"
#include "list.h"

#include <posix/calls.h>
#include <capos/capset.h>
#include <string.h>

constexpr uint32_t GRANT_COUNT_MAX = 32;

struct grant {
    const char *name;
    struct capos_directory directory;
};

static struct grant grants[GRANT_COUNT_MAX];
static uint32_t grant_count;
static struct capos_directory root; // id 0: there is no grant "root"
static struct capos_once grants_once;

static void grants_find(void)
{
    for (uint32_t i = 0; i < capos_capset_count() && grant_count < GRANT_COUNT_MAX; i++) {
        const char *name = capos_capset_at(i)->name;
        struct capos_directory directory;
        if (capos_directory_find(name, &directory) != 0)
            continue;
        if (strcmp(name, "root") == 0)
            root = directory;
        else
            grants[grant_count++] = (struct grant){name, directory};
    }
}

const char *grant_name(uint32_t index)
{
    capos_once(&grants_once, grants_find);
    return index < grant_count ? grants[index].name : nullptr;
}

bool grant_present(const char *name)
{
    const char *other;
    for (uint32_t i = 0; (other = grant_name(i)) != nullptr; i++)
        if (strcmp(other, name) == 0)
            return true;
    return false;
}

// ---- The working directory -----------------------------------------------------------

static char working[PATH_TEXT_BYTES] = "/";
static struct capos_mutex working_lock;

static void working_copy(char out[PATH_TEXT_BYTES])
{
    capos_mutex_lock(&working_lock);
    strcpy(out, working);
    capos_mutex_unlock(&working_lock);
}

static void working_set(const char *absolute)
{
    capos_mutex_lock(&working_lock);
    strcpy(working, absolute);
    capos_mutex_unlock(&working_lock);
}

// ---- Names -----------------------------------------------------------------------------

// The path that a relative one begins at.
static long base_of(long from, char out[PATH_TEXT_BYTES])
{
    if (from == AT_FDCWD) {
        working_copy(out);
        return 0;
    }
    struct open_file *file = descriptor_get(from);
    if (file == nullptr)
        return -EBADF;
    const char *name = list_name(file);
    if (name != nullptr)
        strcpy(out, name);
    open_file_put(file);
    return name == nullptr ? -ENOTDIR : 0;
}

static void go_up(char *absolute)
{
    char *last = strrchr(absolute, '/');
    last[last == absolute] = '\0';
}

// Appends one component; false if there is no room.
static bool go_down(char *absolute, const char *name, size_t name_bytes)
{
    size_t bytes = strlen(absolute);
    if (bytes + 1 + name_bytes >= PATH_TEXT_BYTES)
        return false;
    if (bytes > 1)
        absolute[bytes++] = '/';
    memcpy(absolute + bytes, name, name_bytes);
    absolute[bytes + name_bytes] = '\0';
    return true;
}

// Walks on from a path.
static bool walk(char *absolute, const char *path)
{
    while (*path != '\0') {
        size_t bytes = strcspn(path, "/");
        if (bytes == 2 && path[0] == '.' && path[1] == '.')
            go_up(absolute);
        else if (bytes != 0 && !(bytes == 1 && path[0] == '.') &&
                 !go_down(absolute, path, bytes))
            return false;
        path += bytes;
        path += *path == '/';
    }
    return true;
}

// Finds the grant of an absolute path.
static long find_grant(struct resolved *resolved)
{
    const char *first = resolved->absolute + 1;
    size_t bytes = strcspn(first, "/");
    capos_once(&grants_once, grants_find);
    for (uint32_t i = 0; i < grant_count; i++) {
        if (strlen(grants[i].name) != bytes || memcmp(grants[i].name, first, bytes) != 0)
            continue;
        resolved->directory = grants[i].directory;
        resolved->device = i + 2;
        resolved->path = first + bytes + (first[bytes] == '/');
        return 0;
    }
    resolved->directory = root;
    resolved->device = 1;
    resolved->path = first;
    return root.id == 0 && bytes != 0 ? -ENOENT : 0;
}

static bool is_directory_path(const char *path)
{
    size_t bytes = strlen(path);
    const char *last = strrchr(path, '/');
    last = last == nullptr ? path : last + 1;
    return path[bytes - 1] == '/' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

long resolve(long from, const char *path, struct resolved *out_resolved)
{
    long error = 0;
    if (path == nullptr)
        return -EFAULT;
    if (path[0] == '\0')
        return -ENOENT;
    if (path[0] == '/')
        strcpy(out_resolved->absolute, "/");
    else
        error = base_of(from, out_resolved->absolute);
    if (error != 0)
        return error;
    if (!walk(out_resolved->absolute, path))
        return -ENAMETOOLONG;
    out_resolved->ends_with_slash = is_directory_path(path);
    error = find_grant(out_resolved);
    if (error == 0 && strlen(out_resolved->path) > CAPOS_PATH_BYTES_MAX)
        error = -ENAMETOOLONG;
    return error;
}

// ---- Calls -------------------------------------------------------------------------------

// Checks that there is a directory.
static long check_directory(const struct resolved *resolved)
{
    struct directory_stat_results stat;
    if (resolved->directory.id == 0)
        return 0;
    long error =
        error_of_file(capos_file_stat(&resolved->directory, resolved->path, true, &stat));
    return error == 0 && stat.kind != FILE_KIND_DIRECTORY ? -ENOTDIR : error;
}

long call_chdir(long path)
{
    struct resolved resolved;
    long error = resolve(AT_FDCWD, (const char *)path, &resolved);
    if (error == 0)
        error = check_directory(&resolved);
    if (error == 0)
        working_set(resolved.absolute);
    return error;
}

long call_fchdir(long descriptor)
{
    char absolute[PATH_TEXT_BYTES];
    long error = descriptor == AT_FDCWD ? -EBADF : base_of(descriptor, absolute);
    if (error == 0)
        working_set(absolute);
    return error;
}

// Returns the length with the NUL.
long call_getcwd(long buffer, long byte_count)
{
    char absolute[PATH_TEXT_BYTES];
    working_copy(absolute);
    size_t bytes = strlen(absolute) + 1;
    if ((unsigned long)byte_count < bytes)
        return -ERANGE;
    memcpy((void *)buffer, absolute, bytes);
    return (long)bytes;
}
