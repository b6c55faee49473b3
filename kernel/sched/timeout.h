// SPDX-License-Identifier: MIT
// Deadlines: functions to be called when the clock has reached a time (timeout.c).
//
// Invariant: each pending timeout is in the tree, and some CPU's timer is set no later than
// the earliest (sched.c).  O(log n) each; expiry calls run from kernel_timer in order of deadline.
#pragma once

#include <stdint.h>

#include <lib/rbtree.h>

struct timeout {
    struct rbtree_node node;
    uint64_t deadline_ns;
    void (*fire)(struct timeout *timeout); // the timeout is no longer pending then
    bool pending;
};

// Arms a timeout that isn't pending.
void timeout_start(struct timeout *timeout, uint64_t deadline_ns,
                   void (*fire)(struct timeout *timeout));

// Disarms it; no error if it isn't pending.
void timeout_stop(struct timeout *timeout);

// Fires all whose deadline has been reached.
void timeout_expire(uint64_t now_ns);

// The earliest pending deadline; UINT64_MAX when none is pending.
[[nodiscard]] uint64_t timeout_next_ns(void);
