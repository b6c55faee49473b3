// SPDX-License-Identifier: MIT
// Copying files and directories from place to place, for cp and mv.
#pragma once

#include <capos/file.h>

// Copies a file's contents, also between services.  A file that exists gets the new contents.
// EXISTS if the two are the same file.
[[nodiscard]] uint32_t capos_copy_file(const struct capos_place *from,
                                       const struct capos_place *to);

// Copies a file, or a directory with all below it; symlinks are made again, not followed.  Modes
// are copied too, and the times of changes if that is wanted, where the service keeps them.  What
// fails half-way leaves what was copied.
[[nodiscard]] uint32_t capos_copy_all(const struct capos_place *from,
                                      const struct capos_place *to, bool with_time);

// Removes a file, or a directory with all below it; a symlink is removed, not followed.
[[nodiscard]] uint32_t capos_remove_all(const struct capos_place *place);

// Moves a file, or a directory with all below it, to another service, where it replaces what
// capos_file_rename would.  The copy is made under a name of its own beside `to`, `.mv-N`, and
// takes its name when it is whole; only then is `from` removed.  So whatever fails, everything is
// whole in one place or both: an error before the copy was whole leaves `from`, and `to` as it
// was; one after that leaves the copy, and what couldn't be removed.
[[nodiscard]] uint32_t capos_move_across(const struct capos_place *from,
                                         const struct capos_place *to,
                                         enum directory_replacement replacement);

// Where something of that name goes: if `to` is a directory, below it under the last name of
// `from`; else `to` itself.
[[nodiscard]] uint32_t capos_copy_target(const struct capos_place *from, const char *to_typed,
                                         struct capos_place *out_place, bool *out_into);
