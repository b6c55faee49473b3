// SPDX-License-Identifier: MIT
// The guest's end of the host link as arithmetic: frames in, credits and input out
// (link.c).  abi/host_link.h has the format.
//
// Bytes go in, states come out: nothing here knows of devices or of clients, so it runs
// in a host test.
//
// Invariants:
//  1. The host is given credit for no more input than there is room for, so
//     link_receive always has a place for what a well-behaved host sends.
//  2. A host that breaks the protocol breaks the link, for good, and nothing else.
//
// Tested by link_test.c.
#pragma once

#include <abi/host_link.h>
#include <stddef.h>
#include <stdint.h>

enum link_stream {
    LINK_OUTPUT,
    LINK_ERROR,
    LINK_STREAMS,
};

// The largest payload of a frame from the host, other than input.
constexpr uint32_t LINK_CONTROL_BYTES_MAX = 8;

struct link {
    // What the host sent of a frame so far.
    struct capos_link_frame frame;
    uint32_t frame_bytes;   // of the header
    uint32_t payload_bytes; // of the payload
    uint8_t payload[LINK_CONTROL_BYTES_MAX];
    const char *broken; // why the link is, or nullptr

    uint32_t credit[LINK_STREAMS]; // bytes that may be sent
    bool closed[LINK_STREAMS];     // nobody reads any more

    struct capos_link_info info;
    bool info_known;

    // Input that nobody has read yet: a circle.
    uint32_t input_first;
    uint32_t input_count;
    uint32_t input_unreported; // read, and the host doesn't know
    bool input_ended;
    uint8_t input[CAPOS_LINK_WINDOW_BYTES];
};

void link_init(struct link *link);

// Takes what the host sent.  False: the link is broken, link->broken says why.
[[nodiscard]] bool link_receive(struct link *link, const uint8_t *data, size_t size_bytes);

// Unread input that lies in one piece; 0 bytes if there is none now.
[[nodiscard]] size_t link_input_peek(const struct link *link, const uint8_t **out_data);
// Some of it was read.
void link_input_take(struct link *link, size_t size_bytes);
// The credit to give to the host now, 0 for none yet.  The caller sends it.
[[nodiscard]] uint32_t link_input_credit(struct link *link);

// The header of a frame to the host.
[[nodiscard]] struct capos_link_frame link_frame(enum capos_link_kind kind,
                                                 uint32_t size_bytes);
