// SPDX-License-Identifier: MIT
// Requests to a virtio block device; see disk.h.
//
// A request is a chain of a header, the data in one piece, and a byte for the outcome.
#include "disk.h"

#include <capos/loop.h>
#include <capos/panic.h>

#include <gen/capos/device_memory.h>
#include <gen/capos/interrupt.h>

// Bits of the features (5.2.3).
constexpr uint32_t FEATURE_SIZE_MAX = 1u << 1;
constexpr uint32_t FEATURE_READ_ONLY = 1u << 5;
constexpr uint32_t FEATURE_BLOCK_SIZE = 1u << 6;
constexpr uint32_t FEATURE_FLUSH = 1u << 9;
constexpr uint32_t FEATURE_DISCARD = 1u << 13;

// Offsets of the configuration (5.2.4).
enum {
    CONFIG_CAPACITY = 0,
    CONFIG_SIZE_MAX = 8,
    CONFIG_BLOCK_SIZE = 20,
    CONFIG_DISCARD_SECTORS_MAX = 36,
};

// Requests (5.2.6).
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_DISCARD = 11 };
enum { STATE_OK = 0, STATE_IOERR = 1, STATE_UNSUPPORTED = 2 };

constexpr uint64_t SECTOR_BYTES = 512; // of the protocol, whatever the block size
constexpr uint32_t TRANSFER_BYTES_MAX = 1 << 20;

// What the device reads and writes of a request besides its data.
struct request_memory {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    struct {
        uint64_t sector;
        uint32_t sector_count;
        uint32_t flags;
    } discard;
    uint8_t state;
    uint8_t padding[31];
};
static_assert(sizeof(struct request_memory) == 64);

struct request {
    void *owner;
    struct request *next;          // in the list of free ones
    uint64_t sector, sectors_left; // of a discard, which may take several steps
};

constexpr uint64_t REQUESTS_OFFSET = VIRTIO_QUEUE_BYTES;
constexpr uint64_t MEMORY_BYTES =
    REQUESTS_OFFSET + DISK_REQUESTS_MAX * sizeof(struct request_memory);
constexpr uint16_t DESCRIPTORS = DISK_REQUESTS_MAX * 3;
static_assert(DESCRIPTORS <= VIRTIO_QUEUE_SIZE);

static struct {
    struct virtio_device device;
    struct virtio_queue queue;
    struct virtio_memory memory;
    struct disk_facts facts;
    uint32_t discard_sectors_max; // in one step
    struct capos_call interrupt_wait;
    struct request requests[DISK_REQUESTS_MAX];
    struct request *request_free;
    void (*on_done)(void *owner, enum block_outcome outcome);
} disk;

// ---- Requests ----------------------------------------------------------------------

static uint64_t memory_offset(const struct request *request)
{
    return REQUESTS_OFFSET +
           (uint64_t)(request - disk.requests) * sizeof(struct request_memory);
}

static struct request_memory *memory_of(const struct request *request)
{
    return (struct request_memory *)(void *)(disk.memory.bytes + memory_offset(request));
}

static struct virtio_buffer piece(const struct request *request, size_t offset, size_t bytes)
{
    return (struct virtio_buffer){disk.memory.bus_address + memory_offset(request) + offset,
                                  (uint32_t)bytes};
}

static void offer(struct request *request, const struct virtio_buffer *buffers,
                  uint16_t read_count, uint16_t write_count)
{
    if (!virtio_queue_offer(&disk.queue, buffers, read_count, write_count, request))
        capos_panic("block: more requests than the queue was made for");
    virtio_notify(&disk.device, &disk.queue);
}

static void transfer(struct request *request, enum disk_operation operation,
                     struct virtio_buffer data)
{
    struct virtio_buffer header = piece(request, 0, offsetof(struct request_memory, discard));
    struct virtio_buffer state = piece(request, offsetof(struct request_memory, state), 1);
    if (operation == DISK_FLUSH)
        offer(request, (struct virtio_buffer[]){header, state}, 1, 1);
    else if (operation == DISK_READ)
        offer(request, (struct virtio_buffer[]){header, data, state}, 1, 2);
    else
        offer(request, (struct virtio_buffer[]){header, data, state}, 2, 1);
}

// The next step of a discard.
static void discard_step(struct request *request)
{
    struct request_memory *memory = memory_of(request);
    uint64_t count = request->sectors_left < disk.discard_sectors_max
                         ? request->sectors_left
                         : disk.discard_sectors_max;
    memory->discard.sector = request->sector;
    memory->discard.sector_count = (uint32_t)count;
    memory->discard.flags = 0;
    request->sector += count;
    request->sectors_left -= count;
    transfer(request, DISK_DISCARD,
             piece(request, offsetof(struct request_memory, discard), sizeof memory->discard));
}

void disk_submit(enum disk_operation operation, uint64_t block, uint64_t count,
                 uint64_t bus_address, void *owner)
{
    static const uint32_t types[] = {[DISK_READ] = TYPE_IN,
                                     [DISK_WRITE] = TYPE_OUT,
                                     [DISK_FLUSH] = TYPE_FLUSH,
                                     [DISK_DISCARD] = TYPE_DISCARD};
    uint64_t sectors = disk.facts.block_bytes / SECTOR_BYTES;
    struct request *request = disk.request_free;
    if (request == nullptr)
        capos_panic("block: more than %u requests", DISK_REQUESTS_MAX);
    disk.request_free = request->next;
    *request = (struct request){.owner = owner};
    struct request_memory *memory = memory_of(request);
    *memory = (struct request_memory){.type = types[operation], .state = STATE_IOERR};
    if (operation == DISK_DISCARD) {
        request->sector = block * sectors;
        request->sectors_left = count * sectors;
        discard_step(request);
        return;
    }
    if (operation != DISK_FLUSH)
        memory->sector = block * sectors;
    transfer(request, operation,
             (struct virtio_buffer){bus_address, (uint32_t)(count * disk.facts.block_bytes)});
}

static enum block_outcome outcome_of(uint8_t state)
{
    return state == STATE_OK            ? BLOCK_OUTCOME_OK
           : state == STATE_UNSUPPORTED ? BLOCK_OUTCOME_NOT_SUPPORTED
                                        : BLOCK_OUTCOME_INPUT_OUTPUT;
}

static void request_done(struct request *request)
{
    enum block_outcome outcome =
        outcome_of(__atomic_load_n(&memory_of(request)->state, __ATOMIC_ACQUIRE));
    if (outcome == BLOCK_OUTCOME_OK && request->sectors_left > 0) {
        discard_step(request);
        return;
    }
    request->next = disk.request_free;
    disk.request_free = request;
    disk.on_done(request->owner, outcome);
}

// ---- Interrupts --------------------------------------------------------------------

static void interrupt_await(void);

static void interrupt_came(struct capos_call *wait, void *)
{
    struct request *request;
    uint32_t bytes;
    bool broken = false;
    if (interrupt_wait_finish(wait, nullptr) != STATUS_OK)
        capos_panic("block: can't wait for the device");
    virtio_acknowledge(&disk.device);
    while ((request = virtio_queue_take(&disk.queue, &bytes, &broken)) != nullptr)
        request_done(request);
    if (broken)
        capos_panic("block: the device named a request that it didn't have");
    interrupt_await();
}

static void interrupt_await(void)
{
    if (interrupt_wait_begin(&disk.interrupt_wait, disk.device.interrupt) != STATUS_OK)
        capos_panic("block: can't wait for the device");
    capos_call_on_done(&disk.interrupt_wait, interrupt_came, nullptr);
}

// ---- Start -------------------------------------------------------------------------

// The number at an offset of the configuration, 0 if it isn't there.
static uint32_t config_number(uint32_t offset)
{
    uint32_t number = 0;
    return virtio_config_read(&disk.device, offset, &number, sizeof number) ? number : 0;
}

static enum status facts_read(uint32_t features)
{
    struct disk_facts *facts = &disk.facts;
    uint64_t sectors = 0;
    uint32_t size_max = UINT32_MAX;
    if (!virtio_config_read(&disk.device, CONFIG_CAPACITY, &sectors, sizeof sectors))
        return STATUS_FAILED;
    facts->block_bytes =
        features & FEATURE_BLOCK_SIZE ? config_number(CONFIG_BLOCK_SIZE) : SECTOR_BYTES;
    if (facts->block_bytes < SECTOR_BYTES || facts->block_bytes > 4096 ||
        (facts->block_bytes & (facts->block_bytes - 1)) != 0)
        return STATUS_FAILED;
    facts->block_count = sectors / (facts->block_bytes / SECTOR_BYTES);
    if (features & FEATURE_SIZE_MAX)
        size_max = config_number(CONFIG_SIZE_MAX);
    facts->transfer_bytes_max =
        size_max < TRANSFER_BYTES_MAX ? size_max & ~4095u : TRANSFER_BYTES_MAX;
    if (facts->transfer_bytes_max == 0)
        return STATUS_FAILED;
    // A multiple of all block sizes, so that each step of a discard is of whole blocks.
    disk.discard_sectors_max =
        features & FEATURE_DISCARD ? config_number(CONFIG_DISCARD_SECTORS_MAX) & ~7u : 0;
    facts->discards = disk.discard_sectors_max != 0;
    facts->read_only = (features & FEATURE_READ_ONLY) != 0;
    facts->flushes = (features & FEATURE_FLUSH) != 0;
    return STATUS_OK;
}

// The device was reset: it knows nothing of the memory of an earlier driver any more.
static enum status memory_take(void)
{
    dma_pool_cap pool;
    enum status status = dma_pool_cap_find("dma", &pool);
    if (status == STATUS_OK)
        status = dma_pool_forget_all(pool);
    return status == STATUS_OK ? virtio_memory_take(MEMORY_BYTES, &disk.memory) : status;
}

enum status disk_start(uint32_t index, void (*on_done)(void *owner, enum block_outcome outcome),
                       struct disk_facts *out_facts)
{
    constexpr uint32_t wanted = FEATURE_SIZE_MAX | FEATURE_READ_ONLY | FEATURE_BLOCK_SIZE |
                                FEATURE_FLUSH | FEATURE_DISCARD;
    uint32_t features;
    enum status status = virtio_find(VIRTIO_ID_BLOCK, index, &disk.device);
    if (status != STATUS_OK)
        return status;
    if (!virtio_begin(&disk.device, wanted, &features))
        return STATUS_FAILED;
    status = facts_read(features);
    if (status == STATUS_OK)
        status = memory_take();
    if (status == STATUS_OK)
        status = virtio_interrupt_take(&disk.device);
    if (status != STATUS_OK)
        return status;
    if (!virtio_queue_init(&disk.queue, &disk.device, 0, DESCRIPTORS, disk.memory.bytes,
                           disk.memory.bus_address))
        return STATUS_FAILED;
    for (uint32_t i = 0; i < DISK_REQUESTS_MAX; i++) {
        disk.requests[i].next = disk.request_free;
        disk.request_free = &disk.requests[i];
    }
    disk.on_done = on_done;
    virtio_ready(&disk.device);
    interrupt_await();
    *out_facts = disk.facts;
    return STATUS_OK;
}
