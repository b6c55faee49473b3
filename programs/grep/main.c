// SPDX-License-Identifier: MIT
// Finds lines that match a pattern (pattern.h).
#include "pattern.h"

#include <capos/command.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CAPOS_COMMAND_OPERANDS(ELF_OPERANDS_READ);

static const struct capos_command command = {
    .name = "grep",
    .usage = "[-i] [-v] [-n] [-c] [-l] [-q] PATTERN [FILE]...",
    .letters = "ivnclq",
    .help =
        "Writes the lines of each file, or of standard input, that match the pattern:\n"
        ". any byte, [a-z] [^a-z] sets, x* any number of x, ^ and $ the ends, \\c the byte c.\n"
        "-i takes no heed of case, -v finds the lines that don't match, -n numbers lines,\n"
        "-c counts them, -l names the files alone, -q is silent.  The status is 0 if there was a\n"
        "match, 1 if not.\n",
};

constexpr size_t LINE_BYTES_MAX = 65536; // what is longer is seen in pieces

static struct capos_command_line line;
static const char *pattern;
static bool named, matched_any;
static char pending[LINE_BYTES_MAX];
static size_t pending_bytes;
static unsigned long long number, count;

static bool has(char letter)
{
    return capos_command_has(&line, letter);
}

// One line.  Returns whether there is more to hear of this input.
static bool line_take(const char *name, const char *text, size_t bytes)
{
    number++;
    if (pattern_matches(pattern, text, bytes, has('i')) == has('v'))
        return true;
    count++;
    matched_any = true;
    if (has('q') || has('l'))
        return false;
    if (has('c'))
        return true;
    if (named)
        printf("%s:", name);
    if (has('n'))
        printf("%llu:", number);
    fwrite(text, 1, bytes, stdout);
    putchar('\n');
    return true;
}

static void input_ends(const char *name)
{
    if (pending_bytes > 0)
        (void)line_take(name, pending, pending_bytes);
    if (has('l') && count > 0)
        printf("%s\n", name);
    else if (has('c') && !has('q')) {
        if (named)
            printf("%s:", name);
        printf("%llu\n", count);
    }
    pending_bytes = 0;
    number = count = 0;
}

static bool take(void *, const char *name, const void *data, size_t byte_count)
{
    const char *at = data, *end = at + byte_count;
    bool more = true;
    if (byte_count == 0) {
        input_ends(name);
        return true;
    }
    while (more && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t piece = (size_t)((newline == nullptr ? end : newline) - at);
        bool whole = newline != nullptr;
        if (piece > sizeof pending - pending_bytes) {
            piece = sizeof pending - pending_bytes;
            whole = true;
            newline = nullptr;
        }
        memcpy(pending + pending_bytes, at, piece);
        pending_bytes += piece;
        at += piece + (newline != nullptr);
        if (!whole)
            break;
        more = line_take(name, pending, pending_bytes);
        pending_bytes = 0;
    }
    return more;
}

int main(int argc, char **argv)
{
    capos_command_begin(&command, argc, argv, &line);
    if (line.first == argc)
        capos_command_misused(&command, "which pattern?");
    pattern = argv[line.first];
    if (!pattern_is_valid(pattern))
        capos_command_misused(&command, "the pattern has an open [ or ends with \\");
    named = argc - line.first > 2;
    int status = capos_command_inputs(&command, argc, argv, line.first + 1, take, nullptr);
    return status != 0 ? 2 : matched_any ? 0 : 1;
}
