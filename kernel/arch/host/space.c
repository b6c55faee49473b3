// SPDX-License-Identifier: MIT
// Address spaces of host tests: page tables in the machine's RAM.
//
// Four levels of 512 entries, as x86_64 has them, so that a space costs a budget exactly
// as many table frames as on the product.  Nothing walks them but this file; what a real
// machine would do with them on an access, harness.c does in software.
//
// Invariant: an entry is 0 or has ENTRY_USED.  Tables are freed by arch_space_fini and
// arch_space_trim; those whose place a large page has are linked by their first word.
#include <kernel/arch/host/machine.h>

#include <kernel/debug/panic.h>

constexpr unsigned LEVELS = 4;
constexpr unsigned LEVEL_BITS = 9;
constexpr unsigned PAGE_BITS = 12;
constexpr unsigned TABLE_ENTRIES = 1u << LEVEL_BITS;

constexpr uint64_t ENTRY_USED = 1;
constexpr unsigned ENTRY_ACCESS_SHIFT = 1; // two bits of enum page_access
constexpr uint64_t ENTRY_ACCESS_MASK = 3;
constexpr uint64_t ENTRY_UNCACHED = 8;
constexpr uint64_t ENTRY_LARGE = 16;
constexpr uint64_t ENTRY_FRAME_MASK = ~(PAGE_BYTES - 1);

uint64_t host_map_count, host_next_count;

static uint64_t *table_at(paddr_t table)
{
    return arch_frame_pointer(table);
}

// The index into a table of `level`, 1 for the tables that hold pages.
static unsigned index_at(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (PAGE_BITS + (level - 1) * LEVEL_BITS)) % TABLE_ENTRIES;
}

static void check_range(uint64_t address, uint64_t length_bytes)
{
    ASSERT(address % PAGE_BYTES == 0 && length_bytes % PAGE_BYTES == 0);
    ASSERT(address >= USER_ADDRESS_MIN && address <= USER_ADDRESS_END);
    ASSERT(length_bytes <= USER_ADDRESS_END - address);
}

// The entry of a page or of the large page that it is part of; nullptr where a table is
// missing.
static uint64_t *entry_of(const struct arch_space *space, uint64_t address)
{
    uint64_t *entry = &table_at(space->root)[index_at(address, LEVELS)];
    for (unsigned level = LEVELS - 1; level >= 1; level--) {
        if (*entry == 0)
            return nullptr;
        if (*entry & ENTRY_LARGE)
            return entry;
        entry = &table_at(*entry & ENTRY_FRAME_MASK)[index_at(address, level)];
    }
    return entry;
}

enum status arch_space_init(struct arch_space *space, void *cookie)
{
    paddr_t root = mm_table_frame_get(cookie);
    if (root == 0)
        return STATUS_OVERLOADED;
    space->root = root;
    return STATUS_OK;
}

void arch_space_unload(struct arch_space *space)
{
    host_space_unload(space);
}

void arch_space_fini(struct arch_space *space, void *cookie)
{
    host_space_unload(space); // asserts that no other CPU has it loaded
    mm_table_frames_put(cookie);
    *space = (struct arch_space){};
}

// Makes the tables on the way to one page.
static enum status prepare_page(struct arch_space *space, void *cookie, uint64_t address)
{
    uint64_t *entry = &table_at(space->root)[index_at(address, LEVELS)];
    for (unsigned level = LEVELS - 1; level >= 1; level--) {
        if (*entry & ENTRY_LARGE)
            return STATUS_OK;
        if (*entry == 0) {
            paddr_t table = mm_table_frame_get(cookie);
            if (table == 0)
                return STATUS_OVERLOADED;
            *entry = table | ENTRY_USED;
        }
        entry = &table_at(*entry & ENTRY_FRAME_MASK)[index_at(address, level)];
    }
    return STATUS_OK;
}

enum status arch_space_prepare(struct arch_space *space, void *cookie, uint64_t address,
                               uint64_t length_bytes)
{
    check_range(address, length_bytes);
    constexpr uint64_t table_span = PAGE_BYTES << LEVEL_BITS; // of one last-level table
    uint64_t end = address + length_bytes;
    while (address < end) {
        enum status status = prepare_page(space, cookie, address);
        if (status != STATUS_OK)
            return status;
        address = (address / table_span + 1) * table_span;
    }
    return STATUS_OK;
}

// Tables that span addresses of [low, high) alone.
struct trim {
    struct arch_space *space;
    void *cookie;
    uint64_t low, high;
};

// Gives those below a table of `level` back, which spans what begins at `base`, as far as they are
// on the way to [start, end) or below one that is given back itself.
static void trim_table(const struct trim *trim, uint64_t *table, unsigned level, uint64_t base,
                       uint64_t start, uint64_t end)
{
    uint64_t span = PAGE_BYTES << LEVEL_BITS * (level - 1);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        uint64_t first = base + i * span;
        if (table[i] == 0 || (table[i] & ENTRY_LARGE) || first >= end || first + span <= start)
            continue;
        bool needless = first >= trim->low && first + span <= trim->high;
        paddr_t child = table[i] & ENTRY_FRAME_MASK;
        if (level > 2)
            trim_table(trim, table_at(child), level - 1, first, needless ? first : start,
                       needless ? first + span : end);
        if (!needless)
            continue;
        for (unsigned k = 0; k < TABLE_ENTRIES; k++)
            ASSERT(table_at(child)[k] == 0);
        table[i] = 0;
        arch_space_flush(trim->space, start & ~(PAGE_BYTES - 1), PAGE_BYTES);
        mm_table_frame_put(trim->cookie, child);
    }
}

void arch_space_trim(struct arch_space *space, void *cookie, uint64_t low, uint64_t high,
                     uint64_t start, uint64_t end)
{
    ASSERT(low <= start && start < end && end <= high && high <= USER_TABLES_END);
    trim_table(&(struct trim){space, cookie, low, high}, table_at(space->root), LEVELS, 0,
               start, end);
}

static uint64_t entry_for(paddr_t frame, enum page_access access, enum page_cache cache)
{
    return frame | (uint64_t)access << ENTRY_ACCESS_SHIFT |
           (cache == PAGE_UNCACHED ? ENTRY_UNCACHED : 0) | ENTRY_USED;
}

void arch_space_map(struct arch_space *space, uint64_t address, paddr_t frame,
                    enum page_access access, enum page_cache cache)
{
    check_range(address, PAGE_BYTES);
    ASSERT(frame != 0 && frame % PAGE_BYTES == 0);
    uint64_t *entry = entry_of(space, address);
    ASSERT(entry != nullptr && !(*entry & ENTRY_LARGE)); // prepared
    *entry = entry_for(frame, access, cache);
    host_map_count++;
}

void arch_space_map_run(struct arch_space *space, uint64_t address, paddr_t first,
                        uint64_t page_count, enum page_access access, enum page_cache cache)
{
    for (uint64_t at = 0; at < page_count * PAGE_BYTES; at += PAGE_BYTES)
        arch_space_map(space, address + at, first + at, access, cache);
}

paddr_t arch_space_unmap(struct arch_space *space, uint64_t address)
{
    check_range(address, PAGE_BYTES);
    uint64_t *entry = entry_of(space, address);
    if (entry == nullptr || *entry == 0 || (*entry & ENTRY_LARGE))
        return 0;
    paddr_t frame = *entry & ENTRY_FRAME_MASK;
    *entry = 0;
    return frame;
}

static enum page_access access_of(uint64_t entry)
{
    return (enum page_access)(entry >> ENTRY_ACCESS_SHIFT & ENTRY_ACCESS_MASK);
}

paddr_t arch_space_lookup(const struct arch_space *space, uint64_t address,
                          enum page_access *out_access)
{
    if (address >= USER_ADDRESS_END)
        return 0;
    const uint64_t *entry = entry_of(space, address);
    if (entry == nullptr || *entry == 0)
        return 0;
    *out_access = access_of(*entry);
    paddr_t frame = *entry & ENTRY_FRAME_MASK;
    return *entry & ENTRY_LARGE ? frame + address % LARGE_PAGE_BYTES : frame;
}

bool arch_space_next(const struct arch_space *space, uint64_t address, uint64_t end,
                     struct arch_mapping *out_mapping)
{
    while (address < end) {
        const uint64_t *entry = &table_at(space->root)[index_at(address, LEVELS)];
        unsigned level = LEVELS;
        while (level > 1 && *entry != 0 && !(*entry & ENTRY_LARGE)) {
            level--;
            entry = &table_at(*entry & ENTRY_FRAME_MASK)[index_at(address, level)];
        }
        uint64_t span = PAGE_BYTES << LEVEL_BITS * (level - 1);
        host_next_count++;
        if (*entry != 0) {
            *out_mapping = (struct arch_mapping){.address = address / span * span,
                                                 .size_bytes = span,
                                                 .frame = *entry & ENTRY_FRAME_MASK,
                                                 .access = access_of(*entry)};
            return true;
        }
        uint64_t passed = 1; // entries of this table that are empty
        while (passed < TABLE_ENTRIES - index_at(address, level) && entry[passed] == 0)
            passed++;
        address = (address / span + passed) * span;
    }
    return false;
}

// ---- Large pages ----------------------------------------------------------------------

static uint64_t *large_entry_of(const struct arch_space *space, uint64_t address)
{
    check_range(address, LARGE_PAGE_BYTES);
    ASSERT(address % LARGE_PAGE_BYTES == 0);
    uint64_t *entry = &table_at(space->root)[index_at(address, LEVELS)];
    for (unsigned level = LEVELS - 1; level >= 2; level--) {
        ASSERT(*entry != 0);
        entry = &table_at(*entry & ENTRY_FRAME_MASK)[index_at(address, level)];
    }
    ASSERT(*entry != 0);
    return entry;
}

void arch_space_map_large(struct arch_space *space, uint64_t address, paddr_t frame,
                          enum page_access access, enum page_cache cache)
{
    ASSERT(frame != 0 && frame % LARGE_PAGE_BYTES == 0);
    uint64_t *entry = large_entry_of(space, address);
    if (!(*entry & ENTRY_LARGE)) {
        paddr_t table = *entry & ENTRY_FRAME_MASK;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++)
            ASSERT(table_at(table)[i] == 0);
        *table_at(table) = space->spare_tables;
        space->spare_tables = table;
    }
    *entry = entry_for(frame, access, cache) | ENTRY_LARGE;
    host_map_count++;
}

static paddr_t spare_take(struct arch_space *space)
{
    paddr_t table = space->spare_tables;
    ASSERT(table != 0);
    space->spare_tables = *table_at(table);
    *table_at(table) = 0;
    return table;
}

void arch_space_unmap_large(struct arch_space *space, uint64_t address)
{
    uint64_t *entry = large_entry_of(space, address);
    ASSERT(*entry & ENTRY_LARGE);
    *entry = spare_take(space) | ENTRY_USED;
}

void arch_space_split_large(struct arch_space *space, uint64_t address)
{
    uint64_t *entry = large_entry_of(space, address);
    ASSERT(*entry & ENTRY_LARGE);
    uint64_t page = *entry & ~ENTRY_LARGE;
    paddr_t table = spare_take(space);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        table_at(table)[i] = page + i * PAGE_BYTES;
    *entry = table | ENTRY_USED;
}
