// SPDX-License-Identifier: MIT
// Places: where the shell stands, what operands lead to, and what a line without `with` grants.
//
// A place is a path whose first name is that of a Directory or ReadOnlyDirectory that the shell
// holds, or "": where all of them are.  It is a name and no authority: what it leads to is
// looked up in what the shell holds.
#pragma once

#include "eval.h"

// A place that a held directory has.
struct place {
    const char *name; // of the directory; lives as long as it is held
    struct value directory;
    const char *path; // below it, in the text that was looked up; may be ""
};

// Looks up the first name of a place.  False: it is none of a directory that is held.
[[nodiscard]] bool place_find(const struct shell *shell, const char *text,
                              struct place *out_place);

// The directories that are held, by index; false behind the last one.
[[nodiscard]] bool place_at(const struct shell *shell, uint32_t index, struct place *out_place);

// What a program gets that a line names without `with`: the shell's stdio, and each directory
// in which one of the operands lies, as a ReadOnlyDirectory unless the program's file says that
// it is changed there (enum elf_operands).  A program whose file says nothing gets no directory.
// False: see the shell's problem.
[[nodiscard]] bool place_grant(struct shell *shell, struct shell_program *program);

// The command `cd`.
[[nodiscard]] bool place_change(struct shell *shell);

// Writes what a person reads of where the shell stands: at most 40 characters, NUL included.
constexpr uint32_t PLACE_SHOWN_BYTES = 40;
void place_show(const struct shell *shell, char out_text[PLACE_SHOWN_BYTES]);
