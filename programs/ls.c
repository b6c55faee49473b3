// SPDX-License-Identifier: MIT
// Lists directories.
#include <capos/command.h>
#include <capos/names.h>
#include <stdio.h>
#include <string.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ | ELF_OPERANDS_PLACE);

static const struct capos_command command = {
    .name = "ls",
    .usage = "[-l] [PATH]...",
    .letters = "l",
    .help =
        "Lists the directories, sorted by name; without one, the one where the shell stands,\n"
        "or all that the program was granted.  Behind a directory's name stands /, behind a\n"
        "symlink's @.\n"
        "-l shows mode and size too.\n",
};

static bool is_long;

static void show(const struct capos_place *place, const char *name, enum file_kind kind)
{
    static const char marks[FILE_KIND_COUNT] = {0, '/', '@', '?'};
    static const char letters[FILE_KIND_COUNT] = {'-', 'd', 'l', '?'};
    struct directory_stat_results stat = {};
    char target[CAPOS_PATH_BYTES_MAX + 1];
    if (is_long && capos_file_stat(&place->directory, place->path, false, &stat) == 0)
        printf("%c%04o %12llu ", letters[kind], (unsigned)stat.mode,
               (unsigned long long)stat.size_bytes);
    printf("%s", name);
    if (is_long && kind == FILE_KIND_SYMLINK &&
        capos_file_read_symlink(&place->directory, place->path, target) == 0)
        printf(" -> %s\n", target);
    else if (marks[kind] != 0)
        printf("%c\n", marks[kind]);
    else
        printf("\n");
}

static uint32_t list(const struct capos_place *place)
{
    struct capos_names names;
    uint32_t error = capos_names_load(place, &names);
    if (error != 0)
        return error;
    for (size_t i = 0; i < names.count; i++) {
        struct capos_place below;
        if (capos_place_below(place, names.names[i].name, &below) == 0)
            show(&below, names.names[i].name, names.names[i].kind);
    }
    capos_names_free(&names);
    return 0;
}

static uint32_t list_or_show(const char *typed)
{
    struct capos_place place;
    struct directory_stat_results stat;
    uint32_t error = capos_place_find(typed, &place);
    if (error == 0 && place.path[0] != '\0') {
        error = capos_file_stat(&place.directory, place.path, true, &stat);
        if (error == 0 && stat.kind != FILE_KIND_DIRECTORY) {
            show(&place, typed, stat.kind);
            return 0;
        }
    }
    return error == 0 ? list(&place) : error;
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    int status = 0;
    capos_command_begin(&command, argc, argv, &line);
    is_long = capos_command_has(&line, 'l');
    if (line.first == argc && list_or_show("") != 0)
        return 1;
    for (int i = line.first; i < argc; i++) {
        if (argc - line.first > 1)
            printf("%s%s:\n", i > line.first ? "\n" : "", argv[i]);
        uint32_t error = list_or_show(argv[i]);
        if (error != 0)
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
