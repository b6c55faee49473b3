// SPDX-License-Identifier: MIT
// Copies its input to its output, byte by byte the same, until the input ends.  What is there
// is passed on at once, so it serves at a terminal too.
#include <gen/capos/stdio.h>

int main(void)
{
    static char buffer[STDIO_READ_RESULTS_DATA_BYTES_MAX];
    stdio_cap stdio;
    size_t bytes;
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
