// SPDX-License-Identifier: MIT
#include "storage.h"

#include <test/test.h>

static void reads(const char *text, uint64_t size_bytes, const char *name)
{
    struct memory_place place;
    CHECK_EQ(memory_place_read(text, &place), 0);
    CHECK_EQ(place.size_bytes, size_bytes);
    CHECK(strcmp(place.name, name) == 0);
}

static void a_directory_in_memory_has_a_size_and_a_name(void)
{
    reads("16M", 16 << 20, "tmp");
    reads("16M:", 16 << 20, "tmp");
    reads("64K:scratch", 64 << 10, "scratch");
    reads("64G", UINT64_C(64) << 30, "tmp");
    reads("65537", 65536 + 4096, "tmp"); // whole pages
}

static void what_cannot_be_is_refused(void)
{
    static const char *const texts[] = {"",    "10X", "scratch", ":scratch", "63K",  "0",
                                        "65G", "-1M", "1M:a b",  "1M:a:b",   "1M:.", "16 M"};
    struct memory_place place;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(memory_place_read(texts[i], &place) != 0);
}

int main(void)
{
    RUN(a_directory_in_memory_has_a_size_and_a_name);
    RUN(what_cannot_be_is_refused);
    return test_report();
}
