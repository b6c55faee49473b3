// SPDX-License-Identifier: MIT
// Moves files and directories.
#include <capos/command.h>
#include <capos/copy.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_WRITE);

static const struct capos_command command = {
    .name = "mv",
    .usage = "[-n] FROM... TO",
    .letters = "n",
    .help =
        "Gives a file or directory another name, or moves several into a directory.  With\n"
        "-n nothing is replaced.  Between two services all is copied to a new name, .mv-N,\n"
        "which becomes TO when it is whole; then FROM is removed.\n",
};

static uint32_t move(const char *from_typed, const char *to_typed,
                     enum directory_replacement replacement, bool several)
{
    struct capos_place from, to;
    bool into = false;
    uint32_t error = capos_place_find(from_typed, &from);
    if (error == 0 && from.path[0] == '\0')
        error = FILE_OUTCOME_BUSY; // what was granted
    if (error == 0)
        error = capos_copy_target(&from, to_typed, &to, &into);
    if (error != 0)
        return error;
    if (several && !into)
        return FILE_OUTCOME_NOT_DIRECTORY;
    error = capos_file_rename(&from.directory, from.path, &to.directory, to.path, replacement);
    if (error != FILE_OUTCOME_OTHER_SERVICE)
        return error;
    struct directory_stat_results stat;
    if (replacement == DIRECTORY_REPLACEMENT_REFUSE &&
        capos_file_stat(&to.directory, to.path, false, &stat) == 0)
        return FILE_OUTCOME_EXISTS;
    return capos_move_across(&from, &to, replacement);
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    int status = 0;
    capos_command_begin(&command, argc, argv, &line);
    int count = argc - line.first;
    if (count < 2)
        capos_command_misused(&command, "move what, and where to?");
    enum directory_replacement replacement = capos_command_has(&line, 'n')
                                                 ? DIRECTORY_REPLACEMENT_REFUSE
                                                 : DIRECTORY_REPLACEMENT_REPLACE;
    for (int i = line.first; i < argc - 1; i++) {
        uint32_t error = move(argv[i], argv[argc - 1], replacement, count > 2);
        if (error != 0)
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
