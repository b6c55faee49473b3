// SPDX-License-Identifier: MIT
// The directories of the host that `--dir` gives to a program.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "files.h"

constexpr uint32_t DIRECTORIES_MAX = 6;     // the machine has eight places for devices
constexpr size_t DIRECTORY_NAME_BYTES = 32; // of a CapSet's entry, with its NUL

struct directory {
    char path[PATH_BYTES]; // absolute, without symlinks
    char name[DIRECTORY_NAME_BYTES];
    char mount_tag[16];
    bool read_only;
};

struct directories {
    struct directory list[DIRECTORIES_MAX];
    uint32_t count;
};

// The parts of HOST[:GUEST][:ro|rw].  The last two colons count, so a path with a colon in it
// is followed by a GUEST, which may be empty: "a:b:" is the path "a:b".
struct directory_parts {
    const char *host; // in the text
    size_t host_bytes;
    const char *guest;
    size_t guest_bytes; // 0: not given
    bool read_only;
};
[[nodiscard]] struct directory_parts directory_split(const char *text);

// Whether a program may find a capability under that name: 1 to 31 letters, digits, and
// `-`, `_`, `.`, the first a letter, a digit or `_`.
[[nodiscard]] bool directory_name_is_good(const char *name, size_t size_bytes);

// Looks at the directory that `text`, an operand of --dir, names, and adds it.  0, or the
// status to exit with; a message has been printed then.
[[nodiscard]] int directories_add(struct directories *directories, const char *text);
