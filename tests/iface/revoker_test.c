// SPDX-License-Identifier: MIT
// Revoker: what was lent to another process is taken back while it uses it.
#include <capos/test.h>

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

static void tests(void)
{
    RUN(revoker_is_out_of_reach_without_the_grant);
    RUN(a_grant_is_revoked_while_the_child_runs);
    RUN(a_lent_capability_has_the_interface_of_its_target);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"signals until revoked", child_signals_until_revoked}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
