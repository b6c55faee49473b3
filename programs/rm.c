// SPDX-License-Identifier: MIT
// Removes files and directories.
#include <capos/command.h>
#include <capos/copy.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_WRITE);

static const struct capos_command command = {
    .name = "rm",
    .usage = "[-r] [-f] PATH...",
    .letters = "rf",
    .help = "Removes files, symlinks and, with -r, directories with all that is below them.\n"
            "With -f a name that doesn't exist is no error.\n",
};

int main(int argc, char **argv)
{
    struct capos_command_line line;
    int status = 0;
    capos_command_begin(&command, argc, argv, &line);
    if (line.first == argc)
        capos_command_misused(&command, "remove what?");
    for (int i = line.first; i < argc; i++) {
        struct capos_place place;
        uint32_t error = capos_place_find(argv[i], &place);
        if (error == 0 && place.path[0] == '\0')
            error = FILE_OUTCOME_BUSY; // what was granted
        else if (error == 0)
            error = capos_command_has(&line, 'r')
                        ? capos_remove_all(&place)
                        : capos_file_remove(&place.directory, place.path,
                                            DIRECTORY_REMOVAL_NOT_DIRECTORY);
        if (error != 0 && !(error == FILE_OUTCOME_NOT_FOUND && capos_command_has(&line, 'f')))
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
