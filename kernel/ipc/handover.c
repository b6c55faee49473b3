// SPDX-License-Identifier: MIT
// The short way of one submission, by a thread that waits for its completion: a call on a kernel
// object without the queue's loop, IPC from a caller straight to the server that waits for it
// and back, and (in ipc/park.c) from a thread that falls asleep to one that it wakes.
//
// It does what the long way does (ipc/ring.c, ipc/submit.c, object/endpoint.c), with the steps
// left out that the case makes idle.  All conditions are checked before the first change,
// so whatever doesn't fit takes the long way, with the same outcome:
//
//  1. One submission, with nothing before it but quiet releases, and no unconsumed completion:
//     the thread waits for what it asks now.
//  2. Both messages and both result buffers lie in the rings: no copy can fail.
//  3. No exception; at most one capability travels, which may, and there is a slot for it.
//  4. The partner waits plainly (sched/thread.h), so this completion ends its wait, and it may
//     run on this CPU: it runs at once.
//  5. Neither the thread nor its partner is traced.
//  6. A server that answers finds neither a queued call nor a notice: it will wait; and the
//     answered call isn't the last hold of its object, which would raise a notice.
//
// Each word of a submission is read once: other threads of the process may write there.
//
// The functions of a hand-over preserve no register: what the thread had is saved, and another
// thread's state is loaded behind them.
//
// Tested by every test of IPC: tests/core/endpoint_test.c takes both ways on purpose.

#include <abi/syscall.h>
#include <kernel/cap/table.h>
#include <kernel/ipc/call.h>
#include <kernel/ipc/endpoint_state.h>
#include <kernel/ipc/enter.h>
#include <kernel/ipc/invocation.h>
#include <kernel/ipc/park.h>
#include <kernel/ipc/submit.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/hand_over.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/thread.h>
#include <kernel/upcall.h>
#include <lib/string.h>

constexpr uint32_t TRANSFER_BYTES = sizeof(struct capos_transfer);
static_assert(sizeof(struct capos_transfer) == sizeof(struct capos_cap_record));

// The first word of a submission: opcode, flags, method, number of transfers, result index.
constexpr uint64_t IN_RING = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING;
constexpr uint64_t WORD_CALL = CAPOS_OP_CALL | IN_RING << 8;
constexpr uint64_t WORD_RETURN_RECV = CAPOS_OP_RETURN_RECV | IN_RING << 8;
constexpr uint64_t WORD_QUIET_RELEASE = CAPOS_OP_RELEASE | CAPOS_SQE_QUIET << 8;
constexpr uint64_t WORD_ONE_GIFT = UINT64_C(1) << 32; // transfer_count 1
static_assert(offsetof(struct capos_sqe, flags) == 1 &&
              offsetof(struct capos_sqe, method) == 2 &&
              offsetof(struct capos_sqe, transfer_count) == 4);

static inline uint64_t read_once(const uint64_t *word)
{
    return *(const volatile uint64_t *)word;
}

// The two messages of a submission: offsets into the ring, and sizes.
struct messages {
    uint64_t params, result;
    uint32_t params_bytes, result_bytes_max;
};

static inline struct messages messages_read(const struct capos_sqe *shared)
{
    return (struct messages){
        .params = read_once(&shared->params),
        .result = read_once(&shared->result),
        .params_bytes = *(const volatile uint32_t *)&shared->params_bytes,
        .result_bytes_max = *(const volatile uint32_t *)&shared->result_bytes_max,
    };
}

// Whether both lie in the message area, with `records_bytes` behind the params.
static inline bool messages_in_ring(const struct messages *m, uint32_t records_bytes)
{
    // The area begins at its own size, so this clears the bit that all offsets in it have.
    static_assert(CAPOS_RING_MESSAGE_OFFSET == CAPOS_RING_MESSAGE_BYTES);
    uint64_t params = m->params ^ CAPOS_RING_MESSAGE_OFFSET;
    uint64_t result = m->result ^ CAPOS_RING_MESSAGE_OFFSET;
    return ((params | result) & ~(uint64_t)(CAPOS_RING_MESSAGE_BYTES - 8)) == 0 &&
           ((m->params_bytes | m->result_bytes_max) & 7) == 0 &&
           params + m->params_bytes + records_bytes <= CAPOS_RING_MESSAGE_BYTES &&
           result + m->result_bytes_max <= CAPOS_RING_MESSAGE_BYTES;
}

// A capability beside a message.
struct gift {
    struct cap_slot *slot; // of the sender
    capos_cap_id id;
    enum capos_hold_mode mode; // of the receiver
    bool moved;
};

// Reads the one descriptor behind a message in the ring.  Returns whether the capability can
// travel; nothing has changed.
static inline bool gift_find(struct gift *gift, struct thread *thread, const struct messages *m,
                             const struct process *receiver)
{
    const struct capos_transfer descriptor =
        *(const volatile struct capos_transfer *)(thread->ring.base + m->params +
                                                  m->params_bytes);
    struct cap_slot *slot = cap_table_lookup(&thread->process->caps, descriptor.cap);
    if (slot == nullptr || descriptor.how > CAPOS_TRANSFER_GIVE ||
        descriptor.receiver_mode > CAPOS_HOLD_NONE || descriptor.reserved != 0 ||
        receiver->caps.free_count == 0)
        return false;
    bool moved = descriptor.how != CAPOS_TRANSFER_COPY;
    if (slot->mode == CAPOS_HOLD_NONE || (slot->mode == CAPOS_HOLD_MOVE && !moved))
        return false;
    *gift = (struct gift){
        .slot = slot,
        .id = descriptor.cap,
        .mode = slot->mode > descriptor.receiver_mode ? slot->mode : descriptor.receiver_mode,
        .moved = moved,
    };
    return true;
}

// Hands it over, and describes it behind the message that was written.
static inline void gift_give(const struct gift *gift, struct thread *thread,
                             struct process *receiver, void *record)
{
    struct object *object = gift->slot->object;
    uint64_t interface_id = gift->slot->interface_id;
    if (gift->moved)
        (void)cap_table_take(&thread->process->caps, gift->slot, gift->id);
    else
        object_hold(object);
    *(struct capos_cap_record *)record = (struct capos_cap_record){
        .cap = cap_table_insert(&receiver->caps, object, interface_id, gift->mode),
        .interface_id = interface_id,
    };
}

// What isn't done in line is done at the end of a function, so that none needs a stack frame.
UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *enter_long(void)
{
    return kernel_cap_enter(1, CAPOS_FOREVER);
}

// Try again when the thread has a spare op, or the partner waits on this CPU: both stay so.
UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
enter_with_spare(struct thread *thread)
{
    return op_spare_make(thread) ? kernel_cap_enter_one() : enter_long();
}

UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
enter_with_partner(struct thread *partner)
{
    return sched_come_here(partner) ? kernel_cap_enter_one() : enter_long();
}

// Each of these takes the long way itself if a condition doesn't hold, and returns the thread to
// resume.  `count` is a constant, how many capabilities travel: for none the compiler makes a
// function that doesn't know of any.

// A call on an object whose server waits for it.
[[gnu::always_inline]] static inline struct thread *
handover_to_server(struct cpu *cpu, struct thread *thread, const struct capos_sqe *shared,
                   struct minted *minted, uint16_t method, uint32_t count)
{
    struct endpoint *endpoint = minted->endpoint;
    const struct list_link *first = endpoint->receivers.head.next;
    if (minted->revoked || first == &endpoint->receivers.head ||
        endpoint->first_free == nullptr)
        return enter_long();
    struct op *receive = container_of(first, struct op, queue_link);
    struct thread *server = receive->thread;
    const struct messages m = messages_read(shared);
    uint32_t records_bytes = count * TRANSFER_BYTES;
    if (!receive->plain || server->op_spare != nullptr ||
        !messages_in_ring(&m, records_bytes) ||
        sizeof(struct capos_recv_header) + m.params_bytes + records_bytes >
            receive->result.size_bytes)
        return enter_long();
    if (server->plain_wait != cpu)
        return enter_with_partner(server);
    if (thread->op_spare == nullptr)
        return enter_with_spare(thread);
    struct gift gift;
    if (count > 0 && !gift_find(&gift, thread, &m, server->process))
        return enter_long();

    struct op *call = op_create_from_spare(thread, read_once(&shared->user_data),
                                           &minted->object, call_withdraw);
    const uint8_t *base = thread->ring.base; // kept, as in ring_complete
    ring_advance(&thread->ring);
    call->result.address = m.result;
    call->result.size_bytes = m.result_bytes_max;
    call->result.in_ring = true;
    call->plain = true;
    list_push_back(&server->process->received, &call->queue_link);
    object_hold_for_call(&minted->object);
    slot_assign(endpoint, call);
    uint8_t *to = server->ring.base + receive->result.address;
    *(struct capos_recv_header *)to = (struct capos_recv_header){
        .call_id = slot_deliver(call->call_slot),
        .word = minted->word,
        .interface_id = minted->interface_id,
        .method = method,
    };
    to += sizeof(struct capos_recv_header);
    arch_words_copy(to, base + m.params, m.params_bytes);
    if (count > 0)
        gift_give(&gift, thread, server->process, to + m.params_bytes);
    list_unlink(&receive->queue_link);
    ring_complete(&server->ring, receive->user_data, 0, 0, m.params_bytes, count);
    op_retire_to_spare(receive, server);
    return sched_hand_over(cpu, thread, server);
}

UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
handover_to_server_with_gift(struct cpu *cpu, struct thread *thread,
                             const struct capos_sqe *shared, struct minted *minted,
                             uint16_t method)
{
    return handover_to_server(cpu, thread, shared, minted, method, 1);
}

// A call on an object of the kernel, without the queue's loop.  It is read again, as by the long
// way, but for the word that led here.
UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
call_kernel_alone(struct thread *thread, const struct capos_sqe *shared, struct object *object,
                  uint64_t word)
{
    struct capos_sqe sqe = *(const volatile struct capos_sqe *)shared;
    memcpy(&sqe, &word, sizeof word);
    if (sqe.transfer_count > CAPOS_TRANSFER_COUNT_MAX || sqe.result_index != 0)
        return enter_long();
    ring_advance(&thread->ring);
    submit_end(thread, &sqe, call_kernel_object(thread, &sqe, object));
    return enter_wait(thread, 1, CAPOS_FOREVER);
}

// The rest of a call whose method wasn't all, or after which another thread may have its turn.
UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
call_kernel_end(struct thread *thread, const struct invocation *invocation,
                struct object *object, enum status status)
{
    // What a completion needs of the submission.
    const struct capos_sqe sqe = {
        .opcode = CAPOS_OP_CALL,
        .flags = IN_RING,
        .user_data = invocation->user_data,
        .result_bytes_max = invocation->result_bytes_max,
        .result = invocation->result,
    };
    if (status == STATUS_OK)
        submit_finish(thread, &sqe, 0, 0, invocation->results_bytes, 0);
    else if (status != STATUS_PENDING)
        submit_end(thread, &sqe, call_failed(invocation, &sqe, object, status));
    return enter_wait(thread, 1, CAPOS_FOREVER);
}

// The same without capabilities, whose messages lie in the ring, where the results may take the
// place of the params: these are copied first.
UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
call_kernel_in_ring(struct cpu *cpu, struct thread *thread, const struct capos_sqe *shared,
                    struct object *object, uint64_t word)
{
    const struct messages m = messages_read(shared);
    if (word >> 32 != 0 || !messages_in_ring(&m, 0))
        return call_kernel_alone(thread, shared, object, word);
    const struct method_dispatch *method =
        call_short_method(object, (uint16_t)(word >> 16), m.params_bytes, m.result_bytes_max);
    if (method == nullptr)
        return call_kernel_alone(thread, shared, object, word);

    struct invocation invocation;
    invocation.user_data = read_once(&shared->user_data);
    uint8_t *base = thread->ring.base; // kept, as in ring_complete
    ring_advance(&thread->ring);
    if (m.params_bytes > 0)
        arch_words_copy(cpu->params, base + m.params, m.params_bytes);
    invocation.thread = thread;
    invocation.process = thread->process;
    invocation.params = cpu->params;
    invocation.params_bytes = m.params_bytes;
    invocation.transfer_count = 0;
    invocation.result_cap_count = 0;
    invocation.reason = nullptr;
    invocation.results = base + m.result;
    invocation.results_bytes_max = m.result_bytes_max;
    invocation.results_bytes = 0;
    invocation.result = m.result;
    invocation.result_bytes_max = m.result_bytes_max;
    invocation.result_in_ring = true;
    enum status status = method->call(object, &invocation);
    ASSERT(invocation.result_cap_count == 0);
    if (status != STATUS_OK || cpu->changed || thread->ring.attention)
        return call_kernel_end(thread, &invocation, object, status);
    ring_complete(&thread->ring, invocation.user_data, 0, 0, invocation.results_bytes, 0);
    arch_thread_set_result(&thread->arch, 1);
    return thread;
}

// An answer to a caller that waits for it, by a server that will wait then.
[[gnu::always_inline]] static inline struct thread *
handover_return(struct cpu *cpu, struct thread *thread, const struct capos_sqe *shared,
                struct endpoint *endpoint, uint32_t count)
{
    const struct call_slot *slot = slot_lookup(endpoint, read_once(&shared->call_id));
    if (slot == nullptr)
        return enter_long();
    struct op *call = slot->op;
    if (!call->plain || call->object->hold_count == 1 || !list_empty(&endpoint->calls) ||
        !list_empty(&endpoint->notices))
        return enter_long();
    struct thread *caller = call->thread;
    const struct messages m = messages_read(shared);
    uint32_t records_bytes = count * TRANSFER_BYTES;
    if (caller->op_spare != nullptr || !messages_in_ring(&m, records_bytes) ||
        m.params_bytes + records_bytes > call->result.size_bytes ||
        m.result_bytes_max < sizeof(struct capos_recv_header))
        return enter_long();
    if (caller->plain_wait != cpu)
        return enter_with_partner(caller);
    if (thread->op_spare == nullptr)
        return enter_with_spare(thread);
    struct gift gift;
    if (count > 0 && !gift_find(&gift, thread, &m, caller->process))
        return enter_long();

    struct op *receive = op_create_from_spare(thread, read_once(&shared->user_data),
                                              &endpoint->object, receive_withdraw);
    const uint8_t *base = thread->ring.base; // kept, as in ring_complete
    ring_advance(&thread->ring);
    receive->result.address = m.result;
    receive->result.size_bytes = m.result_bytes_max;
    receive->result.in_ring = true;
    receive->plain = true;
    list_push_back(&endpoint->receivers, &receive->queue_link);
    uint8_t *to = caller->ring.base + call->result.address;
    arch_words_copy(to, base + m.params, m.params_bytes);
    if (count > 0)
        gift_give(&gift, thread, caller->process, to + m.params_bytes);
    list_unlink(&call->queue_link); // what call_withdraw does, for one that nobody watches
    slot_free(endpoint, call);
    object_unhold_after_call(call->object);
    ring_complete(&caller->ring, call->user_data, 0, 0, m.params_bytes, count);
    op_retire_to_spare(call, caller);
    return sched_hand_over(cpu, thread, caller);
}

UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
handover_return_with_gift(struct cpu *cpu, struct thread *thread,
                          const struct capos_sqe *shared, struct endpoint *endpoint)
{
    return handover_return(cpu, thread, shared, endpoint, 1);
}

// A call.  `word` is the first of the submission.
[[gnu::always_inline]] static inline struct thread *
handover_call(struct cpu *cpu, struct thread *thread, const struct capos_sqe *shared,
              uint64_t word)
{
    const struct cap_slot *slot =
        cap_table_lookup(&thread->process->caps, read_once(&shared->cap));
    if (slot == nullptr || slot->interface_id != read_once(&shared->interface_id) ||
        read_once(&shared->reserved1) != 0)
        return enter_long();
    struct object *object = slot->object;
    uint16_t method = (uint16_t)(word >> 16);
    if (object->type != &minted_type)
        return call_kernel_in_ring(cpu, thread, shared, object, word);
    uint64_t count = word >> 32; // of transfers, and the result index
    if (count > 1)
        return enter_long();
    if (count == 0)
        return handover_to_server(cpu, thread, shared, minted_of(object), method, 0);
    return handover_to_server_with_gift(cpu, thread, shared, minted_of(object), method);
}

// An answer; likewise.
[[gnu::always_inline]] static inline struct thread *
handover_answer(struct cpu *cpu, struct thread *thread, const struct capos_sqe *shared,
                uint64_t word)
{
    const struct cap_slot *slot =
        cap_table_lookup(&thread->process->caps, read_once(&shared->cap));
    if (slot == nullptr || slot->object->type != &endpoint_type ||
        read_once(&shared->reserved1) != 0)
        return enter_long();
    if (word == WORD_RETURN_RECV)
        return handover_return(cpu, thread, shared, endpoint_of(slot->object), 0);
    if (word == (WORD_RETURN_RECV | WORD_ONE_GIFT))
        return handover_return_with_gift(cpu, thread, shared, endpoint_of(slot->object));
    return enter_long();
}

static inline const struct capos_sqe *first_submission(const struct ring *ring)
{
    const struct capos_sqe *queue =
        (const struct capos_sqe *)(ring->base + CAPOS_RING_SQ_OFFSET);
    return &queue[ring->sq_head % CAPOS_SQ_ENTRIES];
}

// Whether one more was submitted than taken, all completions were consumed, there is room for
// one, and nothing needs attention.
static inline bool is_single(const struct ring *ring)
{
    return ring_user_indices(ring) == ring->indices + 1 && ring->load < CAPOS_CQ_ENTRIES;
}

// Takes the quiet releases before the last of several submissions.  Returns whether the last
// can go the short way.
[[gnu::noinline]] static bool releases_take(struct thread *thread)
{
    struct ring *ring = &thread->ring;
    uint32_t count = (uint32_t)ring_user_indices(ring) - ring->sq_head;
    if (count < 2 || count > CAPOS_SQ_ENTRIES || ring_available(ring) != 0 ||
        count > CAPOS_CQ_ENTRIES - ring->pending_count)
        return false;
    for (; count > 1; count--) {
        const struct capos_sqe sqe = *(const volatile struct capos_sqe *)first_submission(ring);
        uint64_t word;
        memcpy(&word, &sqe, sizeof word);
        if (word != WORD_QUIET_RELEASE || ring->attention)
            return false;
        ring->sq_head++;
        submit_end(thread, &sqe, submit_checked(thread, &sqe));
    }
    // What a release made ready has its turn at the end of the upcall, which a hand-over skips.
    const struct cpu *cpu = arch_cpu();
    return is_single(ring) && cpu->handoff == nullptr && !cpu->chains_ready &&
           !cpu->traces_unread && !cpu->watches_due;
}

// The one submission of a thread that waits for it.  In line in both its callers, of which the
// second can't call the first: it could go on for as long as another thread submits releases.
[[gnu::always_inline]] static inline struct thread *enter_single(struct cpu *cpu,
                                                                 struct thread *thread)
{
    struct ring *ring = &thread->ring;
    const struct capos_sqe *shared = first_submission(ring);
    uint64_t word = read_once((const uint64_t *)(const void *)shared);
    if ((uint16_t)word == WORD_CALL)
        return handover_call(cpu, thread, shared, word);
    if ((uint16_t)word == WORD_RETURN_RECV)
        return handover_answer(cpu, thread, shared, word);
    if (word == CAPOS_OP_PARK)
        return park_handover(cpu, thread, shared);
    if (word != CAPOS_OP_NOP)
        return enter_long();
    ring_advance(ring);
    ring_complete(ring, read_once(&shared->user_data), 0, 0, 0, 0);
    arch_thread_set_result(&thread->arch, 1);
    return thread;
}

UPCALL_PRESERVES_NOTHING [[gnu::noinline]] static struct thread *
enter_behind_releases(struct cpu *cpu, struct thread *thread)
{
    if (!releases_take(thread))
        return enter_long();
    return enter_single(cpu, thread);
}

UPCALL_PRESERVES_NOTHING struct thread *kernel_cap_enter_one(void)
{
    struct cpu *cpu = arch_cpu();
    struct thread *thread = cpu->current;
    if (!is_single(&thread->ring))
        return enter_behind_releases(cpu, thread);
    return enter_single(cpu, thread);
}
