// SPDX-License-Identifier: MIT
// Pages of a file; see file_medium.h.
#include "file_medium.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct file_medium *file_of(struct medium *medium)
{
    return (struct file_medium *)medium;
}

static bool file_read(struct medium *medium, uint64_t page, uint32_t count, void *to)
{
    size_t bytes = (size_t)count * MEDIUM_PAGE, done = 0;
    while (done < bytes) {
        ssize_t got = pread(file_of(medium)->fd, (char *)to + done, bytes - done,
                            (off_t)(page * MEDIUM_PAGE + done));
        if (got <= 0 && !(got < 0 && errno == EINTR))
            return false;
        done += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static bool file_write(struct medium *medium, uint64_t page, uint32_t count, const void *from)
{
    size_t bytes = (size_t)count * MEDIUM_PAGE, done = 0;
    while (done < bytes) {
        ssize_t put = pwrite(file_of(medium)->fd, (const char *)from + done, bytes - done,
                             (off_t)(page * MEDIUM_PAGE + done));
        if (put <= 0 && !(put < 0 && errno == EINTR))
            return false;
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

static bool file_flush(struct medium *medium)
{
    return fdatasync(file_of(medium)->fd) == 0;
}

const char *file_medium_open(struct file_medium *file, const char *path, bool writable)
{
    struct stat stat;
    int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return strerror(errno);
    if (flock(fd, (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 || fstat(fd, &stat) != 0) {
        const char *problem = errno == EWOULDBLOCK ? "it is in use" : strerror(errno);
        close(fd);
        return problem;
    }
    if (!S_ISREG(stat.st_mode)) {
        close(fd);
        return "it is no file";
    }
    *file = (struct file_medium){
        .medium = {.page_count = (uint64_t)stat.st_size / MEDIUM_PAGE,
                   .read = file_read,
                   .write = file_write,
                   .flush = file_flush},
        .fd = fd,
    };
    return nullptr;
}

void file_medium_close(struct file_medium *file)
{
    close(file->fd);
}
