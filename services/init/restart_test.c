// SPDX-License-Identifier: MIT
// Tests of restart.c.
#include "restart.h"

#include <test/test.h>

constexpr uint64_t MS = 1'000'000;

static enum restart_verdict crash(struct restart_row *row, const struct service *policy,
                                  uint64_t *out_delay_ns)
{
    return restart_decide(row, policy, END_KIND_FAULTED, 0, MS, out_delay_ns);
}

static void restart_never_restarts_nothing(void)
{
    const struct service policy = {.restart = RESTART_POLICY_NEVER, .restarts_max = 5};
    struct restart_row row = {};
    uint64_t delay_ns = 1;
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_NOT_WANTED);
    CHECK(delay_ns == 1 && row.restarts == 0);
}

static void restart_on_failure_leaves_an_exit_with_zero_alone(void)
{
    const struct service policy = {.restart = RESTART_POLICY_ON_FAILURE, .restarts_max = 9};
    struct restart_row row = {};
    uint64_t delay_ns;
    CHECK(restart_decide(&row, &policy, END_KIND_EXITED, 0, MS, &delay_ns) ==
          RESTART_NOT_WANTED);
    CHECK(restart_decide(&row, &policy, END_KIND_EXITED, -1, MS, &delay_ns) == RESTART_LATER);
    CHECK(restart_decide(&row, &policy, END_KIND_KILLED, 0, MS, &delay_ns) == RESTART_LATER);
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_LATER);
}

static void restart_always_restarts_after_any_end(void)
{
    const struct service policy = {.restart = RESTART_POLICY_ALWAYS, .restarts_max = 1};
    struct restart_row row = {};
    uint64_t delay_ns;
    CHECK(restart_decide(&row, &policy, END_KIND_EXITED, 0, MS, &delay_ns) == RESTART_LATER);
    CHECK(delay_ns == 0);
}

static void restart_a_row_doubles_its_delay_up_to_its_bound(void)
{
    const struct service policy = {
        .restart = RESTART_POLICY_ALWAYS, .restarts_max = 4, .restart_delay_ns = 10 * MS};
    struct restart_row row = {};
    uint64_t delay_ns;
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(crash(&row, &policy, &delay_ns) == RESTART_LATER);
        CHECK(delay_ns == (10 * MS) << i);
    }
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_GIVEN_UP);
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_GIVEN_UP);
}

static void restart_a_long_run_begins_a_new_row(void)
{
    const struct service policy = {
        .restart = RESTART_POLICY_ALWAYS, .restarts_max = 2, .restart_delay_ns = 10 * MS};
    struct restart_row row = {};
    uint64_t delay_ns;
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_LATER);
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_LATER);
    CHECK(restart_decide(&row, &policy, END_KIND_FAULTED, 0, RESTART_STABLE_NS - 1,
                         &delay_ns) == RESTART_GIVEN_UP);
    CHECK(restart_decide(&row, &policy, END_KIND_FAULTED, 0, RESTART_STABLE_NS, &delay_ns) ==
          RESTART_LATER);
    CHECK(delay_ns == 10 * MS && row.restarts == 1);
}

static void restart_no_delay_exceeds_the_maximum(void)
{
    struct service policy = {.restart = RESTART_POLICY_ALWAYS,
                             .restarts_max = UINT32_MAX,
                             .restart_delay_ns = UINT64_MAX};
    struct restart_row row = {};
    uint64_t delay_ns;
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_LATER);
    CHECK(delay_ns == RESTART_DELAY_NS_MAX);
    policy.restart_delay_ns = 1;
    row.restarts = UINT32_MAX - 1;
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_LATER);
    CHECK(delay_ns == RESTART_DELAY_NS_MAX);
    policy.restart_delay_ns = 0;
    row.restarts = UINT32_MAX - 1;
    CHECK(crash(&row, &policy, &delay_ns) == RESTART_LATER && delay_ns == 0);
}

int main(void)
{
    RUN(restart_never_restarts_nothing);
    RUN(restart_on_failure_leaves_an_exit_with_zero_alone);
    RUN(restart_always_restarts_after_any_end);
    RUN(restart_a_row_doubles_its_delay_up_to_its_bound);
    RUN(restart_a_long_run_begins_a_new_row);
    RUN(restart_no_delay_exceeds_the_maximum);
    return test_report();
}
