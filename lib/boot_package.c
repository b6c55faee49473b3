// SPDX-License-Identifier: MIT
// The boot package: check, lookup, layout.
//
// The format is canonical: names in ascending order, files in the order of the table
// and without a gap between their pages.  So one pass that compares each entry with
// its predecessor proves that names are unique and files are disjoint, a name is found
// by binary search, and any set of files has exactly one package.
//
// Tested in lib/boot_package_test.c, fuzzed in tests/fuzz/fuzz_boot_package.c.
#include <lib/boot_package.h>

constexpr uint64_t FILE_ALIGNMENT = 4096;

size_t boot_package_table_bytes(uint32_t entry_count)
{
    return sizeof(struct capos_boot_package) + entry_count * sizeof(struct capos_boot_entry);
}

int boot_package_compare(const void *entry, const void *other)
{
    const struct capos_boot_entry *a = entry, *b = other;
    return __builtin_memcmp(a->name, b->name, sizeof a->name);
}

bool boot_package_name_set(struct capos_boot_entry *entry, const char *name, size_t name_bytes)
{
    if (name_bytes == 0 || name_bytes >= sizeof entry->name)
        return false;
    for (size_t i = 0; i < name_bytes; i++)
        if (name[i] == '\0')
            return false;
    __builtin_memset(entry->name, 0, sizeof entry->name);
    __builtin_memcpy(entry->name, name, name_bytes);
    return true;
}

// Not empty, and zeros from the first NUL to the end.
static bool name_is_canonical(const char name[CAPOS_BOOT_PACKAGE_NAME_BYTES])
{
    if (name[0] == '\0' || name[CAPOS_BOOT_PACKAGE_NAME_BYTES - 1] != '\0')
        return false;
    for (size_t i = 1; i < CAPOS_BOOT_PACKAGE_NAME_BYTES; i++)
        if (name[i - 1] == '\0' && name[i] != '\0')
            return false;
    return true;
}

// The end of a file's last page; false if it has no number.
static bool end_of_pages(uint64_t offset_bytes, uint64_t size_bytes, uint64_t *out_end)
{
    uint64_t end;
    if (__builtin_add_overflow(offset_bytes, size_bytes, &end) ||
        __builtin_add_overflow(end, FILE_ALIGNMENT - 1, &end))
        return false;
    *out_end = end & ~(FILE_ALIGNMENT - 1);
    return true;
}

static bool names_ascend(const struct capos_boot_package *package)
{
    for (uint32_t i = 0; i < package->entry_count; i++) {
        const struct capos_boot_entry *entry = &package->entries[i];
        if (!name_is_canonical(entry->name))
            return false;
        if (i != 0 && boot_package_compare(entry - 1, entry) >= 0)
            return false;
    }
    return true;
}

bool boot_package_check(const void *package_bytes, uint64_t size_bytes)
{
    const struct capos_boot_package *package = package_bytes;
    if (size_bytes < sizeof *package || package->magic != CAPOS_BOOT_PACKAGE_MAGIC ||
        package->reserved != 0 || package->entry_count > CAPOS_BOOT_PACKAGE_COUNT_MAX ||
        package->package_bytes > size_bytes)
        return false;

    size_t table_bytes = boot_package_table_bytes(package->entry_count);
    uint64_t end;
    if (table_bytes > size_bytes || !end_of_pages(table_bytes, 0, &end) ||
        !names_ascend(package))
        return false;
    for (uint32_t i = 0; i < package->entry_count; i++) {
        const struct capos_boot_entry *entry = &package->entries[i];
        if (entry->offset_bytes != end ||
            !end_of_pages(entry->offset_bytes, entry->size_bytes, &end))
            return false;
    }
    return end == package->package_bytes;
}

uint32_t boot_package_count(const struct capos_boot_package *package)
{
    return package->entry_count;
}

const struct capos_boot_entry *boot_package_at(const struct capos_boot_package *package,
                                               uint32_t index)
{
    return index < package->entry_count ? &package->entries[index] : nullptr;
}

const struct capos_boot_entry *boot_package_find(const struct capos_boot_package *package,
                                                 const char *name, size_t name_bytes)
{
    struct capos_boot_entry wanted;
    if (!boot_package_name_set(&wanted, name, name_bytes))
        return nullptr;
    uint32_t low = 0, high = package->entry_count; // it is in [low, high) if at all
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = boot_package_compare(&wanted, &package->entries[middle]);
        if (order == 0)
            return &package->entries[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return nullptr;
}

bool boot_package_layout(struct capos_boot_package *package)
{
    uint64_t end;
    if (package->entry_count > CAPOS_BOOT_PACKAGE_COUNT_MAX || !names_ascend(package) ||
        !end_of_pages(boot_package_table_bytes(package->entry_count), 0, &end))
        return false;
    for (uint32_t i = 0; i < package->entry_count; i++) {
        struct capos_boot_entry *entry = &package->entries[i];
        entry->offset_bytes = end;
        if (!end_of_pages(entry->offset_bytes, entry->size_bytes, &end))
            return false;
    }
    package->magic = CAPOS_BOOT_PACKAGE_MAGIC;
    package->package_bytes = end;
    package->reserved = 0;
    return true;
}
