// SPDX-License-Identifier: MIT
// How a program's end becomes an exit status and, for a bad end, one line for a person.
#pragma once

#include <abi/host_link.h>
#include <stddef.h>

// Where a fault happened, as far as it is known.
struct report_place {
    const char *function; // nullptr: unknown
    uint64_t offset;      // of the instruction from the function's start
    const char *line;     // "file.c:12", or nullptr
};

// The exit status of `capos run` for an end that the guest reported.
[[nodiscard]] int report_status(const struct capos_link_finish *finish);

// Writes the line for an end that isn't an ordinary exit: what happened, at which
// address, where.  Returns false, and an empty text, for an ordinary exit.
bool report_text(const struct capos_link_finish *finish, const struct report_place *place,
                 char *out_text, size_t text_bytes);
