// SPDX-License-Identifier: MIT
// Copying files and directories from place to place, for cp and mv.
#pragma once

#include <capos/file.h>

// Copies a file's contents, also between services.  A file that exists gets the new contents.
// EXISTS if the two are the same file.
[[nodiscard]] uint32_t capos_copy_file(const struct capos_place *from,
                                       const struct capos_place *to);

// Copies a file, or a directory with all below it; symlinks are made again, not followed.
[[nodiscard]] uint32_t capos_copy_all(const struct capos_place *from,
                                      const struct capos_place *to);

// Where something of that name goes: if `to` is a directory, below it under the last name of
// `from`; else `to` itself.
[[nodiscard]] uint32_t capos_copy_target(const struct capos_place *from, const char *to_typed,
                                         struct capos_place *out_place, bool *out_into);
