// SPDX-License-Identifier: MIT
// The virtio console of the machine as a byte stream with frames (console.c): finding the
// device, its queues and buffers, its interrupt.
//
// Invariants:
//  1. Output goes out in the order of console_send.
//  2. Memory given to console_send belongs to the device until `on_sent`.
#pragma once

#include <abi/host_link.h>
#include <capos/virtio.h>

struct console_handlers {
    // The port is open: frames may be sent.
    void (*on_open)(void);
    // Bytes from the host, lent for the call.
    void (*on_received)(const uint8_t *data, uint32_t size_bytes);
    // The device is done with a frame: `owner` as given to console_send.
    void (*on_sent)(void *owner);
};

// Memory that the device reaches, for the caller's data.
struct console_memory {
    uint8_t *bytes;
    uint64_t bus_address;
};

// Finds the device and sets it up with `data_bytes` of memory for the caller; on_open comes
// from the loop, or at once.  Doesn't return when that fails: there is no way to the host,
// and the console is told.
void console_start(const struct console_handlers *handlers, uint64_t data_bytes,
                   struct console_memory *out_memory);

// Sends a frame: its header, and its payload in memory of console_start.  False: the queue
// is full; try again after an on_sent.
[[nodiscard]] bool console_send(const struct capos_link_frame *frame, uint64_t payload_bus,
                                void *owner);
// Sends a frame with a short payload, which is copied; `owner` may be nullptr.  Likewise.
[[nodiscard]] bool console_send_copy(const struct capos_link_frame *frame, const void *payload,
                                     void *owner);

// Tells the device of what was sent, and the handlers of what came and what is done.
void console_poll(void);
