// SPDX-License-Identifier: MIT
// User address spaces: four levels of tables, pages of 4 KiB and 2 MiB.
//
// Invariants:
//  1. Entries of the user half that are present have the user bit on every level but
//     the last, where a page without access (PAGE_NONE) lacks it.  So such a page is
//     found by lookup and refused by the CPU, and isn't an L1TF target as an entry that
//     isn't present would be.
//  2. User pages are never global: writing CR3 forgets them all.
//  3. Tables are freed by arch_space_fini, all at once, and by arch_space_trim, which forgets the
//     remembered one: the last that was found.  The table whose place a large page takes waits in a
//     list, empty but for its first word, which is the link: so there is one to split each large
//     page with.  It isn't the remembered one.
//  4. A CPU has a space loaded only while it runs a thread in it, and until the end of the
//     upcall that ends the thread: an idle CPU has the kernel's own tables.  (With one CPU it
//     keeps the space: there is nobody to disturb it.)
//
// Reference: Intel SDM volume 3, chapter 4.
#include <kernel/arch/x86_64/space.h>

#include <kernel/arch.h>
#include <kernel/arch/x86_64/kernel_map.h>
#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/remote.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/panic.h>

constexpr unsigned LEVELS = 4; // 4: the root; 1: the table of pages
constexpr unsigned INDEX_BITS = 9;
constexpr uint64_t PAGE_SHIFT = 12;
constexpr uint64_t TABLE_FLAGS = PTE_PRESENT | PTE_WRITE | PTE_USER;

// From here on it is cheaper to forget the whole TLB than page after page.
constexpr uint64_t FLUSH_PAGES_MAX = 32;

void *arch_frame_pointer(paddr_t address)
{
    return (void *)(DIRECT_MAP_BASE + address);
}

paddr_t arch_physical_end(void)
{
    constexpr uint32_t leaf_sizes = 0x80000008; // Intel SDM volume 3, section 4.1.4
    unsigned bits = 36;
    if (cpuid_read(0x80000000, 0).eax >= leaf_sizes)
        bits = cpuid_read(leaf_sizes, 0).eax & 0xff;
    return (paddr_t)1 << (bits < 52 ? bits : 52);
}

static unsigned index_at(uint64_t address, unsigned level)
{
    return (unsigned)(address >> (PAGE_SHIFT + INDEX_BITS * (level - 1))) % TABLE_ENTRIES;
}

// The bytes that one entry of a level spans.
static uint64_t span_of(unsigned level)
{
    return PAGE_BYTES << (INDEX_BITS * (level - 1));
}

// The entry of an address's page, or of the large page that it is part of; nullptr without
// tables.
[[gnu::noinline]] static uint64_t *walk(const struct arch_space *space, uint64_t address)
{
    uint64_t *table = table_pointer(space->root);
    for (unsigned level = LEVELS; level > 1; level--) {
        uint64_t *entry = &table[index_at(address, level)];
        if ((*entry & (PTE_PRESENT | PTE_LARGE)) != PTE_PRESENT)
            return *entry & PTE_PRESENT ? entry : nullptr;
        table = table_pointer(*entry & PTE_ADDRESS);
    }
    return &table[index_at(address, 1)];
}

static bool remembers(const struct arch_space *space, uint64_t address)
{
    return space->table != nullptr && address / LARGE_PAGE_BYTES == space->table_span;
}

static uint64_t *find_entry(const struct arch_space *space, uint64_t address)
{
    if (remembers(space, address))
        return &space->table[index_at(address, 1)];
    return walk(space, address);
}

static void remember_table(struct arch_space *space, uint64_t address, uint64_t *table)
{
    space->table = table;
    space->table_span = address / LARGE_PAGE_BYTES;
}

// The entry of the directory that a large page has, or could have; its directory is there.
static uint64_t *find_large_entry(const struct arch_space *space, uint64_t address)
{
    ASSERT(address % LARGE_PAGE_BYTES == 0);
    uint64_t *table = table_pointer(space->root);
    for (unsigned level = LEVELS; level > 2; level--) {
        uint64_t entry = table[index_at(address, level)];
        ASSERT(entry & PTE_PRESENT);
        table = table_pointer(entry & PTE_ADDRESS);
    }
    return &table[index_at(address, 2)];
}

static uint64_t entry_for(paddr_t frame, enum page_access access, enum page_cache cache)
{
    static const uint64_t flags[] = {
        [PAGE_NONE] = PTE_PRESENT | PTE_NO_EXECUTE,
        [PAGE_READ] = PTE_PRESENT | PTE_USER | PTE_NO_EXECUTE,
        [PAGE_READ_WRITE] = PTE_PRESENT | PTE_USER | PTE_WRITE | PTE_NO_EXECUTE,
        [PAGE_READ_EXECUTE] = PTE_PRESENT | PTE_USER,
    };
    uint64_t entry = frame | flags[access];
    return cache == PAGE_CACHED ? entry : entry | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH;
}

static enum page_access access_of(uint64_t entry)
{
    if (!(entry & PTE_USER))
        return PAGE_NONE;
    if (entry & PTE_WRITE)
        return PAGE_READ_WRITE;
    return entry & PTE_NO_EXECUTE ? PAGE_READ : PAGE_READ_EXECUTE;
}

static bool is_user_page(uint64_t address)
{
    return address % PAGE_BYTES == 0 && address < USER_ADDRESS_END;
}

enum status arch_space_init(struct arch_space *space, void *cookie)
{
    paddr_t root = mm_table_frame_get(cookie);
    if (root == 0)
        return STATUS_OVERLOADED;
    uint64_t *entries = table_pointer(root);
    __builtin_memcpy(&entries[KERNEL_HALF_FIRST], &kernel_root[KERNEL_HALF_FIRST],
                     (TABLE_ENTRIES - KERNEL_HALF_FIRST) * sizeof *entries);
    space->root = root;
    space->table = nullptr;
    return STATUS_OK;
}

void arch_space_unload(struct arch_space *space)
{
    struct percpu *cpu = percpu();
    ASSERT(!remote_has_loaded(space->root));
    if (cpu->cr3 == space->root) {
        cpu->cr3 = kernel_root_physical();
        cr3_write(cpu->cr3);
    }
}

void arch_space_fini(struct arch_space *space, void *cookie)
{
    ASSERT(percpu()->cr3 != space->root && !remote_has_loaded(space->root));
    mm_table_frames_put(cookie);
    *space = (struct arch_space){};
}

// Makes the tables down to one address's page, unless it is part of a large one.
static bool prepare_one(struct arch_space *space, void *cookie, uint64_t address)
{
    uint64_t *table = table_pointer(space->root);
    for (unsigned level = LEVELS; level > 1; level--) {
        uint64_t *entry = &table[index_at(address, level)];
        if (*entry & PTE_LARGE)
            return true;
        if (!(*entry & PTE_PRESENT)) {
            paddr_t frame = mm_table_frame_get(cookie);
            if (frame == 0)
                return false;
            *entry = frame | TABLE_FLAGS;
        }
        table = table_pointer(*entry & PTE_ADDRESS);
    }
    remember_table(space, address, table);
    return true;
}

enum status arch_space_prepare(struct arch_space *space, void *cookie, uint64_t address,
                               uint64_t length_bytes)
{
    ASSERT(is_user_page(address) && length_bytes <= USER_ADDRESS_END - address);
    // One page of each lowest table is enough.
    uint64_t span = span_of(2);
    if (remembers(space, address) && remembers(space, address + length_bytes - 1))
        return STATUS_OK;
    for (uint64_t at = address & ~(span - 1); at < address + length_bytes; at += span)
        if (!prepare_one(space, cookie, at))
            return STATUS_OVERLOADED;
    return STATUS_OK;
}

// The first entry from `index` on, before `limit`, that is present; else one at or behind the
// limit, at most TABLE_ENTRIES.  A table is mostly empty, so whole eights are passed over.
static unsigned next_present(const uint64_t *entries, unsigned index, uint64_t limit)
{
    while (index < TABLE_ENTRIES && index < limit && !(entries[index] & PTE_PRESENT)) {
        const uint64_t *eight = &entries[index];
        bool empty = index % 8 == 0 && ((eight[0] | eight[1] | eight[2] | eight[3] | eight[4] |
                                         eight[5] | eight[6] | eight[7]) &
                                        PTE_PRESENT) == 0;
        index += empty ? 8 : 1;
    }
    return index;
}

// What arch_space_trim looks for: tables that span addresses of [low, high) alone.
struct trim {
    uint64_t low, high;
    paddr_t found; // taken out, linked by their first words, which aren't present
};

// Takes what it looks for out of a table of `level`, which spans what begins at `base`, as far as
// it is on the way to [start, end) or below what is taken out itself.
static void trim_table(struct trim *trim, uint64_t *table, unsigned level, uint64_t base,
                       uint64_t start, uint64_t end)
{
    uint64_t span = span_of(level), limit = (end - base + span - 1) / span;
    unsigned index = start <= base ? 0 : (unsigned)((start - base) / span);
    for (; (index = next_present(table, index, limit)) < TABLE_ENTRIES && index < limit;
         index++) {
        uint64_t first = base + index * span;
        bool needless = first >= trim->low && first + span <= trim->high;
        if (table[index] & PTE_LARGE)
            continue;
        paddr_t child = table[index] & PTE_ADDRESS;
        if (level > 2)
            trim_table(trim, table_pointer(child), level - 1, first, needless ? first : start,
                       needless ? first + span : end);
        if (!needless)
            continue;
        table[index] = 0;
        *table_pointer(child) = trim->found;
        trim->found = child;
    }
}

void arch_space_trim(struct arch_space *space, void *cookie, uint64_t low, uint64_t high,
                     uint64_t start, uint64_t end)
{
    ASSERT(low <= start && start < end && end <= high && high <= USER_TABLES_END);
    struct trim trim = {.low = low, .high = high};
    trim_table(&trim, table_pointer(space->root), LEVELS, 0, start, end);
    if (trim.found == 0)
        return;
    space->table = nullptr;
    // One page is enough: INVLPG drops all that a CPU remembers of tables (SDM 4.10.4.1).
    arch_space_flush(space, start & ~(PAGE_BYTES - 1), PAGE_BYTES);
    while (trim.found != 0) {
        paddr_t table = trim.found;
        trim.found = *table_pointer(table);
        mm_table_frame_put(cookie, table);
    }
}

// The entry of a page whose tables have been prepared, and that is no part of a large one.
[[gnu::noinline]] static uint64_t *prepared_entry_other(struct arch_space *space,
                                                        uint64_t address)
{
    uint64_t *entry = walk(space, address);
    ASSERT(entry != nullptr && !(*entry & PTE_LARGE));
    remember_table(space, address, entry - index_at(address, 1));
    return entry;
}

static inline uint64_t *prepared_entry(struct arch_space *space, uint64_t address)
{
    return remembers(space, address) ? &space->table[index_at(address, 1)]
                                     : prepared_entry_other(space, address);
}

// What is used most often is put in line by the link.

[[gnu::always_inline]] void arch_space_map(struct arch_space *space, uint64_t address,
                                           paddr_t frame, enum page_access access,
                                           enum page_cache cache)
{
    ASSERT(is_user_page(address) && (frame & ~PTE_ADDRESS) == 0);
    *prepared_entry(space, address) = entry_for(frame, access, cache);
}

void arch_space_map_run(struct arch_space *space, uint64_t address, paddr_t first,
                        uint64_t page_count, enum page_access access, enum page_cache cache)
{
    uint64_t end = address + page_count * PAGE_BYTES;
    ASSERT(is_user_page(address) && end <= USER_ADDRESS_END && (first & ~PTE_ADDRESS) == 0);
    uint64_t value = entry_for(first, access, cache);
    while (address < end) {
        uint64_t *entry = prepared_entry(space, address);
        do {
            *entry++ = value;
            value += PAGE_BYTES;
            address += PAGE_BYTES;
        } while (address < end && address % LARGE_PAGE_BYTES != 0);
    }
}

[[gnu::always_inline]] paddr_t arch_space_unmap(struct arch_space *space, uint64_t address)
{
    ASSERT(is_user_page(address));
    uint64_t *entry = find_entry(space, address);
    if (entry == nullptr || (*entry & (PTE_PRESENT | PTE_LARGE)) != PTE_PRESENT)
        return 0;
    paddr_t frame = *entry & PTE_ADDRESS;
    *entry = 0;
    return frame;
}

paddr_t arch_space_lookup(const struct arch_space *space, uint64_t address,
                          enum page_access *out_access)
{
    ASSERT(is_user_page(address));
    const uint64_t *entry = find_entry(space, address);
    if (entry == nullptr || !(*entry & PTE_PRESENT))
        return 0;
    *out_access = access_of(*entry);
    paddr_t frame = *entry & PTE_ADDRESS;
    return *entry & PTE_LARGE ? frame + address % LARGE_PAGE_BYTES : frame;
}

bool arch_space_next(const struct arch_space *space, uint64_t address, uint64_t end,
                     struct arch_mapping *out_mapping)
{
    ASSERT(end <= USER_ADDRESS_END);
    while (address < end) {
        const uint64_t *table = table_pointer(space->root);
        unsigned level = LEVELS;
        if (remembers(space, address)) {
            table = space->table;
            level = 1;
        }
        unsigned index = index_at(address, level);
        while (level > 1 && (table[index] & (PTE_PRESENT | PTE_LARGE)) == PTE_PRESENT) {
            table = table_pointer(table[index] & PTE_ADDRESS);
            level--;
            index = index_at(address, level);
        }
        uint64_t entry = table[index], span = span_of(level);
        if (entry & PTE_PRESENT) {
            *out_mapping = (struct arch_mapping){.address = address & ~(span - 1),
                                                 .size_bytes = span,
                                                 .frame = entry & PTE_ADDRESS,
                                                 .access = access_of(entry)};
            return true;
        }
        uint64_t start = address & ~(span * TABLE_ENTRIES - 1); // of what the table spans
        uint64_t limit = (end - start + span - 1) / span;
        address = start + next_present(table, index, limit) * span;
    }
    return false;
}

// ---- Large pages ----------------------------------------------------------------------

static uint64_t spare_take(struct arch_space *space)
{
    paddr_t table = space->spare_tables;
    ASSERT(table != 0);
    uint64_t *link = table_pointer(table);
    space->spare_tables = *link;
    *link = 0;
    return table | TABLE_FLAGS;
}

void arch_space_map_large(struct arch_space *space, uint64_t address, paddr_t frame,
                          enum page_access access, enum page_cache cache)
{
    ASSERT(is_user_page(address) && frame % LARGE_PAGE_BYTES == 0);
    uint64_t *entry = find_large_entry(space, address);
    ASSERT(*entry & PTE_PRESENT);
    if (!(*entry & PTE_LARGE)) {
        paddr_t table = *entry & PTE_ADDRESS;
        uint64_t *link = table_pointer(table);
        ASSERT(*link == 0); // nothing is mapped there
        if (space->table == link)
            space->table = nullptr;
        *link = space->spare_tables;
        space->spare_tables = table;
    }
    *entry = entry_for(frame, access, cache) | PTE_LARGE;
}

void arch_space_unmap_large(struct arch_space *space, uint64_t address)
{
    uint64_t *entry = find_large_entry(space, address);
    ASSERT(*entry & PTE_LARGE);
    *entry = spare_take(space);
}

void arch_space_split_large(struct arch_space *space, uint64_t address)
{
    uint64_t *entry = find_large_entry(space, address);
    ASSERT(*entry & PTE_LARGE);
    uint64_t page = *entry & ~(uint64_t)PTE_LARGE;
    uint64_t table = spare_take(space);
    uint64_t *pages = table_pointer(table & PTE_ADDRESS);
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        pages[i] = page + i * PAGE_BYTES;
    *entry = table;
}

void space_flush_here(uint64_t root, uint64_t address, uint64_t length_bytes)
{
    // Loading another space has forgotten, and loading this one will forget, all of it.
    if (percpu()->cr3 != root)
        return;
    if (length_bytes > FLUSH_PAGES_MAX * PAGE_BYTES) {
        cr3_write(root);
        return;
    }
    for (uint64_t at = address; at < address + length_bytes; at += PAGE_BYTES)
        tlb_flush_page(at);
}

[[gnu::always_inline]] void arch_space_flush(struct arch_space *space, uint64_t address,
                                             uint64_t length_bytes)
{
    space->known_page = 0;
    space_flush_here(space->root, address, length_bytes);
    if (arch_cpu_count() > 1)
        remote_flush(space->root, address, length_bytes);
}
