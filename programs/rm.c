// SPDX-License-Identifier: MIT
// Removes files and directories.
#include <capos/command.h>
#include <capos/names.h>

static const struct capos_command command = {
    .name = "rm",
    .usage = "[-r] [-f] PATH...",
    .letters = "rf",
    .help = "Removes files, symlinks and, with -r, directories with all that is below them.\n"
            "With -f a name that doesn't exist is no error.\n",
};

// What is below goes first; a symlink is removed, not followed.
static uint32_t remove_all(const struct capos_place *place)
{
    uint32_t error = capos_file_remove(&place->directory, place->path, DIRECTORY_REMOVAL_ANY);
    struct capos_names names;
    if (error != FILE_OUTCOME_NOT_EMPTY)
        return error;
    error = capos_names_load(place, &names);
    if (error != 0)
        return error;
    for (size_t i = 0; i < names.count && error == 0; i++) {
        struct capos_place below;
        error = capos_place_below(place, names.names[i].name, &below);
        if (error == 0)
            error = remove_all(&below);
    }
    capos_names_free(&names);
    if (error != 0)
        return error;
    return capos_file_remove(&place->directory, place->path, DIRECTORY_REMOVAL_DIRECTORY);
}

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
                        ? remove_all(&place)
                        : capos_file_remove(&place.directory, place.path,
                                            DIRECTORY_REMOVAL_NOT_DIRECTORY);
        if (error != 0 && !(error == FILE_OUTCOME_NOT_FOUND && capos_command_has(&line, 'f')))
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
