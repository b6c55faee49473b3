// SPDX-License-Identifier: MIT
// Blobs and names on a medium in memory: what is found, what excludes what, and what a full or
// damaged medium, or an older volume, does to them.
#include "medium_test.h"
#include "parts.h"

#include <test/test.h>

static struct test_medium *medium;
static struct volume *volume;

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

static uint32_t complaints;
static void complain(void *, const char *what)
{
    complaints++;
    printf("# %s\n", what);
}

static void reopen(void)
{
    CHECK_EQ(volume_open(&medium->medium, &options, &volume), FILE_OUTCOME_OK);
}

static void begin(uint64_t pages)
{
    medium = test_medium_create(pages);
    reopen();
}

static void end(void)
{
    CHECK_EQ(volume_check(volume, complain, nullptr), FILE_OUTCOME_OK);
    volume_close(volume);
    test_medium_destroy(medium);
}

static struct volume_hash put(const char *text)
{
    struct volume_hash hash = {};
    bool created;
    CHECK_EQ(volume_put(volume, text, (uint32_t)strlen(text), &hash, &created),
             FILE_OUTCOME_OK);
    return hash;
}

static struct wire_data name_of(const char *text)
{
    return (struct wire_data){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static bool same(const struct volume_hash *a, const struct volume_hash *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static enum file_outcome set(const char *name, const struct volume_hash *expected,
                             const struct volume_hash *hash)
{
    struct volume_lead lead;
    return volume_name_set(volume, name_of(name), expected, hash, &lead);
}

// Where a name leads; zeros for nothing.
static struct volume_hash lead_of(const char *name)
{
    struct volume_lead lead;
    enum file_outcome outcome = volume_name_get(volume, name_of(name), UINT64_MAX, &lead);
    CHECK(outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_NOT_FOUND);
    return outcome == FILE_OUTCOME_OK && lead.leads ? lead.hash : (struct volume_hash){};
}

static bool leads(const char *name, const struct volume_hash *hash)
{
    struct volume_hash found = lead_of(name), none = {};
    return same(&found, hash != nullptr ? hash : &none);
}

static struct volume_names names(void)
{
    struct volume_names info = {};
    CHECK_EQ(volume_names_info(volume, &info), FILE_OUTCOME_OK);
    return info;
}

// ---- Blobs -------------------------------------------------------------------------

static void a_blob_is_found_by_its_hash(void)
{
    static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    struct volume_node node, other;
    struct volume_blobs info;
    struct volume_hash hash, none = {};
    char text[8];
    bool created;
    uint32_t count;
    begin(1024);
    CHECK_EQ(volume_put(volume, "abc", 3, &hash, &created), FILE_OUTCOME_OK);
    CHECK(created && memcmp(hash.bytes, abc, sizeof abc) == 0);
    CHECK_EQ(volume_blob_find(volume, &hash, &node), FILE_OUTCOME_OK);
    CHECK_EQ(volume_read(volume, node.number, 0, text, sizeof text, &count), FILE_OUTCOME_OK);
    CHECK(count == 3 && memcmp(text, "abc", 3) == 0);
    CHECK_EQ(volume_put(volume, "abc", 3, &hash, &created), FILE_OUTCOME_OK);
    CHECK(!created);
    CHECK_EQ(volume_blobs_info(volume, &info), FILE_OUTCOME_OK);
    CHECK_EQ(info.count, 1);
    CHECK(info.stored_bytes > 0);
    CHECK_EQ(volume_blob_find(volume, &none, &other), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(volume_lookup(volume, VOLUME_ROOT, (struct wire_data){hash.bytes, 32}, &other),
             FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    volume_close(volume);
    reopen();
    CHECK_EQ(volume_blob_find(volume, &hash, &other), FILE_OUTCOME_OK);
    CHECK_EQ(other.number, node.number);
    CHECK_EQ(volume_blob_verify(volume, node.number, &hash), FILE_OUTCOME_OK);
    CHECK_EQ(volume_blob_verify(volume, node.number, &none), FILE_OUTCOME_CORRUPTED);
    end();
}

static void a_large_blob_comes_in_pieces(void)
{
    static uint8_t bytes[300'000], found[sizeof bytes + 1];
    struct volume_put putting;
    struct volume_hash hash, again;
    struct volume_node node;
    struct volume_blobs info;
    bool created;
    uint32_t count;
    begin(1024);
    test_random(bytes, sizeof bytes);
    for (int round = 0; round < 2; round++) {
        CHECK_EQ(volume_put_begin(volume, &putting), FILE_OUTCOME_OK);
        for (uint32_t at = 0, step; at < sizeof bytes; at += step) {
            uint32_t left = (uint32_t)sizeof bytes - at;
            step = 1 + (uint32_t)rand() % VOLUME_WRITE_BYTES_MAX;
            step = step < left ? step : left;
            CHECK_EQ(volume_put_add(volume, &putting, bytes + at, step), FILE_OUTCOME_OK);
        }
        CHECK_EQ(volume_put_finish(volume, &putting, round == 0 ? &hash : &again, &created),
                 FILE_OUTCOME_OK);
        CHECK_EQ(created, round == 0);
    }
    CHECK(same(&hash, &again));
    CHECK_EQ(volume_blob_find(volume, &hash, &node), FILE_OUTCOME_OK);
    CHECK_EQ(volume_read(volume, node.number, 0, found, sizeof found, &count), FILE_OUTCOME_OK);
    CHECK(count == sizeof bytes && memcmp(found, bytes, sizeof bytes) == 0);
    // What is begun and not finished is nobody's, and takes nothing up in the end.
    CHECK_EQ(volume_put_begin(volume, &putting), FILE_OUTCOME_OK);
    CHECK_EQ(volume_put_add(volume, &putting, "half", 4), FILE_OUTCOME_OK);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    volume_close(volume);
    reopen();
    CHECK_EQ(volume_blobs_info(volume, &info), FILE_OUTCOME_OK);
    CHECK_EQ(info.count, 1);
    end();
}

static void a_blob_that_a_name_leads_to_stays(void)
{
    struct volume_node found;
    uint64_t node = 0;
    begin(1024);
    struct volume_hash a = put("a"), b = put("b");
    CHECK_EQ(set("name", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(volume_blob_remove(volume, &a, &node), FILE_OUTCOME_BUSY);
    CHECK_EQ(set("name", &a, &b), FILE_OUTCOME_OK);
    CHECK_EQ(volume_blob_remove(volume, &a, &node), FILE_OUTCOME_BUSY); // its history does
    CHECK_EQ(volume_names_forget(volume, names().version), FILE_OUTCOME_OK);
    CHECK_EQ(volume_blob_remove(volume, &b, &node), FILE_OUTCOME_BUSY);
    CHECK_EQ(volume_blob_remove(volume, &a, &node), FILE_OUTCOME_OK);
    volume_forget(volume, node);
    CHECK_EQ(volume_blob_find(volume, &a, &found), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(volume_blob_remove(volume, &a, &node), FILE_OUTCOME_NOT_FOUND);
    end();
}

// ---- Names -------------------------------------------------------------------------

static void a_name_is_changed_by_who_knows_where_it_leads(void)
{
    struct volume_lead lead;
    struct volume_hash nowhere = {.bytes = {1}};
    begin(1024);
    struct volume_hash a = put("a"), b = put("b");
    CHECK_EQ(set("n", &a, &b), FILE_OUTCOME_BUSY);
    CHECK_EQ(set("n", nullptr, &nowhere), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(names().version, 0);
    CHECK_EQ(set("n", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("n", nullptr, &b), FILE_OUTCOME_BUSY);
    CHECK(leads("n", &a));
    CHECK_EQ(volume_name_set(volume, name_of("n"), &b, &a, &lead), FILE_OUTCOME_BUSY);
    CHECK(lead.leads && same(&lead.hash, &a) && lead.version == 1);
    CHECK_EQ(set("n", &a, &a), FILE_OUTCOME_OK);
    CHECK_EQ(names().version, 1); // nothing changed
    CHECK_EQ(set("n", &a, &b), FILE_OUTCOME_OK);
    CHECK_EQ(set("n", &b, nullptr), FILE_OUTCOME_OK);
    CHECK(leads("n", nullptr));
    CHECK_EQ(names().version, 3);
    CHECK_EQ(names().name_count, 0);
    CHECK_EQ(set("n", nullptr, &b), FILE_OUTCOME_OK);
    CHECK_EQ(names().name_count, 1);
    end();
}

static void a_name_knows_where_it_led(void)
{
    struct volume_lead lead;
    begin(1024);
    struct volume_hash a = put("a"), b = put("b");
    CHECK_EQ(volume_name_get(volume, name_of("n"), UINT64_MAX, &lead), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(set("n", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("other", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("n", &a, &b), FILE_OUTCOME_OK);
    CHECK_EQ(set("n", &b, nullptr), FILE_OUTCOME_OK);
    CHECK_EQ(volume_name_get(volume, name_of("n"), UINT64_MAX, &lead), FILE_OUTCOME_OK);
    CHECK(!lead.leads && lead.version == 4);
    CHECK_EQ(volume_name_get(volume, name_of("n"), 4, &lead), FILE_OUTCOME_OK);
    CHECK(same(&lead.hash, &b) && lead.version == 3);
    CHECK_EQ(volume_name_get(volume, name_of("n"), 3, &lead), FILE_OUTCOME_OK);
    CHECK(same(&lead.hash, &a) && lead.version == 1);
    CHECK_EQ(volume_name_get(volume, name_of("n"), 1, &lead), FILE_OUTCOME_NOT_FOUND);
    // What is forgotten leaves where the name led then.
    CHECK_EQ(volume_names_forget(volume, 3), FILE_OUTCOME_OK);
    CHECK_EQ(names().history_version, 3);
    CHECK_EQ(volume_name_get(volume, name_of("n"), 4, &lead), FILE_OUTCOME_OK);
    CHECK(same(&lead.hash, &b));
    CHECK_EQ(volume_name_get(volume, name_of("n"), 3, &lead), FILE_OUTCOME_NOT_FOUND);
    CHECK(leads("other", &a));
    CHECK_EQ(volume_names_forget(volume, UINT64_MAX), FILE_OUTCOME_OK);
    CHECK_EQ(volume_name_get(volume, name_of("n"), UINT64_MAX, &lead), FILE_OUTCOME_NOT_FOUND);
    end();
}

static void names_are_listed_in_the_order_of_their_bytes(void)
{
    static const char *const order[] = {"\x01", "A", "a", "a\x01", "aa", "b", "\xff"};
    struct volume_name at = {};
    begin(1024);
    struct volume_hash a = put("a");
    for (uint32_t i = 0; i < 7; i++)
        CHECK_EQ(set(order[i * 3 % 7], nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("gone", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("gone", &a, nullptr), FILE_OUTCOME_OK);
    for (uint32_t i = 0; i < 7; i++) {
        CHECK_EQ(volume_name_next(volume, (struct wire_data){at.name, at.name_bytes}, &at),
                 FILE_OUTCOME_OK);
        CHECK(at.name_bytes == strlen(order[i]) &&
              memcmp(at.name, order[i], at.name_bytes) == 0);
    }
    CHECK_EQ(volume_name_next(volume, (struct wire_data){at.name, at.name_bytes}, &at),
             FILE_OUTCOME_NOT_FOUND);
    end();
}

static void a_snapshot_is_restored_in_one_step(void)
{
    struct volume_hash snapshot, empty;
    begin(1024);
    CHECK_EQ(volume_names_snapshot(volume, &empty), FILE_OUTCOME_OK);
    struct volume_hash a = put("a"), b = put("b");
    CHECK_EQ(set("changed", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("kept", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("removed", nullptr, &b), FILE_OUTCOME_OK);
    CHECK_EQ(volume_names_snapshot(volume, &snapshot), FILE_OUTCOME_OK);
    CHECK_EQ(set("changed", &a, &b), FILE_OUTCOME_OK);
    CHECK_EQ(set("removed", &b, nullptr), FILE_OUTCOME_OK);
    CHECK_EQ(set("added", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(set("z", nullptr, &a), FILE_OUTCOME_OK);
    uint64_t version = names().version;
    CHECK_EQ(volume_names_restore(volume, &snapshot), FILE_OUTCOME_OK);
    CHECK_EQ(names().version, version + 1);
    CHECK_EQ(names().name_count, 3);
    CHECK(leads("changed", &a) && leads("kept", &a) && leads("removed", &b));
    CHECK(leads("added", nullptr) && leads("z", nullptr));
    CHECK_EQ(volume_names_restore(volume, &snapshot), FILE_OUTCOME_OK);
    CHECK_EQ(names().version, version + 1); // it is so already
    CHECK_EQ(volume_names_restore(volume, &a), FILE_OUTCOME_CORRUPTED);
    CHECK_EQ(volume_names_restore(volume, &empty), FILE_OUTCOME_OK);
    CHECK_EQ(names().name_count, 0);
    CHECK(leads("kept", nullptr));
    end();
}

// What is no snapshot, though it begins like one.
static void a_hostile_snapshot_is_refused(void)
{
    static const char magic[16] = "capOS names 1\n";
    struct volume_hash a, hash;
    uint64_t node;
    bool created;
    begin(1024);
    a = put("a");
    CHECK_EQ(set("n", nullptr, &a), FILE_OUTCOME_OK);
    // Lengths, names and how many bytes of the hash there are; the last is in order.
    static const struct {
        const char *first, *second;
        uint32_t hash_bytes;
        enum file_outcome outcome;
    } cases[] = {
        {"\0", "", 32, FILE_OUTCOME_CORRUPTED},     {"\1b", "\1a", 32, FILE_OUTCOME_CORRUPTED},
        {"\1b", "\1b", 32, FILE_OUTCOME_CORRUPTED}, {"\1b", "", 31, FILE_OUTCOME_CORRUPTED},
        {"\1", "", 0, FILE_OUTCOME_CORRUPTED},      {"\1b", "\1c", 32, FILE_OUTCOME_OK},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[200];
        uint32_t used = sizeof magic;
        memcpy(bytes, magic, sizeof magic);
        const char *parts[] = {cases[i].first, cases[i].second};
        for (int j = 0; j < 2 && (j == 0 || *parts[j] != 0); j++) {
            uint32_t length = *parts[j] == 0 ? 1 : (uint32_t)strlen(parts[j]);
            memcpy(bytes + used, parts[j], length);
            memcpy(bytes + used + length, a.bytes, cases[i].hash_bytes);
            used += length + cases[i].hash_bytes;
        }
        CHECK_EQ(volume_put(volume, bytes, used, &hash, &created), FILE_OUTCOME_OK);
        uint64_t version = names().version;
        CHECK_EQ(volume_names_restore(volume, &hash), cases[i].outcome);
        CHECK_EQ(names().version - version, cases[i].outcome == FILE_OUTCOME_OK);
    }
    CHECK(leads("b", &a) && leads("c", &a) && leads("n", nullptr));
    // One that leads to a blob which is gone.
    struct volume_hash gone = put("gone");
    CHECK_EQ(set("gone", nullptr, &gone), FILE_OUTCOME_OK);
    CHECK_EQ(volume_names_snapshot(volume, &hash), FILE_OUTCOME_OK);
    CHECK_EQ(set("gone", &gone, nullptr), FILE_OUTCOME_OK);
    CHECK_EQ(volume_names_forget(volume, UINT64_MAX), FILE_OUTCOME_OK);
    CHECK_EQ(volume_blob_remove(volume, &gone, &node), FILE_OUTCOME_OK);
    volume_forget(volume, node);
    uint64_t version = names().version;
    CHECK_EQ(volume_names_restore(volume, &hash), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(names().version, version);
    end();
}

// ---- The medium --------------------------------------------------------------------

// More names than one operation may change, until nothing more fits.
static void a_full_volume_restores_all_or_nothing(void)
{
    struct volume_hash snapshot, empty;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    char name[128];
    uint32_t count = 0;
    begin(512);
    struct volume_hash a = put("a");
    CHECK_EQ(volume_names_snapshot(volume, &empty), FILE_OUTCOME_OK);
    for (; count < 2500 && outcome == FILE_OUTCOME_OK; count++) {
        snprintf(name, sizeof name, "%0100u", count);
        outcome = set(name, nullptr, &a);
    }
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    CHECK_EQ(volume_names_snapshot(volume, &snapshot), FILE_OUTCOME_OK);
    for (int round = 0; outcome == FILE_OUTCOME_OK && round < 50; round++) {
        uint64_t version = names().version;
        outcome = volume_names_restore(volume, round % 2 == 0 ? &empty : &snapshot);
        bool done = outcome == FILE_OUTCOME_OK;
        CHECK_EQ(names().version, done ? version + 1 : version);
        CHECK_EQ(names().name_count, (round % 2 == 0) == done ? 0 : count);
    }
    CHECK_EQ(outcome, FILE_OUTCOME_NO_SPACE);
    CHECK_EQ(volume_check(volume, complain, nullptr), FILE_OUTCOME_OK);
    CHECK_EQ(volume_names_forget(volume, UINT64_MAX), FILE_OUTCOME_OK);
    CHECK_EQ(volume_names_restore(volume, &snapshot), FILE_OUTCOME_OK);
    CHECK_EQ(names().name_count, count);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    end();
}

static void a_blob_that_was_changed_is_found_out(void)
{
    struct volume_node node;
    begin(1024);
    struct volume_hash a = put("what was put");
    CHECK_EQ(volume_blob_find(volume, &a, &node), FILE_OUTCOME_OK);
    CHECK_EQ(volume_write(volume, node.number, 0, "W", 1), FILE_OUTCOME_OK);
    CHECK_EQ(volume_blob_verify(volume, node.number, &a), FILE_OUTCOME_CORRUPTED);
    complaints = 0;
    CHECK_EQ(volume_check(volume, complain, nullptr), FILE_OUTCOME_CORRUPTED);
    CHECK_EQ(complaints, 1);
    CHECK_EQ(volume_write(volume, node.number, 0, "w", 1), FILE_OUTCOME_OK);
    end();
}

// A volume as it was made before there were blobs.
static void an_older_volume_is_brought_up_to_date(void)
{
    static const struct volume_creation creation = {.kind = FILE_KIND_FILE};
    struct volume_node node;
    begin(1024);
    CHECK_EQ(volume_create(volume, VOLUME_ROOT, name_of("old"), &creation, &node),
             FILE_OUTCOME_OK);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    volume_blob_close(volume);
    for (uint32_t i = 0; i < STATEMENTS; i++)
        (void)sqlite3_reset(volume->statements[i]);
    CHECK_EQ(sqlite3_exec(volume->database,
                          "BEGIN; DROP TABLE change; DROP TABLE space; DROP TABLE quota;"
                          "ALTER TABLE node DROP COLUMN area;"
                          "DELETE FROM node WHERE number = -1; PRAGMA user_version = 1; COMMIT",
                          nullptr, nullptr, nullptr),
             SQLITE_OK);
    volume_close(volume);
    reopen();
    CHECK_EQ(volume_lookup(volume, VOLUME_ROOT, name_of("old"), &node), FILE_OUTCOME_OK);
    struct volume_hash a = put("a");
    CHECK_EQ(set("n", nullptr, &a), FILE_OUTCOME_OK);
    CHECK_EQ(volume_sync(volume), FILE_OUTCOME_OK);
    volume_close(volume);
    reopen();
    CHECK(leads("n", &a));
    end();
}

int main(void)
{
    srand(1);
    RUN(a_blob_is_found_by_its_hash);
    RUN(a_large_blob_comes_in_pieces);
    RUN(a_blob_that_a_name_leads_to_stays);
    RUN(a_name_is_changed_by_who_knows_where_it_leads);
    RUN(a_name_knows_where_it_led);
    RUN(names_are_listed_in_the_order_of_their_bytes);
    RUN(a_snapshot_is_restored_in_one_step);
    RUN(a_hostile_snapshot_is_refused);
    RUN(a_full_volume_restores_all_or_nothing);
    RUN(a_blob_that_was_changed_is_found_out);
    RUN(an_older_volume_is_brought_up_to_date);
    return test_report();
}
