// SPDX-License-Identifier: MIT
// The capability ring: the shared memory through which a thread asks the kernel
// for everything, and the layout of every record in it.
//
// Each thread has its own ring, so neither a runtime nor the kernel needs a lock
// or a demultiplexer.  The thread writes submissions (SQEs), advances sq_tail and
// calls cap_enter; the kernel reads them, each exactly once, advances sq_head, and
// posts completions (CQEs) behind cq_tail; the thread consumes them and advances
// cq_head.
//
// Invariants:
//  1. Only the four index words are shared mutable state, and the kernel trusts
//     none of those that user code writes: it keeps its own copies of sq_head and
//     cq_tail.
//  2. A submission is taken only when the completion queue has room for its
//     completion, so completions are never lost and never overwritten.
//  3. Offsets and sizes are stated in the header; user code takes them from there.
//     Changing what the kernel believes by writing to the header is impossible.
//
// The region, RING_BYTES long and physically contiguous:
//
//     0x0000  struct capos_ring_header
//     0x0800  completion queue, 64 * 32 bytes
//     0x1000  submission queue, 64 * 64 bytes
//     0x2000  message area, 8 KiB: small messages go here, so that the kernel
//             copies them without a page-table walk and without a possible fault
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CAPOS_RING_MAGIC          0x474e4952534f5041u // "APOSRING" read as little-endian bytes
#define CAPOS_RING_BYTES          0x4000u
#define CAPOS_RING_CQ_OFFSET      0x0800u
#define CAPOS_RING_SQ_OFFSET      0x1000u
#define CAPOS_RING_MESSAGE_OFFSET 0x2000u
#define CAPOS_RING_MESSAGE_BYTES  0x2000u
#define CAPOS_SQ_ENTRIES          64u
#define CAPOS_CQ_ENTRIES          64u

#define CAPOS_MESSAGE_BYTES_MAX  65536u // params, results and received messages
#define CAPOS_TRANSFER_COUNT_MAX 16u    // capabilities beside one message
#define CAPOS_RECV_SLOTS_MAX     32u    // of one RECV with MULTISHOT

struct capos_ring_header {
    uint64_t magic;
    uint32_t ring_bytes;
    uint32_t sq_offset;
    uint32_t sq_entries; // a power of two
    uint32_t cq_offset;
    uint32_t cq_entries; // a power of two
    uint32_t message_offset;
    uint32_t message_bytes;
    uint32_t reserved0[7];
    // Indices count entries since the ring was made and wrap at 2^32; the entry
    // is the index modulo the number of entries.  One writer each:
    uint32_t sq_tail; // user: submissions written
    uint32_t cq_head; // user: completions consumed
    uint32_t reserved1[14];
    uint32_t sq_head; // kernel: submissions taken
    uint32_t cq_tail; // kernel: completions posted
    uint32_t reserved2[14];
};
static_assert(sizeof(struct capos_ring_header) == 192);
static_assert(offsetof(struct capos_ring_header, sq_tail) == 64);
static_assert(offsetof(struct capos_ring_header, sq_head) == 128);

// A capability as a process names it: slot in the low 32 bits, generation (never
// 0) in the high 32.  0 names nothing.
typedef uint64_t capos_cap_id;

enum capos_opcode {
    CAPOS_OP_NOP = 0,         // completes with 0
    CAPOS_OP_CALL = 1,        // calls a method
    CAPOS_OP_RECV = 2,        // waits for a call on an Endpoint
    CAPOS_OP_RETURN = 3,      // answers a received call
    CAPOS_OP_RETURN_RECV = 4, // RETURN, then RECV; one completion, of the RECV,
                              // unless the RETURN fails: then of the RETURN
    CAPOS_OP_RELEASE = 5,     // gives up a capability
    CAPOS_OP_CANCEL = 6,      // withdraws a pending CALL, RECV or PARK of this thread
    CAPOS_OP_PARK = 7,        // sleeps on a word of memory
    CAPOS_OP_UNPARK = 8,      // wakes sleepers of a word
    CAPOS_OP_FINISH = 9,      // ends a promise and releases the results that it leaves
    CAPOS_OP_COUNT = 10,      // all from here on are reserved: badOpcode
};

// capos_sqe.flags
#define CAPOS_SQE_PARAMS_IN_RING 0x01u // params is an offset into the ring region
#define CAPOS_SQE_RESULT_IN_RING 0x02u // result is an offset into the ring region
#define CAPOS_SQE_EXCEPTION \
    0x04u // RETURN*: params holds a CapException and \
          // method its Status, 1 to 5
#define CAPOS_SQE_LINK \
    0x08u // the thread's next submission starts when \
          // this one has succeeded, else it is cancelled
#define CAPOS_SQE_PIPELINE \
    0x10u // CALL: cap is the user_data of a promise and \
          // result_index says which of its capabilities
#define CAPOS_SQE_MULTISHOT \
    0x20u // RECV: fills slots until it is withdrawn;    \
          // RETURN_RECV: gives a slot back to such a one
#define CAPOS_SQE_PROMISE \
    0x40u                     // CALL: it is a promise until FINISH names its \
          // user_data, which no other promise of the thread has
#define CAPOS_SQE_QUIET 0x80u // no completion if it succeeds

// Which field means what, by opcode; a field that an opcode doesn't name is zero.
//   NOP          -
//   CALL         cap, interface_id, method, params*, result*, transfer_count; with
//                PIPELINE result_index
//   RECV         cap (an Endpoint), result*; with MULTISHOT method is the number of slots,
//                1 to CAPOS_RECV_SLOTS_MAX, that lie at result one behind the other, and
//                result_bytes_max the size of each, a multiple of 8
//   RETURN       cap (an Endpoint), call_id, params*, transfer_count, method
//   RETURN_RECV  as RETURN, and result* for the RECV; with MULTISHOT result is the user_data
//                of the RECV and result_bytes_max the number of the slot, and a call_id
//                of 0 answers nothing.  Completes only if it fails: then the slot stays taken
//   RELEASE      cap
//   CANCEL       call_id holds the user_data of what to withdraw
//   FINISH       call_id holds the user_data of a promise, method the mask of the
//                capabilities of its results that the caller keeps
//   PARK         cap (a ParkSpace), method (CAPOS_PARK_*), params is the word's address,
//                expected, timeout_ns; result the address of another word, or 0, and
//                result_bytes_max the number of its sleepers to wake first
//   UNPARK       cap (a ParkSpace), params is the word's address, params_bytes the number of
//                sleepers to wake; result the address of another word, or 0, and
//                result_bytes_max the number of further sleepers to move there
//
// PARK: if the word at the address, which is a multiple of the word's size, holds
// `expected`, zero-extended, the operation is pending until an UNPARK of the word; looking
// and queueing are one step.  Words of private memory are the same if they have the same
// address in one process, words of a MemoryObject if they are the same bytes of it, in
// whatever process.  Waking a sleeper and falling asleep in one operation passes the CPU on.
// The result is CAPOS_PARK_WOKEN or CAPOS_PARK_CHANGED, or a failure:
// timedOut; badAddress: the word isn't readable memory, or stopped to be while the thread
// slept (unmap, decommit, protection none); badCapability: also a time-out that is neither 0
// nor CAPOS_FOREVER, by a process without a Timer (see abi/syscall.h).
//
// UNPARK wakes those that came first; further ones of this process are moved to the other
// word, further ones of other processes are woken.  The result is the number of sleepers that
// were woken, result_bytes that of the moved ones.
//
// Every opcode takes LINK; RETURN, RELEASE, CANCEL, FINISH and UNPARK take QUIET.
struct capos_sqe {
    uint8_t opcode;          // enum capos_opcode
    uint8_t flags;           // CAPOS_SQE_*
    uint16_t method;         // ordinal of the method in its interface
    uint16_t transfer_count; // struct capos_transfer records behind the params,
                             // at params + params_bytes rounded up to 8
    uint16_t result_index;
    uint64_t user_data; // comes back in the completion; names the operation in CANCEL,
                        // PIPELINE and FINISH, and means nothing else to the kernel
    capos_cap_id cap;
    union {
        uint64_t interface_id; // Cap'n Proto type id
        uint64_t call_id;      // from struct capos_recv_header
        uint64_t expected;     // PARK
    };
    uint64_t params;           // address or ring offset, 8-byte aligned
    uint32_t params_bytes;     // the message alone, a multiple of 8
    uint32_t result_bytes_max; // the room for message and records
    uint64_t result;           // address or ring offset, 8-byte aligned
    union {
        uint64_t reserved1;
        uint64_t timeout_ns; // PARK: 0 doesn't wait, CAPOS_FOREVER waits without end
    };
};
static_assert(sizeof(struct capos_sqe) == 64);

// capos_sqe.method of a PARK
#define CAPOS_PARK_64       0x01u // the word has 64 bits, not 32
#define CAPOS_PARK_DEADLINE 0x02u // timeout_ns is a time on the clock of Timer.now

// capos_cqe.result of a PARK
#define CAPOS_PARK_WOKEN   0
#define CAPOS_PARK_CHANGED 1 // the word doesn't hold the expected value; nothing waited

// capos_cqe.flags
#define CAPOS_CQE_EXCEPTION 0x01u // the result buffer holds a CapException
#define CAPOS_CQE_RELEASED  0x02u // RECV: a release notice, not a call
#define CAPOS_CQE_MORE \
    0x04u // RECV with MULTISHOT: result is the slot that was filled, \
          // and more will come

struct capos_cqe {
    uint64_t user_data;
    int32_t result;          // >= 0: success; < 0: the negative of an enum status
    uint32_t flags;          // CAPOS_CQE_*
    uint32_t result_bytes;   // the message alone.  RECV: without the header
    uint32_t transfer_count; // struct capos_cap_record behind the message, at
                             // its start + result_bytes rounded up to 8
    uint64_t reserved;
};
static_assert(sizeof(struct capos_cqe) == 32);

// How a capability travels beside a message.
enum capos_transfer_how {
    CAPOS_TRANSFER_COPY = 0, // the sender keeps its hold
    CAPOS_TRANSFER_MOVE = 1, // the sender's hold is gone once the message arrived
    CAPOS_TRANSFER_GIVE = 2, // ... and also if it couldn't: a valid message takes it away
};

// What the holder may do with a hold; a transfer can narrow it, never widen it.
enum capos_hold_mode {
    CAPOS_HOLD_COPY = 0, // copy and move
    CAPOS_HOLD_MOVE = 1, // move only: there is one holder at a time
    CAPOS_HOLD_NONE = 2, // neither
};

struct capos_transfer {
    capos_cap_id cap;
    uint16_t how;           // enum capos_transfer_how
    uint16_t receiver_mode; // enum capos_hold_mode
    uint32_t reserved;      // 0
};
static_assert(sizeof(struct capos_transfer) == 16);

// A capability that arrived.
struct capos_cap_record {
    capos_cap_id cap;
    uint64_t interface_id;
};
static_assert(sizeof(struct capos_cap_record) == 16);

// What a RECV writes at the start of its buffer, before the message.
struct capos_recv_header {
    uint64_t call_id;      // names the call in RETURN; 0 in a release notice
    uint64_t word;         // the word under which the object was minted
    uint64_t interface_id; // the interface of the object
    uint32_t method;       // ordinal
    uint32_t reserved;
};
static_assert(sizeof(struct capos_recv_header) == 32);
