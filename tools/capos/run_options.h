// SPDX-License-Identifier: MIT
// What `capos run` was asked for.
#pragma once

#include <stdint.h>

#include "directories.h"
#include "options.h"

constexpr uint32_t RUN_GRANTS_MAX = 32; // bounds of schema/manifest.capnp
constexpr uint32_t RUN_ENVIRONMENT_MAX = 256;
constexpr uint32_t RUN_ARGUMENTS_MAX = 1024;
constexpr uint32_t RUN_QEMU_ARGUMENTS_MAX = 32; // that can be given
constexpr uint32_t RUN_MEMORY_MIB_MIN = 12;
constexpr uint32_t RUN_MEMORY_MIB_MAX = 1024 * 1024;
constexpr uint32_t RUN_MEMORY_MIB_DEFAULT = 64;
constexpr uint32_t RUN_CPUS_MAX = 16;           // that the kernel uses
constexpr uint32_t RUN_CPU_WEIGHT_MAX = 10'000; // of MemoryBudget.setCpuWeight

struct run_options {
    const char *grants[RUN_GRANTS_MAX];
    uint32_t grant_count;
    bool grants_all;                          // everything that the manifest offers
    const char *directories[DIRECTORIES_MAX]; // as they were given
    const char *disks[DISKS_MAX];
    const char *tmps[TMPS_MAX];
    uint32_t directory_count, disk_count, tmp_count;
    const char *environment[RUN_ENVIRONMENT_MAX]; // "NAME=value"
    uint32_t environment_count;
    const char *qemu_arguments[RUN_QEMU_ARGUMENTS_MAX];
    uint32_t qemu_argument_count;
    uint32_t memory_mib;
    bool memory_given; // by --mem
    uint32_t cpu_count;
    uint32_t cpu_weight;
    uint32_t output_bytes_max; // 0: no limit
    uint64_t timeout_ms;       // 0: none
    const char *system;        // the manifest's name
    bool trace;                // print a line per call
    const char *trace_file;    // to there; nullptr: to stderr
    bool trace_json;           // as JSON
    const char *audit_file;    // who used what; nullptr: not wanted
    bool tty;                  // the terminal's keys go to the machine
    bool verbose;
    const char *gdb;        // nullptr: no debugger; else a port, or the path of a socket
    const char *extra_file; // a file of the host for the boot package; nullptr: none
    const char *extra_name; // its name there
    char **arguments;       // arguments[0] is PROGRAM as it was typed
    uint32_t argument_count;
};

extern const struct option run_option_table[];
extern const size_t run_option_count;

// Reads all arguments after "run".  OPTION_END: out_options is set; OPTION_HELP: help is
// wanted; OPTION_WRONG: `problem` says why.
[[nodiscard]] enum option_step run_options_read(int argument_count, char **arguments,
                                                struct run_options *out_options,
                                                char problem[OPTION_PROBLEM_BYTES]);

// Whether --grant was given with that name.
[[nodiscard]] bool run_options_grant(const struct run_options *options, const char *name);
