// SPDX-License-Identifier: MIT
// The scheduler.  See sched.h.
//
// Fairness is by virtual time: a thread's clock runs while it runs, the slower the higher
// its priority, and the ready thread whose clock is furthest behind goes next.  A thread that
// slept doesn't save up the time: its clock is brought to within SLEEPER_CREDIT_NS of the
// CPU's.  Each CPU has a virtual time of its own; a thread that moves keeps its distance
// to it.
//
// An interactive thread is sorted as if its clock were HEAD_START_NS behind where it is.  So
// it goes first when it becomes ready, and once it has run that long without sleeping it
// competes like any other: a head start, not a greater share.
//
// Who runs pays, with one exception: a server that a caller was handed over to works on the
// caller's time, until the next switch that isn't a hand-over, the next interrupt, or the
// caller is ready again: the clock of a thread in the queue stands still.
//
// Invariants, with several CPUs:
//  1. Between two upcalls of a CPU its handoff is empty, and its current thread is the one
//     whose state is loaded, so a thread that isn't RUNNING is saved and may run anywhere.
//  2. A thread that is in a queue, or waits, may run on thread->cpu.
//  3. No CPU idles while another's queue begins with a thread that it may run, unless as many
//     others were woken for that queue as threads wait there, and haven't come yet.
//  4. If a timeout is pending, one CPU's timer is set no later than the earliest: that of
//     timeouts_cpu, at timeouts_ns.
//
// Not done: moving threads between busy CPUs, so three busy threads on two CPUs get a half, a
// half and a whole.
//
// Source of the scheme: weighted fair queueing (Demers, Keshav, Shenker 1989) as applied
// to CPUs by start-time fair queueing (Goyal, Guo, Vin 1996); the head start is the warp of
// borrowed-virtual-time scheduling (Duda, Cheriton 1999).
// Tested in tests/core/smp_test.c and timer_test.c, and in tests/system/storm_test.c.

#include <kernel/sched/sched.h>

#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/chain.h>
#include <kernel/mm/budget.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

constexpr uint64_t SLEEPER_CREDIT_NS = SCHED_SLICE_NS / 2;
constexpr uint64_t HEAD_START_NS = 2 * SCHED_SLICE_NS;
// Virtual times start here, so that none gets below 0.
constexpr uint64_t VIRTUAL_START_NS = UINT64_C(1) << 60;
constexpr unsigned LOOK_MAX = 8; // threads of a queue that are looked at for another CPU

struct cpu boot_cpu;

static uint32_t idle_cpus; // a bit per index: idle, and not kicked
static struct cpu *timeouts_cpu;
static uint64_t timeouts_ns;

static uint32_t bit_of(const struct cpu *cpu)
{
    return UINT32_C(1) << cpu->index;
}
static_assert(ARCH_CPU_COUNT_MAX <= 32);

static uint32_t all_cpus(void)
{
    return (uint32_t)((UINT64_C(1) << arch_cpu_count()) - 1);
}

static bool may_run_on(const struct thread *thread, const struct cpu *cpu)
{
    return thread->affinity >> cpu->index & 1;
}

void sched_init(void)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct cpu *cpu = arch_cpu_at(i);
        cpu->index = i;
        rbtree_init(&cpu->queue, nullptr);
        cpu->virtual_time = VIRTUAL_START_NS;
        cpu->slice_end_ns = UINT64_MAX;
        cpu->timer_ns = UINT64_MAX;
        cpu->switched_ns = arch_now_ns();
    }
    timeouts_cpu = arch_cpu();
    timeouts_ns = UINT64_MAX;
    idle_cpus = all_cpus() & ~bit_of(arch_cpu());
    arch_set_tsc_allowed(false);
}

void sched_thread_init(struct thread *thread)
{
    thread->state = THREAD_NEW;
    thread->cpu = arch_cpu();
    thread->affinity = THREAD_AFFINITY_ALL;
    thread->latency_class = thread->latency_max = LATENCY_CLASS_NORMAL;
}

// ---- Queues -------------------------------------------------------------------------

// Where a thread stands in a queue.
static uint64_t position(const struct thread *thread)
{
    return thread->latency_class == LATENCY_CLASS_INTERACTIVE
               ? thread->virtual_ns - HEAD_START_NS
               : thread->virtual_ns;
}

static struct thread *thread_of(const struct rbtree_node *node)
{
    return node == nullptr ? nullptr : container_of(node, struct thread, queue_node);
}

static bool queue_before(const struct rbtree_node *a, const struct rbtree_node *b)
{
    return position(thread_of(a)) < position(thread_of(b));
}

static void queue_push(struct cpu *cpu, struct thread *thread)
{
    rbtree_insert(&cpu->queue, &thread->queue_node, queue_before);
    cpu->changed = true;
    if (cpu->queue_count++ == 0)
        cpu->slice_end_ns = arch_now_ns() + SCHED_SLICE_NS;
}

static void queue_remove(struct cpu *cpu, struct thread *thread)
{
    rbtree_remove(&cpu->queue, &thread->queue_node);
    cpu->queue_count--;
}

static struct thread *queue_first(const struct cpu *cpu)
{
    return thread_of(rbtree_first(&cpu->queue));
}

static void handoff_queue(struct cpu *cpu)
{
    if (cpu->handoff == nullptr)
        return;
    queue_push(cpu, cpu->handoff);
    cpu->handoff = nullptr;
}

// Makes a thread that no CPU runs or has queued one of `cpu`: its clock is as far before or
// behind the clock of this one as it was with the other.
static void move(struct thread *thread, struct cpu *cpu)
{
    thread->virtual_ns += cpu->virtual_time - thread->cpu->virtual_time;
    thread->cpu = cpu;
    if (thread->plain_wait != nullptr)
        thread->plain_wait = cpu;
}

// ---- Time ---------------------------------------------------------------------------

// Time on the clock of a thread, which runs slower the higher its priority: a step is worth a
// factor of 5/4.  Fixed point, 16 bits: 65,536 * (4/5)^(priority - PRIORITY_NORMAL).
static uint64_t weighted_ns(const struct thread *thread, uint64_t ran_ns)
{
    static const uint32_t factors[PRIORITY_MAX] = {
        1862645, 1490116, 1192093, 953674, 762939, 610352, 488281, 390625,
        312500,  250000,  200000,  160000, 128000, 102400, 81920,  65536,
        52429,   41943,   33554,   26844,  21475,  17180,  13744,  10995,
        8796,    7037,    5629,    4504,   3603,   2882,   2306,
    };
    return (uint64_t)((unsigned __int128)ran_ns * factors[thread->priority - 1] >> 16);
}

// Charges the time since the last switch to who has to pay for it.
static void account(struct cpu *cpu, uint64_t now_ns)
{
    struct thread *charged = cpu->charged;
    // The clocks of two CPUs differ by less than it takes to go from one to the other, but
    // they do.
    if (charged != nullptr && now_ns > cpu->switched_ns) {
        uint64_t ran_ns = now_ns - cpu->switched_ns;
        charged->process->cpu_time_ns += ran_ns;
        charged->virtual_ns += weighted_ns(charged, ran_ns);
        if (cpu->virtual_time < charged->virtual_ns)
            cpu->virtual_time = charged->virtual_ns;
    }
    cpu->switched_ns = now_ns;
}

void sched_account(void)
{
    uint64_t now_ns = arch_now_ns();
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        account(arch_cpu_at(i), now_ns);
}

// A thread that slept doesn't save up the time.
static void credit_limit(const struct cpu *cpu, struct thread *thread)
{
    if (thread->virtual_ns + SLEEPER_CREDIT_NS < cpu->virtual_time)
        thread->virtual_ns = cpu->virtual_time - SLEEPER_CREDIT_NS;
}

// A thread that doesn't run no longer pays for the one that does.
static void donation_end(struct thread *thread)
{
    struct cpu *cpu = thread->cpu;
    if (cpu->charged != thread || cpu->current == thread)
        return;
    account(cpu, arch_now_ns());
    if (cpu->current != nullptr)
        credit_limit(cpu, cpu->current);
    cpu->charged = cpu->current;
}

// Ends the wait of a thread: what its cap_enter returns, and where its clock stands.
static void wait_end(const struct cpu *cpu, struct thread *thread)
{
    if (thread->wait_timeout.pending)
        timeout_stop(&thread->wait_timeout);
    thread->plain_wait = nullptr;
    arch_thread_set_result(&thread->arch, ring_available(&thread->ring));
    credit_limit(cpu, thread);
}

static void timer_update(struct cpu *cpu)
{
    uint64_t deadline_ns = UINT64_MAX, next_ns = timeout_next_ns();
    if (timeouts_cpu == cpu || next_ns < timeouts_ns) {
        timeouts_cpu = cpu;
        timeouts_ns = next_ns;
        deadline_ns = next_ns;
    }
    if (cpu->queue_count > 0 && cpu->slice_end_ns < deadline_ns)
        deadline_ns = cpu->slice_end_ns;
    if (deadline_ns != cpu->timer_ns) {
        cpu->timer_ns = deadline_ns;
        arch_timer_set(deadline_ns);
    }
}

// A process may gain or lose its Timer while it runs, so this isn't a matter of switching.
static void clock_update(struct cpu *cpu)
{
    bool allowed = cpu->current->process->caps.tells_time;
    if (allowed != cpu->tsc_allowed) {
        cpu->tsc_allowed = allowed;
        arch_set_tsc_allowed(allowed);
    }
}

// ---- Other CPUs ---------------------------------------------------------------------

// Makes a CPU look at what was changed of it.
static void notify(struct cpu *cpu)
{
    cpu->changed = true;
    if (cpu == arch_cpu())
        return;
    idle_cpus &= ~bit_of(cpu);
    arch_cpu_kick(cpu);
}

// Wakes idle CPUs for threads that wait in a queue.  Each takes one when it comes, so no more
// are under way than there are threads.
static void offer(struct cpu *cpu)
{
    unsigned looked = 0;
    for (const struct rbtree_node *node = rbtree_first(&cpu->queue);
         node != nullptr && looked < LOOK_MAX && cpu->offers < cpu->queue_count;
         node = rbtree_next(node), looked++) {
        uint32_t able = idle_cpus & (uint32_t)thread_of(node)->affinity;
        if (able == 0)
            continue;
        struct cpu *idle = arch_cpu_at((uint32_t)__builtin_ctz(able));
        idle->woken_by = cpu;
        cpu->offers++;
        notify(idle);
    }
}

static void offer_if_any(struct cpu *cpu)
{
    if (cpu->queue_count > 0 && idle_cpus != 0)
        offer(cpu);
}

// The first thread of a queue that another CPU may run; nullptr if none of the first few.
static struct thread *queue_first_for(const struct cpu *from, const struct cpu *to)
{
    unsigned looked = 0;
    for (const struct rbtree_node *node = rbtree_first(&from->queue);
         node != nullptr && looked < LOOK_MAX; node = rbtree_next(node), looked++) {
        struct thread *thread = thread_of(node);
        if (may_run_on(thread, to))
            return thread;
    }
    return nullptr;
}

// Takes a thread from the longest queue that has one for this CPU.
static struct thread *steal(struct cpu *cpu)
{
    struct thread *best = nullptr;
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        const struct cpu *from = arch_cpu_at(i);
        if (from->queue_count <= (best == nullptr ? 0 : best->cpu->queue_count))
            continue;
        struct thread *thread = queue_first_for(from, cpu);
        if (thread != nullptr)
            best = thread;
    }
    if (best != nullptr) {
        queue_remove(best->cpu, best);
        move(best, cpu);
    }
    return best;
}

// Queues a thread that may not run here where it may: on a CPU that is idle, or where it ran
// last, or where fewest wait.
static void queue_elsewhere(struct thread *thread)
{
    uint32_t able = (uint32_t)thread->affinity & all_cpus();
    ASSERT(able != 0);
    struct cpu *to = arch_cpu_at((uint32_t)__builtin_ctz(able));
    if (able & idle_cpus) {
        to = arch_cpu_at((uint32_t)__builtin_ctz(able & idle_cpus));
    } else if (may_run_on(thread, thread->cpu)) {
        to = thread->cpu;
    } else {
        for (uint32_t i = 0; i < arch_cpu_count(); i++) {
            struct cpu *other = arch_cpu_at(i);
            if (may_run_on(thread, other) && other->queue_count < to->queue_count)
                to = other;
        }
    }
    move(thread, to);
    queue_push(to, thread);
    notify(to);
}

// ---- States of a thread -------------------------------------------------------------

void sched_ready(struct thread *thread)
{
    ASSERT(thread->state == THREAD_WAITING || thread->state == THREAD_NEW);
    struct cpu *cpu = arch_cpu();
    donation_end(thread);
    if (thread->state == THREAD_WAITING)
        wait_end(thread->cpu, thread);
    else
        thread->virtual_ns = thread->cpu->virtual_time;
    thread->state = THREAD_READY;
    if (!may_run_on(thread, cpu)) {
        queue_elsewhere(thread);
        return;
    }
    move(thread, cpu);
    cpu->changed = true;
    if (cpu->handoff == nullptr)
        cpu->handoff = thread;
    else
        queue_push(cpu, thread);
}

void sched_forget(struct thread *thread)
{
    struct cpu *cpu = thread->cpu;
    donation_end(thread);
    cpu->changed = true;
    if (cpu->current == thread) {
        account(cpu, arch_now_ns());
        cpu->charged = nullptr;
        cpu->current = nullptr;
        if (cpu != arch_cpu())
            arch_thread_stop(&thread->arch);
    } else if (cpu->handoff == thread) {
        cpu->handoff = nullptr;
    } else if (thread->state == THREAD_READY) {
        queue_remove(cpu, thread);
    }
    if (thread->wait_timeout.pending)
        timeout_stop(&thread->wait_timeout);
    thread->plain_wait = nullptr;
    thread->state = THREAD_NEW; // what its end completes doesn't make it ready
}

void sched_block(struct thread *thread, bool plainly)
{
    struct cpu *cpu = arch_cpu();
    ASSERT(cpu->current == thread && thread->state == THREAD_RUNNING);
    thread->state = THREAD_WAITING;
    thread->plain_wait = plainly ? cpu : nullptr;
    cpu->changed = true;
}

// The clock of a thread that was handed over to may still stand where it fell asleep.
static void current_catch_up(struct cpu *cpu)
{
    if (cpu->charged != cpu->current)
        credit_limit(cpu, cpu->current);
}

// Takes the CPU from the current thread.
static void current_queue(struct cpu *cpu)
{
    struct thread *current = cpu->current;
    current->state = THREAD_READY;
    if (may_run_on(current, cpu))
        queue_push(cpu, current);
    else
        queue_elsewhere(current);
}

void sched_give_way(void)
{
    struct cpu *cpu = arch_cpu();
    cpu->yielding = true;
    cpu->changed = true;
}

// Puts a thread that yields behind those that are ready.
static void yield(struct cpu *cpu)
{
    cpu->yielding = false;
    struct thread *current = cpu->current;
    if (current == nullptr || current->state != THREAD_RUNNING)
        return;
    uint64_t now_ns = arch_now_ns();
    if (cpu->handoff == nullptr) {
        cpu->handoff = queue_first(cpu);
        if (cpu->handoff == nullptr)
            return;
        queue_remove(cpu, cpu->handoff);
        cpu->slice_end_ns = now_ns + SCHED_SLICE_NS;
    }
    account(cpu, now_ns);
    current_catch_up(cpu);
    cpu->charged = nullptr;
    current_queue(cpu);
}

void sched_set_priority(struct thread *thread, uint8_t priority)
{
    if (thread->cpu->charged == thread)
        account(thread->cpu, arch_now_ns()); // what it ran, it ran at the old rate
    thread->priority = priority;
}

void sched_set_latency_class(struct thread *thread, enum latency_class latency_class)
{
    struct cpu *cpu = thread->cpu;
    bool queued = thread->state == THREAD_READY && cpu->handoff != thread;
    if (queued)
        queue_remove(cpu, thread);
    thread->latency_class = latency_class;
    if (queued)
        queue_push(cpu, thread);
}

void sched_set_affinity(struct thread *thread, uint64_t cpus)
{
    ASSERT((cpus & all_cpus()) != 0);
    thread->affinity = cpus;
    struct cpu *cpu = thread->cpu;
    if (may_run_on(thread, cpu))
        return;
    if (thread->state == THREAD_RUNNING) {
        notify(cpu); // it leaves at the end of this upcall, or of the one that comes
    } else if (thread->state == THREAD_READY) {
        if (cpu->handoff == thread)
            cpu->handoff = nullptr;
        else
            queue_remove(cpu, thread);
        queue_elsewhere(thread);
    } else {
        donation_end(thread);
        move(thread, arch_cpu_at((uint32_t)__builtin_ctz((uint32_t)cpus & all_cpus())));
    }
}

void sched_clock_changed(const struct cap_table *caps)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct cpu *cpu = arch_cpu_at(i);
        if (cpu->current != nullptr && &cpu->current->process->caps == caps)
            notify(cpu);
    }
}

// ---- Leaving the kernel -------------------------------------------------------------

static void switch_to(struct cpu *cpu, struct thread *next)
{
    account(cpu, arch_now_ns());
    if (next != nullptr) {
        next->state = THREAD_RUNNING;
        trace(TRACE_SWITCH, next->process->id, next->id);
    }
    cpu->current = next;
    cpu->charged = next;
}

static struct thread *choose(struct cpu *cpu)
{
    struct thread *next = cpu->handoff;
    if (next != nullptr) {
        cpu->handoff = nullptr;
        return next;
    }
    next = queue_first(cpu);
    if (next == nullptr)
        return steal(cpu);
    queue_remove(cpu, next);
    cpu->slice_end_ns = arch_now_ns() + SCHED_SLICE_NS;
    return next;
}

// Whether the current thread has to make room for an interactive one at once.
static bool is_overtaken(const struct cpu *cpu)
{
    const struct thread *first = queue_first(cpu), *current = cpu->current;
    return first != nullptr && first->latency_class == LATENCY_CLASS_INTERACTIVE &&
           current->latency_class != LATENCY_CLASS_INTERACTIVE &&
           position(first) < position(current);
}

// A woken CPU has come, and has taken a thread from some queue, perhaps not from that which it
// was woken for.
static void arrive(struct cpu *cpu)
{
    struct cpu *by = cpu->woken_by;
    cpu->woken_by = nullptr;
    by->offers--;
    offer_if_any(by);
}

// Does what was put off to the end of the upcall; each part may give the others work.
static void leave_finish(struct cpu *cpu)
{
    for (;;) {
        if (cpu->chains_ready)
            chain_run();
        else if (cpu->traces_unread)
            call_trace_signal();
        else if (cpu->watches_due)
            budget_watch_signal();
        else if (cpu->current != nullptr && cpu->current->ending)
            thread_finish_ending(cpu->current); // then nobody is current
        else
            return;
    }
}

[[gnu::noinline]] static struct thread *leave(struct cpu *cpu)
{
    cpu->changed = false;
    leave_finish(cpu);
    if (cpu->yielding)
        yield(cpu);
    struct thread *current = cpu->current;
    if (current != nullptr && current->state == THREAD_RUNNING) {
        current_catch_up(cpu);
        handoff_queue(cpu);
        if (!may_run_on(current, cpu) || is_overtaken(cpu))
            current_queue(cpu);
    }
    if (current == nullptr || current->state != THREAD_RUNNING) {
        current = choose(cpu);
        switch_to(cpu, current);
    }
    if (current != nullptr) {
        idle_cpus &= ~bit_of(cpu);
        clock_update(cpu);
    } else {
        idle_cpus |= bit_of(cpu);
        frame_idle();
    }
    timer_update(cpu);
    offer_if_any(cpu);
    if (cpu->woken_by != nullptr)
        arrive(cpu);
    return current;
}

struct thread *sched_leave(void)
{
    struct cpu *cpu = arch_cpu();
    return cpu->changed ? leave(cpu) : cpu->current;
}

void sched_preempt(void)
{
    struct cpu *cpu = arch_cpu();
    struct thread *current = cpu->current;
    if (current == nullptr || current->state != THREAD_RUNNING)
        return;
    account(cpu, arch_now_ns());
    current_catch_up(cpu);
    cpu->charged = current; // the donation ends with the slice at the latest
    handoff_queue(cpu);
    struct thread *first = queue_first(cpu);
    if (first == nullptr)
        return;
    bool slice_over = cpu->switched_ns >= cpu->slice_end_ns;
    bool far_behind = position(first) + SLEEPER_CREDIT_NS / 2 < position(current);
    if (slice_over || far_behind)
        current_queue(cpu);
}

// ---- Hand-over ----------------------------------------------------------------------

bool sched_come_here(struct thread *thread)
{
    struct cpu *cpu = arch_cpu();
    if (thread->plain_wait == nullptr || !may_run_on(thread, cpu))
        return false;
    donation_end(thread);
    move(thread, cpu);
    return true;
}

UPCALL_PRESERVES_NOTHING [[gnu::noinline]] struct thread *
sched_clock_update(struct thread *current)
{
    clock_update(arch_cpu());
    return current;
}
