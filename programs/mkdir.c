// SPDX-License-Identifier: MIT
// Makes directories.
#include <capos/command.h>
#include <string.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_WRITE);

static const struct capos_command command = {
    .name = "mkdir",
    .usage = "[-p] DIRECTORY...",
    .letters = "p",
    .help =
        "Makes the directories.  With -p those on the way too, and what exists is no error.\n",
};

// The directories on the way, and the last one; what exists is no error.
static uint32_t make_all(struct capos_place *place)
{
    for (char *at = place->path;; at++) {
        char end = *at;
        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        struct directory_stat_results stat;
        uint32_t error = capos_directory_create(&place->directory, place->path);
        if (error == FILE_OUTCOME_EXISTS) {
            error = capos_file_stat(&place->directory, place->path, true, &stat);
            if (error == 0 && stat.kind != FILE_KIND_DIRECTORY)
                error = FILE_OUTCOME_NOT_DIRECTORY;
        }
        *at = end;
        if (error != 0 || end == '\0')
            return error;
    }
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    int status = 0;
    capos_command_begin(&command, argc, argv, &line);
    if (line.first == argc)
        capos_command_misused(&command, "which directory?");
    bool all = capos_command_has(&line, 'p');
    for (int i = line.first; i < argc; i++) {
        struct capos_place place;
        uint32_t error = capos_place_find(argv[i], &place);
        if (error == 0 && place.path[0] == '\0')
            error = all ? 0 : FILE_OUTCOME_EXISTS;
        else if (error == 0)
            error =
                all ? make_all(&place) : capos_directory_create(&place.directory, place.path);
        if (error != 0)
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
