// SPDX-License-Identifier: MIT
// A medium in memory whose power can go: what wasn't flushed is kept apart, and after a cut
// any part of it is there, in any order, sector by sector, one of them torn.
#pragma once

#include <stdlib.h>
#include <string.h>
#include <volume/medium.h>

constexpr uint32_t SECTOR = 512;

struct test_write {
    uint64_t page;
    uint32_t count;
    uint8_t *bytes;
};

struct test_medium {
    struct medium medium;
    uint8_t *durable;          // what is there after a cut without luck
    uint8_t *current;          // what is read
    struct test_write *writes; // since the last flush
    uint32_t write_count, write_capacity;
    int64_t calls_left; // until the power goes; negative: it stays
    bool off;           // it is gone: every call fails
    uint64_t bad_page;  // reading it fails; UINT64_MAX: none
};

// Counts a call; false if the power goes with it, or has gone.
static bool test_medium_call(struct test_medium *test)
{
    if (test->calls_left == 0)
        test->off = true;
    if (test->calls_left > 0)
        test->calls_left--;
    return !test->off;
}

static bool test_medium_read(struct medium *medium, uint64_t page, uint32_t count, void *to)
{
    struct test_medium *test = (struct test_medium *)medium;
    if (test->off || (test->bad_page >= page && test->bad_page < page + count))
        return false;
    memcpy(to, test->current + page * MEDIUM_PAGE, (size_t)count * MEDIUM_PAGE);
    return true;
}

static bool test_medium_write(struct medium *medium, uint64_t page, uint32_t count,
                              const void *from)
{
    struct test_medium *test = (struct test_medium *)medium;
    size_t bytes = (size_t)count * MEDIUM_PAGE;
    bool done = test_medium_call(test);
    // What is cut off in the middle may be there like what was done.
    if (test->off && !done && test->calls_left == -2)
        return false;
    if (test->write_count == test->write_capacity) {
        test->write_capacity = test->write_capacity * 2 + 64;
        test->writes = realloc(test->writes, test->write_capacity * sizeof *test->writes);
    }
    struct test_write *write = &test->writes[test->write_count++];
    *write = (struct test_write){page, count, malloc(bytes)};
    memcpy(write->bytes, from, bytes);
    if (!done) {
        test->calls_left = -2;
        return false;
    }
    memcpy(test->current + page * MEDIUM_PAGE, from, bytes);
    return true;
}

static void test_medium_forget(struct test_medium *test)
{
    for (uint32_t i = 0; i < test->write_count; i++)
        free(test->writes[i].bytes);
    test->write_count = 0;
}

static bool test_medium_flush(struct medium *medium)
{
    struct test_medium *test = (struct test_medium *)medium;
    if (!test_medium_call(test)) {
        test->calls_left = -2;
        return false;
    }
    memcpy(test->durable, test->current, test->medium.page_count * MEDIUM_PAGE);
    test_medium_forget(test);
    return true;
}

static struct test_medium *test_medium_create(uint64_t page_count)
{
    struct test_medium *test = calloc(1, sizeof *test);
    test->medium =
        (struct medium){page_count, test_medium_read, test_medium_write, test_medium_flush};
    test->durable = calloc(page_count, MEDIUM_PAGE);
    test->current = calloc(page_count, MEDIUM_PAGE);
    test->calls_left = -1;
    test->bad_page = UINT64_MAX;
    return test;
}

static void test_medium_destroy(struct test_medium *test)
{
    test_medium_forget(test);
    free(test->writes);
    free(test->durable);
    free(test->current);
    free(test);
}

// The power comes back: of the writes since the last flush, which stand in a random
// order, random sectors arrived.
[[maybe_unused]] static void test_medium_cut(struct test_medium *test)
{
    int luck = rand() % 5; // none, few, half, most, all
    for (uint32_t i = 0; i < test->write_count; i++) {
        uint32_t other = i + (uint32_t)rand() % (test->write_count - i);
        struct test_write swapped = test->writes[i];
        test->writes[i] = test->writes[other];
        test->writes[other] = swapped;
    }
    for (uint32_t i = 0; i < test->write_count; i++) {
        struct test_write *write = &test->writes[i];
        uint8_t *to = test->durable + write->page * MEDIUM_PAGE;
        for (uint32_t at = 0; at < write->count * MEDIUM_PAGE; at += SECTOR) {
            if (rand() % 4 >= luck)
                continue;
            uint32_t bytes = rand() % 16 == 0 ? (uint32_t)rand() % SECTOR : SECTOR;
            memcpy(to + at, write->bytes + at, bytes);
        }
    }
    test_medium_forget(test);
    memcpy(test->current, test->durable, test->medium.page_count * MEDIUM_PAGE);
    test->off = false;
    test->calls_left = -1;
}
