// SPDX-License-Identifier: MIT
// The host's half of abi/host_link.h as a protocol engine: bytes in, events and bytes
// out.  It does no input or output itself; run.c moves the bytes.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/host_link.h>

enum link_stream {
    LINK_OUTPUT, // the guest's stdout
    LINK_ERROR,  // the guest's stderr
    LINK_STREAM_COUNT,
};

enum link_event_kind {
    LINK_NOTHING, // no complete frame yet
    LINK_HELLO,
    LINK_DATA,   // stream, data, data_bytes
    LINK_TRACE,  // data, data_bytes: records, perhaps parts of them
    LINK_FINISH, // finish
    LINK_REFUSE, // refusal; data is the reason
    LINK_BROKEN, // problem says what the guest did wrong; the link is unusable
};

struct link_event {
    enum link_event_kind kind;
    enum link_stream stream;
    const uint8_t *data; // valid until the next link_input_space
    size_t data_bytes;
    struct capos_link_finish finish;
    uint32_t refusal;
    const char *problem;
};

constexpr size_t LINK_FRAME_BYTES_MAX =
    sizeof(struct capos_link_frame) + CAPOS_LINK_PAYLOAD_BYTES_MAX;
constexpr size_t LINK_CONTROL_BYTES_MAX = 256; // all control frames that can be due at once

struct link {
    uint8_t input[2 * LINK_FRAME_BYTES_MAX];
    size_t input_start, input_end; // bytes received and not yet taken by link_next
    uint8_t output[LINK_FRAME_BYTES_MAX + LINK_CONTROL_BYTES_MAX];
    size_t output_start, output_end; // bytes queued and not yet sent
    uint32_t input_credit;           // stdin bytes that the guest still takes
    bool input_ended;                // STDIN_END is queued or sent
    bool end_due;
    bool info_due;
    struct capos_link_info info;
    struct {
        uint32_t window;     // bytes that the guest may still send
        uint32_t credit_due; // bytes written out and not yet reported
        bool closed, closed_due;
    } streams[LINK_STREAM_COUNT];
};

// Starts a conversation: queues the INFO frame.
void link_init(struct link *link, const struct capos_link_info *info);

// Tells that the terminal is another now: the guest hears of the last state.
void link_tell_info(struct link *link, const struct capos_link_info *info);

// Room for bytes from the guest, always at least one byte after link_next has returned
// LINK_NOTHING.  Invalidates the data of earlier events.
[[nodiscard]] size_t link_input_space(struct link *link, uint8_t **out_space);
// Tells how many bytes were put there.
void link_input_received(struct link *link, size_t bytes);
// Takes the next complete frame.
[[nodiscard]] struct link_event link_next(struct link *link);

// Room for a piece of stdin: 0 while the guest doesn't take more, after the end, or
// while an earlier piece is still queued.
[[nodiscard]] size_t link_stdin_space(struct link *link, uint8_t **out_space);
// Queues `bytes` of stdin that were put there; 0 bytes is the end of input.
void link_stdin_read(struct link *link, size_t bytes);

// How many of the last bytes of stdin the guest has not taken yet.
[[nodiscard]] size_t link_stdin_unused(const struct link *link);

// Tells that bytes of LINK_DATA left for good, so that the guest may send more.
void link_data_written(struct link *link, enum link_stream stream, size_t bytes);
// Tells that nobody reads a stream any more; what still comes is to be dropped.
void link_stream_closed(struct link *link, enum link_stream stream);

// Bytes to send to the guest, and how many of them were sent.
[[nodiscard]] size_t link_output(struct link *link, const uint8_t **out_bytes);
void link_output_sent(struct link *link, size_t bytes);
