// SPDX-License-Identifier: MIT
// The compiler and linker of this machine, set up for capOS.
#pragma once

#include "files.h"
#include "process.h"

struct toolchain {
    const char *clang, *linker;
    char library[PATH_BYTES];  // libcapos
    char builtins[PATH_BYTES]; // clang's arithmetic, or empty
    struct command compile_flags, link_flags;
};

// Finds the tools and reads the flags that the build wrote.  0, or an exit status after a
// message.
[[nodiscard]] int toolchain_open(struct toolchain *toolchain);

// Starts a command line of clang with the flags of native programs.
void toolchain_clang(const struct toolchain *toolchain, struct command *out_command);

// Compiles a source file to an object, with more options (or nullptr).  Exit status.
[[nodiscard]] int toolchain_compile(const struct toolchain *toolchain,
                                    const struct command *options, const char *source,
                                    const char *object);

// Links objects, archives and linker options with libcapos.  Exit status.
[[nodiscard]] int toolchain_link(const struct toolchain *toolchain,
                                 const struct command *inputs, const char *output);
