// SPDX-License-Identifier: MIT
// The compiler and linker of this machine, set up for capOS.
#pragma once

#include "files.h"
#include "process.h"

// What programs are linked with.
enum profile {
    PROFILE_NATIVE, // libcapos alone
    PROFILE_LIBC,   // a C library, over the POSIX adapter
};

struct toolchain {
    const char *clang, *linker;
    char start[PATH_BYTES];    // the object that a program begins with, or empty
    char library[PATH_BYTES];  // libcapos, or the C library
    char builtins[PATH_BYTES]; // clang's arithmetic, or empty
    struct command compile_flags, link_flags;
};

// Finds the tools and reads the flags that the build wrote; the C library is built if it isn't
// there yet.  0, or an exit status after a message.
[[nodiscard]] int toolchain_open(struct toolchain *toolchain, enum profile profile);

// Starts a command line of clang with the flags of the profile.
void toolchain_clang(const struct toolchain *toolchain, struct command *out_command);

// Compiles a source file to an object, with more options (or nullptr).  Exit status.
[[nodiscard]] int toolchain_compile(const struct toolchain *toolchain,
                                    const struct command *options, const char *source,
                                    const char *object);

// Links objects, archives and linker options with the profile's library.  Exit status.
[[nodiscard]] int toolchain_link(const struct toolchain *toolchain,
                                 const struct command *inputs, const char *output);
