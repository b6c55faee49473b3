// SPDX-License-Identifier: MIT
// What every file service must do: one suite, run on each Directory and ReadOnlyDirectory that
// the program was granted, and on a Directory that a granted Ramfs makes.  What a service can't do
// (Directory.info says so) is left out.  The suite works below a directory of its own and
// leaves nothing there.
//
// The name of a test begins with that of its grant.
#include <capos/test.h>

#include <capos/file.h>
#include <capos/test_files.h>

#include <gen/capos/directory.h>
#include <gen/capos/file.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/ramfs.h>
#include <gen/capos/virtual_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t PAGE = 4096;
constexpr uint64_t RAMFS_BYTES = 2u << 20;
constexpr char base_name[] = "files-test";

// What the running suite is about.
static struct capos_directory root; // the grant
static struct capos_directory base; // of the suite, below it; or the root, if it is read-only
static directory_cap dir;           // the same, as the wide interface
static struct directory_info_results info;

// ---- Helpers ---------------------------------------------------------------------------

#define CHECK_DONE(error, expected) check_done((error), (expected), #error, __FILE__, __LINE__)
static bool check_done(uint32_t error, uint32_t expected, const char *what, const char *file,
                       int line)
{
    if (error == expected)
        return true;
    test_fail(file, line, "%s: %s (%u), expected %u", what, capos_file_error_text(error),
              (unsigned)error, (unsigned)expected);
    return false;
}

static uint32_t save(const char *path, const char *text)
{
    return capos_file_save(&base, path, text, strlen(text));
}

static bool holds(const char *path, const char *text)
{
    void *data;
    size_t bytes;
    if (!CHECK_DONE(capos_file_load(&base, path, 1 << 20, &data, &bytes), 0))
        return false;
    bool same = bytes == strlen(text) && memcmp(data, text, bytes) == 0;
    free(data);
    return same;
}

static uint32_t stat_of(const char *path, struct directory_stat_results *out_stat)
{
    return capos_file_stat(&base, path, true, out_stat);
}

static bool exists(const char *path)
{
    struct directory_stat_results stat;
    return capos_file_stat(&base, path, false, &stat) == 0;
}

static enum file_outcome make_symlink(const char *path, const char *target)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    CHECK_OK(
        directory_create_symlink(dir, path, strlen(path), target, strlen(target), &outcome));
    return outcome;
}

static uint32_t remove_any(const char *path)
{
    return capos_file_remove(&base, path, DIRECTORY_REMOVAL_ANY);
}

static file_cap open_file(const char *path)
{
    struct capos_file file = {};
    CHECK_DONE(capos_file_open(&base, path, CAPOS_FILE_WRITE | CAPOS_FILE_CREATE, &file), 0);
    return (file_cap){file.id};
}

// ---- Files -----------------------------------------------------------------------------

static void a_file_holds_what_was_written(void)
{
    CHECK_DONE(save("f", "hello"), 0);
    CHECK(holds("f", "hello"));
    struct directory_stat_results stat = {};
    CHECK_DONE(stat_of("f", &stat), 0);
    CHECK_EQ(stat.kind, FILE_KIND_FILE);
    CHECK_EQ(stat.size_bytes, 5);
    CHECK_EQ(stat.link_count, 1);
    CHECK_DONE(save("f", ""), 0);
    CHECK(holds("f", ""));
    CHECK_DONE(remove_any("f"), 0);
    CHECK(!exists("f"));
}

static void writes_land_where_they_are_told_and_gaps_are_zero(void)
{
    file_cap file = open_file("f");
    enum file_outcome outcome;
    uint32_t written = 0;
    uint64_t offset = 0;
    uint8_t data[16];
    size_t bytes = 0;
    CHECK_OK(file_write(file, 10000, "end", 3, &outcome, &written));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK_EQ(written, 3);
    CHECK_OK(file_append(file, "+", 1, &outcome, &written, &offset));
    CHECK_EQ(offset, 10003);
    CHECK_OK(file_read(file, 9998, 16, &outcome, data, sizeof data, &bytes));
    CHECK_EQ(bytes, 6);
    CHECK(memcmp(data, "\0\0end+", 6) == 0);
    CHECK_OK(file_read(file, 10004, 16, &outcome, data, sizeof data, &bytes));
    CHECK_EQ(bytes, 0);
    CHECK_OK(file_read(file, UINT64_MAX, 16, &outcome, data, sizeof data, &bytes));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK_EQ(bytes, 0);
    CHECK_OK(file_write(file, UINT64_MAX, "x", 1, &outcome, &written));
    CHECK_EQ(outcome, FILE_OUTCOME_TOO_LARGE);
    CHECK_STATUS(file_read(file, 0, 4097, &outcome, data, sizeof data, &bytes),
                 STATUS_INVALID_ARGUMENT);
    file_cap_release(&file);
    CHECK_DONE(remove_any("f"), 0);
}

static void truncate_cuts_and_grows_with_zeros(void)
{
    CHECK_DONE(save("f", "0123456789"), 0);
    file_cap file = open_file("f");
    enum file_outcome outcome;
    uint8_t data[16];
    size_t bytes = 0;
    CHECK_OK(file_truncate(file, 4, &outcome));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK(holds("f", "0123"));
    CHECK_OK(file_truncate(file, 8, &outcome));
    CHECK_OK(file_read(file, 0, 16, &outcome, data, sizeof data, &bytes));
    CHECK_EQ(bytes, 8);
    CHECK(memcmp(data, "0123\0\0\0\0", 8) == 0);
    CHECK_OK(file_truncate(file, UINT64_MAX, &outcome));
    CHECK_EQ(outcome, FILE_OUTCOME_TOO_LARGE);
    file_cap_release(&file);
    CHECK_DONE(remove_any("f"), 0);
}

static void open_does_what_its_flags_say(void)
{
    struct capos_file file;
    constexpr uint32_t make = CAPOS_FILE_WRITE | CAPOS_FILE_CREATE;
    CHECK_DONE(capos_file_open(&base, "f", CAPOS_FILE_WRITE, &file), FILE_OUTCOME_NOT_FOUND);
    CHECK_DONE(capos_file_open(&base, "f", CAPOS_FILE_READ, &file), FILE_OUTCOME_NOT_FOUND);
    CHECK_DONE(capos_file_open(&base, "d/f", make, &file), FILE_OUTCOME_NOT_FOUND);
    CHECK_DONE(save("f", "text"), 0);
    CHECK_DONE(capos_file_open(&base, "f", make | CAPOS_FILE_EXCLUSIVE, &file),
               FILE_OUTCOME_EXISTS);
    CHECK_DONE(capos_file_open(&base, "f/g", make, &file), FILE_OUTCOME_NOT_DIRECTORY);
    if (CHECK_DONE(capos_file_open(&base, "f", CAPOS_FILE_WRITE | CAPOS_FILE_TRUNCATE, &file),
                   0))
        capos_file_close(&file);
    CHECK(holds("f", ""));
    CHECK_DONE(remove_any("f"), 0);
    CHECK_DONE(capos_directory_create(&base, "d"), 0);
    CHECK_DONE(capos_file_open(&base, "d", make, &file), FILE_OUTCOME_IS_DIRECTORY);
    CHECK_DONE(capos_file_open(&base, "d", CAPOS_FILE_READ, &file), FILE_OUTCOME_IS_DIRECTORY);
    CHECK_DONE(remove_any("d"), 0);
}

static void a_removed_file_lives_while_it_is_open(void)
{
    CHECK_DONE(save("f", "alive"), 0);
    file_cap file = open_file("f");
    enum file_outcome outcome;
    uint8_t data[8];
    size_t bytes = 0;
    uint32_t links = 1;
    CHECK_DONE(remove_any("f"), 0);
    CHECK_OK(file_read(file, 0, 8, &outcome, data, sizeof data, &bytes));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK(bytes == 5 && memcmp(data, "alive", 5) == 0);
    CHECK_OK(file_stat(file, &outcome, nullptr, nullptr, &links, nullptr, nullptr, nullptr,
                       nullptr, nullptr, nullptr, nullptr, nullptr));
    CHECK_EQ(links, 0);
    // Another one under its name is another file.
    CHECK_DONE(save("f", "new"), 0);
    CHECK_OK(file_read(file, 0, 8, &outcome, data, sizeof data, &bytes));
    CHECK(bytes == 5 && memcmp(data, "alive", 5) == 0);
    file_cap_release(&file);
    CHECK_DONE(remove_any("f"), 0);
}

static void mode_and_times_are_what_was_set(void)
{
    enum file_outcome outcome;
    struct directory_stat_results stat = {};
    CHECK_DONE(save("f", ""), 0);
    CHECK_OK(directory_set_attributes(dir, "f", 1, false, true, true, true, 0640,
                                      1'234'567'890'000'000'000, 42'000'000'000, &outcome));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK_DONE(stat_of("f", &stat), 0);
    CHECK_EQ(stat.mode, 0640);
    CHECK_EQ(stat.modified_ns, 1'234'567'890'000'000'000);
    CHECK_EQ(stat.accessed_ns, 42'000'000'000);
    CHECK_STATUS(directory_set_attributes(dir, "f", 1, false, true, false, false, 010000, 0, 0,
                                          &outcome),
                 STATUS_INVALID_ARGUMENT);
    CHECK_DONE(remove_any("f"), 0);
}

// ---- Large transfers ---------------------------------------------------------------------

static void a_large_file_goes_through_the_shared_buffer(void)
{
    constexpr size_t size = 300'000;
    uint8_t *data = malloc(size), *back = malloc(size);
    size_t bytes = 0;
    struct capos_file file;
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 31 >> 3);
    CHECK_DONE(capos_file_save(&base, "big", data, size), 0);
    if (CHECK_DONE(capos_file_open(&base, "big", CAPOS_FILE_READ, &file), 0)) {
        CHECK_EQ(file.size_bytes, size);
        CHECK_DONE(capos_file_read(&file, 0, back, size, &bytes), 0);
        CHECK_EQ(bytes, size);
        CHECK(memcmp(data, back, size) == 0);
        capos_file_close(&file);
    }
    free(data);
    free(back);
    CHECK_DONE(remove_any("big"), 0);
}

static void a_buffer_is_checked_and_takes_files_of_its_service_only(void)
{
    memory_object_cap memory, view;
    file_buffer_cap buffer;
    enum file_outcome outcome;
    uint32_t count = 0;
    CHECK_DONE(save("f", "content"), 0);
    file_cap file = open_file("f");
    read_only_file_cap narrow = {};
    CHECK_OK(file_read_only(file, &narrow));
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 2 * PAGE, &memory));
    CHECK_OK(file_create_buffer(file, memory, &buffer));
    CHECK_OK(file_buffer_read(buffer, narrow.id, 0, 100, 50, &outcome, &count));
    CHECK_EQ(count, 7);
    CHECK_OK(file_buffer_write(buffer, file, 7, 3, 50, &outcome, &count));
    CHECK(holds("f", "contentcon"));
    CHECK_STATUS(file_buffer_read(buffer, file.id, 0, 2 * PAGE + 1, 0, &outcome, &count),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(file_buffer_read(buffer, file.id, 0, 1, 2 * PAGE, &outcome, &count),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(file_buffer_read(buffer, file.id, 0, UINT32_MAX, UINT32_MAX, &outcome, &count),
                 STATUS_INVALID_ARGUMENT);
    // What isn't a file of the service, or not to be written.
    CHECK_STATUS(file_buffer_read(buffer, test_budget().id, 0, 1, 0, &outcome, &count),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(file_buffer_read(buffer, dir.id, 0, 1, 0, &outcome, &count),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(file_buffer_write(buffer, (file_cap){narrow.id}, 0, 1, 0, &outcome, &count),
                 STATUS_INVALID_ARGUMENT);
    file_buffer_cap_release(&buffer);
    // Memory that can't be written is of no use.
    CHECK_OK(memory_object_view(memory, 0, PAGE, false, false, &view));
    CHECK_STATUS(file_create_buffer(file, view, &buffer), STATUS_INVALID_ARGUMENT);
    memory_object_cap_release(&view);
    memory_object_cap_release(&memory);
    read_only_file_cap_release(&narrow);
    file_cap_release(&file);
    CHECK_DONE(remove_any("f"), 0);
}

static void bytes_go_to_any_place_of_a_buffer_and_to_no_other(void)
{
    constexpr uint32_t size = 9000, from = 1000, to = 4 * PAGE - 1;
    memory_object_cap memory;
    file_buffer_cap buffer;
    enum file_outcome outcome;
    uint64_t address = 0;
    uint32_t count = 0;
    CHECK_DONE(save("f", "abc"), 0);
    file_cap file = open_file("f");
    CHECK_OK(memory_budget_create_memory_object(test_budget(), 8 * PAGE, &memory));
    CHECK_OK(virtual_memory_map(test_memory(), memory, 0, 8 * PAGE, 0, PROTECTION_READ_WRITE,
                                &address));
    CHECK_OK(file_create_buffer(file, memory, &buffer));
    uint8_t *bytes = (uint8_t *)address;
    for (uint32_t i = 0; i < 8 * PAGE; i++)
        bytes[i] = i >= from && i < from + size ? (uint8_t)(i * 7 + 1) : 0xee;
    CHECK_OK(file_buffer_write(buffer, file, 3, size, from, &outcome, &count));
    CHECK_EQ(count, size);
    CHECK_OK(file_buffer_read(buffer, file.id, 3, size, to, &outcome, &count));
    CHECK_EQ(count, size);
    CHECK(memcmp(bytes + from, bytes + to, size) == 0);
    CHECK_EQ(bytes[to - 1], 0xee);
    CHECK_EQ(bytes[to + size], 0xee);
    CHECK_OK(virtual_memory_unmap(test_memory(), address, 8 * PAGE));
    file_buffer_cap_release(&buffer);
    memory_object_cap_release(&memory);
    file_cap_release(&file);
    CHECK_DONE(remove_any("f"), 0);
}

static void a_copy_is_memory_that_stays_what_it_is(void)
{
    constexpr size_t size = 3 * PAGE + 5;
    static uint8_t data[size];
    memory_object_cap object;
    struct capos_file file;
    uint64_t bytes = 0, object_bytes = 0, address = 0;
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)(i * 31 >> 3);
    CHECK_DONE(capos_file_save(&base, "f", data, size), 0);
    CHECK_DONE(capos_file_open(&base, "f", CAPOS_FILE_WRITE, &file), 0);
    CHECK_DONE(capos_file_copy(&file, &object, &bytes), 0);
    CHECK_EQ(bytes, size);
    CHECK_DONE(capos_file_write(&file, 0, "other", 5), 0);
    CHECK_OK(memory_object_info(object, &object_bytes, nullptr, nullptr));
    CHECK_EQ(object_bytes, 4 * PAGE);
    CHECK_OK(virtual_memory_map(test_memory(), object, 0, object_bytes, 0, PROTECTION_READ,
                                &address));
    CHECK(memcmp((const void *)address, data, size) == 0);
    CHECK_EQ(((const uint8_t *)address)[size], 0);
    CHECK_OK(virtual_memory_unmap(test_memory(), address, object_bytes));
    memory_object_cap_release(&object);
    CHECK_OK(file_truncate((file_cap){file.id}, 0, nullptr));
    CHECK(capos_file_copy(&file, &object, &bytes) != 0);
    capos_file_close(&file);
    CHECK_DONE(remove_any("f"), 0);
}

static void mapped_pages_are_the_file(void)
{
    if (!info.mappings) {
        test_skip("the service has no mappings");
        return;
    }
    memory_object_cap object;
    enum file_outcome outcome;
    uint64_t length = 0, address;
    bool writable = true;
    CHECK_DONE(save("f", "mapped"), 0);
    file_cap file = open_file("f");
    CHECK_OK(file_map(file, 0, 1 << 20, &outcome, &length, &object));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK_EQ(length, 6);
    CHECK_OK(memory_object_info(object, nullptr, &writable, nullptr));
    CHECK(!writable);
    memory_object_cap_release(&object);
    CHECK_OK(file_map_writable(file, 0, 1 << 20, &outcome, &length, &object));
    if (CHECK_OK(virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ_WRITE,
                                    &address))) {
        CHECK(memcmp((const void *)address, "mapped", 6) == 0);
        memcpy((void *)address, "MAP", 3);
        CHECK(holds("f", "MAPped"));
        CHECK_OK(virtual_memory_unmap(test_memory(), address, PAGE));
    }
    memory_object_cap_release(&object);
    CHECK_STATUS(file_map(file, 4096, 1, &outcome, &length, &object), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(file_map(file, 1, 1, &outcome, &length, &object), STATUS_INVALID_ARGUMENT);
    file_cap_release(&file);
    CHECK_DONE(remove_any("f"), 0);
}

// ---- Directories -------------------------------------------------------------------------

static void directories_nest_and_go_when_they_are_empty(void)
{
    CHECK_DONE(capos_directory_create(&base, "a"), 0);
    CHECK_DONE(capos_directory_create(&base, "a"), FILE_OUTCOME_EXISTS);
    CHECK_DONE(capos_directory_create(&base, "a/b"), 0);
    CHECK_DONE(capos_directory_create(&base, "x/b"), FILE_OUTCOME_NOT_FOUND);
    CHECK_DONE(save("a/b/f", "deep"), 0);
    CHECK(holds("a/b/f", "deep"));
    struct capos_directory inner = {};
    CHECK_DONE(capos_directory_open(&base, "a/b", &inner), 0);
    CHECK_DONE(capos_file_remove(&base, "a", DIRECTORY_REMOVAL_DIRECTORY),
               FILE_OUTCOME_NOT_EMPTY);
    CHECK_DONE(capos_file_remove(&base, "a", DIRECTORY_REMOVAL_NOT_DIRECTORY),
               FILE_OUTCOME_IS_DIRECTORY);
    CHECK_DONE(capos_file_remove(&base, "a/b/f", DIRECTORY_REMOVAL_DIRECTORY),
               FILE_OUTCOME_NOT_DIRECTORY);
    CHECK_DONE(capos_file_remove(&inner, "f", DIRECTORY_REMOVAL_NOT_DIRECTORY), 0);
    CHECK_DONE(remove_any("a/b"), 0);
    // The removed directory takes nothing.
    CHECK_DONE(capos_directory_create(&inner, "z"), FILE_OUTCOME_NOT_FOUND);
    capos_directory_close(&inner);
    CHECK_DONE(remove_any("a"), 0);
    CHECK_DONE(remove_any("a"), FILE_OUTCOME_NOT_FOUND);
}

static void a_listing_shows_each_entry_once_whatever_comes_and_goes(void)
{
    constexpr uint32_t count = 300;
    static bool seen[count];
    struct capos_listing listing;
    struct capos_listing_entry entry = {};
    char name[32];
    memset(seen, 0, sizeof seen);
    CHECK_DONE(capos_directory_create(&base, "d"), 0);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "d/entry-%u", (unsigned)i);
        CHECK_DONE(save(name, ""), 0);
    }
    struct capos_directory inner = {};
    CHECK_DONE(capos_directory_open(&base, "d", &inner), 0);
    if (!CHECK_DONE(capos_listing_open(&inner, &listing), 0))
        return;
    uint32_t listed = 0;
    while (CHECK_DONE(capos_listing_next(&listing, &entry), 0) && entry.name_bytes != 0) {
        unsigned number = (unsigned)atoi(entry.name + 6);
        if (strncmp(entry.name, "entry-", 6) != 0 || number >= count)
            continue; // the ones that come
        CHECK(!seen[number]);
        CHECK_EQ(entry.kind, FILE_KIND_FILE);
        seen[number] = true;
        // Each listed one goes, and another one comes.
        snprintf(name, sizeof name, "entry-%u", number);
        CHECK_DONE(capos_file_remove(&inner, name, DIRECTORY_REMOVAL_ANY), 0);
        if (listed++ < 20) {
            snprintf(name, sizeof name, "new-%u", number);
            CHECK_DONE(capos_file_save(&inner, name, "", 0), 0);
        }
    }
    capos_listing_close(&listing);
    CHECK_EQ(listed, count);
    if (!CHECK_DONE(capos_listing_open(&inner, &listing), 0))
        return;
    listed = 0;
    while (CHECK_DONE(capos_listing_next(&listing, &entry), 0) && entry.name_bytes != 0) {
        CHECK_DONE(capos_file_remove(&inner, entry.name, DIRECTORY_REMOVAL_ANY), 0);
        listed++;
    }
    CHECK_EQ(listed, 20);
    capos_listing_close(&listing);
    capos_directory_close(&inner);
    CHECK_DONE(remove_any("d"), 0);
}

static void names_have_any_bytes_but_two(void)
{
    uint8_t name[255];
    enum file_outcome outcome;
    file_cap file;
    for (unsigned byte = 1; byte < 256; byte++) {
        if (byte == '/' || byte == '.')
            continue;
        name[0] = (uint8_t)byte;
        CHECK_OK(directory_open(dir, name, 1, true, true, false, false, 0644, &outcome, nullptr,
                                nullptr, nullptr, &file));
        if (CHECK_EQ(outcome, FILE_OUTCOME_OK))
            file_cap_release(&file);
    }
    for (unsigned byte = 1; byte < 256; byte++) {
        if (byte == '/' || byte == '.')
            continue;
        name[0] = (uint8_t)byte;
        CHECK_OK(directory_remove(dir, name, 1, DIRECTORY_REMOVAL_ANY, &outcome));
        CHECK_EQ(outcome, FILE_OUTCOME_OK);
    }
    memset(name, 'n', sizeof name);
    CHECK_OK(directory_create_directory(dir, name, sizeof name, 0755, &outcome));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK_OK(directory_remove(dir, name, sizeof name, DIRECTORY_REMOVAL_ANY, &outcome));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
}

// ---- Renaming ------------------------------------------------------------------------------

static void rename_moves_and_replaces(void)
{
    constexpr enum directory_replacement replace = DIRECTORY_REPLACEMENT_REPLACE;
    struct directory_stat_results before = {}, after = {};
    CHECK_DONE(save("a", "A"), 0);
    CHECK_DONE(save("b", "B"), 0);
    CHECK_DONE(stat_of("a", &before), 0);
    CHECK_DONE(capos_file_rename(&base, "a", &base, "b", DIRECTORY_REPLACEMENT_REFUSE),
               FILE_OUTCOME_EXISTS);
    CHECK_DONE(capos_file_rename(&base, "a", &base, "b", replace), 0);
    CHECK(holds("b", "A"));
    CHECK(!exists("a"));
    CHECK_DONE(stat_of("b", &after), 0);
    CHECK_EQ(before.inode, after.inode);
    CHECK_DONE(capos_file_rename(&base, "b", &base, "b", replace), 0);
    CHECK_DONE(capos_directory_create(&base, "d"), 0);
    CHECK_DONE(capos_directory_create(&base, "d/e"), 0);
    CHECK_DONE(capos_file_rename(&base, "b", &base, "d", replace), FILE_OUTCOME_IS_DIRECTORY);
    CHECK_DONE(capos_file_rename(&base, "d", &base, "b", replace), FILE_OUTCOME_NOT_DIRECTORY);
    CHECK_DONE(capos_file_rename(&base, "d", &base, "d/e/f", replace),
               FILE_OUTCOME_INTO_ITSELF);
    CHECK_DONE(capos_file_rename(&base, "x", &base, "y", replace), FILE_OUTCOME_NOT_FOUND);
    CHECK_DONE(remove_any("d/e"), 0);
    CHECK_DONE(remove_any("d"), 0);
    CHECK_DONE(remove_any("b"), 0);
}

static void rename_goes_between_two_held_directories(void)
{
    struct capos_directory one = {}, two = {};
    CHECK_DONE(capos_directory_create(&base, "one"), 0);
    CHECK_DONE(capos_directory_create(&base, "two"), 0);
    CHECK_DONE(capos_directory_open(&base, "one", &one), 0);
    CHECK_DONE(capos_directory_open(&base, "two", &two), 0);
    CHECK_DONE(capos_file_save(&one, "f", "moved", 5), 0);
    CHECK_DONE(capos_file_rename(&one, "f", &two, "g", DIRECTORY_REPLACEMENT_REPLACE), 0);
    CHECK(holds("two/g", "moved"));
    CHECK(!exists("one/f"));
    CHECK_DONE(remove_any("two/g"), 0);
    capos_directory_close(&one);
    capos_directory_close(&two);
    CHECK_DONE(remove_any("one"), 0);
    CHECK_DONE(remove_any("two"), 0);
}

static void rename_exchanges_two_names(void)
{
    CHECK_DONE(save("a", "A"), 0);
    CHECK_DONE(capos_directory_create(&base, "d"), 0);
    uint32_t error = capos_file_rename(&base, "a", &base, "d", DIRECTORY_REPLACEMENT_EXCHANGE);
    if (error == FILE_OUTCOME_NOT_SUPPORTED) {
        test_skip("the service can't exchange names");
    } else if (CHECK_DONE(error, 0)) {
        CHECK(holds("d", "A"));
        CHECK_DONE(save("a/f", "inside"), 0);
        CHECK_DONE(remove_any("a/f"), 0);
        CHECK_DONE(capos_file_rename(&base, "a", &base, "x", DIRECTORY_REPLACEMENT_EXCHANGE),
                   FILE_OUTCOME_NOT_FOUND);
    }
    CHECK_DONE(remove_any("a"), 0);
    CHECK_DONE(remove_any("d"), 0);
}

// ---- Who wants to get out ------------------------------------------------------------------

// Every method that takes a path refuses it, whatever is there.
static void check_refused(const void *path, size_t bytes)
{
    enum file_outcome outcome;
    file_cap file;
    directory_cap directory;
    alignas(8) static uint8_t target[1024];
    size_t target_bytes;
    const enum status expected = bytes > 1024 ? STATUS_BAD_MESSAGE : STATUS_INVALID_ARGUMENT;
    CHECK_STATUS(directory_open(dir, path, bytes, true, false, false, false, 0644, &outcome,
                                nullptr, nullptr, nullptr, &file),
                 expected);
    CHECK_STATUS(directory_create_directory(dir, path, bytes, 0755, &outcome), expected);
    CHECK_STATUS(directory_remove(dir, path, bytes, DIRECTORY_REMOVAL_ANY, &outcome), expected);
    CHECK_STATUS(directory_rename(dir, "f", 1, path, bytes, DIRECTORY_REPLACEMENT_REPLACE,
                                  (directory_cap){}, &outcome),
                 expected);
    CHECK_STATUS(directory_rename(dir, path, bytes, "g", 1, DIRECTORY_REPLACEMENT_REPLACE,
                                  (directory_cap){}, &outcome),
                 expected);
    CHECK_STATUS(directory_create_symlink(dir, path, bytes, "f", 1, &outcome), expected);
    CHECK_STATUS(directory_set_quota(dir, path, bytes, 1, &outcome), expected);
    CHECK_STATUS(directory_read_symlink(dir, path, bytes, &outcome, target, sizeof target,
                                        &target_bytes),
                 expected);
    if (bytes == 0) // the directory itself, where a method says so
        return;
    CHECK_STATUS(directory_open_directory(dir, path, bytes, false, false, 0, &outcome, nullptr,
                                          nullptr, &directory),
                 expected);
    CHECK_STATUS(directory_stat(dir, path, bytes, false, &outcome, nullptr, nullptr, nullptr,
                                nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                                nullptr),
                 expected);
}

static enum file_outcome set_quota(directory_cap from, const char *path, uint64_t limit_bytes)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    CHECK_OK(directory_set_quota(from, path, strlen(path), limit_bytes, &outcome));
    return outcome;
}

static uint64_t free_below(const char *path)
{
    struct capos_directory below;
    uint64_t free_bytes = 0;
    if (!CHECK_DONE(capos_directory_open(&base, path, &below), 0))
        return 0;
    CHECK_OK(directory_info((directory_cap){below.id}, nullptr, nullptr, nullptr, nullptr,
                            nullptr, nullptr, nullptr, &free_bytes, nullptr, nullptr, nullptr));
    capos_directory_close(&below);
    return free_bytes;
}

// A directory "q" with so much room; false if the service has no quotas.
static bool quota_begin(uint64_t limit_bytes)
{
    CHECK_DONE(capos_directory_create(&base, "q"), 0);
    enum file_outcome outcome = set_quota(dir, "q", limit_bytes);
    if (outcome == FILE_OUTCOME_OK)
        return true;
    CHECK_EQ(outcome, FILE_OUTCOME_NOT_SUPPORTED);
    CHECK_DONE(remove_any("q"), 0);
    test_skip("the service has no quotas");
    return false;
}

static void a_quota_limits_what_is_below_it(void)
{
    static uint8_t data[100'000];
    if (!quota_begin(65'536))
        return;
    CHECK_EQ(free_below("q"), 65'536);
    CHECK_DONE(capos_directory_create(&base, "q/inner"), 0);
    CHECK_DONE(capos_file_save(&base, "q/inner/f", data, 20'000), 0);
    CHECK_DONE(capos_file_save(&base, "q/g", data, sizeof data), FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK_DONE(capos_file_save(&base, "beside", data, sizeof data), 0);
    CHECK_DONE(
        capos_file_rename(&base, "beside", &base, "q/beside", DIRECTORY_REPLACEMENT_REPLACE),
        FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK_DONE(remove_any("q/g"), 0);
    CHECK_DONE(capos_file_rename(&base, "q/inner/f", &base, "f", DIRECTORY_REPLACEMENT_REPLACE),
               0);
    CHECK_EQ(free_below("q"), 65'536 - 512); // the directory that is left
    CHECK_EQ(set_quota(dir, "q", 0), FILE_OUTCOME_NOT_EMPTY);
    CHECK_EQ(set_quota(dir, "q", 1), FILE_OUTCOME_OK);
    CHECK_DONE(save("q/h", "no room"), FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK_EQ(set_quota(dir, "f", 1), FILE_OUTCOME_NOT_DIRECTORY);
    CHECK_DONE(remove_any("q/inner"), 0);
    CHECK_EQ(set_quota(dir, "q", 0), FILE_OUTCOME_OK);
    CHECK_DONE(capos_file_save(&base, "q/i", data, sizeof data), 0);
    CHECK_EQ(set_quota(dir, "q", 1), FILE_OUTCOME_NOT_EMPTY);
    CHECK_DONE(remove_any("q/i"), 0);
    CHECK_DONE(remove_any("q"), 0);
    CHECK_DONE(remove_any("f"), 0);
    CHECK_DONE(remove_any("beside"), 0);
}

// Through whatever path: who holds a directory sets the limits of those below it alone.
static void nobody_changes_what_limits_them(void)
{
    struct capos_directory below;
    if (!quota_begin(65'536))
        return;
    CHECK_DONE(capos_directory_open(&base, "q", &below), 0);
    directory_cap held = {below.id};
    enum file_outcome outcome;
    CHECK_STATUS(directory_set_quota(held, "", 0, 1 << 20, &outcome), STATUS_INVALID_ARGUMENT);
    CHECK_DONE(capos_directory_create(&below, "d"), 0);
    static const char *const links[][2] = {{"self", "."}, {"back", "d/.."}};
    for (size_t i = 0; i < 2; i++) {
        CHECK_OK(directory_create_symlink(held, links[i][0], 4, links[i][1],
                                          strlen(links[i][1]), &outcome));
        CHECK_EQ(set_quota(held, links[i][0], 1 << 20), FILE_OUTCOME_SYMLINK);
        CHECK_DONE(capos_file_remove(&below, links[i][0], DIRECTORY_REMOVAL_ANY), 0);
    }
    // A limit of its own below is no way around the one above.
    CHECK_EQ(set_quota(held, "d", 1 << 20), FILE_OUTCOME_OK);
    static uint8_t data[100'000];
    CHECK_DONE(capos_file_save(&below, "d/f", data, sizeof data), FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK_DONE(capos_file_remove(&below, "d/f", DIRECTORY_REMOVAL_ANY), 0);
    CHECK_DONE(capos_file_remove(&below, "d", DIRECTORY_REMOVAL_ANY), 0);
    capos_directory_close(&below);
    CHECK_DONE(remove_any("q"), 0);
}

static void hostile_paths_are_refused_by_every_method(void)
{
    static const char *const parts[] = {"..", ".", "", "a", "../..", "a/..", "./a"};
    static const struct {
        const char *before, *behind;
    } forms[] = {
        {"", ""},    {"/", ""},   {"", "/"},    {"a/", ""}, {"", "/a"},
        {"//", ""},  {"", "//a"}, {"a/", "/b"}, {"/", "/"}, {"a/b/", ""},
        {"", "/.."}, {"../", ""}, {"./", ""},   {"", "/."}, {"a//", ""},
    };
    uint32_t refused = 0;
    char path[1200];
    CHECK_DONE(save("f", "safe"), 0);
    CHECK_DONE(capos_directory_create(&base, "a"), 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (size_t j = 0; j < sizeof forms / sizeof forms[0]; j++) {
            int length = snprintf(path, sizeof path, "%s%s%s", forms[j].before, parts[i],
                                  forms[j].behind);
            if (strcmp(path, "a") == 0 || strcmp(path, "a/a") == 0 ||
                strcmp(path, "a/a/b") == 0 || strcmp(path, "a/b/a") == 0)
                continue;
            check_refused(path, (size_t)length);
            refused++;
        }
    for (uint32_t at = 0; at < 100; at++) { // a NUL anywhere
        memset(path, 'n', 100);
        path[at] = '\0';
        check_refused(path, 100);
        refused++;
    }
    memset(path, 'n', sizeof path);
    check_refused(path, 256);  // a name that is too long
    check_refused(path, 1025); // a path that is too long
    for (uint32_t i = 0; i < 65; i++)
        path[2 * i + 1] = '/';
    check_refused(path, 129); // too many names
    CHECK(refused + 3 >= 200);
    CHECK(holds("f", "safe"));
    CHECK_DONE(remove_any("a"), 0);
    CHECK_DONE(remove_any("f"), 0);
}

static void symlinks_never_lead_out(void)
{
    if (!info.symlinks) {
        test_skip("the service has no symlinks");
        return;
    }
    static const char *const targets[] = {"..",
                                          "../secret",
                                          "/",
                                          "/secret",
                                          "x/../../secret",
                                          "./../secret",
                                          "../jail/x",
                                          "x/../../jail/../secret"};
    struct capos_directory jail = {};
    struct capos_file file;
    struct directory_stat_results stat;
    CHECK_DONE(capos_directory_create(&base, "jail"), 0);
    CHECK_DONE(capos_directory_create(&base, "jail/x"), 0);
    CHECK_DONE(save("secret", "out of reach"), 0);
    CHECK_DONE(capos_directory_open(&base, "jail", &jail), 0);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        CHECK_EQ(make_symlink("jail/l", targets[i]), FILE_OUTCOME_OK);
        CHECK_DONE(capos_file_open(&jail, "l", CAPOS_FILE_READ, &file), FILE_OUTCOME_OUTSIDE);
        CHECK_DONE(capos_file_open(&jail, "l", CAPOS_FILE_WRITE | CAPOS_FILE_CREATE, &file),
                   FILE_OUTCOME_OUTSIDE);
        CHECK_DONE(capos_file_open(&jail, "l/secret", CAPOS_FILE_READ, &file),
                   FILE_OUTCOME_OUTSIDE);
        CHECK_DONE(capos_file_stat(&jail, "l", true, &stat), FILE_OUTCOME_OUTSIDE);
        CHECK_DONE(capos_file_stat(&jail, "l", false, &stat), 0);
        CHECK_DONE(capos_directory_create(&jail, "l/new"), FILE_OUTCOME_OUTSIDE);
        CHECK_DONE(capos_file_remove(&jail, "l/secret", DIRECTORY_REMOVAL_ANY),
                   FILE_OUTCOME_OUTSIDE);
        CHECK_DONE(capos_file_remove(&jail, "l", DIRECTORY_REMOVAL_ANY), 0);
    }
    capos_directory_close(&jail);
    CHECK(holds("secret", "out of reach"));
    CHECK_DONE(remove_any("secret"), 0);
    CHECK_DONE(remove_any("jail/x"), 0);
    CHECK_DONE(remove_any("jail"), 0);
}

static void symlinks_are_followed_within(void)
{
    if (!info.symlinks) {
        test_skip("the service has no symlinks");
        return;
    }
    struct capos_file file;
    struct directory_stat_results stat = {};
    char target[CAPOS_PATH_BYTES_MAX + 1];
    CHECK_DONE(capos_directory_create(&base, "d"), 0);
    CHECK_EQ(make_symlink("link", "d/f"), FILE_OUTCOME_OK);
    CHECK_DONE(save("link", "through"), 0);
    CHECK(holds("d/f", "through"));
    CHECK_DONE(capos_file_read_symlink(&base, "link", target), 0);
    CHECK(strcmp(target, "d/f") == 0);
    CHECK_DONE(capos_file_read_symlink(&base, "d/f", target), FILE_OUTCOME_NOT_SUPPORTED);
    CHECK_DONE(capos_file_stat(&base, "link", false, &stat), 0);
    CHECK_EQ(stat.kind, FILE_KIND_SYMLINK);
    CHECK_EQ(make_symlink("d/up", "../link"), FILE_OUTCOME_OK);
    CHECK(holds("d/up", "through"));
    CHECK_EQ(make_symlink("loop", "loop"), FILE_OUTCOME_OK);
    CHECK_DONE(capos_file_open(&base, "loop", CAPOS_FILE_READ, &file),
               FILE_OUTCOME_TOO_MANY_SYMLINKS);
    CHECK_DONE(remove_any("loop"), 0);
    CHECK_DONE(remove_any("link"), 0);
    CHECK(holds("d/f", "through"));
    CHECK_DONE(remove_any("d/up"), 0);
    CHECK_DONE(remove_any("d/f"), 0);
    CHECK_DONE(remove_any("d"), 0);
}

// ---- Narrowing -----------------------------------------------------------------------------

static void what_was_narrowed_changes_nothing(void)
{
    read_only_directory_cap narrow = {}, inner = {};
    read_only_file_cap file = {};
    enum file_outcome outcome;
    uint32_t written;
    CHECK_DONE(capos_directory_create(&base, "d"), 0);
    CHECK_DONE(save("d/f", "kept"), 0);
    CHECK_OK(directory_read_only(dir, &narrow));
    CHECK_OK(read_only_directory_open_read_only_directory(narrow, "d", 1, false, &outcome,
                                                          nullptr, &inner));
    CHECK_OK(read_only_directory_open_read_only(inner, "f", 1, false, &outcome, nullptr,
                                                nullptr, &file));
    // Through the wide interface the kernel refuses, and the narrow one has no such methods.
    CHECK_STATUS(
        directory_remove((directory_cap){narrow.id}, "d/f", 3, DIRECTORY_REMOVAL_ANY, &outcome),
        STATUS_WRONG_INTERFACE);
    CHECK_STATUS(file_write((file_cap){file.id}, 0, "x", 1, &outcome, &written),
                 STATUS_WRONG_INTERFACE);
    for (uint16_t method = DIRECTORY_METHOD_READ_ONLY; method < 20; method++) {
        struct test_call call = {
            .cap = inner.id, .interface_id = INTERFACE_READ_ONLY_DIRECTORY, .method = method};
        CHECK_STATUS(test_call(&call), STATUS_UNIMPLEMENTED);
    }
    for (uint16_t method = FILE_METHOD_WRITE; method < 20; method++) {
        struct test_call call = {
            .cap = file.id, .interface_id = INTERFACE_READ_ONLY_FILE, .method = method};
        CHECK_STATUS(test_call(&call), STATUS_UNIMPLEMENTED);
    }
    CHECK(holds("d/f", "kept"));
    read_only_file_cap_release(&file);
    read_only_directory_cap_release(&inner);
    read_only_directory_cap_release(&narrow);
    CHECK_DONE(remove_any("d/f"), 0);
    CHECK_DONE(remove_any("d"), 0);
}

// ---- Watching ------------------------------------------------------------------------------

static void a_watch_completes_when_an_entry_comes_or_goes(void)
{
    if (!info.watches) {
        test_skip("the service has no watches");
        return;
    }
    struct directory_stat_results stat = {};
    struct capos_call call;
    uint64_t version = 0;
    CHECK_DONE(stat_of("", &stat), 0);
    CHECK_OK(directory_watch_begin(&call, dir, stat.version));
    CHECK_DONE(stat_of("", &stat), 0); // the service has taken the watch by now
    CHECK(!capos_call_is_done(&call));
    CHECK_DONE(save("f", "1"), 0);
    CHECK_OK(directory_watch_finish(&call, &version));
    CHECK(version != stat.version);
    CHECK_OK(directory_watch(dir, stat.version, &version)); // at once
    // Contents aren't entries.
    CHECK_OK(directory_watch_begin(&call, dir, version));
    CHECK_DONE(save("f", "2"), 0);
    CHECK_DONE(stat_of("", &stat), 0);
    CHECK(!capos_call_is_done(&call));
    CHECK_DONE(remove_any("f"), 0);
    CHECK_OK(directory_watch_finish(&call, &version));
}

static void watches_that_are_given_up_leave_room_for_others(void)
{
    if (!info.watches) {
        test_skip("the service has no watches");
        return;
    }
    struct directory_stat_results stat = {};
    for (uint32_t i = 0; i < 100; i++) {
        struct capos_call call;
        CHECK_DONE(stat_of("", &stat), 0);
        CHECK_OK(directory_watch_begin(&call, dir, stat.version));
        CHECK_DONE(stat_of("", &stat), 0); // the service has taken the watch by now
        capos_call_cancel(&call);
        CHECK_STATUS(directory_watch_finish(&call, nullptr), STATUS_CANCELLED);
        CHECK_DONE(stat_of("", &stat), 0); // and knows that it has ended
    }
}

// ---- Many ----------------------------------------------------------------------------------

static void a_thousand_opens_leave_nothing(void)
{
    struct capos_file file;
    struct capos_directory directory;
    CHECK_DONE(save("f", "x"), 0);
    for (uint32_t i = 0; i < 1000; i++) {
        if (!CHECK_DONE(capos_file_open(&base, "f", CAPOS_FILE_READ, &file), 0) ||
            !CHECK_DONE(capos_directory_open(&base, "", &directory), 0))
            break;
        capos_file_close(&file);
        capos_directory_close(&directory);
    }
    CHECK_DONE(remove_any("f"), 0);
}

static void a_chain_of_opens_is_one_round_trip(void)
{
    struct capos_call first, second;
    directory_cap inner;
    file_cap file;
    enum file_outcome outcome, other = FILE_OUTCOME_OK;
    uint8_t data[8];
    size_t bytes = 0;
    CHECK_DONE(capos_directory_create(&base, "d"), 0);
    CHECK_DONE(save("d/f", "chained"), 0);
    CHECK_OK(directory_open_directory_promise(&first, dir, "d", 1, false, false, 0, &inner));
    CHECK_OK(
        directory_open_promise(&second, inner, "f", 1, false, false, false, false, 0, &file));
    CHECK_OK(file_read(file, 0, 8, &outcome, data, sizeof data, &bytes));
    CHECK(bytes == 7 && memcmp(data, "chained", 7) == 0);
    CHECK_OK(directory_open_finish(&second, &other, nullptr, nullptr, nullptr, nullptr));
    CHECK_OK(directory_open_directory_finish(&first, &other, nullptr, nullptr, nullptr));
    CHECK_DONE(remove_any("d/f"), 0);
    CHECK_DONE(remove_any("d"), 0);
}

// ---- The model -----------------------------------------------------------------------------

static enum file_outcome model_make(void *, const char *path, enum file_kind kind)
{
    struct capos_file file;
    if (kind == FILE_KIND_DIRECTORY)
        return (enum file_outcome)capos_directory_create(&base, path);
    uint32_t error = capos_file_open(
        &base, path, CAPOS_FILE_WRITE | CAPOS_FILE_CREATE | CAPOS_FILE_EXCLUSIVE, &file);
    if (error == 0)
        capos_file_close(&file);
    return (enum file_outcome)error;
}

static enum file_outcome model_remove(void *, const char *path, enum directory_removal what)
{
    return (enum file_outcome)capos_file_remove(&base, path, what);
}

static enum file_outcome model_rename(void *, const char *path, const char *to_path,
                                      enum directory_replacement replacement)
{
    return (enum file_outcome)capos_file_rename(&base, path, &base, to_path, replacement);
}

static enum file_outcome model_write(void *, const char *path, uint64_t offset,
                                     const void *data, uint32_t byte_count)
{
    struct capos_file file;
    uint32_t error = capos_file_open(&base, path, CAPOS_FILE_WRITE, &file);
    if (error != 0)
        return (enum file_outcome)error;
    error = capos_file_write(&file, offset, data, byte_count);
    capos_file_close(&file);
    return (enum file_outcome)error;
}

static enum file_outcome model_truncate(void *, const char *path, uint64_t size_bytes)
{
    struct capos_file file;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint32_t error = capos_file_open(&base, path, CAPOS_FILE_WRITE, &file);
    if (error != 0)
        return (enum file_outcome)error;
    CHECK_OK(file_truncate((file_cap){file.id}, size_bytes, &outcome));
    capos_file_close(&file);
    return outcome;
}

static enum file_outcome model_read(void *, const char *path, uint64_t offset, void *buffer,
                                    uint32_t byte_count, uint32_t *out_read)
{
    struct capos_file file;
    size_t bytes = 0;
    uint32_t error = capos_file_open(&base, path, CAPOS_FILE_READ, &file);
    if (error != 0)
        return (enum file_outcome)error;
    error = capos_file_read(&file, offset, buffer, byte_count, &bytes);
    capos_file_close(&file);
    *out_read = (uint32_t)bytes;
    return (enum file_outcome)error;
}

static enum file_outcome model_stat(void *, const char *path, enum file_kind *out_kind,
                                    uint64_t *out_size_bytes)
{
    struct directory_stat_results stat = {};
    uint32_t error = stat_of(path, &stat);
    *out_kind = stat.kind;
    *out_size_bytes = stat.size_bytes;
    return (enum file_outcome)error;
}

static enum file_outcome model_list(void *, const char *path, char names[64],
                                    uint32_t *out_count)
{
    struct capos_directory directory;
    struct capos_listing listing;
    struct capos_listing_entry entry = {};
    uint32_t error = capos_directory_open(&base, path, &directory);
    *out_count = 0;
    if (error != 0)
        return (enum file_outcome)error;
    error = capos_listing_open(&directory, &listing);
    if (error == 0) {
        while ((error = capos_listing_next(&listing, &entry)) == 0 && entry.name_bytes == 1 &&
               *out_count < 64)
            names[(*out_count)++] = entry.name[0];
        capos_listing_close(&listing);
    }
    capos_directory_close(&directory);
    return (enum file_outcome)error;
}

static void random_operations_do_what_the_model_says(void)
{
    struct test_files files = {
        .make = model_make,
        .remove = model_remove,
        .rename = model_rename,
        .write = model_write,
        .truncate = model_truncate,
        .read = model_read,
        .stat = model_stat,
        .list = model_list,
    };
    char problem[200] = "";
    CHECK_DONE(save("a", ""), 0);
    CHECK_DONE(save("b", ""), 0);
    files.without_exchange =
        capos_file_rename(&base, "a", &base, "b", DIRECTORY_REPLACEMENT_EXCHANGE) ==
        FILE_OUTCOME_NOT_SUPPORTED;
    CHECK_DONE(remove_any("a"), 0);
    CHECK_DONE(remove_any("b"), 0);
    if (!test_files_compare(&files, 20261126, 10000, problem))
        test_fail(__FILE__, __LINE__, "%s", problem);
}

// ---- What is read-only ---------------------------------------------------------------------

static void everything_listed_can_be_read_and_nothing_changed(void)
{
    struct capos_listing listing;
    struct capos_listing_entry entry = {};
    struct directory_stat_results stat = {};
    uint32_t count = 0;
    if (!CHECK_DONE(capos_listing_open(&root, &listing), 0))
        return;
    while (CHECK_DONE(capos_listing_next(&listing, &entry), 0) && entry.name_bytes != 0) {
        void *data;
        size_t bytes = 0;
        count++;
        CHECK_DONE(capos_file_stat(&root, entry.name, false, &stat), 0);
        CHECK_EQ(stat.inode, entry.inode);
        CHECK_EQ(stat.kind, entry.kind);
        if (entry.kind != FILE_KIND_FILE || stat.size_bytes > 300'000)
            continue;
        if (CHECK_DONE(capos_file_load(&root, entry.name, 300'000, &data, &bytes), 0)) {
            CHECK_EQ(bytes, stat.size_bytes);
            free(data);
        }
    }
    capos_listing_close(&listing);
    CHECK_DONE(capos_file_stat(&root, "", true, &stat), 0);
    CHECK_EQ(stat.size_bytes, count);
    CHECK(count > 0);
    CHECK_DONE(capos_directory_create(&root, "new"), FILE_OUTCOME_READ_ONLY);
    CHECK_DONE(capos_file_stat(&root, "no-such-name", true, &stat), FILE_OUTCOME_NOT_FOUND);
}

static void what_is_read_is_what_is_mapped(void)
{
    read_only_file_cap file = {};
    memory_object_cap object = {};
    enum file_outcome outcome;
    uint64_t size = 0, length = 0, address;
    uint8_t data[64];
    size_t bytes = 0;
    struct capos_listing listing;
    struct capos_listing_entry entry = {};
    if (!info.mappings) {
        test_skip("the service has no mappings");
        return;
    }
    if (!CHECK_DONE(capos_listing_open(&root, &listing), 0))
        return;
    CHECK_DONE(capos_listing_next(&listing, &entry), 0);
    capos_listing_close(&listing);
    CHECK_OK(read_only_directory_open_read_only((read_only_directory_cap){root.id}, entry.name,
                                                entry.name_bytes, false, &outcome, nullptr,
                                                &size, &file));
    CHECK_OK(read_only_file_map(file, 0, size, &outcome, &length, &object));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK_OK(read_only_file_read(file, 0, sizeof data, &outcome, data, sizeof data, &bytes));
    if (CHECK_OK(
            virtual_memory_map(test_memory(), object, 0, PAGE, 0, PROTECTION_READ, &address))) {
        CHECK(memcmp((const void *)address, data, bytes) == 0);
        CHECK_OK(virtual_memory_unmap(test_memory(), address, PAGE));
    }
    memory_object_cap_release(&object);
    read_only_file_cap_release(&file);
}

// ---- Ramfs ---------------------------------------------------------------------------------

static ramfs_cap ramfs;

// The service answers in the order of what it is told: when it refuses this, it has seen all
// that was released before.
static void releases_are_seen(void)
{
    directory_cap none;
    CHECK_STATUS(ramfs_create(ramfs, test_budget(), 1, &none), STATUS_INVALID_ARGUMENT);
}

static uint64_t used_of(memory_budget_cap budget)
{
    uint64_t used = 0;
    releases_are_seen();
    CHECK_OK(memory_budget_info(budget, nullptr, &used, nullptr, nullptr));
    return used;
}

static void a_file_system_is_charged_to_its_creator_and_ends_with_its_last_holder(void)
{
    memory_budget_cap budget;
    directory_cap directory;
    uint64_t before = 0, used = 0;
    CHECK_OK(memory_budget_split(test_budget(), 1 << 20, &budget));
    CHECK_OK(memory_budget_info(budget, nullptr, &before, nullptr, nullptr));
    CHECK_OK(ramfs_create(ramfs, budget, 512 * 1024, &directory));
    struct capos_directory here = {.id = directory.id};
    static uint8_t data[200'000];
    CHECK_DONE(capos_file_save(&here, "big", data, sizeof data), 0);
    CHECK_OK(memory_budget_info(budget, nullptr, &used, nullptr, nullptr));
    CHECK(used >= before + sizeof data);
    struct capos_file file;
    CHECK_DONE(capos_file_open(&here, "big", CAPOS_FILE_READ, &file), 0);
    directory_cap_release(&directory);
    CHECK(used_of(budget) >= before + sizeof data); // the file is held
    capos_file_close(&file);
    CHECK_EQ(used_of(budget), before);
    memory_budget_cap_release(&budget);
}

static void a_full_file_system_is_a_typed_error_and_goes_on(void)
{
    directory_cap directory;
    CHECK_OK(ramfs_create(ramfs, test_budget(), 65536, &directory));
    struct capos_directory here = {.id = directory.id};
    static uint8_t data[200'000];
    uint32_t error = capos_file_save(&here, "big", data, sizeof data);
    CHECK_DONE(error, FILE_OUTCOME_NO_SPACE);
    CHECK_DONE(capos_file_remove(&here, "big", DIRECTORY_REMOVAL_ANY), 0);
    CHECK_DONE(capos_file_save(&here, "small", data, 20'000), 0);
    directory_cap_release(&directory);
    CHECK_STATUS(ramfs_create(ramfs, test_budget(), 65536 + 1, &directory),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(ramfs_create(ramfs, test_budget(), 4096, &directory), STATUS_INVALID_ARGUMENT);
    releases_are_seen();
}

static void two_file_systems_are_two_services_for_a_rename(void)
{
    directory_cap one, two;
    CHECK_OK(ramfs_create(ramfs, test_budget(), 65536, &one));
    CHECK_OK(ramfs_create(ramfs, test_budget(), 65536, &two));
    struct capos_directory from = {.id = one.id}, to = {.id = two.id};
    CHECK_DONE(capos_file_save(&from, "f", "x", 1), 0);
    CHECK_DONE(capos_file_rename(&from, "f", &to, "f", DIRECTORY_REPLACEMENT_REPLACE),
               FILE_OUTCOME_OTHER_SERVICE);
    directory_cap_release(&one);
    directory_cap_release(&two);
    releases_are_seen();
}

// ---- The suite -----------------------------------------------------------------------------

struct suite_test {
    const char *name;
    void (*run)(void);
};
#define TEST(function) {#function, function}

static const struct suite_test writable_suite[] = {
    TEST(a_file_holds_what_was_written),
    TEST(writes_land_where_they_are_told_and_gaps_are_zero),
    TEST(truncate_cuts_and_grows_with_zeros),
    TEST(open_does_what_its_flags_say),
    TEST(a_removed_file_lives_while_it_is_open),
    TEST(mode_and_times_are_what_was_set),
    TEST(a_large_file_goes_through_the_shared_buffer),
    TEST(a_buffer_is_checked_and_takes_files_of_its_service_only),
    TEST(bytes_go_to_any_place_of_a_buffer_and_to_no_other),
    TEST(a_copy_is_memory_that_stays_what_it_is),
    TEST(mapped_pages_are_the_file),
    TEST(directories_nest_and_go_when_they_are_empty),
    TEST(a_listing_shows_each_entry_once_whatever_comes_and_goes),
    TEST(names_have_any_bytes_but_two),
    TEST(rename_moves_and_replaces),
    TEST(rename_goes_between_two_held_directories),
    TEST(rename_exchanges_two_names),
    TEST(a_quota_limits_what_is_below_it),
    TEST(nobody_changes_what_limits_them),
    TEST(hostile_paths_are_refused_by_every_method),
    TEST(symlinks_never_lead_out),
    TEST(symlinks_are_followed_within),
    TEST(what_was_narrowed_changes_nothing),
    TEST(a_watch_completes_when_an_entry_comes_or_goes),
    TEST(watches_that_are_given_up_leave_room_for_others),
    TEST(a_thousand_opens_leave_nothing),
    TEST(a_chain_of_opens_is_one_round_trip),
    TEST(random_operations_do_what_the_model_says),
};

static const struct suite_test read_only_suite[] = {
    TEST(everything_listed_can_be_read_and_nothing_changed),
    TEST(what_is_read_is_what_is_mapped),
};

static void suite_run(const char *grant, const struct suite_test *suite, size_t count)
{
    static char name[128];
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s_%s", grant, suite[i].name);
        test_run(name, suite[i].run);
    }
}

static bool info_read(void)
{
    if (!root.read_only)
        return CHECK_OK(directory_info(
            (directory_cap){root.id}, &info.writable, &info.persistent, &info.symlinks,
            &info.mappings, &info.watches, &info.name_bytes_max, &info.total_bytes,
            &info.free_bytes, &info.file_bytes_max, &info.file_count_max, &info.file_count));
    return CHECK_OK(read_only_directory_info(
        (read_only_directory_cap){root.id}, &info.writable, &info.persistent, &info.symlinks,
        &info.mappings, &info.watches, &info.name_bytes_max, &info.total_bytes,
        &info.free_bytes, &info.file_bytes_max, &info.file_count_max, &info.file_count));
}

static void subject_run(const char *grant)
{
    base = root;
    if (!info_read())
        return;
    if (root.read_only || !info.writable) {
        suite_run(grant, read_only_suite, sizeof read_only_suite / sizeof read_only_suite[0]);
        return;
    }
    if (!CHECK_DONE(capos_directory_create(&root, base_name), 0) ||
        !CHECK_DONE(capos_directory_open(&root, base_name, &base), 0))
        return;
    dir.id = base.id;
    suite_run(grant, writable_suite, sizeof writable_suite / sizeof writable_suite[0]);
    capos_directory_close(&base);
    CHECK_DONE(capos_file_remove(&root, base_name, DIRECTORY_REMOVAL_DIRECTORY), 0);
}

static void tests(void)
{
    for (uint32_t i = 0; i < capos_capset_count(); i++) {
        const struct capos_capset_entry *entry = capos_capset_at(i);
        if (capos_directory_find(entry->name, &root) == 0)
            subject_run(entry->name);
    }
    if (ramfs_cap_find("ramfs", &ramfs) != STATUS_OK)
        return;
    RUN(a_file_system_is_charged_to_its_creator_and_ends_with_its_last_holder);
    RUN(a_full_file_system_is_a_typed_error_and_goes_on);
    RUN(two_file_systems_are_two_services_for_a_rename);
    directory_cap directory;
    if (CHECK_OK(ramfs_create(ramfs, test_budget(), RAMFS_BYTES, &directory))) {
        root = (struct capos_directory){.id = directory.id};
        subject_run("ramfs");
        capos_directory_close(&root);
        releases_are_seen();
    }
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, tests, nullptr, 0);
}
