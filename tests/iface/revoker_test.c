// SPDX-License-Identifier: MIT
// Revoker and Endpoint.revoke: what was lent to other processes is taken back while they use it.
#include <capos/test.h>

#include <capos/loop.h>
#include <capos/server.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/revoker.h>

static notification_cap create(void)
{
    notification_cap notification = {};
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
    return notification;
}

// Signals until it is told that it must not any more.
static int child_signals_until_revoked(void)
{
    notification_cap bell;
    enum status status;
    EXPECT_OK(notification_cap_find("bell", &bell));
    while ((status = notification_signal(bell, 1)) == STATUS_OK)
        ;
    EXPECT(status == STATUS_DISCONNECTED);
    return 0;
}

static void revoker_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("revoker", INTERFACE_REVOKER);
}

static void a_grant_is_revoked_while_the_child_runs(void)
{
    notification_cap bell = create();
    notification_cap lent;
    revoker_cap revoker;
    process_handle_cap child;
    struct test_end end;
    uint64_t bits;
    if (!CHECK_OK(memory_budget_create_revocable(test_budget(), bell.id, &lent.id, &revoker)))
        return;
    const struct test_child_grant grants[] = {test_lend("bell", lent.id)};
    CHECK_OK(test_start("signals until revoked", nullptr, 0, grants, 1, &child));
    for (int i = 0; i < 3; i++)
        CHECK_OK(notification_wait(bell, 1, &bits)); // it does
    CHECK_OK(revoker_revoke(revoker));
    CHECK_OK(test_wait(child, &end));
    CHECK_EQ(end.kind, END_KIND_EXITED);
    CHECK_EQ(end.exit_code, 0);
    CHECK_OK(notification_signal(bell, 1)); // ours was not lent
    CHECK_STATUS(notification_signal(lent, 1), STATUS_DISCONNECTED);
    notification_cap_release(&lent);
    notification_cap_release(&bell);
    revoker_cap_release(&revoker);
}

static void a_lent_capability_has_the_interface_of_its_target(void)
{
    memory_budget_cap lent;
    revoker_cap revoker;
    uint64_t used_bytes;
    CHECK_OK(
        memory_budget_create_revocable(test_budget(), test_budget().id, &lent.id, &revoker));
    CHECK_OK(memory_budget_info(lent, nullptr, &used_bytes, nullptr, nullptr));
    // The kernel takes it as no argument, and what it made stays after the revocation.
    process_builder_cap builder;
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    CHECK_STATUS(process_spawner_create(spawner, "never", 5, lent, &builder),
                 STATUS_WRONG_INTERFACE);
    notification_cap made;
    CHECK_OK(memory_budget_create_notification(lent, &made));
    CHECK_OK(revoker_revoke(revoker));
    CHECK_OK(notification_signal(made, 1));
    notification_cap_release(&made);
    memory_budget_cap_release(&lent);
    revoker_cap_release(&revoker);
}

// ---- A minted object, held by three processes ---------------------------------------
// The test mints an object and lends it to one child, which copies it to the other, narrowed so
// that it goes no further.  Both children call it; while both calls are under way the test
// revokes it.

static enum status call_object(capos_cap_id object, const struct capos_transfer *transfer)
{
    struct test_call call = {
        .cap = object,
        .interface_id = TEST_INTERFACE,
        .transfers = transfer,
        .transfer_count = transfer != nullptr,
    };
    return test_call(&call);
}

// What is left to a holder of a copy: its call under way ends, so does each later one, and the
// copy can be released.  Returns a line, as a role does.
static int call_until_revoked(capos_cap_id object)
{
    EXPECT(call_object(object, nullptr) == STATUS_DISCONNECTED);
    EXPECT(call_object(object, nullptr) == STATUS_DISCONNECTED);
    capos_release(object);
    EXPECT(call_object(object, nullptr) == STATUS_BAD_CAPABILITY);
    return 0;
}

static int child_copies_on_and_calls(void)
{
    capos_cap_id object, relay;
    EXPECT_OK(capos_find("object", TEST_INTERFACE, &object));
    EXPECT_OK(capos_find("relay", TEST_INTERFACE, &relay));
    const struct capos_transfer narrowed = {
        .cap = object, .how = CAPOS_TRANSFER_COPY, .receiver_mode = CAPOS_HOLD_NONE};
    EXPECT_OK(call_object(relay, &narrowed));
    return call_until_revoked(object);
}

static void on_copy(void *context, struct capos_server_call *call)
{
    (void)capos_server_take(call, 0, TEST_INTERFACE, context);
    capos_server_reply(call, 0, nullptr, 0);
    capos_loop_stop();
}

static int child_gets_a_copy_and_calls(void)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_copy};
    capos_cap_id object = 0;
    endpoint_cap endpoint;
    EXPECT_OK(endpoint_cap_find("endpoint", &endpoint));
    EXPECT_OK(capos_server_start(&server, endpoint.id, &handlers, &object, nullptr));
    capos_loop_run();
    capos_server_stop(&server);
    EXPECT(object != 0);
    const struct capos_transfer on = capos_transfer_copy(object);
    EXPECT(call_object(object, &on) == STATUS_BAD_TRANSFER); // it goes no further
    return call_until_revoked(object);
}

struct under_way {
    struct capos_server_call *calls[2];
    unsigned count;
};

static void keep_call(void *context, struct capos_server_call *call)
{
    struct under_way *under_way = context;
    under_way->calls[under_way->count++] = call;
    if (under_way->count == 2)
        capos_loop_stop();
}

static void expect_exit_0(process_handle_cap child)
{
    struct test_end end;
    CHECK_OK(test_wait(child, &end));
    CHECK_EQ(end.kind, END_KIND_EXITED);
    CHECK_EQ(end.exit_code, 0); // else the line where it went wrong
}

static void an_object_is_revoked_with_its_copies_while_calls_are_under_way(void)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = keep_call};
    struct under_way under_way = {};
    endpoint_cap endpoint, relay_endpoint;
    capos_cap_id object, other, relay;
    process_handle_cap first, second;
    CHECK_OK(memory_budget_create_endpoint(test_budget(), 4, &endpoint));
    CHECK_OK(memory_budget_create_endpoint(test_budget(), 4, &relay_endpoint));
    CHECK_OK(endpoint_mint(endpoint, TEST_INTERFACE, 1, &object));
    CHECK_OK(endpoint_mint(endpoint, TEST_INTERFACE, 2, &other));
    CHECK_OK(endpoint_mint(relay_endpoint, TEST_INTERFACE, 3, &relay));
    const struct test_child_grant of_first[] = {test_lend("object", object),
                                                test_lend("relay", relay)};
    const struct test_child_grant of_second[] = {test_lend("endpoint", relay_endpoint.id)};
    CHECK_OK(test_start("copies on and calls", nullptr, 0, of_first, 2, &first));
    CHECK_OK(test_start("gets a copy and calls", nullptr, 0, of_second, 1, &second));
    if (!CHECK_OK(capos_server_start(&server, endpoint.id, &handlers, &under_way, nullptr)))
        return;
    capos_loop_run();
    CHECK_EQ(under_way.count, 2);
    CHECK_OK(endpoint_revoke(endpoint, object));
    CHECK_OK(endpoint_revoke(endpoint, object)); // twice is no error
    expect_exit_0(first);
    expect_exit_0(second);
    CHECK_STATUS(call_object(object, nullptr), STATUS_DISCONNECTED);
    for (unsigned i = 0; i < under_way.count; i++)
        capos_server_reply(under_way.calls[i], 0, nullptr, 0); // in vain
    capos_server_stop(&server);
    uint64_t word;
    CHECK_OK(endpoint_identify(endpoint, other, &word, nullptr)); // revoked was one object
    CHECK_EQ(word, 2);
    capos_release(other);
    capos_release(object);
    capos_release(relay);
    endpoint_cap_release(&relay_endpoint);
    endpoint_cap_release(&endpoint);
}

static void tests(void)
{
    RUN(revoker_is_out_of_reach_without_the_grant);
    RUN(a_grant_is_revoked_while_the_child_runs);
    RUN(a_lent_capability_has_the_interface_of_its_target);
    RUN(an_object_is_revoked_with_its_copies_while_calls_are_under_way);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"signals until revoked", child_signals_until_revoked},
        {"copies on and calls", child_copies_on_and_calls},
        {"gets a copy and calls", child_gets_a_copy_and_calls},
    };
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
