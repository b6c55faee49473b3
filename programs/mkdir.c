// SPDX-License-Identifier: MIT
// Makes directories.
#include <capos/command.h>

#include <gen/capos/directory.h>
#include <stdlib.h>
#include <string.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_WRITE);

static const struct capos_command command = {
    .name = "mkdir",
    .usage = "[-p] [-q BYTES] DIRECTORY...",
    .letters = "pq:",
    .help =
        "Makes the directories.  With -p those on the way too, and what exists is no error.\n"
        "With -q what is below each may take up so much; of one that exists the limit is\n"
        "changed.\n",
};

static uint32_t limit(const struct capos_place *place, uint64_t limit_bytes)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (place->directory.read_only)
        return FILE_OUTCOME_READ_ONLY;
    enum status status = directory_set_quota((directory_cap){place->directory.id}, place->path,
                                             strlen(place->path), limit_bytes, &outcome);
    return status == STATUS_OK ? (uint32_t)outcome : CAPOS_FILE_STATUS + (uint32_t)status;
}

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
    bool all = capos_command_has(&line, 'p'), limited = capos_command_has(&line, 'q');
    char *end = nullptr;
    uint64_t limit_bytes = limited ? strtoull(line.values['q' - 'a'], &end, 10) : 0;
    if (limited && (*end != '\0' || limit_bytes == 0))
        capos_command_misused(&command, "BYTES is a number above 0");
    for (int i = line.first; i < argc; i++) {
        struct capos_place place;
        uint32_t error = capos_place_find(argv[i], &place);
        if (error == 0 && place.path[0] == '\0')
            error = all ? 0 : FILE_OUTCOME_EXISTS;
        else if (error == 0)
            error =
                all ? make_all(&place) : capos_directory_create(&place.directory, place.path);
        if (limited && (error == 0 || error == FILE_OUTCOME_EXISTS))
            error = limit(&place, limit_bytes);
        if (error != 0)
            status = capos_command_fail(&command, argv[i], error);
    }
    return status;
}
