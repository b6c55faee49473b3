// SPDX-License-Identifier: MIT
// Console: who has it writes to the serial port, who hasn't can't.
#include <capos/test.h>

#include <gen/capos/console.h>
#include <string.h>

static int child_writes(void)
{
    static const char text[] = "console_test: a line on the serial port\n";
    console_cap console;
    EXPECT_OK(console_cap_find("console", &console));
    EXPECT_OK(console_write(console, text, sizeof text - 1));
    EXPECT_OK(console_write(console, "", 0));
    return 0;
}

static void console_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("console", INTERFACE_CONSOLE);
}

static void console_writes_for_whom_it_was_granted(void)
{
    const struct test_child_grant grants[] = {
        test_lend("console", test_grant("console", INTERFACE_CONSOLE))};
    CHECK_CHILD("writes", grants, 1);
}

static void console_refuses_more_than_its_bound(void)
{
    static char text[1025];
    console_cap console = {test_grant("console", INTERFACE_CONSOLE)};
    memset(text, '.', sizeof text);
    CHECK_STATUS(console_write(console, text, sizeof text), STATUS_BAD_MESSAGE);
}

static void a_limited_console_says_when_its_allowance_is_used_up(void)
{
    console_cap console = {test_grant("console", INTERFACE_CONSOLE)}, limited = {};
    uint64_t left_bytes = 0;
    CHECK_OK(console_limit(console, 5, &limited));
    CHECK_OK(console_write(limited, "four", 4));
    CHECK_STATUS(console_write(limited, "!\n", 2), STATUS_OVERLOADED);
    CHECK_OK(console_write(limited, "\n", 1));
    CHECK_OK(console_info(limited, &left_bytes));
    CHECK_EQ(left_bytes, 0);
    CHECK_STATUS(console_write(limited, "x", 1), STATUS_OVERLOADED);
    CHECK_STATUS(console_limit(limited, 1, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_OK(console_write(console, "", 0));
    console_cap_release(&limited);
}

static void tests(void)
{
    RUN(console_is_out_of_reach_without_the_grant);
    RUN(console_writes_for_whom_it_was_granted);
    RUN(console_refuses_more_than_its_bound);
    RUN(a_limited_console_says_when_its_allowance_is_used_up);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"writes", child_writes}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
