// SPDX-License-Identifier: MIT
// I/O ports, for the IoPorts object.
#include <kernel/arch.h>

#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/panic.h>

uint32_t arch_port_read(uint16_t port, unsigned width_bytes)
{
    switch (width_bytes) {
    case 1:
        return port_read8(port);
    case 2:
        return port_read16(port);
    default:
        ASSERT(width_bytes == 4);
        return port_read32(port);
    }
}

void arch_port_write(uint16_t port, unsigned width_bytes, uint32_t value)
{
    switch (width_bytes) {
    case 1:
        port_write8(port, (uint8_t)value);
        break;
    case 2:
        port_write16(port, (uint16_t)value);
        break;
    default:
        ASSERT(width_bytes == 4);
        port_write32(port, value);
        break;
    }
}
