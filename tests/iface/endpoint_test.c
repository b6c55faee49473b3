// SPDX-License-Identifier: MIT
// Endpoint: calls between processes, what a queue does without a server, transfer of
// capabilities, revocation, and what everyone sees when one side dies.
//
// The server of these tests is a child in the role "serves"; its methods are the enum
// below.  Messages are words of the test's own making: the kernel doesn't look into them.
#include <capos/test.h>

#include <capos/loop.h>
#include <capos/server.h>
#include <capos/syscall.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/revoker.h>
#include <string.h>

constexpr uint32_t QUEUE_MAX = 8;

enum serve_method {
    SERVE_ECHO,  // answers with the params
    SERVE_FAIL,  // params[0]: the exception
    SERVE_WORD,  // answers with the object's word
    SERVE_LATER, // answers when SERVE_NOW comes, the youngest call first
    SERVE_NOW,
    SERVE_KEEP,     // keeps the capabilities that came; answers with their number
    SERVE_GIVE,     // gives back, by move, the capability that it keeps
    SERVE_LEND,     // the same by copy
    SERVE_SIGNAL,   // signals bit 1 of the Notification that it keeps
    SERVE_RELEASED, // answers with {notices that came, the last one's word}
    SERVE_EXIT,     // exits without an answer
    SERVE_CRASH,    // faults without an answer
};

// ---- The server ----------------------------------------------------------------------

static struct {
    struct capos_server_call *later[CAPOS_SERVER_RECEIVE_MAX];
    uint32_t later_count;
    capos_cap_id kept;
    uint64_t notices;
    uint64_t notice_word;
} server;

static void reply_words(struct capos_server_call *call, uint64_t first, uint64_t second)
{
    uint64_t *words = capos_server_reply_buffer(call, 16);
    words[0] = first;
    words[1] = second;
    capos_server_reply(call, 16, nullptr, 0);
}

static void serve_echo(struct capos_server_call *call)
{
    void *reply = capos_server_reply_buffer(call, call->params_bytes);
    memcpy(reply, call->params, call->params_bytes);
    capos_server_reply(call, call->params_bytes, nullptr, 0);
}

static void serve_keep(struct capos_server_call *call)
{
    uint32_t count = call->cap_count;
    if (capos_server_take(call, 0, 0, &server.kept) != STATUS_OK)
        server.kept = 0;
    reply_words(call, count, 0);
}

static void serve_give(struct capos_server_call *call, struct capos_transfer transfer)
{
    (void)capos_server_reply_buffer(call, 0);
    capos_server_reply(call, 0, &transfer, 1);
}

static void serve_signal(struct capos_server_call *call)
{
    enum status status = notification_signal((notification_cap){server.kept}, 2);
    reply_words(call, (uint64_t)status, 0);
}

static void serve_now(struct capos_server_call *call)
{
    while (server.later_count > 0)
        serve_echo(server.later[--server.later_count]);
    reply_words(call, 0, 0);
}

static void on_call(void *, struct capos_server_call *call)
{
    switch ((enum serve_method)call->method) {
    case SERVE_ECHO:
        serve_echo(call);
        break;
    case SERVE_FAIL:
        capos_server_fail(call, *(const enum status *)call->params, "as you asked");
        break;
    case SERVE_WORD:
        reply_words(call, call->word, call->interface_id);
        break;
    case SERVE_LATER:
        server.later[server.later_count++] = call;
        break;
    case SERVE_NOW:
        serve_now(call);
        break;
    case SERVE_KEEP:
        serve_keep(call);
        break;
    case SERVE_GIVE:
        serve_give(call, capos_transfer_move(server.kept));
        break;
    case SERVE_LEND:
        serve_give(call, capos_transfer_copy(server.kept));
        break;
    case SERVE_SIGNAL:
        serve_signal(call);
        break;
    case SERVE_RELEASED:
        reply_words(call, server.notices, server.notice_word);
        break;
    case SERVE_EXIT:
        capos_exit_now(5);
    case SERVE_CRASH:
        capos_trap();
    }
}

static void on_released(void *, uint64_t word)
{
    server.notices++;
    server.notice_word = word;
}

static int child_serves(void)
{
    static struct capos_server state;
    static const struct capos_server_handlers handlers = {on_call, on_released};
    endpoint_cap endpoint;
    EXPECT_OK(endpoint_cap_find("endpoint", &endpoint));
    EXPECT_OK(capos_server_start(&state, endpoint.id, &handlers, nullptr,
                                 &(struct capos_server_options){.receive_count = 6}));
    capos_loop_run();
    return 0;
}

// ---- The client ----------------------------------------------------------------------

struct service {
    endpoint_cap endpoint;
    capos_cap_id object; // word 0x77
    process_handle_cap process;
    bool runs;
};

static endpoint_cap endpoint_create(uint32_t queue_max)
{
    endpoint_cap endpoint = {};
    CHECK_OK(memory_budget_create_endpoint(test_budget(), queue_max, &endpoint));
    return endpoint;
}

static capos_cap_id mint(endpoint_cap endpoint, uint64_t word)
{
    capos_cap_id object = 0;
    CHECK_OK(endpoint_mint(endpoint, TEST_INTERFACE, word, &object));
    return object;
}

static struct service service_start(void)
{
    struct service service = {.endpoint = endpoint_create(QUEUE_MAX)};
    service.object = mint(service.endpoint, 0x77);
    const struct test_child_grant grants[] = {
        test_lend("endpoint", service.endpoint.id),
        test_lend("memory", test_memory().id),
        test_lend("budget", test_budget().id),
    };
    service.runs = CHECK_OK(test_start("serves", nullptr, 0, grants, 3, &service.process));
    return service;
}

// Ends the server and waits until all of it is gone.
static void service_stop(struct service *service)
{
    struct test_end end;
    if (service->runs) {
        CHECK_OK(process_handle_kill(service->process));
        CHECK_OK(test_wait(service->process, &end));
        CHECK(end.kind != END_KIND_RUNNING);
    }
    capos_release(service->object);
    endpoint_cap_release(&service->endpoint);
}

// Calls with up to two words and takes up to two.
static enum status call_words(capos_cap_id object, enum serve_method method,
                              const uint64_t params[2], uint64_t out_results[2])
{
    struct test_call call = {
        .cap = object,
        .interface_id = TEST_INTERFACE,
        .method = (uint16_t)method,
        .params = params,
        .params_bytes = params == nullptr ? 0 : 16,
        .results = out_results,
        .results_bytes_max = out_results == nullptr ? 0 : 16,
    };
    return test_call(&call);
}

// Calls with one capability beside the message.
static enum status call_with(capos_cap_id object, enum serve_method method,
                             struct capos_transfer transfer, uint64_t out_results[2])
{
    struct test_call call = {
        .cap = object,
        .interface_id = TEST_INTERFACE,
        .method = (uint16_t)method,
        .transfers = &transfer,
        .transfer_count = 1,
        .results = out_results,
        .results_bytes_max = 16,
    };
    return test_call(&call);
}

// Calls and takes the one capability that comes back.
static enum status call_for_cap(capos_cap_id object, enum serve_method method,
                                struct capos_cap_record *out_record)
{
    struct test_call call = {
        .cap = object, .interface_id = TEST_INTERFACE, .method = (uint16_t)method};
    enum status status = test_call(&call);
    if (status != STATUS_OK)
        return status;
    CHECK_EQ(call.cap_count, 1);
    *out_record = call.caps[0];
    return STATUS_OK;
}

static enum status begin(struct capos_call *call, capos_cap_id object, enum serve_method method,
                         uint64_t word)
{
    uint64_t *params = capos_call_begin(call, 16, 0, 16, 1);
    if (params == nullptr)
        return STATUS_OVERLOADED;
    params[0] = word;
    params[1] = ~word;
    enum status status =
        capos_call_submit(call, object, TEST_INTERFACE, (uint16_t)method, 16, nullptr, 0);
    return status == STATUS_OK ? status : capos_call_abandon(call, status);
}

static enum status finish(struct capos_call *call, uint64_t *out_word)
{
    enum status status = capos_call_wait(call);
    if (status == STATUS_OK && call->results_bytes >= 8)
        *out_word = *(const uint64_t *)call->results;
    return capos_call_end(call, status);
}

static bool is_live(capos_cap_id notification)
{
    return notification_signal((notification_cap){notification}, 1) == STATUS_OK;
}

// ---- Tests: authority and minting ------------------------------------------------------

static void endpoint_and_its_objects_are_out_of_reach_without_the_grant(void)
{
    endpoint_cap endpoint = endpoint_create(1);
    capos_cap_id object = mint(endpoint, 1);
    CHECK_DENIED("endpoint", INTERFACE_ENDPOINT);
    CHECK_DENIED("object", TEST_INTERFACE);
    capos_release(object);
    endpoint_cap_release(&endpoint);
}

static void mint_refuses_the_interfaces_of_the_kernel(void)
{
    endpoint_cap endpoint = endpoint_create(1);
    CHECK_STATUS(endpoint_mint(endpoint, 0, 0, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(endpoint_mint(endpoint, INTERFACE_TIMER, 0, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(endpoint_mint(endpoint, INTERFACE_PROCESS_HANDLE, 0, nullptr),
                 STATUS_INVALID_ARGUMENT);
    endpoint_cap_release(&endpoint);
}

static void a_minted_object_answers_to_its_interface_only(void)
{
    endpoint_cap endpoint = endpoint_create(1);
    capos_cap_id object = mint(endpoint, 1);
    struct test_call call = {.cap = object, .interface_id = TEST_INTERFACE + 1};
    CHECK_STATUS(test_call(&call), STATUS_WRONG_INTERFACE);
    call.interface_id = INTERFACE_ENDPOINT;
    CHECK_STATUS(test_call(&call), STATUS_WRONG_INTERFACE);
    capos_release(object);
    endpoint_cap_release(&endpoint);
}

// ---- Tests: calls ------------------------------------------------------------------------

static void a_call_is_answered_by_another_process(void)
{
    struct service service = service_start();
    const uint64_t params[2] = {0x1122334455667788, 9};
    uint64_t results[2] = {};
    CHECK_OK(call_words(service.object, SERVE_ECHO, params, results));
    CHECK_EQ(results[0], params[0]);
    CHECK_EQ(results[1], params[1]);
    service_stop(&service);
}

static void the_server_sees_the_word_that_it_minted_with(void)
{
    struct service service = service_start();
    capos_cap_id other = mint(service.endpoint, 0x1234567890);
    uint64_t results[2] = {};
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, results));
    CHECK_EQ(results[0], 0x77);
    CHECK_EQ(results[1], TEST_INTERFACE);
    CHECK_OK(call_words(other, SERVE_WORD, nullptr, results));
    CHECK_EQ(results[0], 0x1234567890);
    capos_release(other);
    service_stop(&service);
}

static void every_exception_comes_through_with_its_reason(void)
{
    struct service service = service_start();
    for (unsigned status = STATUS_FAILED; status <= STATUS_INVALID_ARGUMENT; status++) {
        const uint64_t params[2] = {status, 0};
        CHECK_STATUS(call_words(service.object, SERVE_FAIL, params, nullptr),
                     (enum status)status);
        CHECK(strcmp(capos_last_exception()->reason, "as you asked") == 0);
    }
    service_stop(&service);
}

static void calls_are_answered_in_any_order(void)
{
    struct service service = service_start();
    struct capos_call calls[4];
    for (uint64_t i = 0; i < 4; i++)
        CHECK_OK(begin(&calls[i], service.object, SERVE_LATER, i));
    CHECK_OK(call_words(service.object, SERVE_NOW, nullptr, (uint64_t[2]){}));
    for (uint64_t i = 4; i-- > 0;) {
        uint64_t word = 99;
        CHECK_OK(finish(&calls[i], &word));
        CHECK_EQ(word, i);
    }
    service_stop(&service);
}

static void a_large_message_arrives_whole(void)
{
    struct service service = service_start();
    // Longer than the server's receive buffer: that is this caller's error alone.
    static uint64_t large[1024];
    struct test_call call = {
        .cap = service.object,
        .interface_id = TEST_INTERFACE,
        .method = SERVE_ECHO,
        .params = large,
        .params_bytes = sizeof large,
        .results = large,
        .results_bytes_max = sizeof large,
    };
    CHECK(test_call(&call) != STATUS_OK);
    // As long as it takes.
    static uint64_t fits[24], back[24];
    for (uint64_t i = 0; i < 24; i++)
        fits[i] = i * 0x9e3779b97f4a7c15;
    call.params = fits;
    call.params_bytes = sizeof fits;
    call.results = back;
    call.results_bytes_max = sizeof back;
    CHECK_OK(test_call(&call));
    CHECK(memcmp(fits, back, sizeof fits) == 0);
    service_stop(&service);
}

static void a_result_that_does_not_fit_is_the_callers_error(void)
{
    struct service service = service_start();
    static uint64_t fits[24];
    struct capos_call call;
    void *params = capos_call_begin(&call, sizeof fits, 0, 0, 0);
    if (CHECK(params != nullptr)) {
        memcpy(params, fits, sizeof fits);
        CHECK_OK(capos_call_submit(&call, service.object, TEST_INTERFACE, SERVE_ECHO,
                                   sizeof fits, nullptr, 0));
        CHECK_STATUS(capos_call_end(&call, capos_call_wait(&call)), STATUS_NO_RESULT_SPACE);
    }
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, (uint64_t[2]){}));
    service_stop(&service);
}

// ---- Tests: the queue, without a server ---------------------------------------------------

static void calls_wait_in_the_queue_until_somebody_receives(void)
{
    struct service service = {.endpoint = endpoint_create(QUEUE_MAX)};
    service.object = mint(service.endpoint, 0x77);
    struct capos_call calls[3];
    uint64_t word = 0;
    for (uint64_t i = 0; i < 3; i++)
        CHECK_OK(begin(&calls[i], service.object, SERVE_ECHO, 100 + i));
    CHECK(test_charged_bytes() > 0); // the calls are submitted
    CHECK(!capos_call_is_done(&calls[0]));
    const struct test_child_grant grants[] = {
        test_lend("endpoint", service.endpoint.id),
        test_lend("memory", test_memory().id),
        test_lend("budget", test_budget().id),
    };
    service.runs = CHECK_OK(test_start("serves", nullptr, 0, grants, 3, &service.process));
    for (uint64_t i = 0; i < 3; i++) {
        CHECK_OK(finish(&calls[i], &word));
        CHECK_EQ(word, 100 + i);
    }
    service_stop(&service);
}

static void a_full_queue_is_overloaded(void)
{
    endpoint_cap endpoint = endpoint_create(2);
    capos_cap_id object = mint(endpoint, 1);
    struct capos_call calls[3];
    uint64_t word;
    for (uint64_t i = 0; i < 3; i++)
        CHECK_OK(begin(&calls[i], object, SERVE_ECHO, i));
    CHECK_STATUS(finish(&calls[2], &word), STATUS_OVERLOADED);
    capos_call_cancel(&calls[0]);
    CHECK_STATUS(finish(&calls[0], &word), STATUS_CANCELLED);
    CHECK_OK(begin(&calls[2], object, SERVE_ECHO, 2)); // there is room again
    CHECK(test_charged_bytes() > 0);
    CHECK(!capos_call_is_done(&calls[2]));
    endpoint_cap_release(&endpoint);
    CHECK_STATUS(finish(&calls[1], &word), STATUS_DISCONNECTED);
    CHECK_STATUS(finish(&calls[2], &word), STATUS_DISCONNECTED);
    capos_release(object);
}

static void releasing_the_endpoint_disconnects_its_objects(void)
{
    endpoint_cap endpoint = endpoint_create(2);
    capos_cap_id object = mint(endpoint, 1);
    struct capos_call call;
    uint64_t word;
    CHECK_OK(begin(&call, object, SERVE_ECHO, 0));
    endpoint_cap_release(&endpoint);
    CHECK_STATUS(finish(&call, &word), STATUS_DISCONNECTED);
    CHECK_STATUS(call_words(object, SERVE_ECHO, nullptr, nullptr), STATUS_DISCONNECTED);
    capos_release(object);
}

// ---- Tests: revocation ----------------------------------------------------------------------

static void revoke_cuts_off_every_copy_and_every_call_under_way(void)
{
    struct service service = service_start();
    struct capos_call queued, delivered;
    uint64_t word;
    endpoint_cap silent = endpoint_create(2);
    capos_cap_id object = mint(silent, 1);
    CHECK_OK(begin(&queued, object, SERVE_ECHO, 0));
    CHECK_OK(begin(&delivered, service.object, SERVE_LATER, 0));
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, (uint64_t[2]){}));
    CHECK_OK(endpoint_revoke(silent, object));
    CHECK_OK(endpoint_revoke(service.endpoint, service.object));
    CHECK_STATUS(finish(&queued, &word), STATUS_DISCONNECTED);
    CHECK_STATUS(finish(&delivered, &word), STATUS_DISCONNECTED);
    CHECK_STATUS(call_words(service.object, SERVE_ECHO, nullptr, nullptr), STATUS_DISCONNECTED);
    CHECK_OK(endpoint_revoke(silent, object)); // twice is no error
    // Its server answers the call that was cut off, and others still, as if nothing were.
    capos_cap_id other = mint(service.endpoint, 2);
    CHECK_OK(call_words(other, SERVE_NOW, nullptr, (uint64_t[2]){}));
    CHECK_OK(call_words(other, SERVE_WORD, nullptr, (uint64_t[2]){}));
    capos_release(other);
    capos_release(object);
    endpoint_cap_release(&silent);
    service_stop(&service);
}

static void disconnect_ends_what_a_server_has_received_and_nothing_else(void)
{
    struct service service = service_start();
    struct capos_call queued, delivered;
    uint64_t word;
    endpoint_cap silent = endpoint_create(2);
    capos_cap_id object = mint(silent, 1);
    CHECK_OK(begin(&queued, object, SERVE_ECHO, 0));
    CHECK_OK(begin(&delivered, service.object, SERVE_LATER, 0));
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, (uint64_t[2]){}));
    CHECK_OK(endpoint_disconnect(silent));
    CHECK_OK(endpoint_disconnect(service.endpoint));
    CHECK_STATUS(finish(&delivered, &word), STATUS_DISCONNECTED);
    CHECK(!capos_call_is_done(&queued));
    CHECK_OK(call_words(service.object, SERVE_NOW, nullptr, (uint64_t[2]){}));
    endpoint_cap_release(&silent);
    CHECK_STATUS(finish(&queued, &word), STATUS_DISCONNECTED);
    capos_release(object);
    service_stop(&service);
}

static void only_the_endpoint_that_minted_an_object_revokes_it(void)
{
    endpoint_cap mine = endpoint_create(1), other = endpoint_create(1);
    capos_cap_id object = mint(mine, 1);
    CHECK_STATUS(endpoint_revoke(other, object), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(endpoint_revoke(mine, test_budget().id), STATUS_INVALID_ARGUMENT);
    capos_release(object);
    endpoint_cap_release(&mine);
    endpoint_cap_release(&other);
}

static void identify_tells_the_server_what_it_minted(void)
{
    endpoint_cap mine = endpoint_create(1), other = endpoint_create(1);
    capos_cap_id object = mint(mine, 0x123456789abc), lent;
    revoker_cap revoker;
    uint64_t word = 0, interface_id = 0;
    CHECK_OK(endpoint_identify(mine, object, &word, &interface_id));
    CHECK_EQ(word, 0x123456789abc);
    CHECK_EQ(interface_id, TEST_INTERFACE);
    CHECK_STATUS(endpoint_identify(other, object, &word, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(endpoint_identify(mine, test_budget().id, &word, nullptr),
                 STATUS_INVALID_ARGUMENT);
    // Lent: as long as it is lent.
    CHECK_OK(memory_budget_create_revocable(test_budget(), object, &lent, &revoker));
    CHECK_OK(endpoint_identify(mine, lent, &word, nullptr));
    CHECK_OK(revoker_revoke(revoker));
    CHECK_STATUS(endpoint_identify(mine, lent, &word, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_OK(endpoint_revoke(mine, object));
    CHECK_STATUS(endpoint_identify(mine, object, &word, nullptr), STATUS_INVALID_ARGUMENT);
    revoker_cap_release(&revoker);
    capos_release(lent);
    capos_release(object);
    endpoint_cap_release(&mine);
    endpoint_cap_release(&other);
}

// ---- Tests: release notices -----------------------------------------------------------------

static void the_server_hears_when_the_last_hold_of_an_object_is_gone(void)
{
    struct service service = service_start();
    uint64_t results[2] = {};
    capos_cap_id object = mint(service.endpoint, 0xabc);
    CHECK_OK(call_words(object, SERVE_RELEASED, nullptr, results));
    CHECK_EQ(results[0], 0);
    capos_release(object);
    CHECK_OK(call_words(service.object, SERVE_RELEASED, nullptr, results));
    CHECK_EQ(results[0], 1);
    CHECK_EQ(results[1], 0xabc);
    service_stop(&service);
}

static void a_copy_keeps_the_object_from_being_released(void)
{
    struct service service = service_start();
    uint64_t results[2] = {};
    struct capos_cap_record copy = {};
    capos_cap_id object = mint(service.endpoint, 0xabc);
    CHECK_OK(call_with(service.object, SERVE_KEEP, capos_transfer_copy(object), results));
    capos_release(object);
    CHECK_OK(call_words(service.object, SERVE_RELEASED, nullptr, results));
    CHECK_EQ(results[0], 0);
    CHECK_OK(call_for_cap(service.object, SERVE_GIVE, &copy));
    capos_release(copy.cap);
    CHECK_OK(call_words(service.object, SERVE_RELEASED, nullptr, results));
    CHECK_EQ(results[0], 1);
    service_stop(&service);
}

// ---- Tests: transfers -------------------------------------------------------------------------

static void a_copy_is_held_by_both(void)
{
    struct service service = service_start();
    notification_cap notification = {};
    uint64_t results[2] = {}, bits = 0;
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    CHECK_OK(
        call_with(service.object, SERVE_KEEP, capos_transfer_copy(notification.id), results));
    CHECK_EQ(results[0], 1);
    CHECK_OK(call_words(service.object, SERVE_SIGNAL, nullptr, results));
    CHECK_EQ(results[0], STATUS_OK);
    CHECK_OK(notification_wait(notification, 3, &bits));
    CHECK_EQ(bits, 2);
    notification_cap_release(&notification);
    service_stop(&service);
}

static void a_move_takes_the_senders_hold(void)
{
    struct service service = service_start();
    notification_cap notification = {};
    uint64_t results[2] = {};
    struct capos_cap_record back = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    CHECK_OK(
        call_with(service.object, SERVE_KEEP, capos_transfer_move(notification.id), results));
    CHECK_STATUS(notification_signal(notification, 1), STATUS_BAD_CAPABILITY);
    CHECK_OK(call_words(service.object, SERVE_SIGNAL, nullptr, results));
    CHECK_EQ(results[0], STATUS_OK);
    // The way back is a move, too: then the server has none.
    CHECK_OK(call_for_cap(service.object, SERVE_GIVE, &back));
    CHECK_EQ(back.interface_id, INTERFACE_NOTIFICATION);
    CHECK(is_live(back.cap));
    CHECK_OK(call_words(service.object, SERVE_SIGNAL, nullptr, results));
    CHECK_EQ(results[0], STATUS_BAD_CAPABILITY);
    capos_release(back.cap);
    service_stop(&service);
}

static void a_server_lends_a_copy(void)
{
    struct service service = service_start();
    notification_cap notification = {};
    uint64_t results[2] = {};
    struct capos_cap_record back = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    CHECK_OK(
        call_with(service.object, SERVE_KEEP, capos_transfer_move(notification.id), results));
    CHECK_OK(call_for_cap(service.object, SERVE_LEND, &back));
    CHECK(is_live(back.cap));
    CHECK_OK(call_words(service.object, SERVE_SIGNAL, nullptr, results));
    CHECK_EQ(results[0], STATUS_OK);
    capos_release(back.cap);
    service_stop(&service);
}

static void a_server_that_lends_what_it_has_not_fails_the_call(void)
{
    struct service service = service_start();
    struct capos_cap_record back = {};
    notification_cap notification = {};
    uint64_t results[2] = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    // The server may hold it, and not pass it on.
    const struct capos_transfer still = {.cap = notification.id,
                                         .receiver_mode = CAPOS_HOLD_NONE};
    CHECK_OK(call_with(service.object, SERVE_KEEP, still, results));
    CHECK_STATUS(call_for_cap(service.object, SERVE_LEND, &back), STATUS_FAILED);
    CHECK_OK(call_words(service.object, SERVE_SIGNAL, nullptr, results));
    CHECK_EQ(results[0], STATUS_OK);
    notification_cap_release(&notification);
    service_stop(&service);
}

static void a_move_that_does_not_arrive_is_taken_back(void)
{
    endpoint_cap endpoint = endpoint_create(2);
    capos_cap_id object = mint(endpoint, 1);
    notification_cap notification = {};
    uint64_t results[2];
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    CHECK_OK(endpoint_revoke(endpoint, object));
    CHECK_STATUS(call_with(object, SERVE_KEEP, capos_transfer_move(notification.id), results),
                 STATUS_DISCONNECTED);
    CHECK(is_live(notification.id));
    // While a call waits in the queue the hold is in transit; cancelled, it is back.
    capos_cap_id other = mint(endpoint, 2);
    const struct capos_transfer move = capos_transfer_move(notification.id);
    struct capos_call call;
    if (CHECK(capos_call_begin(&call, 0, 1, 0, 0) != nullptr)) {
        CHECK_OK(capos_call_submit(&call, other, TEST_INTERFACE, SERVE_KEEP, 0, &move, 1));
        CHECK(!is_live(notification.id));
        capos_call_cancel(&call);
        CHECK_STATUS(capos_call_end(&call, capos_call_wait(&call)), STATUS_CANCELLED);
        CHECK(is_live(notification.id));
    }
    notification_cap_release(&notification);
    capos_release(object);
    capos_release(other);
    endpoint_cap_release(&endpoint);
}

static void a_message_moves_a_capability_once(void)
{
    endpoint_cap endpoint = endpoint_create(2);
    capos_cap_id object = mint(endpoint, 1);
    notification_cap notification = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    const struct capos_transfer orders[2][2] = {
        {capos_transfer_move(notification.id), capos_transfer_move(notification.id)},
        {capos_transfer_move(notification.id), capos_transfer_copy(notification.id)},
    };
    for (size_t i = 0; i < 2; i++) {
        struct test_call call = {
            .cap = object,
            .interface_id = TEST_INTERFACE,
            .method = SERVE_KEEP,
            .transfers = orders[i],
            .transfer_count = 2,
        };
        CHECK_STATUS(test_call(&call), STATUS_BAD_TRANSFER);
        CHECK(is_live(notification.id));
    }
    notification_cap_release(&notification);
    capos_release(object);
    endpoint_cap_release(&endpoint);
}

static void a_malformed_transfer_is_refused(void)
{
    endpoint_cap endpoint = endpoint_create(2);
    capos_cap_id object = mint(endpoint, 1);
    uint64_t results[2];
    const capos_cap_id budget = test_budget().id;
    const struct {
        struct capos_transfer transfer;
        enum status status;
    } cases[] = {
        {{.cap = 0}, STATUS_BAD_CAPABILITY},
        {{.cap = budget + (UINT64_C(1) << 32)}, STATUS_BAD_CAPABILITY},
        {{.cap = budget, .how = 3}, STATUS_BAD_TRANSFER},
        {{.cap = budget, .receiver_mode = 3}, STATUS_BAD_TRANSFER},
        {{.cap = budget, .reserved = 1}, STATUS_BAD_TRANSFER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_STATUS(call_with(object, SERVE_KEEP, cases[i].transfer, results),
                     cases[i].status);
    capos_release(object);
    endpoint_cap_release(&endpoint);
}

// In a child that got "still" without the right to pass it on, and "once" to move only.
static int child_may_not_pass_on(void)
{
    endpoint_cap endpoint;
    capos_cap_id object, still, once;
    uint64_t results[2];
    EXPECT_OK(endpoint_cap_find("endpoint", &endpoint));
    EXPECT_OK(capos_find("still", INTERFACE_NOTIFICATION, &still));
    EXPECT_OK(capos_find("once", INTERFACE_NOTIFICATION, &once));
    EXPECT_OK(endpoint_mint(endpoint, TEST_INTERFACE, 1, &object));
    EXPECT(call_with(object, SERVE_KEEP, capos_transfer_copy(still), results) ==
           STATUS_BAD_TRANSFER);
    EXPECT(call_with(object, SERVE_KEEP, capos_transfer_move(still), results) ==
           STATUS_BAD_TRANSFER);
    EXPECT(call_with(object, SERVE_KEEP, capos_transfer_copy(once), results) ==
           STATUS_BAD_TRANSFER);
    EXPECT_OK(notification_signal((notification_cap){still}, 1));
    EXPECT_OK(notification_signal((notification_cap){once}, 2));
    return 0;
}

static void a_hold_is_passed_on_as_its_mode_allows(void)
{
    endpoint_cap endpoint = endpoint_create(2);
    notification_cap notification = {};
    uint64_t bits = 0;
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    const struct test_child_grant grants[] = {
        test_lend("endpoint", endpoint.id),
        {.name = "still", .cap = notification.id, .mode = CAPOS_HOLD_NONE},
        {.name = "once", .cap = notification.id, .mode = CAPOS_HOLD_MOVE},
    };
    CHECK_CHILD("may not pass on", grants, 3);
    CHECK_OK(notification_wait(notification, 3, &bits));
    CHECK_EQ(bits, 3);
    notification_cap_release(&notification);
    endpoint_cap_release(&endpoint);
}

// ---- Tests: the end of one side ---------------------------------------------------------------

// The server's hold of the endpoint is the last one, so its end is the endpoint's.
static struct service service_start_alone(void)
{
    struct service service = service_start();
    endpoint_cap_release(&service.endpoint);
    return service;
}

static void a_server_that_ends_disconnects_its_clients(enum serve_method method)
{
    struct service service = service_start_alone();
    struct capos_call waiting;
    uint64_t word;
    CHECK_OK(begin(&waiting, service.object, SERVE_LATER, 0));
    CHECK_STATUS(call_words(service.object, method, nullptr, nullptr), STATUS_DISCONNECTED);
    CHECK_STATUS(finish(&waiting, &word), STATUS_DISCONNECTED);
    CHECK_STATUS(call_words(service.object, SERVE_ECHO, nullptr, nullptr), STATUS_DISCONNECTED);
    service_stop(&service);
}

static void a_server_that_exits_disconnects_its_clients(void)
{
    a_server_that_ends_disconnects_its_clients(SERVE_EXIT);
}

static void a_server_that_crashes_disconnects_its_clients(void)
{
    a_server_that_ends_disconnects_its_clients(SERVE_CRASH);
}

static void a_server_that_is_killed_disconnects_its_clients(void)
{
    struct service service = service_start_alone();
    struct capos_call waiting;
    uint64_t word;
    CHECK_OK(begin(&waiting, service.object, SERVE_LATER, 0));
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, (uint64_t[2]){}));
    CHECK_OK(process_handle_kill(service.process));
    CHECK_STATUS(finish(&waiting, &word), STATUS_DISCONNECTED);
    service_stop(&service);
}

static int child_calls_and_waits(void)
{
    capos_cap_id object;
    EXPECT_OK(capos_find("object", TEST_INTERFACE, &object));
    EXPECT(call_words(object, SERVE_LATER, nullptr, (uint64_t[2]){}) == STATUS_OK);
    return __LINE__;
}

static void a_client_that_is_killed_is_no_concern_of_its_server(void)
{
    struct service service = service_start();
    const struct test_child_grant grants[] = {test_lend("object", service.object)};
    process_handle_cap client;
    struct test_end end;
    uint64_t results[2] = {};
    for (int i = 0; i < 4; i++) {
        if (!CHECK_OK(test_start("calls and waits", nullptr, 0, grants, 1, &client)))
            break;
        CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, results));
        CHECK_OK(process_handle_kill(client));
        CHECK_OK(test_wait(client, &end));
        CHECK_EQ(end.kind, END_KIND_KILLED);
    }
    CHECK_OK(call_words(service.object, SERVE_NOW, nullptr, results));
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, results));
    CHECK_EQ(results[0], 0x77);
    service_stop(&service);
}

static void a_cancelled_call_is_answered_into_nothing(void)
{
    struct service service = service_start();
    struct capos_call call;
    uint64_t word, results[2] = {};
    CHECK_OK(begin(&call, service.object, SERVE_LATER, 0));
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, results));
    capos_call_cancel(&call);
    CHECK_STATUS(finish(&call, &word), STATUS_CANCELLED);
    CHECK_OK(call_words(service.object, SERVE_NOW, nullptr, results));
    CHECK_OK(call_words(service.object, SERVE_WORD, nullptr, results));
    service_stop(&service);
}

static void tests(void)
{
    RUN(endpoint_and_its_objects_are_out_of_reach_without_the_grant);
    RUN(mint_refuses_the_interfaces_of_the_kernel);
    RUN(a_minted_object_answers_to_its_interface_only);
    RUN(a_call_is_answered_by_another_process);
    RUN(the_server_sees_the_word_that_it_minted_with);
    RUN(every_exception_comes_through_with_its_reason);
    RUN(calls_are_answered_in_any_order);
    RUN(a_large_message_arrives_whole);
    RUN(a_result_that_does_not_fit_is_the_callers_error);
    RUN(calls_wait_in_the_queue_until_somebody_receives);
    RUN(a_full_queue_is_overloaded);
    RUN(releasing_the_endpoint_disconnects_its_objects);
    RUN(revoke_cuts_off_every_copy_and_every_call_under_way);
    RUN(disconnect_ends_what_a_server_has_received_and_nothing_else);
    RUN(only_the_endpoint_that_minted_an_object_revokes_it);
    RUN(identify_tells_the_server_what_it_minted);
    RUN(the_server_hears_when_the_last_hold_of_an_object_is_gone);
    RUN(a_copy_keeps_the_object_from_being_released);
    RUN(a_copy_is_held_by_both);
    RUN(a_move_takes_the_senders_hold);
    RUN(a_server_lends_a_copy);
    RUN(a_server_that_lends_what_it_has_not_fails_the_call);
    RUN(a_move_that_does_not_arrive_is_taken_back);
    RUN(a_message_moves_a_capability_once);
    RUN(a_malformed_transfer_is_refused);
    RUN(a_hold_is_passed_on_as_its_mode_allows);
    RUN(a_server_that_exits_disconnects_its_clients);
    RUN(a_server_that_crashes_disconnects_its_clients);
    RUN(a_server_that_is_killed_disconnects_its_clients);
    RUN(a_client_that_is_killed_is_no_concern_of_its_server);
    RUN(a_cancelled_call_is_answered_into_nothing);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"serves", child_serves},
        {"may not pass on", child_may_not_pass_on},
        {"calls and waits", child_calls_and_waits},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
