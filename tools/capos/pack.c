// SPDX-License-Identifier: MIT
// Owns `capos pack`, with which the build makes boot packages.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "files.h"
#include "package.h"
#include "say.h"

void pack_help(FILE *file)
{
    fputs("Usage: capos pack OUT NAME=FILE...\n"
          "\n"
          "Writes a boot package (abi/include/abi/boot_package.h) of the given files.\n"
          "\n"
          "Example:\n"
          "  capos pack my.package manifest=my.manifest init=build/user/stripped/init\n",
          file);
}

// Splits "NAME=FILE" in place and adds the file.
static int add_file(struct package *package, char *argument)
{
    struct file_map map;
    char *equals = strchr(argument, '=');
    if (equals == nullptr)
        return fail(2, "%s is not NAME=FILE", argument);
    *equals = 0;
    int error = file_map_open(equals + 1, &map);
    if (error != 0)
        return fail(1, "%s: %s", equals + 1, strerror(error));
    if (package_find(package, argument) != nullptr)
        return fail(2, "two files are called %s", argument);
    if (!package_add(package, argument, map.data, map.bytes))
        return fail(1, "more than %zu files", PACKAGE_FILES_MAX);
    return 0;
}

int pack_command(int argument_count, char **arguments)
{
    static struct package package;
    if (help_wanted(argument_count, arguments)) {
        pack_help(stdout);
        return 0;
    }
    if (argument_count < 2) {
        pack_help(stderr);
        return 2;
    }
    int status = 0;
    for (int i = 1; status == 0 && i < argument_count; i++)
        status = add_file(&package, arguments[i]);
    if (status != 0)
        return status;
    int fd = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return fail(1, "%s: %s", arguments[0], strerror(errno));
    const char *problem = package_write(&package, fd);
    if (close(fd) != 0 && problem == nullptr)
        problem = strerror(errno);
    return problem != nullptr ? fail(1, "%s: %s", arguments[0], problem) : 0;
}
