// SPDX-License-Identifier: MIT
// Counts the bytes of its input and says how many there were.
#include <gen/capos/stdio.h>
#include <stdio.h>

int main(void)
{
    static char buffer[STDIO_READ_RESULTS_DATA_BYTES_MAX];
    stdio_cap stdio;
    size_t bytes;
    unsigned long long count = 0;
    if (stdio_cap_find("stdio", &stdio) != STATUS_OK)
        return 1;
    do {
        if (stdio_read(stdio, sizeof buffer, buffer, sizeof buffer, &bytes) != STATUS_OK)
            return 1;
        count += bytes;
    } while (bytes != 0);
    printf("%llu bytes\n", count);
    return 0;
}
