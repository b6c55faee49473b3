// SPDX-License-Identifier: MIT
// Tests of lib/rbtree.c: random operations against a sorted array as model; each step
// checks every invariant of the tree, the cached values of the augmentation included.
#include <lib/rbtree.h>
#include <test/test.h>

struct item {
    struct rbtree_node node;
    unsigned key;
    uint64_t weight;     // any number
    uint64_t weight_max; // cached: the largest weight in the subtree
    bool linked;
};

constexpr unsigned ITEM_COUNT = 200;

static uint64_t random_state = 7;

static unsigned random_below(unsigned bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((random_state >> 33) % bound);
}

static struct item *item_of(const struct rbtree_node *node)
{
    return container_of_or_null((void *)(uintptr_t)node, struct item, node);
}

static uint64_t weight_max_of(const struct item *item)
{
    uint64_t max = item->weight;
    for (unsigned side = 0; side < 2; side++) {
        const struct item *child = item_of(item->node.child[side]);
        if (child != nullptr && child->weight_max > max)
            max = child->weight_max;
    }
    return max;
}

static bool update(struct rbtree_node *node)
{
    uint64_t before_max = item_of(node)->weight_max;
    item_of(node)->weight_max = weight_max_of(item_of(node));
    return item_of(node)->weight_max != before_max;
}

static bool before(const struct rbtree_node *a, const struct rbtree_node *b)
{
    return item_of(a)->key < item_of(b)->key;
}

static bool before_key(const struct rbtree_node *node, const void *key)
{
    return item_of(node)->key < *(const unsigned *)key;
}

// Checks a subtree and returns its black height.  Recursion is bounded by the height.
static unsigned check_subtree(const struct rbtree *tree, const struct rbtree_node *node,
                              unsigned *count)
{
    if (node == nullptr)
        return 0;
    unsigned height[2];
    for (unsigned side = 0; side < 2; side++) {
        const struct rbtree_node *child = node->child[side];
        if (child != nullptr) {
            CHECK(child->parent == node);
            CHECK(!(node->red && child->red));
        }
        height[side] = check_subtree(tree, child, count);
    }
    CHECK_EQ(height[0], height[1]);
    if (tree->update != nullptr)
        CHECK_EQ(item_of(node)->weight_max, weight_max_of(item_of(node)));
    (*count)++;
    return height[0] + !node->red;
}

static void check_tree(const struct rbtree *tree, struct item *const *model, unsigned count)
{
    unsigned counted = 0;
    (void)check_subtree(tree, tree->root, &counted);
    CHECK_EQ(counted, count);
    CHECK(tree->root == nullptr || (!tree->root->red && tree->root->parent == nullptr));
    CHECK_EQ(rbtree_empty(tree), count == 0);
    CHECK(item_of(rbtree_first(tree)) == (count == 0 ? nullptr : model[0]));
    CHECK(item_of(rbtree_last(tree)) == (count == 0 ? nullptr : model[count - 1]));
    unsigned index = 0;
    for (struct rbtree_node *node = rbtree_first(tree); node != nullptr;
         node = rbtree_next(node)) {
        CHECK(item_of(node) == model[index]);
        CHECK(item_of(rbtree_previous(node)) == (index == 0 ? nullptr : model[index - 1]));
        index++;
    }
    CHECK_EQ(index, count);
}

// The index of the first model item whose key isn't below `key`.
static unsigned model_lower_bound(struct item *const *model, unsigned count, unsigned key)
{
    unsigned index = 0;
    while (index < count && model[index]->key < key)
        index++;
    return index;
}

static void run_random_operations(bool (*update_function)(struct rbtree_node *), unsigned steps,
                                  unsigned key_bound)
{
    static struct item items[ITEM_COUNT];
    struct item *model[ITEM_COUNT];
    unsigned count = 0;
    struct rbtree tree;
    memset(items, 0, sizeof items);
    rbtree_init(&tree, update_function);

    for (unsigned step = 0; step < steps && !test_this_failed; step++) {
        struct item *item = &items[random_below(ITEM_COUNT)];
        if (item->linked && random_below(4) == 0) {
            item->weight = random_below(1000);
            rbtree_changed(&tree, &item->node);
        } else if (item->linked) {
            unsigned at = 0;
            while (model[at] != item)
                at++;
            rbtree_remove(&tree, &item->node);
            memmove(&model[at], &model[at + 1], (count - at - 1) * sizeof model[0]);
            count--;
            item->linked = false;
        } else {
            item->key = random_below(key_bound);
            item->weight = random_below(1000);
            rbtree_insert(&tree, &item->node, before);
            // Equal keys go behind those that are there.
            unsigned at = model_lower_bound(model, count, item->key + 1);
            memmove(&model[at + 1], &model[at], (count - at) * sizeof model[0]);
            model[at] = item;
            count++;
            item->linked = true;
        }
        check_tree(&tree, model, count);
        unsigned key = random_below(key_bound + 2);
        unsigned bound = model_lower_bound(model, count, key);
        CHECK(item_of(rbtree_lower_bound(&tree, &key, before_key)) ==
              (bound == count ? nullptr : model[bound]));
    }
}

static void rbtree_behaves_as_the_model_under_random_operations(void)
{
    run_random_operations(nullptr, 15000, 100000);
}

static void rbtree_keeps_equal_keys_in_order_of_insertion(void)
{
    run_random_operations(nullptr, 5000, 10);
}

static void rbtree_keeps_cached_values_of_every_subtree(void)
{
    run_random_operations(update, 15000, 500);
}

static void rbtree_stays_shallow_when_filled_in_order(void)
{
    static struct item items[4096];
    struct rbtree tree;
    rbtree_init(&tree, nullptr);
    for (unsigned i = 0; i < 4096; i++) {
        items[i].key = i;
        rbtree_insert(&tree, &items[i].node, before);
    }
    unsigned depth_max = 0;
    for (unsigned i = 0; i < 4096; i++) {
        unsigned depth = 0;
        for (const struct rbtree_node *node = &items[i].node; node != nullptr;
             node = node->parent)
            depth++;
        if (depth > depth_max)
            depth_max = depth;
    }
    CHECK(depth_max <= 24); // 2 * log2(n + 1)
    for (unsigned i = 0; i < 4096; i++)
        rbtree_remove(&tree, rbtree_first(&tree));
    CHECK(rbtree_empty(&tree));
}

int main(void)
{
    RUN(rbtree_behaves_as_the_model_under_random_operations);
    RUN(rbtree_keeps_equal_keys_in_order_of_insertion);
    RUN(rbtree_keeps_cached_values_of_every_subtree);
    RUN(rbtree_stays_shallow_when_filled_in_order);
    return test_report();
}
