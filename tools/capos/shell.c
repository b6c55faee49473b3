// SPDX-License-Identifier: MIT
// Owns `capos shell`: `capos run` of the program "shell" with all that can be granted.
// Tested by tests/cli/shell_test.py, booted.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "run_options.h"
#include "say.h"

void shell_help(FILE *file)
{
    fputs(
        "Usage: capos shell [OPTION]... [FILE]\n"
        "       capos shell [OPTION]... -- -c LINE...\n"
        "\n"
        "Boots a machine and runs the typed shell in it with everything that can be\n"
        "granted.  Lines come from FILE, from the arguments, or from stdin; on a terminal\n"
        "they are edited, and Tab completes them; `help` there explains more.  A script ends\n"
        "at its first error with status 1 and says where that is.\n"
        "\n",
        file);
    option_print_help(file, run_option_table, run_option_count);
    fputs("\n"
          "Examples:\n"
          "  capos shell\n"
          "  capos shell measure.capos\n"
          "  echo 'timer.now' | capos shell\n"
          "  capos shell -- -c 'timer.now' 'memory.info'\n",
          file);
}

// A first argument that is no option of the shell's is a script: a file of the host, which the
// shell finds in its boot package.
static int find_script(struct run_options *options)
{
    static char name[64];
    if (options->argument_count == 1 || options->arguments[1][0] == '-')
        return 0;
    char *path = options->arguments[1];
    if (options->argument_count > 2)
        return fail(EXIT_CAPOS_FAILED, "a script takes no arguments: %s",
                    options->arguments[2]);
    const char *slash = strrchr(path, '/');
    snprintf(name, sizeof name, "script/%s", slash != nullptr ? slash + 1 : path);
    options->extra_file = path;
    options->extra_name = name;
    options->arguments[1] = name;
    return 0;
}

// A person gets the system with the terminal.
static void choose_system(struct run_options *options)
{
    bool is_person =
        options->argument_count == 1 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (!is_person || strcmp(options->system, "default") != 0)
        return;
    options->tty = true;
    options->system = "terminal";
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
    choose_system(&options);
    int status = find_script(&options);
    return status != 0 ? status : run_program(&options);
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
