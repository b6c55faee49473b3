// SPDX-License-Identifier: MIT
// The program that a person asked for, wherever it comes from.
#pragma once

#include "files.h"
#include "image.h"

struct program {
    char name[64];              // what it is called
    char package_name[64];      // the file of the boot package
    char file_path[PATH_BYTES]; // the ELF file on the host that has its symbols
    struct file_map map;        // of that file; open unless the program is in the image
    size_t loaded_bytes;        // how much of it the machine needs
};

// Finds PROGRAM: a path or anything that ends in .c is a file of the host, C is compiled;
// any other name is one of the image, or else a file of the host.
// 0, or an exit status after a message.
[[nodiscard]] int program_find(const struct image *image, const char *asked,
                               struct program *out_program);
