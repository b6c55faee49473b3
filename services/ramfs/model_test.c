// SPDX-License-Identifier: MIT
// The file system in memory against a model, and what a model doesn't show: symlinks, memory
// that ends, mapped pages.  All of it on the host, without messages.
//
// Links: services/ramfs/files.c services/ramfs/pages.c libcapos/test_files.c
// Links: libcapos/tree_walk.c libcapos/tree_change.c
#include "files.h"

#include <capos/test_files.h>
#include <test/test.h>

#include <stdlib.h>
#include <string.h>

// ---- A file system whose memory comes from the heap ------------------------------------

static struct files files;
static uint32_t chunk_count; // that are out
static uint32_t chunks_left; // until the source has no more

static void *chunk_get(void *, uint32_t page_count, uint64_t *out_object)
{
    if (chunks_left == 0)
        return nullptr;
    chunks_left--;
    chunk_count++;
    void *memory = aligned_alloc(PAGES_BYTES, (size_t)page_count * PAGES_BYTES);
    memset(memory, 0, (size_t)page_count * PAGES_BYTES);
    *out_object = (uint64_t)memory;
    return memory;
}

static void chunk_put(void *, void *memory, uint32_t, uint64_t)
{
    chunk_count--;
    free(memory);
}

static int64_t now(void)
{
    static int64_t time;
    return ++time;
}

// The "object" is the memory itself.
static uint64_t view(uint64_t object, uint32_t first_page, uint32_t, bool)
{
    return object + (uint64_t)first_page * PAGES_BYTES;
}

static void setup(uint32_t page_count_max)
{
    static const struct pages_source source = {.get = chunk_get, .put = chunk_put};
    chunks_left = UINT32_MAX;
    files = (struct files){.now = now, .view = view};
    CHECK(files_init(&files, &source, page_count_max));
}

static void teardown(void)
{
    files_fini(&files);
    CHECK_EQ(chunk_count, 0);
}

static struct wire_data path_data(const char *path)
{
    return (struct wire_data){(const uint8_t *)path, (uint32_t)strlen(path)};
}

static enum file_outcome find(const char *path, enum file_kind kind,
                              struct tree_node **out_node)
{
    return tree_find_kind(&files.tree, files.tree.root, path_data(path), true, kind, out_node);
}

// ---- The model's operations --------------------------------------------------------------

static enum file_outcome on_make(void *, const char *path, enum file_kind kind)
{
    return tree_create(&files.tree, files.tree.root, path_data(path),
                       &(struct tree_creation){.kind = kind, .mode = 0644});
}

static enum file_outcome on_remove(void *, const char *path, enum directory_removal what)
{
    return tree_remove(&files.tree, files.tree.root, path_data(path), what);
}

static enum file_outcome on_rename(void *, const char *path, const char *to_path,
                                   enum directory_replacement replacement)
{
    return tree_rename(&files.tree, files.tree.root, path_data(path), files.tree.root,
                       path_data(to_path), replacement);
}

static enum file_outcome on_write(void *, const char *path, uint64_t offset, const void *data,
                                  uint32_t byte_count)
{
    struct tree_node *node;
    enum file_outcome outcome = find(path, FILE_KIND_FILE, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    uint32_t written = 0;
    outcome = files_ops.write(&files.tree, node, offset, data, byte_count, &written);
    CHECK_EQ(written, byte_count);
    tree_put(&files.tree, node);
    return outcome;
}

static enum file_outcome on_truncate(void *, const char *path, uint64_t size_bytes)
{
    struct tree_node *node;
    enum file_outcome outcome = find(path, FILE_KIND_FILE, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = files_ops.truncate(&files.tree, node, size_bytes);
    tree_put(&files.tree, node);
    return outcome;
}

static enum file_outcome on_read(void *, const char *path, uint64_t offset, void *buffer,
                                 uint32_t byte_count, uint32_t *out_read)
{
    struct tree_node *node;
    enum file_outcome outcome = find(path, FILE_KIND_FILE, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = files_ops.read(&files.tree, node, offset, buffer, byte_count, out_read);
    tree_put(&files.tree, node);
    return outcome;
}

static enum file_outcome on_stat(void *, const char *path, enum file_kind *out_kind,
                                 uint64_t *out_size_bytes)
{
    struct tree_node *node;
    struct tree_stat stat;
    enum file_outcome outcome =
        tree_find(&files.tree, files.tree.root, path_data(path), true, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = files_ops.stat(&files.tree, node, &stat);
    *out_kind = node->kind;
    *out_size_bytes = stat.size_bytes;
    tree_put(&files.tree, node);
    return outcome;
}

static enum file_outcome on_list(void *, const char *path, char names[64], uint32_t *out_count)
{
    static struct tree_page page;
    struct tree_node *node;
    enum file_outcome outcome = find(path, FILE_KIND_DIRECTORY, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    *out_count = 0;
    page.end = false;
    for (uint64_t cookie = 0; !page.end && outcome == FILE_OUTCOME_OK;) {
        page = (struct tree_page){.entries_max = 2};
        outcome = files_ops.list(&files.tree, node, cookie, &page);
        for (uint32_t i = 0; i < page.count; i++) {
            names[(*out_count)++] = (char)page.entries[i].name.data[0];
            cookie = page.entries[i].cookie;
        }
    }
    tree_put(&files.tree, node);
    return outcome;
}

static const struct test_files under_test = {
    .make = on_make,
    .remove = on_remove,
    .rename = on_rename,
    .write = on_write,
    .truncate = on_truncate,
    .read = on_read,
    .stat = on_stat,
    .list = on_list,
};

// ---- Tests -------------------------------------------------------------------------------

static void random_operations_do_what_the_model_says(void)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        char problem[200] = "";
        setup(4096);
        uint32_t used_before = files.pages.used_count;
        bool same = test_files_compare(&under_test, seed * 7919, 10000, problem);
        if (!same)
            printf("seed %llu: %s\n", (unsigned long long)seed, problem);
        CHECK(same);
        CHECK_EQ(files.node_count, 1);
        CHECK_EQ(files.pages.used_count, used_before);
        teardown();
    }
}

static struct tree_node *file_make(const char *path)
{
    struct tree_node *node = nullptr;
    CHECK_EQ(on_make(nullptr, path, FILE_KIND_FILE), FILE_OUTCOME_OK);
    CHECK_EQ(find(path, FILE_KIND_FILE, &node), FILE_OUTCOME_OK);
    return node;
}

static void symlink_make(const char *path, const char *target)
{
    CHECK_EQ(tree_create(&files.tree, files.tree.root, path_data(path),
                         &(struct tree_creation){.kind = FILE_KIND_SYMLINK,
                                                 .target = path_data(target)}),
             FILE_OUTCOME_OK);
}

static enum file_outcome follow(struct tree_node *start, const char *path)
{
    struct tree_node *node;
    enum file_outcome outcome = tree_find(&files.tree, start, path_data(path), true, &node);
    if (outcome == FILE_OUTCOME_OK)
        tree_put(&files.tree, node);
    return outcome;
}

static void symlinks_lead_down_and_never_out(void)
{
    setup(4096);
    struct tree_node *root = files.tree.root, *inner;
    CHECK_EQ(on_make(nullptr, "d", FILE_KIND_DIRECTORY), FILE_OUTCOME_OK);
    CHECK_EQ(on_make(nullptr, "d/e", FILE_KIND_DIRECTORY), FILE_OUTCOME_OK);
    tree_put(&files.tree, file_make("d/f"));
    tree_put(&files.tree, file_make("secret"));
    CHECK_EQ(find("d", FILE_KIND_DIRECTORY, &inner), FILE_OUTCOME_OK);

    symlink_make("d/e/up", "../f");
    CHECK_EQ(follow(root, "d/e/up"), FILE_OUTCOME_OK);
    CHECK_EQ(follow(inner, "e/up"), FILE_OUTCOME_OK);
    symlink_make("d/out", "../secret");
    CHECK_EQ(follow(root, "d/out"), FILE_OUTCOME_OK);
    CHECK_EQ(follow(inner, "out"), FILE_OUTCOME_OUTSIDE);
    symlink_make("d/e/far", "../../secret");
    CHECK_EQ(follow(inner, "e/far"), FILE_OUTCOME_OUTSIDE);
    symlink_make("d/back", "../d/f"); // out and in again is out
    CHECK_EQ(follow(inner, "back"), FILE_OUTCOME_OUTSIDE);
    symlink_make("absolute", "/d/f");
    CHECK_EQ(follow(root, "absolute"), FILE_OUTCOME_OUTSIDE);
    symlink_make("twice", "d/e/up");
    CHECK_EQ(follow(root, "twice"), FILE_OUTCOME_OK);
    symlink_make("loop", "loop");
    CHECK_EQ(follow(root, "loop"), FILE_OUTCOME_TOO_MANY_SYMLINKS);
    symlink_make("through", "d/f/..");
    CHECK_EQ(follow(root, "through"), FILE_OUTCOME_NOT_DIRECTORY);
    symlink_make("odd", ".//d/./e//up");
    CHECK_EQ(follow(root, "odd"), FILE_OUTCOME_OK);
    symlink_make("dir", "d/");
    CHECK_EQ(follow(root, "dir/e/up"), FILE_OUTCOME_OK);
    symlink_make("slash", "d/f/");
    CHECK_EQ(follow(root, "slash"), FILE_OUTCOME_NOT_DIRECTORY);
    tree_put(&files.tree, inner);
    teardown();
}

static void a_dangling_symlink_is_where_a_file_is_made(void)
{
    setup(4096);
    struct tree_node *node;
    bool created = false;
    struct tree_opening opening = {
        .creation = {.kind = FILE_KIND_FILE}, .create = true, .follow = true};
    CHECK_EQ(on_make(nullptr, "d", FILE_KIND_DIRECTORY), FILE_OUTCOME_OK);
    symlink_make("link", "d/new");
    CHECK_EQ(
        tree_open(&files.tree, files.tree.root, path_data("link"), &opening, &node, &created),
        FILE_OUTCOME_OK);
    CHECK(created);
    tree_put(&files.tree, node);
    CHECK_EQ(follow(files.tree.root, "d/new"), FILE_OUTCOME_OK);
    opening.exclusive = true;
    CHECK_EQ(
        tree_open(&files.tree, files.tree.root, path_data("link"), &opening, &node, &created),
        FILE_OUTCOME_EXISTS);
    teardown();
}

static void a_removed_file_lives_while_it_is_open(void)
{
    setup(4096);
    struct tree_node *node = file_make("f");
    struct tree_stat stat;
    uint32_t count = 0;
    char data[5] = "";
    CHECK_EQ(files_ops.write(&files.tree, node, 0, "hello", 5, &count), FILE_OUTCOME_OK);
    CHECK_EQ(on_remove(nullptr, "f", DIRECTORY_REMOVAL_ANY), FILE_OUTCOME_OK);
    CHECK_EQ(files_ops.read(&files.tree, node, 0, data, 5, &count), FILE_OUTCOME_OK);
    CHECK(memcmp(data, "hello", 5) == 0);
    CHECK_EQ(files_ops.stat(&files.tree, node, &stat), FILE_OUTCOME_OK);
    CHECK_EQ(stat.link_count, 0);
    CHECK_EQ(files.node_count, 2);
    tree_put(&files.tree, node);
    CHECK_EQ(files.node_count, 1);
    teardown();
}

static void a_removed_directory_takes_nothing(void)
{
    setup(4096);
    struct tree_node *directory;
    CHECK_EQ(on_make(nullptr, "d", FILE_KIND_DIRECTORY), FILE_OUTCOME_OK);
    CHECK_EQ(on_make(nullptr, "f", FILE_KIND_FILE), FILE_OUTCOME_OK);
    CHECK_EQ(find("d", FILE_KIND_DIRECTORY, &directory), FILE_OUTCOME_OK);
    CHECK_EQ(on_remove(nullptr, "d", DIRECTORY_REMOVAL_DIRECTORY), FILE_OUTCOME_OK);
    CHECK_EQ(tree_create(&files.tree, directory, path_data("x"),
                         &(struct tree_creation){.kind = FILE_KIND_FILE}),
             FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(tree_rename(&files.tree, files.tree.root, path_data("f"), directory,
                         path_data("f"), DIRECTORY_REPLACEMENT_REPLACE),
             FILE_OUTCOME_NOT_FOUND);
    CHECK_EQ(follow(files.tree.root, "f"), FILE_OUTCOME_OK);
    tree_put(&files.tree, directory);
    teardown();
}

// A mapping is the file: each side sees what the other writes.
static void mapped_pages_are_the_files(void)
{
    setup(4096);
    struct tree_node *node = file_make("f");
    static uint8_t data[10000], back[10000];
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    CHECK_EQ(files_ops.write(&files.tree, node, 0, data, sizeof data, &count), FILE_OUTCOME_OK);
    struct tree_mapping mapping;
    CHECK_EQ(files_ops.map(&files.tree, node, 4096, sizeof data - 4096, true, &mapping),
             FILE_OUTCOME_OK);
    CHECK_EQ(mapping.length_bytes, sizeof data - 4096);
    uint8_t *mapped = (uint8_t *)mapping.object;
    CHECK(memcmp(mapped, data + 4096, sizeof data - 4096) == 0);
    mapped[1] = 0xee;
    CHECK_EQ(files_ops.read(&files.tree, node, 4097, back, 1, &count), FILE_OUTCOME_OK);
    CHECK_EQ(back[0], 0xee);
    CHECK_EQ(files_ops.write(&files.tree, node, 4098, "x", 1, &count), FILE_OUTCOME_OK);
    CHECK_EQ(mapped[2], 'x');
    // Mapped again from the second page of it: the same memory.
    CHECK_EQ(files_ops.map(&files.tree, node, 8192, 1, false, &mapping), FILE_OUTCOME_OK);
    CHECK_EQ(mapping.object, mapped + 4096);
    // The first page is another mapping.
    CHECK_EQ(files_ops.map(&files.tree, node, 0, sizeof data, false, &mapping),
             FILE_OUTCOME_OK);
    CHECK_EQ(mapping.length_bytes, 4096);
    tree_put(&files.tree, node);
    teardown();
}

// What somebody may have mapped is never another file's.
static void pages_that_were_mapped_are_not_used_again(void)
{
    setup(4096);
    struct tree_node *node = file_make("f"), *other = file_make("g");
    uint32_t count = 0;
    static uint8_t data[8192];
    memset(data, 1, sizeof data);
    CHECK_EQ(files_ops.write(&files.tree, node, 0, data, 8192, &count), FILE_OUTCOME_OK);
    struct tree_mapping mapping;
    CHECK_EQ(files_ops.map(&files.tree, node, 0, 8192, true, &mapping), FILE_OUTCOME_OK);
    uint8_t *mapped = (uint8_t *)mapping.object;
    CHECK_EQ(files_ops.truncate(&files.tree, node, 4096), FILE_OUTCOME_OK);
    memset(data, 2, sizeof data);
    for (uint64_t at = 0; at < 100 * 4096; at += 4096)
        CHECK_EQ(files_ops.write(&files.tree, other, at, data, 4096, &count), FILE_OUTCOME_OK);
    CHECK_EQ(mapped[4096], 1);
    // Grown again, the file has another page there, of zeros.
    CHECK_EQ(files_ops.truncate(&files.tree, node, 8192), FILE_OUTCOME_OK);
    CHECK_EQ(files_ops.read(&files.tree, node, 4096, data, 4096, &count), FILE_OUTCOME_OK);
    for (uint32_t i = 0; i < 4096; i++)
        CHECK_EQ(data[i], 0);
    tree_put(&files.tree, node);
    tree_put(&files.tree, other);
    teardown();
}

static void a_full_file_system_says_so_and_goes_on(void)
{
    setup(40);
    struct tree_node *node = file_make("f");
    static uint8_t data[8192];
    uint32_t count = 0;
    uint64_t size = 0;
    enum file_outcome outcome;
    while ((outcome = files_ops.write(&files.tree, node, size, data, sizeof data, &count)) ==
           FILE_OUTCOME_OK)
        size += count;
    CHECK_EQ(outcome, FILE_OUTCOME_NO_SPACE);
    CHECK(size > 30 * 4096 && size < 40 * 4096);
    struct tree_stat stat;
    CHECK_EQ(files_ops.stat(&files.tree, node, &stat), FILE_OUTCOME_OK);
    CHECK_EQ(stat.size_bytes, size);
    CHECK_EQ(files_ops.truncate(&files.tree, node, 0), FILE_OUTCOME_OK);
    CHECK_EQ(files_ops.write(&files.tree, node, 0, data, sizeof data, &count), FILE_OUTCOME_OK);
    tree_put(&files.tree, node);
    teardown();
}

// Memory that ends at the first, second, ... request: each operation is done or it isn't.
static void every_operation_survives_the_end_of_memory(void)
{
    static uint8_t data[6000];
    for (uint32_t chunks = 1; chunks < 12; chunks++) {
        setup(4096);
        chunks_left = chunks;
        uint32_t made = 0;
        for (uint32_t i = 0; i < 400; i++) {
            char path[8];
            snprintf(path, sizeof path, "f%u", (unsigned)i);
            enum file_outcome outcome = on_make(nullptr, path, FILE_KIND_FILE);
            if (outcome == FILE_OUTCOME_OK)
                made++;
            else
                CHECK_EQ(outcome, FILE_OUTCOME_NO_SPACE);
            struct tree_node *node;
            struct tree_mapping mapping;
            uint32_t count = 0;
            if (outcome != FILE_OUTCOME_OK ||
                find(path, FILE_KIND_FILE, &node) != FILE_OUTCOME_OK)
                continue;
            (void)files_ops.write(&files.tree, node, 4000, data, sizeof data, &count);
            if (i % 3 == 0 && count > 0)
                (void)files_ops.map(&files.tree, node, 0, 4000 + count, true, &mapping);
            tree_put(&files.tree, node);
        }
        CHECK_EQ(files.node_count, made + 1);
        for (uint32_t i = 0; i < 400; i++) {
            char path[8];
            snprintf(path, sizeof path, "f%u", (unsigned)i);
            (void)on_remove(nullptr, path, DIRECTORY_REMOVAL_ANY);
        }
        CHECK_EQ(files.node_count, 1);
        teardown();
    }
}

static void a_file_may_be_sparse(void)
{
    setup(64);
    struct tree_node *node = file_make("f");
    uint32_t count = 0;
    uint8_t byte = 1;
    CHECK_EQ(files_ops.write(&files.tree, node, FILES_BYTES_MAX - 1, "x", 1, &count),
             FILE_OUTCOME_OK);
    CHECK_EQ(files_ops.write(&files.tree, node, FILES_BYTES_MAX, "x", 1, &count),
             FILE_OUTCOME_TOO_LARGE);
    CHECK_EQ(files_ops.read(&files.tree, node, FILES_BYTES_MAX / 2, &byte, 1, &count),
             FILE_OUTCOME_OK);
    CHECK_EQ(byte, 0);
    CHECK_EQ(files_ops.read(&files.tree, node, FILES_BYTES_MAX - 1, &byte, 1, &count),
             FILE_OUTCOME_OK);
    CHECK_EQ(byte, 'x');
    struct tree_stat stat;
    CHECK_EQ(files_ops.stat(&files.tree, node, &stat), FILE_OUTCOME_OK);
    CHECK_EQ(stat.stored_bytes, 4096);
    CHECK_EQ(files_ops.truncate(&files.tree, node, 0), FILE_OUTCOME_OK);
    tree_put(&files.tree, node);
    teardown();
}

int main(void)
{
    RUN(random_operations_do_what_the_model_says);
    RUN(symlinks_lead_down_and_never_out);
    RUN(a_dangling_symlink_is_where_a_file_is_made);
    RUN(a_removed_file_lives_while_it_is_open);
    RUN(a_removed_directory_takes_nothing);
    RUN(mapped_pages_are_the_files);
    RUN(pages_that_were_mapped_are_not_used_again);
    RUN(a_full_file_system_says_so_and_goes_on);
    RUN(every_operation_survives_the_end_of_memory);
    RUN(a_file_may_be_sparse);
    return test_report();
}
