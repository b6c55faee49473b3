// SPDX-License-Identifier: MIT
// The emergency console: a 16550 UART at the first PC serial port, polled.
// Reference: National Semiconductor PC16550D data sheet.
#include <kernel/arch/x86_64/serial.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/x86.h>

constexpr uint16_t UART = 0x3f8;
constexpr uint16_t UART_DATA = UART;
constexpr uint16_t UART_INTERRUPT_ENABLE = UART + 1;
constexpr uint16_t UART_FIFO_CONTROL = UART + 2;
constexpr uint16_t UART_LINE_CONTROL = UART + 3;
constexpr uint16_t UART_MODEM_CONTROL = UART + 4;
constexpr uint16_t UART_LINE_STATUS = UART + 5;

constexpr uint8_t TRANSMIT_EMPTY = 1u << 5;
constexpr unsigned FIFO_BYTES = 16;
// Longer than 16 bytes take at 115200 baud, with slow port accesses.
constexpr unsigned WAIT_TRIES_MAX = 100'000;

void serial_init(void)
{
    port_write8(UART_INTERRUPT_ENABLE, 0);
    port_write8(UART_LINE_CONTROL, 0x80); // divisor latch
    port_write8(UART_DATA, 1);            // 115200 baud
    port_write8(UART_INTERRUPT_ENABLE, 0);
    port_write8(UART_LINE_CONTROL, 0x03); // 8 bits, no parity, 1 stop bit
    port_write8(UART_FIFO_CONTROL, 0x07); // on, both cleared
    port_write8(UART_MODEM_CONTROL, 0x03);
}

// An empty transmitter takes a whole FIFO.  A UART that never gets empty is broken or
// not there: then the bytes are lost, not the kernel.
static void wait_for_room(void)
{
    for (unsigned i = 0; i < WAIT_TRIES_MAX; i++)
        if (port_read8(UART_LINE_STATUS) & TRANSMIT_EMPTY)
            return;
}

void arch_console_write(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        if (i % FIFO_BYTES == 0)
            wait_for_room();
        port_write8(UART_DATA, bytes[i]);
    }
}
