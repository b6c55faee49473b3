// SPDX-License-Identifier: MIT
#include <capos/names.h>

#include <capos/capset.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t names_add(struct capos_names *names, const char *name, enum file_kind kind)
{
    if ((names->count & (names->count - 1)) == 0) { // the array is full at powers of two
        size_t room = names->count == 0 ? 1 : 2 * names->count;
        struct capos_name *grown = realloc(names->names, room * sizeof *grown);
        if (grown == nullptr)
            return CAPOS_FILE_STATUS + STATUS_OVERLOADED;
        names->names = grown;
    }
    char *copy = strdup(name);
    if (copy == nullptr)
        return CAPOS_FILE_STATUS + STATUS_OVERLOADED;
    names->names[names->count++] = (struct capos_name){copy, kind};
    return 0;
}

static uint32_t grants_add(struct capos_names *names)
{
    uint32_t error = 0;
    for (uint32_t i = 0; i < capos_capset_count() && error == 0; i++) {
        struct capos_directory directory;
        const char *name = capos_capset_at(i)->name;
        if (capos_directory_find(name, &directory) == 0)
            error = names_add(names, name, FILE_KIND_DIRECTORY);
    }
    return error;
}

static uint32_t entries_add(struct capos_names *names, const struct capos_place *place)
{
    struct capos_directory directory;
    struct capos_listing listing;
    struct capos_listing_entry entry = {};
    uint32_t error = capos_directory_open(&place->directory, place->path, &directory);
    if (error != 0)
        return error;
    error = capos_listing_open(&directory, &listing);
    if (error == 0) {
        while ((error = capos_listing_next(&listing, &entry)) == 0 && entry.name_bytes > 0 &&
               (error = names_add(names, entry.name, entry.kind)) == 0)
            ;
        capos_listing_close(&listing);
    }
    capos_directory_close(&directory);
    return error;
}

static int names_compare(const void *left, const void *right)
{
    return strcmp(((const struct capos_name *)left)->name,
                  ((const struct capos_name *)right)->name);
}

uint32_t capos_names_load(const struct capos_place *place, struct capos_names *out_names)
{
    *out_names = (struct capos_names){};
    uint32_t error =
        place->grant == nullptr ? grants_add(out_names) : entries_add(out_names, place);
    if (error != 0)
        capos_names_free(out_names);
    else
        qsort(out_names->names, out_names->count, sizeof out_names->names[0], names_compare);
    return error;
}

void capos_names_free(struct capos_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i].name);
    free(names->names);
    *names = (struct capos_names){};
}

uint32_t capos_place_below(const struct capos_place *place, const char *name,
                           struct capos_place *out_place)
{
    if (place->grant == nullptr) {
        char from_top[CAPOS_PATH_BYTES_MAX + 1];
        int bytes = snprintf(from_top, sizeof from_top, "/%s", name);
        return bytes < (int)sizeof from_top ? capos_place_find(from_top, out_place)
                                            : FILE_OUTCOME_TOO_LARGE;
    }
    size_t length = strlen(place->path), name_length = strlen(name);
    if (length + 1 + name_length > CAPOS_PATH_BYTES_MAX)
        return FILE_OUTCOME_TOO_LARGE;
    *out_place = *place;
    if (length > 0)
        out_place->path[length++] = '/';
    memcpy(out_place->path + length, name, name_length + 1);
    return 0;
}
