// SPDX-License-Identifier: MIT
// Directories that are given to a program, and how they are called; the ones of the host:
// `--dir HOST[:GUEST][:ro|rw]`.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "files.h"

constexpr uint32_t DIRECTORIES_MAX = 6; // bounds of schema/manifest.capnp
constexpr uint32_t DISKS_MAX = 4;
constexpr uint32_t TMPS_MAX = 4;
constexpr size_t DIRECTORY_NAME_BYTES = 32; // of a CapSet's entry, with its NUL

struct directory {
    char path[PATH_BYTES]; // absolute, without symlinks
    char name[DIRECTORY_NAME_BYTES];
    char mount_tag[16];
    bool read_only;
};

enum directory_kind { DIRECTORY_OF_HOST, DIRECTORY_OF_DISK, DIRECTORY_IN_MEMORY };

struct directory_option {
    const char *name;     // "--dir"
    const char *renaming; // how it is written with another name
};
extern const struct directory_option directory_options[]; // by enum directory_kind

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

// Writes the name that a program finds a directory under: `guest`, or `usual` if that has no
// bytes.  0, or the status to exit with; a message has been printed then.
[[nodiscard]] int directory_name_read(enum directory_kind kind, const char *guest,
                                      size_t guest_bytes, const char *usual,
                                      char out_name[DIRECTORY_NAME_BYTES]);

// Looks at the directory that `text`, an operand of --dir, names; it gets no mount tag.  0, or
// the status to exit with; a message has been printed then.
[[nodiscard]] int directory_read(const char *text, struct directory *out_directory);
