// SPDX-License-Identifier: MIT
// NOPs through an io_uring.  Reference: io_uring(7).
#include <linux/io_uring.h>
#include <linux/mman.h>
#include <stdint.h>

#include "../../../programs/bench/system.h"
#include "syscalls.h"

constexpr unsigned ENTRIES = 64;

static struct {
    long fd;
    uint32_t *sq_tail, *cq_head, *cq_tail;
    uint32_t sq_mask, cq_mask;
    struct io_uring_sqe *submissions;
    const struct io_uring_cqe *completions;
} ring;

static void *map(long fd, uint64_t size_bytes, uint64_t offset)
{
    return (void *)good(call6(__NR_mmap, 0, (long)size_bytes, 3 /* read, write */,
                              MAP_SHARED | MAP_POPULATE, fd, (long)offset),
                        "mmap of a ring");
}

static void ring_open(void)
{
    struct io_uring_params params = {};
    ring.fd = good(call3(__NR_io_uring_setup, ENTRIES, (long)&params, 0), "io_uring_setup");
    uint64_t sq_bytes = params.sq_off.array + params.sq_entries * sizeof(uint32_t);
    uint64_t cq_bytes = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    char *sq = map(ring.fd, sq_bytes, IORING_OFF_SQ_RING);
    char *cq = map(ring.fd, cq_bytes, IORING_OFF_CQ_RING);
    ring.submissions =
        map(ring.fd, params.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    ring.sq_tail = (uint32_t *)(sq + params.sq_off.tail);
    ring.sq_mask = *(uint32_t *)(sq + params.sq_off.ring_mask);
    ring.cq_head = (uint32_t *)(cq + params.cq_off.head);
    ring.cq_tail = (uint32_t *)(cq + params.cq_off.tail);
    ring.cq_mask = *(uint32_t *)(cq + params.cq_off.ring_mask);
    ring.completions = (const struct io_uring_cqe *)(cq + params.cq_off.cqes);
    uint32_t *array = (uint32_t *)(sq + params.sq_off.array);
    for (uint32_t i = 0; i < params.sq_entries; i++)
        array[i] = i;
}

void system_nop(unsigned count)
{
    if (ring.submissions == nullptr)
        ring_open();
    uint32_t tail = *ring.sq_tail;
    for (uint32_t i = 0; i < count; i++)
        ring.submissions[(tail + i) & ring.sq_mask] =
            (struct io_uring_sqe){.opcode = IORING_OP_NOP, .user_data = i};
    __atomic_store_n(ring.sq_tail, tail + count, __ATOMIC_RELEASE);
    long taken =
        call6(__NR_io_uring_enter, ring.fd, count, count, IORING_ENTER_GETEVENTS, 0, 0);
    if (taken != (long)count)
        fail("io_uring_enter", taken);
    uint32_t head = *ring.cq_head;
    for (; head != __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE); head++)
        if (ring.completions[head & ring.cq_mask].res < 0)
            fail("NOP", ring.completions[head & ring.cq_mask].res);
    __atomic_store_n(ring.cq_head, head, __ATOMIC_RELEASE);
}
