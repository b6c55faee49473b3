// SPDX-License-Identifier: MIT
// The virtio device and the exchanges; see device.h.
//
// Sources: VIRTIO 1.2, section 5 "9P transport" has only the number of the device; Linux's
// include/uapi/linux/virtio_9p.h has the configuration, net/9p/trans_virtio.c the chains: a
// request, then room for its answer, one queue.
#include "device.h"

#include <capos/panic.h>
#include <capos/sync.h>
#include <capos/virtio.h>

#include <gen/capos/interrupt.h>
#include <string.h>

constexpr uint32_t FEATURE_MOUNT_TAG = 1 << 0;
constexpr uint64_t PAGE = 4096;

constexpr uint32_t EXCHANGES = 8;
constexpr uint32_t REQUEST_BYTES = 5120; // a walk of 16 long names, a write of 4096 bytes
constexpr uint32_t SMALL_BYTES = REQUEST_BYTES + DEVICE_ANSWER_BYTES;
constexpr uint32_t BULKS = 4;
constexpr uint32_t BULK_HEADS_BYTES = 64; // request and answer without their data

constexpr uint64_t BULK_HEADS_OFFSET = VIRTIO_QUEUE_BYTES + EXCHANGES * SMALL_BYTES;
constexpr uint64_t MEMORY_BYTES = BULK_HEADS_OFFSET + BULKS * 2 * BULK_HEADS_BYTES;
static_assert(EXCHANGES + BULKS <= NINEP_TAGS);
static_assert((EXCHANGES + BULKS) * 3 <= VIRTIO_QUEUE_SIZE, "a chain for each exchange");

// A message is this much longer than its data at most (P9_IOHDRSZ of Linux).
constexpr uint32_t MESSAGE_OVERHEAD_BYTES = 24;

static struct capos_mutex lock; // of all below
static struct {
    struct virtio_device virtio;
    struct virtio_queue queue;
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

// The pieces of a chain: what the device reads, then what it writes.
struct chain {
    struct virtio_buffer pieces[3];
    uint16_t read_count, write_count;
};

static struct chain chain_of(const struct exchange *exchange,
                             const struct ninep_message *message, uint32_t request_bytes)
{
    struct virtio_buffer request = {exchange->request_bus, request_bytes};
    struct virtio_buffer reply = {exchange->reply_bus, exchange->data != nullptr
                                                           ? NINEP_READ_HEAD_BYTES
                                                           : DEVICE_ANSWER_BYTES};
    if (exchange->data != nullptr && message->type == NINEP_TWRITE)
        return (struct chain){
            {request, {exchange->data_bus, message->write.data.size_bytes}, reply}, 2, 1};
    if (exchange->data != nullptr)
        return (struct chain){
            {request, reply, {exchange->data_bus, message->read.count}}, 1, 2};
    return (struct chain){{request, reply}, 1, 1};
}

void exchange_send(struct exchange *exchange, struct ninep_message *message)
{
    capos_mutex_lock(&lock);
    if (!ninep_client_request(&device.client, message))
        capos_panic("hostfs: no tag is free, against the static assertion");
    uint32_t capacity = exchange->data != nullptr ? BULK_HEADS_BYTES : REQUEST_BYTES;
    uint32_t bytes =
        ninep_write(message, exchange->data != nullptr, exchange->request, capacity);
    if (bytes == 0)
        capos_panic("hostfs: a request of kind %u is too long", message->type);
    exchange->tag = message->tag;
    exchange->done = false;
    device.by_tag[message->tag] = exchange;
    struct chain chain = chain_of(exchange, message, bytes);
    if (!virtio_queue_offer(&device.queue, chain.pieces, chain.read_count, chain.write_count,
                            exchange))
        capos_panic("hostfs: no descriptor is free, against the static assertion");
    virtio_notify(&device.virtio, &device.queue);
    capos_mutex_unlock(&lock);
}

// ---- Answers -----------------------------------------------------------------------

static void answer_take(struct exchange *exchange, uint32_t bytes)
{
    bool is_bulk = exchange->data != nullptr;
    uint32_t head_bytes =
        is_bulk && bytes > NINEP_READ_HEAD_BYTES ? NINEP_READ_HEAD_BYTES : bytes;
    if (!is_bulk && bytes > DEVICE_ANSWER_BYTES)
        capos_panic("hostfs: the device wrote more than it had room for");
    enum ninep_outcome outcome = ninep_client_answer(
        &device.client, exchange->tag, exchange->reply, head_bytes,
        is_bulk ? exchange->data : nullptr, bytes - head_bytes, &exchange->answer);
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
        struct virtio_memory data = memory_take(DEVICE_BULK_BYTES);
        uint64_t offset = BULK_HEADS_OFFSET + (uint64_t)i * 2 * BULK_HEADS_BYTES;
        exchange_init(exchange, memory, offset, offset + BULK_HEADS_BYTES);
        exchange->data = data.bytes;
        exchange->data_bus = data.bus_address;
        device_bulk_put(exchange);
    }
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
    if (!virtio_begin(&device.virtio, FEATURE_MOUNT_TAG, &features))
        capos_panic("hostfs: the device doesn't speak virtio 1");
    struct virtio_memory memory = memory_take(MEMORY_BYTES);
    if (!virtio_queue_init(&device.queue, &device.virtio, 0, memory.bytes, memory.bus_address))
        capos_panic("hostfs: the device has no queue");
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
