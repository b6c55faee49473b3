// SPDX-License-Identifier: MIT
// Writes files to standard output, one behind the other.
#include <capos/command.h>
#include <stdio.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ);

static const struct capos_command command = {
    .name = "cat",
    .usage = "[FILE]...",
    .letters = "",
    .help = "Writes the files to standard output, one behind the other; standard input for -\n"
            "or without a file.\n",
};

static bool take(void *, const char *, const void *data, size_t byte_count)
{
    return byte_count == 0 || fwrite(data, 1, byte_count, stdout) == byte_count;
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    capos_command_begin(&command, argc, argv, &line);
    int status = capos_command_inputs(&command, argc, argv, line.first, take, nullptr);
    return fflush(stdout) != 0 || ferror(stdout) ? 1 : status;
}
