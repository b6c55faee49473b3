// SPDX-License-Identifier: MIT
// The link between a capOS machine and the `capos` command that started it:
// frames over the one port of a virtio console, in both directions.
//
// A frame is this header, then `size_bytes` bytes.  Numbers are little-endian.
// Each side sends at most as many payload bytes of a stream as the other has
// given credit for, so a slow reader on one side never makes the other side
// buffer without bound.
#pragma once

#include <stdint.h>

#define CAPOS_LINK_MAGIC             0xCA905u
#define CAPOS_LINK_PAYLOAD_BYTES_MAX 65536u
#define CAPOS_LINK_WINDOW_BYTES      (256u * 1024u) // initial credit of each stream

enum capos_link_kind {
    // guest to host
    CAPOS_LINK_HELLO = 1,  // the guest is up; payload: none
    CAPOS_LINK_STDOUT = 2, // payload: output bytes
    CAPOS_LINK_STDERR = 3,
    CAPOS_LINK_FINISH = 4,       // payload: struct capos_link_finish.  The last frame
    CAPOS_LINK_REFUSE = 5,       // payload: struct capos_link_refuse, then the reason
    CAPOS_LINK_STDIN_CREDIT = 6, // payload: u32 bytes consumed of stdin
    CAPOS_LINK_TRACE = 7,        // payload: records of abi/trace.h, perhaps only parts of them
    // host to guest
    CAPOS_LINK_STDIN = 16,         // payload: input bytes
    CAPOS_LINK_STDIN_END = 17,     // no more input; payload: none
    CAPOS_LINK_STDOUT_CREDIT = 18, // payload: u32 bytes written out
    CAPOS_LINK_STDERR_CREDIT = 19,
    CAPOS_LINK_STDOUT_CLOSED = 20, // nobody reads stdout any more
    CAPOS_LINK_STDERR_CLOSED = 21,
    CAPOS_LINK_INFO = 22, // payload: struct capos_link_info.  The first frame,
                          // and again when the window's size changes
};

struct capos_link_frame {
    uint32_t magic;
    uint16_t kind; // enum capos_link_kind
    uint16_t reserved;
    uint32_t size_bytes; // of the payload
    uint32_t reserved1;
};
static_assert(sizeof(struct capos_link_frame) == 16);

struct capos_link_finish {
    uint32_t end_kind;   // enum end_kind of the schema
    uint32_t fault_kind; // enum fault_kind of the schema
    int64_t exit_code;
    uint64_t fault_address;
    uint64_t instruction_pointer;
    uint64_t load_bias;
    uint64_t thread_id; // that faulted: 1 is the first; else 0
};
static_assert(sizeof(struct capos_link_finish) == 48);

struct capos_link_refuse {
    uint32_t refusal; // enum host_control_refusal of the schema
    uint32_t reserved;
};

struct capos_link_info {
    uint8_t terminal[3]; // of stdin, stdout, stderr: 1 if a terminal
    uint8_t reserved;
    uint16_t columns;
    uint16_t rows;
};
static_assert(sizeof(struct capos_link_info) == 8);
