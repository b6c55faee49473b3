// SPDX-License-Identifier: MIT
// The host's 9P server behind its virtio device: requests go out, answers come in any order,
// and each thread waits for its own.
//
// Whoever waits and finds nobody at the interrupt line waits there itself, for all: so a
// thread that is alone takes its answer without a switch to another one.
//
// Invariants:
//  1. A request and its answer lie in memory that the device reaches, one request at a time
//     to an exchange; an exchange belongs to one thread between _send and _wait.
//  2. An answer that isn't one to its request ends the service: whom it would believe next is
//     anybody's guess.
#pragma once

#include <lib/ninep_client.h>
#include <stddef.h>
#include <stdint.h>

// Data that one Tread or Twrite moves between the device and an exchange for bulk data.
constexpr uint32_t DEVICE_BULK_BYTES = 512 * 1024;
// What an answer without such memory has room for.
constexpr uint32_t DEVICE_ANSWER_BYTES = 7168;

struct exchange {
    struct ninep_message answer; // what it points to lives until the next _send
    uint8_t *data;               // DEVICE_BULK_BYTES for bulk data; otherwise nullptr

    // Private to device.c.
    uint8_t *request, *reply;
    uint64_t request_bus, reply_bus, data_bus;
    uint16_t tag;
    bool done, waiting;
    int error;
    struct capos_condition *answered;
    struct exchange *next; // of those for bulk data that are free
};

// Finds the device with the mount tag, agrees on the protocol and attaches to the directory:
// returns its fid, and its inode.  Doesn't return when that fails: without its device the
// service is none.
[[nodiscard]] uint32_t device_start(const char *tag, uint64_t *out_inode);

// An exchange without memory for bulk data, for a thread to keep; nullptr: there are no more.
[[nodiscard]] struct exchange *device_exchange_take(void);

// An exchange for bulk data; waits for one if `wait`, otherwise nullptr if all are in use.
// Who holds one may wait for the device, but not for a second one.
[[nodiscard]] struct exchange *device_bulk_get(bool wait);
void device_bulk_put(struct exchange *exchange);
// The most that one Tread or Twrite moves, at most DEVICE_BULK_BYTES.
[[nodiscard]] uint32_t device_bulk_bytes(void);

// Sends a request.  The data of a Twrite on an exchange for bulk data are in its memory
// already, and those of a Tread will be.
void exchange_send(struct exchange *exchange, struct ninep_message *message);
// Waits for the answer.  0, or the errno of Linux with which the host refused.
[[nodiscard]] int exchange_wait(struct exchange *exchange);
// Both.
[[nodiscard]] int exchange_run(struct exchange *exchange, struct ninep_message *message);

// Fids, as ninep_fid_get and _put.
[[nodiscard]] uint32_t device_fid_get(void);
void device_fid_put(uint32_t fid);
