// SPDX-License-Identifier: MIT
#include "directories.h"

#include <test/test.h>

static void splits(const char *text, const char *host, const char *guest, bool read_only)
{
    struct directory_parts parts = directory_split(text);
    CHECK(parts.host_bytes == strlen(host) && memcmp(parts.host, host, parts.host_bytes) == 0);
    CHECK(parts.guest_bytes == strlen(guest) &&
          memcmp(parts.guest_bytes == 0 ? "" : parts.guest, guest, parts.guest_bytes) == 0);
    CHECK_EQ(parts.read_only, read_only);
}

static void an_operand_has_up_to_three_parts(void)
{
    splits("data", "data", "", false);
    splits("data:ro", "data", "", true);
    splits("data:rw", "data", "", false);
    splits("data:files", "data", "files", false);
    splits("./data:files:ro", "./data", "files", true);
    splits(".", ".", "", false);
    splits("", "", "", false);
    splits(":x", "", "x", false);
}

static void only_the_last_two_colons_count(void)
{
    splits("a:b:c", "a:b", "c", false);
    splits("a:b:c:ro", "a:b", "c", true);
    splits("a:b:", "a:b", "", false);
    splits("a:b::ro", "a:b", "", true);
    splits("ro", "ro", "", false);
    splits("data:ro:ro", "data", "ro", true);
    splits("data:rox", "data", "rox", false);
}

static void names_are_those_of_capabilities(void)
{
    CHECK(directory_name_is_good("data", 4));
    CHECK(directory_name_is_good("2024_my-data.d", 14));
    CHECK(directory_name_is_good("abcdefghijklmnopqrstuvwxyzabcde", 31));
    CHECK(!directory_name_is_good("abcdefghijklmnopqrstuvwxyzabcdef", 32));
    CHECK(!directory_name_is_good("", 0));
    CHECK(!directory_name_is_good(".", 1));
    CHECK(!directory_name_is_good("..", 2));
    CHECK(!directory_name_is_good("-rf", 3));
    CHECK(!directory_name_is_good("a b", 3));
    CHECK(!directory_name_is_good("a\0b", 3));
    CHECK(!directory_name_is_good("\xc3\xa4", 2));
}

int main(void)
{
    RUN(an_operand_has_up_to_three_parts);
    RUN(only_the_last_two_colons_count);
    RUN(names_are_those_of_capabilities);
    return test_report();
}
