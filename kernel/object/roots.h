// SPDX-License-Identifier: MIT
// The roots of authority over memory and devices: what the kernel grants to init alone,
// and init hands on in parts.
//
// Each function returns one reference and no hold, charged to the budget, or nullptr when
// the budget is exhausted.
#pragma once

#include <kernel/mm/budget.h>

struct boot_info;

// The files of the boot module; copies the command line.  nullptr also when the module
// isn't a well-formed package.
[[nodiscard]] struct object *boot_package_create(struct budget *budget,
                                                 const struct boot_info *info);

// All physical addresses that aren't RAM.
[[nodiscard]] struct object *device_memory_create_root(struct budget *budget);

// All 65,536 ports.
[[nodiscard]] struct object *io_ports_create_root(struct budget *budget);
// The two that lead to the configuration of PCI devices.
[[nodiscard]] struct object *io_ports_create_pci(struct budget *budget);

// The object that is the address space of whoever calls it; always there.
[[nodiscard]] struct object *virtual_memory_create(void);

// The pool of DMA memory, of which there is one, lent.
[[nodiscard]] struct object *dma_pool_object(void);

// The right to copy one's own address space, lent.
[[nodiscard]] struct object *forker_object(void);
