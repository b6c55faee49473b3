// SPDX-License-Identifier: MIT
#include <capos/copy.h>

#include <capos/names.h>

#include <gen/capos/directory.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t UNUSED_NAMES_MAX = 100; // that are tried

static bool same_place(const struct capos_place *one, const struct capos_place *other)
{
    return one->directory.id == other->directory.id && strcmp(one->path, other->path) == 0;
}

uint32_t capos_copy_file(const struct capos_place *from, const struct capos_place *to)
{
    struct capos_file source, target;
    if (same_place(from, to))
        return FILE_OUTCOME_EXISTS;
    uint32_t error = capos_file_open(&from->directory, from->path, CAPOS_FILE_READ, &source);
    if (error != 0)
        return error;
    error =
        capos_file_open(&to->directory, to->path,
                        CAPOS_FILE_WRITE | CAPOS_FILE_CREATE | CAPOS_FILE_TRUNCATE, &target);
    if (error == 0) {
        const void *data;
        size_t bytes = 0;
        for (uint64_t offset = 0;; offset += bytes) {
            error = capos_file_peek(&source, offset, &data, &bytes);
            if (error != 0 || bytes == 0)
                break;
            error = capos_file_write(&target, offset, data, bytes);
            if (error != 0)
                break;
        }
        capos_file_close(&target);
    }
    capos_file_close(&source);
    return error;
}

static uint32_t copy_symlink(const struct capos_place *from, const struct capos_place *to)
{
    char target[CAPOS_PATH_BYTES_MAX + 1];
    enum file_outcome outcome;
    uint32_t error = capos_file_read_symlink(&from->directory, from->path, target);
    if (error != 0)
        return error;
    if (to->directory.read_only)
        return FILE_OUTCOME_READ_ONLY;
    enum status status =
        directory_create_symlink((directory_cap){to->directory.id}, to->path, strlen(to->path),
                                 target, strlen(target), &outcome);
    return status == STATUS_OK ? (uint32_t)outcome : CAPOS_FILE_STATUS + (uint32_t)status;
}

static uint32_t copy_directory(const struct capos_place *from, const struct capos_place *to,
                               bool with_time)
{
    struct capos_names names;
    // The names are there before the copy is: a copy into itself ends.
    uint32_t error = capos_names_load(from, &names);
    if (error != 0)
        return error;
    error = capos_directory_create(&to->directory, to->path);
    if (error == FILE_OUTCOME_EXISTS)
        error = 0;
    for (size_t i = 0; i < names.count && error == 0; i++) {
        struct capos_place from_below, to_below;
        error = capos_place_below(from, names.names[i].name, &from_below);
        if (error == 0)
            error = capos_place_below(to, names.names[i].name, &to_below);
        if (error == 0)
            error = capos_copy_all(&from_below, &to_below, with_time);
    }
    capos_names_free(&names);
    return error;
}

// A service that keeps no such attributes has them as it makes them.
static void copy_attributes(const struct directory_stat_results *stat,
                            const struct capos_place *to, bool with_time)
{
    if (!to->directory.read_only)
        (void)directory_set_attributes((directory_cap){to->directory.id}, to->path,
                                       strlen(to->path), true, stat->kind != FILE_KIND_SYMLINK,
                                       with_time, false, stat->mode, stat->modified_ns, 0,
                                       nullptr);
}

uint32_t capos_copy_all(const struct capos_place *from, const struct capos_place *to,
                        bool with_time)
{
    struct directory_stat_results stat;
    if (same_place(from, to))
        return FILE_OUTCOME_INTO_ITSELF;
    uint32_t error = capos_file_stat(&from->directory, from->path, false, &stat);
    if (error != 0)
        return error;
    switch (stat.kind) {
    case FILE_KIND_FILE:
        error = capos_copy_file(from, to);
        break;
    case FILE_KIND_DIRECTORY:
        error = copy_directory(from, to, with_time);
        break;
    case FILE_KIND_SYMLINK:
        error = copy_symlink(from, to);
        break;
    default:
        error = FILE_OUTCOME_NOT_SUPPORTED;
    }
    if (error == 0)
        copy_attributes(&stat, to, with_time);
    return error;
}

uint32_t capos_remove_all(const struct capos_place *place)
{
    uint32_t error = capos_file_remove(&place->directory, place->path, DIRECTORY_REMOVAL_ANY);
    struct capos_names names;
    if (error != FILE_OUTCOME_NOT_EMPTY)
        return error;
    error = capos_names_load(place, &names);
    if (error != 0)
        return error;
    for (size_t i = 0; i < names.count && error == 0; i++) {
        struct capos_place below;
        error = capos_place_below(place, names.names[i].name, &below);
        if (error == 0)
            error = capos_remove_all(&below);
    }
    capos_names_free(&names);
    if (error != 0)
        return error;
    return capos_file_remove(&place->directory, place->path, DIRECTORY_REMOVAL_DIRECTORY);
}

// A name beside a place that nothing has.
static uint32_t find_unused(const struct capos_place *beside, struct capos_place *out_place)
{
    struct directory_stat_results stat;
    uint32_t error = FILE_OUTCOME_EXISTS;
    const char *last = strrchr(beside->path, '/');
    for (uint32_t i = 0; i < UNUSED_NAMES_MAX; i++) {
        *out_place = *beside;
        int used = snprintf(out_place->path, sizeof out_place->path, "%.*s.mv-%u",
                            last == nullptr ? 0 : (int)(last - beside->path) + 1, beside->path,
                            (unsigned)i);
        if (used >= (int)sizeof out_place->path)
            return FILE_OUTCOME_TOO_LARGE;
        error = capos_file_stat(&out_place->directory, out_place->path, false, &stat);
        if (error != 0)
            break;
    }
    if (error == 0)
        return FILE_OUTCOME_EXISTS;
    return error == FILE_OUTCOME_NOT_FOUND ? 0 : error;
}

uint32_t capos_move_across(const struct capos_place *from, const struct capos_place *to,
                           enum directory_replacement replacement)
{
    struct capos_place unused;
    if (from->directory.read_only)
        return FILE_OUTCOME_READ_ONLY;
    uint32_t error = find_unused(to, &unused);
    if (error != 0)
        return error;
    error = capos_copy_all(from, &unused, true);
    if (error == 0)
        error = capos_file_rename(&unused.directory, unused.path, &to->directory, to->path,
                                  replacement);
    if (error == 0)
        return capos_remove_all(from);
    (void)capos_remove_all(&unused); // what is left of it takes room, and nothing is lost
    return error;
}

uint32_t capos_copy_target(const struct capos_place *from, const char *to_typed,
                           struct capos_place *out_place, bool *out_into)
{
    struct directory_stat_results stat;
    struct capos_place to;
    uint32_t error = capos_place_find(to_typed, &to);
    if (error != 0)
        return error;
    if (to.grant == nullptr)
        return FILE_OUTCOME_READ_ONLY;
    error = capos_file_stat(&to.directory, to.path, true, &stat);
    *out_into = error == 0 && stat.kind == FILE_KIND_DIRECTORY;
    *out_place = to;
    if (!*out_into)
        return error == FILE_OUTCOME_NOT_FOUND ? 0 : error;
    const char *last = strrchr(from->path, '/');
    last = last == nullptr ? from->path : last + 1;
    return capos_place_below(&to, last[0] == '\0' ? from->grant : last, out_place);
}
