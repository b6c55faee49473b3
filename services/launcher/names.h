// SPDX-License-Identifier: MIT
// Lists of names as RestrictedLauncher carries them: one name per line, the last newline is
// optional, no name is empty.
#pragma once

#include <lib/wire.h>
#include <stddef.h>
#include <stdint.h>

// Takes the next line off *list.  False at the end.
bool names_next(struct wire_text *list, struct wire_text *out_name);

// Whether a list has a name.
[[nodiscard]] bool names_contain(struct wire_text list, struct wire_text name);

// Whether a list is well-formed, has no name twice, and each is in `allowed`.  If not,
// *out_bad is the first name that is wrong.
[[nodiscard]] bool names_are_among(struct wire_text list, struct wire_text allowed,
                                   struct wire_text *out_bad);
