// SPDX-License-Identifier: MIT
#include "disk_file.h"

#include <test/test.h>

static void reads(const char *text, const char *path, uint64_t bytes)
{
    char found[64];
    uint64_t found_bytes = 1;
    CHECK(disk_file_read(text, found, sizeof found, &found_bytes));
    CHECK(strcmp(found, path) == 0);
    CHECK_EQ(found_bytes, bytes);
}

static void a_size_is_behind_the_last_colon(void)
{
    reads("disk", "disk", 0);
    reads("disk:1048576", "disk", 1 << 20);
    reads("disk:4096K", "disk", 4 << 20);
    reads("a:b:64M", "a:b", 64 << 20);
    reads("disk:2G", "disk", UINT64_C(2) << 30);
    reads("disk:name", "disk:name", 0);
    reads("disk:", "disk:", 0);
    reads("disk:5X", "disk:5X", 0);
    reads("disk:-5", "disk:-5", 0);
}

static void a_size_that_cannot_be_is_refused(void)
{
    static const char *const texts[] = {
        "disk:1", "disk:1023K", ":64M", "", "disk:18446744073709551615", "disk:99999999999G"};
    char path[64];
    uint64_t bytes;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!disk_file_read(texts[i], path, sizeof path, &bytes));
    CHECK(!disk_file_read("a-name-that-is-longer-than-its-place", path, 10, &bytes));
}

int main(void)
{
    RUN(a_size_is_behind_the_last_colon);
    RUN(a_size_that_cannot_be_is_refused);
    return test_report();
}
