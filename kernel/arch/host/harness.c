// SPDX-License-Identifier: MIT
// Driving a whole core from a host test.  See harness.h.
//
// Invariant: outside the functions of this file the core is between two upcalls, and its
// current thread, if any, is RUNNING.
//
// Used by tests/core and tests/fuzz/fuzz_sqe.c.
#include <kernel/arch/host/harness.h>

#include <gen/interfaces.h>
#include <gen/kernel/notification.h>
#include <gen/kernel/thread.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/sched.h>
#include <kernel/upcall.h>
#include <lib/boot_package.h>
#include <lib/list.h>
#include <stdio.h>
#include <string.h>
#include <test/elf_sample.h>

constexpr unsigned ACTORS_MAX = 64;

static struct actor actors[ACTORS_MAX];
static struct process *init;

// ---- Boot ---------------------------------------------------------------------------

static struct capos_boot_entry *package_add(struct capos_boot_package *package,
                                            const char *name, uint64_t size_bytes)
{
    struct capos_boot_entry *entry = &package->entries[package->entry_count++];
    bool named = boot_package_name_set(entry, name, strlen(name));
    ASSERT(named);
    entry->size_bytes = size_bytes;
    return entry;
}

// Writes the boot package to the end of RAM and takes it out of what the core may use.
static void package_write(struct boot_info *info)
{
    constexpr uint64_t package_bytes = 16 * PAGE_BYTES;
    struct boot_range *ram = &info->ram[0];
    ram->size_bytes -= package_bytes;
    info->package = (struct boot_range){ram->base + ram->size_bytes, package_bytes};
    struct capos_boot_package *package = arch_frame_pointer(info->package.base);
    struct capos_boot_entry *init_file = package_add(package, "init", ELF_SAMPLE_BYTES);
    struct capos_boot_entry *sample = package_add(package, "sample", HARNESS_SAMPLE_BYTES);
    bool laid_out = boot_package_layout(package);
    ASSERT(laid_out && package->package_bytes <= package_bytes);
    uint8_t *bytes = (uint8_t *)package;
    elf_sample_write((struct elf_sample *)(void *)(bytes + init_file->offset_bytes));
    for (uint64_t i = 0; i < HARNESS_SAMPLE_BYTES; i++)
        bytes[sample->offset_bytes + i] = (uint8_t)(i * 7);
}

// Init waits for a notification that never comes.
static void init_sleep(struct process *process, struct thread *thread)
{
    struct actor sleeper = {
        .process = process, .budget = process->budget, .thread_id = 1, .used = true};
    const char *reason;
    enum status status =
        space_reserve(&process->space, ACTOR_MEMORY_BYTES, 0, 0, &sleeper.memory, &reason);
    ASSERT(status == STATUS_OK);
    status = space_commit(&process->space, sleeper.memory, ACTOR_MEMORY_BYTES,
                          PROTECTION_READ_WRITE, &reason);
    ASSERT(status == STATUS_OK && arch_cpu()->current == thread);

    struct object *notification = notification_create(process->budget);
    ASSERT(notification != nullptr);
    capos_cap_id cap = actor_give_own(&sleeper, notification, CAPOS_HOLD_COPY);
    alignas(8) uint8_t params[NOTIFICATION_WAIT_PARAMS_BYTES_MAX];
    struct notification_wait_params wait = {.mask = 1};
    uint32_t params_bytes = notification_wait_params_encode(&wait, params, sizeof params);
    actor_push_call(&sleeper, 0,
                    &(struct actor_call){.cap = cap,
                                         .interface_id = INTERFACE_NOTIFICATION,
                                         .method = NOTIFICATION_METHOD_WAIT,
                                         .params = params,
                                         .params_bytes = params_bytes});
    int64_t result = actor_enter(&sleeper, 1, CAPOS_FOREVER);
    ASSERT(result == ACTOR_BLOCKED && arch_cpu()->current == nullptr);
}

void harness_boot_cpus(uint64_t ram_bytes, uint32_t cpu_count)
{
    static struct boot_info info;
    ASSERT(init == nullptr);
    host_machine_init(ram_bytes, cpu_count, &info);
    package_write(&info);
    struct thread *thread = kernel_boot(&info);
    ASSERT(thread != nullptr);
    host_resume(thread);
    init = thread->process;
    init_sleep(init, thread);
}

void harness_boot(uint64_t ram_bytes)
{
    harness_boot_cpus(ram_bytes, 1);
}

struct budget *harness_root_budget(void)
{
    return init->budget;
}

struct process *harness_init(void)
{
    return init;
}

struct object *harness_root(const char *name)
{
    const struct capos_capset *capset = init->capset;
    for (uint32_t i = 0; i < capset->count; i++)
        if (strcmp(capset->entries[i].name, name) == 0)
            return cap_table_lookup(&init->caps, capset->entries[i].cap)->object;
    PANIC("init has no capability named %s", name);
}

// ---- Counts -------------------------------------------------------------------------

struct counts {
    uint64_t free_frames;
    uint64_t used_bytes, kernel_bytes, split_bytes; // of the root budget
    uint64_t processes;
    uint64_t timeout_ns;
    uint32_t init_caps;
};

static struct counts counts_before;

static struct counts counts_take(void)
{
    const struct budget *root = harness_root_budget();
    return (struct counts){
        .free_frames = frame_free_count(),
        .used_bytes = root->used_bytes,
        .kernel_bytes = root->kernel_bytes,
        .split_bytes = root->split_bytes,
        .processes = list_count(&process_all),
        .timeout_ns = timeout_next_ns(),
        .init_caps = init->caps.live_count,
    };
}

static bool count_same(const char *what, uint64_t before, uint64_t after)
{
    if (before != after)
        printf("leak: %s was %lu and is %lu\n", what, before, after);
    return before == after;
}

void harness_begin(void)
{
    counts_before = counts_take();
}

// Kills a process, if it lives, as somebody else.
static void kill(struct process *process)
{
    if (process->state != PROCESS_ALIVE)
        return;
    object_get(&process->object); // this may be all that is left of it
    process_end(process, &(struct process_handle_wait_results){.kind = END_KIND_KILLED});
    host_resume(sched_leave());
    while (process->ending) // in steps, if it has much
        host_advance_ns(timeout_next_ns() - arch_now_ns());
    ASSERT(process->state == PROCESS_ENDED);
    object_put(&process->object);
}

// Processes that are being built end with the builder, which some actor holds.
static struct process *some_living_process(void)
{
    LIST_FOR_EACH(process, &process_all, struct process, all_link)
    if (process != init && process->state == PROCESS_ALIVE)
        return process;
    return nullptr;
}

bool harness_end(void)
{
    for (unsigned i = 0; i < ACTORS_MAX; i++)
        if (actors[i].used)
            actor_destroy(&actors[i]);
    struct process *process;
    while ((process = some_living_process()) != nullptr)
        kill(process);
    host_deliver_kicks();
    host_cpu_use(0);
    struct counts after = counts_take();
    const struct counts *before = &counts_before;
    bool same = count_same("free frames", before->free_frames, after.free_frames);
    same &= count_same("used bytes", before->used_bytes, after.used_bytes);
    same &= count_same("kernel bytes", before->kernel_bytes, after.kernel_bytes);
    same &= count_same("split bytes", before->split_bytes, after.split_bytes);
    same &= count_same("processes", before->processes, after.processes);
    same &= count_same("next timeout", before->timeout_ns, after.timeout_ns);
    same &= count_same("capabilities of init", before->init_caps, after.init_caps);
    return same;
}

// ---- Exhaustion ---------------------------------------------------------------------

// One cache per size class, each with an object as large as any of its class.
static struct slab_cache filler_caches[SLAB_CLASS_COUNT] = {
    SLAB_CACHE_OF("filler", 32),   SLAB_CACHE_OF("filler", 64),   SLAB_CACHE_OF("filler", 96),
    SLAB_CACHE_OF("filler", 128),  SLAB_CACHE_OF("filler", 192),  SLAB_CACHE_OF("filler", 256),
    SLAB_CACHE_OF("filler", 320),  SLAB_CACHE_OF("filler", 384),  SLAB_CACHE_OF("filler", 512),
    SLAB_CACHE_OF("filler", 640),  SLAB_CACHE_OF("filler", 768),  SLAB_CACHE_OF("filler", 1024),
    SLAB_CACHE_OF("filler", 1344), SLAB_CACHE_OF("filler", 2048), SLAB_CACHE_OF("filler", 4096),
};

constexpr unsigned FILLERS_MAX = 4096;
static void *fillers[FILLERS_MAX];
static uint8_t filler_classes[FILLERS_MAX];
static unsigned filler_count;
static uint64_t squeezed_bytes; // taken from the limit; it may have become lower since

static void filler_put(struct budget *budget)
{
    filler_count--;
    slab_put(&filler_caches[filler_classes[filler_count]], budget, fillers[filler_count]);
}

// Fills the pages of a size class; at least one is there then.
static void fill(struct budget *budget, unsigned class_index)
{
    do {
        ASSERT(filler_count < FILLERS_MAX);
        fillers[filler_count] = slab_get(&filler_caches[class_index], budget);
        ASSERT(fillers[filler_count] != nullptr);
        filler_classes[filler_count++] = (uint8_t)class_index;
    } while (budget->slab_partial[class_index] != 0);
}

void harness_squeeze(struct budget *budget, uint64_t page_count, unsigned slack)
{
    ASSERT(filler_count == 0 && squeezed_bytes == 0);
    for (unsigned i = 0; i < SLAB_CLASS_COUNT; i++) {
        unsigned before = filler_count;
        fill(budget, i);
        // A page without a structure would be given back.
        for (unsigned j = 0; j < slack && filler_count > before + 1; j++)
            filler_put(budget);
    }
    uint64_t limit_bytes = budget->used_bytes + page_count * PAGE_BYTES;
    if (limit_bytes >= budget->limit_bytes)
        return;
    squeezed_bytes = budget->limit_bytes - limit_bytes;
    budget->limit_bytes = limit_bytes;
}

void harness_relax(struct budget *budget)
{
    budget->limit_bytes += squeezed_bytes;
    squeezed_bytes = 0;
    while (filler_count > 0)
        filler_put(budget);
}

// ---- Actors -------------------------------------------------------------------------

static struct actor *actor_get(void)
{
    for (unsigned i = 0; i < ACTORS_MAX; i++) {
        if (!actors[i].used) {
            actors[i] = (struct actor){.thread_id = 1, .used = true};
            return &actors[i];
        }
    }
    PANIC("more than %u actors", ACTORS_MAX);
}

struct actor *actor_adopt(struct process *process, uint64_t memory)
{
    struct actor *actor = actor_get();
    actor->process = process;
    actor->budget = process->budget;
    actor->memory = memory;
    object_get(&process->object);
    object_get(&process->budget->object);
    return actor;
}

struct actor *actor_adopt_thread(struct actor *starter, capos_cap_id handle, uint64_t memory)
{
    struct thread_handle_info_results info;
    struct invocation invocation = {};
    enum status status = thread_handle_info(actor_object(starter, handle), &invocation, &info);
    ASSERT(status == STATUS_OK);
    struct actor *actor = actor_adopt(starter->process, memory);
    actor->thread_id = info.thread_id;
    return actor;
}

struct actor *actor_create(const char *name)
{
    struct budget *budget = budget_split(harness_root_budget(), ACTOR_BUDGET_BYTES);
    ASSERT(budget != nullptr);
    struct actor *actor = actor_create_on(budget, name);
    object_put(&budget->object);
    return actor;
}

struct actor *actor_create_on(struct budget *budget, const char *name)
{
    struct actor *actor = actor_get();
    object_get(&budget->object);
    actor->budget = budget;
    actor->process = process_create(actor->budget, name, (uint32_t)strlen(name));
    ASSERT(actor->process != nullptr);
    struct space *space = &actor->process->space;
    const char *reason;
    enum status status =
        space_reserve(space, ACTOR_MEMORY_BYTES, 0, 0, &actor->memory, &reason);
    ASSERT(status == STATUS_OK);
    status =
        space_commit(space, actor->memory, ACTOR_MEMORY_BYTES, PROTECTION_READ_WRITE, &reason);
    ASSERT(status == STATUS_OK);
    status = process_start(actor->process, actor->memory, actor->memory, 0);
    ASSERT(status == STATUS_OK);
    host_resume(sched_leave());
    return actor;
}

void actor_drop(struct actor *actor)
{
    object_put(&actor->process->object);
    object_put(&actor->budget->object);
    *actor = (struct actor){};
}

void actor_destroy(struct actor *actor)
{
    kill(actor->process);
    actor_drop(actor);
}

// The actor's thread; nullptr if it has ended.
static struct thread *thread_find(const struct actor *actor)
{
    if (actor->process->state != PROCESS_ALIVE)
        return nullptr;
    LIST_FOR_EACH(thread, &actor->process->threads, struct thread, process_link)
    {
        if (thread->id == actor->thread_id)
            return thread;
    }
    return nullptr;
}

bool actor_alive(const struct actor *actor)
{
    return thread_find(actor) != nullptr;
}

struct thread *actor_thread(const struct actor *actor)
{
    struct thread *thread = thread_find(actor);
    ASSERT(thread != nullptr);
    return thread;
}

capos_cap_id actor_give(struct actor *actor, struct object *object)
{
    object_get(object);
    return actor_give_own(actor, object, (enum capos_hold_mode)object->type->hold_mode);
}

capos_cap_id actor_give_own(struct actor *actor, struct object *object,
                            enum capos_hold_mode mode)
{
    struct process *process = actor->process;
    enum status status = cap_table_reserve(&process->caps, process->budget, 1);
    ASSERT(status == STATUS_OK);
    object_hold(object);
    capos_cap_id id =
        cap_table_insert(&process->caps, object, object_interface_id(object), mode);
    object_put(object);
    return id;
}

struct object *actor_object(const struct actor *actor, capos_cap_id cap)
{
    struct cap_slot *slot = cap_table_lookup(&actor->process->caps, cap);
    return slot == nullptr ? nullptr : slot->object;
}

// ---- System calls -------------------------------------------------------------------

void actor_run(struct actor *actor)
{
    struct thread *thread = actor_thread(actor);
    if (thread->state == THREAD_RUNNING) {
        host_cpu_use(thread->cpu->index);
        return;
    }
    while ((thread->affinity >> arch_cpu()->index & 1) == 0)
        host_cpu_use((arch_cpu()->index + 1) % arch_cpu_count());
    struct cpu *cpu = arch_cpu();
    struct thread *before = cpu->current;
    ASSERT(thread->state == THREAD_READY); // else the test acts as somebody who waits
    sched_forget(thread);
    if (before != nullptr) {
        cpu->current = cpu->charged = nullptr;
        before->state = THREAD_NEW; // so that its saved result stays
        sched_ready(before);
    }
    thread->state = THREAD_RUNNING;
    thread->cpu = cpu;
    thread->contender.lane = &thread->process->budget->lanes[cpu->index];
    cpu->current = cpu->charged = thread;
    host_resume(sched_leave());
    ASSERT(cpu->current == thread);
}

int64_t actor_returned(const struct actor *actor)
{
    if (!actor_alive(actor))
        return ACTOR_ENDED;
    const struct thread *thread = actor_thread(actor);
    return thread->state == THREAD_WAITING ? ACTOR_BLOCKED : host_thread_result(&thread->arch);
}

int64_t actor_enter(struct actor *actor, uint64_t min_complete, uint64_t timeout_ns)
{
    actor_run(actor);
    bool one = min_complete == 1 && timeout_ns == CAPOS_FOREVER; // as entry.S does
    host_resume(one ? kernel_cap_enter_one() : kernel_cap_enter(min_complete, timeout_ns));
    return actor_returned(actor);
}

void actor_exit(struct actor *actor, int64_t code)
{
    actor_run(actor);
    host_resume(kernel_exit(code));
    ASSERT(!actor_alive(actor));
}

void actor_kill(struct actor *actor)
{
    kill(actor->process);
}

static bool page_allows(const struct actor *actor, uint64_t address, bool write)
{
    enum page_access access;
    paddr_t frame =
        arch_space_lookup(&actor->process->space.arch, address & ~(PAGE_BYTES - 1), &access);
    return frame != 0 && (write ? access == PAGE_READ_WRITE : access != PAGE_NONE);
}

bool actor_touch(struct actor *actor, uint64_t address, bool write)
{
    actor_run(actor);
    if (!page_allows(actor, address, write)) {
        bool handled = actor_thread(actor)->in_fault_handler;
        host_resume(kernel_fault(FAULT_KIND_UNMAPPED, address, write, false));
        if (!actor_alive(actor) || actor_thread(actor)->in_fault_handler != handled)
            return false;
        ASSERT(page_allows(actor, address, write));
    }
    if (actor_thread(actor)->state == THREAD_RUNNING)
        host_tlb_fill(address); // else it lost the CPU in the fault
    return true;
}

// ---- Memory and ring ----------------------------------------------------------------

void actor_write(struct actor *actor, uint64_t address, const void *from, uint64_t size_bytes)
{
    enum status status = space_copy_out(&actor->process->space, address, from, size_bytes);
    ASSERT(status == STATUS_OK);
}

void actor_read(struct actor *actor, uint64_t address, void *to, uint64_t size_bytes)
{
    enum status status = space_copy_in(&actor->process->space, to, address, size_bytes);
    ASSERT(status == STATUS_OK);
}

struct capos_ring_header *actor_ring(struct actor *actor)
{
    return ring_header(&actor_thread(actor)->ring);
}

void actor_push(struct actor *actor, const struct capos_sqe *sqe)
{
    uint8_t *ring = (uint8_t *)actor_ring(actor);
    struct capos_sqe *queue = (struct capos_sqe *)(void *)(ring + CAPOS_RING_SQ_OFFSET);
    queue[actor->sq_tail % CAPOS_SQ_ENTRIES] = *sqe;
    actor->sq_tail++;
    actor_ring(actor)->sq_tail = actor->sq_tail;
}

bool actor_pop(struct actor *actor, struct capos_cqe *out_cqe)
{
    struct capos_ring_header *header = actor_ring(actor);
    if (header->cq_tail == actor->cq_head)
        return false;
    const uint8_t *ring = (const uint8_t *)header;
    const struct capos_cqe *queue =
        (const struct capos_cqe *)(const void *)(ring + CAPOS_RING_CQ_OFFSET);
    *out_cqe = queue[actor->cq_head % CAPOS_CQ_ENTRIES];
    actor->cq_head++;
    header->cq_head = actor->cq_head;
    return true;
}

// ---- Calls --------------------------------------------------------------------------

uint64_t actor_params_address(const struct actor *actor, unsigned slot)
{
    ASSERT(slot < ACTOR_SLOTS);
    return actor->memory + slot * ACTOR_SLOT_BYTES;
}

uint64_t actor_result_address(const struct actor *actor, unsigned slot)
{
    return actor_params_address(actor, slot) + ACTOR_RESULT_OFFSET;
}

// Writes the message and the transfers of a call into its slot.
static void write_message(struct actor *actor, unsigned slot, const struct actor_call *call)
{
    uint64_t address = actor_params_address(actor, slot);
    uint64_t transfers_bytes = call->transfer_count * sizeof(struct capos_transfer);
    ASSERT(call->params_bytes + transfers_bytes <= ACTOR_RESULT_OFFSET);
    actor_write(actor, address, call->params, call->params_bytes);
    actor_write(actor, address + call->params_bytes, call->transfers, transfers_bytes);
}

void actor_push_call(struct actor *actor, unsigned slot, const struct actor_call *call)
{
    write_message(actor, slot, call);
    actor_push(actor, &(struct capos_sqe){
                          .opcode = CAPOS_OP_CALL,
                          .method = call->method,
                          .transfer_count = call->transfer_count,
                          .user_data = slot,
                          .cap = call->cap,
                          .interface_id = call->interface_id,
                          .params = actor_params_address(actor, slot),
                          .params_bytes = call->params_bytes,
                          .result = actor_result_address(actor, slot),
                          .result_bytes_max = ACTOR_RESULT_BYTES,
                      });
}

void actor_push_receive(struct actor *actor, unsigned slot, capos_cap_id endpoint)
{
    actor_push(actor, &(struct capos_sqe){
                          .opcode = CAPOS_OP_RECV,
                          .user_data = slot,
                          .cap = endpoint,
                          .result = actor_result_address(actor, slot),
                          .result_bytes_max = ACTOR_RESULT_BYTES,
                      });
}

void actor_push_return(struct actor *actor, unsigned slot, const struct actor_call *call)
{
    write_message(actor, slot, call);
    actor_push(actor, &(struct capos_sqe){
                          .opcode = CAPOS_OP_RETURN,
                          .flags = call->method != 0 ? CAPOS_SQE_EXCEPTION : 0,
                          .method = call->method,
                          .transfer_count = call->transfer_count,
                          .user_data = slot,
                          .cap = call->cap,
                          .call_id = call->interface_id,
                          .params = actor_params_address(actor, slot),
                          .params_bytes = call->params_bytes,
                      });
}

void actor_push_simple(struct actor *actor, unsigned slot, uint8_t opcode, capos_cap_id cap,
                       uint64_t call_id)
{
    actor_push(actor, &(struct capos_sqe){
                          .opcode = opcode,
                          .user_data = slot,
                          .cap = cap,
                          .call_id = call_id,
                      });
}

void actor_push_park(struct actor *actor, unsigned slot, capos_cap_id space, uint64_t address,
                     uint32_t expected, uint64_t timeout_ns)
{
    actor_push(actor, &(struct capos_sqe){
                          .opcode = CAPOS_OP_PARK,
                          .user_data = slot,
                          .cap = space,
                          .params = address,
                          .expected = expected,
                          .timeout_ns = timeout_ns,
                      });
}

void actor_push_unpark(struct actor *actor, unsigned slot, capos_cap_id space, uint64_t address,
                       uint32_t wake_count)
{
    actor_push(actor, &(struct capos_sqe){
                          .opcode = CAPOS_OP_UNPARK,
                          .user_data = slot,
                          .cap = space,
                          .params = address,
                          .params_bytes = wake_count,
                      });
}

void actor_submit_call(struct actor *actor, unsigned slot, const struct actor_call *call)
{
    actor_push_call(actor, slot, call);
    int64_t result = actor_enter(actor, 0, 0);
    ASSERT(result >= 0 || result == ACTOR_ENDED);
}

void actor_submit_receive(struct actor *actor, unsigned slot, capos_cap_id endpoint)
{
    actor_push_receive(actor, slot, endpoint);
    int64_t result = actor_enter(actor, 0, 0);
    ASSERT(result >= 0);
}

// Enters and takes the completion of slot 0, which is the only one.
static struct capos_cqe finish(struct actor *actor)
{
    struct capos_cqe cqe;
    int64_t result = actor_enter(actor, 0, 0);
    ASSERT(result >= 1);
    bool there = actor_pop(actor, &cqe);
    ASSERT(there && cqe.user_data == 0);
    return cqe;
}

struct capos_cqe actor_call(struct actor *actor, const struct actor_call *call)
{
    actor_push_call(actor, 0, call);
    return finish(actor);
}

int32_t actor_release(struct actor *actor, capos_cap_id cap)
{
    actor_push_simple(actor, 0, CAPOS_OP_RELEASE, cap, 0);
    return finish(actor).result;
}

int32_t actor_return(struct actor *actor, const struct actor_call *call)
{
    actor_push_return(actor, 0, call);
    return finish(actor).result;
}

void actor_result(struct actor *actor, unsigned slot, void *to, uint64_t size_bytes)
{
    actor_read(actor, actor_result_address(actor, slot), to, size_bytes);
}

static capos_cap_id read_record(struct actor *actor, uint64_t message,
                                const struct capos_cqe *cqe, unsigned index)
{
    struct capos_cap_record record;
    ASSERT(index < cqe->transfer_count);
    uint64_t records = message + ((cqe->result_bytes + 7) & ~UINT64_C(7));
    actor_read(actor, records + index * sizeof record, &record, sizeof record);
    return record.cap;
}

capos_cap_id actor_result_cap(struct actor *actor, unsigned slot, const struct capos_cqe *cqe,
                              unsigned index)
{
    return read_record(actor, actor_result_address(actor, slot), cqe, index);
}

struct capos_recv_header actor_received(struct actor *actor, unsigned slot)
{
    struct capos_recv_header header;
    actor_result(actor, slot, &header, sizeof header);
    return header;
}

capos_cap_id actor_received_cap(struct actor *actor, unsigned slot, const struct capos_cqe *cqe,
                                unsigned index)
{
    return read_record(actor,
                       actor_result_address(actor, slot) + sizeof(struct capos_recv_header),
                       cqe, index);
}
