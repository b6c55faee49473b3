// SPDX-License-Identifier: MIT
// serialio: a StdIO on the machine's first serial port, for machines that no `capos run`
// started.  Bytes come as they are typed; nothing is shown of them.
//
// The device is a 16550 UART (PC16550D data sheet, National Semiconductor): ports 0x3f8 to
// 0x3ff, interrupt line 4.  The line is taken as level-triggered: it is high as long as
// there is input, or room for the output that was asked for, so nothing is missed between the
// last look at the device and the next wait.
//
// Invariants:
//  1. Nothing here waits for the device: bytes come and go by its interrupt.
//  2. A write is answered when the device has taken its bytes, in the order of the calls; until
//     then they stay in its receive buffer.
//  3. Input that nobody reads is bounded: what `input` has no room for is dropped.
//
// A newline goes out behind a carriage return: on a wire nobody else can add it.
//
// What it doesn't do: lines, Ctrl-C, the window's size, which are the terminal service's; and
// it can't tell the streams apart, output and error go to the same wire.
// Grants: memory, endpoint, ports, interrupts, console (for its last words).
// Tested by tests/cli/serial_test.py, booted, and by the tests of init and of the ISO image.
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
enum { INTERRUPT_INPUT = 0x01, INTERRUPT_OUTPUT_EMPTY = 0x02 };
enum { LINE_STATUS_INPUT = 0x01, LINE_STATUS_OUTPUT_EMPTY = 0x20 };

constexpr uint32_t FIFO_BYTES = 16;
constexpr uint32_t RECEIVE_COUNT = 4;
constexpr uint32_t RECEIVE_BYTES = STDIO_WRITE_PARAMS_BYTES_MAX;
constexpr uint32_t INPUT_BYTES = 4096;

static io_ports_cap ports;
static interrupt_cap interrupt;
static struct capos_call interrupt_wait_call;
static struct capos_server server;

// What came and wasn't read.
static struct {
    uint32_t bytes;
    uint8_t data[INPUT_BYTES];
} input;
static struct capos_server_call *reads_first, *reads_last; // wait for input

// Writes that aren't out, in their order.
static struct {
    uint32_t count;
    uint32_t sent_bytes;    // of the first
    bool returned;          // the carriage return of the newline that is next is out
    bool interrupt_enabled; // when the device has room
    struct {
        struct capos_server_call *call;
        struct wire_data data;
    } calls[RECEIVE_COUNT];
} writes;

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
    port_write(PORT_INTERRUPT_ENABLE, INTERRUPT_INPUT);
}

// ---- Output ------------------------------------------------------------------------

// Takes the next bytes for the FIFO from the first write; returns how many.
static uint32_t write_take(uint8_t fifo[FIFO_BYTES])
{
    struct wire_data data = writes.calls[0].data;
    uint32_t count = 0;
    while (writes.sent_bytes < data.size_bytes && count < FIFO_BYTES) {
        uint8_t byte = data.data[writes.sent_bytes];
        bool returns = byte == '\n' && !writes.returned;
        fifo[count++] = returns ? '\r' : byte;
        writes.returned = returns;
        writes.sent_bytes += !returns;
    }
    return count;
}

// Answers the first write if it is out.
static bool write_end(void)
{
    if (writes.sent_bytes < writes.calls[0].data.size_bytes)
        return false;
    stdio_write_reply(writes.calls[0].call);
    writes.count--;
    writes.sent_bytes = 0;
    memmove(writes.calls, writes.calls + 1, writes.count * sizeof *writes.calls);
    return true;
}

// Gives the device what it has room for, and asks for its interrupt if that isn't all.
static void output_pump(uint8_t line_status)
{
    uint8_t fifo[FIFO_BYTES];
    if (writes.count > 0 && (line_status & LINE_STATUS_OUTPUT_EMPTY) != 0)
        fifo_fill(fifo, write_take(fifo));
    while (writes.count > 0 && write_end())
        ;
    bool more = writes.count > 0;
    if (more == writes.interrupt_enabled)
        return;
    writes.interrupt_enabled = more;
    port_write(PORT_INTERRUPT_ENABLE,
               more ? INTERRUPT_INPUT | INTERRUPT_OUTPUT_EMPTY : INTERRUPT_INPUT);
}

static void on_write(void *, struct capos_server_call *call,
                     const struct stdio_write_params *params)
{
    writes.calls[writes.count].call = call;
    writes.calls[writes.count].data = params->data;
    writes.count++;
    if (!writes.interrupt_enabled)
        output_pump(port_read(PORT_LINE_STATUS));
}

// ---- Input -------------------------------------------------------------------------

static void read_answer(struct capos_server_call *call, uint32_t bytes_max)
{
    uint32_t bytes = input.bytes < bytes_max ? input.bytes : bytes_max;
    stdio_read_reply(call, &(struct stdio_read_results){.data = {input.data, bytes}});
    input.bytes -= bytes;
    memmove(input.data, input.data + bytes, input.bytes);
}

static void on_read(void *, struct capos_server_call *call,
                    const struct stdio_read_params *params)
{
    uint32_t bytes_max = params->max_bytes;
    if (bytes_max == 0 || bytes_max > STDIO_READ_RESULTS_DATA_BYTES_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "maxBytes: 1 to 61440");
        return;
    }
    if (input.bytes > 0) { // so nobody waits
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

// Takes what the device has; returns its line status then.
static uint8_t input_pump(void)
{
    uint8_t line_status;
    while (((line_status = port_read(PORT_LINE_STATUS)) & LINE_STATUS_INPUT) != 0) {
        uint8_t byte = port_read(PORT_DATA);
        if (input.bytes < INPUT_BYTES)
            input.data[input.bytes++] = byte;
    }
    while (reads_first != nullptr && input.bytes > 0) {
        struct capos_server_call *call = reads_first;
        reads_first = call->next;
        read_answer(call, (uint32_t)call->word);
    }
    return line_status;
}

static void interrupt_await(void);

static void interrupt_came(struct capos_call *wait, void *)
{
    require(interrupt_wait_finish(wait, nullptr), "waiting for the interrupt");
    output_pump(input_pump());
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
    static const struct capos_server_options options = {.receive_count = RECEIVE_COUNT,
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
