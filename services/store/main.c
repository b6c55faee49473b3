// SPDX-License-Identifier: MIT
// store: what a disk holds: its files as a Directory, its blobs as a Store, their names as a
// Namespace.
//
//     device.c      the disk: a BlockDevice
//     main.c        what a volume has, for tree; blobs as files
//     blobs.c       the methods of Store
//     namespace.c   the methods of Namespace
//     snapshot.c    the whole disk as a file, to be copied while it is in use
//
// The volume (volume/) has everything that is kept; here are only the nodes that somebody has
// open.  A disk of zeros becomes a new volume.
//
// What is promised is what <volume/volume.h> promises: what File.sync or Directory.sync has
// answered with `ok` survives the loss of power.  Besides, what was written to a file is synced
// when nobody has the file open any more.
//
// Grants: memory, endpoint, device, timer, entropy; console, for its last words.
// Tested by volume/*_test.c, and booted by tests/system/files_test.c and store_test.c, which
// tests/cli/store_test.py starts.
#include "device.h"
#include "parts.h"

#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/tree.h>

#include <gen/capos/block_device.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/entropy_source.h>
#include <gen/capos/timer.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <lib/container_of.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t CACHE_BYTES = 6 << 20;
constexpr uint32_t READ_CACHE_BYTES = 4 << 20;
constexpr uint32_t BUCKETS = 256;
constexpr uint32_t LOOSE_MAX = 4;

// A node that tree knows: one for each number.
struct node {
    struct tree_node head;
    uint64_t number;
    struct node *next; // in its bucket
    bool removed;
    bool unsynced; // it was written to since the last sync
    bool verified; // a blob, whose hash was compared since somebody has it open
};

struct volume *volume;
endpoint_cap endpoint;
virtual_memory_cap memory;
static struct tree tree;
static struct node root = {.head = {.kind = FILE_KIND_DIRECTORY}, .number = VOLUME_ROOT};
static struct node *buckets[BUCKETS];
static struct node *loose[LOOSE_MAX]; // found last; nobody may have a reference on them
static uint32_t loose_next;
static timer_cap timer;
static entropy_source_cap entropy;

static struct node *node_of(struct tree_node *head)
{
    return container_of(head, struct node, head);
}

static uint64_t number_of(struct tree_node *head)
{
    return node_of(head)->number;
}

// ---- Nodes -------------------------------------------------------------------------

static void node_free(struct node *node)
{
    struct node **link = &buckets[node->number % BUCKETS];
    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
    for (uint32_t i = 0; i < LOOSE_MAX; i++)
        if (loose[i] == node)
            loose[i] = nullptr;
    free(node);
}

// The node of a number.  Without a reference it lives until some more are looked for.
static struct node *node_get(const struct volume_node *found)
{
    struct node **bucket = &buckets[found->number % BUCKETS];
    for (struct node *node = *bucket; node != nullptr; node = node->next)
        if (node->number == found->number)
            return node;
    struct node *node = calloc(1, sizeof *node);
    if (node == nullptr)
        return nullptr;
    node->head.kind = found->kind;
    node->number = found->number;
    node->next = *bucket;
    *bucket = node;
    struct node *old = loose[loose_next % LOOSE_MAX];
    if (old != nullptr && old->head.references == 0)
        node_free(old);
    loose[loose_next++ % LOOSE_MAX] = node;
    return node;
}

static enum file_outcome node_find(enum file_outcome outcome, const struct volume_node *found,
                                   struct tree_node **out_node)
{
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    struct node *node = node_get(found);
    if (node == nullptr)
        return FILE_OUTCOME_NO_SPACE;
    *out_node = &node->head;
    return FILE_OUTCOME_OK;
}

// ---- Names -------------------------------------------------------------------------

static enum file_outcome on_lookup(struct tree *, struct tree_node *directory,
                                   struct wire_data name, struct tree_node **out_node)
{
    struct volume_node found;
    enum file_outcome outcome = volume_lookup(volume, number_of(directory), name, &found);
    return node_find(outcome, &found, out_node);
}

static enum file_outcome on_create(struct tree *, struct tree_node *directory,
                                   struct wire_data name, const struct tree_creation *creation,
                                   struct tree_node **out_node)
{
    struct volume_node made;
    enum file_outcome outcome = volume_create(
        volume, number_of(directory), name,
        &(struct volume_creation){creation->kind, creation->mode, creation->target}, &made);
    return node_find(outcome, &made, out_node);
}

static enum file_outcome on_remove(struct tree *, struct tree_node *, struct wire_data,
                                   struct tree_node *node)
{
    enum file_outcome outcome = volume_remove(volume, number_of(node));
    if (outcome == FILE_OUTCOME_OK)
        node_of(node)->removed = true;
    return outcome;
}

static enum file_outcome on_rename(struct tree *, struct tree_node *, struct wire_data,
                                   struct tree_node *node, struct tree_node *to_directory,
                                   struct wire_data to_name, struct tree_node *replaced,
                                   bool exchange)
{
    enum file_outcome outcome =
        volume_rename(volume, number_of(node), number_of(to_directory), to_name,
                      replaced != nullptr ? number_of(replaced) : 0, exchange);
    if (outcome == FILE_OUTCOME_OK && replaced != nullptr && !exchange)
        node_of(replaced)->removed = true;
    return outcome;
}

static enum file_outcome on_list(struct tree *, struct tree_node *directory, uint64_t cookie,
                                 struct tree_page *page)
{
    static struct volume_entry entries[TREE_PAGE_MAX];
    enum file_outcome outcome = FILE_OUTCOME_OK;
    while (page->count < page->entries_max) {
        struct volume_entry *entry = &entries[page->count];
        outcome = volume_next(volume, number_of(directory), cookie, entry);
        if (outcome != FILE_OUTCOME_OK)
            break;
        cookie = entry->node;
        page->entries[page->count++] = (struct tree_entry){
            .name = {entry->name, entry->name_bytes},
            .kind = entry->kind,
            .inode = entry->node,
            .cookie = entry->node,
        };
    }
    page->end = outcome == FILE_OUTCOME_NOT_FOUND;
    return page->end ? FILE_OUTCOME_OK : outcome;
}

static enum file_outcome on_read_symlink(struct tree *, struct tree_node *node, void *target,
                                         uint32_t *out_bytes)
{
    return volume_read_symlink(volume, number_of(node), target, PATH_BYTES_MAX, out_bytes);
}

// ---- Nodes' contents -----------------------------------------------------------------

static enum file_outcome on_stat(struct tree *, struct tree_node *node,
                                 struct tree_stat *out_stat)
{
    struct volume_stat stat;
    enum file_outcome outcome = volume_stat(volume, number_of(node), &stat);
    if (outcome == FILE_OUTCOME_OK)
        *out_stat = (struct tree_stat){
            .mode = stat.mode,
            .link_count = stat.removed ? 0 : 1,
            .inode = number_of(node),
            .size_bytes = stat.size_bytes,
            .stored_bytes = stat.stored_bytes,
            .version = stat.version,
            .modified_ns = stat.modified_ns,
            .changed_ns = stat.changed_ns,
            .accessed_ns = stat.accessed_ns,
            .created_ns = stat.created_ns,
        };
    return outcome;
}

static enum file_outcome on_set_attributes(struct tree *, struct tree_node *node,
                                           const struct tree_attributes *attributes)
{
    const struct volume_attributes set = {
        .set_mode = attributes->set_mode,
        .set_modified = attributes->set_modified,
        .set_accessed = attributes->set_accessed,
        .mode = attributes->mode,
        .modified_ns = attributes->modified_ns,
        .accessed_ns = attributes->accessed_ns,
    };
    return volume_set_attributes(volume, number_of(node), &set);
}

static enum file_outcome on_read(struct tree *, struct tree_node *node, uint64_t offset,
                                 void *buffer, uint32_t byte_count, uint32_t *out_read)
{
    return volume_read(volume, number_of(node), offset, buffer, byte_count, out_read);
}

// In steps, each of which is whole after a loss of power.
static enum file_outcome on_write(struct tree *, struct tree_node *node, uint64_t offset,
                                  const void *data, uint32_t byte_count, uint32_t *out_written)
{
    uint32_t done = 0;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    while (done < byte_count) {
        uint32_t step = byte_count - done < VOLUME_WRITE_BYTES_MAX ? byte_count - done
                                                                   : VOLUME_WRITE_BYTES_MAX;
        outcome = volume_write(volume, number_of(node), offset + done,
                               (const uint8_t *)data + done, step);
        if (outcome != FILE_OUTCOME_OK)
            break;
        done += step;
    }
    if (done == 0)
        return outcome;
    node_of(node)->unsynced = true;
    *out_written = done;
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_append(struct tree *owner, struct tree_node *node, const void *data,
                                   uint32_t byte_count, uint32_t *out_written,
                                   uint64_t *out_offset)
{
    struct volume_stat stat;
    enum file_outcome outcome = volume_stat(volume, number_of(node), &stat);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    *out_offset = stat.size_bytes;
    return on_write(owner, node, stat.size_bytes, data, byte_count, out_written);
}

static enum file_outcome on_truncate(struct tree *, struct tree_node *node, uint64_t size_bytes)
{
    enum file_outcome outcome = volume_truncate(volume, number_of(node), size_bytes);
    if (outcome == FILE_OUTCOME_OK)
        node_of(node)->unsynced = true;
    return outcome;
}

// ---- The whole ---------------------------------------------------------------------

enum file_outcome sync_all(void)
{
    enum file_outcome outcome = volume_sync(volume);
    for (uint32_t i = 0; outcome == FILE_OUTCOME_OK && i < BUCKETS; i++)
        for (struct node *node = buckets[i]; node != nullptr; node = node->next)
            node->unsynced = false;
    return outcome;
}

static enum file_outcome on_sync(struct tree *, struct tree_node *, bool)
{
    return sync_all();
}

static void on_info(struct tree *, struct directory_info_results *out_info)
{
    struct volume_room room = {};
    if (volume_room(volume, &room) != FILE_OUTCOME_OK)
        room = (struct volume_room){};
    *out_info = (struct directory_info_results){
        .writable = true,
        .persistent = true,
        .symlinks = true,
        .watches = true,
        .name_bytes_max = PATH_NAME_BYTES_MAX,
        .total_bytes = room.total_bytes,
        .free_bytes = room.free_bytes,
        .file_bytes_max = VOLUME_FILE_BYTES_MAX,
        .file_count = room.node_count,
    };
}

static enum file_outcome on_set_quota(struct tree *, struct tree_node *directory,
                                      uint64_t limit_bytes)
{
    return volume_quota_set(volume, number_of(directory), limit_bytes);
}

static void on_quota(struct tree *, struct tree_node *directory,
                     struct directory_info_results *info)
{
    struct volume_quota quota;
    if (volume_quota_room(volume, number_of(directory), &quota) != FILE_OUTCOME_OK)
        return;
    if (quota.total_bytes < info->total_bytes)
        info->total_bytes = quota.total_bytes;
    if (quota.free_bytes < info->free_bytes)
        info->free_bytes = quota.free_bytes;
}

static void on_forget(struct tree *, struct tree_node *head)
{
    struct node *node = node_of(head);
    if (node == &root)
        return;
    if (node->removed)
        volume_forget(volume, node->number);
    else if (node->unsynced)
        (void)sync_all(); // nobody is there to be told; the next sync tells
    node_free(node);
}

static const struct tree_ops ops = {
    .lookup = on_lookup,
    .create = on_create,
    .remove = on_remove,
    .rename = on_rename,
    .list = on_list,
    .read_symlink = on_read_symlink,
    .stat = on_stat,
    .set_attributes = on_set_attributes,
    .read = on_read,
    .write = on_write,
    .append = on_append,
    .truncate = on_truncate,
    .sync = on_sync,
    .info = on_info,
    .set_quota = on_set_quota,
    .quota = on_quota,
    .forget = on_forget,
};

// ---- Blobs -------------------------------------------------------------------------

enum file_outcome blob_open(const struct volume_hash *hash, uint64_t *out_size_bytes,
                            uint64_t *out_cap)
{
    struct volume_node found;
    struct volume_stat stat;
    enum file_outcome outcome = volume_blob_find(volume, hash, &found);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_stat(volume, found.number, &stat);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    struct node *node = node_get(&found);
    if (node == nullptr)
        return FILE_OUTCOME_NO_SPACE;
    if (node->head.references == 0 || !node->verified)
        outcome = volume_blob_verify(volume, found.number, hash);
    node->verified = outcome == FILE_OUTCOME_OK;
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    *out_size_bytes = stat.size_bytes;
    return tree_mint(&tree, &node->head, INTERFACE_READ_ONLY_FILE, out_cap) == STATUS_OK
               ? FILE_OUTCOME_OK
               : FILE_OUTCOME_NO_SPACE;
}

void blob_removed(uint64_t number)
{
    for (struct node *node = buckets[number % BUCKETS]; node != nullptr; node = node->next) {
        if (node->number != number)
            continue;
        node->removed = true;
        if (node->head.references == 0)
            on_forget(&tree, &node->head);
        return;
    }
    volume_forget(volume, number);
}

// ---- Start -------------------------------------------------------------------------

static int64_t now_ns(void)
{
    uint64_t time_ns = 0;
    return timer_now(timer, &time_ns) == STATUS_OK ? (int64_t)time_ns : 0;
}

static void random_bytes(void *to, uint32_t bytes)
{
    if (entropy_source_fill(entropy, bytes, to, bytes, nullptr) != STATUS_OK)
        capos_panic("store: no random numbers");
}

static void volume_start(void)
{
    static const struct volume_options options = {.cache_bytes = CACHE_BYTES,
                                                  .read_cache_bytes = READ_CACHE_BYTES,
                                                  .format = true,
                                                  .now_ns = now_ns,
                                                  .random = random_bytes};
    block_device_cap device;
    const char *problem;
    if (block_device_cap_find("device", &device) != STATUS_OK ||
        timer_cap_find("timer", &timer) != STATUS_OK ||
        entropy_source_cap_find("entropy", &entropy) != STATUS_OK)
        capos_panic("store: needs the grants \"device\", \"timer\" and \"entropy\"");
    struct medium *medium = device_open(device, &problem);
    if (medium == nullptr)
        capos_panic("store: the disk: %s", problem);
    enum file_outcome outcome = volume_open(medium, &options, &volume);
    if (outcome != FILE_OUTCOME_OK)
        capos_panic("store: the disk's volume can't be opened: %s", file_outcome_name(outcome));
}

static void on_call(void *, struct capos_server_call *call)
{
    switch (call->interface_id) {
    case INTERFACE_STORE:
        store_on_call(call);
        break;
    case INTERFACE_NAMESPACE:
    case INTERFACE_READ_ONLY_NAMESPACE:
        namespace_on_call(call);
        break;
    default:
        tree_serve(call);
        break;
    }
}

int main(void)
{
    if (endpoint_cap_find("endpoint", &endpoint) != STATUS_OK ||
        virtual_memory_cap_find("memory", &memory) != STATUS_OK)
        capos_panic("store: needs the grants \"endpoint\" and \"memory\"");
    volume_start();
    buckets[VOLUME_ROOT % BUCKETS] = &root;
    tree_init(&tree, &ops, &root.head);
    tree_export(WORD_ROOT, &tree, &root.head);
    snapshot_export();
    enum status status = tree_service_start(endpoint.id, memory.id, on_call, nullptr);
    if (status != STATUS_OK)
        capos_panic("store: can't start to serve: %s", status_name(status));
    capos_loop_run();
    return 0;
}
