// SPDX-License-Identifier: MIT
// No capability, no authority: what each area of POSIX says to a program that lacks the grant.
//
// "without": the program has no grant at all.  "with": it has the directories /rw and /ro, the
// latter read-only with the file `given` of 5 bytes, and nothing else.
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int count_entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -1;
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

// ---- Without any grant -----------------------------------------------------------------

static void there_are_no_files(void)
{
    struct stat status;
    CHECK_ERRNO(open("/etc/passwd", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/new", O_WRONLY | O_CREAT, 0600), EROFS);
    CHECK_ERRNO(mkdir("/new", 0700), EROFS);
    CHECK_ERRNO(symlink("a", "/new"), EROFS);
    CHECK_ERRNO(unlink("/new"), ENOENT);
    CHECK_ERRNO(rename("/old", "/new"), ENOENT);
    CHECK_ERRNO(stat("/new", &status), ENOENT);
    CHECK_ERRNO(chdir("/new"), ENOENT);
    CHECK_ERRNO(truncate("/new", 0), ENOENT);
    CHECK(fopen("name", "r") == NULL && errno == ENOENT);
    CHECK(stat("/", &status) == 0 && S_ISDIR(status.st_mode));
    CHECK(count_entries("/") == 2);
}

static void there_is_no_time(void)
{
    struct timespec time = {.tv_nsec = 1};
    CHECK_ERRNO(clock_gettime(CLOCK_MONOTONIC, &time), EPERM);
    CHECK_ERRNO(clock_gettime(CLOCK_REALTIME, &time), EPERM);
    CHECK_ERRNO(nanosleep(&(struct timespec){.tv_nsec = 1}, NULL), EPERM);
    CHECK(sleep(1) == 1);
}

static void *nothing(void *argument)
{
    return argument;
}

static void there_are_no_threads(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, nothing, NULL) == EAGAIN);
}

static void there_are_no_random_numbers(void)
{
    char bytes[8];
    CHECK_ERRNO(getrandom(bytes, sizeof bytes, 0), EPERM);
    CHECK_ERRNO(getentropy(bytes, sizeof bytes), EPERM);
    CHECK_ERRNO(open("/dev/urandom", O_RDONLY), EPERM);
}

static void there_is_no_network(void)
{
    int pair[2];
    CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, 0), EACCES);
    CHECK_ERRNO(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), EACCES);
}

static void there_are_no_other_processes(void)
{
    int status;
    CHECK_ERRNO(fork(), ENOSYS);
    CHECK_ERRNO(execl("/bin/sh", "sh", NULL), ENOSYS);
    CHECK_ERRNO(waitpid(-1, &status, 0), ECHILD);
    CHECK_ERRNO(kill(1, SIGTERM), ESRCH);
    CHECK(getpid() > 0 && getppid() == 0 && kill(getpid(), 0) == 0);
}

static void there_is_one_identity(void)
{
    struct utsname name;
    CHECK(getuid() == 1000 && geteuid() == 1000 && getgid() == 1000 && getegid() == 1000);
    CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1, 1}), EPERM);
    CHECK(uname(&name) == 0 && strcmp(name.sysname, "capOS") == 0);
    CHECK_ERRNO(chown("/", 0, 0), EPERM);
}

static void what_nobody_knows_is_enosys(void)
{
    CHECK_ERRNO(syscall(SYS_io_uring_setup, 1, 0), ENOSYS);
    CHECK_ERRNO(syscall(SYS_reboot, 0, 0, 0, 0), ENOSYS);
    CHECK_ERRNO(syscall(SYS_mount, 0, 0, 0, 0, 0), ENOSYS);
    CHECK_ERRNO(syscall(SYS_ptrace, 0, 0, 0, 0), ENOSYS);
    CHECK_ERRNO(syscall(-1L), ENOSYS);
    CHECK_ERRNO(syscall(100000L), ENOSYS);
    CHECK(syscall(SYS_getpid) == getpid());
}

static void memory_is_never_writable_and_executable(void)
{
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
               0) == MAP_FAILED &&
          errno == EACCES);
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    CHECK_ERRNO(mprotect(page, 4096, PROT_WRITE | PROT_EXEC), EACCES);
    CHECK(mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0 && munmap(page, 4096) == 0);
    CHECK_ERRNO(munmap((void *)1, 4096), EINVAL);
}

static void output_is_no_file(void)
{
    CHECK_ERRNO(lseek(1, 0, SEEK_CUR), ESPIPE);
    CHECK_ERRNO(read(1, "", 1), EBADF);
    CHECK_ERRNO(write(0, "", 1), EBADF);
    CHECK_ERRNO(ftruncate(1, 0), EINVAL);
    CHECK(isatty(1) == 0 && errno == ENOTTY);
}

static void without(void)
{
    RUN(there_are_no_files);
    RUN(there_is_no_time);
    RUN(there_are_no_threads);
    RUN(there_are_no_random_numbers);
    RUN(there_is_no_network);
    RUN(there_are_no_other_processes);
    RUN(there_is_one_identity);
    RUN(what_nobody_knows_is_enosys);
    RUN(memory_is_never_writable_and_executable);
    RUN(output_is_no_file);
}

// ---- With two directories ----------------------------------------------------------------

static void read_only_directories_are_read_only(void)
{
    const char *path = "/ro/given";
    char text[10] = "";
    struct stat status;
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, text, sizeof text) == 5 && strcmp(text, "given") == 0);
    CHECK(close(fd) == 0 && stat(path, &status) == 0 && status.st_size == 5);
    CHECK_ERRNO(open(path, O_WRONLY), EROFS);
    CHECK_ERRNO(open(path, O_RDWR | O_TRUNC), EROFS);
    CHECK_ERRNO(unlink(path), EROFS);
    CHECK_ERRNO(chmod(path, 0600), EROFS);
    CHECK_ERRNO(rename(path, path), EROFS);
    CHECK_ERRNO(access(path, W_OK), EROFS);
    path = "/ro/new";
    CHECK_ERRNO(open(path, O_WRONLY | O_CREAT, 0600), EROFS);
    CHECK_ERRNO(open(path, O_WRONLY), ENOENT);
    CHECK_ERRNO(mkdir(path, 0700), EROFS);
    CHECK_ERRNO(symlink("x", path), EROFS);
    CHECK_ERRNO(unlink(path), ENOENT);
}

static void nothing_leads_out(void)
{
    char path[PATH_MAX];
    CHECK_ERRNO(open("/etc/passwd", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/rw/../../../../../../etc/passwd", O_RDONLY), ENOENT);
    CHECK(symlink("../../../etc/passwd", "/rw/up") == 0 && symlink("/rw", "/rw/absolute") == 0);
    CHECK_ERRNO(open("/rw/up", O_RDONLY), EACCES);
    CHECK_ERRNO(open("/rw/absolute", O_RDONLY), EACCES);
    CHECK(unlink("/rw/up") == 0 && unlink("/rw/absolute") == 0);
    CHECK_ERRNO(open("/new", O_WRONLY | O_CREAT, 0600), EROFS);
    CHECK_ERRNO(rmdir("/rw"), EROFS);
    CHECK_ERRNO(rename("/rw", "/other"), EROFS);
    CHECK(count_entries("/") == 4); // with . and ..
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_ERRNO(open(path, O_RDONLY), ENAMETOOLONG);
}

static void no_file_has_another_name(void)
{
    int fd = open("/rw/one", O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK_ERRNO(link("/rw/one", "/rw/two"), EPERM);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}), ENOLCK);
    CHECK(close(fd) == 0 && unlink("/rw/one") == 0);
}

static void with(void)
{
    RUN(read_only_directories_are_read_only);
    RUN(nothing_leads_out);
    RUN(no_file_has_another_name);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "without") == 0)
        without();
    else if (argc == 2 && strcmp(argv[1], "with") == 0)
        with();
    else
        return 2;
    return check_status();
}
