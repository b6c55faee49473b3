// SPDX-License-Identifier: MIT
#include "size.h"

#include <test/test.h>

static void reads(const char *text, uint64_t bytes)
{
    uint64_t found = 1;
    CHECK(size_read(text, strlen(text), &found));
    CHECK_EQ(found, bytes);
}

static void a_size_is_in_bytes_or_has_a_unit(void)
{
    reads("0", 0);
    reads("1048576", 1 << 20);
    reads("4096K", 4 << 20);
    reads("64M", 64 << 20);
    reads("2G", UINT64_C(2) << 30);
    reads("9223372036854775807", INT64_MAX);
}

static void what_is_no_size_is_refused(void)
{
    static const char *const texts[] = {"",
                                        "K",
                                        "M",
                                        "5X",
                                        "-5",
                                        "+5",
                                        " 5",
                                        "5 ",
                                        "5KB",
                                        "0x10",
                                        "1.5M",
                                        "name",
                                        "9223372036854775808",
                                        "18446744073709551616",
                                        "99999999999G"};
    uint64_t bytes;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(!size_read(texts[i], strlen(texts[i]), &bytes));
    CHECK(!size_read("5\0005", 3, &bytes));
}

int main(void)
{
    RUN(a_size_is_in_bytes_or_has_a_unit);
    RUN(what_is_no_size_is_refused);
    return test_report();
}
