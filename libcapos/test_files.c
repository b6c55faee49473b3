// SPDX-License-Identifier: MIT
#include <capos/test_files.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t NODES_MAX = 32;
constexpr uint32_t FILE_BYTES = 20000; // of the largest file: some pages and a piece
constexpr uint32_t PIECE_BYTES = 6000;
constexpr uint32_t DEPTH = 4;
constexpr char letters[] = "abcde";
constexpr uint32_t ROOT = 0; // node 0 is the root
constexpr uint32_t NONE = UINT32_MAX;

struct node {
    bool used;
    bool directory;
    char name;
    uint32_t parent;
    uint32_t size;
    uint8_t *data;
};

struct model {
    const struct test_files *files;
    uint64_t random;
    struct node nodes[NODES_MAX];
    uint8_t piece[PIECE_BYTES], read[PIECE_BYTES];
    char *problem;
    uint32_t step;
};

// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators".
static uint32_t below(struct model *model, uint32_t bound)
{
    uint64_t x = model->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    model->random = x;
    return (uint32_t)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % bound;
}

static bool differs(struct model *model, const char *what, const char *path, uint64_t actual,
                    uint64_t expected)
{
    snprintf(model->problem, 200, "step %u: %s %s: %llu, expected %llu", (unsigned)model->step,
             what, path, (unsigned long long)actual, (unsigned long long)expected);
    return false;
}

static bool outcome_is(struct model *model, const char *what, const char *path,
                       enum file_outcome actual, enum file_outcome expected)
{
    return actual == expected || differs(model, what, path, actual, expected);
}

// ---- The model ---------------------------------------------------------------------

static void path_random(struct model *model, char path[2 * DEPTH])
{
    uint32_t names = 1 + below(model, DEPTH - 1), length = 0;
    for (uint32_t i = 0; i < names; i++) {
        if (i > 0)
            path[length++] = '/';
        path[length++] = letters[below(model, sizeof letters - 1)];
    }
    path[length] = '\0';
}

static uint32_t child_find(const struct model *model, uint32_t parent, char name)
{
    for (uint32_t i = 1; i < NODES_MAX; i++)
        if (model->nodes[i].used && model->nodes[i].parent == parent &&
            model->nodes[i].name == name)
            return i;
    return NONE;
}

static bool has_children(const struct model *model, uint32_t node)
{
    for (uint32_t i = 1; i < NODES_MAX; i++)
        if (model->nodes[i].used && model->nodes[i].parent == node)
            return true;
    return false;
}

struct found {
    uint32_t parent, node; // node NONE: there is none
    char name;
};

static enum file_outcome path_find(const struct model *model, const char *path,
                                   struct found *found)
{
    *found = (struct found){.parent = NONE, .node = ROOT};
    for (size_t i = 0; i < strlen(path); i += 2) {
        if (found->node == NONE)
            return FILE_OUTCOME_NOT_FOUND;
        if (!model->nodes[found->node].directory)
            return FILE_OUTCOME_NOT_DIRECTORY;
        found->parent = found->node;
        found->name = path[i];
        found->node = child_find(model, found->parent, path[i]);
    }
    return FILE_OUTCOME_OK;
}

static enum file_outcome path_find_node(const struct model *model, const char *path,
                                        struct found *found)
{
    enum file_outcome outcome = path_find(model, path, found);
    return outcome == FILE_OUTCOME_OK && found->node == NONE ? FILE_OUTCOME_NOT_FOUND : outcome;
}

// NONE if the model is full: then the operation isn't done at all.
static uint32_t node_take(const struct model *model)
{
    for (uint32_t i = 1; i < NODES_MAX; i++)
        if (!model->nodes[i].used)
            return i;
    return NONE;
}

static bool lies_in(const struct model *model, uint32_t node, uint32_t above)
{
    for (; node != NONE; node = model->nodes[node].parent)
        if (node == above)
            return true;
    return false;
}

// ---- Operations on both --------------------------------------------------------------

static bool do_make(struct model *model)
{
    char path[2 * DEPTH];
    struct found found;
    path_random(model, path);
    enum file_kind kind = below(model, 3) == 0 ? FILE_KIND_DIRECTORY : FILE_KIND_FILE;
    enum file_outcome expected = path_find(model, path, &found);
    uint32_t place = node_take(model);
    if (expected == FILE_OUTCOME_OK && found.node != NONE)
        expected = FILE_OUTCOME_EXISTS;
    if (expected == FILE_OUTCOME_OK && place == NONE)
        return true;
    if (expected == FILE_OUTCOME_OK) {
        struct node *node = &model->nodes[place];
        *node = (struct node){.used = true,
                              .directory = kind == FILE_KIND_DIRECTORY,
                              .name = found.name,
                              .parent = found.parent,
                              .data = node->data};
        memset(node->data, 0, FILE_BYTES);
    }
    return outcome_is(model, "make", path,
                      model->files->make(model->files->context, path, kind), expected);
}

static enum file_outcome remove_expected(const struct model *model, uint32_t node,
                                         enum directory_removal what)
{
    bool directory = model->nodes[node].directory;
    if (what == DIRECTORY_REMOVAL_DIRECTORY && !directory)
        return FILE_OUTCOME_NOT_DIRECTORY;
    if (what == DIRECTORY_REMOVAL_NOT_DIRECTORY && directory)
        return FILE_OUTCOME_IS_DIRECTORY;
    return has_children(model, node) ? FILE_OUTCOME_NOT_EMPTY : FILE_OUTCOME_OK;
}

static bool do_remove(struct model *model)
{
    char path[2 * DEPTH];
    struct found found;
    path_random(model, path);
    enum directory_removal what = (enum directory_removal)below(model, DIRECTORY_REMOVAL_COUNT);
    enum file_outcome expected = path_find_node(model, path, &found);
    if (expected == FILE_OUTCOME_OK)
        expected = remove_expected(model, found.node, what);
    if (expected == FILE_OUTCOME_OK)
        model->nodes[found.node].used = false;
    return outcome_is(model, "remove", path,
                      model->files->remove(model->files->context, path, what), expected);
}

static void names_exchange(struct model *model, const struct found *from,
                           const struct found *to)
{
    model->nodes[from->node].parent = to->parent;
    model->nodes[from->node].name = to->name;
    model->nodes[to->node].parent = from->parent;
    model->nodes[to->node].name = from->name;
}

static enum file_outcome rename_both(struct model *model, const struct found *from,
                                     const struct found *to,
                                     enum directory_replacement replacement)
{
    bool exchange = replacement == DIRECTORY_REPLACEMENT_EXCHANGE;
    if (to->node == NONE && exchange)
        return FILE_OUTCOME_NOT_FOUND;
    if (to->node != NONE && replacement == DIRECTORY_REPLACEMENT_REFUSE)
        return FILE_OUTCOME_EXISTS;
    bool from_directory = model->nodes[from->node].directory;
    if (to->node != NONE && !exchange && from_directory != model->nodes[to->node].directory)
        return from_directory ? FILE_OUTCOME_NOT_DIRECTORY : FILE_OUTCOME_IS_DIRECTORY;
    if (from->node == to->node)
        return FILE_OUTCOME_OK;
    if (lies_in(model, to->parent, from->node) ||
        (exchange && lies_in(model, from->parent, to->node)))
        return FILE_OUTCOME_INTO_ITSELF;
    if (exchange) {
        names_exchange(model, from, to);
        return FILE_OUTCOME_OK;
    }
    if (to->node != NONE && has_children(model, to->node))
        return FILE_OUTCOME_NOT_EMPTY;
    if (to->node != NONE)
        model->nodes[to->node].used = false;
    model->nodes[from->node].parent = to->parent;
    model->nodes[from->node].name = to->name;
    return FILE_OUTCOME_OK;
}

static bool do_rename(struct model *model)
{
    char path[2 * DEPTH], to_path[2 * DEPTH];
    struct found from, to;
    path_random(model, path);
    path_random(model, to_path);
    uint32_t replacements = model->files->without_exchange ? DIRECTORY_REPLACEMENT_EXCHANGE
                                                           : DIRECTORY_REPLACEMENT_COUNT;
    enum directory_replacement replacement =
        (enum directory_replacement)below(model, replacements);
    // Both paths are walked before anything is compared.
    enum file_outcome expected = path_find(model, path, &from);
    if (expected == FILE_OUTCOME_OK)
        expected = path_find(model, to_path, &to);
    if (expected == FILE_OUTCOME_OK && from.node == NONE)
        expected = FILE_OUTCOME_NOT_FOUND;
    if (expected == FILE_OUTCOME_OK)
        expected = rename_both(model, &from, &to, replacement);
    return outcome_is(model, "rename", path,
                      model->files->rename(model->files->context, path, to_path, replacement),
                      expected);
}

// A file that exists, chosen at random, and its path; NONE if there is none.
static uint32_t file_random(struct model *model, char path[2 * DEPTH])
{
    struct found found;
    for (uint32_t i = 0; i < 20; i++) {
        path_random(model, path);
        if (path_find_node(model, path, &found) == FILE_OUTCOME_OK &&
            !model->nodes[found.node].directory)
            return found.node;
    }
    return NONE;
}

static bool do_write(struct model *model)
{
    char path[2 * DEPTH];
    uint32_t node = file_random(model, path);
    if (node == NONE)
        return true;
    struct node *file = &model->nodes[node];
    uint32_t count = 1 + below(model, below(model, 4) == 0 ? PIECE_BYTES : 100);
    uint32_t offset = below(model, 2) == 0 ? file->size : below(model, FILE_BYTES);
    if (offset > FILE_BYTES - count)
        offset = FILE_BYTES - count;
    for (uint32_t i = 0; i < count; i++)
        model->piece[i] = (uint8_t)(model->step + i);
    memcpy(file->data + offset, model->piece, count);
    if (file->size < offset + count)
        file->size = offset + count;
    return outcome_is(
        model, "write", path,
        model->files->write(model->files->context, path, offset, model->piece, count),
        FILE_OUTCOME_OK);
}

static bool do_truncate(struct model *model)
{
    char path[2 * DEPTH];
    uint32_t node = file_random(model, path);
    if (node == NONE)
        return true;
    struct node *file = &model->nodes[node];
    uint32_t size = below(model, 4) == 0 ? 0 : below(model, FILE_BYTES + 1);
    if (size < file->size)
        memset(file->data + size, 0, file->size - size);
    file->size = size;
    return outcome_is(model, "truncate", path,
                      model->files->truncate(model->files->context, path, size),
                      FILE_OUTCOME_OK);
}

static bool read_compare(struct model *model, const char *path, const struct node *file,
                         uint32_t offset, uint32_t count)
{
    uint32_t read = 0, expected = 0;
    if (offset < file->size)
        expected = count < file->size - offset ? count : file->size - offset;
    enum file_outcome outcome =
        model->files->read(model->files->context, path, offset, model->read, count, &read);
    if (!outcome_is(model, "read", path, outcome, FILE_OUTCOME_OK))
        return false;
    if (read != expected)
        return differs(model, "bytes read of", path, read, expected);
    if (memcmp(model->read, file->data + offset, read) != 0)
        return differs(model, "contents of", path, 0, 1);
    return true;
}

static bool do_read(struct model *model)
{
    char path[2 * DEPTH];
    uint32_t node = file_random(model, path);
    if (node == NONE)
        return true;
    return read_compare(model, path, &model->nodes[node], below(model, FILE_BYTES),
                        1 + below(model, PIECE_BYTES - 1));
}

static bool do_stat(struct model *model)
{
    char path[2 * DEPTH];
    struct found found;
    enum file_kind kind = FILE_KIND_FILE;
    uint64_t size = 0;
    path_random(model, path);
    enum file_outcome expected = path_find_node(model, path, &found);
    if (!outcome_is(model, "stat", path,
                    model->files->stat(model->files->context, path, &kind, &size), expected))
        return false;
    if (expected != FILE_OUTCOME_OK)
        return true;
    const struct node *node = &model->nodes[found.node];
    if ((kind == FILE_KIND_DIRECTORY) != node->directory)
        return differs(model, "kind of", path, kind, node->directory);
    return node->directory || size == node->size ||
           differs(model, "size of", path, size, node->size);
}

// The names of one directory, and the contents of its files.
static bool directory_compare(struct model *model, uint32_t directory, const char *path)
{
    char names[64];
    uint32_t count = 0, expected = 0;
    if (!outcome_is(model, "list", path,
                    model->files->list(model->files->context, path, names, &count),
                    FILE_OUTCOME_OK))
        return false;
    for (uint32_t i = 1; i < NODES_MAX; i++)
        expected += model->nodes[i].used && model->nodes[i].parent == directory;
    if (count != expected)
        return differs(model, "entries of", path, count, expected);
    for (uint32_t i = 0; i < count; i++) {
        if (child_find(model, directory, names[i]) == NONE)
            return differs(model, "an entry of", path, (uint8_t)names[i], 0);
        for (uint32_t j = 0; j < i; j++)
            if (names[i] == names[j])
                return differs(model, "twice in", path, (uint8_t)names[i], 0);
    }
    return true;
}

static void path_of(const struct model *model, uint32_t node, char path[2 * NODES_MAX])
{
    uint32_t length = 0;
    for (uint32_t at = node; at != ROOT; at = model->nodes[at].parent)
        length += 2;
    path[length == 0 ? 0 : length - 1] = '\0';
    for (uint32_t at = node; at != ROOT; at = model->nodes[at].parent) {
        length -= 2;
        path[length] = model->nodes[at].name;
        if (length > 0)
            path[length - 1] = '/';
    }
}

static bool all_compare(struct model *model)
{
    char path[2 * NODES_MAX];
    for (uint32_t i = 0; i < NODES_MAX; i++) {
        const struct node *node = &model->nodes[i];
        if (!node->used)
            continue;
        path_of(model, i, path);
        if (node->directory) {
            if (!directory_compare(model, i, path))
                return false;
            continue;
        }
        for (uint32_t offset = 0; offset <= node->size; offset += PIECE_BYTES)
            if (!read_compare(model, path, node, offset, PIECE_BYTES))
                return false;
    }
    return true;
}

// Leaves first.
static bool all_remove(struct model *model)
{
    char path[2 * NODES_MAX];
    for (bool left = true; left;) {
        left = false;
        for (uint32_t i = 1; i < NODES_MAX; i++) {
            if (!model->nodes[i].used || has_children(model, i))
                continue;
            path_of(model, i, path);
            if (!outcome_is(
                    model, "remove", path,
                    model->files->remove(model->files->context, path, DIRECTORY_REMOVAL_ANY),
                    FILE_OUTCOME_OK))
                return false;
            model->nodes[i].used = false;
            left = true;
        }
    }
    return directory_compare(model, ROOT, "");
}

static bool run(struct model *model, uint32_t operation_count)
{
    static bool (*const operations[])(struct model *) = {
        do_make,  do_make,  do_make,  do_remove, do_rename,   do_rename,
        do_write, do_write, do_write, do_read,   do_truncate, do_stat,
    };
    for (model->step = 0; model->step < operation_count; model->step++) {
        uint32_t which = below(model, sizeof operations / sizeof operations[0]);
        if (!operations[which](model) || (model->step % 500 == 499 && !all_compare(model)))
            return false;
    }
    return all_compare(model) && all_remove(model);
}

bool test_files_compare(const struct test_files *files, uint64_t seed, uint32_t operation_count,
                        char problem[200])
{
    struct model *model = calloc(1, sizeof *model);
    uint8_t *data = calloc(NODES_MAX, FILE_BYTES);
    bool same = false;
    if (model == nullptr || data == nullptr) {
        snprintf(problem, 200, "no memory for the model");
    } else {
        for (uint32_t i = 0; i < NODES_MAX; i++)
            model->nodes[i].data = data + (size_t)i * FILE_BYTES;
        model->nodes[ROOT] =
            (struct node){.used = true, .directory = true, .parent = NONE, .data = data};
        model->files = files;
        model->random = seed | 1;
        model->problem = problem;
        same = run(model, operation_count);
    }
    free(data);
    free(model);
    return same;
}
