// SPDX-License-Identifier: MIT
// The restart policy; see restart.h.
#include "restart.h"

static bool is_wanted(enum restart_policy policy, enum end_kind kind, int64_t exit_code)
{
    if (policy == RESTART_POLICY_ON_FAILURE)
        return kind != END_KIND_EXITED || exit_code != 0;
    return policy == RESTART_POLICY_ALWAYS;
}

// first * 2^doublings, at most RESTART_DELAY_NS_MAX.
static uint64_t delay_of(uint64_t first_ns, uint32_t doublings)
{
    uint64_t delay_ns = first_ns;
    for (uint32_t i = 0; i < doublings && delay_ns < RESTART_DELAY_NS_MAX && delay_ns != 0; i++)
        delay_ns *= 2;
    return delay_ns < RESTART_DELAY_NS_MAX ? delay_ns : RESTART_DELAY_NS_MAX;
}

enum restart_verdict restart_decide(struct restart_row *row, const struct service *policy,
                                    enum end_kind kind, int64_t exit_code, uint64_t run_ns,
                                    uint64_t *out_delay_ns)
{
    if (!is_wanted(policy->restart, kind, exit_code))
        return RESTART_NOT_WANTED;
    if (run_ns >= RESTART_STABLE_NS)
        row->restarts = 0;
    if (row->restarts >= policy->restarts_max)
        return RESTART_GIVEN_UP;
    *out_delay_ns = delay_of(policy->restart_delay_ns, row->restarts);
    row->restarts++;
    return RESTART_LATER;
}
