// SPDX-License-Identifier: MIT
// ThreadSpawner: starting threads in the caller's process, up to a priority and a latency class.
//
// There are two roots; a narrower spawner is an object of its own, charged to who made it.
// Tested in tests/core/thread_test.c and tests/iface/thread_test.c.

#include <gen/kernel/thread.h>
#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>
#include <lib/container_of.h>

struct thread_spawner {
    struct object object;
    struct budget *budget; // referenced; nullptr: a root
    uint8_t priority_max;
    enum latency_class latency_max;
};

static struct slab_cache spawner_cache = SLAB_CACHE(struct thread_spawner);

static const char reason_no_memory[] = "the process's memory budget is exhausted";
static const char reason_thread_base[] = "threadBase: below 0x7ffffffff000";
static const char reason_priority[] = "priority: 1 to the spawner's bound, or 0";
static const char reason_bound[] = "priorityMax: 1 to this spawner's bound";
static const char reason_latency[] = "latencyMax: no higher than this spawner's bound";

static struct thread_spawner *spawner_of(struct object *object)
{
    return container_of(object, struct thread_spawner, object);
}

static void spawner_destroy(struct object *object)
{
    struct thread_spawner *spawner = spawner_of(object);
    struct budget *budget = spawner->budget;
    ASSERT(budget != nullptr); // a root holds a reference on itself
    slab_put(&spawner_cache, budget, spawner);
    object_put(&budget->object);
}

static const struct object_type spawner_type = {
    .dispatch = &thread_spawner_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = spawner_destroy,
};

static struct thread_spawner normal = {
    .object = {.type = &spawner_type, .reference_count = 1},
    .priority_max = PRIORITY_NORMAL,
    .latency_max = LATENCY_CLASS_NORMAL,
};
static struct thread_spawner any = {
    .object = {.type = &spawner_type, .reference_count = 1},
    .priority_max = PRIORITY_MAX,
    .latency_max = LATENCY_CLASS_INTERACTIVE,
};

struct object *thread_spawner_normal(void)
{
    return &normal.object;
}

struct object *thread_spawner_any(void)
{
    return &any.object;
}

void thread_spawner_bounds(struct object *object, uint8_t *out_priority_max,
                           enum latency_class *out_latency_max)
{
    const struct thread_spawner *spawner = spawner_of(object);
    *out_priority_max = spawner->priority_max;
    *out_latency_max = spawner->latency_max;
}

static uint8_t smaller(uint8_t a, uint8_t b)
{
    return a < b ? a : b;
}

// A thread with its handle, not started; nullptr when the budget is exhausted.
static struct thread *thread_with_handle(struct process *process, uint8_t priority,
                                         uint8_t priority_max)
{
    struct thread *thread = thread_create(process, priority, priority_max);
    if (thread == nullptr)
        return nullptr;
    thread->handle = thread_handle_create(thread, process->budget);
    if (thread->handle == nullptr) {
        thread_destroy(thread);
        return nullptr;
    }
    return thread;
}

enum status thread_spawner_start(struct object *self, struct invocation *invocation,
                                 const struct thread_spawner_start_params *params,
                                 struct thread_spawner_start_results *out_results)
{
    uint8_t priority_max = spawner_of(self)->priority_max;
    struct process *process = invocation->process;
    if (params->thread_base >= USER_ADDRESS_END)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_thread_base);
    if (params->priority > priority_max)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_priority);
    uint8_t priority = params->priority != 0
                           ? params->priority
                           : smaller(invocation->thread->priority, priority_max);

    struct thread *thread = thread_with_handle(process, priority, priority_max);
    if (thread == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED, reason_no_memory);
    thread->latency_max = spawner_of(self)->latency_max;

    arch_thread_init(&thread->arch, params->entry, params->stack_pointer,
                     thread->ring.user_address, process->capset_address, params->argument);
    arch_thread_set_base(&thread->arch, params->thread_base);
    trace(TRACE_THREAD_START, process->id, thread->id);
    struct object *handle = thread_handle_as_object(thread->handle);
    object_get(handle);
    out_results->thread = invocation_add_capability(invocation, handle);
    sched_ready(thread);
    return STATUS_OK;
}

enum status thread_spawner_narrow(struct object *self, struct invocation *invocation,
                                  const struct thread_spawner_narrow_params *params,
                                  struct thread_spawner_narrow_results *out_results)
{
    struct budget *budget = invocation->process->budget;
    if (params->priority_max == 0 || params->priority_max > spawner_of(self)->priority_max)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_bound);
    if (params->latency_max > spawner_of(self)->latency_max)
        return invocation_fail(invocation, STATUS_INVALID_ARGUMENT, reason_latency);
    struct thread_spawner *narrow = slab_get(&spawner_cache, budget);
    if (narrow == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED, reason_no_memory);
    object_init(&narrow->object, &spawner_type);
    object_get(&budget->object);
    narrow->budget = budget;
    narrow->priority_max = params->priority_max;
    narrow->latency_max = params->latency_max;
    out_results->spawner = invocation_add_capability(invocation, &narrow->object);
    return STATUS_OK;
}
