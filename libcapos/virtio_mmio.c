// SPDX-License-Identifier: MIT
// Virtio devices behind memory-mapped registers (VIRTIO 1.2, section 4.2).
//
// Where the devices are: words "virtio_mmio.device=SIZE@ADDRESS:LINE" of the boot command
// line, as Linux has them and QEMU writes them, which init passes on in the environment;
// without any, the slots of QEMU's microvm machine.
//
// Several devices lie in one page, so who is granted one reaches the others of the page.
#include <capos/virtio.h>

#include <gen/capos/device_memory.h>
#include <gen/capos/interrupt.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;

// Of hw/i386/microvm.c in QEMU: eight slots, their lines from 5 up.
constexpr uint64_t SLOT_BASE = 0xfeb00000;
constexpr uint64_t SLOT_BYTES = 512;
constexpr uint32_t SLOT_COUNT = 8;
constexpr uint32_t SLOT_LINE_FIRST = 5;

// Offsets (4.2.2).
enum {
    REGISTER_MAGIC = 0x000,
    REGISTER_VERSION = 0x004,
    REGISTER_DEVICE_ID = 0x008,
    REGISTER_DEVICE_FEATURES = 0x010,
    REGISTER_DEVICE_FEATURES_SELECT = 0x014,
    REGISTER_DRIVER_FEATURES = 0x020,
    REGISTER_DRIVER_FEATURES_SELECT = 0x024,
    REGISTER_QUEUE_SELECT = 0x030,
    REGISTER_QUEUE_SIZE_MAX = 0x034,
    REGISTER_QUEUE_SIZE = 0x038,
    REGISTER_QUEUE_READY = 0x044,
    REGISTER_QUEUE_NOTIFY = 0x050,
    REGISTER_INTERRUPT_STATUS = 0x060,
    REGISTER_INTERRUPT_ACKNOWLEDGE = 0x064,
    REGISTER_STATUS = 0x070,
    REGISTER_QUEUE_DESCRIPTORS = 0x080, // low word, then high word
    REGISTER_QUEUE_AVAILABLE = 0x090,
    REGISTER_QUEUE_USED = 0x0a0,
    REGISTER_GENERATION = 0x0fc,
    REGISTER_CONFIG = 0x100,
};

constexpr uint32_t MAGIC = 0x74726976; // "virt"
constexpr uint32_t VERSION = 2;

// ---- Registers ---------------------------------------------------------------------

static volatile uint32_t *at(const struct virtio_device *device, uint32_t offset)
{
    return (volatile uint32_t *)(volatile void *)(device->registers + offset);
}

static uint32_t get(const struct virtio_device *device, uint32_t offset)
{
    return *at(device, offset);
}

static void set(const struct virtio_device *device, uint32_t offset, uint32_t value)
{
    *at(device, offset) = value;
}

static void set_address(const struct virtio_device *device, uint32_t offset, uint64_t address)
{
    set(device, offset, (uint32_t)address);
    set(device, offset + 4, (uint32_t)(address >> 32));
}

static uint32_t mmio_features(const struct virtio_device *device, uint32_t word)
{
    set(device, REGISTER_DEVICE_FEATURES_SELECT, word);
    return get(device, REGISTER_DEVICE_FEATURES);
}

static void mmio_features_set(const struct virtio_device *device, uint32_t word,
                              uint32_t features)
{
    set(device, REGISTER_DRIVER_FEATURES_SELECT, word);
    set(device, REGISTER_DRIVER_FEATURES, features);
}

static uint8_t mmio_status(const struct virtio_device *device)
{
    return (uint8_t)get(device, REGISTER_STATUS);
}

static void mmio_status_set(const struct virtio_device *device, uint8_t status)
{
    set(device, REGISTER_STATUS, status);
}

static uint16_t mmio_queue_set(struct virtio_device *device, uint16_t number,
                               uint64_t descriptors, uint64_t available, uint64_t used)
{
    set(device, REGISTER_QUEUE_SELECT, number);
    uint16_t size = virtio_queue_size(get(device, REGISTER_QUEUE_SIZE_MAX));
    if (size == 0)
        return 0;
    set(device, REGISTER_QUEUE_SIZE, size);
    set_address(device, REGISTER_QUEUE_DESCRIPTORS, descriptors);
    set_address(device, REGISTER_QUEUE_AVAILABLE, available);
    set_address(device, REGISTER_QUEUE_USED, used);
    set(device, REGISTER_QUEUE_READY, 1);
    return size;
}

static void mmio_notify(const struct virtio_device *device, uint16_t queue)
{
    set(device, REGISTER_QUEUE_NOTIFY, queue);
}

static void mmio_acknowledge(const struct virtio_device *device)
{
    set(device, REGISTER_INTERRUPT_ACKNOWLEDGE, get(device, REGISTER_INTERRUPT_STATUS));
}

static uint32_t mmio_generation(const struct virtio_device *device)
{
    return get(device, REGISTER_GENERATION);
}

static enum status mmio_interrupt_take(struct virtio_device *device)
{
    interrupt_controller_cap controller;
    enum status status = interrupt_controller_cap_find("interrupts", &controller);
    if (status != STATUS_OK)
        return status;
    return interrupt_controller_bind(controller, device->line, TRIGGER_LEVEL,
                                     &device->interrupt);
}

static const struct virtio_transport mmio_transport = {
    .features = mmio_features,
    .features_set = mmio_features_set,
    .status = mmio_status,
    .status_set = mmio_status_set,
    .queue_set = mmio_queue_set,
    .notify = mmio_notify,
    .acknowledge = mmio_acknowledge,
    .generation = mmio_generation,
    .interrupt_take = mmio_interrupt_take,
};

// ---- Finding -----------------------------------------------------------------------

struct place {
    uint64_t address;
    uint32_t line;
};

struct search {
    device_memory_cap devices;
    virtual_memory_cap memory;
    uint32_t device_id;
    uint32_t *index;
};

// Reads the next word of the command line that names a device; false at the end.
static bool place_read(const char **line, struct place *out_place)
{
    static const char key[] = "virtio_mmio.device=";
    while ((*line = strstr(*line, key)) != nullptr) {
        char *end;
        *line += sizeof key - 1;
        (void)strtoull(*line, &end, 0); // the size, perhaps with a K or M
        end += strcspn(end, "@ ");
        if (*end != '@')
            continue;
        out_place->address = strtoull(end + 1, &end, 0);
        if (*end != ':')
            continue;
        out_place->line = (uint32_t)strtoul(end + 1, nullptr, 0);
        return true;
    }
    return false;
}

// Maps the page of registers at a place; nullptr if there can be none.
static uint8_t *registers_map(const struct search *search, const struct place *place)
{
    device_memory_cap range;
    memory_object_cap object;
    uint64_t address;
    if (device_memory_range(search->devices, place->address & ~(PAGE - 1), PAGE, &range) !=
        STATUS_OK)
        return nullptr;
    enum status status = device_memory_object(range, &object);
    device_memory_cap_release(&range);
    if (status != STATUS_OK)
        return nullptr;
    status =
        virtual_memory_map(search->memory, object, 0, PAGE, 0, PROTECTION_READ_WRITE, &address);
    memory_object_cap_release(&object);
    return status == STATUS_OK ? (uint8_t *)address : nullptr;
}

// Looks for the device at a place; leaves its registers mapped if it is the one.
static bool place_try(const struct search *search, const struct place *place,
                      struct virtio_device *out_device)
{
    uint8_t *page = registers_map(search, place);
    if (page == nullptr)
        return false;
    uint8_t *registers = page + place->address % PAGE;
    struct virtio_device device = {
        .transport = &mmio_transport,
        .registers = registers,
        .config = registers + REGISTER_CONFIG,
        .config_bytes = (uint32_t)(SLOT_BYTES - REGISTER_CONFIG),
        .line = place->line,
    };
    if (get(&device, REGISTER_MAGIC) == MAGIC && get(&device, REGISTER_VERSION) == VERSION &&
        get(&device, REGISTER_DEVICE_ID) == search->device_id && (*search->index)-- == 0) {
        *out_device = device;
        return true;
    }
    (void)virtual_memory_unmap(search->memory, (uint64_t)page, PAGE);
    return false;
}

bool virtio_mmio_find(uint32_t device_id, uint32_t *index, struct virtio_device *out_device)
{
    struct search search = {.device_id = device_id, .index = index};
    const char *line = getenv("COMMAND_LINE");
    struct place place;
    bool listed = false;
    if (virtual_memory_cap_find("memory", &search.memory) != STATUS_OK ||
        device_memory_cap_find("devices", &search.devices) != STATUS_OK)
        return false;
    while (line != nullptr && place_read(&line, &place)) {
        listed = true;
        if (place.address % SLOT_BYTES == 0 && place_try(&search, &place, out_device))
            return true;
    }
    for (uint32_t i = 0; !listed && i < SLOT_COUNT; i++) {
        place = (struct place){SLOT_BASE + i * SLOT_BYTES, SLOT_LINE_FIRST + i};
        if (place_try(&search, &place, out_device))
            return true;
    }
    return false;
}
