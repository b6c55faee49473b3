// SPDX-License-Identifier: MIT
// What the small programs that work on files share: options, messages, inputs.
//
// Names on a command line are places (<capos/file.h>): the first component is the name of a
// grant, as in tmp/notes/today.  Exit statuses: 0, 1 if something could not be done, 2 for a
// wrong command line.
#pragma once

#include <capos/file.h>
#include <lib/elf.h>

// Says in the program's file what it does with operands that are places, once in a program and
// outside functions: bits of enum elf_operands (<lib/elf.h>).  So a shell can grant just that.
#define CAPOS_COMMAND_OPERANDS(bits)                                            \
    static const struct {                                                       \
        uint32_t name_bytes, description_bytes, type;                           \
        char name[8];                                                           \
        uint32_t operands;                                                      \
    } operands_note [[gnu::section(".note.capos"), gnu::used, gnu::retain]] = { \
        sizeof ELF_NOTE_CAPOS_NAME, sizeof(uint32_t), ELF_NOTE_CAPOS_OPERANDS,  \
        ELF_NOTE_CAPOS_NAME, (bits)}

struct capos_command {
    const char *name;
    const char *usage;   // behind the name, as in "[-l] [PATH]..."
    const char *letters; // the options, a letter each; one with ':' behind it takes a value
    const char *help;    // lines behind the usage
};

struct capos_command_line {
    int first;      // argv[first] is the first operand; argc: there is none
    bool given[26]; // by letter, 'a' first
    const char *values[26];
};

// Reads the options; --help prints what there is to know and ends the program with 0, a wrong
// option ends it with 2.  "--" ends the options, "-" is an operand.
void capos_command_begin(const struct capos_command *command, int argc, char **argv,
                         struct capos_command_line *out_line);
[[nodiscard]] static inline bool capos_command_has(const struct capos_command_line *line,
                                                   char letter)
{
    return line->given[letter - 'a'];
}

// "NAME: PATH: what went wrong" on standard error.  Returns 1, the exit status.
int capos_command_fail(const struct capos_command *command, const char *path, uint32_t error);
// "NAME: text", the usage, and the end with 2.
[[noreturn]] void capos_command_misused(const struct capos_command *command, const char *text);

// A file under a place.
[[nodiscard]] uint32_t capos_command_open(const char *typed, uint32_t flags,
                                          struct capos_file *out_file);

// Hands what the operands' files hold to `take`, piece by piece, and standard input for "-" or
// without operands.  A piece of 0 bytes is the end of one input; `take` returns false to hear no
// more of it, but its end.  Says on standard error what can't be read; returns the exit status.
[[nodiscard]] int capos_command_inputs(const struct capos_command *command, int argc,
                                       char **argv, int first,
                                       bool (*take)(void *context, const char *name,
                                                    const void *data, size_t byte_count),
                                       void *context);
