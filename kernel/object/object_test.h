// SPDX-License-Identifier: MIT
// What the tests of single objects share: a process without threads that calls methods
// directly, and what came of a call.
#pragma once

#include <kernel/ipc/invocation.h>
#include <kernel/mm/mm_test.h>
#include <kernel/sched/process.h>

static struct process test_process;

// A machine whose root budget pays for the process.
static inline struct budget *object_machine(uint64_t ram_bytes)
{
    struct budget *root = mm_machine(ram_bytes);
    test_process = (struct process){.budget = root};
    return root;
}

// A call of the process, without capabilities.
static inline struct invocation call_of_process(void)
{
    return (struct invocation){.process = &test_process};
}

// The result capability of a call, or of one that returned none.
static inline struct object *result_of(const struct invocation *invocation)
{
    CHECK_EQ(invocation->result_cap_count, 1);
    return invocation->result_cap_count == 1 ? invocation->result_caps[0] : nullptr;
}

// That a call was refused with that status, and said why.
static inline void check_refused(enum status status, enum status expected,
                                 const struct invocation *invocation)
{
    CHECK_EQ(status, expected);
    CHECK(invocation->reason != nullptr);
    CHECK(invocation->reason == nullptr || strlen(invocation->reason) <= 200);
    CHECK_EQ(invocation->result_cap_count, 0);
}
