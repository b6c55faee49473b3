// SPDX-License-Identifier: MIT
// bootfs: the files that the machine was started with, as a ReadOnlyDirectory: the export with
// the word 1.
//
// One directory without directories.  A file's pages are where the boot loader put them: they
// are mapped when the file is first read, and as long as somebody has it open.
//
// Grants: memory, endpoint, boot.
// Tested by tests/system/files_test.c.
#include <capos/capset.h>
#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>
#include <capos/tree.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <lib/container_of.h>
#include <stdlib.h>
#include <string.h>

constexpr uint64_t WORD_ROOT = 1;
constexpr uint64_t PAGE = 4096;
constexpr uint64_t INODE_ROOT = 1; // files have the following ones
constexpr uint16_t MODE = 0555;
constexpr uint32_t NAME_BYTES_MAX = BOOT_PACKAGE_ENTRY_RESULTS_NAME_BYTES_MAX;

struct file {
    struct tree_node head;
    uint64_t size_bytes;
    uint32_t name_bytes;
    char name[NAME_BYTES_MAX + 1];
    memory_object_cap object; // while it is open, and read or mapped
    const uint8_t *pages;
};

static struct file *files;
static uint32_t file_count;
static struct tree_node root = {.kind = FILE_KIND_DIRECTORY};
static boot_package_cap boot;
static virtual_memory_cap memory;

static struct file *file_of(struct tree_node *head)
{
    return container_of(head, struct file, head);
}

static uint64_t mapped_bytes(const struct file *file)
{
    return file->size_bytes == 0 ? PAGE : (file->size_bytes + PAGE - 1) & ~(PAGE - 1);
}

static bool file_open(struct file *file)
{
    uint64_t size_bytes, address;
    if (file->pages != nullptr)
        return true;
    if (boot_package_open(boot, file->name, file->name_bytes, &file->object, &size_bytes) !=
        STATUS_OK)
        return false;
    if (virtual_memory_map(memory, file->object, 0, mapped_bytes(file), 0, PROTECTION_READ,
                           &address) != STATUS_OK) {
        memory_object_cap_release(&file->object);
        return false;
    }
    file->pages = (const uint8_t *)address;
    return true;
}

static void on_forget(struct tree *, struct tree_node *node)
{
    struct file *file = file_of(node);
    if (node == &root || file->pages == nullptr)
        return;
    if (virtual_memory_unmap(memory, (uint64_t)file->pages, mapped_bytes(file)) != STATUS_OK)
        capos_panic("bootfs: %s can't be unmapped", file->name);
    memory_object_cap_release(&file->object);
    file->pages = nullptr;
}

static enum file_outcome on_lookup(struct tree *, struct tree_node *, struct wire_data name,
                                   struct tree_node **out_node)
{
    for (uint32_t i = 0; i < file_count; i++)
        if (files[i].name_bytes == name.size_bytes &&
            memcmp(files[i].name, name.data, name.size_bytes) == 0) {
            *out_node = &files[i].head;
            return FILE_OUTCOME_OK;
        }
    return FILE_OUTCOME_NOT_FOUND;
}

static enum file_outcome on_list(struct tree *, struct tree_node *, uint64_t cookie,
                                 struct tree_page *page)
{
    uint64_t at = cookie;
    for (; at < file_count && page->count < page->entries_max; at++)
        page->entries[page->count++] = (struct tree_entry){
            .name = {(const uint8_t *)files[at].name, files[at].name_bytes},
            .kind = FILE_KIND_FILE,
            .inode = INODE_ROOT + 1 + at,
            .cookie = at + 1,
        };
    page->end = at >= file_count;
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_stat(struct tree *, struct tree_node *node,
                                 struct tree_stat *out_stat)
{
    *out_stat = (struct tree_stat){.mode = MODE, .link_count = 1, .version = 1};
    if (node == &root) {
        out_stat->inode = INODE_ROOT;
        out_stat->size_bytes = file_count;
        return FILE_OUTCOME_OK;
    }
    const struct file *file = file_of(node);
    out_stat->inode = INODE_ROOT + 1 + (uint64_t)(file - files);
    out_stat->size_bytes = file->size_bytes;
    out_stat->stored_bytes = mapped_bytes(file);
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_read(struct tree *, struct tree_node *node, uint64_t offset,
                                 void *buffer, uint32_t byte_count, uint32_t *out_read)
{
    struct file *file = file_of(node);
    if (!file_open(file))
        return FILE_OUTCOME_INPUT_OUTPUT;
    uint64_t rest = offset < file->size_bytes ? file->size_bytes - offset : 0;
    *out_read = byte_count < rest ? byte_count : (uint32_t)rest;
    memcpy(buffer, file->pages + offset, *out_read);
    return FILE_OUTCOME_OK;
}

static enum file_outcome on_map(struct tree *, struct tree_node *node, uint64_t offset,
                                uint64_t length_bytes, bool, struct tree_mapping *out_mapping)
{
    struct file *file = file_of(node);
    memory_object_cap view;
    if (!file_open(file))
        return FILE_OUTCOME_INPUT_OUTPUT;
    if (memory_object_view(file->object, offset, (length_bytes + PAGE - 1) & ~(PAGE - 1), false,
                           true, &view) != STATUS_OK)
        return FILE_OUTCOME_NO_SPACE;
    *out_mapping = (struct tree_mapping){.length_bytes = length_bytes, .object = view.id};
    return FILE_OUTCOME_OK;
}

static void on_info(struct tree *, struct directory_info_results *out_info)
{
    for (uint32_t i = 0; i < file_count; i++)
        out_info->total_bytes += mapped_bytes(&files[i]);
    out_info->file_bytes_max = out_info->total_bytes;
    out_info->file_count = out_info->file_count_max = file_count;
}

static const struct tree_ops ops = {
    .lookup = on_lookup,
    .list = on_list,
    .stat = on_stat,
    .read = on_read,
    .map = on_map,
    .info = on_info,
    .forget = on_forget,
};

static void on_call(void *, struct capos_server_call *call)
{
    tree_serve(call);
}

// A file whose name can't be one of a directory isn't shown.
static bool files_find(void)
{
    uint32_t entry_count;
    static char command_line[BOOT_PACKAGE_INFO_RESULTS_COMMAND_LINE_BYTES_MAX + 1];
    if (boot_package_info(boot, &entry_count, command_line, sizeof command_line, nullptr) !=
        STATUS_OK)
        return false;
    files = calloc(entry_count, sizeof *files);
    if (files == nullptr)
        return false;
    for (uint32_t i = 0; i < entry_count; i++) {
        struct file *file = &files[file_count];
        size_t name_bytes;
        if (boot_package_entry(boot, i, file->name, sizeof file->name, &name_bytes,
                               &file->size_bytes) != STATUS_OK)
            return false;
        file->name_bytes = (uint32_t)name_bytes;
        if (path_is_name((struct wire_data){(const uint8_t *)file->name, file->name_bytes}))
            file_count++;
    }
    return true;
}

int main(void)
{
    static struct tree tree;
    capos_cap_id endpoint;
    if (capos_find("endpoint", INTERFACE_ENDPOINT, &endpoint) != STATUS_OK ||
        virtual_memory_cap_find("memory", &memory) != STATUS_OK ||
        boot_package_cap_find("boot", &boot) != STATUS_OK)
        capos_panic("bootfs: needs memory, endpoint and boot");
    if (!files_find())
        capos_panic("bootfs: no memory for the list of files");
    tree_init(&tree, &ops, &root);
    tree_export(WORD_ROOT, &tree, &root);
    if (tree_service_start(endpoint, memory.id, on_call, nullptr) != STATUS_OK)
        capos_panic("bootfs: can't serve");
    capos_loop_run();
    return 0;
}
