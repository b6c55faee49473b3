// SPDX-License-Identifier: MIT
// Writing the trace of a process.  See call_trace.h, and abi/trace.h for the layout.
//
// Invariants:
//  1. The kernel's own position and counts are the truth; the consumer's position is read
//     once per record and range-checked.
//  2. Nothing here fails or waits: a record that can't be written is counted.
//  3. A trace ends with its process, after its threads: no record comes later.
//
// What it doesn't do: decide what is recorded of other processes.  A captured message is
// read from the span of the traced process's own submission.
// Tested in tests/core/call_trace_test.c.

#include <kernel/ipc/call_trace.h>

#include <abi/trace.h>
#include <kernel/cap/table.h>
#include <kernel/debug/panic.h>
#include <kernel/ipc/endpoint_state.h>
#include <kernel/ipc/op.h>
#include <kernel/ipc/span.h>
#include <kernel/mm/memory_object.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/process.h>
#include <kernel/sched/thread.h>
#include <lib/container_of.h>
#include <lib/string.h>

struct call_trace {
    struct memory_object *buffer; // referenced
    struct object *notification;  // referenced
    uint64_t bits;
    struct capos_trace_header *header; // the buffer's first page
    uint64_t data_bytes;
    uint64_t write_bytes;
    uint64_t dropped_count;
    uint64_t dropped_reported; // by CAPOS_TRACE_LOST
    uint64_t id;               // of the last recorded submission
    uint64_t current_id;       // 0: what is under way isn't recorded
    uint32_t capture_bytes;
    struct list_link signal_link; // in `to_signal`
};

static struct slab_cache trace_cache = SLAB_CACHE(struct call_trace);
static struct list to_signal = {.head = {&to_signal.head, &to_signal.head}};

// A record with room for what is captured; the kernel writes one at a time.
static struct {
    struct capos_trace_record record;
    uint8_t captured[CAPOS_TRACE_CAPTURE_BYTES_MAX];
} scratch;
static_assert(offsetof(typeof(scratch), captured) == sizeof(struct capos_trace_record));

struct call_trace *call_trace_create(struct budget *budget, struct memory_object *buffer,
                                     struct object *notification, uint64_t bits,
                                     uint32_t capture_bytes)
{
    struct call_trace *trace = slab_get(&trace_cache, budget);
    if (trace == nullptr)
        return nullptr;
    object_get(memory_object_as_object(buffer));
    object_get(notification);
    trace->buffer = buffer;
    trace->notification = notification;
    trace->bits = bits;
    trace->capture_bytes = capture_bytes;
    trace->data_bytes = memory_object_size_bytes(buffer) - CAPOS_TRACE_HEADER_BYTES;
    memory_object_pin(buffer);
    trace->header = arch_frame_pointer(memory_object_frame_own(buffer, 0));
    *trace->header = (struct capos_trace_header){
        .magic = CAPOS_TRACE_MAGIC,
        .data_bytes = trace->data_bytes,
    };
    return trace;
}

void call_trace_destroy(struct call_trace *trace, struct budget *budget)
{
    if (list_linked(&trace->signal_link))
        list_remove(&trace->signal_link);
    memory_object_unpin(trace->buffer);
    object_put(memory_object_as_object(trace->buffer));
    object_put(trace->notification);
    slab_put(&trace_cache, budget, trace);
}

// ---- The ring -----------------------------------------------------------------------

static void ring_write(struct call_trace *trace, const void *from, uint32_t size_bytes)
{
    const uint8_t *bytes = from;
    while (size_bytes > 0) {
        uint64_t at = CAPOS_TRACE_HEADER_BYTES + trace->write_bytes % trace->data_bytes;
        uint32_t in_page = (uint32_t)(at % PAGE_BYTES);
        uint32_t part = (uint32_t)PAGE_BYTES - in_page;
        if (part > size_bytes)
            part = size_bytes;
        uint8_t *page =
            arch_frame_pointer(memory_object_frame_own(trace->buffer, at - in_page));
        memcpy(page + in_page, bytes, part);
        bytes += part;
        size_bytes -= part;
        trace->write_bytes += part;
    }
}

// Makes what was written visible; a consumer that had seen everything before is told.
static void publish(struct call_trace *trace, uint64_t before_bytes)
{
    struct capos_trace_header *header = trace->header;
    __atomic_store_n(&header->write_bytes, trace->write_bytes, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the consumer stores, then loads
    if (__atomic_load_n(&header->read_bytes, __ATOMIC_RELAXED) != before_bytes ||
        list_linked(&trace->signal_link))
        return;
    list_push_back(&to_signal, &trace->signal_link);
    struct cpu *cpu = arch_cpu();
    cpu->traces_unread = true;
    cpu->changed = true;
}

static void ring_drop(struct call_trace *trace)
{
    trace->dropped_count++;
    __atomic_store_n(&trace->header->dropped_count, trace->dropped_count, __ATOMIC_RELEASE);
}

// Appends the record in `scratch`, of a thread's submission unless that is null, and before it
// how many were lost, if any were.
static void append(struct call_trace *trace, const struct thread *thread)
{
    struct capos_trace_record *record = &scratch.record;
    record->thread_id = thread == nullptr ? 0 : thread->id;
    uint32_t used_bytes = (uint32_t)sizeof *record + record->captured_bytes;
    record->size_bytes = (used_bytes + 7u) & ~7u;
    memset((uint8_t *)&scratch + used_bytes, 0, record->size_bytes - used_bytes);
    record->time_ns = arch_now_ns();
    bool lost = trace->dropped_count != trace->dropped_reported;
    uint64_t before_bytes = trace->write_bytes;
    uint64_t read_bytes = __atomic_load_n(&trace->header->read_bytes, __ATOMIC_ACQUIRE);
    uint64_t unread_bytes = before_bytes - read_bytes; // huge if it is impossible
    uint64_t needed_bytes = record->size_bytes + (lost ? sizeof *record : 0);
    if (unread_bytes > trace->data_bytes || needed_bytes > trace->data_bytes - unread_bytes) {
        ring_drop(trace);
        return;
    }
    if (lost) {
        struct capos_trace_record note = {
            .size_bytes = sizeof note,
            .kind = CAPOS_TRACE_LOST,
            .time_ns = record->time_ns,
            .id = trace->dropped_count,
        };
        ring_write(trace, &note, sizeof note);
        trace->dropped_reported = trace->dropped_count;
    }
    ring_write(trace, record, record->size_bytes);
    publish(trace, before_bytes);
}

void call_trace_signal(void)
{
    struct list_link *link;
    arch_cpu()->traces_unread = false;
    while ((link = list_pop_front(&to_signal)) != nullptr) {
        struct call_trace *trace = container_of(link, struct call_trace, signal_link);
        notification_post(trace->notification, trace->bits);
    }
}

// ---- Records ------------------------------------------------------------------------

// Captures the beginning of a message and of what travels beside it, from `offset` on;
// nothing if it can't be read.
static void capture(const struct call_trace *trace, const struct span *span, uint32_t offset)
{
    uint32_t size_bytes = span->size_bytes - offset;
    if (size_bytes > trace->capture_bytes)
        size_bytes = trace->capture_bytes;
    if (size_bytes > 0 && span_read(span, offset, scratch.captured, size_bytes) == STATUS_OK)
        scratch.record.captured_bytes = size_bytes;
}

// The same for what a submission sends.
static void capture_sent(struct thread *thread, const struct capos_sqe *sqe)
{
    struct span sent;
    if (sqe->transfer_count <= CAPOS_TRANSFER_COUNT_MAX &&
        message_span(&sent, thread, sqe) == STATUS_OK)
        capture(thread->ring.trace, &sent, 0);
}

// The same for what a completion says arrived, behind `offset`.
static void capture_arrived(const struct call_trace *trace, const struct span *buffer,
                            uint32_t offset, const struct capos_cqe *completion)
{
    struct span arrived = *buffer;
    uint64_t size_bytes =
        offset + ((completion->result_bytes + UINT64_C(7)) & ~UINT64_C(7)) +
        completion->transfer_count * (uint64_t)sizeof(struct capos_cap_record);
    if (arrived.size_bytes > size_bytes)
        arrived.size_bytes = (uint32_t)size_bytes;
    capture(trace, &arrived, offset);
}

static void append_name(struct call_trace *trace, const struct capos_trace_record *record,
                        const char *name, uint32_t name_bytes)
{
    scratch.record = *record;
    scratch.record.captured_bytes = name_bytes;
    memcpy(scratch.captured, name, name_bytes);
    append(trace, nullptr);
}
static_assert(PROCESS_NAME_BYTES <= CAPOS_TRACE_CAPTURE_BYTES_MAX);

void call_trace_start(const struct process *process)
{
    append_name(process->trace,
                &(struct capos_trace_record){.kind = CAPOS_TRACE_PROCESS, .id = process->id},
                process->name, process->name_bytes);
    for (uint32_t i = 0; i < process->capset->count; i++) {
        const struct capos_capset_entry *entry = &process->capset->entries[i];
        append_name(process->trace,
                    &(struct capos_trace_record){
                        .kind = CAPOS_TRACE_GRANT,
                        .interface_id = entry->interface_id,
                        .cap = entry->cap,
                    },
                    entry->name, (uint32_t)strlen(entry->name));
    }
}

static void append_call(struct thread *thread, const struct capos_sqe *sqe)
{
    scratch.record = (struct capos_trace_record){
        .kind = CAPOS_TRACE_CALL,
        .method = sqe->method,
        .id = thread->ring.trace->current_id,
        .interface_id = sqe->interface_id,
        .cap = sqe->cap,
        .message_bytes = sqe->params_bytes,
        .transfer_count = sqe->transfer_count,
    };
    capture_sent(thread, sqe);
    append(thread->ring.trace, thread);
}

static void append_release(struct thread *thread, const struct capos_sqe *sqe)
{
    const struct cap_slot *slot = cap_table_lookup(&thread->process->caps, sqe->cap);
    scratch.record = (struct capos_trace_record){
        .kind = CAPOS_TRACE_RELEASE,
        .id = thread->ring.trace->current_id,
        .interface_id = slot == nullptr ? 0 : slot->interface_id,
        .cap = sqe->cap,
    };
    append(thread->ring.trace, thread);
}

static void append_operation(const struct thread *thread, uint64_t id, uint8_t opcode,
                             capos_cap_id cap)
{
    scratch.record = (struct capos_trace_record){
        .kind = CAPOS_TRACE_OPERATION,
        .method = opcode,
        .id = id,
        .cap = cap,
    };
    append(thread->ring.trace, thread);
}

static bool serves(uint8_t opcode)
{
    return opcode == CAPOS_OP_RECV || opcode == CAPOS_OP_RETURN ||
           opcode == CAPOS_OP_RETURN_RECV;
}

void call_trace_submit(struct thread *thread, const struct capos_sqe *sqe)
{
    struct call_trace *trace = thread->ring.trace;
    trace->current_id = ++trace->id;
    if (sqe->opcode == CAPOS_OP_CALL)
        append_call(thread, sqe);
    else if (sqe->opcode == CAPOS_OP_RELEASE)
        append_release(thread, sqe);
    else if (!serves(sqe->opcode))
        append_operation(thread, trace->current_id, sqe->opcode, sqe->cap);
}

void call_trace_resume(struct call_trace *trace, uint64_t id)
{
    trace->current_id = id;
}

uint64_t call_trace_current_slow(const struct call_trace *trace)
{
    return trace->current_id;
}

void call_trace_return(struct thread *thread, const struct capos_sqe *sqe, enum status status)
{
    struct call_trace *trace = thread->ring.trace;
    scratch.record = (struct capos_trace_record){
        .kind = CAPOS_TRACE_RETURNED,
        .method = sqe->method,
        .id = sqe->call_id,
        .result = -(int32_t)status,
        .message_bytes = sqe->params_bytes,
        .transfer_count = sqe->transfer_count,
    };
    capture_sent(thread, sqe);
    append(thread->ring.trace, thread);
    if (status != STATUS_OK || sqe->opcode == CAPOS_OP_RETURN)
        trace->current_id = 0;
}

// `result` is the buffer that the completion is about; nullptr if it names none.
static void append_completion(const struct thread *thread, uint64_t id,
                              const struct capos_cqe *completion, const struct span *result)
{
    scratch.record = (struct capos_trace_record){
        .kind = CAPOS_TRACE_COMPLETE,
        .id = id,
        .result = completion->result,
        .message_bytes = completion->result_bytes,
        .transfer_count = (uint16_t)completion->transfer_count,
        .flags = (uint16_t)completion->flags,
    };
    if (result != nullptr)
        capture_arrived(thread->ring.trace, result, 0, completion);
    append(thread->ring.trace, thread);
}

// What serving begins with isn't recorded, so its failure is told with what failed.
static void append_failure(const struct thread *thread, uint64_t id, uint8_t opcode,
                           const struct capos_cqe *completion)
{
    append_operation(thread, id, opcode, 0);
    append_completion(thread, id, completion, nullptr);
}

// What a RECV brought: a call or a release notice.
static void append_received(const struct thread *thread, const struct capos_cqe *completion,
                            const struct span *buffer)
{
    struct capos_recv_header header = {};
    (void)span_read(buffer, 0, &header, sizeof header); // zeros if it can't be read any more
    bool notice = (completion->flags & CAPOS_CQE_RELEASED) != 0;
    scratch.record = (struct capos_trace_record){
        .kind = notice ? CAPOS_TRACE_RELEASED : CAPOS_TRACE_RECEIVED,
        .method = (uint16_t)header.method,
        .id = header.call_id,
        .interface_id = header.interface_id,
        .cap = header.word,
        .message_bytes = completion->result_bytes,
        .transfer_count = (uint16_t)completion->transfer_count,
    };
    capture_arrived(thread->ring.trace, buffer, sizeof header, completion);
    append(thread->ring.trace, thread);
}

void call_trace_finish(struct thread *thread, const struct capos_sqe *sqe,
                       const struct capos_cqe *completion)
{
    struct call_trace *trace = thread->ring.trace;
    struct span result;
    if (trace->current_id == 0)
        return;
    bool named = span_init(&result, thread, sqe->result, sqe->result_bytes_max,
                           (sqe->flags & CAPOS_SQE_RESULT_IN_RING) != 0) == STATUS_OK;
    if (!serves(sqe->opcode))
        append_completion(thread, trace->current_id, completion,
                          named && completion->result_bytes > 0 ? &result : nullptr);
    else if (completion->result < 0)
        append_failure(thread, trace->current_id, sqe->opcode, completion);
    else
        append_received(thread, completion, &result);
}

void call_trace_finish_op(struct op *op, const struct capos_cqe *completion)
{
    if (op->object->type != &endpoint_type)
        append_completion(op->thread, op->trace_id, completion, &op->result);
    else if (completion->result < 0)
        append_failure(op->thread, op->trace_id, CAPOS_OP_RECV, completion);
    else
        append_received(op->thread, completion, &op->result);
}
