// SPDX-License-Identifier: MIT
// Command-line options, read from a table that also prints their help.
#pragma once

#include <stddef.h>
#include <stdio.h>

struct option {
    const char *name;  // "--mem"
    const char *value; // what the value is called in the help; nullptr: takes none.  With an
                       // equals sign ("=FILE") it is optional, and only --name=value has one
    const char *help;  // one line
};

constexpr size_t OPTION_PROBLEM_BYTES = 320;

// The place in a command's arguments.  Set the first four fields; the rest zero.
struct option_reader {
    const struct option *options;
    size_t option_count;
    char **arguments; // without the command's name
    int argument_count;
    int next; // the first argument that was not read
    char problem[OPTION_PROBLEM_BYTES];
};

enum option_step {
    OPTION_FOUND,
    OPTION_HELP,  // --help or -h
    OPTION_END,   // `next` is the first operand, or argument_count
    OPTION_WRONG, // `problem` says what and how to do better
};

// Reads one option: "--name value" or "--name=value".  "--" ends the options.
[[nodiscard]] enum option_step option_read(struct option_reader *reader, size_t *out_option,
                                           const char **out_value);

// Prints one line per option, aligned.
void option_print_help(FILE *file, const struct option *options, size_t option_count);
