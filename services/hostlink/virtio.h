// SPDX-License-Identifier: MIT
// A virtio device behind memory-mapped registers, and its split virtqueues (virtio.c).
//
// Source: Virtual I/O Device (VIRTIO) version 1.1, sections 2.6 (split virtqueues), 3.1
// (initialization) and 4.2.2 (MMIO registers).  Only version 2 of the registers, which
// the specification calls not legacy.
//
// Invariants:
//  1. What the device writes (the used ring) is read once and checked: a device that
//     names a descriptor that isn't in flight is broken, and the driver says so.
//  2. A chain is one or two descriptors; the first one's number is its name.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr uint32_t VIRTIO_ID_CONSOLE = 3;
constexpr uint16_t VIRTIO_QUEUE_SIZE = 64; // a power of two
constexpr uint64_t VIRTIO_QUEUE_BYTES = 4096;

struct virtio_device {
    volatile uint32_t *registers;
};

struct virtio_descriptor {
    uint64_t address;
    uint32_t size_bytes;
    uint16_t flags;
    uint16_t next;
};

// A queue's memory, as the device sees it.
struct virtio_ring {
    struct virtio_descriptor descriptors[VIRTIO_QUEUE_SIZE];
    struct {
        uint16_t flags, index;
        uint16_t ring[VIRTIO_QUEUE_SIZE];
        uint16_t used_event;
    } available;
    alignas(4) struct {
        uint16_t flags, index;
        struct {
            uint32_t id, size_bytes;
        } ring[VIRTIO_QUEUE_SIZE];
    } used;
};
static_assert(sizeof(struct virtio_ring) <= VIRTIO_QUEUE_BYTES);

struct virtio_queue {
    struct virtio_ring *ring;
    uint16_t number;
    uint16_t used_seen;  // entries of the used ring that were taken
    uint16_t free_first; // a list through `next`, ended by VIRTIO_QUEUE_SIZE
    uint16_t free_count;
    uint16_t next[VIRTIO_QUEUE_SIZE];
    bool in_flight[VIRTIO_QUEUE_SIZE];
    void *owner[VIRTIO_QUEUE_SIZE]; // of the chain that starts here
};

// A piece of memory for the device.
struct virtio_buffer {
    uint64_t bus_address;
    uint32_t size_bytes;
};

// Whether a device of that kind is behind the registers.
[[nodiscard]] bool virtio_probe(const struct virtio_device *device, uint32_t device_id);

// Resets the device and agrees on version 1 and the features of the given bits, all of the
// first 32.  False: it doesn't agree.
[[nodiscard]] bool virtio_begin(const struct virtio_device *device, uint32_t features);
// Sets up a queue in VIRTIO_QUEUE_BYTES zeroed bytes, whose bus address is a multiple of
// 4096.  False: the device has no such queue.
[[nodiscard]] bool virtio_queue_init(struct virtio_queue *queue,
                                     const struct virtio_device *device, uint16_t number,
                                     void *memory, uint64_t bus_address);
// The device may start.
void virtio_ready(const struct virtio_device *device);

// Reads and acknowledges why the device interrupted.
void virtio_acknowledge(const struct virtio_device *device);

// Offers one or two buffers to the device, as one chain: to read, or, if `device_writes`, to
// fill.  False: no free descriptor.  The device looks at it after virtio_notify.
[[nodiscard]] bool virtio_queue_offer(struct virtio_queue *queue,
                                      const struct virtio_buffer *buffers, uint16_t count,
                                      bool device_writes, void *owner);
void virtio_notify(const struct virtio_device *device, const struct virtio_queue *queue);

// Takes back a chain that the device is done with, with the number of bytes that it wrote.
// nullptr: none.  *out_broken is set if the device named a chain that it didn't have.
[[nodiscard]] void *virtio_queue_take(struct virtio_queue *queue, uint32_t *out_bytes,
                                      bool *out_broken);

// Whether the device interrupts when it is done with a chain.  After switching it on, look
// once more: it may have been done before.
void virtio_queue_interrupts(struct virtio_queue *queue, bool wanted);
