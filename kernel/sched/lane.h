// SPDX-License-Identifier: MIT
// Who competes with whom for a CPU (lane.c).
//
// A budget competes in its parent's place as one thread would: all that runs on a budget has
// one share of the CPU, however many processes and threads that is, and divides it.  On each
// CPU a budget has a *lane*, in which its threads and the lanes of the budgets that were split
// from it compete; the lanes of the root budget are the queues of the CPUs.
//
// Fairness is by virtual time: the clock of a contender runs while it runs, the slower the
// greater its weight, and the one whose clock is furthest behind goes first.  Who slept
// doesn't save up the time: its clock is brought to within LANE_CREDIT_NS of the lane's.
//
// An interactive thread is sorted as if its clock were LANE_HEAD_START_NS behind where it is,
// and so are the lanes in which it goes first.  So it runs as soon as it becomes ready, and
// once it has run that long without sleeping it competes like any other: a head start, not a
// greater share.
//
// Invariants:
//  1. A thread is queued in its lane as long as it is ready; a lane is, as long as somebody
//     is queued in it.
//  2. The clock of a lane never runs backwards; it is at most a slice ahead of the clock of
//     whoever goes first in it, so that a contender of small weight, whose clock makes large
//     steps, doesn't hold up newcomers.
//  3. What was run in a lane and isn't charged to it yet is less than LANE_UNPAID_NS.  So a
//     switch between threads of one budget, or after a short turn, looks at one lane only.
//
// Source of the scheme: weighted fair queueing (Demers, Keshav, Shenker 1989) as applied
// to CPUs by start-time fair queueing, in a hierarchy (Goyal, Guo, Vin 1996); the head start
// is the warp of borrowed-virtual-time scheduling (Duda, Cheriton 1999).
#pragma once

#include <stdint.h>

#include <kernel/arch.h>
#include <lib/rbtree.h>

struct lane;
struct thread;

constexpr uint64_t SCHED_SLICE_NS = 4'000'000;
constexpr uint64_t LANE_CREDIT_NS = SCHED_SLICE_NS / 2;
constexpr uint64_t LANE_HEAD_START_NS = 2 * SCHED_SLICE_NS;
constexpr uint64_t LANE_UNPAID_NS = SCHED_SLICE_NS / 64;
// Lanes are nested no deeper: what is split from a budget this deep shares its lanes.
constexpr uint32_t LANE_DEPTH_MAX = 8;

// The weight of a budget, and of a thread of PRIORITY_NORMAL.
constexpr uint32_t WEIGHT_NORMAL = 100;
constexpr uint32_t WEIGHT_MAX = 10'000;

// A thread, or a lane in its parent.
struct contender {
    struct rbtree_node node; // of lane->queue
    struct lane *lane;       // where it competes; nullptr for the queue of a CPU
    uint64_t clock_ns;       // run time, weighted, by the clock of `lane`
    uint64_t position_ns;    // queued: its place
    uint32_t slowness;       // of its clock: 16 bit fixed point, 1 at WEIGHT_NORMAL
    bool queued;
    bool eager; // sorted with a head start
    bool is_lane;
};

struct lane {
    struct contender self;
    struct rbtree queue; // struct contender
    uint64_t clock_ns;   // newcomers start here
    uint64_t unpaid_ns;  // run by its threads, and not charged to it and to the lanes above it
    uint32_t depth;      // 0: the queue of a CPU
};

// The queues of the CPUs, which are the lanes of the root budget.
extern struct lane lane_roots[ARCH_CPU_COUNT_MAX];

// A lane without contenders; parent is nullptr for the queue of a CPU.
void lane_init(struct lane *lane, struct lane *parent);

// 1 to WEIGHT_MAX; who is charged with the time up to now, if it runs, is the caller's affair.
void lane_set_weight(struct lane *lane, uint32_t weight);

// Clock per run time of a priority: a step is worth a factor of 5/4.
[[nodiscard]] uint32_t lane_slowness(uint8_t priority);

// Queues a contender, or takes it out, and the lanes above it with it.
void lane_push(struct contender *contender);
void lane_remove(struct contender *contender);

// Who goes first in a lane, and after a queued thread; nullptr without any.
[[nodiscard]] struct thread *lane_first(const struct lane *lane);
[[nodiscard]] struct thread *lane_next(const struct thread *thread, const struct lane *root);

// Lets the clock of a thread, which isn't queued, run for a time, and those of the lanes above
// it, sooner or later.
void lane_charge(struct contender *contender, uint64_t ran_ns);
// Lets the clocks of a lane and of those above it run for what its threads ran.
void lane_settle(struct lane *lane);

// Brings the clock of who slept close to that of its lane.
static inline void lane_catch_up(struct contender *contender)
{
    uint64_t earliest_ns = contender->lane->clock_ns - LANE_CREDIT_NS;
    if ((int64_t)(contender->clock_ns - earliest_ns) < 0)
        contender->clock_ns = earliest_ns;
}

// Whether a lane is that of a contender, or one above it.
[[nodiscard]] static inline bool lane_holds(const struct lane *lane,
                                            const struct contender *contender)
{
    const struct lane *at = contender->lane;
    while (at != nullptr && at != lane)
        at = at->self.lane;
    return at != nullptr;
}

// By how much `a` is ahead of `b`, by their places in the innermost lane that holds both;
// negative if it is behind.
[[nodiscard]] int64_t lane_lead(const struct contender *a, const struct contender *b);
