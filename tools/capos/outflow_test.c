// SPDX-License-Identifier: MIT
#include "outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <test/test.h>

static struct outflow outflow;

static bool writable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLOUT) != 0;
}

static void bytes_keep_their_order_through_the_ring(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    outflow_init(&outflow, fds[1]);
    uint8_t bytes[3000], next_in = 0, next_out = 0;
    for (int round = 0; round < 500; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = next_in++;
        outflow_put(&outflow, bytes, sizeof bytes);
        while (outflow.count > 0)
            CHECK(outflow_write(&outflow) > 0);
        ssize_t count = read(fds[0], bytes, sizeof bytes);
        CHECK_EQ(count, sizeof bytes);
        for (ssize_t i = 0; i < count; i++)
            CHECK_EQ(bytes[i], next_out++);
    }
    close(fds[0]);
    close(fds[1]);
}

static void a_slow_reader_never_blocks_the_writer(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    outflow_init(&outflow, fds[1]);
    static uint8_t bytes[CAPOS_LINK_WINDOW_BYTES];
    outflow_put(&outflow, bytes, sizeof bytes);
    size_t written = 0;
    while (writable(fds[1]))
        written += outflow_write(&outflow);
    CHECK_EQ(written, 65536); // the capacity of a pipe
    CHECK_EQ(outflow.count, sizeof bytes - written);
    close(fds[0]);
    close(fds[1]);
}

static void a_full_disk_is_told_from_a_reader_that_left(void)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    outflow_init(&outflow, fd);
    outflow_put(&outflow, (const uint8_t[]){1}, 1);
    (void)outflow_write(&outflow);
    CHECK(outflow.closed);
    CHECK_EQ(outflow.error, ENOSPC);
    close(fd);
}

static void bytes_for_nobody_are_dropped(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    close(fds[0]);
    outflow_init(&outflow, fds[1]);
    outflow_put(&outflow, (const uint8_t *)"abc", 3);
    CHECK_EQ(outflow_write(&outflow), 3);
    CHECK(outflow.closed);
    outflow_put(&outflow, (const uint8_t *)"de", 2);
    CHECK_EQ(outflow_write(&outflow), 2);
    close(fds[1]);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    RUN(bytes_keep_their_order_through_the_ring);
    RUN(a_slow_reader_never_blocks_the_writer);
    RUN(a_full_disk_is_told_from_a_reader_that_left);
    RUN(bytes_for_nobody_are_dropped);
    return test_report();
}
