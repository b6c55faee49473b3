// SPDX-License-Identifier: MIT
// A path under way: the names that are still to be gone, with the symlinks that were met
// replaced by where they lead.
//
// A path of a client has plain names only; `..` comes from symlinks, and is taken off
// together with the name before it only when that was found to be a directory.  So where a
// path leads is always the Directory that the call was made on, and names from there.
//
// It knows no files.  Tested by route_test.c, fuzzed by route_fuzz.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr uint32_t ROUTE_CLIENT_BYTES_MAX = 1024; // as schema/directory.capnp has it
constexpr uint32_t ROUTE_CLIENT_NAMES_MAX = 64;
constexpr uint32_t ROUTE_NAME_BYTES_MAX = 255;
constexpr uint32_t ROUTE_SYMLINKS_MAX = 16;
constexpr uint32_t ROUTE_NAMES_MAX = 256;

struct route_name {
    const uint8_t *bytes; // in the client's path, or in `text`
    uint32_t size_bytes;
};

struct route {
    struct route_name names[ROUTE_NAMES_MAX];
    uint32_t count;
    uint32_t symlinks; // that were followed
    uint32_t text_bytes;
    uint8_t text[ROUTE_SYMLINKS_MAX * ROUTE_CLIENT_BYTES_MAX]; // of symlinks
};

enum route_outcome { ROUTE_OK, ROUTE_OUTSIDE, ROUTE_TOO_MANY };

// Takes a client's path, which has to stay.  False: it isn't one as schema/directory.capnp
// has them; the empty one is.
[[nodiscard]] bool route_init(struct route *path, const uint8_t *bytes, uint32_t size_bytes);

// Replaces the name at `index`, a symlink, by where it leads.  ROUTE_OUTSIDE: that is absolute;
// ROUTE_TOO_MANY: more symlinks, or longer ones, than are followed.
[[nodiscard]] enum route_outcome route_follow(struct route *path, uint32_t index,
                                              const uint8_t *target, uint32_t size_bytes);

// Whether the name at `index` is `..`.
[[nodiscard]] bool route_is_up(const struct route *path, uint32_t index);
// Takes it off with the name before it, which is a directory.  ROUTE_OUTSIDE: there is none.
[[nodiscard]] enum route_outcome route_up(struct route *path, uint32_t index);
