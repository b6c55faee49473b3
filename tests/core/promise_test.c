// SPDX-License-Identifier: MIT
// Tests of kernel/ipc/promise.c and chain.c: calls on results that haven't arrived, linked
// submissions, and their end in every way.
#include "core_test.h"

#include <gen/wire/endpoint.h>
#include <gen/wire/errors.h>
#include <gen/wire/memory_budget.h>
#include <gen/wire/notification.h>
#include <gen/wire/process.h>
#include <gen/wire/thread.h>
#include <gen/wire/timer.h>
#include <kernel/ipc/promise.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>

// A server, and a client that holds an object minted on its Endpoint.
static struct actor *server, *client;
static capos_cap_id endpoint, root;

static capos_cap_id mint(uint64_t word)
{
    struct actor_call call = call_of(endpoint, INTERFACE_ENDPOINT, ENDPOINT_METHOD_MINT);
    WITH(&call, endpoint_mint_params, .interface_id = INTERFACE_STDIO, .word = word);
    struct capos_cqe cqe = actor_call(server, &call);
    CHECK_EQ(cqe.result, 0);
    return actor_result_cap(server, 0, &cqe, 0);
}

static void make_pair(void)
{
    server = actor_create("server");
    client = actor_create("client");
    endpoint = actor_give_own(server, endpoint_create(server->budget, 16), CAPOS_HOLD_COPY);
    capos_cap_id minted = mint(0);
    root = actor_give(client, actor_object(server, minted));
    CHECK_EQ(actor_release(server, minted), 0);
}

static uint32_t live(const struct actor *actor)
{
    return actor->process->caps.live_count;
}

// ---- Submissions --------------------------------------------------------------------

// A call of the client in a slot, whose number is its user_data.
static struct capos_sqe call_sqe(unsigned slot, uint8_t flags, capos_cap_id cap)
{
    return (struct capos_sqe){
        .opcode = CAPOS_OP_CALL,
        .flags = flags,
        .method = 7,
        .user_data = slot,
        .cap = cap,
        .interface_id = INTERFACE_STDIO,
        .result = actor_result_address(client, slot % ACTOR_SLOTS),
        .result_bytes_max = ACTOR_RESULT_BYTES,
    };
}

static void push_call(unsigned slot, uint8_t flags, capos_cap_id cap)
{
    struct capos_sqe sqe = call_sqe(slot, flags, cap);
    actor_push(client, &sqe);
}

// A call of a method of the kernel on a promise, or on a capability.
static void push_kernel_call(unsigned slot, uint8_t flags, const struct actor_call *call)
{
    struct capos_sqe sqe = call_sqe(slot, flags, call->cap);
    sqe.interface_id = call->interface_id;
    sqe.method = call->method;
    sqe.params = actor_params_address(client, slot);
    sqe.params_bytes = call->params_bytes;
    actor_write(client, sqe.params, call->params, call->params_bytes);
    actor_push(client, &sqe);
}

static void push_signal(unsigned slot, uint8_t flags, capos_cap_id notification, uint64_t bits)
{
    struct actor_call call =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&call, notification_signal_params, .bits = bits);
    push_kernel_call(slot, flags, &call);
}

static void push_wait(unsigned slot, uint8_t flags, capos_cap_id notification, uint64_t mask)
{
    struct actor_call call =
        call_of(notification, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_WAIT);
    WITH(&call, notification_wait_params, .mask = mask);
    push_kernel_call(slot, flags, &call);
}

static void push_short(uint8_t opcode, uint8_t flags, unsigned slot, uint64_t call_id,
                       uint16_t method)
{
    actor_push(client, &(struct capos_sqe){.opcode = opcode,
                                           .flags = flags,
                                           .method = method,
                                           .user_data = slot,
                                           .call_id = call_id});
}

static void push_finish(unsigned slot, uint64_t name, uint16_t keep)
{
    push_short(CAPOS_OP_FINISH, 0, slot, name, keep);
}

static void enter(void)
{
    (void)actor_enter(client, 0, 0);
}

// The next completion of the client: of a slot, with a status.
static struct capos_cqe expect(unsigned slot, enum status status)
{
    struct capos_cqe cqe = take(client);
    CHECK_EQ(cqe.user_data, slot);
    CHECK_STATUS(cqe.result, status);
    return cqe;
}

// ---- The server ---------------------------------------------------------------------

static uint64_t received_word;

// Takes a call that arrived in the server's slot 1.
static uint64_t received(void)
{
    CHECK_EQ(take(server).result, 0);
    struct capos_recv_header header = actor_received(server, 1);
    received_word = header.word;
    return header.call_id;
}

static uint64_t receive(void)
{
    actor_submit_receive(server, 1, endpoint);
    return received();
}

// Answers with capabilities, or an exception, and receives the next call in the same
// submission.
static int64_t answer_and_receive(uint64_t call_id, enum status exception,
                                  const capos_cap_id *caps, unsigned count)
{
    struct capos_transfer transfers[CAPOS_TRANSFER_COUNT_MAX];
    for (unsigned i = 0; i < count; i++)
        transfers[i] = (struct capos_transfer){.cap = caps[i], .how = CAPOS_TRANSFER_MOVE};
    actor_write(server, actor_params_address(server, 2), transfers,
                count * sizeof transfers[0]);
    actor_push(server, &(struct capos_sqe){
                           .opcode = CAPOS_OP_RETURN_RECV,
                           .flags = exception == STATUS_OK ? 0 : CAPOS_SQE_EXCEPTION,
                           .method = (uint16_t)exception,
                           .transfer_count = (uint16_t)count,
                           .user_data = 1,
                           .cap = endpoint,
                           .call_id = call_id,
                           .params = actor_params_address(server, 2),
                           .result = actor_result_address(server, 1),
                           .result_bytes_max = ACTOR_RESULT_BYTES,
                       });
    return actor_enter(server, 1, CAPOS_FOREVER);
}

static int64_t answer_with_object(uint64_t call_id, uint64_t word)
{
    capos_cap_id minted = mint(word);
    return answer_and_receive(call_id, STATUS_OK, &minted, 1);
}

// ---- Chains of calls ----------------------------------------------------------------

CORE_TEST(a_chain_of_three_calls_costs_one_round_trip)
{
    make_pair();
    actor_submit_receive(server, 1, endpoint);
    CHECK_EQ(actor_enter(server, 1, CAPOS_FOREVER), ACTOR_BLOCKED);
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_call(2, CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE, 1);
    push_call(3, CAPOS_SQE_PIPELINE, 2);
    CHECK_EQ(actor_enter(client, 3, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK(arch_cpu()->current == actor_thread(server)); // the first switch
    for (uint64_t step = 0; step < 2; step++) {
        uint64_t call_id = received();
        CHECK_EQ(received_word, step);
        // The answer brings the next call at once: the server goes on.
        CHECK_EQ(answer_with_object(call_id, step + 1), 1);
        CHECK(arch_cpu()->current == actor_thread(server));
        CHECK_EQ(actor_returned(client), ACTOR_BLOCKED);
    }
    uint64_t call_id = received();
    CHECK_EQ(received_word, 2);
    CHECK_EQ(answer_and_receive(call_id, STATUS_OK, nullptr, 0), ACTOR_BLOCKED);
    CHECK(arch_cpu()->current == actor_thread(client)); // the second
    CHECK_EQ(actor_returned(client), 3);
    CHECK_EQ(expect(1, STATUS_OK).transfer_count, 1);
    CHECK_EQ(expect(2, STATUS_OK).transfer_count, 1);
    CHECK_EQ(expect(3, STATUS_OK).transfer_count, 0);
    CHECK_EQ(live(client), 3);
    push_finish(4, 1, 0);
    push_finish(5, 2, 0);
    enter();
    expect(4, STATUS_OK);
    expect(5, STATUS_OK);
    CHECK_EQ(live(client), 1);
}

CORE_TEST(a_failure_goes_down_the_chain)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_call(2, CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE, 1);
    push_call(3, CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE, 2);
    push_call(4, CAPOS_SQE_PIPELINE, 3);
    enter();
    uint64_t call_id = receive();
    CHECK_EQ(answer_and_receive(call_id, STATUS_INVALID_ARGUMENT, nullptr, 0), ACTOR_BLOCKED);
    CHECK_STATUS(expect(1, STATUS_INVALID_ARGUMENT).result, STATUS_INVALID_ARGUMENT);
    for (unsigned slot = 2; slot <= 4; slot++) {
        struct capos_cqe cqe = expect(slot, STATUS_INVALID_ARGUMENT);
        CHECK_EQ(cqe.flags, CAPOS_CQE_EXCEPTION);
        struct cap_exception exception;
        RESULTS(client, slot, cqe, cap_exception, &exception);
        CHECK_EQ(exception.type, EXCEPTION_TYPE_INVALID_ARGUMENT);
    }
    push_call(5, CAPOS_SQE_PIPELINE, 1); // as much later
    enter();
    expect(5, STATUS_INVALID_ARGUMENT);
}

CORE_TEST(a_failure_without_words_goes_down_the_chain)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_call(2, CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE, 1);
    push_call(3, CAPOS_SQE_PIPELINE, 2);
    push_short(CAPOS_OP_CANCEL, 0, 9, 1, 0);
    enter();
    expect(1, STATUS_CANCELLED);
    expect(9, STATUS_OK);
    expect(2, STATUS_CANCELLED);
    expect(3, STATUS_CANCELLED);
}

CORE_TEST(the_middle_of_a_chain_can_be_cancelled)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_call(2, CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE, 1);
    push_call(3, CAPOS_SQE_PIPELINE, 2);
    push_short(CAPOS_OP_CANCEL, 0, 9, 2, 0);
    enter();
    expect(2, STATUS_CANCELLED);
    expect(9, STATUS_OK);
    expect(3, STATUS_CANCELLED);
    CHECK_EQ(answer_with_object(receive(), 1), ACTOR_BLOCKED);
    expect(1, STATUS_OK);
}

CORE_TEST(a_call_can_build_on_a_result_that_is_there)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    enter();
    CHECK_EQ(answer_with_object(receive(), 5), ACTOR_BLOCKED);
    expect(1, STATUS_OK);
    push_call(2, CAPOS_SQE_PIPELINE, 1);
    enter();
    uint64_t call_id = received();
    CHECK_EQ(received_word, 5);
    CHECK_EQ(answer_and_receive(call_id, STATUS_OK, nullptr, 0), ACTOR_BLOCKED);
    expect(2, STATUS_OK);
}

CORE_TEST(several_calls_can_build_on_one_result)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    for (unsigned slot = 2; slot < 7; slot++)
        push_call(slot, CAPOS_SQE_PIPELINE, 1);
    enter();
    CHECK_EQ(answer_with_object(receive(), 5), 1);
    for (unsigned slot = 2; slot < 7; slot++)
        (void)answer_and_receive(received(), STATUS_OK, nullptr, 0);
    for (unsigned slot = 1; slot < 7; slot++)
        expect(slot, STATUS_OK);
}

CORE_TEST(the_index_says_which_capability_of_the_results)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    for (uint16_t i = 0; i < 4; i++) {
        struct capos_sqe sqe = call_sqe(2u + i, CAPOS_SQE_PIPELINE, 1);
        sqe.result_index = i;
        actor_push(client, &sqe);
    }
    enter();
    uint64_t call_id = receive();
    capos_cap_id notification =
        actor_give_own(server, notification_create(server->budget), CAPOS_HOLD_COPY);
    capos_cap_id caps[3] = {mint(100), mint(101), notification};
    CHECK_EQ(answer_and_receive(call_id, STATUS_OK, caps, 3), 1);
    expect(1, STATUS_OK);
    for (uint64_t word = 100; word < 102; word++) {
        call_id = received();
        CHECK_EQ(received_word, word);
        (void)answer_and_receive(call_id, STATUS_OK, nullptr, 0);
    }
    expect(4, STATUS_WRONG_INTERFACE);
    expect(5, STATUS_BAD_CAPABILITY);
    expect(2, STATUS_OK);
    expect(3, STATUS_OK);
}

CORE_TEST(names_and_fields_are_checked)
{
    make_pair();
    push_call(2, CAPOS_SQE_PIPELINE, 1);
    push_finish(3, 1, 0);
    enter();
    expect(2, STATUS_NOT_FOUND);
    expect(3, STATUS_NOT_FOUND);
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_call(1, CAPOS_SQE_PROMISE, root); // the name is taken
    struct capos_sqe sqe = call_sqe(4, 0, root);
    sqe.result_index = 1;
    actor_push(client, &sqe);
    enter();
    expect(1, STATUS_INVALID_ARGUMENT);
    expect(4, STATUS_BAD_FLAGS);
    push_finish(3, 1, 0);
    push_finish(3, 1, 0);
    push_call(2, CAPOS_SQE_PIPELINE, 1);
    push_call(1, CAPOS_SQE_PROMISE, root); // until it is settled
    enter();
    expect(3, STATUS_OK);
    expect(3, STATUS_NOT_FOUND);
    expect(2, STATUS_NOT_FOUND);
    expect(1, STATUS_INVALID_ARGUMENT);
    CHECK_EQ(answer_with_object(receive(), 1), 1);
    CHECK_EQ(take(server).flags, CAPOS_CQE_RELEASED); // the result that nobody kept
    expect(1, STATUS_OK);
    CHECK_EQ(live(client), 1);
    push_call(1, CAPOS_SQE_PROMISE, root);
    enter();
    CHECK(nothing_completed(client));
}

// ---- FINISH -------------------------------------------------------------------------

static uint32_t promises(void)
{
    return actor_thread(client)->promise_count;
}

CORE_TEST(finish_keeps_what_its_mask_says)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    enter();
    uint64_t call_id = receive();
    capos_cap_id caps[3] = {mint(1), mint(2), mint(3)};
    CHECK_EQ(answer_and_receive(call_id, STATUS_OK, caps, 3), ACTOR_BLOCKED);
    struct capos_cqe cqe = expect(1, STATUS_OK);
    capos_cap_id kept = actor_result_cap(client, 1, &cqe, 1);
    CHECK_EQ(live(client), 4);
    push_finish(2, 1, 1 << 1);
    enter();
    expect(2, STATUS_OK);
    CHECK_EQ(live(client), 2);
    CHECK(actor_object(client, kept) != nullptr);
    CHECK_EQ(promises(), 0);
}

CORE_TEST(finish_before_the_end_waits_for_what_builds_on_it)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_call(2, CAPOS_SQE_PIPELINE, 1);
    push_finish(3, 1, 0);
    enter();
    expect(3, STATUS_OK);
    CHECK_EQ(promises(), 1);
    CHECK_EQ(answer_with_object(receive(), 9), 1);
    CHECK_EQ(promises(), 0);
    CHECK_EQ(live(client), 1); // the call has a hold of its own
    uint64_t call_id = received();
    CHECK_EQ(received_word, 9);
    (void)answer_and_receive(call_id, STATUS_OK, nullptr, 0);
    expect(1, STATUS_OK);
    expect(2, STATUS_OK);
}

CORE_TEST(finish_spares_what_the_caller_gave_away_itself)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    enter();
    CHECK_EQ(answer_with_object(receive(), 9), ACTOR_BLOCKED);
    struct capos_cqe cqe = expect(1, STATUS_OK);
    CHECK_EQ(actor_release(client, actor_result_cap(client, 1, &cqe, 0)), 0);
    capos_cap_id other =
        actor_give_own(client, notification_create(client->budget), CAPOS_HOLD_COPY);
    push_finish(2, 1, 0);
    enter();
    expect(2, STATUS_OK);
    CHECK(actor_object(client, other) != nullptr); // though it is in the same slot
}

CORE_TEST(a_thread_has_a_bounded_number_of_promises)
{
    make_pair();
    for (unsigned name = 0; name < PROMISE_COUNT_MAX; name++) {
        push_call(1000 + name, CAPOS_SQE_PROMISE, 0);
        enter();
        CHECK_STATUS(take(client).result, STATUS_BAD_CAPABILITY);
    }
    push_call(2000, CAPOS_SQE_PROMISE, root);
    enter();
    CHECK_STATUS(take(client).result, STATUS_OVERLOADED);
    push_finish(1, 1000, 0);
    push_call(2000, CAPOS_SQE_PROMISE, root);
    enter();
    expect(1, STATUS_OK);
    CHECK(nothing_completed(client));
}

// ---- Objects of the kernel ----------------------------------------------------------

static struct actor_call create_notification(void)
{
    return call_of(actor_give(client, &client->budget->object), INTERFACE_MEMORY_BUDGET,
                   MEMORY_BUDGET_METHOD_CREATE_NOTIFICATION);
}

CORE_TEST(calls_build_on_results_of_the_kernel)
{
    make_pair();
    struct actor_call create = create_notification();
    push_kernel_call(1, CAPOS_SQE_PROMISE, &create);
    push_signal(2, CAPOS_SQE_PIPELINE, 1, 6);
    push_wait(3, CAPOS_SQE_PIPELINE, 1, 2);
    push_wait(4, CAPOS_SQE_PIPELINE, 1, 1);
    push_finish(5, 1, 0);
    enter();
    expect(1, STATUS_OK);
    expect(2, STATUS_OK);
    struct notification_wait_results results;
    struct capos_cqe cqe = expect(3, STATUS_OK);
    RESULTS(client, 3, cqe, notification_wait_results, &results);
    CHECK_EQ(results.bits, 2);
    expect(5, STATUS_OK);
    CHECK_EQ(live(client), 2); // the one who waits keeps the object
    CHECK(nothing_completed(client));
}

CORE_TEST(the_kernel_acts_for_a_caller_who_sleeps)
{
    make_pair();
    capos_cap_id bell =
        actor_give_own(client, notification_create(client->budget), CAPOS_HOLD_COPY);
    struct object *notification = actor_object(client, bell);
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_signal(2, CAPOS_SQE_PIPELINE, 1, 4);
    push_wait(3, 0, bell, 4);
    CHECK_EQ(actor_enter(client, 3, CAPOS_FOREVER), ACTOR_BLOCKED);
    uint64_t call_id = receive();
    capos_cap_id sent = actor_give(server, notification);
    (void)answer_and_receive(call_id, STATUS_OK, &sent, 1);
    CHECK_EQ(actor_returned(client), 3);
    expect(1, STATUS_OK);
    expect(3, STATUS_OK);
    expect(2, STATUS_OK);
}

// What completes an operation may be in the middle of its waiters.
CORE_TEST(a_call_may_build_on_the_object_that_it_waits_for)
{
    make_pair();
    capos_cap_id bell =
        actor_give_own(client, notification_create(client->budget), CAPOS_HOLD_COPY);
    push_wait(1, CAPOS_SQE_LINK, bell, 1);
    push_signal(2, CAPOS_SQE_LINK, bell, 2);
    push_wait(3, CAPOS_SQE_LINK, bell, 2);
    push_signal(4, CAPOS_SQE_LINK, bell, 7);
    push_short(CAPOS_OP_RELEASE, 0, 5, 0, 0);
    struct capos_sqe *queue = (void *)((uint8_t *)actor_ring(client) + CAPOS_RING_SQ_OFFSET);
    queue[(client->sq_tail - 1) % CAPOS_SQ_ENTRIES].cap = bell;
    for (unsigned slot = 6; slot < 12; slot++)
        push_wait(slot, 0, bell, 5);
    enter();
    CHECK(nothing_completed(client));
    struct object *notification = actor_object(client, bell);
    capos_cap_id theirs = actor_give(server, notification);
    struct actor_call ring =
        call_of(theirs, INTERFACE_NOTIFICATION, NOTIFICATION_METHOD_SIGNAL);
    WITH(&ring, notification_signal_params, .bits = 1);
    CHECK_EQ(actor_call(server, &ring).result, 0);
    for (unsigned slot = 1; slot <= 3; slot++)
        expect(slot, STATUS_OK);
    expect(6, STATUS_OK); // of the fourth, which sets three bits
    expect(4, STATUS_OK);
    expect(5, STATUS_OK);
    CHECK(actor_object(client, bell) == nullptr);
}

CORE_TEST(a_promise_of_a_method_that_takes_time)
{
    make_pair();
    capos_cap_id timer = actor_give(client, timer_object());
    struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = 1000);
    push_kernel_call(1, CAPOS_SQE_PROMISE | CAPOS_SQE_LINK, &sleep);
    push_call(2, 0, root);
    push_call(3, CAPOS_SQE_PIPELINE, 1);
    CHECK_EQ(actor_enter(client, 2, CAPOS_FOREVER), ACTOR_BLOCKED);
    host_advance_ns(2000);
    expect(1, STATUS_OK);
    expect(3, STATUS_BAD_CAPABILITY); // a sleep returns none
    CHECK_EQ(actor_returned(client), 2);
    (void)answer_and_receive(receive(), STATUS_OK, nullptr, 0);
    expect(2, STATUS_OK);
}

// ---- LINK ---------------------------------------------------------------------------

// When it is taken at last, its thread isn't the one that is in the kernel.
CORE_TEST(a_call_that_waited_does_nothing_to_its_thread)
{
    make_pair();
    capos_cap_id timer = actor_give(client, timer_object());
    capos_cap_id control = actor_give(client, thread_control_object());
    struct actor_call sleep = call_of(timer, INTERFACE_TIMER, TIMER_METHOD_SLEEP);
    WITH(&sleep, timer_sleep_params, .duration_ns = 1000);
    struct actor_call calls[THREAD_CONTROL_METHODS];
    for (uint16_t method = 0; method < THREAD_CONTROL_METHODS; method++)
        calls[method] = call_of(control, INTERFACE_THREAD_CONTROL, method);
    WITH(&calls[THREAD_CONTROL_METHOD_EXIT], thread_control_exit_params, .code = 1);
    WITH(&calls[THREAD_CONTROL_METHOD_EXIT_AND_UNMAP], thread_control_exit_and_unmap_params,
         .address = client->memory, .length_bytes = PAGE_BYTES);
    WITH(&calls[THREAD_CONTROL_METHOD_SET_THREAD_BASE], thread_control_set_thread_base_params,
         .thread_base = client->memory);
    WITH(&calls[THREAD_CONTROL_METHOD_SET_PRIORITY], thread_control_set_priority_params,
         .priority = 1);
    WITH(&calls[THREAD_CONTROL_METHOD_SET_LATENCY_CLASS],
         thread_control_set_latency_class_params, .latency_class = LATENCY_CLASS_NORMAL);
    WITH(&calls[THREAD_CONTROL_METHOD_SET_AFFINITY], thread_control_set_affinity_params,
         .cpus = 1);
    WITH(&calls[THREAD_CONTROL_METHOD_SET_FAULT_HANDLER],
         thread_control_set_fault_handler_params, .entry = client->memory);
    WITH(&calls[THREAD_CONTROL_METHOD_RESUME], thread_control_resume_params,
         .frame = client->memory);
    for (uint16_t method = 0; method < THREAD_CONTROL_METHODS; method++) {
        if (method == THREAD_CONTROL_METHOD_INFO || method == THREAD_CONTROL_METHOD_LATENCY)
            continue;
        push_kernel_call(1, CAPOS_SQE_LINK, &sleep);
        push_kernel_call(2, 0, &calls[method]);
        CHECK_EQ(actor_enter(client, 2, CAPOS_FOREVER), ACTOR_BLOCKED);
        host_advance_ns(2000);
        CHECK_EQ(actor_returned(client), 2);
        expect(1, STATUS_OK);
        expect(2, STATUS_INVALID_ARGUMENT);
    }
}

CORE_TEST(linked_submissions_start_one_after_the_other)
{
    make_pair();
    push_call(1, CAPOS_SQE_LINK, root);
    push_call(2, CAPOS_SQE_LINK, root);
    push_call(3, 0, root);
    push_short(CAPOS_OP_NOP, 0, 4, 0, 0); // not of the chain
    enter();
    expect(4, STATUS_OK);
    uint64_t call_id = receive();
    for (unsigned slot = 1; slot <= 3; slot++) {
        CHECK(nothing_completed(client));
        int64_t result = answer_and_receive(call_id, STATUS_OK, nullptr, 0);
        expect(slot, STATUS_OK);
        CHECK_EQ(result, slot < 3 ? 1 : ACTOR_BLOCKED);
        if (slot < 3)
            call_id = received();
    }
}

CORE_TEST(what_is_linked_to_a_failure_is_cancelled)
{
    make_pair();
    push_call(1, CAPOS_SQE_LINK, root);
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 2, 0, 0);
    push_call(3, CAPOS_SQE_LINK | CAPOS_SQE_PROMISE, root);
    push_short(CAPOS_OP_NOP, 0, 4, 0, 0);
    push_call(5, CAPOS_SQE_PIPELINE, 3);
    enter();
    CHECK(nothing_completed(client));
    (void)answer_and_receive(receive(), STATUS_FAILED, nullptr, 0);
    expect(1, STATUS_FAILED);
    expect(2, STATUS_CANCELLED);
    expect(3, STATUS_CANCELLED);
    // In the order in which they became known to be.
    CHECK_STATUS(take(client).result, STATUS_CANCELLED);
    CHECK_STATUS(take(client).result, STATUS_CANCELLED);
    // The same when the first fails at once.
    push_call(6, CAPOS_SQE_LINK, 0);
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 7, 0, 0);
    push_short(CAPOS_OP_NOP, 0, 8, 0, 0);
    push_short(CAPOS_OP_NOP, 0, 9, 0, 0);
    enter();
    expect(6, STATUS_BAD_CAPABILITY);
    expect(7, STATUS_CANCELLED);
    expect(8, STATUS_CANCELLED);
    expect(9, STATUS_OK);
}

CORE_TEST(a_chain_goes_on_over_cap_enter)
{
    make_pair();
    push_call(1, CAPOS_SQE_LINK, root);
    enter();
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 2, 0, 0);
    enter();
    CHECK(nothing_completed(client));
    (void)answer_and_receive(receive(), STATUS_OK, nullptr, 0);
    expect(1, STATUS_OK);
    expect(2, STATUS_OK);
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 3, 0, 0); // linked to 2, which succeeded
    enter();
    expect(3, STATUS_OK);
    push_short(CAPOS_OP_CANCEL, CAPOS_SQE_LINK, 4, 77, 0);
    enter();
    expect(4, STATUS_NOT_FOUND);
    push_short(CAPOS_OP_NOP, 0, 5, 0, 0);
    enter();
    expect(5, STATUS_CANCELLED);
    push_short(CAPOS_OP_NOP, 0, 6, 0, 0);
    enter();
    expect(6, STATUS_OK);
    CHECK(!actor_thread(client)->ring.attention);
}

CORE_TEST(a_link_of_a_chain_can_be_cancelled)
{
    make_pair();
    push_call(1, CAPOS_SQE_LINK, root);
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 2, 0, 0);
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 3, 0, 0);
    push_short(CAPOS_OP_NOP, 0, 4, 0, 0);
    push_short(CAPOS_OP_CANCEL, 0, 9, 3, 0);
    enter();
    expect(3, STATUS_CANCELLED);
    expect(9, STATUS_OK);
    expect(4, STATUS_CANCELLED);
    (void)answer_and_receive(receive(), STATUS_OK, nullptr, 0);
    expect(1, STATUS_OK);
    expect(2, STATUS_OK);
}

CORE_TEST(a_linked_cancel_may_cancel_what_is_linked_to_it)
{
    make_pair();
    push_call(1, CAPOS_SQE_LINK, root);
    push_short(CAPOS_OP_CANCEL, CAPOS_SQE_LINK, 2, 3, 0);
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 3, 0, 0);
    push_short(CAPOS_OP_NOP, 0, 4, 0, 0);
    enter();
    (void)answer_and_receive(receive(), STATUS_OK, nullptr, 0);
    expect(1, STATUS_OK);
    expect(3, STATUS_CANCELLED);
    expect(2, STATUS_OK);
    expect(4, STATUS_CANCELLED);
}

CORE_TEST(a_chain_is_as_long_as_the_queue)
{
    make_pair();
    push_call(1, CAPOS_SQE_LINK, root);
    for (unsigned i = 1; i < CAPOS_SQ_ENTRIES - 1; i++)
        push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 100 + i, 0, 0);
    push_short(CAPOS_OP_NOP, 0, 99, 0, 0);
    CHECK_EQ(actor_enter(client, CAPOS_CQ_ENTRIES, CAPOS_FOREVER), ACTOR_BLOCKED);
    CHECK_EQ(actor_thread(client)->ring.pending_count, CAPOS_CQ_ENTRIES);
    (void)answer_and_receive(receive(), STATUS_OK, nullptr, 0);
    CHECK_EQ(actor_returned(client), CAPOS_CQ_ENTRIES);
    expect(1, STATUS_OK);
    for (unsigned i = 1; i < CAPOS_SQ_ENTRIES - 1; i++)
        expect(100 + i, STATUS_OK);
    expect(99, STATUS_OK);
}

// ---- QUIET --------------------------------------------------------------------------

CORE_TEST(a_quiet_submission_completes_only_if_it_fails)
{
    make_pair();
    capos_cap_id bell =
        actor_give_own(client, notification_create(client->budget), CAPOS_HOLD_COPY);
    struct capos_sqe release = {
        .opcode = CAPOS_OP_RELEASE, .flags = CAPOS_SQE_QUIET, .user_data = 1, .cap = bell};
    actor_push(client, &release);
    enter();
    CHECK(nothing_completed(client));
    CHECK(actor_object(client, bell) == nullptr);
    actor_push(client, &release);
    enter();
    expect(1, STATUS_BAD_CAPABILITY);
    // Linked: quiet or not, the chain goes by its success.
    release.flags |= CAPOS_SQE_LINK;
    actor_push(client, &release);
    push_short(CAPOS_OP_NOP, 0, 2, 0, 0);
    enter();
    expect(1, STATUS_BAD_CAPABILITY);
    expect(2, STATUS_CANCELLED);
    release.cap = actor_give_own(client, notification_create(client->budget), CAPOS_HOLD_COPY);
    actor_push(client, &release);
    push_short(CAPOS_OP_NOP, 0, 2, 0, 0);
    enter();
    expect(2, STATUS_OK);
    CHECK(nothing_completed(client));
}

// ---- Ends ---------------------------------------------------------------------------

CORE_TEST(who_waits_may_end_its_own_process)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE | CAPOS_SQE_LINK, root);
    struct actor_call suicide = call_of(actor_give(client, &client->process->object),
                                        INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_KILL);
    push_kernel_call(2, 0, &suicide);
    push_call(3, CAPOS_SQE_PIPELINE, 1);
    CHECK_EQ(actor_enter(client, 3, CAPOS_FOREVER), ACTOR_BLOCKED);
    (void)answer_with_object(receive(), 1);
    CHECK(!actor_alive(client));
    CHECK(actor_alive(server));
}

CORE_TEST(who_waits_may_end_the_process_that_answers)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    struct actor_call kill = call_of(1, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_KILL);
    push_kernel_call(2, CAPOS_SQE_PIPELINE, &kill);
    CHECK_EQ(actor_enter(client, 2, CAPOS_FOREVER), ACTOR_BLOCKED);
    uint64_t call_id = receive();
    capos_cap_id self = actor_give(server, &server->process->object);
    CHECK_EQ(answer_and_receive(call_id, STATUS_OK, &self, 1), ACTOR_ENDED);
    CHECK_EQ(actor_returned(client), 2);
    expect(1, STATUS_OK);
    expect(2, STATUS_OK);
}

// A conversation, cut off after each step by the end of either side, and run again and
// again with memory for one page more.

static uint64_t held_call_id;

static void client_starts_chains(void)
{
    push_call(1, CAPOS_SQE_PROMISE, root);
    push_call(2, CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE, 1);
    push_call(3, CAPOS_SQE_PIPELINE | CAPOS_SQE_LINK, 2);
    push_short(CAPOS_OP_NOP, CAPOS_SQE_LINK, 4, 0, 0);
    push_call(5, CAPOS_SQE_PROMISE, root);
    push_finish(6, 2, 0);
    enter();
}

static void client_adds_to_them(void)
{
    push_call(7, CAPOS_SQE_PIPELINE | CAPOS_SQE_PROMISE, 1);
    push_call(8, CAPOS_SQE_PIPELINE, 7);
    push_finish(9, 7, 0);
    enter();
}

static void client_cancels_one(void)
{
    push_short(CAPOS_OP_CANCEL, CAPOS_SQE_QUIET, 10, 7, 0);
    (void)actor_enter(client, 2, CAPOS_FOREVER);
}

static void server_receives(void)
{
    struct capos_cqe cqe;
    actor_submit_receive(server, 1, endpoint);
    held_call_id = 0;
    if (actor_pop(server, &cqe) && cqe.result == 0 && cqe.flags == 0)
        held_call_id = actor_received(server, 1).call_id;
}

static void server_answers(void)
{
    capos_cap_id budget = actor_give(server, &server->budget->object);
    struct capos_cqe cqe;
    (void)budget;
    if (actor_thread(server)->state == THREAD_WAITING)
        return;
    capos_cap_id minted = mint(1);
    (void)answer_and_receive(held_call_id, STATUS_OK, &minted, 1);
    if (actor_alive(server) && actor_pop(server, &cqe) && cqe.result == 0 && cqe.flags == 0)
        held_call_id = actor_received(server, 1).call_id;
}

static void nobody_waits(void)
{
    host_advance_ns(100);
}

static const struct step {
    void (*act)(void);
    struct actor **actor;
} steps[] = {
    {client_starts_chains, &client}, {server_receives, &server}, {client_adds_to_them, &client},
    {server_answers, &server},       {server_answers, &server},  {client_cancels_one, &client},
    {server_answers, &server},       {server_answers, &server},  {nobody_waits, &server},
};
constexpr unsigned STEPS = sizeof steps / sizeof steps[0];

static bool can_act(const struct actor *actor)
{
    return actor_alive(actor) && actor_thread(actor)->state != THREAD_WAITING;
}

static void converse(unsigned cut, struct actor **victim, uint64_t pages, unsigned slack)
{
    harness_begin();
    make_pair();
    if (pages != UINT64_MAX)
        harness_squeeze(client->budget, pages, slack);
    for (unsigned i = 0; i < STEPS; i++) {
        if (i == cut)
            actor_kill(*victim);
        if (can_act(*steps[i].actor))
            steps[i].act();
    }
    if (pages != UINT64_MAX)
        harness_relax(client->budget);
    CHECK(harness_end());
}

static void either_side_can_be_killed_at_any_step(void)
{
    for (unsigned cut = 0; cut <= STEPS; cut++) {
        converse(cut, &client, UINT64_MAX, 0);
        converse(cut, &server, UINT64_MAX, 0);
    }
}

static void memory_may_end_at_any_allocation(void)
{
    for (uint64_t pages = 0; pages < 4; pages++)
        for (unsigned slack = 0; slack < 8; slack++)
            converse(STEPS, &client, pages, slack);
}

// What has no memory to wait completes as overloaded, and what builds on it likewise.
CORE_TEST(without_memory_to_wait_the_chain_fails_as_overloaded)
{
    make_pair();
    push_call(1, CAPOS_SQE_PROMISE, root);
    enter();
    harness_squeeze(client->budget, 0, 0);
    for (unsigned slot = 2; slot < 32; slot++)
        push_call(slot, CAPOS_SQE_PIPELINE, 1);
    enter();
    struct capos_cqe cqe;
    unsigned failed = 0;
    for (; actor_pop(client, &cqe); failed++)
        CHECK_STATUS(cqe.result, STATUS_OVERLOADED);
    CHECK(failed > 0);
    harness_relax(client->budget);
}

int main(void)
{
    harness_boot(HARNESS_RAM_BYTES);
    RUN(a_chain_of_three_calls_costs_one_round_trip);
    RUN(a_failure_goes_down_the_chain);
    RUN(a_failure_without_words_goes_down_the_chain);
    RUN(the_middle_of_a_chain_can_be_cancelled);
    RUN(a_call_can_build_on_a_result_that_is_there);
    RUN(several_calls_can_build_on_one_result);
    RUN(the_index_says_which_capability_of_the_results);
    RUN(names_and_fields_are_checked);
    RUN(finish_keeps_what_its_mask_says);
    RUN(finish_before_the_end_waits_for_what_builds_on_it);
    RUN(finish_spares_what_the_caller_gave_away_itself);
    RUN(a_thread_has_a_bounded_number_of_promises);
    RUN(calls_build_on_results_of_the_kernel);
    RUN(the_kernel_acts_for_a_caller_who_sleeps);
    RUN(a_call_may_build_on_the_object_that_it_waits_for);
    RUN(a_promise_of_a_method_that_takes_time);
    RUN(a_call_that_waited_does_nothing_to_its_thread);
    RUN(linked_submissions_start_one_after_the_other);
    RUN(what_is_linked_to_a_failure_is_cancelled);
    RUN(a_chain_goes_on_over_cap_enter);
    RUN(a_link_of_a_chain_can_be_cancelled);
    RUN(a_linked_cancel_may_cancel_what_is_linked_to_it);
    RUN(a_chain_is_as_long_as_the_queue);
    RUN(a_quiet_submission_completes_only_if_it_fails);
    RUN(who_waits_may_end_its_own_process);
    RUN(who_waits_may_end_the_process_that_answers);
    RUN(either_side_can_be_killed_at_any_step);
    RUN(memory_may_end_at_any_allocation);
    RUN(without_memory_to_wait_the_chain_fails_as_overloaded);
    return test_report();
}
