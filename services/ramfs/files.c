// SPDX-License-Identifier: MIT
#include "files.h"

#include <string.h>

constexpr uint32_t NUMBERS = PAGES_BYTES / sizeof(uint32_t); // in a page of numbers
// An index has three levels at most.
static_assert(FILES_BYTES_MAX == (uint64_t)PAGES_BYTES * NUMBERS * NUMBERS * NUMBERS);

struct entry {
    struct rbtree_node by_name, by_cookie;
    uint64_t cookie;
    struct node *node;
    uint8_t name_bytes;
    uint8_t name[];
};

struct node {
    struct tree_node head;
    bool removed; // no name leads to it
    uint16_t mode;
    uint64_t inode;
    uint64_t version;
    int64_t modified_ns, changed_ns, accessed_ns, created_ns;
    union {
        struct {
            uint64_t size_bytes;
            uint32_t root; // a page of data at height 0, else of numbers; 0: none
            uint32_t height;
            uint32_t page_count; // of data
        } file;
        struct {
            struct rbtree by_name, by_cookie;
            struct node *parent; // nullptr: the root, or removed
            uint64_t last_cookie;
            uint64_t entry_count;
        } directory;
        struct {
            uint8_t *target;
            uint32_t target_bytes;
        } symlink;
    };
};

static struct files *files_of(struct tree *tree)
{
    return container_of(tree, struct files, tree);
}

static struct node *node_of(struct tree_node *head)
{
    return container_of(head, struct node, head);
}

static void touch(struct files *files, struct node *node)
{
    node->modified_ns = node->changed_ns = files->now();
    node->version++;
}

// ---- Pages of a file ---------------------------------------------------------------

static uint32_t *numbers_at(struct files *files, uint32_t page)
{
    return pages_at(&files->pages, page);
}

// How many pages an index of a height reaches.
static uint64_t reach(uint32_t height)
{
    uint64_t count = 1;
    while (height-- > 0)
        count *= NUMBERS;
    return count;
}

static uint32_t slot_at(uint64_t index, uint32_t height)
{
    while (height-- > 1)
        index /= NUMBERS;
    return (uint32_t)(index % NUMBERS);
}

// The page of data at an index; 0: a hole.
static uint32_t page_find(struct files *files, const struct node *file, uint64_t index)
{
    if (index >= reach(file->file.height))
        return 0;
    uint32_t page = file->file.root;
    for (uint32_t height = file->file.height; height > 0 && page != 0; height--)
        page = numbers_at(files, page)[slot_at(index, height)];
    return page;
}

static uint32_t numbers_create(struct files *files)
{
    uint32_t page = pages_get(&files->pages);
    if (page != 0)
        memset(pages_at(&files->pages, page), 0, PAGES_BYTES);
    return page;
}

// Where the number of the page at an index is kept; nullptr without memory for the way there.
static uint32_t *page_slot(struct files *files, struct node *file, uint64_t index)
{
    while (index >= reach(file->file.height)) {
        if (file->file.root != 0) {
            uint32_t above = numbers_create(files);
            if (above == 0)
                return nullptr;
            numbers_at(files, above)[0] = file->file.root;
            file->file.root = above;
        }
        file->file.height++;
    }
    uint32_t *slot = &file->file.root;
    for (uint32_t height = file->file.height; height > 0; height--) {
        if (*slot == 0)
            *slot = numbers_create(files);
        if (*slot == 0)
            return nullptr;
        slot = &numbers_at(files, *slot)[slot_at(index, height)];
    }
    return slot;
}

// Puts all pages from an index on, in a part of the index that begins at `first`; returns
// whether nothing is left of it.
static bool pages_cut(struct files *files, struct node *file, uint32_t page, uint32_t height,
                      uint64_t first, uint64_t from)
{
    if (height == 0) {
        if (first < from)
            return false;
        file->file.page_count--;
        pages_put(&files->pages, page);
        return true;
    }
    uint64_t step = reach(height - 1);
    bool empty = true;
    for (uint32_t i = 0; i < NUMBERS; i++) {
        uint32_t *numbers = numbers_at(files, page);
        uint64_t begin = first + i * step;
        if (numbers[i] == 0)
            continue;
        if (begin + step > from && pages_cut(files, file, numbers[i], height - 1, begin, from))
            numbers[i] = 0;
        else
            empty = false;
    }
    if (empty)
        pages_put(&files->pages, page);
    return empty;
}

static void file_cut(struct files *files, struct node *file, uint64_t page_count)
{
    if (file->file.root != 0 &&
        pages_cut(files, file, file->file.root, file->file.height, 0, page_count))
        file->file.root = 0;
    if (file->file.root == 0)
        file->file.height = 0;
}

// Invariant 2, for a file that grows.
static void file_zero_tail(struct files *files, struct node *file, uint64_t size_bytes)
{
    uint64_t size = file->file.size_bytes;
    uint32_t begin = (uint32_t)(size % PAGES_BYTES);
    if (begin == 0 || size_bytes <= size)
        return;
    uint32_t page = page_find(files, file, size / PAGES_BYTES);
    if (page == 0)
        return;
    uint64_t end = size - begin + PAGES_BYTES;
    uint32_t count = (uint32_t)((size_bytes < end ? size_bytes : end) - size);
    memset((uint8_t *)pages_at(&files->pages, page) + begin, 0, count);
}

// ---- Nodes -------------------------------------------------------------------------

static struct node *node_create(struct files *files, const struct tree_creation *creation)
{
    struct node *node = pages_piece_get(&files->pages, sizeof *node);
    if (node == nullptr)
        return nullptr;
    node->head.kind = creation->kind;
    node->mode = creation->mode;
    node->inode = ++files->last_inode;
    node->version = 1;
    node->modified_ns = node->changed_ns = files->now();
    node->accessed_ns = node->created_ns = node->modified_ns;
    files->node_count++;
    if (creation->kind == FILE_KIND_DIRECTORY) {
        rbtree_init(&node->directory.by_name, nullptr);
        rbtree_init(&node->directory.by_cookie, nullptr);
    }
    return node;
}

static void node_destroy(struct files *files, struct node *node)
{
    if (node->head.kind == FILE_KIND_FILE)
        file_cut(files, node, 0);
    if (node->head.kind == FILE_KIND_SYMLINK && node->symlink.target != nullptr)
        pages_piece_put(&files->pages, node->symlink.target, node->symlink.target_bytes);
    files->node_count--;
    pages_piece_put(&files->pages, node, sizeof *node);
}

// Its name is gone.
static void node_remove(struct files *files, struct node *node)
{
    node->removed = true;
    node->changed_ns = files->now();
    if (node->head.kind == FILE_KIND_DIRECTORY)
        node->directory.parent = nullptr;
    if (node->head.references == 0)
        node_destroy(files, node);
}

static void on_forget(struct tree *tree, struct tree_node *head)
{
    struct node *node = node_of(head);
    if (node->removed)
        node_destroy(files_of(tree), node);
}

// ---- Entries -----------------------------------------------------------------------

static int name_compare(const struct entry *entry, const struct wire_data *name)
{
    uint32_t shorter =
        entry->name_bytes < name->size_bytes ? entry->name_bytes : name->size_bytes;
    int difference = memcmp(entry->name, name->data, shorter);
    return difference != 0 ? difference : (int)entry->name_bytes - (int)name->size_bytes;
}

static bool before_name(const struct rbtree_node *node, const void *key)
{
    return name_compare(container_of(node, const struct entry, by_name), key) < 0;
}

static bool names_before(const struct rbtree_node *a, const struct rbtree_node *b)
{
    const struct entry *other = container_of(b, const struct entry, by_name);
    struct wire_data name = {other->name, other->name_bytes};
    return before_name(a, &name);
}

static bool before_cookie(const struct rbtree_node *node, const void *key)
{
    return container_of(node, const struct entry, by_cookie)->cookie <= *(const uint64_t *)key;
}

static bool cookies_before(const struct rbtree_node *a, const struct rbtree_node *b)
{
    return container_of(a, const struct entry, by_cookie)->cookie <
           container_of(b, const struct entry, by_cookie)->cookie;
}

static struct entry *entry_find(const struct node *directory, struct wire_data name)
{
    struct rbtree_node *at =
        rbtree_lower_bound(&directory->directory.by_name, &name, before_name);
    if (at == nullptr)
        return nullptr;
    struct entry *entry = container_of(at, struct entry, by_name);
    return name_compare(entry, &name) == 0 ? entry : nullptr;
}

static size_t entry_bytes(uint32_t name_bytes)
{
    return sizeof(struct entry) + name_bytes;
}

static struct entry *entry_create(struct files *files, struct wire_data name)
{
    struct entry *entry = pages_piece_get(&files->pages, entry_bytes(name.size_bytes));
    if (entry == nullptr)
        return nullptr;
    entry->name_bytes = (uint8_t)name.size_bytes;
    memcpy(entry->name, name.data, name.size_bytes);
    return entry;
}

static void entry_link(struct files *files, struct node *directory, struct entry *entry,
                       struct node *node)
{
    entry->node = node;
    entry->cookie = ++directory->directory.last_cookie;
    rbtree_insert(&directory->directory.by_name, &entry->by_name, names_before);
    rbtree_insert(&directory->directory.by_cookie, &entry->by_cookie, cookies_before);
    directory->directory.entry_count++;
    if (node->head.kind == FILE_KIND_DIRECTORY)
        node->directory.parent = directory;
    touch(files, directory);
}

static void entry_unlink(struct files *files, struct node *directory, struct entry *entry)
{
    rbtree_remove(&directory->directory.by_name, &entry->by_name);
    rbtree_remove(&directory->directory.by_cookie, &entry->by_cookie);
    directory->directory.entry_count--;
    touch(files, directory);
    pages_piece_put(&files->pages, entry, entry_bytes(entry->name_bytes));
}

// ---- Operations on names -----------------------------------------------------------

static enum file_outcome on_lookup(struct tree *, struct tree_node *head, struct wire_data name,
                                   struct tree_node **out_node)
{
    const struct entry *entry = entry_find(node_of(head), name);
    if (entry == nullptr)
        return FILE_OUTCOME_NOT_FOUND;
    *out_node = &entry->node->head;
    return FILE_OUTCOME_OK;
}

static struct node *node_create_whole(struct files *files, const struct tree_creation *creation)
{
    struct node *node = node_create(files, creation);
    if (node == nullptr || creation->kind != FILE_KIND_SYMLINK)
        return node;
    node->symlink.target_bytes = creation->target.size_bytes;
    node->symlink.target = pages_piece_get(&files->pages, creation->target.size_bytes);
    if (node->symlink.target == nullptr) {
        node_destroy(files, node);
        return nullptr;
    }
    memcpy(node->symlink.target, creation->target.data, creation->target.size_bytes);
    return node;
}

static enum file_outcome on_create(struct tree *tree, struct tree_node *head,
                                   struct wire_data name, const struct tree_creation *creation,
                                   struct tree_node **out_node)
{
    struct files *files = files_of(tree);
    struct node *directory = node_of(head);
    if (directory->removed)
        return FILE_OUTCOME_NOT_FOUND;
    struct entry *entry = entry_create(files, name);
    if (entry == nullptr)
        return FILE_OUTCOME_NO_SPACE;
    struct node *node = node_create_whole(files, creation);
    if (node == nullptr) {
        pages_piece_put(&files->pages, entry, entry_bytes(name.size_bytes));
        return FILE_OUTCOME_NO_SPACE;
    }
    entry_link(files, directory, entry, node);
    *out_node = &node->head;
    return FILE_OUTCOME_OK;
}

static bool is_full_directory(const struct node *node)
{
    return node->head.kind == FILE_KIND_DIRECTORY && node->directory.entry_count > 0;
}

static enum file_outcome on_remove(struct tree *tree, struct tree_node *directory,
                                   struct wire_data name, struct tree_node *head)
{
    struct files *files = files_of(tree);
    struct node *node = node_of(head);
    if (is_full_directory(node))
        return FILE_OUTCOME_NOT_EMPTY;
    entry_unlink(files, node_of(directory), entry_find(node_of(directory), name));
    node_remove(files, node);
    return FILE_OUTCOME_OK;
}

// Whether a directory is `node` or lies below it.
static bool lies_in(const struct node *directory, const struct node *node)
{
    for (const struct node *at = directory; at != nullptr; at = at->directory.parent)
        if (at == node)
            return true;
    return false;
}

static void names_exchange(struct files *files, struct node *from, struct entry *entry,
                           struct node *to, struct entry *to_entry)
{
    struct node *node = entry->node;
    entry->node = to_entry->node;
    to_entry->node = node;
    if (entry->node->head.kind == FILE_KIND_DIRECTORY)
        entry->node->directory.parent = from;
    if (to_entry->node->head.kind == FILE_KIND_DIRECTORY)
        to_entry->node->directory.parent = to;
    touch(files, from);
    touch(files, to);
}

static enum file_outcome on_rename(struct tree *tree, struct tree_node *from_head,
                                   struct wire_data name, struct tree_node *head,
                                   struct tree_node *to_head, struct wire_data to_name,
                                   struct tree_node *replaced, bool exchange)
{
    struct files *files = files_of(tree);
    struct node *from = node_of(from_head), *to = node_of(to_head), *node = node_of(head);
    struct entry *entry = entry_find(from, name);
    if (to->removed)
        return FILE_OUTCOME_NOT_FOUND;
    if (lies_in(to, node) || (exchange && lies_in(from, node_of(replaced))))
        return FILE_OUTCOME_INTO_ITSELF;
    if (exchange) {
        names_exchange(files, from, entry, to, entry_find(to, to_name));
        return FILE_OUTCOME_OK;
    }
    if (replaced != nullptr && is_full_directory(node_of(replaced)))
        return FILE_OUTCOME_NOT_EMPTY;
    struct entry *new_entry = entry_create(files, to_name);
    if (new_entry == nullptr)
        return FILE_OUTCOME_NO_SPACE;
    if (replaced != nullptr) {
        entry_unlink(files, to, entry_find(to, to_name));
        node_remove(files, node_of(replaced));
    }
    entry_unlink(files, from, entry);
    entry_link(files, to, new_entry, node);
    node->changed_ns = files->now();
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_list(struct tree *, struct tree_node *head, uint64_t cookie,
                                 struct tree_page *page)
{
    struct node *directory = node_of(head);
    struct rbtree_node *at =
        rbtree_lower_bound(&directory->directory.by_cookie, &cookie, before_cookie);
    for (; at != nullptr && page->count < page->entries_max; at = rbtree_next(at)) {
        const struct entry *entry = container_of(at, const struct entry, by_cookie);
        page->entries[page->count++] = (struct tree_entry){
            .name = {entry->name, entry->name_bytes},
            .kind = entry->node->head.kind,
            .inode = entry->node->inode,
            .cookie = entry->cookie,
        };
    }
    page->end = at == nullptr;
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_read_symlink(struct tree *, struct tree_node *head, void *target,
                                         uint32_t *out_bytes)
{
    const struct node *node = node_of(head);
    memcpy(target, node->symlink.target, node->symlink.target_bytes);
    *out_bytes = node->symlink.target_bytes;
    return FILE_OUTCOME_OK;
}

static uint64_t size_of(const struct node *node)
{
    switch (node->head.kind) {
    case FILE_KIND_FILE:
        return node->file.size_bytes;
    case FILE_KIND_DIRECTORY:
        return node->directory.entry_count;
    default:
        return node->symlink.target_bytes;
    }
}

static enum file_outcome on_stat(struct tree *, struct tree_node *head,
                                 struct tree_stat *out_stat)
{
    const struct node *node = node_of(head);
    uint64_t data_pages = head->kind == FILE_KIND_FILE ? node->file.page_count : 0;
    *out_stat = (struct tree_stat){
        .mode = node->mode,
        .link_count = node->removed ? 0 : 1,
        .inode = node->inode,
        .size_bytes = size_of(node),
        .stored_bytes = data_pages * PAGES_BYTES,
        .version = node->version,
        .modified_ns = node->modified_ns,
        .changed_ns = node->changed_ns,
        .accessed_ns = node->accessed_ns,
        .created_ns = node->created_ns,
    };
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_set_attributes(struct tree *tree, struct tree_node *head,
                                           const struct tree_attributes *attributes)
{
    struct node *node = node_of(head);
    if (attributes->set_mode)
        node->mode = attributes->mode;
    if (attributes->set_modified)
        node->modified_ns = attributes->modified_ns;
    if (attributes->set_accessed)
        node->accessed_ns = attributes->accessed_ns;
    node->changed_ns = files_of(tree)->now();
    return FILE_OUTCOME_OK;
}

// ---- Operations on files -----------------------------------------------------------

static uint32_t rest_of_page(uint64_t offset, uint64_t byte_count)
{
    uint64_t rest = PAGES_BYTES - offset % PAGES_BYTES;
    return (uint32_t)(byte_count < rest ? byte_count : rest);
}

static enum file_outcome on_read(struct tree *tree, struct tree_node *head, uint64_t offset,
                                 void *buffer, uint32_t byte_count, uint32_t *out_read)
{
    struct files *files = files_of(tree);
    const struct node *file = node_of(head);
    uint64_t size = file->file.size_bytes;
    if (offset >= size)
        byte_count = 0;
    else if (byte_count > size - offset)
        byte_count = (uint32_t)(size - offset);
    uint8_t *to = buffer;
    for (uint32_t done = 0; done < byte_count;) {
        uint32_t piece = rest_of_page(offset + done, byte_count - done);
        uint32_t page = page_find(files, file, (offset + done) / PAGES_BYTES);
        if (page == 0)
            memset(to + done, 0, piece);
        else
            memcpy(to + done,
                   (const uint8_t *)pages_at(&files->pages, page) +
                       (offset + done) % PAGES_BYTES,
                   piece);
        done += piece;
    }
    *out_read = byte_count;
    return FILE_OUTCOME_OK;
}

// The page at an index, made if it is a hole: then zero but for [begin, begin + count).
static uint8_t *page_to_write(struct files *files, struct node *file, uint64_t index,
                              uint32_t begin, uint32_t count)
{
    uint32_t *slot = page_slot(files, file, index);
    if (slot == nullptr)
        return nullptr;
    if (*slot != 0)
        return pages_at(&files->pages, *slot);
    uint32_t page = pages_get(&files->pages);
    if (page == 0)
        return nullptr;
    *slot = page;
    file->file.page_count++;
    uint8_t *memory = pages_at(&files->pages, page);
    memset(memory, 0, begin);
    memset(memory + begin + count, 0, PAGES_BYTES - begin - count);
    return memory;
}

static enum file_outcome on_write(struct tree *tree, struct tree_node *head, uint64_t offset,
                                  const void *data, uint32_t byte_count, uint32_t *out_written)
{
    struct files *files = files_of(tree);
    struct node *file = node_of(head);
    const uint8_t *from = data;
    uint32_t done = 0;
    if (offset > FILES_BYTES_MAX || byte_count > FILES_BYTES_MAX - offset)
        return FILE_OUTCOME_TOO_LARGE;
    while (done < byte_count) {
        uint32_t begin = (uint32_t)((offset + done) % PAGES_BYTES);
        uint32_t piece = rest_of_page(offset + done, byte_count - done);
        uint8_t *memory =
            page_to_write(files, file, (offset + done) / PAGES_BYTES, begin, piece);
        if (memory == nullptr)
            break;
        if (done == 0) // it is certain now that the file changes
            file_zero_tail(files, file, offset);
        memcpy(memory + begin, from + done, piece);
        done += piece;
    }
    if (done == 0)
        return FILE_OUTCOME_NO_SPACE;
    if (file->file.size_bytes < offset + done)
        file->file.size_bytes = offset + done;
    touch(files, file);
    *out_written = done;
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_append(struct tree *tree, struct tree_node *head, const void *data,
                                   uint32_t byte_count, uint32_t *out_written,
                                   uint64_t *out_offset)
{
    *out_offset = node_of(head)->file.size_bytes;
    return on_write(tree, head, *out_offset, data, byte_count, out_written);
}

static enum file_outcome on_truncate(struct tree *tree, struct tree_node *head,
                                     uint64_t size_bytes)
{
    struct files *files = files_of(tree);
    struct node *file = node_of(head);
    if (size_bytes > FILES_BYTES_MAX)
        return FILE_OUTCOME_TOO_LARGE;
    if (size_bytes < file->file.size_bytes)
        file_cut(files, file, (size_bytes + PAGES_BYTES - 1) / PAGES_BYTES);
    else
        file_zero_tail(files, file, size_bytes);
    file->file.size_bytes = size_bytes;
    touch(files, file);
    return FILE_OUTCOME_OK;
}

// ---- Mapping -----------------------------------------------------------------------

// How many pages from an index on lie one behind the other in one chunk of their own.
static uint32_t run_of_own(struct files *files, const struct node *file, uint64_t index,
                           uint32_t page_count)
{
    uint32_t first = page_find(files, file, index);
    const struct chunk *chunk = first == 0 ? nullptr : pages_own_chunk(&files->pages, first);
    if (chunk == nullptr)
        return 0;
    uint32_t room = chunk->page_count - pages_place_in_chunk(first);
    uint32_t count = 1;
    while (count < page_count && count < room &&
           page_find(files, file, index + count) == first + count)
        count++;
    return count;
}

// How many from an index on don't lie in a chunk of their own.
static uint32_t run_of_common(struct files *files, const struct node *file, uint64_t index,
                              uint32_t page_count)
{
    uint32_t count = 0;
    for (; count < page_count; count++) {
        uint32_t page = page_find(files, file, index + count);
        if (page != 0 && pages_own_chunk(&files->pages, page) != nullptr)
            break;
    }
    return count;
}

// Moves pages into a chunk of their own.  False without memory: then none has moved.
static bool pages_move(struct files *files, struct node *file, uint64_t index,
                       uint32_t page_count)
{
    for (uint32_t i = 0; i < page_count; i++)
        if (page_slot(files, file, index + i) == nullptr)
            return false;
    uint32_t first = pages_get_chunk(&files->pages, page_count);
    if (first == 0)
        return false;
    for (uint32_t i = 0; i < page_count; i++) {
        uint32_t *slot = page_slot(files, file, index + i);
        if (*slot != 0) {
            memcpy(pages_at(&files->pages, first + i), pages_at(&files->pages, *slot),
                   PAGES_BYTES);
            pages_put(&files->pages, *slot);
        } else {
            file->file.page_count++;
        }
        *slot = first + i;
    }
    return true;
}

static enum file_outcome on_map(struct tree *tree, struct tree_node *head, uint64_t offset,
                                uint64_t length_bytes, bool writable,
                                struct tree_mapping *out_mapping)
{
    struct files *files = files_of(tree);
    struct node *file = node_of(head);
    uint64_t index = offset / PAGES_BYTES;
    uint64_t wanted = (length_bytes + PAGES_BYTES - 1) / PAGES_BYTES;
    uint32_t page_count = wanted < PAGES_CHUNK_MAX ? (uint32_t)wanted : PAGES_CHUNK_MAX;
    uint32_t count = run_of_own(files, file, index, page_count);
    if (count == 0) {
        count = run_of_common(files, file, index, page_count);
        if (!pages_move(files, file, index, count))
            return FILE_OUTCOME_NO_SPACE;
    }
    uint32_t first = page_find(files, file, index);
    const struct chunk *chunk = pages_own_chunk(&files->pages, first);
    out_mapping->object =
        files->view(chunk->object, pages_place_in_chunk(first), count, writable);
    if (out_mapping->object == 0)
        return FILE_OUTCOME_NO_SPACE;
    uint64_t mapped_bytes = (uint64_t)count * PAGES_BYTES;
    out_mapping->length_bytes = length_bytes < mapped_bytes ? length_bytes : mapped_bytes;
    return FILE_OUTCOME_OK;
}

// ---- The whole ---------------------------------------------------------------------

static void on_info(struct tree *tree, struct directory_info_results *out_info)
{
    const struct files *files = files_of(tree);
    out_info->symlinks = true;
    out_info->watches = true;
    out_info->total_bytes = (uint64_t)files->pages.page_count_max * PAGES_BYTES;
    out_info->free_bytes =
        (uint64_t)(files->pages.page_count_max - files->pages.used_count) * PAGES_BYTES;
    out_info->file_bytes_max = FILES_BYTES_MAX;
    out_info->file_count = files->node_count;
}

static void on_destroy(struct tree *tree)
{
    struct files *files = files_of(tree);
    if (files->unused != nullptr)
        files->unused(files);
}

const struct tree_ops files_ops = {
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
    .map = on_map,
    .info = on_info,
    .forget = on_forget,
    .destroy = on_destroy,
};

bool files_init(struct files *files, const struct pages_source *source, uint32_t page_count_max)
{
    pages_init(&files->pages, source, page_count_max);
    struct node *root =
        node_create(files, &(struct tree_creation){.kind = FILE_KIND_DIRECTORY, .mode = 0777});
    if (root == nullptr) {
        pages_fini(&files->pages);
        return false;
    }
    tree_init(&files->tree, &files_ops, &root->head);
    return true;
}

void files_fini(struct files *files)
{
    pages_fini(&files->pages);
}
