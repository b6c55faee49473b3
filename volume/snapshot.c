// SPDX-License-Identifier: MIT
// Snapshots of a volume in use; see volume_snapshot_begin.
//
// Between two checkpoints the database's area isn't written, and with an empty log it is all there
// is.  So a snapshot is a checkpoint, and from then on a copy of each page that is about to be
// written (vfs.c).  The copies lie where the database would grow last, and nothing of them is
// needed after a loss of power.
#include "parts.h"
#include "vfs.h"

#include <string.h>

constexpr uint64_t RESERVE_MIN = 16; // pages; with fewer it wouldn't outlive anything

bool volume_snapshot_is_open(const struct volume *volume)
{
    return volume->pages_reserved != 0;
}

uint64_t volume_snapshot_bytes(const struct volume *volume)
{
    return volume->medium_pages * MEDIUM_PAGE;
}

enum file_outcome volume_snapshot_begin(struct volume *volume)
{
    struct volume_room room;
    if (volume->pages_reserved != 0)
        return FILE_OUTCOME_BUSY;
    enum file_outcome outcome = volume_settle(volume);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_room(volume, &room);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    uint64_t reserve = room.free_bytes / MEDIUM_PAGE / 2;
    // Free pages inside the database are no place for it.
    uint64_t behind = volume->pages_max - volume->pages_used;
    if (reserve > behind)
        reserve = behind;
    if (reserve < RESERVE_MIN)
        return FILE_OUTCOME_NO_SPACE;
    outcome = vfs_snapshot_begin(reserve);
    if (outcome != FILE_OUTCOME_OK)
        return outcome;
    volume->pages_reserved = reserve;
    volume->pages_max -= reserve;
    volume->pages_free = 0; // to be counted anew
    return FILE_OUTCOME_OK;
}

void volume_snapshot_end(struct volume *volume)
{
    vfs_snapshot_end();
    volume->pages_max += volume->pages_reserved;
    volume->pages_reserved = 0;
}

enum file_outcome volume_snapshot_read(struct volume *volume, uint64_t offset, void *to,
                                       uint32_t bytes)
{
    static alignas(8) uint8_t page[MEDIUM_PAGE];
    (void)volume;
    for (uint32_t done = 0; done < bytes;) {
        uint32_t skip = (uint32_t)((offset + done) % MEDIUM_PAGE);
        uint32_t step = MEDIUM_PAGE - skip < bytes - done ? MEDIUM_PAGE - skip : bytes - done;
        enum file_outcome outcome = vfs_snapshot_read((offset + done) / MEDIUM_PAGE, page);
        if (outcome != FILE_OUTCOME_OK)
            return outcome;
        memcpy((uint8_t *)to + done, page + skip, step);
        done += step;
    }
    return FILE_OUTCOME_OK;
}
