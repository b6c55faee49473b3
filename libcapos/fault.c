// SPDX-License-Identifier: MIT
// Handling faults.  See <capos/fault.h>.
//
// fault_entry saves the vector registers, calls fault_main, restores them and enters the kernel
// with the call that fault_main has submitted, which doesn't return.  So between the restoring
// and the kernel there is no C.
// Tested in tests/iface/fault_test.c and tests/system/fault_code_test.c.
#include "fault.h"

#include "thread.h"

#include <capos/fault.h>

#include <gen/capos/thread.h>
#include <string.h>

// After the handler: submits the resumption.  The message lies outside of the ring, whose
// message area belongs to the code that faulted.
static void resume_submit(struct fault_area *area)
{
    static_assert(THREAD_CONTROL_RESUME_PARAMS_BYTES_MAX <= sizeof area->message);
    struct ring_client *ring = &thread_self()->ring;
    const struct thread_control_resume_params params = {.frame = (uint64_t)&area->frame};
    uint32_t bytes =
        thread_control_resume_params_encode(&params, area->message, sizeof area->message);
    // Its completion is consumed with the others, by whatever the thread does next.
    struct capos_sqe *entry = ring_forgotten(ring);
    entry->opcode = CAPOS_OP_CALL;
    entry->cap = area->control;
    entry->interface_id = INTERFACE_THREAD_CONTROL;
    entry->method = THREAD_CONTROL_METHOD_RESUME;
    entry->params = (uint64_t)area->message;
    entry->params_bytes = bytes;
    ring_submit(ring);
}

[[gnu::used]] void fault_main(struct fault_area *area)
{
    area->handler(&area->frame, area->context);
    resume_submit(area);
}

enum status capos_fault_handler_set(void (*handler)(struct capos_fault_frame *frame,
                                                    void *context),
                                    void *context, void *stack, size_t stack_bytes)
{
    thread_control_cap control;
    enum status status = thread_control_cap_find("thread", &control);
    if (status != STATUS_OK)
        return status;
    if (handler == nullptr)
        return thread_control_set_fault_handler(control, 0, 0, 0);
    uint32_t vectors_bytes = fault_vectors_bytes();
    if (stack_bytes < CAPOS_FAULT_STACK_BYTES_MIN || stack_bytes / 2 < vectors_bytes)
        return STATUS_INVALID_ARGUMENT;
    uint64_t vectors = ((uint64_t)stack + stack_bytes - vectors_bytes) & ~UINT64_C(63);
    struct fault_area *area =
        (struct fault_area *)((vectors - sizeof(struct fault_area)) & ~UINT64_C(15));
    memset((void *)vectors, 0, vectors_bytes); // XSAVE leaves a part of its header alone
    *area = (struct fault_area){.vectors = (void *)vectors,
                                .handler = handler,
                                .context = context,
                                .control = control.id};
    return thread_control_set_fault_handler(control, (uint64_t)fault_entry, (uint64_t)area,
                                            (uint64_t)&area->frame);
}
