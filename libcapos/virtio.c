// SPDX-License-Identifier: MIT
// Virtio devices, whatever the transport; see <capos/virtio.h>.
#include <capos/virtio.h>

#include <gen/capos/device_memory.h>
#include <gen/capos/interrupt.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

enum {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
};

constexpr uint32_t FEATURE_VERSION_1_WORD = 1; // bit 32
constexpr uint32_t FEATURE_VERSION_1_BIT = 1;

constexpr uint64_t PAGE = 4096;

// ---- Devices -----------------------------------------------------------------------

enum status virtio_find(uint32_t device_id, uint32_t index, struct virtio_device *out_device)
{
    bool found = virtio_mmio_find(device_id, &index, out_device) ||
                 virtio_pci_find(device_id, &index, out_device);
    return found ? STATUS_OK : STATUS_NOT_FOUND;
}

void virtio_reset(const struct virtio_device *device)
{
    device->transport->status_set(device, 0);
    // The device reads as zero when it is done (2.4.2).
    while (device->transport->status(device) != 0)
        ;
}

bool virtio_begin(const struct virtio_device *device, uint32_t wanted, uint32_t *out_features)
{
    const struct virtio_transport *transport = device->transport;
    uint8_t status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    virtio_reset(device);
    transport->status_set(device, STATUS_ACKNOWLEDGE);
    transport->status_set(device, status);
    uint32_t features = transport->features(device, 0) & wanted;
    if ((transport->features(device, FEATURE_VERSION_1_WORD) & FEATURE_VERSION_1_BIT) == 0)
        return false;
    transport->features_set(device, 0, features);
    transport->features_set(device, FEATURE_VERSION_1_WORD, FEATURE_VERSION_1_BIT);
    transport->status_set(device, status | STATUS_FEATURES_OK);
    if ((transport->status(device) & STATUS_FEATURES_OK) == 0)
        return false;
    *out_features = features;
    return true;
}

void virtio_ready(const struct virtio_device *device)
{
    uint8_t status = device->transport->status(device);
    device->transport->status_set(device, status | STATUS_DRIVER_OK);
}

enum status virtio_interrupt_take(struct virtio_device *device)
{
    return device->transport->interrupt_take(device);
}

void virtio_acknowledge(const struct virtio_device *device)
{
    device->transport->acknowledge(device);
}

// Numbers are read in their own width, those of 64 bits in halves, texts byte by byte
// (4.1.3.1, 4.2.2.2).
static void config_copy(const volatile uint8_t *from, uint8_t *to, uint32_t bytes,
                        uint32_t width)
{
    for (uint32_t i = 0; i < bytes; i += width) {
        uint32_t value =
            width == 4   ? *(const volatile uint32_t *)(const volatile void *)(from + i)
            : width == 2 ? *(const volatile uint16_t *)(const volatile void *)(from + i)
                         : from[i];
        memcpy(to + i, &value, width);
    }
}

bool virtio_config_read(const struct virtio_device *device, uint32_t offset, void *out,
                        uint32_t bytes)
{
    uint32_t width = bytes == 8 ? 4 : bytes == 4 || bytes == 2 ? bytes : 1;
    uint32_t generation;
    if (bytes > device->config_bytes || offset > device->config_bytes - bytes ||
        offset % width != 0)
        return false;
    do { // until nothing changed meanwhile (2.5.1)
        generation = device->transport->generation(device);
        config_copy(device->config + offset, out, bytes, width);
    } while (device->transport->generation(device) != generation);
    return true;
}

enum status virtio_memory_take(uint64_t size_bytes, struct virtio_memory *out_memory)
{
    dma_pool_cap pool;
    virtual_memory_cap memory;
    memory_object_cap object;
    uint64_t address, bus_address;
    uint64_t bytes = (size_bytes + PAGE - 1) & ~(PAGE - 1);
    enum status status = dma_pool_cap_find("dma", &pool);
    if (status == STATUS_OK)
        status = virtual_memory_cap_find("memory", &memory);
    if (status == STATUS_OK)
        status = dma_pool_allocate(pool, bytes, &object, &bus_address);
    if (status != STATUS_OK)
        return status;
    status = virtual_memory_map(memory, object, 0, bytes, 0, PROTECTION_READ_WRITE, &address);
    memory_object_cap_release(&object);
    if (status == STATUS_OK)
        *out_memory = (struct virtio_memory){(uint8_t *)address, bus_address};
    return status;
}
