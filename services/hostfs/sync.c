// SPDX-License-Identifier: MIT
// Files and directories that aren't durable yet; see sync.h.
#include "sync.h"

#include "objects.h"
#include "resolve.h"

#include <capos/sync.h>

// Beyond so many the oldest is made durable at once.
constexpr uint32_t FIDS_MAX = 2048;

// A ring of fids with their inodes; 0 for files, which don't come twice.
struct fids {
    struct {
        uint32_t fid;
        uint64_t inode;
    } list[FIDS_MAX];
    uint32_t first, count;
};

static struct capos_mutex lock; // of both
static struct fids files, directories;

enum file_outcome sync_fid(struct exchange *exchange, uint32_t fid, bool data_only)
{
    struct ninep_message message = {.type = NINEP_TFSYNC};
    message.sync.fid = fid;
    message.sync.data_only = data_only;
    return outcome_of(exchange_run(exchange, &message));
}

// Puts one in and returns the one that has no room any more, or NINEP_NO_FID.
static uint32_t fids_put(struct fids *fids, uint32_t fid, uint64_t inode)
{
    uint32_t oldest = NINEP_NO_FID;
    capos_mutex_lock(&lock);
    if (fids->count == FIDS_MAX) {
        oldest = fids->list[fids->first].fid;
        fids->first = (fids->first + 1) % FIDS_MAX;
        fids->count--;
    }
    uint32_t index = (fids->first + fids->count++) % FIDS_MAX;
    fids->list[index].fid = fid;
    fids->list[index].inode = inode;
    capos_mutex_unlock(&lock);
    return oldest;
}

static bool fids_have(struct fids *fids, uint64_t inode)
{
    bool found = false;
    capos_mutex_lock(&lock);
    for (uint32_t i = 0; i < fids->count && !found; i++)
        found = fids->list[(fids->first + i) % FIDS_MAX].inode == inode;
    capos_mutex_unlock(&lock);
    return found;
}

static uint32_t fids_take(struct fids *fids)
{
    uint32_t fid = NINEP_NO_FID;
    capos_mutex_lock(&lock);
    if (fids->count > 0) {
        fid = fids->list[fids->first].fid;
        fids->first = (fids->first + 1) % FIDS_MAX;
        fids->count--;
    }
    capos_mutex_unlock(&lock);
    return fid;
}

// Makes a remembered one durable and lets it go.  What was removed meanwhile has nothing to
// be made durable.
static enum file_outcome finish(struct exchange *exchange, uint32_t fid)
{
    enum file_outcome outcome = sync_fid(exchange, fid, false);
    fid_clunk(exchange, fid);
    return outcome == FILE_OUTCOME_NOT_FOUND ? FILE_OUTCOME_OK : outcome;
}

static void remember(struct exchange *exchange, struct fids *fids, uint32_t fid, uint64_t inode)
{
    uint32_t oldest = fids_put(fids, fid, inode);
    if (oldest != NINEP_NO_FID)
        (void)finish(exchange, oldest); // a medium that fails says so to whoever syncs next
}

void sync_take_file(struct exchange *exchange, uint32_t fid)
{
    remember(exchange, &files, fid, 0);
}

void sync_note_directory(struct exchange *exchange, uint32_t fid, uint64_t inode)
{
    uint32_t clone;
    if (fids_have(&directories, inode) ||
        resolve_clone(exchange, fid, &clone) != FILE_OUTCOME_OK)
        return;
    struct ninep_message message = {.type = NINEP_TLOPEN};
    message.open.fid = clone;
    message.open.flags = NINEP_OPEN_READ | NINEP_OPEN_NO_FOLLOW;
    if (exchange_run(exchange, &message) == 0)
        remember(exchange, &directories, clone, inode);
    else // it is gone
        fid_clunk(exchange, clone);
}

static enum file_outcome open_files_sync(struct exchange *exchange)
{
    enum file_outcome worst = FILE_OUTCOME_OK;
    struct node *node;
    while ((node = node_take_changed()) != nullptr) {
        enum file_outcome outcome = sync_fid(exchange, node->fid, false);
        if (outcome != FILE_OUTCOME_OK)
            worst = outcome;
        node_put(exchange, node);
    }
    return worst;
}

enum file_outcome sync_all(struct exchange *exchange)
{
    enum file_outcome worst = open_files_sync(exchange);
    struct fids *const kinds[] = {&files, &directories};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t fid;
        while ((fid = fids_take(kinds[i])) != NINEP_NO_FID) {
            enum file_outcome outcome = finish(exchange, fid);
            if (outcome != FILE_OUTCOME_OK)
                worst = outcome;
        }
    }
    return worst;
}
