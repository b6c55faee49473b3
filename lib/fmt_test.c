// SPDX-License-Identifier: MIT
// Tests of lib/fmt.c: each case is formatted by the host's snprintf as well.
#include <lib/fmt.h>

#include <limits.h>
#include <stdint.h>
#include <test/test.h>

// Checks one format against snprintf, in a large buffer and cut at every length.
#define SAME(...)                                                                  \
    do {                                                                           \
        char expected[256], actual[256];                                           \
        size_t length = (size_t)snprintf(expected, sizeof expected, __VA_ARGS__);  \
        CHECK_EQ(fmt_format(actual, sizeof actual, __VA_ARGS__), length);          \
        if (strcmp(actual, expected) != 0) {                                       \
            printf("FAIL %s \"%s\" is not \"%s\"\n", test_name, actual, expected); \
            test_this_failed = true;                                               \
        }                                                                          \
        for (size_t cut = 0; cut <= length; cut++) {                               \
            memset(actual, '#', sizeof actual);                                    \
            CHECK_EQ(fmt_format(actual, cut + 1, __VA_ARGS__), length);            \
            CHECK(memcmp(actual, expected, cut) == 0);                             \
            CHECK(actual[cut] == '\0' && actual[cut + 1] == '#');                  \
        }                                                                          \
    } while (0)

// Formats come from tables here, and some are wrong on purpose.
#pragma clang diagnostic ignored "-Wformat"
#pragma clang diagnostic ignored "-Wformat-nonliteral"

static const int64_t integers[] = {
    0, 1, -1, 7, 8, 42, -42, 255, 256, INT_MAX, INT_MIN, UINT_MAX, INT64_MAX, INT64_MIN,
};

static void format_integers_as_snprintf_does(void)
{
    static const char *const formats[] = {
        "%d",    "%i",    "%u",    "%x",          "%X",      "%o",       "%#x",     "%#X",
        "%#o",   "%+d",   "% d",   "%+ d",        "%8d",     "%-8d|",    "%08d",    "%-08d|",
        "%+08d", "% 08d", "%8.3d", "%08.3d",      "%-8.3d|", "%.0d",     "%.d",     "%#.0x",
        "%#.0o", "%#.4o", "%#08x", "%#-8x|",      "%#8.4x",  "%.20u",    "%30.25d", "%hhd",
        "%hhu",  "%hhx",  "%hd",   "%hu",         "%ho",     "%ld",      "%lu",     "%lx",
        "%lld",  "%llu",  "%llX",  "%zd",         "%zu",     "%zx",      "%td",     "%tx",
        "%jd",   "%ju",   "%jo",   "%-+20lldend", "%020lld", "%#022llo",
    };
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++)
        for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++)
            SAME(formats[f], integers[i]);
}

static void format_width_and_precision_from_arguments(void)
{
    SAME("%*d|", 6, 42);
    SAME("%*d|", -6, 42);
    SAME("%.*d|", 6, 42);
    SAME("%.*d|", -6, 42);
    SAME("%*.*d|", 9, 6, -42);
    SAME("%*.*s|", -9, 3, "abcdef");
}

static void format_text_and_characters(void)
{
    SAME("plain");
    SAME("%%|100%%|%c%c", 'a', 'b');
    SAME("%5c|%-5c|", 'a', 'b');
    SAME("%s", "");
    SAME("%s and %s", "one", "two");
    SAME("%8s|%-8s|%.2s|%8.2s|%.0s|", "abc", "abc", "abc", "abc", "abc");
    const char *null = nullptr;
    SAME("%s", null);
    char unterminated[3] = {'a', 'b', 'c'};
    SAME("%.3s", unterminated);
}

static void format_pointers_with_0x(void)
{
    char text[64];
    CHECK_EQ(fmt_format(text, sizeof text, "%p", (void *)(uintptr_t)0xffffffff80001000), 18);
    CHECK(strcmp(text, "0xffffffff80001000") == 0);
    CHECK_EQ(fmt_format(text, sizeof text, "%p", (void *)0), 3);
    CHECK(strcmp(text, "0x0") == 0);
}

static void format_copies_what_is_no_conversion(void)
{
    char text[64];
    CHECK_EQ(fmt_format(text, sizeof text, "%q %5", 1), 5);
    CHECK(strcmp(text, "%q %5") == 0);
    CHECK_EQ(fmt_format(text, sizeof text, "a%"), 2);
    CHECK(strcmp(text, "a%") == 0);
}

static void format_into_no_buffer_counts(void)
{
    CHECK_EQ(fmt_format(nullptr, 0, "%d and %s", 42, "text"), 11);
}

static void format_huge_width_takes_no_time_and_no_stack(void)
{
    char text[8];
    CHECK_EQ(fmt_format(text, sizeof text, "%2147483647d", 1), INT_MAX);
    CHECK(strcmp(text, "       ") == 0);
    CHECK_EQ(fmt_format(text, sizeof text, "%.99999999999999999999d", 1), INT_MAX);
    CHECK(strcmp(text, "0000000") == 0);
    CHECK_EQ(fmt_format(text, sizeof text, "%*d", INT_MIN, 1), INT_MAX);
    CHECK(strcmp(text, "1      ") == 0);
}

int main(void)
{
    RUN(format_integers_as_snprintf_does);
    RUN(format_width_and_precision_from_arguments);
    RUN(format_text_and_characters);
    RUN(format_pointers_with_0x);
    RUN(format_copies_what_is_no_conversion);
    RUN(format_into_no_buffer_counts);
    RUN(format_huge_width_takes_no_time_and_no_stack);
    return test_report();
}
