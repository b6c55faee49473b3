// SPDX-License-Identifier: MIT
// The commands of `capos`.  Each takes the arguments after its name and returns the exit
// status of the process.
#pragma once

#include <stdio.h>

[[nodiscard]] int run_command(int argument_count, char **arguments);
[[nodiscard]] int cc_command(int argument_count, char **arguments);
[[nodiscard]] int shell_command(int argument_count, char **arguments);
[[nodiscard]] int list_command(int argument_count, char **arguments);
[[nodiscard]] int inspect_command(int argument_count, char **arguments);
[[nodiscard]] int disk_command(int argument_count, char **arguments);
[[nodiscard]] int pack_command(int argument_count, char **arguments);
[[nodiscard]] int doctor_command(int argument_count, char **arguments);

void run_help(FILE *file);
void shell_help(FILE *file);
void list_help(FILE *file);
void inspect_help(FILE *file);
void disk_help(FILE *file);
void pack_help(FILE *file);
void doctor_help(FILE *file);
void cc_help(FILE *file);

// Whether the only argument is --help or -h.
[[nodiscard]] bool help_wanted(int argument_count, char **arguments);

struct run_options;

// Boots a machine and runs the program of the options; the exit status of the process.
[[nodiscard]] int run_program(struct run_options *options);
