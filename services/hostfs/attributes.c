// SPDX-License-Identifier: MIT
// Attributes: from the host's to those of the schema, and back.
#include "hostfs.h"

constexpr int64_t NS_PER_S = 1'000'000'000;
constexpr uint64_t BLOCK_BYTES = 512; // the unit of a stat's blocks, whatever the block size
constexpr uint32_t MODE_BITS = 07777;

static enum file_kind kind_of(uint32_t mode)
{
    switch (mode & NINEP_MODE_KIND) {
    case NINEP_MODE_FILE:
        return FILE_KIND_FILE;
    case NINEP_MODE_DIRECTORY:
        return FILE_KIND_DIRECTORY;
    case NINEP_MODE_SYMLINK:
        return FILE_KIND_SYMLINK;
    default:
        return FILE_KIND_OTHER;
    }
}

// Wraps for times that a file system can't have.
static int64_t time_ns(uint64_t seconds, uint64_t ns)
{
    return (int64_t)(seconds * (uint64_t)NS_PER_S + ns);
}

struct directory_stat_results attributes_of(const struct ninep_attributes *attributes)
{
    return (struct directory_stat_results){
        .outcome = FILE_OUTCOME_OK,
        .kind = kind_of(attributes->mode),
        .mode = (uint16_t)(attributes->mode & MODE_BITS),
        .link_count = (uint32_t)attributes->links,
        .inode = attributes->qid.path,
        .size_bytes = attributes->size_bytes,
        .stored_bytes = attributes->blocks * BLOCK_BYTES,
        .modified_ns = time_ns(attributes->mtime_s, attributes->mtime_ns),
        .changed_ns = time_ns(attributes->ctime_s, attributes->ctime_ns),
        .accessed_ns = time_ns(attributes->atime_s, attributes->atime_ns),
    };
}

enum file_outcome attributes_get(struct exchange *exchange, uint32_t fid)
{
    struct ninep_message message = {.type = NINEP_TGETATTR};
    message.get_attributes.fid = fid;
    message.get_attributes.mask = NINEP_GET_BASIC;
    return outcome_of(exchange_run(exchange, &message));
}

// Rounds down, so that times before 1970 have their nanoseconds too.
static void time_split(int64_t ns, uint64_t *out_s, uint64_t *out_ns)
{
    int64_t rest = ns % NS_PER_S;
    if (rest < 0)
        rest += NS_PER_S;
    *out_s = (uint64_t)((ns - rest) / NS_PER_S);
    *out_ns = (uint64_t)rest;
}

enum file_outcome attributes_set(struct exchange *exchange, uint32_t fid,
                                 const struct attribute_changes *changes)
{
    struct ninep_message message = {.type = NINEP_TSETATTR};
    typeof(message.set_attributes) *set = &message.set_attributes;
    set->fid = fid;
    if (changes->mode)
        set->valid |= NINEP_SET_MODE;
    if (changes->modified)
        set->valid |= NINEP_SET_MTIME | NINEP_SET_MTIME_GIVEN;
    if (changes->accessed)
        set->valid |= NINEP_SET_ATIME | NINEP_SET_ATIME_GIVEN;
    set->mode = changes->new_mode;
    time_split(changes->modified_ns, &set->mtime_s, &set->mtime_ns);
    time_split(changes->accessed_ns, &set->atime_s, &set->atime_ns);
    return set->valid == 0 ? FILE_OUTCOME_OK : outcome_of(exchange_run(exchange, &message));
}
