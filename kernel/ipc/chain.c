// SPDX-License-Identifier: MIT
// Submissions that wait for others.  See chain.h.  Tested in tests/core/promise_test.c.

#include <kernel/ipc/chain.h>

#include <kernel/debug/panic.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/promise.h>
#include <kernel/ipc/submit.h>
#include <kernel/mm/slab.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

struct deferral {
    struct capos_sqe sqe;
    struct op *leader;       // whose success it waits for; nullptr: none, or not any more
    struct promise *promise; // on which it builds, until its turn has been taken
    bool cancelled;          // its leader failed
};

static struct slab_cache deferral_cache = SLAB_CACHE(struct deferral);
static struct list resumed = {.head = {&resumed.head, &resumed.head}};
static bool running;

static const char reason_name_taken[] =
    "user_data: of a promise that isn't finished; each promise of a thread has its own";
static const char reason_no_promise[] =
    "no memory for a promise, or 64 of the thread aren't finished";

void ring_attend(struct ring *ring, bool ending)
{
    ring->attention = ring->trace != nullptr || ring->chain_failed ||
                      ring->chain_tail != nullptr || ring->under_way != nullptr || ending;
}

// ---- Completions --------------------------------------------------------------------

void chain_attach(struct op *op, struct under_way *under_way)
{
    op->promise = under_way->promise;
    op->follower = under_way->follower;
    if (op->follower != nullptr)
        op->follower->deferral->leader = op;
    if (under_way->open)
        op->thread->ring.chain_tail = op;
    *under_way = (struct under_way){};
}

void chain_detach(struct op *op, struct under_way *out_under_way)
{
    struct ring *ring = &op->thread->ring;
    *out_under_way = (struct under_way){
        .promise = op->promise,
        .follower = op->follower,
        .open = ring->chain_tail == op,
    };
    if (op->follower != nullptr)
        op->follower->deferral->leader = nullptr;
    if (out_under_way->open)
        ring->chain_tail = nullptr;
    op->promise = nullptr;
    op->follower = nullptr;
}

void chain_settle(struct thread *thread, const struct under_way *under_way, int32_t result)
{
    if (under_way->promise != nullptr)
        promise_settle(under_way->promise, result);
    if (under_way->follower != nullptr) {
        under_way->follower->deferral->cancelled = result < 0;
        chain_resume(under_way->follower);
    }
    if (under_way->open) {
        thread->ring.chain_failed = result < 0;
        ring_attend(&thread->ring, thread->process->ending);
    }
}

void chain_settle_under_way(struct thread *thread, int32_t result)
{
    struct under_way *current = thread->ring.under_way;
    if (current == nullptr)
        return;
    struct under_way under_way = *current;
    *current = (struct under_way){};
    chain_settle(thread, &under_way, result);
}

void chain_note_caps(struct thread *thread, const struct capos_cap_record *records,
                     uint32_t count)
{
    const struct under_way *under_way = thread->ring.under_way;
    if (under_way != nullptr && under_way->promise != nullptr)
        promise_note_caps(under_way->promise, records, count);
}

// ---- Waiting ------------------------------------------------------------------------

// Takes what waits out of wherever it waits, and frees what was kept with it.
static void deferral_cancel(struct op *op)
{
    struct deferral *deferral = op->deferral;
    struct under_way *under_way = op->thread->ring.under_way;
    if (list_linked(&op->queue_link))
        list_remove(&op->queue_link);
    if (under_way != nullptr && under_way->follower == op) // a CANCEL of what follows it
        under_way->follower = nullptr;
    if (deferral->leader != nullptr)
        deferral->leader->follower = nullptr;
    if (deferral->promise != nullptr)
        promise_unwait(deferral->promise);
    slab_put(&deferral_cache, op->thread->process->budget, deferral);
    op->deferral = nullptr;
}

// An operation that keeps a submission.  nullptr when the budget is exhausted.
static struct op *defer(struct thread *thread, const struct capos_sqe *sqe)
{
    struct deferral *deferral = slab_get(&deferral_cache, thread->process->budget);
    if (deferral == nullptr)
        return nullptr;
    struct op *op =
        op_create(thread, sqe->user_data, &thread->process->object, deferral_cancel);
    if (op == nullptr) {
        slab_put(&deferral_cache, thread->process->budget, deferral);
        return nullptr;
    }
    deferral->sqe = *sqe;
    op->deferral = deferral;
    op_attend_slow(op);
    return op;
}

enum status chain_wait_for(struct thread *thread, const struct capos_sqe *sqe,
                           struct promise *promise)
{
    struct op *op = defer(thread, sqe);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    op->deferral->promise = promise;
    list_push_back(&promise->waiting, &op->queue_link);
    return STATUS_PENDING;
}

// Makes a submission the follower of an operation.
static enum status wait_for_leader(struct thread *thread, const struct capos_sqe *sqe,
                                   struct op *leader)
{
    struct op *op = defer(thread, sqe);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    op->deferral->leader = leader;
    leader->follower = op;
    return STATUS_PENDING;
}

// ---- Taking -------------------------------------------------------------------------

// How a submission begins: with a promise if it is to be one.
static enum status begin(struct thread *thread, const struct capos_sqe *sqe,
                         struct under_way *under_way)
{
    if (sqe->opcode != CAPOS_OP_CALL || (sqe->flags & CAPOS_SQE_PROMISE) == 0)
        return STATUS_OK;
    enum status status = promise_create(thread, sqe->user_data, &under_way->promise);
    if (status == STATUS_OK)
        return STATUS_OK;
    return submit_fail(thread, sqe, status,
                       status == STATUS_OVERLOADED ? reason_no_promise : reason_name_taken);
}

void chain_submit(struct thread *thread, const struct capos_sqe *sqe)
{
    struct ring *ring = &thread->ring;
    struct under_way under_way = {.open = (sqe->flags & CAPOS_SQE_LINK) != 0};
    struct under_way *outer = ring->under_way;
    struct op *leader = ring->chain_tail;
    bool failed = ring->chain_failed;
    ring->chain_tail = nullptr; // the end of the chain is this one now, if it is open
    ring->chain_failed = false;
    ring->under_way = &under_way;
    ring->attention = true; // the drain goes on in the way that looks again
    if (ring->trace != nullptr)
        call_trace_submit(thread, sqe);
    enum status status = begin(thread, sqe, &under_way);
    if (status == STATUS_OK && failed)
        status = STATUS_CANCELLED;
    else if (status == STATUS_OK && leader != nullptr)
        status = wait_for_leader(thread, sqe, leader);
    else if (status == STATUS_OK)
        status = submit_checked(thread, sqe);
    submit_end(thread, sqe, status);
    ring->under_way = outer;
}

// The turn of one that waited.
static void take_turn(struct op *op)
{
    struct thread *thread = op->thread;
    struct ring *ring = &thread->ring;
    struct deferral deferral = *op->deferral;
    uint64_t trace_id = op->trace_id;
    struct under_way under_way;
    op_unattend(op, &under_way);
    slab_put(&deferral_cache, thread->process->budget, op->deferral);
    op->deferral = nullptr;
    op_discard(op);

    struct under_way *outer = ring->under_way;
    bool attended = ring->attention;
    uint64_t outer_id = call_trace_current(ring);
    ring->under_way = &under_way;
    ring->attention = true;
    if (ring->trace != nullptr)
        call_trace_resume(ring->trace, trace_id);
    submit_end(thread, &deferral.sqe,
               deferral.cancelled ? STATUS_CANCELLED : submit_checked(thread, &deferral.sqe));
    ring->under_way = outer;
    if (ring->trace != nullptr)
        call_trace_resume(ring->trace, outer_id);
    // The drain of a thread that acts itself looks again: this may have taken more than one entry.
    if (!attended && thread != arch_cpu()->current)
        ring_attend(ring, thread->process->ending);
    if (deferral.promise != nullptr)
        promise_unwait(deferral.promise);
}

void chain_make_ready(void)
{
    struct cpu *cpu = arch_cpu();
    cpu->chains_ready = true;
    cpu->changed = true;
}

void chain_resume(struct op *op)
{
    list_push_back(&resumed, &op->queue_link);
    chain_make_ready();
}

// Not nested: what a turn makes ready has its turn in the same loop.
void chain_run(void)
{
    struct cpu *cpu = arch_cpu();
    if (running)
        return;
    running = true;
    struct list_link *link;
    while (promise_drop_finished(), (link = list_pop_front(&resumed)) != nullptr) {
        struct op *op = container_of(link, struct op, queue_link);
        struct process *process = op->thread->process;
        cpu->acting_for = process;
        take_turn(op);
        cpu->acting_for = nullptr;
        if (process->ending && (cpu->current == nullptr || cpu->current->process != process))
            process_finish_ending(process);
    }
    running = false;
    cpu->chains_ready = false;
}
