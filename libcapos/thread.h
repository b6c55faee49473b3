// SPDX-License-Identifier: MIT
// What libcapos keeps for each thread: the block that the FS base points to.
//
// The layout of the first words is the psABI's for thread-local storage variant II: the
// thread-local variables lie below the block, its first word is its own address, and the
// word at 0x28 is the canary of the stack protector.  The ring client lies here too, so
// the client works before there is any thread-local variable, and each thread has its own.
//
// The block is found by the word at 0x20, which the psABI leaves to the system: so a C library
// may have a block of its own at the FS base, and keep this one elsewhere (posix/thread.c).
#pragma once

#include <abi/ring.h>
#include <capos/call.h>
#include <stddef.h>
#include <stdint.h>

#include <thread_self.h> // of libcapos/arch/x86_64, or arch/host in host tests

// The state of a thread's ring client; call.c owns it.
//
// Invariants:
//  1. `in_flight` counts the submissions whose completion was not consumed, and quiet ones
//     until the kernel has taken them.  It never exceeds the number of entries of either
//     queue, so neither queue can overflow.
//  2. The last entry is kept for what completes at once (releases, cancels, answers), and
//     one for each receive buffer of a server that isn't in flight (`reserved`); so a
//     release or an answer always finds room.
struct ring_client {
    struct capos_ring_header *header;
    struct capos_sqe *submissions;
    const struct capos_cqe *completions;
    uint8_t *message_area;
    uint32_t submission_mask;
    uint32_t completion_mask;
    uint32_t sq_tail;
    uint32_t cq_head;
    uint32_t in_flight;
    uint32_t in_flight_max;
    uint32_t quiet; // submissions that the kernel hasn't taken and that complete if they fail
    uint32_t reserved;
    uint32_t units_free; // bit i: unit i of the message area's asynchronous part is free
    bool sync_in_use;    // the synchronous part of the message area
    bool loop_stopped;
    struct capos_call sync_call; // of capos_sync_call, if it has to wait as others do
    void *spare;                 // a heap block that the last large call left for the next one
    size_t spare_bytes;
    struct capos_call *promise_first; // promised calls that have not ended
    uint32_t promise_serial;          // of the last one
    // Completions that a loop callback or a server will be told of, oldest first.
    struct capos_call *ready_first;
    struct capos_call *ready_last;
    struct capos_server_call *arrived_first;
    struct capos_server_call *arrived_last;
    struct capos_exception exception;
};

struct thread {
    struct thread *self;
    uint64_t reserved[3];
    struct thread *block; // the thread's, as seen from the FS base: this one, if that is here
    uint64_t canary;
    struct ring_client ring;
    struct capos_thread *created; // the thread of this block; nullptr: the program's first
    void *slot;                   // of capos_thread_slot
};
static_assert(offsetof(struct thread, canary) == 0x28);

// Whether capos_thread_create has ever been called: before, nothing needs a lock.  Read and
// written with relaxed atomics: the start of a thread orders it.
extern bool threads_started;

// Makes an address the calling thread's FS base.
void thread_set_self(void *base);

// The first instruction of every thread but the first (arch/x86_64/entry.c), and the function
// that it calls with what the kernel put into the registers (threads.c).
void capos_thread_entry(void);
struct capos_capset;
// Stores 0 to a word, unless the address is null, and enters the kernel with what is submitted,
// from then on without using memory; the submissions end the thread (arch/x86_64/entry.c).
[[noreturn]] void thread_end_enter(uint32_t *word);
[[noreturn]] void thread_main(void *ring, const struct capos_capset *capset,
                              struct capos_thread *thread);

// Takes the ring at `ring_address` into use.
void ring_client_init(struct ring_client *ring, void *ring_address);

// ---- Between call.c, server.c and loop.c -------------------------------------------

// What a submission's user_data names: an address, with the kind in its low two bits.
enum completion_kind {
    COMPLETION_CALL = 0,    // struct capos_call
    COMPLETION_RECEIVE = 1, // struct capos_server_call: RECV or RETURN_RECV
    COMPLETION_RETURN = 2,  // struct capos_server_call: RETURN alone
    COMPLETION_QUIET = 3,   // nothing, or one of the bits below: no call waits for it
};
constexpr uint64_t COMPLETION_KIND_MASK = 3;
constexpr uint64_t IF_HELD = 4;   // it is no mistake if the capability isn't held
constexpr uint64_t NOT_QUIET = 8; // completes in any case

// How many submissions of a kind may be in flight (invariant 2).
[[nodiscard]] static inline uint32_t ring_in_flight_limit(const struct ring_client *ring,
                                                          enum completion_kind kind)
{
    return kind == COMPLETION_CALL ? ring->in_flight_max - 1 - ring->reserved
                                   : ring->in_flight_max;
}

// Lets the kernel take what is submitted; whether there is room then.
[[nodiscard]] bool ring_make_room(struct ring_client *ring, enum completion_kind kind);

// The next submission entry, whatever it holds; nullptr if the thread has as many submissions
// in flight as the queues have entries.
[[nodiscard]] static inline struct capos_sqe *ring_entry(struct ring_client *ring,
                                                         enum completion_kind kind)
{
    if (ring->in_flight >= ring_in_flight_limit(ring, kind)) [[clang::unlikely]] {
        if (!ring_make_room(ring, kind))
            return nullptr;
    }
    return &ring->submissions[ring->sq_tail & ring->submission_mask];
}

// The same, zeroed but for the user_data.
[[nodiscard]] struct capos_sqe *ring_submission(struct ring_client *ring, uint64_t user_data,
                                                enum completion_kind kind);
// The same for a submission that isn't a CALL and completes `call`; the caller fills it in.
[[nodiscard]] struct capos_sqe *ring_operation(struct ring_client *ring,
                                               struct capos_call *call);
// Waits for it, and returns what its completion says.
[[nodiscard]] int32_t ring_operation_wait(struct ring_client *ring, struct capos_call *call);
// The same for one that completes at once and whose completion is of no interest.
[[nodiscard]] struct capos_sqe *ring_forgotten(struct ring_client *ring);
// The same for an opcode that takes QUIET: it completes only if it fails.  `user_data` is 0 or
// IF_HELD.
[[nodiscard]] struct capos_sqe *ring_quiet(struct ring_client *ring, enum capos_opcode opcode,
                                           uint64_t user_data);

// Hands the entry to the kernel, which takes it at the next cap_enter.
static inline void ring_submit(struct ring_client *ring)
{
    ring->in_flight++;
    __atomic_store_n(&ring->header->sq_tail, ++ring->sq_tail, __ATOMIC_RELEASE);
}
// Consumes all completions that are there.
void ring_consume(struct ring_client *ring);
// Consumes completions, after waiting for so many, 1 or more, if none is there.
void ring_wait_for(struct ring_client *ring, uint32_t count);
static inline void ring_wait(struct ring_client *ring)
{
    ring_wait_for(ring, 1);
}
// Submits the waking of sleepers of a word, without handing it to the kernel (park.c).
void park_wake_later(struct ring_client *ring, const void *word, uint32_t count);
// Hands the submissions to the kernel without waiting.
void ring_flush(struct ring_client *ring);
// Releases a capability that may not be held any more.
void ring_release_if_held(struct ring_client *ring, capos_cap_id cap);
// Withdraws a pending submission by its user_data.
void ring_cancel(struct ring_client *ring, uint64_t user_data);
// Lists a completed call for the loop.
void ring_ready_append(struct ring_client *ring, struct capos_call *call);

// A piece of the message area for as long as the owner likes; nullptr if `size_bytes` is
// too much for what is free.  The part for synchronous calls is not touched.
[[nodiscard]] void *ring_area_take(struct ring_client *ring, uint32_t size_bytes);
void ring_area_give(struct ring_client *ring, void *piece, uint32_t size_bytes);

// The part for synchronous calls, which then lie on the heap until it is given back; nullptr
// if it is in use or too small.
[[nodiscard]] void *ring_sync_take(struct ring_client *ring, uint32_t size_bytes);
static inline void ring_sync_give(struct ring_client *ring)
{
    ring->sync_in_use = false;
}

// Where a message lies, as a submission says it: an offset into the ring, and `flag` is
// set in *flags; or an address.
[[nodiscard]] uint64_t ring_place(const struct ring_client *ring, const void *message,
                                  uint8_t flag, uint8_t *flags);

// The completion of a server's submission; server.c.
void server_receive_done(struct ring_client *ring, struct capos_server_call *call,
                         const struct capos_cqe *completion);
void server_return_done(struct capos_server_call *call, const struct capos_cqe *completion);
// Lists what arrived for the loop.
void server_arrived_append(struct ring_client *ring, struct capos_server_call *call);
// Hands one received call or notice to its server.
void server_dispatch(struct capos_server_call *call);
// Hands out all that arrived for one server.
void server_dispatch_arrived(struct ring_client *ring, const struct capos_server *server);
