// SPDX-License-Identifier: MIT
// Registers and virtqueues; see virtio.h.
#include "virtio.h"

// Offsets in words (4.2.2).
enum {
    REGISTER_MAGIC = 0x000 / 4,
    REGISTER_VERSION = 0x004 / 4,
    REGISTER_DEVICE_ID = 0x008 / 4,
    REGISTER_DEVICE_FEATURES = 0x010 / 4,
    REGISTER_DEVICE_FEATURES_SELECT = 0x014 / 4,
    REGISTER_DRIVER_FEATURES = 0x020 / 4,
    REGISTER_DRIVER_FEATURES_SELECT = 0x024 / 4,
    REGISTER_QUEUE_SELECT = 0x030 / 4,
    REGISTER_QUEUE_SIZE_MAX = 0x034 / 4,
    REGISTER_QUEUE_SIZE = 0x038 / 4,
    REGISTER_QUEUE_READY = 0x044 / 4,
    REGISTER_QUEUE_NOTIFY = 0x050 / 4,
    REGISTER_INTERRUPT_STATUS = 0x060 / 4,
    REGISTER_INTERRUPT_ACKNOWLEDGE = 0x064 / 4,
    REGISTER_STATUS = 0x070 / 4,
    REGISTER_QUEUE_DESCRIPTORS = 0x080 / 4, // low word, then high word
    REGISTER_QUEUE_AVAILABLE = 0x090 / 4,
    REGISTER_QUEUE_USED = 0x0a0 / 4,
};

enum {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
};

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2 };
enum { AVAILABLE_NO_INTERRUPT = 1 };

constexpr uint32_t MAGIC = 0x74726976; // "virt"
constexpr uint32_t VERSION = 2;
constexpr uint32_t FEATURE_VERSION_1_WORD = 1; // bit 32
constexpr uint32_t FEATURE_VERSION_1_BIT = 1;

// ---- Registers ---------------------------------------------------------------------

static uint32_t get(const struct virtio_device *device, uint32_t index)
{
    return device->registers[index];
}

static void set(const struct virtio_device *device, uint32_t index, uint32_t value)
{
    device->registers[index] = value;
}

static void set_address(const struct virtio_device *device, uint32_t index, uint64_t address)
{
    set(device, index, (uint32_t)address);
    set(device, index + 1, (uint32_t)(address >> 32));
}

bool virtio_probe(const struct virtio_device *device, uint32_t device_id)
{
    return get(device, REGISTER_MAGIC) == MAGIC && get(device, REGISTER_VERSION) == VERSION &&
           get(device, REGISTER_DEVICE_ID) == device_id;
}

bool virtio_begin(const struct virtio_device *device, uint32_t features)
{
    uint32_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    set(device, REGISTER_STATUS, 0);
    set(device, REGISTER_STATUS, STATUS_ACKNOWLEDGE);
    set(device, REGISTER_STATUS, status);
    set(device, REGISTER_DEVICE_FEATURES_SELECT, 0);
    if ((get(device, REGISTER_DEVICE_FEATURES) & features) != features)
        return false;
    set(device, REGISTER_DEVICE_FEATURES_SELECT, FEATURE_VERSION_1_WORD);
    if ((get(device, REGISTER_DEVICE_FEATURES) & FEATURE_VERSION_1_BIT) == 0)
        return false;
    set(device, REGISTER_DRIVER_FEATURES_SELECT, 0);
    set(device, REGISTER_DRIVER_FEATURES, features);
    set(device, REGISTER_DRIVER_FEATURES_SELECT, FEATURE_VERSION_1_WORD);
    set(device, REGISTER_DRIVER_FEATURES, FEATURE_VERSION_1_BIT);
    set(device, REGISTER_STATUS, status | STATUS_FEATURES_OK);
    return (get(device, REGISTER_STATUS) & STATUS_FEATURES_OK) != 0;
}

void virtio_ready(const struct virtio_device *device)
{
    set(device, REGISTER_STATUS, get(device, REGISTER_STATUS) | STATUS_DRIVER_OK);
}

void virtio_acknowledge(const struct virtio_device *device)
{
    set(device, REGISTER_INTERRUPT_ACKNOWLEDGE, get(device, REGISTER_INTERRUPT_STATUS));
}

// ---- Queues ------------------------------------------------------------------------

bool virtio_queue_init(struct virtio_queue *queue, const struct virtio_device *device,
                       uint16_t number, void *memory, uint64_t bus_address)
{
    set(device, REGISTER_QUEUE_SELECT, number);
    if (get(device, REGISTER_QUEUE_SIZE_MAX) < VIRTIO_QUEUE_SIZE)
        return false;
    *queue = (struct virtio_queue){
        .ring = memory, .number = number, .free_count = VIRTIO_QUEUE_SIZE};
    for (uint16_t i = 0; i < VIRTIO_QUEUE_SIZE; i++)
        queue->next[i] = (uint16_t)(i + 1);
    set(device, REGISTER_QUEUE_SIZE, VIRTIO_QUEUE_SIZE);
    set_address(device, REGISTER_QUEUE_DESCRIPTORS,
                bus_address + offsetof(struct virtio_ring, descriptors));
    set_address(device, REGISTER_QUEUE_AVAILABLE,
                bus_address + offsetof(struct virtio_ring, available));
    set_address(device, REGISTER_QUEUE_USED, bus_address + offsetof(struct virtio_ring, used));
    set(device, REGISTER_QUEUE_READY, 1);
    return true;
}

static uint16_t descriptor_get(struct virtio_queue *queue, const struct virtio_buffer *buffer,
                               uint16_t flags)
{
    uint16_t index = queue->free_first;
    queue->free_first = queue->next[index];
    queue->free_count--;
    queue->ring->descriptors[index] = (struct virtio_descriptor){
        .address = buffer->bus_address, .size_bytes = buffer->size_bytes, .flags = flags};
    return index;
}

static void descriptor_put(struct virtio_queue *queue, uint16_t index)
{
    queue->next[index] = queue->free_first;
    queue->free_first = index;
    queue->free_count++;
}

bool virtio_queue_offer(struct virtio_queue *queue, const struct virtio_buffer *buffers,
                        uint16_t count, bool device_writes, void *owner)
{
    if (queue->free_count < count)
        return false;
    uint16_t flags = device_writes ? DESCRIPTOR_WRITE : 0;
    uint16_t first = descriptor_get(queue, &buffers[0], flags);
    struct virtio_descriptor *descriptor = &queue->ring->descriptors[first];
    if (count == 2) {
        descriptor->next = descriptor_get(queue, &buffers[1], flags);
        descriptor->flags |= DESCRIPTOR_NEXT;
        queue->next[first] = descriptor->next; // our own copy, for when it comes back
    } else {
        queue->next[first] = VIRTIO_QUEUE_SIZE;
    }
    queue->in_flight[first] = true;
    queue->owner[first] = owner;
    uint16_t index = queue->ring->available.index;
    queue->ring->available.ring[index % VIRTIO_QUEUE_SIZE] = first;
    // The device sees the index only after what it stands for.
    __atomic_store_n(&queue->ring->available.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);
    return true;
}

void virtio_notify(const struct virtio_device *device, const struct virtio_queue *queue)
{
    // The index is in memory before the device is told to look.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    set(device, REGISTER_QUEUE_NOTIFY, queue->number);
}

void *virtio_queue_take(struct virtio_queue *queue, uint32_t *out_bytes, bool *out_broken)
{
    if (__atomic_load_n(&queue->ring->used.index, __ATOMIC_ACQUIRE) == queue->used_seen)
        return nullptr;
    const typeof(queue->ring->used.ring[0]) *entry =
        &queue->ring->used.ring[queue->used_seen % VIRTIO_QUEUE_SIZE];
    uint32_t id = __atomic_load_n(&entry->id, __ATOMIC_RELAXED);
    *out_bytes = __atomic_load_n(&entry->size_bytes, __ATOMIC_RELAXED);
    if (id >= VIRTIO_QUEUE_SIZE || !queue->in_flight[id]) {
        *out_broken = true;
        return nullptr;
    }
    queue->used_seen++;
    queue->in_flight[id] = false;
    uint16_t second = queue->next[id];
    descriptor_put(queue, (uint16_t)id);
    if (second != VIRTIO_QUEUE_SIZE)
        descriptor_put(queue, second);
    return queue->owner[id];
}

void virtio_queue_interrupts(struct virtio_queue *queue, bool wanted)
{
    __atomic_store_n(&queue->ring->available.flags, wanted ? 0 : AVAILABLE_NO_INTERRUPT,
                     __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // before the caller's next look
}
