// SPDX-License-Identifier: MIT
// Forker: a process starts from a snapshot of its parent's memory, whoever writes first; and
// programs share what nobody writes to.
//
// The children run a function of this program that uses nothing of libcapos but exit: the
// ring and the CapSet that libcapos knows in their memory are the parent's.
#include <capos/test.h>

#include <abi/startup.h>
#include <capos/process.h>
#include <capos/syscall.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/forker.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/notification.h>
#include <gen/capos/process.h>
#include <gen/capos/virtual_memory.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t STACK_BYTES = 4 * PAGE;
constexpr uint64_t LARGE = UINT64_C(2) << 20;

static volatile uint64_t counter;
static volatile uint64_t *pages; // anonymous memory of the parent
static volatile uint64_t *shared;

// What a child's registers say, and what its memory says, in one word.  The stack protector
// needs the thread's memory, which is known to libcapos alone.
[[noreturn, gnu::force_align_arg_pointer, gnu::no_stack_protector]] static void
child_adds(const uint64_t *ring, const uint64_t *capset, uint64_t argument)
{
    bool entered = *ring != 0 && *capset != 0;
    counter += argument;
    pages[0] += argument;
    if (shared != nullptr)
        *shared += argument;
    capos_exit_now(entered ? (int64_t)(counter * 1000 + pages[0]) : -1);
}

static forker_cap forker(void)
{
    return (forker_cap){test_grant("forker", INTERFACE_FORKER)};
}

static uint64_t allocate(uint64_t length_bytes)
{
    uint64_t address = 0;
    CHECK_OK(virtual_memory_allocate(test_memory(), length_bytes, 0, PROTECTION_READ_WRITE,
                                     &address));
    return address;
}

static void unmap(uint64_t address, uint64_t length_bytes)
{
    CHECK_OK(virtual_memory_unmap(test_memory(), address, length_bytes));
}

static enum status build(address_space_snapshot_cap snapshot, process_builder_cap *out_builder)
{
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    CHECK_OK(process_spawner_create(spawner, "fork", 4, test_budget(), out_builder));
    return process_builder_map_snapshot(*out_builder, snapshot);
}

// Starts a child from a snapshot and returns its exit code.
static int64_t run(address_space_snapshot_cap snapshot, uint64_t stack, uint64_t argument)
{
    process_builder_cap builder = {};
    process_handle_cap process = {};
    struct test_end end = {};
    CHECK_OK(build(snapshot, &builder));
    CHECK_OK(process_builder_start(builder, (uint64_t)child_adds, stack + STACK_BYTES, argument,
                                   &process));
    process_builder_cap_release(&builder);
    CHECK_OK(test_wait(process, &end));
    CHECK_EQ(end.kind, END_KIND_EXITED);
    return end.exit_code;
}

static void the_right_to_fork_is_a_grant_of_its_own(void)
{
    CHECK_DENIED("forker", INTERFACE_FORKER);
}

static void children_start_from_what_was_and_write_for_themselves(void)
{
    uint64_t stack = allocate(STACK_BYTES);
    pages = (volatile uint64_t *)allocate(8 * PAGE);
    shared = nullptr;
    counter = 5;
    pages[0] = 70;
    address_space_snapshot_cap snapshot = {};
    CHECK_OK(forker_snapshot(forker(), test_budget(), &snapshot));
    counter = 6; // after it
    pages[0] = 80;
    CHECK_EQ(run(snapshot, stack, 1), 6 * 1000 + 71);
    CHECK_EQ(run(snapshot, stack, 2), 7 * 1000 + 72);
    CHECK_EQ(counter, 6);
    CHECK_EQ(pages[0], 80);
    uint64_t regions = 0, charged_bytes = 0;
    CHECK_OK(address_space_snapshot_info(snapshot, &regions, &charged_bytes));
    CHECK(regions > 4 && charged_bytes >= 3 * PAGE);
    address_space_snapshot_cap_release(&snapshot);
    counter = 9; // nobody shares it any more
    unmap((uint64_t)pages, 8 * PAGE);
    unmap(stack, STACK_BYTES);
}

static void a_snapshot_shares_objects_and_parts_memory_of_large_pages(void)
{
    memory_object_cap object = {};
    uint64_t stack = allocate(STACK_BYTES), mapped = 0;
    CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &object));
    CHECK_OK(
        virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE, &mapped));
    memory_object_cap_release(&object);
    shared = (volatile uint64_t *)mapped;
    pages = (volatile uint64_t *)allocate(LARGE);
    counter = 1;
    for (uint64_t at = 0; at < LARGE / 8; at += PAGE / 8)
        pages[at] = at;
    *shared = 100;
    address_space_snapshot_cap snapshot = {};
    CHECK_OK(forker_snapshot(forker(), test_budget(), &snapshot));
    pages[PAGE / 8] = 4711;
    CHECK_EQ(run(snapshot, stack, 3), 4 * 1000 + 3);
    CHECK_EQ(*shared, 103);
    CHECK_EQ(pages[0], 0);
    CHECK_EQ(pages[PAGE / 8], 4711);
    address_space_snapshot_cap_release(&snapshot);
    for (uint64_t at = 2 * PAGE / 8; at < LARGE / 8; at += PAGE / 8)
        CHECK_EQ(pages[at], at);
    unmap((uint64_t)pages, LARGE);
    unmap((uint64_t)shared, PAGE);
    unmap(stack, STACK_BYTES);
}

static void a_snapshot_goes_into_an_empty_builder_only(void)
{
    process_spawner_cap spawner = {test_grant("spawner", INTERFACE_PROCESS_SPAWNER)};
    process_builder_cap builder = {};
    address_space_snapshot_cap snapshot = {};
    CHECK_OK(forker_snapshot(forker(), test_budget(), &snapshot));
    CHECK_OK(process_spawner_create(spawner, "fork", 4, test_budget(), &builder));
    CHECK_OK(process_builder_commit(builder, 0x100000, PAGE, PROTECTION_READ_WRITE));
    CHECK_STATUS(process_builder_map_snapshot(builder, snapshot), STATUS_FAILED);
    CHECK_STATUS(process_builder_start(builder, 0x100000, 0x100000, 0, nullptr), STATUS_FAILED);
    process_builder_cap_release(&builder);
    address_space_snapshot_cap_release(&snapshot);
}

static void a_budget_that_is_too_small_for_a_snapshot_is_overloaded(void)
{
    memory_budget_cap part = {};
    uint64_t used_bytes = 1;
    CHECK_OK(memory_budget_split(test_budget(), 6 * PAGE, &part));
    CHECK_STATUS(forker_snapshot(forker(), part, nullptr), STATUS_OVERLOADED);
    CHECK_OK(memory_budget_info(part, nullptr, &used_bytes, nullptr, nullptr));
    CHECK_EQ(used_bytes, 0);
    memory_budget_cap_release(&part);
    counter++; // and memory is as writable as before
}

// ---- Shared text ------------------------------------------------------------------------

// Tells how much memory it has committed, then waits to be killed.
static int child_counts_and_waits(void)
{
    virtual_memory_cap memory;
    memory_object_cap report;
    notification_cap bell;
    uint64_t address;
    EXPECT_OK(virtual_memory_cap_find("memory", &memory));
    EXPECT_OK(memory_object_cap_find("report", &report));
    EXPECT_OK(notification_cap_find("bell", &bell));
    EXPECT_OK(virtual_memory_map(memory, report, 0, PAGE, 0, PROTECTION_READ_WRITE, &address));
    volatile uint64_t *words = (volatile uint64_t *)address;
    uint64_t committed_bytes;
    EXPECT_OK(virtual_memory_info(memory, nullptr, &committed_bytes, nullptr));
    // Image, stack and startup block, without what is committed of them: shared pages.
    const struct capos_startup *startup = capos_startup_block();
    words[0] = committed_bytes;
    words[1] = startup->image_bytes + startup->stack_bytes + PAGE - committed_bytes;
    EXPECT_OK(notification_signal(bell, 1));
    return (int)notification_wait(bell, 2, nullptr);
}

static uint64_t user_bytes_now(void)
{
    uint64_t used_bytes = 0, kernel_bytes = 0;
    CHECK_OK(memory_budget_info(test_budget(), nullptr, &used_bytes, &kernel_bytes, nullptr));
    return used_bytes - kernel_bytes;
}

static void instances_of_a_program_share_its_text(void)
{
    enum { INSTANCES = 8 };
    process_handle_cap processes[INSTANCES] = {};
    memory_object_cap report = {};
    notification_cap bell = {};
    uint64_t address = 0, user_bytes[INSTANCES + 1], bits, file_bytes = 0;
    boot_package_cap boot = {test_grant("boot", INTERFACE_BOOT_PACKAGE)};
    memory_object_cap file = {};
    CHECK_OK(boot_package_open(boot, "forker_test", 11, &file, &file_bytes));
    memory_object_cap_release(&file);
    CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &report));
    CHECK_OK(memory_budget_create_notification(test_budget(), &bell));
    CHECK_OK(virtual_memory_map(test_memory(), report, 0, PAGE, 0, PROTECTION_READ, &address));
    const volatile uint64_t *words = (const volatile uint64_t *)address;
    const struct test_child_grant grants[] = {
        test_lend("memory", test_memory().id),
        test_lend("report", report.id),
        test_lend("bell", bell.id),
    };
    user_bytes[0] = user_bytes_now();
    for (unsigned i = 0; i < INSTANCES; i++) {
        CHECK_OK(test_start("counts and waits", nullptr, 0, grants, 3, &processes[i]));
        CHECK_OK(notification_wait(bell, 1, &bits));
        user_bytes[i + 1] = user_bytes_now();
    }
    // Each pays for its committed memory, stack and data, and not for its text, which is most of
    // its file.
    for (unsigned i = 0; i < INSTANCES; i++)
        CHECK_EQ(user_bytes[i + 1] - user_bytes[i], words[0]);
    CHECK(words[1] >= file_bytes / 2 && words[1] <= file_bytes + 4 * PAGE);
    for (unsigned i = 0; i < INSTANCES; i++) {
        CHECK_OK(process_handle_kill(processes[i]));
        CHECK_OK(test_wait(processes[i], &(struct test_end){}));
    }
    unmap(address, PAGE);
    memory_object_cap_release(&report);
    notification_cap_release(&bell);
}

static void tests(void)
{
    RUN(the_right_to_fork_is_a_grant_of_its_own);
    RUN(children_start_from_what_was_and_write_for_themselves);
    RUN(a_snapshot_shares_objects_and_parts_memory_of_large_pages);
    RUN(a_snapshot_goes_into_an_empty_builder_only);
    RUN(a_budget_that_is_too_small_for_a_snapshot_is_overloaded);
    RUN(instances_of_a_program_share_its_text);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"counts and waits", child_counts_and_waits}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
