// SPDX-License-Identifier: MIT

#include <lib/nearest.h>

#include <test/test.h>

static const char *const commands[] = {"run", "cc", "doctor", "list", "pack"};

static const char *nearest_command(const char *name)
{
    const char *nearest = nearest_name(name, commands, sizeof commands / sizeof *commands);
    return nearest == nullptr ? "" : nearest;
}

static void a_slip_of_the_finger_is_recognised(void)
{
    CHECK(strcmp(nearest_command("rnu"), "run") == 0);
    CHECK(strcmp(nearest_command("docter"), "doctor") == 0);
    CHECK(strcmp(nearest_command("lits"), "list") == 0);
    CHECK(strcmp(nearest_command("ru"), "run") == 0);
}

static void something_else_is_not_a_slip(void)
{
    CHECK(strcmp(nearest_command("install"), "") == 0);
    CHECK(strcmp(nearest_command("x"), "") == 0);
    CHECK(strcmp(nearest_command(""), "") == 0);
}

static void a_very_long_name_has_no_neighbour(void)
{
    char name[500];
    memset(name, 'r', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK(strcmp(nearest_command(name), "") == 0);
}

int main(void)
{
    RUN(a_slip_of_the_finger_is_recognised);
    RUN(something_else_is_not_a_slip);
    RUN(a_very_long_name_has_no_neighbour);
    return test_report();
}
