// SPDX-License-Identifier: MIT
// Writes the beginning of files.
#include <capos/command.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ);

static const struct capos_command command = {
    .name = "head",
    .usage = "[-n LINES] [-c BYTES] [FILE]...",
    .letters = "n:c:",
    .help = "Writes the first lines, 10 unless -n says how many, or the first bytes (-c), of\n"
            "each file, or of standard input.\n",
};

static bool by_bytes, titled;
static unsigned long long wanted, left;
static bool begun;

static void title(const char *name)
{
    static bool before;
    if (titled)
        printf("%s==> %s <==\n", before ? "\n" : "", name);
    before = true;
}

static size_t lines_of(const char *data, size_t byte_count)
{
    size_t at = 0;
    while (at < byte_count && left > 0) {
        const char *end = memchr(data + at, '\n', byte_count - at);
        at = end == nullptr ? byte_count : (size_t)(end - data) + 1;
        left -= end != nullptr;
    }
    return at;
}

static bool take(void *, const char *name, const void *data, size_t byte_count)
{
    if (!begun) {
        title(name);
        left = wanted;
        begun = true;
    }
    size_t shown =
        by_bytes ? (byte_count < left ? byte_count : (size_t)left) : lines_of(data, byte_count);
    if (by_bytes)
        left -= shown;
    fwrite(data, 1, shown, stdout);
    begun = byte_count > 0;
    return left > 0;
}

int main(int argc, char **argv)
{
    struct capos_command_line line;
    capos_command_begin(&command, argc, argv, &line);
    by_bytes = capos_command_has(&line, 'c');
    const char *count = line.values[(by_bytes ? 'c' : 'n') - 'a'];
    char *end = nullptr;
    wanted = count == nullptr ? 10 : strtoull(count, &end, 10);
    if (count != nullptr && (*end != '\0' || end == count))
        capos_command_misused(&command, "-n and -c take a number");
    titled = argc - line.first > 1;
    return capos_command_inputs(&command, argc, argv, line.first, take, nullptr);
}
