// SPDX-License-Identifier: MIT
// Tests of BootPackage on a package in the machine's RAM.
#include <gen/kernel/boot_package.h>

#include <kernel/mm/memory_object.h>
#include <kernel/object/object_test.h>
#include <kernel/object/roots.h>
#include <lib/boot_package.h>

constexpr uint64_t RAM_BYTES = (uint64_t)16 << 20;
constexpr uint64_t PACKAGE_BYTES = 16 * PAGE_BYTES;
constexpr paddr_t PACKAGE_BASE = HOST_RAM_BASE + RAM_BYTES - PACKAGE_BYTES;

static struct boot_info info;

// A machine whose last pages hold a package of three files.
static struct budget *machine_with_package(void)
{
    host_machine_init(RAM_BYTES, 1, &info);
    info.ram[0].size_bytes -= PACKAGE_BYTES;
    info.package = (struct boot_range){.base = PACKAGE_BASE, .size_bytes = PACKAGE_BYTES};
    memcpy(info.command_line, "quiet root=x", 13);
    frame_init(&info);
    struct budget *root = budget_init();
    test_process = (struct process){.budget = root};

    struct capos_boot_package *package = arch_frame_pointer(PACKAGE_BASE);
    static const struct {
        const char *name;
        uint64_t size;
    } files[] = {{"a", 5000}, {"empty", 0}, {"init", 4096}};
    package->entry_count = 3;
    for (unsigned i = 0; i < 3; i++) {
        CHECK(
            boot_package_name_set(&package->entries[i], files[i].name, strlen(files[i].name)));
        package->entries[i].size_bytes = files[i].size;
    }
    CHECK(boot_package_layout(package));
    uint8_t *bytes = arch_frame_pointer(PACKAGE_BASE);
    memset(bytes + package->entries[0].offset_bytes, 0xaa, 5000);
    memset(bytes + package->entries[2].offset_bytes, 0xbb, 4096);
    return root;
}

static enum status open_file(struct object *files, struct invocation *call, const char *name,
                             struct boot_package_open_results *results)
{
    *call = call_of_process();
    struct boot_package_open_params params = {.name = {name, (uint32_t)strlen(name)}};
    return boot_package_open(files, call, &params, results);
}

static void boot_package_lists_and_opens_its_files(void)
{
    struct budget *root = machine_with_package();
    struct mm_counts before = mm_count(root);
    struct object *files = boot_package_create(root, &info);
    CHECK(files != nullptr);
    struct invocation call = call_of_process();
    struct boot_package_info_results summary;
    CHECK_EQ(boot_package_info(files, &call, &summary), STATUS_OK);
    CHECK_EQ(summary.entry_count, 3);
    CHECK_EQ(summary.command_line.size_bytes, 12);
    CHECK(memcmp(summary.command_line.text, "quiet root=x", 12) == 0);

    struct boot_package_entry_params at = {.index = 2};
    struct boot_package_entry_results entry;
    CHECK_EQ(boot_package_entry(files, &call, &at, &entry), STATUS_OK);
    CHECK(entry.name.size_bytes == 4 && memcmp(entry.name.text, "init", 4) == 0);
    CHECK_EQ(entry.size_bytes, 4096);

    struct boot_package_open_results opened;
    CHECK_EQ(open_file(files, &call, "a", &opened), STATUS_OK);
    CHECK_EQ(opened.size_bytes, 5000);
    struct memory_object *object = memory_object_of(result_of(&call));
    CHECK_EQ(memory_object_size_bytes(object), 2 * PAGE_BYTES);
    CHECK(!memory_object_writable(object) && memory_object_executable(object));
    const uint8_t *page = arch_frame_pointer(memory_object_frame_present(object, PAGE_BYTES));
    CHECK(page[0] == 0xaa && page[5000 - 4096 - 1] == 0xaa && page[5000 - 4096] == 0);
    object_put(result_of(&call));
    object_put(files);
    mm_check_counts(root, before);
}

static void boot_package_opens_an_empty_file_as_a_zero_page(void)
{
    struct budget *root = machine_with_package();
    struct mm_counts before = mm_count(root);
    struct object *files = boot_package_create(root, &info);
    struct invocation call;
    struct boot_package_open_results opened;
    CHECK_EQ(open_file(files, &call, "empty", &opened), STATUS_OK);
    CHECK_EQ(opened.size_bytes, 0);
    struct memory_object *object = memory_object_of(result_of(&call));
    CHECK_EQ(memory_object_size_bytes(object), PAGE_BYTES);
    CHECK(!memory_object_writable(object));
    object_put(result_of(&call));
    object_put(files);
    mm_check_counts(root, before);
}

static void boot_package_refuses_unknown_names_and_indices(void)
{
    struct budget *root = machine_with_package();
    struct mm_counts before = mm_count(root);
    struct object *files = boot_package_create(root, &info);
    struct invocation call;
    struct boot_package_open_results opened;
    static const char *const bad[] = {"", "in", "init2", "b"};
    for (unsigned i = 0; i < 4; i++)
        check_refused(open_file(files, &call, bad[i], &opened), STATUS_FAILED, &call);
    static const uint32_t indices[] = {3, UINT32_MAX};
    for (unsigned i = 0; i < 2; i++) {
        call = call_of_process();
        struct boot_package_entry_params at = {.index = indices[i]};
        struct boot_package_entry_results entry;
        check_refused(boot_package_entry(files, &call, &at, &entry), STATUS_INVALID_ARGUMENT,
                      &call);
    }
    object_put(files);
    mm_check_counts(root, before);
}

static void boot_package_create_refuses_a_bad_package(void)
{
    struct budget *root = machine_with_package();
    struct mm_counts before = mm_count(root);
    struct capos_boot_package *package = arch_frame_pointer(PACKAGE_BASE);
    package->entries[1].size_bytes = UINT64_MAX;
    CHECK(boot_package_create(root, &info) == nullptr);
    info.package.size_bytes = 0;
    CHECK(boot_package_create(root, &info) == nullptr);
    mm_check_counts(root, before);
}

int main(void)
{
    RUN(boot_package_lists_and_opens_its_files);
    RUN(boot_package_opens_an_empty_file_as_a_zero_page);
    RUN(boot_package_refuses_unknown_names_and_indices);
    RUN(boot_package_create_refuses_a_bad_package);
    return test_report();
}
