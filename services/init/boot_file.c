// SPDX-License-Identifier: MIT
// Files of the boot package; see boot_file.h.
#include "boot_file.h"

#include <gen/capos/boot_package.h>
#include <gen/capos/virtual_memory.h>
#include <string.h>

enum status boot_file_open(const char *name, struct boot_file *out_file)
{
    boot_package_cap boot;
    enum status status = boot_package_cap_find("boot", &boot);
    if (status == STATUS_OK)
        status = boot_package_open(boot, name, strlen(name), &out_file->object,
                                   &out_file->size_bytes);
    return status;
}

enum status boot_file_map(const char *name, const void **out_bytes, uint64_t *out_size_bytes)
{
    struct boot_file file;
    virtual_memory_cap memory;
    uint64_t address;
    enum status status = boot_file_open(name, &file);
    if (status != STATUS_OK)
        return status;
    status = virtual_memory_cap_find("memory", &memory);
    if (status == STATUS_OK)
        status = virtual_memory_map(memory, file.object, 0, (file.size_bytes + 4095) & ~4095ull,
                                    0, PROTECTION_READ, &address);
    memory_object_cap_release(&file.object);
    if (status != STATUS_OK)
        return status;
    *out_bytes = (const void *)address;
    *out_size_bytes = file.size_bytes;
    return STATUS_OK;
}
