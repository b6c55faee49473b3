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

static void tests(void)
{
    RUN(console_is_out_of_reach_without_the_grant);
    RUN(console_writes_for_whom_it_was_granted);
    RUN(console_refuses_more_than_its_bound);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"writes", child_writes}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
