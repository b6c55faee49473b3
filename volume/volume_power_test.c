// SPDX-License-Identifier: MIT
// Power cuts: random operations on a volume whose medium loses its power at a random call.
// Afterwards nothing is wrong with the volume, and it is as after one of the operations
// since the last sync: all that was synced is there, and nothing is half there.
//
//     volume_power_test [CUTS [SEED]]
#include "medium_test.h"

#include <test/test.h>
#include <volume/store.h>

enum {
    DIRECTORIES = 4,
    NAMES = 6,
    STATES = 48,
    CONTENT_MAX = 160'000,
    BLOBS = 8,
    SNAPSHOTS = 4,
    QUOTA = 250'000
};

// What the volume should hold: files by place, their contents by number.
struct file_model {
    bool exists;
    uint32_t size;
    uint64_t digest; // of the content
};
struct model {
    struct file_model files[DIRECTORIES][NAMES];
    bool present[DIRECTORIES]; // the directory exists
    bool blobs[BLOBS];
    uint8_t leads[NAMES]; // a name to which blob, counted from 1; 0: to none
    uint64_t version;     // of the names
};

static struct model states[STATES]; // [0]: at the last sync; then after each operation
static uint32_t state_count;
static struct test_medium *medium;
static struct volume *volume;
static int64_t now;
static uint32_t cuts_in_sync;

static int64_t test_now(void)
{
    return ++now;
}

static void test_random(void *to, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)rand();
}

static const struct volume_options options = {.cache_bytes = 512 * 1024,
                                              .read_cache_bytes = 1 << 20,
                                              .format = true,
                                              .now_ns = test_now,
                                              .random = test_random};

static void complain(void *, const char *what)
{
    printf("# %s\n", what);
}

static struct wire_data name_of(const char *text)
{
    return (struct wire_data){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static const char *directory_names[DIRECTORIES] = {"a", "b", "c", "d"};
static const char *file_names[NAMES] = {"one", "two", "three", "four", "five", "six"};

static uint64_t digest_of(const uint8_t *bytes, uint32_t count)
{
    uint64_t digest = 14695981039346656037u;
    for (uint32_t i = 0; i < count; i++)
        digest = (digest ^ bytes[i]) * 1099511628211u;
    return digest;
}

static bool find(const char *directory, const char *name, struct volume_node *out_node)
{
    struct volume_node parent;
    return volume_lookup(volume, VOLUME_ROOT, name_of(directory), &parent) == FILE_OUTCOME_OK &&
           (name == nullptr ? (*out_node = parent, true)
                            : volume_lookup(volume, parent.number, name_of(name), out_node) ==
                                  FILE_OUTCOME_OK);
}

// ---- Blobs and snapshots -----------------------------------------------------------

static struct volume_hash blob_hashes[BLOBS];

// Snapshots that were synced, so they are there from then on.
static struct {
    bool taken;
    struct volume_hash hash;
    uint8_t leads[NAMES];
} snapshots[SNAPSHOTS];

// The bytes of a blob: all of one kind, the more of them the higher its number.
static uint32_t blob_bytes(uint32_t number, const uint8_t **out_bytes)
{
    static uint8_t bytes[BLOBS * 9000];
    uint32_t count = number * 9000 + 10;
    memset(bytes, (int)number + 'a', count);
    *out_bytes = bytes;
    return count;
}

static void blob_hashes_fill(void)
{
    for (uint32_t i = 0; i < BLOBS; i++) {
        struct sha256 hash;
        const uint8_t *bytes;
        uint32_t count = blob_bytes(i, &bytes);
        sha256_init(&hash);
        sha256_update(&hash, bytes, count);
        sha256_final(&hash, blob_hashes[i].bytes);
    }
}

static uint8_t blob_of(const struct volume_hash *hash)
{
    for (uint8_t i = 0; i < BLOBS; i++)
        if (memcmp(&blob_hashes[i], hash, sizeof *hash) == 0)
            return (uint8_t)(i + 1);
    return UINT8_MAX;
}

// ---- What is there -----------------------------------------------------------------

static uint8_t content[CONTENT_MAX];

static bool content_read(uint64_t node, uint32_t *out_size)
{
    struct volume_stat stat;
    if (volume_stat(volume, node, &stat) != FILE_OUTCOME_OK || stat.size_bytes > CONTENT_MAX)
        return false;
    return volume_read(volume, node, 0, content, CONTENT_MAX, out_size) == FILE_OUTCOME_OK &&
           *out_size == stat.size_bytes;
}

static void store_read(struct model *model)
{
    struct volume_names info;
    CHECK_EQ(volume_names_info(volume, &info), FILE_OUTCOME_OK);
    model->version = info.version;
    for (uint32_t i = 0; i < BLOBS; i++) {
        struct volume_node node;
        model->blobs[i] = volume_blob_find(volume, &blob_hashes[i], &node) == FILE_OUTCOME_OK;
    }
    for (uint32_t i = 0; i < NAMES; i++) {
        struct volume_lead lead;
        if (volume_name_get(volume, name_of(file_names[i]), UINT64_MAX, &lead) ==
                FILE_OUTCOME_OK &&
            lead.leads)
            model->leads[i] = blob_of(&lead.hash);
    }
}

static void model_read(struct model *model)
{
    memset(model, 0, sizeof *model);
    store_read(model);
    for (uint32_t i = 0; i < DIRECTORIES; i++) {
        struct volume_node node;
        model->present[i] = find(directory_names[i], nullptr, &node);
        for (uint32_t j = 0; j < NAMES; j++) {
            struct file_model *file = &model->files[i][j];
            file->exists = model->present[i] && find(directory_names[i], file_names[j], &node);
            if (file->exists) {
                CHECK(content_read(node.number, &file->size));
                file->digest = digest_of(content, file->size);
            }
        }
    }
}

// ---- What is done ------------------------------------------------------------------

// Changes a file: a few bytes somewhere, more at the end, or another size.
static enum file_outcome file_change(uint64_t node, struct file_model *file)
{
    static uint8_t bytes[50'000];
    uint32_t size;
    int kind = rand() % 4;
    if (kind == 0) {
        uint32_t length = (uint32_t)rand() % 20'000;
        enum file_outcome outcome = volume_truncate(volume, node, length);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
    } else {
        uint32_t limit = kind == 1 ? 100 : kind == 2 ? 5000 : (uint32_t)sizeof bytes;
        uint32_t length = 1 + (uint32_t)rand() % limit;
        uint32_t offset = (uint32_t)rand() % (file->size + 1 + (uint32_t)rand() % 3000);
        if (offset + length > CONTENT_MAX)
            offset = CONTENT_MAX - length;
        test_random(bytes, length);
        enum file_outcome outcome = volume_write(volume, node, offset, bytes, length);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
    }
    // The model takes what is read: that reading is right is volume_test.c's concern.
    if (!content_read(node, &size))
        return FILE_OUTCOME_INPUT_OUTPUT;
    file->size = size;
    file->digest = digest_of(content, size);
    return FILE_OUTCOME_OK;
}

static enum file_outcome file_step(struct model *model, uint32_t i, uint32_t j)
{
    struct file_model *file = &model->files[i][j];
    struct volume_node directory, node;
    if (!find(directory_names[i], nullptr, &directory))
        return FILE_OUTCOME_INPUT_OUTPUT;
    if (!file->exists) {
        static const struct volume_creation creation = {.kind = FILE_KIND_FILE, .mode = 0644};
        enum file_outcome outcome =
            volume_create(volume, directory.number, name_of(file_names[j]), &creation, &node);
        if (outcome == FILE_OUTCOME_OK)
            *file = (struct file_model){.exists = true, .digest = digest_of(content, 0)};
        return outcome;
    }
    if (!find(directory_names[i], file_names[j], &node))
        return FILE_OUTCOME_INPUT_OUTPUT;
    if (rand() % 4 != 0)
        return file_change(node.number, file);
    enum file_outcome outcome = volume_remove(volume, node.number);
    if (outcome == FILE_OUTCOME_OK) {
        volume_forget(volume, node.number);
        *file = (struct file_model){};
    }
    return outcome;
}

static enum file_outcome rename_step(struct model *model, uint32_t i, uint32_t j)
{
    uint32_t to = (uint32_t)rand() % DIRECTORIES, name = (uint32_t)rand() % NAMES;
    struct volume_node node, directory, replaced = {};
    struct file_model *file = &model->files[i][j], *target = &model->files[to][name];
    bool exchange = rand() % 3 == 0 && target->exists;
    if (!file->exists || !model->present[to] || file == target)
        return FILE_OUTCOME_OK;
    if (!find(directory_names[i], file_names[j], &node) ||
        !find(directory_names[to], nullptr, &directory) ||
        (target->exists && !find(directory_names[to], file_names[name], &replaced)))
        return FILE_OUTCOME_INPUT_OUTPUT;
    enum file_outcome outcome =
        volume_rename(volume, node.number, directory.number, name_of(file_names[name]),
                      replaced.number, exchange);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (replaced.number != 0 && !exchange)
        volume_forget(volume, replaced.number);
    struct file_model old = *target;
    *target = *file;
    *file = exchange ? old : (struct file_model){};
    return FILE_OUTCOME_OK;
}

static enum file_outcome directory_step(struct model *model, uint32_t i)
{
    static const struct volume_creation creation = {.kind = FILE_KIND_DIRECTORY, .mode = 0755};
    struct volume_node node;
    if (!model->present[i]) {
        enum file_outcome outcome =
            volume_create(volume, VOLUME_ROOT, name_of(directory_names[i]), &creation, &node);
        model->present[i] = outcome == FILE_OUTCOME_OK;
        // The first two have quotas, which volume_check adds up.
        if (outcome == FILE_OUTCOME_OK && i < 2 &&
            volume_quota_set(volume, node.number, QUOTA) != FILE_OUTCOME_OK)
            return FILE_OUTCOME_INPUT_OUTPUT;
        return outcome;
    }
    for (uint32_t j = 0; j < NAMES; j++)
        if (model->files[i][j].exists)
            return rename_step(model, i, j);
    if (!find(directory_names[i], nullptr, &node))
        return FILE_OUTCOME_INPUT_OUTPUT;
    enum file_outcome outcome = volume_remove(volume, node.number);
    if (outcome == FILE_OUTCOME_OK) {
        volume_forget(volume, node.number);
        model->present[i] = false;
    }
    return outcome;
}

static enum file_outcome blob_step(struct model *model, uint32_t number)
{
    struct volume_hash hash;
    bool created;
    uint64_t node;
    if (rand() % 3 == 0) {
        enum file_outcome outcome = volume_blob_remove(volume, &blob_hashes[number], &node);
        if (outcome == FILE_OUTCOME_OK) {
            volume_forget(volume, node);
            model->blobs[number] = false;
        }
        return outcome == FILE_OUTCOME_BUSY || outcome == FILE_OUTCOME_NOT_FOUND
                   ? FILE_OUTCOME_OK
                   : outcome;
    }
    const uint8_t *bytes;
    uint32_t count = blob_bytes(number, &bytes), first = count / 2;
    struct volume_put put;
    if (rand() % 2 == 0 && count <= VOLUME_WRITE_BYTES_MAX) {
        enum file_outcome outcome = volume_put(volume, bytes, count, &hash, &created);
        model->blobs[number] |= outcome == FILE_OUTCOME_OK;
        return outcome;
    }
    enum file_outcome outcome = volume_put_begin(volume, &put);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = volume_put_add(volume, &put, bytes, first);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_put_add(volume, &put, bytes + first, count - first);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_put_finish(volume, &put, &hash, &created);
    else
        volume_put_cancel(volume, &put);
    model->blobs[number] |= outcome == FILE_OUTCOME_OK;
    return outcome;
}

static enum file_outcome restore_step(struct model *model)
{
    uint32_t i = (uint32_t)rand() % SNAPSHOTS;
    if (!snapshots[i].taken)
        return FILE_OUTCOME_OK;
    enum file_outcome outcome = volume_names_restore(volume, &snapshots[i].hash);
    if (outcome == FILE_OUTCOME_NOT_FOUND)
        return FILE_OUTCOME_OK; // one of its blobs is gone
    if (outcome == FILE_OUTCOME_OK && memcmp(model->leads, snapshots[i].leads, NAMES) != 0) {
        memcpy(model->leads, snapshots[i].leads, NAMES);
        model->version++;
    }
    return outcome;
}

static enum file_outcome store_step(struct model *model)
{
    uint32_t name = (uint32_t)rand() % NAMES, number = (uint32_t)rand() % BLOBS;
    uint8_t *lead = &model->leads[name];
    struct volume_lead found;
    switch (rand() % 8) {
    case 0:
    case 1:
    case 2:
        return blob_step(model, number);
    case 3:
        return restore_step(model);
    case 4:
        return volume_names_forget(volume, model->version - (uint64_t)rand() % 10);
    default:
        break;
    }
    bool to_nothing = rand() % 4 == 0;
    enum file_outcome outcome = volume_name_set(
        volume, name_of(file_names[name]), *lead != 0 ? &blob_hashes[*lead - 1] : nullptr,
        to_nothing ? nullptr : &blob_hashes[number], &found);
    uint8_t now_leads = to_nothing ? 0 : (uint8_t)(number + 1);
    if (outcome == FILE_OUTCOME_NOT_FOUND)
        return model->blobs[number] ? outcome : FILE_OUTCOME_OK;
    if (outcome == FILE_OUTCOME_OK && *lead != now_leads) {
        *lead = now_leads;
        model->version++;
    }
    return outcome;
}

// After a sync: keeps where the names lead.
static bool snapshot_take(const struct model *model)
{
    uint32_t i = (uint32_t)rand() % SNAPSHOTS;
    struct volume_hash hash;
    enum file_outcome outcome = volume_names_snapshot(volume, &hash);
    if (outcome == FILE_OUTCOME_NO_SPACE)
        return true;
    if (outcome != FILE_OUTCOME_OK || volume_sync(volume) != FILE_OUTCOME_OK)
        return false;
    snapshots[i].taken = true;
    snapshots[i].hash = hash;
    memcpy(snapshots[i].leads, model->leads, NAMES);
    return true;
}

// Begins a snapshot, or ends it, or reads a page of it.
static bool snapshot_step(void)
{
    uint8_t page[MEDIUM_PAGE];
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (!volume_snapshot_is_open(volume))
        outcome = volume_snapshot_begin(volume);
    else if (rand() % 4 == 0)
        volume_snapshot_end(volume);
    else
        outcome = volume_snapshot_read(volume, (uint64_t)rand() % 1024 * MEDIUM_PAGE, page,
                                       sizeof page);
    return outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_NO_SPACE;
}

// One operation, which adds a state; false when the power has gone.
static bool step(void)
{
    if (state_count == STATES || rand() % 12 == 0) {
        if (volume_sync(volume) != FILE_OUTCOME_OK)
            return false;
        states[0] = states[state_count - 1];
        state_count = 1;
        return rand() % 4 != 0 || snapshot_take(&states[0]);
    }
    // Somebody may be copying the volume meanwhile.
    if (rand() % 16 == 0 && !snapshot_step())
        return false;
    struct model *model = &states[state_count];
    *model = states[state_count - 1];
    uint32_t i = (uint32_t)rand() % DIRECTORIES, j = (uint32_t)rand() % NAMES;
    enum file_outcome outcome = rand() % 3 == 0 ? store_step(model)
                                : !model->present[i] || rand() % 12 == 0
                                    ? directory_step(model, i)
                                : rand() % 6 == 0 ? rename_step(model, i, j)
                                                  : file_step(model, i, j);
    // What fails for want of room, or would exchange what other quotas count, changes nothing.
    if (outcome == FILE_OUTCOME_NO_SPACE || outcome == FILE_OUTCOME_QUOTA_EXCEEDED ||
        outcome == FILE_OUTCOME_OTHER_SERVICE)
        return true;
    if (outcome != FILE_OUTCOME_OK)
        return false;
    state_count++;
    return true;
}

// The power comes back.  False, with nothing open: the volume isn't what it should be.
static bool reopen(void)
{
    test_medium_cut(medium);
    enum file_outcome outcome = volume_open(&medium->medium, &options, &volume);
    CHECK_EQ(outcome, FILE_OUTCOME_OK);
    if (outcome != FILE_OUTCOME_OK)
        return false;
    CHECK_EQ(volume_check(volume, complain, nullptr), FILE_OUTCOME_OK);
    return true;
}

static bool cut_once(uint32_t number)
{
    struct model found;
    medium->calls_left = rand() % 60;
    while (step())
        ;
    cuts_in_sync += state_count == 1;
    CHECK(medium->off);
    volume_close(volume);
    if (!reopen())
        return false;
    model_read(&found);
    uint32_t which = 0;
    while (which < state_count && memcmp(&found, &states[which], sizeof found) != 0)
        which++;
    if (which == state_count)
        printf("# cut %u: none of %u states\n", number, state_count);
    CHECK(which < state_count);
    states[0] = found;
    state_count = 1;
    return !test_this_failed;
}

static uint32_t cuts = 50;

static void all_that_was_synced_survives_a_power_cut(void)
{
    medium = test_medium_create(1024);
    memset(states, 0, sizeof states);
    memset(snapshots, 0, sizeof snapshots);
    state_count = 1;
    blob_hashes_fill();
    bool open = reopen();
    for (uint32_t i = 0; i < cuts && open; i++)
        open = cut_once(i);
    if (open)
        volume_close(volume);
    test_medium_destroy(medium);
}

// A volume whose making was cut off is made again.
static void a_volume_is_made_or_not(void)
{
    for (int calls = 0; calls < 40 && !test_this_failed; calls++) {
        medium = test_medium_create(1024);
        medium->calls_left = calls;
        if (volume_open(&medium->medium, &options, &volume) == FILE_OUTCOME_OK)
            volume_close(volume);
        if (reopen())
            volume_close(volume);
        test_medium_destroy(medium);
    }
}

int main(int argc, char **argv)
{
    unsigned seed = 1;
    if (argc > 1)
        cuts = (uint32_t)strtoul(argv[1], nullptr, 10);
    if (argc > 2)
        seed = (unsigned)strtoul(argv[2], nullptr, 10);
    srand(seed);
    RUN(a_volume_is_made_or_not);
    RUN(all_that_was_synced_survives_a_power_cut);
    if (test_failed != 0)
        printf("# seed %u\n", seed);
    return test_report();
}
