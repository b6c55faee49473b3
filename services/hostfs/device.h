// SPDX-License-Identifier: MIT
// The host's 9P server behind its virtio device: requests go out, answers come in any order,
// and each thread waits for its own.
//
// Whoever waits and finds nobody at the interrupt line waits there itself, for all: so a
// thread that is alone takes its answer without a switch to another one.
//
// Bulk data go between the device and memory of clients, which is pinned for it: hostfs
// neither copies nor maps it.
//
// Invariants:
//  1. A request and its answer lie in memory that the device reaches, one request at a time
//     to an exchange; an exchange belongs to one thread between _send and _wait.
//  2. Memory is pinned while a request is under way that names it, and if the service is
//     killed, for good: the pool of its grant "dma" keeps it.
//  3. An answer that isn't one to its request ends the service: whom it would believe next is
//     anybody's guess.
#pragma once

#include <capos/virtio.h>
#include <gen/capos/caps.h>
#include <lib/ninep_client.h>
#include <stddef.h>
#include <stdint.h>

// Data that one Tread or Twrite moves between the device and a client's memory, at most.
constexpr uint32_t DEVICE_BULK_BYTES = 512 * 1024;
// What an answer has room for without such memory.
constexpr uint32_t DEVICE_ANSWER_BYTES = 7168;

// Memory of a client that is pinned.
struct device_buffer {
    memory_object_cap object; // owned
    uint64_t size_bytes;
    uint64_t pages[]; // the bus address of each
};

struct exchange {
    struct ninep_message answer; // what it points to lives until the next _send

    // Private to device.c.
    bool is_bulk;
    uint8_t *request, *reply;
    uint64_t request_bus, reply_bus;
    struct virtio_table table; // of one for bulk data
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

// Pins memory, which it takes: nullptr without room for it, or if it can't be pinned
// (*out_status).
[[nodiscard]] struct device_buffer *
device_buffer_create(memory_object_cap object, uint64_t size_bytes, enum status *out_status);
// Nothing is under way with it.
void device_buffer_destroy(struct device_buffer *buffer);

// An exchange for bulk data; waits for one if `wait`, otherwise nullptr if all are in use.
// Who holds one may wait for the device, but not for a second one.
[[nodiscard]] struct exchange *device_bulk_get(bool wait);
void device_bulk_put(struct exchange *exchange);
// The most that one Tread or Twrite moves, at most DEVICE_BULK_BYTES.
[[nodiscard]] uint32_t device_bulk_bytes(void);

// Sends a request.
void exchange_send(struct exchange *exchange, struct ninep_message *message);
// Sends a Tread or Twrite whose data, of the size that it says, go to or come from a buffer at
// an offset: on an exchange for bulk data.  The message, and the answer, have no pointer to them.
void exchange_send_bulk(struct exchange *exchange, struct ninep_message *message,
                        const struct device_buffer *buffer, uint64_t offset);
// Waits for the answer.  0, or the errno of Linux with which the host refused.
[[nodiscard]] int exchange_wait(struct exchange *exchange);
// Both.
[[nodiscard]] int exchange_run(struct exchange *exchange, struct ninep_message *message);

// Fids, as ninep_fid_get and _put.
[[nodiscard]] uint32_t device_fid_get(void);
void device_fid_put(uint32_t fid);
