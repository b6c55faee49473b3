// SPDX-License-Identifier: MIT
// Who competes with whom for a CPU.  See lane.h.
// Tested in tests/core/share_test.c and tests/core/smp_test.c.

#include <kernel/sched/lane.h>

#include <kernel/debug/panic.h>
#include <kernel/sched/thread.h>
#include <lib/container_of.h>

constexpr uint32_t SLOWNESS_NORMAL = 65'536;
// Clocks start here, so that none gets below 0.
constexpr uint64_t CLOCK_START_NS = UINT64_C(1) << 60;

struct lane lane_roots[ARCH_CPU_COUNT_MAX];

void lane_init(struct lane *lane, struct lane *parent)
{
    *lane = (struct lane){
        .self = {.lane = parent,
                 .clock_ns = CLOCK_START_NS,
                 .slowness = SLOWNESS_NORMAL,
                 .is_lane = true},
        .clock_ns = CLOCK_START_NS,
        .depth = parent == nullptr ? 0 : parent->depth + 1,
    };
    rbtree_init(&lane->queue, nullptr);
}

void lane_set_weight(struct lane *lane, uint32_t weight)
{
    ASSERT(weight >= 1 && weight <= WEIGHT_MAX);
    lane_settle(lane); // at the old rate
    lane->self.slowness = SLOWNESS_NORMAL * WEIGHT_NORMAL / weight;
}

// 65,536 * (4/5)^(priority - PRIORITY_NORMAL)
uint32_t lane_slowness(uint8_t priority)
{
    static const uint32_t slowness[PRIORITY_MAX] = {
        1862645, 1490116, 1192093, 953674, 762939, 610352, 488281, 390625,
        312500,  250000,  200000,  160000, 128000, 102400, 81920,  65536,
        52429,   41943,   33554,   26844,  21475,  17180,  13744,  10995,
        8796,    7037,    5629,    4504,   3603,   2882,   2306,
    };
    return slowness[priority - 1];
}

// ---- Places -------------------------------------------------------------------------

static struct contender *contender_of(const struct rbtree_node *node)
{
    return node == nullptr ? nullptr : container_of(node, struct contender, node);
}

static struct lane *lane_of(const struct contender *contender)
{
    ASSERT(contender->is_lane);
    return container_of(contender, struct lane, self);
}

static bool is_root(const struct lane *lane)
{
    return lane->self.lane == nullptr;
}

static uint64_t position_of(const struct contender *contender)
{
    return contender->eager ? contender->clock_ns - LANE_HEAD_START_NS : contender->clock_ns;
}

static bool before(const struct rbtree_node *a, const struct rbtree_node *b)
{
    return (int64_t)(contender_of(a)->position_ns - contender_of(b)->position_ns) < 0;
}

static void insert(struct contender *contender)
{
    contender->position_ns = position_of(contender);
    contender->queued = true;
    rbtree_insert(&contender->lane->queue, &contender->node, before);
}

static void take_out(struct contender *contender)
{
    rbtree_remove(&contender->lane->queue, &contender->node);
    contender->queued = false;
}

// Gives a queued contender the place that its clock asks for now.
static void move_to_place(struct contender *contender)
{
    uint64_t before_ns = contender->position_ns;
    contender->position_ns = position_of(contender);
    bool forward = (int64_t)(contender->position_ns - before_ns) < 0;
    const struct rbtree_node *next = forward ? nullptr : rbtree_next(&contender->node);
    if (!forward && (next == nullptr || !before(next, &contender->node)))
        return;
    take_out(contender);
    insert(contender);
}

static bool goes_eagerly(const struct lane *lane)
{
    const struct contender *first = contender_of(rbtree_first(&lane->queue));
    return first != nullptr && first->eager;
}

// Whether a lane is queued, and where, as those in it ask for.
static bool is_placed(const struct lane *lane)
{
    return is_root(lane) || (lane->self.queued != rbtree_empty(&lane->queue) &&
                             lane->self.eager == goes_eagerly(lane));
}

[[gnu::noinline]] static void place(struct lane *lane)
{
    do {
        struct contender *self = &lane->self;
        self->eager = goes_eagerly(lane);
        if (rbtree_empty(&lane->queue))
            take_out(self);
        else if (self->queued)
            move_to_place(self);
        else
            insert(self);
        lane = self->lane;
    } while (!is_placed(lane));
}

// Keeps invariant 1 when another goes first in a lane, or nobody, or the first one.
static void update(struct lane *lane)
{
    if (!is_placed(lane))
        place(lane);
}

static bool is_first(const struct contender *contender)
{
    return rbtree_first(&contender->lane->queue) == &contender->node;
}

void lane_push(struct contender *contender)
{
    insert(contender);
    if (is_first(contender))
        update(contender->lane);
}

void lane_remove(struct contender *contender)
{
    bool was_first = is_first(contender);
    take_out(contender);
    if (was_first)
        update(contender->lane);
}

// ---- Order --------------------------------------------------------------------------

static struct thread *thread_of(struct contender *contender)
{
    while (contender != nullptr && contender->is_lane)
        contender = contender_of(rbtree_first(&lane_of(contender)->queue));
    return contender == nullptr ? nullptr : container_of(contender, struct thread, contender);
}

struct thread *lane_first(const struct lane *lane)
{
    return thread_of(contender_of(rbtree_first(&lane->queue)));
}

struct thread *lane_next(const struct thread *thread, const struct lane *root)
{
    const struct contender *at = &thread->contender;
    for (;;) {
        struct contender *next = contender_of(rbtree_next(&at->node));
        if (next != nullptr)
            return thread_of(next);
        if (at->lane == root)
            return nullptr;
        at = &at->lane->self;
    }
}

int64_t lane_lead(const struct contender *a, const struct contender *b)
{
    while (a->lane != b->lane) {
        uint32_t depth_a = a->lane->depth, depth_b = b->lane->depth;
        if (depth_a >= depth_b)
            a = &a->lane->self;
        if (depth_b >= depth_a)
            b = &b->lane->self;
    }
    return (int64_t)(position_of(b) - position_of(a));
}

// ---- Time ---------------------------------------------------------------------------

// Invariant 2: how far the clock of a lane gets when that of one of its contenders is at
// clock_ns.
static void advance(struct lane *lane, uint64_t clock_ns)
{
    const struct contender *first = contender_of(rbtree_first(&lane->queue));
    if (first != nullptr && (int64_t)(clock_ns - first->clock_ns - SCHED_SLICE_NS) > 0)
        clock_ns = first->clock_ns + SCHED_SLICE_NS;
    if ((int64_t)(clock_ns - lane->clock_ns) > 0)
        lane->clock_ns = clock_ns;
}

static void run(struct contender *contender, uint64_t ran_ns)
{
    contender->clock_ns += (uint64_t)((unsigned __int128)ran_ns * contender->slowness >> 16);
}

[[gnu::noinline]] void lane_settle(struct lane *lane)
{
    uint64_t ran_ns = lane->unpaid_ns;
    lane->unpaid_ns = 0;
    for (; !is_root(lane); lane = lane->self.lane) {
        struct contender *self = &lane->self;
        run(self, ran_ns);
        if (self->queued) {
            move_to_place(self);
            update(self->lane);
        }
        advance(self->lane, self->clock_ns);
    }
}

void lane_charge(struct contender *contender, uint64_t ran_ns)
{
    ASSERT(!contender->queued);
    struct lane *lane = contender->lane;
    run(contender, ran_ns);
    advance(lane, contender->clock_ns);
    lane->unpaid_ns += ran_ns;
    if (lane->unpaid_ns >= LANE_UNPAID_NS)
        lane_settle(lane);
}
