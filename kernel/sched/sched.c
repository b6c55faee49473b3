// SPDX-License-Identifier: MIT
// The scheduler.  See sched.h.
//
// Fairness is by virtual time: a thread's clock runs while it runs, and the ready thread
// whose clock is furthest behind goes next.  A thread that slept doesn't save up the time:
// its clock is brought to within SLEEPER_CREDIT_NS of the CPU's.
//
// Who runs pays, with one exception: a server that a caller was handed over to works on the
// caller's time, until the next switch that isn't a hand-over, the next interrupt, or the
// caller is ready again: the clock of a thread in the queue stands still.
//
// Source of the scheme: weighted fair queueing (Demers, Keshav, Shenker 1989) as applied
// to CPUs by start-time fair queueing (Goyal, Guo, Vin 1996).

#include <kernel/sched/sched.h>

#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>

constexpr uint64_t SLEEPER_CREDIT_NS = SCHED_SLICE_NS / 2;

struct cpu boot_cpu;

void sched_init(void)
{
    struct cpu *cpu = arch_cpu();
    rbtree_init(&cpu->queue, nullptr);
    cpu->slice_end_ns = UINT64_MAX;
    cpu->timer_ns = UINT64_MAX;
    cpu->switched_ns = arch_now_ns();
    arch_set_tsc_allowed(false);
}

static bool queue_before(const struct rbtree_node *a, const struct rbtree_node *b)
{
    return container_of(a, const struct thread, queue_node)->virtual_ns <
           container_of(b, const struct thread, queue_node)->virtual_ns;
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
    struct rbtree_node *node = rbtree_first(&cpu->queue);
    return node == nullptr ? nullptr : container_of(node, struct thread, queue_node);
}

// Charges the time since the last switch to who has to pay for it.
static void account(struct cpu *cpu, uint64_t now_ns)
{
    struct thread *charged = cpu->charged;
    if (charged != nullptr) {
        uint64_t ran_ns = now_ns - cpu->switched_ns;
        charged->virtual_ns += ran_ns;
        charged->process->cpu_time_ns += ran_ns;
        if (cpu->virtual_time < charged->virtual_ns)
            cpu->virtual_time = charged->virtual_ns;
    }
    cpu->switched_ns = now_ns;
}

// Ends the wait of a thread: what its cap_enter returns, and where its clock stands.
static void wait_end(const struct cpu *cpu, struct thread *thread)
{
    if (thread->wait_timeout.pending)
        timeout_stop(&thread->wait_timeout);
    arch_thread_set_result(&thread->arch, ring_available(&thread->ring));
    if (thread->virtual_ns + SLEEPER_CREDIT_NS < cpu->virtual_time)
        thread->virtual_ns = cpu->virtual_time - SLEEPER_CREDIT_NS;
}

void sched_ready(struct thread *thread)
{
    ASSERT(thread->state == THREAD_WAITING || thread->state == THREAD_NEW);
    struct cpu *cpu = arch_cpu();
    if (cpu->charged == thread && cpu->current != thread) {
        account(cpu, arch_now_ns());
        cpu->charged = cpu->current;
    }
    if (thread->state == THREAD_WAITING)
        wait_end(cpu, thread);
    else
        thread->virtual_ns = cpu->virtual_time;
    thread->state = THREAD_READY;
    cpu->changed = true;
    if (cpu->handoff == nullptr)
        cpu->handoff = thread;
    else
        queue_push(cpu, thread);
}

void sched_forget(struct thread *thread)
{
    struct cpu *cpu = arch_cpu();
    if (cpu->charged == thread) {
        account(cpu, arch_now_ns());
        cpu->charged = nullptr;
    }
    cpu->changed = true;
    if (cpu->current == thread)
        cpu->current = nullptr;
    else if (cpu->handoff == thread)
        cpu->handoff = nullptr;
    else if (thread->state == THREAD_READY)
        queue_remove(cpu, thread);
    if (thread->wait_timeout.pending)
        timeout_stop(&thread->wait_timeout);
    thread->state = THREAD_NEW; // what its end completes doesn't make it ready
}

void sched_block(struct thread *thread)
{
    struct cpu *cpu = arch_cpu();
    ASSERT(cpu->current == thread && thread->state == THREAD_RUNNING);
    thread->state = THREAD_WAITING;
    cpu->changed = true;
}

static void switch_to(struct cpu *cpu, struct thread *next)
{
    account(cpu, arch_now_ns());
    if (next != nullptr) {
        next->state = THREAD_RUNNING;
        trace(TRACE_SWITCH, next->process->id, 0);
    }
    cpu->current = next;
    cpu->charged = next;
}

// A process may gain or lose its Timer while it runs, so this isn't a matter of switching.
static void clock_update(struct cpu *cpu)
{
    bool allowed = cpu->current->process->caps.clock_holds > 0;
    if (allowed != cpu->tsc_allowed) {
        cpu->tsc_allowed = allowed;
        arch_set_tsc_allowed(allowed);
    }
}

static void timer_update(struct cpu *cpu)
{
    uint64_t deadline_ns = timeout_next_ns();
    if (cpu->queue_count > 0 && cpu->slice_end_ns < deadline_ns)
        deadline_ns = cpu->slice_end_ns;
    if (deadline_ns != cpu->timer_ns) {
        cpu->timer_ns = deadline_ns;
        arch_timer_set(deadline_ns);
    }
}

[[gnu::noinline]] static struct thread *leave(struct cpu *cpu)
{
    struct thread *current = cpu->current;
    cpu->changed = false;
    if (cpu->traces_unread)
        call_trace_signal();
    if (current != nullptr && current->process->ending) {
        process_finish_ending(current->process);
        current = cpu->current; // nullptr: it was the process's thread
    }
    if (current != nullptr && current->state == THREAD_RUNNING) {
        if (cpu->handoff != nullptr) {
            queue_push(cpu, cpu->handoff);
            cpu->handoff = nullptr;
        }
    } else {
        struct thread *next = cpu->handoff;
        if (next != nullptr) {
            cpu->handoff = nullptr;
        } else if ((next = queue_first(cpu)) != nullptr) {
            queue_remove(cpu, next);
            cpu->slice_end_ns = arch_now_ns() + SCHED_SLICE_NS;
        }
        switch_to(cpu, next);
        current = next;
    }
    if (current != nullptr)
        clock_update(cpu);
    timer_update(cpu);
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
    cpu->charged = current; // the donation ends with the slice at the latest
    if (cpu->handoff != nullptr) {
        queue_push(cpu, cpu->handoff);
        cpu->handoff = nullptr;
    }
    struct thread *first = queue_first(cpu);
    if (first == nullptr)
        return;
    bool slice_over = cpu->switched_ns >= cpu->slice_end_ns;
    bool far_behind = first->virtual_ns + SLEEPER_CREDIT_NS / 2 < current->virtual_ns;
    if (!slice_over && !far_behind)
        return;
    current->state = THREAD_READY;
    queue_push(cpu, current);
}

bool sched_can_hand_over(void)
{
    return arch_cpu()->handoff == nullptr;
}

struct thread *sched_hand_over(struct thread *from, struct thread *to)
{
    struct cpu *cpu = arch_cpu();
    ASSERT(cpu->current == from && to->state == THREAD_WAITING && cpu->handoff == nullptr);
    from->state = THREAD_WAITING;
    from->wait_count = 1;
    wait_end(cpu, to);
    to->state = THREAD_RUNNING;
    trace(TRACE_SWITCH, to->process->id, 0);
    cpu->current = to; // cpu->charged stays: the server works on its caller's time
    clock_update(cpu);
    return to;
}
