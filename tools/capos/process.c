// SPDX-License-Identifier: MIT
// Owns running other programs of the host.
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

void command_add(struct command *command, const char *argument)
{
    if (command->count == COMMAND_ARGUMENTS_MAX - 1)
        exit(fail(EXIT_CAPOS_FAILED, "too many arguments"));
    command->arguments[command->count++] = argument;
}

void command_add_all(struct command *command, const struct command *more)
{
    for (size_t i = 0; i < more->count; i++)
        command_add(command, more->arguments[i]);
}

const char *keep(const char *text)
{
    char *copy = strdup(text);
    if (copy == nullptr)
        exit(fail(EXIT_CAPOS_FAILED, "out of memory"));
    return copy;
}

// Starts it with `stdout_fd` as its stdout.
static pid_t start(const struct command *command, int stdout_fd, bool quiet)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    if (stdout_fd != 1)
        dup2(stdout_fd, 1);
    if (quiet)
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
    execvp(command->arguments[0], (char *const *)(uintptr_t)command->arguments);
    fprintf(stderr, "capos: %s: %s\n", command->arguments[0], strerror(errno));
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return EXIT_CAPOS_FAILED;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL_BASE + WTERMSIG(status);
}

int command_run(const struct command *command)
{
    fflush(nullptr);
    pid_t pid = start(command, 1, false);
    if (pid < 0)
        return fail(EXIT_CAPOS_FAILED, "can't start %s: %s", command->arguments[0],
                    strerror(errno));
    return wait_for(pid);
}

int command_read(const struct command *command, bool quiet,
                 void (*read_bytes)(void *context, const char *bytes, size_t count),
                 void *context)
{
    int fds[2];
    fflush(nullptr);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return fail(EXIT_CAPOS_FAILED, "pipe: %s", strerror(errno));
    pid_t pid = start(command, fds[1], quiet);
    close(fds[1]);
    char bytes[65536];
    ssize_t count = pid < 0 ? 0 : 1;
    while (count > 0 || (count < 0 && errno == EINTR)) {
        count = read(fds[0], bytes, sizeof bytes);
        if (count > 0)
            read_bytes(context, bytes, (size_t)count);
    }
    close(fds[0]);
    return pid < 0 ? EXIT_CAPOS_FAILED : wait_for(pid);
}
