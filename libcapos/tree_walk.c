// SPDX-License-Identifier: MIT
// Paths: from a directory down, through symlinks, and never above where it began.
//
// The walk keeps the directories that it went through on a stack, so that ".." of a symlink
// means the directory through which the walk came; below the bottom of the stack there is nothing.
// What is still to be walked is a stack of strings: the path, and above it the targets of the
// symlinks that were met.
#include <capos/tree.h>

#include <string.h>

// Directories on the way: the names of a path, and as many again behind symlinks.
constexpr uint32_t DEPTH_MAX = 2 * PATH_NAMES_MAX;

struct walk {
    struct tree *tree;
    struct tree_node *way[DEPTH_MAX];
    struct wire_data rest[TREE_SYMLINKS_MAX + 1]; // what is still to be walked
    uint32_t depth;                               // of `way`
    uint32_t rest_count;
    uint32_t symlink_count;
};

// One walk at a time: a tree belongs to one thread.
static uint8_t targets[TREE_SYMLINKS_MAX][PATH_BYTES_MAX];

void tree_put(struct tree *tree, struct tree_node *node)
{
    if (node != nullptr && --node->references == 0 && tree->ops->forget != nullptr)
        tree->ops->forget(tree, node);
}

void tree_place_put(struct tree *tree, struct tree_place *place)
{
    tree_put(tree, place->node);
    tree_put(tree, place->directory);
    *place = (struct tree_place){};
}

static void walk_end(struct walk *walk)
{
    while (walk->depth > 0)
        tree_put(walk->tree, walk->way[--walk->depth]);
}

// The next component, and whether it is the last one that does anything.
static bool walk_next(struct walk *walk, struct wire_data *out_component)
{
    while (walk->rest_count > 0) {
        if (path_next(&walk->rest[walk->rest_count - 1], out_component))
            return true;
        walk->rest_count--;
    }
    return false;
}

static bool walk_is_done(const struct walk *walk)
{
    for (uint32_t i = 0; i < walk->rest_count; i++)
        if (walk->rest[i].data != nullptr)
            return false;
    return true;
}

// Goes on with where the symlink leads, seen from the directory that it lies in.
static enum file_outcome walk_follow(struct walk *walk, struct tree_node *symlink)
{
    if (walk->tree->ops->read_symlink == nullptr)
        return FILE_OUTCOME_NOT_SUPPORTED;
    if (walk->symlink_count == TREE_SYMLINKS_MAX)
        return FILE_OUTCOME_TOO_MANY_SYMLINKS;
    uint8_t *target = targets[walk->symlink_count++];
    uint32_t target_bytes = 0;
    enum file_outcome outcome =
        walk->tree->ops->read_symlink(walk->tree, symlink, target, &target_bytes);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (target_bytes == 0)
        return FILE_OUTCOME_NOT_FOUND;
    if (target[0] == '/')
        return FILE_OUTCOME_OUTSIDE;
    // Each string on the stack but the last has components left, so there is room.
    while (walk->rest_count > 0 && walk->rest[walk->rest_count - 1].data == nullptr)
        walk->rest_count--;
    walk->rest[walk->rest_count++] = (struct wire_data){target, target_bytes};
    return FILE_OUTCOME_OK;
}

static enum file_outcome walk_up(struct walk *walk)
{
    if (walk->way[walk->depth - 1]->kind != FILE_KIND_DIRECTORY)
        return FILE_OUTCOME_NOT_DIRECTORY;
    if (walk->depth == 1)
        return FILE_OUTCOME_OUTSIDE;
    tree_put(walk->tree, walk->way[--walk->depth]);
    return FILE_OUTCOME_OK;
}

// A name of the directory on top: *out_node has a reference, or is nullptr.
static enum file_outcome walk_lookup(struct walk *walk, struct wire_data name,
                                     struct tree_node **out_node)
{
    struct tree_node *directory = walk->way[walk->depth - 1];
    *out_node = nullptr;
    if (directory->kind != FILE_KIND_DIRECTORY)
        return FILE_OUTCOME_NOT_DIRECTORY;
    if (!path_is_name(name)) // of a symlink's target
        return FILE_OUTCOME_NOT_FOUND;
    enum file_outcome outcome = walk->tree->ops->lookup(walk->tree, directory, name, out_node);
    if (outcome == FILE_OUTCOME_OK)
        tree_get(*out_node);
    return outcome;
}

// The walk ended at the last name of all: `directory` is what lies on top.
static void place_name(struct walk *walk, struct wire_data name, struct tree_node *node,
                       struct tree_place *out_place)
{
    *out_place = (struct tree_place){
        .directory = walk->way[--walk->depth],
        .name = name,
        .node = node,
    };
}

// One name.  *out_done: the walk has ended there.
static enum file_outcome walk_name(struct walk *walk, struct wire_data name, bool follow,
                                   struct tree_place *out_place, bool *out_done)
{
    struct tree_node *node;
    enum file_outcome outcome = walk_lookup(walk, name, &node);
    bool last = walk_is_done(walk);
    if (last && (outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_NOT_FOUND) &&
        path_is_name(name) && (node == nullptr || node->kind != FILE_KIND_SYMLINK || !follow)) {
        place_name(walk, name, node, out_place);
        *out_done = true;
        return FILE_OUTCOME_OK;
    }
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (node->kind == FILE_KIND_SYMLINK) {
        outcome = walk_follow(walk, node);
        tree_put(walk->tree, node);
        return outcome;
    }
    if (walk->depth == DEPTH_MAX) {
        tree_put(walk->tree, node);
        return FILE_OUTCOME_TOO_MANY_SYMLINKS;
    }
    walk->way[walk->depth++] = node;
    return FILE_OUTCOME_OK;
}

enum file_outcome tree_walk(struct tree *tree, struct tree_node *start, struct wire_data path,
                            bool follow, struct tree_place *out_place)
{
    struct walk walk; // large: what is used of the arrays is written first
    walk.tree = tree;
    walk.depth = walk.rest_count = walk.symlink_count = 0;
    walk.way[walk.depth++] = tree_get(start);
    walk.rest[walk.rest_count++] = path.size_bytes == 0 ? (struct wire_data){} : path;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    struct wire_data component;
    bool done = false;
    while (outcome == FILE_OUTCOME_OK && !done && walk_next(&walk, &component)) {
        switch (path_component_kind(component)) {
        case PATH_STAY:
            if (walk.way[walk.depth - 1]->kind != FILE_KIND_DIRECTORY)
                outcome = FILE_OUTCOME_NOT_DIRECTORY;
            break;
        case PATH_UP:
            outcome = walk_up(&walk);
            break;
        case PATH_NAME:
            outcome = walk_name(&walk, component, follow, out_place, &done);
            break;
        }
    }
    if (outcome == FILE_OUTCOME_OK && !done) // it ended without a name of its own
        *out_place = (struct tree_place){.node = walk.way[--walk.depth]};
    walk_end(&walk);
    return outcome;
}
