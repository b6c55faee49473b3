// SPDX-License-Identifier: MIT
// The upcalls of a running machine: system calls, faults, time and interrupts.
// See kernel/upcall.h.

#include <kernel/upcall.h>

#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/enter.h>
#include <kernel/ipc/ring.h>
#include <kernel/object/interrupt.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>

#include <abi/syscall.h>

static struct thread *enter_result(struct thread *thread, int64_t result)
{
    arch_thread_set_result(&thread->arch, result);
    return sched_leave();
}

static void wait_fire(struct timeout *timeout)
{
    sched_ready(container_of(timeout, struct thread, wait_timeout));
}

// Blocks the thread until `min_complete` completions are there or the time has passed.
static struct thread *enter_block(struct thread *thread, uint32_t available,
                                  uint64_t min_complete, uint64_t timeout_ns)
{
    if (timeout_ns == CAPOS_FOREVER) {
        if (available + thread->ring.pending_count < min_complete)
            return enter_result(thread, -(int64_t)STATUS_QUEUE_FULL);
    } else {
        if (thread->process->caps.clock_holds == 0)
            return enter_result(thread, -(int64_t)STATUS_BAD_CAPABILITY);
        uint64_t deadline_ns;
        if (__builtin_add_overflow(arch_now_ns(), timeout_ns, &deadline_ns))
            deadline_ns = UINT64_MAX;
        timeout_start(&thread->wait_timeout, deadline_ns, wait_fire);
    }
    thread->wait_count = (uint32_t)min_complete;
    sched_block(thread, available == 0 && min_complete == 1 && timeout_ns == CAPOS_FOREVER);
    return sched_leave();
}

struct thread *enter_wait(struct thread *thread, uint64_t min_complete, uint64_t timeout_ns)
{
    if (thread->ending || thread->resumed) {
        thread->resumed = false; // the registers are set; there is nobody to return to
        return sched_leave();
    }
    uint32_t available = ring_available(&thread->ring);
    if (available > CAPOS_CQ_ENTRIES)
        return enter_result(thread, -(int64_t)STATUS_CORRUPT_RING);
    if (available >= min_complete || timeout_ns == 0)
        return enter_result(thread, available);
    return enter_block(thread, available, min_complete, timeout_ns);
}

struct thread *kernel_cap_enter(uint64_t min_complete, uint64_t timeout_ns)
{
    struct thread *thread = arch_cpu()->current;
    if (min_complete > CAPOS_CQ_ENTRIES)
        return enter_result(thread, -(int64_t)STATUS_INVALID_ARGUMENT);
    if (ring_has_submissions(&thread->ring)) {
        enum status status = ring_drain(thread);
        if (status != STATUS_OK)
            return enter_result(thread, -(int64_t)status);
    }
    return enter_wait(thread, min_complete, timeout_ns);
}

struct thread *kernel_exit(int64_t code)
{
    process_end(arch_cpu()->current->process, &(struct process_handle_wait_results){
                                                  .kind = END_KIND_EXITED, .exit_code = code});
    return sched_leave();
}

static struct process_handle_wait_results fault_reason(const struct thread *thread,
                                                       enum fault_kind kind, uint64_t address)
{
    return (struct process_handle_wait_results){
        .kind = END_KIND_FAULTED,
        .fault = kind,
        .fault_address = address,
        .instruction_pointer = arch_thread_instruction_pointer(&thread->arch),
        .stack_pointer = arch_thread_stack_pointer(&thread->arch),
        .thread_id = thread->id,
    };
}

// The process ends: of a fault in the handler of another one, the other one is the reason.
static struct thread *fault_end(enum fault_kind kind, uint64_t address)
{
    struct thread *thread = arch_cpu()->current;
    struct process_handle_wait_results end = fault_reason(thread, kind, address);
    process_end(thread->process, thread->in_fault_handler ? &thread->fault : &end);
    return sched_leave();
}

// Makes the current thread go on in its fault handler.  False if it has none, is in it, or
// the frame can't be written.
static bool fault_deliver(struct thread *thread, enum fault_kind kind, uint64_t address,
                          uint32_t access)
{
    const struct fault_handler *handler = &thread->fault_handler;
    if (handler->entry == 0 || thread->in_fault_handler)
        return false;
    struct capos_fault_frame frame = {.fault = kind, .access = access, .address = address};
    arch_thread_registers(&thread->arch, &frame.registers);
    if (space_copy_out(&thread->process->space, handler->frame, &frame, sizeof frame) !=
        STATUS_OK)
        return false;

    thread->fault = fault_reason(thread, kind, address);
    thread->in_fault_handler = true;
    arch_thread_set_registers(&thread->arch, &(struct capos_registers){
                                                 .rip = handler->entry,
                                                 .rsp = handler->stack_pointer,
                                                 .rdi = handler->frame,
                                             });
    return true;
}

// Not for a handler: most registers are those of a system call, which the kernel doesn't keep.
struct thread *kernel_bad_syscall(void)
{
    trace(TRACE_FAULT, FAULT_KIND_ILLEGAL_INSTRUCTION, 0);
    return fault_end(FAULT_KIND_ILLEGAL_INSTRUCTION, 0);
}

struct thread *kernel_fault(enum fault_kind kind, uint64_t address, bool write, bool execute)
{
    if (kind == FAULT_KIND_UNMAPPED) {
        struct space *space = &arch_cpu()->current->process->space;
        unsigned refined;
        if (space_fault(space, address, write, execute, &refined) == STATUS_OK)
            return sched_leave();
        kind = (enum fault_kind)refined;
    }
    trace(TRACE_FAULT, kind, address);
    uint32_t access = (write ? CAPOS_FAULT_WRITE : 0) | (execute ? CAPOS_FAULT_EXECUTE : 0);
    if (fault_deliver(arch_cpu()->current, kind, address, access))
        return sched_leave();
    return fault_end(kind, address);
}

struct thread *kernel_timer(void)
{
    uint64_t now_ns = arch_now_ns();
    trace(TRACE_TIMER, now_ns, 0);
    arch_cpu()->timer_ns = UINT64_MAX; // it has fired, so it isn't set any more
    arch_cpu()->changed = true;
    timeout_expire(now_ns);
    sched_preempt();
    return sched_leave();
}

struct thread *kernel_reschedule(void)
{
    if (arch_cpu()->changed)
        sched_preempt();
    return sched_leave();
}

struct thread *kernel_irq(uint32_t line)
{
    trace(TRACE_IRQ, line, 0);
    interrupt_raise(line);
    sched_preempt();
    return sched_leave();
}
