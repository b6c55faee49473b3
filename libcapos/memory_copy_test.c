// SPDX-License-Identifier: MIT
// memcpy and its family at every small size, alignment and overlap, against plain loops.
// The file is included under other names, so that the host's own functions stay.
#define MEMORY_NAME(name) capos_##name
#include "memory.c"

#include <test/test.h>

constexpr size_t AREA = 400;

static uint8_t area[AREA], expected[AREA];

static void fill(void)
{
    for (size_t i = 0; i < AREA; i++)
        area[i] = expected[i] = (uint8_t)(i * 31 + 7);
}

static void memory_moves_at_every_size_and_overlap(void)
{
    for (size_t size = 0; size <= 150; size++)
        for (size_t from = 0; from < 160; from += 3)
            for (size_t to = 0; to < 160; to += 5) {
                fill();
                for (size_t i = 0; i < size; i++)
                    expected[to + i] = (uint8_t)((from + i) * 31 + 7);
                CHECK(capos_memmove(area + to, area + from, size) == area + to);
                if (memcmp(area, expected, AREA) != 0) {
                    printf("size %zu from %zu to %zu\n", size, from, to);
                    CHECK(memcmp(area, expected, AREA) == 0);
                    return;
                }
            }
}

static void memory_copies_at_every_size(void)
{
    for (size_t size = 0; size <= 180; size++)
        for (size_t shift = 0; shift < 17; shift++) {
            fill();
            for (size_t i = 0; i < size; i++)
                expected[200 + i] = expected[shift + i];
            CHECK(capos_memcpy(area + 200, area + shift, size) == area + 200);
            CHECK(memcmp(area, expected, AREA) == 0);
        }
}

static void memory_sets_at_every_size(void)
{
    for (size_t size = 0; size <= 190; size++)
        for (size_t shift = 0; shift < 17; shift++) {
            fill();
            for (size_t i = 0; i < size; i++)
                expected[shift + i] = 0x9c;
            CHECK(capos_memset(area + shift, 0x19c, size) == area + shift);
            CHECK(memcmp(area, expected, AREA) == 0);
        }
}

// Sizes that go by the string instructions, and those around where that begins.
static void memory_moves_and_sets_what_is_large(void)
{
    constexpr size_t room = 1400;
    static uint8_t large[room], model[room];
    for (size_t size = 500; size <= 560; size++)
        for (size_t from = 0; from < 40; from += 3)
            for (size_t to = 0; to < 800; to = to < 60 ? to + 1 : to + 367) {
                for (size_t i = 0; i < room; i++)
                    large[i] = model[i] = (uint8_t)(i * 31 + 7 + i / 256);
                memmove(model + to, model + from, size);
                CHECK(capos_memmove(large + to, large + from, size) == large + to);
                CHECK(memcmp(large, model, room) == 0);
                memset(model + to, 0x9c, size);
                CHECK(capos_memset(large + to, 0x19c, size) == large + to);
                CHECK(memcmp(large, model, room) == 0);
                if (memcmp(large, model, room) != 0)
                    return;
            }
}

static void memory_compares_as_unsigned_bytes(void)
{
    for (size_t size = 1; size <= 40; size++)
        for (size_t at = 0; at < size; at++) {
            fill();
            CHECK_EQ(capos_memcmp(area, expected, size), 0);
            area[at] = 0x80;
            expected[at] = 0x7f;
            CHECK(capos_memcmp(area, expected, size) > 0);
            CHECK(capos_memcmp(expected, area, size) < 0);
            CHECK_EQ(capos_memcmp(area, expected, at), 0);
        }
}

int main(void)
{
    RUN(memory_moves_at_every_size_and_overlap);
    RUN(memory_copies_at_every_size);
    RUN(memory_sets_at_every_size);
    RUN(memory_moves_and_sets_what_is_large);
    RUN(memory_compares_as_unsigned_bytes);
    return test_report();
}
