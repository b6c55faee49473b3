// SPDX-License-Identifier: MIT
// CALL on an object of the kernel (call.c).
#pragma once

#include <abi/ring.h>
#include <gen/kernel/dispatch.h>
#include <gen/status.h>
#include <kernel/object/object.h>

struct invocation;
struct thread;

// Runs the method.  STATUS_PENDING: its completion is or will be posted.
[[nodiscard]] enum status call_kernel_object(struct thread *thread, const struct capos_sqe *sqe,
                                             struct object *object);

// The method failed, and nothing came of it.  STATUS_PENDING: the completion of the submission,
// of which only that needs anything, is posted; otherwise the caller posts the status.
[[nodiscard]] enum status call_failed(const struct invocation *invocation,
                                      const struct capos_sqe *sqe, struct object *object,
                                      enum status status);

// The method of that number if it returns no capability and fits messages of these sizes;
// else nullptr.
[[nodiscard]] static inline const struct method_dispatch *
call_short_method(const struct object *object, uint16_t number, uint32_t params_bytes,
                  uint32_t result_bytes_max)
{
    const struct interface_dispatch *dispatch = object->type->dispatch;
    if (number >= dispatch->method_count)
        return nullptr;
    const struct method_dispatch *method = &dispatch->methods[number];
    return params_bytes <= method->params_bytes_max && method->results_caps == 0 &&
                   result_bytes_max >= method->results_bytes_min
               ? method
               : nullptr;
}
