// SPDX-License-Identifier: MIT
#include "pattern.h"

#include <test/test.h>

static bool matches(const char *pattern, const char *line)
{
    return pattern_matches(pattern, line, strlen(line), false);
}

static void bytes_and_points_match_anywhere(void)
{
    CHECK(matches("ell", "hello"));
    CHECK(matches("h.l", "hello"));
    CHECK(matches("", "anything"));
    CHECK(!matches("ello.", "hello"));
    CHECK(!matches("x", ""));
}

static void the_ends_of_a_line_are_places(void)
{
    CHECK(matches("^he", "hello"));
    CHECK(!matches("^el", "hello"));
    CHECK(matches("lo$", "hello"));
    CHECK(!matches("l$", "hello"));
    CHECK(matches("^$", ""));
    CHECK(!matches("^$", "x"));
    CHECK(matches("a$b", "a$b"));
    CHECK(matches("a\\$", "a$"));
    CHECK(!matches("a\\$", "a"));
}

static void a_star_takes_any_number(void)
{
    CHECK(matches("ab*c", "ac"));
    CHECK(matches("ab*c", "abbbc"));
    CHECK(!matches("^ab*c$", "abbxc"));
    CHECK(matches("^.*x.*x$", "axbxcx"));
    CHECK(matches("[0-9]*$", "abc"));
    CHECK(matches("^[a-c]*$", "abcabc"));
}

static void sets_have_ranges_and_negation(void)
{
    CHECK(matches("[a-f0-9]", "xyz7"));
    CHECK(!matches("[a-f0-9]", "xyz"));
    CHECK(matches("[^a-z]", "abcD"));
    CHECK(!matches("[^a-z]", "abc"));
    CHECK(matches("[]x]", "]"));
    CHECK(matches("[a-]", "-"));
    CHECK(pattern_matches("HELLO", "say hello", 9, true));
    CHECK(pattern_matches("[A-C]", "b", 1, true));
}

static void what_is_no_pattern_is_refused(void)
{
    CHECK(pattern_is_valid("a[bc]\\[d*"));
    CHECK(!pattern_is_valid("[a"));
    CHECK(!pattern_is_valid("a\\"));
    CHECK(!pattern_is_valid("[]"));
}

// A pattern that makes a backtracking matcher take for ever.
static void no_pattern_is_slow(void)
{
    char line[2000];
    memset(line, 'a', sizeof line);
    CHECK(!pattern_matches("a*a*a*a*a*a*a*a*a*a*a*b", line, 300, false));
}

int main(void)
{
    RUN(bytes_and_points_match_anywhere);
    RUN(the_ends_of_a_line_are_places);
    RUN(a_star_takes_any_number);
    RUN(sets_have_ranges_and_negation);
    RUN(what_is_no_pattern_is_refused);
    RUN(no_pattern_is_slow);
    return test_report();
}
