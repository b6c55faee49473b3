// SPDX-License-Identifier: MIT
// Red-black trees with parent pointers (see lib/rbtree.h).
//
// Invariants, outside of these functions:
//  1. An in-order walk visits the nodes in the caller's order.
//  2. The root is black, and a red node has no red child.
//  3. Every path from the root to a missing child passes the same number of black nodes.
//     By 2 and 3 no path is more than twice as long as another.
//  4. `first` is the leftmost node.
//  5. In an augmented tree every node's cached value is what `update` would compute.
//
// Rotations keep 1 and 3's counts but for the colours that the caller exchanges.  They
// update the two nodes that they turn; all above them keep their set of elements.  So
// for 5 it is enough to update the path to the root once where an element came or went,
// before rebalancing.
#include <lib/rbtree.h>

static bool is_red(const struct rbtree_node *node)
{
    return node != nullptr && node->red;
}

static unsigned side_of(const struct rbtree_node *node)
{
    return node->parent->child[1] == node ? 1 : 0;
}

static void update(struct rbtree *tree, struct rbtree_node *node)
{
    if (tree->update != nullptr)
        (void)tree->update(node);
}

void rbtree_changed(struct rbtree *tree, struct rbtree_node *node)
{
    if (tree->update == nullptr)
        return;
    while (node != nullptr && tree->update(node))
        node = node->parent;
}

// Puts `new` (or nothing) where `old` hangs, on its parent's side only.
static void replace_child(struct rbtree *tree, struct rbtree_node *old, struct rbtree_node *new)
{
    if (old->parent == nullptr)
        tree->root = new;
    else
        old->parent->child[side_of(old)] = new;
    if (new != nullptr)
        new->parent = old->parent;
}

// Turns `node` down to `side`; its child of the other side takes its place.
static void rotate(struct rbtree *tree, struct rbtree_node *node, unsigned side)
{
    struct rbtree_node *riser = node->child[!side];
    struct rbtree_node *inner = riser->child[side];
    replace_child(tree, node, riser);
    riser->child[side] = node;
    node->parent = riser;
    node->child[!side] = inner;
    if (inner != nullptr)
        inner->parent = node;
    update(tree, node);
    update(tree, riser);
}

// A red node was linked; only its red parent can break invariant 2.
[[gnu::noinline]] static void rebalance_inserted(struct rbtree *tree, struct rbtree_node *node)
{
    while (is_red(node->parent)) {
        struct rbtree_node *parent = node->parent;
        struct rbtree_node *grandparent = parent->parent; // a red node isn't the root
        unsigned side = side_of(parent);
        struct rbtree_node *uncle = grandparent->child[!side];
        if (is_red(uncle)) {
            parent->red = false;
            uncle->red = false;
            grandparent->red = true;
            node = grandparent;
            continue;
        }
        if (side_of(node) != side) {
            rotate(tree, parent, side);
            parent = node;
        }
        parent->red = false;
        grandparent->red = true;
        rotate(tree, grandparent, !side);
        break;
    }
    tree->root->red = false;
}

[[gnu::noinline]] static void update_inserted(struct rbtree *tree, struct rbtree_node *node)
{
    update(tree, node); // what it had cached before means nothing
    rbtree_changed(tree, node->parent);
}

void rbtree_link(struct rbtree *tree, struct rbtree_node *node, struct rbtree_node *parent,
                 unsigned side)
{
    *node = (struct rbtree_node){.parent = parent, .red = true};
    if (parent == nullptr) {
        tree->root = node;
        tree->first = node;
    } else {
        parent->child[side] = node;
        if (parent == tree->first && side == 0)
            tree->first = node;
    }
    if (tree->update != nullptr)
        update_inserted(tree, node);
    if (parent == nullptr)
        node->red = false;
    else if (parent->red)
        rebalance_inserted(tree, node);
}

void rbtree_insert(struct rbtree *tree, struct rbtree_node *node,
                   bool (*before)(const struct rbtree_node *a, const struct rbtree_node *b))
{
    struct rbtree_node *parent = nullptr;
    unsigned side = 0;
    for (struct rbtree_node *at = tree->root; at != nullptr; at = at->child[side]) {
        parent = at;
        side = before(node, at) ? 0 : 1;
    }
    rbtree_link(tree, node, parent, side);
}

// The paths through `node` (nullptr: a missing child of `parent`) have one black node
// too few.
[[gnu::noinline]] static void rebalance_removed(struct rbtree *tree, struct rbtree_node *node,
                                                struct rbtree_node *parent)
{
    while (parent != nullptr && !is_red(node)) {
        // By invariant 3 the short side has a sibling, so the sides differ.
        unsigned side = parent->child[0] == node ? 0 : 1;
        struct rbtree_node *sibling = parent->child[!side];
        if (is_red(sibling)) {
            sibling->red = false;
            parent->red = true;
            rotate(tree, parent, side);
            sibling = parent->child[!side];
        }
        if (!is_red(sibling->child[0]) && !is_red(sibling->child[1])) {
            sibling->red = true; // now both sides are short: go on above
            node = parent;
            parent = node->parent;
            continue;
        }
        if (!is_red(sibling->child[!side])) {
            sibling->child[side]->red = false;
            sibling->red = true;
            rotate(tree, sibling, !side);
            sibling = parent->child[!side];
        }
        sibling->red = parent->red;
        parent->red = false;
        sibling->child[!side]->red = false;
        rotate(tree, parent, side);
        return;
    }
    if (node != nullptr)
        node->red = false;
}

// Puts `successor`, the leftmost node behind `node`, into the place of `node`, which has
// two children.  Returns the parent of the place that the successor left.
static struct rbtree_node *replace_by_successor(struct rbtree *tree, struct rbtree_node *node,
                                                struct rbtree_node *successor)
{
    struct rbtree_node *left_place = successor->parent;
    if (left_place == node) {
        left_place = successor;
    } else {
        replace_child(tree, successor, successor->child[1]);
        successor->child[1] = node->child[1];
        successor->child[1]->parent = successor;
    }
    replace_child(tree, node, successor);
    successor->child[0] = node->child[0];
    successor->child[0]->parent = successor;
    successor->red = node->red;
    return left_place;
}

// The general way.
[[gnu::noinline]] static void take_out(struct rbtree *tree, struct rbtree_node *node)
{
    struct rbtree_node *parent;         // of the place where a node went missing,
    struct rbtree_node *child;          // what is there now,
    bool red;                           // and the colour that went missing
    struct rbtree_node *parent_changed; // has other children than before
    if (node->child[0] != nullptr && node->child[1] != nullptr) {
        struct rbtree_node *successor = rbtree_next(node);
        child = successor->child[1];
        red = successor->red;
        parent = replace_by_successor(tree, node, successor);
        rbtree_changed(tree, parent);
        update(tree, successor); // what it had cached belongs to its old place
        parent_changed = successor->parent;
    } else {
        child = node->child[0] != nullptr ? node->child[0] : node->child[1];
        red = node->red;
        parent = node->parent;
        replace_child(tree, node, child);
        parent_changed = parent;
    }
    rbtree_changed(tree, parent_changed);
    if (!red)
        rebalance_removed(tree, child, parent);
    *node = (struct rbtree_node){};
}

// Most nodes have one child at most.  By invariant 3 that is red, and has none itself.
void rbtree_remove(struct rbtree *tree, struct rbtree_node *node)
{
    struct rbtree_node *parent = node->parent, *child = node->child[0];
    if (child == nullptr)
        child = node->child[1];
    if (tree->first == node)
        tree->first = child != nullptr ? child : parent; // the first has no child before it
    if (tree->update != nullptr || (node->child[0] != nullptr && node->child[1] != nullptr))
        return take_out(tree, node);
    replace_child(tree, node, child);
    bool red = node->red;
    *node = (struct rbtree_node){};
    if (child != nullptr)
        child->red = false;
    else if (!red && parent != nullptr)
        rebalance_removed(tree, nullptr, parent);
}

// The outermost node of a subtree on a side.
static struct rbtree_node *outermost(struct rbtree_node *node, unsigned side)
{
    while (node != nullptr && node->child[side] != nullptr)
        node = node->child[side];
    return node;
}

// The neighbour of a node on a side.
static struct rbtree_node *neighbour(const struct rbtree_node *node, unsigned side)
{
    if (node->child[side] != nullptr)
        return outermost(node->child[side], !side);
    while (node->parent != nullptr && side_of(node) == side)
        node = node->parent;
    return node->parent;
}

struct rbtree_node *rbtree_last(const struct rbtree *tree)
{
    return outermost(tree->root, 1);
}

struct rbtree_node *rbtree_next(const struct rbtree_node *node)
{
    return neighbour(node, 1);
}

struct rbtree_node *rbtree_previous(const struct rbtree_node *node)
{
    return neighbour(node, 0);
}

struct rbtree_node *rbtree_lower_bound(const struct rbtree *tree, const void *key,
                                       bool (*before_key)(const struct rbtree_node *node,
                                                          const void *key))
{
    struct rbtree_node *found = nullptr;
    struct rbtree_node *at = tree->root;
    while (at != nullptr) {
        if (before_key(at, key)) {
            at = at->child[1];
        } else {
            found = at;
            at = at->child[0];
        }
    }
    return found;
}
