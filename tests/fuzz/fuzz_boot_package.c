// SPDX-License-Identifier: MIT
// Fuzzes the boot package's check: in whatever it accepts, files are where the package
// is, don't overlap, and are found by their names and by no other.
#include <lib/boot_package.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_package(const struct capos_boot_package *package, uint64_t size)
{
    uint64_t end = boot_package_table_bytes(boot_package_count(package));
    require(package->package_bytes <= size);
    for (uint32_t i = 0; i < boot_package_count(package); i++) {
        const struct capos_boot_entry *entry = boot_package_at(package, i);
        size_t name_bytes = strnlen(entry->name, sizeof entry->name);
        require(name_bytes > 0 && name_bytes < sizeof entry->name);
        require(boot_package_find(package, entry->name, name_bytes) == entry);
        require(entry->offset_bytes % 4096 == 0 && entry->offset_bytes >= end);
        require(entry->size_bytes <= package->package_bytes - entry->offset_bytes);
        end = entry->offset_bytes + entry->size_bytes;
    }
    require(boot_package_at(package, boot_package_count(package)) == nullptr);
}

// Makes the input's entries a package by the writer's own rules: the layout of what it
// accepts is accepted by the check.
static void check_layout(struct capos_boot_package *package, size_t size)
{
    size_t room = (size - sizeof *package) / sizeof package->entries[0];
    if (package->entry_count > room)
        package->entry_count = (uint32_t)room;
    qsort(package->entries, package->entry_count, sizeof package->entries[0],
          boot_package_compare);
    if (boot_package_layout(package))
        require(boot_package_check(package, package->package_bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct capos_boot_package *package = malloc(size == 0 ? 1 : size);
    if (size != 0)
        memcpy(package, data, size);
    // Accept claims about files behind the input: only header and table are looked at.
    uint64_t sizes[] = {size, UINT64_MAX};
    for (unsigned i = 0; i < 2 && size >= sizeof *package; i++) {
        package->magic = CAPOS_BOOT_PACKAGE_MAGIC;
        bool table_is_there =
            package->entry_count <= (size - sizeof *package) / sizeof package->entries[0];
        if ((i == 0 || table_is_there) && boot_package_check(package, sizes[i]))
            check_package(package, sizes[i]);
    }
    if (size >= sizeof *package)
        check_layout(package, size);
    free(package);
    return 0;
}
