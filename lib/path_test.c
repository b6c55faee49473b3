// SPDX-License-Identifier: MIT
// What is a name, what is a path, and how a path comes apart.
#include <lib/path.h>

#include <test/test.h>

#include <stdlib.h>
#include <string.h>

static struct wire_data data_of(const char *text)
{
    return (struct wire_data){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static void path_is_name_takes_any_bytes_but_the_two_that_mean_something(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t name[] = {'a', (uint8_t)byte};
        CHECK_EQ(path_is_name((struct wire_data){name, 2}), byte != 0 && byte != '/');
    }
    CHECK(path_is_name(data_of("...")));
    CHECK(path_is_name(data_of(".a")));
    CHECK(path_is_name(data_of("..a")));
    CHECK(path_is_name(data_of(" ")));
    CHECK(!path_is_name(data_of("")));
    CHECK(!path_is_name(data_of(".")));
    CHECK(!path_is_name(data_of("..")));
}

static void names_and_paths_have_their_bounds(void)
{
    uint8_t *bytes = malloc(2048);
    memset(bytes, 'x', 2048);
    CHECK(path_is_name((struct wire_data){bytes, 255}));
    CHECK(!path_is_name((struct wire_data){bytes, 256}));
    for (uint32_t i = 200; i < 2048; i += 200)
        bytes[i] = '/';
    CHECK(path_is_valid((struct wire_data){bytes, 1024}));
    CHECK(!path_is_valid((struct wire_data){bytes, 1025}));
    for (uint32_t i = 0; i < 130; i++)
        bytes[i] = i % 2 == 0 ? 'x' : '/';
    CHECK(path_is_valid((struct wire_data){bytes, 2 * 64 - 1}));
    CHECK(!path_is_valid((struct wire_data){bytes, 2 * 65 - 1}));
    free(bytes);
}

static void what_could_lead_elsewhere_is_no_path(void)
{
    static const char *const bad[] = {
        "",     "/",    "/a",  "a/",    "a//b",   "//",   ".",       "..",       "./a",
        "../a", "a/..", "a/.", "a/./b", "a/../b", "a/b/", "a/../..", "../../..",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!path_is_valid(data_of(bad[i])));
    CHECK(!path_is_valid((struct wire_data){(const uint8_t *)"a\0b", 3}));
    CHECK(!path_is_valid((struct wire_data){(const uint8_t *)"a/\0", 3}));
    CHECK(path_is_valid(data_of("a/b/c")));
    CHECK(path_is_valid(data_of(".../..a/.b")));
}

static void path_next_gives_each_component_once(void)
{
    static const char *const expected[] = {"", "a", "", "..", "b", ""};
    struct wire_data rest = data_of("/a//../b/"), component;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        CHECK(path_next(&rest, &component));
        CHECK_EQ(component.size_bytes, strlen(expected[i]));
        CHECK(memcmp(component.data, expected[i], component.size_bytes) == 0);
    }
    CHECK(!path_next(&rest, &component));
    CHECK(!path_next(&rest, &component));
}

static void components_are_names_or_move(void)
{
    CHECK_EQ(path_component_kind(data_of("")), PATH_STAY);
    CHECK_EQ(path_component_kind(data_of(".")), PATH_STAY);
    CHECK_EQ(path_component_kind(data_of("..")), PATH_UP);
    CHECK_EQ(path_component_kind(data_of("...")), PATH_NAME);
    CHECK_EQ(path_component_kind(data_of("a")), PATH_NAME);
}

static void a_target_is_any_text_without_nul(void)
{
    CHECK(path_is_target(data_of("/../..//x")));
    CHECK(!path_is_target(data_of("")));
    CHECK(!path_is_target((struct wire_data){(const uint8_t *)"a\0", 2}));
}

static void walks(const char *from, const char *typed, const char *to)
{
    char place[PATH_BYTES_MAX + 1];
    strcpy(place, from);
    CHECK_EQ(path_walk(place, data_of(typed)), PATH_WALKED);
    CHECK(strcmp(place, to) == 0);
}

static void what_is_typed_leads_from_a_place_to_another(void)
{
    walks("", "", "");
    walks("", "a", "a");
    walks("", "/a//b/./c/", "a/b/c");
    walks("a/b", "", "a/b");
    walks("a/b", ".", "a/b");
    walks("a/b", "c", "a/b/c");
    walks("a/b", "..", "a");
    walks("a/b", "../..", "");
    walks("a/b", "../c/..", "a");
    walks("a/b", "/", "");
    walks("a/b", "/c", "c");
    walks("ab", "../cd", "cd");
}

static void a_walk_that_cannot_be_changes_nothing(void)
{
    char place[PATH_BYTES_MAX + 1] = "a/b", long_name[PATH_BYTES_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[PATH_BYTES_MAX + 1] = 0;
    CHECK_EQ(path_walk(place, data_of("../../..")), PATH_WALKED_OUT);
    CHECK_EQ(path_walk(place, data_of("/..")), PATH_WALKED_OUT);
    CHECK_EQ(path_walk(place, data_of(long_name)), PATH_WALKED_LONG);
    CHECK_EQ(path_walk(place, data_of(long_name + 4)), PATH_WALKED_LONG);
    CHECK(strcmp(place, "a/b") == 0);
    CHECK_EQ(path_walk(place, data_of(long_name + 5)), PATH_WALKED);
    CHECK_EQ(strlen(place), PATH_BYTES_MAX);
    CHECK_EQ(path_walk(place, data_of("c")), PATH_WALKED_LONG);
    CHECK_EQ(path_walk(place, data_of("..")), PATH_WALKED);
    CHECK(strcmp(place, "a/b") == 0);
}

int main(void)
{
    RUN(path_is_name_takes_any_bytes_but_the_two_that_mean_something);
    RUN(names_and_paths_have_their_bounds);
    RUN(what_could_lead_elsewhere_is_no_path);
    RUN(path_next_gives_each_component_once);
    RUN(components_are_names_or_move);
    RUN(a_target_is_any_text_without_nul);
    RUN(what_is_typed_leads_from_a_place_to_another);
    RUN(a_walk_that_cannot_be_changes_nothing);
    return test_report();
}
