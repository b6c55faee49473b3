// SPDX-License-Identifier: MIT
// Words, objects and nodes; see objects.h.
#include "objects.h"

#include "resolve.h"
#include "sync.h"

#include <capos/panic.h>
#include <capos/sync.h>

#include <gen/capos/endpoint.h>
#include <lib/container_of.h>
#include <stdlib.h>

// A word is the object's number in the table and, above it, how many were made before it;
// the words of init's grants (system/*.capnp) are below.
constexpr uint32_t INDEX_BITS = 20;
constexpr uint32_t OBJECTS_FIRST = 64;
constexpr uint32_t OBJECTS_MAX = 1 << INDEX_BITS;
constexpr uint32_t NONE = UINT32_MAX;

struct object {
    struct node *node; // nullptr: free
    uint64_t word;
    uint32_t next_free;
};

static struct capos_mutex lock; // of all below
static struct object *objects;
static uint32_t object_count, first_free = NONE;
static uint64_t made_count;
static struct list nodes;
static struct node *root;
static endpoint_cap own_endpoint;

void objects_init(endpoint_cap endpoint, uint32_t root_fid, uint64_t root_inode)
{
    own_endpoint = endpoint;
    list_init(&nodes);
    root = node_create(NODE_DIRECTORY, root_fid, root_inode);
    if (root == nullptr)
        capos_panic("hostfs: out of memory");
}

// ---- Nodes -------------------------------------------------------------------------

struct node *node_create(enum node_kind kind, uint32_t fid, uint64_t inode)
{
    struct node *node = malloc(sizeof *node);
    if (node == nullptr)
        return nullptr;
    *node = (struct node){.kind = kind, .references = 1, .fid = fid, .inode = inode};
    capos_mutex_lock(&lock);
    list_push_back(&nodes, &node->link);
    capos_mutex_unlock(&lock);
    return node;
}

void node_put(struct exchange *exchange, struct node *node)
{
    capos_mutex_lock(&lock);
    bool last = --node->references == 0;
    if (last)
        list_remove(&node->link);
    capos_mutex_unlock(&lock);
    if (!last)
        return;
    if (node->kind == NODE_BUFFER)
        device_buffer_destroy(node->buffer);
    else if (node->changed)
        sync_take_file(exchange, node->fid);
    else
        fid_clunk(exchange, node->fid);
    free(node);
}

static struct node *node_at(uint64_t word)
{
    uint64_t index = word & (OBJECTS_MAX - 1);
    if (word < OBJECTS_MAX)
        return root;
    bool live =
        index < object_count && objects[index].node != nullptr && objects[index].word == word;
    return live ? objects[index].node : nullptr;
}

struct node *node_get(uint64_t word)
{
    capos_mutex_lock(&lock);
    struct node *node = node_at(word);
    if (node != nullptr)
        node->references++;
    capos_mutex_unlock(&lock);
    return node;
}

struct node *node_take_changed(void)
{
    struct node *found = nullptr;
    capos_mutex_lock(&lock);
    LIST_FOR_EACH(node, &nodes, struct node, link)
    if (found == nullptr && node->changed)
        found = node;
    if (found != nullptr) {
        found->changed = false;
        found->references++;
    }
    capos_mutex_unlock(&lock);
    return found;
}

void nodes_remove(uint64_t inode)
{
    capos_mutex_lock(&lock);
    LIST_FOR_EACH(node, &nodes, struct node, link)
    if (node->kind == NODE_DIRECTORY && node->inode == inode)
        node->removed = true;
    capos_mutex_unlock(&lock);
}

// ---- Objects -----------------------------------------------------------------------

static bool objects_grow(void)
{
    uint32_t count = object_count == 0 ? OBJECTS_FIRST : object_count * 2;
    struct object *grown =
        count <= OBJECTS_MAX ? realloc(objects, count * sizeof *objects) : nullptr;
    if (grown == nullptr)
        return false;
    for (uint32_t i = object_count; i < count; i++)
        grown[i] = (struct object){.next_free = i + 1 < count ? i + 1 : NONE};
    first_free = object_count;
    objects = grown;
    object_count = count;
    return true;
}

// Returns the new object's word; 0 without memory.
static uint64_t object_add(struct node *node)
{
    uint64_t word = 0;
    capos_mutex_lock(&lock);
    if (first_free != NONE || objects_grow()) {
        uint32_t index = first_free;
        word = ++made_count << INDEX_BITS | index;
        first_free = objects[index].next_free;
        objects[index] = (struct object){.node = node, .word = word};
        node->references++;
    }
    capos_mutex_unlock(&lock);
    return word;
}

// Returns the node that the object had; nullptr: no such object.
static struct node *object_remove(uint64_t word)
{
    capos_mutex_lock(&lock);
    struct node *node = word < OBJECTS_MAX ? nullptr : node_at(word);
    if (node != nullptr) {
        uint32_t index = (uint32_t)(word & (OBJECTS_MAX - 1));
        objects[index] = (struct object){.next_free = first_free};
        first_free = index;
    }
    capos_mutex_unlock(&lock);
    return node;
}

enum status object_mint(struct node *node, uint64_t interface_id, capos_cap_id *out_cap)
{
    uint64_t word = object_add(node);
    if (word == 0)
        return STATUS_OVERLOADED;
    enum status status = endpoint_mint(own_endpoint, interface_id, word, out_cap);
    if (status != STATUS_OK) // the caller has a reference, so this isn't the last one
        node_put(nullptr, object_remove(word));
    return status;
}

void object_released(struct exchange *exchange, uint64_t word)
{
    struct node *node = object_remove(word);
    if (node != nullptr)
        node_put(exchange, node);
}
