// SPDX-License-Identifier: MIT
// Split virtqueues; see <capos/virtio.h>.  Tested by virtio_queue_test.c.
#include <capos/virtio.h>

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2, DESCRIPTOR_INDIRECT = 4 };
enum { AVAILABLE_NO_INTERRUPT = 1 };

bool virtio_queue_init(struct virtio_queue *queue, struct virtio_device *device,
                       uint16_t number, uint16_t size_min, void *memory, uint64_t bus_address)
{
    uint16_t size = device->transport->queue_set(
        device, number, bus_address + offsetof(struct virtio_ring, descriptors),
        bus_address + offsetof(struct virtio_ring, available),
        bus_address + offsetof(struct virtio_ring, used));
    *queue = (struct virtio_queue){
        .ring = memory, .number = number, .size = size, .free_count = size};
    for (uint16_t i = 0; i < size; i++)
        queue->next[i] = (uint16_t)(i + 1);
    return size != 0 && size >= size_min;
}

// Number `index` of a chain; `next` is where the one behind it is.
static struct virtio_descriptor descriptor_of(const struct virtio_buffer *buffers,
                                              uint16_t read_count, uint16_t count,
                                              uint16_t index, uint16_t next)
{
    bool last = index + 1 == count;
    return (struct virtio_descriptor){
        .address = buffers[index].bus_address,
        .size_bytes = buffers[index].size_bytes,
        .flags = (uint16_t)((index >= read_count ? DESCRIPTOR_WRITE : 0) |
                            (last ? 0 : DESCRIPTOR_NEXT)),
        .next = last ? 0 : next,
    };
}

// Takes descriptors off the free list, in its order, so they are linked already.
static uint16_t chain_get(struct virtio_queue *queue, const struct virtio_buffer *buffers,
                          uint16_t read_count, uint16_t count)
{
    uint16_t first = queue->free_first, last = first;
    for (uint16_t i = 0; i < count; i++) {
        last = queue->free_first;
        queue->free_first = queue->next[last];
        queue->ring->descriptors[last] =
            descriptor_of(buffers, read_count, count, i, queue->next[last]);
    }
    queue->next[last] = VIRTIO_QUEUE_SIZE;
    queue->free_count -= count;
    return first;
}

static void chain_put(struct virtio_queue *queue, uint16_t first)
{
    uint16_t last = first, count = 1;
    while (queue->next[last] != VIRTIO_QUEUE_SIZE) {
        last = queue->next[last];
        count++;
    }
    queue->next[last] = queue->free_first;
    queue->free_first = first;
    queue->free_count += count;
}

// Gives the chain to the device.
static void chain_offer(struct virtio_queue *queue, uint16_t first, void *owner)
{
    queue->in_flight[first] = true;
    queue->owner[first] = owner;
    uint16_t index = queue->ring->available.index;
    queue->ring->available.ring[index % queue->size] = first;
    // The device sees the index only after what it stands for.
    __atomic_store_n(&queue->ring->available.index, (uint16_t)(index + 1), __ATOMIC_RELEASE);
}

bool virtio_queue_offer(struct virtio_queue *queue, const struct virtio_buffer *buffers,
                        uint16_t read_count, uint16_t write_count, void *owner)
{
    uint32_t count = (uint32_t)read_count + write_count;
    if (queue->free_count < count)
        return false;
    chain_offer(queue, chain_get(queue, buffers, read_count, (uint16_t)count), owner);
    return true;
}

bool virtio_queue_offer_table(struct virtio_queue *queue, const struct virtio_table *table,
                              const struct virtio_buffer *buffers, uint16_t read_count,
                              uint16_t write_count, void *owner)
{
    uint16_t count = read_count + write_count;
    const struct virtio_buffer whole = {table->bus_address,
                                        (uint32_t)(count * sizeof *table->descriptors)};
    if (queue->free_count == 0)
        return false;
    for (uint16_t i = 0; i < count; i++)
        table->descriptors[i] = descriptor_of(buffers, read_count, count, i, (uint16_t)(i + 1));
    uint16_t first = chain_get(queue, &whole, 1, 1);
    queue->ring->descriptors[first].flags = DESCRIPTOR_INDIRECT;
    chain_offer(queue, first, owner);
    return true;
}

void virtio_notify(const struct virtio_device *device, const struct virtio_queue *queue)
{
    // The index is in memory before the device is told to look.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    device->transport->notify(device, queue->number);
}

void *virtio_queue_take(struct virtio_queue *queue, uint32_t *out_bytes, bool *out_broken)
{
    if (__atomic_load_n(&queue->ring->used.index, __ATOMIC_ACQUIRE) == queue->used_seen)
        return nullptr;
    const typeof(queue->ring->used.ring[0]) *entry =
        &queue->ring->used.ring[queue->used_seen % queue->size];
    uint32_t id = __atomic_load_n(&entry->id, __ATOMIC_RELAXED);
    *out_bytes = __atomic_load_n(&entry->size_bytes, __ATOMIC_RELAXED);
    if (id >= queue->size || !queue->in_flight[id]) {
        *out_broken = true;
        return nullptr;
    }
    queue->used_seen++;
    queue->in_flight[id] = false;
    chain_put(queue, (uint16_t)id);
    return queue->owner[id];
}

void virtio_queue_interrupts(struct virtio_queue *queue, bool wanted)
{
    __atomic_store_n(&queue->ring->available.flags, wanted ? 0 : AVAILABLE_NO_INTERRUPT,
                     __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // before the caller's next look
}
