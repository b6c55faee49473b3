// SPDX-License-Identifier: MIT
// The kernel's side of a thread's ring (ring.c).  abi/ring.h describes the memory.
//
// Invariants:
//  1. The kernel's own indices are the truth; what user code wrote is range-checked at
//     each reading and can only hurt the thread that wrote it.
//  2. completions posted and not consumed + pending operations <= CAPOS_CQ_ENTRIES, by
//     admission: a submission is taken only when that leaves room for its completion.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <abi/ring.h>
#include <kernel/arch.h>
#include <lib/string.h>

struct call_trace;
struct op;
struct thread;
struct under_way;

struct ring {
    uint8_t *base; // the kernel's mapping of the region
    uint64_t user_address;
    union {
        struct {
            uint32_t sq_head;
            uint32_t cq_tail;
        };
        uint64_t indices; // both, sq_head in the low half
    };
    union {
        struct {
            uint32_t pending_count; // completion entries that operations hold
            // Whether there is more to a submission than itself: its process is traced or
            // ending, it is a link of a chain or a promise.  While it is set nothing takes a
            // short way.
            bool attention;
            bool chain_failed; // the next submission is linked to one that failed
        };
        uint64_t load; // all three: < CAPOS_CQ_ENTRIES if there is room and nothing special
    };
    struct op *chain_tail;       // the next submission is linked to this one
    struct under_way *under_way; // of the submission that is being taken, see chain.h
    struct call_trace *trace;    // of the thread's process; nullptr: it isn't traced
};

[[nodiscard]] static inline struct capos_ring_header *ring_header(const struct ring *ring)
{
    return (struct capos_ring_header *)ring->base;
}

static_assert(offsetof(struct ring, cq_tail) == offsetof(struct ring, indices) + 4 &&
              offsetof(struct ring, pending_count) == offsetof(struct ring, load));
static_assert(offsetof(struct capos_ring_header, cq_head) ==
                  offsetof(struct capos_ring_header, sq_tail) + 4 &&
              offsetof(struct capos_ring_header, cq_tail) ==
                  offsetof(struct capos_ring_header, sq_head) + 4);

// What user code says: sq_tail in the low half, cq_head in the high one.
[[nodiscard]] static inline uint64_t ring_user_indices(const struct ring *ring)
{
    return __atomic_load_n((const uint64_t *)(const void *)&ring_header(ring)->sq_tail,
                           __ATOMIC_ACQUIRE);
}

// Writes the header of a zeroed region.
void ring_init(struct ring *ring, uint8_t *base);

// Completions that are posted and not consumed, by what user code says; more than
// CAPOS_CQ_ENTRIES means that its index is corrupt.
[[nodiscard]] static inline uint32_t ring_available(const struct ring *ring)
{
    uint32_t head = __atomic_load_n(&ring_header(ring)->cq_head, __ATOMIC_ACQUIRE);
    return ring->cq_tail - head;
}

// One submission has been taken.
static inline void ring_advance(struct ring *ring)
{
    uint8_t *base = ring->base; // kept, as in ring_complete
    uint32_t head = ring->sq_head + 1;
    ring->sq_head = head;
    __atomic_store_n(&((struct capos_ring_header *)base)->sq_head, head, __ATOMIC_RELEASE);
}

static_assert(offsetof(struct capos_cqe, transfer_count) ==
              offsetof(struct capos_cqe, result_bytes) + 4);

// Writes a completion behind the others.  Its reserved word is 0 since the ring was made.
static inline void ring_complete(struct ring *ring, uint64_t user_data, int32_t result,
                                 uint32_t flags, uint32_t result_bytes, uint32_t transfer_count)
{
    uint8_t *base = ring->base; // kept, though the compiler must think that a store changes it
    uint32_t tail = ring->cq_tail;
    struct capos_cqe *completion =
        (struct capos_cqe *)(base + CAPOS_RING_CQ_OFFSET) + tail % CAPOS_CQ_ENTRIES;
    completion->user_data = user_data;
    completion->result = result;
    completion->flags = flags;
    uint64_t sizes = (uint64_t)transfer_count << 32 | result_bytes; // in one store
    memcpy(&completion->result_bytes, &sizes, sizeof sizes);
    ring->cq_tail = ++tail;
    __atomic_store_n(&((struct capos_ring_header *)base)->cq_tail, tail, __ATOMIC_RELEASE);
}

// Posts a completion and wakes the thread if that ends its wait.
void ring_post(struct thread *thread, uint64_t user_data, int32_t result, uint32_t flags,
               uint32_t result_bytes, uint32_t transfer_count);

// Whether there is anything to take, or the index is corrupt.
[[nodiscard]] static inline bool ring_has_submissions(const struct ring *ring)
{
    return __atomic_load_n(&ring_header(ring)->sq_tail, __ATOMIC_ACQUIRE) != ring->sq_head;
}

// Takes submissions until the queue is empty, the completion queue has no room, or the
// thread is ending.  STATUS_CORRUPT_RING: an index is impossible, nothing done.
[[nodiscard]] enum status ring_drain(struct thread *thread);
