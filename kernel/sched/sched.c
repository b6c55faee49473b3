// SPDX-License-Identifier: MIT
// The scheduler.  See sched.h; lane.h has who comes before whom.
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
// Not done: a budget has its share on each CPU on which it runs, not of all together; and balance
// counts threads, whatever their weight.
// Tested in tests/core/smp_test.c and timer_test.c, and in tests/system/storm_test.c.

#include <kernel/sched/sched.h>

#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/chain.h>
#include <kernel/mm/budget.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/lane.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

constexpr unsigned LOOK_MAX = 8; // threads of a queue that are looked at for another CPU
// How long two CPUs stay as they are of which one has one thread more.
constexpr uint64_t BALANCE_NS = 4 * SCHED_SLICE_NS;

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

static bool is_running(const struct thread *thread)
{
    return thread != nullptr && thread->state == THREAD_RUNNING;
}

void sched_init(void)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct cpu *cpu = arch_cpu_at(i);
        cpu->index = i;
        cpu->queue = &lane_roots[i];
        lane_init(cpu->queue, nullptr);
        cpu->slice_end_ns = UINT64_MAX;
        cpu->timer_ns = UINT64_MAX;
        cpu->switched_ns = arch_now_ns();
    }
    timeouts_cpu = arch_cpu();
    timeouts_ns = UINT64_MAX;
    idle_cpus = all_cpus() & ~bit_of(arch_cpu());
    arch_set_tsc_allowed(false);
}

// A thread's lane on a CPU.
static struct lane *lane_on(const struct thread *thread, const struct cpu *cpu)
{
    return &thread->process->budget->lanes[cpu->index];
}

void sched_thread_init(struct thread *thread)
{
    thread->state = THREAD_NEW;
    thread->cpu = arch_cpu();
    thread->contender.lane = lane_on(thread, thread->cpu);
    thread->affinity = THREAD_AFFINITY_ALL;
    thread->latency_class = thread->latency_max = LATENCY_CLASS_NORMAL;
}

// ---- Queues -------------------------------------------------------------------------

static void queue_push(struct cpu *cpu, struct thread *thread)
{
    lane_push(&thread->contender);
    cpu->changed = true;
    if (cpu->queue_count++ == 0)
        cpu->slice_end_ns = arch_now_ns() + SCHED_SLICE_NS;
}

static void queue_remove(struct cpu *cpu, struct thread *thread)
{
    lane_remove(&thread->contender);
    cpu->queue_count--;
}

static struct thread *queue_first(const struct cpu *cpu)
{
    return lane_first(cpu->queue);
}

// Makes a thread that no CPU runs or has queued one of `cpu`: its clock is as far before or
// behind the clock of its lane there as it was with the other.
static void move(struct thread *thread, struct cpu *cpu)
{
    if (thread->cpu == cpu)
        return;
    struct lane *to = lane_on(thread, cpu);
    thread->contender.clock_ns += to->clock_ns - thread->contender.lane->clock_ns;
    thread->contender.lane = to;
    thread->cpu = cpu;
    if (thread->plain_wait != nullptr)
        thread->plain_wait = cpu;
}

static bool is_used_by(const struct lane *lane, const struct thread *thread)
{
    return thread != nullptr && lane_holds(lane, &thread->contender);
}

// Brings the clock of a thread that slept close to that of its lane, and those of the lanes in
// which nobody else was ready or ran.  What the CPU ran is charged already.
static void catch_up(const struct cpu *cpu, struct thread *thread)
{
    lane_catch_up(&thread->contender);
    for (struct lane *lane = thread->contender.lane; lane != cpu->queue;
         lane = lane->self.lane) {
        if (lane->self.queued || is_used_by(lane, cpu->current) ||
            is_used_by(lane, cpu->charged))
            return;
        lane_catch_up(&lane->self);
    }
}

// ---- Time ---------------------------------------------------------------------------

// Charges the time since the last switch to who has to pay for it.
static void account(struct cpu *cpu, uint64_t now_ns)
{
    struct thread *charged = cpu->charged;
    // The clocks of two CPUs differ by less than it takes to go from one to the other, but
    // they do.
    if (charged != nullptr && now_ns > cpu->switched_ns) {
        uint64_t ran_ns = now_ns - cpu->switched_ns;
        charged->process->cpu_time_ns += ran_ns;
        lane_charge(&charged->contender, ran_ns);
    }
    cpu->switched_ns = now_ns;
}

[[gnu::noinline]] static void charge_current_now(struct cpu *cpu)
{
    struct thread *current = cpu->current;
    account(cpu, arch_now_ns());
    cpu->current = nullptr; // hasn't paid for its lanes so far
    if (current != nullptr)
        catch_up(cpu, current);
    cpu->current = cpu->charged = current;
}

// From now on the current thread pays for what it runs, also if it was handed over to.
static void charge_current(struct cpu *cpu)
{
    if (cpu->charged != cpu->current)
        charge_current_now(cpu);
}

// Queues a thread that slept.  Who runs may have done so for long without being charged.
static void queue_woken(struct cpu *cpu, struct thread *thread)
{
    account(cpu, arch_now_ns());
    catch_up(cpu, thread);
    queue_push(cpu, thread);
}

static void handoff_queue(struct cpu *cpu)
{
    if (cpu->handoff == nullptr)
        return;
    queue_woken(cpu, cpu->handoff);
    cpu->handoff = nullptr;
}

void sched_account(void)
{
    uint64_t now_ns = arch_now_ns();
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        account(arch_cpu_at(i), now_ns);
}

// A thread that doesn't run no longer pays for the one that does.
static void donation_end(struct thread *thread)
{
    struct cpu *cpu = thread->cpu;
    if (cpu->charged != thread || cpu->current == thread)
        return;
    charge_current(cpu);
}

// Ends the wait of a thread: what its cap_enter returns.
static void wait_end(struct thread *thread)
{
    if (thread->wait_timeout.pending)
        timeout_stop(&thread->wait_timeout);
    thread->plain_wait = nullptr;
    arch_thread_set_result(&thread->arch, ring_available(&thread->ring));
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
    for (const struct thread *thread = queue_first(cpu);
         thread != nullptr && looked < LOOK_MAX && cpu->offers < cpu->queue_count;
         thread = lane_next(thread, cpu->queue), looked++) {
        uint32_t able = idle_cpus & (uint32_t)thread->affinity;
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
    for (struct thread *thread = queue_first(from); thread != nullptr && looked < LOOK_MAX;
         thread = lane_next(thread, from->queue), looked++)
        if (may_run_on(thread, to))
            return thread;
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
        catch_up(cpu, best);
    }
    return best;
}

// ---- Balance ---------------------------------------------------------------------------

// Those that run, or would like to.
static uint32_t load_of(const struct cpu *cpu)
{
    return cpu->queue_count + (cpu->current != nullptr);
}

// The busy CPU with the least load.  One that idles takes threads by itself.
static struct cpu *least_busy_beside(const struct cpu *cpu)
{
    struct cpu *least = nullptr;
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct cpu *other = arch_cpu_at(i);
        if (other == cpu || other->current == nullptr)
            continue;
        if (least == nullptr || load_of(other) < load_of(least))
            least = other;
    }
    return least;
}

// Of the first threads of a queue the one that is on this CPU for the longest time and may
// run on another; nullptr if none may.
static struct thread *queue_oldest_for(const struct cpu *from, const struct cpu *to)
{
    struct thread *oldest = nullptr;
    unsigned looked = 0;
    for (struct thread *thread = queue_first(from); thread != nullptr && looked < LOOK_MAX;
         thread = lane_next(thread, from->queue), looked++) {
        if (may_run_on(thread, to) &&
            (oldest == nullptr || thread->moved_ns < oldest->moved_ns))
            oldest = thread;
    }
    return oldest;
}

// Moves one thread to a CPU with fewer of them, at the end of a slice here.  With one thread of
// difference the two exchange who is crowded, so that is done in turns: three busy threads on two
// CPUs have two thirds of a CPU each, over time.
static void balance(struct cpu *cpu)
{
    uint64_t now_ns = cpu->switched_ns;
    struct cpu *to = least_busy_beside(cpu);
    if (to == nullptr || load_of(to) >= cpu->queue_count ||
        (load_of(to) + 1 == cpu->queue_count && now_ns < cpu->balance_ns))
        return;
    struct thread *thread = queue_oldest_for(cpu, to);
    if (thread == nullptr)
        return;
    queue_remove(cpu, thread);
    move(thread, to);
    thread->moved_ns = now_ns;
    cpu->balance_ns = to->balance_ns = now_ns + BALANCE_NS;
    queue_woken(to, thread);
    notify(to);
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
    queue_woken(to, thread);
    notify(to);
}

// ---- States of a thread -------------------------------------------------------------

void sched_ready(struct thread *thread)
{
    ASSERT(thread->state == THREAD_WAITING || thread->state == THREAD_NEW);
    struct cpu *cpu = arch_cpu();
    donation_end(thread);
    if (thread->state == THREAD_WAITING)
        wait_end(thread);
    else
        thread->contender.clock_ns = thread->contender.lane->clock_ns;
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
        queue_woken(cpu, thread);
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

// Takes the CPU from the current thread, which is charged and has been charged up to now.
static void current_queue(struct cpu *cpu)
{
    struct thread *current = cpu->current;
    current->state = THREAD_READY;
    cpu->charged = nullptr;
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

void sched_set_priority(struct thread *thread, uint8_t priority)
{
    if (thread->cpu->charged == thread)
        account(thread->cpu, arch_now_ns()); // what it ran, it ran at the old rate
    thread->priority = priority;
    thread->contender.slowness = lane_slowness(priority);
}

void sched_set_latency_class(struct thread *thread, enum latency_class latency_class)
{
    struct cpu *cpu = thread->cpu;
    bool queued = thread->contender.queued;
    if (queued)
        queue_remove(cpu, thread);
    thread->latency_class = latency_class;
    thread->contender.eager = latency_class == LATENCY_CLASS_INTERACTIVE;
    if (queued)
        queue_push(cpu, thread);
}

void sched_set_weight(struct budget *budget, uint32_t weight)
{
    budget->weight = weight;
    if (budget->lanes == budget->parent->lanes)
        return;      // nested too deeply for lanes of its own
    sched_account(); // what was run, was run at the old rate
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        lane_set_weight(&budget->lanes[i], weight);
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

// Goes on with another thread, or with none; what was run is charged.
static void switch_to(struct cpu *cpu, struct thread *next)
{
    if (next != nullptr) {
        next->state = THREAD_RUNNING;
        trace(TRACE_SWITCH, next->process->id, next->id);
    }
    cpu->current = next;
    cpu->charged = next;
}

static void queue_take(struct cpu *cpu, struct thread *thread, uint64_t now_ns)
{
    queue_remove(cpu, thread);
    cpu->slice_end_ns = now_ns + SCHED_SLICE_NS;
}

static void handoff_take(struct cpu *cpu)
{
    catch_up(cpu, cpu->handoff);
    cpu->handoff = nullptr;
}

// Puts a thread that yields behind those that are ready, and goes on with the first of them.
// false: there is none.
static bool yield(struct cpu *cpu)
{
    struct thread *next = cpu->handoff == nullptr ? queue_first(cpu) : cpu->handoff;
    if (next == nullptr)
        return false;
    uint64_t now_ns = arch_now_ns();
    account(cpu, now_ns);
    charge_current(cpu);
    current_queue(cpu); // before the next one leaves, so that lanes stay in their queues
    if (cpu->handoff != nullptr)
        handoff_take(cpu);
    else
        queue_take(cpu, next, now_ns);
    switch_to(cpu, next);
    return true;
}

// Goes on with the thread whose turn it is.
static void choose(struct cpu *cpu)
{
    uint64_t now_ns = arch_now_ns();
    account(cpu, now_ns);
    struct thread *next = cpu->handoff;
    if (next != nullptr)
        handoff_take(cpu);
    else if ((next = queue_first(cpu)) != nullptr)
        queue_take(cpu, next, now_ns);
    else
        next = steal(cpu);
    switch_to(cpu, next);
}

// Whether the current thread has to make room for an interactive one at once.
static bool is_overtaken(struct cpu *cpu)
{
    const struct thread *first = queue_first(cpu), *current = cpu->current;
    if (first == nullptr || first->latency_class != LATENCY_CLASS_INTERACTIVE ||
        current->latency_class == LATENCY_CLASS_INTERACTIVE)
        return false;
    charge_current(cpu); // its clock may stand where it fell asleep
    return lane_lead(&first->contender, &current->contender) > 0;
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
    bool yielding = cpu->yielding;
    cpu->yielding = false;
    if (is_running(cpu->current) && !(yielding && yield(cpu))) {
        const struct thread *current = cpu->current;
        handoff_queue(cpu);
        if (!may_run_on(current, cpu) || is_overtaken(cpu)) {
            account(cpu, arch_now_ns());
            charge_current(cpu);
            current_queue(cpu);
        }
    }
    if (!is_running(cpu->current))
        choose(cpu);
    struct thread *current = cpu->current;
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
    if (!is_running(cpu->current))
        return;
    account(cpu, arch_now_ns());
    charge_current(cpu); // the donation ends with the slice at the latest
    handoff_queue(cpu);
    struct thread *first = queue_first(cpu);
    if (first == nullptr)
        return;
    bool slice_over = cpu->switched_ns >= cpu->slice_end_ns;
    bool far_behind =
        lane_lead(&first->contender, &cpu->current->contender) > (int64_t)LANE_CREDIT_NS / 2;
    if (slice_over || far_behind)
        current_queue(cpu);
    if (slice_over)
        balance(cpu);
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
