// SPDX-License-Identifier: MIT
// Owns `capos disk`: becomes the program capos-disk, which is beside this one once it is built
// (`make disk`).  Tested by tests/cli/disk_test.py.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "files.h"
#include "say.h"

static const char program_name[] = "capos-disk";

// Where the program should be; false if there is no telling.
static bool program_path(char path[PATH_BYTES])
{
    ssize_t bytes = readlink("/proc/self/exe", path, PATH_BYTES - sizeof program_name - 1);
    if (bytes <= 0)
        return false;
    path[bytes] = 0;
    char *slash = strrchr(path, '/');
    if (slash == nullptr)
        return false;
    memcpy(slash + 1, program_name, sizeof program_name);
    return true;
}

void disk_help(FILE *file)
{
    fputs("Usage: capos disk make|ls|get|put|fsck FILE ...\n"
          "\n"
          "Makes, reads, writes and checks volumes in files of the host.  `capos disk --help`\n"
          "says more once `make disk` has built it.\n",
          file);
}

int disk_command(int argument_count, char **arguments)
{
    char path[PATH_BYTES];
    char **words = calloc((size_t)argument_count + 2, sizeof *words);
    if (words == nullptr || !program_path(path))
        return fail(125, "can't find %s", program_name);
    words[0] = path;
    memcpy(words + 1, arguments, (size_t)argument_count * sizeof *words);
    execv(path, words);
    if (errno == ENOENT)
        return fail(125, "`capos disk` isn't built: run `make disk`");
    return fail(125, "%s: %s", path, strerror(errno));
}
