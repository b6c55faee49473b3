// SPDX-License-Identifier: MIT
// The ring client: submissions, completions, and the memory of calls.
//
// The message area of the ring is in two parts.  A synchronous call has the first part to
// itself: there is only one at a time, so taking the part costs a test.  Asynchronous
// calls and servers share the second part in units, found in a bit mask.  What doesn't
// fit lies on the heap; the kernel then reads it from there.
//
// Invariants, besides those in thread.h:
//  1. A completion is consumed in one place, ring_consume, and matched by its user_data.
//  2. Nothing of a program runs there: watched calls and received calls are only put in a
//     list, and the loop tells of them.  So a synchronous call never re-enters a program.
//
// Tested by call_test.c, against a kernel that lives in the test.
#include "thread.h"

#include <capos/call.h>
#include <capos/panic.h>
#include <capos/syscall.h>

#include <abi/syscall.h>
#include <gen/wire/errors.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t SYNC_BYTES = 4608; // 4096 bytes of data with their message fit
constexpr uint32_t UNIT_BYTES = 256;
constexpr uint32_t UNIT_COUNT = (CAPOS_RING_MESSAGE_BYTES - SYNC_BYTES) / UNIT_BYTES;
constexpr uint32_t CALL_UNITS_MAX = 4;
// The least room for results, so that an exception fits, in most cases with its reason.
constexpr uint32_t ASYNC_RESULT_BYTES_MIN = 128;
constexpr uint32_t SYNC_RESULT_BYTES_MIN = 240;
static_assert(UNIT_COUNT < 32);
static_assert(SYNC_RESULT_BYTES_MIN >= CAP_EXCEPTION_BYTES_MAX);

enum call_memory : uint8_t { CALL_SYNC, CALL_AREA, CALL_HEAP };
enum call_state : uint8_t { CALL_BEGUN, CALL_SUBMITTED, CALL_DONE };

static uint32_t round_up_8(uint32_t bytes)
{
    return (bytes + 7) & ~7u;
}

// ---- Queues ------------------------------------------------------------------------

void ring_client_init(struct ring_client *ring, void *ring_address)
{
    struct capos_ring_header *header = ring_address;
    uint8_t *base = ring_address;
    *ring = (struct ring_client){
        .header = header,
        .submissions = (struct capos_sqe *)(base + header->sq_offset),
        .completions = (const struct capos_cqe *)(base + header->cq_offset),
        .message_area = base + header->message_offset,
        .submission_mask = header->sq_entries - 1,
        .completion_mask = header->cq_entries - 1,
        .in_flight_max =
            header->sq_entries < header->cq_entries ? header->sq_entries : header->cq_entries,
        .units_free = (1u << UNIT_COUNT) - 1,
    };
}

[[noreturn, gnu::noinline]] static void enter_failed(int64_t result)
{
    capos_panic("cap_enter: %s", status_name((enum status)(-result)));
}

// After a cap_enter that returned `result`.  The indices are ours, so an error says that libcapos
// is wrong.
static inline void entered(struct ring_client *ring, int64_t result)
{
    if (result < 0)
        enter_failed(result);
    if (ring->quiet != 0) [[clang::unlikely]] { // taken
        ring->in_flight -= ring->quiet;
        ring->quiet = 0;
    }
}

static void enter(struct ring_client *ring, uint32_t completions_min)
{
    entered(ring, capos_cap_enter(completions_min, completions_min == 0 ? 0 : CAPOS_FOREVER));
}

void ring_ready_append(struct ring_client *ring, struct capos_call *call)
{
    call->next = nullptr;
    if (ring->ready_first == nullptr)
        ring->ready_first = call;
    else
        ring->ready_last->next = call;
    ring->ready_last = call;
}

static void call_done(struct ring_client *ring, struct capos_call *call,
                      const struct capos_cqe *completion)
{
    call->completion_result = completion->result;
    call->completion_flags = completion->flags;
    call->results_bytes = completion->result_bytes;
    call->cap_count = (uint16_t)completion->transfer_count;
    call->state = CALL_DONE;
    if (call->on_done != nullptr)
        ring_ready_append(ring, call);
}

// A completion of a server's submission.  It was taken out of the queue before, for its
// owner may submit and then consume.
[[gnu::noinline]] static void completion_serve(struct ring_client *ring,
                                               struct capos_cqe completion)
{
    void *call = (void *)(completion.user_data & ~COMPLETION_KIND_MASK);
    if ((completion.user_data & COMPLETION_KIND_MASK) == COMPLETION_RECEIVE)
        server_receive_done(ring, call, &completion);
    else
        server_return_done(call, &completion);
}

[[gnu::always_inline]] static inline void completion_take(struct ring_client *ring)
{
    ring->in_flight--;
    __atomic_store_n(&ring->header->cq_head, ++ring->cq_head, __ATOMIC_RELEASE);
}

// A release, a cancel, a finish or an unpark failed.  A cancel that came too late is no error; a
// release of what isn't held is a mistake of the program, like freeing memory twice.
[[gnu::noinline]] static void quiet_failed(struct ring_client *ring,
                                           const struct capos_cqe *completion)
{
    if ((completion->user_data & NOT_QUIET) != 0)
        return;
    if (completion->result == -(int32_t)STATUS_BAD_CAPABILITY &&
        (completion->user_data & IF_HELD) == 0)
        capos_panic("capos_release: a capability that isn't held");
    ring->in_flight++; // it wasn't counted any more
}

// Consumes the completions of what nobody waits for up to the first other one, at once.
static void quiets_consume(struct ring_client *ring)
{
    uint32_t head = ring->cq_head;
    uint32_t tail = __atomic_load_n(&ring->header->cq_tail, __ATOMIC_ACQUIRE);
    while (head != tail) {
        const struct capos_cqe *completion = &ring->completions[head & ring->completion_mask];
        if ((completion->user_data & COMPLETION_KIND_MASK) != COMPLETION_QUIET ||
            completion->result < 0)
            break;
        head++;
    }
    if (head == ring->cq_head)
        return;
    ring->in_flight -= head - ring->cq_head;
    ring->cq_head = head;
    __atomic_store_n(&ring->header->cq_head, head, __ATOMIC_RELEASE);
}

void ring_consume(struct ring_client *ring)
{
    while (ring->cq_head != __atomic_load_n(&ring->header->cq_tail, __ATOMIC_ACQUIRE)) {
        const struct capos_cqe *completion =
            &ring->completions[ring->cq_head & ring->completion_mask];
        uint64_t user_data = completion->user_data;
        uint64_t kind = user_data & COMPLETION_KIND_MASK;
        if (kind == COMPLETION_CALL) [[clang::likely]] {
            call_done(ring, (struct capos_call *)user_data, completion);
            completion_take(ring);
        } else if (kind == COMPLETION_QUIET) {
            if (completion->result < 0) [[clang::unlikely]]
                quiet_failed(ring, completion);
            completion_take(ring);
            quiets_consume(ring);
        } else {
            struct capos_cqe copy = *completion;
            completion_take(ring);
            completion_serve(ring, copy);
        }
    }
}

void ring_wait_for(struct ring_client *ring, uint32_t count)
{
    if (__atomic_load_n(&ring->header->cq_tail, __ATOMIC_ACQUIRE) == ring->cq_head)
        enter(ring, count);
    ring_consume(ring);
}

void ring_flush(struct ring_client *ring)
{
    enter(ring, 0);
    ring_consume(ring);
}

bool ring_make_room(struct ring_client *ring, enum completion_kind kind)
{
    ring_flush(ring);
    return ring->in_flight < ring_in_flight_limit(ring, kind);
}

struct capos_sqe *ring_submission(struct ring_client *ring, uint64_t user_data,
                                  enum completion_kind kind)
{
    struct capos_sqe *entry = ring_entry(ring, kind);
    if (entry != nullptr)
        *entry = (struct capos_sqe){.user_data = user_data | kind};
    return entry;
}

// What completes at once always finds room (invariant 2 of thread.h).
[[gnu::noinline]] struct capos_sqe *ring_quiet(struct ring_client *ring,
                                               enum capos_opcode opcode, uint64_t user_data)
{
    struct capos_sqe *entry = ring_submission(ring, user_data, COMPLETION_QUIET);
    if (entry == nullptr)
        capos_panic("the ring has no room, against invariant 2 of thread.h");
    entry->opcode = (uint8_t)opcode;
    entry->flags = CAPOS_SQE_QUIET;
    ring->quiet++;
    return entry;
}

static void release(struct ring_client *ring, capos_cap_id cap, uint64_t user_data)
{
    ring_quiet(ring, CAPOS_OP_RELEASE, user_data)->cap = cap;
    ring_submit(ring);
}

void capos_release(capos_cap_id cap)
{
    if (cap != 0)
        release(&thread_self()->ring, cap, 0);
}

void ring_release_if_held(struct ring_client *ring, capos_cap_id cap)
{
    release(ring, cap, IF_HELD);
}

struct capos_sqe *ring_operation(struct ring_client *ring, struct capos_call *call)
{
    struct capos_sqe *entry = ring_submission(ring, (uint64_t)call, COMPLETION_CALL);
    call->state = CALL_SUBMITTED;
    call->on_done = nullptr;
    return entry;
}

int32_t ring_operation_wait(struct ring_client *ring, struct capos_call *call)
{
    while (call->state != CALL_DONE) {
        if (__atomic_load_n(&ring->header->cq_tail, __ATOMIC_ACQUIRE) == ring->cq_head)
            enter(ring, 1);
        // Most often the next completion is the one.
        const struct capos_cqe *completion =
            &ring->completions[ring->cq_head & ring->completion_mask];
        if (completion->user_data == ((uint64_t)call | COMPLETION_CALL)) [[clang::likely]] {
            int32_t result = completion->result;
            completion_take(ring);
            return result;
        }
        ring_consume(ring);
    }
    return call->completion_result;
}

struct capos_sqe *ring_forgotten(struct ring_client *ring)
{
    struct capos_sqe *entry = ring_submission(ring, NOT_QUIET, COMPLETION_QUIET);
    if (entry == nullptr)
        capos_panic("the ring has no room, against invariant 2 of thread.h");
    return entry;
}

void ring_cancel(struct ring_client *ring, uint64_t user_data)
{
    ring_quiet(ring, CAPOS_OP_CANCEL, 0)->call_id = user_data;
    ring_submit(ring);
}

// ---- Memory of calls ---------------------------------------------------------------

void *ring_area_take(struct ring_client *ring, uint32_t size_bytes)
{
    uint32_t units = (size_bytes + UNIT_BYTES - 1) / UNIT_BYTES;
    if (units > UNIT_COUNT)
        return nullptr;
    // Bit i of `runs` says that units i to i + units - 1 are free.
    uint32_t runs = ring->units_free;
    for (uint32_t i = 1; i < units; i++)
        runs &= ring->units_free >> i;
    if (runs == 0)
        return nullptr;
    uint32_t first = (uint32_t)__builtin_ctz(runs);
    ring->units_free &= ~(((1u << units) - 1) << first);
    return ring->message_area + SYNC_BYTES + first * UNIT_BYTES;
}

void *ring_sync_take(struct ring_client *ring, uint32_t size_bytes)
{
    if (size_bytes > SYNC_BYTES || ring->sync_in_use)
        return nullptr;
    ring->sync_in_use = true;
    return ring->message_area;
}

void ring_area_give(struct ring_client *ring, void *piece, uint32_t size_bytes)
{
    uint32_t units = (size_bytes + UNIT_BYTES - 1) / UNIT_BYTES;
    uint32_t offset = (uint32_t)((uint8_t *)piece - ring->message_area) - SYNC_BYTES;
    ring->units_free |= ((1u << units) - 1) << (offset / UNIT_BYTES);
}

uint64_t ring_place(const struct ring_client *ring, const void *message, uint8_t flag,
                    uint8_t *flags)
{
    uint64_t offset = (uint64_t)message - (uint64_t)ring->message_area;
    if (offset >= CAPOS_RING_MESSAGE_BYTES)
        return (uint64_t)message;
    *flags |= flag;
    return offset + ring->header->message_offset;
}

// Lays a call out in `block`: the params with their transfers, then the results.
static void *call_lay_out(struct capos_call *call, uint8_t *block, enum call_memory memory,
                          uint32_t params_bytes, uint32_t results_bytes)
{
    call->params = block;
    call->result_buffer = block + params_bytes;
    call->params_bytes_max = params_bytes;
    call->result_bytes_max = results_bytes;
    call->memory = memory;
    call->state = CALL_BEGUN;
    call->cap_count = 0;
    call->caps_taken = 0;
    call->promised = false;
    call->ahead = 0;
    call->on_done = nullptr;
    return block;
}

// A block on the heap; nullptr without memory.  One is kept for the next large call: a program
// that moves much data makes one after the other.
static void *heap_take(struct ring_client *ring, size_t bytes)
{
    if (ring->spare_bytes < bytes)
        return malloc(bytes);
    ring->spare_bytes = 0;
    return ring->spare;
}

static void heap_give(struct ring_client *ring, void *block, size_t bytes)
{
    if (ring->spare_bytes != 0) {
        free(block);
        return;
    }
    ring->spare = block;
    ring->spare_bytes = bytes;
}

static void *call_lay_out_on_heap(struct capos_call *call, uint32_t params_bytes,
                                  uint32_t results_bytes)
{
    uint8_t *block = heap_take(&thread_self()->ring, (size_t)params_bytes + results_bytes);
    if (block == nullptr)
        return nullptr;
    return call_lay_out(call, block, CALL_HEAP, params_bytes, results_bytes);
}

// The sizes that generated code passes are constants of the schema or a message's own
// size, all below 2^17, so the sums don't wrap.
static uint32_t with_records(uint32_t message_bytes, uint32_t count)
{
    return round_up_8(message_bytes) + count * (uint32_t)sizeof(struct capos_transfer);
}

static uint32_t at_least(uint32_t bytes, uint32_t minimum)
{
    return bytes < minimum ? minimum : bytes;
}

void *capos_call_begin_sync(struct capos_call *call, uint32_t params_bytes_max,
                            uint32_t transfers_max, uint32_t results_bytes_max,
                            uint32_t result_caps_max)
{
    struct ring_client *ring = &thread_self()->ring;
    uint32_t params = with_records(params_bytes_max, transfers_max);
    uint32_t results =
        at_least(with_records(results_bytes_max, result_caps_max), SYNC_RESULT_BYTES_MIN);
    if (params + results > SYNC_BYTES || ring->sync_in_use) [[clang::unlikely]]
        return call_lay_out_on_heap(call, params, results);
    ring->sync_in_use = true;
    return call_lay_out(call, ring->message_area, CALL_SYNC, params, results);
}

void *capos_call_begin(struct capos_call *call, uint32_t params_bytes_max,
                       uint32_t transfers_max, uint32_t results_bytes_max,
                       uint32_t result_caps_max)
{
    struct ring_client *ring = &thread_self()->ring;
    uint32_t params = with_records(params_bytes_max, transfers_max);
    uint32_t results =
        at_least(with_records(results_bytes_max, result_caps_max), ASYNC_RESULT_BYTES_MIN);
    uint8_t *block = nullptr;
    if (params + results <= CALL_UNITS_MAX * UNIT_BYTES)
        block = ring_area_take(ring, params + results);
    if (block == nullptr)
        return call_lay_out_on_heap(call, params, at_least(results, SYNC_RESULT_BYTES_MIN));
    return call_lay_out(call, block, CALL_AREA, params, results);
}

static void call_memory_give(struct capos_call *call)
{
    struct ring_client *ring = &thread_self()->ring;
    switch ((enum call_memory)call->memory) {
    case CALL_SYNC:
        ring->sync_in_use = false;
        break;
    case CALL_AREA:
        ring_area_give(ring, call->params, call->params_bytes_max + call->result_bytes_max);
        break;
    case CALL_HEAP:
        heap_give(ring, call->params, (size_t)call->params_bytes_max + call->result_bytes_max);
        break;
    }
}

// ---- Promises ----------------------------------------------------------------------

void capos_call_promise(struct capos_call *call)
{
    struct ring_client *ring = &thread_self()->ring;
    call->promised = true;
    call->serial = ++ring->promise_serial;
    call->promise_next = ring->promise_first;
    ring->promise_first = call;
}

static void promise_forget(struct ring_client *ring, struct capos_call *call)
{
    struct capos_call **at = &ring->promise_first;
    while (*at != call)
        at = &(*at)->promise_next;
    *at = call->promise_next;
}

// The kernel forgets the promise too, and the capabilities that nobody took.
[[gnu::noinline]] static void promise_finish(struct ring_client *ring, struct capos_call *call,
                                             uint16_t kept)
{
    promise_forget(ring, call);
    struct capos_sqe *entry = ring_quiet(ring, CAPOS_OP_FINISH, 0);
    entry->call_id = (uint64_t)call | COMPLETION_CALL;
    entry->method = kept;
    ring_submit(ring);
}

// Makes a submission one that is promised, or on what is.
[[gnu::noinline]] static void call_build(struct ring_client *ring, struct capos_call *call,
                                         struct capos_sqe *entry)
{
    if (call->promised)
        entry->flags |= CAPOS_SQE_PROMISE;
    if (entry->cap < CAPOS_PROMISED)
        return;
    uint64_t name = entry->cap & ~(CAPOS_PROMISED | 7);
    for (const struct capos_call *at = ring->promise_first; at != nullptr;
         at = at->promise_next) {
        if ((uint64_t)at != name)
            continue;
        call->ahead = at->serial;
        entry->flags |= CAPOS_SQE_PIPELINE;
        entry->result_index = entry->cap & 7;
        entry->cap = name | COMPLETION_CALL;
        return;
    }
}

// How many completions there will be before that of the call is there: of each call on which it
// builds, and its own.
[[gnu::noinline]] static uint32_t completions_ahead(const struct ring_client *ring,
                                                    const struct capos_call *call)
{
    uint32_t count = 1;
    for (uint32_t serial = call->ahead; serial != 0;) {
        const struct capos_call *at = ring->promise_first;
        while (at != nullptr && at->serial != serial)
            at = at->promise_next;
        if (at == nullptr || at->state == CALL_DONE)
            break;
        count++;
        serial = at->ahead;
    }
    return count;
}

// ---- The life of a call ------------------------------------------------------------

[[gnu::noinline]] static void transfers_copy(struct capos_call *call, uint32_t params_bytes,
                                             const struct capos_transfer *transfers,
                                             uint32_t count)
{
    memcpy(call->params + round_up_8(params_bytes), transfers, count * sizeof *transfers);
}

enum status capos_call_submit(struct capos_call *call, capos_cap_id cap, uint64_t interface_id,
                              uint16_t method, uint32_t params_bytes,
                              const struct capos_transfer *transfers, uint32_t transfer_count)
{
    struct ring_client *ring = &thread_self()->ring;
    struct capos_sqe *entry = ring_entry(ring, COMPLETION_CALL);
    if (entry == nullptr)
        return STATUS_OVERLOADED;
    if (transfer_count != 0)
        transfers_copy(call, params_bytes, transfers, transfer_count);
    // A call's two messages lie together: both in the ring, or both on the heap.
    bool in_ring = call->memory != CALL_HEAP;
    uint64_t origin = in_ring ? (uint64_t)ring->header : 0;
    *entry = (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = in_ring ? CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING : 0,
        .method = method,
        .transfer_count = (uint16_t)transfer_count,
        .user_data = (uint64_t)call | COMPLETION_CALL,
        .cap = cap,
        .interface_id = interface_id,
        .params = (uint64_t)call->params - origin,
        .params_bytes = params_bytes,
        .result_bytes_max = call->result_bytes_max,
        .result = (uint64_t)call->result_buffer - origin,
    };
    if (call->promised || cap >= CAPOS_PROMISED) [[clang::unlikely]]
        call_build(ring, call, entry);
    call->state = CALL_SUBMITTED;
    ring_submit(ring);
    return STATUS_OK;
}

void capos_call_cancel(struct capos_call *call)
{
    call->ahead = 0; // it completes before those
    if (call->state == CALL_SUBMITTED)
        ring_cancel(&thread_self()->ring, (uint64_t)call | COMPLETION_CALL);
}

bool capos_call_is_done(const struct capos_call *call)
{
    if (call->state != CALL_DONE)
        ring_consume(&thread_self()->ring);
    return call->state == CALL_DONE;
}

// Keeps what an exception says until the next one.
static enum status call_exception(const struct capos_call *call, enum status status)
{
    struct capos_exception *exception = &thread_self()->ring.exception;
    struct cap_exception message;
    exception->status = status;
    exception->reason_bytes = 0;
    exception->reason[0] = '\0';
    if ((call->completion_flags & CAPOS_CQE_EXCEPTION) == 0 ||
        cap_exception_decode(call->result_buffer, call->results_bytes, &message) != STATUS_OK)
        return status;
    uint32_t bytes = message.reason.size_bytes;
    if (bytes >= sizeof exception->reason)
        bytes = sizeof exception->reason - 1;
    memcpy(exception->reason, message.reason.text, bytes);
    exception->reason[bytes] = '\0';
    exception->reason_bytes = bytes;
    return status;
}

// Takes a call out of the loop's list: who waits for it needn't be told of it, and its
// storage may be gone when the loop runs next.
static void call_unwatch(struct ring_client *ring, struct capos_call *call)
{
    struct capos_call *before = nullptr;
    call->on_done = nullptr;
    for (struct capos_call *at = ring->ready_first; at != nullptr; before = at, at = at->next) {
        if (at != call)
            continue;
        if (before == nullptr)
            ring->ready_first = at->next;
        else
            before->next = at->next;
        if (ring->ready_last == at)
            ring->ready_last = before;
        return;
    }
}

enum status capos_call_wait(struct capos_call *call)
{
    struct ring_client *ring = &thread_self()->ring;
    if (call->on_done != nullptr) [[clang::unlikely]]
        call_unwatch(ring, call);
    if (call->state == CALL_SUBMITTED && call->ahead == 0) [[clang::likely]] {
        if (__atomic_load_n(&ring->header->cq_tail, __ATOMIC_ACQUIRE) == ring->cq_head)
            enter(ring, 1);
        // Most often the next completion is the one.
        const struct capos_cqe *completion =
            &ring->completions[ring->cq_head & ring->completion_mask];
        if (__atomic_load_n(&ring->header->cq_tail, __ATOMIC_ACQUIRE) != ring->cq_head &&
            completion->user_data == ((uint64_t)call | COMPLETION_CALL)) [[clang::likely]] {
            call_done(ring, call, completion);
            completion_take(ring);
        }
    }
    while (call->state != CALL_DONE)
        ring_wait_for(ring, call->ahead == 0 ? 1 : completions_ahead(ring, call));
    if (call->completion_result < 0) [[clang::unlikely]] {
        enum status status = (enum status)(-call->completion_result);
        call->cap_count = 0;
        return status <= STATUS_INVALID_ARGUMENT ? call_exception(call, status) : status;
    }
    uint32_t used = with_records(call->results_bytes, call->cap_count);
    if (used > call->result_bytes_max || call->cap_count > CAPOS_TRANSFER_COUNT_MAX)
        capos_panic("a completion exceeds the result buffer");
    call->results = call->result_buffer;
    call->caps = (const struct capos_cap_record *)(call->result_buffer +
                                                   round_up_8(call->results_bytes));
    return STATUS_OK;
}

enum status capos_call_take(struct capos_call *call, uint32_t index, uint64_t interface_id,
                            capos_cap_id *out_cap)
{
    if (index >= call->cap_count || (call->caps_taken >> index & 1) != 0)
        return STATUS_BAD_TRANSFER;
    if (interface_id != 0 && call->caps[index].interface_id != interface_id)
        return STATUS_WRONG_INTERFACE;
    call->caps_taken |= (uint16_t)(1u << index);
    *out_cap = call->caps[index].cap;
    return STATUS_OK;
}

[[gnu::noinline]] static enum status call_end_slow(struct capos_call *call, enum status status)
{
    if (call->promised)
        promise_finish(&thread_self()->ring, call, status == STATUS_OK ? call->caps_taken : 0);
    for (uint32_t i = 0; i < call->cap_count && !call->promised; i++)
        if (status != STATUS_OK || (call->caps_taken >> i & 1) == 0)
            capos_release(call->caps[i].cap);
    call_memory_give(call);
    return status;
}

enum status capos_call_end(struct capos_call *call, enum status status)
{
    if (call->cap_count == 0 && call->memory == CALL_SYNC) [[clang::likely]] {
        thread_self()->ring.sync_in_use = false;
        return status;
    }
    return call_end_slow(call, status);
}

enum status capos_call_abandon(struct capos_call *call, enum status status)
{
    if (call->promised)
        promise_forget(&thread_self()->ring, call);
    call_memory_give(call);
    return status;
}

// ---- Synchronous calls without capabilities -----------------------------------------
// The params and the results have one place, in the ring or on the heap: the kernel has read the
// params before it writes the results.

// What lies before a message on the heap.
struct heap_message {
    size_t block_bytes;
    uint8_t message[];
};
static_assert(offsetof(struct heap_message, message) % 8 == 0);

[[gnu::noinline]] static void *sync_begin_on_heap(struct ring_client *ring, uint32_t bytes)
{
    size_t block_bytes = sizeof(struct heap_message) + bytes;
    struct heap_message *block = heap_take(ring, block_bytes);
    if (block == nullptr)
        return nullptr;
    block->block_bytes = block_bytes;
    return block->message;
}

static struct heap_message *heap_message_of(void *message)
{
    return (struct heap_message *)((uint8_t *)message - offsetof(struct heap_message, message));
}

void *capos_sync_begin(uint32_t params_bytes_max, uint32_t results_bytes_max)
{
    struct ring_client *ring = &thread_self()->ring;
    uint32_t bytes = at_least(round_up_8(at_least(params_bytes_max, results_bytes_max)),
                              SYNC_RESULT_BYTES_MIN);
    if (bytes > SYNC_BYTES || ring->sync_in_use) [[clang::unlikely]]
        return sync_begin_on_heap(ring, bytes);
    ring->sync_in_use = true;
    return ring->message_area;
}

[[gnu::noinline]] static void sync_end_on_heap(struct ring_client *ring, void *message)
{
    struct heap_message *block = heap_message_of(message);
    heap_give(ring, block, block->block_bytes);
}

enum status capos_sync_end(void *message, enum status status)
{
    struct ring_client *ring = &thread_self()->ring;
    if (message == ring->message_area) [[clang::likely]]
        ring->sync_in_use = false;
    else
        sync_end_on_heap(ring, message);
    return status;
}

// Waits as for any call.  Capabilities that a server sent, though the method has none, are
// released.
static int64_t sync_call_finish(struct capos_call *call)
{
    enum status status = capos_call_wait(call);
    for (uint32_t i = 0; i < call->cap_count; i++)
        capos_release(call->caps[i].cap);
    return status == STATUS_OK ? (int64_t)call->results_bytes : -(int64_t)status;
}

// A call whose message lies on the heap, or on what is promised, or for which room has to be made:
// by the steps of any call.
[[gnu::noinline]] static int64_t sync_call_in_steps(struct ring_client *ring, void *message,
                                                    capos_cap_id cap, uint64_t interface_id,
                                                    uint16_t method, uint32_t params_bytes)
{
    struct capos_call call;
    if (message == ring->message_area) {
        call_lay_out(&call, message, CALL_SYNC, 0, SYNC_BYTES);
    } else {
        size_t bytes = heap_message_of(message)->block_bytes - sizeof(struct heap_message);
        call_lay_out(&call, message, CALL_HEAP, 0, (uint32_t)bytes);
    }
    enum status status =
        capos_call_submit(&call, cap, interface_id, method, params_bytes, nullptr, 0);
    return status == STATUS_OK ? sync_call_finish(&call) : -(int64_t)status;
}

// The rest of a call that was submitted and counted, if its completion doesn't come first and say
// that all is well.
[[gnu::noinline]] static int64_t sync_call_wait(struct ring_client *ring)
{
    call_lay_out(&ring->sync_call, ring->message_area, CALL_SYNC, 0, SYNC_BYTES);
    ring->sync_call.state = CALL_SUBMITTED;
    return sync_call_finish(&ring->sync_call);
}

int64_t capos_sync_call(void *message, capos_cap_id cap, uint64_t interface_id, uint16_t method,
                        uint32_t params_bytes)
{
    struct ring_client *ring = &thread_self()->ring;
    if (message != ring->message_area || cap >= CAPOS_PROMISED ||
        ring->in_flight >= ring_in_flight_limit(ring, COMPLETION_CALL)) [[clang::unlikely]]
        return sync_call_in_steps(ring, message, cap, interface_id, method, params_bytes);
    struct capos_sqe *entry = &ring->submissions[ring->sq_tail & ring->submission_mask];
    uint64_t place = (uint64_t)message - (uint64_t)ring->header;
    uint64_t user_data = (uint64_t)&ring->sync_call | COMPLETION_CALL;
    *entry = (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .method = method,
        .user_data = user_data,
        .cap = cap,
        .interface_id = interface_id,
        .params = place,
        .params_bytes = params_bytes,
        .result_bytes_max = SYNC_BYTES,
        .result = place,
    };
    ring_submit(ring);
    int64_t available = capos_cap_enter(1, CAPOS_FOREVER);
    entered(ring, available);
    const struct capos_cqe *completion =
        &ring->completions[ring->cq_head & ring->completion_mask];
    uint64_t results_bytes; // and how many capabilities, in the high half
    static_assert(offsetof(struct capos_cqe, transfer_count) ==
                  offsetof(struct capos_cqe, result_bytes) + 4);
    memcpy(&results_bytes, &completion->result_bytes, sizeof results_bytes);
    if (available == 0 || completion->user_data != user_data || completion->result != 0 ||
        results_bytes > SYNC_BYTES) [[clang::unlikely]]
        return sync_call_wait(ring);
    completion_take(ring);
    return (int64_t)results_bytes;
}

const struct capos_exception *capos_last_exception(void)
{
    return &thread_self()->ring.exception;
}
