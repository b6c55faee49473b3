// SPDX-License-Identifier: MIT
// hostlink: the way to the host that started the machine.
//
// It serves two interfaces on its endpoint: StdIO to the requested program, HostControl to
// init, and carries both over the frames of abi/host_link.h.  Calls are received straight
// into the memory that the device reads, so output isn't copied here.
//
//     link.c       frames and credits, without a device
//     allowance.c  what may be written through a StdIO with a limit
//     console.c    the virtio console
//
// Invariants:
//  1. Output of a stream goes out in the order of the calls, and only as far as the host
//     gave credit.  A write is answered when the device has taken its bytes.
//  2. The last frame, of HostControl.finish or refuse, goes out behind all output.
//  3. A piece of a trace needs no credit: init sends the next when one is on its way.
//
// What it doesn't do: line editing, signals; a terminal is the host's.
// Grants: memory, endpoint, devices, dma, interrupts; console, for its last words.
// Tested by link_test.c and by every booted test.
#include "allowance.h"
#include "console.h"
#include "link.h"

#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>

#include <gen/capos/endpoint.h>
#include <gen/capos/host_control.h>
#include <gen/capos/stdio.h>
#include <string.h>

constexpr uint32_t RECEIVE_COUNT = 6;
constexpr uint32_t RECEIVE_BYTES = STDIO_WRITE_PARAMS_BYTES_MAX;

static struct link link_state;
static struct console_memory receive_memory;
static struct capos_server server;
static endpoint_cap endpoint;

// ---- Calls that wait ---------------------------------------------------------------

struct call_queue {
    struct capos_server_call *first, *last;
};

static void queue_put(struct call_queue *queue, struct capos_server_call *call)
{
    call->next = nullptr;
    if (queue->first == nullptr)
        queue->first = call;
    else
        queue->last->next = call;
    queue->last = call;
}

static struct capos_server_call *queue_take(struct call_queue *queue)
{
    struct capos_server_call *call = queue->first;
    if (call != nullptr)
        queue->first = call->next;
    return call;
}

static struct call_queue writes[LINK_STREAMS]; // for credit or room in the device's queue
static struct call_queue reads;                // for input
static struct call_queue infos;                // for the host's first frame
static struct call_queue traces;               // for room in the device's queue
static struct call_queue resizes;              // for another size of the window
static struct call_queue endings;              // finish and refuse: for all output

// Waits in memory of its own, for who knows how long.
static void wait_detached(struct call_queue *queue, struct capos_server_call *call)
{
    struct capos_server_call *detached = capos_server_detach(call);
    if (detached == nullptr)
        capos_server_fail(call, STATUS_OVERLOADED, "hostlink is out of memory");
    else
        queue_put(queue, detached);
}

// ---- Output ------------------------------------------------------------------------

static const enum capos_link_kind stream_kind[LINK_STREAMS] = {
    [LINK_OUTPUT] = CAPOS_LINK_STDOUT,
    [LINK_ERROR] = CAPOS_LINK_STDERR,
};

// Sends a write if it may go now.  Its params were decoded before it was queued; they are
// in memory that its client doesn't reach.
static bool write_send(enum link_stream stream, struct capos_server_call *call)
{
    struct stdio_write_params params;
    if (stdio_write_params_decode(call->params, call->params_bytes, &params) != STATUS_OK)
        capos_panic("hostlink: a message changed");
    uint32_t bytes = params.data.size_bytes;
    struct capos_link_frame frame = link_frame(stream_kind[stream], bytes);
    if (bytes > link_state.credit[stream])
        return false;
    uint64_t offset = (uint64_t)(params.data.data - receive_memory.bytes);
    if (!console_send(&frame, receive_memory.bus_address + offset, call))
        return false;
    link_state.credit[stream] -= bytes;
    return true;
}

static void writes_send(enum link_stream stream)
{
    struct call_queue *queue = &writes[stream];
    while (queue->first != nullptr) {
        if (link_state.closed[stream])
            capos_server_fail(queue_take(queue), STATUS_DISCONNECTED,
                              "nobody reads that stream any more");
        else if (write_send(stream, queue->first))
            (void)queue_take(queue);
        else
            return;
    }
}

static void on_write(void *, struct capos_server_call *call,
                     const struct stdio_write_params *params)
{
    if (params->data.size_bytes == 0) {
        stdio_write_reply(call);
        return;
    }
    if (!allowance_take(call->word, params->data.size_bytes)) {
        capos_server_fail(call, STATUS_OVERLOADED,
                          "data: more than this StdIO's allowance has left");
        return;
    }
    enum link_stream stream = params->stream == OUTPUT_STREAM_ERROR ? LINK_ERROR : LINK_OUTPUT;
    queue_put(&writes[stream], call);
    writes_send(stream);
    console_poll();
}

static void on_limit(void *, struct capos_server_call *call,
                     const struct stdio_limit_params *params)
{
    uint64_t word;
    capos_cap_id object;
    enum status status = allowance_make(call->word, params->bytes_max, &word);
    if (status != STATUS_OK) {
        capos_server_fail(call, status,
                          status == STATUS_OVERLOADED
                              ? "hostlink keeps 64 allowances at most"
                              : "bytesMax: at most what this StdIO has left");
        static_assert(ALLOWANCE_COUNT_MAX == 64);
        return;
    }
    if (endpoint_mint(endpoint, INTERFACE_STDIO, word, &object) != STATUS_OK) {
        allowance_end(word);
        capos_server_fail(call, STATUS_OVERLOADED, "hostlink is out of memory");
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(object);
    stdio_limit_reply(call, &(struct stdio_limit_results){.stdio = 0}, &transfer, 1);
}

// ---- Input -------------------------------------------------------------------------

static void credit_send(void)
{
    static uint32_t owed; // what didn't fit the device's queue
    owed += link_input_credit(&link_state);
    struct capos_link_frame frame = link_frame(CAPOS_LINK_STDIN_CREDIT, sizeof owed);
    if (owed != 0 && console_send_copy(&frame, &owed, nullptr))
        owed = 0;
}

// Bytes that an answer holds without more memory than each call has, and what a message
// adds to its data at most.
constexpr size_t READ_BYTES_SURE = 64;
constexpr uint32_t READ_OVERHEAD_BYTES = 32;

static void read_answer(struct capos_server_call *call, uint32_t bytes_max)
{
    const uint8_t *data;
    size_t bytes = link_input_peek(&link_state, &data);
    if (bytes > bytes_max)
        bytes = bytes_max;
    // What is taken must arrive: with little memory it goes in smaller answers.
    while (bytes > READ_BYTES_SURE &&
           capos_server_reply_buffer(call, READ_OVERHEAD_BYTES + (uint32_t)bytes) == nullptr)
        bytes /= 2;
    stdio_read_reply(call, &(struct stdio_read_results){.data = {data, (uint32_t)bytes}});
    link_input_take(&link_state, bytes);
    credit_send();
}

static bool input_is_there(void)
{
    return link_state.input_count > 0 || link_state.input_ended;
}

static void reads_answer(void)
{
    while (reads.first != nullptr && input_is_there()) {
        struct capos_server_call *call = queue_take(&reads);
        read_answer(call, (uint32_t)call->word);
    }
}

static void on_read(void *, struct capos_server_call *call,
                    const struct stdio_read_params *params)
{
    uint32_t bytes_max = params->max_bytes;
    if (bytes_max == 0 || bytes_max > STDIO_READ_RESULTS_DATA_BYTES_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "maxBytes: 1 to 61440");
        return;
    }
    if (reads.first == nullptr && input_is_there()) {
        read_answer(call, bytes_max);
        console_poll();
        return;
    }
    call->word = bytes_max; // all clients are alike in this, so the word is free for it
    wait_detached(&reads, call);
}

// ---- What is at the other end ------------------------------------------------------

static void infos_answer(void)
{
    const struct capos_link_info *info = &link_state.info;
    while (link_state.info_known && infos.first != nullptr)
        stdio_info_reply(queue_take(&infos), &(struct stdio_info_results){
                                                 .input_is_terminal = info->terminal[0] == 1,
                                                 .output_is_terminal = info->terminal[1] == 1,
                                                 .error_is_terminal = info->terminal[2] == 1,
                                                 .columns = info->columns,
                                                 .rows = info->rows,
                                             });
}

static void on_info(void *, struct capos_server_call *call)
{
    if (link_state.info_known) {
        queue_put(&infos, call);
        infos_answer();
    } else {
        wait_detached(&infos, call);
    }
}

// ---- The trace ---------------------------------------------------------------------

static bool trace_send(struct capos_server_call *call)
{
    struct host_control_trace_params params;
    if (host_control_trace_params_decode(call->params, call->params_bytes, &params) !=
        STATUS_OK)
        capos_panic("hostlink: a message changed");
    struct capos_link_frame frame = link_frame(CAPOS_LINK_TRACE, params.data.size_bytes);
    uint64_t offset = (uint64_t)(params.data.data - receive_memory.bytes);
    return console_send(&frame, receive_memory.bus_address + offset, call);
}

static void traces_send(void)
{
    while (traces.first != nullptr && trace_send(traces.first))
        (void)queue_take(&traces);
}

static void on_trace(void *, struct capos_server_call *call,
                     const struct host_control_trace_params *params)
{
    if (params->data.size_bytes == 0) {
        host_control_trace_reply(call);
        return;
    }
    queue_put(&traces, call);
    traces_send();
    console_poll();
}

static bool size_differs(const struct capos_server_call *call)
{
    return call->word != ((uint64_t)link_state.info.columns << 16 | link_state.info.rows);
}

// Answers those who know another size than the host told last.
static void resizes_answer(void)
{
    struct call_queue waiting = resizes;
    struct capos_server_call *call;
    resizes = (struct call_queue){};
    while ((call = queue_take(&waiting)) != nullptr) {
        if (!link_state.info_known || !size_differs(call))
            queue_put(&resizes, call);
        else
            stdio_wait_resize_reply(call, &(struct stdio_wait_resize_results){
                                              .columns = link_state.info.columns,
                                              .rows = link_state.info.rows,
                                          });
    }
}

static void on_wait_resize(void *, struct capos_server_call *call,
                           const struct stdio_wait_resize_params *params)
{
    call->word = (uint64_t)params->columns << 16 | params->rows; // as in on_read
    wait_detached(&resizes, call);
    resizes_answer();
}

// ---- The end of the program --------------------------------------------------------

static struct {
    struct capos_link_frame frame; // kind 0: the program runs
    uint8_t
        payload[sizeof(struct capos_link_refuse) + HOST_CONTROL_REFUSE_PARAMS_REASON_BYTES_MAX];
    bool sent;
} ending;

static void ending_send(void)
{
    if (ending.frame.kind == 0 || ending.sent || writes[LINK_OUTPUT].first != nullptr ||
        writes[LINK_ERROR].first != nullptr)
        return;
    ending.sent = console_send_copy(&ending.frame, ending.payload, &ending);
}

static void ending_begin(struct capos_server_call *call, enum capos_link_kind kind,
                         uint32_t payload_bytes)
{
    ending.frame = link_frame(kind, payload_bytes);
    queue_put(&endings, call);
    ending_send();
    console_poll();
}

static bool ending_refuse_second(struct capos_server_call *call)
{
    if (ending.frame.kind == 0)
        return false;
    capos_server_fail(call, STATUS_FAILED, "the end was reported before");
    return true;
}

static void on_finish(void *, struct capos_server_call *call,
                      const struct host_control_finish_params *params)
{
    struct capos_link_finish finish = {
        .end_kind = params->kind,
        .fault_kind = params->fault,
        .exit_code = params->exit_code,
        .fault_address = params->fault_address,
        .instruction_pointer = params->instruction_pointer,
        .load_bias = params->load_bias,
        .thread_id = params->thread_id,
    };
    if (ending_refuse_second(call))
        return;
    memcpy(ending.payload, &finish, sizeof finish);
    ending_begin(call, CAPOS_LINK_FINISH, sizeof finish);
}

static void on_refuse(void *, struct capos_server_call *call,
                      const struct host_control_refuse_params *params)
{
    struct capos_link_refuse refuse = {.refusal = params->refusal};
    if (ending_refuse_second(call))
        return;
    memcpy(ending.payload, &refuse, sizeof refuse);
    memcpy(ending.payload + sizeof refuse, params->reason.text, params->reason.size_bytes);
    ending_begin(call, CAPOS_LINK_REFUSE, (uint32_t)sizeof refuse + params->reason.size_bytes);
}

// ---- Events ------------------------------------------------------------------------

static void on_sent(void *owner)
{
    if (owner == &ending) {
        // Both replies are empty, so one serves for either method.
        host_control_finish_reply(queue_take(&endings));
        return;
    }
    struct capos_server_call *call = owner;
    if (call->interface_id == INTERFACE_HOST_CONTROL)
        host_control_trace_reply(call);
    else
        stdio_write_reply(call);
    // There is room in the device's queue now.
    writes_send(LINK_OUTPUT);
    writes_send(LINK_ERROR);
    traces_send();
    credit_send();
    ending_send();
}

static void on_received(const uint8_t *data, uint32_t size_bytes)
{
    if (!link_receive(&link_state, data, size_bytes))
        capos_panic("hostlink: the host sent %s", link_state.broken);
    infos_answer();
    resizes_answer();
    reads_answer();
    writes_send(LINK_OUTPUT);
    writes_send(LINK_ERROR);
    ending_send();
}

static void on_call(void *, struct capos_server_call *call)
{
    static const struct stdio_server_ops stdio = {
        .read = on_read,
        .write = on_write,
        .info = on_info,
        .wait_resize = on_wait_resize,
        .limit = on_limit,
    };
    static const struct host_control_server_ops host_control = {
        .finish = on_finish, .refuse = on_refuse, .trace = on_trace};
    if (call->interface_id == INTERFACE_STDIO)
        stdio_serve(&stdio, nullptr, call);
    else if (call->interface_id == INTERFACE_HOST_CONTROL)
        host_control_serve(&host_control, nullptr, call);
    else
        capos_server_fail(call, STATUS_UNIMPLEMENTED, "hostlink serves StdIO and HostControl");
}

static void on_released(void *, uint64_t word)
{
    allowance_end(word);
}

static void on_open(void)
{
    struct capos_link_frame hello = link_frame(CAPOS_LINK_HELLO, 0);
    if (!console_send_copy(&hello, nullptr, nullptr))
        capos_panic("hostlink: no room for the first frame");
    console_poll();
}

int main(void)
{
    static const struct console_handlers handlers = {
        .on_open = on_open, .on_received = on_received, .on_sent = on_sent};
    static const struct capos_server_handlers calls = {.on_call = on_call,
                                                       .on_released = on_released};
    link_init(&link_state);
    console_start(&handlers, RECEIVE_COUNT * capos_server_buffer_bytes(RECEIVE_BYTES),
                  &receive_memory);
    if (endpoint_cap_find("endpoint", &endpoint) != STATUS_OK)
        capos_panic("hostlink: needs its endpoint");
    struct capos_server_options options = {.receive_count = RECEIVE_COUNT,
                                           .message_bytes_max = RECEIVE_BYTES,
                                           .buffers = receive_memory.bytes};
    enum status status = capos_server_start(&server, endpoint.id, &calls, nullptr, &options);
    if (status != STATUS_OK)
        capos_panic("hostlink: can't start to serve: %s", status_name(status));
    capos_loop_run();
    return 0;
}
