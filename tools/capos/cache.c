// SPDX-License-Identifier: MIT
// Owns the cache of compiled programs.
//
//  1. A program's name is the hash of all that it is made from: the source after
//     preprocessing, the flags, libcapos.  So an entry is never out of date.
//  2. It gets that name by rename when it is complete: two runs at once do no harm.
//  3. Entries that nobody used for a month go when a new one comes.
//
// The folder is ${XDG_CACHE_HOME:-~/.cache}/capos, or ${TMPDIR:-/tmp}/capos-UID where that
// can't be written.
// Tested by tests/cli.
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <lib/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "say.h"
#include "toolchain.h"

constexpr time_t UNUSED_SECONDS_MAX = 30 * 24 * 3600;
constexpr int FOLDER_BYTES_MAX = (int)PATH_BYTES - 128; // leaves room for a file's name

// ---- The name of an entry --------------------------------------------------------------

static void hash_bytes(void *context, const char *bytes, size_t count)
{
    sha256_update(context, bytes, count);
}

static void hash_command(struct sha256 *hash, const struct command *command)
{
    for (size_t i = 0; i < command->count; i++)
        sha256_update(hash, command->arguments[i], strlen(command->arguments[i]) + 1);
}

static int hash_file(struct sha256 *hash, const char *path)
{
    struct file_map map;
    int error = file_map_open(path, &map);
    if (error != 0)
        return fail(EXIT_CAPOS_FAILED, "%s: %s", path, strerror(error));
    sha256_update(hash, map.data, map.bytes);
    file_map_close(&map);
    return 0;
}

static int hash_inputs(const struct toolchain *toolchain, const char *source,
                       uint8_t out_digest[32])
{
    static struct command command;
    struct sha256 hash;
    toolchain_clang(toolchain, &command);
    command_add(&command, "-E");
    command_add(&command, source);
    sha256_init(&hash);
    hash_command(&hash, &command);
    hash_command(&hash, &toolchain->link_flags);
    int status = hash_file(&hash, toolchain->library);
    if (status == 0)
        status = command_read(&command, false, hash_bytes, &hash);
    sha256_final(&hash, out_digest);
    return status;
}

// ---- The folder ------------------------------------------------------------------------

// Makes a folder and those that it lies in.
static bool make_folders(char *path)
{
    for (char *slash = path + 1; slash != nullptr; slash++) {
        slash = strchr(slash, '/');
        if (slash != nullptr)
            *slash = 0;
        bool failed = mkdir(path, 0755) != 0 && errno != EEXIST;
        if (slash != nullptr)
            *slash = '/';
        if (failed)
            return false;
        if (slash == nullptr)
            break;
    }
    return true;
}

static bool open_home_folder(char out_path[PATH_BYTES])
{
    const char *base = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int bytes;
    if (base != nullptr && *base == '/')
        bytes = snprintf(out_path, PATH_BYTES, "%s/capos", base);
    else if (home != nullptr && *home == '/')
        bytes = snprintf(out_path, PATH_BYTES, "%s/.cache/capos", home);
    else
        return false;
    return bytes <= FOLDER_BYTES_MAX && make_folders(out_path) &&
           access(out_path, W_OK | X_OK) == 0;
}

// Who has no home to write to (a container, a service) gets a folder among the temporary
// files, into which nobody else may put programs.
static int open_folder(char out_path[PATH_BYTES])
{
    if (open_home_folder(out_path))
        return 0;
    const char *base = getenv("TMPDIR");
    snprintf(out_path, PATH_BYTES, "%.*s/capos-%u", FOLDER_BYTES_MAX - 32,
             base != nullptr && *base == '/' ? base : "/tmp", (unsigned)getuid());
    struct stat found;
    if ((mkdir(out_path, 0700) != 0 && errno != EEXIST) || lstat(out_path, &found) != 0)
        return fail(EXIT_CAPOS_FAILED, "%s: %s", out_path, strerror(errno));
    if (!S_ISDIR(found.st_mode) || found.st_uid != getuid() || (found.st_mode & 022) != 0)
        return fail(EXIT_CAPOS_FAILED, "%s: not a folder that is yours alone", out_path);
    return 0;
}

static void remove_unused(const char *folder)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    time_t now = time(nullptr);
    while (directory != nullptr && (entry = readdir(directory)) != nullptr) {
        struct stat status;
        int fd = dirfd(directory);
        if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(status.st_mode) && now - status.st_mtime > UNUSED_SECONDS_MAX)
            unlinkat(fd, entry->d_name, 0);
    }
    if (directory != nullptr)
        closedir(directory);
}

// ---- Entries ---------------------------------------------------------------------------

// Compiles and links to temporary names beside `path`, then renames.
static int build(const struct toolchain *toolchain, const char *source, const char *path)
{
    static struct command inputs;
    static char object[PATH_BYTES + 32], program[PATH_BYTES + 32];
    snprintf(object, sizeof object, "%s.%d.o", path, (int)getpid());
    snprintf(program, sizeof program, "%s.%d", path, (int)getpid());
    inputs.count = 0;
    command_add(&inputs, object);
    int status = toolchain_compile(toolchain, nullptr, source, object);
    if (status == 0)
        status = toolchain_link(toolchain, &inputs, program);
    unlink(object);
    if (status == 0 && rename(program, path) != 0)
        status = fail(EXIT_CAPOS_FAILED, "%s: %s", path, strerror(errno));
    return status;
}

int cache_compile(const char *source_path, char out_path[PATH_BYTES])
{
    static struct toolchain toolchain;
    uint8_t digest[32];
    int status = toolchain_open(&toolchain, PROFILE_NATIVE);
    if (status == 0)
        status = hash_inputs(&toolchain, source_path, digest);
    if (status == 0)
        status = open_folder(out_path);
    if (status != 0)
        return status;
    size_t folder_bytes = strlen(out_path), bytes = folder_bytes;
    out_path[bytes++] = '/';
    for (int i = 0; i < 16; i++, bytes += 2)
        snprintf(out_path + bytes, 3, "%02x", digest[i]);
    if (utimensat(AT_FDCWD, out_path, nullptr, 0) == 0) // it is there, and used now
        return 0;
    out_path[folder_bytes] = 0;
    remove_unused(out_path);
    out_path[folder_bytes] = '/';
    return build(&toolchain, source_path, out_path);
}
