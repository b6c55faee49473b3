// SPDX-License-Identifier: MIT
// serialio: a StdIO on the machine's first serial port, for machines that no `capos run`
// started.
//
// The device is a 16550 UART (PC16550D data sheet, National Semiconductor): ports 0x3f8 to
// 0x3ff, interrupt line 4.  The line is taken as level-triggered: it is high as long as
// there is input, so none is missed between the last read and the next wait.
//
// What it doesn't do: tell the streams apart; output and error go to the same wire.
// Grants: memory, endpoint, ports, interrupts, console (for its last words).
// Tested by line_test.c, and booted by the test of the ISO image.
#include "line.h"

#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>

#include <gen/capos/interrupt.h>
#include <gen/capos/io_ports.h>
#include <gen/capos/stdio.h>
#include <string.h>

enum {
    PORT_DATA = 0x3f8,
    PORT_INTERRUPT_ENABLE = 0x3f9,
    PORT_FIFO_CONTROL = 0x3fa,
    PORT_LINE_CONTROL = 0x3fb,
    PORT_MODEM_CONTROL = 0x3fc,
    PORT_LINE_STATUS = 0x3fd,
};
enum { PORT_FIRST = PORT_DATA, PORT_COUNT = 8, INTERRUPT_LINE = 4 };
enum { LINE_STATUS_INPUT = 0x01, LINE_STATUS_OUTPUT_EMPTY = 0x20 };

constexpr uint32_t FIFO_BYTES = 16;
constexpr uint32_t RECEIVE_BYTES = STDIO_WRITE_PARAMS_BYTES_MAX;

static io_ports_cap ports;
static interrupt_cap interrupt;
static struct capos_call interrupt_wait_call;
static struct capos_server server;
static struct line line;
static struct capos_server_call *reads_first, *reads_last; // wait for input

static void require(enum status status, const char *what)
{
    if (status != STATUS_OK)
        capos_panic("serialio: %s: %s", what, status_name(status));
}

// ---- The port ----------------------------------------------------------------------

static uint8_t port_read(uint16_t port)
{
    uint32_t value;
    require(io_ports_read(ports, port, 1, &value), "reading a port");
    return (uint8_t)value;
}

static void port_write(uint16_t port, uint8_t value)
{
    require(io_ports_write(ports, port, 1, value), "writing a port");
}

// Fills the FIFO with one entry to the kernel.
static void fifo_fill(const uint8_t *bytes, uint32_t count)
{
    struct capos_call calls[FIFO_BYTES];
    while ((port_read(PORT_LINE_STATUS) & LINE_STATUS_OUTPUT_EMPTY) == 0)
        ;
    for (uint32_t i = 0; i < count; i++)
        require(io_ports_write_begin(&calls[i], ports, PORT_DATA, 1, bytes[i]),
                "writing a port");
    for (uint32_t i = 0; i < count; i++)
        require(io_ports_write_finish(&calls[i]), "writing a port");
}

static void port_init(void)
{
    port_write(PORT_INTERRUPT_ENABLE, 0);
    port_write(PORT_LINE_CONTROL, 0x80); // the next two set the divisor:
    port_write(PORT_DATA, 1);            // 115200 bits/s
    port_write(PORT_INTERRUPT_ENABLE, 0);
    port_write(PORT_LINE_CONTROL, 0x03);  // 8 bits, no parity
    port_write(PORT_FIFO_CONTROL, 0x07);  // FIFOs on and empty
    port_write(PORT_MODEM_CONTROL, 0x0b); // ready, and OUT2, which lets interrupts out
    port_write(PORT_INTERRUPT_ENABLE, 1); // when input is there
}

// ---- Output ------------------------------------------------------------------------

// A terminal moves to the start of the next line by two characters.
static void show(const uint8_t *data, size_t bytes)
{
    uint8_t fifo[FIFO_BYTES];
    uint32_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (count + 2 > FIFO_BYTES) {
            fifo_fill(fifo, count);
            count = 0;
        }
        if (data[i] == '\n')
            fifo[count++] = '\r';
        fifo[count++] = data[i];
    }
    if (count != 0)
        fifo_fill(fifo, count);
}

static void on_write(void *, struct capos_server_call *call,
                     const struct stdio_write_params *params)
{
    show(params->data.data, params->data.size_bytes);
    stdio_write_reply(call);
}

// ---- Input -------------------------------------------------------------------------

static void read_answer(struct capos_server_call *call, uint32_t bytes_max)
{
    const uint8_t *data;
    size_t bytes = line_peek(&line, &data);
    if (bytes > bytes_max)
        bytes = bytes_max;
    stdio_read_reply(call, &(struct stdio_read_results){.data = {data, (uint32_t)bytes}});
    line_take(&line, bytes);
}

static void on_read(void *, struct capos_server_call *call,
                    const struct stdio_read_params *params)
{
    uint32_t bytes_max = params->max_bytes;
    if (bytes_max == 0 || bytes_max > STDIO_READ_RESULTS_DATA_BYTES_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "maxBytes: 1 to 61440");
        return;
    }
    if (reads_first == nullptr && line_is_ready(&line)) {
        read_answer(call, bytes_max);
        return;
    }
    struct capos_server_call *detached = capos_server_detach(call);
    if (detached == nullptr) {
        capos_server_fail(call, STATUS_OVERLOADED, "serialio is out of memory");
        return;
    }
    detached->word = bytes_max; // there is one object, so the word is free for this
    detached->next = nullptr;
    if (reads_first == nullptr)
        reads_first = detached;
    else
        reads_last->next = detached;
    reads_last = detached;
}

static void type(uint8_t byte)
{
    uint8_t echo[LINE_ECHO_BYTES_MAX];
    uint32_t times;
    size_t bytes = line_type(&line, byte, echo, &times);
    for (uint32_t i = 0; i < times && bytes != 0; i++)
        fifo_fill(echo, (uint32_t)bytes);
}

static void interrupt_await(void);

static void interrupt_came(struct capos_call *wait, void *)
{
    require(interrupt_wait_finish(wait, nullptr), "waiting for the interrupt");
    while ((port_read(PORT_LINE_STATUS) & LINE_STATUS_INPUT) != 0)
        type(port_read(PORT_DATA));
    while (reads_first != nullptr && line_is_ready(&line)) {
        struct capos_server_call *call = reads_first;
        reads_first = call->next;
        read_answer(call, (uint32_t)call->word);
    }
    interrupt_await();
}

static void interrupt_await(void)
{
    require(interrupt_wait_begin(&interrupt_wait_call, interrupt), "waiting for the interrupt");
    capos_call_on_done(&interrupt_wait_call, interrupt_came, nullptr);
}

// ---- Serving -----------------------------------------------------------------------

static void on_info(void *, struct capos_server_call *call)
{
    stdio_info_reply(call, &(struct stdio_info_results){.input_is_terminal = true,
                                                        .output_is_terminal = true,
                                                        .error_is_terminal = true});
}

static void on_call(void *, struct capos_server_call *call)
{
    static const struct stdio_server_ops ops = {
        .read = on_read, .write = on_write, .info = on_info};
    stdio_serve(&ops, nullptr, call);
}

int main(void)
{
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    static const struct capos_server_options options = {.receive_count = 2,
                                                        .message_bytes_max = RECEIVE_BYTES};
    endpoint_cap endpoint;
    io_ports_cap all;
    interrupt_controller_cap controller;
    require(endpoint_cap_find("endpoint", &endpoint), "endpoint");
    require(io_ports_cap_find("ports", &all), "ports");
    require(interrupt_controller_cap_find("interrupts", &controller), "interrupts");
    require(io_ports_range(all, PORT_FIRST, PORT_COUNT, &ports), "the port's range");
    require(interrupt_controller_bind(controller, INTERRUPT_LINE, TRIGGER_LEVEL, &interrupt),
            "the port's interrupt line");
    port_init();
    interrupt_await();
    require(capos_server_start(&server, endpoint.id, &handlers, nullptr, &options), "serving");
    capos_loop_run();
    return 0;
}
