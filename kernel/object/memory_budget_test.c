// SPDX-License-Identifier: MIT
// Tests of the methods of MemoryBudget; the arithmetic is tested in mm/slab_test.c.
#include <gen/kernel/memory_budget.h>

#include <kernel/mm/memory_object.h>
#include <kernel/object/object_test.h>
#include <kernel/object/objects.h>

constexpr uint64_t RAM_BYTES = (uint64_t)16 << 20;

static void memory_budget_split_and_info_agree(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct invocation call = call_of_process();
    struct memory_budget_split_params params = {.size_bytes = 64 * PAGE_BYTES};
    struct memory_budget_split_results results;
    CHECK_EQ(memory_budget_split(&root->object, &call, &params, &results), STATUS_OK);
    CHECK_EQ(results.budget, 0);
    struct memory_budget_info_results info;
    CHECK_EQ(memory_budget_info(&root->object, &call, &info), STATUS_OK);
    CHECK_EQ(info.split_bytes, 64 * PAGE_BYTES);
    CHECK_EQ(info.used_bytes, 65 * PAGE_BYTES);
    CHECK_EQ(info.kernel_bytes, PAGE_BYTES);
    CHECK_EQ(info.limit_bytes, root->limit_bytes);
    CHECK_EQ(memory_budget_info(result_of(&call), &call, &info), STATUS_OK);
    CHECK_EQ(info.limit_bytes, 64 * PAGE_BYTES);
    CHECK_EQ(info.used_bytes, 0);
    object_put(result_of(&call));
    mm_check_counts(root, before);
}

static void memory_budget_sizes_are_whole_pages(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    static const struct {
        uint64_t size;
        enum status status;
    } sizes[] = {
        {0, STATUS_INVALID_ARGUMENT},
        {1, STATUS_INVALID_ARGUMENT},
        {PAGE_BYTES + 1, STATUS_INVALID_ARGUMENT},
        {UINT64_MAX, STATUS_INVALID_ARGUMENT},
        {~(PAGE_BYTES - 1), STATUS_OVERLOADED},
        {RAM_BYTES, STATUS_OVERLOADED},
        {(uint64_t)1 << 63, STATUS_OVERLOADED},
    };
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct invocation call = call_of_process();
        struct memory_budget_split_params split = {.size_bytes = sizes[i].size};
        struct memory_budget_split_results split_results;
        check_refused(memory_budget_split(&root->object, &call, &split, &split_results),
                      sizes[i].status, &call);
        call = call_of_process();
        struct memory_budget_create_memory_object_params create = {.size_bytes = sizes[i].size};
        struct memory_budget_create_memory_object_results create_results;
        check_refused(
            memory_budget_create_memory_object(&root->object, &call, &create, &create_results),
            sizes[i].status, &call);
    }
    mm_check_counts(root, before);
}

static void memory_budget_charges_itself_for_what_it_makes(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct budget *child = budget_split(root, 64 * PAGE_BYTES);
    struct invocation call = call_of_process();
    struct memory_budget_create_memory_object_params params = {.size_bytes = 3 * PAGE_BYTES};
    struct memory_budget_create_memory_object_results results;
    uint64_t root_used = root->used_bytes;
    CHECK_EQ(memory_budget_create_memory_object(&child->object, &call, &params, &results),
             STATUS_OK);
    CHECK_EQ(root->used_bytes, root_used);
    CHECK_EQ(child->used_bytes, 4 * PAGE_BYTES);
    CHECK(memory_object_executable(memory_object_of(result_of(&call))));
    // The object keeps the budget alive.
    object_put(&child->object);
    CHECK_EQ(root->used_bytes, root_used);
    object_put(result_of(&call));
    mm_check_counts(root, before);
}

static void memory_budget_makes_endpoints_and_notifications(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    static const uint32_t bad[] = {0, ENDPOINT_QUEUE_MAX + 1, UINT32_MAX};
    struct memory_budget_create_endpoint_results endpoint;
    for (unsigned i = 0; i < 3; i++) {
        struct invocation call = call_of_process();
        struct memory_budget_create_endpoint_params params = {.queue_max = bad[i]};
        check_refused(memory_budget_create_endpoint(&root->object, &call, &params, &endpoint),
                      STATUS_INVALID_ARGUMENT, &call);
    }
    struct invocation call = call_of_process();
    struct memory_budget_create_endpoint_params params = {.queue_max = 16};
    CHECK_EQ(memory_budget_create_endpoint(&root->object, &call, &params, &endpoint),
             STATUS_OK);
    object_put(result_of(&call));
    call = call_of_process();
    struct memory_budget_create_notification_results notification;
    CHECK_EQ(memory_budget_create_notification(&root->object, &call, &notification), STATUS_OK);
    object_put(result_of(&call));
    mm_check_counts(root, before);
}

static void memory_budget_gives_back_what_isnt_used(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct mm_counts before = mm_count(root);
    struct budget *child = budget_split(root, 64 * PAGE_BYTES);
    uint64_t used = root->used_bytes;
    CHECK_EQ(budget_charge(child, CHARGE_USER, 10 * PAGE_BYTES), STATUS_OK);
    static const struct {
        uint64_t size;
        enum status status;
    } sizes[] = {{0, STATUS_INVALID_ARGUMENT},
                 {PAGE_BYTES + 1, STATUS_INVALID_ARGUMENT},
                 {55 * PAGE_BYTES, STATUS_OVERLOADED},
                 {~(PAGE_BYTES - 1), STATUS_OVERLOADED}};
    struct memory_budget_give_back_params params;
    for (unsigned i = 0; i < 4; i++) {
        struct invocation call = call_of_process();
        params.size_bytes = sizes[i].size;
        check_refused(memory_budget_give_back(&child->object, &call, &params), sizes[i].status,
                      &call);
    }
    struct invocation call = call_of_process();
    params.size_bytes = 54 * PAGE_BYTES;
    CHECK_EQ(memory_budget_give_back(&child->object, &call, &params), STATUS_OK);
    CHECK_EQ(root->used_bytes, used - 54 * PAGE_BYTES);
    CHECK_EQ(root->split_bytes, 10 * PAGE_BYTES);
    CHECK_EQ(child->limit_bytes, 10 * PAGE_BYTES);
    CHECK_EQ(budget_charge(child, CHARGE_USER, PAGE_BYTES), STATUS_OVERLOADED);
    call = call_of_process();
    check_refused(memory_budget_give_back(&root->object, &call, &params), STATUS_FAILED, &call);
    budget_uncharge(child, CHARGE_USER, 10 * PAGE_BYTES);
    object_put(&child->object);
    mm_check_counts(root, before);
}

static void memory_budget_remembers_its_peak(void)
{
    struct budget *root = object_machine(RAM_BYTES);
    struct budget *child = budget_split(root, 64 * PAGE_BYTES);
    CHECK_EQ(budget_charge(child, CHARGE_USER, 10 * PAGE_BYTES), STATUS_OK);
    CHECK_EQ(budget_charge(child, CHARGE_KERNEL, 7 * PAGE_BYTES), STATUS_OK);
    CHECK_EQ(budget_charge(child, CHARGE_USER, 60 * PAGE_BYTES), STATUS_OVERLOADED);
    budget_uncharge(child, CHARGE_USER, 10 * PAGE_BYTES);
    budget_uncharge(child, CHARGE_KERNEL, 7 * PAGE_BYTES);
    struct invocation call = call_of_process();
    struct memory_budget_peak_results results;
    CHECK_EQ(memory_budget_peak(&child->object, &call, &results), STATUS_OK);
    CHECK_EQ(results.used_bytes_max, 17 * PAGE_BYTES);
    object_put(&child->object);
}

int main(void)
{
    RUN(memory_budget_split_and_info_agree);
    RUN(memory_budget_sizes_are_whole_pages);
    RUN(memory_budget_charges_itself_for_what_it_makes);
    RUN(memory_budget_makes_endpoints_and_notifications);
    RUN(memory_budget_gives_back_what_isnt_used);
    RUN(memory_budget_remembers_its_peak);
    return test_report();
}
