// SPDX-License-Identifier: MIT
// The virtio device and the exchanges; see device.h.
//
// Sources: VIRTIO 1.2, section 5 "9P transport" has only the number of the device; Linux's
// include/uapi/linux/virtio_9p.h has the configuration, net/9p/trans_virtio.c the chains: a
// request, then room for its answer, one queue.
#include "device.h"

#include <capos/panic.h>
#include <capos/sync.h>

#include <gen/capos/device_memory.h>
#include <gen/capos/interrupt.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t FEATURE_MOUNT_TAG = 1 << 0;
constexpr uint64_t PAGE = 4096;

constexpr uint32_t EXCHANGES = 8;
constexpr uint32_t REQUEST_BYTES = 5120; // a walk of 16 long names, a write of 4096 bytes
constexpr uint32_t SMALL_BYTES = REQUEST_BYTES + DEVICE_ANSWER_BYTES;
constexpr uint32_t BULKS = 4;

// Of an exchange for bulk data: the table of its chain, the request and the answer without
// their data.  The data may begin in the middle of a page.
constexpr uint32_t BULK_PIECES = 2 + DEVICE_BULK_BYTES / PAGE + 1;
constexpr uint32_t BULK_HEAD_BYTES = 64;
constexpr uint32_t BULK_TABLE_BYTES = BULK_PIECES * sizeof(struct virtio_descriptor);
constexpr uint32_t BULK_BYTES = BULK_TABLE_BYTES + 2 * BULK_HEAD_BYTES;
static_assert(BULK_BYTES % sizeof(struct virtio_descriptor) == 0);

constexpr uint64_t BULK_OFFSET = VIRTIO_QUEUE_BYTES + EXCHANGES * SMALL_BYTES;
constexpr uint64_t MEMORY_BYTES = BULK_OFFSET + BULKS * BULK_BYTES;
static_assert(EXCHANGES + BULKS <= NINEP_TAGS);
constexpr uint16_t DESCRIPTORS = EXCHANGES * 2 + BULKS; // a chain for each exchange
static_assert(DESCRIPTORS <= VIRTIO_QUEUE_SIZE);
static_assert(BULK_OFFSET % sizeof(struct virtio_descriptor) == 0);

constexpr uint64_t PIN_BYTES_MAX = 2 << 20; // of one DmaPool.pin

// A message is this much longer than its data at most (P9_IOHDRSZ of Linux).
constexpr uint32_t MESSAGE_OVERHEAD_BYTES = 24;

static struct capos_mutex lock; // of all below
static struct {
    struct virtio_device virtio;
    struct virtio_queue queue;
    dma_pool_cap pool;
    struct ninep_client client;
    struct exchange exchanges[EXCHANGES + BULKS];
    struct capos_condition answered[EXCHANGES + BULKS];
    struct exchange *by_tag[NINEP_TAGS];
    uint32_t exchanges_taken;
    struct exchange *bulk_free;
    struct capos_condition bulk_put;
    uint32_t bulk_bytes;
    bool line_taken; // a thread waits for the interrupt
} device;

// ---- Fids --------------------------------------------------------------------------

uint32_t device_fid_get(void)
{
    capos_mutex_lock(&lock);
    uint32_t fid = ninep_fid_get(&device.client);
    capos_mutex_unlock(&lock);
    return fid;
}

void device_fid_put(uint32_t fid)
{
    capos_mutex_lock(&lock);
    ninep_fid_put(&device.client, fid);
    capos_mutex_unlock(&lock);
}

// ---- Sending -----------------------------------------------------------------------

// Writes the request; the caller offers it to the device.
static void request_begin(struct exchange *exchange, struct ninep_message *message,
                          uint32_t capacity, uint32_t *out_bytes)
{
    if (!ninep_client_request(&device.client, message))
        capos_panic("hostfs: no tag is free, against the static assertion");
    *out_bytes = ninep_write(message, exchange->is_bulk, exchange->request, capacity);
    if (*out_bytes == 0)
        capos_panic("hostfs: a request of kind %u is too long", message->type);
    exchange->tag = message->tag;
    exchange->done = false;
    device.by_tag[message->tag] = exchange;
}

static void request_end(bool offered)
{
    if (!offered)
        capos_panic("hostfs: no descriptor is free, against what the queue was asked for");
    virtio_notify(&device.virtio, &device.queue);
}

void exchange_send(struct exchange *exchange, struct ninep_message *message)
{
    struct virtio_buffer chain[2] = {{exchange->request_bus, 0},
                                     {exchange->reply_bus, DEVICE_ANSWER_BYTES}};
    capos_mutex_lock(&lock);
    request_begin(exchange, message, REQUEST_BYTES, &chain[0].size_bytes);
    request_end(virtio_queue_offer(&device.queue, chain, 1, 1, exchange));
    capos_mutex_unlock(&lock);
}

// The pieces of a buffer from an offset on; pages that follow each other are one.
static uint16_t pieces_of(const struct device_buffer *buffer, uint64_t offset,
                          uint32_t size_bytes, struct virtio_buffer *out_pieces)
{
    uint16_t count = 0;
    for (uint32_t done = 0, part; done < size_bytes; done += part) {
        uint64_t in_page = (offset + done) % PAGE;
        uint64_t at = buffer->pages[(offset + done) / PAGE] + in_page;
        part = (uint32_t)(PAGE - in_page);
        if (part > size_bytes - done)
            part = size_bytes - done;
        struct virtio_buffer *last = count > 0 ? &out_pieces[count - 1] : nullptr;
        if (last != nullptr && last->bus_address + last->size_bytes == at)
            last->size_bytes += part;
        else
            out_pieces[count++] = (struct virtio_buffer){at, part};
    }
    return count;
}

void exchange_send_bulk(struct exchange *exchange, struct ninep_message *message,
                        const struct device_buffer *buffer, uint64_t offset)
{
    static struct virtio_buffer chain[BULK_PIECES]; // under the lock
    bool is_read = message->type == NINEP_TREAD;
    const struct virtio_buffer reply = {exchange->reply_bus, NINEP_READ_HEAD_BYTES};
    capos_mutex_lock(&lock);
    chain[0].bus_address = exchange->request_bus;
    request_begin(exchange, message, BULK_HEAD_BYTES, &chain[0].size_bytes);
    uint16_t pieces;
    if (is_read) {
        chain[1] = reply;
        pieces = pieces_of(buffer, offset, message->read.count, &chain[2]);
    } else {
        pieces = pieces_of(buffer, offset, message->write.data.size_bytes, &chain[1]);
        chain[1 + pieces] = reply;
    }
    request_end(virtio_queue_offer_table(&device.queue, &exchange->table, chain,
                                         is_read ? 1 : (uint16_t)(1 + pieces),
                                         is_read ? (uint16_t)(1 + pieces) : 1, exchange));
    capos_mutex_unlock(&lock);
}

// ---- Answers -----------------------------------------------------------------------

static void answer_take(struct exchange *exchange, uint32_t bytes)
{
    bool is_bulk = exchange->is_bulk;
    uint32_t head_bytes =
        is_bulk && bytes > NINEP_READ_HEAD_BYTES ? NINEP_READ_HEAD_BYTES : bytes;
    if (!is_bulk && bytes > DEVICE_ANSWER_BYTES)
        capos_panic("hostfs: the device wrote more than it had room for");
    // Bulk data are counted only, so any pointer does for them.
    enum ninep_outcome outcome = ninep_client_answer(
        &device.client, exchange->tag, exchange->reply, head_bytes,
        is_bulk ? exchange->reply : nullptr, bytes - head_bytes, &exchange->answer);
    if (outcome == NINEP_BROKEN)
        capos_panic("hostfs: the host's answer is no answer to its request");
    exchange->error = outcome == NINEP_REFUSED ? (int)exchange->answer.error : 0;
    exchange->done = true;
    device.by_tag[exchange->tag] = nullptr;
    if (exchange->waiting)
        capos_condition_signal(exchange->answered);
}

static void answers_take(void)
{
    struct exchange *exchange;
    uint32_t bytes;
    bool broken = false;
    while ((exchange = virtio_queue_take(&device.queue, &bytes, &broken)) != nullptr)
        answer_take(exchange, bytes);
    if (broken)
        capos_panic("hostfs: the device named a request that it didn't have");
}

// Waits at the interrupt line, without the lock, and takes what came.
static void line_wait(void)
{
    device.line_taken = true;
    capos_mutex_unlock(&lock);
    enum status status = interrupt_wait(device.virtio.interrupt, nullptr);
    capos_mutex_lock(&lock);
    device.line_taken = false;
    if (status != STATUS_OK)
        capos_panic("hostfs: waiting for the device: %s", status_name(status));
    virtio_acknowledge(&device.virtio);
    answers_take();
}

// Somebody who still waits has to go to the line.
static void line_pass_on(void)
{
    for (uint16_t tag = 0; tag < NINEP_TAGS; tag++)
        if (device.by_tag[tag] != nullptr && device.by_tag[tag]->waiting) {
            capos_condition_signal(device.by_tag[tag]->answered);
            return;
        }
}

int exchange_wait(struct exchange *exchange)
{
    capos_mutex_lock(&lock);
    answers_take();
    exchange->waiting = true;
    while (!exchange->done)
        if (device.line_taken)
            capos_condition_wait(exchange->answered, &lock);
        else
            line_wait();
    exchange->waiting = false;
    if (!device.line_taken)
        line_pass_on();
    int error = exchange->error;
    capos_mutex_unlock(&lock);
    return error;
}

int exchange_run(struct exchange *exchange, struct ninep_message *message)
{
    exchange_send(exchange, message);
    return exchange_wait(exchange);
}

// ---- Exchanges ---------------------------------------------------------------------

struct exchange *device_exchange_take(void)
{
    capos_mutex_lock(&lock);
    bool any = device.exchanges_taken < EXCHANGES;
    struct exchange *exchange = any ? &device.exchanges[device.exchanges_taken++] : nullptr;
    capos_mutex_unlock(&lock);
    return exchange;
}

struct exchange *device_bulk_get(bool wait)
{
    capos_mutex_lock(&lock);
    while (wait && device.bulk_free == nullptr)
        capos_condition_wait(&device.bulk_put, &lock);
    struct exchange *exchange = device.bulk_free;
    if (exchange != nullptr)
        device.bulk_free = exchange->next;
    capos_mutex_unlock(&lock);
    return exchange;
}

void device_bulk_put(struct exchange *exchange)
{
    capos_mutex_lock(&lock);
    exchange->next = device.bulk_free;
    device.bulk_free = exchange;
    capos_condition_signal(&device.bulk_put);
    capos_mutex_unlock(&lock);
}

uint32_t device_bulk_bytes(void)
{
    return device.bulk_bytes;
}

static struct virtio_memory memory_take(uint64_t bytes)
{
    struct virtio_memory memory;
    enum status status = virtio_memory_take(bytes, &memory);
    if (status != STATUS_OK)
        capos_panic("hostfs: memory for the device: %s", status_name(status));
    return memory;
}

static void exchange_init(struct exchange *exchange, const struct virtio_memory *memory,
                          uint64_t request_offset, uint64_t reply_offset)
{
    exchange->request = memory->bytes + request_offset;
    exchange->request_bus = memory->bus_address + request_offset;
    exchange->reply = memory->bytes + reply_offset;
    exchange->reply_bus = memory->bus_address + reply_offset;
    exchange->answered = &device.answered[exchange - device.exchanges];
}

static void exchanges_init(const struct virtio_memory *memory)
{
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        uint64_t offset = VIRTIO_QUEUE_BYTES + (uint64_t)i * SMALL_BYTES;
        exchange_init(&device.exchanges[i], memory, offset, offset + REQUEST_BYTES);
    }
    for (uint32_t i = 0; i < BULKS; i++) {
        struct exchange *exchange = &device.exchanges[EXCHANGES + i];
        uint64_t offset = BULK_OFFSET + (uint64_t)i * BULK_BYTES;
        uint64_t heads = offset + BULK_TABLE_BYTES;
        exchange_init(exchange, memory, heads, heads + BULK_HEAD_BYTES);
        exchange->is_bulk = true;
        exchange->table =
            (struct virtio_table){(struct virtio_descriptor *)(void *)(memory->bytes + offset),
                                  memory->bus_address + offset};
        device_bulk_put(exchange);
    }
}

// ---- Memory of clients -------------------------------------------------------------

// As many calls of forget as there were of pin.
static void buffer_forget(memory_object_cap object, uint64_t pinned_bytes)
{
    for (uint64_t done = 0; done < pinned_bytes; done += PIN_BYTES_MAX)
        if (dma_pool_forget(device.pool, object) != STATUS_OK)
            capos_panic("hostfs: the pool doesn't know the memory of a buffer");
}

static enum status buffer_pin(struct device_buffer *buffer)
{
    for (uint64_t done = 0; done < buffer->size_bytes; done += PIN_BYTES_MAX) {
        uint64_t rest = buffer->size_bytes - done;
        uint64_t bytes = rest < PIN_BYTES_MAX ? rest : PIN_BYTES_MAX;
        size_t size;
        enum status status =
            dma_pool_pin(device.pool, buffer->object, done, bytes, &buffer->pages[done / PAGE],
                         bytes / PAGE * sizeof *buffer->pages, &size);
        if (status != STATUS_OK) {
            buffer_forget(buffer->object, done);
            return status;
        }
    }
    return STATUS_OK;
}

struct device_buffer *device_buffer_create(memory_object_cap object, uint64_t size_bytes,
                                           enum status *out_status)
{
    struct device_buffer *buffer =
        malloc(sizeof *buffer + size_bytes / PAGE * sizeof *buffer->pages);
    *out_status = STATUS_OVERLOADED;
    if (buffer != nullptr) {
        buffer->object = object;
        buffer->size_bytes = size_bytes;
        *out_status = buffer_pin(buffer);
    }
    if (*out_status == STATUS_OK)
        return buffer;
    memory_object_cap_release(&object);
    free(buffer);
    return nullptr;
}

void device_buffer_destroy(struct device_buffer *buffer)
{
    buffer_forget(buffer->object, buffer->size_bytes);
    memory_object_cap_release(&buffer->object);
    free(buffer);
}

// ---- Start -------------------------------------------------------------------------

// The configuration is the tag's length and the tag, without alignment.
static bool has_tag(const struct virtio_device *virtio, const char *tag)
{
    uint16_t bytes;
    uint8_t byte;
    if (!virtio_config_read(virtio, 0, &bytes, sizeof bytes) || bytes != strlen(tag))
        return false;
    for (uint16_t i = 0; i < bytes; i++)
        if (!virtio_config_read(virtio, sizeof bytes + i, &byte, sizeof byte) ||
            byte != (uint8_t)tag[i])
            return false;
    return true;
}

static void device_find(const char *tag)
{
    for (uint32_t i = 0;; i++) {
        enum status status = virtio_find(VIRTIO_ID_9P, i, &device.virtio);
        if (status != STATUS_OK)
            capos_panic("hostfs: the machine has no directory \"%s\"", tag);
        if (has_tag(&device.virtio, tag))
            return;
    }
}

static void version_agree(struct exchange *exchange)
{
    static const char version[] = "9P2000.L";
    struct ninep_message message = {.type = NINEP_TVERSION};
    message.version.message_bytes_max = DEVICE_BULK_BYTES + (uint32_t)PAGE;
    message.version.version =
        (struct ninep_bytes){(const uint8_t *)version, sizeof version - 1};
    int error = exchange_run(exchange, &message);
    const struct ninep_bytes *agreed = &exchange->answer.version.version;
    if (error != 0 || agreed->size_bytes != sizeof version - 1 ||
        memcmp(agreed->bytes, version, sizeof version - 1) != 0)
        capos_panic("hostfs: the host doesn't speak 9P2000.L");
    uint32_t bytes_max = exchange->answer.version.message_bytes_max;
    if (bytes_max < DEVICE_ANSWER_BYTES)
        capos_panic("hostfs: the host takes messages of %u bytes at most", bytes_max);
    uint64_t bulk_bytes = (bytes_max - MESSAGE_OVERHEAD_BYTES) & ~(PAGE - 1);
    device.bulk_bytes =
        bulk_bytes < DEVICE_BULK_BYTES ? (uint32_t)bulk_bytes : DEVICE_BULK_BYTES;
}

// Without a user: what is made belongs to whom the host lets make it.
static uint32_t attach(struct exchange *exchange)
{
    uint32_t fid = device_fid_get();
    struct ninep_message message = {.type = NINEP_TATTACH};
    message.attach.fid = fid;
    message.attach.auth_fid = NINEP_NO_FID;
    message.attach.user_id = UINT32_MAX;
    int error = exchange_run(exchange, &message);
    if (error != 0)
        capos_panic("hostfs: the host refuses its directory: errno %d", error);
    return fid;
}

uint32_t device_start(const char *tag, uint64_t *out_inode)
{
    uint32_t features;
    device_find(tag);
    if (!virtio_begin(&device.virtio, FEATURE_MOUNT_TAG | VIRTIO_FEATURE_INDIRECT, &features))
        capos_panic("hostfs: the device doesn't speak virtio 1");
    if ((features & VIRTIO_FEATURE_INDIRECT) == 0)
        capos_panic("hostfs: the device takes no chains in tables");
    if (dma_pool_cap_find("dma", &device.pool) != STATUS_OK)
        capos_panic("hostfs: needs its DmaPool");
    struct virtio_memory memory = memory_take(MEMORY_BYTES);
    if (!virtio_queue_init(&device.queue, &device.virtio, 0, DESCRIPTORS, memory.bytes,
                           memory.bus_address))
        capos_panic("hostfs: the device has no queue, or too short a one");
    ninep_client_init(&device.client);
    exchanges_init(&memory);
    enum status status = virtio_interrupt_take(&device.virtio);
    if (status != STATUS_OK)
        capos_panic("hostfs: the device's interrupt line: %s", status_name(status));
    virtio_ready(&device.virtio);
    version_agree(&device.exchanges[0]);
    uint32_t fid = attach(&device.exchanges[0]);
    *out_inode = device.exchanges[0].answer.qid.path;
    return fid;
}
