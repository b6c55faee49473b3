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
