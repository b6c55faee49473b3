// SPDX-License-Identifier: MIT
// Bytes on their way to one of our own output descriptors, which may be slow.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/host_link.h>

// A ring of bytes.  Zero-initialise it and set `fd`.
struct outflow {
    int fd;
    bool closed;    // nobody reads it any more; what comes is dropped
    int error;      // why a write failed, other than for want of a reader; 0: none did
    bool unbounded; // a regular file: a write never has to wait
    uint8_t bytes[CAPOS_LINK_WINDOW_BYTES];
    size_t start, count;
};

// Prepares for a descriptor.
void outflow_init(struct outflow *outflow, int fd);

// Takes bytes; there is room, because the guest keeps to its window.
void outflow_put(struct outflow *outflow, const uint8_t *bytes, size_t count);

// Writes what a descriptor that polls writable takes without blocking.  Returns how many
// bytes left for good, dropped ones included; sets `closed` when nobody reads any more.
[[nodiscard]] size_t outflow_write(struct outflow *outflow);
