// SPDX-License-Identifier: MIT
// What a path means.
//
// The program's Directory grants make up one tree.  The grant "root", if it is held, is its
// root; every other one is the directory of its name in the root.  Without "root" the root has
// these names and nothing else, and can't be changed.  `.` and `..` are taken away before
// anybody is asked, so there is no way out of a grant but into another grant; symlinks are
// followed by the service, within the grant.
#pragma once

#include "abi.h"

#include <capos/file.h>

constexpr uint32_t PATH_TEXT_BYTES = 2048; // an absolute path with its NUL

struct resolved {
    struct capos_directory directory; // lent; id 0: the root that has the grants alone
    uint32_t device;                  // st_dev: 1 of the root, others of the grants
    bool ends_with_slash;             // it must be a directory
    const char *path;                 // below the directory, in `absolute`; "" for itself
    char absolute[PATH_TEXT_BYTES];
};

// Where a path leads, seen from a descriptor or AT_FDCWD.  ENOENT: it is empty, or begins with
// a name that no grant has.  ENOTDIR, EBADF: of the descriptor.  ENAMETOOLONG.
[[nodiscard]] long resolve(long from, const char *path, struct resolved *out_resolved);

// Whether a name of the root is a grant's.
[[nodiscard]] bool grant_present(const char *name);

// The grants that are directories below the root: the name of one, nullptr from the count on.
[[nodiscard]] const char *grant_name(uint32_t index);
