// SPDX-License-Identifier: MIT
// CALL on an object of the kernel (call.c).
#pragma once

#include <abi/ring.h>
#include <gen/status.h>

struct object;
struct thread;

// Runs the method.  STATUS_PENDING: its completion is or will be posted.
[[nodiscard]] enum status call_kernel_object(struct thread *thread, const struct capos_sqe *sqe,
                                             struct object *object);

// The same for a call without capabilities whose two messages lie in the ring.  STATUS_OK: it has
// succeeded without capabilities among its results, and the caller posts its completion.
[[nodiscard]] enum status call_kernel_object_in_ring(struct thread *thread,
                                                     const struct capos_sqe *sqe,
                                                     struct object *object,
                                                     uint32_t *out_results_bytes);
