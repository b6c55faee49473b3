// SPDX-License-Identifier: MIT
// Memory budgets: who pays for what, who has which share of the CPUs, and who wants to know
// (budget.c).
//
// Invariants:
//  1. used <= limit for each budget; the limits of the children are part of used.
//  2. The root's limit is the memory that was free after boot and all charges are whole
//     pages, so a charge that succeeded is backed by frames.
//  3. Every charge names the budget; the same amount is uncharged to the same budget.
//     Whoever holds a charge holds a reference, so a budget dies without any.
//  4. watch_bytes is the lowest threshold of the watches that haven't fired; each of these
//     is above used_bytes.
#pragma once

#include <stdint.h>

#include <gen/status.h>
#include <kernel/arch.h>
#include <kernel/debug/panic.h>
#include <kernel/object/object.h>
#include <lib/list.h>

constexpr unsigned SLAB_CLASS_COUNT = 15;

struct lane;

struct budget {
    struct object object;  // MemoryBudget
    struct budget *parent; // referenced
    uint64_t limit_bytes;
    uint64_t used_bytes;
    uint64_t kernel_bytes;   // part of used_bytes
    uint64_t split_bytes;    // part of used_bytes
    uint64_t used_bytes_max; // the most that was ever used
    uint64_t watch_bytes;
    struct list watches; // struct budget_watch.link, of those that haven't fired
    // One per CPU, in which the threads that run on this budget compete; those of the parent if
    // it is nested too deeply for its own.
    struct lane *lanes;
    uint32_t weight; // of its lanes
    // Private to slab.c: the first slab page with room of each size class, as a frame
    // number; 0 for none.
    uint32_t slab_partial[SLAB_CLASS_COUNT];
};

enum charge_kind {
    CHARGE_USER,   // pages that hold what user code put there
    CHARGE_KERNEL, // the kernel's own structures, page tables included
};

// The root budget, without a parent and never destroyed; it holds all memory that is
// free when called.
[[nodiscard]] struct budget *budget_init(void);

// Charges whole pages.  STATUS_OVERLOADED when they don't fit.
[[nodiscard]] enum status budget_charge_anyhow(struct budget *budget, enum charge_kind kind,
                                               uint64_t size_bytes);
// In line where that needs no more than adding: it fits, it isn't the most that was ever used, and
// nobody watches for it.
[[nodiscard]] static inline enum status
budget_charge(struct budget *budget, enum charge_kind kind, uint64_t size_bytes)
{
    uint64_t used_bytes = budget->used_bytes + size_bytes;
    if (size_bytes > budget->limit_bytes - budget->used_bytes || size_bytes % PAGE_BYTES != 0 ||
        used_bytes > budget->used_bytes_max || used_bytes >= budget->watch_bytes)
        return budget_charge_anyhow(budget, kind, size_bytes);
    budget->used_bytes = used_bytes;
    if (kind == CHARGE_KERNEL)
        budget->kernel_bytes += size_bytes;
    return STATUS_OK;
}

static inline void budget_uncharge(struct budget *budget, enum charge_kind kind,
                                   uint64_t size_bytes)
{
    if (kind == CHARGE_KERNEL) {
        ASSERT(size_bytes <= budget->kernel_bytes);
        budget->kernel_bytes -= size_bytes;
    }
    ASSERT(size_bytes % PAGE_BYTES == 0 && size_bytes <= budget->used_bytes);
    budget->used_bytes -= size_bytes;
    ASSERT(budget->kernel_bytes + budget->split_bytes <= budget->used_bytes);
}

// A new budget whose limit, a multiple of PAGE_BYTES, is charged to the parent, as is the
// structure itself.  nullptr when they don't fit.  One reference, no hold; the last put
// gives all back to the parent.
[[nodiscard]] struct budget *budget_split(struct budget *parent, uint64_t limit_bytes);

// Gives a part of the limit that isn't used back to the parent: a multiple of PAGE_BYTES.
// STATUS_FAILED for the root, STATUS_OVERLOADED when less is free.
[[nodiscard]] enum status budget_give_back(struct budget *budget, uint64_t size_bytes);

// Somebody who wants to know, once, that used_bytes has reached a threshold.
struct budget_watch {
    struct object object;        // BudgetWatch
    struct budget *budget;       // referenced; pays for the structure
    struct object *notification; // referenced
    uint64_t threshold_bytes;
    uint64_t bits;
    struct list_link link; // of budget->watches, or of the watches that are due
    bool fired;
};

// Starts and ends the watching.  Reached already: it fires at the end of this upcall.
void budget_watch_start(struct budget_watch *watch);
void budget_watch_stop(struct budget_watch *watch);
// Tells the watches that are due.  Only sched_leave calls it: a charge is made in the midst
// of things, and a signal may end waits.
void budget_watch_signal(void);

// The MemoryBudget type (object/memory_budget.c), and what it does at the end.
extern const struct object_type memory_budget_type;
void budget_destroy(struct budget *budget);
