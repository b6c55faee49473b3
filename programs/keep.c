// SPDX-License-Identifier: MIT
// Keeps versions of files on the machine's disk: what was kept under a name once can be had again,
// whatever was kept under it since.
//
//     capos run --disk my.disk:64M --grant store --grant namespace keep put notes < notes.txt
#include <capos/command.h>
#include <capos/store.h>

#include <gen/capos/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct capos_command command = {
    .name = "keep",
    .usage = "put NAME [FILE] | get NAME [VERSION] | ls | log NAME | rm NAME | snapshot |"
             " restore HASH | clean",
    .letters = "",
    .help =
        "Keeps versions of files on a disk; needs --grant store and --grant namespace.\n"
        "\n"
        "  put NAME [FILE]      keeps a file, or standard input, as the last version of NAME\n"
        "  get NAME [VERSION]   writes the last version, or that one, to standard output\n"
        "  ls                   lists the names: version, size, name\n"
        "  log NAME             lists the versions of a name, newest first\n"
        "  rm NAME              leads the name to nothing; its versions stay\n"
        "  snapshot             keeps what all names lead to; prints a hash for restore\n"
        "  restore HASH         leads all names to where they led at a snapshot\n"
        "  clean                forgets all versions but the last\n",
};

constexpr uint16_t PAGE_ENTRIES = 64;
constexpr uint32_t ATTEMPTS = 100; // while others change the same name

static store_cap store;
static namespace_cap names;

static int fail(const char *what, uint32_t error)
{
    return capos_command_fail(&command, what, error);
}

static uint32_t ended(enum status status, enum file_outcome outcome)
{
    return status == STATUS_OK ? (uint32_t)outcome : CAPOS_FILE_STATUS + (uint32_t)status;
}

// ---- Names -------------------------------------------------------------------------

static uint32_t lead_get(const char *name, uint8_t hash[CAPOS_HASH_BYTES], size_t *out_bytes)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    *out_bytes = 0;
    return ended(namespace_get(names, name, strlen(name), &outcome, hash, CAPOS_HASH_BYTES,
                               out_bytes, nullptr),
                 outcome);
}

// Leads a name to a blob, or to nothing, wherever it led.
static uint32_t lead_set(const char *name, const uint8_t *hash, size_t hash_bytes)
{
    uint8_t expected[CAPOS_HASH_BYTES];
    size_t expected_bytes;
    uint32_t error = lead_get(name, expected, &expected_bytes);
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        enum file_outcome outcome = FILE_OUTCOME_OK;
        if (error != 0 && error != FILE_OUTCOME_NOT_FOUND)
            return error;
        // With BUSY, `expected` is where it leads now.
        error = ended(namespace_set(names, name, strlen(name), expected, expected_bytes, hash,
                                    hash_bytes, &outcome, expected, sizeof expected,
                                    &expected_bytes, nullptr),
                      outcome);
        if (error != FILE_OUTCOME_BUSY)
            return error;
        error = 0;
    }
    return FILE_OUTCOME_BUSY;
}

// Hands each change of a name to `take`, newest first, until it returns false.
static uint32_t history_read(const char *name, size_t name_bytes,
                             bool (*take)(const struct namespace_namespace_change *change))
{
    static alignas(8) uint8_t buffer[NAMESPACE_HISTORY_RESULTS_BYTES_MAX];
    uint64_t before = 0;
    for (;;) {
        struct namespace_history_results page;
        enum status status = namespace_history(names, name, name_bytes, before, PAGE_ENTRIES,
                                               buffer, sizeof buffer, &page);
        if (status != STATUS_OK || page.outcome != FILE_OUTCOME_OK)
            return ended(status, page.outcome);
        for (uint32_t i = 0; i < page.changes.count; i++) {
            struct namespace_namespace_change change;
            if (namespace_namespace_change_at(&page.changes, i, &change) != STATUS_OK)
                return CAPOS_FILE_STATUS + STATUS_BAD_MESSAGE;
            if (!take(&change))
                return 0;
            before = change.version;
        }
        if (page.end || page.changes.count == 0)
            return 0;
    }
}

// Hands each name that leads somewhere to `take`.
static uint32_t names_read(void (*take)(const struct namespace_namespace_entry *entry))
{
    static alignas(8) uint8_t buffer[NAMESPACE_LIST_RESULTS_BYTES_MAX];
    uint8_t after[NAMESPACE_LIST_PARAMS_AFTER_BYTES_MAX];
    size_t after_bytes = 0;
    for (;;) {
        struct namespace_list_results page;
        enum status status = namespace_list(names, after, after_bytes, PAGE_ENTRIES, buffer,
                                            sizeof buffer, &page);
        if (status != STATUS_OK || page.outcome != FILE_OUTCOME_OK)
            return ended(status, page.outcome);
        for (uint32_t i = 0; i < page.entries.count; i++) {
            struct namespace_namespace_entry entry;
            if (namespace_namespace_entry_at(&page.entries, i, &entry) != STATUS_OK ||
                entry.name.size_bytes > sizeof after)
                return CAPOS_FILE_STATUS + STATUS_BAD_MESSAGE;
            memcpy(after, entry.name.data, entry.name.size_bytes);
            after_bytes = entry.name.size_bytes;
        }
        for (uint32_t i = 0; i < page.entries.count; i++) {
            struct namespace_namespace_entry entry;
            if (namespace_namespace_entry_at(&page.entries, i, &entry) == STATUS_OK)
                take(&entry);
        }
        if (page.end || page.entries.count == 0)
            return 0;
    }
}

// ---- Commands ----------------------------------------------------------------------

// What is kept, as it comes.
static struct {
    char *data;
    size_t byte_count, capacity;
    bool failed;
} input;

static bool input_take(void *, const char *, const void *data, size_t byte_count)
{
    while (input.capacity - input.byte_count < byte_count) {
        size_t capacity = input.capacity * 2 + 65536;
        char *larger = realloc(input.data, capacity);
        if (larger == nullptr) {
            input.failed = true;
            return false;
        }
        input.data = larger;
        input.capacity = capacity;
    }
    if (byte_count > 0)
        memcpy(input.data + input.byte_count, data, byte_count);
    input.byte_count += byte_count;
    return true;
}

static int put(int argc, char **argv)
{
    uint8_t hash[CAPOS_HASH_BYTES];
    int status = capos_command_inputs(&command, argc, argv, 3, input_take, nullptr);
    if (status != 0)
        return status;
    if (input.failed)
        return fail(argv[2], FILE_OUTCOME_TOO_LARGE);
    uint32_t error = capos_store_put(store, input.data, input.byte_count, hash);
    if (error == 0)
        error = lead_set(argv[2], hash, sizeof hash);
    return error == 0 ? 0 : fail(argv[2], error);
}

static struct {
    uint64_t version;
    bool found;
    uint8_t hash[CAPOS_HASH_BYTES];
} wanted;

static bool wanted_take(const struct namespace_namespace_change *change)
{
    if (change->version > wanted.version)
        return true;
    wanted.found =
        change->version == wanted.version && change->hash.size_bytes == sizeof wanted.hash;
    if (wanted.found)
        memcpy(wanted.hash, change->hash.data, sizeof wanted.hash);
    return false;
}

static uint32_t blob_write(const uint8_t hash[CAPOS_HASH_BYTES])
{
    struct capos_file file;
    const void *data;
    size_t bytes = 0;
    uint32_t error = capos_store_open(store, hash, &file);
    if (error != 0)
        return error;
    for (uint64_t offset = 0;; offset += bytes) {
        error = capos_file_peek(&file, offset, &data, &bytes);
        if (error != 0 || bytes == 0 || fwrite(data, 1, bytes, stdout) != bytes)
            break;
    }
    capos_file_close(&file);
    return error;
}

static int get(int argc, char **argv)
{
    size_t hash_bytes;
    uint32_t error;
    if (argc == 3) {
        error = lead_get(argv[2], wanted.hash, &hash_bytes);
    } else {
        char *end;
        wanted.version = strtoull(argv[3], &end, 10);
        if (*end != '\0' || end == argv[3])
            capos_command_misused(&command, "VERSION is a number");
        error = history_read(argv[2], strlen(argv[2]), wanted_take);
        if (error == 0 && !wanted.found)
            error = FILE_OUTCOME_NOT_FOUND;
    }
    if (error == 0)
        error = blob_write(wanted.hash);
    if (error != 0)
        return fail(argv[2], error);
    return fflush(stdout) != 0 || ferror(stdout);
}

static void line_print(struct wire_data hash, uint64_t version, struct wire_data name)
{
    char text[CAPOS_HASH_TEXT_BYTES];
    enum file_outcome outcome = FILE_OUTCOME_NOT_FOUND;
    uint64_t size_bytes = 0;
    printf("%8llu ", (unsigned long long)version);
    if (hash.size_bytes != CAPOS_HASH_BYTES) {
        printf("%10s", "-");
    } else if (store_has(store, hash.data, hash.size_bytes, &outcome, &size_bytes) !=
                   STATUS_OK ||
               outcome != FILE_OUTCOME_OK) {
        printf("%10s", "gone");
    } else {
        printf("%10llu", (unsigned long long)size_bytes);
    }
    if (name.size_bytes > 0) {
        printf(" ");
        for (uint32_t i = 0; i < name.size_bytes; i++)
            putchar(name.data[i] < ' ' || name.data[i] == 0x7f ? '?' : name.data[i]);
    } else if (hash.size_bytes == CAPOS_HASH_BYTES) {
        capos_hash_print(hash.data, text);
        printf(" %s", text);
    }
    printf("\n");
}

static bool change_print(const struct namespace_namespace_change *change)
{
    line_print(change->hash, change->version, (struct wire_data){});
    return true;
}

static void entry_print(const struct namespace_namespace_entry *entry)
{
    line_print(entry->hash, entry->version, entry->name);
}

static int list(int, char **)
{
    uint32_t error = names_read(entry_print);
    return error == 0 ? 0 : fail("the names", error);
}

static int log_names(int, char **argv)
{
    uint32_t error = history_read(argv[2], strlen(argv[2]), change_print);
    return error == 0 ? 0 : fail(argv[2], error);
}

static int forget_name(int, char **argv)
{
    uint8_t hash[CAPOS_HASH_BYTES];
    size_t hash_bytes;
    uint32_t error = lead_get(argv[2], hash, &hash_bytes);
    if (error == 0)
        error = lead_set(argv[2], nullptr, 0);
    return error == 0 ? 0 : fail(argv[2], error);
}

static int snapshot(int, char **)
{
    uint8_t hash[CAPOS_HASH_BYTES];
    char text[CAPOS_HASH_TEXT_BYTES];
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint32_t error = ended(
        namespace_snapshot(names, &outcome, hash, sizeof hash, nullptr, nullptr), outcome);
    if (error != 0)
        return fail("the names", error);
    capos_hash_print(hash, text);
    printf("%s\n", text);
    return 0;
}

static int restore(int, char **argv)
{
    uint8_t hash[CAPOS_HASH_BYTES];
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (!capos_hash_parse(argv[2], hash))
        capos_command_misused(&command, "HASH is 64 hexadecimal digits, as snapshot prints");
    uint32_t error =
        ended(namespace_restore(names, hash, sizeof hash, &outcome, nullptr), outcome);
    return error == 0 ? 0 : fail(argv[2], error);
}

// The blobs that versions led to, to be removed when these are forgotten.
static struct {
    uint8_t (*hashes)[CAPOS_HASH_BYTES];
    size_t count, capacity;
    bool failed;
} old;

static bool old_take(const struct namespace_namespace_change *change)
{
    if (change->hash.size_bytes != CAPOS_HASH_BYTES)
        return true;
    if (old.count == old.capacity) {
        size_t capacity = old.capacity * 2 + 64;
        void *larger = realloc(old.hashes, capacity * CAPOS_HASH_BYTES);
        if (larger == nullptr) {
            old.failed = true;
            return false;
        }
        old.hashes = larger;
        old.capacity = capacity;
    }
    memcpy(old.hashes[old.count++], change->hash.data, CAPOS_HASH_BYTES);
    return true;
}

static void old_take_name(const struct namespace_namespace_entry *entry)
{
    char name[NAMESPACE_HISTORY_PARAMS_NAME_BYTES_MAX];
    memcpy(name, entry->name.data, entry->name.size_bytes);
    if (history_read(name, entry->name.size_bytes, old_take) != 0)
        old.failed = true;
}

static int clean(int, char **)
{
    uint64_t version, removed = 0;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    uint32_t error = ended(namespace_info(names, &version, nullptr, nullptr), outcome);
    if (error == 0)
        error = names_read(old_take_name);
    if (error == 0 && old.failed)
        error = CAPOS_FILE_STATUS + STATUS_OVERLOADED;
    if (error == 0)
        error = ended(namespace_forget(names, version, &outcome), outcome);
    for (size_t i = 0; error == 0 && i < old.count; i++) {
        // One that is still led to is busy, one that two versions led to is gone.
        if (store_remove(store, old.hashes[i], CAPOS_HASH_BYTES, &outcome) == STATUS_OK &&
            outcome == FILE_OUTCOME_OK)
            removed++;
    }
    if (error == 0)
        error = ended(store_sync(store, &outcome), outcome);
    if (error != 0)
        return fail("the names", error);
    printf("%llu blobs removed\n", (unsigned long long)removed);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
        int least, most; // operands
    } commands[] = {
        {"put", put, 1, 2},         {"get", get, 1, 2},        {"ls", list, 0, 0},
        {"log", log_names, 1, 1},   {"rm", forget_name, 1, 1}, {"snapshot", snapshot, 0, 0},
        {"restore", restore, 1, 1}, {"clean", clean, 0, 0},
    };
    struct capos_command_line line;
    capos_command_begin(&command, argc, argv, &line);
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (argc - 2 < commands[i].least || argc - 2 > commands[i].most)
            break;
        if (store_cap_find("store", &store) != STATUS_OK ||
            namespace_cap_find("namespace", &names) != STATUS_OK) {
            fprintf(stderr, "keep: I hold no Store and Namespace; try --disk FILE:SIZE"
                            " --grant store --grant namespace\n");
            return 1;
        }
        return commands[i].run(argc, argv);
    }
    capos_command_misused(&command, "what is to be done?");
}
