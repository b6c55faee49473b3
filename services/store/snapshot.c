// SPDX-License-Identifier: MIT
// The export "snapshot": a ReadOnlyDirectory with one file, "disk", which is the whole disk as it
// was when the first who has it open began to read, whatever is written meanwhile.  It is a disk
// itself.  Who reads when nobody has it open any more gets a new one.
//
// When more changes than there is room to keep, reading ends with `noSpace`.
#include "parts.h"

#include <capos/tree.h>
#include <string.h>

static struct tree tree;
static struct tree_node root = {.kind = FILE_KIND_DIRECTORY};
static struct tree_node image = {.kind = FILE_KIND_FILE};
static const char image_name[] = "disk";
constexpr uint64_t ROOT_INODE = 1, IMAGE_INODE = 2;

static enum file_outcome on_lookup(struct tree *, struct tree_node *, struct wire_data name,
                                   struct tree_node **out_node)
{
    if (name.size_bytes != sizeof image_name - 1 ||
        memcmp(name.data, image_name, name.size_bytes) != 0)
        return FILE_OUTCOME_NOT_FOUND;
    *out_node = &image;
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_list(struct tree *, struct tree_node *, uint64_t cookie,
                                 struct tree_page *page)
{
    if (cookie == 0)
        page->entries[page->count++] = (struct tree_entry){
            .name = {(const uint8_t *)image_name, sizeof image_name - 1},
            .kind = FILE_KIND_FILE,
            .inode = IMAGE_INODE,
            .cookie = IMAGE_INODE,
        };
    page->end = true;
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_stat(struct tree *, struct tree_node *node,
                                 struct tree_stat *out_stat)
{
    bool is_image = node == &image;
    *out_stat = (struct tree_stat){
        .mode = is_image ? 0444 : 0555,
        .link_count = 1,
        .inode = is_image ? IMAGE_INODE : ROOT_INODE,
        .size_bytes = is_image ? volume_snapshot_bytes(volume) : 1,
    };
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_read(struct tree *, struct tree_node *, uint64_t offset,
                                 void *buffer, uint32_t byte_count, uint32_t *out_read)
{
    uint64_t size = volume_snapshot_bytes(volume);
    uint64_t there = offset < size ? size - offset : 0;
    uint32_t count = there < byte_count ? (uint32_t)there : byte_count;
    enum file_outcome outcome =
        volume_snapshot_is_open(volume) ? FILE_OUTCOME_OK : volume_snapshot_begin(volume);
    if (outcome == FILE_OUTCOME_OK)
        outcome = volume_snapshot_read(volume, offset, buffer, count);
    if (outcome == FILE_OUTCOME_OK)
        *out_read = count;
    return outcome;
}

static void on_info(struct tree *, struct directory_info_results *out_info)
{
    *out_info = (struct directory_info_results){
        .persistent = true,
        .name_bytes_max = PATH_NAME_BYTES_MAX,
        .total_bytes = volume_snapshot_bytes(volume),
        .file_bytes_max = volume_snapshot_bytes(volume),
        .file_count_max = 1,
        .file_count = 1,
    };
}

static void on_forget(struct tree *, struct tree_node *node)
{
    if (node == &image && volume_snapshot_is_open(volume))
        volume_snapshot_end(volume);
}

void snapshot_export(void)
{
    static const struct tree_ops ops = {
        .lookup = on_lookup,
        .list = on_list,
        .stat = on_stat,
        .read = on_read,
        .info = on_info,
        .forget = on_forget,
    };
    tree_init(&tree, &ops, &root);
    tree_export(WORD_SNAPSHOT, &tree, &root);
}
