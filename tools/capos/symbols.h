// SPDX-License-Identifier: MIT
// Names for the addresses of a fault report, from a program's own symbol table.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct symbol {
    const char *name; // points into the file, NUL-terminated
    uint64_t offset;  // of the address from the symbol's start
};

// Finds the function that contains an address of the file (run-time address less load
// bias).  False if the file has no symbol for it; the file may be anything.
[[nodiscard]] bool symbol_find(const uint8_t *file, size_t file_bytes, uint64_t address,
                               struct symbol *out_symbol);

struct section {
    const char *name; // points into the file, NUL-terminated
    const uint8_t *data;
    size_t bytes;
};

// How many sections a file has, 0 if it has none that can be read.
[[nodiscard]] uint32_t section_count(const uint8_t *file, size_t file_bytes);
// Section `index`; false if its name or its bytes aren't in the file.
[[nodiscard]] bool section_at(const uint8_t *file, size_t file_bytes, uint32_t index,
                              struct section *out_section);
