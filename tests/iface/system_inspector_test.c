// SPDX-License-Identifier: MIT
// SystemInspector: it shows what processes hold, and which of it is the same.
#include <capos/test.h>

#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/system_inspector.h>
#include <string.h>

static system_inspector_cap inspector(void)
{
    return (system_inspector_cap){test_grant("inspector", INTERFACE_SYSTEM_INSPECTOR)};
}

struct seen {
    char name[32];
    uint64_t interface_id, object, server;
    bool revocable;
};

// The capability in or behind a slot; the next slot, 0: there is none.
static uint32_t look(uint64_t process_id, uint32_t slot, struct seen *out_seen)
{
    uint32_t next = 0;
    CHECK_OK(system_inspector_capability(
        inspector(), process_id, slot, &next, out_seen->name, sizeof out_seen->name, nullptr,
        &out_seen->interface_id, &out_seen->object, &out_seen->server, &out_seen->revocable));
    return next;
}

static bool find_grant(uint64_t process_id, const char *name, struct seen *out_seen)
{
    for (uint32_t slot = 0; (slot = look(process_id, slot, out_seen)) != 0;)
        if (strcmp(out_seen->name, name) == 0)
            return true;
    return false;
}

// What this process holds in the slot of a capability.
static struct seen seen_of(capos_cap_id cap)
{
    struct seen seen = {};
    CHECK_EQ(look(capos_process_id(), (uint32_t)cap, &seen), (uint32_t)cap + 1);
    return seen;
}

static int child_waits(void)
{
    notification_cap bell;
    EXPECT_OK(notification_cap_find("bell", &bell));
    EXPECT_OK(notification_wait(bell, 1, nullptr));
    return 0;
}

static void inspector_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("inspector", INTERFACE_SYSTEM_INSPECTOR);
}

static void processes_come_in_the_order_of_their_numbers(void)
{
    uint64_t last = 0, id, capabilities = 0, resident_bytes;
    uint32_t threads;
    char name[64];
    bool found = false;
    for (;;) {
        CHECK_OK(system_inspector_process(inspector(), last, &id, name, sizeof name, nullptr,
                                          &threads, &capabilities, nullptr, &resident_bytes));
        if (id == 0)
            break;
        if (!CHECK(id > last))
            return;
        CHECK(threads > 0 && resident_bytes > 0);
        if (id == capos_process_id()) {
            found = true;
            CHECK(strcmp(name, "system_inspector_test") == 0);
            uint32_t counted = 0;
            struct seen seen;
            for (uint32_t slot = 0; (slot = look(id, slot, &seen)) != 0;)
                counted++;
            CHECK_EQ(counted, capabilities);
        }
        last = id;
    }
    CHECK(found);
}

static void the_same_object_has_the_same_number_everywhere(void)
{
    notification_cap bell = {}, other = {};
    process_handle_cap child;
    struct test_end end;
    struct seen seen = {};
    uint64_t child_id;
    char name[64];
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    CHECK_OK(memory_budget_create_notification(test_budget(), &other));
    const struct test_child_grant grants[] = {test_lend("bell", bell.id)};
    if (!CHECK_OK(test_start("waits", nullptr, 0, grants, 1, &child)))
        return;
    CHECK_OK(process_handle_info(child, &child_id, name, sizeof name, nullptr, nullptr, nullptr,
                                 nullptr));
    CHECK(find_grant(child_id, "bell", &seen));
    CHECK_EQ(seen.interface_id, INTERFACE_NOTIFICATION);
    CHECK_EQ(seen.object, seen_of(bell.id).object);
    CHECK(seen.object != seen_of(other.id).object);
    CHECK_EQ(seen.server, 0);
    CHECK_OK(notification_signal(bell, 1));
    CHECK_OK(test_wait(child, &end));
    CHECK_EQ(end.exit_code, 0);
    uint32_t next;
    CHECK_STATUS(system_inspector_capability(inspector(), child_id, 0, &next, name, sizeof name,
                                             nullptr, nullptr, nullptr, nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    notification_cap_release(&bell);
    notification_cap_release(&other);
}

static void who_serves_an_object_can_be_told(void)
{
    endpoint_cap endpoint = {};
    capos_cap_id minted = 0, lent = 0;
    revoker_cap revoker = {};
    CHECK_OK(memory_budget_create_endpoint(test_budget(), 1, &endpoint));
    CHECK_OK(endpoint_mint(endpoint, TEST_INTERFACE, 5, &minted));
    CHECK_OK(memory_budget_create_revocable(test_budget(), minted, &lent, &revoker));
    uint64_t server = seen_of(endpoint.id).object;
    CHECK_EQ(seen_of(minted).server, server);
    CHECK(!seen_of(minted).revocable);
    CHECK_EQ(seen_of(lent).server, server);
    CHECK_EQ(seen_of(lent).interface_id, TEST_INTERFACE);
    CHECK(seen_of(lent).revocable && seen_of(lent).object != seen_of(minted).object);
    capos_release(minted);
    capos_release(lent);
    revoker_cap_release(&revoker);
    endpoint_cap_release(&endpoint);
}

static void tests(void)
{
    RUN(inspector_is_out_of_reach_without_the_grant);
    RUN(processes_come_in_the_order_of_their_numbers);
    RUN(the_same_object_has_the_same_number_everywhere);
    RUN(who_serves_an_object_can_be_told);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"waits", child_waits}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
