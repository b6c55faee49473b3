// SPDX-License-Identifier: MIT
// Owns the framing and the credit of the host link.
//
//  1. The guest is not trusted: a bad magic, an impossible length, more data than it has
//     credit for end the conversation (LINK_BROKEN), and nothing is read out of bounds.
//  2. `output` holds at most one frame of stdin and control frames.  Credit is added up
//     and told in one frame when there is room, so control frames never pile up.
//  3. Frames leave in the order in which they are queued; STDIN_END after all of stdin.
//
// It knows no file descriptors: run.c does.  Tested by link_test.c.
#include "link.h"

#include <assert.h>
#include <string.h>

static void queue_frame(struct link *link, uint16_t kind, const void *payload, uint32_t bytes)
{
    struct capos_link_frame frame = {
        .magic = CAPOS_LINK_MAGIC, .kind = kind, .size_bytes = bytes};
    assert(sizeof link->output - link->output_end >= sizeof frame + bytes);
    memcpy(link->output + link->output_end, &frame, sizeof frame);
    if (bytes > 0)
        memcpy(link->output + link->output_end + sizeof frame, payload, bytes);
    link->output_end += sizeof frame + bytes;
}

void link_init(struct link *link, const struct capos_link_info *info)
{
    *link = (struct link){.input_credit = CAPOS_LINK_WINDOW_BYTES};
    for (int i = 0; i < LINK_STREAM_COUNT; i++)
        link->streams[i].window = CAPOS_LINK_WINDOW_BYTES;
    queue_frame(link, CAPOS_LINK_INFO, info, sizeof *info);
}

void link_tell_info(struct link *link, const struct capos_link_info *info)
{
    link->info = *info;
    link->info_due = true;
}

// ---- From the guest ----------------------------------------------------------------

size_t link_input_space(struct link *link, uint8_t **out_space)
{
    size_t held = link->input_end - link->input_start;
    memmove(link->input, link->input + link->input_start, held);
    link->input_start = 0;
    link->input_end = held;
    *out_space = link->input + held;
    return sizeof link->input - held;
}

void link_input_received(struct link *link, size_t bytes)
{
    assert(bytes <= sizeof link->input - link->input_end);
    link->input_end += bytes;
}

static struct link_event broken(const char *problem)
{
    return (struct link_event){.kind = LINK_BROKEN, .problem = problem};
}

static struct link_event take_data(struct link *link, enum link_stream stream,
                                   const uint8_t *data, uint32_t bytes)
{
    if (bytes > link->streams[stream].window)
        return broken("it sent more output than it had credit for");
    link->streams[stream].window -= bytes;
    return (struct link_event){
        .kind = LINK_DATA, .stream = stream, .data = data, .data_bytes = bytes};
}

static struct link_event take_credit(struct link *link, const uint8_t *data, uint32_t bytes)
{
    uint32_t credit;
    if (bytes != sizeof credit)
        return broken("a credit frame has a wrong length");
    memcpy(&credit, data, sizeof credit);
    if (credit > CAPOS_LINK_WINDOW_BYTES - link->input_credit)
        return broken("it gave credit for input that it never got");
    link->input_credit += credit;
    return (struct link_event){.kind = LINK_NOTHING};
}

static struct link_event take_finish(const uint8_t *data, uint32_t bytes)
{
    struct link_event event = {.kind = LINK_FINISH};
    if (bytes != sizeof event.finish)
        return broken("the finish frame has a wrong length");
    memcpy(&event.finish, data, sizeof event.finish);
    return event;
}

static struct link_event take_refuse(const uint8_t *data, uint32_t bytes)
{
    struct capos_link_refuse refuse;
    if (bytes < sizeof refuse)
        return broken("the refuse frame is too short");
    memcpy(&refuse, data, sizeof refuse);
    return (struct link_event){.kind = LINK_REFUSE,
                               .refusal = refuse.refusal,
                               .data = data + sizeof refuse,
                               .data_bytes = bytes - sizeof refuse};
}

static struct link_event take_frame(struct link *link, const struct capos_link_frame *frame,
                                    const uint8_t *payload)
{
    switch (frame->kind) {
    case CAPOS_LINK_HELLO:
        return (struct link_event){.kind = LINK_HELLO};
    case CAPOS_LINK_STDOUT:
        return take_data(link, LINK_OUTPUT, payload, frame->size_bytes);
    case CAPOS_LINK_STDERR:
        return take_data(link, LINK_ERROR, payload, frame->size_bytes);
    case CAPOS_LINK_FINISH:
        return take_finish(payload, frame->size_bytes);
    case CAPOS_LINK_REFUSE:
        return take_refuse(payload, frame->size_bytes);
    case CAPOS_LINK_TRACE:
        return (struct link_event){
            .kind = LINK_TRACE, .data = payload, .data_bytes = frame->size_bytes};
    case CAPOS_LINK_STDIN_CREDIT:
        return take_credit(link, payload, frame->size_bytes);
    default:
        return broken("it sent a frame of an unknown kind");
    }
}

struct link_event link_next(struct link *link)
{
    struct link_event event = {.kind = LINK_NOTHING};
    while (event.kind == LINK_NOTHING) {
        struct capos_link_frame frame;
        size_t held = link->input_end - link->input_start;
        if (held < sizeof frame)
            return event;
        const uint8_t *start = link->input + link->input_start;
        memcpy(&frame, start, sizeof frame);
        if (frame.magic != CAPOS_LINK_MAGIC)
            return broken("it sent something that isn't a frame");
        if (frame.size_bytes > CAPOS_LINK_PAYLOAD_BYTES_MAX)
            return broken("it sent a frame that is too long");
        if (held - sizeof frame < frame.size_bytes)
            return event;
        event = take_frame(link, &frame, start + sizeof frame);
        link->input_start += sizeof frame + frame.size_bytes;
    }
    return event;
}

// ---- To the guest ------------------------------------------------------------------

static constexpr uint16_t credit_kind[] = {CAPOS_LINK_STDOUT_CREDIT, CAPOS_LINK_STDERR_CREDIT};
static constexpr uint16_t closed_kind[] = {CAPOS_LINK_STDOUT_CLOSED, CAPOS_LINK_STDERR_CLOSED};

// Queues the control frames that are due, if the reserve for them is free.
static void queue_control(struct link *link)
{
    if (sizeof link->output - link->output_end < LINK_CONTROL_BYTES_MAX)
        return;
    for (int i = 0; i < LINK_STREAM_COUNT; i++) {
        if (link->streams[i].closed_due)
            queue_frame(link, closed_kind[i], nullptr, 0);
        uint32_t credit = link->streams[i].credit_due;
        if (credit > 0) {
            queue_frame(link, credit_kind[i], &credit, sizeof credit);
            link->streams[i].window += credit;
        }
        link->streams[i].closed_due = false;
        link->streams[i].credit_due = 0;
    }
    if (link->info_due)
        queue_frame(link, CAPOS_LINK_INFO, &link->info, sizeof link->info);
    link->info_due = false;
    if (link->end_due)
        queue_frame(link, CAPOS_LINK_STDIN_END, nullptr, 0);
    link->end_due = false;
}

size_t link_stdin_space(struct link *link, uint8_t **out_space)
{
    if (link->input_ended || link->input_credit == 0 || link->output_end > 0)
        return 0;
    *out_space = link->output + sizeof(struct capos_link_frame);
    return link->input_credit < CAPOS_LINK_PAYLOAD_BYTES_MAX ? link->input_credit
                                                             : CAPOS_LINK_PAYLOAD_BYTES_MAX;
}

void link_stdin_read(struct link *link, size_t bytes)
{
    assert(!link->input_ended && bytes <= link->input_credit);
    if (bytes == 0) {
        link->input_ended = true;
        link->end_due = true;
        return;
    }
    assert(link->output_end == 0 && bytes <= CAPOS_LINK_PAYLOAD_BYTES_MAX);
    struct capos_link_frame frame = {
        .magic = CAPOS_LINK_MAGIC, .kind = CAPOS_LINK_STDIN, .size_bytes = (uint32_t)bytes};
    memcpy(link->output, &frame, sizeof frame);
    link->output_end = sizeof frame + bytes;
    link->input_credit -= (uint32_t)bytes;
}

size_t link_stdin_unused(const struct link *link)
{
    return CAPOS_LINK_WINDOW_BYTES - link->input_credit;
}

void link_data_written(struct link *link, enum link_stream stream, size_t bytes)
{
    assert(bytes <= CAPOS_LINK_WINDOW_BYTES);
    link->streams[stream].credit_due += (uint32_t)bytes;
}

void link_stream_closed(struct link *link, enum link_stream stream)
{
    if (link->streams[stream].closed)
        return;
    link->streams[stream].closed = true;
    link->streams[stream].closed_due = true;
}

size_t link_output(struct link *link, const uint8_t **out_bytes)
{
    queue_control(link);
    *out_bytes = link->output + link->output_start;
    return link->output_end - link->output_start;
}

void link_output_sent(struct link *link, size_t bytes)
{
    assert(bytes <= link->output_end - link->output_start);
    link->output_start += bytes;
    if (link->output_start == link->output_end)
        link->output_start = link->output_end = 0;
}
