// SPDX-License-Identifier: MIT
// Shows what is known of files.
#include <capos/command.h>
#include <stdio.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ);

static const struct capos_command command = {
    .name = "stat",
    .usage = "[-h] PATH...",
    .letters = "h",
    .help = "Shows what is known of files and directories; with -h of a symlink itself.\n",
};

static void show(const struct capos_place *place, const char *typed,
                 const struct directory_stat_results *stat)
{
    static const char *const kinds[FILE_KIND_COUNT] = {"file", "directory", "symlink", "other"};
    char target[CAPOS_PATH_BYTES_MAX + 1];
    printf("%s: %s\n", typed, kinds[stat->kind]);
    if (stat->kind == FILE_KIND_SYMLINK &&
        capos_file_read_symlink(&place->directory, place->path, target) == 0)
        printf("  target   %s\n", target);
    printf("  size     %llu %s\n", (unsigned long long)stat->size_bytes,
           stat->kind == FILE_KIND_DIRECTORY ? "entries" : "bytes");
    printf("  stored   %llu bytes\n", (unsigned long long)stat->stored_bytes);
    printf("  inode    %llu\n", (unsigned long long)stat->inode);
    printf("  links    %u\n", (unsigned)stat->link_count);
    printf("  mode     %04o\n", (unsigned)stat->mode);
    printf("  modified %lld ns\n", (long long)stat->modified_ns);
    printf("  rights   %s\n", place->directory.read_only ? "read" : "read, write");
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    int status = 0;
    capos_command_begin(&command, argc, argv, &line);
    if (line.first == argc)
        capos_command_misused(&command, "of what?");
    for (int i = line.first; i < argc; i++) {
        struct capos_place place;
        struct directory_stat_results stat;
        uint32_t error = capos_place_find(argv[i], &place);
        if (error == 0 && place.grant == nullptr)
            error = FILE_OUTCOME_NOT_SUPPORTED;
        if (error == 0)
            error = capos_file_stat(&place.directory, place.path,
                                    !capos_command_has(&line, 'h'), &stat);
        if (error == 0)
            show(&place, argv[i], &stat);
        else
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
