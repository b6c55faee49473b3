// SPDX-License-Identifier: MIT
// See memory_map.h.  Host test: memory_map_test.c.
#include <kernel/arch/x86_64/boot/memory_map.h>

#include <kernel/arch.h>

static uint64_t range_end(const struct boot_range *range)
{
    return range->base + range->size_bytes;
}

// The end of a range that the firmware gave, cut off at the last page of the address
// space so that ends never wrap.
static uint64_t clamped_end(uint64_t base, uint64_t size_bytes)
{
    constexpr uint64_t limit = UINT64_MAX - PAGE_BYTES + 1;
    if (base >= limit)
        return base;
    return size_bytes > limit - base ? limit : base + size_bytes;
}

static void delete_at(struct memory_map *map, unsigned index)
{
    map->count--;
    for (unsigned i = index; i < map->count; i++)
        map->ranges[i] = map->ranges[i + 1];
}

static void insert_at(struct memory_map *map, unsigned index, uint64_t base, uint64_t end)
{
    for (unsigned i = map->count; i > index; i--)
        map->ranges[i] = map->ranges[i - 1];
    map->ranges[index] = (struct boot_range){.base = base, .size_bytes = end - base};
    map->count++;
}

static unsigned smallest(const struct memory_map *map)
{
    unsigned found = 0;
    for (unsigned i = 1; i < map->count; i++)
        if (map->ranges[i].size_bytes < map->ranges[found].size_bytes)
            found = i;
    return found;
}

// Makes room for one more range by forgetting the smallest, unless the new one is
// smaller still.
static bool make_room(struct memory_map *map, uint64_t size_bytes)
{
    if (map->count < BOOT_RANGE_MAX)
        return true;
    unsigned victim = smallest(map);
    if (size_bytes <= map->ranges[victim].size_bytes)
        return false;
    delete_at(map, victim);
    return true;
}

void memory_map_add(struct memory_map *map, uint64_t base, uint64_t size_bytes)
{
    uint64_t end = clamped_end(base, size_bytes);
    if (base == end)
        return;
    // Swallow every range that overlaps or touches.
    for (unsigned i = 0; i < map->count;) {
        struct boot_range *range = &map->ranges[i];
        if (range->base > end || range_end(range) < base) {
            i++;
            continue;
        }
        if (range->base < base)
            base = range->base;
        if (range_end(range) > end)
            end = range_end(range);
        delete_at(map, i);
    }
    if (!make_room(map, end - base))
        return;
    unsigned index = 0;
    while (index < map->count && map->ranges[index].base < base)
        index++;
    insert_at(map, index, base, end);
}

void memory_map_remove(struct memory_map *map, uint64_t base, uint64_t size_bytes)
{
    uint64_t end = clamped_end(base, size_bytes);
    if (base == end)
        return;
    for (unsigned i = 0; i < map->count;) {
        struct boot_range range = map->ranges[i];
        if (range.base >= end || range_end(&range) <= base) {
            i++;
            continue;
        }
        delete_at(map, i);
        // What is left below and above; the second piece may find the set full.
        if (range.base < base)
            insert_at(map, i++, range.base, base);
        if (range_end(&range) > end && make_room(map, range_end(&range) - end))
            memory_map_add(map, end, range_end(&range) - end);
    }
}

void memory_map_trim_to_pages(struct memory_map *map)
{
    for (unsigned i = 0; i < map->count;) {
        struct boot_range *range = &map->ranges[i];
        uint64_t end = range_end(range) & ~(PAGE_BYTES - 1);
        uint64_t base = (range->base + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
        if (base >= end) {
            delete_at(map, i);
            continue;
        }
        *range = (struct boot_range){.base = base, .size_bytes = end - base};
        i++;
    }
}

uint64_t memory_map_take_page(struct memory_map *map, uint64_t limit)
{
    for (unsigned i = map->count; i-- > 0;) {
        const struct boot_range *range = &map->ranges[i];
        uint64_t end = range_end(range) < limit ? range_end(range) : limit;
        end &= ~(PAGE_BYTES - 1);
        if (end < PAGE_BYTES || end - PAGE_BYTES < range->base)
            continue;
        memory_map_remove(map, end - PAGE_BYTES, PAGE_BYTES);
        return end - PAGE_BYTES;
    }
    return 0;
}

void memory_map_copy(const struct memory_map *map, struct boot_range out_ranges[BOOT_RANGE_MAX],
                     unsigned *out_count)
{
    for (unsigned i = 0; i < map->count; i++)
        out_ranges[i] = map->ranges[i];
    *out_count = map->count;
}
