// SPDX-License-Identifier: MIT
// The ring client, the server and the loop against a kernel that lives in this file.
//
// The kernel takes submissions at cap_enter. Calls complete at once or when a test says so;
// everything that it saw is kept for the test to look at.
// Links: libcapos/server.c libcapos/loop.c
#include "thread.h"

#include <test/test.h>

#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>
#include <capos/syscall.h>

#include <gen/wire/errors.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

struct thread *host_thread;
static struct thread thread_block;
alignas(64) static uint8_t region[CAPOS_RING_BYTES];
static struct capos_ring_header *const header = (void *)region;

static jmp_buf panic_jump;
static char panic_text[200];

void capos_panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(panic_text, sizeof panic_text, format, arguments);
    va_end(arguments);
    longjmp(panic_jump, 1);
}

// ---- The kernel --------------------------------------------------------------------

static struct capos_sqe taken[1000]; // every submission, in order
static unsigned taken_count;
static uint64_t released[100];
static unsigned released_count;
static bool hold_calls;            // calls stay pending
static enum status release_status; // of every release
static void (*on_idle)(void);      // called when a wait has nothing to wait for
static uint32_t last_min_complete; // of cap_enter
static uint64_t delivered;         // user_data of the receive that was completed last

static void *place_of(uint64_t place, bool in_ring)
{
    return in_ring ? region + place : (void *)place;
}

static void complete(const struct capos_sqe *entry, int32_t result, uint32_t flags,
                     uint32_t bytes, uint32_t transfers)
{
    struct capos_cqe *completions = (void *)(region + CAPOS_RING_CQ_OFFSET);
    CHECK(header->cq_tail - header->cq_head < CAPOS_CQ_ENTRIES);
    completions[header->cq_tail % CAPOS_CQ_ENTRIES] = (struct capos_cqe){
        .user_data = entry->user_data,
        .result = result,
        .flags = flags,
        .result_bytes = bytes,
        .transfer_count = transfers,
    };
    header->cq_tail++;
}

static void complete_quietly(const struct capos_sqe *entry, enum status status)
{
    CHECK_EQ(entry->flags, CAPOS_SQE_QUIET);
    if (status != STATUS_OK)
        complete(entry, -(int32_t)status, 0, 0, 0);
}

static uint8_t *result_of(const struct capos_sqe *entry)
{
    return place_of(entry->result, entry->flags & CAPOS_SQE_RESULT_IN_RING);
}

static uint8_t *params_of(const struct capos_sqe *entry)
{
    return place_of(entry->params, entry->flags & CAPOS_SQE_PARAMS_IN_RING);
}

// Answers a call: its first parameter word back, and a capability if it asked for method 1.
static void answer(const struct capos_sqe *entry)
{
    uint8_t *result = result_of(entry);
    uint64_t word = 0;
    if (entry->params_bytes >= 8)
        memcpy(&word, params_of(entry), 8);
    memcpy(result, &word, 8);
    if (entry->method == 1) {
        struct capos_cap_record records[2] = {{.cap = 71, .interface_id = 7},
                                              {.cap = 72, .interface_id = 8}};
        memcpy(result + 8, records, sizeof records);
    }
    complete(entry, 0, 0, 8, entry->method == 1 ? 2 : 0);
}

static void refuse(const struct capos_sqe *entry, const char *reason)
{
    struct cap_exception exception = {.type = EXCEPTION_TYPE_INVALID_ARGUMENT,
                                      .reason = wire_text_of(reason)};
    uint32_t bytes =
        cap_exception_encode(&exception, result_of(entry), entry->result_bytes_max);
    complete(entry, -(int32_t)STATUS_INVALID_ARGUMENT, CAPOS_CQE_EXCEPTION, bytes, 0);
}

static void take(const struct capos_sqe *entry)
{
    taken[taken_count++ % 1000] = *entry;
    switch (entry->opcode) {
    case CAPOS_OP_CALL:
        if (entry->method == 9)
            refuse(entry, "nine: not allowed");
        else if (!hold_calls)
            answer(entry);
        break;
    case CAPOS_OP_RELEASE:
        released[released_count++ % 100] = entry->cap;
        complete_quietly(entry, release_status);
        break;
    case CAPOS_OP_FINISH:
        complete_quietly(entry, STATUS_OK);
        break;
    case CAPOS_OP_CANCEL: // of receives; the last one that was delivered isn't pending
        if (entry->call_id != delivered)
            complete(&(struct capos_sqe){.user_data = entry->call_id},
                     -(int32_t)STATUS_CANCELLED, 0, 0, 0);
        complete_quietly(entry, entry->call_id == delivered ? STATUS_NOT_FOUND : STATUS_OK);
        break;
    case CAPOS_OP_RETURN:
        complete(entry, 0, 0, 0, 0);
        break;
    default: // RECV and RETURN_RECV stay
        break;
    }
}

int64_t capos_cap_enter(uint64_t min_complete, uint64_t timeout_ns)
{
    const struct capos_sqe *submissions = (void *)(region + CAPOS_RING_SQ_OFFSET);
    (void)timeout_ns;
    last_min_complete = (uint32_t)min_complete;
    while (header->sq_head != header->sq_tail) {
        struct capos_sqe entry = submissions[header->sq_head % CAPOS_SQ_ENTRIES];
        header->sq_head++;
        take(&entry);
    }
    if (header->cq_tail - header->cq_head < min_complete && on_idle != nullptr)
        on_idle();
    return header->cq_tail - header->cq_head;
}

static void start(void)
{
    memset(region, 0, sizeof region);
    *header = (struct capos_ring_header){
        .magic = CAPOS_RING_MAGIC,
        .ring_bytes = CAPOS_RING_BYTES,
        .sq_offset = CAPOS_RING_SQ_OFFSET,
        .sq_entries = CAPOS_SQ_ENTRIES,
        .cq_offset = CAPOS_RING_CQ_OFFSET,
        .cq_entries = CAPOS_CQ_ENTRIES,
        .message_offset = CAPOS_RING_MESSAGE_OFFSET,
        .message_bytes = CAPOS_RING_MESSAGE_BYTES,
    };
    header->sq_head = header->sq_tail = header->cq_head = header->cq_tail = UINT32_MAX - 20;
    free(thread_block.ring.spare);
    host_thread = &thread_block;
    ring_client_init(&thread_block.ring, region);
    thread_block.ring.sq_tail = thread_block.ring.cq_head = UINT32_MAX - 20; // wraps soon
    taken_count = released_count = 0;
    hold_calls = false;
    release_status = STATUS_OK;
    on_idle = nullptr;
}

// ---- The client --------------------------------------------------------------------

static uint32_t units_all;

static struct capos_call *begin(struct capos_call *call, uint64_t word, uint16_t method,
                                uint32_t bytes)
{
    uint8_t *params = capos_call_begin(call, bytes, 0, bytes, 2);
    CHECK(params != nullptr);
    memset(params, 0, bytes);
    memcpy(params, &word, sizeof word);
    enum status status = capos_call_submit(call, 5, 6, method, bytes, nullptr, 0);
    return status == STATUS_OK ? call : nullptr;
}

static uint64_t finish(struct capos_call *call)
{
    uint64_t word;
    CHECK_EQ(capos_call_wait(call), STATUS_OK);
    memcpy(&word, call->results, sizeof word);
    CHECK_EQ(capos_call_end(call, STATUS_OK), STATUS_OK);
    return word;
}

static uint64_t call_sync(uint64_t word)
{
    struct capos_call call;
    void *params = capos_call_begin_sync(&call, 8, 0, 8, 0);
    memcpy(params, &word, sizeof word);
    CHECK_EQ(capos_call_submit(&call, 5, 6, 0, 8, nullptr, 0), STATUS_OK);
    return finish(&call);
}

static void calls_complete_in_any_order(void)
{
    struct capos_call calls[3];
    start();
    hold_calls = true;
    for (unsigned i = 0; i < 3; i++)
        CHECK(begin(&calls[i], 100 + i, 0, 8) != nullptr);
    CHECK(!capos_call_is_done(&calls[0]));
    CHECK_EQ(capos_cap_enter(0, 0), 0);
    answer(&taken[2]);
    answer(&taken[0]);
    CHECK(capos_call_is_done(&calls[2]) && capos_call_is_done(&calls[0]));
    CHECK(!capos_call_is_done(&calls[1]));
    hold_calls = false;
    CHECK_EQ(call_sync(55), 55); // in the middle of others
    CHECK_EQ(finish(&calls[2]), 102);
    answer(&taken[1]);
    CHECK_EQ(finish(&calls[1]), 101);
    CHECK_EQ(finish(&calls[0]), 100);
    CHECK_EQ(thread_block.ring.units_free, units_all);
    CHECK_EQ(thread_block.ring.in_flight, 0);
}

static void calls_of_every_size_keep_their_message(void)
{
    start();
    for (uint32_t bytes = 8; bytes <= CAPOS_MESSAGE_BYTES_MAX; bytes = bytes * 2 + 8) {
        struct capos_call calls[4];
        for (unsigned i = 0; i < 4; i++)
            CHECK(begin(&calls[i], bytes * 4 + i, 0, bytes) != nullptr);
        for (unsigned i = 4; i-- > 0;)
            CHECK_EQ(finish(&calls[i]), bytes * 4 + i);
    }
    CHECK_EQ(thread_block.ring.units_free, units_all);
}

static void calls_beyond_the_queues_are_overloaded(void)
{
    struct capos_call calls[CAPOS_SQ_ENTRIES];
    unsigned count = 0;
    start();
    hold_calls = true;
    while (count < CAPOS_SQ_ENTRIES && begin(&calls[count], count, 0, 8) != nullptr)
        count++;
    CHECK_EQ(count, CAPOS_SQ_ENTRIES - 1);
    CHECK_EQ(capos_call_abandon(&calls[count], STATUS_OVERLOADED), STATUS_OVERLOADED);
    for (unsigned i = 0; i < 200; i++) // there is always room for these
        capos_release(1000 + i);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(released_count, 200);
    for (unsigned i = 0; i < count; i++)
        answer(&taken[i]);
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(finish(&calls[i]), i);
}

static void call_result_capabilities_are_taken_or_released(void)
{
    struct capos_call call;
    capos_cap_id cap;
    start();
    CHECK(begin(&call, 1, 1, 8) != nullptr);
    CHECK_EQ(capos_call_wait(&call), STATUS_OK);
    CHECK_EQ(capos_call_take(&call, 0, 8, &cap), STATUS_WRONG_INTERFACE);
    CHECK_EQ(capos_call_take(&call, 0, 7, &cap), STATUS_OK);
    CHECK_EQ(cap, 71);
    CHECK_EQ(capos_call_take(&call, 0, 7, &cap), STATUS_BAD_TRANSFER);
    CHECK_EQ(capos_call_take(&call, 2, 0, &cap), STATUS_BAD_TRANSFER);
    CHECK_EQ(capos_call_end(&call, STATUS_OK), STATUS_OK);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(released_count, 1);
    CHECK_EQ(released[0], 72);

    CHECK(begin(&call, 1, 1, 8) != nullptr);
    CHECK_EQ(capos_call_wait(&call), STATUS_OK);
    CHECK_EQ(capos_call_end(&call, STATUS_BAD_MESSAGE), STATUS_BAD_MESSAGE);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(released_count, 3);
}

static void call_exception_keeps_its_reason(void)
{
    struct capos_call call;
    start();
    CHECK(begin(&call, 1, 9, 8) != nullptr);
    CHECK_EQ(capos_call_end(&call, capos_call_wait(&call)), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(capos_last_exception()->status, STATUS_INVALID_ARGUMENT);
    CHECK(strcmp(capos_last_exception()->reason, "nine: not allowed") == 0);
    CHECK_EQ(call_sync(3), 3); // doesn't touch it
    CHECK_EQ(capos_last_exception()->reason_bytes, 17);
}

static void call_transfers_lie_behind_the_message(void)
{
    struct capos_call call;
    struct capos_transfer transfers[2] = {capos_transfer_copy(31), capos_transfer_move(32)};
    struct capos_transfer seen[2];
    start();
    CHECK(capos_call_begin(&call, 8, 2, 8, 0) != nullptr);
    CHECK_EQ(capos_call_submit(&call, 5, 6, 0, 8, transfers, 2), STATUS_OK);
    CHECK_EQ(capos_call_wait(&call), STATUS_OK);
    CHECK_EQ(taken[0].transfer_count, 2);
    memcpy(seen, params_of(&taken[0]) + 8, sizeof seen);
    CHECK_EQ(seen[0].cap, 31);
    CHECK_EQ(seen[1].how, CAPOS_TRANSFER_MOVE);
    CHECK_EQ(capos_call_end(&call, STATUS_OK), STATUS_OK);
}

// ---- Synchronous calls without capabilities -----------------------------------------

// What capos_sync_call returned; the results' first word in *word, and the buffer given back.
static int64_t sync(capos_cap_id cap, uint64_t *word, uint16_t method, uint32_t bytes)
{
    uint8_t *message = capos_sync_begin(bytes, 8);
    CHECK(message != nullptr);
    memset(message, 0, bytes);
    memcpy(message, word, sizeof *word);
    int64_t result = capos_sync_call(message, cap, 6, method, bytes);
    memcpy(word, message, sizeof *word);
    CHECK_EQ(capos_sync_end(message, STATUS_OK), STATUS_OK);
    CHECK(!thread_block.ring.sync_in_use);
    return result;
}

static void sync_results_take_the_place_of_the_params(void)
{
    start();
    for (unsigned i = 0; i < 1000; i++) { // more than the queues have entries
        uint64_t word = i;
        CHECK_EQ(sync(5, &word, 0, 8), 8);
        CHECK_EQ(word, i);
        CHECK_EQ(taken[i].opcode, CAPOS_OP_CALL);
        CHECK_EQ(taken[i].params, CAPOS_RING_MESSAGE_OFFSET);
        CHECK_EQ(taken[i].result, CAPOS_RING_MESSAGE_OFFSET);
    }
    CHECK_EQ(thread_block.ring.in_flight, 0);
}

static void sync_messages_of_every_size_arrive(void)
{
    start();
    for (uint32_t bytes = 8; bytes <= CAPOS_MESSAGE_BYTES_MAX; bytes = bytes * 2 + 8) {
        uint64_t word = bytes;
        CHECK_EQ(sync(5, &word, 0, bytes), 8);
        CHECK_EQ(word, bytes);
        CHECK_EQ(taken[taken_count - 1].params_bytes, bytes);
    }
}

static void sync_calls_within_one_another_lie_on_the_heap(void)
{
    start();
    void *outer = capos_sync_begin(8, 8);
    uint64_t word = 11;
    uint8_t *inner = capos_sync_begin(16, 16);
    CHECK(inner != nullptr && inner != outer);
    memcpy(inner, &word, sizeof word);
    CHECK_EQ(capos_sync_call(inner, 5, 6, 0, 8), 8);
    CHECK_EQ(taken[0].flags, 0);
    CHECK(memcmp(inner, &word, sizeof word) == 0);
    (void)capos_sync_end(inner, STATUS_OK);
    CHECK(thread_block.ring.sync_in_use);
    (void)capos_sync_end(outer, STATUS_OK);
    CHECK(!thread_block.ring.sync_in_use);
}

static void sync_failure_keeps_its_reason(void)
{
    uint64_t word = 1;
    start();
    CHECK_EQ(sync(5, &word, 9, 8), -(int64_t)STATUS_INVALID_ARGUMENT);
    CHECK(strcmp(capos_last_exception()->reason, "nine: not allowed") == 0);
    CHECK_EQ(thread_block.ring.in_flight, 0);
}

static void sync_capabilities_that_nobody_asked_for_are_released(void)
{
    uint64_t word = 1;
    start();
    CHECK_EQ(sync(5, &word, 1, 8), 8);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(released_count, 2);
}

static void answer_all_in_order(void)
{
    for (unsigned i = 0; i < taken_count; i++)
        answer(&taken[i]);
    on_idle = nullptr;
}

static void sync_call_waits_while_others_complete(void)
{
    struct capos_call other;
    uint64_t word = 22;
    start();
    hold_calls = true;
    CHECK(begin(&other, 21, 0, 8) != nullptr);
    on_idle = answer_all_in_order;
    CHECK_EQ(sync(5, &word, 0, 8), 8);
    CHECK_EQ(word, 22);
    CHECK_EQ(finish(&other), 21);
    CHECK_EQ(thread_block.ring.in_flight, 0);
}

static void sync_call_behind_releases_completes(void)
{
    uint64_t word = 3;
    start();
    capos_release(77);
    CHECK_EQ(sync(5, &word, 0, 8), 8);
    CHECK_EQ(released_count, 1);
    CHECK_EQ(thread_block.ring.in_flight, 0);
}

static void sync_call_on_a_promise_names_it(void)
{
    struct capos_call first;
    uint64_t word = 4;
    start();
    CHECK(capos_call_begin(&first, 8, 0, 8, 2) != nullptr);
    capos_call_promise(&first);
    CHECK_EQ(capos_call_submit(&first, 5, 6, 1, 8, nullptr, 0), STATUS_OK);
    CHECK_EQ(sync(capos_call_promised(&first, 0), &word, 0, 8), 8);
    CHECK_EQ(word, 4);
    CHECK((taken[1].flags & CAPOS_SQE_PIPELINE) != 0);
    CHECK_EQ(taken[1].cap, taken[0].user_data);
    (void)capos_call_end(&first, capos_call_wait(&first));
}

static void sync_call_without_room_is_overloaded(void)
{
    struct capos_call calls[CAPOS_SQ_ENTRIES];
    unsigned count = 0;
    uint64_t word = 1;
    start();
    hold_calls = true;
    while (count < CAPOS_SQ_ENTRIES && begin(&calls[count], count, 0, 8) != nullptr)
        count++;
    (void)capos_call_abandon(&calls[count], STATUS_OVERLOADED);
    CHECK_EQ(sync(5, &word, 0, 8), -(int64_t)STATUS_OVERLOADED);
    for (unsigned i = 0; i < count; i++)
        answer(&taken[i]);
    for (unsigned i = 0; i < count; i++)
        CHECK_EQ(finish(&calls[i]), i);
}

static void release_of_what_is_not_held_is_fatal(void)
{
    start();
    release_status = STATUS_BAD_CAPABILITY;
    capos_release(77);
    panic_text[0] = '\0';
    if (setjmp(panic_jump) == 0)
        (void)call_sync(1);
    CHECK(strstr(panic_text, "isn't held") != nullptr);
}

// ---- The server --------------------------------------------------------------------

static struct capos_server server;
static struct capos_server_call *held[4];
static unsigned held_count;
static uint64_t notice_word;

static void on_call(void *context, struct capos_server_call *call)
{
    (void)context;
    held[held_count++] = call;
    capos_loop_stop();
}

static void on_released(void *context, uint64_t word)
{
    (void)context;
    notice_word = word;
    capos_loop_stop();
}

static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                      .on_released = on_released};

// The receive of slot i, as it was last submitted.
static const struct capos_sqe *receive_of(unsigned slot)
{
    const struct capos_sqe *found = nullptr;
    for (unsigned i = 0; i < taken_count; i++)
        if ((taken[i].opcode == CAPOS_OP_RECV || taken[i].opcode == CAPOS_OP_RETURN_RECV) &&
            taken[i].user_data == ((uint64_t)&server.slots[slot] | COMPLETION_RECEIVE))
            found = &taken[i];
    CHECK(found != nullptr);
    return found;
}

static void deliver(unsigned slot, uint64_t call_id, uint64_t word, uint64_t content)
{
    const struct capos_sqe *entry = receive_of(slot);
    struct capos_recv_header receive = {
        .call_id = call_id, .word = word, .interface_id = 6, .method = 2};
    struct capos_cap_record record = {.cap = 81, .interface_id = 9};
    memcpy(result_of(entry), &receive, sizeof receive);
    memcpy(result_of(entry) + sizeof receive, &content, sizeof content);
    memcpy(result_of(entry) + sizeof receive + 8, &record, sizeof record);
    complete(entry, 0, 0, 8, 1);
    delivered = entry->user_data;
}

static void server_fresh(void)
{
    start();
    held_count = 0;
    CHECK_EQ(capos_server_start(&server, 40, &handlers, nullptr,
                                &(struct capos_server_options){.receive_count = 2}),
             STATUS_OK);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(taken_count, 2);
}

static void reply_word(struct capos_server_call *call, uint64_t word)
{
    void *reply = capos_server_reply_buffer(call, 8);
    memcpy(reply, &word, sizeof word);
    capos_server_reply(call, 8, nullptr, 0);
}

static void server_answers_later_and_in_any_order(void)
{
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    deliver(1, 501, 12, 1001);
    capos_loop_run();
    CHECK_EQ(held_count, 2);
    CHECK_EQ(held[0]->word, 11);
    CHECK_EQ(held[1]->method, 2);
    CHECK(memcmp(held[1]->params, &(uint64_t){1001}, 8) == 0);
    capos_cap_id cap;
    CHECK_EQ(capos_server_check(held[0], 0, 9), STATUS_OK);
    CHECK_EQ(capos_server_take(held[0], 0, 9, &cap), STATUS_OK);
    reply_word(held[1], 7);
    reply_word(held[0], 8);
    ring_flush(&thread_block.ring);
    // Slot 1's capability was not taken: its release comes before its answer.
    CHECK_EQ(taken[2].opcode, CAPOS_OP_RELEASE);
    CHECK_EQ(taken[2].cap, 81);
    CHECK_EQ(taken[3].opcode, CAPOS_OP_RETURN_RECV);
    CHECK_EQ(taken[3].call_id, 501);
    CHECK(memcmp(params_of(&taken[3]), &(uint64_t){7}, 8) == 0);
    CHECK_EQ(taken[4].call_id, 500);
    CHECK_EQ(taken_count, 5);
    CHECK_EQ(thread_block.ring.reserved, 0);
    CHECK_EQ(thread_block.ring.in_flight, 2);
}

static void server_detached_call_frees_its_slot(void)
{
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    struct capos_server_call *detached = capos_server_detach(held[0]);
    CHECK(detached != nullptr);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(receive_of(0)->opcode, CAPOS_OP_RECV);
    capos_server_fail(detached, STATUS_FAILED, "no");
    (void)capos_cap_enter(0, 0);
    const struct capos_sqe *last = &taken[taken_count - 1];
    CHECK_EQ(last->opcode, CAPOS_OP_RETURN);
    CHECK_EQ(last->call_id, 500);
    CHECK_EQ(last->flags & CAPOS_SQE_EXCEPTION, CAPOS_SQE_EXCEPTION);
    CHECK_EQ(last->method, STATUS_FAILED);
    ring_consume(&thread_block.ring); // frees it
}

static void server_large_answers_go_by_the_heap(void)
{
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    uint8_t *reply = capos_server_reply_buffer(held[0], 50000);
    memset(reply, 0x77, 50000);
    capos_server_reply(held[0], 50000, nullptr, 0);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(receive_of(0)->params_bytes, 50000);
    CHECK_EQ(receive_of(0)->flags & CAPOS_SQE_PARAMS_IN_RING, 0);
    free(server.slots[0].reply_buffer);
}

static void server_answer_to_a_dead_client_keeps_nothing(void)
{
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    struct capos_transfer transfers[2] = {capos_transfer_copy(91), capos_transfer_move(92)};
    CHECK(capos_server_reply_buffer(held[0], 8) != nullptr);
    capos_server_reply(held[0], 8, transfers, 2);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(released_count, 1); // what came with the call
    CHECK_EQ(taken[taken_count - 1].opcode, CAPOS_OP_RETURN_RECV);
    const struct capos_transfer *sent = (const void *)(params_of(&taken[taken_count - 1]) + 8);
    CHECK_EQ(sent[0].how, CAPOS_TRANSFER_COPY);
    CHECK_EQ(sent[1].how, CAPOS_TRANSFER_GIVE);
    complete(receive_of(0), -(int32_t)STATUS_NOT_FOUND, 0, 0, 0);
    capos_loop_step(true);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(released_count, 2); // what was to be moved
    CHECK_EQ(released[1], 92);
    CHECK_EQ(receive_of(0)->opcode, CAPOS_OP_RECV);
}

static void server_release_of_what_was_moved_is_no_error(void)
{
    capos_cap_id cap;
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    CHECK_EQ(capos_server_take(held[0], 0, 0, &cap), STATUS_OK);
    struct capos_transfer transfer = capos_transfer_move(cap);
    CHECK(capos_server_reply_buffer(held[0], 8) != nullptr);
    capos_server_reply(held[0], 8, &transfer, 1);
    (void)capos_cap_enter(0, 0);
    complete(receive_of(0), -(int32_t)STATUS_BAD_ADDRESS, 0, 0, 0);
    capos_loop_step(true);
    release_status = STATUS_BAD_CAPABILITY; // such an answer has taken it already
    CHECK_EQ(call_sync(4), 4);
    CHECK_EQ(released[0], 81);
}

static void server_refuses_for_an_answer_that_can_not_be_given(void)
{
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    struct capos_transfer transfer = capos_transfer_copy(12345);
    CHECK(capos_server_reply_buffer(held[0], 8) != nullptr);
    capos_server_reply(held[0], 8, &transfer, 1);
    (void)capos_cap_enter(0, 0);
    complete(receive_of(0), -(int32_t)STATUS_BAD_CAPABILITY, 0, 0, 0);
    capos_loop_step(true);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(receive_of(0)->flags & CAPOS_SQE_EXCEPTION, CAPOS_SQE_EXCEPTION);
    CHECK_EQ(receive_of(0)->call_id, 500);
}

static void server_that_loses_its_endpoint_rests(void)
{
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    reply_word(held[0], 1);
    (void)capos_cap_enter(0, 0);
    unsigned count = taken_count;
    for (unsigned i = 0; i < 2; i++)
        complete(receive_of(i), -(int32_t)STATUS_DISCONNECTED, 0, 0, 0);
    capos_loop_run();
    CHECK_EQ(taken_count, count);
    CHECK_EQ(thread_block.ring.in_flight, 0);
    CHECK_EQ(thread_block.ring.reserved, 0);
}

static void server_stop_gives_everything_back(void)
{
    server_fresh();
    deliver(0, 500, 11, 1000);
    capos_loop_run();
    reply_word(held[0], 1);
    (void)capos_cap_enter(0, 0);
    deliver(1, 501, 12, 1001); // comes too late
    capos_server_stop(&server);
    const struct capos_sqe *last = &taken[taken_count - 1];
    CHECK_EQ(last->opcode, CAPOS_OP_RETURN);
    CHECK_EQ(last->call_id, 501);
    CHECK_EQ(last->method, STATUS_DISCONNECTED);
    CHECK_EQ(held_count, 1);
    CHECK_EQ(thread_block.ring.in_flight, 0);
    CHECK_EQ(thread_block.ring.reserved, 0);
    CHECK_EQ(thread_block.ring.units_free, units_all);
}

static void server_is_told_of_released_objects(void)
{
    server_fresh();
    const struct capos_sqe *entry = receive_of(1);
    memcpy(result_of(entry), &(struct capos_recv_header){.word = 99}, 32);
    complete(entry, 0, CAPOS_CQE_RELEASED, 0, 0);
    capos_loop_run();
    CHECK_EQ(notice_word, 99);
    CHECK_EQ(held_count, 0);
}

// ---- Promises ----------------------------------------------------------------------

// Begins a call on a capability, as one that others may build on.
static void begin_promised(struct capos_call *call, capos_cap_id cap)
{
    CHECK(capos_call_begin(call, 8, 0, 8, 1) != nullptr);
    capos_call_promise(call);
    CHECK_EQ(capos_call_submit(call, cap, 6, 1, 8, nullptr, 0), STATUS_OK);
}

static uint32_t waited_for; // by the last cap_enter that had to wait

static void answer_all(void)
{
    waited_for = last_min_complete;
    for (unsigned i = 0; i < taken_count; i++)
        if (taken[i].opcode == CAPOS_OP_CALL)
            answer(&taken[i]);
    on_idle = nullptr;
}

static void calls_on_promises_name_the_call_and_wait_for_all_at_once(void)
{
    struct capos_call calls[3];
    start();
    hold_calls = true;
    begin_promised(&calls[0], 5);
    begin_promised(&calls[1], capos_call_promised(&calls[0], 0));
    CHECK(capos_call_begin(&calls[2], 8, 0, 8, 2) != nullptr);
    CHECK_EQ(
        capos_call_submit(&calls[2], capos_call_promised(&calls[1], 3), 6, 1, 8, nullptr, 0),
        STATUS_OK);
    on_idle = answer_all;
    CHECK_EQ(capos_call_wait(&calls[2]), STATUS_OK);
    CHECK_EQ(waited_for, 3);
    CHECK_EQ(taken[0].flags & (CAPOS_SQE_PROMISE | CAPOS_SQE_PIPELINE), CAPOS_SQE_PROMISE);
    CHECK_EQ(taken[1].flags & (CAPOS_SQE_PROMISE | CAPOS_SQE_PIPELINE),
             CAPOS_SQE_PROMISE | CAPOS_SQE_PIPELINE);
    CHECK_EQ(taken[1].cap, taken[0].user_data);
    CHECK_EQ(taken[1].result_index, 0);
    CHECK_EQ(taken[2].flags & (CAPOS_SQE_PROMISE | CAPOS_SQE_PIPELINE), CAPOS_SQE_PIPELINE);
    CHECK_EQ(taken[2].cap, taken[1].user_data);
    CHECK_EQ(taken[2].result_index, 3);
    // One is kept, by the mask of a FINISH; of an ordinary call the rest is released.
    capos_cap_id cap;
    CHECK_EQ(capos_call_wait(&calls[1]), STATUS_OK);
    CHECK_EQ(capos_call_take(&calls[1], 1, 8, &cap), STATUS_OK);
    for (unsigned i = 0; i < 3; i++)
        (void)capos_call_end(&calls[i], STATUS_OK);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(taken[3].opcode, CAPOS_OP_FINISH);
    CHECK_EQ(taken[3].call_id, taken[0].user_data);
    CHECK_EQ(taken[3].method, 0);
    CHECK_EQ(taken[4].opcode, CAPOS_OP_FINISH);
    CHECK_EQ(taken[4].method, 2);
    CHECK_EQ(released_count, 2);
    CHECK(thread_block.ring.promise_first == nullptr);
}

static void only_completions_to_come_are_waited_for(void)
{
    struct capos_call calls[3];
    start();
    begin_promised(&calls[0], 5);
    CHECK_EQ(capos_call_wait(&calls[0]), STATUS_OK);
    hold_calls = true;
    taken_count = 0;
    begin_promised(&calls[1], capos_call_promised(&calls[0], 0));
    begin_promised(&calls[2], capos_call_promised(&calls[1], 0));
    (void)capos_call_end(&calls[0], STATUS_OK);
    memset(&calls[0], 0xa5, sizeof calls[0]);
    on_idle = answer_all;
    CHECK_EQ(capos_call_wait(&calls[2]), STATUS_OK);
    CHECK_EQ(waited_for, 2);
    (void)capos_call_end(&calls[2], STATUS_OK);
    (void)capos_call_end(&calls[1], STATUS_OK);
    ring_flush(&thread_block.ring);
    CHECK_EQ(thread_block.ring.in_flight, 0);
}

static void a_promise_that_is_not_submitted_is_forgotten(void)
{
    struct capos_call call;
    start();
    CHECK(capos_call_begin(&call, 8, 0, 8, 1) != nullptr);
    capos_call_promise(&call);
    (void)capos_call_abandon(&call, STATUS_BAD_MESSAGE);
    CHECK(thread_block.ring.promise_first == nullptr);
    (void)capos_cap_enter(0, 0);
    CHECK_EQ(taken_count, 0);
}

// ---- The loop ----------------------------------------------------------------------

static unsigned told[4], told_count;

static void on_done(struct capos_call *call, void *context)
{
    told[told_count++] = *(unsigned *)context;
    CHECK_EQ(call_sync(1), 1); // a callback may call
    (void)finish(call);
    if (told_count == 3)
        capos_loop_stop();
}

static void answer_second_and_third(void)
{
    answer(&taken[2]);
    answer(&taken[1]);
    on_idle = nullptr;
}

static void loop_tells_in_the_order_of_completion(void)
{
    static unsigned names[3] = {0, 1, 2};
    struct capos_call calls[3];
    start();
    told_count = 0;
    CHECK(begin(&calls[0], 0, 0, 8) != nullptr);
    CHECK_EQ(capos_call_wait(&calls[0]), STATUS_OK); // done before it is watched
    hold_calls = true;
    for (unsigned i = 1; i < 3; i++)
        CHECK(begin(&calls[i], i, 0, 8) != nullptr);
    (void)capos_cap_enter(0, 0);
    hold_calls = false;
    for (unsigned i = 0; i < 3; i++)
        capos_call_on_done(&calls[i], on_done, &names[i]);
    on_idle = answer_second_and_third;
    capos_loop_run();
    CHECK_EQ(told_count, 3);
    CHECK(told[0] == 0 && told[1] == 2 && told[2] == 1);
}

static void loop_does_not_tell_of_a_call_that_was_waited_for(void)
{
    static unsigned names[2] = {0, 1};
    struct capos_call calls[2];
    start();
    told_count = 0;
    for (unsigned i = 0; i < 2; i++) {
        CHECK(begin(&calls[i], i, 0, 8) != nullptr);
        capos_call_on_done(&calls[i], on_done, &names[i]);
    }
    (void)finish(&calls[1]); // both have completed by now
    (void)finish(&calls[0]);
    memset(calls, 0xa5, sizeof calls); // what a stale entry in the list would lead to
    capos_loop_run();
    CHECK_EQ(told_count, 0);
}

static void loop_with_nothing_to_wait_for_returns(void)
{
    start();
    capos_loop_run();
    CHECK_EQ(thread_block.ring.in_flight, 0);
}

int main(void)
{
    start();
    units_all = thread_block.ring.units_free;
    RUN(calls_complete_in_any_order);
    RUN(calls_of_every_size_keep_their_message);
    RUN(calls_beyond_the_queues_are_overloaded);
    RUN(call_result_capabilities_are_taken_or_released);
    RUN(call_exception_keeps_its_reason);
    RUN(call_transfers_lie_behind_the_message);
    RUN(sync_results_take_the_place_of_the_params);
    RUN(sync_messages_of_every_size_arrive);
    RUN(sync_calls_within_one_another_lie_on_the_heap);
    RUN(sync_failure_keeps_its_reason);
    RUN(sync_capabilities_that_nobody_asked_for_are_released);
    RUN(sync_call_waits_while_others_complete);
    RUN(sync_call_behind_releases_completes);
    RUN(sync_call_on_a_promise_names_it);
    RUN(sync_call_without_room_is_overloaded);
    RUN(release_of_what_is_not_held_is_fatal);
    RUN(server_answers_later_and_in_any_order);
    RUN(server_detached_call_frees_its_slot);
    RUN(server_large_answers_go_by_the_heap);
    RUN(server_answer_to_a_dead_client_keeps_nothing);
    RUN(server_release_of_what_was_moved_is_no_error);
    RUN(server_refuses_for_an_answer_that_can_not_be_given);
    RUN(server_that_loses_its_endpoint_rests);
    RUN(server_stop_gives_everything_back);
    RUN(server_is_told_of_released_objects);
    RUN(calls_on_promises_name_the_call_and_wait_for_all_at_once);
    RUN(only_completions_to_come_are_waited_for);
    RUN(a_promise_that_is_not_submitted_is_forgotten);
    RUN(loop_tells_in_the_order_of_completion);
    RUN(loop_does_not_tell_of_a_call_that_was_waited_for);
    RUN(loop_with_nothing_to_wait_for_returns);
    free(thread_block.ring.spare);
    return test_report();
}
