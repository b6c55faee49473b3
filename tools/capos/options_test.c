// SPDX-License-Identifier: MIT
#include "options.h"

#include <test/test.h>

static const struct option options[] = {
    {"--mem", "MIB", "memory"},
    {"--verbose", nullptr, "more output"},
};

static struct option_reader reader_of(char **arguments)
{
    struct option_reader reader = {
        .options = options, .option_count = 2, .arguments = arguments};
    while (arguments[reader.argument_count] != nullptr)
        reader.argument_count++;
    return reader;
}

static void a_value_follows_or_is_attached(void)
{
    char *arguments[] = {(char[]){"--mem"},
                         (char[]){"32"},
                         (char[]){"--mem=16"},
                         (char[]){"--verbose"},
                         (char[]){"prog"},
                         (char[]){"--mem"},
                         nullptr};
    struct option_reader reader = reader_of(arguments);
    size_t option = 9;
    const char *value = nullptr;
    CHECK_EQ(option_read(&reader, &option, &value), OPTION_FOUND);
    CHECK(option == 0 && strcmp(value, "32") == 0);
    CHECK_EQ(option_read(&reader, &option, &value), OPTION_FOUND);
    CHECK(option == 0 && strcmp(value, "16") == 0);
    CHECK_EQ(option_read(&reader, &option, &value), OPTION_FOUND);
    CHECK(option == 1 && value == nullptr);
    CHECK_EQ(option_read(&reader, &option, &value), OPTION_END);
    CHECK_EQ(reader.next, 4);
}

static void two_dashes_end_the_options(void)
{
    char *arguments[] = {(char[]){"--"}, (char[]){"--mem"}, nullptr};
    struct option_reader reader = reader_of(arguments);
    size_t option;
    const char *value;
    CHECK_EQ(option_read(&reader, &option, &value), OPTION_END);
    CHECK_EQ(reader.next, 1);
}

static void one_dash_is_an_operand(void)
{
    char *arguments[] = {(char[]){"-"}, nullptr};
    struct option_reader reader = reader_of(arguments);
    size_t option;
    const char *value;
    CHECK_EQ(option_read(&reader, &option, &value), OPTION_END);
    CHECK_EQ(reader.next, 0);
}

static void a_wrong_option_is_explained(const char *argument, const char *expected)
{
    char text[64];
    snprintf(text, sizeof text, "%s", argument);
    char *arguments[] = {text, nullptr};
    struct option_reader reader = reader_of(arguments);
    size_t option;
    const char *value;
    CHECK_EQ(option_read(&reader, &option, &value), OPTION_WRONG);
    CHECK(strcmp(reader.problem, expected) == 0);
}

static void wrong_options_are_explained(void)
{
    a_wrong_option_is_explained("--men", "unknown option --men; did you mean --mem?");
    a_wrong_option_is_explained("--frobnicate", "unknown option --frobnicate");
    a_wrong_option_is_explained("--men=3", "unknown option --men; did you mean --mem?");
    a_wrong_option_is_explained("--mem", "--mem takes a value: MIB");
    a_wrong_option_is_explained("--verbose=yes", "--verbose takes no value");
    a_wrong_option_is_explained("--memory=3", "unknown option --memory");
}

int main(void)
{
    RUN(a_value_follows_or_is_attached);
    RUN(two_dashes_end_the_options);
    RUN(one_dash_is_an_operand);
    RUN(wrong_options_are_explained);
    return test_report();
}
