// SPDX-License-Identifier: MIT
// Virtqueues against a device that is made of a few lines here, well behaved or not.
#include <capos/virtio.h>

#include <test/test.h>

#include <stdlib.h>

constexpr uint64_t BUS_ADDRESS = 0x100000;
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static alignas(4096) uint8_t memory[VIRTIO_QUEUE_BYTES];
static struct virtio_ring *const ring = (struct virtio_ring *)memory;
static struct virtio_queue queue;
static struct virtio_device device;
static uint64_t told[3]; // of the queue's three parts
static uint32_t notified;
static uint16_t size = VIRTIO_QUEUE_SIZE;

static uint16_t fake_queue_set(struct virtio_device *, uint16_t number, uint64_t descriptors,
                               uint64_t available, uint64_t used)
{
    told[0] = descriptors, told[1] = available, told[2] = used;
    return number == 0 ? size : 0;
}

static void fake_notify(const struct virtio_device *, uint16_t number)
{
    CHECK_EQ(number, 0);
    notified++;
}

static const struct virtio_transport fake = {.queue_set = fake_queue_set,
                                             .notify = fake_notify};

static void start(void)
{
    memset(memory, 0, sizeof memory);
    device = (struct virtio_device){.transport = &fake};
    CHECK(virtio_queue_init(&queue, &device, 0, 1, memory, BUS_ADDRESS));
}

// The device is done with a chain.
static void use(uint32_t id, uint32_t bytes)
{
    uint16_t index = ring->used.index;
    ring->used.ring[index % VIRTIO_QUEUE_SIZE].id = id;
    ring->used.ring[index % VIRTIO_QUEUE_SIZE].size_bytes = bytes;
    ring->used.index = (uint16_t)(index + 1);
}

static uint16_t last_offered(void)
{
    return ring->available.ring[(uint16_t)(ring->available.index - 1) % VIRTIO_QUEUE_SIZE];
}

static bool offer(uint16_t reads, uint16_t writes, void *owner)
{
    struct virtio_buffer buffers[VIRTIO_QUEUE_SIZE];
    for (uint16_t i = 0; i < reads + writes; i++)
        buffers[i] = (struct virtio_buffer){0x5000 + i, 100u + i};
    return virtio_queue_offer(&queue, buffers, reads, writes, owner);
}

static void the_device_is_told_where_the_queue_is(void)
{
    start();
    CHECK_EQ(told[0], BUS_ADDRESS);
    CHECK_EQ(told[1], BUS_ADDRESS + 16 * VIRTIO_QUEUE_SIZE);
    CHECK_EQ(told[2] % 4, 0);
    CHECK(!virtio_queue_init(&queue, &device, 1, 1, memory, BUS_ADDRESS));
}

static void a_chain_is_what_the_device_reads_and_then_what_it_fills(void)
{
    start();
    CHECK(offer(2, 3, &queue));
    CHECK_EQ(ring->available.index, 1);
    uint16_t at = last_offered();
    for (uint16_t i = 0; i < 5; i++) {
        const struct virtio_descriptor *descriptor = &ring->descriptors[at];
        CHECK_EQ(descriptor->address, 0x5000 + i);
        CHECK_EQ(descriptor->size_bytes, 100 + i);
        CHECK_EQ(descriptor->flags, (i < 4 ? NEXT : 0) | (i >= 2 ? WRITE : 0));
        at = descriptor->next;
    }
    CHECK_EQ(queue.free_count, VIRTIO_QUEUE_SIZE - 5);
    uint32_t bytes = 0;
    bool broken = false;
    CHECK(virtio_queue_take(&queue, &bytes, &broken) == nullptr && !broken);
    use(last_offered(), 321);
    CHECK(virtio_queue_take(&queue, &bytes, &broken) == &queue && !broken);
    CHECK_EQ(bytes, 321);
    CHECK_EQ(queue.free_count, VIRTIO_QUEUE_SIZE);
    virtio_notify(&device, &queue);
    CHECK_EQ(notified, 1);
}

static void a_chain_in_a_table_takes_one_descriptor(void)
{
    static struct virtio_descriptor descriptors[100];
    static struct virtio_buffer buffers[100];
    const struct virtio_table table = {descriptors, 0x9000};
    start();
    for (uint16_t i = 0; i < 100; i++)
        buffers[i] = (struct virtio_buffer){0x5000 + i, 100u + i};
    for (uint16_t i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
        CHECK(virtio_queue_offer_table(&queue, &table, buffers, 1, 99, &descriptors[i]));
        const struct virtio_descriptor *descriptor = &ring->descriptors[last_offered()];
        CHECK_EQ(descriptor->address, 0x9000);
        CHECK_EQ(descriptor->size_bytes, sizeof descriptors);
        CHECK_EQ(descriptor->flags, INDIRECT);
    }
    CHECK(!virtio_queue_offer_table(&queue, &table, buffers, 1, 99, nullptr));
    for (uint16_t i = 0; i < 100; i++) {
        CHECK_EQ(descriptors[i].address, 0x5000 + i);
        CHECK_EQ(descriptors[i].size_bytes, 100 + i);
        CHECK_EQ(descriptors[i].flags, (i < 99 ? NEXT : 0) | (i >= 1 ? WRITE : 0));
        CHECK_EQ(descriptors[i].next, i < 99 ? i + 1 : 0);
    }
    uint32_t bytes = 0;
    bool broken = false;
    use(ring->available.ring[7], 321);
    CHECK(virtio_queue_take(&queue, &bytes, &broken) == &descriptors[7] && !broken);
    CHECK_EQ(queue.free_count, 1);
    CHECK(offer(1, 0, nullptr));
}

static void a_device_may_have_a_shorter_queue(void)
{
    static const struct {
        uint32_t max;
        uint16_t size;
    } sizes[] = {{0, 0}, {1, 1}, {3, 2}, {32, 32}, {63, 32}, {64, 64}, {1024, 64}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        CHECK_EQ(virtio_queue_size(sizes[i].max), sizes[i].size);
    size = 4;
    start();
    CHECK(!virtio_queue_init(&queue, &device, 0, 5, memory, BUS_ADDRESS));
    start();
    for (uint16_t round = 0; round < 10; round++) {
        uint32_t bytes;
        bool broken = false;
        CHECK(offer(1, 3, &queue));
        CHECK(!offer(1, 0, &queue));
        uint16_t last = (uint16_t)(ring->available.index - 1) % 4;
        ring->used.ring[ring->used.index % 4].id = ring->available.ring[last];
        ring->used.index++;
        CHECK(virtio_queue_take(&queue, &bytes, &broken) == &queue && !broken);
    }
    size = VIRTIO_QUEUE_SIZE;
}

static void a_full_queue_refuses_and_changes_nothing(void)
{
    start();
    for (uint16_t i = 0; i < VIRTIO_QUEUE_SIZE / 4; i++)
        CHECK(offer(1, 3, &queue));
    CHECK(!offer(1, 0, &queue));
    CHECK_EQ(ring->available.index, VIRTIO_QUEUE_SIZE / 4);
    uint32_t bytes;
    bool broken = false;
    use(ring->available.ring[3], 0);
    CHECK(virtio_queue_take(&queue, &bytes, &broken) == &queue);
    CHECK(!offer(5, 0, &queue));
    CHECK(offer(4, 0, &queue));
}

// Chains of all lengths come back in any order, and their descriptors are never lost or
// shared; the device writes over descriptors that it has.
static void random_chains_come_back_in_any_order(void)
{
    static uint16_t lengths[VIRTIO_QUEUE_SIZE], flying[VIRTIO_QUEUE_SIZE];
    uint32_t count = 0, descriptors = 0;
    start();
    srand(7);
    for (int step = 0; step < 100'000; step++) {
        uint16_t length = (uint16_t)(1 + rand() % 6);
        if (rand() % 2 == 0) {
            bool fits = descriptors + length <= VIRTIO_QUEUE_SIZE;
            CHECK(offer(1, (uint16_t)(length - 1), &lengths[0]) == fits);
            if (!fits)
                continue;
            flying[count++] = last_offered();
            lengths[last_offered()] = length;
            descriptors += length;
            ring->descriptors[last_offered()].next = (uint16_t)rand();
        } else if (count > 0) {
            uint32_t which = (uint32_t)rand() % count, bytes;
            bool broken = false;
            use(flying[which], 0);
            CHECK(virtio_queue_take(&queue, &bytes, &broken) == &lengths[0] && !broken);
            descriptors -= lengths[flying[which]];
            flying[which] = flying[--count];
        }
        CHECK_EQ(queue.free_count, VIRTIO_QUEUE_SIZE - descriptors);
    }
}

static void a_device_that_names_what_it_does_not_have_is_broken(void)
{
    static const uint32_t ids[] = {VIRTIO_QUEUE_SIZE, UINT32_MAX, 1, 40};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        uint32_t bytes;
        bool broken = false;
        start();
        CHECK(offer(1, 1, &queue)); // descriptors 0 and 1, by the name 0
        use(ids[i], 0);
        CHECK(virtio_queue_take(&queue, &bytes, &broken) == nullptr && broken);
    }
}

static void a_chain_comes_back_once(void)
{
    uint32_t bytes;
    bool broken = false;
    start();
    CHECK(offer(1, 1, &queue));
    use(0, 0);
    use(0, 0);
    CHECK(virtio_queue_take(&queue, &bytes, &broken) == &queue && !broken);
    CHECK(virtio_queue_take(&queue, &bytes, &broken) == nullptr && broken);
}

int main(void)
{
    RUN(the_device_is_told_where_the_queue_is);
    RUN(a_chain_is_what_the_device_reads_and_then_what_it_fills);
    RUN(a_chain_in_a_table_takes_one_descriptor);
    RUN(a_device_may_have_a_shorter_queue);
    RUN(a_full_queue_refuses_and_changes_nothing);
    RUN(random_chains_come_back_in_any_order);
    RUN(a_device_that_names_what_it_does_not_have_is_broken);
    RUN(a_chain_comes_back_once);
    return test_report();
}
