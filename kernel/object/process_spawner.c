// SPDX-License-Identifier: MIT
// ProcessSpawner and ProcessBuilder: making processes from outside.
//
// A builder owns a process in state BUILDING and fills its address space and CapSet.  The
// first call that fails spoils it, also one that is refused before its method runs, so
// that a parent may submit all calls as one batch: `start` succeeds only if all did.
//
// Tested in tests/core/process_test.c and tests/iface/process_test.c.

#include <abi/load.h>
#include <abi/trace.h>
#include <gen/kernel/process.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/call_trace.h>
#include <kernel/ipc/invocation.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/slab.h>
#include <kernel/object/forker.h>
#include <kernel/object/objects.h>
#include <kernel/sched/process.h>
#include <lib/container_of.h>
#include <lib/string.h>

struct builder {
    struct object object;
    struct process *process; // referenced; nullptr once started
    struct budget *budget;   // referenced; pays for this struct
    enum status spoiled;     // STATUS_OK: it isn't
    const char *reason;      // why it is
};

static struct slab_cache builder_cache = SLAB_CACHE(struct builder);

static const char reason_refused[] = "an earlier call on this builder was refused";
static const char reason_started[] = "the process has been started";
static const char reason_no_memory[] = "the process's memory budget is exhausted";

static void builder_call_refused(struct object *object, enum status)
{
    struct builder *builder = container_of(object, struct builder, object);
    if (builder->spoiled != STATUS_OK)
        return;
    builder->spoiled = STATUS_FAILED;
    builder->reason = reason_refused;
}

static void builder_discard_process(struct builder *builder)
{
    if (builder->process == nullptr)
        return;
    struct process *process = builder->process;
    builder->process = nullptr;
    object_put(&process->object);
}

static void builder_unheld(struct object *object)
{
    builder_discard_process(container_of(object, struct builder, object));
}

static void builder_destroy(struct object *object)
{
    struct builder *builder = container_of(object, struct builder, object);
    struct budget *budget = builder->budget;
    builder_discard_process(builder);
    slab_put(&builder_cache, budget, builder);
    object_put(&budget->object);
}

static const struct object_type spawner_type = {
    .dispatch = &process_spawner_dispatch,
    .hold_mode = CAPOS_HOLD_COPY,
};

static struct object spawner = {.type = &spawner_type, .reference_count = 1};

static const struct object_type builder_type = {
    .dispatch = &process_builder_dispatch,
    .hold_mode = CAPOS_HOLD_MOVE,
    .call_refused = builder_call_refused,
    .unheld = builder_unheld,
    .destroy = builder_destroy,
};

static struct builder *builder_of(struct object *object)
{
    ASSERT(object->type == &builder_type);
    return container_of(object, struct builder, object);
}

struct object *process_spawner_object(void)
{
    return &spawner;
}

static struct builder *builder_create(struct budget *budget, const struct wire_text *name)
{
    struct builder *builder = slab_get(&builder_cache, budget);
    if (builder == nullptr)
        return nullptr;
    builder->process = process_create(budget, name->text, name->size_bytes);
    if (builder->process == nullptr) {
        slab_put(&builder_cache, budget, builder);
        return nullptr;
    }
    object_init(&builder->object, &builder_type);
    object_get(&budget->object);
    builder->budget = budget;
    return builder;
}

enum status process_spawner_create(struct object *, struct invocation *invocation,
                                   const struct process_spawner_create_params *params,
                                   struct process_spawner_create_results *out_results)
{
    struct object *budget = invocation_object(invocation, params->budget);
    struct builder *builder =
        builder_create(container_of(budget, struct budget, object), &params->name);
    if (builder == nullptr)
        return invocation_fail(invocation, STATUS_OVERLOADED, reason_no_memory);
    out_results->builder = invocation_add_capability(invocation, &builder->object);
    return STATUS_OK;
}

// ---- ProcessBuilder -----------------------------------------------------------------

// Notes the outcome of a call; the first failure spoils the builder.
static enum status builder_note(struct builder *builder, struct invocation *invocation,
                                enum status status, const char *reason)
{
    if (status == STATUS_OK)
        return STATUS_OK;
    if (status == STATUS_OVERLOADED && reason == nullptr)
        reason = reason_no_memory;
    if (builder->spoiled == STATUS_OK) {
        builder->spoiled = status;
        builder->reason = reason;
    }
    return invocation_fail(invocation, builder->spoiled, builder->reason);
}

// Whether calls still do anything.
static enum status builder_check(struct builder *builder, struct invocation *invocation)
{
    if (builder->spoiled != STATUS_OK)
        return invocation_fail(invocation, builder->spoiled, builder->reason);
    if (builder->process == nullptr)
        return invocation_fail(invocation, STATUS_FAILED, reason_started);
    return STATUS_OK;
}

enum status process_builder_map(struct object *self, struct invocation *invocation,
                                const struct process_builder_map_params *params)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    const char *reason = nullptr;
    if (params->address == 0)
        return builder_note(builder, invocation, STATUS_INVALID_ARGUMENT,
                            "address: a multiple of 4096, not zero");
    uint64_t address;
    struct object *object = invocation_object(invocation, params->object);
    status = space_map_image(&builder->process->space, memory_object_of(object),
                             params->offset_bytes, params->length_bytes, params->address,
                             params->protection, &address, &reason);
    return builder_note(builder, invocation, status, reason);
}

enum status process_builder_commit(struct object *self, struct invocation *invocation,
                                   const struct process_builder_commit_params *params)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    struct space *space = &builder->process->space;
    const char *reason = nullptr;
    if (params->address == 0)
        return builder_note(builder, invocation, STATUS_INVALID_ARGUMENT,
                            "address: a multiple of 4096, not zero");
    uint64_t address;
    status = space_allocate(space, params->length_bytes, params->address, params->protection,
                            &address, &reason);
    return builder_note(builder, invocation, status, reason);
}

// Why a piece isn't one; nullptr if it is, as far as the space doesn't check.
static const char *piece_problem(const struct capos_load_piece *piece,
                                 const struct memory_object *file)
{
    uint64_t before = piece->offset_bytes % PAGE_BYTES, size = memory_object_size_bytes(file);
    if (piece->kind > CAPOS_LOAD_COMMIT || piece->reserved0 != 0 || piece->reserved1 != 0)
        return "pieces: kind 0 or 1, reserved 0";
    if (piece->address == 0)
        return "pieces: address: a multiple of 4096, not zero";
    if (piece->kind == CAPOS_LOAD_MAP)
        return piece->copy_bytes == 0 ? nullptr : "pieces: copy_bytes: 0 for what is mapped";
    if (piece->copy_bytes == 0)
        return nullptr;
    if (piece->offset_bytes > size || piece->copy_bytes > size - piece->offset_bytes)
        return "pieces: offset_bytes + copy_bytes is at most the file's size";
    if (piece->copy_bytes > piece->length_bytes ||
        before > piece->length_bytes - piece->copy_bytes)
        return "pieces: what is copied fits into length_bytes";
    return nullptr;
}

// Memory that was committed for several pieces at once: what is left of it for the next ones.
struct committed {
    uint64_t start;
    uint64_t end;
};

static bool is_whole_pages(uint64_t length_bytes)
{
    return length_bytes != 0 && length_bytes % PAGE_BYTES == 0;
}

// How much memory a piece has in common with those behind it: of the same protection, each where
// the one before it ends.
static uint64_t common_bytes(const struct capos_load_piece *piece, const uint8_t *behind,
                             uint32_t behind_bytes)
{
    uint64_t bytes = piece->length_bytes, sum;
    struct capos_load_piece next;
    for (uint32_t at = 0; is_whole_pages(bytes) && at < behind_bytes; at += sizeof next) {
        memcpy(&next, behind + at, sizeof next);
        if (next.kind != CAPOS_LOAD_COMMIT || next.protection != piece->protection ||
            next.address != piece->address + bytes || !is_whole_pages(next.length_bytes) ||
            __builtin_add_overflow(bytes, next.length_bytes, &sum))
            break;
        bytes = sum;
    }
    return bytes;
}

// Commits the memory of a piece, unless that was done for the one before it.
static enum status commit_piece(struct space *space, const struct capos_load_piece *piece,
                                const uint8_t *behind, uint32_t behind_bytes,
                                struct committed *committed, const char **out_reason)
{
    if (committed->start == committed->end || piece->address != committed->start) {
        uint64_t bytes = common_bytes(piece, behind, behind_bytes), address;
        enum status status =
            space_allocate(space, bytes, piece->address, (enum protection)piece->protection,
                           &address, out_reason);
        if (status != STATUS_OK)
            return status;
        *committed = (struct committed){.start = address, .end = address + bytes};
    }
    committed->start += piece->length_bytes;
    return STATUS_OK;
}

static enum status load_piece(struct space *space, struct memory_object *file,
                              const struct capos_load_piece *piece, const uint8_t *behind,
                              uint32_t behind_bytes, struct committed *committed,
                              const char **out_reason)
{
    uint64_t address;
    *out_reason = piece_problem(piece, file);
    if (*out_reason != nullptr)
        return STATUS_INVALID_ARGUMENT;
    if (piece->kind == CAPOS_LOAD_MAP)
        return space_map_image(space, file, piece->offset_bytes, piece->length_bytes,
                               piece->address, (enum protection)piece->protection, &address,
                               out_reason);
    enum status status =
        commit_piece(space, piece, behind, behind_bytes, committed, out_reason);
    if (status == STATUS_OK && piece->copy_bytes > 0)
        space_fill(space, piece->address + piece->offset_bytes % PAGE_BYTES, file,
                   piece->offset_bytes, piece->copy_bytes);
    return status;
}

// Of the pages that bytes of the file go to; UINT64_MAX if they are no range.
static uint64_t copied_pages_bytes(const struct capos_load_piece *piece)
{
    if (piece->copy_bytes == 0)
        return 0;
    if (piece->copy_bytes > CAPOS_LOAD_COPY_BYTES_MAX)
        return UINT64_MAX;
    uint64_t bytes = piece->offset_bytes % PAGE_BYTES + piece->copy_bytes;
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static enum status load_pieces(struct space *space, struct memory_object *file,
                               const struct wire_data *pieces, const char **out_reason)
{
    uint64_t room_bytes = CAPOS_LOAD_COPY_BYTES_MAX;
    struct committed committed = {};
    struct capos_load_piece piece;
    static_assert(PROCESS_BUILDER_LOAD_PARAMS_PIECES_BYTES_MAX ==
                  CAPOS_LOAD_PIECES_MAX * sizeof piece);
    if (pieces->size_bytes % sizeof piece != 0 || memory_object_cache(file) != PAGE_CACHED) {
        *out_reason = "pieces: records of 40 bytes; file: no device registers";
        return STATUS_INVALID_ARGUMENT;
    }
    for (uint32_t at = 0; at < pieces->size_bytes; at += sizeof piece) {
        memcpy(&piece, pieces->data + at, sizeof piece);
        uint64_t copied_bytes = copied_pages_bytes(&piece);
        if (copied_bytes > room_bytes) {
            *out_reason = "pieces: at most 64 pages with bytes of the file";
            return STATUS_INVALID_ARGUMENT;
        }
        room_bytes -= copied_bytes;
        uint32_t next = at + (uint32_t)sizeof piece;
        enum status status = load_piece(space, file, &piece, pieces->data + next,
                                        pieces->size_bytes - next, &committed, out_reason);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status process_builder_load(struct object *self, struct invocation *invocation,
                                 const struct process_builder_load_params *params)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    struct space *space = &builder->process->space;
    const char *reason = nullptr;
    struct memory_object *file = memory_object_of(invocation_object(invocation, params->file));
    status = load_pieces(space, file, &params->pieces, &reason);
    if (status == STATUS_OK && params->contents.size_bytes > 0 &&
        space_copy_out(space, params->contents_address, params->contents.data,
                       params->contents.size_bytes) != STATUS_OK) {
        status = STATUS_INVALID_ARGUMENT;
        reason = "contentsAddress: in memory that is readWrite, with all contents";
    }
    return builder_note(builder, invocation, status, reason);
}

enum status
process_builder_map_snapshot(struct object *self, struct invocation *invocation,
                             const struct process_builder_map_snapshot_params *params)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    struct space *space = &builder->process->space;
    if (space->region_count > 0)
        return builder_note(builder, invocation, STATUS_FAILED,
                            "something is mapped into the process already");
    struct object *snapshot = invocation_object(invocation, params->snapshot);
    status = space_clone(space, address_space_snapshot_space(snapshot));
    return builder_note(builder, invocation, status, nullptr);
}

enum status process_builder_grant(struct object *self, struct invocation *invocation,
                                  const struct process_builder_grant_params *params)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    const struct invocation_transfer *transfer = &invocation->transfers[params->capability];
    const char *reason = nullptr;
    if (transfer->object == self) {
        status = STATUS_INVALID_ARGUMENT;
        reason = "capability: not the builder itself";
    } else {
        status = process_grant(builder->process, params->name.text, params->name.size_bytes,
                               transfer->object, transfer->interface_id, transfer->mode);
        if (status == STATUS_INVALID_ARGUMENT)
            reason = "name: 1 to 31 bytes, without NUL, unique in the CapSet";
        else if (status == STATUS_OVERLOADED &&
                 builder->process->capset->count == CAPOS_CAPSET_COUNT_MAX)
            reason = "the CapSet is full";
    }
    return builder_note(builder, invocation, status, reason);
}

enum status process_builder_schedule(struct object *self, struct invocation *invocation,
                                     const struct process_builder_schedule_params *params)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    uint8_t priority_max;
    enum latency_class latency_max;
    thread_spawner_bounds(invocation_object(invocation, params->bounds), &priority_max,
                          &latency_max);
    if (params->priority == 0 || params->priority > priority_max)
        return builder_note(builder, invocation, STATUS_INVALID_ARGUMENT,
                            "priority: 1 to the spawner's bound");
    if (params->latency_class > latency_max)
        return builder_note(builder, invocation, STATUS_INVALID_ARGUMENT,
                            "latencyClass: no higher than the spawner's bound");
    builder->process->first_priority = params->priority;
    builder->process->first_latency_class = params->latency_class;
    return STATUS_OK;
}

enum status process_builder_start(struct object *self, struct invocation *invocation,
                                  const struct process_builder_start_params *params,
                                  struct process_builder_start_results *out_results)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    if (params->entry >= USER_ADDRESS_END)
        return builder_note(builder, invocation, STATUS_INVALID_ARGUMENT,
                            "entry: below 0x7ffffffff000");
    if (params->stack_pointer >= USER_ADDRESS_END || params->stack_pointer % 16 != 0)
        return builder_note(builder, invocation, STATUS_INVALID_ARGUMENT,
                            "stackPointer: a multiple of 16 below 0x7ffffffff000");
    status =
        process_start(builder->process, params->entry, params->stack_pointer, params->argument);
    if (status != STATUS_OK)
        return builder_note(builder, invocation, status, nullptr);
    // The builder's reference goes on to the handle.
    out_results->process = invocation_add_capability(invocation, &builder->process->object);
    builder->process = nullptr;
    return STATUS_OK;
}

// Why a trace isn't possible; nullptr if it is.
static const char *trace_problem(const struct process *process,
                                 const struct memory_object *buffer,
                                 const struct process_builder_trace_params *params)
{
    uint64_t size_bytes = memory_object_size_bytes(buffer);
    if (process->trace != nullptr)
        return "the process has a trace already";
    if (!memory_object_writable(buffer) || memory_object_cache(buffer) != PAGE_CACHED ||
        size_bytes < CAPOS_TRACE_BUFFER_BYTES_MIN || size_bytes > CAPOS_TRACE_BUFFER_BYTES_MAX)
        return "buffer: writable memory of 8192 to 16777216 bytes";
    if (params->bits == 0)
        return "bits: at least one";
    if (params->capture_bytes > CAPOS_TRACE_CAPTURE_BYTES_MAX)
        return "captureBytes: 0 to 1024";
    return nullptr;
}

enum status process_builder_trace(struct object *self, struct invocation *invocation,
                                  const struct process_builder_trace_params *params)
{
    struct builder *builder = builder_of(self);
    enum status status = builder_check(builder, invocation);
    if (status != STATUS_OK)
        return status;
    struct process *process = builder->process;
    struct memory_object *buffer =
        memory_object_of(invocation_object(invocation, params->buffer));
    const char *reason = trace_problem(process, buffer, params);
    if (reason != nullptr)
        return builder_note(builder, invocation, STATUS_INVALID_ARGUMENT, reason);
    process->trace = call_trace_create(process->budget, buffer,
                                       invocation_object(invocation, params->notification),
                                       params->bits, params->capture_bytes);
    return builder_note(builder, invocation,
                        process->trace == nullptr ? STATUS_OVERLOADED : STATUS_OK, nullptr);
}
