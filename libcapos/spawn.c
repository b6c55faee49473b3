// SPDX-License-Identifier: MIT
// The loader: from a file to a running process in two entries to the kernel.
//
//     1. make the builder
//     2. load all pieces and the startup block, grant, start
//
// The kernel spoils a builder at its first failure, so the last completion tells whether
// all went well.  Where things go is spawn_plan.c's.
#include <capos/spawn.h>

#include "spawn_plan.h"

#include <capos/capset.h>
#include <capos/process.h>

#include <gen/capos/entropy_source.h>
#include <gen/capos/process.h>
#include <gen/capos/virtual_memory.h>
#include <lib/chacha20.h>
#include <stdlib.h>
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
    struct batch batch;
};

// What one call of ProcessBuilder.load does.
struct load {
    struct capos_load_piece pieces[CAPOS_LOAD_PIECES_MAX];
    uint32_t piece_count;
    uint64_t room_bytes; // that may still be copied
};

static void load_begin(struct load *load)
{
    load->piece_count = 0;
    load->room_bytes = CAPOS_LOAD_COPY_BYTES_MAX;
}

// Submits what was collected, with contents for an address, and begins anew.
static void load_submit(struct spawn *spawn, struct load *load, uint64_t address,
                        const uint8_t *contents, uint64_t contents_bytes)
{
    struct batch *batch = &spawn->batch;
    batch_add(batch, process_builder_load_begin(batch_next(batch), spawn->builder,
                                                spawn->image->object, load->pieces,
                                                load->piece_count * sizeof load->pieces[0],
                                                address, contents, contents_bytes));
    load_begin(load);
}

static void load_add(struct spawn *spawn, struct load *load, struct capos_load_piece piece)
{
    bool all = false;
    while (!all) {
        if (load->room_bytes == 0 || load->piece_count == CAPOS_LOAD_PIECES_MAX)
            load_submit(spawn, load, 0, nullptr, 0);
        uint64_t copied_bytes;
        all = spawn_piece_take(&piece, load->room_bytes, &load->pieces[load->piece_count++],
                               &copied_bytes);
        load->room_bytes -= copied_bytes;
    }
}

// Loads all pieces, then the startup block; nearly always one call does.
static void spawn_add_load(struct spawn *spawn, const uint8_t *block)
{
    const struct spawn_plan *plan = &spawn->plan;
    struct load load;
    load_begin(&load);
    for (uint32_t i = 0; i < plan->piece_count; i++)
        load_add(spawn, &load, plan->pieces[i]);
    uint64_t done = 0;
    while (done < plan->startup_bytes) {
        uint64_t part = plan->startup_bytes - done;
        if (part > CAPOS_LOAD_CONTENTS_BYTES_MAX)
            part = CAPOS_LOAD_CONTENTS_BYTES_MAX;
        load_submit(spawn, &load, plan->startup_address + done, block + done, part);
        done += part;
    }
}

static enum status spawn_add_memory(struct spawn *spawn)
{
    uint8_t small[1024];
    uint64_t bytes = spawn->plan.startup_bytes;
    uint8_t *block = bytes <= sizeof small ? small : malloc(bytes);
    if (block == nullptr)
        return STATUS_OVERLOADED;
    spawn_plan_startup(&spawn->plan, &spawn->image->elf, &spawn->strings,
                       random_draw(spawn->spawner), block);
    spawn_add_load(spawn, block);
    if (block != small)
        free(block);
    return STATUS_OK;
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
    const struct capos_spawn_request *request = spawn->request;
    enum status status =
        process_spawner_create(spawn->spawner->spawner, request->name, strlen(request->name),
                               request->budget, &spawn->builder);
    if (status == STATUS_OK)
        status = spawn_add_memory(spawn);
    if (status != STATUS_OK)
        return status;
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
    spawn.batch.count = 0;
    spawn.batch.status = STATUS_OK;
    enum status status = spawn_plan_make(&image->elf, &spawn.strings, request->stack_bytes,
                                         random_draw(spawner), &spawn.plan);
    if (status == STATUS_OK)
        status = spawn_build(&spawn, &out_process->handle);
    capos_release(spawn.builder.id);
    if (status == STATUS_OK)
        out_process->load_bias = spawn.plan.bias;
    return status;
}
