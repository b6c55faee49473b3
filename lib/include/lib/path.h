// SPDX-License-Identifier: MIT
// Names and paths of files, as schema/directory.capnp defines them.
//
// A name is 1 to 255 bytes of any value but 0 and '/', and neither "." nor "..".  A path is
// 1 to 64 names with one '/' between two, at most 1024 bytes; so it can only lead down.
// What isn't a path is refused as a whole, before anything is looked at.
//
// Where a symlink leads is looser, as POSIX has it: components may be empty, "." and "..", and
// who follows it decides about them.
//
// What a person types is looser too, and means a place: a path, or "" for the top.
//
// Pure: but for places nothing is copied, and what comes out points into what went in.
// Tested by path_test.c.
#pragma once

#include <lib/wire.h>

constexpr uint32_t PATH_NAME_BYTES_MAX = 255;
constexpr uint32_t PATH_BYTES_MAX = 1024;
constexpr uint32_t PATH_NAMES_MAX = 64;

[[nodiscard]] bool path_is_name(struct wire_data name);

// An empty path isn't one: where it means the directory itself, the caller asks before.
[[nodiscard]] bool path_is_valid(struct wire_data path);

// Whether a symlink may lead there: 1 to 1024 bytes, none of them 0.
[[nodiscard]] bool path_is_target(struct wire_data target);

// Takes the first component, up to the next '/', off a path or a symlink's target, and
// that '/' with it.  False, without one, at the end.
[[nodiscard]] bool path_next(struct wire_data *rest, struct wire_data *out_component);

enum path_component {
    PATH_NAME, // a name, unless it is too long
    PATH_STAY, // empty or "."
    PATH_UP,   // ".."
};
[[nodiscard]] enum path_component path_component_kind(struct wire_data component);

enum path_walk {
    PATH_WALKED,
    PATH_WALKED_OUT,  // ".." at the top
    PATH_WALKED_LONG, // the place would have more than PATH_BYTES_MAX bytes
};

// Goes from a place, which ends with a NUL, to where `typed` leads: "/" in front begins at the
// top, "//", "." and "/" at the end mean nothing, ".." takes a name back.  The place is unchanged
// unless the result is PATH_WALKED.  Names aren't checked; those of a good path may be too long
// or too many.
[[nodiscard]] enum path_walk path_walk(char place[PATH_BYTES_MAX + 1], struct wire_data typed);
