// SPDX-License-Identifier: MIT
// Tests of names.c.
#include "names.h"

#include <string.h>
#include <test/test.h>

static struct wire_text text(const char *words)
{
    return (struct wire_text){.text = words, .size_bytes = (uint32_t)strlen(words)};
}

static bool among(const char *list, const char *allowed, const char *bad)
{
    struct wire_text found = {};
    bool good = names_are_among(text(list), text(allowed), &found);
    if (!good)
        CHECK(found.size_bytes == strlen(bad) && memcmp(found.text, bad, strlen(bad)) == 0);
    return good;
}

static void names_are_lines(void)
{
    struct wire_text list = text("one\ntwo"), name;
    CHECK(names_next(&list, &name) && name.size_bytes == 3);
    CHECK(names_next(&list, &name) && memcmp(name.text, "two", 3) == 0);
    CHECK(!names_next(&list, &name));
    CHECK(names_contain(text("one\ntwo\n"), text("two")));
    CHECK(!names_contain(text("one\ntwo"), text("tw")));
    CHECK(!names_contain(text("one\ntwo"), text("two\n")));
    CHECK(!names_contain(text(""), text("one")));
}

static void names_must_be_allowed(void)
{
    CHECK(among("", "", ""));
    CHECK(among("", "a\nb", ""));
    CHECK(among("b\na\n", "a\nb", ""));
    CHECK(!among("a\nc", "a\nb", "c"));
    CHECK(!among("a", "", "a"));
    CHECK(!among("ab", "a\nb", "ab"));
}

static void names_appear_once_and_are_not_empty(void)
{
    CHECK(!among("a\nb\na", "a\nb", "a"));
    CHECK(!among("a\n\nb", "a\nb", ""));
    CHECK(!among("\n", "a", ""));
}

int main(void)
{
    RUN(names_are_lines);
    RUN(names_must_be_allowed);
    RUN(names_appear_once_and_are_not_empty);
    return test_report();
}
