// SPDX-License-Identifier: MIT
// Volumes on a medium in memory: contents, names, room, and damage.
#include "medium_test.h"

#include "parts.h"

#include <test/test.h>
#include <volume/volume.h>

static struct test_medium *medium;
static struct volume *volume;
static uint32_t complaints;

static int64_t test_now(void)
{
    static int64_t now;
    return ++now;
}

static void test_random(void *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)rand();
}

static const struct volume_options options = {.cache_bytes = 1 << 20,
                                              .read_cache_bytes = 1 << 20,
                                              .format = true,
                                              .now_ns = test_now,
                                              .random = test_random};

static void complain(void *, const char *)
{
    complaints++;
}

static enum file_outcome open_again(void)
{
    return volume_open(&medium->medium, &options, &volume);
}

static void begin(uint64_t pages)
{
    medium = test_medium_create(pages);
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
}

static void end(void)
{
    CHECK_EQ(volume_check(volume, complain, nullptr), FILE_OUTCOME_OK);
    volume_close(volume);
    test_medium_destroy(medium);
}

static struct wire_data name_of(const char *text)
{
    return (struct wire_data){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static uint64_t make(uint64_t directory, const char *name, enum file_kind kind)
{
    struct volume_node node = {};
    CHECK_EQ(volume_create(volume, directory, name_of(name),
                           &(struct volume_creation){.kind = kind, .mode = 0644}, &node),
             FILE_OUTCOME_OK);
    return node.number;
}

static uint64_t lookup(uint64_t directory, const char *name)
{
    struct volume_node node = {};
    return volume_lookup(volume, directory, name_of(name), &node) == FILE_OUTCOME_OK
               ? node.number
               : 0;
}

// As many steps as it takes.
static enum file_outcome write_all(uint64_t node, uint64_t offset, const uint8_t *from,
                                   uint32_t bytes)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    for (uint32_t done = 0; outcome == FILE_OUTCOME_OK && done < bytes;) {
        uint32_t left = bytes - done;
        uint32_t step = left < VOLUME_WRITE_BYTES_MAX ? left : VOLUME_WRITE_BYTES_MAX;
        outcome = volume_write(volume, node, offset + done, from + done, step);
        done += step;
    }
    return outcome;
}

// ---- Contents ----------------------------------------------------------------------

enum { MODEL_BYTES = 400'000 };

static void contents_are_what_was_written(void)
{
    static uint8_t model[MODEL_BYTES], bytes[150'000], found[MODEL_BYTES + 10];
    uint32_t size = 0, count;
    begin(1024);
    memset(model, 0, sizeof model);
    uint64_t node = make(VOLUME_ROOT, "file", FILE_KIND_FILE);
    for (int i = 0; i < 300; i++) {
        uint32_t offset = (uint32_t)rand() % 250'000;
        uint32_t length = 1 + (uint32_t)rand() % (i % 3 == 0 ? 150'000 : 5000);
        if (rand() % 4 == 0) {
            CHECK_EQ(volume_truncate(volume, node, offset), FILE_OUTCOME_OK);
            if (offset < size)
                memset(model + offset, 0, size - offset);
            size = offset;
        } else {
            test_random(bytes, length);
            CHECK_EQ(write_all(node, offset, bytes, length), FILE_OUTCOME_OK);
            memcpy(model + offset, bytes, length);
            size = offset + length > size ? offset + length : size;
        }
        CHECK_EQ(volume_read(volume, node, 0, found, sizeof found, &count), FILE_OUTCOME_OK);
        CHECK_EQ(count, size);
        CHECK(memcmp(found, model, size) == 0);
        offset = size == 0 ? 0 : (uint32_t)rand() % size;
        CHECK_EQ(volume_read(volume, node, offset, found, 4096, &count), FILE_OUTCOME_OK);
        CHECK(memcmp(found, model + offset, count) == 0);
    }
    end();
}

static void a_file_with_a_gap_takes_up_what_was_written(void)
{
    struct volume_stat stat;
    uint8_t byte = 7;
    uint32_t count;
    begin(1024);
    uint64_t node = make(VOLUME_ROOT, "sparse", FILE_KIND_FILE);
    uint64_t far = UINT64_C(1) << 35;
    CHECK_EQ(volume_write(volume, node, far, &byte, 1), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, node, VOLUME_FILE_BYTES_MAX, &byte, 1),
             FILE_OUTCOME_TOO_LARGE);
    CHECK_EQ(volume_write(volume, node, 0, &byte, VOLUME_WRITE_BYTES_MAX + 1),
             FILE_OUTCOME_TOO_LARGE);
    CHECK_EQ(volume_stat(volume, node, &stat), FILE_OUTCOME_OK);
    CHECK_EQ(stat.size_bytes, far + 1);
    CHECK(stat.stored_bytes <= 65536);
    CHECK_EQ(volume_read(volume, node, far / 2, &byte, 1, &count), FILE_OUTCOME_OK);
    CHECK(count == 1 && byte == 0);
    end();
}

// The largest write, everywhere in a file, on the smallest medium.
static void the_smallest_volume_takes_the_largest_write(void)
{
    static uint8_t bytes[VOLUME_WRITE_BYTES_MAX], found[sizeof bytes];
    uint32_t count;
    begin(VOLUME_BYTES_MIN / MEDIUM_PAGE);
    uint64_t node = make(VOLUME_ROOT, "file", FILE_KIND_FILE);
    for (uint32_t i = 0; i < 200; i++) {
        uint64_t offset = i * 7919 % 200'000;
        test_random(bytes, sizeof bytes);
        CHECK_EQ(volume_write(volume, node, offset, bytes, sizeof bytes), FILE_OUTCOME_OK);
        CHECK_EQ(volume_read(volume, node, offset, found, sizeof found, &count),
                 FILE_OUTCOME_OK);
        CHECK(count == sizeof found && memcmp(found, bytes, count) == 0);
    }
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    end();
}

// ---- Names -------------------------------------------------------------------------

static void names_follow_the_rules(void)
{
    begin(1024);
    uint64_t a = make(VOLUME_ROOT, "a", FILE_KIND_DIRECTORY);
    uint64_t b = make(a, "b", FILE_KIND_DIRECTORY);
    uint64_t file = make(b, "file", FILE_KIND_FILE);
    struct volume_node node;
    const struct volume_creation creation = {.kind = FILE_KIND_FILE};
    CHECK_EQ(volume_remove(volume, b), FILE_OUTCOME_NOT_EMPTY);
    CHECK_EQ(volume_rename(volume, a, b, name_of("x"), 0, false), FILE_OUTCOME_INTO_ITSELF);
    CHECK_EQ(volume_rename(volume, a, a, name_of("x"), 0, false), FILE_OUTCOME_INTO_ITSELF);
    CHECK_EQ(volume_rename(volume, b, VOLUME_ROOT, name_of("a"), a, true),
             FILE_OUTCOME_INTO_ITSELF);
    uint64_t other = make(VOLUME_ROOT, "other", FILE_KIND_FILE);
    CHECK_EQ(volume_rename(volume, other, b, name_of("file"), file, true), FILE_OUTCOME_OK);
    CHECK_EQ(lookup(VOLUME_ROOT, "other"), file);
    CHECK_EQ(lookup(b, "file"), other);
    CHECK_EQ(volume_rename(volume, file, b, name_of("file"), other, false), FILE_OUTCOME_OK);
    CHECK_EQ(lookup(VOLUME_ROOT, "other"), 0);
    volume_forget(volume, other);
    CHECK_EQ(volume_remove(volume, file), FILE_OUTCOME_OK);
    volume_forget(volume, file);
    CHECK_EQ(volume_remove(volume, b), FILE_OUTCOME_OK);
    // A directory that is removed takes nothing.
    CHECK_EQ(volume_create(volume, b, name_of("new"), &creation, &node),
             FILE_OUTCOME_NOT_FOUND);
    uint64_t late = make(a, "late", FILE_KIND_FILE);
    CHECK_EQ(volume_rename(volume, late, b, name_of("late"), 0, false), FILE_OUTCOME_NOT_FOUND);
    volume_forget(volume, b);
    end();
}

static void a_removed_file_lives_until_it_is_forgotten(void)
{
    uint32_t count;
    char text[8];
    begin(1024);
    uint64_t first = make(VOLUME_ROOT, "one", FILE_KIND_FILE);
    uint64_t second = make(VOLUME_ROOT, "two", FILE_KIND_FILE);
    CHECK_EQ(volume_write(volume, first, 0, "first", 5), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, second, 0, "second", 6), FILE_OUTCOME_OK);
    CHECK_EQ(volume_remove(volume, first), FILE_OUTCOME_OK);
    CHECK_EQ(volume_remove(volume, second), FILE_OUTCOME_OK);
    CHECK_EQ(volume_read(volume, first, 0, text, sizeof text, &count), FILE_OUTCOME_OK);
    CHECK_EQ(count, 5);
    volume_forget(volume, first);
    CHECK_EQ(volume_read(volume, first, 0, text, sizeof text, &count), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    volume_close(volume);
    CHECK_EQ(open_again(), FILE_OUTCOME_OK); // nobody has the second one open any more
    CHECK_EQ(volume_read(volume, second, 0, text, sizeof text, &count), FILE_OUTCOME_NOT_FOUND);
    CHECK(make(VOLUME_ROOT, "three", FILE_KIND_FILE) > second);
    end();
}

static void a_listing_has_each_entry_once(void)
{
    bool seen[300] = {};
    struct volume_entry entry = {};
    char name[16];
    begin(1024);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "%d", i);
        make(VOLUME_ROOT, name, FILE_KIND_FILE);
    }
    uint32_t count = 0;
    while (volume_next(volume, VOLUME_ROOT, entry.node, &entry) == FILE_OUTCOME_OK) {
        memcpy(name, entry.name, entry.name_bytes);
        name[entry.name_bytes] = 0;
        CHECK(!seen[atoi(name)]);
        seen[atoi(name)] = true;
        if (count++ % 3 == 0) // what goes meanwhile is no concern of the others
            CHECK_EQ(volume_remove(volume, entry.node), FILE_OUTCOME_OK);
    }
    CHECK_EQ(count, 300);
    end();
}

// ---- Room --------------------------------------------------------------------------

static void a_full_volume_says_so_and_keeps_what_it_has(void)
{
    static uint8_t bytes[10'000];
    struct volume_room room;
    char name[16];
    uint32_t count;
    begin(512);
    for (int round = 0; round < 3; round++) {
        enum file_outcome outcome = FILE_OUTCOME_OK;
        uint32_t files = 0;
        while (outcome == FILE_OUTCOME_OK && files < 1000) {
            struct volume_node node;
            snprintf(name, sizeof name, "%u", files);
            outcome = volume_create(volume, VOLUME_ROOT, name_of(name),
                                    &(struct volume_creation){.kind = FILE_KIND_FILE}, &node);
            memset(bytes, (int)files, sizeof bytes);
            if (outcome == FILE_OUTCOME_OK) {
                outcome = volume_write(volume, node.number, 0, bytes, sizeof bytes);
                files++;
            }
        }
        CHECK_EQ(outcome, FILE_OUTCOME_NO_SPACE);
        CHECK(files > 50 && files < 200);
        CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
        CHECK_EQ(volume_read(volume, lookup(VOLUME_ROOT, "40"), 0, bytes, sizeof bytes, &count),
                 FILE_OUTCOME_OK);
        CHECK(count == sizeof bytes && bytes[0] == 40 && bytes[9999] == 40);
        for (uint32_t i = 0; i < files; i++) {
            snprintf(name, sizeof name, "%u", i);
            uint64_t node = lookup(VOLUME_ROOT, name);
            CHECK_EQ(volume_remove(volume, node), FILE_OUTCOME_OK);
            volume_forget(volume, node);
        }
        CHECK_EQ(volume_room(volume, &room), FILE_OUTCOME_OK);
        CHECK(room.free_bytes > room.total_bytes / 2);
    }
    end();
}

static uint64_t free_below(uint64_t directory)
{
    struct volume_quota quota = {};
    CHECK_EQ(volume_quota_room(volume, directory, &quota), FILE_OUTCOME_OK);
    return quota.free_bytes;
}

static void check_whole(void)
{
    CHECK_EQ(volume_check(volume, complain, nullptr), FILE_OUTCOME_OK);
}

static void who_exceeds_a_quota_is_told_and_nobody_else(void)
{
    static uint8_t bytes[60'000];
    const struct volume_creation creation = {.kind = FILE_KIND_FILE};
    struct volume_node node;
    begin(1024);
    uint64_t a = make(VOLUME_ROOT, "a", FILE_KIND_DIRECTORY);
    uint64_t other = make(VOLUME_ROOT, "other", FILE_KIND_FILE);
    CHECK_EQ(free_below(a), UINT64_MAX);
    CHECK_EQ(volume_quota_set(volume, other, 1), FILE_OUTCOME_NOT_DIRECTORY);
    CHECK_EQ(volume_quota_set(volume, a, 100'000), FILE_OUTCOME_OK);
    uint64_t file = make(a, "file", FILE_KIND_FILE);
    CHECK_EQ(free_below(a), 100'000 - 512);
    CHECK_EQ(volume_write(volume, file, 0, bytes, 60'000), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, file, 60'000, bytes, 60'000), FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK_EQ(volume_write(volume, file, 10'000, bytes, 50'000), FILE_OUTCOME_OK); // no more
    CHECK_EQ(volume_write(volume, other, 0, bytes, 60'000), FILE_OUTCOME_OK);
    struct volume_stat stat;
    CHECK_EQ(volume_stat(volume, file, &stat), FILE_OUTCOME_OK);
    CHECK_EQ(stat.size_bytes, 60'000);
    check_whole();
    // Names count too.
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint32_t names = 0;
    for (char name[16]; outcome == FILE_OUTCOME_OK && names < 1000; names++) {
        snprintf(name, sizeof name, "%u", names);
        outcome = volume_create(volume, a, name_of(name), &creation, &node);
    }
    CHECK_EQ(outcome, FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK(names < 100);
    make(VOLUME_ROOT, "free", FILE_KIND_FILE);
    CHECK_EQ(volume_truncate(volume, file, 100), FILE_OUTCOME_OK);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    uint64_t before = free_below(a);
    volume_close(volume);
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
    CHECK_EQ(free_below(a), before);
    // A limit below what is taken up stops growth alone.
    CHECK_EQ(volume_quota_set(volume, a, 1), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, file, 0, bytes, 64), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, file, 65'536, bytes, 1), FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK_EQ(volume_quota_set(volume, a, 0), FILE_OUTCOME_NOT_EMPTY);
    end();
}

static void quotas_lie_in_each_other(void)
{
    static uint8_t bytes[40'000];
    begin(1024);
    uint64_t outer = make(VOLUME_ROOT, "outer", FILE_KIND_DIRECTORY);
    CHECK_EQ(volume_quota_set(volume, outer, 200'000), FILE_OUTCOME_OK);
    uint64_t inner = make(outer, "inner", FILE_KIND_DIRECTORY);
    CHECK_EQ(volume_quota_set(volume, inner, 1'000'000), FILE_OUTCOME_OK);
    uint64_t below = make(inner, "below", FILE_KIND_DIRECTORY);
    uint64_t file = make(below, "file", FILE_KIND_FILE);
    for (uint32_t at = 0; at < 120'000; at += 40'000)
        CHECK_EQ(volume_write(volume, file, at, bytes, sizeof bytes), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, file, 160'000, bytes, sizeof bytes),
             FILE_OUTCOME_QUOTA_EXCEEDED); // the outer one's
    CHECK(free_below(inner) < 100'000);
    check_whole();
    // A file moves with what it takes up; a directory would have to be counted again.
    uint64_t large = make(VOLUME_ROOT, "large", FILE_KIND_FILE);
    for (uint32_t at = 0; at < 120'000; at += 40'000)
        CHECK_EQ(volume_write(volume, large, at, bytes, sizeof bytes), FILE_OUTCOME_OK);
    CHECK_EQ(volume_rename(volume, large, inner, name_of("large"), 0, false),
             FILE_OUTCOME_QUOTA_EXCEEDED);
    CHECK_EQ(volume_rename(volume, file, outer, name_of("moved"), 0, false), FILE_OUTCOME_OK);
    check_whole();
    CHECK_EQ(volume_rename(volume, file, VOLUME_ROOT, name_of("file"), 0, false),
             FILE_OUTCOME_OK);
    check_whole();
    CHECK_EQ(volume_rename(volume, large, inner, name_of("large"), 0, false), FILE_OUTCOME_OK);
    CHECK_EQ(volume_rename(volume, below, VOLUME_ROOT, name_of("below"), 0, false),
             FILE_OUTCOME_OTHER_SERVICE);
    CHECK_EQ(volume_rename(volume, file, inner, name_of("large"), large, true),
             FILE_OUTCOME_OTHER_SERVICE);
    CHECK_EQ(volume_rename(volume, inner, outer, name_of("renamed"), 0, false),
             FILE_OUTCOME_OK);
    check_whole();
    // What was removed is charged until nobody has it open.
    uint64_t before = free_below(inner);
    CHECK_EQ(volume_remove(volume, large), FILE_OUTCOME_OK);
    CHECK_EQ(free_below(inner), before);
    CHECK_EQ(volume_remove(volume, below), FILE_OUTCOME_OK);
    volume_forget(volume, below);
    CHECK_EQ(volume_remove(volume, inner), FILE_OUTCOME_OK);
    volume_forget(volume, inner);
    check_whole();
    before = free_below(outer);
    volume_forget(volume, large); // the last of an area whose directory is gone
    CHECK(free_below(outer) > before + 120'000);
    check_whole();
    CHECK_EQ(volume_quota_set(volume, outer, 0), FILE_OUTCOME_OK);
    CHECK_EQ(free_below(outer), UINT64_MAX);
    end();
}

static void what_was_read_is_read_again_as_it_was_written_since(void)
{
    static uint8_t bytes[100'000], found[100'000];
    uint32_t count;
    begin(1024);
    uint64_t node = make(VOLUME_ROOT, "file", FILE_KIND_FILE);
    CHECK_EQ(write_all(node, 0, bytes, sizeof bytes), FILE_OUTCOME_OK);
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(volume_read(volume, node, 0, found, sizeof found, &count), FILE_OUTCOME_OK);
        CHECK(count == sizeof found && memcmp(found, bytes, count) == 0);
        uint32_t offset = (uint32_t)rand() % 90'000;
        test_random(bytes + offset, 100);
        CHECK_EQ(volume_write(volume, node, offset, bytes + offset, 100), FILE_OUTCOME_OK);
    }
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    // What was lost isn't read either.
    CHECK_EQ(volume_write(volume, node, 0, "lost", 4), FILE_OUTCOME_OK);
    CHECK_EQ(volume_read(volume, node, 0, found, sizeof found, &count), FILE_OUTCOME_OK);
    medium->calls_left = 0;
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_INPUT_OUTPUT);
    medium->calls_left = -1;
    medium->off = false;
    if (volume_read(volume, node, 0, found, 4, &count) == FILE_OUTCOME_OK)
        CHECK(memcmp(found, bytes, 4) == 0);
    volume_close(volume);
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
    end();
}

// What a snapshot is read to, and then is a medium itself.
static void check_snapshot(const uint8_t *image, uint64_t pages, const uint8_t *expected,
                           uint32_t bytes)
{
    static uint8_t found[400'000];
    uint32_t count = 0;
    struct test_medium *kept = medium;
    volume_close(volume);
    medium = test_medium_create(pages);
    memcpy(medium->current, image, pages * MEDIUM_PAGE);
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
    check_whole();
    CHECK_EQ(volume_read(volume, lookup(VOLUME_ROOT, "file"), 0, found, sizeof found, &count),
             FILE_OUTCOME_OK);
    CHECK(count == bytes && memcmp(found, expected, bytes) == 0);
    volume_close(volume);
    test_medium_destroy(medium);
    medium = kept;
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
}

static void a_snapshot_is_what_there_was_whoever_writes_meanwhile(void)
{
    static uint8_t old[300'000], new[300'000], image[2048 * MEDIUM_PAGE];
    begin(2048);
    uint64_t node = make(VOLUME_ROOT, "file", FILE_KIND_FILE);
    test_random(old, sizeof old);
    CHECK_EQ(write_all(node, 0, old, sizeof old), FILE_OUTCOME_OK);
    CHECK_EQ(volume_snapshot_begin(volume), FILE_OUTCOME_OK); // what isn't synced is in it
    CHECK_EQ(volume_snapshot_begin(volume), FILE_OUTCOME_BUSY);
    CHECK_EQ(volume_snapshot_bytes(volume), sizeof image);
    for (uint32_t at = 0; at < sizeof image;) {
        uint32_t step = 1 + (uint32_t)rand() % 100'000; // between the reads everything changes
        step = step < sizeof image - at ? step : (uint32_t)sizeof image - at;
        CHECK_EQ(volume_snapshot_read(volume, at, image + at, step), FILE_OUTCOME_OK);
        at += step;
        test_random(new, sizeof new);
        CHECK_EQ(write_all(node, 0, new, sizeof new), FILE_OUTCOME_OK);
        CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
        char name[16];
        snprintf(name, sizeof name, "%u", at);
        make(VOLUME_ROOT, name, FILE_KIND_FILE);
    }
    check_whole();
    volume_snapshot_end(volume);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    check_snapshot(image, 2048, old, sizeof old);
    end();
}

static void a_snapshot_without_room_is_lost_and_nothing_else(void)
{
    static uint8_t bytes[60'000];
    struct volume_room before, after;
    uint8_t page[MEDIUM_PAGE];
    enum file_outcome outcome = FILE_OUTCOME_OK;
    begin(512);
    uint64_t nodes[3];
    for (uint32_t i = 0; i < 3; i++) {
        char name[2] = {(char)('a' + i)};
        nodes[i] = make(VOLUME_ROOT, name, FILE_KIND_FILE);
        for (uint32_t at = 0; at < 180'000; at += sizeof bytes)
            CHECK_EQ(volume_write(volume, nodes[i], at, bytes, sizeof bytes), FILE_OUTCOME_OK);
    }
    CHECK_EQ(volume_room(volume, &before), FILE_OUTCOME_OK);
    CHECK_EQ(volume_snapshot_begin(volume), FILE_OUTCOME_OK);
    for (uint32_t i = 0; i < 9; i++) {
        test_random(bytes, sizeof bytes);
        CHECK_EQ(volume_write(volume, nodes[i % 3], i / 3 * 60'000, bytes, sizeof bytes),
                 FILE_OUTCOME_OK);
        CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    }
    CHECK_EQ(volume_settle(volume), FILE_OUTCOME_OK);
    outcome = volume_snapshot_read(volume, 0, page, sizeof page);
    CHECK_EQ(outcome, FILE_OUTCOME_NO_SPACE);
    check_whole();
    volume_snapshot_end(volume);
    CHECK_EQ(volume_room(volume, &after), FILE_OUTCOME_OK);
    CHECK_EQ(after.free_bytes, before.free_bytes);
    end();
}

// ---- Damage ------------------------------------------------------------------------

static void a_medium_that_fails_is_an_outcome(void)
{
    uint32_t count;
    char text[8];
    begin(1024);
    uint64_t node = make(VOLUME_ROOT, "kept", FILE_KIND_FILE);
    CHECK_EQ(volume_write(volume, node, 0, "kept", 4), FILE_OUTCOME_OK);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, node, 0, "lost", 4), FILE_OUTCOME_OK);
    medium->calls_left = 0;
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_INPUT_OUTPUT);
    medium->calls_left = -1;
    medium->off = false;
    // Nothing can be changed any more, so nothing is built on what was lost.
    CHECK_EQ(volume_write(volume, node, 0, "more", 4), FILE_OUTCOME_INPUT_OUTPUT);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_INPUT_OUTPUT);
    volume_close(volume);
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
    CHECK_EQ(volume_read(volume, node, 0, text, 4, &count), FILE_OUTCOME_OK);
    CHECK(memcmp(text, "kept", 4) == 0 || memcmp(text, "lost", 4) == 0);
    end();
}

// Every page of the database is changed in turn: the damage is found, or the page isn't used.
static void a_changed_page_is_never_taken_for_what_was_written(void)
{
    static uint8_t bytes[200'000], found[sizeof bytes], whole[512 * MEDIUM_PAGE];
    uint32_t count, detected = 0;
    begin(512);
    uint64_t node = make(VOLUME_ROOT, "file", FILE_KIND_FILE);
    test_random(bytes, sizeof bytes);
    CHECK_EQ(write_all(node, 0, bytes, sizeof bytes), FILE_OUTCOME_OK);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    volume_close(volume);
    // Opening moves the log into the database; the next change begins a new log, which no longer
    // has the file.
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
    make(VOLUME_ROOT, "other", FILE_KIND_FILE);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    volume_close(volume);
    memcpy(whole, medium->current, sizeof whole);
    for (uint64_t page = 0; page < 512; page++) {
        medium->current[page * MEDIUM_PAGE + (uint32_t)rand() % MEDIUM_PAGE] ^= 0x10;
        enum file_outcome outcome = open_again();
        if (outcome == FILE_OUTCOME_OK) {
            outcome = volume_read(volume, node, 0, found, sizeof found, &count);
            if (outcome == FILE_OUTCOME_OK)
                CHECK(count == sizeof bytes && memcmp(found, bytes, count) == 0);
            volume_close(volume);
        }
        CHECK(outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_CORRUPTED);
        detected += outcome == FILE_OUTCOME_CORRUPTED;
        memcpy(medium->current, whole, sizeof whole);
    }
    CHECK(detected > sizeof bytes / MEDIUM_PAGE);
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
    end();
}

static void what_is_no_volume_is_refused(void)
{
    struct volume_options look = options;
    look.format = false;
    medium = test_medium_create(100);
    CHECK_EQ(open_again(), FILE_OUTCOME_NO_SPACE);
    test_medium_destroy(medium);
    medium = test_medium_create(512);
    CHECK_EQ(volume_open(&medium->medium, &look, &volume), FILE_OUTCOME_NOT_FOUND);
    medium->current[100] = 1;
    CHECK_EQ(open_again(), FILE_OUTCOME_CORRUPTED);
    medium->current[100] = 0;
    CHECK_EQ(open_again(), FILE_OUTCOME_OK);
    volume_close(volume);
    medium->medium.page_count = 511;
    CHECK_EQ(open_again(), FILE_OUTCOME_NO_SPACE);
    medium->medium.page_count = 512;
    CHECK_EQ(volume_open(&medium->medium, &look, &volume), FILE_OUTCOME_OK);
    end();
}

int main(void)
{
    srand(1);
    RUN(contents_are_what_was_written);
    RUN(a_file_with_a_gap_takes_up_what_was_written);
    RUN(the_smallest_volume_takes_the_largest_write);
    RUN(names_follow_the_rules);
    RUN(a_removed_file_lives_until_it_is_forgotten);
    RUN(a_listing_has_each_entry_once);
    RUN(a_full_volume_says_so_and_keeps_what_it_has);
    RUN(who_exceeds_a_quota_is_told_and_nobody_else);
    RUN(quotas_lie_in_each_other);
    RUN(what_was_read_is_read_again_as_it_was_written_since);
    RUN(a_snapshot_is_what_there_was_whoever_writes_meanwhile);
    RUN(a_snapshot_without_room_is_lost_and_nothing_else);
    RUN(a_medium_that_fails_is_an_outcome);
    RUN(a_changed_page_is_never_taken_for_what_was_written);
    RUN(what_is_no_volume_is_refused);
    return test_report();
}
