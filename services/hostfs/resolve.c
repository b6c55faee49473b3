// SPDX-License-Identifier: MIT
// Walks and symlinks; see resolve.h.
#include "resolve.h"

#include <string.h>

// ---- Outcomes ----------------------------------------------------------------------

// Errnos as Linux numbers them, which is what a host answers on any system.
enum {
    HOST_EPERM = 1,
    HOST_ENOENT = 2,
    HOST_ENXIO = 6,
    HOST_EACCES = 13,
    HOST_EBUSY = 16,
    HOST_EEXIST = 17,
    HOST_EXDEV = 18,
    HOST_ENODEV = 19,
    HOST_ENOTDIR = 20,
    HOST_EISDIR = 21,
    HOST_EINVAL = 22,
    HOST_ETXTBSY = 26,
    HOST_EFBIG = 27,
    HOST_ENOSPC = 28,
    HOST_EROFS = 30,
    HOST_EMLINK = 31,
    HOST_ENAMETOOLONG = 36,
    HOST_ENOSYS = 38,
    HOST_ENOTEMPTY = 39,
    HOST_ELOOP = 40,
    HOST_EOPNOTSUPP = 95,
    HOST_ESTALE = 116,
    HOST_EDQUOT = 122,
};

enum file_outcome outcome_of(int error)
{
    static const struct {
        int error;
        enum file_outcome outcome;
    } table[] = {
        {0, FILE_OUTCOME_OK},
        {HOST_EPERM, FILE_OUTCOME_NO_ACCESS},
        {HOST_ENOENT, FILE_OUTCOME_NOT_FOUND},
        {HOST_ENXIO, FILE_OUTCOME_NOT_SUPPORTED}, // a FIFO, a socket, a device
        {HOST_EACCES, FILE_OUTCOME_NO_ACCESS},
        {HOST_EBUSY, FILE_OUTCOME_BUSY},
        {HOST_EEXIST, FILE_OUTCOME_EXISTS},
        {HOST_EXDEV, FILE_OUTCOME_OTHER_SERVICE}, // another file system below the directory
        {HOST_ENODEV, FILE_OUTCOME_NOT_SUPPORTED},
        {HOST_ENOTDIR, FILE_OUTCOME_NOT_DIRECTORY},
        {HOST_EISDIR, FILE_OUTCOME_IS_DIRECTORY},
        {HOST_EINVAL, FILE_OUTCOME_NOT_SUPPORTED},
        {HOST_ETXTBSY, FILE_OUTCOME_BUSY},
        {HOST_EFBIG, FILE_OUTCOME_TOO_LARGE},
        {HOST_ENOSPC, FILE_OUTCOME_NO_SPACE},
        {HOST_EROFS, FILE_OUTCOME_READ_ONLY},
        {HOST_EMLINK, FILE_OUTCOME_NO_SPACE},
        {HOST_ENAMETOOLONG, FILE_OUTCOME_NOT_SUPPORTED}, // a file system with shorter names
        {HOST_ENOSYS, FILE_OUTCOME_NOT_SUPPORTED},
        {HOST_ENOTEMPTY, FILE_OUTCOME_NOT_EMPTY},
        {HOST_ELOOP, FILE_OUTCOME_SYMLINK}, // it became one just now
        {HOST_EOPNOTSUPP, FILE_OUTCOME_NOT_SUPPORTED},
        {HOST_ESTALE, FILE_OUTCOME_NOT_FOUND},
        {HOST_EDQUOT, FILE_OUTCOME_QUOTA_EXCEEDED},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].error == error)
            return table[i].outcome;
    return FILE_OUTCOME_INPUT_OUTPUT;
}

static enum file_outcome outcome_of_path(enum route_outcome outcome)
{
    switch (outcome) {
    case ROUTE_OUTSIDE:
        return FILE_OUTCOME_OUTSIDE;
    case ROUTE_TOO_MANY:
        return FILE_OUTCOME_TOO_MANY_SYMLINKS;
    default:
        return FILE_OUTCOME_OK;
    }
}

// ---- Fids --------------------------------------------------------------------------

static_assert(NINEP_READ_HEAD_BYTES >= NINEP_HEADER_BYTES + sizeof(uint32_t), "an Rlerror");

void fid_clunk(struct exchange *exchange, uint32_t fid)
{
    struct ninep_message message = {.type = NINEP_TCLUNK, .fid = fid};
    (void)exchange_run(exchange, &message); // the fid is gone also when that fails
    device_fid_put(fid);
}

void place_let_go(struct exchange *exchange, struct place *place)
{
    if (place->owned)
        fid_clunk(exchange, place->fid);
    place->owned = false;
}

// ---- Steps -------------------------------------------------------------------------

// Walks `count` names from a fid.  *out_found is how many there are, and *out_fid names the
// last one if that is all of them; otherwise it is NINEP_NO_FID.  The qids are in the
// exchange's answer.
static enum file_outcome walk(struct exchange *exchange, uint32_t fid,
                              const struct route_name *names, uint32_t count, uint32_t *out_fid,
                              uint32_t *out_found)
{
    struct ninep_message message = {.type = NINEP_TWALK};
    message.walk.fid = fid;
    message.walk.new_fid = device_fid_get();
    message.walk.name_count = (uint16_t)count;
    for (uint32_t i = 0; i < count; i++)
        message.walk.names[i] = (struct ninep_bytes){names[i].bytes, names[i].size_bytes};
    *out_fid = NINEP_NO_FID;
    if (message.walk.new_fid == NINEP_NO_FID)
        return FILE_OUTCOME_BUSY;
    int error = exchange_run(exchange, &message);
    *out_found = error == 0 ? exchange->answer.walked.qid_count : 0;
    if (error == 0 && *out_found == count)
        *out_fid = message.walk.new_fid;
    else
        device_fid_put(message.walk.new_fid);
    return outcome_of(error);
}

enum file_outcome resolve_clone(struct exchange *exchange, uint32_t fid, uint32_t *out_fid)
{
    uint32_t found;
    return walk(exchange, fid, nullptr, 0, out_fid, &found);
}

enum file_outcome resolve_name(struct exchange *exchange, uint32_t fid,
                               const struct route_name *name, struct place *out_place)
{
    uint32_t found;
    enum file_outcome outcome = walk(exchange, fid, name, 1, &out_place->fid, &found);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    out_place->owned = true;
    out_place->qid = exchange->answer.walked.qids[0];
    return FILE_OUTCOME_OK;
}

// `fid` is the symlink itself.
static enum file_outcome follow(struct exchange *exchange, uint32_t fid, struct route *path,
                                uint32_t index)
{
    struct ninep_message message = {.type = NINEP_TREADLINK, .fid = fid};
    enum file_outcome outcome = outcome_of(exchange_run(exchange, &message));
    const struct ninep_bytes *target = &exchange->answer.target;
    if (outcome == FILE_OUTCOME_OK)
        outcome = outcome_of_path(route_follow(path, index, target->bytes, target->size_bytes));
    return outcome;
}

enum file_outcome resolve_follow(struct exchange *exchange, uint32_t fid, struct route *path,
                                 uint32_t index)
{
    return follow(exchange, fid, path, index);
}

// ---- Paths -------------------------------------------------------------------------

struct walker {
    struct exchange *exchange;
    struct route *path;
    enum resolve_last last;
    uint32_t base;
    struct place place; // where the first `gone` names lead
    uint32_t gone;
};

static void walker_move(struct walker *walker, struct place place, uint32_t gone)
{
    place_let_go(walker->exchange, &walker->place);
    walker->place = place;
    walker->gone = gone;
}

static void walker_restart(struct walker *walker)
{
    walker_move(walker,
                (struct place){.fid = walker->base, .qid = {.kind = NINEP_QID_DIRECTORY}}, 0);
}

// How many names are to be gone.
static uint32_t walker_end(const struct walker *walker)
{
    uint32_t count = walker->path->count;
    return walker->last == LAST_LEFT && count > 0 ? count - 1 : count;
}

// The names for one request: up to a `..`.
static uint32_t batch_count(const struct walker *walker)
{
    uint32_t count = 0, end = walker_end(walker);
    while (count < NINEP_WALK_MAX && walker->gone + count < end &&
           !route_is_up(walker->path, walker->gone + count))
        count++;
    return count;
}

// Follows the symlink `offset` names behind those that are gone.
static enum file_outcome walker_follow(struct walker *walker, uint32_t offset)
{
    uint32_t fid, found;
    const struct route_name *names = &walker->path->names[walker->gone];
    enum file_outcome outcome =
        walk(walker->exchange, walker->place.fid, names, offset + 1, &fid, &found);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    if (fid == NINEP_NO_FID) // it has just gone
        return FILE_OUTCOME_NOT_FOUND;
    outcome = follow(walker->exchange, fid, walker->path, walker->gone + offset);
    fid_clunk(walker->exchange, fid);
    return outcome;
}

static bool is_final(const struct walker *walker, uint32_t offset)
{
    return walker->last == LAST_ITSELF && walker->gone + offset + 1 == walker->path->count;
}

// Goes on by a batch of names.
static enum file_outcome walker_step(struct walker *walker)
{
    uint32_t fid, found, count = batch_count(walker);
    struct exchange *exchange = walker->exchange;
    enum file_outcome outcome = walk(exchange, walker->place.fid,
                                     &walker->path->names[walker->gone], count, &fid, &found);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    struct ninep_qid qid = exchange->answer.walked.qids[found - 1];
    for (uint32_t i = 0; i < found; i++)
        if (exchange->answer.walked.qids[i].kind == NINEP_QID_SYMLINK && !is_final(walker, i)) {
            if (fid != NINEP_NO_FID)
                fid_clunk(exchange, fid);
            return walker_follow(walker, i);
        }
    if (fid != NINEP_NO_FID) {
        walker_move(walker, (struct place){.fid = fid, .owned = true, .qid = qid},
                    walker->gone + count);
        return FILE_OUTCOME_OK;
    }
    if (qid.kind != NINEP_QID_DIRECTORY)
        return FILE_OUTCOME_NOT_DIRECTORY;
    // The host didn't say why it stopped.  It will when the next name is the first one.
    outcome = walk(exchange, walker->place.fid, &walker->path->names[walker->gone], found, &fid,
                   &found);
    if (outcome != FILE_OUTCOME_OK || fid == NINEP_NO_FID)
        return outcome != FILE_OUTCOME_OK ? outcome : FILE_OUTCOME_NOT_FOUND;
    walker_move(walker, (struct place){.fid = fid, .owned = true, .qid = qid},
                walker->gone + found);
    return FILE_OUTCOME_OK;
}

static enum file_outcome walker_run(struct walker *walker)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    while (outcome == FILE_OUTCOME_OK && walker->gone < walker_end(walker)) {
        if (walker->place.qid.kind != NINEP_QID_DIRECTORY)
            return FILE_OUTCOME_NOT_DIRECTORY;
        if (route_is_up(walker->path, walker->gone)) {
            outcome = outcome_of_path(route_up(walker->path, walker->gone));
            walker_restart(walker);
        } else {
            outcome = walker_step(walker);
        }
    }
    bool needs_directory = walker->last == LAST_LEFT;
    if (outcome == FILE_OUTCOME_OK && needs_directory &&
        walker->place.qid.kind != NINEP_QID_DIRECTORY)
        outcome = FILE_OUTCOME_NOT_DIRECTORY;
    return outcome;
}

enum file_outcome resolve(struct exchange *exchange, uint32_t fid, struct route *path,
                          enum resolve_last last, struct place *out_place)
{
    struct walker walker = {.exchange = exchange, .path = path, .last = last, .base = fid};
    walker_restart(&walker);
    enum file_outcome outcome = walker_run(&walker);
    if (outcome == FILE_OUTCOME_OK)
        *out_place = walker.place;
    else
        place_let_go(exchange, &walker.place);
    return outcome;
}
