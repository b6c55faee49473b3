// SPDX-License-Identifier: MIT
// Files and directories: argv[1] is an empty directory to write in.
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void stdio_writes_reads_and_seeks(void)
{
    char line[100];
    int count = 0;
    FILE *file = fopen("lines", "w+");
    CHECK(file != NULL);
    for (int i = 0; i < 20000; i++)
        CHECK(fprintf(file, "line %d\n", i) > 0);
    CHECK(fseek(file, 0, SEEK_SET) == 0);
    while (fgets(line, sizeof line, file) != NULL)
        CHECK(atoi(line + 5) == count++);
    CHECK(count == 20000 && feof(file) && !ferror(file));
    CHECK(fseek(file, -11, SEEK_END) == 0 && fgets(line, sizeof line, file) != NULL);
    CHECK(strcmp(line, "line 19999\n") == 0 && ftell(file) == 208890);
    CHECK(fclose(file) == 0 && unlink("lines") == 0);
}

static void what_is_large_arrives_whole(void)
{
    enum { BYTES = 1 << 20 };
    static unsigned char out[BYTES], in[BYTES];
    for (int i = 0; i < BYTES; i++)
        out[i] = (unsigned char)(i * 7 + i / 4096);
    int fd = open("large", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, out, BYTES) == BYTES);
    CHECK(pread(fd, in, BYTES, 0) == BYTES && memcmp(in, out, BYTES) == 0);
    CHECK(pread(fd, in, 100, BYTES - 10) == 10 && read(fd, in, 100) == 0);
    CHECK(close(fd) == 0 && unlink("large") == 0);
}

static void vectors_are_one_transfer(void)
{
    char first[3], second[10];
    struct iovec out[] = {{"abc", 3}, {"", 0}, {"defg", 4}};
    struct iovec in[] = {{first, 3}, {second, 10}};
    int fd = open("vector", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && writev(fd, out, 3) == 7);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, in, 2) == 7);
    CHECK(memcmp(first, "abc", 3) == 0 && memcmp(second, "defg", 4) == 0);
    CHECK_ERRNO(writev(fd, out, -1), EINVAL);
    CHECK(close(fd) == 0 && unlink("vector") == 0);
}

static void append_goes_to_the_end(void)
{
    struct stat status;
    int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    CHECK(fd >= 0 && write(fd, "one", 3) == 3 && lseek(fd, 0, SEEK_SET) == 0);
    CHECK(write(fd, "two", 3) == 3 && lseek(fd, 0, SEEK_CUR) == 6);
    CHECK(fstat(fd, &status) == 0 && status.st_size == 6);
    CHECK(fcntl(fd, F_SETFL, 0) == 0 && (fcntl(fd, F_GETFL) & O_APPEND) == 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "O", 1) == 1);
    CHECK(fstat(fd, &status) == 0 && status.st_size == 6);
    CHECK(close(fd) == 0 && unlink("log") == 0);
}

static void open_flags_mean_what_they_say(void)
{
    struct stat status;
    CHECK_ERRNO(open("none", O_RDONLY), ENOENT);
    int fd = open("flags", O_WRONLY | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0 && write(fd, "text", 4) == 4);
    CHECK_ERRNO(read(fd, &status, 1), EBADF);
    CHECK(close(fd) == 0);
    CHECK_ERRNO(open("flags", O_WRONLY | O_CREAT | O_EXCL, 0640), EEXIST);
    CHECK_ERRNO(open("flags", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
    CHECK_ERRNO(open("flags/below", O_RDONLY), ENOTDIR);
    CHECK((fd = open("flags", O_RDONLY)) >= 0);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
    CHECK(close(fd) == 0 && (fd = open("flags", O_WRONLY | O_TRUNC)) >= 0);
    CHECK(fstat(fd, &status) == 0 && status.st_size == 0 && S_ISREG(status.st_mode));
    CHECK(close(fd) == 0 && unlink("flags") == 0);
}

static void descriptors_share_and_are_reused(void)
{
    char text[3] = "";
    int fd = open("shared", O_RDWR | O_CREAT, 0600);
    CHECK(fd == 3 && write(fd, "ab", 2) == 2);
    int copy = dup(fd);
    CHECK(copy == 4 && lseek(copy, 0, SEEK_SET) == 0 && read(fd, text, 1) == 1);
    CHECK(read(copy, text + 1, 1) == 1 && strcmp(text, "ab") == 0);
    CHECK(dup2(fd, 9) == 9 && close(fd) == 0 && lseek(9, 0, SEEK_CUR) == 2);
    CHECK(fcntl(9, F_DUPFD_CLOEXEC, 20) == 20 && fcntl(20, F_GETFD) == FD_CLOEXEC);
    CHECK(open("shared", O_RDONLY) == 3 && close(3) == 0);
    CHECK(close(copy) == 0 && close(9) == 0 && close(20) == 0);
    CHECK_ERRNO(close(20), EBADF);
    CHECK_ERRNO(lseek(9, 0, SEEK_SET), EBADF);
    CHECK(unlink("shared") == 0);
}

static void descriptors_run_out(void)
{
    static int opened[2000];
    int count = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1024, 1024}) == 0);
    while (count < 2000 && (opened[count] = dup(1)) >= 0)
        count++;
    CHECK(count < 2000 && errno == EMFILE && count > 500);
    while (count > 0)
        CHECK(close(opened[--count]) == 0);
}

static void sizes_are_changed(void)
{
    struct stat status;
    char text[8];
    int fd = open("size", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && pwrite(fd, "end", 3, 5) == 3 && fstat(fd, &status) == 0);
    CHECK(status.st_size == 8 && pread(fd, text, 8, 0) == 8);
    CHECK(memcmp(text, "\0\0\0\0\0end", 8) == 0);
    CHECK(ftruncate(fd, 6) == 0 && pread(fd, text, 8, 0) == 6);
    CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0 && close(fd) == 0);
    CHECK(truncate("size", 100) == 0 && stat("size", &status) == 0 && status.st_size == 100);
    CHECK(unlink("size") == 0);
}

static int entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return -1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return count;
}

static void directories_are_made_and_listed(void)
{
    char path[40];
    CHECK(mkdir("many", 0755) == 0);
    CHECK_ERRNO(mkdir("many", 0755), EEXIST);
    CHECK_ERRNO(mkdir("none/below", 0755), ENOENT);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "many/file-%d", i);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0 && close(fd) == 0);
    }
    CHECK(entries("many") == 300);
    CHECK_ERRNO(rmdir("many"), ENOTEMPTY);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "many/file-%d", i);
        CHECK(unlink(path) == 0);
    }
    CHECK(entries("many") == 0);
    CHECK_ERRNO(unlink("many"), EISDIR);
    CHECK(rmdir("many") == 0 && entries("many") == -1 && errno == ENOENT);
}

static void a_listing_goes_on_where_it_was(void)
{
    char names[3][256];
    CHECK(mkdir("tell", 0755) == 0 && mkdir("tell/a", 0755) == 0 && mkdir("tell/b", 0755) == 0);
    DIR *directory = opendir("tell");
    CHECK(directory != NULL);
    struct dirent *entry;
    for (int i = 0; i < 3; i++) {
        CHECK((entry = readdir(directory)) != NULL);
        strcpy(names[i], entry->d_name);
    }
    rewinddir(directory);
    CHECK((entry = readdir(directory)) != NULL && strcmp(entry->d_name, names[0]) == 0);
    CHECK((entry = readdir(directory)) != NULL);
    long place = telldir(directory);
    CHECK((entry = readdir(directory)) != NULL && strcmp(entry->d_name, names[2]) == 0);
    seekdir(directory, place);
    CHECK((entry = readdir(directory)) != NULL && strcmp(entry->d_name, names[2]) == 0);
    CHECK(closedir(directory) == 0);
    CHECK(rmdir("tell/a") == 0 && rmdir("tell/b") == 0 && rmdir("tell") == 0);
}

static void names_are_relative_to_directories(void)
{
    char path[PATH_MAX];
    CHECK(mkdir("sub", 0755) == 0);
    int directory = open("sub", O_RDONLY | O_DIRECTORY);
    CHECK(directory >= 0);
    int fd = openat(directory, "file", O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && close(fd) == 0 && access("sub/file", F_OK) == 0);
    CHECK(faccessat(directory, "../sub/./file", F_OK, 0) == 0);
    CHECK(mkdirat(directory, "deep", 0755) == 0 && chdir("sub/deep") == 0);
    CHECK(getcwd(path, sizeof path) != NULL && strstr(path, "/sub/deep") != NULL);
    CHECK(access("../file", F_OK) == 0 && fchdir(directory) == 0 && access("file", F_OK) == 0);
    CHECK(chdir("..") == 0 && unlinkat(directory, "deep", AT_REMOVEDIR) == 0);
    CHECK(unlinkat(directory, "file", 0) == 0 && close(directory) == 0 && rmdir("sub") == 0);
    CHECK_ERRNO(chdir("sub"), ENOENT);
    CHECK_ERRNO(openat(1, "x", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
}

static void names_are_renamed(void)
{
    struct stat before, after;
    int fd = open("old", O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &before) == 0);
    CHECK(rename("old", "new") == 0 && stat("new", &after) == 0);
    CHECK(before.st_ino == after.st_ino && before.st_dev == after.st_dev);
    CHECK_ERRNO(access("old", F_OK), ENOENT);
    CHECK_ERRNO(rename("old", "new"), ENOENT);
    CHECK(mkdir("place", 0755) == 0);
    CHECK_ERRNO(rename("new", "place"), EISDIR);
    CHECK_ERRNO(rename("place", "new"), ENOTDIR);
    CHECK(rename("new", "place/new") == 0 && unlink("place/new") == 0 && rmdir("place") == 0);
    CHECK(write(fd, "y", 1) == 1 && close(fd) == 0);
}

static void modes_and_times_are_kept(void)
{
    struct stat status;
    const struct timespec times[] = {{1000000000, 0}, {1234567890, 500000000}};
    int fd = open("mode", O_WRONLY | O_CREAT, 0666);
    CHECK(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 0777) == 0644);
    CHECK(fchmod(fd, 0600) == 0 && stat("mode", &status) == 0);
    CHECK((status.st_mode & 0777) == 0600 && chmod("mode", 0400) == 0);
    CHECK(utimensat(AT_FDCWD, "mode", times, 0) == 0 && stat("mode", &status) == 0);
    CHECK(status.st_mtim.tv_sec == 1234567890 && (status.st_mode & 0777) == 0400);
    CHECK(close(fd) == 0 && unlink("mode") == 0);
}

static void files_are_mapped(void)
{
    int fd = open("map", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "mapped", 6) == 6);
    char *text = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(text != MAP_FAILED && memcmp(text, "mapped\0", 7) == 0);
    text[0] = 'M';
    char first;
    CHECK(pread(fd, &first, 1, 0) == 1 && first == 'm' && munmap(text, 4096) == 0);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 77, 0) == MAP_FAILED && errno == EBADF);
    CHECK(close(fd) == 0 && unlink("map") == 0);
}

static void devices_read_and_write(void)
{
    char bytes[16] = "x";
    struct stat status;
    int null = open("/dev/null", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int zero = open("/dev/zero", O_RDONLY), full = open("/dev/full", O_WRONLY);
    CHECK(null >= 0 && zero >= 0 && full >= 0);
    CHECK(write(null, bytes, 16) == 16 && read(null, bytes, 16) == 0);
    CHECK(read(zero, bytes, 16) == 16 && memcmp(bytes, (char[16]){0}, 16) == 0);
    CHECK_ERRNO(write(full, bytes, 16), ENOSPC);
    CHECK(fstat(null, &status) == 0 && S_ISCHR(status.st_mode));
    CHECK(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    CHECK(access("/dev/null", R_OK | W_OK) == 0 && isatty(null) == 0);
    CHECK(close(null) == 0 && close(zero) == 0 && close(full) == 0);
}

static void a_temporary_file_is_one(void)
{
    char name[] = "temporary-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && close(fd) == 0 && unlink(name) == 0);
}

static void symlinks_are_followed(void)
{
    char target[20];
    struct stat status;
    int fd = open("target", O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && write(fd, "1234", 4) == 4 && close(fd) == 0);
    CHECK(symlink("target", "link") == 0);
    CHECK(stat("link", &status) == 0 && status.st_size == 4 && S_ISREG(status.st_mode));
    CHECK(lstat("link", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(readlink("link", target, sizeof target) == 6 && memcmp(target, "target", 6) == 0);
    CHECK_ERRNO(readlink("target", target, sizeof target), EINVAL);
    CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK(symlink("nowhere", "lost") == 0);
    CHECK_ERRNO(open("lost", O_RDONLY), ENOENT);
    CHECK(unlink("lost") == 0 && unlink("link") == 0 && unlink("target") == 0);
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1]) != 0)
        return 2;
    umask(022);
    RUN(stdio_writes_reads_and_seeks);
    RUN(what_is_large_arrives_whole);
    RUN(vectors_are_one_transfer);
    RUN(append_goes_to_the_end);
    RUN(open_flags_mean_what_they_say);
    RUN(descriptors_share_and_are_reused);
    RUN(descriptors_run_out);
    RUN(sizes_are_changed);
    RUN(directories_are_made_and_listed);
    RUN(a_listing_goes_on_where_it_was);
    RUN(names_are_relative_to_directories);
    RUN(names_are_renamed);
    RUN(modes_and_times_are_kept);
    RUN(files_are_mapped);
    RUN(devices_read_and_write);
    RUN(a_temporary_file_is_one);
    RUN(symlinks_are_followed);
    return check_status();
}
