// SPDX-License-Identifier: MIT
// Serves the ends of pipes; the rules are in the header.
#include "pipe.h"

#include <capos/loop.h>
#include <capos/server.h>

#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <stdlib.h>

constexpr uint32_t QUEUE_MAX = 16;
constexpr uint32_t RECEIVE_COUNT = 2; // so that an error can be written beside a blocked write
constexpr uint64_t WORD = 1;          // an end is the only object of its endpoint

static const char out_of_memory[] = "the shell is out of memory";
static const char nobody[] = "nobody holds it any more";
static uint32_t ends_open;

// A queue of calls that wait, through their `next`.
struct waiting {
    struct capos_server_call *first, *last;
};

struct pipe {
    struct waiting reads;  // detached; the word is the most bytes to return
    struct waiting writes; // in their receive buffers
    uint32_t taken_bytes;  // of the first write
    bool writer_gone, reader_gone;
};

// Calls of one method on their way to the outer StdIO, one at a time: what programs ask for
// doesn't fill the shell's ring, and writes keep their order.
struct lane {
    struct capos_call call;
    struct capos_server_call *client; // of the call under way; nullptr: none
    struct waiting queue;
    enum status (*begin)(struct pipe_end *end, const struct capos_server_call *client);
    void (*done)(struct capos_call *call, void *end);
};

struct pipe_end {
    struct capos_server server;
    endpoint_cap endpoint;
    stdio_cap stdio; // until it is taken
    stdio_cap outer;
    struct pipe *from, *to; // nullptr: the outer StdIO
    struct pipe pipe;       // that the end before it reads from and this end writes to
    struct lane reads;      // detached; the word is the most bytes to return
    struct lane writes;     // in their receive buffers
    struct lane resizes;    // detached; the word is the known size
};

static void append(struct waiting *queue, struct capos_server_call *call)
{
    call->next = nullptr;
    if (queue->first == nullptr)
        queue->first = call;
    else
        queue->last->next = call;
    queue->last = call;
}

static struct capos_server_call *take(struct waiting *queue)
{
    struct capos_server_call *call = queue->first;
    if (call != nullptr)
        queue->first = call->next;
    return call;
}

// ---- The pipe ----------------------------------------------------------------------

static void answer_read(struct capos_server_call *read, const uint8_t *data, uint32_t bytes)
{
    stdio_read_reply(read, &(struct stdio_read_results){.data = {data, bytes}});
}

static struct stdio_write_params params_of(const struct capos_server_call *write)
{
    struct stdio_write_params params;
    // It was decoded when it came, and lies in memory of this process.
    if (stdio_write_params_decode(write->params, write->params_bytes, &params) != STATUS_OK)
        abort();
    return params;
}

// Brings what waits for one another together.
static void pipe_pump(struct pipe *pipe)
{
    while (pipe->reads.first != nullptr && pipe->writes.first != nullptr) {
        struct wire_data data = params_of(pipe->writes.first).data;
        struct capos_server_call *read = take(&pipe->reads);
        uint32_t bytes = data.size_bytes - pipe->taken_bytes;
        if (bytes > read->word)
            bytes = (uint32_t)read->word;
        answer_read(read, data.data + pipe->taken_bytes, bytes);
        pipe->taken_bytes += bytes;
        if (pipe->taken_bytes == data.size_bytes) {
            stdio_write_reply(take(&pipe->writes));
            pipe->taken_bytes = 0;
        }
    }
    while (pipe->writer_gone && pipe->writes.first == nullptr && pipe->reads.first != nullptr)
        answer_read(take(&pipe->reads), nullptr, 0);
    while (pipe->reader_gone && pipe->writes.first != nullptr)
        capos_server_fail(take(&pipe->writes), STATUS_DISCONNECTED,
                          "nobody reads the pipe any more");
}

// ---- Passing on --------------------------------------------------------------------

static void fail_as(struct capos_server_call *client, enum status status)
{
    if (status <= STATUS_INVALID_ARGUMENT)
        capos_server_fail(client, status, capos_last_exception()->reason);
    else
        capos_server_fail(client, STATUS_DISCONNECTED, "the StdIO behind the pipe is gone");
}

static void lane_pump(struct lane *lane, struct pipe_end *end)
{
    while (lane->client == nullptr && lane->queue.first != nullptr) {
        struct capos_server_call *client = take(&lane->queue);
        enum status status = lane->begin(end, client);
        if (status != STATUS_OK) {
            capos_server_fail(client, STATUS_OVERLOADED, out_of_memory);
            continue;
        }
        lane->client = client;
        capos_call_on_done(&lane->call, lane->done, end);
    }
}

// The call under way has been answered, or is about to be.
static struct capos_server_call *lane_take(struct lane *lane)
{
    struct capos_server_call *client = lane->client;
    lane->client = nullptr;
    return client;
}

static enum status read_begin(struct pipe_end *end, const struct capos_server_call *client)
{
    return stdio_read_begin(&end->reads.call, end->outer, (uint32_t)client->word);
}

static void read_done(struct capos_call *call, void *context)
{
    static uint8_t data[STDIO_READ_RESULTS_DATA_BYTES_MAX];
    struct pipe_end *end = context;
    struct capos_server_call *client = lane_take(&end->reads);
    size_t bytes;
    enum status status = stdio_read_finish(call, data, sizeof data, &bytes);
    if (status == STATUS_OK)
        answer_read(client, data, (uint32_t)bytes);
    else
        fail_as(client, status);
    lane_pump(&end->reads, end);
}

static enum status write_begin(struct pipe_end *end, const struct capos_server_call *client)
{
    struct stdio_write_params params = params_of(client);
    return stdio_write_begin(&end->writes.call, end->outer, params.stream, params.data.data,
                             params.data.size_bytes);
}

static void write_done(struct capos_call *call, void *context)
{
    struct pipe_end *end = context;
    struct capos_server_call *client = lane_take(&end->writes);
    enum status status = stdio_write_finish(call);
    if (status == STATUS_OK)
        stdio_write_reply(client);
    else
        fail_as(client, status);
    lane_pump(&end->writes, end);
}

static enum status resize_begin(struct pipe_end *end, const struct capos_server_call *client)
{
    return stdio_wait_resize_begin(&end->resizes.call, end->outer,
                                   (uint16_t)(client->word >> 16), (uint16_t)client->word);
}

static void resize_done(struct capos_call *call, void *context)
{
    struct pipe_end *end = context;
    struct capos_server_call *client = lane_take(&end->resizes);
    struct stdio_wait_resize_results size;
    enum status status = stdio_wait_resize_finish(call, &size.columns, &size.rows);
    if (status == STATUS_OK)
        stdio_wait_resize_reply(client, &size);
    else
        fail_as(client, status);
    lane_pump(&end->resizes, end);
}

// Queues a call that waits without its parameters but for `word`.
static bool queue_detached(struct waiting *queue, struct capos_server_call *call, uint64_t word)
{
    struct capos_server_call *detached = capos_server_detach(call);
    if (detached == nullptr) {
        capos_server_fail(call, STATUS_OVERLOADED, out_of_memory);
        return false;
    }
    detached->word = word;
    append(queue, detached);
    return true;
}

// ---- Calls -------------------------------------------------------------------------

static void on_read(void *context, struct capos_server_call *call,
                    const struct stdio_read_params *params)
{
    struct pipe_end *end = context;
    uint32_t bytes_max = params->max_bytes;
    struct waiting *queue = end->from != nullptr ? &end->from->reads : &end->reads.queue;
    if (bytes_max == 0 || bytes_max > STDIO_READ_RESULTS_DATA_BYTES_MAX)
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "maxBytes: 1 to 61440");
    else if (!queue_detached(queue, call, bytes_max))
        ;
    else if (end->from != nullptr)
        pipe_pump(end->from);
    else
        lane_pump(&end->reads, end);
}

static void on_write(void *context, struct capos_server_call *call,
                     const struct stdio_write_params *params)
{
    struct pipe_end *end = context;
    if (end->to == nullptr || params->stream != OUTPUT_STREAM_OUTPUT) {
        append(&end->writes.queue, call);
        lane_pump(&end->writes, end);
    } else if (params->data.size_bytes == 0) {
        stdio_write_reply(call);
    } else {
        append(&end->to->writes, call);
        pipe_pump(end->to);
    }
}

// Asks the outer StdIO at once: whoever serves one answers this without waiting.
static void on_info(void *context, struct capos_server_call *call)
{
    const struct pipe_end *end = context;
    struct stdio_info_results info;
    enum status status =
        stdio_info(end->outer, &info.input_is_terminal, &info.output_is_terminal,
                   &info.error_is_terminal, &info.columns, &info.rows);
    info.input_is_terminal = info.input_is_terminal && end->from == nullptr;
    info.output_is_terminal = info.output_is_terminal && end->to == nullptr;
    if (status == STATUS_OK)
        stdio_info_reply(call, &info);
    else
        fail_as(call, status);
}

static void on_wait_resize(void *context, struct capos_server_call *call,
                           const struct stdio_wait_resize_params *params)
{
    struct pipe_end *end = context;
    if (queue_detached(&end->resizes.queue, call,
                       (uint64_t)params->columns << 16 | params->rows))
        lane_pump(&end->resizes, end);
}

static void on_call(void *context, struct capos_server_call *call)
{
    static const struct stdio_server_ops ops = {
        .read = on_read, .write = on_write, .info = on_info, .wait_resize = on_wait_resize};
    stdio_serve(&ops, context, call);
}

static void lane_close(struct lane *lane)
{
    while (lane->queue.first != nullptr)
        capos_server_fail(take(&lane->queue), STATUS_DISCONNECTED, nobody);
    if (lane->client != nullptr)
        capos_call_cancel(&lane->call);
}

static void on_released(void *context, uint64_t)
{
    struct pipe_end *end = context;
    lane_close(&end->reads);
    lane_close(&end->resizes);
    if (end->from != nullptr) {
        while (end->from->reads.first != nullptr)
            answer_read(take(&end->from->reads), nullptr, 0); // to nobody
        end->from->reader_gone = true;
        pipe_pump(end->from);
    }
    if (end->to != nullptr) {
        end->to->writer_gone = true;
        pipe_pump(end->to);
    }
}

// ---- Ends --------------------------------------------------------------------------

static enum status end_open(struct pipe_end *end)
{
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    static const struct capos_server_options options = {
        .receive_count = RECEIVE_COUNT, .message_bytes_max = STDIO_WRITE_PARAMS_BYTES_MAX};
    memory_budget_cap budget;
    enum status status = memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = memory_budget_create_endpoint(budget, QUEUE_MAX, &end->endpoint);
    if (status != STATUS_OK)
        return status;
    status = endpoint_mint(end->endpoint, INTERFACE_STDIO, WORD, &end->stdio.id);
    if (status == STATUS_OK)
        status = capos_server_start(&end->server, end->endpoint.id, &handlers, end, &options);
    if (status != STATUS_OK) {
        stdio_cap_release(&end->stdio);
        endpoint_cap_release(&end->endpoint);
    }
    return status;
}

static void end_close(struct pipe_end *end)
{
    stdio_cap_release(&end->stdio);
    struct lane *const lanes[] = {&end->reads, &end->writes, &end->resizes};
    for (uint32_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        lane_close(lanes[i]);
        while (lanes[i]->client != nullptr)
            capos_loop_step(true);
    }
    capos_server_stop(&end->server);
    endpoint_cap_release(&end->endpoint);
}

enum status pipe_create(const stdio_cap *outers, uint32_t count, struct pipe_end **out_ends)
{
    if (count > PIPE_ENDS_MAX - ends_open)
        return STATUS_OVERLOADED;
    for (uint32_t i = 0; i < count; i++) {
        struct pipe_end *end = calloc(1, sizeof *end);
        enum status status = end != nullptr ? end_open(end) : STATUS_OVERLOADED;
        if (status != STATUS_OK) {
            free(end);
            pipe_destroy(out_ends, i);
            return status;
        }
        ends_open++;
        end->outer = outers[i];
        end->reads.begin = read_begin;
        end->reads.done = read_done;
        end->writes.begin = write_begin;
        end->writes.done = write_done;
        end->resizes.begin = resize_begin;
        end->resizes.done = resize_done;
        if (i > 0) {
            end->from = &out_ends[i - 1]->pipe;
            out_ends[i - 1]->to = end->from;
        }
        out_ends[i] = end;
    }
    return STATUS_OK;
}

stdio_cap pipe_end_take(struct pipe_end *end)
{
    stdio_cap stdio = end->stdio;
    end->stdio.id = 0;
    return stdio;
}

void pipe_destroy(struct pipe_end **ends, uint32_t count)
{
    // Nobody reads what is still on its way; then nothing waits in a server that stops.
    for (uint32_t i = 0; i < count; i++) {
        ends[i]->pipe.reader_gone = ends[i]->pipe.writer_gone = true;
        pipe_pump(&ends[i]->pipe);
    }
    for (uint32_t i = 0; i < count; i++)
        end_close(ends[i]);
    // Not before: a release that is told in the middle reaches into the pipe next to it.
    for (uint32_t i = 0; i < count; i++)
        free(ends[i]);
    ends_open -= count;
}
