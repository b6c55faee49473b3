// SPDX-License-Identifier: MIT
// See <capos/pci.h>.
#include <capos/pci.h>

#include <capos/panic.h>

#include <gen/capos/device_memory.h>
#include <gen/capos/interrupt.h>
#include <gen/capos/io_ports.h>
#include <gen/capos/virtual_memory.h>

constexpr uint16_t SELECT_PORT = 0xcf8, DATA_PORT = 0xcfc;
constexpr uint32_t SELECT_ENABLE = 0x80000000;
constexpr uint64_t PAGE = 4096;

// The header (6.1, 6.2) and a bridge's.
enum {
    STATUS_REGISTER = 0x06,
    HEADER_TYPE = 0x0e,
    BASE_ADDRESS = 0x10,
    SECONDARY_BUS = 0x19,
    CAPABILITIES = 0x34,
};
enum { COMMAND_MEMORY = 1 << 1, COMMAND_MASTER = 1 << 2, COMMAND_INTX_OFF = 1 << 10 };
enum { STATUS_CAPABILITIES = 1 << 4 };
constexpr uint32_t TYPE_BRIDGE = 1, TYPE_SEVERAL_FUNCTIONS = 0x80;
enum { BAR_PORTS = 1, BAR_64_BITS = 4, BAR_FLAGS = 0xf };
constexpr uint32_t BAR_COUNT = 6;
constexpr uint32_t VENDOR_NONE = 0xffff;

// Of the MSI-X capability, and of an entry of the table (6.8.2).
enum { MSIX_CONTROL = 2, MSIX_TABLE = 4 };
enum { MSIX_ENABLE = 1 << 15, MSIX_MASK_ALL = 1 << 14 };
enum { MSIX_BAR = 7 };
enum { ENTRY_ADDRESS = 0, ENTRY_ADDRESS_HIGH = 4, ENTRY_DATA = 8, ENTRY_CONTROL = 12 };
constexpr uint32_t ENTRY_BYTES = 16;

// A list of capabilities has no more: they lie behind the header, 4 bytes each at least.
constexpr uint32_t CAPABILITIES_MAX = 48;

// ---- Registers ---------------------------------------------------------------------

static uint32_t selection_of(const struct pci_function *function, uint32_t offset)
{
    return SELECT_ENABLE | (uint32_t)function->bus << 16 | (uint32_t)function->device << 11 |
           (uint32_t)function->function << 8 | (offset & 0xfc);
}

uint32_t pci_read(const struct pci_function *function, uint32_t offset, uint32_t width_bytes)
{
    uint32_t value;
    if (io_ports_read_selected(function->ports, SELECT_PORT, selection_of(function, offset),
                               (uint16_t)(DATA_PORT + offset % 4), (uint8_t)width_bytes,
                               &value) != STATUS_OK)
        capos_panic("pci: the grant \"pci\" isn't the ports of the configuration");
    return value;
}

void pci_write(const struct pci_function *function, uint32_t offset, uint32_t width_bytes,
               uint32_t value)
{
    if (io_ports_write_selected(function->ports, SELECT_PORT, selection_of(function, offset),
                                (uint16_t)(DATA_PORT + offset % 4), (uint8_t)width_bytes,
                                value) != STATUS_OK)
        capos_panic("pci: the grant \"pci\" isn't the ports of the configuration");
}

// ---- Finding -----------------------------------------------------------------------

static bool is_there(const struct pci_function *function)
{
    return pci_read(function, PCI_VENDOR, 2) != VENDOR_NONE;
}

static bool has_several(const struct pci_function *function)
{
    struct pci_function first = *function;
    first.function = 0;
    return (pci_read(&first, HEADER_TYPE, 1) & TYPE_SEVERAL_FUNCTIONS) != 0;
}

// Bus numbers grow downwards: those behind a bridge are higher than its own, up to the last
// one, which is that of a bridge too.
static void bridge_note(struct pci_function *function)
{
    if ((pci_read(function, HEADER_TYPE, 1) & ~TYPE_SEVERAL_FUNCTIONS) != TYPE_BRIDGE)
        return;
    uint8_t bus = (uint8_t)pci_read(function, SECONDARY_BUS, 1);
    if (bus > function->bus_last)
        function->bus_last = bus;
}

// The next place where a function may be.
static bool step(struct pci_function *function)
{
    bool whole = function->function > 0 || (is_there(function) && has_several(function));
    if (whole && function->function < 7) {
        function->function++;
        return true;
    }
    function->function = 0;
    if (function->device < 31) {
        function->device++;
        return true;
    }
    function->device = 0;
    if (function->bus == function->bus_last)
        return false;
    function->bus++;
    return true;
}

bool pci_next(struct pci_function *function)
{
    while (step(function))
        if (is_there(function)) {
            bridge_note(function);
            return true;
        }
    return false;
}

bool pci_first(struct pci_function *out_function)
{
    *out_function = (struct pci_function){};
    if (io_ports_cap_find("pci", &out_function->ports) != STATUS_OK)
        return false;
    if (!is_there(out_function))
        return pci_next(out_function);
    bridge_note(out_function);
    return true;
}

uint32_t pci_capability(const struct pci_function *function, uint8_t kind, uint32_t after)
{
    bool behind = after == 0;
    if ((pci_read(function, STATUS_REGISTER, 2) & STATUS_CAPABILITIES) == 0)
        return 0;
    uint32_t at = pci_read(function, CAPABILITIES, 1) & ~3u;
    for (uint32_t i = 0; i < CAPABILITIES_MAX && at != 0; i++) {
        if (behind && pci_read(function, at, 1) == kind)
            return at;
        behind = behind || at == after;
        at = pci_read(function, at + 1, 1) & ~3u;
    }
    return 0;
}

// ---- Memory and interrupts ---------------------------------------------------------

void pci_enable(const struct pci_function *function)
{
    uint32_t command = pci_read(function, PCI_COMMAND, 2);
    pci_write(function, PCI_COMMAND, 2,
              command | COMMAND_MEMORY | COMMAND_MASTER | COMMAND_INTX_OFF);
}

// 0: it isn't memory, or has no address.
static uint64_t bar_address(const struct pci_function *function, uint32_t bar)
{
    if (bar >= BAR_COUNT)
        return 0;
    uint32_t offset = BASE_ADDRESS + 4 * bar;
    uint32_t low = pci_read(function, offset, 4);
    if ((low & BAR_PORTS) != 0)
        return 0;
    uint64_t high =
        (low & BAR_64_BITS) != 0 && bar + 1 < BAR_COUNT ? pci_read(function, offset + 4, 4) : 0;
    return high << 32 | (low & ~(uint32_t)BAR_FLAGS);
}

static enum status physical_map(uint64_t first, uint64_t bytes, uint64_t *out_address)
{
    device_memory_cap devices, range;
    virtual_memory_cap memory;
    memory_object_cap object;
    enum status status = device_memory_cap_find("devices", &devices);
    if (status == STATUS_OK)
        status = virtual_memory_cap_find("memory", &memory);
    if (status == STATUS_OK)
        status = device_memory_range(devices, first, bytes, &range);
    if (status != STATUS_OK)
        return status;
    status = device_memory_object(range, &object);
    device_memory_cap_release(&range);
    if (status != STATUS_OK)
        return status;
    status =
        virtual_memory_map(memory, object, 0, bytes, 0, PROTECTION_READ_WRITE, out_address);
    memory_object_cap_release(&object);
    return status;
}

volatile uint8_t *pci_map(const struct pci_function *function, uint32_t bar, uint32_t offset,
                          uint32_t size_bytes)
{
    uint64_t base = bar_address(function, bar), address;
    if (base == 0 || size_bytes == 0)
        return nullptr;
    uint64_t first = (base + offset) & ~(PAGE - 1);
    uint64_t end = (base + offset + size_bytes + PAGE - 1) & ~(PAGE - 1);
    if (physical_map(first, end - first, &address) != STATUS_OK)
        return nullptr;
    return (volatile uint8_t *)(address + (base + offset - first));
}

static void entry_set(volatile uint8_t *entry, uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(volatile void *)(entry + offset) = value;
}

enum status pci_interrupt_take(const struct pci_function *function,
                               interrupt_cap *out_interrupt)
{
    interrupt_controller_cap controller;
    uint64_t address;
    uint32_t data;
    uint32_t at = pci_capability(function, PCI_CAPABILITY_MSIX, 0);
    if (at == 0)
        return STATUS_NOT_FOUND;
    uint32_t table = pci_read(function, at + MSIX_TABLE, 4);
    volatile uint8_t *entry =
        pci_map(function, table & MSIX_BAR, table & ~(uint32_t)MSIX_BAR, ENTRY_BYTES);
    if (entry == nullptr)
        return STATUS_NOT_FOUND;
    enum status status = interrupt_controller_cap_find("interrupts", &controller);
    if (status == STATUS_OK)
        status = interrupt_controller_message(controller, out_interrupt, &address, &data);
    if (status != STATUS_OK)
        return status;
    // An entry is changed while it can't be used.
    uint32_t control = pci_read(function, at + MSIX_CONTROL, 2) & ~(uint32_t)MSIX_MASK_ALL;
    pci_write(function, at + MSIX_CONTROL, 2, control | MSIX_ENABLE | MSIX_MASK_ALL);
    entry_set(entry, ENTRY_ADDRESS, (uint32_t)address);
    entry_set(entry, ENTRY_ADDRESS_HIGH, (uint32_t)(address >> 32));
    entry_set(entry, ENTRY_DATA, data);
    entry_set(entry, ENTRY_CONTROL, 0);
    pci_write(function, at + MSIX_CONTROL, 2, control | MSIX_ENABLE);
    return STATUS_OK;
}
