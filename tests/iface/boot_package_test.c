// SPDX-License-Identifier: MIT
// BootPackage: the files of the machine, read-only, by position and by name.
#include <capos/test.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;

static char command_line[2048];

static boot_package_cap boot(void)
{
    return (boot_package_cap){test_grant("boot", INTERFACE_BOOT_PACKAGE)};
}

static int child_lists_the_files(void)
{
    boot_package_cap package;
    uint32_t count;
    char name[64];
    uint64_t size_bytes;
    EXPECT_OK(boot_package_cap_find("boot", &package));
    EXPECT_OK(boot_package_info(package, &count, command_line, sizeof command_line, nullptr));
    for (uint32_t i = 0; i < count; i++)
        EXPECT_OK(boot_package_entry(package, i, name, sizeof name, nullptr, &size_bytes));
    return 0;
}

static void boot_package_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("boot", INTERFACE_BOOT_PACKAGE);
}

static void boot_package_opens_for_whom_it_was_granted(void)
{
    const struct test_child_grant grants[] = {test_lend("boot", boot().id),
                                              test_lend("memory", test_memory().id),
                                              test_lend("budget", test_budget().id)};
    CHECK_CHILD("lists the files", grants, 3);
}

static uint32_t entry_count(void)
{
    uint32_t count = 0;
    CHECK_OK(boot_package_info(boot(), &count, command_line, sizeof command_line, nullptr));
    return count;
}

static void names_are_sorted_and_unique_and_open_what_they_name(void)
{
    char last[64] = "", name[64];
    bool has_init = false;
    for (uint32_t i = 0; i < entry_count(); i++) {
        uint64_t size_bytes = 0, opened_bytes = 1;
        memory_object_cap object = {};
        CHECK_OK(boot_package_entry(boot(), i, name, sizeof name, nullptr, &size_bytes));
        if (!CHECK(strcmp(last, name) < 0))
            return;
        strcpy(last, name);
        has_init |= strcmp(name, "init") == 0;
        if (size_bytes == 0)
            continue;
        CHECK_OK(boot_package_open(boot(), name, strlen(name), &object, &opened_bytes));
        CHECK_EQ(opened_bytes, size_bytes);
        memory_object_cap_release(&object);
    }
    CHECK(has_init);
}

static void an_index_beyond_the_end_is_refused(void)
{
    char name[64];
    CHECK_STATUS(boot_package_entry(boot(), entry_count(), name, sizeof name, nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(boot_package_entry(boot(), UINT32_MAX, name, sizeof name, nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
}

static void a_name_that_is_not_there_fails(void)
{
    static const char *const names[] = {"", "ini", "initt", "no-such-file", "../init"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CHECK_STATUS(boot_package_open(boot(), names[i], strlen(names[i]), nullptr, nullptr),
                     STATUS_FAILED);
    CHECK_STATUS(boot_package_open(boot(), "init\0", 5, nullptr, nullptr), STATUS_FAILED);
}

static void a_file_is_read_and_executed_but_not_written(void)
{
    memory_object_cap object = {};
    uint64_t size_bytes = 0, pages_bytes = 0, address = 0;
    bool writable = true, executable = false;
    uint8_t head[4] = {};
    if (!CHECK_OK(boot_package_open(boot(), "init", 4, &object, &size_bytes)))
        return;
    CHECK_OK(memory_object_info(object, &pages_bytes, &writable, &executable));
    CHECK_EQ(pages_bytes, (size_bytes + PAGE - 1) / PAGE * PAGE);
    CHECK(!writable && executable);
    CHECK_OK(memory_object_read(object, 0, 4, head, sizeof head, nullptr));
    CHECK(memcmp(head,
                 "\x7f"
                 "ELF",
                 4) == 0);
    CHECK_STATUS(
        virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE, &address),
        STATUS_INVALID_ARGUMENT);
    memory_object_cap_release(&object);
}

static void the_rest_of_the_last_page_is_zero(void)
{
    memory_object_cap object = {};
    uint64_t size_bytes = 0;
    static uint8_t tail[PAGE];
    if (!CHECK_OK(boot_package_open(boot(), "manifest", 8, &object, &size_bytes)))
        return;
    uint32_t rest = (uint32_t)((PAGE - size_bytes % PAGE) % PAGE);
    if (rest > 0 && CHECK_OK(memory_object_read(object, size_bytes, rest, tail, rest, nullptr)))
        for (uint32_t i = 0; i < rest; i++)
            if (!CHECK(tail[i] == 0))
                break;
    memory_object_cap_release(&object);
}

static void tests(void)
{
    RUN(boot_package_is_out_of_reach_without_the_grant);
    RUN(boot_package_opens_for_whom_it_was_granted);
    RUN(names_are_sorted_and_unique_and_open_what_they_name);
    RUN(an_index_beyond_the_end_is_refused);
    RUN(a_name_that_is_not_there_fails);
    RUN(a_file_is_read_and_executed_but_not_written);
    RUN(the_rest_of_the_last_page_is_zero);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"lists the files", child_lists_the_files}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
