// SPDX-License-Identifier: MIT
// Owns the one option of `capos list` and `capos inspect`.  Tested by tests/cli.
#include "image_arguments.h"

#include "options.h"
#include "say.h"

static const struct option options[] = {
    {"--system", "NAME", "look at system/NAME.capnp (default)"},
};

bool image_arguments_read(int argument_count, char **arguments, void (*help)(FILE *file),
                          struct image_arguments *out_arguments, int *out_status)
{
    struct option_reader reader = {.options = options,
                                   .option_count = 1,
                                   .arguments = arguments,
                                   .argument_count = argument_count};
    size_t option;
    const char *system = "default", *value;
    enum option_step step;
    while ((step = option_read(&reader, &option, &value)) == OPTION_FOUND)
        system = value;
    if (step == OPTION_END) {
        *out_arguments =
            (struct image_arguments){.system = system,
                                     .operands = arguments + reader.next,
                                     .operand_count = argument_count - reader.next};
        return true;
    }
    *out_status = 0;
    if (step == OPTION_HELP)
        help(stdout);
    else
        *out_status = fail(2, "%s", reader.problem);
    return false;
}

void image_arguments_print_help(FILE *file)
{
    option_print_help(file, options, 1);
}
