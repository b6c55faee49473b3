// SPDX-License-Identifier: MIT
// The invariants of the core that no single file can assert, checked from outside.
//
// From the list of all processes everything that user code can reach is found: tables, threads,
// operations, Endpoints, budgets.  What is counted there is compared with the counts that the
// core keeps:
//
//  1. Holds: an object's hold_count is the number of table slots, capabilities in transit,
//     unfinished calls and forwarders that hold it, and its reference_count is no less.  So
//     no capability is lost, doubled, or half moved.
//  2. Tables: live, free and retired slots are all slots; the free list has no live one.
//  3. Transit: slots marked as in transit are those that some pending operation moves.
//  4. Rings: the operations of a thread are those that hold one of its completion entries.
//  5. Endpoints: every unfinished call has the slot that says so; lists hold what they should.
//  6. CPUs: whoever runs, pays or goes next there is a living thread, in the right state.
//  7. Budgets: none has used more than its limit, and what none has used is free frames.
//  8. Spaces: what is mapped is counted, and no frame that has another reference can be
//     written to.
//  9. Chains: nothing is left whose turn has come, and promises are as promise.h says.
//
// Used by tests/fuzz/fuzz_sqe.c after each step.
#include <kernel/arch/host/invariants.h>

#include <kernel/arch/host/harness.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/endpoint_state.h>
#include <kernel/ipc/promise.h>
#include <kernel/mm/frame.h>
#include <kernel/object/revocable.h>
#include <kernel/sched/cpu.h>

// What a fuzzer learns from is the core, not its checker.
#pragma clang attribute push(__attribute__((no_sanitize("coverage"))), apply_to = function)

#define HOLDS(condition, text)              \
    do {                                    \
        if (!(condition))                   \
            PANIC("invariant: %s", (text)); \
    } while (0)

// ---- Objects that were found ----------------------------------------------------------

// A hash table by address; entries of earlier checks have another round.
constexpr uint32_t FOUND_MAX = 1 << 14;

struct found {
    const struct object *object;
    uint32_t holds;
    uint32_t round;
};

static struct found found[FOUND_MAX];
static uint32_t found_order[FOUND_MAX]; // indices, in the order of finding
static uint32_t found_count, round;

static struct found *find(const struct object *object)
{
    uint32_t at = (uint32_t)((uintptr_t)object / 32 * 2654435761u) % FOUND_MAX;
    while (found[at].round == round && found[at].object != object)
        at = (at + 1) % FOUND_MAX;
    if (found[at].round != round) {
        HOLDS(found_count < FOUND_MAX / 2, "the checker has room for all objects");
        found_order[found_count++] = at;
        found[at] = (struct found){.object = object, .round = round};
    }
    return &found[at];
}

static void count_hold(const struct object *object)
{
    find(object)->holds++;
}

static bool is_minted(const struct object *object)
{
    return object->type == &minted_type;
}

// ---- Operations -----------------------------------------------------------------------

// Returns how many capabilities of the thread's process it moves.
static uint32_t check_operation(const struct thread *thread, struct op *op)
{
    uint32_t moved = 0;
    HOLDS(op->thread == thread, "an operation is in its own thread's list");
    for (uint32_t i = 0; op->transfers != nullptr && i < op->transfers->count; i++) {
        const struct invocation_transfer *entry = &op->transfers->entries[i];
        HOLDS(op->transfers->sender == thread->process, "a sender's capabilities are its own");
        if (entry->moved)
            moved++;
        else
            count_hold(entry->object);
    }
    HOLDS(op->result.thread == thread, "an operation's results are for its own thread");
    HOLDS(!op->plain || (!op->special && op->transfers == nullptr && op->result.in_ring),
          "a plain operation is plain");
    if (op->call_slot == nullptr)
        return moved;
    HOLDS(is_minted(op->object), "only calls on minted objects have a slot");
    const struct endpoint *endpoint = minted_of(op->object)->endpoint;
    HOLDS(op->call_slot >= endpoint->slots &&
              op->call_slot < endpoint->slots + endpoint->slot_count && op->call_slot->op == op,
          "a call's slot is its own");
    HOLDS(list_linked(&op->queue_link), "a call is queued, or of the process that received it");
    count_hold(op->object);
    (void)find(&endpoint->object); // alive, though perhaps nobody holds it any more
    return moved;
}

static bool is_current(const struct thread *thread)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        if (arch_cpu_at(i)->current == thread)
            return true;
    return false;
}

// What is linked, and what builds on promises.
static void check_chains(const struct thread *thread)
{
    const struct ring *ring = &thread->ring;
    HOLDS(ring->under_way == nullptr, "no submission is under way any more");
    HOLDS(ring->attention || (ring->chain_tail == nullptr && !ring->chain_failed),
          "an open chain has the ring's attention");
    HOLDS(list_count(&thread->promises) == thread->promise_count, "promises are counted");
    for (struct list_link *link = list_first(&thread->promises); link != nullptr;
         link = list_next(&thread->promises, link)) {
        const struct promise *promise = container_of(link, struct promise, thread_link);
        HOLDS(promise->resumed_count == 0, "nobody whose turn has come still waits");
        HOLDS(!promise->settled || (list_empty(&promise->waiting) && !promise->finished),
              "nobody waits for a settled promise, and a finished one is gone");
    }
}

static uint32_t check_thread(const struct thread *thread)
{
    uint32_t count = 0, moved = 0;
    for (struct list_link *link = list_first(&thread->operations); link != nullptr;
         link = list_next(&thread->operations, link)) {
        struct op *op = container_of(link, struct op, thread_link);
        if (op == thread->op_spare)
            continue;
        count++;
        moved += check_operation(thread, op);
        if (is_multishot(op))
            count += multishot_free_slots(op->multishot); // each holds an entry too
    }
    HOLDS(count == thread->ring.pending_count, "pending operations are those in the list");
    HOLDS(count <= CAPOS_CQ_ENTRIES, "every pending operation has a completion entry");
    HOLDS((thread->state == THREAD_RUNNING) == is_current(thread),
          "a running thread is the current one of a CPU");
    HOLDS(thread->plain_wait == nullptr ||
              (thread->state == THREAD_WAITING && thread->plain_wait == thread->cpu &&
               thread->wait_count == 1 && !thread->wait_timeout.pending),
          "who waits plainly waits for one completion, for ever");
    check_chains(thread);
    return moved;
}

// ---- Processes ------------------------------------------------------------------------

static void check_table(const struct cap_table *table, uint32_t moved)
{
    uint32_t live = 0, retired = 0, in_transit = 0, tell_time = 0, free = 0;
    for (uint32_t chunk = 0; chunk < table->chunk_count; chunk++) {
        for (uint32_t i = 0; i < CAP_CHUNK_SLOTS << chunk; i++) {
            const struct cap_slot *slot = &table->chunks[chunk][i];
            retired += slot->generation == 0;
            if (slot->object == nullptr)
                continue;
            live++;
            in_transit += cap_slot_in_transit(slot);
            tell_time += slot->object->type->tells_time;
            count_hold(slot->object);
        }
    }
    for (uint32_t i = table->first_free; i != CAP_SLOT_NONE; free++) {
        HOLDS(i < table->slot_count && free < table->slot_count, "the free list ends");
        const struct cap_slot *slot = cap_table_slot(table, i);
        HOLDS(slot->object == nullptr && slot->generation != 0, "a free slot is free");
        i = slot->next_free;
    }
    HOLDS(live == table->live_count, "live capabilities are counted");
    HOLDS(free == table->free_count, "free slots are counted");
    HOLDS(live + free + retired == table->slot_count, "no slot is lost");
    HOLDS(tell_time == table->clock_holds, "holds that tell the time are counted");
    HOLDS(table->tells_time == (tell_time > 0), "who holds one may tell the time");
    HOLDS(in_transit == moved, "what is in transit is on its way");
}

static void check_space(const struct space *space)
{
    struct arch_mapping mapping;
    uint64_t resident_bytes = 0;
    for (uint64_t at = 0; arch_space_next(&space->arch, at, USER_ADDRESS_END, &mapping);
         at = mapping.address + mapping.size_bytes) {
        resident_bytes += mapping.size_bytes;
        for (uint64_t i = 0; i < mapping.size_bytes && mapping.access == PAGE_READ_WRITE;
             i += PAGE_BYTES)
            HOLDS(frame_lookup(mapping.frame + i) == nullptr ||
                      !frame_is_shared(mapping.frame + i),
                  "a frame that is shared isn't writable");
    }
    HOLDS(resident_bytes == space->resident_bytes, "what is mapped is counted");
}

static void check_process(struct process *process)
{
    uint32_t moved = 0;
    HOLDS(process->state != PROCESS_ENDED, "a process that ended isn't among the living");
    for (struct list_link *link = list_first(&process->threads); link != nullptr;
         link = list_next(&process->threads, link)) {
        const struct thread *thread = container_of(link, struct thread, process_link);
        HOLDS(thread->process == process, "a thread is in its own process's list");
        moved += check_thread(thread);
    }
    for (struct list_link *link = list_first(&process->received); link != nullptr;
         link = list_next(&process->received, link))
        HOLDS(call_is_delivered(container_of(link, struct op, queue_link)),
              "a process has received calls that were delivered");
    check_table(&process->caps, moved);
    const struct arch_space *arch = &process->space.arch;
    enum page_access access = PAGE_NONE;
    if (process->state == PROCESS_ALIVE && arch->known_page != 0) {
        paddr_t frame = arch_space_lookup(arch, arch->known_page - 1, &access);
        HOLDS(frame != 0 && access != PAGE_NONE &&
                  arch_frame_pointer(frame) == arch->known_bytes,
              "a page that is known is where it is mapped");
    }
    // Now and then, for it takes long; where a start failed, a ring's place stays taken.
    if (process->state == PROCESS_ALIVE && round % 8 == 0)
        check_space(&process->space);
    (void)find(&process->budget->object);
}

// ---- Endpoints ------------------------------------------------------------------------

static uint32_t count_calls(const struct endpoint *endpoint)
{
    uint32_t count = 0;
    for (struct list_link *link = list_first(&endpoint->calls); link != nullptr;
         link = list_next(&endpoint->calls, link), count++) {
        struct op *op = container_of(link, struct op, queue_link);
        HOLDS(is_minted(op->object) && minted_of(op->object)->endpoint == endpoint,
              "a queued call is for its endpoint");
        HOLDS(op->call_slot != nullptr && !call_is_delivered(op),
              "a queued call isn't delivered");
    }
    return count;
}

static void check_slots(const struct endpoint *endpoint, uint32_t queued)
{
    uint32_t used = 0, delivered = 0, free = 0;
    for (uint32_t i = 0; i < endpoint->slot_count; i++) {
        const struct op *op = endpoint->slots[i].op;
        if (op == nullptr)
            continue;
        HOLDS(op->call_slot == &endpoint->slots[i], "a slot's call knows it");
        used++;
        delivered += call_is_delivered(op);
    }
    for (const struct call_slot *slot = endpoint->first_free; slot != nullptr;
         slot = slot->next_free, free++)
        HOLDS(free < endpoint->slot_count && slot->op == nullptr && slot->call_id == 0,
              "the free list of slots ends, and they are free");
    HOLDS(used + free == endpoint->slot_count, "no slot of an endpoint is lost");
    HOLDS(used == delivered + queued, "an unfinished call is queued or delivered");
    HOLDS(!endpoint->closed || used == 0, "a closed endpoint has no calls");
}

static void check_endpoint(const struct endpoint *endpoint)
{
    uint32_t queued = count_calls(endpoint);
    check_slots(endpoint, queued);
    for (struct list_link *link = list_first(&endpoint->receivers); link != nullptr;
         link = list_next(&endpoint->receivers, link))
        HOLDS(container_of(link, struct op, queue_link)->object == &endpoint->object,
              "a receive is on its endpoint");
    for (struct list_link *link = list_first(&endpoint->full); link != nullptr;
         link = list_next(&endpoint->full, link)) {
        const struct op *op = container_of(link, struct op, queue_link);
        HOLDS(is_multishot(op) && multishot_free_slots(op->multishot) == 0,
              "a receive that is full has no free slot");
    }
    for (struct list_link *link = list_first(&endpoint->notices); link != nullptr;
         link = list_next(&endpoint->notices, link)) {
        const struct minted *minted = container_of(link, struct minted, notice_link);
        HOLDS(minted->endpoint == endpoint && minted->object.hold_count == 0,
              "a release notice is for an object that nobody holds");
    }
    bool waits = !list_empty(&endpoint->receivers);
    HOLDS(!waits || (queued == 0 && list_empty(&endpoint->notices)),
          "no receive waits beside what it could take");
    HOLDS(!endpoint->closed || (!waits && list_empty(&endpoint->notices)),
          "a closed endpoint has no receives and no notices");
}

// ---- CPUs -----------------------------------------------------------------------------

static bool is_alive(const struct thread *wanted)
{
    for (struct list_link *link = list_first(&process_all); link != nullptr;
         link = list_next(&process_all, link)) {
        const struct process *process = container_of(link, struct process, all_link);
        for (struct list_link *at = list_first(&process->threads); at != nullptr;
             at = list_next(&process->threads, at))
            if (container_of(at, struct thread, process_link) == wanted)
                return true;
    }
    return false;
}

static void check_cpu(const struct cpu *cpu)
{
    const struct thread *current = cpu->current, *charged = cpu->charged, *next = cpu->handoff;
    HOLDS(current == nullptr || (is_alive(current) && current->cpu == cpu),
          "a CPU runs a living thread of its own");
    HOLDS(charged == nullptr || is_alive(charged), "who pays for a CPU's time is alive");
    HOLDS(charged != nullptr || current == nullptr, "somebody pays for whoever runs");
    HOLDS(next == nullptr ||
              (is_alive(next) && next->state == THREAD_READY && next->cpu == cpu),
          "who goes next is alive and ready");
    uint32_t queued = 0;
    for (const struct thread *thread = lane_first(cpu->queue); thread != nullptr;
         thread = lane_next(thread, cpu->queue), queued++) {
        HOLDS(is_alive(thread) && thread->state == THREAD_READY && thread->cpu == cpu,
              "a queue has living threads that are ready");
    }
    HOLDS(queued == cpu->queue_count, "queued threads are counted");
}

// ---- All ------------------------------------------------------------------------------

// Returns the frames that the budget promises and hasn't used.
static uint64_t check_budget(const struct budget *budget)
{
    HOLDS(budget->used_bytes <= budget->limit_bytes, "a budget keeps its limit");
    HOLDS(budget->kernel_bytes + budget->split_bytes <= budget->used_bytes,
          "the parts of what a budget used are no more than the whole");
    return (budget->limit_bytes - budget->used_bytes) / PAGE_BYTES;
}

// What forwarders hold, and what they hold in turn.
static void count_forwarded(void)
{
    for (uint32_t i = 0; i < found_count; i++) { // grows
        const struct object *object = found[found_order[i]].object;
        if (object->type == &revocable_type && revocable_held(object) != nullptr)
            count_hold(revocable_held(object));
    }
}

static void check_found(void)
{
    uint64_t promised = 0;
    count_forwarded();
    for (uint32_t i = 0; i < found_count; i++) { // grows: parents of budgets, endpoints
        const struct found *entry = &found[found_order[i]];
        struct object *object = (struct object *)(uintptr_t)entry->object;
        HOLDS(object->hold_count == entry->holds, "the holds of an object are those it counts");
        HOLDS(object->reference_count >= object->hold_count, "each hold is a reference");
        HOLDS(!object->unheld_pending, "no object's end is put off");
        if (object->type == &endpoint_type)
            check_endpoint(endpoint_of(object));
        if (is_minted(object))
            (void)find(&minted_of(object)->endpoint->object);
        if (object->type == &memory_budget_type) {
            const struct budget *budget = (const struct budget *)(const void *)object;
            promised += check_budget(budget);
            if (budget->parent != nullptr)
                (void)find(&budget->parent->object);
        }
    }
    HOLDS(promised <= frame_free_count(), "what budgets promise is there");
}

void kernel_check_invariants(void)
{
    round++;
    found_count = 0;
    for (struct list_link *link = list_first(&process_all); link != nullptr;
         link = list_next(&process_all, link))
        check_process(container_of(link, struct process, all_link));
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        check_cpu(arch_cpu_at(i));
    check_found();
}

#pragma clang attribute pop
