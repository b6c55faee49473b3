// SPDX-License-Identifier: MIT
// What the tests of kernel/mm share: a machine with a root budget, and random numbers.
#pragma once

#include <kernel/arch/host/machine.h>
#include <kernel/mm/budget.h>
#include <kernel/mm/frame.h>
#include <kernel/upcall.h>
#include <test/test.h>

static uint64_t random_state;

static inline uint64_t random_next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 16;
}

static inline uint64_t random_below(uint64_t bound)
{
    return random_next() % bound;
}

// A fresh machine with that much RAM, its frames and the root budget.
static inline struct budget *mm_machine(uint64_t ram_bytes)
{
    static struct boot_info info;
    host_machine_init(ram_bytes, 1, &info);
    frame_init(&info);
    return budget_init();
}

// What must be the same before and after.
struct mm_counts {
    uint64_t free_frames;
    uint64_t used_bytes;
    uint64_t kernel_bytes;
    uint64_t split_bytes;
    uint32_t references;
};

static inline struct mm_counts mm_count(const struct budget *budget)
{
    return (struct mm_counts){frame_free_count(), budget->used_bytes, budget->kernel_bytes,
                              budget->split_bytes, budget->object.reference_count};
}

static inline void mm_check_counts(const struct budget *budget, struct mm_counts expected)
{
    CHECK_EQ(frame_free_count(), expected.free_frames);
    CHECK_EQ(budget->used_bytes, expected.used_bytes);
    CHECK_EQ(budget->kernel_bytes, expected.kernel_bytes);
    CHECK_EQ(budget->split_bytes, expected.split_bytes);
    CHECK_EQ(budget->object.reference_count, expected.references);
}
