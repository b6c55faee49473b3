// SPDX-License-Identifier: MIT
// Writes its arguments as a line.  Without any it copies its input to its output, byte by byte
// the same, until the input ends; what is there is passed on at once, so it serves at a
// terminal too.
#include <gen/capos/stdio.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static char buffer[STDIO_READ_RESULTS_DATA_BYTES_MAX];
    stdio_cap stdio;
    size_t bytes;
    for (int i = 1; i < argc; i++)
        printf("%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
    if (argc > 1)
        return 0;
    if (stdio_cap_find("stdio", &stdio) != STATUS_OK)
        return 1;
    for (;;) {
        if (stdio_read(stdio, sizeof buffer, buffer, sizeof buffer, &bytes) != STATUS_OK)
            return 1;
        if (bytes == 0)
            return 0;
        if (stdio_write(stdio, OUTPUT_STREAM_OUTPUT, buffer, bytes) != STATUS_OK)
            return 1;
    }
}
