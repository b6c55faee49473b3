// SPDX-License-Identifier: MIT
// Counts lines, words and bytes.
#include <capos/command.h>
#include <ctype.h>
#include <stdio.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ);

static const struct capos_command command = {
    .name = "wc",
    .usage = "[-l] [-w] [-c] [FILE]...",
    .letters = "lwc",
    .help =
        "Counts lines (-l), words (-w) and bytes (-c), all three without an option, of each\n"
        "file, or of standard input; and the sums of several.\n",
};

struct counts {
    unsigned long long lines, words, bytes;
};

static struct capos_command_line line;
static struct counts here, total;
static bool in_word;
static unsigned inputs;

static void show(const struct counts *counts, const char *name)
{
    bool all = !capos_command_has(&line, 'l') && !capos_command_has(&line, 'w') &&
               !capos_command_has(&line, 'c');
    if (all || capos_command_has(&line, 'l'))
        printf("%7llu ", counts->lines);
    if (all || capos_command_has(&line, 'w'))
        printf("%7llu ", counts->words);
    if (all || capos_command_has(&line, 'c'))
        printf("%7llu ", counts->bytes);
    printf("%s\n", name);
}

static bool take(void *, const char *name, const void *data, size_t byte_count)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < byte_count; i++) {
        bool space = isspace(bytes[i]);
        here.words += !space && !in_word;
        here.lines += bytes[i] == '\n';
        in_word = !space;
    }
    here.bytes += byte_count;
    if (byte_count > 0)
        return true;
    show(&here, name);
    total.lines += here.lines;
    total.words += here.words;
    total.bytes += here.bytes;
    inputs++;
    here = (struct counts){};
    in_word = false;
    return true;
}

int main(int argc, char **argv)
{
    capos_command_begin(&command, argc, argv, &line);
    int status = capos_command_inputs(&command, argc, argv, line.first, take, nullptr);
    if (inputs > 1)
        show(&total, "total");
    return status;
}
