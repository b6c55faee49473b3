// SPDX-License-Identifier: MIT
// The ring: batches, errors of submissions, corrupt indices, full queues, CANCEL and
// RELEASE, and random submissions.
//
// Each test runs in a child that drives its ring itself (abi/ring.h), for libcapos would
// neither write nor survive most of this.  A child's exit code is the line that went wrong.
#include <capos/test.h>

#include <abi/syscall.h>
#include <capos/ring.h>
#include <capos/syscall.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/virtual_memory.h>
#include <gen/wire/notification.h>
#include <gen/wire/virtual_memory.h>
#include <string.h>

// ---- A ring client with nothing on top -----------------------------------------------------

static struct {
    struct capos_ring_header *header;
    struct capos_sqe *submissions;
    const struct capos_cqe *completions;
    uint8_t *messages;
    uint32_t message_offset;
} ring;

static void ring_take_over(void)
{
    uint8_t *base = (uint8_t *)capos_ring();
    ring.header = capos_ring();
    ring.submissions = (struct capos_sqe *)(base + CAPOS_RING_SQ_OFFSET);
    ring.completions = (const struct capos_cqe *)(base + CAPOS_RING_CQ_OFFSET);
    ring.messages = base + CAPOS_RING_MESSAGE_OFFSET;
    ring.message_offset = CAPOS_RING_MESSAGE_OFFSET;
}

static void put(struct capos_sqe entry)
{
    uint32_t tail = ring.header->sq_tail;
    ring.submissions[tail % CAPOS_SQ_ENTRIES] = entry;
    __atomic_store_n(&ring.header->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

static bool take(struct capos_cqe *out_completion)
{
    uint32_t head = ring.header->cq_head;
    if (head == __atomic_load_n(&ring.header->cq_tail, __ATOMIC_ACQUIRE))
        return false;
    *out_completion = ring.completions[head % CAPOS_CQ_ENTRIES];
    __atomic_store_n(&ring.header->cq_head, head + 1, __ATOMIC_RELEASE);
    return true;
}

// Submits one entry and takes its completion; the result, or 1 if none or another came.
static int32_t once(struct capos_sqe entry)
{
    struct capos_cqe completion;
    static uint64_t user_data;
    entry.user_data = ++user_data;
    put(entry);
    if (capos_cap_enter(1, CAPOS_FOREVER) != 1 || !take(&completion) ||
        completion.user_data != user_data)
        return 1;
    return completion.result;
}

static capos_cap_id cap(const char *name)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++)
        if (strcmp(capos_capset_at(i)->name, name) == 0)
            return capos_capset_at(i)->cap;
    return 0;
}

// A call of Notification.wait that stays pending.
static struct capos_sqe pending_wait(uint64_t user_data)
{
    struct notification_wait_params params = {.mask = 1};
    uint32_t params_bytes = notification_wait_params_encode(&params, ring.messages, 64);
    return (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .method = NOTIFICATION_METHOD_WAIT,
        .user_data = user_data,
        .cap = cap("bell"),
        .interface_id = INTERFACE_NOTIFICATION,
        .params = ring.message_offset,
        .params_bytes = params_bytes,
        .result = ring.message_offset + 64,
        .result_bytes_max = 64,
    };
}

#define EXPECT_RESULT(entry, status) EXPECT(once(entry) == -(int32_t)(status))
#define EXPECT_ALIVE()               EXPECT(once((struct capos_sqe){.opcode = CAPOS_OP_NOP}) == 0)

// ---- Roles -----------------------------------------------------------------------------------

static int child_submits_a_batch(void)
{
    struct capos_cqe completion;
    ring_take_over();
    for (uint64_t i = 0; i < CAPOS_SQ_ENTRIES; i++)
        put((struct capos_sqe){.opcode = CAPOS_OP_NOP, .user_data = i});
    EXPECT(capos_cap_enter(CAPOS_SQ_ENTRIES, CAPOS_FOREVER) == CAPOS_SQ_ENTRIES);
    EXPECT(ring.header->sq_head == ring.header->sq_tail);
    for (uint64_t i = 0; i < CAPOS_SQ_ENTRIES; i++)
        EXPECT(take(&completion) && completion.user_data == i && completion.result == 0 &&
               completion.flags == 0 && completion.result_bytes == 0);
    EXPECT(!take(&completion));
    capos_exit_now(0);
}

static int child_enters_with_an_empty_ring(void)
{
    ring_take_over();
    EXPECT(capos_cap_enter(0, 0) == 0);
    EXPECT(capos_cap_enter(0, CAPOS_FOREVER) == 0);
    EXPECT(capos_cap_enter(1, 0) == 0);
    EXPECT(capos_cap_enter(1, CAPOS_FOREVER) == -(int64_t)STATUS_QUEUE_FULL);
    EXPECT(capos_cap_enter(CAPOS_CQ_ENTRIES + 1, 0) == -(int64_t)STATUS_INVALID_ARGUMENT);
    EXPECT(capos_cap_enter(UINT64_MAX, CAPOS_FOREVER) == -(int64_t)STATUS_INVALID_ARGUMENT);
    capos_exit_now(0);
}

static int child_uses_reserved_opcodes(void)
{
    ring_take_over();
    for (unsigned opcode = CAPOS_OP_COUNT; opcode < 256; opcode++)
        EXPECT_RESULT((struct capos_sqe){.opcode = (uint8_t)opcode}, STATUS_BAD_OPCODE);
    EXPECT_ALIVE();
    capos_exit_now(0);
}

static int child_sets_what_is_reserved(void)
{
    ring_take_over();
    for (unsigned flag = 1; flag < 256; flag <<= 1)
        if (flag != CAPOS_SQE_LINK)
            EXPECT_RESULT(((struct capos_sqe){.flags = (uint8_t)flag}), STATUS_BAD_FLAGS);
    for (unsigned flag = CAPOS_SQE_PROMISE; flag < 256; flag <<= 1)
        EXPECT_RESULT(
            ((struct capos_sqe){.opcode = CAPOS_OP_RETURN_RECV, .flags = (uint8_t)flag}),
            STATUS_BAD_FLAGS);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_CALL, .flags = CAPOS_SQE_EXCEPTION}),
                  STATUS_BAD_FLAGS);
    EXPECT_RESULT(
        ((struct capos_sqe){.opcode = CAPOS_OP_RECV, .flags = CAPOS_SQE_PARAMS_IN_RING}),
        STATUS_BAD_FLAGS);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RELEASE, .result_index = 1}),
                  STATUS_BAD_FLAGS);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_CALL, .reserved1 = 1}),
                  STATUS_BAD_FLAGS);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RECV, .transfer_count = 1}),
                  STATUS_BAD_TRANSFER);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_CALL,
                                      .transfer_count = CAPOS_TRANSFER_COUNT_MAX + 1}),
                  STATUS_BAD_TRANSFER);
    EXPECT_ALIVE();
    capos_exit_now(0);
}

static int child_names_no_capability(void)
{
    ring_take_over();
    const capos_cap_id bell = cap("bell");
    const capos_cap_id bad[] = {0,
                                1,
                                UINT64_MAX,
                                bell + (UINT64_C(1) << 32),
                                bell - (UINT64_C(1) << 32),
                                bell + 50,
                                (bell & ~UINT64_C(0xffffffff)) | 0xfffffff0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RELEASE, .cap = bad[i]}),
                      STATUS_BAD_CAPABILITY);
        EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RECV, .cap = bad[i]}),
                      STATUS_BAD_CAPABILITY);
        EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RETURN, .cap = bad[i]}),
                      STATUS_BAD_CAPABILITY);
        EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_CALL, .cap = bad[i]}),
                      STATUS_BAD_CAPABILITY);
    }
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RECV, .cap = bell}),
                  STATUS_WRONG_INTERFACE);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RETURN, .cap = bell}),
                  STATUS_WRONG_INTERFACE);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_CALL, .cap = bell}),
                  STATUS_WRONG_INTERFACE);
    EXPECT_RESULT(((struct capos_sqe){
                      .opcode = CAPOS_OP_RETURN, .cap = cap("endpoint"), .call_id = 12345}),
                  STATUS_NOT_FOUND);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RELEASE, .cap = bell}), STATUS_OK);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RELEASE, .cap = bell}),
                  STATUS_BAD_CAPABILITY);
    capos_exit_now(0);
}

// A call of Notification.signal with good params; the caller breaks one thing.
static struct capos_sqe good_signal(void)
{
    struct notification_signal_params params = {.bits = 1};
    uint32_t params_bytes = notification_signal_params_encode(&params, ring.messages, 64);
    return (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .method = NOTIFICATION_METHOD_SIGNAL,
        .cap = cap("bell"),
        .interface_id = INTERFACE_NOTIFICATION,
        .params = ring.message_offset,
        .params_bytes = params_bytes,
        .result = ring.message_offset + 64,
        .result_bytes_max = 64,
    };
}

static int child_points_where_nothing_is(void)
{
    ring_take_over();
    static const uint64_t bad[] = {
        0, 8, 0x7ffffffff000, 0xffffffff80000000, UINT64_MAX - 7, 0x8000000000000000};
    EXPECT(once(good_signal()) == 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct capos_sqe entry = good_signal();
        entry.flags = CAPOS_SQE_RESULT_IN_RING;
        entry.params = bad[i];
        EXPECT_RESULT(entry, STATUS_BAD_ADDRESS);
        entry.flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING;
        EXPECT_RESULT(entry, STATUS_BAD_ADDRESS);
        // RECV writes its buffer when a call comes, but the range is checked at once.
        entry = (struct capos_sqe){.opcode = CAPOS_OP_RECV,
                                   .flags = CAPOS_SQE_RESULT_IN_RING,
                                   .cap = cap("endpoint"),
                                   .result = bad[i],
                                   .result_bytes_max = 64};
        EXPECT_RESULT(entry, STATUS_BAD_ADDRESS);
    }
    struct capos_sqe entry = good_signal();
    entry.params += 4; // not aligned
    EXPECT(once(entry) < 0);
    entry = good_signal();
    entry.params_bytes = 4; // not a multiple of 8
    EXPECT(once(entry) < 0);
    entry = good_signal();
    entry.params_bytes = UINT32_MAX - 7;
    EXPECT(once(entry) < 0);
    entry = good_signal();
    entry.result_bytes_max = UINT32_MAX;
    EXPECT(once(entry) < 0);
    entry = good_signal();
    entry.params = CAPOS_RING_BYTES - 8; // begins inside of the ring, ends outside
    EXPECT_RESULT(entry, STATUS_BAD_ADDRESS);
    entry = good_signal();
    entry.params = 0; // the ring's header is no message area
    EXPECT_RESULT(entry, STATUS_BAD_ADDRESS);
    EXPECT(once(good_signal()) == 0);
    capos_exit_now(0);
}

static int child_corrupts_its_indices(void)
{
    ring_take_over();
    const uint32_t tail = ring.header->sq_tail, head = ring.header->cq_head;
    // A head of ours behind the kernel's tail by no more than the queue holds is possible.
    static const uint32_t distances[] = {CAPOS_SQ_ENTRIES + 1, 1000, 0x80000000,
                                         -(CAPOS_CQ_ENTRIES + 1)};
    for (size_t i = 0; i < 4; i++) {
        ring.header->sq_tail = tail + distances[i];
        EXPECT(capos_cap_enter(0, 0) == -(int64_t)STATUS_CORRUPT_RING);
        EXPECT(capos_cap_enter(1, CAPOS_FOREVER) == -(int64_t)STATUS_CORRUPT_RING);
        ring.header->sq_tail = tail;
        ring.header->cq_head = head + distances[i];
        EXPECT(capos_cap_enter(0, 0) == -(int64_t)STATUS_CORRUPT_RING);
        ring.header->cq_head = head;
        EXPECT(capos_cap_enter(0, 0) == 0);
    }
    EXPECT_ALIVE();
    capos_exit_now(0);
}

static int child_scribbles_over_the_header(void)
{
    ring_take_over();
    struct capos_ring_header *header = ring.header;
    memset(header, 0xff, offsetof(struct capos_ring_header, sq_tail));
    memset(header->reserved1, 0xff, sizeof header->reserved1);
    memset(header->reserved2, 0xff, sizeof header->reserved2);
    EXPECT_ALIVE();
    header->sq_head = 12345; // the kernel's own index, which it only writes
    EXPECT_ALIVE();
    EXPECT(header->sq_head == header->sq_tail);
    capos_exit_now(0);
}

static int child_fills_the_completion_queue(void)
{
    struct capos_cqe completion;
    ring_take_over();
    for (uint64_t i = 0; i < CAPOS_CQ_ENTRIES; i++)
        put((struct capos_sqe){.user_data = i});
    EXPECT(capos_cap_enter(0, 0) == CAPOS_CQ_ENTRIES);
    // No room: nothing is taken, nothing lost.
    const uint32_t taken = ring.header->sq_head;
    for (uint64_t i = 0; i < 10; i++)
        put((struct capos_sqe){.user_data = CAPOS_CQ_ENTRIES + i});
    EXPECT(capos_cap_enter(0, 0) == CAPOS_CQ_ENTRIES);
    EXPECT(ring.header->sq_head == taken);
    for (uint64_t i = 0; i < 4; i++)
        EXPECT(take(&completion) && completion.user_data == i);
    EXPECT(capos_cap_enter(0, 0) == CAPOS_CQ_ENTRIES);
    EXPECT(ring.header->sq_head == taken + 4);
    uint64_t expected = 4;
    while (take(&completion))
        EXPECT(completion.user_data == expected++);
    EXPECT(capos_cap_enter(6, CAPOS_FOREVER) == 6);
    while (take(&completion))
        EXPECT(completion.user_data == expected++);
    EXPECT(expected == CAPOS_CQ_ENTRIES + 10);
    capos_exit_now(0);
}

// Pending operations have their completion's place reserved.
static int child_keeps_many_operations_pending(void)
{
    struct capos_cqe completion;
    ring_take_over();
    for (uint64_t i = 0; i < CAPOS_CQ_ENTRIES; i++)
        put(pending_wait(100 + i));
    EXPECT(capos_cap_enter(0, 0) == 0);
    EXPECT(ring.header->sq_head == ring.header->sq_tail);
    put((struct capos_sqe){.opcode = CAPOS_OP_NOP});
    EXPECT(capos_cap_enter(0, 0) == 0);
    EXPECT(ring.header->sq_head == ring.header->sq_tail - 1);
    (void)completion;
    capos_exit_now(0); // and the kernel withdraws them all
}

static int child_cancels(void)
{
    struct capos_cqe completion;
    ring_take_over();
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_CANCEL, .call_id = 7}),
                  STATUS_NOT_FOUND);
    put(pending_wait(7));
    EXPECT(capos_cap_enter(0, 0) == 0);
    put((struct capos_sqe){.opcode = CAPOS_OP_CANCEL, .user_data = 8, .call_id = 7});
    EXPECT(capos_cap_enter(2, CAPOS_FOREVER) == 2);
    unsigned seen = 0;
    while (take(&completion)) {
        if (completion.user_data == 7 && completion.result == -(int32_t)STATUS_CANCELLED)
            seen |= 1;
        if (completion.user_data == 8 && completion.result == 0)
            seen |= 2;
    }
    EXPECT(seen == 3);
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_CANCEL, .call_id = 7}),
                  STATUS_NOT_FOUND);
    // A receive is withdrawn likewise.
    put((struct capos_sqe){.opcode = CAPOS_OP_RECV,
                           .flags = CAPOS_SQE_RESULT_IN_RING,
                           .user_data = 9,
                           .cap = cap("endpoint"),
                           .result = ring.message_offset,
                           .result_bytes_max = 256});
    put((struct capos_sqe){.opcode = CAPOS_OP_CANCEL, .user_data = 10, .call_id = 9});
    EXPECT(capos_cap_enter(2, CAPOS_FOREVER) == 2);
    capos_exit_now(0);
}

// A receive whose buffer is too short, and calls with methods that aren't there.
static int child_asks_for_the_impossible(void)
{
    ring_take_over();
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RECV,
                                      .flags = CAPOS_SQE_RESULT_IN_RING,
                                      .cap = cap("endpoint"),
                                      .result = ring.message_offset,
                                      .result_bytes_max = 24}),
                  STATUS_BAD_LENGTH);
    struct capos_sqe entry = good_signal();
    entry.method = 99;
    EXPECT_RESULT(entry, STATUS_UNIMPLEMENTED);
    entry = good_signal();
    entry.method = NOTIFICATION_METHOD_WAIT;
    entry.result_bytes_max = 8;
    EXPECT_RESULT(entry, STATUS_NO_RESULT_SPACE);
    entry = good_signal();
    entry.params_bytes = 0; // only a method without parameters takes no message
    EXPECT_RESULT(entry, STATUS_BAD_MESSAGE);
    capos_exit_now(0);
}

// ---- Roles: IPC without a runtime; the child is client and server at once -------------------

constexpr uint32_t AREA_PARAMS = 0, AREA_RESULT = 512, AREA_RECEIVED = 1024, AREA_ANSWER = 2048;
constexpr uint64_t USER_CALL = 1001, USER_RECV = 1002, USER_RETURN = 1003;

static uint64_t *area(uint32_t offset)
{
    return (uint64_t *)(ring.messages + offset);
}

static struct capos_sqe call_entry(uint32_t params_bytes, uint16_t transfer_count)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .method = 17,
        .transfer_count = transfer_count,
        .user_data = USER_CALL,
        .cap = cap("object"),
        .interface_id = TEST_INTERFACE,
        .params = ring.message_offset + AREA_PARAMS,
        .params_bytes = params_bytes,
        .result = ring.message_offset + AREA_RESULT,
        .result_bytes_max = 256,
    };
}

static struct capos_sqe receive_entry(void)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_RECV,
        .flags = CAPOS_SQE_RESULT_IN_RING,
        .user_data = USER_RECV,
        .cap = cap("endpoint"),
        .result = ring.message_offset + AREA_RECEIVED,
        .result_bytes_max = 512,
    };
}

static struct capos_sqe return_entry(uint64_t call_id, uint32_t answer_bytes)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_RETURN,
        .flags = CAPOS_SQE_PARAMS_IN_RING,
        .user_data = USER_RETURN,
        .cap = cap("endpoint"),
        .call_id = call_id,
        .params = ring.message_offset + AREA_ANSWER,
        .params_bytes = answer_bytes,
    };
}

// Enters the kernel without waiting and takes the one completion that there must be.
static bool enter_and_take(uint64_t user_data, struct capos_cqe *out_completion)
{
    return capos_cap_enter(0, 0) == 1 && take(out_completion) &&
           out_completion->user_data == user_data;
}

static const struct capos_recv_header *received(void)
{
    return (const struct capos_recv_header *)area(AREA_RECEIVED);
}

static int child_answers_itself(void)
{
    struct capos_cqe completion;
    ring_take_over();
    area(AREA_PARAMS)[0] = 0x1111;
    area(AREA_PARAMS)[1] = 0x2222;
    put(call_entry(16, 0));
    EXPECT(capos_cap_enter(0, 0) == 0); // queued
    put(receive_entry());
    EXPECT(enter_and_take(USER_RECV, &completion));
    EXPECT(completion.result == 0 && completion.flags == 0 && completion.result_bytes == 16);
    EXPECT(received()->word == 1 && received()->interface_id == TEST_INTERFACE);
    EXPECT(received()->method == 17 && received()->call_id != 0);
    EXPECT(memcmp(received() + 1, area(AREA_PARAMS), 16) == 0);
    const uint64_t call_id = received()->call_id;

    // An answer that can't be read is the server's error; the call goes on waiting.
    struct capos_sqe bad = return_entry(call_id, 8);
    bad.flags = 0;
    bad.params = 0xffffffff80000000;
    put(bad);
    EXPECT(enter_and_take(USER_RETURN, &completion));
    EXPECT(completion.result == -(int32_t)STATUS_BAD_ADDRESS);
    bad = return_entry(call_id, 8);
    bad.method = 3; // without the flag
    put(bad);
    EXPECT(enter_and_take(USER_RETURN, &completion) && completion.result < 0);
    bad = return_entry(call_id, 8);
    bad.flags |= CAPOS_SQE_EXCEPTION;
    bad.method = STATUS_INVALID_ARGUMENT + 1;
    put(bad);
    EXPECT(enter_and_take(USER_RETURN, &completion) && completion.result < 0);

    area(AREA_ANSWER)[0] = 0x3333;
    put(return_entry(call_id, 8));
    EXPECT(capos_cap_enter(0, 0) == 2);
    EXPECT(take(&completion) && completion.user_data == USER_CALL && completion.result == 0);
    EXPECT(completion.result_bytes == 8 && area(AREA_RESULT)[0] == 0x3333);
    EXPECT(take(&completion) && completion.user_data == USER_RETURN && completion.result == 0);
    put(return_entry(call_id, 8)); // a second time
    EXPECT(enter_and_take(USER_RETURN, &completion));
    EXPECT(completion.result == -(int32_t)STATUS_NOT_FOUND);
    capos_exit_now(0);
}

// RETURN_RECV: one completion, of the receive, unless the return fails.
static int child_answers_and_receives_at_once(void)
{
    struct capos_cqe completion;
    ring_take_over();
    put(call_entry(8, 0));
    put(receive_entry());
    EXPECT(capos_cap_enter(0, 0) == 1);
    EXPECT(take(&completion) && completion.user_data == USER_RECV);
    struct capos_sqe entry = return_entry(received()->call_id, 8);
    entry.opcode = CAPOS_OP_RETURN_RECV;
    entry.flags |= CAPOS_SQE_RESULT_IN_RING;
    entry.result = receive_entry().result;
    entry.result_bytes_max = receive_entry().result_bytes_max;
    put(entry);
    EXPECT(enter_and_take(USER_CALL, &completion) && completion.result == 0);
    put(call_entry(0, 0)); // goes straight to the receive that waits
    EXPECT(enter_and_take(USER_RETURN, &completion) && completion.result == 0);
    entry.call_id = received()->call_id + 1;
    put(entry);
    EXPECT(enter_and_take(USER_RETURN, &completion));
    EXPECT(completion.result == -(int32_t)STATUS_NOT_FOUND);
    // An exception, whose message is the CapException.
    entry = return_entry(received()->call_id, 0);
    entry.flags |= CAPOS_SQE_EXCEPTION;
    entry.method = STATUS_FAILED;
    put(entry);
    EXPECT(capos_cap_enter(0, 0) == 2);
    EXPECT(take(&completion) && completion.user_data == USER_CALL);
    EXPECT(completion.result == -(int32_t)STATUS_FAILED &&
           (completion.flags & CAPOS_CQE_EXCEPTION) != 0);
    capos_exit_now(0);
}

static int child_passes_itself_capabilities(void)
{
    struct capos_cqe completion;
    ring_take_over();
    const capos_cap_id bell = cap("bell");
    struct capos_transfer *transfers = (struct capos_transfer *)(area(AREA_PARAMS) + 1);
    for (unsigned i = 0; i < CAPOS_TRANSFER_COUNT_MAX; i++)
        transfers[i] = (struct capos_transfer){.cap = bell};
    put(call_entry(8, CAPOS_TRANSFER_COUNT_MAX));
    put(receive_entry());
    EXPECT(capos_cap_enter(0, 0) == 1 && take(&completion));
    EXPECT(completion.transfer_count == CAPOS_TRANSFER_COUNT_MAX);
    const struct capos_cap_record *records =
        (const struct capos_cap_record *)((const uint8_t *)(received() + 1) + 8);
    for (unsigned i = 0; i < CAPOS_TRANSFER_COUNT_MAX; i++) {
        EXPECT(records[i].interface_id == INTERFACE_NOTIFICATION && records[i].cap != bell);
        EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RELEASE, .cap = records[i].cap}),
                      STATUS_OK);
    }
    // The release of the object's last hold is told to the endpoint.
    const uint64_t call_id = received()->call_id;
    put(return_entry(call_id, 0));
    EXPECT(capos_cap_enter(0, 0) == 2 && take(&completion) && take(&completion));
    EXPECT_RESULT(((struct capos_sqe){.opcode = CAPOS_OP_RELEASE, .cap = bell}), STATUS_OK);
    capos_exit_now(0);
}

// ---- Roles: memory that goes while the kernel counts on it ------------------------------------

// Encodes into AREA_ANSWER and calls VirtualMemory; the result.
static int32_t memory_call(uint16_t method, uint32_t params_bytes)
{
    return once((struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
        .method = method,
        .cap = cap("memory"),
        .interface_id = INTERFACE_VIRTUAL_MEMORY,
        .params = ring.message_offset + AREA_ANSWER,
        .params_bytes = params_bytes,
        .result = ring.message_offset + AREA_ANSWER + 256,
        .result_bytes_max = 256,
    });
}

static int32_t unmap(uint64_t address)
{
    const struct virtual_memory_unmap_params params = {.address = address,
                                                       .length_bytes = 4096};
    return memory_call(VIRTUAL_MEMORY_METHOD_UNMAP,
                       virtual_memory_unmap_params_encode(&params, area(AREA_ANSWER), 256));
}

// A committed page, made while libcapos still has the ring.
static uint64_t page_create(void)
{
    uint64_t address = 0;
    virtual_memory_cap memory = {cap("memory")};
    if (virtual_memory_reserve(memory, 4096, 0, 0, &address) != STATUS_OK ||
        virtual_memory_commit(memory, address, 4096, PROTECTION_READ_WRITE) != STATUS_OK)
        return 0;
    return address;
}

static int child_unmaps_a_queued_message(void)
{
    struct capos_cqe completion;
    uint64_t page = page_create();
    EXPECT(page != 0);
    ring_take_over();
    struct capos_sqe entry = call_entry(64, 0);
    entry.flags = CAPOS_SQE_RESULT_IN_RING;
    entry.params = page;
    put(entry);
    EXPECT(capos_cap_enter(0, 0) == 0);
    EXPECT(unmap(page) == 0);
    // The call fails when it is to be received; the receive goes on waiting.
    put(receive_entry());
    EXPECT(enter_and_take(USER_CALL, &completion));
    EXPECT(completion.result == -(int32_t)STATUS_BAD_ADDRESS);
    put(call_entry(8, 0));
    EXPECT(enter_and_take(USER_RECV, &completion) && completion.result == 0);
    capos_exit_now(0);
}

static int child_unmaps_a_receive_buffer(void)
{
    struct capos_cqe completion;
    uint64_t page = page_create();
    EXPECT(page != 0);
    ring_take_over();
    struct capos_sqe entry = receive_entry();
    entry.flags = 0;
    entry.result = page;
    put(entry);
    EXPECT(capos_cap_enter(0, 0) == 0);
    EXPECT(unmap(page) == 0);
    // The receive fails when a call comes; the call waits for the next one.
    put(call_entry(8, 0));
    EXPECT(enter_and_take(USER_RECV, &completion));
    EXPECT(completion.result == -(int32_t)STATUS_BAD_ADDRESS);
    put(receive_entry());
    EXPECT(enter_and_take(USER_RECV, &completion) && completion.result == 0);
    capos_exit_now(0);
}

static int child_unmaps_a_result_buffer(void)
{
    struct capos_cqe completion;
    uint64_t page = page_create();
    EXPECT(page != 0);
    ring_take_over();
    struct capos_sqe entry = call_entry(8, 0);
    entry.flags = CAPOS_SQE_PARAMS_IN_RING;
    entry.result = page;
    put(entry);
    put(receive_entry());
    EXPECT(capos_cap_enter(0, 0) == 1 && take(&completion));
    EXPECT(unmap(page) == 0);
    // The caller can't take the answer: its error, not the server's.
    put(return_entry(received()->call_id, 8));
    EXPECT(capos_cap_enter(0, 0) == 2);
    EXPECT(take(&completion) && completion.user_data == USER_CALL);
    EXPECT(completion.result == -(int32_t)STATUS_BAD_ADDRESS);
    EXPECT(take(&completion) && completion.user_data == USER_RETURN && completion.result == 0);
    capos_exit_now(0);
}

// The same for an answer of the kernel's own that comes later.
static int child_unmaps_the_result_buffer_of_a_wait(void)
{
    struct capos_cqe completion;
    uint64_t page = page_create();
    EXPECT(page != 0);
    ring_take_over();
    struct capos_sqe entry = pending_wait(USER_CALL);
    entry.flags = CAPOS_SQE_PARAMS_IN_RING;
    entry.result = page;
    put(entry);
    EXPECT(capos_cap_enter(0, 0) == 0);
    EXPECT(unmap(page) == 0);
    entry = good_signal();
    entry.user_data = USER_RETURN;
    put(entry);
    EXPECT(capos_cap_enter(0, 0) == 2);
    EXPECT(take(&completion) && completion.user_data == USER_CALL);
    EXPECT(completion.result == -(int32_t)STATUS_BAD_ADDRESS);
    EXPECT(take(&completion) && completion.user_data == USER_RETURN && completion.result == 0);
    capos_exit_now(0);
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

// Random entries, biased to what gets far: real capabilities, small numbers, ring offsets.
static struct capos_sqe random_entry(uint64_t *seed)
{
    static const uint64_t interfaces[] = {INTERFACE_NOTIFICATION, INTERFACE_ENDPOINT,
                                          INTERFACE_MEMORY_BUDGET, INTERFACE_VIRTUAL_MEMORY,
                                          TEST_INTERFACE};
    static const char *const names[] = {"bell", "endpoint", "budget", "memory", "object"};
    struct capos_sqe entry;
    uint64_t *words = (uint64_t *)&entry;
    for (size_t i = 0; i < sizeof entry / 8; i++)
        words[i] = random_next(seed) & random_next(seed) & random_next(seed);
    uint64_t choice = random_next(seed);
    // Without RELEASE, which would soon leave nothing to call.
    entry.opcode = (uint8_t)(choice % 8 == CAPOS_OP_RELEASE ? CAPOS_OP_CALL : choice % 8);
    entry.flags &= 7;
    if (choice & 0x100)
        entry.result_index = 0, entry.reserved1 = 0, entry.flags = 3;
    if (choice & 0x200)
        entry.transfer_count %= 4;
    if (choice & 0x400) {
        size_t which = random_next(seed) % 5;
        entry.cap = cap(names[which]);
        entry.interface_id = interfaces[which];
        entry.method %= 8;
    }
    if (choice & 0x800) {
        entry.params = ring.message_offset + (entry.params % 512) * 8;
        entry.params_bytes = entry.params_bytes % 16 * 8;
    }
    if (choice & 0x1000) {
        entry.result = ring.message_offset + 4096 + (entry.result % 256) * 8;
        entry.result_bytes_max = entry.result_bytes_max % 128 * 8;
    }
    return entry;
}

static int child_submits_at_random(void)
{
    uint64_t seed = 0x9e3779b97f4a7c15 + capos_process_id();
    struct capos_cqe completion;
    ring_take_over();
    uint64_t *messages = (uint64_t *)ring.messages;
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < CAPOS_RING_MESSAGE_BYTES / 8; i++)
            messages[i] = random_next(&seed) & random_next(&seed) & random_next(&seed);
        for (int i = 0; i < 24; i++)
            if (ring.header->sq_tail - ring.header->sq_head < CAPOS_SQ_ENTRIES)
                put(random_entry(&seed));
        EXPECT(capos_cap_enter(0, 0) >= 0);
        while (take(&completion)) {
        }
    }
    capos_exit_now(0);
}

// ---- Tests -------------------------------------------------------------------------------------

// Runs a role with the objects that these tests need; "budget" is small and its own.
static void check_role(const char *role, int line)
{
    notification_cap bell = {};
    endpoint_cap endpoint = {};
    memory_budget_cap part = {};
    capos_cap_id object = 0;
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    CHECK_OK(memory_budget_create_endpoint(test_budget(), 16, &endpoint));
    CHECK_OK(endpoint_mint(endpoint, TEST_INTERFACE, 1, &object));
    CHECK_OK(memory_budget_split(test_budget(), 65536, &part));
    const struct test_child_grant grants[] = {
        test_lend("bell", bell.id),   test_lend("endpoint", endpoint.id),
        test_lend("budget", part.id), test_lend("memory", test_memory().id),
        test_lend("object", object),
    };
    test_check_child(role, nullptr, 0, grants, 5, __FILE__, line);
    uint64_t used_bytes = 1;
    CHECK_OK(memory_budget_info(part, nullptr, &used_bytes, nullptr, nullptr));
    CHECK_EQ(used_bytes, 0);
    capos_release(object);
    memory_budget_cap_release(&part);
    endpoint_cap_release(&endpoint);
    notification_cap_release(&bell);
}

static void a_batch_completes_in_order(void)
{
    check_role("submits a batch", __LINE__);
}

static void an_empty_ring_has_nothing_to_wait_for(void)
{
    check_role("enters with an empty ring", __LINE__);
}

static void reserved_opcodes_are_refused(void)
{
    check_role("uses reserved opcodes", __LINE__);
}

static void reserved_bits_are_refused(void)
{
    check_role("sets what is reserved", __LINE__);
}

static void an_id_that_names_nothing_is_refused(void)
{
    check_role("names no capability", __LINE__);
}

static void a_buffer_that_is_not_there_is_refused(void)
{
    check_role("points where nothing is", __LINE__);
}

static void corrupt_indices_are_told_and_can_be_repaired(void)
{
    check_role("corrupts its indices", __LINE__);
}

static void the_header_is_only_a_description(void)
{
    check_role("scribbles over the header", __LINE__);
}

static void a_full_completion_queue_loses_nothing(void)
{
    check_role("fills the completion queue", __LINE__);
}

static void pending_operations_reserve_their_completions(void)
{
    check_role("keeps many operations pending", __LINE__);
}

static void cancel_withdraws_what_is_pending(void)
{
    check_role("cancels", __LINE__);
}

static void impossible_requests_are_typed_errors(void)
{
    check_role("asks for the impossible", __LINE__);
}

static void a_thread_answers_its_own_calls(void)
{
    check_role("answers itself", __LINE__);
}

static void an_answer_and_the_next_receive_are_one_submission(void)
{
    check_role("answers and receives at once", __LINE__);
}

static void as_many_capabilities_travel_as_a_message_takes(void)
{
    check_role("passes itself capabilities", __LINE__);
}

static void a_message_that_goes_while_it_is_queued_is_its_senders_error(void)
{
    check_role("unmaps a queued message", __LINE__);
}

static void a_receive_buffer_that_goes_is_its_receivers_error(void)
{
    check_role("unmaps a receive buffer", __LINE__);
}

static void a_result_buffer_that_goes_is_its_callers_error(void)
{
    check_role("unmaps a result buffer", __LINE__);
}

static void a_result_buffer_of_a_wait_that_goes_is_its_callers_error(void)
{
    check_role("unmaps the result buffer of a wait", __LINE__);
}

static void random_submissions_harm_nobody(void)
{
    for (int i = 0; i < 8; i++)
        check_role("submits at random", __LINE__);
}

static void tests(void)
{
    RUN(a_batch_completes_in_order);
    RUN(an_empty_ring_has_nothing_to_wait_for);
    RUN(reserved_opcodes_are_refused);
    RUN(reserved_bits_are_refused);
    RUN(an_id_that_names_nothing_is_refused);
    RUN(a_buffer_that_is_not_there_is_refused);
    RUN(corrupt_indices_are_told_and_can_be_repaired);
    RUN(the_header_is_only_a_description);
    RUN(a_full_completion_queue_loses_nothing);
    RUN(pending_operations_reserve_their_completions);
    RUN(cancel_withdraws_what_is_pending);
    RUN(impossible_requests_are_typed_errors);
    RUN(a_thread_answers_its_own_calls);
    RUN(an_answer_and_the_next_receive_are_one_submission);
    RUN(as_many_capabilities_travel_as_a_message_takes);
    RUN(a_message_that_goes_while_it_is_queued_is_its_senders_error);
    RUN(a_receive_buffer_that_goes_is_its_receivers_error);
    RUN(a_result_buffer_that_goes_is_its_callers_error);
    RUN(a_result_buffer_of_a_wait_that_goes_is_its_callers_error);
    RUN(random_submissions_harm_nobody);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"submits a batch", child_submits_a_batch},
        {"enters with an empty ring", child_enters_with_an_empty_ring},
        {"uses reserved opcodes", child_uses_reserved_opcodes},
        {"sets what is reserved", child_sets_what_is_reserved},
        {"names no capability", child_names_no_capability},
        {"points where nothing is", child_points_where_nothing_is},
        {"corrupts its indices", child_corrupts_its_indices},
        {"scribbles over the header", child_scribbles_over_the_header},
        {"fills the completion queue", child_fills_the_completion_queue},
        {"keeps many operations pending", child_keeps_many_operations_pending},
        {"cancels", child_cancels},
        {"asks for the impossible", child_asks_for_the_impossible},
        {"answers itself", child_answers_itself},
        {"answers and receives at once", child_answers_and_receives_at_once},
        {"passes itself capabilities", child_passes_itself_capabilities},
        {"unmaps a queued message", child_unmaps_a_queued_message},
        {"unmaps a receive buffer", child_unmaps_a_receive_buffer},
        {"unmaps a result buffer", child_unmaps_a_result_buffer},
        {"unmaps the result buffer of a wait", child_unmaps_the_result_buffer_of_a_wait},
        {"submits at random", child_submits_at_random},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
