// SPDX-License-Identifier: MIT
// Rings: taking submissions and posting completions.  See ring.h.

#include <kernel/ipc/ring.h>

#include <kernel/debug/panic.h>
#include <kernel/ipc/chain.h>
#include <kernel/ipc/submit.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>

static_assert(CAPOS_RING_CQ_OFFSET + CAPOS_CQ_ENTRIES * sizeof(struct capos_cqe) <=
              CAPOS_RING_SQ_OFFSET);
static_assert(CAPOS_RING_SQ_OFFSET + CAPOS_SQ_ENTRIES * sizeof(struct capos_sqe) <=
              CAPOS_RING_MESSAGE_OFFSET);

void ring_init(struct ring *ring, uint8_t *base)
{
    *ring = (struct ring){.base = base, .indices = 0, .load = 0};
    *ring_header(ring) = (struct capos_ring_header){
        .magic = CAPOS_RING_MAGIC,
        .ring_bytes = CAPOS_RING_BYTES,
        .sq_offset = CAPOS_RING_SQ_OFFSET,
        .sq_entries = CAPOS_SQ_ENTRIES,
        .cq_offset = CAPOS_RING_CQ_OFFSET,
        .cq_entries = CAPOS_CQ_ENTRIES,
        .message_offset = CAPOS_RING_MESSAGE_OFFSET,
        .message_bytes = CAPOS_RING_MESSAGE_BYTES,
    };
}

void ring_post(struct thread *thread, uint64_t user_data, int32_t result, uint32_t flags,
               uint32_t result_bytes, uint32_t transfer_count)
{
    struct ring *ring = &thread->ring;
    ring_complete(ring, user_data, result, flags, result_bytes, transfer_count);
    if (thread->state == THREAD_WAITING && ring_available(ring) >= thread->wait_count)
        sched_ready(thread);
}

static const struct capos_sqe *ring_take(struct ring *ring)
{
    const struct capos_sqe *queue =
        (const struct capos_sqe *)(ring->base + CAPOS_RING_SQ_OFFSET);
    return &queue[ring->sq_head++ % CAPOS_SQ_ENTRIES];
}

// The rest of a drain that needs attention.
[[gnu::noinline]] static void drain_attended(struct thread *thread, uint32_t count)
{
    struct ring *ring = &thread->ring;
    // A submission may have taken more than one entry.
    while (count-- > 0 && !thread->ending &&
           ring_available(ring) < CAPOS_CQ_ENTRIES - ring->pending_count) {
        const struct capos_sqe sqe = *(const volatile struct capos_sqe *)ring_take(ring);
        chain_submit(thread, &sqe);
    }
    ring_attend(ring, thread->ending);
}

// Not inlined: an empty queue needs no stack frame.
[[gnu::noinline]] enum status ring_drain(struct thread *thread)
{
    struct ring *ring = &thread->ring;
    struct capos_ring_header *header = ring_header(ring);
    uint32_t tail = __atomic_load_n(&header->sq_tail, __ATOMIC_ACQUIRE);
    uint32_t count = tail - ring->sq_head;
    uint32_t available = ring_available(ring);
    if (count > CAPOS_SQ_ENTRIES || available > CAPOS_CQ_ENTRIES - ring->pending_count)
        return STATUS_CORRUPT_RING;
    // Each submission takes one entry of this room, whether it completes now or later, and
    // a completion that is posted meanwhile gives back as much as it takes.
    uint32_t room = CAPOS_CQ_ENTRIES - available - ring->pending_count;
    if (count > room)
        count = room;
    for (; count > 0 && !ring->attention; count--)
        submit(thread, ring_take(ring));
    if (ring->attention)
        drain_attended(thread, count);
    __atomic_store_n(&header->sq_head, ring->sq_head, __ATOMIC_RELEASE);
    return STATUS_OK;
}
