// SPDX-License-Identifier: MIT
// The trace of a process: what the kernel writes of each call that it makes or serves, and of
// every other submission but NOP, into a MemoryObject that the process's parent gave to
// ProcessBuilder.trace.
//
// The object begins with this header, alone in its first page; the rest is a ring of bytes
// with records.  The kernel appends behind `write_bytes`, the parent consumes up to it and
// advances `read_bytes`; both count bytes since the beginning, and the byte is the position
// modulo `data_bytes`.  A record may wrap around the end.
//
// Invariants:
//  1. The kernel never waits: a record that doesn't fit is dropped and counted, and a record
//     CAPOS_TRACE_LOST comes before the next one that fits.
//  2. Of the header the kernel reads `read_bytes` only, and a value that is impossible means
//     a full ring: the parent can lose its own records and do nothing else.
//  3. The notification is signalled when a record goes into a ring of which everything had
//     been consumed.  A consumer therefore consumes until nothing is left, stores
//     `read_bytes`, looks at `write_bytes` again, and waits only if they are equal.
//  4. A record holds bytes of the traced process only, copied from where its own submission
//     named them: of a call that it serves, what arrived in its buffer.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CAPOS_TRACE_MAGIC             0x4543415254534f50u // "POSTRACE" read as little-endian bytes
#define CAPOS_TRACE_HEADER_BYTES      4096u               // where the ring begins
#define CAPOS_TRACE_BUFFER_BYTES_MIN  8192u
#define CAPOS_TRACE_BUFFER_BYTES_MAX  (16u * 1024u * 1024u)
#define CAPOS_TRACE_CAPTURE_BYTES_MAX 1024u // of each message

struct capos_trace_header {
    uint64_t magic;
    uint64_t data_bytes; // the ring's size, a multiple of 4096
    uint64_t reserved0[6];
    uint64_t write_bytes;   // kernel
    uint64_t dropped_count; // kernel: records that didn't fit
    uint64_t reserved1[6];
    uint64_t read_bytes; // parent
    uint64_t reserved2[7];
};
static_assert(sizeof(struct capos_trace_header) == 192);
static_assert(offsetof(struct capos_trace_header, write_bytes) == 64);
static_assert(offsetof(struct capos_trace_header, read_bytes) == 128);

enum capos_trace_kind {
    CAPOS_TRACE_PROCESS = 1,  // the first record: id = process id, captured: its name
    CAPOS_TRACE_GRANT = 2,    // of the CapSet: cap, interface_id, captured: the name
    CAPOS_TRACE_CALL = 3,     // id, interface_id, method, cap, captured: params, transfers
    CAPOS_TRACE_RELEASE = 4,  // id, interface_id, cap
    CAPOS_TRACE_COMPLETE = 5, // id of the call or release, result, flags, captured: results
    CAPOS_TRACE_LOST = 6,     // id = dropped_count so far
    // Of a server.  A call is received once and returned at most once, under the same id.
    CAPOS_TRACE_RECEIVED = 7, // id = the call id, interface_id, method, cap = the word of the
                              // object, captured: params, capability records
    CAPOS_TRACE_RETURNED = 8, // id = the call id, method = the status of an exception or 0,
                              // result = of the RETURN itself, captured: results, transfers
    CAPOS_TRACE_RELEASED = 9, // a release notice: interface_id, cap = the word of the object
    // Any other submission, and a RECV or RETURN that was refused; CAPOS_TRACE_COMPLETE
    // follows.
    CAPOS_TRACE_OPERATION = 10, // id, method = enum capos_opcode, cap
};

// Followed by `captured_bytes` bytes, and zeros up to `size_bytes`.
struct capos_trace_record {
    uint32_t size_bytes;     // all of the record, a multiple of 8
    uint16_t kind;           // enum capos_trace_kind
    uint16_t method;         // ordinal
    uint64_t time_ns;        // as Timer.now
    uint64_t id;             // of a submission: grows with each
    uint64_t interface_id;   // the one that the call names; of a release, the slot's
    uint64_t cap;            // capos_cap_id, unless the kind says otherwise
    int32_t result;          // as in struct capos_cqe
    uint32_t message_bytes;  // of the whole message
    uint16_t transfer_count; // struct capos_transfer or capos_cap_record behind it
    uint16_t flags;          // as in struct capos_cqe
    uint32_t captured_bytes; // of the message and, if that is whole, what is behind it
    uint64_t thread_id;      // whose submission it is, 1: the first; 0: no thread's
};
static_assert(sizeof(struct capos_trace_record) == 64);
