// SPDX-License-Identifier: MIT
// ThreadHandle: what others know of a thread, and who waits for its end.
//
// Invariants:
//  1. `thread` is nullptr as soon as the thread is gone; until then the thread has a
//     reference on the handle.
//  2. There is a joiner only while the thread runs, and only one: `claimed` says that
//     somebody joins, has joined, or has detached the thread.
//
// Tested in tests/core/thread_test.c and tests/iface/thread_test.c.

#include <gen/kernel/thread.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/op.h>
#include <kernel/mm/slab.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>
#include <lib/container_of.h>

enum thread_claim : uint8_t {
    THREAD_UNCLAIMED,
    THREAD_JOINING,
    THREAD_JOINED,
    THREAD_DETACHED
};

struct thread_handle {
    struct object object;
    struct budget *budget; // referenced
    struct thread *thread;
    struct op *joiner;
    uint64_t thread_id;
    int64_t exit_code;
    enum thread_claim claim;
    bool exited; // with exit_code; else its process ended
};

static struct slab_cache handle_cache = SLAB_CACHE(struct thread_handle);

static const char reason_gone[] = "the process ended before the thread exited";

static void handle_destroy(struct object *object)
{
    struct thread_handle *handle = container_of(object, struct thread_handle, object);
    struct budget *budget = handle->budget;
    ASSERT(handle->thread == nullptr && handle->joiner == nullptr); // each has a reference
    slab_put(&handle_cache, budget, handle);
    object_put(&budget->object);
}

static const struct object_type handle_type = {
    .dispatch = &thread_handle_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = handle_destroy,
};

static struct thread_handle *handle_of(struct object *object)
{
    ASSERT(object->type == &handle_type);
    return container_of(object, struct thread_handle, object);
}

struct thread_handle *thread_handle_create(struct thread *thread, struct budget *budget)
{
    struct thread_handle *handle = slab_get(&handle_cache, budget);
    if (handle == nullptr)
        return nullptr;
    object_init(&handle->object, &handle_type);
    object_get(&budget->object);
    handle->budget = budget;
    handle->thread = thread;
    handle->thread_id = thread->id;
    return handle;
}

struct object *thread_handle_as_object(struct thread_handle *handle)
{
    return &handle->object;
}

void thread_handle_ended(struct thread_handle *handle, bool exited, int64_t exit_code)
{
    struct op *joiner = handle->joiner;
    handle->thread = nullptr;
    handle->exited = exited;
    handle->exit_code = exit_code;
    handle->joiner = nullptr;
    if (joiner != nullptr) {
        handle->claim = THREAD_JOINED;
        if (exited)
            thread_handle_join_complete(
                joiner, &(struct thread_handle_join_results){.exit_code = exit_code});
        else
            op_fail(joiner, STATUS_DISCONNECTED, reason_gone);
    }
    object_put(&handle->object);
}

static void join_cancel(struct op *op)
{
    struct thread_handle *handle = handle_of(op->object);
    ASSERT(handle->joiner == op && handle->claim == THREAD_JOINING);
    handle->joiner = nullptr;
    handle->claim = THREAD_UNCLAIMED;
}

// Whether somebody may still join or detach the thread.
static enum status claim_check(const struct thread_handle *handle,
                               struct invocation *invocation)
{
    switch (handle->claim) {
    case THREAD_JOINING:
        return invocation_fail(invocation, STATUS_FAILED, "the thread is being joined");
    case THREAD_JOINED:
        return invocation_fail(invocation, STATUS_FAILED, "the thread has been joined");
    case THREAD_DETACHED:
        return invocation_fail(invocation, STATUS_FAILED, "the thread is detached");
    case THREAD_UNCLAIMED:
        break;
    }
    return STATUS_OK;
}

enum status thread_handle_join(struct object *self, struct invocation *invocation,
                               struct thread_handle_join_results *out_results)
{
    struct thread_handle *handle = handle_of(self);
    enum status status = claim_check(handle, invocation);
    if (status != STATUS_OK)
        return status;
    if (handle->thread == invocation->thread)
        return invocation_fail(invocation, STATUS_FAILED, "a thread can't join itself");
    if (handle->thread == nullptr && !handle->exited)
        return invocation_fail(invocation, STATUS_DISCONNECTED, reason_gone);
    if (handle->thread == nullptr) {
        handle->claim = THREAD_JOINED;
        out_results->exit_code = handle->exit_code;
        return STATUS_OK;
    }
    struct op *op = invocation_defer(invocation, self, join_cancel);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    handle->joiner = op;
    handle->claim = THREAD_JOINING;
    return STATUS_PENDING;
}

enum status thread_handle_detach(struct object *self, struct invocation *invocation)
{
    struct thread_handle *handle = handle_of(self);
    enum status status = claim_check(handle, invocation);
    if (status == STATUS_OK)
        handle->claim = THREAD_DETACHED;
    return status;
}

enum status thread_handle_info(struct object *self, struct invocation *,
                               struct thread_handle_info_results *out_results)
{
    const struct thread_handle *handle = handle_of(self);
    *out_results = (struct thread_handle_info_results){
        .thread_id = handle->thread_id,
        .running = handle->thread != nullptr,
        .priority = handle->thread != nullptr ? handle->thread->priority : 0,
    };
    return STATUS_OK;
}
