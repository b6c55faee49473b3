// SPDX-License-Identifier: MIT
// The virtio block device: requests go in, completions come out (disk.c).
//
// Invariants:
//  1. Memory given to disk_submit belongs to the device until `on_done`.
//  2. The device is reset before memory that it knew from an earlier driver is given up.
//  3. At most DISK_REQUESTS_MAX requests are under way; for that many there is always room.
//
// Source: VIRTIO 1.2, section 5.2 (block device).
#pragma once

#include <capos/virtio.h>
#include <gen/wire/block_device.h>

constexpr uint32_t DISK_REQUESTS_MAX = 16;

enum disk_operation { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD };

struct disk_facts {
    uint32_t block_bytes; // a power of two, 512 to 4096
    uint64_t block_count;
    uint32_t transfer_bytes_max; // a multiple of 4096
    bool read_only;
    bool flushes;
    bool discards;
};

// Finds the device number `index` of the machine and sets it up.  `on_done` tells, from the
// loop, of each request that has ended.  STATUS_NOT_FOUND: there is no such device, or a
// grant is missing; STATUS_FAILED: it doesn't speak virtio 1, or has blocks of another size;
// else as virtio_interrupt_take and virtio_memory_take.
[[nodiscard]] enum status disk_start(uint32_t index,
                                     void (*on_done)(void *owner, enum block_outcome outcome),
                                     struct disk_facts *out_facts);

// Begins a request on whole blocks of the device; the address is of `count` blocks of memory
// for a read or write.  At most DISK_REQUESTS_MAX at once, and of what the device can do.
void disk_submit(enum disk_operation operation, uint64_t block, uint64_t count,
                 uint64_t bus_address, void *owner);
