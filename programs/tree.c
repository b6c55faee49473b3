// SPDX-License-Identifier: MIT
// Shows directories with all that is below them.
#include <capos/command.h>
#include <capos/names.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ | ELF_OPERANDS_PLACE);

static const struct capos_command command = {
    .name = "tree",
    .usage = "[PATH]...",
    .letters = "",
    .help = "Shows the directories with all that is below them; without one, the one\n"
            "where the shell stands, or all that the program was granted.\n",
};

constexpr uint32_t DEPTH_MAX = 64; // of a path
static unsigned long long directories, files;

// Prints what is below a place; `lines` says of each level above whether it goes on.
static uint32_t show(const struct capos_place *place, bool lines[DEPTH_MAX + 1], uint32_t depth)
{
    struct capos_names names;
    uint32_t error = capos_names_load(place, &names);
    if (error != 0)
        return error;
    for (size_t i = 0; i < names.count && error == 0; i++) {
        for (uint32_t level = 0; level < depth; level++)
            printf("%s", lines[level] ? "|   " : "    ");
        bool directory = names.names[i].kind == FILE_KIND_DIRECTORY;
        printf("%c-- %s%s\n", i + 1 < names.count ? '|' : '`', names.names[i].name,
               directory ? "/" : "");
        directories += directory;
        files += !directory;
        lines[depth] = i + 1 < names.count;
        struct capos_place below;
        if (directory && depth < DEPTH_MAX)
            error = capos_place_below(place, names.names[i].name, &below);
        if (directory && depth < DEPTH_MAX && error == 0)
            error = show(&below, lines, depth + 1);
    }
    capos_names_free(&names);
    return error;
}

static int show_typed(const char *typed)
{
    static bool lines[DEPTH_MAX + 1];
    struct capos_place place;
    const char *here = getenv("PWD");
    printf("%s\n", typed[0] != '\0' ? typed : here != nullptr ? here : "/");
    uint32_t error = capos_place_find(typed, &place);
    if (error == 0)
        error = show(&place, lines, 0);
    return error == 0 ? 0 : capos_command_fail(&command, typed, error);
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    capos_command_begin(&command, argc, argv, &line);
    int status = line.first == argc ? show_typed("") : 0;
    for (int i = line.first; i < argc; i++)
        status |= show_typed(argv[i]);
    printf("%llu directories, %llu files\n", directories, files);
    return status;
}
