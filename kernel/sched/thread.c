// SPDX-License-Identifier: MIT
// Threads.  See thread.h.
//
// One run of kernel pages holds struct thread and, behind it, the FPU state; another, which
// user code sees too, the ring.  Those of the thread that ended last stay for the next, the ring
// mapped as it was.

#include <kernel/sched/thread.h>

#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/chain.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/promise.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/slab.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <lib/string.h>

constexpr unsigned RING_ORDER = 2;
static_assert((PAGE_BYTES << RING_ORDER) == CAPOS_RING_BYTES);

static size_t thread_fpu_offset(void)
{
    return (sizeof(struct thread) + 63u) & ~(size_t)63u;
}

static unsigned thread_order(void)
{
    unsigned order = 0;
    while ((PAGE_BYTES << order) < thread_fpu_offset() + arch_fpu_bytes())
        order++;
    return order;
}

static paddr_t ring_frames_get(struct budget *budget)
{
    if (budget_charge(budget, CHARGE_KERNEL, CAPOS_RING_BYTES) != STATUS_OK)
        return 0;
    paddr_t frames = frame_get_zeroed(RING_ORDER);
    if (frames == 0)
        budget_uncharge(budget, CHARGE_KERNEL, CAPOS_RING_BYTES);
    return frames;
}

static void ring_frames_put(struct budget *budget, paddr_t frames)
{
    frame_put_run(frames, RING_ORDER);
    budget_uncharge(budget, CHARGE_KERNEL, CAPOS_RING_BYTES);
}

// Pages for a thread and its ring, zeroed, which is mapped: thread->ring_frames, at
// ring.user_address.
static struct thread *pages_get(struct process *process)
{
    struct budget *budget = process->budget;
    struct thread *thread = kernel_pages_get(budget, thread_order());
    if (thread == nullptr)
        return nullptr;
    thread->ring_frames = ring_frames_get(budget);
    if (thread->ring_frames == 0)
        goto fail_ring;
    if (space_map_kernel_frames(&process->space, thread->ring_frames, CAPOS_RING_BYTES,
                                PAGE_READ_WRITE, &thread->ring.user_address) != STATUS_OK)
        goto fail_map;
    return thread;

fail_map:
    ring_frames_put(budget, thread->ring_frames);
fail_ring:
    kernel_pages_put(budget, thread, thread_order());
    return nullptr;
}

// Those that a thread of the process left.  Its messages stay: the process has them anyway.
static struct thread *pages_reuse(struct list_link *link)
{
    struct thread *thread = container_of(link, struct thread, process_link);
    paddr_t frames = thread->ring_frames;
    uint64_t user_address = thread->ring.user_address;
    memset(arch_frame_pointer(frames), 0, CAPOS_RING_MESSAGE_OFFSET);
    memset(thread, 0, sizeof *thread);
    thread->ring_frames = frames;
    thread->ring.user_address = user_address;
    return thread;
}

static void frames_put(struct process *process, struct thread *thread)
{
    ring_frames_put(process->budget, thread->ring_frames);
    kernel_pages_put(process->budget, thread, thread_order());
}

// Keeps those of a thread that has ended for the next one; of a process that is ending all are
// kept, until its space is gone.
static void pages_put(struct process *process, struct thread *thread)
{
    if (process->ending || list_empty(&process->spare_threads)) {
        list_push_front(&process->spare_threads, &thread->process_link);
        return;
    }
    space_unmap_kernel_frames(&process->space, thread->ring.user_address);
    frames_put(process, thread);
}

void thread_spares_free(struct process *process)
{
    struct list_link *link;
    while ((link = list_pop_front(&process->spare_threads)) != nullptr)
        frames_put(process, container_of(link, struct thread, process_link));
}

struct thread *thread_create(struct process *process, uint8_t priority, uint8_t priority_max)
{
    ASSERT(priority >= 1 && priority <= priority_max && priority_max <= PRIORITY_MAX);
    struct list_link *spare = list_pop_front(&process->spare_threads);
    struct thread *thread = spare != nullptr ? pages_reuse(spare) : pages_get(process);
    if (thread == nullptr)
        return nullptr;
    uint64_t user_address = thread->ring.user_address;
    ring_init(&thread->ring, arch_frame_pointer(thread->ring_frames));
    thread->ring.user_address = user_address;
    thread->ring.trace = process->trace;
    ring_attend(&thread->ring, false);
    thread->process = process;
    thread->arch.fpu = (uint8_t *)thread + thread_fpu_offset();
    thread->arch.space = &process->space.arch;
    sched_thread_init(thread);
    sched_set_priority(thread, priority);
    thread->priority_max = priority_max;
    thread->id = ++process->last_thread_id;
    list_init(&thread->operations);
    list_init(&thread->promises);
    list_push_back(&process->threads, &thread->process_link);
    return thread;
}

void thread_exit(struct thread *thread, int64_t code)
{
    ASSERT(thread == arch_cpu()->current);
    thread->exit_code = code;
    thread->exited = true;
    thread->ending = true;
    thread->ring.attention = true; // it takes no further submission
    arch_cpu()->changed = true;
}

void thread_finish_ending(struct thread *thread)
{
    struct process *process = thread->process;
    ASSERT(thread->ending);
    if (!process->ending && list_first(&process->threads) == list_last(&process->threads))
        process_end(process, &(struct process_handle_wait_results){
                                 .kind = END_KIND_EXITED, .exit_code = thread->exit_code});
    if (process->ending)
        process_finish_ending(process);
    else
        thread_destroy(thread);
}

void thread_destroy(struct thread *thread)
{
    struct process *process = thread->process;
    trace(TRACE_THREAD_END, process->id, thread->id);
    sched_forget(thread);
    op_discard_all(thread);
    promise_discard_all(thread);
    op_cache_drain(thread);
    arch_thread_fini(&thread->arch);
    list_remove(&thread->process_link);
    struct thread_handle *handle = thread->handle;
    bool exited = thread->exited;
    int64_t exit_code = thread->exit_code;
    pages_put(process, thread);
    // Last, for it may make another thread ready.
    if (handle != nullptr)
        thread_handle_ended(handle, exited, exit_code);
}
