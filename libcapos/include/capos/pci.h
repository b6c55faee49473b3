// SPDX-License-Identifier: MIT
// PCI devices: finding them, their registers, their interrupts.
//
//     struct pci_function function;
//     for (bool any = pci_first(&function); any; any = pci_next(&function))
//         if (pci_read(&function, PCI_VENDOR, 2) == ...)
//
// The driver holds the grants "pci" (the two ports of the configuration), "devices", "memory" and
// "interrupts".  Firmware has numbered the buses and given the devices their addresses; what it
// left out is passed over.
//
// Sources: PCI Local Bus Specification 3.0, sections 3.2.2.3.2 (the ports), 6.1 (header),
// 6.2.5.1 (base addresses), 6.7 (capabilities), 6.8.2 (MSI-X); PCI-to-PCI Bridge Architecture
// Specification 1.2, section 3.2 (header of a bridge).
//
// Several processes may look for devices at once: each access is one call of the kernel.
// Tested booted by tests/cli/pci_test.py.
#pragma once

#include <gen/capos/caps.h>
#include <gen/status.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PCI_VENDOR = 0x00, // 2 bytes; 0xffff: there is no such function
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_SUBSYSTEM = 0x2e,
};
enum {
    PCI_CAPABILITY_VENDOR = 0x09,
    PCI_CAPABILITY_MSIX = 0x11,
};

// One function of one device.
struct pci_function {
    io_ports_cap ports; // of the grant "pci"
    uint8_t bus, device, function;
    uint8_t bus_last; // the highest bus number that a bridge on the way has named
};

// The functions of all buses, in the order of their numbers.  False: there is none, or no
// grant.
[[nodiscard]] bool pci_first(struct pci_function *out_function);
// The one behind it; false at the end.
[[nodiscard]] bool pci_next(struct pci_function *function);

// Registers of the configuration, 1, 2 or 4 bytes at a multiple of as many below 256.
[[nodiscard]] uint32_t pci_read(const struct pci_function *function, uint32_t offset,
                                uint32_t width_bytes);
void pci_write(const struct pci_function *function, uint32_t offset, uint32_t width_bytes,
               uint32_t value);

// Where the next capability of a kind is behind `after` (0: from the beginning); 0: there is
// none.
[[nodiscard]] uint32_t pci_capability(const struct pci_function *function, uint8_t kind,
                                      uint32_t after);

// Lets the device answer at its addresses and reach memory.
void pci_enable(const struct pci_function *function);

// Maps a piece of what a base address leads to, uncached, for as long as the process lives.
// nullptr: it isn't memory, has no address, or can't be mapped.
[[nodiscard]] volatile uint8_t *pci_map(const struct pci_function *function, uint32_t bar,
                                        uint32_t offset, uint32_t size_bytes);

// Makes the first entry of the device's MSI-X table an Interrupt, and switches MSI-X on.
// STATUS_NOT_FOUND: the device has no MSI-X, or the grant is missing; else as
// InterruptController.message.
[[nodiscard]] enum status pci_interrupt_take(const struct pci_function *function,
                                             interrupt_cap *out_interrupt);
