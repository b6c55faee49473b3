// SPDX-License-Identifier: MIT
// See kernel_map.h.  Reference: Intel SDM volume 3, chapter 4.
#include <kernel/arch/x86_64/kernel_map.h>

#include <kernel/arch/x86_64/percpu.h>
#include <kernel/arch/x86_64/x86.h>
#include <kernel/debug/panic.h>

constexpr uint64_t HUGE_PAGE_BYTES = 1ull << 30;
constexpr uint64_t DIRECT_MAP_BYTES_MAX = 64ull << 40; // entries 256 to 383 of the root
constexpr uint64_t DIRECT_FLAGS = PTE_PRESENT | PTE_WRITE | PTE_GLOBAL | PTE_NO_EXECUTE;
constexpr uint64_t TABLE_FLAGS = PTE_PRESENT | PTE_WRITE;

// Entries of kernel_page_table below the image: 0 stays empty; the next are device
// registers and areas; the last is the window of physical_read.
constexpr unsigned REGISTER_SLOT_FIRST = 1;
constexpr unsigned WINDOW_SLOT = KERNEL_IMAGE_PHYSICAL / PAGE_BYTES - 1;
static unsigned register_slot_next = REGISTER_SLOT_FIRST;

static uint8_t *map_slot(unsigned slot, paddr_t page, uint64_t flags)
{
    uint64_t address = kernel_base() + slot * PAGE_BYTES;
    kernel_page_table[slot] = page | PTE_PRESENT | PTE_GLOBAL | PTE_NO_EXECUTE | flags;
    tlb_flush_page(address);
    return (uint8_t *)address;
}

void physical_read(void *to, paddr_t from, size_t size_bytes)
{
    for (size_t done = 0; done < size_bytes;) {
        paddr_t page = (from + done) & PTE_ADDRESS;
        size_t offset = (from + done) % PAGE_BYTES;
        size_t part = PAGE_BYTES - offset;
        if (part > size_bytes - done)
            part = size_bytes - done;
        __builtin_memcpy((uint8_t *)to + done, map_slot(WINDOW_SLOT, page, 0) + offset, part);
        done += part;
    }
}

volatile void *kernel_map_registers(paddr_t page)
{
    ASSERT(register_slot_next < WINDOW_SLOT);
    return map_slot(register_slot_next++, page,
                    PTE_WRITE | PTE_CACHE_DISABLE | PTE_WRITE_THROUGH);
}

void *kernel_map_area(uint64_t page_count, struct memory_map *free)
{
    if (page_count + 1 > WINDOW_SLOT - register_slot_next)
        return nullptr;
    uint8_t *area = nullptr;
    register_slot_next++; // the guard
    for (uint64_t i = 0; i < page_count; i++) {
        paddr_t page = memory_map_take_page(free, UINT64_MAX);
        if (page == 0)
            return nullptr; // a machine without memory for this won't get far
        uint8_t *mapped = map_slot(register_slot_next++, page, PTE_WRITE);
        __builtin_memset(mapped, 0, PAGE_BYTES);
        if (i == 0)
            area = mapped;
    }
    return area;
}

static paddr_t image_physical(const void *symbol)
{
    return (uint64_t)symbol - kernel_base();
}

paddr_t kernel_root_physical(void)
{
    return image_physical(kernel_root);
}

// The table that an entry points to, made if there is none.  New tables come from RAM
// that is mapped already, hence from the first GiB.
static uint64_t *next_table(uint64_t *entry, struct memory_map *free)
{
    if (*entry & PTE_PRESENT) {
        ASSERT(!(*entry & PTE_LARGE));
        paddr_t table = *entry & PTE_ADDRESS;
        // Those in the image aren't in the direct map.
        if (table == image_physical(direct_directory_pointers))
            return direct_directory_pointers;
        if (table == image_physical(direct_directory))
            return direct_directory;
        return table_pointer(table);
    }
    paddr_t frame = memory_map_take_page(free, HUGE_PAGE_BYTES);
    if (frame == 0)
        PANIC("no memory below 1 GiB for the page tables of the direct map");
    __builtin_memset(table_pointer(frame), 0, PAGE_BYTES);
    *entry = frame | TABLE_FLAGS;
    return table_pointer(frame);
}

static bool has_huge_pages(void)
{
    constexpr uint32_t huge_pages = 1u << 26;
    return cpuid_read(0x80000001, 0).edx & huge_pages;
}

// Maps the large page that holds an address and returns how far it reaches.
static uint64_t map_direct(uint64_t at, uint64_t end, bool huge, struct memory_map *free)
{
    uint64_t *pointers = next_table(&kernel_root[KERNEL_HALF_FIRST + (at >> 39)], free);
    uint64_t *pointer = &pointers[(at >> 30) % TABLE_ENTRIES];
    if (huge && *pointer == 0 && at % HUGE_PAGE_BYTES == 0 && end - at >= HUGE_PAGE_BYTES) {
        *pointer = at | DIRECT_FLAGS | PTE_LARGE;
        return at + HUGE_PAGE_BYTES;
    }
    uint64_t *entry = &next_table(pointer, free)[(at >> 21) % TABLE_ENTRIES];
    uint64_t base = at & ~(LARGE_PAGE_BYTES - 1);
    if (*entry == 0)
        *entry = base | DIRECT_FLAGS | PTE_LARGE;
    return base + LARGE_PAGE_BYTES;
}

// The first 2 MiB, page by page: RAM without the image.
static void map_low_pages(const struct memory_map *ram)
{
    for (unsigned i = 0; i < ram->count; i++) {
        const struct boot_range *range = &ram->ranges[i];
        for (uint64_t at = range->base; at < range->base + range->size_bytes;
             at += PAGE_BYTES) {
            if (at >= LARGE_PAGE_BYTES)
                return;
            if (at < image_physical(image_start) || at >= image_physical(image_end))
                direct_page_table[at / PAGE_BYTES] = at | DIRECT_FLAGS;
        }
    }
}

// The page below the stack: going there is a double fault with a message, not damage.
static void unmap_stack_guard(void)
{
    uint64_t guard = (uint64_t)boot_stack;
    ASSERT(guard % PAGE_BYTES == 0);
    kernel_page_table[image_physical(boot_stack) / PAGE_BYTES] = 0;
    tlb_flush_page(guard);
}

void kernel_map_init(const struct memory_map *ram, struct memory_map *free)
{
    map_low_pages(ram);
    direct_directory[0] = image_physical(direct_page_table) | TABLE_FLAGS;
    kernel_root[0] = 0; // the identity map

    // Ascending, so that the first GiB, where new tables come from, is mapped first.
    // It uses the directory that exists, even if there are huge pages.
    bool huge = has_huge_pages();
    for (unsigned i = 0; i < ram->count; i++) {
        uint64_t end = ram->ranges[i].base + ram->ranges[i].size_bytes;
        if (end > DIRECT_MAP_BYTES_MAX)
            end = DIRECT_MAP_BYTES_MAX;
        for (uint64_t at = ram->ranges[i].base; at < end;)
            at = at < LARGE_PAGE_BYTES ? LARGE_PAGE_BYTES : map_direct(at, end, huge, free);
    }
    memory_map_remove(free, DIRECT_MAP_BYTES_MAX, UINT64_MAX);
    cr3_write(kernel_root_physical());
    unmap_stack_guard();
}
