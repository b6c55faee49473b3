// SPDX-License-Identifier: MIT
// Pages on a BlockDevice; see device.h.
#include "device.h"

#include <capos/call.h>
#include <capos/panic.h>

#include <gen/capos/block_device.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

constexpr uint32_t QUEUE_BYTES = 256 * 1024;
constexpr uint32_t ATTEMPTS = 3; // with a driver that ends

static struct {
    struct medium medium;
    virtual_memory_cap memory;
    block_device_cap device;
    block_queue_cap queue; // id 0: none is open
    uint8_t *bytes;        // its memory
    uint32_t blocks_per_page;
    uint32_t pages_max; // of one transfer
    bool unflushed;     // something was written since the last flush
} device;

static void queue_close(void)
{
    if (device.bytes != nullptr &&
        virtual_memory_unmap(device.memory, (uint64_t)device.bytes, QUEUE_BYTES) != STATUS_OK)
        capos_panic("store: the memory of a queue can't be unmapped");
    device.bytes = nullptr;
    block_queue_cap_release(&device.queue);
}

static bool queue_open(void)
{
    memory_object_cap object;
    uint64_t address;
    if (device.queue.id != 0)
        return true;
    if (block_device_open_queue(device.device, QUEUE_BYTES, &device.queue, &object) !=
        STATUS_OK)
        return false;
    enum status status = virtual_memory_map(device.memory, object, 0, QUEUE_BYTES, 0,
                                            PROTECTION_READ_WRITE, &address);
    memory_object_cap_release(&object);
    if (status != STATUS_OK) {
        block_queue_cap_release(&device.queue);
        return false;
    }
    device.bytes = (uint8_t *)address;
    return true;
}

enum request { READ, WRITE, FLUSH };

static enum status request_once(enum request request, uint64_t page, uint32_t count,
                                enum block_outcome *out_outcome)
{
    uint64_t block = page * device.blocks_per_page;
    uint32_t blocks = count * device.blocks_per_page;
    if (!queue_open())
        return STATUS_DISCONNECTED;
    switch (request) {
    case READ:
        return block_queue_read(device.queue, block, blocks, 0, out_outcome);
    case WRITE:
        return block_queue_write(device.queue, block, blocks, 0, out_outcome);
    default:
        return block_queue_flush(device.queue, out_outcome);
    }
}

// Makes a request again when the driver ended meanwhile; `from` is what to write.
static bool request_make(enum request request, uint64_t page, uint32_t count, const void *from)
{
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        enum block_outcome outcome = BLOCK_OUTCOME_INPUT_OUTPUT;
        if (request == WRITE && queue_open())
            memcpy(device.bytes, from, (size_t)count * MEDIUM_PAGE);
        enum status status = request_once(request, page, count, &outcome);
        if (status == STATUS_OK && outcome != BLOCK_OUTCOME_RESET)
            return outcome == BLOCK_OUTCOME_OK;
        if (device.unflushed)
            capos_panic("store: the disk's driver ended before a flush; opening it anew");
        queue_close();
    }
    return false;
}

static bool device_read(struct medium *, uint64_t page, uint32_t count, void *to)
{
    for (uint32_t done = 0; done < count;) {
        uint32_t step = count - done < device.pages_max ? count - done : device.pages_max;
        if (!request_make(READ, page + done, step, nullptr))
            return false;
        memcpy((uint8_t *)to + (size_t)done * MEDIUM_PAGE, device.bytes,
               (size_t)step * MEDIUM_PAGE);
        done += step;
    }
    return true;
}

static bool device_write(struct medium *, uint64_t page, uint32_t count, const void *from)
{
    for (uint32_t done = 0; done < count;) {
        uint32_t step = count - done < device.pages_max ? count - done : device.pages_max;
        if (!request_make(WRITE, page + done, step,
                          (const uint8_t *)from + (size_t)done * MEDIUM_PAGE))
            return false;
        device.unflushed = true;
        done += step;
    }
    return true;
}

static bool device_flush(struct medium *)
{
    bool done = request_make(FLUSH, 0, 0, nullptr);
    if (done)
        device.unflushed = false;
    return done;
}

struct medium *device_open(block_device_cap cap, const char **out_problem)
{
    uint32_t block_bytes, transfer_bytes;
    uint64_t block_count;
    bool read_only;
    device.device = cap;
    *out_problem = "it has no memory";
    if (virtual_memory_cap_find("memory", &device.memory) != STATUS_OK)
        return nullptr;
    *out_problem = "there is none";
    if (block_device_info(cap, &block_bytes, &read_only, nullptr, nullptr, &block_count,
                          &transfer_bytes, nullptr) != STATUS_OK)
        return nullptr;
    *out_problem = "it can't be written";
    if (read_only)
        return nullptr;
    device.blocks_per_page = MEDIUM_PAGE / block_bytes;
    device.pages_max =
        (transfer_bytes < QUEUE_BYTES ? transfer_bytes : QUEUE_BYTES) / MEDIUM_PAGE;
    device.medium = (struct medium){
        .page_count = block_count / device.blocks_per_page,
        .read = device_read,
        .write = device_write,
        .flush = device_flush,
    };
    return &device.medium;
}
