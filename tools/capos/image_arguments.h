// SPDX-License-Identifier: MIT
// The command line of commands that look at an image: --system and operands.
#pragma once

#include <stdio.h>

struct image_arguments {
    const char *system;
    char **operands;
    int operand_count;
};

// Reads them.  False: the command is done, with *out_status as its exit status; it printed its
// `help`, or said what is wrong.
[[nodiscard]] bool image_arguments_read(int argument_count, char **arguments,
                                        void (*help)(FILE *file),
                                        struct image_arguments *out_arguments, int *out_status);

// Prints the options, for `help`.
void image_arguments_print_help(FILE *file);
