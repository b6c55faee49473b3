// SPDX-License-Identifier: MIT
#include "route.h"

#include <test/test.h>

static struct route route;

static bool start(const char *path)
{
    return route_init(&route, (const uint8_t *)path, (uint32_t)strlen(path));
}

static enum route_outcome follow(uint32_t index, const char *target)
{
    return route_follow(&route, index, (const uint8_t *)target, (uint32_t)strlen(target));
}

static bool is(const char *expected)
{
    char text[4096] = "";
    for (uint32_t i = 0; i < route.count; i++) {
        strncat(text, i == 0 ? "" : "/", 2);
        strncat(text, (const char *)route.names[i].bytes, route.names[i].size_bytes);
    }
    if (strcmp(text, expected) != 0)
        printf("%s\n", text);
    return strcmp(text, expected) == 0;
}

static void a_path_is_its_names(void)
{
    CHECK(start("") && route.count == 0);
    CHECK(start("a") && is("a"));
    CHECK(start("a/bc/...") && is("a/bc/..."));
    CHECK(start("\xff\x01 \n") && is("\xff\x01 \n"));
}

static void what_is_no_path_is_refused(void)
{
    static const char *const hostile[] = {"/",    "/a",   "a/",    "a//b",      ".",  "..",
                                          "a/..", "../a", "a/./b", "a/../../b", "//", "./a"};
    char text[2048] = "";
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        CHECK(!start(hostile[i]));
    CHECK(!route_init(&route, (const uint8_t *)"a\0b", 3));
    memset(text, 'n', 255);
    CHECK(start(text));
    memset(text, 'n', 256);
    CHECK(!start(text));
    for (int i = 0; i < 64; i++)
        memcpy(text + 2 * i, "n/", 2);
    text[127] = 0;
    CHECK(start(text) && route.count == 64);
    memcpy(text + 127, "/n", 3);
    CHECK(!start(text));
}

static void a_symlink_is_replaced_by_where_it_leads(void)
{
    CHECK(start("a/link/b"));
    CHECK_EQ(follow(1, "x/y"), ROUTE_OK);
    CHECK(is("a/x/y/b"));
    CHECK_EQ(follow(0, "./z//."), ROUTE_OK);
    CHECK(is("z/x/y/b"));
    CHECK_EQ(follow(3, "."), ROUTE_OK);
    CHECK(is("z/x/y"));
}

static void up_takes_off_a_directory_and_stops_at_the_top(void)
{
    CHECK(start("a/link"));
    CHECK_EQ(follow(1, "../b/../../c"), ROUTE_OK);
    CHECK(is("a/../b/../../c"));
    CHECK(!route_is_up(&route, 0) && route_is_up(&route, 1));
    CHECK_EQ(route_up(&route, 1), ROUTE_OK);
    CHECK(is("b/../../c"));
    CHECK_EQ(route_up(&route, 1), ROUTE_OK);
    CHECK(is("../c"));
    CHECK_EQ(route_up(&route, 0), ROUTE_OUTSIDE);
}

static void absolute_symlinks_lead_outside(void)
{
    CHECK(start("link"));
    CHECK_EQ(follow(0, "/etc/passwd"), ROUTE_OUTSIDE);
    CHECK_EQ(follow(0, "/"), ROUTE_OUTSIDE);
    CHECK(is("link"));
}

static void chains_of_symlinks_end(void)
{
    CHECK(start("link"));
    for (uint32_t i = 0; i < ROUTE_SYMLINKS_MAX; i++)
        CHECK_EQ(follow(0, "link"), ROUTE_OK);
    CHECK_EQ(follow(0, "link"), ROUTE_TOO_MANY);
    // Each doubles what is still to be gone.
    CHECK(start("link"));
    enum route_outcome outcome = ROUTE_OK;
    for (uint32_t i = 0; i < ROUTE_SYMLINKS_MAX && outcome == ROUTE_OK; i++)
        outcome = follow(0, "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a");
    CHECK_EQ(outcome, ROUTE_TOO_MANY);
    CHECK(route.count <= ROUTE_NAMES_MAX);
}

static void a_symlink_as_long_as_linux_has_them_is_followed(void)
{
    static char target[4096];
    memset(target, 0, sizeof target);
    for (int i = 0; i < 4094; i += 2)
        memcpy(target + i, "./", 2);
    target[4094] = 'z';
    CHECK(start("a/link"));
    CHECK_EQ(follow(1, target), ROUTE_OK);
    CHECK(is("a/z"));
    memset(target, 'n', 300);
    target[300] = 0;
    CHECK_EQ(follow(1, target), ROUTE_TOO_MANY);
}

int main(void)
{
    RUN(a_path_is_its_names);
    RUN(what_is_no_path_is_refused);
    RUN(a_symlink_is_replaced_by_where_it_leads);
    RUN(up_takes_off_a_directory_and_stops_at_the_top);
    RUN(absolute_symlinks_lead_outside);
    RUN(chains_of_symlinks_end);
    RUN(a_symlink_as_long_as_linux_has_them_is_followed);
    return test_report();
}
