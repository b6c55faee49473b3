// SPDX-License-Identifier: MIT
// The virtio console: see console.h.
//
// Source: VIRTIO 1.1, section 5.3 (console device), with VIRTIO_CONSOLE_F_MULTIPORT: port 0
// is for a console in the narrow sense, whose output QEMU drops when the host is slow;
// port 1 is a byte stream that waits.  Ports are opened by messages on queues 2 and 3.
#include "console.h"

#include <capos/loop.h>
#include <capos/panic.h>

#include <gen/capos/interrupt.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;

constexpr uint32_t FEATURE_MULTIPORT = 1u << 1;
constexpr uint32_t PORT = 1;
enum {
    QUEUE_CONTROL_RECEIVE = 2,
    QUEUE_CONTROL_TRANSMIT = 3,
    QUEUE_RECEIVE = 2 + 2 * PORT,
    QUEUE_TRANSMIT = 3 + 2 * PORT,
    QUEUES = 4, // that are used
};

struct control_message {
    uint32_t port;
    uint16_t event;
    uint16_t value;
};
enum { EVENT_DEVICE_READY = 0, EVENT_PORT_ADD = 1, EVENT_PORT_READY = 3, EVENT_PORT_OPEN = 6 };

// Messages from the device are short; the port's name may follow.  To the device go three.
constexpr uint32_t CONTROL_RECEIVE_COUNT = 8;
constexpr uint32_t CONTROL_RECEIVE_BYTES = 128;
constexpr uint32_t CONTROL_TRANSMIT_COUNT = 3;

constexpr uint32_t RECEIVE_COUNT = 32;
constexpr uint32_t RECEIVE_BYTES = 8192;
// Headers and short payloads of frames under way.
constexpr uint32_t HEADER_COUNT = VIRTIO_QUEUE_SIZE / 2;
constexpr uint32_t HEADER_BYTES = 512;

// The memory that the device reaches: queues, control messages, receive buffers, headers,
// the caller's.
constexpr uint64_t QUEUES_OFFSET = 0;
constexpr uint64_t CONTROL_OFFSET = QUEUES * VIRTIO_QUEUE_BYTES;
constexpr uint64_t CONTROL_TRANSMIT_OFFSET =
    CONTROL_OFFSET + CONTROL_RECEIVE_COUNT * CONTROL_RECEIVE_BYTES;
constexpr uint64_t RECEIVE_OFFSET = CONTROL_OFFSET + PAGE;
static_assert(CONTROL_TRANSMIT_OFFSET +
                  CONTROL_TRANSMIT_COUNT * sizeof(struct control_message) <=
              RECEIVE_OFFSET);
constexpr uint64_t HEADERS_OFFSET = RECEIVE_OFFSET + RECEIVE_COUNT * RECEIVE_BYTES;
constexpr uint64_t CALLER_OFFSET = HEADERS_OFFSET + HEADER_COUNT * HEADER_BYTES;
static_assert(CALLER_OFFSET % PAGE == 0);

struct header {
    void *owner;
    struct header *next; // in the list of free ones
};

static struct {
    struct virtio_device device;
    struct virtio_queue control_receive, control_transmit, receive, transmit;
    uint32_t control_sent; // messages to the device so far
    struct virtio_memory memory;
    struct console_handlers handlers;
    struct capos_call interrupt_wait;
    struct header headers[HEADER_COUNT];
    struct header *header_free;
    bool unnotified; // something was sent and the device doesn't know
} console;

[[noreturn]] static void fail(const char *what, enum status status)
{
    capos_panic("hostlink: %s: %s %s", what, status_name(status),
                status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason : "");
}

// ---- Receiving ---------------------------------------------------------------------

static void buffer_offer(struct virtio_queue *queue, uint8_t *buffer, uint32_t size_bytes)
{
    struct virtio_buffer piece = {
        .bus_address = console.memory.bus_address + (uint64_t)(buffer - console.memory.bytes),
        .size_bytes = size_bytes,
    };
    // As many descriptors as buffers, so there is one.
    (void)virtio_queue_offer(queue, &piece, 0, 1, buffer);
}
static_assert(RECEIVE_COUNT <= VIRTIO_QUEUE_SIZE && CONTROL_RECEIVE_COUNT <= VIRTIO_QUEUE_SIZE);

[[noreturn]] static void device_broken(void)
{
    capos_panic("hostlink: the device named a buffer that it didn't have");
}

// ---- Control messages --------------------------------------------------------------

static void control_send(uint32_t port, uint16_t event)
{
    struct control_message message = {.port = port, .event = event, .value = 1};
    uint64_t offset = CONTROL_TRANSMIT_OFFSET + console.control_sent * sizeof message;
    struct virtio_buffer piece = {console.memory.bus_address + offset, sizeof message};
    if (console.control_sent++ == CONTROL_TRANSMIT_COUNT)
        capos_panic("hostlink: the device adds its port again");
    memcpy(console.memory.bytes + offset, &message, sizeof message);
    (void)virtio_queue_offer(&console.control_transmit, &piece, 1, 0, &console);
    virtio_notify(&console.device, &console.control_transmit);
}

static void control_poll(void)
{
    uint8_t *buffer;
    uint32_t bytes;
    bool broken = false;
    while ((buffer = virtio_queue_take(&console.control_receive, &bytes, &broken)) != nullptr) {
        struct control_message message;
        memcpy(&message, buffer, sizeof message);
        buffer_offer(&console.control_receive, buffer, CONTROL_RECEIVE_BYTES);
        if (bytes < sizeof message || message.event != EVENT_PORT_ADD || message.port != PORT)
            continue;
        control_send(PORT, EVENT_PORT_READY);
        control_send(PORT, EVENT_PORT_OPEN);
        // The device may have found the port closed when it had bytes for it, and looks
        // again only when it is told of buffers.
        virtio_notify(&console.device, &console.receive);
        console.handlers.on_open();
    }
    if (broken)
        device_broken();
}

// ---- Bytes from the host -----------------------------------------------------------

static void receive_poll(void)
{
    uint8_t *buffer;
    uint32_t bytes;
    bool broken = false, any = false;
    while ((buffer = virtio_queue_take(&console.receive, &bytes, &broken)) != nullptr) {
        if (bytes > RECEIVE_BYTES)
            device_broken();
        console.handlers.on_received(buffer, bytes);
        buffer_offer(&console.receive, buffer, RECEIVE_BYTES);
        any = true;
    }
    if (broken)
        device_broken();
    if (any)
        virtio_notify(&console.device, &console.receive);
}

// ---- Sending -----------------------------------------------------------------------

static uint64_t header_offset(const struct header *header)
{
    return HEADERS_OFFSET + (uint64_t)(header - console.headers) * HEADER_BYTES;
}

static void header_put(struct header *header)
{
    header->next = console.header_free;
    console.header_free = header;
}

// Puts a header and a short payload into memory and offers them, with or without more.
static bool frame_send(const struct capos_link_frame *frame, const void *short_payload,
                       uint32_t short_bytes, uint64_t payload_bus, void *owner)
{
    struct header *header = console.header_free;
    if (header == nullptr)
        return false;
    uint64_t offset = header_offset(header);
    struct virtio_buffer pieces[2] = {
        {console.memory.bus_address + offset, (uint32_t)sizeof *frame + short_bytes},
        {payload_bus, frame->size_bytes},
    };
    memcpy(console.memory.bytes + offset, frame, sizeof *frame);
    if (short_bytes != 0)
        memcpy(console.memory.bytes + offset + sizeof *frame, short_payload, short_bytes);
    if (!virtio_queue_offer(&console.transmit, pieces, payload_bus == 0 ? 1 : 2, 0, header))
        return false;
    console.header_free = header->next;
    header->owner = owner;
    console.unnotified = true;
    return true;
}

bool console_send(const struct capos_link_frame *frame, uint64_t payload_bus, void *owner)
{
    return frame_send(frame, nullptr, 0, payload_bus, owner);
}

bool console_send_copy(const struct capos_link_frame *frame, const void *payload, void *owner)
{
    if (frame->size_bytes > HEADER_BYTES - sizeof *frame)
        capos_panic("hostlink: a short payload of %u bytes", frame->size_bytes);
    return frame_send(frame, payload, frame->size_bytes, 0, owner);
}

// Tells of what the device is done with; returns whether there was anything.
static bool transmit_poll(void)
{
    struct header *header;
    uint32_t bytes;
    bool broken = false, any = false;
    while ((header = virtio_queue_take(&console.transmit, &bytes, &broken)) != nullptr) {
        void *owner = header->owner;
        header_put(header);
        if (owner != nullptr)
            console.handlers.on_sent(owner);
        any = true;
    }
    if (broken)
        device_broken();
    return any;
}

// What is sent while the device is told goes the same way, so this goes on until the queue
// is empty, or the device needs time and interrupts when it is done.  Often it is done when
// the notification returns; only else is an interrupt worth its price.
void console_poll(void)
{
    receive_poll();
    do {
        if (console.unnotified) {
            console.unnotified = false;
            virtio_queue_interrupts(&console.transmit, false);
            virtio_notify(&console.device, &console.transmit);
        }
        (void)transmit_poll();
        if (!console.unnotified && console.transmit.free_count != VIRTIO_QUEUE_SIZE)
            virtio_queue_interrupts(&console.transmit, true);
        // Once more, for what was done before it knew that an interrupt is wanted.
    } while (transmit_poll() || console.unnotified);
}

static void interrupt_await(void);

static void interrupt_came(struct capos_call *wait, void *)
{
    enum status status = interrupt_wait_finish(wait, nullptr);
    if (status != STATUS_OK)
        fail("waiting for the device", status);
    virtio_acknowledge(&console.device);
    control_poll();
    console_poll();
    interrupt_await();
}

static void interrupt_await(void)
{
    enum status status =
        interrupt_wait_begin(&console.interrupt_wait, console.device.interrupt);
    if (status != STATUS_OK)
        fail("waiting for the device", status);
    capos_call_on_done(&console.interrupt_wait, interrupt_came, nullptr);
}

// ---- Start -------------------------------------------------------------------------

static void queues_init(void)
{
    static const struct {
        struct virtio_queue *queue;
        uint16_t number, size_min;
    } queues[QUEUES] = {
        {&console.control_receive, QUEUE_CONTROL_RECEIVE, CONTROL_RECEIVE_COUNT},
        {&console.control_transmit, QUEUE_CONTROL_TRANSMIT, 1},
        {&console.receive, QUEUE_RECEIVE, RECEIVE_COUNT},
        {&console.transmit, QUEUE_TRANSMIT, VIRTIO_QUEUE_SIZE},
    };
    for (uint32_t i = 0; i < QUEUES; i++) {
        uint64_t offset = QUEUES_OFFSET + i * VIRTIO_QUEUE_BYTES;
        if (!virtio_queue_init(queues[i].queue, &console.device, queues[i].number,
                               queues[i].size_min, console.memory.bytes + offset,
                               console.memory.bus_address + offset))
            capos_panic("hostlink: the device has no queue %u, or too short a one",
                        queues[i].number);
    }
}

void console_start(const struct console_handlers *handlers, uint64_t data_bytes,
                   struct console_memory *out_memory)
{
    uint32_t features;
    console.handlers = *handlers;
    if (virtio_find(VIRTIO_ID_CONSOLE, 0, &console.device) != STATUS_OK)
        capos_panic("hostlink: the machine has no virtio console, or it lacks a grant");
    enum status status = virtio_memory_take(CALLER_OFFSET + data_bytes, &console.memory);
    if (status != STATUS_OK)
        fail("memory for the device", status);
    for (uint32_t i = 0; i < HEADER_COUNT; i++)
        header_put(&console.headers[i]);
    *out_memory = (struct console_memory){console.memory.bytes + CALLER_OFFSET,
                                          console.memory.bus_address + CALLER_OFFSET};
    if (!virtio_begin(&console.device, FEATURE_MULTIPORT, &features) ||
        features != FEATURE_MULTIPORT)
        capos_panic("hostlink: the device doesn't speak virtio 1 with several ports");
    queues_init();
    status = virtio_interrupt_take(&console.device);
    if (status != STATUS_OK)
        fail("the device's interrupt line", status);
    virtio_ready(&console.device);
    for (uint32_t i = 0; i < CONTROL_RECEIVE_COUNT; i++)
        buffer_offer(&console.control_receive,
                     console.memory.bytes + CONTROL_OFFSET + i * CONTROL_RECEIVE_BYTES,
                     CONTROL_RECEIVE_BYTES);
    for (uint32_t i = 0; i < RECEIVE_COUNT; i++)
        buffer_offer(&console.receive,
                     console.memory.bytes + RECEIVE_OFFSET + i * RECEIVE_BYTES, RECEIVE_BYTES);
    virtio_notify(&console.device, &console.control_receive);
    virtio_notify(&console.device, &console.receive);
    control_send(UINT32_MAX, EVENT_DEVICE_READY);
    control_poll();
    interrupt_await();
}
