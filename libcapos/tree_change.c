// SPDX-License-Identifier: MIT
// What Directory's methods do with names, over the operations of a tree: the rules of the
// schema that are the same for every file service.
#include <capos/tree.h>

void tree_init(struct tree *tree, const struct tree_ops *ops, struct tree_node *root)
{
    *tree = (struct tree){.ops = ops, .root = tree_get(root), .handle_count_max = UINT32_MAX};
}

enum file_outcome tree_find(struct tree *tree, struct tree_node *start, struct wire_data path,
                            bool follow, struct tree_node **out_node)
{
    struct tree_place place;
    enum file_outcome outcome = tree_walk(tree, start, path, follow, &place);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    *out_node = place.node;
    tree_put(tree, place.directory);
    return place.node == nullptr ? FILE_OUTCOME_NOT_FOUND : FILE_OUTCOME_OK;
}

// Why a node that was found isn't what is to be opened; OK if it is.
static enum file_outcome kind_outcome(enum file_kind found, enum file_kind wanted)
{
    if (found == wanted)
        return FILE_OUTCOME_OK;
    if (found == FILE_KIND_SYMLINK)
        return FILE_OUTCOME_SYMLINK;
    if (wanted == FILE_KIND_DIRECTORY)
        return FILE_OUTCOME_NOT_DIRECTORY;
    return found == FILE_KIND_DIRECTORY ? FILE_OUTCOME_IS_DIRECTORY
                                        : FILE_OUTCOME_NOT_SUPPORTED;
}

enum file_outcome tree_find_kind(struct tree *tree, struct tree_node *start,
                                 struct wire_data path, bool follow, enum file_kind kind,
                                 struct tree_node **out_node)
{
    struct tree_node *node;
    enum file_outcome outcome = tree_find(tree, start, path, follow, &node);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = kind_outcome(node->kind, kind);
    if (outcome == FILE_OUTCOME_OK)
        *out_node = node;
    else
        tree_put(tree, node);
    return outcome;
}

static enum file_outcome create_at(struct tree *tree, const struct tree_place *place,
                                   const struct tree_creation *creation,
                                   struct tree_node **out_node)
{
    if (tree->ops->create == nullptr)
        return FILE_OUTCOME_READ_ONLY;
    struct tree_node *node;
    enum file_outcome outcome =
        tree->ops->create(tree, place->directory, place->name, creation, &node);
    if (outcome == FILE_OUTCOME_OK)
        *out_node = tree_get(node);
    return outcome;
}

// What is there and is to be opened.
static enum file_outcome open_there(struct tree *tree, struct tree_node *node,
                                    const struct tree_opening *opening)
{
    if (opening->create && opening->exclusive)
        return FILE_OUTCOME_EXISTS;
    enum file_outcome outcome = kind_outcome(node->kind, opening->creation.kind);
    if (outcome != FILE_OUTCOME_OK || !opening->truncate)
        return outcome;
    if (tree->ops->truncate == nullptr)
        return FILE_OUTCOME_READ_ONLY;
    return tree->ops->truncate(tree, node, 0);
}

enum file_outcome tree_open(struct tree *tree, struct tree_node *start, struct wire_data path,
                            const struct tree_opening *opening, struct tree_node **out_node,
                            bool *out_created)
{
    struct tree_place place;
    bool exclusive = opening->create && opening->exclusive;
    enum file_outcome outcome =
        tree_walk(tree, start, path, opening->follow && !exclusive, &place);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    *out_created = place.node == nullptr;
    if (place.node == nullptr)
        outcome = opening->create ? create_at(tree, &place, &opening->creation, &place.node)
                                  : FILE_OUTCOME_NOT_FOUND;
    else
        outcome = open_there(tree, place.node, opening);
    if (outcome == FILE_OUTCOME_OK)
        *out_node = tree_get(place.node);
    tree_place_put(tree, &place);
    return outcome;
}

enum file_outcome tree_create(struct tree *tree, struct tree_node *start, struct wire_data path,
                              const struct tree_creation *creation)
{
    struct tree_place place;
    enum file_outcome outcome = tree_walk(tree, start, path, false, &place);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = place.node != nullptr ? FILE_OUTCOME_EXISTS
                                    : create_at(tree, &place, creation, &place.node);
    tree_place_put(tree, &place);
    return outcome;
}

static enum file_outcome removal_outcome(enum file_kind kind, enum directory_removal what)
{
    bool directory = kind == FILE_KIND_DIRECTORY;
    if (what == DIRECTORY_REMOVAL_DIRECTORY && !directory)
        return FILE_OUTCOME_NOT_DIRECTORY;
    if (what == DIRECTORY_REMOVAL_NOT_DIRECTORY && directory)
        return FILE_OUTCOME_IS_DIRECTORY;
    return FILE_OUTCOME_OK;
}

enum file_outcome tree_remove(struct tree *tree, struct tree_node *start, struct wire_data path,
                              enum directory_removal what)
{
    struct tree_place place;
    enum file_outcome outcome = tree_walk(tree, start, path, false, &place);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (place.node == nullptr)
        outcome = FILE_OUTCOME_NOT_FOUND;
    else
        outcome = removal_outcome(place.node->kind, what);
    if (outcome == FILE_OUTCOME_OK)
        outcome = tree->ops->remove == nullptr
                      ? FILE_OUTCOME_READ_ONLY
                      : tree->ops->remove(tree, place.directory, place.name, place.node);
    tree_place_put(tree, &place);
    return outcome;
}

// Whether a name may take the place of another one.
static enum file_outcome replacement_outcome(const struct tree_place *from,
                                             const struct tree_place *to,
                                             enum directory_replacement replacement)
{
    if (from->node == nullptr)
        return FILE_OUTCOME_NOT_FOUND;
    if (to->node == nullptr)
        return replacement == DIRECTORY_REPLACEMENT_EXCHANGE ? FILE_OUTCOME_NOT_FOUND
                                                             : FILE_OUTCOME_OK;
    if (replacement == DIRECTORY_REPLACEMENT_REFUSE)
        return FILE_OUTCOME_EXISTS;
    if (replacement == DIRECTORY_REPLACEMENT_EXCHANGE)
        return FILE_OUTCOME_OK;
    bool from_directory = from->node->kind == FILE_KIND_DIRECTORY;
    bool to_directory = to->node->kind == FILE_KIND_DIRECTORY;
    if (from_directory == to_directory)
        return FILE_OUTCOME_OK;
    return to_directory ? FILE_OUTCOME_IS_DIRECTORY : FILE_OUTCOME_NOT_DIRECTORY;
}

static enum file_outcome rename_places(struct tree *tree, const struct tree_place *from,
                                       const struct tree_place *to,
                                       enum directory_replacement replacement)
{
    enum file_outcome outcome = replacement_outcome(from, to, replacement);
    if (outcome != FILE_OUTCOME_OK || from->node == to->node)
        return outcome;
    if (tree->ops->rename == nullptr)
        return FILE_OUTCOME_READ_ONLY;
    return tree->ops->rename(tree, from->directory, from->name, from->node, to->directory,
                             to->name, to->node, replacement == DIRECTORY_REPLACEMENT_EXCHANGE);
}

enum file_outcome tree_rename(struct tree *tree, struct tree_node *start, struct wire_data path,
                              struct tree_node *to_start, struct wire_data to_path,
                              enum directory_replacement replacement)
{
    struct tree_place from, to;
    enum file_outcome outcome = tree_walk(tree, start, path, false, &from);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    // Both paths end at a name of their own, which lies in the message: no symlink at the
    // end is followed, so the second walk doesn't overwrite the first one's.
    outcome = tree_walk(tree, to_start, to_path, false, &to);
    if (outcome == FILE_OUTCOME_OK) {
        outcome = rename_places(tree, &from, &to, replacement);
        tree_place_put(tree, &to);
    }
    tree_place_put(tree, &from);
    return outcome;
}
