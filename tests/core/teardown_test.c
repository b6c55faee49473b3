// SPDX-License-Identifier: MIT
// The end of a process with much memory: in steps, each bounded, whatever happens between two.
#include "core_test.h"

#include <gen/wire/process.h>
#include <kernel/debug/panic.h>
#include <kernel/mm/frame.h>
#include <kernel/mm/memory_object.h>
#include <kernel/sched/process.h>
#include <kernel/sched/sched.h>
#include <kernel/sched/timeout.h>

constexpr uint64_t PAGES = 9000; // more than four steps
constexpr uint64_t STEP_FRAMES_MAX =
    SPACE_STEP_WORK + 512 + 64; // a large page, a batch, tables

static const char *reason;

// Gives a space pages, each on its own.
static uint64_t fill(struct space *space, uint64_t page_count)
{
    uint64_t address = 0;
    uint8_t byte = 1;
    CHECK_EQ(space_reserve(space, page_count * PAGE_BYTES, 0, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(space_commit_lazily(space, address, page_count * PAGE_BYTES, PROTECTION_READ_WRITE,
                                 &reason),
             STATUS_OK);
    for (uint64_t i = 0; i < page_count; i++)
        CHECK_EQ(space_copy_out(space, address + i * PAGE_BYTES, &byte, 1), STATUS_OK);
    return address;
}

static struct budget *large_budget(void)
{
    struct budget *budget = budget_split(harness_root_budget(), (PAGES + 2000) * PAGE_BYTES);
    ASSERT(budget != nullptr);
    return budget;
}

static void end_begin(struct process *process)
{
    process_end(process, &(struct process_handle_wait_results){.kind = END_KIND_KILLED});
    host_resume(sched_leave());
}

// Lets the next step happen, and returns how many frames became free.
static uint64_t step(void)
{
    uint64_t before = frame_free_count();
    host_advance_ns(timeout_next_ns() - arch_now_ns());
    uint64_t freed = frame_free_count() - before;
    CHECK(freed <= STEP_FRAMES_MAX);
    return freed;
}

static capos_cap_id wait_for(struct actor *parent, struct process *process)
{
    capos_cap_id handle = actor_give(parent, &process->object);
    struct actor_call call =
        call_of(handle, INTERFACE_PROCESS_HANDLE, PROCESS_HANDLE_METHOD_WAIT);
    actor_submit_call(parent, 1, &call);
    CHECK(nothing_completed(parent));
    return handle;
}

CORE_TEST(a_large_process_ends_in_bounded_steps)
{
    struct actor *parent = actor_create("parent");
    struct budget *budget = large_budget();
    struct actor *child = actor_create_on(budget, "child");
    struct process *process = child->process;
    (void)fill(&process->space, PAGES);
    (void)wait_for(parent, process);

    uint64_t before = frame_free_count();
    end_begin(process);
    CHECK(frame_free_count() - before <= STEP_FRAMES_MAX);
    unsigned steps = 1;
    for (; process->ending && steps < 100; steps++) {
        CHECK(nothing_completed(parent));
        uint64_t used_bytes = budget->used_bytes;
        uint64_t freed = step();
        CHECK(freed > 0);
        CHECK(!process->ending || used_bytes - budget->used_bytes == freed * PAGE_BYTES);
    }
    CHECK(steps >= PAGES / SPACE_STEP_WORK && steps < 10);
    CHECK_EQ(process->state, PROCESS_ENDED);
    CHECK_EQ(take(parent).result, 0);
    actor_destroy(parent); // its handle
    actor_destroy(child);
    CHECK_EQ(budget->used_bytes, 0);
    object_put(&budget->object);
}

CORE_TEST(what_happens_between_the_steps_changes_nothing)
{
    for (unsigned what = 0; what < 4; what++) {
        struct actor *parent = actor_create("parent");
        struct budget *budget = large_budget();
        struct actor *child = actor_create_on(budget, "child");
        struct process *process = child->process;
        (void)fill(&process->space, PAGES);
        capos_cap_id handle = wait_for(parent, process);
        end_begin(process);
        (void)step();
        switch (what) {
        case 0: // killed again
            end_begin(process);
            break;
        case 1: // nobody waits any more, and nobody knows it
            actor_destroy(parent);
            parent = nullptr;
            break;
        case 2: // nobody refers to it
            CHECK_EQ(actor_release(parent, handle), 0);
            actor_drop(child);
            child = nullptr;
            break;
        default: // its budget is wanted by somebody else
            CHECK(budget_split(budget, PAGES * PAGE_BYTES) == nullptr);
        }
        while (timeout_next_ns() != UINT64_MAX)
            (void)step();
        if (child != nullptr)
            actor_destroy(child);
        if (parent != nullptr)
            actor_destroy(parent);
        CHECK_EQ(budget->used_bytes, 0);
        object_put(&budget->object);
    }
}

CORE_TEST(an_object_that_an_ending_process_maps_is_written_to_by_others)
{
    constexpr uint64_t object_pages = 3000;
    struct budget *budget = large_budget();
    struct actor *child = actor_create_on(budget, "child");
    struct actor *other = actor_create("other");
    struct process *process = child->process;
    struct memory_object *object =
        memory_object_create(harness_root_budget(), object_pages * PAGE_BYTES);
    uint64_t own = 0, others = 0;
    uint8_t byte = 1;
    struct space *spaces[] = {&process->space, &other->process->space};
    uint64_t *addresses[] = {&own, &others};
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(space_map(spaces[i], object, 0, object_pages * PAGE_BYTES, 0,
                           PROTECTION_READ_WRITE, addresses[i], &reason),
                 STATUS_OK);
    for (uint64_t at = 0; at < object_pages * PAGE_BYTES; at += PAGE_BYTES)
        for (unsigned i = 0; i < 2; i++)
            CHECK_EQ(space_copy_out(spaces[i], *addresses[i] + at, &byte, 1), STATUS_OK);

    end_begin(process);
    CHECK(process->ending);
    enum status status;
    struct memory_object *snapshot =
        memory_object_create_snapshot(harness_root_budget(), object, &status, &reason);
    CHECK(snapshot != nullptr);
    byte = 2;
    for (uint64_t at = 0; at < object_pages * PAGE_BYTES; at += 64 * PAGE_BYTES)
        CHECK_EQ(space_copy_out(spaces[1], others + at, &byte, 1), STATUS_OK);
    while (process->ending)
        (void)step();
    actor_destroy(child);
    actor_destroy(other);
    object_put(memory_object_as_object(snapshot));
    object_put(memory_object_as_object(object));
    object_put(&budget->object);
}

CORE_TEST(a_large_process_that_never_ran_ends_in_steps_too)
{
    struct budget *budget = large_budget();
    struct process *process = process_create(budget, "never", 5);
    CHECK(process != nullptr);
    (void)fill(&process->space, PAGES);
    uint64_t before = frame_free_count();
    object_put(&process->object);
    host_resume(sched_leave());
    CHECK(frame_free_count() - before <= STEP_FRAMES_MAX);
    CHECK(budget->used_bytes > 0);
    while (timeout_next_ns() != UINT64_MAX)
        (void)step();
    CHECK_EQ(budget->used_bytes, 0);
    object_put(&budget->object);
}

// Large ranges of which little is there, and many small ones.
CORE_TEST(an_end_is_bounded_whatever_the_memory_is_like)
{
    struct budget *budget = large_budget();
    struct actor *child = actor_create_on(budget, "child");
    struct process *process = child->process;
    struct space *space = &process->space;
    uint64_t address = 0;
    uint8_t byte = 1;
    for (uint64_t i = 0; i < 3000; i++) // regions
        CHECK_EQ(space_reserve(space, PAGE_BYTES, 0, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(space_reserve(space, (uint64_t)1 << 40, 0, 0, &address, &reason), STATUS_OK);
    CHECK_EQ(
        space_commit_lazily(space, address, (uint64_t)1 << 40, PROTECTION_READ_WRITE, &reason),
        STATUS_OK);
    for (uint64_t i = 0; i < 1000; i++) // tables of their own
        CHECK_EQ(space_copy_out(space, address + (i << 28), &byte, 1), STATUS_OK);
    uint64_t looked = host_next_count;
    end_begin(process);
    CHECK(host_next_count - looked < 10'000);
    while (process->ending) {
        looked = host_next_count;
        (void)step();
        CHECK(host_next_count - looked < 10'000);
    }
    actor_destroy(child);
    CHECK_EQ(budget->used_bytes, 0);
    object_put(&budget->object);
}

int main(void)
{
    harness_boot((uint64_t)96 << 20);
    RUN(a_large_process_ends_in_bounded_steps);
    RUN(what_happens_between_the_steps_changes_nothing);
    RUN(an_object_that_an_ending_process_maps_is_written_to_by_others);
    RUN(a_large_process_that_never_ran_ends_in_steps_too);
    RUN(an_end_is_bounded_whatever_the_memory_is_like);
    return test_report();
}
