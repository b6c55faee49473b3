// SPDX-License-Identifier: MIT
#include "hostfs.h"

#include <capos/file.h>
#include <capos/panic.h>
#include <stdio.h>

constexpr unsigned ROUNDS = 6;

static void done(uint32_t error, const char *what)
{
    if (error != 0)
        capos_panic("bench: %s: %s", what, capos_file_error_text(error));
}

static void read_all(const struct capos_directory *directory)
{
    struct capos_file file;
    const void *data;
    size_t bytes = 1;
    done(capos_file_open(directory, "large", CAPOS_FILE_READ, &file), "open");
    for (uint64_t offset = 0; bytes > 0; offset += bytes)
        done(capos_file_peek(&file, offset, &data, &bytes), "peek");
    capos_file_close(&file);
}

void hostfs_measure(void)
{
    struct capos_directory directory;
    done(capos_directory_find("hostfs", &directory), "the grant hostfs");
    for (unsigned round = 0; round < ROUNDS; round++) {
        printf("begin peek\n");
        fflush(stdout);
        read_all(&directory);
        printf("end peek\n");
        fflush(stdout);
    }
    printf("done\n");
}
