// SPDX-License-Identifier: MIT
// Sleeping on words of memory: PARK and UNPARK.  See park.h.
//
// A sleeper is an op, charged as each op is.  The sleepers of the machine are in a hash table
// of their words, those of one word in order of arrival.  A word is known by the object that
// holds it and its offset there, not by its address, which differs between processes, nor
// by its frame, which may change under it.  The hash has a secret factor, so nobody can
// choose words that fall into the bucket of somebody else's.
//
// Invariants:
//  1. A sleeper is in a bucket and in the list of its process's space, or in neither; its word's
//     region is mapped and readable in that space, so the word's owner lives.
//  2. A word is looked at and its sleeper queued in one step, under the kernel lock: who
//     changes the word and then unparks finds the sleeper, or the sleeper finds the change.
//
// Source of the scheme: futexes (Franke, Russell, Kirkwood 2002).
// Tested in tests/core/park_test.c and tests/iface/park_test.c.
#include <kernel/ipc/park.h>

#include <abi/syscall.h>
#include <kernel/arch.h>
#include <kernel/cap/table.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/submit.h>
#include <kernel/object/entropy_source.h>
#include <kernel/object/object.h>
#include <kernel/object/objects.h>
#include <kernel/sched/hand_over.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>

constexpr unsigned BUCKET_BITS = 10;
static struct list buckets[1u << BUCKET_BITS]; // struct op.park_link
static uint64_t multiplier;                    // odd and secret

void park_init(void)
{
    for (unsigned i = 0; i < 1u << BUCKET_BITS; i++)
        list_init(&buckets[i]);
    multiplier = entropy_word() | 1;
}

static bool word_equal(const struct space_word *a, const struct space_word *b)
{
    return a->owner == b->owner && a->offset == b->offset;
}

// Multiplicative hashing (Knuth, volume 3, 6.4): the upper bits of the product.
static struct list *bucket_of(const struct space_word *word)
{
    uint64_t key = ((uint64_t)word->owner ^ word->offset) * multiplier;
    return &buckets[key >> (64 - BUCKET_BITS)];
}

// The sleeper of a word that came first; nullptr without one.
static struct op *sleeper_first(struct list *bucket, const struct space_word *word)
{
    for (struct list_link *link = bucket->head.next; link != &bucket->head; link = link->next) {
        struct op *op = container_of(link, struct op, park_link);
        if (word_equal(&op->park_word, word))
            return op;
    }
    return nullptr;
}

static void sleeper_queue(struct op *op, struct space *space, const struct space_word *word,
                          uint64_t address)
{
    op->private_word = address;
    op->park_word = *word;
    list_push_back(bucket_of(word), &op->park_link);
    list_push_back(&space->sleepers, &op->queue_link);
}

static void sleeper_withdraw(struct op *op)
{
    list_remove(&op->park_link);
    list_remove(&op->queue_link);
    if (op->timeout.pending)
        timeout_stop(&op->timeout);
}

static void sleeper_wake(struct op *op, int32_t result)
{
    sleeper_withdraw(op);
    op_finish(op, result, 0, 0, 0);
}

static void sleeper_fire(struct timeout *timeout)
{
    sleeper_wake(container_of(timeout, struct op, timeout), -(int32_t)STATUS_TIMED_OUT);
}

static enum status check_space(const struct thread *thread, const struct capos_sqe *sqe)
{
    const struct cap_slot *slot = cap_table_lookup(&thread->process->caps, sqe->cap);
    if (slot == nullptr)
        return STATUS_BAD_CAPABILITY;
    return slot->object == park_space_object() ? STATUS_OK : STATUS_WRONG_INTERFACE;
}

// When a PARK that begins now ends at the latest; UINT64_MAX: never.
static enum status deadline_of(const struct thread *thread, const struct capos_sqe *sqe,
                               uint64_t *out_deadline_ns)
{
    *out_deadline_ns = sqe->timeout_ns;
    if (sqe->timeout_ns == 0 || sqe->timeout_ns == CAPOS_FOREVER)
        return STATUS_OK;
    if (thread->process->caps.clock_holds == 0)
        return STATUS_BAD_CAPABILITY;
    uint64_t now_ns = arch_now_ns();
    if ((sqe->method & CAPOS_PARK_DEADLINE) == 0 &&
        __builtin_add_overflow(now_ns, sqe->timeout_ns, out_deadline_ns))
        *out_deadline_ns = CAPOS_FOREVER;
    else if (*out_deadline_ns <= now_ns)
        *out_deadline_ns = 0;
    return STATUS_OK;
}

// The word that an UNPARK or a PARK wakes, of 32 or of 64 bits: a multiple of 4.
static enum status word_at(struct space *space, uint64_t address, struct space_word *out_word)
{
    return address % 4 == 0 ? space_word_at(space, address, out_word) : STATUS_BAD_ADDRESS;
}

// Wakes up to `count` sleepers of a word; returns how many.
static uint32_t wake(const struct space_word *word, uint32_t count)
{
    struct list *bucket = bucket_of(word);
    struct op *op;
    uint32_t woken = 0;
    while (woken < count && (op = sleeper_first(bucket, word)) != nullptr) {
        sleeper_wake(op, CAPOS_PARK_WOKEN);
        woken++;
    }
    return woken;
}

enum status park(struct thread *thread, const struct capos_sqe *sqe)
{
    struct space *space = &thread->process->space;
    struct space_word word, target;
    uint64_t value, deadline_ns;
    if ((sqe->method & ~(CAPOS_PARK_64 | CAPOS_PARK_DEADLINE)) != 0)
        return STATUS_BAD_FLAGS;
    enum status status = check_space(thread, sqe);
    if (status == STATUS_OK)
        status = deadline_of(thread, sqe, &deadline_ns);
    if (status == STATUS_OK)
        status =
            space_load(space, sqe->params, (sqe->method & CAPOS_PARK_64) != 0 ? 8 : 4, &value);
    if (status == STATUS_OK)
        status = space_word_at(space, sqe->params, &word);
    if (status == STATUS_OK && sqe->result != 0)
        status = word_at(space, sqe->result, &target);
    if (status != STATUS_OK)
        return status;
    if (sqe->result != 0)
        (void)wake(&target, sqe->result_bytes_max);
    if (value != sqe->expected) {
        submit_finish(thread, sqe, CAPOS_PARK_CHANGED, 0, 0, 0);
        return STATUS_PENDING;
    }
    if (deadline_ns == 0)
        return STATUS_TIMED_OUT;
    struct op *op = op_create(thread, sqe->user_data, park_space_object(), sleeper_withdraw);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    op_attend(op, &thread->ring);

    sleeper_queue(op, space, &word, sqe->params);
    if (deadline_ns != CAPOS_FOREVER)
        timeout_start(&op->timeout, deadline_ns, sleeper_fire);
    return STATUS_PENDING;
}

// Moves a sleeper of a space behind those of another word of the space.
static void sleeper_move(struct op *op, const struct space_word *word, uint64_t address)
{
    list_remove(&op->park_link);
    op->park_word = *word;
    op->private_word = address;
    list_push_back(bucket_of(word), &op->park_link);
}

enum status unpark(struct thread *thread, const struct capos_sqe *sqe)
{
    struct space *space = &thread->process->space;
    struct space_word word, target;
    uint32_t move_max = sqe->result_bytes_max;
    enum status status = sqe->method == 0 ? check_space(thread, sqe) : STATUS_BAD_FLAGS;
    if (status == STATUS_OK)
        status = word_at(space, sqe->params, &word);
    if (status == STATUS_OK && sqe->result != 0)
        status = word_at(space, sqe->result, &target);
    if (status != STATUS_OK)
        return status;
    if (sqe->result == 0 || word_equal(&word, &target))
        move_max = 0;

    uint32_t woken = wake(&word, sqe->params_bytes), moved = 0;
    struct list *bucket = bucket_of(&word);
    struct op *op;
    for (uint32_t i = 0; i < move_max && (op = sleeper_first(bucket, &word)) != nullptr; i++) {
        if (&op->thread->process->space == space) {
            sleeper_move(op, &target, sqe->result);
            moved++;
        } else {
            sleeper_wake(op, CAPOS_PARK_WOKEN);
            woken++;
        }
    }
    if ((sqe->flags & CAPOS_SQE_QUIET) != 0)
        return STATUS_OK; // nobody asks for the counts
    submit_finish(thread, sqe, (int32_t)woken, 0, moved, 0);
    return STATUS_PENDING;
}

// ---- The short way ------------------------------------------------------------------------

static uint64_t read_once(const uint64_t *word)
{
    return *(const volatile uint64_t *)word;
}

UPCALL_PRESERVES_NOTHING [[gnu::noinline]] struct thread *
park_handover(struct cpu *cpu, struct thread *thread, const struct capos_sqe *shared)
{
    struct space *space = &thread->process->space;
    struct space_word target, word;
    struct op *woken;
    uint64_t value, address = read_once(&shared->params), other = read_once(&shared->result);
    const struct cap_slot *slot =
        cap_table_lookup(&thread->process->caps, read_once(&shared->cap));
    if (*(const volatile uint32_t *)&shared->result_bytes_max != 1 || other % 4 != 0 ||
        read_once(&shared->timeout_ns) != CAPOS_FOREVER || slot == nullptr ||
        slot->object != park_space_object() ||
        space_word_at(space, other, &target) != STATUS_OK ||
        (woken = sleeper_first(bucket_of(&target), &target)) == nullptr || woken->special ||
        space_load_32(space, address, &value) != STATUS_OK ||
        value != read_once(&shared->expected) ||
        space_word_at(space, address, &word) != STATUS_OK ||
        (thread->op_spare == nullptr && !op_spare_make(thread)) ||
        !sched_can_hand_over_to(woken->thread, cpu))
        return kernel_cap_enter(1, CAPOS_FOREVER);
    struct op *op = op_create_from_spare(thread, read_once(&shared->user_data),
                                         park_space_object(), sleeper_withdraw);
    op->plain = false;
    op->queue_link = (struct list_link){};

    ring_advance(&thread->ring);
    struct thread *next = woken->thread;
    ring_complete(&next->ring, woken->user_data, CAPOS_PARK_WOKEN, 0, 0, 0);
    sleeper_withdraw(woken);
    if (next->op_spare == nullptr)
        op_retire_to_spare(woken, next); // a sleeper that isn't special is clean now
    else
        op_retire(woken);
    sleeper_queue(op, space, &word, address);
    return sched_hand_over(cpu, thread, next);
}

// ---- The end of memory ---------------------------------------------------------------------

void park_wake_range_slow(struct space *space, uint64_t start, uint64_t end)
{
    LIST_FOR_EACH(op, &space->sleepers, struct op, queue_link)
    {
        if (op->private_word >= start && op->private_word < end)
            sleeper_wake(op, -(int32_t)STATUS_BAD_ADDRESS);
    }
}
