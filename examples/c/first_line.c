// SPDX-License-Identifier: MIT
// Prints the first line of a file, in a directory of the host that it was granted:
//
//     ./capos run --dir docs:ro examples/c/first_line.c docs README.md
//
// It reaches what is below that directory and nothing else, and can change nothing there.
#include <gen/capos/directory.h>
#include <gen/capos/file.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    read_only_directory_cap directory;
    read_only_file_cap file;
    enum file_outcome outcome;
    char text[4096];
    size_t bytes;
    if (argc != 3 || read_only_directory_cap_find(argv[1], &directory) != STATUS_OK) {
        fprintf(stderr, "usage: first_line GRANT PATH, with --dir HOST:GRANT:ro\n");
        return 2;
    }
    if (read_only_directory_open_read_only(directory, argv[2], strlen(argv[2]), false, &outcome,
                                           nullptr, nullptr, &file) != STATUS_OK) {
        fprintf(stderr, "first_line: %s\n", capos_last_exception()->reason);
        return 1;
    }
    if (outcome == FILE_OUTCOME_OK && read_only_file_read(file, 0, sizeof text, &outcome, text,
                                                          sizeof text, &bytes) != STATUS_OK)
        return 1;
    if (outcome != FILE_OUTCOME_OK) {
        fprintf(stderr, "first_line: %s: %s\n", argv[2], file_outcome_name(outcome));
        return 1;
    }
    const char *newline = memchr(text, '\n', bytes);
    printf("%.*s\n", newline != nullptr ? (int)(newline - text) : (int)bytes, text);
    return 0;
}
