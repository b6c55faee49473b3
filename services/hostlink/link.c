// SPDX-License-Identifier: MIT
// Frames from the host; see link.h.
#include "link.h"

#include <string.h>

// Credit is given back in pieces of this size: seldom, and before the host runs out.
constexpr uint32_t CREDIT_STEP_BYTES = CAPOS_LINK_WINDOW_BYTES / 4;

void link_init(struct link *link)
{
    memset(link, 0, offsetof(struct link, input));
    for (int i = 0; i < LINK_STREAMS; i++)
        link->credit[i] = CAPOS_LINK_WINDOW_BYTES;
}

struct capos_link_frame link_frame(enum capos_link_kind kind, uint32_t size_bytes)
{
    return (struct capos_link_frame){
        .magic = CAPOS_LINK_MAGIC, .kind = (uint16_t)kind, .size_bytes = size_bytes};
}

static bool broken(struct link *link, const char *why)
{
    link->broken = why;
    return false;
}

// ---- Input -------------------------------------------------------------------------

static bool input_put(struct link *link, const uint8_t *data, uint32_t bytes)
{
    uint32_t used = link->input_count + link->input_unreported;
    if (bytes > CAPOS_LINK_WINDOW_BYTES - used)
        return broken(link, "more input than it had credit for");
    uint32_t end = (link->input_first + link->input_count) % CAPOS_LINK_WINDOW_BYTES;
    uint32_t to_wrap = CAPOS_LINK_WINDOW_BYTES - end;
    uint32_t first = bytes < to_wrap ? bytes : to_wrap;
    memcpy(link->input + end, data, first);
    memcpy(link->input, data + first, bytes - first);
    link->input_count += bytes;
    return true;
}

size_t link_input_peek(const struct link *link, const uint8_t **out_data)
{
    uint32_t to_wrap = CAPOS_LINK_WINDOW_BYTES - link->input_first;
    *out_data = link->input + link->input_first;
    return link->input_count < to_wrap ? link->input_count : to_wrap;
}

void link_input_take(struct link *link, size_t size_bytes)
{
    link->input_first = (link->input_first + (uint32_t)size_bytes) % CAPOS_LINK_WINDOW_BYTES;
    link->input_count -= (uint32_t)size_bytes;
    link->input_unreported += (uint32_t)size_bytes;
}

uint32_t link_input_credit(struct link *link)
{
    uint32_t credit = link->input_unreported;
    if (credit < CREDIT_STEP_BYTES)
        return 0;
    link->input_unreported = 0;
    return credit;
}

// ---- Frames ------------------------------------------------------------------------

// Whether the host sends such frames.
static bool header_is_legal(const struct capos_link_frame *frame)
{
    switch (frame->kind) {
    case CAPOS_LINK_STDIN:
        return frame->size_bytes <= CAPOS_LINK_PAYLOAD_BYTES_MAX;
    case CAPOS_LINK_STDIN_END:
    case CAPOS_LINK_STDOUT_CLOSED:
    case CAPOS_LINK_STDERR_CLOSED:
        return frame->size_bytes == 0;
    case CAPOS_LINK_STDOUT_CREDIT:
    case CAPOS_LINK_STDERR_CREDIT:
        return frame->size_bytes == sizeof(uint32_t);
    case CAPOS_LINK_INFO:
        return frame->size_bytes == sizeof(struct capos_link_info);
    default:
        return false;
    }
}
static_assert(sizeof(struct capos_link_info) <= LINK_CONTROL_BYTES_MAX);

static bool credit_take(struct link *link, enum link_stream stream)
{
    uint32_t bytes;
    memcpy(&bytes, link->payload, sizeof bytes);
    if (bytes > CAPOS_LINK_WINDOW_BYTES - link->credit[stream])
        return broken(link, "credit for output that it never got");
    link->credit[stream] += bytes;
    return true;
}

// Acts on a frame that is complete.
static bool frame_take(struct link *link)
{
    switch (link->frame.kind) {
    case CAPOS_LINK_STDIN_END:
        link->input_ended = true;
        return true;
    case CAPOS_LINK_STDOUT_CREDIT:
        return credit_take(link, LINK_OUTPUT);
    case CAPOS_LINK_STDERR_CREDIT:
        return credit_take(link, LINK_ERROR);
    case CAPOS_LINK_STDOUT_CLOSED:
        link->closed[LINK_OUTPUT] = true;
        return true;
    case CAPOS_LINK_STDERR_CLOSED:
        link->closed[LINK_ERROR] = true;
        return true;
    case CAPOS_LINK_INFO:
        memcpy(&link->info, link->payload, sizeof link->info);
        link->info_known = true;
        return true;
    default: // input, which was stored as it came
        return true;
    }
}

// Collects the header; returns how many bytes it took.
static size_t header_take(struct link *link, const uint8_t *data, size_t bytes)
{
    size_t missing = sizeof link->frame - link->frame_bytes;
    size_t taken = bytes < missing ? bytes : missing;
    memcpy((uint8_t *)&link->frame + link->frame_bytes, data, taken);
    link->frame_bytes += (uint32_t)taken;
    return taken;
}

static bool header_check(struct link *link)
{
    if (link->frame.magic != CAPOS_LINK_MAGIC)
        return broken(link, "bytes that start no frame");
    if (!header_is_legal(&link->frame))
        return broken(link, "a frame of an unknown kind or a wrong length");
    if (link->frame.kind == CAPOS_LINK_STDIN && link->input_ended)
        return broken(link, "input behind its end");
    return true;
}

static bool payload_put(struct link *link, const uint8_t *data, uint32_t bytes)
{
    if (link->frame.kind == CAPOS_LINK_STDIN)
        return input_put(link, data, bytes);
    memcpy(link->payload + link->payload_bytes, data, bytes);
    return true;
}

bool link_receive(struct link *link, const uint8_t *data, size_t size_bytes)
{
    if (link->broken != nullptr)
        return false;
    for (;;) {
        if (link->frame_bytes < sizeof link->frame) {
            if (size_bytes == 0)
                return true;
            size_t taken = header_take(link, data, size_bytes);
            data += taken;
            size_bytes -= taken;
            if (link->frame_bytes < sizeof link->frame)
                return true;
            if (!header_check(link))
                return false;
        }
        uint32_t missing = link->frame.size_bytes - link->payload_bytes;
        uint32_t taken = size_bytes < missing ? (uint32_t)size_bytes : missing;
        if (!payload_put(link, data, taken))
            return false;
        data += taken;
        size_bytes -= taken;
        link->payload_bytes += taken;
        if (link->payload_bytes < link->frame.size_bytes)
            return true;
        link->frame_bytes = 0;
        link->payload_bytes = 0;
        if (!frame_take(link))
            return false;
    }
}
