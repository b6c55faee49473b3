// SPDX-License-Identifier: MIT
// Intrusive red-black trees: sorted sets whose nodes lie in the elements, so that no
// operation allocates or fails, and each takes O(log n) (lib/rbtree.c).
//
// The tree doesn't know the order.  To insert, the caller walks down from the root with
// its own comparison and links the node where the walk ended; rbtree_insert does both
// with a comparison function.  Equal elements are allowed: the later one goes behind.
//
// A tree may be *augmented*: each element then caches a value over its subtree (the
// largest gap, the earliest deadline), and `update` recomputes that of one element from
// its own value and its children's, and says whether that is another than before.  The tree
// calls it bottom-up wherever a subtree changed, until nothing changes.
//
// Source: Guibas and Sedgewick 1978; Cormen, Leiserson, Rivest, Stein, chapter 13.
// Tested in lib/rbtree_test.c against a model, with the invariants checked each step.
#pragma once

#include <lib/container_of.h>

struct rbtree_node {
    struct rbtree_node *parent;
    struct rbtree_node *child[2]; // 0: before, 1: behind
    bool red;
};

struct rbtree {
    struct rbtree_node *root;
    struct rbtree_node *first; // the leftmost node, so that a minimum costs nothing
    // Recomputes a node's cached value; nullptr when the tree isn't augmented.
    bool (*update)(struct rbtree_node *node);
};

// An empty tree.
static inline void rbtree_init(struct rbtree *tree, bool (*update)(struct rbtree_node *node))
{
    *tree = (struct rbtree){.update = update};
}

[[nodiscard]] static inline bool rbtree_empty(const struct rbtree *tree)
{
    return tree->root == nullptr;
}

// Puts a node in by order: `before(a, b)` says whether a belongs before b.
void rbtree_insert(struct rbtree *tree, struct rbtree_node *node,
                   bool (*before)(const struct rbtree_node *a, const struct rbtree_node *b));

// Puts a node at the place that the caller's own walk found: as the child `side` of
// `parent`, which is free; parent is nullptr for the root of an empty tree.
void rbtree_link(struct rbtree *tree, struct rbtree_node *node, struct rbtree_node *parent,
                 unsigned side);

// Takes a node out.
void rbtree_remove(struct rbtree *tree, struct rbtree_node *node);

// The value of a node has changed (not its order): updates it and what depends on it.
void rbtree_changed(struct rbtree *tree, struct rbtree_node *node);

// The ends, and the neighbours of a node; nullptr where there is none.
[[nodiscard]] static inline struct rbtree_node *rbtree_first(const struct rbtree *tree)
{
    return tree->first;
}
[[nodiscard]] struct rbtree_node *rbtree_last(const struct rbtree *tree);
[[nodiscard]] struct rbtree_node *rbtree_next(const struct rbtree_node *node);
[[nodiscard]] struct rbtree_node *rbtree_previous(const struct rbtree_node *node);

// The first node that isn't before `key`; nullptr when all are.  `before_key(node, key)`
// says whether the node lies before the key.
[[nodiscard]] struct rbtree_node *
rbtree_lower_bound(const struct rbtree *tree, const void *key,
                   bool (*before_key)(const struct rbtree_node *node, const void *key));
