// SPDX-License-Identifier: MIT
// Directories that are open: getdents64 and what belongs to it.
//
// The listing begins with `.` and `..`, which no service has.  d_off is the service's cookie of
// the entry, so telldir and seekdir work across changes; the two have numbers that no cookie
// has.
#include "list.h"

#include "errno.h"
#include "process.h"
#include "status.h"

#include <posix/calls.h>
#include <gen/capos/directory.h>
#include <stdlib.h>
#include <string.h>

constexpr int64_t AFTER_DOT = INT64_MAX - 1, AFTER_DOTS = INT64_MAX;
constexpr uint64_t ROOT_INODE = 1;

static long directory_status(struct open_file *file, struct posix_stat *out_status)
{
    if (file->directory.id == 0) {
        status_of_root(out_status);
        return 0;
    }
    return status_of(&file->directory, "", true, file->device, out_status);
}

static void listing_end(struct listing_state *state)
{
    if (state->listing.buffer != nullptr)
        capos_listing_close(&state->listing);
    state->entry_ready = false;
}

// Goes on behind an offset.
static long listing_begin(struct open_file *file, int64_t offset)
{
    struct listing_state *state = file->state;
    listing_end(state);
    state->offset = offset;
    if (offset == 0 || offset == AFTER_DOT || file->directory.id == 0)
        return 0;
    uint32_t error = capos_listing_open(&file->directory, &state->listing);
    state->listing.cookie = offset == AFTER_DOTS ? 0 : (uint64_t)offset;
    return error_of_file(error);
}

static void set_entry(struct listing_state *state, const char *name, enum file_kind kind,
                      uint64_t inode)
{
    state->entry = (struct capos_listing_entry){.kind = kind, .inode = inode};
    state->entry.name_bytes = (uint32_t)strlen(name);
    memcpy(state->entry.name, name, state->entry.name_bytes);
}

// The grants are the entries of the root; their offset is their number.
static void root_next(struct listing_state *state)
{
    int64_t index = state->offset == AFTER_DOTS ? 0 : state->offset;
    const char *name = grant_name((uint32_t)index);
    if (name == nullptr)
        name = "";
    set_entry(state, name, FILE_KIND_DIRECTORY, ROOT_INODE + (uint64_t)index + 1);
}

// Gets the next entry, with an empty name at the end.
static long listing_peek(struct open_file *file)
{
    struct listing_state *state = file->state;
    long error = 0;
    if (state->entry_ready)
        return 0;
    if (state->offset == 0) {
        set_entry(state, ".", FILE_KIND_DIRECTORY, ROOT_INODE);
    } else if (state->offset == AFTER_DOT) {
        set_entry(state, "..", FILE_KIND_DIRECTORY, ROOT_INODE);
    } else if (file->directory.id == 0) {
        root_next(state);
    } else {
        if (state->listing.buffer == nullptr)
            error = listing_begin(file, state->offset);
        if (error == 0)
            error = error_of_file(capos_listing_next(&state->listing, &state->entry));
    }
    state->entry_ready = error == 0;
    return error;
}

// The offset behind the entry.
static int64_t offset_behind(const struct open_file *file)
{
    const struct listing_state *state = file->state;
    if (state->offset == 0)
        return AFTER_DOT;
    if (state->offset == AFTER_DOT)
        return AFTER_DOTS;
    if (file->directory.id == 0)
        return state->offset == AFTER_DOTS ? 1 : state->offset + 1;
    return (int64_t)state->listing.cookie;
}

static uint8_t type_of(enum file_kind kind)
{
    switch (kind) {
    case FILE_KIND_FILE:
        return DT_REG;
    case FILE_KIND_DIRECTORY:
        return DT_DIR;
    case FILE_KIND_SYMLINK:
        return DT_LNK;
    default:
        return DT_UNKNOWN;
    }
}

// Writes the entry as a record; 0 if it doesn't fit.
static size_t record_write(const struct open_file *file, uint8_t *buffer, size_t room)
{
    const struct capos_listing_entry *entry = &file->state->entry;
    size_t bytes = (offsetof(struct posix_dirent, d_name) + entry->name_bytes + 1 + 7) & ~7ul;
    if (bytes > room)
        return 0;
    struct posix_dirent *record = (struct posix_dirent *)buffer;
    record->d_ino = entry->inode;
    record->d_off = offset_behind(file);
    record->d_reclen = (uint16_t)bytes;
    record->d_type = type_of(entry->kind);
    memcpy(record->d_name, entry->name, entry->name_bytes);
    memset(record->d_name + entry->name_bytes, 0,
           bytes - offsetof(struct posix_dirent, d_name) - entry->name_bytes);
    return bytes;
}

// EINVAL: the buffer has no room for the next entry.
static long directory_list_into(struct open_file *file, void *buffer, size_t byte_count)
{
    size_t done = 0;
    for (;;) {
        long error = listing_peek(file);
        if (error != 0)
            return done > 0 ? (long)done : error;
        if (file->state->entry.name_bytes == 0)
            return (long)done;
        size_t bytes = record_write(file, (uint8_t *)buffer + done, byte_count - done);
        if (bytes == 0)
            return done > 0 ? (long)done : -EINVAL;
        file->state->offset = offset_behind(file);
        file->state->entry_ready = false;
        done += bytes;
    }
}

static long directory_seek(struct open_file *file, int64_t offset, long whence)
{
    if (whence == SEEK_CUR && offset == 0)
        return file->state->offset;
    if (whence != SEEK_SET || offset < 0)
        return -EINVAL;
    long error = listing_begin(file, offset);
    return error == 0 ? offset : error;
}

static long is_directory(struct open_file *file, void *buffer, size_t byte_count)
{
    (void)file;
    (void)buffer;
    (void)byte_count;
    return -EISDIR;
}

static long directory_sync_all(struct open_file *file, bool data_only)
{
    (void)data_only;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (file->directory.id == 0 || file->directory.read_only)
        return 0; // nothing was changed through it
    enum status status = directory_sync((directory_cap){file->directory.id}, &outcome);
    return status == STATUS_OK ? error_of_file(outcome) : error_of_status(status);
}

static void directory_close(struct open_file *file)
{
    listing_end(file->state);
    free(file->state->name);
    free(file->state);
    capos_directory_close(&file->directory);
}

static const struct open_ops directory_ops = {
    .type = S_IFDIR,
    .read = is_directory,
    .seek = directory_seek,
    .status = directory_status,
    .list = directory_list_into,
    .sync = directory_sync_all,
    .close = directory_close,
};

long list_open(struct capos_directory directory, const struct resolved *resolved,
               uint32_t flags, bool close_on_exec)
{
    struct listing_state *state = calloc(1, sizeof *state);
    char *name = strdup(resolved->absolute);
    struct open_file *file = open_file_create(&directory_ops, flags & ~(uint32_t)O_ACCMODE);
    if (state == nullptr || name == nullptr || file == nullptr) {
        free(state);
        free(name);
        free(file);
        capos_directory_close(&directory);
        return -ENOMEM;
    }
    state->name = name;
    file->directory = directory;
    file->state = state;
    file->device = resolved->device;
    return descriptor_install(file, 0, close_on_exec);
}

const char *list_name(const struct open_file *file)
{
    return file->ops == &directory_ops ? file->state->name : nullptr;
}
