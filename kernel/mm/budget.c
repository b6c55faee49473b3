// SPDX-License-Identifier: MIT
// Memory budgets.  See budget.h.
//
// A split moves its whole limit out of the parent at once, so a charge looks at one
// budget only, however deep the tree is.  The methods of MemoryBudget are in
// object/memory_budget.c.  Tested in slab_test.c.
#include <kernel/mm/budget.h>

#include <kernel/debug/panic.h>
#include <kernel/debug/trace.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/slab.h>
#include <kernel/object/objects.h>
#include <kernel/sched/cpu.h>
#include <kernel/sched/lane.h>

// A budget and its lanes, of which there are as many as CPUs.
struct budget_block {
    struct budget budget;
    struct lane lanes[ARCH_CPU_COUNT_MAX];
};

static struct budget root;
static struct slab_cache budgets = {.name = "struct budget"};
static struct list watches_due = {.head = {&watches_due.head, &watches_due.head}};

static void check(const struct budget *budget)
{
    ASSERT(budget->used_bytes <= budget->limit_bytes);
    ASSERT(budget->kernel_bytes + budget->split_bytes <= budget->used_bytes);
}

// Moves the watches whose threshold has been reached to those that are due.
[[gnu::noinline]] static void watches_fire(struct budget *budget)
{
    budget->watch_bytes = UINT64_MAX;
    LIST_FOR_EACH(watch, &budget->watches, struct budget_watch, link)
    {
        if (watch->threshold_bytes <= budget->used_bytes) {
            list_remove(&watch->link);
            list_push_back(&watches_due, &watch->link);
            struct cpu *cpu = arch_cpu();
            cpu->watches_due = true;
            cpu->changed = true;
        } else if (watch->threshold_bytes < budget->watch_bytes) {
            budget->watch_bytes = watch->threshold_bytes;
        }
    }
}

static enum status charge(struct budget *budget, uint64_t size_bytes)
{
    ASSERT(size_bytes % PAGE_BYTES == 0);
    check(budget);
    if (size_bytes > budget->limit_bytes - budget->used_bytes) {
        trace(TRACE_CHARGE_REFUSED, budget->limit_bytes, size_bytes);
        return STATUS_OVERLOADED;
    }
    budget->used_bytes += size_bytes;
    if (budget->used_bytes > budget->used_bytes_max)
        budget->used_bytes_max = budget->used_bytes;
    if (budget->used_bytes >= budget->watch_bytes)
        watches_fire(budget);
    return STATUS_OK;
}

// What was charged for another budget, which is neither kind.
static void uncharge_split(struct budget *parent, uint64_t size_bytes)
{
    ASSERT(size_bytes <= parent->split_bytes);
    parent->split_bytes -= size_bytes;
    budget_uncharge(parent, CHARGE_USER, size_bytes);
}

struct budget *budget_init(void)
{
    root = (struct budget){.limit_bytes = frame_free_count() * PAGE_BYTES,
                           .watch_bytes = UINT64_MAX,
                           .lanes = lane_roots,
                           .weight = WEIGHT_NORMAL};
    slab_cache_init(&budgets, offsetof(struct budget_block, lanes) +
                                  arch_cpu_count() * sizeof(struct lane));
    list_init(&root.watches);
    object_init(&root.object, &memory_budget_type);
    return &root;
}

enum status budget_charge_anyhow(struct budget *budget, enum charge_kind kind,
                                 uint64_t size_bytes)
{
    enum status status = charge(budget, size_bytes);
    if (status == STATUS_OK && kind == CHARGE_KERNEL)
        budget->kernel_bytes += size_bytes;
    return status;
}

static_assert(offsetof(struct budget_block, budget) == 0 &&
              sizeof(struct budget_block) <= 4096);

static void lanes_init(struct budget *budget)
{
    budget->weight = WEIGHT_NORMAL;
    budget->lanes = budget->parent->lanes;
    if (budget->parent->lanes[0].depth == LANE_DEPTH_MAX)
        return;
    budget->lanes = ((struct budget_block *)budget)->lanes;
    for (uint32_t i = 0; i < arch_cpu_count(); i++)
        lane_init(&budget->lanes[i], &budget->parent->lanes[i]);
}

struct budget *budget_split(struct budget *parent, uint64_t limit_bytes)
{
    struct budget *child = slab_get(&budgets, parent);
    if (child == nullptr)
        return nullptr;
    if (charge(parent, limit_bytes) != STATUS_OK) {
        slab_put(&budgets, parent, child);
        return nullptr;
    }
    parent->split_bytes += limit_bytes;
    object_init(&child->object, &memory_budget_type);
    child->parent = parent;
    child->limit_bytes = limit_bytes;
    child->watch_bytes = UINT64_MAX;
    list_init(&child->watches);
    lanes_init(child);
    object_get(&parent->object);
    return child;
}

enum status budget_give_back(struct budget *budget, uint64_t size_bytes)
{
    struct budget *parent = budget->parent;
    if (parent == nullptr)
        return STATUS_FAILED;
    if (size_bytes > budget->limit_bytes - budget->used_bytes)
        return STATUS_OVERLOADED;
    budget->limit_bytes -= size_bytes;
    uncharge_split(parent, size_bytes);
    return STATUS_OK;
}

void budget_watch_start(struct budget_watch *watch)
{
    list_push_back(&watch->budget->watches, &watch->link);
    watches_fire(watch->budget);
}

void budget_watch_stop(struct budget_watch *watch)
{
    if (!list_linked(&watch->link))
        return; // it has fired
    list_remove(&watch->link);
    watches_fire(watch->budget); // the lowest threshold may be another now
}

void budget_watch_signal(void)
{
    arch_cpu()->watches_due = false;
    struct list_link *link;
    while ((link = list_pop_front(&watches_due)) != nullptr) {
        struct budget_watch *watch = container_of(link, struct budget_watch, link);
        watch->fired = true;
        notification_post(watch->notification, watch->bits);
    }
}

void budget_destroy(struct budget *budget)
{
    struct budget *parent = budget->parent;
    ASSERT(parent != nullptr && budget->used_bytes == 0 && list_empty(&budget->watches));
    uncharge_split(parent, budget->limit_bytes);
    slab_put(&budgets, parent, budget);
    object_put(&parent->object);
}
