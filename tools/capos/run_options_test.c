// SPDX-License-Identifier: MIT
#include "run_options.h"

#include <stdlib.h>

#include <test/test.h>

static char problem[OPTION_PROBLEM_BYTES];

// Splits a line at spaces, as a shell would.
static enum option_step read_line(const char *line, struct run_options *out_options)
{
    static char text[8192];
    static char *arguments[2048];
    int count = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word != nullptr; word = strtok(nullptr, " "))
        arguments[count++] = word;
    return run_options_read(count, arguments, out_options, problem);
}

static void options_end_at_the_program(void)
{
    struct run_options options;
    CHECK_EQ(read_line("--grant timer --grant entropy --env A=1 --mem 32 --cpus 4 "
                       "--cpu-weight 300 --output-max 99 --timeout 1.5 --verbose prog --mem 3",
                       &options),
             OPTION_END);
    CHECK_EQ(options.grant_count, 2);
    CHECK(strcmp(options.grants[1], "entropy") == 0);
    CHECK(options.environment_count == 1 && strcmp(options.environment[0], "A=1") == 0);
    CHECK(options.memory_mib == 32 && options.memory_given);
    CHECK_EQ(options.cpu_count, 4);
    CHECK_EQ(options.cpu_weight, 300);
    CHECK_EQ(options.output_bytes_max, 99);
    CHECK_EQ(options.timeout_ms, 1500);
    CHECK(options.verbose && options.gdb == nullptr);
    CHECK_EQ(options.argument_count, 3);
    CHECK(strcmp(options.arguments[0], "prog") == 0);
}

static void the_defaults_are_the_documented_ones(void)
{
    struct run_options options;
    CHECK_EQ(read_line("prog", &options), OPTION_END);
    CHECK(options.memory_mib == 64 && !options.memory_given);
    CHECK_EQ(options.cpu_count, 1);
    CHECK_EQ(options.cpu_weight, 100);
    CHECK_EQ(options.output_bytes_max, 0);
    CHECK_EQ(options.timeout_ms, 0);
    CHECK_EQ(options.grant_count, 0);
    CHECK(strcmp(options.system, "default") == 0 && !options.tty);
}

static void problem_is(const char *line, const char *expected)
{
    struct run_options options;
    CHECK_EQ(read_line(line, &options), OPTION_WRONG);
    CHECK(strstr(problem, expected) != nullptr);
}

static void directories_of_each_kind_can_be_given_several_times(void)
{
    struct run_options options;
    CHECK_EQ(read_line("--disk file:4M --tmp 1M --dir a --disk other:b --tty prog", &options),
             OPTION_END);
    CHECK(options.disk_count == 2 && strcmp(options.disks[1], "other:b") == 0);
    CHECK(options.tmp_count == 1 && strcmp(options.tmps[0], "1M") == 0);
    CHECK(options.directory_count == 1 && strcmp(options.system, "terminal") == 0);
    problem_is("--tmp 1M --tmp 1M --tmp 1M --tmp 1M --tmp 1M p",
               "--tmp can be given at most 4 times");
    problem_is("--disk a --disk b --disk c --disk d --disk e p",
               "--disk can be given at most 4 times");
}

static void a_terminal_takes_its_own_system_unless_another_is_named(void)
{
    struct run_options options;
    CHECK_EQ(read_line("--tty talk", &options), OPTION_END);
    CHECK(options.tty && strcmp(options.system, "terminal") == 0);
    CHECK_EQ(read_line("--tty --system mine talk", &options), OPTION_END);
    CHECK(options.tty && strcmp(options.system, "mine") == 0);
}

static void gdb_waits_at_a_port_or_a_socket(void)
{
    struct run_options options;
    CHECK_EQ(read_line("--gdb p", &options), OPTION_END);
    CHECK(strcmp(options.gdb, "1234") == 0);
    CHECK_EQ(read_line("--gdb=65535 p", &options), OPTION_END);
    CHECK(strcmp(options.gdb, "65535") == 0);
    CHECK_EQ(read_line("--gdb=/tmp/socket p", &options), OPTION_END);
    CHECK(strcmp(options.gdb, "/tmp/socket") == 0);
    problem_is("--gdb=65536 p", "--gdb= takes a port or /PATH/OF/SOCKET, not 65536");
    problem_is("--gdb= p", "--gdb= takes a port");
    problem_is("--gdb=-1 p", "--gdb= takes a port");
    problem_is("--gdb=socket p", "--gdb= takes a port");
}

static void bad_values_name_the_legal_ones(void)
{
    problem_is("--cpus 0 p", "--cpus takes a whole number from 1 to 16, not 0");
    problem_is("--cpus 17 p", "not 17");
    problem_is("--cpu-weight 0 p", "--cpu-weight takes a whole number from 1 to 10000, not 0");
    problem_is("--cpu-weight 10001 p", "not 10001");
    problem_is("--output-max 0 p",
               "--output-max takes a whole number from 1 to 4294967295, not 0");
    problem_is("--output-max 4294967296 p", "not 4294967296");
    problem_is("--output-max 1k p", "not 1k");
    problem_is("--cpus two p", "not two");
    problem_is("--mem 11 p", "--mem takes whole MiB from 12 to 1048576, not 11");
    problem_is("--mem -1 p", "not -1");
    problem_is("--mem 64M p", "not 64M");
    problem_is("--mem 99999999999999999999 p", "--mem takes");
    problem_is("--timeout 0 p", "--timeout takes seconds from 0.001");
    problem_is("--timeout nan p", "--timeout takes");
    problem_is("--timeout -5 p", "--timeout takes");
    problem_is("--env FOO p", "--env takes NAME=VALUE, not FOO");
    problem_is("--env =x p", "--env takes NAME=VALUE");
    problem_is("--gratn timer p", "did you mean --grant?");
    problem_is("--trcae=/somewhere/else/calls.txt p",
               "unknown option --trcae; did you mean --trace?");
    problem_is("--audti p", "did you mean --audit?");
    problem_is("--gbd p", "did you mean --gdb?");
    problem_is("", "which program?");
    problem_is("--verbose", "which program?");
}

static void lists_are_bounded(void)
{
    char line[2048] = "";
    for (int i = 0; i < 33; i++)
        strcat(line, "--grant a ");
    strcat(line, "p");
    problem_is(line, "--grant can be given at most 32 times");
}

static void help_is_recognised(void)
{
    struct run_options options;
    CHECK_EQ(read_line("--mem 16 --help", &options), OPTION_HELP);
    CHECK_EQ(read_line("prog --help", &options), OPTION_END);
}

int main(void)
{
    RUN(options_end_at_the_program);
    RUN(the_defaults_are_the_documented_ones);
    RUN(directories_of_each_kind_can_be_given_several_times);
    RUN(a_terminal_takes_its_own_system_unless_another_is_named);
    RUN(gdb_waits_at_a_port_or_a_socket);
    RUN(bad_values_name_the_legal_ones);
    RUN(lists_are_bounded);
    RUN(help_is_recognised);
    return test_report();
}
