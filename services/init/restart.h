// SPDX-License-Identifier: MIT
// When a service is started again: the policy alone, without processes or clocks.
//
// Ends that follow each other quickly are a row.  Each restart of a row waits twice as long
// as the one before it, and the row has a bound, so that a service that can't live costs
// the machine little and is then given up.
//
// Invariants:
//  1. row->restarts <= policy->restarts_max.
//  2. No delay exceeds RESTART_DELAY_NS_MAX, whatever the manifest says.
#pragma once

#include <gen/wire/manifest.h>
#include <gen/wire/process.h>
#include <stdint.h>

constexpr uint64_t RESTART_DELAY_NS_MAX = 10'000'000'000;
// A run of that length was a success: the next end begins a new row.
constexpr uint64_t RESTART_STABLE_NS = 10'000'000'000;

struct restart_row {
    uint32_t restarts; // so far
};

enum restart_verdict {
    RESTART_NOT_WANTED, // by the policy
    RESTART_LATER,      // after *out_delay_ns
    RESTART_GIVEN_UP,   // the row is at its bound
};

// Decides after a run of `run_ns` that ended with `kind` and `exit_code`, and counts.
// Writes *out_delay_ns if the answer is RESTART_LATER.
[[nodiscard]] enum restart_verdict restart_decide(struct restart_row *row,
                                                  const struct service *policy,
                                                  enum end_kind kind, int64_t exit_code,
                                                  uint64_t run_ns, uint64_t *out_delay_ns);
