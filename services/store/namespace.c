// SPDX-License-Identifier: MIT
// The methods of Namespace, over the volume's names.
//
// Invariants:
//  1. A read-only interface's methods are the first ones of the wide one, with the same
//     messages, so the functions here serve both (namespace_on_call).
//  2. What changes the names answers after a sync.
//  3. A watcher ends when its call does, whoever ends it: the endpoint says so.
#include "parts.h"

#include <capos/loop.h>
#include <capos/panic.h>

#include <gen/capos/endpoint.h>
#include <gen/capos/store.h>
#include <string.h>

constexpr uint32_t WATCHERS_MAX = 16;
constexpr uint32_t PAGE_ENTRIES_MAX = NAMESPACE_LIST_RESULTS_ENTRIES_COUNT_MAX;

// Invariant 1.
static_assert((int)READ_ONLY_NAMESPACE_METHOD_INFO == (int)NAMESPACE_METHOD_INFO);
static_assert(READ_ONLY_NAMESPACE_GET_RESULTS_BYTES_MAX == NAMESPACE_GET_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_NAMESPACE_LIST_RESULTS_BYTES_MAX == NAMESPACE_LIST_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_NAMESPACE_HISTORY_RESULTS_BYTES_MAX ==
              NAMESPACE_HISTORY_RESULTS_BYTES_MAX);
static_assert(READ_ONLY_NAMESPACE_INFO_RESULTS_BYTES_MAX == NAMESPACE_INFO_RESULTS_BYTES_MAX);

struct watcher {
    bool used;
    struct capos_server_call *waiting; // detached; nullptr: answered
    struct capos_call ended;           // Endpoint.watch
};
static struct watcher watchers[WATCHERS_MAX];

static bool name_check(struct capos_server_call *call, struct wire_data name)
{
    if (name.size_bytes > 0 && memchr(name.data, 0, name.size_bytes) == nullptr)
        return true;
    refuse(call, "name: 1 to 255 bytes, none of them 0");
    return false;
}

static struct wire_data lead_data(const struct volume_lead *lead)
{
    return lead->leads ? hash_data(&lead->hash) : (struct wire_data){};
}

static uint64_t version_now(void)
{
    struct volume_names info = {};
    return volume_names_info(volume, &info) == FILE_OUTCOME_OK ? info.version : 0;
}

// ---- Looking -----------------------------------------------------------------------

static void on_get(void *, struct capos_server_call *call,
                   const struct namespace_get_params *params)
{
    struct volume_lead lead = {};
    if (!name_check(call, params->name))
        return;
    enum file_outcome outcome = volume_name_get(volume, params->name, UINT64_MAX, &lead);
    if (outcome == FILE_OUTCOME_OK && !lead.leads)
        outcome = FILE_OUTCOME_NOT_FOUND;
    namespace_get_reply(call, &(struct namespace_get_results){.outcome = outcome,
                                                              .hash = lead_data(&lead),
                                                              .version = lead.version});
}

static bool count_check(struct capos_server_call *call, uint32_t count, const char *reason)
{
    if (count > 0 && count <= PAGE_ENTRIES_MAX)
        return true;
    refuse(call, reason);
    return false;
}

static void on_list(void *, struct capos_server_call *call,
                    const struct namespace_list_params *params)
{
    static struct volume_name page[PAGE_ENTRIES_MAX];
    constexpr uint32_t entry_bytes = NAMESPACE_NAMESPACE_ENTRY_BYTES_MAX - 8 - 256;
    uint32_t count = 0, bytes = 8 + 16 + 8; // the root, the results, the list's tag
    struct wire_data after = params->after;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (!count_check(call, params->entries_max, "entriesMax: 1 to 128"))
        return;
    while (count < params->entries_max) {
        struct volume_name *name = &page[count];
        outcome = volume_name_next(volume, after, name);
        if (outcome != FILE_OUTCOME_OK)
            break;
        after = (struct wire_data){name->name, name->name_bytes};
        bytes += entry_bytes + ((name->name_bytes + 7) & ~7u);
        count++;
    }
    bool end = outcome == FILE_OUTCOME_NOT_FOUND;
    if (end)
        outcome = FILE_OUTCOME_OK;
    if (outcome != FILE_OUTCOME_OK)
        count = 0;
    struct wire_builder message;
    struct namespace_list_results_builder results =
        namespace_list_reply_begin(call, &message, bytes);
    namespace_list_results_set_outcome(results, outcome);
    namespace_list_results_set_end(results, end);
    struct namespace_namespace_entry_list_builder entries =
        namespace_list_results_init_entries(results, count);
    for (uint32_t i = 0; i < count; i++) {
        struct namespace_namespace_entry_builder entry =
            namespace_namespace_entry_element(entries, i);
        namespace_namespace_entry_set_name(
            entry, (struct wire_data){page[i].name, page[i].name_bytes});
        namespace_namespace_entry_set_hash(entry, hash_data(&page[i].lead.hash));
        namespace_namespace_entry_set_version(entry, page[i].lead.version);
    }
    namespace_list_reply(call, &message);
}

static void on_history(void *, struct capos_server_call *call,
                       const struct namespace_history_params *params)
{
    static struct volume_lead page[PAGE_ENTRIES_MAX];
    constexpr uint32_t change_bytes = NAMESPACE_NAMESPACE_CHANGE_BYTES_MAX - 8;
    uint32_t count = 0;
    uint64_t before = params->before == 0 ? UINT64_MAX : params->before;
    enum file_outcome outcome = FILE_OUTCOME_OK;
    if (!name_check(call, params->name) ||
        !count_check(call, params->changes_max, "changesMax: 1 to 128"))
        return;
    while (count < params->changes_max) {
        outcome = volume_name_get(volume, params->name, before, &page[count]);
        if (outcome != FILE_OUTCOME_OK)
            break;
        before = page[count++].version;
    }
    bool end = outcome == FILE_OUTCOME_NOT_FOUND;
    if (end && (count > 0 || params->before != 0))
        outcome = FILE_OUTCOME_OK;
    if (outcome != FILE_OUTCOME_OK)
        count = 0;
    struct wire_builder message;
    struct namespace_history_results_builder results =
        namespace_history_reply_begin(call, &message, 8 + 16 + 8 + count * change_bytes);
    namespace_history_results_set_outcome(results, outcome);
    namespace_history_results_set_end(results, end);
    struct namespace_namespace_change_list_builder changes =
        namespace_history_results_init_changes(results, count);
    for (uint32_t i = 0; i < count; i++) {
        struct namespace_namespace_change_builder change =
            namespace_namespace_change_element(changes, i);
        namespace_namespace_change_set_hash(change, lead_data(&page[i]));
        namespace_namespace_change_set_version(change, page[i].version);
        namespace_namespace_change_set_time_ns(change, page[i].time_ns);
    }
    namespace_history_reply(call, &message);
}

static void on_info(void *, struct capos_server_call *call)
{
    struct volume_names info;
    if (volume_names_info(volume, &info) != FILE_OUTCOME_OK)
        capos_server_fail(call, STATUS_FAILED, "the disk can't be read");
    else
        namespace_info_reply(
            call, &(struct namespace_info_results){.version = info.version,
                                                   .name_count = info.name_count,
                                                   .history_version = info.history_version});
}

// ---- Watching ----------------------------------------------------------------------

static void watcher_answer(struct watcher *watcher, uint64_t version)
{
    struct capos_server_call *call = watcher->waiting;
    watcher->waiting = nullptr;
    namespace_watch_reply(call, &(struct namespace_watch_results){.version = version});
}

// The call has ended: it was answered, or nobody waits for the answer any more.
static void watch_ended(struct capos_call *ended, void *context)
{
    struct watcher *watcher = context;
    if (endpoint_watch_finish(ended, nullptr) != STATUS_OK && watcher->waiting != nullptr)
        capos_panic("store: Endpoint.watch failed");
    if (watcher->waiting != nullptr)
        watcher_answer(watcher, 0);
    watcher->used = false;
}

static void on_watch(void *, struct capos_server_call *call,
                     const struct namespace_watch_params *params)
{
    uint64_t now = version_now();
    if (now != params->version) {
        namespace_watch_reply(call, &(struct namespace_watch_results){.version = now});
        return;
    }
    struct watcher *watcher = watchers;
    while (watcher < watchers + WATCHERS_MAX && watcher->used)
        watcher++;
    struct capos_server_call *waiting =
        watcher == watchers + WATCHERS_MAX ? nullptr : capos_server_detach(call);
    if (waiting == nullptr) {
        capos_server_fail(call, STATUS_OVERLOADED, "too many are watching");
        return;
    }
    if (endpoint_watch_begin(&watcher->ended, endpoint, waiting->call_id) != STATUS_OK) {
        capos_server_fail(waiting, STATUS_OVERLOADED, "too many are watching");
        return;
    }
    watcher->used = true;
    watcher->waiting = waiting;
    capos_call_on_done(&watcher->ended, watch_ended, watcher);
}

static void changed(uint64_t version)
{
    for (uint32_t i = 0; i < WATCHERS_MAX; i++)
        if (watchers[i].waiting != nullptr)
            watcher_answer(&watchers[i], version);
}

// ---- Changing ----------------------------------------------------------------------

// Syncs what was done, and tells of it.
static enum file_outcome settle(enum file_outcome outcome, uint64_t version_before,
                                uint64_t *out_version)
{
    if (outcome == FILE_OUTCOME_OK)
        outcome = sync_all();
    *out_version = version_now();
    if (*out_version != version_before)
        changed(*out_version);
    return outcome;
}

static bool optional_hash(struct capos_server_call *call, struct wire_data data,
                          struct volume_hash *storage, const struct volume_hash **out_hash)
{
    *out_hash = data.size_bytes != 0 ? storage : nullptr;
    return data.size_bytes == 0 || hash_take(call, data, storage);
}

static void on_set(void *, struct capos_server_call *call,
                   const struct namespace_set_params *params)
{
    struct volume_hash storage[2];
    const struct volume_hash *expected, *hash;
    struct volume_lead lead = {};
    uint64_t before = version_now(), now;
    if (!name_check(call, params->name) ||
        !optional_hash(call, params->expected, &storage[0], &expected) ||
        !optional_hash(call, params->hash, &storage[1], &hash))
        return;
    enum file_outcome outcome = volume_name_set(volume, params->name, expected, hash, &lead);
    outcome = settle(outcome, before, &now);
    namespace_set_reply(call, &(struct namespace_set_results){.outcome = outcome,
                                                              .current = lead_data(&lead),
                                                              .version = lead.version});
}

static void on_snapshot(void *, struct capos_server_call *call)
{
    struct volume_hash hash = {};
    uint64_t version;
    enum file_outcome outcome = volume_names_snapshot(volume, &hash);
    outcome = settle(outcome, version_now(), &version);
    namespace_snapshot_reply(
        call, &(struct namespace_snapshot_results){
                  .outcome = outcome, .hash = hash_data(&hash), .version = version});
}

static void on_restore(void *, struct capos_server_call *call,
                       const struct namespace_restore_params *params)
{
    struct volume_hash hash;
    uint64_t before = version_now(), now;
    if (!hash_take(call, params->hash, &hash))
        return;
    enum file_outcome outcome = settle(volume_names_restore(volume, &hash), before, &now);
    namespace_restore_reply(
        call, &(struct namespace_restore_results){.outcome = outcome, .version = now});
}

static void on_forget(void *, struct capos_server_call *call,
                      const struct namespace_forget_params *params)
{
    uint64_t version;
    enum file_outcome outcome =
        settle(volume_names_forget(volume, params->version), version_now(), &version);
    namespace_forget_reply(call, &(struct namespace_forget_results){.outcome = outcome});
}

static void on_read_only(void *, struct capos_server_call *call)
{
    uint64_t object;
    if (endpoint_mint(endpoint, INTERFACE_READ_ONLY_NAMESPACE, WORD_NAMESPACE, &object) !=
        STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED, "there is no memory");
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(object);
    namespace_read_only_reply(call, &(struct namespace_read_only_results){.namespace = 0},
                              &transfer, 1);
}

void namespace_on_call(struct capos_server_call *call)
{
    static const struct namespace_server_ops ops = {
        .get = on_get,
        .list = on_list,
        .history = on_history,
        .watch = on_watch,
        .info = on_info,
        .set = on_set,
        .snapshot = on_snapshot,
        .restore = on_restore,
        .forget = on_forget,
        .read_only = on_read_only,
    };
    if (call->interface_id == INTERFACE_READ_ONLY_NAMESPACE) {
        if (call->method >= READ_ONLY_NAMESPACE_METHODS) {
            capos_server_fail(call, STATUS_UNIMPLEMENTED, "the interface has no such method");
            return;
        }
        call->interface_id = INTERFACE_NAMESPACE;
    }
    namespace_serve(&ops, nullptr, call);
}
