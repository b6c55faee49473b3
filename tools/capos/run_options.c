// SPDX-License-Identifier: MIT
// Owns the meaning and the bounds of the options of `capos run`.
// Tested by run_options_test.c.
#include "run_options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRANT,
    DIRECTORY,
    DISK,
    TMP,
    ENVIRONMENT,
    MEMORY,
    CPUS,
    CPU_WEIGHT,
    OUTPUT_MAX,
    TIMEOUT,
    TTY,
    VERBOSE,
    SYSTEM,
    TRACE,
    TRACE_FORMAT,
    AUDIT,
    GDB,
    QEMU_ARGUMENT
};

const struct option run_option_table[] = {
    [GRANT] = {"--grant", "NAME", "give the program one more capability (see `capos list`)"},
    [DIRECTORY] = {"--dir", "HOST[:GUEST][:ro|rw]",
                   "give the program a directory of this host, named GUEST"},
    [DISK] = {"--disk", "FILE[:SIZE][:GUEST]",
              "give it the files of a disk; makes FILE if SIZE is given (disk)"},
    [TMP] = {"--tmp", "SIZE[:GUEST]",
             "give it an empty directory in memory, of at most SIZE (tmp)"},
    [ENVIRONMENT] = {"--env", "NAME=VALUE", "set an environment variable; none is inherited"},
    [MEMORY] = {"--mem", "MIB", "memory of the machine in MiB (64, more for --tmp and others)"},
    [CPUS] = {"--cpus", "N", "CPUs of the machine, 1 to 16 (1)"},
    [CPU_WEIGHT] = {"--cpu-weight", "N",
                    "the program's share of busy CPUs, 1 to 10000; each service has 100 (100)"},
    [OUTPUT_MAX] = {"--output-max", "BYTES",
                    "what the program may write to stdout and stderr together"},
    [TIMEOUT] = {"--timeout", "S", "end the machine after S seconds, with status 124"},
    [TTY] = {"--tty", nullptr, "edit lines in the machine, for programs that use the terminal"},
    [VERBOSE] = {"--verbose", nullptr,
                 "show the kernel's log and how QEMU is called, on stderr"},
    [SYSTEM] = {"--system", "NAME", "boot system/NAME.capnp (default)"},
    [TRACE] = {"--trace", "=FILE", "print each call of the program, on stderr or into FILE"},
    [TRACE_FORMAT] = {"--trace-format", "FORMAT", "text or json, a line per call (text)"},
    [AUDIT] = {"--audit", "FILE", "write which capabilities the program used, and how often"},
    [GDB] = {"--gdb", "=PORT", "wait for gdb on a port (1234) or at /PATH/OF/SOCKET"},
    [QEMU_ARGUMENT] = {"--qemu", "ARG", "pass one more argument to QEMU"},
};
const size_t run_option_count = sizeof run_option_table / sizeof *run_option_table;

static enum option_step wrong(char problem[OPTION_PROBLEM_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static enum option_step wrong(char problem[OPTION_PROBLEM_BYTES], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, OPTION_PROBLEM_BYTES, format, arguments);
    va_end(arguments);
    return OPTION_WRONG;
}

static bool read_number(const char *text, uint32_t min, uint32_t max, uint32_t *out_number)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || *text == '-' || number < min || number > max)
        return false;
    *out_number = (uint32_t)number;
    return true;
}

static bool read_timeout(const char *text, uint64_t *out_ms)
{
    char *end;
    double seconds = strtod(text, &end);
    // The comparison is also false for a NaN.
    if (end == text || *end != 0 || !(seconds >= 0.001 && seconds <= 1e9))
        return false;
    *out_ms = (uint64_t)(seconds * 1000);
    return true;
}

static bool is_port(const char *text)
{
    return *text >= '1' && *text <= '9' && strspn(text, "0123456789") == strlen(text) &&
           strlen(text) <= 5 && strtoul(text, nullptr, 10) <= UINT16_MAX;
}

// Appends to one of the bounded lists.
static enum option_step append(const char **list, uint32_t *count, uint32_t count_max,
                               const char *option, const char *value, char *problem)
{
    if (*count == count_max)
        return wrong(problem, "%s can be given at most %u times", option, count_max);
    list[(*count)++] = value;
    return OPTION_FOUND;
}

static enum option_step apply_once(struct run_options *options, size_t option,
                                   const char *value, char *problem)
{
    switch (option) {
    case MEMORY:
        if (!read_number(value, RUN_MEMORY_MIB_MIN, RUN_MEMORY_MIB_MAX, &options->memory_mib))
            return wrong(problem, "--mem takes whole MiB from %u to %u, not %.80s",
                         RUN_MEMORY_MIB_MIN, RUN_MEMORY_MIB_MAX, value);
        options->memory_given = true;
        return OPTION_FOUND;
    case CPUS:
        if (!read_number(value, 1, RUN_CPUS_MAX, &options->cpu_count))
            return wrong(problem, "--cpus takes a whole number from 1 to %u, not %.80s",
                         RUN_CPUS_MAX, value);
        return OPTION_FOUND;
    case CPU_WEIGHT:
        if (!read_number(value, 1, RUN_CPU_WEIGHT_MAX, &options->cpu_weight))
            return wrong(problem, "--cpu-weight takes a whole number from 1 to %u, not %.80s",
                         RUN_CPU_WEIGHT_MAX, value);
        return OPTION_FOUND;
    case OUTPUT_MAX:
        if (!read_number(value, 1, UINT32_MAX, &options->output_bytes_max))
            return wrong(problem, "--output-max takes a whole number from 1 to %u, not %.80s",
                         UINT32_MAX, value);
        return OPTION_FOUND;
    case TIMEOUT:
        if (!read_timeout(value, &options->timeout_ms))
            return wrong(problem, "--timeout takes seconds from 0.001, not %.80s", value);
        return OPTION_FOUND;
    case SYSTEM:
        options->system = value;
        return OPTION_FOUND;
    case TRACE:
        options->trace = true;
        options->trace_file = value;
        if (value != nullptr && *value == 0)
            return wrong(problem, "--trace= takes the name of a file");
        return OPTION_FOUND;
    case TRACE_FORMAT:
        if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
            return wrong(problem, "--trace-format takes text or json, not %.80s", value);
        options->trace_json = *value == 'j';
        return OPTION_FOUND;
    case AUDIT:
        options->audit_file = value;
        return OPTION_FOUND;
    case TTY:
        options->tty = true;
        return OPTION_FOUND;
    case VERBOSE:
        options->verbose = true;
        return OPTION_FOUND;
    case GDB:
        options->gdb = value != nullptr ? value : "1234";
        if (*options->gdb != '/' && !is_port(options->gdb))
            return wrong(problem, "--gdb= takes a port or /PATH/OF/SOCKET, not %.80s", value);
        return OPTION_FOUND;
    default:
        return wrong(problem, "unknown option");
    }
}

static enum option_step apply(struct run_options *options, size_t option, const char *value,
                              char *problem)
{
    switch (option) {
    case GRANT:
        return append(options->grants, &options->grant_count, RUN_GRANTS_MAX, "--grant", value,
                      problem);
    case DIRECTORY:
        return append(options->directories, &options->directory_count, DIRECTORIES_MAX, "--dir",
                      value, problem);
    case ENVIRONMENT:
        if (strchr(value, '=') == nullptr || *value == '=')
            return wrong(problem, "--env takes NAME=VALUE, not %.80s", value);
        return append(options->environment, &options->environment_count, RUN_ENVIRONMENT_MAX,
                      "--env", value, problem);
    case QEMU_ARGUMENT:
        return append(options->qemu_arguments, &options->qemu_argument_count,
                      RUN_QEMU_ARGUMENTS_MAX, "--qemu", value, problem);
    case DISK:
        return append(options->disks, &options->disk_count, DISKS_MAX, "--disk", value,
                      problem);
    case TMP:
        return append(options->tmps, &options->tmp_count, TMPS_MAX, "--tmp", value, problem);
    default:
        return apply_once(options, option, value, problem);
    }
}

enum option_step run_options_read(int argument_count, char **arguments,
                                  struct run_options *out_options,
                                  char problem[OPTION_PROBLEM_BYTES])
{
    struct run_options options = {.memory_mib = RUN_MEMORY_MIB_DEFAULT,
                                  .cpu_count = 1,
                                  .cpu_weight = 100,
                                  .system = nullptr};
    struct option_reader reader = {.options = run_option_table,
                                   .option_count = run_option_count,
                                   .arguments = arguments,
                                   .argument_count = argument_count};
    enum option_step step;
    do {
        size_t option;
        const char *value;
        step = option_read(&reader, &option, &value);
        if (step == OPTION_FOUND)
            step = apply(&options, option, value, problem);
        else if (step == OPTION_WRONG)
            return wrong(problem, "%s", reader.problem);
    } while (step == OPTION_FOUND);
    if (step != OPTION_END)
        return step;
    if (reader.next >= argument_count)
        return wrong(problem, "which program?  For example: capos run examples/c/hello.c");
    if (argument_count - reader.next > (int)RUN_ARGUMENTS_MAX)
        return wrong(problem, "a program takes at most %u arguments", RUN_ARGUMENTS_MAX - 1);
    if (options.trace_json && !options.trace)
        return wrong(problem, "--trace-format is for --trace");
    if (options.system == nullptr)
        options.system = options.tty ? "terminal" : "default";
    options.arguments = arguments + reader.next;
    options.argument_count = (uint32_t)(argument_count - reader.next);
    *out_options = options;
    return OPTION_END;
}

bool run_options_grant(const struct run_options *options, const char *name)
{
    for (uint32_t i = 0; i < options->grant_count; i++)
        if (strcmp(options->grants[i], name) == 0)
            return true;
    return false;
}
