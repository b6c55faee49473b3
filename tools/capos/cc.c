// SPDX-License-Identifier: MIT
// Owns `capos cc`: which of its arguments are for the compiler, which for the linker, and
// whether there is anything to link.  Tested by tests/cli.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "say.h"
#include "toolchain.h"

void cc_help(FILE *file)
{
    fputs("Usage: capos cc [OPTION]... FILE...\n"
          "\n"
          "Compiles C for capOS with clang, and links it with the C library, which is\n"
          "built at first use.  Takes clang's options; -c, -E and -S stop early as usual.\n"
          "\n"
          "  -fnative             for libcapos alone: no C library, no POSIX names\n"
          "\n"
          "Examples:\n"
          "  capos cc -O2 -o sorted sorted.c -lm\n"
          "  capos cc -c part.c && capos cc -o whole part.o main.c\n"
          "  capos cc -fnative -O2 -o hello examples/c/hello.c\n"
          "\n"
          "The environment variables CAPOS_CLANG and CAPOS_LLD name other tools.\n",
          file);
}

// What the arguments ask for.
struct plan {
    struct command compile; // options of the compiler
    struct command inputs;  // sources, objects, archives, linker options; in order
    const char *output;
    bool link; // not stopped earlier by -c, -E, -S, ...
    enum profile profile;
};

static bool is_one_of(const char *text, const char *const *list)
{
    for (; *list != nullptr; list++) {
        if (strcmp(text, *list) == 0)
            return true;
    }
    return false;
}

// Whether clang compiles the file, as opposed to what the linker takes as it is.
static bool is_source(const char *path)
{
    static const char *const suffixes[] = {".c", ".S", ".s", ".i", nullptr};
    const char *dot = strrchr(path, '.');
    return path[0] != '-' && dot != nullptr && is_one_of(dot, suffixes);
}

// Adds what "-Wl,A,B" means for the linker.
static void add_linker_options(struct command *inputs, const char *list)
{
    while (*list != 0) {
        size_t bytes = strcspn(list, ",");
        char part[PATH_BYTES];
        snprintf(part, sizeof part, "%.*s", (int)bytes, list);
        command_add(inputs, keep(part));
        list += bytes + (list[bytes] == ',');
    }
}

// Sorts one argument in; `out_takes_next` says that the next one belongs to it.
static void plan_argument(struct plan *plan, const char *argument, const char *next,
                          bool *out_takes_next)
{
    static const char *const stops[] = {
        "-c",        "-E",           "-S",   "-M",   "-MM", "-fsyntax-only",
        "--version", "-dumpmachine", "-###", nullptr};
    static const char *const with_value[] = {
        "-I",  "-D",  "-U",  "-include", "-isystem", "-idirafter", "-iquote",
        "-MF", "-MT", "-MQ", "-x",       "-Xclang",  "--param",    nullptr};
    // What a program for capOS is in any case, or never.
    static const char *const ignored[] = {"-static", "-static-pie", "-pie",
                                          "-no-pie", "-rdynamic",   nullptr};
    *out_takes_next = false;
    if (is_one_of(argument, stops))
        plan->link = false;
    if (strcmp(argument, "-o") == 0) {
        plan->output = next;
        *out_takes_next = true;
    } else if (strcmp(argument, "-fnative") == 0) {
        plan->profile = PROFILE_NATIVE;
    } else if (is_one_of(argument, ignored)) {
        return;
    } else if (strcmp(argument, "-s") == 0) {
        command_add(&plan->inputs, argument);
    } else if (strncmp(argument, "-Wl,", 4) == 0) {
        add_linker_options(&plan->inputs, argument + 4);
    } else if (argument[0] != '-' || strncmp(argument, "-l", 2) == 0 ||
               strncmp(argument, "-L", 2) == 0) {
        command_add(&plan->inputs, argument);
    } else {
        command_add(&plan->compile, argument);
        *out_takes_next = is_one_of(argument, with_value);
        if (*out_takes_next && next != nullptr)
            command_add(&plan->compile, next);
    }
}

// Hands the rest to clang: -c and the like.
static int run_clang(const struct toolchain *toolchain, const struct plan *plan)
{
    static struct command command;
    toolchain_clang(toolchain, &command);
    command_add_all(&command, &plan->compile);
    for (size_t i = 0; i < plan->inputs.count; i++) {
        const char *input = plan->inputs.arguments[i];
        if (input[0] != '-') // the others are the linker's
            command_add(&command, input);
    }
    if (plan->output != nullptr) {
        command_add(&command, "-o");
        command_add(&command, plan->output);
    }
    return command_run(&command);
}

// Makes a folder for objects.
static const char *temporary_folder(void)
{
    static char folder[PATH_BYTES];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/capos-cc-XXXXXX", base != nullptr ? base : "/tmp");
    return mkdtemp(folder);
}

// Compiles the sources among the inputs to a folder of objects, then links.
static int compile_and_link(const struct toolchain *toolchain, const struct plan *plan)
{
    static struct command objects;
    const char *folder = temporary_folder();
    int status = 0;
    if (folder == nullptr)
        return fail(EXIT_CAPOS_FAILED, "can't make a temporary folder: %s", strerror(errno));
    for (size_t i = 0; status == 0 && i < plan->inputs.count; i++) {
        const char *input = plan->inputs.arguments[i];
        if (is_source(input)) {
            char object[PATH_BYTES + 32];
            snprintf(object, sizeof object, "%s/%zu.o", folder, i);
            status = toolchain_compile(toolchain, &plan->compile, input, object);
            input = keep(object);
        }
        command_add(&objects, input);
    }
    if (status == 0)
        status = toolchain_link(toolchain, &objects,
                                plan->output != nullptr ? plan->output : "a.out");
    for (size_t i = 0; i < objects.count; i++) {
        if (is_source(plan->inputs.arguments[i]))
            unlink(objects.arguments[i]);
    }
    rmdir(folder);
    return status;
}

int cc_command(int argument_count, char **arguments)
{
    static struct toolchain toolchain;
    static struct plan plan;
    if (help_wanted(argument_count, arguments)) {
        cc_help(stdout);
        return 0;
    }
    plan.link = true;
    plan.profile = PROFILE_LIBC;
    for (int i = 0; i < argument_count; i++) {
        bool takes_next;
        const char *next = i + 1 < argument_count ? arguments[i + 1] : nullptr;
        plan_argument(&plan, arguments[i], next, &takes_next);
        if (takes_next && next == nullptr)
            return fail(2, "%s needs a value", arguments[i]);
        i += takes_next;
    }
    int status = toolchain_open(&toolchain, plan.profile);
    if (status != 0)
        return status;
    if (!plan.link)
        return run_clang(&toolchain, &plan);
    if (plan.inputs.count == 0)
        return fail(2, "which file?  For example: capos cc -o hello hello.c");
    return compile_and_link(&toolchain, &plan);
}
