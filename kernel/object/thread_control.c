// SPDX-License-Identifier: MIT
// ThreadControl: the calling thread (interface: schema/thread.capnp).
//
// One object serves every thread, for it has no state: a method works on whoever calls.
// Tested in tests/core/thread_test.c and fault_test.c, tests/iface/thread_test.c and fault_test.c.

#include <gen/kernel/thread.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>

static const char reason_no_memory[] = "the process's memory budget is exhausted";
static const char reason_thread_base[] = "threadBase: below 0x7ffffffff000";
static const char reason_priority[] =
    "priority: 1 to the bound that the thread was started with";
static const char reason_latency[] =
    "latencyClass: no higher than the bound that the thread was started with";
static const char reason_cpus[] = "cpus: at least one CPU of the machine";
static const char reason_waited[] = "a call that waited for another can't be of its thread";
static const char reason_handler[] = "entry, stackPointer: below 0x7ffffffff000";
static const char reason_frame[] = "frame: a multiple of 8 below 0x7ffffffff000";
static const char reason_resume[] = "frame: a multiple of 8, the address of 160 readable bytes";
static_assert(USER_ADDRESS_END == 0x7ffffffff000 && sizeof(struct capos_fault_frame) == 160);

static void control_destroy(struct object *)
{
    PANIC("the ThreadControl object holds a reference on itself");
}

static const struct object_type control_type = {
    .dispatch = &thread_control_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = control_destroy,
};

// Its first reference is never put.
static struct object control = {.type = &control_type, .reference_count = 1};

struct object *thread_control_object(void)
{
    return &control;
}

// A submission that was linked to another one, or built on its result, is taken when that has
// completed: its thread may be running elsewhere then, or wait.
static bool is_by_itself(const struct invocation *invocation)
{
    const struct cpu *cpu = arch_cpu();
    return cpu->acting_for == nullptr && cpu->current == invocation->thread;
}

static enum status refuse(struct invocation *invocation)
{
    return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_waited);
}

enum status thread_control_exit(struct object *, struct invocation *invocation,
                                const struct thread_control_exit_params *params)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    thread_exit(invocation->thread, params->code);
    return STATUS_OK;
}

enum status
thread_control_exit_and_unmap(struct object *, struct invocation *invocation,
                              const struct thread_control_exit_and_unmap_params *params)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    const char *reason = nullptr;
    enum status status = space_unmap(&invocation->process->space, params->address,
                                     params->length_bytes, &reason);
    if (status == STATUS_OVERLOADED)
        reason = reason_no_memory;
    if (status != STATUS_OK)
        return invocation_fail(invocation, status, reason);
    thread_exit(invocation->thread, params->code);
    return STATUS_OK;
}

enum status thread_control_yield(struct object *, struct invocation *invocation)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    sched_give_way();
    return STATUS_OK;
}

enum status
thread_control_set_thread_base(struct object *, struct invocation *invocation,
                               const struct thread_control_set_thread_base_params *params)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    if (params->thread_base >= USER_ADDRESS_END)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_thread_base);
    arch_thread_set_base(&invocation->thread->arch, params->thread_base);
    return STATUS_OK;
}

enum status thread_control_set_priority(struct object *, struct invocation *invocation,
                                        const struct thread_control_set_priority_params *params)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    struct thread *thread = invocation->thread;
    if (params->priority == 0 || params->priority > thread->priority_max)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_priority);
    sched_set_priority(thread, params->priority);
    return STATUS_OK;
}

static bool is_user_address(uint64_t address)
{
    return address < USER_ADDRESS_END;
}

enum status
thread_control_set_fault_handler(struct object *, struct invocation *invocation,
                                 const struct thread_control_set_fault_handler_params *params)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    if (!is_user_address(params->entry) || !is_user_address(params->stack_pointer))
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_handler);
    if (!is_user_address(params->frame) || params->frame % 8 != 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_frame);
    invocation->thread->fault_handler = (struct fault_handler){
        .entry = params->entry,
        .stack_pointer = params->stack_pointer,
        .frame = params->frame,
    };
    return STATUS_OK;
}

enum status thread_control_resume(struct object *, struct invocation *invocation,
                                  const struct thread_control_resume_params *params)
{
    struct thread *thread = invocation->thread;
    struct capos_fault_frame frame; // what user code has in memory may change meanwhile
    if (!is_by_itself(invocation))
        return refuse(invocation);
    if (params->frame % 8 != 0 || space_copy_in(&invocation->process->space, &frame,
                                                params->frame, sizeof frame) != STATUS_OK)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_resume);
    const char *reason = arch_registers_check(&frame.registers);
    if (reason != nullptr)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason);
    thread->in_fault_handler = false;
    thread->resumed = true;
    arch_thread_set_registers(&thread->arch, &frame.registers);
    return STATUS_OK;
}

enum status
thread_control_set_latency_class(struct object *, struct invocation *invocation,
                                 const struct thread_control_set_latency_class_params *params)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    struct thread *thread = invocation->thread;
    if (params->latency_class > thread->latency_max)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_latency);
    sched_set_latency_class(thread, params->latency_class);
    return STATUS_OK;
}

enum status thread_control_latency(struct object *, struct invocation *invocation,
                                   struct thread_control_latency_results *out_results)
{
    *out_results = (struct thread_control_latency_results){
        .latency_class = invocation->thread->latency_class,
        .latency_max = invocation->thread->latency_max,
    };
    return STATUS_OK;
}

static uint64_t machine_cpus(void)
{
    uint32_t count = arch_cpu_count();
    return count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;
}

enum status thread_control_set_affinity(struct object *, struct invocation *invocation,
                                        const struct thread_control_set_affinity_params *params)
{
    if (!is_by_itself(invocation))
        return refuse(invocation);
    if ((params->cpus & machine_cpus()) == 0)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_cpus);
    sched_set_affinity(invocation->thread, params->cpus);
    return STATUS_OK;
}

enum status thread_control_info(struct object *, struct invocation *invocation,
                                struct thread_control_info_results *out_results)
{
    const struct thread *thread = invocation->thread;
    *out_results = (struct thread_control_info_results){
        .thread_id = thread->id,
        .priority = thread->priority,
        .priority_max = thread->priority_max,
        .cpu_count = arch_cpu_count(),
        .cpus = thread->affinity & machine_cpus(),
    };
    return STATUS_OK;
}
