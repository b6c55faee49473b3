// SPDX-License-Identifier: MIT
// Copies files and directories.
#include <capos/command.h>
#include <capos/copy.h>
#include <string.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ | ELF_OPERANDS_WRITE_LAST);

static const struct capos_command command = {
    .name = "cp",
    .usage = "[-r] FROM... TO",
    .letters = "r",
    .help = "Copies a file to another name, or files into a directory; directories with -r.\n"
            "A file that exists gets the new contents.\n",
};

// Whether a directory would be copied into itself.
static bool lies_below(const struct capos_place *to, const struct capos_place *from)
{
    size_t length = strlen(from->path);
    return to->directory.id == from->directory.id &&
           (length == 0 || (strncmp(to->path, from->path, length) == 0 &&
                            (to->path[length] == '/' || to->path[length] == '\0')));
}

static uint32_t copy(const char *from_typed, const char *to_typed, bool all, bool several)
{
    struct capos_place from, to;
    struct directory_stat_results stat;
    bool into = false;
    uint32_t error = capos_place_find(from_typed, &from);
    if (error == 0 && from.grant == nullptr)
        error = FILE_OUTCOME_NOT_SUPPORTED;
    if (error == 0)
        error = capos_file_stat(&from.directory, from.path, true, &stat);
    if (error == 0)
        error = capos_copy_target(&from, to_typed, &to, &into);
    if (error != 0)
        return error;
    if (several && !into)
        return FILE_OUTCOME_NOT_DIRECTORY;
    if (stat.kind != FILE_KIND_DIRECTORY)
        return capos_copy_file(&from, &to);
    if (!all)
        return FILE_OUTCOME_IS_DIRECTORY;
    return lies_below(&to, &from) ? FILE_OUTCOME_INTO_ITSELF
                                  : capos_copy_all(&from, &to, false);
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    int status = 0;
    capos_command_begin(&command, argc, argv, &line);
    int count = argc - line.first;
    if (count < 2)
        capos_command_misused(&command, "copy what, and where to?");
    for (int i = line.first; i < argc - 1; i++) {
        uint32_t error =
            copy(argv[i], argv[argc - 1], capos_command_has(&line, 'r'), count > 2);
        if (error != 0)
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
