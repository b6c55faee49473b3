// SPDX-License-Identifier: MIT
// Handles of a file service: what its minted objects stand for, and when they go.
//
// A word is the handle's place in a table and a serial number, so that a word of an object
// that is gone never means another one.
//
// Invariants:
//  1. A handle is freed by the release notice of its object, or at once if the object was
//     never handed out.  While a call on it is unanswered there is no notice.
//  2. A read-only interface's methods are the first ones of the wide one, with the same
//     messages; so one implementation serves both, and nothing else of the wide one is
//     reached through the narrow one (serve_narrow).
//  3. A watcher ends when its call does, whoever ends it: the endpoint says so.
#include "tree_parts.h"

#include <capos/panic.h>

#include <gen/capos/directory.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/file.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t BLOCK_HANDLES = 64; // of the table, which grows by blocks
constexpr uint32_t BLOCKS_MAX = 256;
static_assert(BLOCK_HANDLES >= TREE_WORDS_OF_EXPORTS);
constexpr uint32_t WATCHERS_MAX = 16;
constexpr uint64_t BUFFER_BYTES_MAX = 4u << 20;
constexpr uint64_t PAGE = 4096;
constexpr uint32_t MESSAGE_BYTES = DIRECTORY_RENAME_PARAMS_BYTES_MAX;
static_assert(FILE_WRITE_PARAMS_BYTES_MAX <= MESSAGE_BYTES);
static_assert(DIRECTORY_CREATE_SYMLINK_PARAMS_BYTES_MAX <= MESSAGE_BYTES);

// Invariant 2.
static_assert((int)READ_ONLY_FILE_METHOD_CREATE_BUFFER == (int)FILE_METHOD_CREATE_BUFFER);
static_assert((int)READ_ONLY_DIRECTORY_METHOD_INFO == (int)DIRECTORY_METHOD_INFO);
static_assert(READ_ONLY_FILE_READ_RESULTS_BYTES_MAX == FILE_READ_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_FILE_STAT_RESULTS_BYTES_MAX == FILE_STAT_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_FILE_MAP_RESULTS_BYTES_MAX == FILE_MAP_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_DIRECTORY_STAT_RESULTS_BYTES_MAX == DIRECTORY_STAT_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_DIRECTORY_LIST_RESULTS_BYTES_MAX == DIRECTORY_LIST_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_DIRECTORY_INFO_RESULTS_BYTES_MAX == DIRECTORY_INFO_RESULTS_BYTES_MAX);

struct watcher {
    struct tree *tree;                 // nullptr: free
    struct tree_node *node;            // a reference
    struct capos_server_call *waiting; // detached; nullptr: answered
    uint64_t version;
    struct capos_call ended; // of capos_server_watch
};

static struct capos_server server;
static endpoint_cap endpoint;
static virtual_memory_cap memory;
static struct tree_handle *blocks[BLOCKS_MAX];
static uint32_t block_count;
static struct tree_handle *first_free;
static struct watcher watchers[WATCHERS_MAX];
static uint32_t watcher_count;

// ---- Handles -----------------------------------------------------------------------

static uint64_t word_of(const struct tree_handle *handle)
{
    return (uint64_t)handle->serial << 32 | handle->place;
}

static struct tree_handle *handle_of_word(uint64_t word)
{
    uint32_t place = (uint32_t)word;
    if (place / BLOCK_HANDLES >= block_count)
        return nullptr;
    struct tree_handle *handle = &blocks[place / BLOCK_HANDLES][place % BLOCK_HANDLES];
    return handle->tree != nullptr && handle->serial == word >> 32 ? handle : nullptr;
}

static bool handles_grow(void)
{
    if (block_count == BLOCKS_MAX)
        return false;
    struct tree_handle *block = calloc(BLOCK_HANDLES, sizeof *block);
    if (block == nullptr)
        return false;
    for (uint32_t i = BLOCK_HANDLES; i-- > 0;) {
        block[i].place = block_count * BLOCK_HANDLES + i;
        if (block[i].place < TREE_WORDS_OF_EXPORTS)
            continue;
        block[i].next_free = first_free;
        first_free = &block[i];
    }
    blocks[block_count++] = block;
    return true;
}

// nullptr if there is no room.  Takes the reference of the caller on the node.
static struct tree_handle *handle_create(struct tree *tree, struct tree_node *node)
{
    if (tree->handle_count >= tree->handle_count_max ||
        (first_free == nullptr && !handles_grow()))
        return nullptr;
    struct tree_handle *handle = first_free;
    first_free = handle->next_free;
    handle->serial++;
    handle->tree = tree;
    handle->node = node;
    tree->handle_count++;
    return handle;
}

static void handle_free(struct tree_handle *handle)
{
    struct tree *tree = handle->tree;
    tree_put(tree, handle->node);
    tree_buffer_unmap(&handle->buffer);
    handle->tree = nullptr;
    handle->node = nullptr;
    // A place whose serial numbers are used up is never used again.
    if (handle->serial != UINT32_MAX) {
        handle->next_free = first_free;
        first_free = handle;
    }
    tree->handle_count--;
}

static void handle_destroy(struct tree_handle *handle)
{
    struct tree *tree = handle->tree;
    handle_free(handle);
    if (tree->handle_count == 0 && tree->ops->destroy != nullptr)
        tree->ops->destroy(tree);
}

static enum status handle_mint(struct tree_handle *handle, uint64_t interface_id,
                               uint64_t *out_cap)
{
    if (handle == nullptr)
        return STATUS_OVERLOADED;
    if (endpoint_mint(endpoint, interface_id, word_of(handle), out_cap) == STATUS_OK)
        return STATUS_OK;
    handle_free(handle);
    return STATUS_OVERLOADED;
}

enum status tree_mint(struct tree *tree, struct tree_node *node, uint64_t interface_id,
                      uint64_t *out_cap)
{
    struct tree_handle *handle = handle_create(tree, tree_get(node));
    if (handle == nullptr)
        tree_put(tree, node);
    return handle_mint(handle, interface_id, out_cap);
}

enum status tree_mint_buffer(struct tree *tree, struct tree_buffer buffer, uint64_t *out_cap)
{
    struct tree_handle *handle = handle_create(tree, nullptr);
    if (handle != nullptr)
        handle->buffer = buffer;
    else
        tree_buffer_unmap(&buffer);
    return handle_mint(handle, INTERFACE_FILE_BUFFER, out_cap);
}

bool tree_give(struct capos_server_call *call, struct tree *tree, struct tree_node *node,
               uint64_t interface_id, struct capos_transfer *out_transfer)
{
    uint64_t object;
    enum status status = tree_mint(tree, node, interface_id, &object);
    tree_put(tree, node);
    if (status != STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED, "too much is open, or there is no memory");
        return false;
    }
    *out_transfer = capos_transfer_move(object);
    return true;
}

void tree_export(uint64_t word, struct tree *tree, struct tree_node *node)
{
    if (word >= TREE_WORDS_OF_EXPORTS || (block_count == 0 && !handles_grow()))
        capos_panic("tree_export: word %llu, or no memory", (unsigned long long)word);
    blocks[0][word].tree = tree;
    blocks[0][word].node = tree_get(node);
    tree->handle_count++;
}

struct tree_handle *tree_handle_of(struct capos_server_call *call, uint32_t index,
                                   uint64_t *out_interface_id)
{
    capos_cap_id cap;
    uint64_t word;
    if (capos_server_take(call, index, 0, &cap) != STATUS_OK)
        return nullptr;
    enum status status = endpoint_identify(endpoint, cap, &word, out_interface_id);
    // The client keeps its hold until it has its answer, so the handle stays.
    capos_release(cap);
    return status == STATUS_OK ? handle_of_word(word) : nullptr;
}

// ---- Buffers -----------------------------------------------------------------------

enum status tree_buffer_map(uint64_t memory_object, struct tree_buffer *out_buffer)
{
    memory_object_cap object = {memory_object};
    uint64_t size_bytes, address;
    bool writable;
    enum status status = memory_object_info(object, &size_bytes, &writable, nullptr);
    if (status != STATUS_OK)
        return status;
    if (!writable || size_bytes < PAGE || size_bytes > BUFFER_BYTES_MAX)
        return STATUS_INVALID_ARGUMENT;
    status =
        virtual_memory_map(memory, object, 0, size_bytes, 0, PROTECTION_READ_WRITE, &address);
    if (status == STATUS_OK)
        *out_buffer = (struct tree_buffer){.address = (uint8_t *)address, size_bytes};
    return status;
}

void tree_buffer_unmap(struct tree_buffer *buffer)
{
    if (buffer->address != nullptr && virtual_memory_unmap(memory, (uint64_t)buffer->address,
                                                           buffer->size_bytes) != STATUS_OK)
        capos_panic("tree: a buffer can't be unmapped");
    *buffer = (struct tree_buffer){};
}

// ---- Watches -----------------------------------------------------------------------

static uint64_t version_of(struct tree *tree, struct tree_node *node)
{
    struct tree_stat stat;
    return tree->ops->stat(tree, node, &stat) == FILE_OUTCOME_OK ? stat.version : 0;
}

static void watcher_answer(struct watcher *watcher, uint64_t version)
{
    struct capos_server_call *call = watcher->waiting;
    watcher->waiting = nullptr;
    directory_watch_reply(call, &(struct directory_watch_results){.version = version});
}

// The call has ended: it was answered, or nobody waits for the answer any more.
static void watch_ended(struct capos_call *ended, void *context)
{
    struct watcher *watcher = context;
    if (capos_server_watch_finish(ended, nullptr) != STATUS_OK && watcher->waiting != nullptr)
        capos_panic("tree: the watch of a call failed");
    if (watcher->waiting != nullptr)
        watcher_answer(watcher, 0);
    struct tree *tree = watcher->tree;
    watcher->tree = nullptr;
    watcher_count--;
    tree_put(tree, watcher->node);
}

static struct watcher *watcher_free(void)
{
    for (uint32_t i = 0; i < WATCHERS_MAX; i++)
        if (watchers[i].tree == nullptr)
            return &watchers[i];
    return nullptr;
}

void tree_watch(struct tree_handle *handle, struct capos_server_call *call, uint64_t version)
{
    uint64_t now = version_of(handle->tree, handle->node);
    if (now == 0) {
        capos_server_fail(call, STATUS_UNIMPLEMENTED, "this service doesn't count changes");
        return;
    }
    if (now != version) {
        directory_watch_reply(call, &(struct directory_watch_results){.version = now});
        return;
    }
    struct watcher *watcher = watcher_free();
    struct capos_server_call *waiting =
        watcher == nullptr ? nullptr : capos_server_detach(call);
    if (waiting == nullptr) {
        capos_server_fail(call, STATUS_OVERLOADED, "too many are watching");
        return;
    }
    if (capos_server_watch(waiting, &watcher->ended, watch_ended, watcher) != STATUS_OK) {
        capos_server_fail(waiting, STATUS_OVERLOADED, "too many are watching");
        return;
    }
    watcher->tree = handle->tree;
    watcher->node = tree_get(handle->node);
    watcher->waiting = waiting;
    watcher->version = version;
    watcher_count++;
}

void tree_changed(struct tree *tree)
{
    for (uint32_t i = 0; watcher_count > 0 && i < WATCHERS_MAX; i++) {
        struct watcher *watcher = &watchers[i];
        if (watcher->tree != tree || watcher->waiting == nullptr)
            continue;
        uint64_t now = version_of(tree, watcher->node);
        if (now != watcher->version)
            watcher_answer(watcher, now);
    }
}

// ---- Dispatch ----------------------------------------------------------------------

// Invariant 2.
static bool narrow_to_wide(struct capos_server_call *call)
{
    bool file = call->interface_id == INTERFACE_READ_ONLY_FILE;
    uint16_t count =
        file ? READ_ONLY_FILE_METHOD_CREATE_BUFFER + 1 : READ_ONLY_DIRECTORY_METHOD_INFO + 1;
    if (call->method >= count)
        return false;
    call->interface_id = file ? INTERFACE_FILE : INTERFACE_DIRECTORY;
    return true;
}

void tree_serve(struct capos_server_call *call)
{
    struct tree_handle *handle = handle_of_word(call->word);
    if (handle == nullptr) {
        capos_server_fail(call, STATUS_DISCONNECTED, "the service was started again");
        return;
    }
    struct tree *tree = handle->tree;
    switch (call->interface_id) {
    case INTERFACE_READ_ONLY_DIRECTORY:
    case INTERFACE_READ_ONLY_FILE:
        if (!narrow_to_wide(call)) {
            capos_server_fail(call, STATUS_UNIMPLEMENTED, "the interface has no such method");
            return;
        }
        break;
    default:
        break;
    }
    if (call->interface_id == INTERFACE_DIRECTORY)
        directory_serve(&tree_directory_ops, handle, call);
    else if (call->interface_id == INTERFACE_FILE)
        file_serve(&tree_file_ops, handle, call);
    else
        file_buffer_serve(&tree_buffer_ops, handle, call);
    if (watcher_count > 0)
        tree_changed(tree);
}

static void on_released(void *, uint64_t word)
{
    struct tree_handle *handle = handle_of_word(word);
    if (handle != nullptr && word >= TREE_WORDS_OF_EXPORTS)
        handle_destroy(handle);
}

enum status tree_service_start(uint64_t endpoint_id, uint64_t memory_id,
                               void (*on_call)(void *context, struct capos_server_call *call),
                               void *context)
{
    static struct capos_server_handlers handlers;
    handlers = (struct capos_server_handlers){.on_call = on_call, .on_released = on_released};
    endpoint.id = endpoint_id;
    memory.id = memory_id;
    // One call at a time: its message and a small answer lie in the ring.
    return capos_server_start(
        &server, endpoint_id, &handlers, context,
        &(struct capos_server_options){.receive_count = 1, .message_bytes_max = MESSAGE_BYTES});
}
