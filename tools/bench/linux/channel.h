// SPDX-License-Identifier: MIT
// The ways to talk between processes of Linux.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr size_t CHANNEL_MESSAGE_BYTES = 32; // beside a descriptor

enum channel_kind {
    CHANNEL_PIPE,      // a pipe each way
    CHANNEL_SEQPACKET, // a Unix socket that keeps messages apart
};

// Each side reads and writes; with a socket the two descriptors of a side are one.
struct channel {
    long ours, ours_out, theirs, theirs_out;
};

struct channel channel_open(enum channel_kind kind);
void channel_close(const struct channel *channel);

// The whole size, or the machine ends.
void channel_write(long descriptor, const void *from, size_t size_bytes);
void channel_read(long descriptor, void *to, size_t size_bytes);

// A message of CHANNEL_MESSAGE_BYTES with a descriptor, which the sender keeps.
void channel_send(long socket, const void *message, long descriptor);
// The descriptor that came with a message, or an error.
long channel_receive(long socket, void *message);

// Measures calls and returns by every way that there is, as "ROW.WAY" each.
void channel_measure(void);
