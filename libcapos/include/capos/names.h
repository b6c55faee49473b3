// SPDX-License-Identifier: MIT
// The entries of a directory as a sorted array, for programs that show or walk directories.
#pragma once

#include <capos/file.h>

struct capos_name {
    char *name; // ends with a NUL
    enum file_kind kind;
};

struct capos_names {
    struct capos_name *names; // by name
    size_t count;
};

// The entries of what a place leads to; of the place of all grants, the directories that the
// program holds.  On an error there is nothing to free.
[[nodiscard]] uint32_t capos_names_load(const struct capos_place *place,
                                        struct capos_names *out_names);
void capos_names_free(struct capos_names *names);

// The place one name further down.  TOO_LARGE: the path gets too long.
[[nodiscard]] uint32_t capos_place_below(const struct capos_place *place, const char *name,
                                         struct capos_place *out_place);
