// SPDX-License-Identifier: MIT
// Virtio devices on a PCI bus (VIRTIO 1.2, section 4.1), of which only what isn't called
// legacy: a transitional device is driven as a modern one.
//
// All queues share the first MSI-X entry; a device without MSI-X isn't found, since where its
// interrupt line leads is known to the machine's ACPI code only.
#include <capos/virtio.h>

#include <gen/capos/interrupt.h>

constexpr uint32_t VENDOR = 0x1af4;
// Device numbers (4.1.2): modern ones are the kind of device and this; of a transitional one
// the subsystem is the kind.
constexpr uint32_t DEVICE_TRANSITIONAL = 0x1000, DEVICE_MODERN = 0x1040, DEVICE_END = 0x1080;

// A capability that says where a structure is (4.1.4).
enum { CAP_KIND = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_MULTIPLIER = 16 };
enum { KIND_COMMON = 1, KIND_NOTIFY = 2, KIND_DEVICE = 4 };

// The common structure (4.1.4.3).
enum {
    COMMON_FEATURES_SELECT = 0x00,
    COMMON_FEATURES = 0x04,
    COMMON_DRIVER_FEATURES_SELECT = 0x08,
    COMMON_DRIVER_FEATURES = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10,
    COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15,
    COMMON_QUEUE_SELECT = 0x16,
    COMMON_QUEUE_SIZE = 0x18,
    COMMON_QUEUE_VECTOR = 0x1a,
    COMMON_QUEUE_ENABLE = 0x1c,
    COMMON_QUEUE_NOTIFY_OFFSET = 0x1e,
    COMMON_QUEUE_DESCRIPTORS = 0x20, // low word, then high word
    COMMON_QUEUE_AVAILABLE = 0x28,
    COMMON_QUEUE_USED = 0x30,
    COMMON_BYTES = 0x38,
};
constexpr uint16_t VECTOR_FIRST = 0, VECTOR_NONE = 0xffff;

// ---- Registers ---------------------------------------------------------------------

// Each in its own width (4.1.3.1).

static uint32_t get32(const struct virtio_device *device, uint32_t offset)
{
    return *(volatile uint32_t *)(volatile void *)(device->registers + offset);
}

static void set32(const struct virtio_device *device, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(volatile void *)(device->registers + offset) = value;
}

static uint16_t get16(const struct virtio_device *device, uint32_t offset)
{
    return *(volatile uint16_t *)(volatile void *)(device->registers + offset);
}

static void set16(const struct virtio_device *device, uint32_t offset, uint16_t value)
{
    *(volatile uint16_t *)(volatile void *)(device->registers + offset) = value;
}

static void set_address(const struct virtio_device *device, uint32_t offset, uint64_t address)
{
    set32(device, offset, (uint32_t)address);
    set32(device, offset + 4, (uint32_t)(address >> 32));
}

static uint32_t on_features(const struct virtio_device *device, uint32_t word)
{
    set32(device, COMMON_FEATURES_SELECT, word);
    return get32(device, COMMON_FEATURES);
}

static void on_features_set(const struct virtio_device *device, uint32_t word,
                            uint32_t features)
{
    set32(device, COMMON_DRIVER_FEATURES_SELECT, word);
    set32(device, COMMON_DRIVER_FEATURES, features);
}

static uint8_t on_status(const struct virtio_device *device)
{
    return device->registers[COMMON_STATUS];
}

static void on_status_set(const struct virtio_device *device, uint8_t status)
{
    device->registers[COMMON_STATUS] = status;
}

static uint16_t on_queue_set(struct virtio_device *device, uint16_t number,
                             uint64_t descriptors, uint64_t available, uint64_t used)
{
    if (number >= VIRTIO_QUEUES_MAX)
        return 0;
    set16(device, COMMON_QUEUE_SELECT, number);
    uint16_t size = virtio_queue_size(get16(device, COMMON_QUEUE_SIZE));
    if (size == 0)
        return 0;
    uint64_t notify =
        (uint64_t)get16(device, COMMON_QUEUE_NOTIFY_OFFSET) * device->notify_multiplier;
    if (notify + sizeof(uint16_t) > device->notify_bytes)
        return 0;
    device->notify_offset[number] = (uint32_t)notify;
    set16(device, COMMON_QUEUE_SIZE, size);
    set_address(device, COMMON_QUEUE_DESCRIPTORS, descriptors);
    set_address(device, COMMON_QUEUE_AVAILABLE, available);
    set_address(device, COMMON_QUEUE_USED, used);
    set16(device, COMMON_QUEUE_VECTOR, VECTOR_FIRST);
    if (get16(device, COMMON_QUEUE_VECTOR) != VECTOR_FIRST) // the device has no room for it
        return 0;
    set16(device, COMMON_QUEUE_ENABLE, 1);
    return size;
}

static void on_notify(const struct virtio_device *device, uint16_t queue)
{
    volatile uint8_t *at = device->notify + device->notify_offset[queue];
    *(volatile uint16_t *)(volatile void *)at = queue;
}

// A message is an event, not a state.
static void on_acknowledge(const struct virtio_device *)
{
}

static uint32_t on_generation(const struct virtio_device *device)
{
    return device->registers[COMMON_GENERATION];
}

static enum status on_interrupt_take(struct virtio_device *device)
{
    enum status status = pci_interrupt_take(&device->function, &device->interrupt);
    if (status == STATUS_OK)
        set16(device, COMMON_CONFIG_VECTOR, VECTOR_NONE);
    return status;
}

static const struct virtio_transport pci_transport = {
    .features = on_features,
    .features_set = on_features_set,
    .status = on_status,
    .status_set = on_status_set,
    .queue_set = on_queue_set,
    .notify = on_notify,
    .acknowledge = on_acknowledge,
    .generation = on_generation,
    .interrupt_take = on_interrupt_take,
};

// ---- Finding -----------------------------------------------------------------------

static bool is_kind(const struct pci_function *function, uint32_t device_id)
{
    if (pci_read(function, PCI_VENDOR, 2) != VENDOR)
        return false;
    uint32_t device = pci_read(function, PCI_DEVICE, 2);
    if (device >= DEVICE_MODERN && device < DEVICE_END)
        return device - DEVICE_MODERN == device_id;
    return device >= DEVICE_TRANSITIONAL && device < DEVICE_MODERN &&
           pci_read(function, PCI_SUBSYSTEM, 2) == device_id;
}

// Maps the structure of a kind, the first that there is; nullptr without.
static volatile uint8_t *structure_map(const struct pci_function *function, uint32_t kind,
                                       uint32_t *out_bytes, uint32_t *out_capability)
{
    uint32_t at = 0;
    while ((at = pci_capability(function, PCI_CAPABILITY_VENDOR, at)) != 0) {
        if (pci_read(function, at + CAP_KIND, 1) != kind)
            continue;
        *out_bytes = pci_read(function, at + CAP_LENGTH, 4);
        *out_capability = at;
        return pci_map(function, pci_read(function, at + CAP_BAR, 1),
                       pci_read(function, at + CAP_OFFSET, 4), *out_bytes);
    }
    return nullptr;
}

// False: it isn't a modern device, or lacks what is needed of one.
static bool device_open(const struct pci_function *function, struct virtio_device *out_device)
{
    struct virtio_device device = {.transport = &pci_transport, .function = *function};
    uint32_t common_bytes = 0, capability = 0;
    if (pci_capability(function, PCI_CAPABILITY_MSIX, 0) == 0)
        return false;
    pci_enable(function);
    // A device without a configuration of its own has no structure for it.
    device.config = structure_map(function, KIND_DEVICE, &device.config_bytes, &capability);
    if (device.config == nullptr)
        device.config_bytes = 0;
    device.registers = structure_map(function, KIND_COMMON, &common_bytes, &capability);
    device.notify = structure_map(function, KIND_NOTIFY, &device.notify_bytes, &capability);
    if (device.registers == nullptr || common_bytes < COMMON_BYTES || device.notify == nullptr)
        return false;
    device.notify_multiplier = pci_read(function, capability + CAP_MULTIPLIER, 4);
    *out_device = device;
    return true;
}

bool virtio_pci_find(uint32_t device_id, uint32_t *index, struct virtio_device *out_device)
{
    struct pci_function function;
    for (bool any = pci_first(&function); any; any = pci_next(&function))
        if (is_kind(&function, device_id) && (*index)-- == 0)
            return device_open(&function, out_device);
    return false;
}
