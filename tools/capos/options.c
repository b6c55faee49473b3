// SPDX-License-Identifier: MIT
// Owns the syntax of options.  What an option means belongs to its command.
// Tested by options_test.c.
#include "options.h"

#include <lib/nearest.h>
#include <string.h>

constexpr size_t OPTION_COUNT_MAX = 32;

// Whether `argument` is `name` or `name=value`; the value, or nullptr, in out_value.
static bool option_matches(const char *argument, const char *name, const char **out_value)
{
    size_t name_bytes = strlen(name);
    if (strncmp(argument, name, name_bytes) != 0)
        return false;
    if (argument[name_bytes] != 0 && argument[name_bytes] != '=')
        return false;
    *out_value = argument[name_bytes] == '=' ? argument + name_bytes + 1 : nullptr;
    return true;
}

static enum option_step option_unknown(struct option_reader *reader, const char *argument)
{
    const char *names[OPTION_COUNT_MAX + 1];
    size_t name_count = 0;
    for (size_t i = 0; i < reader->option_count && i < OPTION_COUNT_MAX; i++)
        names[name_count++] = reader->options[i].name;
    names[name_count++] = "--help";
    char name[81]; // without a value
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
    const char *nearest = nearest_name(name, names, name_count);
    snprintf(reader->problem, sizeof reader->problem, "unknown option %s%s%s%s", name,
             nearest != nullptr ? "; did you mean " : "", nearest != nullptr ? nearest : "",
             nearest != nullptr ? "?" : "");
    return OPTION_WRONG;
}

enum option_step option_read(struct option_reader *reader, size_t *out_option,
                             const char **out_value)
{
    if (reader->next >= reader->argument_count)
        return OPTION_END;
    const char *argument = reader->arguments[reader->next];
    if (argument[0] != '-' || argument[1] == 0)
        return OPTION_END;
    reader->next++;
    if (strcmp(argument, "--") == 0)
        return OPTION_END;
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
        return OPTION_HELP;
    for (size_t i = 0; i < reader->option_count; i++) {
        const struct option *option = &reader->options[i];
        const char *value;
        if (!option_matches(argument, option->name, &value))
            continue;
        if (option->value != nullptr && *option->value == '=') {
            *out_option = i;
            *out_value = value;
            return OPTION_FOUND;
        }
        if (option->value != nullptr && value == nullptr &&
            reader->next < reader->argument_count)
            value = reader->arguments[reader->next++];
        if ((option->value != nullptr) != (value != nullptr)) {
            snprintf(reader->problem, sizeof reader->problem, "%s takes %s%s", option->name,
                     option->value != nullptr ? "a value: " : "no value",
                     option->value != nullptr ? option->value : "");
            return OPTION_WRONG;
        }
        *out_option = i;
        *out_value = value;
        return OPTION_FOUND;
    }
    return option_unknown(reader, argument);
}

void option_print_help(FILE *file, const struct option *options, size_t option_count)
{
    for (size_t i = 0; i < option_count; i++) {
        char left[40];
        const char *value = options[i].value != nullptr ? options[i].value : "";
        bool optional = *value == '=';
        snprintf(left, sizeof left, "%s%s%s%s", options[i].name, optional ? "[" : " ", value,
                 optional ? "]" : "");
        fprintf(file, "  %-20s %s\n", left, options[i].help);
    }
}
