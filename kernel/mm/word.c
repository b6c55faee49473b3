// SPDX-License-Identifier: MIT
// What a word of user memory is, for whoever sleeps on it.  See space.h.
//
// Locks are used again and again, so the range in which the last word lay is remembered;
// region.c forgets it when a region changes.  Tested in tests/core/park_test.c.
#include <kernel/mm/space.h>

#include <kernel/mm/memory_object.h>
#include <kernel/mm/region.h>

enum status space_word_find(struct space *space, uint64_t address, struct space_word *out_word)
{
    const struct region *region = region_find(space, address);
    if (region == nullptr || region->protection == PROTECTION_NONE)
        return STATUS_BAD_ADDRESS;
    struct space_word first = {.owner = space, .offset = region->start};
    if (region->kind == REGION_OBJECT) {
        first.offset = region->offset_bytes;
        first.owner = memory_object_whole(region->object, &first.offset);
    }
    space->words = (struct space_word_range){
        .start = region->start, .bytes = region->end - region->start, .first = first};
    *out_word = (struct space_word){.owner = first.owner,
                                    .offset = first.offset + (address - region->start)};
    return STATUS_OK;
}
