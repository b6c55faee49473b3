// SPDX-License-Identifier: MIT
#include "disk_file.h"

#include <test/test.h>

static void splits(const char *text, const char *file, uint64_t size_bytes, const char *guest)
{
    struct disk_parts parts = disk_split(text);
    CHECK(parts.file_bytes == strlen(file) && memcmp(parts.file, file, strlen(file)) == 0);
    CHECK_EQ(parts.size_bytes, size_bytes);
    CHECK(parts.guest_bytes == strlen(guest) &&
          memcmp(parts.guest_bytes == 0 ? "" : parts.guest, guest, strlen(guest)) == 0);
}

static void an_operand_has_up_to_three_parts(void)
{
    splits("disk", "disk", 0, "");
    splits("disk:64M", "disk", 64 << 20, "");
    splits("disk:notes", "disk", 0, "notes");
    splits("disk:64M:notes", "disk", 64 << 20, "notes");
    splits("disk:64M:", "disk", 64 << 20, "");
    splits("", "", 0, "");
    splits(":64M", "", 64 << 20, "");
}

static void a_file_may_have_colons_in_its_name(void)
{
    splits("a:b:64M", "a:b", 64 << 20, ""); // a size is last, or before GUEST
    splits("a:b:", "a:b", 0, "");
    splits("a:b:c", "a:b", 0, "c");
    splits("a:b:64M:c", "a:b", 64 << 20, "c");
    splits("a:1M:64M", "a:1M", 64 << 20, "");
    splits("a:5X", "a", 0, "5X");
}

static void a_size_of_nothing_is_a_size(void)
{
    splits("disk:0", "disk", 1, "");
    splits("disk:0:c", "disk", 1, "c");
}

int main(void)
{
    RUN(an_operand_has_up_to_three_parts);
    RUN(a_file_may_have_colons_in_its_name);
    RUN(a_size_of_nothing_is_a_size);
    return test_report();
}
