// SPDX-License-Identifier: MIT
// One submission: checked, dispatched by opcode, and completed or left pending (submit.c).
#pragma once

#include <abi/ring.h>
#include <gen/status.h>

struct thread;

// Takes one submission of a thread whose ring needs no attention.  `shared` lies in the
// ring, where other threads of the process may write: it is copied once and not looked at
// again.
void submit(struct thread *thread, const struct capos_sqe *shared);

// Checks a submission and does what its opcode says.  STATUS_PENDING: its completion is or
// will be posted; otherwise submit_end posts the status.
[[nodiscard]] enum status submit_checked(struct thread *thread, const struct capos_sqe *sqe);

// Posts the completion of a submission that was never pending.
void submit_finish(struct thread *thread, const struct capos_sqe *sqe, int32_t result,
                   uint32_t flags, uint32_t result_bytes, uint32_t transfer_count);
void submit_finish_status(struct thread *thread, const struct capos_sqe *sqe,
                          enum status status);

// Completes it with an exception and its words.  Returns STATUS_PENDING.
[[nodiscard]] enum status submit_fail(struct thread *thread, const struct capos_sqe *sqe,
                                      enum status status, const char *reason);

// Posts the completion of a submission that ended with a status; STATUS_PENDING: it is or
// will be posted elsewhere.
void submit_end(struct thread *thread, const struct capos_sqe *sqe, enum status status);
