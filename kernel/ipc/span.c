// SPDX-License-Identifier: MIT
// User buffers.  See span.h.

#include <kernel/ipc/span.h>

#include <gen/wire/errors.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/space.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>
#include <lib/string.h>

enum status span_init(struct span *span, struct thread *thread, uint64_t address,
                      uint64_t size_bytes, bool in_ring)
{
    if (address % 8 != 0)
        return STATUS_BAD_ADDRESS;
    if (in_ring) {
        if (address < CAPOS_RING_MESSAGE_OFFSET || address > CAPOS_RING_BYTES ||
            size_bytes > CAPOS_RING_BYTES - address)
            return STATUS_BAD_ADDRESS;
    } else if (size_bytes > 2 * CAPOS_MESSAGE_BYTES_MAX) {
        return STATUS_BAD_LENGTH;
    }
    *span = (struct span){
        .thread = thread,
        .address = address,
        .size_bytes = (uint32_t)size_bytes,
        .in_ring = in_ring,
    };
    return STATUS_OK;
}

void *span_in_ring(const struct span *span)
{
    ASSERT(span->in_ring);
    return span->thread->ring.base + span->address;
}

enum status span_read(const struct span *span, uint32_t offset, void *to, uint32_t size_bytes)
{
    ASSERT(offset <= span->size_bytes && size_bytes <= span->size_bytes - offset);
    if (span->in_ring) {
        memmove(to, span->thread->ring.base + span->address + offset, size_bytes);
        return STATUS_OK;
    }
    return space_copy_in(&span->thread->process->space, to, span->address + offset, size_bytes);
}

enum status span_write(const struct span *span, uint32_t offset, const void *from,
                       uint32_t size_bytes)
{
    ASSERT(offset <= span->size_bytes && size_bytes <= span->size_bytes - offset);
    if (span->in_ring) {
        memmove(span->thread->ring.base + span->address + offset, from, size_bytes);
        return STATUS_OK;
    }
    return space_copy_out(&span->thread->process->space, span->address + offset, from,
                          size_bytes);
}

enum status span_copy(const struct span *to, uint32_t to_offset, const struct span *from,
                      uint32_t from_offset, uint32_t size_bytes)
{
    // A ring region is kernel memory, so one side in a ring is a plain write or read.  The
    // two may overlap, for a thread can call itself: nothing here assumes that they don't.
    if (from->in_ring)
        return span_write(to, to_offset, (uint8_t *)span_in_ring(from) + from_offset,
                          size_bytes);
    if (to->in_ring)
        return span_read(from, from_offset, (uint8_t *)span_in_ring(to) + to_offset,
                         size_bytes);
    return space_copy_across(&to->thread->process->space, to->address + to_offset,
                             &from->thread->process->space, from->address + from_offset,
                             size_bytes);
}

uint32_t span_write_exception(const struct span *span, enum status status, const char *reason)
{
    ASSERT(status >= STATUS_FAILED && status <= STATUS_INVALID_ARGUMENT);
    alignas(8) uint8_t message[CAP_EXCEPTION_BYTES_MAX];
    struct cap_exception exception = {
        .type = (enum exception_type)(status - STATUS_FAILED),
        .reason = {.text = reason, .size_bytes = (uint32_t)strlen(reason)},
    };
    uint32_t size_bytes = cap_exception_encode(&exception, message, sizeof message);
    ASSERT(size_bytes != 0);
    if (size_bytes > span->size_bytes || span_write(span, 0, message, size_bytes) != STATUS_OK)
        return 0;
    return size_bytes;
}

enum status message_span(struct span *span, struct thread *thread, const struct capos_sqe *sqe)
{
    if (sqe->params_bytes % 8 != 0 || sqe->params_bytes > CAPOS_MESSAGE_BYTES_MAX)
        return STATUS_BAD_LENGTH;
    uint64_t size_bytes =
        sqe->params_bytes + sqe->transfer_count * (uint64_t)sizeof(struct capos_transfer);
    return span_init(span, thread, sqe->params, size_bytes,
                     (sqe->flags & CAPOS_SQE_PARAMS_IN_RING) != 0);
}
