// SPDX-License-Identifier: MIT
// Owns how C becomes a program for capOS: clang with the flags
// that the build wrote to build/user/cc.flags, then lld with build/user/ld.flags, libcapos and
// clang's builtins; or the same of build/libc, with the C library.  The build is the only place
// where those flags are spelled out. Tested by tests/cli.
#include "toolchain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

static const char *from_environment(const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);
    return value != nullptr && *value != 0 ? value : otherwise;
}

// Makes a relative include path absolute: flags are written for the tree's folder.  The
// copy lasts as long as the process.
static const char *absolute_flag(const char *flag)
{
    static const char *const prefixes[] = {"-isystem", "-idirafter", "--sysroot=", "-I", "-L"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t bytes = strlen(prefixes[i]);
        if (strncmp(flag, prefixes[i], bytes) != 0)
            continue;
        char path[PATH_BYTES], absolute[PATH_BYTES + 16];
        tree_path(path, "%s", flag + bytes);
        snprintf(absolute, sizeof absolute, "%s%s", prefixes[i], path);
        return keep(absolute);
    }
    return keep(flag);
}

// Reads a file of one argument per line.
static int read_flags(struct command *flags, const char *name)
{
    char path[PATH_BYTES], line[PATH_BYTES];
    tree_path(path, "build/%s", name);
    FILE *file = fopen(path, "re");
    if (file == nullptr)
        return fail(EXIT_CAPOS_FAILED, "%s: %s (run `make sdk`)", path, strerror(errno));
    while (fgets(line, sizeof line, file) != nullptr) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] != 0)
            command_add(flags, absolute_flag(line));
    }
    fclose(file);
    return 0;
}

static int read_one(char out[PATH_BYTES], const char *name)
{
    static struct command lines;
    lines.count = 0;
    int status = read_flags(&lines, name);
    if (status == 0 && lines.count > 0)
        snprintf(out, PATH_BYTES, "%s", lines.arguments[0]);
    return status;
}

static int open_native(struct toolchain *toolchain)
{
    tree_path(toolchain->library, "build/user/libcapos.a");
    int status = read_flags(&toolchain->compile_flags, "user/cc.flags");
    if (status == 0)
        status = read_flags(&toolchain->link_flags, "user/ld.flags");
    return status;
}

// Builds the C library, which takes about a minute once; what is kept of it, a moment.
static int build_libc(void)
{
    static const char script[] =
        "make --no-print-directory -C \"$0\" libc >\"$0/build/libc.log\" 2>&1 </dev/null || "
        "{ cat \"$0/build/libc.log\" >&2; exit 1; }";
    static struct command command;
    char root[PATH_BYTES];
    tree_path(root, ".");
    say("building the C library ...");
    command_add(&command, "sh");
    command_add(&command, "-c");
    command_add(&command, script);
    command_add(&command, root);
    if (command_run(&command) == 0)
        return 0;
    return fail(EXIT_CAPOS_FAILED,
                "there is no C library; -fnative compiles for libcapos alone");
}

static int open_libc(struct toolchain *toolchain)
{
    tree_path(toolchain->start, "build/libc/sysroot/usr/lib/crt1.o");
    tree_path(toolchain->library, "build/libc/sysroot/usr/lib/libc.a");
    int status = 0;
    if (access(toolchain->start, R_OK) != 0 || access(toolchain->library, R_OK) != 0)
        status = build_libc();
    if (status == 0)
        status = read_flags(&toolchain->compile_flags, "libc/cc.flags");
    if (status == 0)
        status = read_flags(&toolchain->link_flags, "libc/ld.flags");
    return status;
}

int toolchain_open(struct toolchain *toolchain, enum profile profile)
{
    toolchain->clang = from_environment("CAPOS_CLANG", "clang-19");
    toolchain->linker = from_environment("CAPOS_LLD", "ld.lld-19");
    int status = profile == PROFILE_NATIVE ? open_native(toolchain) : open_libc(toolchain);
    if (status == 0)
        status = read_one(toolchain->builtins, "user/builtins");
    return status;
}

void toolchain_clang(const struct toolchain *toolchain, struct command *out_command)
{
    *out_command = (struct command){};
    command_add(out_command, toolchain->clang);
    command_add_all(out_command, &toolchain->compile_flags);
}

int toolchain_compile(const struct toolchain *toolchain, const struct command *options,
                      const char *source, const char *object)
{
    static struct command command;
    toolchain_clang(toolchain, &command);
    if (options != nullptr)
        command_add_all(&command, options);
    command_add(&command, "-c");
    command_add(&command, source);
    command_add(&command, "-o");
    command_add(&command, object);
    return command_run(&command);
}

int toolchain_link(const struct toolchain *toolchain, const struct command *inputs,
                   const char *output)
{
    static struct command command;
    command = (struct command){};
    command_add(&command, toolchain->linker);
    command_add_all(&command, &toolchain->link_flags);
    if (toolchain->start[0] != 0)
        command_add(&command, toolchain->start);
    command_add_all(&command, inputs);
    command_add(&command, toolchain->library);
    if (toolchain->builtins[0] != 0)
        command_add(&command, toolchain->builtins);
    command_add(&command, "-o");
    command_add(&command, output);
    return command_run(&command);
}
