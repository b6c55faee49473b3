// SPDX-License-Identifier: MIT
// Tests of kernel/ipc/call_trace.c: what is recorded, and that neither the traced process
// nor a hostile consumer gets anything out of it.
#include "core_test.h"

#include <abi/trace.h>
#include <gen/wire/endpoint.h>
#include <gen/wire/errors.h>
#include <gen/wire/notification.h>
#include <gen/wire/process.h>
#include <gen/wire/timer.h>
#include <kernel/mm/memory_object.h>
#include <kernel/object/objects.h>
#include <kernel/upcall.h>

constexpr uint64_t CHILD_MEMORY = 0x10000000;
constexpr uint64_t DATA_BYTES = 4096;
constexpr uint64_t ID_ECHO = 0x1234567890abcdef;

static struct actor *parent, *child;
static capos_cap_id spawner, budget, builder, buffer, notification, clock_cap;
static struct memory_object *memory; // the buffer
static uint64_t consumed;

// ---- Building -----------------------------------------------------------------------

static struct capos_cqe create_builder(void)
{
    struct capos_transfer transfer = {.cap = budget};
    struct actor_call call =
        call_of(spawner, INTERFACE_PROCESS_SPAWNER, PROCESS_SPAWNER_METHOD_CREATE);
    WITH(&call, process_spawner_create_params, .name = {"child", 5}, .budget = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    return actor_call(parent, &call);
}

static void make_parent(void)
{
    parent = actor_create("parent");
    spawner = actor_give(parent, process_spawner_object());
    budget = actor_give(parent, &parent->budget->object);
    memory = memory_object_create(parent->budget, CAPOS_TRACE_HEADER_BYTES + DATA_BYTES);
    buffer = actor_give_own(parent, memory_object_as_object(memory), CAPOS_HOLD_COPY);
    notification = actor_give_own(parent, notification_create(parent->budget), CAPOS_HOLD_COPY);
    struct capos_cqe cqe = create_builder();
    CHECK_EQ(cqe.result, 0);
    builder = actor_result_cap(parent, 0, &cqe, 0);
    consumed = 0;
}

static struct capos_cqe attach(capos_cap_id object, uint64_t bits, uint32_t capture_bytes)
{
    struct capos_transfer transfers[] = {{.cap = object}, {.cap = notification}};
    struct actor_call call =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_TRACE);
    WITH(&call, process_builder_trace_params, .buffer = 0, .notification = 1, .bits = bits,
         .capture_bytes = capture_bytes);
    call.transfers = transfers;
    call.transfer_count = 2;
    return actor_call(parent, &call);
}

static void grant(const char *name, struct object *object)
{
    struct capos_transfer transfer = {.cap = actor_give(parent, object)};
    struct actor_call call =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_GRANT);
    WITH(&call, process_builder_grant_params, .name = {name, (uint32_t)strlen(name)},
         .capability = 0);
    call.transfers = &transfer;
    call.transfer_count = 1;
    CHECK_EQ(actor_call(parent, &call).result, 0);
}

static void start_child(void)
{
    struct actor_call commit =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_COMMIT);
    WITH(&commit, process_builder_commit_params, .address = CHILD_MEMORY,
         .length_bytes = ACTOR_MEMORY_BYTES, .protection = PROTECTION_READ_WRITE);
    CHECK_EQ(actor_call(parent, &commit).result, 0);
    struct actor_call start =
        call_of(builder, INTERFACE_PROCESS_BUILDER, PROCESS_BUILDER_METHOD_START);
    WITH(&start, process_builder_start_params, .entry = CHILD_MEMORY,
         .stack_pointer = CHILD_MEMORY + 4096);
    struct capos_cqe cqe = actor_call(parent, &start);
    CHECK_EQ(cqe.result, 0);
    struct object *handle = actor_object(parent, actor_result_cap(parent, 0, &cqe, 0));
    child = actor_adopt(container_of(handle, struct process, object), CHILD_MEMORY);
    clock_cap = child->process->capset->entries[0].cap;
}

// A traced child with a timer called "clock".
static void make_child(uint32_t capture_bytes)
{
    make_parent();
    CHECK_EQ(attach(buffer, 4, capture_bytes).result, 0);
    grant("clock", timer_object());
    start_child();
}

// ---- The child's calls --------------------------------------------------------------

static struct capos_cqe timer_call(uint16_t method)
{
    struct actor_call call = call_of(clock_cap, INTERFACE_TIMER, method);
    return actor_call(child, &call);
}

// ---- Consuming ----------------------------------------------------------------------

static struct capos_trace_header *header(void)
{
    return arch_frame_pointer(memory_object_frame(memory, 0));
}

static uint8_t ring_byte(uint64_t position)
{
    uint8_t *data = arch_frame_pointer(memory_object_frame(memory, CAPOS_TRACE_HEADER_BYTES));
    return data[position % DATA_BYTES];
}

struct consumed_record {
    struct capos_trace_record record;
    uint8_t captured[CAPOS_TRACE_CAPTURE_BYTES_MAX + 8];
};

// Takes the next record, which must be there.
static struct consumed_record next(void)
{
    alignas(8) struct consumed_record taken = {};
    CHECK(header()->write_bytes - consumed >= sizeof taken.record);
    for (uint64_t i = 0; i < sizeof taken.record; i++)
        ((uint8_t *)&taken.record)[i] = ring_byte(consumed + i);
    CHECK(taken.record.size_bytes % 8 == 0 && taken.record.size_bytes <= sizeof taken);
    CHECK(header()->write_bytes - consumed >= taken.record.size_bytes);
    for (uint64_t i = sizeof taken.record; i < taken.record.size_bytes; i++)
        ((uint8_t *)&taken)[i] = ring_byte(consumed + i);
    consumed += taken.record.size_bytes;
    return taken;
}

static struct capos_trace_record next_of(enum capos_trace_kind kind)
{
    struct capos_trace_record record = next().record;
    CHECK_EQ(record.kind, kind);
    return record;
}

static void acknowledge(void)
{
    header()->read_bytes = consumed;
}

static void skip_start(void)
{
    (void)next_of(CAPOS_TRACE_PROCESS);
    (void)next_of(CAPOS_TRACE_GRANT);
    acknowledge();
}

// ---- What is recorded ---------------------------------------------------------------

CORE_TEST(a_trace_begins_with_the_name_and_the_grants)
{
    make_child(64);
    CHECK_EQ(header()->magic, CAPOS_TRACE_MAGIC);
    CHECK_EQ(header()->data_bytes, DATA_BYTES);
    struct consumed_record process = next();
    CHECK_EQ(process.record.kind, CAPOS_TRACE_PROCESS);
    CHECK_EQ(process.record.id, child->process->id);
    CHECK_EQ(process.record.captured_bytes, 5);
    CHECK(memcmp(process.captured, "child", 5) == 0);
    struct consumed_record given = next();
    CHECK_EQ(given.record.kind, CAPOS_TRACE_GRANT);
    CHECK_EQ(given.record.interface_id, INTERFACE_TIMER);
    CHECK_EQ(given.record.cap, clock_cap);
    CHECK(memcmp(given.captured, "clock", 5) == 0);
    CHECK_EQ(header()->write_bytes, consumed);
}

CORE_TEST(a_call_is_recorded_with_its_message_and_its_results)
{
    make_child(64);
    skip_start();
    CHECK_EQ(timer_call(TIMER_METHOD_NOW).result, 0);
    struct capos_trace_record call = next_of(CAPOS_TRACE_CALL);
    CHECK_EQ(call.id, 1);
    CHECK_EQ(call.interface_id, INTERFACE_TIMER);
    CHECK_EQ(call.method, TIMER_METHOD_NOW);
    CHECK_EQ(call.cap, clock_cap);
    CHECK_EQ(call.thread_id, 1);
    struct consumed_record done = next();
    CHECK_EQ(done.record.thread_id, 1);
    CHECK_EQ(done.record.kind, CAPOS_TRACE_COMPLETE);
    CHECK_EQ(done.record.id, 1);
    CHECK_EQ(done.record.result, 0);
    CHECK(done.record.time_ns >= call.time_ns);
    struct timer_now_results results;
    CHECK_EQ(timer_now_results_decode(done.captured, done.record.captured_bytes, &results),
             STATUS_OK);
}

CORE_TEST(a_refused_call_is_recorded_with_its_exception)
{
    make_child(512);
    skip_start();
    CHECK_STATUS(timer_call(77).result, STATUS_UNIMPLEMENTED);
    CHECK_EQ(next_of(CAPOS_TRACE_CALL).method, 77);
    struct consumed_record done = next();
    CHECK_STATUS(done.record.result, STATUS_UNIMPLEMENTED);
    CHECK_EQ(done.record.flags, CAPOS_CQE_EXCEPTION);
    struct cap_exception exception;
    CHECK_EQ(cap_exception_decode(done.captured, done.record.captured_bytes, &exception),
             STATUS_OK);
    CHECK_EQ(exception.type, EXCEPTION_TYPE_UNIMPLEMENTED);
}

CORE_TEST(a_release_is_recorded_with_the_interface_of_what_it_gives_up)
{
    make_child(0);
    skip_start();
    CHECK_EQ(actor_release(child, clock_cap), 0);
    struct capos_trace_record release = next_of(CAPOS_TRACE_RELEASE);
    CHECK_EQ(release.interface_id, INTERFACE_TIMER);
    CHECK_EQ(next_of(CAPOS_TRACE_COMPLETE).id, release.id);
    CHECK_STATUS(actor_release(child, clock_cap), STATUS_BAD_CAPABILITY);
    CHECK_EQ(next_of(CAPOS_TRACE_RELEASE).interface_id, 0);
    CHECK_STATUS(next_of(CAPOS_TRACE_COMPLETE).result, STATUS_BAD_CAPABILITY);
}

CORE_TEST(no_more_of_a_message_is_captured_than_was_asked_for)
{
    make_child(8);
    skip_start();
    struct actor_call call = call_of(clock_cap, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&call, timer_sleep_params, .duration_ns = 0);
    (void)actor_call(child, &call);
    struct capos_trace_record record = next_of(CAPOS_TRACE_CALL);
    CHECK_EQ(record.captured_bytes, 8);
    CHECK_EQ(record.message_bytes, call.params_bytes);
    CHECK_EQ(record.size_bytes, sizeof record + 8);
}

CORE_TEST(a_message_that_cannot_be_read_is_recorded_without_its_bytes)
{
    make_child(64);
    skip_start();
    actor_push(child, &(struct capos_sqe){
                          .opcode = CAPOS_OP_CALL,
                          .cap = clock_cap,
                          .interface_id = INTERFACE_TIMER,
                          .params = UINT64_C(0x666000),
                          .params_bytes = 16,
                          .transfer_count = 3,
                      });
    CHECK_EQ(actor_enter(child, 1, CAPOS_FOREVER), 1);
    CHECK(take(child).result < 0);
    struct capos_trace_record record = next_of(CAPOS_TRACE_CALL);
    CHECK_EQ(record.captured_bytes, 0);
    CHECK_EQ(record.message_bytes, 16);
    CHECK(next_of(CAPOS_TRACE_COMPLETE).result < 0);
}

// ---- Calls that complete later ------------------------------------------------------

static void submit_sleep(unsigned slot, uint64_t duration_ns)
{
    struct actor_call call = call_of(clock_cap, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&call, timer_sleep_params, .duration_ns = duration_ns);
    actor_submit_call(child, slot, &call);
}

CORE_TEST(a_call_that_is_cancelled_has_its_completion)
{
    make_child(0);
    skip_start();
    submit_sleep(1, 1000000);
    uint64_t id = next_of(CAPOS_TRACE_CALL).id;
    CHECK_EQ(header()->write_bytes, consumed);
    actor_push_simple(child, 2, CAPOS_OP_CANCEL, 0, 1);
    CHECK(actor_enter(child, 0, 0) >= 1);
    struct capos_trace_record cancel = next_of(CAPOS_TRACE_OPERATION);
    CHECK_EQ(cancel.method, CAPOS_OP_CANCEL);
    struct capos_trace_record done = next_of(CAPOS_TRACE_COMPLETE);
    CHECK_EQ(done.id, id);
    CHECK_STATUS(done.result, STATUS_CANCELLED);
    CHECK_EQ(next_of(CAPOS_TRACE_COMPLETE).id, cancel.id);
    CHECK_EQ(header()->write_bytes, consumed);
    (void)take(child);
    (void)take(child);
}

CORE_TEST(a_call_on_a_server_is_recorded_with_the_answer)
{
    make_parent();
    struct object *endpoint = endpoint_create(parent->budget, 4);
    capos_cap_id served = actor_give_own(parent, endpoint, CAPOS_HOLD_COPY);
    struct actor_call mint = call_of(served, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint, endpoint_mint_params, .interface_id = ID_ECHO, .word = 7);
    struct capos_cqe cqe = actor_call(parent, &mint);
    struct object *minted = actor_object(parent, actor_result_cap(parent, 0, &cqe, 0));
    CHECK_EQ(attach(buffer, 4, 64).result, 0);
    grant("echo", minted);
    start_child();
    skip_start();

    static const alignas(8) uint64_t question = 41;
    static const alignas(8) uint64_t answer = 42;
    actor_submit_receive(parent, 1, served);
    actor_submit_call(child, 3,
                      &(struct actor_call){.cap = clock_cap,
                                           .interface_id = ID_ECHO,
                                           .method = 5,
                                           .params = &question,
                                           .params_bytes = 8});
    struct consumed_record call = next();
    CHECK_EQ(call.record.method, 5);
    CHECK_EQ(call.captured[0], 41);
    CHECK_EQ(header()->write_bytes, consumed); // what the server receives isn't the child's
    CHECK_EQ(take(parent).result, 0);
    struct actor_call reply = {.cap = served,
                               .interface_id = actor_received(parent, 1).call_id,
                               .params = &answer,
                               .params_bytes = 8};
    CHECK_EQ(actor_return(parent, &reply), 0);
    struct consumed_record done = next();
    CHECK_EQ(done.record.id, call.record.id);
    CHECK_EQ(done.record.result, 0);
    CHECK_EQ(done.captured[0], 42);
    CHECK_EQ(take(child).result, 0);
}

// ---- A traced server ----------------------------------------------------------------

static capos_cap_id served, client_cap;
static struct object *minted_object;

// A traced child that holds an Endpoint; the parent holds an object of it, minted with 7.
static void make_server(void)
{
    make_parent();
    struct object *endpoint = endpoint_create(parent->budget, 4);
    capos_cap_id own = actor_give_own(parent, endpoint, CAPOS_HOLD_COPY);
    struct actor_call mint = call_of(own, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&mint, endpoint_mint_params, .interface_id = ID_ECHO, .word = 7);
    struct capos_cqe cqe = actor_call(parent, &mint);
    client_cap = actor_result_cap(parent, 0, &cqe, 0);
    minted_object = actor_object(parent, client_cap);
    CHECK_EQ(attach(buffer, 4, 64).result, 0);
    grant("endpoint", endpoint);
    start_child();
    skip_start();
    served = clock_cap; // the child's only grant
    CHECK_EQ(actor_release(parent, own), 0);
}

static const alignas(8) uint64_t question = 41;
static const alignas(8) uint64_t answer = 42;

static void ask(void)
{
    actor_submit_call(parent, 3,
                      &(struct actor_call){.cap = client_cap,
                                           .interface_id = ID_ECHO,
                                           .method = 5,
                                           .params = &question,
                                           .params_bytes = 8});
}

static void check_received(struct consumed_record received)
{
    CHECK_EQ(received.record.kind, CAPOS_TRACE_RECEIVED);
    CHECK_EQ(received.record.cap, 7);
    CHECK_EQ(received.record.interface_id, ID_ECHO);
    CHECK_EQ(received.record.method, 5);
    CHECK_EQ(received.record.message_bytes, 8);
    CHECK_EQ(received.record.captured_bytes, 8);
    CHECK_EQ(received.captured[0], 41);
}

CORE_TEST(a_server_is_recorded_with_what_it_receives_and_answers)
{
    make_server();
    actor_submit_receive(child, 1, served); // waits; the call comes to it
    CHECK_EQ(header()->write_bytes, consumed);
    ask();
    struct consumed_record received = next();
    check_received(received);
    CHECK_EQ(take(child).result, 0);
    struct actor_call reply = {.cap = served,
                               .interface_id = received.record.id,
                               .params = &answer,
                               .params_bytes = 8};
    CHECK_EQ(actor_return(child, &reply), 0);
    CHECK_EQ(take(parent).result, 0);
    struct consumed_record returned = next();
    CHECK_EQ(returned.record.kind, CAPOS_TRACE_RETURNED);
    CHECK_EQ(returned.record.id, received.record.id);
    CHECK_EQ(returned.record.result, 0);
    CHECK_EQ(returned.record.method, 0);
    CHECK_EQ(returned.captured[0], 42);
    ask(); // waits for a receive
    CHECK_EQ(header()->write_bytes, consumed);
    actor_submit_receive(child, 1, served);
    CHECK_EQ(take(child).result, 0);
    received = next();
    check_received(received);
    reply.interface_id = received.record.id;
    CHECK_EQ(actor_return(child, &reply), 0);
    CHECK_EQ(next_of(CAPOS_TRACE_RETURNED).id, received.record.id);
    CHECK_EQ(header()->write_bytes, consumed);
}

// The messages lie in the rings, one submission each: untraced, that is the short way.
CORE_TEST(a_server_is_recorded_where_the_short_way_would_serve)
{
    make_server();
    actor_push(child, &(struct capos_sqe){.opcode = CAPOS_OP_RECV,
                                          .flags = CAPOS_SQE_RESULT_IN_RING,
                                          .cap = served,
                                          .result = CAPOS_RING_MESSAGE_OFFSET,
                                          .result_bytes_max = 256});
    CHECK_EQ(actor_enter(child, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    actor_push(parent,
               &(struct capos_sqe){.opcode = CAPOS_OP_CALL,
                                   .flags = CAPOS_SQE_PARAMS_IN_RING | CAPOS_SQE_RESULT_IN_RING,
                                   .method = 5,
                                   .cap = client_cap,
                                   .interface_id = ID_ECHO,
                                   .params = CAPOS_RING_MESSAGE_OFFSET,
                                   .result = CAPOS_RING_MESSAGE_OFFSET + 256,
                                   .result_bytes_max = 256});
    (void)actor_enter(parent, 1, CAPOS_FOREVER);
    CHECK_EQ(next_of(CAPOS_TRACE_RECEIVED).cap, 7);
    CHECK_EQ(take(child).result, 0);
}

CORE_TEST(an_answer_that_does_not_go_is_recorded_as_such)
{
    make_server();
    struct actor_call reply = {.cap = served, .interface_id = 1234};
    CHECK_STATUS(actor_return(child, &reply), STATUS_NOT_FOUND);
    CHECK_STATUS(next_of(CAPOS_TRACE_RETURNED).result, STATUS_NOT_FOUND);
    CHECK_EQ(header()->write_bytes, consumed);
}

CORE_TEST(a_release_notice_is_recorded_with_the_word)
{
    make_server();
    actor_submit_receive(child, 1, served);
    CHECK_EQ(actor_release(parent, client_cap), 0);
    struct capos_trace_record released = next_of(CAPOS_TRACE_RELEASED);
    CHECK_EQ(released.cap, 7);
    CHECK_EQ(released.interface_id, ID_ECHO);
    CHECK_EQ(take(child).flags, CAPOS_CQE_RELEASED);
}

CORE_TEST(a_refused_receive_is_recorded_as_an_operation)
{
    make_server();
    actor_push_receive(child, 1, 99); // no such capability
    CHECK_EQ(actor_enter(child, 1, CAPOS_FOREVER), 1);
    struct capos_trace_record operation = next_of(CAPOS_TRACE_OPERATION);
    CHECK_EQ(operation.method, CAPOS_OP_RECV);
    CHECK_STATUS(next_of(CAPOS_TRACE_COMPLETE).result, STATUS_BAD_CAPABILITY);
    CHECK_STATUS(take(child).result, STATUS_BAD_CAPABILITY);
}

CORE_TEST(an_opcode_that_the_kernel_does_not_know_is_recorded_by_its_number)
{
    make_child(0);
    skip_start();
    actor_push(child, &(struct capos_sqe){.opcode = 200, .cap = 5});
    CHECK_EQ(actor_enter(child, 1, CAPOS_FOREVER), 1);
    struct capos_trace_record operation = next_of(CAPOS_TRACE_OPERATION);
    CHECK_EQ(operation.method, 200);
    struct capos_trace_record done = next_of(CAPOS_TRACE_COMPLETE);
    CHECK_EQ(done.id, operation.id);
    CHECK_STATUS(done.result, STATUS_BAD_OPCODE);
    CHECK_STATUS(take(child).result, STATUS_BAD_OPCODE);
}

// ---- The consumer -------------------------------------------------------------------

static void submit_wait(unsigned slot)
{
    struct actor_call call =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&call, notification_wait_params, .mask = UINT64_MAX);
    actor_submit_call(parent, slot, &call);
}

CORE_TEST(the_parent_is_told_once_until_it_has_consumed_all)
{
    make_child(0);
    submit_wait(1); // of the start
    CHECK_EQ(take(parent).result, 0);
    submit_wait(1);
    (void)timer_call(TIMER_METHOD_NOW);
    CHECK(nothing_completed(parent));
    consumed = header()->write_bytes;
    acknowledge();
    (void)timer_call(TIMER_METHOD_NOW);
    struct capos_cqe cqe = take(parent);
    struct notification_wait_results results;
    RESULTS(parent, 1, cqe, notification_wait_results, &results);
    CHECK_EQ(results.bits, 4);
}

CORE_TEST(a_full_ring_drops_and_counts_and_the_program_goes_on)
{
    make_child(0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(timer_call(TIMER_METHOD_NOW).result, 0);
    CHECK(header()->write_bytes <= DATA_BYTES);
    uint64_t dropped = header()->dropped_count;
    CHECK(dropped > 100);
    while (consumed < header()->write_bytes)
        CHECK(next().record.kind != CAPOS_TRACE_LOST);
    acknowledge();
    CHECK_EQ(timer_call(TIMER_METHOD_NOW).result, 0);
    CHECK_EQ(next_of(CAPOS_TRACE_LOST).id, dropped);
    CHECK_EQ(next_of(CAPOS_TRACE_CALL).id, 101);
    CHECK_EQ(next_of(CAPOS_TRACE_COMPLETE).id, 101);
    CHECK_EQ(header()->dropped_count, dropped);
}

CORE_TEST(a_consumer_that_lies_loses_its_own_records_only)
{
    static const uint64_t lies[] = {1, 57, UINT64_C(1) << 63, -(DATA_BYTES + 8)};
    make_child(0);
    consumed = header()->write_bytes;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        header()->read_bytes = consumed + lies[i];
        CHECK_EQ(timer_call(TIMER_METHOD_NOW).result, 0);
        CHECK_EQ(header()->write_bytes, consumed);
    }
    CHECK_EQ(header()->dropped_count, 2 * sizeof lies / sizeof lies[0]);
    // What else it writes to the header means nothing.
    acknowledge();
    header()->data_bytes = UINT64_MAX;
    header()->write_bytes = UINT64_MAX;
    header()->dropped_count = 0;
    CHECK_EQ(timer_call(TIMER_METHOD_NOW).result, 0);
    (void)next_of(CAPOS_TRACE_LOST);
    (void)next_of(CAPOS_TRACE_CALL);
    (void)next_of(CAPOS_TRACE_COMPLETE);
}

CORE_TEST(records_wrap_around_the_end_of_the_ring)
{
    make_child(0);
    skip_start();
    for (uint64_t i = 1; i <= 200; i++) {
        CHECK_EQ(timer_call(TIMER_METHOD_NOW).result, 0);
        CHECK_EQ(next_of(CAPOS_TRACE_CALL).id, i);
        CHECK_EQ(next_of(CAPOS_TRACE_COMPLETE).id, i);
        acknowledge();
    }
    CHECK_EQ(header()->dropped_count, 0);
    CHECK(consumed > 2 * DATA_BYTES);
}

// ---- Ends ---------------------------------------------------------------------------

CORE_TEST(a_process_that_is_killed_in_a_call_leaves_its_trace)
{
    make_child(0);
    skip_start();
    submit_sleep(1, 1000000);
    actor_kill(child);
    (void)next_of(CAPOS_TRACE_CALL);
    CHECK_EQ(header()->write_bytes, consumed);
}

CORE_TEST(the_buffer_outlives_the_capability_of_the_parent)
{
    make_child(0);
    CHECK_EQ(actor_release(parent, buffer), 0);
    CHECK_EQ(actor_release(parent, notification), 0);
    CHECK_EQ(timer_call(TIMER_METHOD_NOW).result, 0);
    consumed = 0;
    skip_start();
    (void)next_of(CAPOS_TRACE_CALL);
}

CORE_TEST(a_builder_that_is_discarded_takes_its_trace_along)
{
    make_parent();
    CHECK_EQ(attach(buffer, 1, 0).result, 0);
    CHECK_EQ(actor_release(parent, builder), 0);
}

// ---- Refusals -----------------------------------------------------------------------

static void check_refused(capos_cap_id object, uint64_t bits, uint32_t capture_bytes)
{
    CHECK_STATUS(attach(object, bits, capture_bytes).result, STATUS_INVALID_ARGUMENT);
    // The builder is spoiled; the next attempt needs a fresh one.
    struct capos_cqe cqe = create_builder();
    builder = actor_result_cap(parent, 0, &cqe, 0);
}

CORE_TEST(a_trace_needs_a_fitting_buffer_a_bit_and_a_bounded_capture)
{
    make_parent();
    struct memory_object *small = memory_object_create(parent->budget, 4096);
    struct memory_object *view =
        memory_object_create_view(parent->budget, memory, 0, 8192, false, false);
    struct memory_object *huge = memory_object_create(parent->budget, 17 << 20);
    CHECK(huge == nullptr); // the actor has 16 MiB; the bound is for larger budgets
    check_refused(actor_give_own(parent, memory_object_as_object(small), CAPOS_HOLD_COPY), 1,
                  0);
    check_refused(actor_give_own(parent, memory_object_as_object(view), CAPOS_HOLD_COPY), 1, 0);
    check_refused(buffer, 0, 0);
    check_refused(buffer, 1, CAPOS_TRACE_CAPTURE_BYTES_MAX + 1);
    CHECK_EQ(attach(buffer, 1, CAPOS_TRACE_CAPTURE_BYTES_MAX).result, 0);
    check_refused(buffer, 1, 0); // a second one
}

CORE_TEST(a_trace_without_memory_is_refused)
{
    make_parent();
    harness_squeeze(parent->budget, 0, 0);
    CHECK_STATUS(attach(buffer, 1, 0).result, STATUS_OVERLOADED);
    harness_relax(parent->budget);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_trace_begins_with_the_name_and_the_grants);
    RUN(a_call_is_recorded_with_its_message_and_its_results);
    RUN(a_refused_call_is_recorded_with_its_exception);
    RUN(a_release_is_recorded_with_the_interface_of_what_it_gives_up);
    RUN(no_more_of_a_message_is_captured_than_was_asked_for);
    RUN(a_message_that_cannot_be_read_is_recorded_without_its_bytes);
    RUN(a_call_that_is_cancelled_has_its_completion);
    RUN(a_call_on_a_server_is_recorded_with_the_answer);
    RUN(a_server_is_recorded_with_what_it_receives_and_answers);
    RUN(a_server_is_recorded_where_the_short_way_would_serve);
    RUN(an_answer_that_does_not_go_is_recorded_as_such);
    RUN(a_release_notice_is_recorded_with_the_word);
    RUN(a_refused_receive_is_recorded_as_an_operation);
    RUN(an_opcode_that_the_kernel_does_not_know_is_recorded_by_its_number);
    RUN(the_parent_is_told_once_until_it_has_consumed_all);
    RUN(a_full_ring_drops_and_counts_and_the_program_goes_on);
    RUN(a_consumer_that_lies_loses_its_own_records_only);
    RUN(records_wrap_around_the_end_of_the_ring);
    RUN(a_process_that_is_killed_in_a_call_leaves_its_trace);
    RUN(the_buffer_outlives_the_capability_of_the_parent);
    RUN(a_builder_that_is_discarded_takes_its_trace_along);
    RUN(a_trace_needs_a_fitting_buffer_a_bit_and_a_bounded_capture);
    RUN(a_trace_without_memory_is_refused);
    return test_report();
}
