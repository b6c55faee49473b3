// SPDX-License-Identifier: MIT
// MemoryBudget: what is charged, what a split takes and gives back, and that exhaustion is
// an error for who asked and nothing for anyone else.
#include <capos/test.h>

#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>

constexpr uint64_t PAGE = 4096;

struct info {
    uint64_t limit_bytes, used_bytes, kernel_bytes, split_bytes;
};

static struct info info_of(memory_budget_cap budget)
{
    struct info info = {};
    CHECK_OK(memory_budget_info(budget, &info.limit_bytes, &info.used_bytes, &info.kernel_bytes,
                                &info.split_bytes));
    return info;
}

static memory_budget_cap split(uint64_t size_bytes)
{
    memory_budget_cap part = {};
    CHECK_OK(memory_budget_split(test_budget(), size_bytes, &part));
    return part;
}

static int child_uses_its_budget(void)
{
    memory_budget_cap budget;
    memory_object_cap object;
    uint64_t limit_bytes;
    EXPECT_OK(memory_budget_cap_find("purse", &budget));
    EXPECT_OK(memory_budget_info(budget, &limit_bytes, nullptr, nullptr, nullptr));
    EXPECT(limit_bytes == 16 * PAGE);
    EXPECT_OK(memory_budget_create_memory_object(budget, 4 * PAGE, &object));
    return 0;
}

static void budget_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("budget", INTERFACE_MEMORY_BUDGET);
}

static void budget_serves_whom_it_was_granted_and_gets_all_back_at_its_end(void)
{
    memory_budget_cap part = split(16 * PAGE);
    const struct test_child_grant grants[] = {test_lend("purse", part.id)};
    CHECK_CHILD("uses its budget", grants, 1);
    CHECK_EQ(info_of(part).used_bytes, 0);
    memory_budget_cap_release(&part);
}

static void info_adds_up(void)
{
    struct info info = info_of(test_budget());
    CHECK(info.used_bytes <= info.limit_bytes);
    CHECK(info.kernel_bytes + info.split_bytes <= info.used_bytes);
    CHECK_EQ(info.limit_bytes % PAGE, 0);
}

static void a_memory_object_is_charged_in_full_to_the_budget_that_made_it(void)
{
    memory_budget_cap part = split(64 * PAGE);
    memory_object_cap object = {};
    CHECK_EQ(info_of(part).used_bytes, 0);
    CHECK_OK(memory_budget_create_memory_object(part, 32 * PAGE, &object));
    struct info info = info_of(part);
    CHECK_EQ(info.used_bytes - info.kernel_bytes, 32 * PAGE);
    memory_object_cap_release(&object);
    CHECK_EQ(info_of(part).used_bytes, 0);
    memory_budget_cap_release(&part);
}

static void a_split_moves_its_limit_and_gives_it_back_on_release(void)
{
    struct info before = info_of(test_budget());
    memory_budget_cap part = split(10 * PAGE);
    struct info during = info_of(test_budget());
    CHECK_EQ(info_of(part).limit_bytes, 10 * PAGE);
    CHECK_EQ(during.split_bytes - before.split_bytes, 10 * PAGE);
    CHECK(during.used_bytes - before.used_bytes >= 10 * PAGE);
    memory_budget_cap_release(&part);
    CHECK_EQ(info_of(test_budget()).split_bytes, before.split_bytes);
}

static void a_split_budget_outlives_its_hold_as_long_as_something_is_charged_to_it(void)
{
    uint64_t split_bytes = info_of(test_budget()).split_bytes;
    memory_budget_cap part = split(10 * PAGE);
    memory_object_cap object = {};
    CHECK_OK(memory_budget_create_memory_object(part, PAGE, &object));
    memory_budget_cap_release(&part);
    CHECK_EQ(info_of(test_budget()).split_bytes, split_bytes + 10 * PAGE);
    memory_object_cap_release(&object);
    CHECK_EQ(info_of(test_budget()).split_bytes, split_bytes);
}

static void a_budget_is_split_again_and_again(void)
{
    memory_budget_cap chain[8];
    chain[0] = split(64 * PAGE);
    for (size_t i = 1; i < 8; i++)
        CHECK_OK(memory_budget_split(chain[i - 1], (64 - 8 * i) * PAGE, &chain[i]));
    // Released from the top: the inner ones keep what they come from.
    for (size_t i = 0; i < 7; i++)
        memory_budget_cap_release(&chain[i]);
    CHECK_EQ(info_of(chain[7]).limit_bytes, 8 * PAGE);
    memory_budget_cap_release(&chain[7]);
}

static void sizes_out_of_range_are_refused(void)
{
    CHECK_STATUS(memory_budget_split(test_budget(), 0, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_budget_split(test_budget(), PAGE + 1, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_budget_create_memory_object(test_budget(), 0, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_budget_create_memory_object(test_budget(), PAGE / 2, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_budget_create_endpoint(test_budget(), 0, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(memory_budget_create_endpoint(test_budget(), 4097, nullptr),
                 STATUS_INVALID_ARGUMENT);
}

static void more_than_there_is_is_overloaded(void)
{
    CHECK_STATUS(memory_budget_split(test_budget(), UINT64_MAX & ~(PAGE - 1), nullptr),
                 STATUS_OVERLOADED);
    CHECK_STATUS(memory_budget_create_memory_object(test_budget(), UINT64_C(1) << 41, nullptr),
                 STATUS_OVERLOADED);
    memory_budget_cap part = split(4 * PAGE);
    CHECK_STATUS(memory_budget_create_memory_object(part, 5 * PAGE, nullptr),
                 STATUS_OVERLOADED);
    CHECK_STATUS(memory_budget_create_endpoint(part, 4096, nullptr), STATUS_OVERLOADED);
    CHECK_EQ(info_of(part).used_bytes, 0);
    memory_budget_cap_release(&part);
}

// Notifications until the budget is full; then each that is released makes room again.
static void an_exhausted_budget_recovers(void)
{
    enum { COUNT_MAX = 256 };
    static notification_cap notifications[COUNT_MAX];
    memory_budget_cap part = split(PAGE);
    size_t count = 0;
    enum status status = STATUS_OK;
    while (count < COUNT_MAX && status == STATUS_OK) {
        status = memory_budget_create_notification(part, &notifications[count]);
        count += status == STATUS_OK;
    }
    CHECK(count > 0 && count < COUNT_MAX);
    CHECK_EQ(status, STATUS_OVERLOADED);
    CHECK_OK(notification_signal(notifications[0], 1)); // what is there goes on working
    notification_cap_release(&notifications[0]);
    CHECK_OK(memory_budget_create_notification(part, &notifications[0]));
    for (size_t i = 0; i < count; i++)
        notification_cap_release(&notifications[i]);
    CHECK_EQ(info_of(part).used_bytes, 0);
    memory_budget_cap_release(&part);
}

static void what_is_given_back_is_there_for_others(void)
{
    memory_budget_cap part = split(64 * PAGE);
    struct info before = info_of(test_budget());
    memory_object_cap object = {};
    CHECK_OK(memory_budget_create_memory_object(part, 8 * PAGE, &object));
    CHECK_STATUS(memory_budget_give_back(part, 64 * PAGE), STATUS_OVERLOADED);
    CHECK_STATUS(memory_budget_give_back(part, PAGE / 2), STATUS_INVALID_ARGUMENT);
    CHECK_OK(memory_budget_give_back(part, 40 * PAGE));
    CHECK_EQ(info_of(part).limit_bytes, 24 * PAGE);
    CHECK_EQ(before.used_bytes - info_of(test_budget()).used_bytes, 40 * PAGE);
    CHECK_STATUS(memory_budget_create_memory_object(part, 20 * PAGE, nullptr),
                 STATUS_OVERLOADED);
    memory_object_cap_release(&object);
    uint64_t used_bytes_max = 0;
    CHECK_OK(memory_budget_peak(part, &used_bytes_max));
    CHECK(used_bytes_max >= 8 * PAGE && used_bytes_max <= 10 * PAGE);
    CHECK_EQ(info_of(part).used_bytes, 0);
    memory_budget_cap_release(&part);
}

static void a_watch_signals_once_when_its_threshold_is_reached(void)
{
    memory_budget_cap part = split(64 * PAGE);
    notification_cap bell = {};
    budget_watch_cap low = {}, high = {}, never = {};
    memory_object_cap object = {};
    uint64_t bits = 0;
    bool reached = true;
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    CHECK_OK(memory_budget_watch(part, 20 * PAGE, bell, 1, &low));
    CHECK_OK(memory_budget_watch(part, 40 * PAGE, bell, 2, &high));
    CHECK_OK(memory_budget_watch(part, 20 * PAGE, bell, 4, &never));
    CHECK_STATUS(memory_budget_watch(part, 1, bell, 0, nullptr), STATUS_INVALID_ARGUMENT);
    budget_watch_cap_release(&never);
    CHECK_OK(budget_watch_info(low, nullptr, &reached));
    CHECK(!reached);
    CHECK_OK(memory_budget_create_memory_object(part, 20 * PAGE, &object));
    CHECK_OK(notification_wait(bell, UINT64_MAX, &bits));
    CHECK_EQ(bits, 1);
    CHECK_OK(budget_watch_info(low, nullptr, &reached));
    CHECK(reached);
    memory_object_cap_release(&object);
    CHECK_OK(memory_budget_create_memory_object(part, 40 * PAGE, &object));
    CHECK_OK(notification_wait(bell, UINT64_MAX, &bits));
    CHECK_EQ(bits, 2);
    // Reached already: at once.
    budget_watch_cap again = {};
    CHECK_OK(memory_budget_watch(part, PAGE, bell, 8, &again));
    CHECK_OK(notification_wait(bell, UINT64_MAX, &bits));
    CHECK_EQ(bits, 8);
    budget_watch_cap_release(&again);
    budget_watch_cap_release(&low);
    budget_watch_cap_release(&high);
    memory_object_cap_release(&object);
    notification_cap_release(&bell);
    memory_budget_cap_release(&part);
}

// Builds a process in a budget of `size_bytes`: the first failure is OVERLOADED, and then
// nothing of it stays.  Returns whether it ran.
static bool builds_within(uint64_t size_bytes)
{
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    memory_budget_cap part = split(size_bytes);
    process_builder_cap builder = {};
    process_handle_cap process = {};
    enum status status = process_spawner_create(spawner, "small", 5, part, &builder);
    if (status == STATUS_OK)
        status = process_builder_commit(builder, 0x100000, 2 * PAGE, PROTECTION_READ_WRITE);
    if (status == STATUS_OK)
        status = process_builder_grant(builder, "budget", 6, part.id);
    // An entry that isn't mapped for execution: the process starts and faults.
    if (status == STATUS_OK)
        status = process_builder_start(builder, 0x100000, 0x102000, 0, &process);
    process_builder_cap_release(&builder);
    bool ran = status == STATUS_OK;
    struct test_end end;
    if (ran && CHECK_OK(test_wait(process, &end)))
        CHECK_EQ(end.fault, FAULT_KIND_PROTECTION);
    CHECK(ran || status == STATUS_OVERLOADED);
    CHECK_EQ(info_of(part).used_bytes, 0);
    memory_budget_cap_release(&part);
    return ran;
}

static void a_process_is_built_whole_or_not_at_all_at_any_size_of_its_budget(void)
{
    uint64_t pages = 1;
    while (pages < 64 && !builds_within(pages * PAGE))
        pages++;
    CHECK(pages > 4 && pages < 64);
    CHECK(builds_within((pages + 1) * PAGE));
}

static void tests(void)
{
    RUN(budget_is_out_of_reach_without_the_grant);
    RUN(budget_serves_whom_it_was_granted_and_gets_all_back_at_its_end);
    RUN(info_adds_up);
    RUN(a_memory_object_is_charged_in_full_to_the_budget_that_made_it);
    RUN(a_split_moves_its_limit_and_gives_it_back_on_release);
    RUN(a_split_budget_outlives_its_hold_as_long_as_something_is_charged_to_it);
    RUN(a_budget_is_split_again_and_again);
    RUN(sizes_out_of_range_are_refused);
    RUN(more_than_there_is_is_overloaded);
    RUN(an_exhausted_budget_recovers);
    RUN(what_is_given_back_is_there_for_others);
    RUN(a_watch_signals_once_when_its_threshold_is_reached);
    RUN(a_process_is_built_whole_or_not_at_all_at_any_size_of_its_budget);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"uses its budget", child_uses_its_budget}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
