// SPDX-License-Identifier: MIT
// The methods of Directory; the first ones are those of ReadOnlyDirectory too.
#include "hostfs.h"

#include <string.h>

constexpr uint16_t MODE_MAX = 07777;
// How often an open looks again when the name comes or goes between its requests.
constexpr uint32_t OPEN_TRIES = 16;
constexpr uint64_t FILE_BYTES_MAX = INT64_MAX;

// ---- Calls -------------------------------------------------------------------------

// Reads a path that may not be empty, unless `may_be_empty`.
static bool path_take(struct capos_server_call *call, struct route *path, struct wire_data text,
                      bool may_be_empty)
{
    if (route_init(path, text.data, text.size_bytes) && (may_be_empty || path->count > 0))
        return true;
    fail_path(call);
    return false;
}

static bool mode_check(struct capos_server_call *call, uint16_t mode)
{
    if (mode <= MODE_MAX)
        return true;
    capos_server_fail(call, STATUS_INVALID_ARGUMENT, "mode: 0 to 0o7777");
    return false;
}

// The node of the called Directory with a place for its path.
static struct node *begin(struct worker *worker, struct capos_server_call *call,
                          struct wire_data path, bool may_be_empty)
{
    if (!path_take(call, &worker->path, path, may_be_empty))
        return nullptr;
    return called_node(call, NODE_DIRECTORY);
}

// As resolve, of a directory that is still there.
static enum file_outcome resolve_in(struct worker *worker, const struct node *node,
                                    struct route *path, enum resolve_last last,
                                    struct place *out_place)
{
    if (node->removed && path->count > 0)
        return FILE_OUTCOME_NOT_FOUND;
    enum file_outcome outcome = resolve(worker->exchange, node->fid, path, last, out_place);
    if (outcome == FILE_OUTCOME_OK && !out_place->owned)
        out_place->qid.path = node->inode;
    return outcome;
}

static const struct route_name *last_name(const struct route *path)
{
    return &path->names[path->count - 1];
}

static struct ninep_bytes bytes_of(const struct route_name *name)
{
    return (struct ninep_bytes){name->bytes, name->size_bytes};
}

// Mints an object for what `fid` names, which is its from now on.
static enum status mint(struct worker *worker, enum node_kind kind, uint32_t fid,
                        uint64_t inode, uint64_t interface_id, struct capos_transfer *out_cap)
{
    capos_cap_id cap;
    struct node *node = node_create(kind, fid, inode);
    if (node == nullptr) {
        fid_clunk(worker->exchange, fid);
        return STATUS_OVERLOADED;
    }
    enum status status = object_mint(node, interface_id, &cap);
    node_put(worker->exchange, node);
    if (status == STATUS_OK)
        *out_cap = capos_transfer_move(cap);
    return status;
}

// ---- Opening files -----------------------------------------------------------------

struct opened {
    uint32_t fid;
    uint64_t inode, size_bytes;
    bool created;
};

// Opens the file at a place, whose fid is the file's afterwards.
static enum file_outcome open_place(struct worker *worker, struct place *place, uint32_t flags,
                                    struct opened *out_opened)
{
    enum file_outcome outcome = attributes_get(worker->exchange, place->fid);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    struct directory_stat_results stat = attributes_of(&worker->exchange->answer.attributes);
    if (stat.kind == FILE_KIND_DIRECTORY)
        return FILE_OUTCOME_IS_DIRECTORY;
    if (stat.kind == FILE_KIND_SYMLINK)
        return FILE_OUTCOME_SYMLINK;
    if (stat.kind == FILE_KIND_OTHER)
        return FILE_OUTCOME_NOT_SUPPORTED;
    struct ninep_message message = {.type = NINEP_TLOPEN};
    message.open.fid = place->fid;
    message.open.flags = flags | NINEP_OPEN_NO_FOLLOW;
    outcome = outcome_of(exchange_run(worker->exchange, &message));
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    bool truncated = (flags & NINEP_OPEN_TRUNCATE) != 0;
    *out_opened = (struct opened){
        .fid = place->fid, .inode = stat.inode, .size_bytes = truncated ? 0 : stat.size_bytes};
    place->owned = false;
    return FILE_OUTCOME_OK;
}

static enum file_outcome open_existing(struct worker *worker, const struct node *node,
                                       bool no_follow, uint32_t flags,
                                       struct opened *out_opened)
{
    struct place place;
    enum file_outcome outcome = resolve_in(worker, node, &worker->path,
                                           no_follow ? LAST_ITSELF : LAST_FOLLOWED, &place);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (!place.owned) // a symlink led to the Directory itself
        return FILE_OUTCOME_IS_DIRECTORY;
    outcome = open_place(worker, &place, flags, out_opened);
    place_let_go(worker->exchange, &place);
    return outcome;
}

static void on_open_read_only(void *context, struct capos_server_call *call,
                              const struct directory_open_read_only_params *params)
{
    struct worker *worker = context;
    struct opened opened;
    struct capos_transfer cap;
    struct node *node = begin(worker, call, params->path, false);
    if (node == nullptr)
        return;
    struct directory_open_read_only_results results = {.file = WIRE_CAP_NULL};
    results.outcome = open_existing(worker, node, params->no_follow, NINEP_OPEN_READ, &opened);
    node_put(worker->exchange, node);
    if (results.outcome != FILE_OUTCOME_OK) {
        directory_open_read_only_reply(call, &results, nullptr, 0);
        return;
    }
    if (mint(worker, NODE_FILE, opened.fid, opened.inode, INTERFACE_READ_ONLY_FILE, &cap) !=
        STATUS_OK) {
        fail_memory(call);
        return;
    }
    results.inode = opened.inode;
    results.size_bytes = opened.size_bytes;
    results.file = 0;
    directory_open_read_only_reply(call, &results, &cap, 1);
}

// Remembers that names of a directory have changed, if that is the outcome.
static enum file_outcome changed(struct worker *worker, const struct place *directory,
                                 enum file_outcome outcome)
{
    if (outcome == FILE_OUTCOME_OK)
        sync_note_directory(worker->exchange, directory->fid, directory->qid.path);
    return outcome;
}

// Makes the file `name` in a directory.
static enum file_outcome create_file(struct worker *worker, const struct place *directory,
                                     const struct route_name *name, uint16_t mode,
                                     struct opened *out_opened)
{
    uint32_t file;
    enum file_outcome outcome = resolve_clone(worker->exchange, directory->fid, &file);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    struct ninep_message message = {.type = NINEP_TLCREATE};
    message.create.fid = file;
    message.create.name = bytes_of(name);
    message.create.flags = NINEP_OPEN_READ_WRITE | NINEP_OPEN_EXCLUSIVE | NINEP_OPEN_NO_FOLLOW;
    message.create.mode = mode;
    message.create.gid = UINT32_MAX; // as the host has it
    outcome = outcome_of(exchange_run(worker->exchange, &message));
    if (outcome != FILE_OUTCOME_OK) {
        fid_clunk(worker->exchange, file);
        return outcome;
    }
    *out_opened = (struct opened){
        .fid = file, .inode = worker->exchange->answer.opened.qid.path, .created = true};
    return changed(worker, directory, FILE_OUTCOME_OK);
}

static uint32_t open_flags(const struct directory_open_params *params)
{
    return NINEP_OPEN_READ_WRITE | (params->truncate ? NINEP_OPEN_TRUNCATE : 0);
}

// One look at the name: opens what is there, makes it, or follows it.  *out_again is set if
// the path leads on, or if the name has come or gone since it was looked at.
static enum file_outcome open_or_create_at(struct worker *worker, struct place *directory,
                                           const struct directory_open_params *params,
                                           struct opened *out_opened, bool *out_again)
{
    struct place place = {};
    struct route *path = &worker->path;
    struct exchange *exchange = worker->exchange;
    enum file_outcome outcome = resolve_name(exchange, directory->fid, last_name(path), &place);
    if (outcome == FILE_OUTCOME_NOT_FOUND) {
        outcome = create_file(worker, directory, last_name(path), params->mode, out_opened);
        *out_again = outcome == FILE_OUTCOME_EXISTS && !params->exclusive;
        return outcome;
    }
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (params->exclusive)
        outcome = FILE_OUTCOME_EXISTS;
    else if (place.qid.kind != NINEP_QID_SYMLINK || params->no_follow)
        outcome = open_place(worker, &place, open_flags(params), out_opened);
    else
        outcome = resolve_follow(exchange, place.fid, path, path->count - 1), *out_again = true;
    *out_again =
        (*out_again && outcome == FILE_OUTCOME_OK) || outcome == FILE_OUTCOME_NOT_FOUND;
    place_let_go(exchange, &place);
    return outcome;
}

static enum file_outcome open_or_create(struct worker *worker, const struct node *node,
                                        const struct directory_open_params *params,
                                        struct opened *out_opened)
{
    struct route *path = &worker->path;
    for (uint32_t i = 0; i < OPEN_TRIES + ROUTE_SYMLINKS_MAX; i++) {
        struct place directory;
        bool again = false;
        // A symlink may have led to a directory that has no name here.
        bool nameless = path->count == 0 || route_is_up(path, path->count - 1);
        enum file_outcome outcome =
            resolve_in(worker, node, path, nameless ? LAST_FOLLOWED : LAST_LEFT, &directory);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        if (nameless) {
            place_let_go(worker->exchange, &directory);
            return FILE_OUTCOME_IS_DIRECTORY;
        }
        outcome = open_or_create_at(worker, &directory, params, out_opened, &again);
        place_let_go(worker->exchange, &directory);
        if (!again)
            return outcome;
    }
    return FILE_OUTCOME_BUSY;
}

static void on_open(void *context, struct capos_server_call *call,
                    const struct directory_open_params *params)
{
    struct worker *worker = context;
    struct opened opened;
    struct capos_transfer cap;
    if (!mode_check(call, params->mode))
        return;
    struct node *node = begin(worker, call, params->path, false);
    if (node == nullptr)
        return;
    struct directory_open_results results = {.file = WIRE_CAP_NULL};
    if (params->create) {
        capos_mutex_lock(&names_lock);
        results.outcome = open_or_create(worker, node, params, &opened);
        capos_mutex_unlock(&names_lock);
    } else {
        results.outcome =
            open_existing(worker, node, params->no_follow, open_flags(params), &opened);
    }
    node_put(worker->exchange, node);
    if (results.outcome != FILE_OUTCOME_OK) {
        directory_open_reply(call, &results, nullptr, 0);
        return;
    }
    if (mint(worker, NODE_FILE, opened.fid, opened.inode, INTERFACE_FILE, &cap) != STATUS_OK) {
        fail_memory(call);
        return;
    }
    results.created = opened.created;
    results.inode = opened.inode;
    results.size_bytes = opened.size_bytes;
    results.file = 0;
    directory_open_reply(call, &results, &cap, 1);
}

// ---- Directories -------------------------------------------------------------------

static enum file_outcome make_directory(struct worker *worker, const struct place *directory,
                                        const struct route_name *name, uint16_t mode)
{
    struct ninep_message message = {.type = NINEP_TMKDIR};
    message.make_directory.directory_fid = directory->fid;
    message.make_directory.name = bytes_of(name);
    message.make_directory.mode = mode;
    message.make_directory.gid = UINT32_MAX;
    return changed(worker, directory, outcome_of(exchange_run(worker->exchange, &message)));
}

// Makes the last name of the path, whose directories on the way exist.
static enum file_outcome make_last(struct worker *worker, const struct node *node,
                                   uint16_t mode)
{
    struct place directory;
    enum file_outcome outcome = resolve_in(worker, node, &worker->path, LAST_LEFT, &directory);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = make_directory(worker, &directory, last_name(&worker->path), mode);
    place_let_go(worker->exchange, &directory);
    return outcome;
}

// A fid of its own for the directory that the path leads to.
static enum file_outcome open_directory(struct worker *worker, const struct node *node,
                                        bool no_follow, struct opened *out_opened)
{
    struct place place;
    enum file_outcome outcome = resolve_in(worker, node, &worker->path,
                                           no_follow ? LAST_ITSELF : LAST_FOLLOWED, &place);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (place.qid.kind == NINEP_QID_SYMLINK)
        outcome = FILE_OUTCOME_SYMLINK;
    else if (place.qid.kind != NINEP_QID_DIRECTORY)
        outcome = FILE_OUTCOME_NOT_DIRECTORY;
    else if (!place.owned)
        outcome = resolve_clone(worker->exchange, place.fid, &out_opened->fid);
    else
        out_opened->fid = place.fid, place.owned = false;
    place_let_go(worker->exchange, &place);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = attributes_get(worker->exchange, out_opened->fid);
    if (outcome == FILE_OUTCOME_OK)
        out_opened->inode = worker->exchange->answer.attributes.qid.path;
    else
        fid_clunk(worker->exchange, out_opened->fid);
    return outcome;
}

static void
on_open_read_only_directory(void *context, struct capos_server_call *call,
                            const struct directory_open_read_only_directory_params *params)
{
    struct worker *worker = context;
    struct opened opened;
    struct capos_transfer cap;
    struct node *node = begin(worker, call, params->path, true);
    if (node == nullptr)
        return;
    struct directory_open_read_only_directory_results results = {.directory = WIRE_CAP_NULL};
    results.outcome = open_directory(worker, node, params->no_follow, &opened);
    node_put(worker->exchange, node);
    if (results.outcome != FILE_OUTCOME_OK) {
        directory_open_read_only_directory_reply(call, &results, nullptr, 0);
        return;
    }
    if (mint(worker, NODE_DIRECTORY, opened.fid, opened.inode, INTERFACE_READ_ONLY_DIRECTORY,
             &cap) != STATUS_OK) {
        fail_memory(call);
        return;
    }
    results.inode = opened.inode;
    results.directory = 0;
    directory_open_read_only_directory_reply(call, &results, &cap, 1);
}

static enum file_outcome
open_or_make_directory(struct worker *worker, const struct node *node,
                       const struct directory_open_directory_params *params,
                       struct opened *out_opened)
{
    enum file_outcome outcome = open_directory(worker, node, params->no_follow, out_opened);
    out_opened->created = false;
    if (outcome != FILE_OUTCOME_NOT_FOUND || !params->create)
        return outcome;
    if (!route_init(&worker->path, params->path.data, params->path.size_bytes))
        return FILE_OUTCOME_NOT_FOUND;
    outcome = make_last(worker, node, params->mode);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (!route_init(&worker->path, params->path.data, params->path.size_bytes))
        return FILE_OUTCOME_NOT_FOUND;
    outcome = open_directory(worker, node, params->no_follow, out_opened);
    out_opened->created = true;
    return outcome;
}

static void on_open_directory(void *context, struct capos_server_call *call,
                              const struct directory_open_directory_params *params)
{
    struct worker *worker = context;
    struct opened opened;
    struct capos_transfer cap;
    if (!mode_check(call, params->mode))
        return;
    struct node *node = begin(worker, call, params->path, true);
    if (node == nullptr)
        return;
    struct directory_open_directory_results results = {.directory = WIRE_CAP_NULL};
    capos_mutex_lock(&names_lock);
    results.outcome = open_or_make_directory(worker, node, params, &opened);
    capos_mutex_unlock(&names_lock);
    node_put(worker->exchange, node);
    if (results.outcome != FILE_OUTCOME_OK) {
        directory_open_directory_reply(call, &results, nullptr, 0);
        return;
    }
    if (mint(worker, NODE_DIRECTORY, opened.fid, opened.inode, INTERFACE_DIRECTORY, &cap) !=
        STATUS_OK) {
        fail_memory(call);
        return;
    }
    results.created = opened.created;
    results.inode = opened.inode;
    results.directory = 0;
    directory_open_directory_reply(call, &results, &cap, 1);
}

static void on_create_directory(void *context, struct capos_server_call *call,
                                const struct directory_create_directory_params *params)
{
    struct worker *worker = context;
    if (!mode_check(call, params->mode))
        return;
    struct node *node = begin(worker, call, params->path, false);
    if (node == nullptr)
        return;
    capos_mutex_lock(&names_lock);
    struct directory_create_directory_results results = {
        .outcome = make_last(worker, node, params->mode)};
    capos_mutex_unlock(&names_lock);
    node_put(worker->exchange, node);
    directory_create_directory_reply(call, &results);
}

// ---- Listing -----------------------------------------------------------------------

constexpr uint16_t LIST_ENTRIES_MAX = DIRECTORY_LIST_RESULTS_ENTRIES_COUNT_MAX;
// What is asked of the host for each entry: a name of usual length.  An entry of the longest
// name has to fit in any case, or the host would seem to have none.
constexpr uint32_t LIST_ENTRY_BYTES = 48;
constexpr uint32_t LIST_BYTES_MIN = 1024;
constexpr uint32_t LIST_BYTES_MAX = DEVICE_ANSWER_BYTES - NINEP_READ_HEAD_BYTES;
static_assert(LIST_BYTES_MIN > 3 * (NINEP_ENTRY_HEAD_BYTES + ROUTE_NAME_BYTES_MAX));

static enum file_kind entry_kind(const struct ninep_entry *entry)
{
    enum { HOST_DIRECTORY = 4, HOST_FILE = 8, HOST_SYMLINK = 10, HOST_UNKNOWN = 0 };
    switch (entry->kind) {
    case HOST_DIRECTORY:
        return FILE_KIND_DIRECTORY;
    case HOST_FILE:
        return FILE_KIND_FILE;
    case HOST_SYMLINK:
        return FILE_KIND_SYMLINK;
    case HOST_UNKNOWN:
        return entry->qid.kind == NINEP_QID_DIRECTORY ? FILE_KIND_DIRECTORY
               : entry->qid.kind == NINEP_QID_SYMLINK ? FILE_KIND_SYMLINK
                                                      : FILE_KIND_FILE;
    default:
        return FILE_KIND_OTHER;
    }
}

static bool is_dots(const struct ninep_bytes *name)
{
    return name->size_bytes >= 1 && name->size_bytes <= 2 &&
           memcmp(name->bytes, "..", name->size_bytes) == 0;
}

struct page {
    struct ninep_entry entries[LIST_ENTRIES_MAX]; // their names lie in the exchange's answer
    uint32_t count;
    uint64_t cookie; // goes on behind them
    bool end;
};

// Takes the entries of an answer.
static enum file_outcome page_fill(struct page *page, struct ninep_bytes data,
                                   uint32_t entries_max)
{
    struct ninep_entry entry;
    bool broken;
    page->end = data.size_bytes == 0;
    while (page->count < entries_max && ninep_entry_next(&data, &entry, &broken)) {
        page->cookie = entry.next_offset;
        if (!is_dots(&entry.name) && entry.name.size_bytes <= ROUTE_NAME_BYTES_MAX)
            page->entries[page->count++] = entry;
    }
    return page->count < entries_max && broken ? FILE_OUTCOME_INPUT_OUTPUT : FILE_OUTCOME_OK;
}

// Reads from the opened directory `fid` until there is something to tell.
static enum file_outcome page_read(struct worker *worker, uint32_t fid, uint32_t entries_max,
                                   struct page *page)
{
    uint32_t bytes = entries_max * LIST_ENTRY_BYTES;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    bytes = bytes < LIST_BYTES_MIN   ? LIST_BYTES_MIN
            : bytes > LIST_BYTES_MAX ? LIST_BYTES_MAX
                                     : bytes;
    while (outcome == FILE_OUTCOME_OK && page->count == 0 && !page->end) {
        struct ninep_message message = {.type = NINEP_TREADDIR};
        message.read.fid = fid;
        message.read.offset = page->cookie;
        message.read.count = bytes;
        outcome = outcome_of(exchange_run(worker->exchange, &message));
        if (outcome == FILE_OUTCOME_OK)
            outcome = page_fill(page, worker->exchange->answer.data, entries_max);
    }
    return outcome;
}

static void list_reply(struct capos_server_call *call, const struct page *page)
{
    struct wire_builder message;
    uint32_t bytes = 128 + page->count * 48;
    for (uint32_t i = 0; i < page->count; i++)
        bytes += page->entries[i].name.size_bytes + 8;
    struct directory_list_results_builder results =
        directory_list_reply_begin(call, &message, bytes & ~UINT32_C(7));
    directory_list_results_set_outcome(results, FILE_OUTCOME_OK);
    directory_list_results_set_end(results, page->end);
    struct directory_entry_list_builder list =
        directory_list_results_init_entries(results, page->count);
    for (uint32_t i = 0; i < page->count; i++) {
        const struct ninep_entry *from = &page->entries[i];
        struct directory_entry_builder entry = directory_entry_element(list, i);
        directory_entry_set_name(entry,
                                 (struct wire_data){from->name.bytes, from->name.size_bytes});
        directory_entry_set_kind(entry, entry_kind(from));
        directory_entry_set_inode(entry, from->qid.path);
        directory_entry_set_cookie(entry, from->next_offset);
    }
    directory_list_reply(call, &message);
}

static void list_refuse(struct capos_server_call *call, enum file_outcome outcome)
{
    struct wire_builder message;
    struct directory_list_results_builder results =
        directory_list_reply_begin(call, &message, 64);
    directory_list_results_set_outcome(results, outcome);
    directory_list_reply(call, &message);
}

static enum file_outcome list_open(struct worker *worker, uint32_t directory, uint32_t *out_fid)
{
    enum file_outcome outcome = resolve_clone(worker->exchange, directory, out_fid);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    struct ninep_message message = {.type = NINEP_TLOPEN};
    message.open.fid = *out_fid;
    message.open.flags = NINEP_OPEN_READ | NINEP_OPEN_NO_FOLLOW;
    outcome = outcome_of(exchange_run(worker->exchange, &message));
    if (outcome != FILE_OUTCOME_OK)
        fid_clunk(worker->exchange, *out_fid);
    return outcome;
}

// How many entries a directory has; 0 if it can't be read.
static uint64_t entry_count(struct worker *worker, uint32_t directory)
{
    struct page page = {};
    uint32_t fid;
    uint64_t count = 0;
    if (list_open(worker, directory, &fid) != FILE_OUTCOME_OK)
        return 0;
    while (!page.end && page_read(worker, fid, LIST_ENTRIES_MAX, &page) == FILE_OUTCOME_OK) {
        count += page.count;
        page.count = 0;
    }
    fid_clunk(worker->exchange, fid);
    return count;
}

static void on_list(void *context, struct capos_server_call *call,
                    const struct directory_list_params *params)
{
    struct worker *worker = context;
    struct page page = {.cookie = params->cookie};
    uint32_t fid;
    if (params->entries_max == 0 || params->entries_max > LIST_ENTRIES_MAX) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "entriesMax: 1 to 128");
        return;
    }
    struct node *node = called_node(call, NODE_DIRECTORY);
    if (node == nullptr)
        return;
    page.end = node->removed;
    enum file_outcome outcome =
        page.end ? FILE_OUTCOME_NOT_FOUND : list_open(worker, node->fid, &fid);
    node_put(worker->exchange, node);
    bool opened = outcome == FILE_OUTCOME_OK;
    if (opened)
        outcome = page_read(worker, fid, params->entries_max, &page);
    if (opened)
        fid_clunk(worker->exchange, fid); // the names stay
    // The host or a client removed it: it has no entries.
    page.end = page.end || outcome == FILE_OUTCOME_NOT_FOUND;
    if (outcome == FILE_OUTCOME_OK || outcome == FILE_OUTCOME_NOT_FOUND)
        list_reply(call, &page);
    else
        list_refuse(call, outcome);
}

// ---- Looking -----------------------------------------------------------------------

// What is left to tell of a directory that was removed.
static struct directory_stat_results removed_directory(const struct node *node)
{
    return (struct directory_stat_results){
        .outcome = FILE_OUTCOME_OK, .kind = FILE_KIND_DIRECTORY, .inode = node->inode};
}

static struct directory_stat_results stat_path(struct worker *worker, const struct node *node,
                                               bool no_follow)
{
    struct place place;
    if (node->removed && worker->path.count == 0)
        return removed_directory(node);
    enum file_outcome outcome = resolve_in(worker, node, &worker->path,
                                           no_follow ? LAST_ITSELF : LAST_FOLLOWED, &place);
    if (outcome != FILE_OUTCOME_OK)
        return (struct directory_stat_results){.outcome = outcome};
    outcome = attributes_get(worker->exchange, place.fid);
    struct directory_stat_results results = {.outcome = outcome};
    if (outcome == FILE_OUTCOME_OK)
        results = attributes_of(&worker->exchange->answer.attributes);
    if (outcome == FILE_OUTCOME_OK && results.kind == FILE_KIND_DIRECTORY)
        results.size_bytes = entry_count(worker, place.fid);
    place_let_go(worker->exchange, &place);
    return results;
}

static void on_stat(void *context, struct capos_server_call *call,
                    const struct directory_stat_params *params)
{
    struct worker *worker = context;
    struct node *node = begin(worker, call, params->path, true);
    if (node == nullptr)
        return;
    struct directory_stat_results results = stat_path(worker, node, params->no_follow);
    node_put(worker->exchange, node);
    directory_stat_reply(call, &results);
}

static void on_read_symlink(void *context, struct capos_server_call *call,
                            const struct directory_read_symlink_params *params)
{
    struct worker *worker = context;
    struct place place;
    struct node *node = begin(worker, call, params->path, false);
    if (node == nullptr)
        return;
    struct directory_read_symlink_results results = {};
    results.outcome = resolve_in(worker, node, &worker->path, LAST_ITSELF, &place);
    node_put(worker->exchange, node);
    if (results.outcome != FILE_OUTCOME_OK) {
        directory_read_symlink_reply(call, &results);
        return;
    }
    struct ninep_message message = {.type = NINEP_TREADLINK, .fid = place.fid};
    uint8_t target[ROUTE_CLIENT_BYTES_MAX];
    if (place.qid.kind != NINEP_QID_SYMLINK)
        results.outcome = FILE_OUTCOME_NOT_SUPPORTED;
    else
        results.outcome = outcome_of(exchange_run(worker->exchange, &message));
    const struct ninep_bytes *found = &worker->exchange->answer.target;
    if (results.outcome == FILE_OUTCOME_OK && found->size_bytes > sizeof target)
        results.outcome = FILE_OUTCOME_NOT_SUPPORTED;
    if (results.outcome == FILE_OUTCOME_OK) {
        memcpy(target, found->bytes, found->size_bytes);
        results.target = (struct wire_data){target, found->size_bytes};
    }
    place_let_go(worker->exchange, &place); // its answer takes the place of the other
    directory_read_symlink_reply(call, &results);
}

static void on_info(void *context, struct capos_server_call *call)
{
    struct worker *worker = context;
    struct node *node = called_node(call, NODE_DIRECTORY);
    if (node == nullptr)
        return;
    struct ninep_message message = {.type = NINEP_TSTATFS, .fid = node->fid};
    int error = exchange_run(worker->exchange, &message);
    node_put(worker->exchange, node);
    const typeof(message.statfs) *statfs = &worker->exchange->answer.statfs;
    struct directory_info_results results = {
        .writable = true,
        .persistent = true,
        .symlinks = true,
        .name_bytes_max = ROUTE_NAME_BYTES_MAX,
        .file_bytes_max = FILE_BYTES_MAX,
    };
    if (error == 0) {
        results.total_bytes = statfs->blocks * statfs->block_bytes;
        results.free_bytes = statfs->blocks_available * statfs->block_bytes;
        if (statfs->name_bytes_max < ROUTE_NAME_BYTES_MAX)
            results.name_bytes_max = (uint16_t)statfs->name_bytes_max;
    }
    directory_info_reply(call, &results);
}

static void on_read_only(void *context, struct capos_server_call *call)
{
    struct capos_transfer transfer;
    if (!called_narrowed(context, call, NODE_DIRECTORY, INTERFACE_READ_ONLY_DIRECTORY,
                         &transfer))
        return;
    directory_read_only_reply(call, &(struct directory_read_only_results){.directory = 0},
                              &transfer, 1);
}

// ---- Changing names ----------------------------------------------------------------

static void on_create_symlink(void *context, struct capos_server_call *call,
                              const struct directory_create_symlink_params *params)
{
    struct worker *worker = context;
    struct place directory;
    if (params->target.size_bytes == 0 ||
        memchr(params->target.data, 0, params->target.size_bytes) != nullptr) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "target: 1 to 1024 bytes, none of them 0");
        return;
    }
    struct node *node = begin(worker, call, params->path, false);
    if (node == nullptr)
        return;
    struct directory_create_symlink_results results = {};
    capos_mutex_lock(&names_lock);
    results.outcome = resolve_in(worker, node, &worker->path, LAST_LEFT, &directory);
    if (results.outcome == FILE_OUTCOME_OK) {
        struct ninep_message message = {.type = NINEP_TSYMLINK};
        message.make_symlink.directory_fid = directory.fid;
        message.make_symlink.name = bytes_of(last_name(&worker->path));
        message.make_symlink.target =
            (struct ninep_bytes){params->target.data, params->target.size_bytes};
        message.make_symlink.gid = UINT32_MAX;
        results.outcome =
            changed(worker, &directory, outcome_of(exchange_run(worker->exchange, &message)));
        place_let_go(worker->exchange, &directory);
    }
    capos_mutex_unlock(&names_lock);
    node_put(worker->exchange, node);
    directory_create_symlink_reply(call, &results);
}

// What a name stands for, before it goes.
struct victim {
    bool there, is_directory;
    uint64_t inode;
};

static struct victim victim_look(struct worker *worker, uint32_t fid,
                                 const struct route_name *name)
{
    struct place place;
    if (resolve_name(worker->exchange, fid, name, &place) != FILE_OUTCOME_OK)
        return (struct victim){};
    place_let_go(worker->exchange, &place);
    return (struct victim){.there = true,
                           .is_directory = place.qid.kind == NINEP_QID_DIRECTORY,
                           .inode = place.qid.path};
}

// QEMU finds what a fid stands for by its name.  An open file it has open too; of a
// directory that is gone, its nodes have to know.
static void victim_gone(const struct victim *victim)
{
    if (victim->there && victim->is_directory)
        nodes_remove(victim->inode);
}

static enum file_outcome unlink_name(struct worker *worker, const struct place *directory,
                                     const struct route_name *name, uint32_t flags)
{
    struct ninep_message message = {.type = NINEP_TUNLINKAT};
    message.unlink.directory_fid = directory->fid;
    message.unlink.name = bytes_of(name);
    message.unlink.flags = flags;
    return changed(worker, directory, outcome_of(exchange_run(worker->exchange, &message)));
}

static enum file_outcome remove_name(struct worker *worker, const struct place *directory,
                                     const struct route_name *name, enum directory_removal what)
{
    struct victim victim = victim_look(worker, directory->fid, name);
    bool as_directory = what == DIRECTORY_REMOVAL_DIRECTORY ||
                        (what == DIRECTORY_REMOVAL_ANY && victim.is_directory);
    enum file_outcome outcome =
        unlink_name(worker, directory, name, as_directory ? NINEP_UNLINK_DIRECTORY : 0);
    if (outcome == FILE_OUTCOME_OK)
        victim_gone(&victim);
    return outcome;
}

static void on_remove(void *context, struct capos_server_call *call,
                      const struct directory_remove_params *params)
{
    struct worker *worker = context;
    struct place directory;
    if (params->what > DIRECTORY_REMOVAL_DIRECTORY) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "what: any, notDirectory, directory");
        return;
    }
    struct node *node = begin(worker, call, params->path, false);
    if (node == nullptr)
        return;
    capos_mutex_lock(&names_lock);
    struct directory_remove_results results = {
        .outcome = resolve_in(worker, node, &worker->path, LAST_LEFT, &directory)};
    if (results.outcome == FILE_OUTCOME_OK) {
        results.outcome =
            remove_name(worker, &directory, last_name(&worker->path), params->what);
        place_let_go(worker->exchange, &directory);
    }
    capos_mutex_unlock(&names_lock);
    node_put(worker->exchange, node);
    directory_remove_reply(call, &results);
}

static enum file_outcome rename_send(struct worker *worker, const struct place *from,
                                     const struct place *to)
{
    struct ninep_message message = {.type = NINEP_TRENAMEAT};
    message.rename.old_directory_fid = from->fid;
    message.rename.old_name = bytes_of(last_name(&worker->path));
    message.rename.new_directory_fid = to->fid;
    message.rename.new_name = bytes_of(last_name(&worker->to_path));
    int error = exchange_run(worker->exchange, &message);
    enum { HOST_EINVAL = 22 }; // rename(2): what is moved contains where it goes
    if (error == HOST_EINVAL)
        return FILE_OUTCOME_INTO_ITSELF;
    (void)changed(worker, from, outcome_of(error));
    return changed(worker, to, outcome_of(error));
}

// What the names stand for, before the host is asked: it looks first whether the directories
// contain each other, and says `notEmpty` of one that a file in it is to replace.
static enum file_outcome replacement_check(const struct victim *source,
                                           const struct victim *victim,
                                           enum directory_replacement replacement)
{
    bool exchange = replacement == DIRECTORY_REPLACEMENT_EXCHANGE;
    if (!source->there || (exchange && !victim->there))
        return FILE_OUTCOME_NOT_FOUND;
    if (exchange)
        return FILE_OUTCOME_NOT_SUPPORTED;
    if (!victim->there)
        return FILE_OUTCOME_OK;
    if (replacement == DIRECTORY_REPLACEMENT_REFUSE)
        return FILE_OUTCOME_EXISTS;
    if (source->is_directory == victim->is_directory)
        return FILE_OUTCOME_OK;
    return source->is_directory ? FILE_OUTCOME_NOT_DIRECTORY : FILE_OUTCOME_IS_DIRECTORY;
}

static enum file_outcome rename_within(struct worker *worker, const struct place *from,
                                       const struct place *to,
                                       enum directory_replacement replacement)
{
    struct victim source = victim_look(worker, from->fid, last_name(&worker->path));
    struct victim victim = victim_look(worker, to->fid, last_name(&worker->to_path));
    enum file_outcome outcome = replacement_check(&source, &victim, replacement);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = rename_send(worker, from, to);
    if (outcome == FILE_OUTCOME_OK && victim.inode != source.inode)
        victim_gone(&victim);
    return outcome;
}

static enum file_outcome rename_between(struct worker *worker, const struct node *node,
                                        const struct node *to_node,
                                        enum directory_replacement replacement)
{
    struct place from, to;
    enum file_outcome outcome = resolve_in(worker, node, &worker->path, LAST_LEFT, &from);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    outcome = resolve_in(worker, to_node, &worker->to_path, LAST_LEFT, &to);
    if (outcome == FILE_OUTCOME_OK) {
        outcome = rename_within(worker, &from, &to, replacement);
        place_let_go(worker->exchange, &to);
    }
    place_let_go(worker->exchange, &from);
    return outcome;
}

static void on_rename(void *context, struct capos_server_call *call,
                      const struct directory_rename_params *params)
{
    struct worker *worker = context;
    struct directory_rename_results results = {.outcome = FILE_OUTCOME_OTHER_SERVICE};
    uint64_t interface_id;
    if (params->replacement > DIRECTORY_REPLACEMENT_EXCHANGE) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "replacement: replace, refuse, exchange");
        return;
    }
    if (!path_take(call, &worker->to_path, params->to_path, false))
        return;
    struct node *node = begin(worker, call, params->path, false);
    if (node == nullptr)
        return;
    bool elsewhere = params->to_directory != WIRE_CAP_NULL;
    struct node *to_node =
        elsewhere ? given_node(call, params->to_directory, NODE_DIRECTORY, &interface_id)
                  : node;
    if (to_node != nullptr) {
        capos_mutex_lock(&names_lock);
        results.outcome = rename_between(worker, node, to_node, params->replacement);
        capos_mutex_unlock(&names_lock);
        if (elsewhere)
            node_put(worker->exchange, to_node);
    }
    node_put(worker->exchange, node);
    directory_rename_reply(call, &results);
}

// ---- Attributes and durability -----------------------------------------------------

static void on_set_attributes(void *context, struct capos_server_call *call,
                              const struct directory_set_attributes_params *params)
{
    struct worker *worker = context;
    struct place place;
    if (!mode_check(call, params->mode))
        return;
    struct node *node = begin(worker, call, params->path, true);
    if (node == nullptr)
        return;
    struct attribute_changes changes = {
        .mode = params->set_mode,
        .modified = params->set_modified,
        .accessed = params->set_accessed,
        .new_mode = params->mode,
        .modified_ns = params->modified_ns,
        .accessed_ns = params->accessed_ns,
    };
    struct directory_set_attributes_results results = {};
    results.outcome = node->removed
                          ? FILE_OUTCOME_NOT_FOUND
                          : resolve_in(worker, node, &worker->path,
                                       params->no_follow ? LAST_ITSELF : LAST_FOLLOWED, &place);
    if (results.outcome == FILE_OUTCOME_OK) {
        results.outcome = attributes_set(worker->exchange, place.fid, &changes);
        place_let_go(worker->exchange, &place);
    }
    node_put(worker->exchange, node);
    directory_set_attributes_reply(call, &results);
}

static void on_sync(void *context, struct capos_server_call *call)
{
    struct worker *worker = context;
    struct node *node = called_node(call, NODE_DIRECTORY);
    if (node == nullptr)
        return;
    node_put(worker->exchange, node);
    directory_sync_reply(
        call, &(struct directory_sync_results){.outcome = sync_all(worker->exchange)});
}

// Quotas are the host's to set.
static void on_set_quota(void *context, struct capos_server_call *call,
                         const struct directory_set_quota_params *params)
{
    struct worker *worker = context;
    if (path_take(call, &worker->path, params->path, false))
        directory_set_quota_reply(
            call, &(struct directory_set_quota_results){.outcome = FILE_OUTCOME_NOT_SUPPORTED});
}

const struct directory_server_ops directory_ops = {
    .open_read_only = on_open_read_only,
    .open_read_only_directory = on_open_read_only_directory,
    .stat = on_stat,
    .list = on_list,
    .read_symlink = on_read_symlink,
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
