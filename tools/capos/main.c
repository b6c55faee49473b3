// SPDX-License-Identifier: MIT
// The `capos` command: the table of its commands and the choice between them.
#include <fcntl.h>
#include <lib/nearest.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "say.h"

struct entry {
    const char *name;
    int (*run)(int argument_count, char **arguments);
    void (*help)(FILE *file);
    const char *summary;
};

static const struct entry commands[] = {
    {"run", run_command, run_help, "run a program in a machine of its own"},
    {"shell", shell_command, shell_help, "sit in front of a machine and use its capabilities"},
    {"cc", cc_command, cc_help, "compile C for capOS"},
    {"list", list_command, list_help, "show the image's programs and what can be granted"},
    {"inspect", inspect_command, inspect_help, "show what a program can ask for and gets"},
    {"disk", disk_command, disk_help, "read and write disks on the host"},
    {"doctor", doctor_command, doctor_help, "say what this machine lacks"},
    {"pack", pack_command, pack_help, "make a boot package"},
};
constexpr size_t COMMAND_COUNT = sizeof commands / sizeof *commands;

bool help_wanted(int argument_count, char **arguments)
{
    return argument_count == 1 &&
           (strcmp(arguments[0], "--help") == 0 || strcmp(arguments[0], "-h") == 0);
}

static void print_help(FILE *file)
{
    fputs("capos runs programs with exactly the authority that they are given.\n"
          "\n"
          "Usage: capos COMMAND [ARG]...\n"
          "\n",
          file);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(file, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\n"
          "Examples:\n"
          "  capos run examples/c/hello.c\n"
          "  capos run --grant timer --timeout 10 examples/c/hello.c\n"
          "  capos COMMAND --help\n",
          file);
}

static const struct entry *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return nullptr;
}

static int unknown_command(const char *name)
{
    const char *names[COMMAND_COUNT];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    const char *nearest = nearest_name(name, names, COMMAND_COUNT);
    if (nearest != nullptr)
        return fail(2, "there is no command %s; did you mean %s?", name, nearest);
    return fail(2, "there is no command %s; `capos --help` lists them", name);
}

// A descriptor that the caller closed must not be given to a file that we open.  Reads of
// what is put there find the end, writes fail.
static void occupy_closed_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv)
{
    occupy_closed_descriptors();
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    bool help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
                strcmp(argv[1], "help") == 0;
    if (help && argc > 2) {
        const struct entry *about = find_command(argv[2]);
        if (about == nullptr)
            return unknown_command(argv[2]);
        about->help(stdout);
        return 0;
    }
    if (help) {
        print_help(stdout);
        return 0;
    }
    const struct entry *command = find_command(argv[1]);
    if (command == nullptr)
        return unknown_command(argv[1]);
    return command->run(argc - 2, argv + 2);
}
