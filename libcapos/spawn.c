// SPDX-License-Identifier: MIT
// The loader: from a file to a running process in three entries to the kernel.
//
//     1. make the builder and the private object
//     2. map the private object here; fill it
//     3. unmap it here, map all pieces into the process, commit its zeros and its stack,
//        grant, start
//
// The kernel spoils a builder at its first failure, so the last completion tells whether
// all went well.  Where things go is spawn_plan.c's.
#include <capos/spawn.h>

#include "spawn_plan.h"

#include <capos/capset.h>
#include <capos/process.h>

#include <gen/capos/entropy_source.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/virtual_memory.h>
#include <lib/chacha20.h>
#include <string.h>

constexpr uint64_t PAGE = SPAWN_PAGE_BYTES;

// ---- Spawner and image -------------------------------------------------------------

enum status capos_spawner_find(struct capos_spawner *out_spawner)
{
    struct capos_spawner found = {};
    enum status status = process_spawner_cap_find("spawner", &found.spawner);
    if (status == STATUS_OK)
        status = virtual_memory_cap_find("memory", &found.memory);
    if (status != STATUS_OK)
        return status;
    if (entropy_source_cap_find("entropy", &found.entropy) != STATUS_OK)
        found.entropy.id = 0;
    if (thread_control_cap_find("thread", &found.thread) != STATUS_OK)
        found.thread.id = 0;
    if (park_space_cap_find("park", &found.park) != STATUS_OK)
        found.park.id = 0;
    *out_spawner = found;
    return STATUS_OK;
}

uint32_t capos_spawn_own_grants(const struct capos_spawner *spawner,
                                struct capos_spawn_grant *out_grants)
{
    const struct capos_spawn_grant own[CAPOS_SPAWN_OWN_GRANTS_MAX] = {
        {"memory", capos_transfer_copy(spawner->memory.id)},
        {"thread", capos_transfer_copy(spawner->thread.id)},
        {"park", capos_transfer_copy(spawner->park.id)},
    };
    uint32_t count = 0;
    for (uint32_t i = 0; i < CAPOS_SPAWN_OWN_GRANTS_MAX; i++)
        if (own[i].capability.cap != 0)
            out_grants[count++] = own[i];
    return count;
}

// Fills the stock without an EntropySource: from what the own parent drew at random for
// this process, by a generator that can't be run backwards, so that a child learns nothing
// about its parent.
static void random_derive(struct capos_spawner *spawner)
{
    static struct chacha20_rng generator;
    static bool seeded;
    const struct capos_startup *startup = capos_startup_block();
    const uint64_t seed[] = {startup->canary, startup->image_bias, startup->stack_base,
                             capos_process_id()};
    static_assert(sizeof seed == sizeof generator.seed);
    if (!seeded)
        memcpy(generator.seed, seed, sizeof seed);
    seeded = true;
    chacha20_rng_fill(&generator, (uint8_t *)spawner->random, sizeof spawner->random);
}

// A random number, from a stock that one call fills.
static uint64_t random_draw(struct capos_spawner *spawner)
{
    size_t bytes;
    if (spawner->random_count == 0) {
        if (spawner->entropy.id == 0 ||
            entropy_source_fill(spawner->entropy, sizeof spawner->random, spawner->random,
                                sizeof spawner->random, &bytes) != STATUS_OK)
            random_derive(spawner);
        spawner->random_count = sizeof spawner->random / sizeof spawner->random[0];
    }
    uint64_t *number = &spawner->random[--spawner->random_count];
    uint64_t drawn = *number;
    *number = 0; // a number that was used is nobody's to read
    return drawn;
}

enum status capos_image_open(struct capos_image *out_image, const struct capos_spawner *spawner,
                             memory_object_cap object, uint64_t size_bytes)
{
    uint64_t address;
    uint64_t mapped_bytes = (size_bytes + PAGE - 1) & ~(PAGE - 1);
    out_image->elf_error = ELF_TRUNCATED;
    if (mapped_bytes == 0) // empty, or beyond any address
        return STATUS_BAD_MESSAGE;
    enum status status = virtual_memory_map(spawner->memory, object, 0, mapped_bytes, 0,
                                            PROTECTION_READ, &address);
    if (status != STATUS_OK)
        return status;
    out_image->object = object;
    out_image->file = (const uint8_t *)address;
    out_image->mapped_bytes = mapped_bytes;
    out_image->elf_error = elf_parse(out_image->file, size_bytes, &out_image->elf);
    if (out_image->elf_error == ELF_OK)
        return STATUS_OK;
    capos_image_close(out_image, spawner);
    return STATUS_BAD_MESSAGE;
}

void capos_image_close(struct capos_image *image, const struct capos_spawner *spawner)
{
    // It can only fail if the parent unmapped it itself.
    (void)virtual_memory_unmap(spawner->memory, (uint64_t)image->file, image->mapped_bytes);
    image->file = nullptr;
}

// ---- A batch of calls --------------------------------------------------------------
// All calls of a batch are in flight before the first is waited for.  They have no results;
// of those that fail the first failure counts.

constexpr uint32_t BATCH_CALLS_MAX = 40;

struct batch {
    struct capos_call calls[BATCH_CALLS_MAX];
    uint32_t count;
    enum status status;
};

static void batch_finish(struct batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        enum status status =
            capos_call_end(&batch->calls[i], capos_call_wait(&batch->calls[i]));
        if (batch->status == STATUS_OK)
            batch->status = status;
    }
    batch->count = 0;
}

// The storage of the next call; the caller begins it and passes the outcome to batch_add.
static struct capos_call *batch_next(struct batch *batch)
{
    if (batch->count == BATCH_CALLS_MAX)
        batch_finish(batch);
    return &batch->calls[batch->count];
}

static void batch_add(struct batch *batch, enum status status)
{
    if (status == STATUS_OK)
        batch->count++;
    else if (batch->status == STATUS_OK)
        batch->status = status;
}

// ---- Building ----------------------------------------------------------------------

struct spawn {
    struct capos_spawner *spawner;
    const struct capos_image *image;
    const struct capos_spawn_request *request;
    struct spawn_strings strings;
    struct spawn_plan plan;
    process_builder_cap builder;
    memory_object_cap private_object;
    uint64_t private_address; // in the parent
    struct batch batch;
};

// Makes the builder and the private object, together.
static enum status spawn_create(struct spawn *spawn)
{
    const struct capos_spawn_request *request = spawn->request;
    struct capos_call create, object;
    enum status status =
        process_spawner_create_begin(&create, spawn->spawner->spawner, request->name,
                                     strlen(request->name), request->budget);
    if (status != STATUS_OK)
        return status;
    status = memory_budget_create_memory_object_begin(&object, request->budget,
                                                      spawn->plan.private_bytes);
    if (status == STATUS_OK)
        status = memory_budget_create_memory_object_finish(&object, &spawn->private_object);
    enum status created = process_spawner_create_finish(&create, &spawn->builder);
    return status != STATUS_OK ? status : created;
}

static enum status spawn_fill(struct spawn *spawn)
{
    enum status status = virtual_memory_map(spawn->spawner->memory, spawn->private_object, 0,
                                            spawn->plan.private_bytes, 0, PROTECTION_READ_WRITE,
                                            &spawn->private_address);
    if (status != STATUS_OK)
        return status;
    spawn_plan_fill(&spawn->plan, &spawn->image->elf, spawn->image->file, &spawn->strings,
                    random_draw(spawn->spawner), (uint8_t *)spawn->private_address);
    batch_add(&spawn->batch,
              virtual_memory_unmap_begin(batch_next(&spawn->batch), spawn->spawner->memory,
                                         spawn->private_address, spawn->plan.private_bytes));
    return STATUS_OK;
}

static void add_map(struct spawn *spawn, memory_object_cap object, uint64_t offset,
                    uint64_t bytes, uint64_t address, enum protection protection)
{
    struct batch *batch = &spawn->batch;
    if (bytes != 0)
        batch_add(batch, process_builder_map_begin(batch_next(batch), spawn->builder, object,
                                                   offset, bytes, address, protection));
}

static void add_commit(struct spawn *spawn, uint64_t address, uint64_t bytes,
                       enum protection protection)
{
    struct batch *batch = &spawn->batch;
    if (bytes != 0)
        batch_add(batch, process_builder_commit_begin(batch_next(batch), spawn->builder,
                                                      address, bytes, protection));
}

static enum protection segment_protection(const struct elf_segment *segment)
{
    if (segment->writable)
        return PROTECTION_READ_WRITE;
    if (segment->executable)
        return PROTECTION_READ_EXECUTE;
    return segment->readable ? PROTECTION_READ : PROTECTION_NONE;
}

// Whether a piece is private and its next one goes on where it ends, in the process and in
// the private object, with the same protection: then one call maps both.
static bool piece_continues(const struct spawn *spawn, uint32_t index)
{
    const struct spawn_plan *plan = &spawn->plan;
    const struct spawn_piece *piece = &plan->pieces[index], *next = piece + 1;
    const struct elf_segment *segments = spawn->image->elf.segments;
    return index + 1 < plan->piece_count && piece->private_bytes != 0 &&
           piece->zero_bytes == 0 && next->private_bytes != 0 &&
           next->address == piece->address + piece->private_bytes &&
           segment_protection(&segments[index]) == segment_protection(&segments[index + 1]);
}

static void spawn_add_memory(struct spawn *spawn)
{
    const struct spawn_plan *plan = &spawn->plan;
    uint64_t private_before = 0; // bytes of the pieces that the next call maps too
    for (uint32_t i = 0; i < plan->piece_count; i++) {
        const struct spawn_piece *piece = &plan->pieces[i];
        enum protection protection = segment_protection(&spawn->image->elf.segments[i]);
        if (piece_continues(spawn, i)) {
            private_before += piece->private_bytes;
            continue;
        }
        add_map(spawn, spawn->image->object, piece->file_offset, piece->shared_bytes,
                piece->address, protection);
        add_map(spawn, spawn->private_object, piece->private_offset - private_before,
                private_before + piece->private_bytes, piece->address - private_before,
                protection);
        add_commit(spawn, piece->address + piece->shared_bytes + piece->private_bytes,
                   piece->zero_bytes, protection);
        private_before = 0;
    }
    add_commit(spawn, plan->stack_base, plan->stack_bytes, PROTECTION_READ_WRITE);
    add_map(spawn, spawn->private_object, plan->startup_offset, plan->startup_bytes,
            plan->startup_address, PROTECTION_READ_WRITE);
}

static void spawn_add_grants(struct spawn *spawn)
{
    struct batch *batch = &spawn->batch;
    for (uint32_t i = 0; i < spawn->request->grant_count; i++) {
        const struct capos_spawn_grant *grant = &spawn->request->grants[i];
        batch_add(batch, process_builder_grant_transfer_begin(batch_next(batch), spawn->builder,
                                                              grant->name, strlen(grant->name),
                                                              grant->capability));
    }
}

static void spawn_add_trace(struct spawn *spawn)
{
    const struct capos_spawn_trace *trace = spawn->request->trace;
    struct batch *batch = &spawn->batch;
    if (trace != nullptr)
        batch_add(batch, process_builder_trace_begin(batch_next(batch), spawn->builder,
                                                     trace->buffer, trace->notification,
                                                     trace->bits, trace->capture_bytes));
}

static void spawn_add_schedule(struct spawn *spawn)
{
    const struct capos_spawn_schedule *schedule = spawn->request->schedule;
    struct batch *batch = &spawn->batch;
    if (schedule != nullptr)
        batch_add(batch, process_builder_schedule_begin(batch_next(batch), spawn->builder,
                                                        schedule->bounds, schedule->priority,
                                                        schedule->latency_class));
}

// Starts behind everything in the batch, in the same entry to the kernel.
static enum status spawn_start(struct spawn *spawn, process_handle_cap *out_process)
{
    const struct spawn_plan *plan = &spawn->plan;
    struct capos_call start;
    enum status status = process_builder_start_begin(
        &start, spawn->builder, spawn->image->elf.entry + plan->bias,
        plan->stack_base + plan->stack_bytes, plan->startup_address);
    batch_finish(&spawn->batch);
    if (status == STATUS_OK)
        status = process_builder_start_finish(&start, out_process);
    return status;
}

static enum status spawn_build(struct spawn *spawn, process_handle_cap *out_process)
{
    enum status status = spawn_create(spawn);
    if (status == STATUS_OK)
        status = spawn_fill(spawn);
    if (status != STATUS_OK)
        return status;
    spawn_add_memory(spawn);
    spawn_add_grants(spawn);
    spawn_add_trace(spawn);
    spawn_add_schedule(spawn);
    // What never reached the kernel didn't spoil the builder, so it must not start.
    if (spawn->batch.status != STATUS_OK) {
        batch_finish(&spawn->batch);
        return spawn->batch.status;
    }
    return spawn_start(spawn, out_process);
}

enum status capos_spawn(struct capos_spawner *spawner, const struct capos_image *image,
                        const struct capos_spawn_request *request,
                        struct capos_process *out_process)
{
    // Not zeroed as a whole: the calls of the batch are large and need no initial value.
    struct spawn spawn;
    spawn.spawner = spawner;
    spawn.image = image;
    spawn.request = request;
    spawn.strings = (struct spawn_strings){request->arguments, request->environment,
                                           request->argument_count, request->environment_count};
    spawn.builder.id = 0;
    spawn.private_object.id = 0;
    spawn.batch.count = 0;
    spawn.batch.status = STATUS_OK;
    enum status status = spawn_plan_make(&image->elf, &spawn.strings, request->stack_bytes,
                                         random_draw(spawner), &spawn.plan);
    if (status == STATUS_OK)
        status = spawn_build(&spawn, &out_process->handle);
    capos_release(spawn.builder.id);
    capos_release(spawn.private_object.id);
    if (status == STATUS_OK)
        out_process->load_bias = spawn.plan.bias;
    return status;
}
