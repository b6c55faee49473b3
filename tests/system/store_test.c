// SPDX-License-Identifier: MIT
// What a Store and its Namespace must do, on those that the program was granted: blobs in and out,
// names that are changed by one at a time, and what hostile callers get.
//
// What the tests lead names to is gone in the end, but for the history.
#include <capos/test.h>

#include <capos/store.h>

#include <gen/capos/file.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr size_t HASH = CAPOS_HASH_BYTES;
constexpr uint64_t PAGE = 4096;
constexpr uint32_t COUNTS = 15; // of each child that counts

static store_cap store;
static namespace_cap names;

// ---- Helpers -----------------------------------------------------------------------

static bool put(const void *data, size_t byte_count, uint8_t hash[HASH])
{
    return CHECK_EQ(capos_store_put(store, data, byte_count, hash), 0);
}

static enum file_outcome remove_blob(const uint8_t hash[HASH])
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    CHECK_OK(store_remove(store, hash, HASH, &outcome));
    return outcome;
}

static enum file_outcome get(const char *name, uint8_t hash[HASH], size_t *out_bytes)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    *out_bytes = 0;
    CHECK_OK(
        namespace_get(names, name, strlen(name), &outcome, hash, HASH, out_bytes, nullptr));
    return outcome;
}

static enum file_outcome set(const char *name, const uint8_t *expected, const uint8_t *hash)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint8_t current[HASH];
    CHECK_OK(namespace_set(names, name, strlen(name), expected, expected != nullptr ? HASH : 0,
                           hash, hash != nullptr ? HASH : 0, &outcome, current, HASH, nullptr,
                           nullptr));
    return outcome;
}

// Wherever the name led.
static void lead(const char *name, const uint8_t *hash)
{
    uint8_t now[HASH];
    size_t bytes;
    bool leads = get(name, now, &bytes) == FILE_OUTCOME_OK;
    CHECK_EQ(set(name, leads ? now : nullptr, hash), FILE_OUTCOME_OK);
}

static bool leads_to(const char *name, const uint8_t hash[HASH])
{
    uint8_t now[HASH];
    size_t bytes;
    return get(name, now, &bytes) == FILE_OUTCOME_OK && bytes == HASH &&
           memcmp(now, hash, HASH) == 0;
}

static uint64_t version_now(void)
{
    uint64_t version = 0;
    CHECK_OK(namespace_info(names, &version, nullptr, nullptr));
    return version;
}

static void forget_all(void)
{
    enum file_outcome outcome = FILE_OUTCOME_INPUT_OUTPUT;
    CHECK_OK(namespace_forget(names, version_now(), &outcome));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
}

// ---- Blobs -------------------------------------------------------------------------

static void a_blob_of_any_size_comes_back(void)
{
    static const size_t sizes[] = {0, 1, 2048, 2049, 4096, 65536, 300'001};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        enum file_outcome outcome = FILE_OUTCOME_INPUT_OUTPUT;
        uint8_t hash[HASH], *bytes = malloc(sizes[i] + 1);
        uint64_t size_bytes = 0;
        size_t got_bytes = 0;
        void *got;
        for (size_t j = 0; j < sizes[i]; j++)
            bytes[j] = (uint8_t)(j * 31 + i + j / 251);
        if (!put(bytes, sizes[i], hash))
            return;
        CHECK_OK(store_has(store, hash, HASH, &outcome, &size_bytes));
        CHECK(outcome == FILE_OUTCOME_OK && size_bytes == sizes[i]);
        CHECK_OK(store_verify(store, hash, HASH, &outcome));
        CHECK_EQ(outcome, FILE_OUTCOME_OK);
        if (CHECK_EQ(capos_store_get(store, hash, 1 << 20, &got, &got_bytes), 0)) {
            CHECK(got_bytes == sizes[i] && memcmp(got, bytes, sizes[i]) == 0);
            free(got);
        }
        free(bytes);
        CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
        CHECK_EQ(capos_store_get(store, hash, 1 << 20, &got, &got_bytes),
                 FILE_OUTCOME_NOT_FOUND);
    }
}

static void a_blob_is_named_by_its_sha256(void)
{
    static const char expected[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    char text[CAPOS_HASH_TEXT_BYTES];
    uint8_t hash[HASH], parsed[HASH];
    if (!put("abc", 3, hash))
        return;
    capos_hash_print(hash, text);
    CHECK(strcmp(text, expected) == 0);
    CHECK(capos_hash_parse(expected, parsed) && memcmp(parsed, hash, HASH) == 0);
    CHECK(!capos_hash_parse("ba78", parsed));
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
}

static void the_same_bytes_are_kept_once(void)
{
    enum file_outcome outcome;
    bool created = false;
    uint8_t hash[HASH];
    uint64_t before = 0, between = 0, after = 0;
    CHECK_OK(store_info(store, &before, nullptr, nullptr, nullptr));
    CHECK_OK(store_put(store, "twice", 5, &outcome, hash, HASH, nullptr, &created));
    CHECK(created);
    CHECK_OK(store_put(store, "twice", 5, &outcome, hash, HASH, nullptr, &created));
    CHECK(!created);
    CHECK_OK(store_info(store, &between, nullptr, nullptr, nullptr));
    CHECK_EQ(between, before + 1);
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
    CHECK_OK(store_info(store, &after, nullptr, nullptr, nullptr));
    CHECK_EQ(after, before);
}

static void an_open_blob_outlives_its_removal(void)
{
    struct capos_file file;
    char text[8];
    size_t read = 0;
    uint8_t hash[HASH];
    if (!put("kept", 4, hash) || !CHECK_EQ(capos_store_open(store, hash, &file), 0))
        return;
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(capos_file_read(&file, 0, text, sizeof text, &read), 0);
    CHECK(read == 4 && memcmp(text, "kept", 4) == 0);
    // It can be put again beside it.
    CHECK(put("kept", 4, hash));
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
    capos_file_close(&file);
}

static void a_blob_cant_be_written(void)
{
    enum file_outcome outcome;
    uint32_t written;
    struct capos_file file;
    uint8_t hash[HASH];
    if (!put("fixed", 5, hash) || !CHECK_EQ(capos_store_open(store, hash, &file), 0))
        return;
    CHECK_STATUS(file_write((file_cap){file.id}, 0, "x", 1, &outcome, &written),
                 STATUS_WRONG_INTERFACE);
    for (uint16_t method = FILE_METHOD_WRITE; method < 20; method++) {
        struct test_call call = {
            .cap = file.id, .interface_id = INTERFACE_READ_ONLY_FILE, .method = method};
        CHECK_STATUS(test_call(&call), STATUS_UNIMPLEMENTED);
    }
    CHECK_OK(store_verify(store, hash, HASH, &outcome));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    capos_file_close(&file);
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
}

static void memory_that_isnt_what_it_should_be_is_refused(void)
{
    enum file_outcome outcome;
    memory_object_cap object, narrow;
    uint8_t hash[HASH];
    size_t hash_bytes = 0;
    if (!CHECK_OK(memory_budget_create_memory_object(test_budget(), PAGE, &object)))
        return;
    CHECK_STATUS(
        store_put_memory(store, object, PAGE + 1, &outcome, hash, HASH, nullptr, nullptr),
        STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(
        store_put_memory(store, object, UINT64_MAX, &outcome, hash, HASH, nullptr, nullptr),
        STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(store_put_memory(store, (memory_object_cap){names.id}, 1, &outcome, hash, HASH,
                                  nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    // One that may only be read is as good.
    CHECK_OK(memory_object_view(object, 0, PAGE, false, false, &narrow));
    CHECK_OK(store_put_memory(store, narrow, PAGE, &outcome, hash, HASH, &hash_bytes, nullptr));
    CHECK(outcome == FILE_OUTCOME_OK && hash_bytes == HASH);
    memory_object_cap_release(&narrow);
    memory_object_cap_release(&object);
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
}

static void a_hash_has_32_bytes(void)
{
    static const uint8_t hash[HASH];
    enum file_outcome outcome;
    for (size_t bytes = 0; bytes < HASH; bytes += 31) {
        CHECK_STATUS(store_open(store, hash, bytes, &outcome, nullptr, nullptr),
                     STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(store_has(store, hash, bytes, &outcome, nullptr), STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(store_verify(store, hash, bytes, &outcome), STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(store_remove(store, hash, bytes, &outcome), STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(namespace_restore(names, hash, bytes, &outcome, nullptr),
                     STATUS_INVALID_ARGUMENT);
    }
    CHECK_STATUS(namespace_set(names, "n", 1, hash, 31, nullptr, 0, &outcome, nullptr, 0,
                               nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(namespace_set(names, "n", 1, nullptr, 0, hash, 1, &outcome, nullptr, 0,
                               nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_OK(store_has(store, hash, HASH, &outcome, nullptr));
    CHECK_EQ(outcome, FILE_OUTCOME_NOT_FOUND);
}

// ---- Names -------------------------------------------------------------------------

static void a_name_is_changed_by_who_knows_where_it_leads(void)
{
    uint8_t a[HASH], b[HASH], nowhere[HASH] = {1}, current[HASH];
    enum file_outcome outcome;
    uint64_t version = 0;
    size_t current_bytes = 0;
    if (!put("a", 1, a) || !put("b", 1, b))
        return;
    lead("test", nullptr);
    uint64_t before = version_now();
    CHECK_EQ(set("test", a, b), FILE_OUTCOME_BUSY);
    CHECK_EQ(set("test", nullptr, nowhere), FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(version_now(), before);
    CHECK_EQ(set("test", nullptr, a), FILE_OUTCOME_OK);
    CHECK_EQ(set("test", nullptr, b), FILE_OUTCOME_BUSY);
    CHECK_OK(namespace_set(names, "test", 4, b, HASH, nullptr, 0, &outcome, current, HASH,
                           &current_bytes, &version));
    CHECK(outcome == FILE_OUTCOME_BUSY && current_bytes == HASH &&
          memcmp(current, a, HASH) == 0 && version == before + 1);
    CHECK_EQ(remove_blob(a), FILE_OUTCOME_BUSY);
    CHECK_EQ(set("test", a, b), FILE_OUTCOME_OK);
    CHECK(leads_to("test", b));
    lead("test", nullptr);
    CHECK_EQ(get("test", current, &current_bytes), FILE_OUTCOME_NOT_FOUND);
    forget_all();
    CHECK_EQ(remove_blob(a), FILE_OUTCOME_OK);
    CHECK_EQ(remove_blob(b), FILE_OUTCOME_OK);
}

static void a_name_has_1_to_255_bytes_and_no_nul(void)
{
    char name[256];
    uint8_t hash[HASH];
    enum file_outcome outcome;
    memset(name, 'n', sizeof name);
    CHECK_STATUS(namespace_get(names, name, 0, &outcome, hash, HASH, nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(namespace_set(names, "a\0b", 3, nullptr, 0, nullptr, 0, &outcome, nullptr, 0,
                               nullptr, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(namespace_get(names, name, 256, &outcome, hash, HASH, nullptr, nullptr),
                 STATUS_BAD_MESSAGE);
    CHECK_OK(namespace_get(names, name, 255, &outcome, hash, HASH, nullptr, nullptr));
    CHECK_EQ(outcome, FILE_OUTCOME_NOT_FOUND);
    struct namespace_history_results history;
    static alignas(8) uint8_t buffer[NAMESPACE_LIST_RESULTS_BYTES_MAX];
    CHECK_STATUS(namespace_history(names, "", 0, 0, 1, buffer, sizeof buffer, &history),
                 STATUS_INVALID_ARGUMENT);
    static const uint16_t counts[] = {0, 129, UINT16_MAX};
    for (size_t i = 0; i < 3; i++) {
        struct namespace_list_results list;
        CHECK_STATUS(
            namespace_history(names, "n", 1, 0, counts[i], buffer, sizeof buffer, &history),
            STATUS_INVALID_ARGUMENT);
        CHECK_STATUS(namespace_list(names, nullptr, 0, counts[i], buffer, sizeof buffer, &list),
                     STATUS_INVALID_ARGUMENT);
    }
}

static void a_listing_has_each_name_once_in_order(void)
{
    static alignas(8) uint8_t buffer[NAMESPACE_LIST_RESULTS_BYTES_MAX];
    char name[] = "list-aa", after[16] = "list-";
    size_t after_bytes = 5;
    uint32_t seen = 0;
    uint8_t hash[HASH];
    if (!put("listed", 6, hash))
        return;
    for (int i = 0; i < 30; i++) {
        name[5] = (char)('a' + i * 7 % 30 / 6);
        name[6] = (char)('a' + i * 7 % 30 % 6);
        lead(name, hash);
    }
    for (bool end = false; !end;) {
        struct namespace_list_results page;
        if (!CHECK_OK(
                namespace_list(names, after, after_bytes, 7, buffer, sizeof buffer, &page)) ||
            !CHECK_EQ(page.outcome, FILE_OUTCOME_OK))
            return;
        end = page.end;
        for (uint32_t i = 0; i < page.entries.count; i++) {
            struct namespace_namespace_entry entry;
            CHECK_OK(namespace_namespace_entry_at(&page.entries, i, &entry));
            if (entry.name.size_bytes != 7 || memcmp(entry.name.data, "list-", 5) != 0) {
                end = true;
                break;
            }
            CHECK(after_bytes < 7 || memcmp(entry.name.data, after, after_bytes) > 0);
            CHECK(memcmp(entry.hash.data, hash, HASH) == 0);
            memcpy(after, entry.name.data, 7);
            after_bytes = 7;
            seen++;
        }
    }
    CHECK_EQ(seen, 30);
    for (int i = 0; i < 30; i++) {
        name[5] = (char)('a' + i / 6);
        name[6] = (char)('a' + i % 6);
        lead(name, nullptr);
    }
    forget_all();
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
}

static void a_name_knows_where_it_led(void)
{
    static alignas(8) uint8_t buffer[NAMESPACE_HISTORY_RESULTS_BYTES_MAX];
    uint8_t hashes[5][HASH];
    uint64_t before = 0;
    struct namespace_history_results page;
    lead("led", nullptr);
    forget_all();
    for (uint8_t i = 0; i < 5; i++) {
        if (!put(&i, 1, hashes[i]))
            return;
        lead("led", hashes[i]);
    }
    for (int i = 4; i >= 0;) { // two at a time
        if (!CHECK_OK(
                namespace_history(names, "led", 3, before, 2, buffer, sizeof buffer, &page)) ||
            !CHECK_EQ(page.outcome, FILE_OUTCOME_OK) || !CHECK(page.changes.count > 0))
            return;
        for (uint32_t j = 0; j < page.changes.count; j++, i--) {
            struct namespace_namespace_change change;
            CHECK_OK(namespace_namespace_change_at(&page.changes, j, &change));
            CHECK(i >= 0 && change.hash.size_bytes == HASH &&
                  memcmp(change.hash.data, hashes[i], HASH) == 0);
            before = change.version;
        }
        CHECK_EQ(page.end, i < 0);
    }
    CHECK_OK(namespace_history(names, "never", 5, 0, 2, buffer, sizeof buffer, &page));
    CHECK_EQ(page.outcome, FILE_OUTCOME_NOT_FOUND);
    lead("led", nullptr);
    forget_all();
    for (uint8_t i = 0; i < 5; i++)
        CHECK_EQ(remove_blob(hashes[i]), FILE_OUTCOME_OK);
}

static void a_snapshot_is_restored_in_one_step(void)
{
    uint8_t a[HASH], b[HASH], snapshot[HASH];
    enum file_outcome outcome = FILE_OUTCOME_INPUT_OUTPUT;
    uint64_t version = 0;
    if (!put("a", 1, a) || !put("b", 1, b))
        return;
    lead("changed", a);
    lead("removed", a);
    lead("added", nullptr);
    CHECK_OK(namespace_snapshot(names, &outcome, snapshot, HASH, nullptr, nullptr));
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    lead("changed", b);
    lead("removed", nullptr);
    lead("added", b);
    uint64_t before = version_now();
    CHECK_OK(namespace_restore(names, snapshot, HASH, &outcome, &version));
    CHECK(outcome == FILE_OUTCOME_OK && version == before + 1);
    CHECK(leads_to("changed", a) && leads_to("removed", a) && !leads_to("added", b));
    CHECK_OK(namespace_restore(names, a, HASH, &outcome, &version));
    CHECK_EQ(outcome, FILE_OUTCOME_CORRUPTED); // it is no snapshot
    lead("changed", nullptr);
    lead("removed", nullptr);
    forget_all();
    CHECK_EQ(remove_blob(a), FILE_OUTCOME_OK);
    CHECK_OK(namespace_restore(names, snapshot, HASH, &outcome, &version));
    CHECK_EQ(outcome, FILE_OUTCOME_NOT_FOUND); // what it leads to is gone
    CHECK_EQ(remove_blob(b), FILE_OUTCOME_OK);
    CHECK_EQ(remove_blob(snapshot), FILE_OUTCOME_OK);
}

static void what_was_narrowed_changes_nothing(void)
{
    read_only_namespace_cap narrow = {};
    enum file_outcome outcome;
    uint64_t before = version_now();
    uint8_t hash[HASH];
    if (!CHECK_OK(namespace_read_only(names, &narrow)))
        return;
    CHECK_OK(
        read_only_namespace_get(narrow, "none", 4, &outcome, hash, HASH, nullptr, nullptr));
    CHECK_EQ(outcome, FILE_OUTCOME_NOT_FOUND);
    CHECK_STATUS(namespace_forget((namespace_cap){narrow.id}, before, &outcome),
                 STATUS_WRONG_INTERFACE);
    for (uint16_t method = READ_ONLY_NAMESPACE_METHODS; method < 20; method++) {
        struct test_call call = {
            .cap = narrow.id, .interface_id = INTERFACE_READ_ONLY_NAMESPACE, .method = method};
        CHECK_STATUS(test_call(&call), STATUS_UNIMPLEMENTED);
    }
    CHECK_EQ(version_now(), before);
    read_only_namespace_cap_release(&narrow);
}

static void a_watch_completes_when_a_name_is_changed(void)
{
    struct capos_call call;
    uint64_t version = 0, before = version_now();
    uint8_t hash[HASH];
    CHECK(put("w", 1, hash));
    CHECK_OK(namespace_watch_begin(&call, names, before));
    CHECK_EQ(version_now(), before); // the service has taken the watch by now
    CHECK(!capos_call_is_done(&call));
    lead("watched", hash);
    CHECK_OK(namespace_watch_finish(&call, &version));
    CHECK_EQ(version, before + 1);
    CHECK_OK(namespace_watch(names, before, &version)); // at once
    for (uint32_t i = 0; i < 50; i++) {                 // given up, they leave room for others
        CHECK_OK(namespace_watch_begin(&call, names, version));
        CHECK_EQ(version_now(), version);
        capos_call_cancel(&call);
        CHECK_STATUS(namespace_watch_finish(&call, nullptr), STATUS_CANCELLED);
        CHECK_EQ(version_now(), version); // the service knows that it has ended
    }
    lead("watched", nullptr);
    forget_all();
    CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
}

// ---- The whole disk ----------------------------------------------------------------

// Copies the disk to "out", if that was granted, and changes it at each step; the host looks at
// the copy.
static void a_disk_is_copied_while_others_write(void)
{
    static uint8_t piece[65536], data[3000];
    struct capos_directory disk, snapshot, out;
    struct capos_file from, to;
    size_t bytes = sizeof piece;
    char name[32];
    if (capos_directory_find("out", &out) != 0) {
        test_skip("there is no directory to copy to");
        return;
    }
    if (!CHECK_EQ(capos_directory_find("disk", &disk), 0) ||
        !CHECK_EQ(capos_directory_find("snapshot", &snapshot), 0) ||
        !CHECK_EQ(capos_file_save(&disk, "before", "before", 6), 0) ||
        !CHECK_EQ(capos_file_open(&snapshot, "disk", CAPOS_FILE_READ, &from), 0) ||
        !CHECK_EQ(capos_file_open(&out, "copy", CAPOS_FILE_WRITE | CAPOS_FILE_CREATE, &to), 0))
        return;
    for (uint64_t offset = 0; bytes == sizeof piece; offset += bytes) {
        if (!CHECK_EQ(capos_file_read(&from, offset, piece, sizeof piece, &bytes), 0) ||
            !CHECK_EQ(capos_file_write(&to, offset, piece, bytes), 0))
            break;
        memset(data, (int)(offset >> 16), sizeof data);
        snprintf(name, sizeof name, "during-%u", (unsigned)(offset >> 16) % 50);
        CHECK_EQ(capos_file_save(&disk, name, data, sizeof data), 0);
    }
    capos_file_close(&from);
    capos_file_close(&to);
    CHECK_EQ(capos_file_open(&snapshot, "else", CAPOS_FILE_READ, &from),
             FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(capos_file_save(&snapshot, "disk", "x", 1), FILE_OUTCOME_READ_ONLY);
    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "during-%u", i);
        (void)capos_file_remove(&disk, name, DIRECTORY_REMOVAL_ANY);
    }
    CHECK_EQ(capos_file_remove(&disk, "before", DIRECTORY_REMOVAL_ANY), 0);
}

// ---- Several at once ---------------------------------------------------------------

// Counts on under a name: reads the number, puts the next one, and leads the name there if nobody
// else did meanwhile.
static int child_counts(void)
{
    store_cap blobs;
    namespace_cap space;
    EXPECT_OK(store_cap_find("store", &blobs));
    EXPECT_OK(namespace_cap_find("namespace", &space));
    for (uint32_t done = 0; done < COUNTS;) {
        uint8_t old[HASH], new[HASH];
        size_t old_bytes, bytes;
        enum file_outcome outcome = FILE_OUTCOME_OK;
        uint32_t number;
        EXPECT_OK(namespace_get(space, "count", 5, &outcome, old, HASH, &old_bytes, nullptr));
        EXPECT(outcome == FILE_OUTCOME_OK && old_bytes == HASH);
        struct capos_file file; // a child has no memory of its own to load it into
        EXPECT(capos_store_open(blobs, old, &file) == 0);
        EXPECT(capos_file_read(&file, 0, &number, sizeof number, &bytes) == 0);
        capos_file_close(&file);
        EXPECT(bytes == sizeof number);
        number++;
        EXPECT(capos_store_put(blobs, &number, sizeof number, new) == 0);
        EXPECT_OK(namespace_set(space, "count", 5, old, HASH, new, HASH, &outcome, old, HASH,
                                nullptr, nullptr));
        EXPECT(outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_BUSY);
        done += outcome == FILE_OUTCOME_OK;
    }
    return 0;
}

static void two_who_count_lose_nothing(void)
{
    const struct test_child_grant grants[] = {test_lend("store", store.id),
                                              test_lend("namespace", names.id)};
    uint8_t hash[HASH];
    process_handle_cap children[2];
    size_t hash_bytes;
    if (!put(&(uint32_t){0}, sizeof(uint32_t), hash))
        return;
    lead("count", hash);
    for (int i = 0; i < 2; i++)
        if (!CHECK_OK(test_start("counts", nullptr, 0, grants, 2, &children[i])))
            return;
    for (int i = 0; i < 2; i++) {
        struct test_end end = {};
        CHECK_OK(test_wait(children[i], &end));
        CHECK_EQ(end.exit_code, 0);
    }
    void *data;
    size_t bytes;
    CHECK_EQ(get("count", hash, &hash_bytes), FILE_OUTCOME_OK);
    if (CHECK_EQ(capos_store_get(store, hash, sizeof(uint32_t), &data, &bytes), 0)) {
        uint32_t number = 0;
        memcpy(&number, data, sizeof number);
        CHECK_EQ(number, 2 * COUNTS);
        free(data);
    }
    lead("count", nullptr);
    forget_all();
    for (uint32_t i = 0; i <= 2 * COUNTS; i++) {
        CHECK(put(&i, sizeof i, hash));
        CHECK_EQ(remove_blob(hash), FILE_OUTCOME_OK);
    }
}

static void who_was_granted_neither_reaches_neither(void)
{
    CHECK_DENIED("store", INTERFACE_STORE);
    CHECK_DENIED("namespace", INTERFACE_NAMESPACE);
}

static void tests(void)
{
    store.id = test_grant("store", INTERFACE_STORE);
    names.id = test_grant("namespace", INTERFACE_NAMESPACE);
    RUN(a_blob_of_any_size_comes_back);
    RUN(a_blob_is_named_by_its_sha256);
    RUN(the_same_bytes_are_kept_once);
    RUN(an_open_blob_outlives_its_removal);
    RUN(a_blob_cant_be_written);
    RUN(memory_that_isnt_what_it_should_be_is_refused);
    RUN(a_hash_has_32_bytes);
    RUN(a_name_is_changed_by_who_knows_where_it_leads);
    RUN(a_name_has_1_to_255_bytes_and_no_nul);
    RUN(a_listing_has_each_name_once_in_order);
    RUN(a_name_knows_where_it_led);
    RUN(a_snapshot_is_restored_in_one_step);
    RUN(what_was_narrowed_changes_nothing);
    RUN(a_watch_completes_when_a_name_is_changed);
    RUN(a_disk_is_copied_while_others_write);
    RUN(two_who_count_lose_nothing);
    RUN(who_was_granted_neither_reaches_neither);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"counts", child_counts}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
