// SPDX-License-Identifier: MIT
// Owns writing to stdout and stderr without ever blocking on them.
//
// The descriptors are shared with the shell, so they are not made non-blocking.  Instead
// each write is at most PIPE_BUF bytes after poll said "writable": Linux says so of a
// pipe or socket only when that much fits.  Tested by outflow_test.c.
#include "outflow.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void outflow_init(struct outflow *outflow, int fd)
{
    struct stat status;
    bool is_file = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    outflow->fd = fd;
    outflow->closed = false;
    outflow->error = 0;
    outflow->unbounded = is_file;
    outflow->start = outflow->count = 0;
}

void outflow_put(struct outflow *outflow, const uint8_t *bytes, size_t count)
{
    constexpr size_t SIZE = sizeof outflow->bytes;
    assert(count <= SIZE - outflow->count);
    size_t end = (outflow->start + outflow->count) % SIZE;
    size_t first = count < SIZE - end ? count : SIZE - end;
    memcpy(outflow->bytes + end, bytes, first);
    memcpy(outflow->bytes, bytes + first, count - first);
    outflow->count += count;
}

size_t outflow_write(struct outflow *outflow)
{
    constexpr size_t SIZE = sizeof outflow->bytes;
    size_t count =
        outflow->count < SIZE - outflow->start ? outflow->count : SIZE - outflow->start;
    if (!outflow->unbounded && count > PIPE_BUF)
        count = PIPE_BUF;
    if (!outflow->closed && count > 0) {
        ssize_t written = write(outflow->fd, outflow->bytes + outflow->start, count);
        if (written < 0 && (errno == EINTR || errno == EAGAIN))
            return 0;
        if (written < 0) {
            outflow->closed = true;
            outflow->error = errno == EPIPE ? 0 : errno;
        } else {
            count = (size_t)written;
        }
    }
    if (outflow->closed)
        count = outflow->count;
    outflow->start = (outflow->start + count) % SIZE;
    outflow->count -= count;
    return count;
}
