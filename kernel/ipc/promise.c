// SPDX-License-Identifier: MIT
// Promises.  See promise.h.  Tested in tests/core/promise_test.c.

#include <kernel/ipc/promise.h>

#include <kernel/cap/table.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/chain.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/submit.h>
#include <kernel/mm/slab.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

static struct slab_cache promise_cache = SLAB_CACHE(struct promise);
static struct list dropped = {.head = {&dropped.head, &dropped.head}};

static const char reason_broken[] = "the call on whose results this one builds has failed";

static struct promise *promise_find(struct thread *thread, uint64_t name)
{
    LIST_FOR_EACH(promise, &thread->promises, struct promise, thread_link)
    {
        if (promise->name == name)
            return promise;
    }
    return nullptr;
}

enum status promise_create(struct thread *thread, uint64_t name, struct promise **out_promise)
{
    if (promise_find(thread, name) != nullptr)
        return STATUS_INVALID_ARGUMENT;
    if (thread->promise_count == PROMISE_COUNT_MAX)
        return STATUS_OVERLOADED;
    struct promise *promise = slab_get(&promise_cache, thread->process->budget);
    if (promise == nullptr)
        return STATUS_OVERLOADED;
    promise->thread = thread;
    promise->name = name;
    list_init(&promise->waiting);
    list_push_back(&thread->promises, &promise->thread_link);
    thread->promise_count++;
    *out_promise = promise;
    return STATUS_OK;
}

static void promise_destroy(struct promise *promise)
{
    struct thread *thread = promise->thread;
    ASSERT(list_empty(&promise->waiting) && promise->resumed_count == 0);
    if (list_linked(&promise->dropped_link))
        list_remove(&promise->dropped_link);
    list_remove(&promise->thread_link);
    thread->promise_count--;
    slab_put(&promise_cache, thread->process->budget, promise);
}

// Invariant 3, put off to promise_drop_finished.
static void promise_drop_if_done(struct promise *promise)
{
    if (!promise->finished || !promise->settled || promise->resumed_count > 0 ||
        list_linked(&promise->dropped_link))
        return;
    list_push_back(&dropped, &promise->dropped_link);
    chain_make_ready();
}

static void promise_drop(struct promise *promise)
{
    struct process *process = promise->thread->process;
    capos_cap_id released[CAPOS_TRANSFER_COUNT_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < promise->cap_count; i++)
        if ((promise->keep >> i & 1) == 0)
            released[count++] = promise->caps[i];
    promise_destroy(promise);
    for (uint32_t i = 0; i < count; i++) {
        enum status status = cap_table_release(&process->caps, released[i]);
        (void)status; // the caller may have given it away itself
    }
}

void promise_drop_finished(void)
{
    struct list_link *link;
    while ((link = list_first(&dropped)) != nullptr)
        promise_drop(container_of(link, struct promise, dropped_link));
}

void promise_note_caps(struct promise *promise, const struct capos_cap_record *records,
                       uint32_t count)
{
    ASSERT(!promise->settled && count <= CAPOS_TRANSFER_COUNT_MAX);
    for (uint32_t i = 0; i < count; i++)
        promise->caps[i] = records[i].cap;
    promise->cap_count = (uint16_t)count;
}

void promise_settle(struct promise *promise, int32_t result)
{
    ASSERT(!promise->settled);
    promise->settled = true;
    promise->result = result;
    struct list_link *link;
    while ((link = list_pop_front(&promise->waiting)) != nullptr) {
        promise->resumed_count++;
        chain_resume(container_of(link, struct op, queue_link));
    }
    promise_drop_if_done(promise);
}

enum status promise_resolve(struct thread *thread, const struct capos_sqe *sqe,
                            capos_cap_id *out_cap)
{
    struct promise *promise = promise_find(thread, sqe->cap);
    if (promise == nullptr || (promise->finished && promise->resumed_count == 0))
        return STATUS_NOT_FOUND;
    if (!promise->settled)
        return chain_wait_for(thread, sqe, promise);
    if (promise->result < 0) {
        enum status status = (enum status)(-promise->result);
        return status <= STATUS_INVALID_ARGUMENT
                   ? submit_fail(thread, sqe, status, reason_broken)
                   : status;
    }
    if (sqe->result_index >= promise->cap_count)
        return STATUS_BAD_CAPABILITY;
    *out_cap = promise->caps[sqe->result_index];
    return STATUS_OK;
}

enum status promise_finish(struct thread *thread, uint64_t name, uint16_t keep)
{
    struct promise *promise = promise_find(thread, name);
    if (promise == nullptr || promise->finished)
        return STATUS_NOT_FOUND;
    promise->finished = true;
    promise->keep = keep;
    if (promise->settled && promise->resumed_count == 0)
        promise_drop(promise);
    return STATUS_OK;
}

void promise_unwait(struct promise *promise)
{
    if (!promise->settled)
        return;
    ASSERT(promise->resumed_count > 0);
    promise->resumed_count--;
    promise_drop_if_done(promise);
}

void promise_discard_all(struct thread *thread)
{
    struct list_link *link;
    while ((link = list_first(&thread->promises)) != nullptr)
        promise_destroy(container_of(link, struct promise, thread_link));
}
