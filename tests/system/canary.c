// SPDX-License-Identifier: MIT
// What the harness of booted tests must notice: testd runs this program first and expects
// exactly its failures.  It gets no StdIO, so its lines reach nobody.
#include <capos/test.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/notification.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>

static void a_check_fails(void)
{
    CHECK(test_budget().id == 0);
}

static void a_status_is_wrong(void)
{
    CHECK_STATUS(memory_budget_split(test_budget(), 0, nullptr), STATUS_OK);
}

static void a_capability_is_leaked(void)
{
    notification_cap notification;
    CHECK_OK(memory_budget_create_notification(test_budget(), &notification));
}

static void memory_is_leaked(void)
{
    uint64_t address = 0;
    CHECK_OK(virtual_memory_reserve(test_memory(), 4096, 0, 0, &address));
    CHECK_OK(virtual_memory_commit(test_memory(), address, 4096, PROTECTION_READ_WRITE));
}

static int child_fails(void)
{
    return EXIT_FAILURE;
}

static void a_child_fails(void)
{
    CHECK_CHILD("fails", nullptr, 0);
}

static void a_child_does_not_fault(void)
{
    CHECK_FAULTS("fails", nullptr, 0, FAULT_KIND_UNMAPPED, nullptr);
}

static void nothing_is_wrong(void)
{
}

// TEST_CANARY_FAILED and TEST_CANARY_PASSED count them.
static void tests(void)
{
    RUN(a_check_fails);
    RUN(a_status_is_wrong);
    RUN(a_capability_is_leaked);
    RUN(memory_is_leaked);
    RUN(a_child_fails);
    RUN(a_child_does_not_fault);
    RUN(nothing_is_wrong);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"fails", child_fails}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
