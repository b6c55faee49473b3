// SPDX-License-Identifier: MIT
#include <capos/command.h>
#include <capos/names.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr size_t INPUT_BYTES = 16384;

static void usage_print(const struct capos_command *command, FILE *stream)
{
    fprintf(stream, "usage: %s %s\n", command->name, command->usage);
}

void capos_command_misused(const struct capos_command *command, const char *text)
{
    fprintf(stderr, "%s: %s\n", command->name, text);
    usage_print(command, stderr);
    exit(2);
}

// One argument of options; returns how many arguments behind it were values.
static int options_take(const struct capos_command *command, const char *letters,
                        const char *value, struct capos_command_line *line)
{
    for (; *letters != '\0'; letters++) {
        const char *known = *letters == ':' ? nullptr : strchr(command->letters, *letters);
        if (known == nullptr) {
            char text[40];
            snprintf(text, sizeof text, "there is no option -%c", *letters);
            capos_command_misused(command, text);
        }
        line->given[*letters - 'a'] = true;
        if (known[1] != ':')
            continue;
        bool apart = letters[1] == '\0';
        if (apart && value == nullptr)
            capos_command_misused(command, "an option lacks its value");
        line->values[*letters - 'a'] = apart ? value : letters + 1;
        return apart ? 1 : 0;
    }
    return 0;
}

void capos_command_begin(const struct capos_command *command, int argc, char **argv,
                         struct capos_command_line *out_line)
{
    *out_line = (struct capos_command_line){};
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (strcmp(argv[at], "--help") == 0) {
            usage_print(command, stdout);
            printf("%s", command->help);
            exit(0);
        }
        at += options_take(command, argv[at] + 1, at + 1 < argc ? argv[at + 1] : nullptr,
                           out_line);
    }
    out_line->first = at;
}

// Of a path that begins with nobody's name: which directories there are.
static void grants_print(void)
{
    const struct capos_place top = {};
    struct capos_names names;
    if (capos_names_load(&top, &names) != 0)
        return;
    fprintf(stderr, "%s", names.count == 0 ? "; no directory was granted" : "; granted:");
    for (size_t i = 0; i < names.count; i++)
        fprintf(stderr, " %s", names.names[i].name);
    capos_names_free(&names);
}

int capos_command_fail(const struct capos_command *command, const char *path, uint32_t error)
{
    struct capos_place place;
    fflush(stdout);
    fprintf(stderr, "%s: %s: %s", command->name, path, capos_file_error_text(error));
    if (error == FILE_OUTCOME_NOT_FOUND && capos_place_find(path, &place) != 0)
        grants_print();
    fprintf(stderr, "\n");
    return 1;
}

uint32_t capos_command_open(const char *typed, uint32_t flags, struct capos_file *out_file)
{
    struct capos_place place;
    uint32_t error = capos_place_find(typed, &place);
    if (error != 0)
        return error;
    if (place.path[0] == '\0')
        return FILE_OUTCOME_IS_DIRECTORY;
    return capos_file_open(&place.directory, place.path, flags, out_file);
}

static void stdin_take(bool (*take)(void *context, const char *name, const void *data,
                                    size_t byte_count),
                       void *context)
{
    static char buffer[INPUT_BYTES];
    size_t bytes;
    do
        bytes = fread(buffer, 1, sizeof buffer, stdin);
    while (bytes > 0 && take(context, "-", buffer, bytes));
    (void)take(context, "-", nullptr, 0);
}

static uint32_t file_take(const char *typed,
                          bool (*take)(void *context, const char *name, const void *data,
                                       size_t byte_count),
                          void *context)
{
    struct capos_file file;
    uint32_t error = capos_command_open(typed, CAPOS_FILE_READ, &file);
    if (error != 0)
        return error;
    const void *data;
    size_t bytes = 0;
    for (uint64_t offset = 0;; offset += bytes) {
        error = capos_file_peek(&file, offset, &data, &bytes);
        if (error != 0 || bytes == 0 || !take(context, typed, data, bytes))
            break;
    }
    if (error == 0)
        (void)take(context, typed, nullptr, 0);
    capos_file_close(&file);
    return error;
}

int capos_command_inputs(const struct capos_command *command, int argc, char **argv, int first,
                         bool (*take)(void *context, const char *name, const void *data,
                                      size_t byte_count),
                         void *context)
{
    int status = 0;
    if (first >= argc)
        stdin_take(take, context);
    for (int i = first; i < argc; i++) {
        if (strcmp(argv[i], "-") == 0) {
            stdin_take(take, context);
            continue;
        }
        uint32_t error = file_take(argv[i], take, context);
        if (error != 0)
            status = capos_command_fail(command, argv[i], error);
    }
    return status;
}
