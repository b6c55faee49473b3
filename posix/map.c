// SPDX-License-Identifier: MIT
// Mappings of files.
//
// A private one is a copy, made at once: later changes of the file aren't seen in it.  A shared
// one is the file's own pages, where its service has them.
#include "map.h"

#include "errno.h"

#include <gen/capos/file.h>

// What the file holds, in memory that is writable.  The rest stays zero.
static long copy_file(struct open_file *file, const struct mapping *mapping, uint64_t address)
{
    uint64_t done = 0;
    while (done < mapping->bytes) {
        long read = file->ops->read_at(file, (void *)(address + done), mapping->bytes - done,
                                       mapping->offset + done);
        if (read < 0)
            return read;
        if (read == 0)
            break;
        done += (uint64_t)read;
    }
    return 0;
}

static long map_private(struct open_file *file, const struct mapping *mapping)
{
    uint64_t mapped;
    virtual_memory_cap memory = mapping->memory;
    enum status status = memory_map_zeros(memory, mapping->address, mapping->bytes,
                                          PROTECTION_READ_WRITE, &mapped);
    if (status != STATUS_OK)
        return -ENOMEM;
    long error = copy_file(file, mapping, mapped);
    if (error == 0 && mapping->protection != PROTECTION_READ_WRITE &&
        virtual_memory_protect(memory, mapped, mapping->bytes, mapping->protection) !=
            STATUS_OK)
        error = -ENOMEM;
    if (error == 0)
        return (long)mapped;
    (void)memory_change(memory, mapped, mapping->bytes, virtual_memory_unmap);
    return error;
}

// The file's pages, from the mapping's offset on.
static enum status get_pages(struct open_file *file, const struct mapping *mapping,
                             enum file_outcome *outcome, uint64_t *out_bytes,
                             memory_object_cap *out_object)
{
    capos_cap_id id = file->file.id;
    if (mapping->protection == PROTECTION_READ_WRITE)
        return file_map_writable((file_cap){id}, mapping->offset, mapping->bytes, outcome,
                                 out_bytes, out_object);
    if (file->file.read_only)
        return read_only_file_map((read_only_file_cap){id}, mapping->offset, mapping->bytes,
                                  outcome, out_bytes, out_object);
    return file_map((file_cap){id}, mapping->offset, mapping->bytes, outcome, out_bytes,
                    out_object);
}

// ENODEV: the service has no pages of the file, or not so many in one piece.
static long map_shared(struct open_file *file, const struct mapping *mapping)
{
    enum file_outcome outcome = FILE_OUTCOME_OK;
    memory_object_cap object = {};
    uint64_t object_bytes = 0, mapped = 0;
    enum status status = get_pages(file, mapping, &outcome, &object_bytes, &object);
    if (status == STATUS_OK && outcome == FILE_OUTCOME_OK &&
        memory_page_up(object_bytes) >= mapping->bytes)
        status = virtual_memory_map(mapping->memory, object, 0, mapping->bytes,
                                    mapping->address, mapping->protection, &mapped);
    memory_object_cap_release(&object);
    return status == STATUS_OK && mapped != 0 ? (long)mapped : -ENODEV;
}

long map_regular(struct open_file *file, const struct mapping *mapping)
{
    uint32_t access = file->flags & O_ACCMODE;
    bool writes = mapping->shared && mapping->protection == PROTECTION_READ_WRITE;
    if (access == O_WRONLY || (writes && access != O_RDWR))
        return -EACCES;
    return mapping->shared ? map_shared(file, mapping) : map_private(file, mapping);
}
