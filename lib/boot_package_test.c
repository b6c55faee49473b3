// SPDX-License-Identifier: MIT
// Tests of lib/boot_package.c.
#include <lib/boot_package.h>

#include <stdlib.h>
#include <test/test.h>

constexpr uint32_t COUNT_TEST_MAX = CAPOS_BOOT_PACKAGE_COUNT_MAX + 1;

static alignas(4096) uint8_t storage[sizeof(struct capos_boot_package) +
                                     COUNT_TEST_MAX * sizeof(struct capos_boot_entry)];
static struct capos_boot_package *const package = (void *)storage;

static void entry_set(uint32_t index, const char *name, uint64_t size_bytes)
{
    CHECK(boot_package_name_set(&package->entries[index], name, strlen(name)));
    package->entries[index].size_bytes = size_bytes;
}

// init: 5000 bytes, manifest: none, request: one page
static void make_three_files(void)
{
    memset(storage, 0, sizeof storage);
    package->entry_count = 3;
    entry_set(0, "init", 5000);
    entry_set(1, "manifest", 0);
    entry_set(2, "request", 4096);
    CHECK(boot_package_layout(package));
}

static void layout_puts_each_file_on_the_next_page(void)
{
    make_three_files();
    CHECK_EQ(package->magic, CAPOS_BOOT_PACKAGE_MAGIC);
    CHECK_EQ(package->entries[0].offset_bytes, 4096);
    CHECK_EQ(package->entries[1].offset_bytes, 3 * 4096);
    CHECK_EQ(package->entries[2].offset_bytes, 3 * 4096);
    CHECK_EQ(package->package_bytes, 4 * 4096);
    CHECK(boot_package_check(package, package->package_bytes));
    CHECK(boot_package_check(package, package->package_bytes + 1));
}

static void find_knows_whole_names_only(void)
{
    make_three_files();
    CHECK_EQ(boot_package_count(package), 3);
    CHECK(boot_package_find(package, "init", 4) == &package->entries[0]);
    CHECK(boot_package_find(package, "manifest", 8) == &package->entries[1]);
    CHECK(boot_package_find(package, "request", 7) == &package->entries[2]);
    CHECK(boot_package_at(package, 2) == &package->entries[2]);
    CHECK(boot_package_at(package, 3) == nullptr);
    static const char *const absent[] = {"", "a", "ini", "init2", "n", "zz"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        CHECK(boot_package_find(package, absent[i], strlen(absent[i])) == nullptr);
    CHECK(boot_package_find(package, "init\0", 5) == nullptr);
    char longest[CAPOS_BOOT_PACKAGE_NAME_BYTES];
    memset(longest, 'x', sizeof longest);
    CHECK(boot_package_find(package, longest, sizeof longest) == nullptr);
    CHECK(boot_package_find(package, longest, sizeof longest - 1) == nullptr);
}

static void find_finds_each_of_the_most_files(void)
{
    memset(storage, 0, sizeof storage);
    package->entry_count = CAPOS_BOOT_PACKAGE_COUNT_MAX;
    char name[16];
    for (uint32_t i = 0; i < package->entry_count; i++) {
        snprintf(name, sizeof name, "file-%u", i);
        entry_set(i, name, i);
    }
    CHECK(!boot_package_layout(package)); // file-10 is before file-2
    qsort(package->entries, package->entry_count, sizeof package->entries[0],
          boot_package_compare);
    CHECK(boot_package_layout(package));
    CHECK(boot_package_check(package, package->package_bytes));
    for (uint32_t i = 0; i < package->entry_count; i++) {
        snprintf(name, sizeof name, "file-%u", i);
        const struct capos_boot_entry *entry = boot_package_find(package, name, strlen(name));
        CHECK(entry != nullptr && entry->size_bytes == i);
    }
    package->entry_count++;
    entry_set(package->entry_count - 1, "zz", 0);
    CHECK(!boot_package_layout(package));
    CHECK(!boot_package_check(package, UINT64_MAX));
}

static void an_empty_package_is_one_page(void)
{
    memset(storage, 0, sizeof storage);
    CHECK(boot_package_layout(package));
    CHECK_EQ(package->package_bytes, 4096);
    CHECK(boot_package_check(package, 4096));
    CHECK(boot_package_find(package, "init", 4) == nullptr);
}

// Makes a good package, changes one thing, and checks that it is refused.
#define REFUSED(change)                                   \
    do {                                                  \
        make_three_files();                               \
        uint64_t whole_bytes = package->package_bytes;    \
        change;                                           \
        CHECK(!boot_package_check(package, whole_bytes)); \
    } while (0)

static void check_refuses_whatever_is_not_canonical(void)
{
    struct capos_boot_entry *entries = package->entries;
    REFUSED(package->magic++);
    REFUSED(package->reserved = 1);
    REFUSED(package->entry_count = 2);
    REFUSED(package->entry_count = UINT32_MAX);
    REFUSED(package->package_bytes += 4096);
    REFUSED(package->package_bytes -= 4096);
    REFUSED(package->package_bytes = UINT64_MAX);
    REFUSED(entries[0].name[0] = '\0');
    REFUSED(entries[0].name[0] = 'z');
    REFUSED(entries[0].name[20] = 'x');
    REFUSED(memset(entries[2].name, 'x', sizeof entries[2].name));
    REFUSED(memcpy(entries[1].name, entries[0].name, sizeof entries[0].name));
    REFUSED(entries[0].offset_bytes = 0);
    REFUSED(entries[0].offset_bytes++);
    REFUSED(entries[2].offset_bytes -= 4096);
    REFUSED(entries[2].offset_bytes += 4096);
    REFUSED(entries[0].size_bytes += 4096);
    REFUSED(entries[2].size_bytes = UINT64_MAX);
    REFUSED(entries[2].size_bytes = UINT64_MAX - entries[2].offset_bytes);
    REFUSED(entries[2].size_bytes = 0 - entries[2].offset_bytes);
}

static void check_refuses_every_cut(void)
{
    make_three_files();
    for (uint64_t size = 0; size < package->package_bytes; size++) {
        // A copy of exactly that size, so that the sanitizer sees a read beyond it.
        void *cut = aligned_alloc(8, size == 0 ? 8 : (size + 7) & ~(uint64_t)7);
        memset(cut, 0, (size + 7) & ~(uint64_t)7);
        memcpy(cut, package, size < sizeof storage ? size : sizeof storage);
        CHECK(!boot_package_check(cut, size));
        free(cut);
    }
}

static void layout_refuses_sizes_that_overflow(void)
{
    make_three_files();
    package->entries[1].size_bytes = UINT64_MAX - 4096;
    CHECK(!boot_package_layout(package));
    package->entries[1].size_bytes = INT64_MAX;
    package->entries[2].size_bytes = INT64_MAX;
    CHECK(!boot_package_layout(package));
}

static void names_are_refused_that_do_not_fit(void)
{
    struct capos_boot_entry entry = {};
    char name[CAPOS_BOOT_PACKAGE_NAME_BYTES];
    memset(name, 'x', sizeof name);
    CHECK(!boot_package_name_set(&entry, name, sizeof name));
    CHECK(!boot_package_name_set(&entry, name, 0));
    CHECK(!boot_package_name_set(&entry, "a\0b", 3));
    CHECK_EQ(entry.name[0], 0);
    CHECK(boot_package_name_set(&entry, name, sizeof name - 1));
}

int main(void)
{
    RUN(layout_puts_each_file_on_the_next_page);
    RUN(find_knows_whole_names_only);
    RUN(find_finds_each_of_the_most_files);
    RUN(an_empty_package_is_one_page);
    RUN(check_refuses_whatever_is_not_canonical);
    RUN(check_refuses_every_cut);
    RUN(layout_refuses_sizes_that_overflow);
    RUN(names_are_refused_that_do_not_fit);
    return test_report();
}
