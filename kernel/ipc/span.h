// SPDX-License-Identifier: MIT
// The buffers that submissions name: in the ring's message area, or anywhere in the memory of
// the thread's process (span.c).
//
// A span keeps addresses, never pointers; memory is looked at only when data moves, and a
// byte that moves is read once.  A buffer in the ring is kernel memory too and can't fail.
#pragma once

#include <stdint.h>

#include <abi/ring.h>
#include <gen/status.h>

struct thread;

struct span {
    struct thread *thread;
    uint64_t address; // of user memory, or an offset into the ring's region
    uint32_t size_bytes;
    bool in_ring;
};

// A buffer as a submission names it.  STATUS_BAD_ADDRESS: misaligned, or a ring offset
// outside the message area; STATUS_BAD_LENGTH: longer than a message may be.
[[nodiscard]] enum status span_init(struct span *span, struct thread *thread, uint64_t address,
                                    uint64_t size_bytes, bool in_ring);

// The kernel's pointer to a buffer in the ring.
[[nodiscard]] void *span_in_ring(const struct span *span);

// Copy from and to a buffer at an offset; the caller keeps within its size.
[[nodiscard]] enum status span_read(const struct span *span, uint32_t offset, void *to,
                                    uint32_t size_bytes);
[[nodiscard]] enum status span_write(const struct span *span, uint32_t offset, const void *from,
                                     uint32_t size_bytes);
[[nodiscard]] enum status span_copy(const struct span *to, uint32_t to_offset,
                                    const struct span *from, uint32_t from_offset,
                                    uint32_t size_bytes);

// Writes a CapException into a result buffer if it fits.  Returns its size, or 0.
[[nodiscard]] uint32_t span_write_exception(const struct span *span, enum status status,
                                            const char *reason);

// The params of a submission with the transfer descriptors behind them.
// STATUS_BAD_LENGTH, STATUS_BAD_ADDRESS.
[[nodiscard]] enum status message_span(struct span *span, struct thread *thread,
                                       const struct capos_sqe *sqe);
