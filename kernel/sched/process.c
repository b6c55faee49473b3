// SPDX-License-Identifier: MIT
// Processes: making, starting and ending them, and ProcessHandle.  See process.h.
// Tested in tests/core/process_test.c and tests/iface/process_test.c.

#include <kernel/sched/process.h>

#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/endpoint.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/op.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/slab.h>
#include <kernel/object/entropy_source.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>
#include <lib/string.h>

static struct slab_cache process_cache = SLAB_CACHE(struct process);
static uint64_t last_process_id;

struct list process_all = {.head = {&process_all.head, &process_all.head}};

static void process_destroy(struct object *object);
static void take_apart_further(struct timeout *timeout);

static const struct object_type process_type = {
    .dispatch = &process_handle_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
    .destroy = process_destroy,
};

static struct process *process_of(struct object *object)
{
    ASSERT(object->type == &process_type);
    return container_of(object, struct process, object);
}

// ---- Making -------------------------------------------------------------------------

static enum status capset_create(struct process *process)
{
    if (budget_charge(process->budget, CHARGE_KERNEL, PAGE_BYTES) != STATUS_OK)
        return STATUS_OVERLOADED;
    process->capset_frame = frame_get_one_zeroed();
    ASSERT(process->capset_frame != 0); // it is charged
    process->capset = arch_frame_pointer(process->capset_frame);
    *process->capset = (struct capos_capset){
        .magic = CAPOS_CAPSET_MAGIC,
        .entry_bytes = sizeof(struct capos_capset_entry),
        .process_id = process->id,
    };
    return STATUS_OK;
}

static void capset_destroy(struct process *process)
{
    frame_put(process->capset_frame);
    budget_uncharge(process->budget, CHARGE_KERNEL, PAGE_BYTES);
    process->capset = nullptr;
}

struct process *process_create(struct budget *budget, const char *name, uint32_t name_bytes)
{
    ASSERT(name_bytes < PROCESS_NAME_BYTES);
    struct process *process = slab_get(&process_cache, budget);
    if (process == nullptr)
        return nullptr;
    object_init(&process->object, &process_type);
    process->budget = budget;
    process->first_priority = PRIORITY_NORMAL;
    process->first_latency_class = LATENCY_CLASS_NORMAL;
    process->id = ++last_process_id;
    memcpy(process->name, name, name_bytes);
    process->name_bytes = name_bytes;
    cap_table_init(&process->caps);
    list_init(&process->threads);
    list_init(&process->spare_threads);
    list_init(&process->waiters);
    list_init(&process->received);
    if (capset_create(process) != STATUS_OK)
        goto fail_capset;
    if (space_init(&process->space, budget, entropy_word()) != STATUS_OK)
        goto fail_space;
    object_get(&budget->object);
    list_push_back(&process_all, &process->all_link);
    return process;

fail_space:
    capset_destroy(process);
fail_capset:
    slab_put(&process_cache, budget, process);
    return nullptr;
}

static bool contains_nul(const char *text, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++) {
        if (text[i] == '\0')
            return true;
    }
    return false;
}

// Whether a name can be put into the CapSet: there, not too long, without NUL, and new.
static bool grant_name_valid(const struct process *process, const char *name,
                             uint32_t name_bytes)
{
    if (name_bytes == 0 || name_bytes >= CAPOS_CAPSET_NAME_BYTES ||
        contains_nul(name, name_bytes))
        return false;
    for (uint32_t i = 0; i < process->capset->count; i++) {
        const char *taken = process->capset->entries[i].name;
        if (strlen(taken) == name_bytes && memcmp(taken, name, name_bytes) == 0)
            return false;
    }
    return true;
}

enum status process_grant(struct process *process, const char *name, uint32_t name_bytes,
                          struct object *object, uint64_t interface_id,
                          enum capos_hold_mode mode)
{
    if (!grant_name_valid(process, name, name_bytes))
        return STATUS_INVALID_ARGUMENT;
    struct capos_capset *capset = process->capset;
    if (capset->count == CAPOS_CAPSET_COUNT_MAX)
        return STATUS_OVERLOADED;
    enum status status = cap_table_reserve(&process->caps, process->budget, 1);
    if (status != STATUS_OK)
        return status;
    object_hold(object);
    struct capos_capset_entry *entry = &capset->entries[capset->count++];
    memcpy(entry->name, name, name_bytes);
    entry->interface_id = interface_id;
    entry->cap = cap_table_insert(&process->caps, object, interface_id, mode);
    return STATUS_OK;
}

enum status process_start(struct process *process, uint64_t entry, uint64_t stack_pointer,
                          uint64_t argument)
{
    ASSERT(process->state == PROCESS_BUILDING);
    uint8_t priority = process->first_priority;
    space_place_kernel_frames(&process->space, stack_pointer);
    struct thread *thread = thread_create(process, priority, priority);
    if (thread == nullptr)
        return STATUS_OVERLOADED;
    thread->latency_max = process->first_latency_class;
    sched_set_latency_class(thread, thread->latency_max);
    if (space_map_kernel_frames(&process->space, process->capset_frame, PAGE_BYTES, PAGE_READ,
                                &process->capset_address) != STATUS_OK) {
        thread_destroy(thread);
        return STATUS_OVERLOADED;
    }
    space_expect_write(&process->space, stack_pointer - 1);
    arch_thread_init(&thread->arch, entry, stack_pointer, thread->ring.user_address,
                     process->capset_address, argument);
    process->state = PROCESS_ALIVE;
    object_get(&process->object); // for as long as it runs
    trace(TRACE_PROCESS_START, process->id, entry);
    if (process->trace != nullptr)
        call_trace_start(process);
    sched_ready(thread);
    return STATUS_OK;
}

// ---- Ending -------------------------------------------------------------------------

// A pause between two steps of a process's end: at least that, and as long as the step took.
constexpr uint64_t STEP_PAUSE_NS_MIN = 20'000;

// Gives back what a process has, but for its space and what is in use as long as that is there.
static void release_first(struct process *process)
{
    // None of them runs on while its process is taken apart.
    LIST_FOR_EACH(thread, &process->threads, struct thread, process_link)
    {
        sched_forget(thread);
    }
    struct list_link *link;
    while ((link = list_first(&process->threads)) != nullptr)
        thread_destroy(container_of(link, struct thread, process_link));
    endpoint_receiver_ended(process);
    cap_table_fini(&process->caps, process->budget);
}

// And the rest of it.
static void release_last(struct process *process)
{
    space_fini(&process->space);
    thread_spares_free(process);
    capset_destroy(process);
    if (process->trace != nullptr)
        call_trace_destroy(process->trace, process->budget);
    process->trace = nullptr;
    list_remove(&process->all_link);
    process->state = PROCESS_ENDED;
}

void process_end(struct process *process, const struct process_handle_wait_results *end)
{
    ASSERT(process->state != PROCESS_BUILDING);
    if (process->state == PROCESS_ENDED || process->ending)
        return;
    process->end = *end;
    process->ending = true;
    LIST_FOR_EACH(thread, &process->threads, struct thread, process_link)
    {
        thread->ending = true;
        thread->ring.attention = true; // none takes another submission
    }
    struct cpu *cpu = arch_cpu();
    cpu->changed = true;
    bool acts = cpu->acting_for == process ||
                (cpu->current != nullptr && cpu->current->process == process);
    if (!acts)
        process_finish_ending(process);
}

static void destroy_ended(struct process *process)
{
    struct budget *budget = process->budget;
    trace(TRACE_PROCESS_FREE, process->id, 0);
    slab_put(&process_cache, budget, process);
    object_put(&budget->object);
}

// What is done when a process has ended: whoever waits for it finds everything given back.
static void tell_ended(struct process *process)
{
    process->ending = false;
    struct list_link *link;
    while ((link = list_pop_front(&process->waiters)) != nullptr)
        process_handle_wait_complete(container_of(link, struct op, queue_link), &process->end);
    object_put(&process->object);
}

// Takes the space apart, in as many steps as it takes, and does then what is left to do: of a
// process that never ran it was the end of the last reference that began this.
static void take_apart(struct process *process)
{
    uint64_t begun_ns = arch_now_ns();
    if (!space_shrink(&process->space)) {
        uint64_t now_ns = arch_now_ns(), pause_ns = now_ns - begun_ns;
        if (pause_ns < STEP_PAUSE_NS_MIN)
            pause_ns = STEP_PAUSE_NS_MIN;
        timeout_start(&process->next_step, now_ns + pause_ns, take_apart_further);
        return;
    }
    bool ran = process->state == PROCESS_ALIVE;
    release_last(process);
    if (ran)
        tell_ended(process);
    else
        destroy_ended(process);
}

static void take_apart_further(struct timeout *timeout)
{
    take_apart(container_of(timeout, struct process, next_step));
}

void process_finish_ending(struct process *process)
{
    ASSERT(process->ending && process->state == PROCESS_ALIVE);
    trace(TRACE_PROCESS_END, process->id, process->end.kind);
    if (process->is_init)
        PANIC("init has ended: kind %u, exit code %lld, fault %u at 0x%llx, ip 0x%llx, "
              "thread %llu",
              process->end.kind, (long long)process->end.exit_code, process->end.fault,
              (unsigned long long)process->end.fault_address,
              (unsigned long long)process->end.instruction_pointer,
              (unsigned long long)process->end.thread_id);
    release_first(process);
    take_apart(process);
}

static void process_destroy(struct object *object)
{
    struct process *process = process_of(object);
    if (process->state == PROCESS_ENDED) {
        destroy_ended(process);
        return;
    }
    release_first(process);
    take_apart(process);
}

// ---- ProcessHandle ------------------------------------------------------------------

static void wait_cancel(struct op *op)
{
    list_remove(&op->queue_link);
}

enum status process_handle_wait(struct object *self, struct invocation *invocation,
                                struct process_handle_wait_results *out_results)
{
    struct process *process = process_of(self);
    if (process->state == PROCESS_ENDED) {
        *out_results = process->end;
        return STATUS_OK;
    }
    struct op *op = invocation_defer(invocation, self, wait_cancel);
    if (op == nullptr)
        return STATUS_OVERLOADED;
    list_push_back(&process->waiters, &op->queue_link);
    return STATUS_PENDING;
}

enum status process_handle_kill(struct object *self, struct invocation *)
{
    process_end(process_of(self),
                &(struct process_handle_wait_results){.kind = END_KIND_KILLED});
    return STATUS_OK;
}

enum status process_handle_info(struct object *self, struct invocation *,
                                struct process_handle_info_results *out_results)
{
    const struct process *process = process_of(self);
    sched_account();
    *out_results = (struct process_handle_info_results){
        .process_id = process->id,
        .name = {.text = process->name, .size_bytes = process->name_bytes},
        .kind = process->state == PROCESS_ENDED ? process->end.kind : END_KIND_RUNNING,
        .capability_count = process->caps.live_count,
        .cpu_time_ns = process->cpu_time_ns,
    };
    return STATUS_OK;
}
