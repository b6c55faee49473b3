// SPDX-License-Identifier: MIT
// Owns `capos shell`: `capos run` of the program "shell" with all that can be granted.
// Tested by tests/cli/shell_test.py, booted.
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "run_options.h"
#include "say.h"

void shell_help(FILE *file)
{
    fputs("Usage: capos shell [OPTION]... [--] [ARG]...\n"
          "\n"
          "Boots a machine and runs the typed shell in it with everything that can be\n"
          "granted.  Lines come from stdin, with a prompt if that is a terminal; `help` there\n"
          "explains more.  A script ends at its first error with status 1.\n"
          "\n",
          file);
    option_print_help(file, run_option_table, run_option_count);
    fputs("\n"
          "Examples:\n"
          "  capos shell\n"
          "  echo 'timer.now' | capos shell\n"
          "  capos shell -- -c 'timer.now' 'memory.info'\n",
          file);
}

// `capos run` wants the program's name in front of its arguments, and where they begin only
// the options tell: so the name is put behind all and moved to the front when they are read.
static int run_shell(int argument_count, char **arguments)
{
    static char name[] = "shell";
    static struct run_options options;
    char problem[OPTION_PROBLEM_BYTES];
    arguments[argument_count] = name;
    enum option_step step = run_options_read(argument_count + 1, arguments, &options, problem);
    if (step == OPTION_HELP) {
        shell_help(stdout);
        return 0;
    }
    if (step == OPTION_WRONG)
        return fail(EXIT_CAPOS_FAILED, "%s", problem);
    memmove(options.arguments + 1, options.arguments,
            (options.argument_count - 1) * sizeof *options.arguments);
    options.arguments[0] = name;
    options.grants_all = true;
    return run_program(&options);
}

int shell_command(int argument_count, char **arguments)
{
    char **copy = calloc((size_t)argument_count + 1, sizeof *copy);
    if (copy == nullptr)
        return fail(EXIT_CAPOS_FAILED, "out of memory");
    if (argument_count != 0)
        memcpy(copy, arguments, (size_t)argument_count * sizeof *copy);
    int status = run_shell(argument_count, copy);
    free(copy);
    return status;
}
