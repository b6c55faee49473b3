// SPDX-License-Identifier: MIT
// Links: kernel/arch/x86_64/boot/memory_map.c
#include <kernel/arch/x86_64/boot/memory_map.h>

#include <stdlib.h>
#include <test/test.h>

static void check_valid(const struct memory_map *map)
{
    CHECK(map->count <= BOOT_RANGE_MAX);
    for (unsigned i = 0; i < map->count; i++) {
        const struct boot_range *range = &map->ranges[i];
        CHECK(range->size_bytes > 0);
        CHECK(range->base + range->size_bytes > range->base);
        if (i > 0)
            CHECK(map->ranges[i - 1].base + map->ranges[i - 1].size_bytes < range->base);
    }
}

static void check_range(const struct memory_map *map, unsigned index, uint64_t base,
                        uint64_t size_bytes)
{
    CHECK_EQ(map->ranges[index].base, base);
    CHECK_EQ(map->ranges[index].size_bytes, size_bytes);
}

static void memory_map_add_sorts_and_joins(void)
{
    struct memory_map map = {};
    memory_map_add(&map, 0x5000, 0x1000);
    memory_map_add(&map, 0x1000, 0x1000);
    memory_map_add(&map, 0x3000, 0x1000);
    CHECK_EQ(map.count, 3);
    memory_map_add(&map, 0x2000, 0x1000); // touches both neighbours
    CHECK_EQ(map.count, 2);
    check_range(&map, 0, 0x1000, 0x3000);
    check_range(&map, 1, 0x5000, 0x1000);
    memory_map_add(&map, 0, 0x10000); // covers all
    CHECK_EQ(map.count, 1);
    check_range(&map, 0, 0, 0x10000);
}

static void memory_map_remove_splits(void)
{
    struct memory_map map = {};
    memory_map_add(&map, 0x1000, 0x9000);
    memory_map_remove(&map, 0x3000, 0x1000);
    CHECK_EQ(map.count, 2);
    check_range(&map, 0, 0x1000, 0x2000);
    check_range(&map, 1, 0x4000, 0x6000);
    memory_map_remove(&map, 0x2800, 0x2000);
    check_range(&map, 0, 0x1000, 0x1800);
    check_range(&map, 1, 0x4800, 0x5800);
    memory_map_remove(&map, 0, UINT64_MAX);
    CHECK_EQ(map.count, 0);
}

static void memory_map_trim_keeps_whole_pages(void)
{
    struct memory_map map = {};
    memory_map_add(&map, 0, 0x9fc00);
    memory_map_add(&map, 0x100010, 0x1ff0);
    memory_map_add(&map, 0x200010, 0xff0);
    memory_map_trim_to_pages(&map);
    CHECK_EQ(map.count, 2);
    check_range(&map, 0, 0, 0x9f000);
    check_range(&map, 1, 0x101000, 0x1000);
}

static void memory_map_takes_the_highest_page_below_the_limit(void)
{
    struct memory_map map = {};
    memory_map_add(&map, 0x1000, 0x2000);
    memory_map_add(&map, 0x8000, 0x4000);
    CHECK_EQ(memory_map_take_page(&map, 0x9800), 0x8000);
    CHECK_EQ(memory_map_take_page(&map, 0x9800), 0x2000);
    CHECK_EQ(memory_map_take_page(&map, 0x9800), 0x1000);
    CHECK_EQ(memory_map_take_page(&map, 0x9800), 0);
    CHECK_EQ(memory_map_take_page(&map, UINT64_MAX), 0xb000);
}

static void memory_map_survives_ranges_that_wrap(void)
{
    struct memory_map map = {};
    memory_map_add(&map, UINT64_MAX - 10, 100);
    CHECK_EQ(map.count, 0);
    memory_map_add(&map, UINT64_MAX - 0x10000, UINT64_MAX);
    CHECK_EQ(map.count, 1);
    check_valid(&map);
    memory_map_remove(&map, 0x1000, UINT64_MAX);
    CHECK_EQ(map.count, 0);
}

static void memory_map_full_set_forgets_the_smallest(void)
{
    struct memory_map map = {};
    for (uint64_t i = 0; i < BOOT_RANGE_MAX; i++)
        memory_map_add(&map, i * 0x10000, 0x1000 + i * 0x10);
    CHECK_EQ(map.count, BOOT_RANGE_MAX);
    memory_map_add(&map, 0x1000'0000, 0x8000);
    CHECK_EQ(map.count, BOOT_RANGE_MAX);
    check_range(&map, 0, 0x10000, 0x1010);
    memory_map_add(&map, 0x2000'0000, 8); // smaller than all: itself forgotten
    CHECK_EQ(map.count, BOOT_RANGE_MAX);
    memory_map_remove(&map, 0x1000'2000, 0x1000); // a split without room
    CHECK_EQ(map.count, BOOT_RANGE_MAX);
    check_valid(&map);
}

// Against a bitmap of 256 small units.
static void memory_map_agrees_with_a_bitmap(void)
{
    srand(1);
    for (unsigned round = 0; round < 2000; round++) {
        struct memory_map map = {};
        bool bits[256] = {};
        for (unsigned step = 0; step < 20; step++) {
            unsigned base = (unsigned)rand() % 256;
            unsigned size = (unsigned)rand() % (257 - base);
            bool add = rand() % 2;
            if (add)
                memory_map_add(&map, base, size);
            else
                memory_map_remove(&map, base, size);
            for (unsigned i = base; i < base + size; i++)
                bits[i] = add;
        }
        check_valid(&map);
        bool found[256] = {};
        for (unsigned i = 0; i < map.count; i++)
            for (uint64_t j = 0; j < map.ranges[i].size_bytes; j++)
                found[map.ranges[i].base + j] = true;
        CHECK(memcmp(bits, found, sizeof(bits)) == 0);
    }
}

int main(void)
{
    RUN(memory_map_add_sorts_and_joins);
    RUN(memory_map_remove_splits);
    RUN(memory_map_trim_keeps_whole_pages);
    RUN(memory_map_takes_the_highest_page_below_the_limit);
    RUN(memory_map_survives_ranges_that_wrap);
    RUN(memory_map_full_set_forgets_the_smallest);
    RUN(memory_map_agrees_with_a_bitmap);
    return test_report();
}
