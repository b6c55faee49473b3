// SPDX-License-Identifier: MIT
// One program of a pipeline that looks closely at its StdIO; says what it sees on standard
// error.  Run by tests/cli/shell_test.py.
//
//     pipe_client info      whose ends are terminals
//     pipe_client refused   what a read of nothing is answered
//     pipe_client write     writes until that is refused
//     pipe_client many      many reads at once, in order
#include <capos/call.h>

#include <gen/capos/stdio.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t READS = 6;

static void say_why(const char *what, enum status status)
{
    fprintf(stderr, "%s: %s: %s\n", what, status_name(status), capos_last_exception()->reason);
}

static void read_many(stdio_cap stdio)
{
    struct capos_call reads[READS];
    uint8_t byte[1];
    size_t bytes;
    char text[READS + 1] = {};
    for (uint32_t i = 0; i < READS; i++)
        if (stdio_read_begin(&reads[i], stdio, sizeof byte) != STATUS_OK)
            return;
    for (uint32_t i = 0; i < READS; i++)
        if (stdio_read_finish(&reads[i], byte, sizeof byte, &bytes) == STATUS_OK)
            text[i] = bytes == 1 ? (char)byte[0] : '-';
    fprintf(stderr, "read %s\n", text);
}

int main(int argc, char **argv)
{
    stdio_cap stdio;
    bool input, output, error;
    uint16_t columns, rows;
    static uint8_t data[100];
    enum status status = stdio_cap_find("stdio", &stdio);
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "info") == 0) {
        status = stdio_info(stdio, &input, &output, &error, &columns, &rows);
        fprintf(stderr, "input %d output %d error %d\n", input, output, error);
    } else if (strcmp(what, "refused") == 0) {
        say_why("read", stdio_read(stdio, 0, data, sizeof data, nullptr));
    } else if (strcmp(what, "write") == 0) {
        while (status == STATUS_OK)
            status = stdio_write(stdio, OUTPUT_STREAM_OUTPUT, data, sizeof data);
        say_why("write", status);
        return 0;
    } else if (strcmp(what, "many") == 0) {
        read_many(stdio);
    }
    return status == STATUS_OK ? 0 : 1;
}
