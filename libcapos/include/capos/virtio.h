// SPDX-License-Identifier: MIT
// Drivers of virtio devices: finding one, agreeing with it, and its split virtqueues.
//
//     struct virtio_device device;
//     status = virtio_find(VIRTIO_ID_BLOCK, 0, &device);
//     agreed = virtio_begin(&device, FEATURES_THAT_I_USE, &features);    it is reset now
//     status = virtio_memory_take(bytes, &memory);
//     ... virtio_queue_init(&queue, &device, 0, 1, memory.bytes, memory.bus_address)
//     status = virtio_interrupt_take(&device);
//     virtio_ready(&device);
//
// The driver holds the grants "memory", "devices", "dma" and "interrupts", and "pci" for devices
// on such a bus.
//
// Source: Virtual I/O Device (VIRTIO) version 1.2, sections 2.7 (split virtqueues), 3.1
// (initialization), 4.1 (PCI) and 4.2 (MMIO), of which only what isn't called legacy.
//
// Invariants:
//  1. What the device writes (the used ring) is read once and checked: a device that
//     names a chain that isn't in flight is broken, and the driver says so.
//  2. The number of a chain's first descriptor is its name.  Where a chain goes on is kept
//     in the driver's own memory: the descriptors are never read back.
//  3. A device is reset before its queues are set up, so it has forgotten the memory of the
//     process that drove it before.
//
// Not thread-safe: one thread drives a device.  Tested by virtio_queue_test.c and booted by every
// driver, on PCI by tests/cli/pci_test.py.
#pragma once

#include <capos/pci.h>
#include <gen/capos/caps.h>
#include <gen/status.h>
#include <stddef.h>
#include <stdint.h>

constexpr uint32_t VIRTIO_ID_BLOCK = 2;
constexpr uint32_t VIRTIO_ID_CONSOLE = 3;
constexpr uint32_t VIRTIO_ID_9P = 9;

// Of all kinds of devices: chains may lie in tables of their own (2.7.5.3).
constexpr uint32_t VIRTIO_FEATURE_INDIRECT = 1 << 28;

// ---- Devices -----------------------------------------------------------------------

struct virtio_device;

// How the registers of a device are reached.  Words of features are 32 bits each.
struct virtio_transport {
    uint32_t (*features)(const struct virtio_device *device, uint32_t word);
    void (*features_set)(const struct virtio_device *device, uint32_t word, uint32_t features);
    uint8_t (*status)(const struct virtio_device *device);
    void (*status_set)(const struct virtio_device *device, uint8_t status);
    // Gives the device a queue of at most VIRTIO_QUEUE_SIZE entries, a power of two.  Returns
    // how many it has; 0: the device has no such queue.
    uint16_t (*queue_set)(struct virtio_device *device, uint16_t number, uint64_t descriptors,
                          uint64_t available, uint64_t used);
    void (*notify)(const struct virtio_device *device, uint16_t queue);
    void (*acknowledge)(const struct virtio_device *device);
    uint32_t (*generation)(const struct virtio_device *device);
    enum status (*interrupt_take)(struct virtio_device *device);
};

constexpr uint16_t VIRTIO_QUEUES_MAX = 8; // of a PCI device

struct virtio_device {
    const struct virtio_transport *transport;
    volatile uint8_t *registers;
    volatile uint8_t *config; // what the kind of device has besides
    uint32_t config_bytes;
    interrupt_cap interrupt;
    uint32_t line; // MMIO: the global system interrupt
    // PCI: where the device is told of each queue.
    struct pci_function function;
    volatile uint8_t *notify;
    uint32_t notify_bytes, notify_multiplier;
    uint32_t notify_offset[VIRTIO_QUEUES_MAX];
};

// Finds the device number `index` of its kind, from 0 on: first those of the machine's list of
// MMIO devices, then those on the PCI buses in the order of their numbers; and maps its
// registers.  Other processes may drive the others, which aren't touched but to see
// what they are.  STATUS_NOT_FOUND: the machine has no such device, or the program lacks the
// grants.
[[nodiscard]] enum status virtio_find(uint32_t device_id, uint32_t index,
                                      struct virtio_device *out_device);

// Resets the device and agrees on version 1 and on those features, of the first 32, that
// are wanted and that it has.  False: it doesn't agree.
[[nodiscard]] bool virtio_begin(const struct virtio_device *device, uint32_t wanted,
                                uint32_t *out_features);
// The device may start: its queues are set up.
void virtio_ready(const struct virtio_device *device);
// The device stops, and has forgotten all memory when this returns.
void virtio_reset(const struct virtio_device *device);

// Takes the device's interrupt.  STATUS_NOT_FOUND: no grant "interrupts"; else as
// InterruptController.bind or message.
[[nodiscard]] enum status virtio_interrupt_take(struct virtio_device *device);
// Reads and acknowledges why the device interrupted.
void virtio_acknowledge(const struct virtio_device *device);

// Reads from the device's own configuration, all from one moment: a number of 2, 4 or 8
// bytes at a multiple of its size (8: of 4), or any other count of single bytes.  False: it
// doesn't lie in the configuration.
[[nodiscard]] bool virtio_config_read(const struct virtio_device *device, uint32_t offset,
                                      void *out, uint32_t bytes);

// Memory that devices reach, zeroed, in one piece.
struct virtio_memory {
    uint8_t *bytes;
    uint64_t bus_address; // a multiple of 4096
};

// Takes memory and maps it, rounded up to pages, at most 2 MiB.  STATUS_NOT_FOUND: no grant
// "dma"; else as DmaPool.allocate.
[[nodiscard]] enum status virtio_memory_take(uint64_t size_bytes,
                                             struct virtio_memory *out_memory);

// ---- Queues ------------------------------------------------------------------------

constexpr uint16_t VIRTIO_QUEUE_SIZE = 64; // descriptors at most; a power of two
constexpr uint64_t VIRTIO_QUEUE_BYTES = 4096;

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
    uint16_t size;       // descriptors
    uint16_t used_seen;  // entries of the used ring that were taken
    uint16_t free_first; // a list through `next`, ended by VIRTIO_QUEUE_SIZE
    uint16_t free_count;
    // Of a free descriptor the next free one; of one in a chain the next of the chain.
    uint16_t next[VIRTIO_QUEUE_SIZE];
    bool in_flight[VIRTIO_QUEUE_SIZE]; // a chain starts here
    void *owner[VIRTIO_QUEUE_SIZE];    // of the chain that starts here
};

// A piece of memory for the device.
struct virtio_buffer {
    uint64_t bus_address;
    uint32_t size_bytes;
};

// Sets up a queue in VIRTIO_QUEUE_BYTES zeroed bytes, whose bus address is a multiple of
// 4096.  False: the device has no such queue, or one of fewer descriptors than `size_min`.
[[nodiscard]] bool virtio_queue_init(struct virtio_queue *queue, struct virtio_device *device,
                                     uint16_t number, uint16_t size_min, void *memory,
                                     uint64_t bus_address);

// Offers a chain of buffers: first `read_count` that the device reads, then `write_count`
// that it fills; at least one in all.  False: too few free descriptors.  The device looks at
// it after virtio_notify.
[[nodiscard]] bool virtio_queue_offer(struct virtio_queue *queue,
                                      const struct virtio_buffer *buffers, uint16_t read_count,
                                      uint16_t write_count, void *owner);
// The same with the chain in a table: memory of the driver's for as many descriptors, which
// stays as it is until the chain is taken back.  Only with VIRTIO_FEATURE_INDIRECT.  It takes
// one descriptor of the queue, whatever its length; the device may have a limit of its own,
// which is at least the queue's size.  False: none is free.
struct virtio_table {
    struct virtio_descriptor *descriptors;
    uint64_t bus_address; // a multiple of 16
};
[[nodiscard]] bool virtio_queue_offer_table(struct virtio_queue *queue,
                                            const struct virtio_table *table,
                                            const struct virtio_buffer *buffers,
                                            uint16_t read_count, uint16_t write_count,
                                            void *owner);
void virtio_notify(const struct virtio_device *device, const struct virtio_queue *queue);

// Takes back a chain that the device is done with, with the number of bytes that it wrote.
// nullptr: none.  *out_broken is set if the device named a chain that it didn't have.
[[nodiscard]] void *virtio_queue_take(struct virtio_queue *queue, uint32_t *out_bytes,
                                      bool *out_broken);

// Whether the device interrupts when it is done with a chain.  After switching it on, look
// once more: it may have been done before.
void virtio_queue_interrupts(struct virtio_queue *queue, bool wanted);

// ---- Transports, for virtio.c ------------------------------------------------------

// The size of a queue for which the device has room for so many descriptors.
[[nodiscard]] static inline uint16_t virtio_queue_size(uint32_t size_max)
{
    uint16_t size = VIRTIO_QUEUE_SIZE;
    while (size > size_max)
        size /= 2;
    return size;
}

// As virtio_find, for one transport.  `*index` counts down the devices that were passed.
[[nodiscard]] bool virtio_mmio_find(uint32_t device_id, uint32_t *index,
                                    struct virtio_device *out_device);
[[nodiscard]] bool virtio_pci_find(uint32_t device_id, uint32_t *index,
                                   struct virtio_device *out_device);
