// SPDX-License-Identifier: MIT
// The methods of Directory: from messages to tree_walk.c and tree_change.c, and back.  They
// serve ReadOnlyDirectory too, as far as it goes.
#include "tree_parts.h"

#include <gen/capos/directory.h>
#include <gen/interfaces.h>

static const char reason_path[] =
    "path: 1 to 64 names of 1 to 255 bytes with one / between, no . or .. or NUL";
static const char reason_mode[] = "mode: 0 to 0o7777";
constexpr uint16_t MODE_MAX = 07777;

// A path, or nothing where that means the directory itself.
static bool path_check(struct capos_server_call *call, struct wire_data path, bool may_be_empty)
{
    if (path_is_valid(path) || (may_be_empty && path.size_bytes == 0))
        return true;
    tree_refuse(call, reason_path);
    return false;
}

static bool mode_check(struct capos_server_call *call, uint16_t mode)
{
    if (mode <= MODE_MAX)
        return true;
    tree_refuse(call, reason_mode);
    return false;
}

static uint64_t size_of(struct tree *tree, struct tree_node *node, uint64_t *out_inode)
{
    struct tree_stat stat = {};
    if (tree->ops->stat(tree, node, &stat) != FILE_OUTCOME_OK)
        stat = (struct tree_stat){};
    *out_inode = stat.inode;
    return stat.size_bytes;
}

// ---- Opening -----------------------------------------------------------------------

static void on_open_read_only(void *context, struct capos_server_call *call,
                              const struct directory_open_read_only_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    struct tree_node *node;
    struct capos_transfer transfer;
    struct directory_open_read_only_results results = {.file = WIRE_CAP_NULL};
    if (!path_check(call, params->path, false))
        return;
    results.outcome = tree_find_kind(tree, handle->node, params->path, !params->no_follow,
                                     FILE_KIND_FILE, &node);
    if (results.outcome == FILE_OUTCOME_OK) {
        results.size_bytes = size_of(tree, node, &results.inode);
        results.file = 0;
        if (!tree_give(call, tree, node, INTERFACE_READ_ONLY_FILE, &transfer))
            return;
    }
    directory_open_read_only_reply(call, &results, &transfer, results.file == 0 ? 1 : 0);
}

static void
on_open_read_only_directory(void *context, struct capos_server_call *call,
                            const struct directory_open_read_only_directory_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    struct tree_node *node;
    struct capos_transfer transfer;
    struct directory_open_read_only_directory_results results = {.directory = WIRE_CAP_NULL};
    if (!path_check(call, params->path, true))
        return;
    results.outcome = tree_find_kind(tree, handle->node, params->path, !params->no_follow,
                                     FILE_KIND_DIRECTORY, &node);
    if (results.outcome == FILE_OUTCOME_OK) {
        (void)size_of(tree, node, &results.inode);
        results.directory = 0;
        if (!tree_give(call, tree, node, INTERFACE_READ_ONLY_DIRECTORY, &transfer))
            return;
    }
    directory_open_read_only_directory_reply(call, &results, &transfer,
                                             results.directory == 0 ? 1 : 0);
}

static void on_open(void *context, struct capos_server_call *call,
                    const struct directory_open_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    struct tree_node *node;
    struct capos_transfer transfer;
    struct directory_open_results results = {.file = WIRE_CAP_NULL};
    if (!path_check(call, params->path, false) || !mode_check(call, params->mode))
        return;
    struct tree_opening opening = {
        .creation = {.kind = FILE_KIND_FILE, .mode = params->mode},
        .create = params->create,
        .exclusive = params->exclusive,
        .truncate = params->truncate,
        .follow = !params->no_follow,
    };
    if (tree->ops->write == nullptr)
        results.outcome = FILE_OUTCOME_READ_ONLY;
    else
        results.outcome =
            tree_open(tree, handle->node, params->path, &opening, &node, &results.created);
    if (results.outcome == FILE_OUTCOME_OK) {
        results.size_bytes = size_of(tree, node, &results.inode);
        results.file = 0;
        if (!tree_give(call, tree, node, INTERFACE_FILE, &transfer))
            return;
    }
    directory_open_reply(call, &results, &transfer, results.file == 0 ? 1 : 0);
}

static void on_open_directory(void *context, struct capos_server_call *call,
                              const struct directory_open_directory_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    struct tree_node *node;
    struct capos_transfer transfer;
    struct directory_open_directory_results results = {.directory = WIRE_CAP_NULL};
    if (!path_check(call, params->path, true) || !mode_check(call, params->mode))
        return;
    struct tree_opening opening = {
        .creation = {.kind = FILE_KIND_DIRECTORY, .mode = params->mode},
        .create = params->create,
        .follow = !params->no_follow,
    };
    results.outcome =
        tree_open(tree, handle->node, params->path, &opening, &node, &results.created);
    if (results.outcome == FILE_OUTCOME_OK) {
        (void)size_of(tree, node, &results.inode);
        results.directory = 0;
        if (!tree_give(call, tree, node, INTERFACE_DIRECTORY, &transfer))
            return;
    }
    directory_open_directory_reply(call, &results, &transfer, results.directory == 0 ? 1 : 0);
}

static void on_read_only(void *context, struct capos_server_call *call)
{
    struct tree_handle *handle = context;
    struct capos_transfer transfer;
    if (tree_give(call, handle->tree, tree_get(handle->node), INTERFACE_READ_ONLY_DIRECTORY,
                  &transfer))
        directory_read_only_reply(call, &(struct directory_read_only_results){.directory = 0},
                                  &transfer, 1);
}

// ---- Looking -----------------------------------------------------------------------

static void on_stat(void *context, struct capos_server_call *call,
                    const struct directory_stat_params *params)
{
    struct tree_handle *handle = context;
    struct tree_node *node = nullptr;
    struct tree_stat stat = {};
    if (!path_check(call, params->path, true))
        return;
    enum file_outcome outcome =
        tree_find(handle->tree, handle->node, params->path, !params->no_follow, &node);
    if (outcome == FILE_OUTCOME_OK)
        outcome = handle->tree->ops->stat(handle->tree, node, &stat);
    directory_stat_reply(call, &(struct directory_stat_results){
                                   .outcome = outcome,
                                   .kind = node != nullptr ? node->kind : FILE_KIND_FILE,
                                   .mode = stat.mode,
                                   .link_count = stat.link_count,
                                   .inode = stat.inode,
                                   .size_bytes = stat.size_bytes,
                                   .stored_bytes = stat.stored_bytes,
                                   .version = stat.version,
                                   .modified_ns = stat.modified_ns,
                                   .changed_ns = stat.changed_ns,
                                   .accessed_ns = stat.accessed_ns,
                                   .created_ns = stat.created_ns,
                               });
    tree_put(handle->tree, node);
}

// The room of a page's message.
static uint32_t page_bytes(const struct tree_page *page)
{
    constexpr uint32_t entry_bytes = DIRECTORY_ENTRY_BYTES_MAX - 8 - 256; // without its name
    uint32_t bytes = 8 + 16 + 8; // the root, the results, the list's tag
    for (uint32_t i = 0; i < page->count; i++)
        bytes += entry_bytes + ((page->entries[i].name.size_bytes + 7) & ~7u);
    return bytes;
}

static void on_list(void *context, struct capos_server_call *call,
                    const struct directory_list_params *params)
{
    struct tree_handle *handle = context;
    static struct tree_page page;
    if (params->entries_max == 0 || params->entries_max > TREE_PAGE_MAX) {
        tree_refuse(call, "entriesMax: 1 to 128");
        return;
    }
    page.entries_max = params->entries_max;
    page.count = 0;
    page.end = false;
    enum file_outcome outcome =
        handle->tree->ops->list(handle->tree, handle->node, params->cookie, &page);
    if (outcome != FILE_OUTCOME_OK)
        page.count = 0;
    struct wire_builder message;
    struct directory_list_results_builder results =
        directory_list_reply_begin(call, &message, page_bytes(&page));
    directory_list_results_set_outcome(results, outcome);
    directory_list_results_set_end(results, page.end);
    struct directory_entry_list_builder entries =
        directory_list_results_init_entries(results, page.count);
    for (uint32_t i = 0; i < page.count; i++) {
        struct directory_entry_builder entry = directory_entry_element(entries, i);
        directory_entry_set_name(entry, page.entries[i].name);
        directory_entry_set_kind(entry, page.entries[i].kind);
        directory_entry_set_inode(entry, page.entries[i].inode);
        directory_entry_set_cookie(entry, page.entries[i].cookie);
    }
    directory_list_reply(call, &message);
}

static void on_read_symlink(void *context, struct capos_server_call *call,
                            const struct directory_read_symlink_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    static uint8_t target[PATH_BYTES_MAX];
    uint32_t target_bytes = 0;
    struct tree_node *node = nullptr;
    if (!path_check(call, params->path, false))
        return;
    enum file_outcome outcome = tree_find(tree, handle->node, params->path, false, &node);
    if (outcome == FILE_OUTCOME_OK)
        outcome = node->kind == FILE_KIND_SYMLINK && tree->ops->read_symlink != nullptr
                      ? tree->ops->read_symlink(tree, node, target, &target_bytes)
                      : FILE_OUTCOME_NOT_SUPPORTED;
    if (outcome != FILE_OUTCOME_OK)
        target_bytes = 0;
    tree_put(tree, node);
    directory_read_symlink_reply(call, &(struct directory_read_symlink_results){
                                           .outcome = outcome,
                                           .target = {target, target_bytes},
                                       });
}

static void on_watch(void *context, struct capos_server_call *call,
                     const struct directory_watch_params *params)
{
    tree_watch(context, call, params->version);
}

static void on_info(void *context, struct capos_server_call *call)
{
    struct tree_handle *handle = context;
    const struct tree_ops *ops = handle->tree->ops;
    struct directory_info_results info = {
        .writable = ops->write != nullptr,
        .mappings = ops->map != nullptr,
        .name_bytes_max = PATH_NAME_BYTES_MAX,
    };
    ops->info(handle->tree, &info);
    if (ops->quota != nullptr)
        ops->quota(handle->tree, handle->node, &info);
    directory_info_reply(call, &info);
}

// ---- Changing ----------------------------------------------------------------------

static void on_create_directory(void *context, struct capos_server_call *call,
                                const struct directory_create_directory_params *params)
{
    struct tree_handle *handle = context;
    if (!path_check(call, params->path, false) || !mode_check(call, params->mode))
        return;
    struct tree_creation creation = {.kind = FILE_KIND_DIRECTORY, .mode = params->mode};
    directory_create_directory_reply(
        call, &(struct directory_create_directory_results){
                  .outcome = tree_create(handle->tree, handle->node, params->path, &creation)});
}

static void on_create_symlink(void *context, struct capos_server_call *call,
                              const struct directory_create_symlink_params *params)
{
    struct tree_handle *handle = context;
    if (!path_check(call, params->path, false))
        return;
    if (!path_is_target(params->target)) {
        tree_refuse(call, "target: 1 to 1024 bytes without NUL");
        return;
    }
    struct tree_creation creation = {
        .kind = FILE_KIND_SYMLINK, .mode = 0777, .target = params->target};
    directory_create_symlink_reply(
        call,
        &(struct directory_create_symlink_results){
            .outcome = handle->tree->ops->read_symlink == nullptr
                           ? FILE_OUTCOME_NOT_SUPPORTED
                           : tree_create(handle->tree, handle->node, params->path, &creation)});
}

static void on_remove(void *context, struct capos_server_call *call,
                      const struct directory_remove_params *params)
{
    struct tree_handle *handle = context;
    if (path_check(call, params->path, false))
        directory_remove_reply(call, &(struct directory_remove_results){
                                         .outcome = tree_remove(handle->tree, handle->node,
                                                                params->path, params->what)});
}

static void on_rename(void *context, struct capos_server_call *call,
                      const struct directory_rename_params *params)
{
    struct tree_handle *handle = context, *to = handle;
    uint64_t interface_id;
    if (!path_check(call, params->path, false) || !path_check(call, params->to_path, false))
        return;
    if (params->to_directory != WIRE_CAP_NULL)
        to = tree_handle_of(call, params->to_directory, &interface_id);
    enum file_outcome outcome = FILE_OUTCOME_OTHER_SERVICE;
    if (to != nullptr && to->tree == handle->tree)
        outcome = tree_rename(handle->tree, handle->node, params->path, to->node,
                              params->to_path, params->replacement);
    directory_rename_reply(call, &(struct directory_rename_results){.outcome = outcome});
}

static void on_set_attributes(void *context, struct capos_server_call *call,
                              const struct directory_set_attributes_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    struct tree_node *node;
    if (!path_check(call, params->path, true) || !mode_check(call, params->mode))
        return;
    enum file_outcome outcome =
        tree_find(tree, handle->node, params->path, !params->no_follow, &node);
    if (outcome == FILE_OUTCOME_OK) {
        outcome = tree->ops->set_attributes == nullptr
                      ? FILE_OUTCOME_READ_ONLY
                      : tree->ops->set_attributes(tree, node,
                                                  &(struct tree_attributes){
                                                      .set_mode = params->set_mode,
                                                      .set_modified = params->set_modified,
                                                      .set_accessed = params->set_accessed,
                                                      .mode = params->mode,
                                                      .modified_ns = params->modified_ns,
                                                      .accessed_ns = params->accessed_ns,
                                                  });
        tree_put(tree, node);
    }
    directory_set_attributes_reply(
        call, &(struct directory_set_attributes_results){.outcome = outcome});
}

static void on_sync(void *context, struct capos_server_call *call)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    directory_sync_reply(call,
                         &(struct directory_sync_results){
                             .outcome = tree->ops->sync == nullptr
                                            ? FILE_OUTCOME_OK
                                            : tree->ops->sync(tree, handle->node, false)});
}

// A last name that isn't followed is never that of the directory that the path starts from, so
// nobody changes what limits them.
static void on_set_quota(void *context, struct capos_server_call *call,
                         const struct directory_set_quota_params *params)
{
    struct tree_handle *handle = context;
    struct tree *tree = handle->tree;
    struct tree_node *node;
    if (!path_check(call, params->path, false))
        return;
    enum file_outcome outcome = tree->ops->set_quota == nullptr
                                    ? FILE_OUTCOME_NOT_SUPPORTED
                                    : tree_find_kind(tree, handle->node, params->path, false,
                                                     FILE_KIND_DIRECTORY, &node);
    if (tree->ops->set_quota != nullptr && outcome == FILE_OUTCOME_OK) {
        outcome = tree->ops->set_quota(tree, node, params->limit_bytes);
        tree_put(tree, node);
    }
    directory_set_quota_reply(call, &(struct directory_set_quota_results){.outcome = outcome});
}

const struct directory_server_ops tree_directory_ops = {
    .open_read_only = on_open_read_only,
    .open_read_only_directory = on_open_read_only_directory,
    .stat = on_stat,
    .list = on_list,
    .read_symlink = on_read_symlink,
    .watch = on_watch,
    .info = on_info,
    .read_only = on_read_only,
    .open = on_open,
    .open_directory = on_open_directory,
    .create_directory = on_create_directory,
    .create_symlink = on_create_symlink,
    .remove = on_remove,
    .rename = on_rename,
    .set_attributes = on_set_attributes,
    .sync = on_sync,
    .set_quota = on_set_quota,
};
