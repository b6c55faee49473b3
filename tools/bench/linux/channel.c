// SPDX-License-Identifier: MIT
// See channel.h.  Calls and returns between two processes: Linux has no operation for it, so
// programs choose among these.  The host takes the cheapest of each row.
#include "channel.h"

#include <linux/mman.h>
#include <linux/uio.h>

#include "../../../programs/bench/measure.h"
#include "../../../programs/bench/system.h"
#include "process.h"
#include "syscalls.h"

// From the C library's headers, which this program does without.
constexpr long FAMILY_UNIX = 1, TYPE_SEQPACKET = 5;
constexpr int LEVEL_SOCKET = 1, CONTROL_RIGHTS = 1;

struct message_header { // struct msghdr
    void *name;
    uint32_t name_bytes;
    struct iovec *vectors;
    size_t vector_count;
    void *control;
    size_t control_bytes;
    int flags;
};

struct rights { // struct cmsghdr and one descriptor
    size_t size_bytes;
    int level, type;
    int descriptor;
    uint32_t padding;
};
constexpr size_t RIGHTS_BYTES = offsetof(struct rights, padding);

struct channel channel_open(enum channel_kind kind)
{
    int there[2], back[2];
    if (kind == CHANNEL_SEQPACKET) {
        good(call4(__NR_socketpair, FAMILY_UNIX, TYPE_SEQPACKET, 0, (long)there), "socketpair");
        return (struct channel){there[0], there[0], there[1], there[1]};
    }
    good(call3(__NR_pipe, (long)there, 0, 0), "pipe");
    good(call3(__NR_pipe, (long)back, 0, 0), "pipe");
    return (struct channel){back[0], there[1], there[0], back[1]};
}

void channel_close(const struct channel *channel)
{
    const long all[] = {channel->ours, channel->ours_out, channel->theirs, channel->theirs_out};
    for (unsigned i = 0; i < 4; i++)
        call3(__NR_close, all[i], 0, 0); // the second of a socket's fails
}

void channel_write(long descriptor, const void *from, size_t size_bytes)
{
    for (size_t done = 0; done < size_bytes;)
        done += (size_t)good(
            call3(__NR_write, descriptor, (long)from + (long)done, (long)(size_bytes - done)),
            "write");
}

void channel_read(long descriptor, void *to, size_t size_bytes)
{
    for (size_t done = 0; done < size_bytes;) {
        long part =
            good(call3(__NR_read, descriptor, (long)to + (long)done, (long)(size_bytes - done)),
                 "read");
        if (part == 0)
            call3(__NR_exit_group, 0, 0, 0); // the other side is gone
        done += (size_t)part;
    }
}

void channel_send(long socket, const void *message, long descriptor)
{
    struct rights rights = {.size_bytes = RIGHTS_BYTES,
                            .level = LEVEL_SOCKET,
                            .type = CONTROL_RIGHTS,
                            .descriptor = (int)descriptor};
    struct iovec vector = {(void *)(uintptr_t)message, CHANNEL_MESSAGE_BYTES};
    struct message_header header = {.vectors = &vector,
                                    .vector_count = 1,
                                    .control = &rights,
                                    .control_bytes = RIGHTS_BYTES};
    good(call3(__NR_sendmsg, socket, (long)&header, 0), "sendmsg");
}

long channel_receive(long socket, void *message)
{
    struct rights rights = {};
    struct iovec vector = {message, CHANNEL_MESSAGE_BYTES};
    struct message_header header = {.vectors = &vector,
                                    .vector_count = 1,
                                    .control = &rights,
                                    .control_bytes = sizeof rights};
    long size = call3(__NR_recvmsg, socket, (long)&header, 0);
    return size <= 0 || rights.type != CONTROL_RIGHTS ? -1 : rights.descriptor;
}

// ---- Measuring ----------------------------------------------------------------------

constexpr size_t BYTES_MAX = 4096;
constexpr unsigned OPERATIONS = 100;

static struct channel channel;
static size_t bytes;
static char own[BYTES_MAX];

static void echo(void)
{
    for (;;) {
        channel_read(channel.theirs, own, bytes);
        channel_write(channel.theirs_out, own, bytes);
    }
}

static void round_trip(void)
{
    channel_write(channel.ours_out, own, bytes);
    channel_read(channel.ours, own, bytes);
}

static void measure_channel(const char *name, enum channel_kind kind)
{
    channel = channel_open(kind);
    long process = process_start(echo);
    MEASURE(name, OPERATIONS, round_trip());
    process_kill(process);
    channel_close(&channel);
}

// The message lies in shared memory, an eventfd each way says that it does.  Each side copies
// it out before it looks at it, for the other could change it.
static struct {
    long there, back;
    char *memory;
} event;

static void event_echo(void)
{
    uint64_t count;
    for (;;) {
        channel_read(event.there, &count, sizeof count);
        __builtin_memcpy(own, event.memory, bytes);
        __builtin_memcpy(event.memory + BYTES_MAX, own, bytes);
        channel_write(event.back, &count, sizeof count);
    }
}

static void event_round_trip(void)
{
    uint64_t count = 1;
    __builtin_memcpy(event.memory, own, bytes);
    channel_write(event.there, &count, sizeof count);
    channel_read(event.back, &count, sizeof count);
    __builtin_memcpy(own, event.memory + BYTES_MAX, bytes);
}

static void measure_event(const char *name)
{
    if (event.memory == nullptr) {
        event.memory = (char *)good(call6(__NR_mmap, 0, 2 * BYTES_MAX, 3 /* read, write */,
                                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
                                    "mmap");
        event.there = good(call3(__NR_eventfd2, 0, 0, 0), "eventfd");
        event.back = good(call3(__NR_eventfd2, 0, 0, 0), "eventfd");
    }
    long process = process_start(event_echo);
    MEASURE(name, OPERATIONS, event_round_trip());
    process_kill(process);
}

static void measure_sizes(void)
{
    static const struct {
        const char *event, *pipe, *socket;
        size_t bytes;
    } rows[] = {
        {"ipc_rt_0.eventfd", nullptr, nullptr, 0},
        {"ipc_rt_32.eventfd", "ipc_rt_32.pipe", "ipc_rt_32.socket", 32},
        {"ipc_rt_256.eventfd", "ipc_rt_256.pipe", "ipc_rt_256.socket", 256},
        {"ipc_rt_4096.eventfd", "ipc_rt_4096.pipe", "ipc_rt_4096.socket", 4096},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes = rows[i].bytes;
        measure_event(rows[i].event);
        if (rows[i].pipe == nullptr)
            continue;
        measure_channel(rows[i].pipe, CHANNEL_PIPE);
        measure_channel(rows[i].socket, CHANNEL_SEQPACKET);
    }
}

static void gift_echo(void)
{
    long descriptor;
    while ((descriptor = channel_receive(channel.theirs, own)) >= 0) {
        channel_send(channel.theirs, own, descriptor);
        call3(__NR_close, descriptor, 0, 0);
    }
}

static void gift_round_trip(long gift)
{
    channel_send(channel.ours, own, gift);
    long back = good(channel_receive(channel.ours, own), "recvmsg");
    call3(__NR_close, back, 0, 0);
}

static void measure_gift(void)
{
    long gift = good(call3(__NR_eventfd2, 0, 0, 0), "eventfd");
    channel = channel_open(CHANNEL_SEQPACKET);
    long process = process_start(gift_echo);
    MEASURE("ipc_rt_cap", OPERATIONS, gift_round_trip(gift));
    process_kill(process);
    channel_close(&channel);
}

// ---- Much data ----------------------------------------------------------------------

constexpr size_t PIPE_BYTES = 65536, MIB = 1 << 20;
static char bulk[PIPE_BYTES];

static void bulk_receive(void)
{
    for (;;) {
        for (size_t done = 0; done < MIB; done += PIPE_BYTES)
            channel_read(channel.theirs, bulk, PIPE_BYTES);
        channel_write(channel.theirs_out, bulk, 1);
    }
}

static void bulk_send(void)
{
    for (size_t done = 0; done < MIB; done += PIPE_BYTES)
        channel_write(channel.ours_out, bulk, PIPE_BYTES);
    channel_read(channel.ours, bulk, 1);
}

static void measure_bulk(void)
{
    channel = channel_open(CHANNEL_PIPE);
    long process = process_start(bulk_receive);
    MEASURE("bulk_per_mib.pipe", 2, bulk_send());
    process_kill(process);
    channel_close(&channel);
}

void channel_measure(void)
{
    measure_sizes();
    measure_gift();
    measure_bulk();
}
