// SPDX-License-Identifier: MIT
// Owns `capos doctor`: looks for everything in tools/dependencies.txt.  The command works
// in C only once it is built; before that the launcher runs tools/install-deps.sh, which
// reads the same table.  Tested by tests/cli.
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "files.h"
#include "machine.h"
#include "say.h"

constexpr size_t LINE_BYTES = 512;

void doctor_help(FILE *file)
{
    fputs("Usage: capos doctor\n"
          "\n"
          "Says what this machine lacks and the command that installs it, and whether\n"
          "machines run on the CPU itself (KVM) or are emulated.\n"
          "\n"
          "Exit status: 0 if programs can be run, 1 if something is missing for that.\n",
          file);
}

struct findings {
    char missing[2048]; // packages, each with a space before it
    bool run_missing;   // one of them is needed to run programs
};

static bool is_there(const char *probe)
{
    char path[PATH_BYTES];
    return probe[0] == '/' ? access(probe, R_OK) == 0 : command_find(probe, path);
}

// Checks one line of the table: PROBE PACKAGE FOR PURPOSE...
static void check_line(char *line, struct findings *findings)
{
    char *rest = line;
    const char *probe = strsep(&rest, " ");
    while (rest != nullptr && *rest == ' ')
        rest++;
    const char *package = strsep(&rest, " ");
    while (rest != nullptr && *rest == ' ')
        rest++;
    const char *needed_for = strsep(&rest, " ");
    while (rest != nullptr && *rest == ' ')
        rest++;
    if (package == nullptr || needed_for == nullptr || rest == nullptr)
        return;
    bool found = is_there(probe);
    printf("%-8s %-20s %s (for %s)\n", found ? "ok" : "MISSING", package, rest,
           strcmp(needed_for, "run") == 0    ? "./capos"
           : strcmp(needed_for, "test") == 0 ? "make test"
                                             : "development");
    if (found)
        return;
    size_t used = strlen(findings->missing);
    snprintf(findings->missing + used, sizeof findings->missing - used, " %s", package);
    findings->run_missing |= strcmp(needed_for, "run") == 0;
}

static void say_remedy(const struct findings *findings)
{
    char path[PATH_BYTES];
    if (findings->missing[0] == 0)
        return;
    if (command_find("apt-get", path))
        printf("\nInstall what is missing with:\n  %sapt-get install -y%s\n",
               getuid() == 0 ? "" : "sudo ", findings->missing);
    else
        printf("\nInstall these (the names are Debian's):%s\n", findings->missing);
}

int doctor_command(int argument_count, char **arguments)
{
    if (help_wanted(argument_count, arguments)) {
        doctor_help(stdout);
        return 0;
    }
    if (argument_count > 0)
        return fail(2, "capos doctor takes no arguments");
    char path[PATH_BYTES], line[LINE_BYTES];
    struct findings findings = {};
    tree_path(path, "tools/dependencies.txt");
    FILE *table = fopen(path, "re");
    if (table == nullptr)
        return fail(EXIT_CAPOS_FAILED, "%s is missing", path);
    while (fgets(line, sizeof line, table) != nullptr) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] != 0 && line[0] != '#')
            check_line(line, &findings);
    }
    fclose(table);
    const char *kvm = machine_kvm_problem();
    printf("%-8s %-20s %s\n", kvm == nullptr ? "ok" : "slow", "KVM",
           kvm == nullptr ? "machines run on the CPU itself" : kvm);
    if (kvm != nullptr)
        printf("%-8s %-20s %s\n", "", "", "machines are emulated: all works, more slowly");
    say_remedy(&findings);
    return findings.run_missing ? 1 : 0;
}
