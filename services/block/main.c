// SPDX-License-Identifier: MIT
// block: serves a virtio block device as a BlockDevice.
//
//     block [INDEX]      the machine's block device number INDEX (0)
//
//     disk.c    the device: requests and completions
//     main.c    who may reach which blocks, from and to which memory
//
// The data of a request goes between the device and memory that driver and client share;
// nothing is copied here.  Calls are answered in the order in which the device is done.
//
// Invariants:
//  1. A request reaches the device only with blocks inside its part and bytes inside its
//     queue's memory.
//  2. A queue's memory is given up when its last hold is gone and the device is done with
//     every request on it.
//  3. An object that an earlier process minted is no object of this one: words carry the time
//     of the start, so calls on it fail as `disconnected` and never reach another's memory.
//
// When the driver is killed, its successor resets the device.  Requests that were under way
// end with `disconnected` for their clients, and took effect or didn't.
//
// Grants: memory, endpoint, devices, dma, interrupts, timer; console, for its last words.
// Tested by tests/system/block_client.c, run by tests/cli/block_test.py.
#include "disk.h"

#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/print.h>
#include <capos/server.h>

#include <gen/capos/block_device.h>
#include <gen/capos/device_memory.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/timer.h>
#include <stdlib.h>

constexpr uint64_t WORD_DEVICE = 1; // of the manifest's export
constexpr uint32_t PARTS_MAX = 16;
constexpr uint32_t QUEUES_MAX = 16;
constexpr uint32_t QUEUE_BYTES_MAX = 1 << 20;
constexpr uint32_t PAGE = 4096;

// Blocks of the device that an object reaches.
struct part {
    uint64_t word; // 0: unused
    uint64_t first, count;
    bool read_only;
};

struct queue {
    uint64_t word; // 0: unused
    struct part part;
    memory_object_cap memory;
    uint64_t bus_address;
    uint32_t size_bytes;
    uint32_t under_way; // requests
    bool released;
};

static struct {
    endpoint_cap endpoint;
    dma_pool_cap pool;
    enum status problem; // why there is no device
    struct disk_facts facts;
    struct part parts[PARTS_MAX];
    struct queue queues[QUEUES_MAX];
    uint64_t word_next;
} block;

static const char gone[] = "this object belonged to a driver that has ended; open another";

// ---- Objects -----------------------------------------------------------------------

static struct part *part_find(uint64_t word)
{
    for (uint32_t i = 0; i < PARTS_MAX; i++)
        if (block.parts[i].word == word)
            return &block.parts[i];
    return nullptr;
}

static struct queue *queue_find(uint64_t word)
{
    for (uint32_t i = 0; i < QUEUES_MAX; i++)
        if (block.queues[i].word == word)
            return &block.queues[i];
    return nullptr;
}

static void queue_free_if_done(struct queue *queue)
{
    if (!queue->released || queue->under_way > 0)
        return;
    if (dma_pool_forget(block.pool, queue->memory) != STATUS_OK)
        capos_panic("block: the pool doesn't know the memory of a queue");
    memory_object_cap_release(&queue->memory);
    *queue = (struct queue){};
}

static void on_released(void *, uint64_t word)
{
    struct part *part = part_find(word);
    struct queue *queue = queue_find(word);
    if (part != nullptr && word != WORD_DEVICE)
        *part = (struct part){};
    if (queue != nullptr) {
        queue->released = true;
        queue_free_if_done(queue);
    }
}

// ---- BlockDevice -------------------------------------------------------------------

// The part that a call is on; nullptr: the call was answered.
static struct part *part_of(struct capos_server_call *call)
{
    struct part *part = part_find(call->word);
    if (block.problem != STATUS_OK) {
        capos_server_fail(call, STATUS_FAILED, "the machine has no block device that works");
        return nullptr;
    }
    if (part == nullptr)
        capos_server_fail(call, STATUS_DISCONNECTED, gone);
    return part;
}

static void on_info(void *, struct capos_server_call *call)
{
    const struct part *part = part_of(call);
    if (part == nullptr)
        return;
    block_device_info_reply(call, &(struct block_device_info_results){
                                      .block_bytes = block.facts.block_bytes,
                                      .read_only = part->read_only,
                                      .flushes = block.facts.flushes,
                                      .discards = block.facts.discards,
                                      .block_count = part->count,
                                      .transfer_bytes_max = block.facts.transfer_bytes_max,
                                      .queue_bytes_max = QUEUE_BYTES_MAX,
                                  });
}

static enum status queue_open(struct queue *queue, const struct part *part, uint32_t size_bytes,
                              capos_cap_id *out_cap)
{
    enum status status =
        dma_pool_allocate(block.pool, size_bytes, &queue->memory, &queue->bus_address);
    if (status != STATUS_OK)
        return status;
    status = endpoint_mint(block.endpoint, INTERFACE_BLOCK_QUEUE, block.word_next, out_cap);
    if (status != STATUS_OK) {
        (void)dma_pool_forget(block.pool, queue->memory);
        memory_object_cap_release(&queue->memory);
        return status;
    }
    queue->word = block.word_next++;
    queue->part = *part;
    queue->size_bytes = size_bytes;
    return STATUS_OK;
}

static void on_open_queue(void *, struct capos_server_call *call,
                          const struct block_device_open_queue_params *params)
{
    const struct part *part = part_of(call);
    struct queue *queue = queue_find(0);
    capos_cap_id cap;
    if (part == nullptr)
        return;
    if (params->size_bytes == 0 || params->size_bytes % PAGE != 0 ||
        params->size_bytes > QUEUE_BYTES_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "sizeBytes: a multiple of 4096, not zero, at most 1 MiB");
        return;
    }
    if (queue == nullptr || queue_open(queue, part, params->size_bytes, &cap) != STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED, "the driver has no room for another queue");
        return;
    }
    const struct capos_transfer transfers[] = {capos_transfer_move(cap),
                                               capos_transfer_copy(queue->memory.id)};
    block_device_open_queue_reply(
        call, &(struct block_device_open_queue_results){.queue = 0, .memory = 1}, transfers, 2);
}

static void on_part(void *, struct capos_server_call *call,
                    const struct block_device_part_params *params)
{
    const struct part *whole = part_of(call);
    struct part *part = part_find(0);
    capos_cap_id cap;
    if (whole == nullptr)
        return;
    if (params->block_count == 0 || params->first_block > whole->count ||
        params->block_count > whole->count - params->first_block) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "firstBlock, blockCount: within the device, not empty");
        return;
    }
    if (part == nullptr || endpoint_mint(block.endpoint, INTERFACE_BLOCK_DEVICE,
                                         block.word_next, &cap) != STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED, "the driver has no room for another part");
        return;
    }
    *part = (struct part){.word = block.word_next++,
                          .first = whole->first + params->first_block,
                          .count = params->block_count,
                          .read_only = whole->read_only || params->read_only};
    const struct capos_transfer transfer = capos_transfer_move(cap);
    block_device_part_reply(call, &(struct block_device_part_results){.device = 0}, &transfer,
                            1);
}

// ---- BlockQueue --------------------------------------------------------------------

static void answer(struct capos_server_call *call, enum block_outcome outcome)
{
    switch (call->method) {
    case BLOCK_QUEUE_METHOD_READ:
        block_queue_read_reply(call, &(struct block_queue_read_results){.outcome = outcome});
        break;
    case BLOCK_QUEUE_METHOD_WRITE:
        block_queue_write_reply(call, &(struct block_queue_write_results){.outcome = outcome});
        break;
    case BLOCK_QUEUE_METHOD_FLUSH:
        block_queue_flush_reply(call, &(struct block_queue_flush_results){.outcome = outcome});
        break;
    default:
        block_queue_discard_reply(call,
                                  &(struct block_queue_discard_results){.outcome = outcome});
    }
}

static void on_done(void *owner, enum block_outcome outcome)
{
    struct capos_server_call *call = owner;
    struct queue *queue = queue_find(call->word);
    answer(call, outcome);
    queue->under_way--;
    queue_free_if_done(queue);
}

// The queue that a call is on; nullptr: the call was answered.
static struct queue *queue_of(struct capos_server_call *call)
{
    struct queue *queue = queue_find(call->word);
    if (queue == nullptr)
        capos_server_fail(call, STATUS_DISCONNECTED, gone);
    return queue;
}

// Whether the blocks are the queue's to reach; if not, the call was answered.
static bool blocks_check(struct capos_server_call *call, const struct queue *queue,
                         uint64_t first, uint64_t count)
{
    if (count != 0 && first <= queue->part.count && count <= queue->part.count - first)
        return true;
    capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                      "block, blockCount: within the device, not empty");
    return false;
}

static void submit(struct capos_server_call *call, struct queue *queue,
                   enum disk_operation operation, uint64_t first, uint64_t count,
                   uint32_t offset_bytes)
{
    queue->under_way++;
    disk_submit(operation, queue->part.first + first, count, queue->bus_address + offset_bytes,
                call);
}

static void transfer(struct capos_server_call *call, enum disk_operation operation,
                     uint64_t first, uint32_t count, uint32_t offset_bytes)
{
    struct queue *queue = queue_of(call);
    if (queue == nullptr || !blocks_check(call, queue, first, count))
        return;
    uint32_t block_bytes = block.facts.block_bytes;
    if (count > block.facts.transfer_bytes_max / block_bytes)
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "blockCount: at most transferBytesMax in all");
    else if (offset_bytes % block_bytes != 0 || offset_bytes > queue->size_bytes ||
             count * block_bytes > queue->size_bytes - offset_bytes)
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "memoryOffsetBytes: a multiple of the block size, with all blocks "
                          "inside the memory");
    else if (operation == DISK_WRITE && queue->part.read_only)
        answer(call, BLOCK_OUTCOME_READ_ONLY);
    else
        submit(call, queue, operation, first, count, offset_bytes);
}

static void on_read(void *, struct capos_server_call *call,
                    const struct block_queue_read_params *params)
{
    transfer(call, DISK_READ, params->block, params->block_count, params->memory_offset_bytes);
}

static void on_write(void *, struct capos_server_call *call,
                     const struct block_queue_write_params *params)
{
    transfer(call, DISK_WRITE, params->block, params->block_count, params->memory_offset_bytes);
}

static void on_flush(void *, struct capos_server_call *call)
{
    struct queue *queue = queue_of(call);
    if (queue == nullptr)
        return;
    if (block.facts.flushes)
        submit(call, queue, DISK_FLUSH, 0, 0, 0);
    else // then what was written is durable already
        answer(call, BLOCK_OUTCOME_OK);
}

static void on_discard(void *, struct capos_server_call *call,
                       const struct block_queue_discard_params *params)
{
    struct queue *queue = queue_of(call);
    if (queue == nullptr || !blocks_check(call, queue, params->block, params->block_count))
        return;
    if (queue->part.read_only)
        answer(call, BLOCK_OUTCOME_READ_ONLY);
    else if (!block.facts.discards)
        answer(call, BLOCK_OUTCOME_NOT_SUPPORTED);
    else
        submit(call, queue, DISK_DISCARD, params->block, params->block_count, 0);
}

// ---- Start -------------------------------------------------------------------------

static void on_call(void *, struct capos_server_call *call)
{
    static const struct block_device_server_ops device_ops = {
        .info = on_info, .open_queue = on_open_queue, .part = on_part};
    static const struct block_queue_server_ops queue_ops = {
        .read = on_read, .write = on_write, .flush = on_flush, .discard = on_discard};
    if (call->interface_id == INTERFACE_BLOCK_DEVICE)
        block_device_serve(&device_ops, nullptr, call);
    else if (call->interface_id == INTERFACE_BLOCK_QUEUE)
        block_queue_serve(&queue_ops, nullptr, call);
    else
        capos_server_fail(call, STATUS_UNIMPLEMENTED, "block serves BlockDevice, BlockQueue");
}

// Words that no earlier process of this service used: they grow with the time, by less than
// one per nanosecond.
static enum status words_init(void)
{
    timer_cap timer;
    enum status status = timer_cap_find("timer", &timer);
    if (status == STATUS_OK)
        status = timer_now(timer, &block.word_next);
    block.word_next += WORD_DEVICE + 1;
    return status;
}

static void device_start(uint32_t index)
{
    block.problem = disk_start(index, on_done, &block.facts);
    if (block.problem != STATUS_OK)
        capos_console_print("block: no device %u: %s\n", index, status_name(block.problem));
    block.parts[0] = (struct part){.word = WORD_DEVICE,
                                   .count = block.facts.block_count,
                                   .read_only = block.facts.read_only};
}

int main(int argc, char **argv)
{
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    static struct capos_server server;
    if (endpoint_cap_find("endpoint", &block.endpoint) != STATUS_OK ||
        dma_pool_cap_find("dma", &block.pool) != STATUS_OK || words_init() != STATUS_OK)
        capos_panic("block: needs the grants \"endpoint\", \"dma\" and \"timer\"");
    device_start(argc > 1 ? (uint32_t)strtoul(argv[1], nullptr, 10) : 0);
    // As many calls at once as the device has requests for.
    struct capos_server_options options = {.receive_count = DISK_REQUESTS_MAX};
    enum status status =
        capos_server_start(&server, block.endpoint.id, &handlers, nullptr, &options);
    if (status != STATUS_OK)
        capos_panic("block: can't start to serve: %s", status_name(status));
    capos_loop_run();
    return 0;
}
