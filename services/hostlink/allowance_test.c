// SPDX-License-Identifier: MIT
// What may be written through StdIOs with and without a limit.
#include "allowance.h"

#include <test/test.h>

constexpr uint64_t EXPORT = 1; // the word of the StdIO that the manifest names

static void without_a_limit_everything_may_be_written(void)
{
    CHECK(allowance_take(EXPORT, UINT64_MAX));
    CHECK(allowance_take(EXPORT, UINT64_MAX));
    allowance_end(EXPORT);
}

static void an_allowance_is_used_up_and_each_has_its_own(void)
{
    uint64_t one, other;
    CHECK_EQ(allowance_make(EXPORT, 10, &one), STATUS_OK);
    CHECK_EQ(allowance_make(EXPORT, 10, &other), STATUS_OK);
    CHECK(allowance_take(one, 7));
    CHECK(!allowance_take(one, 4)); // all or nothing
    CHECK(allowance_take(one, 3));
    CHECK(!allowance_take(one, 1));
    CHECK(allowance_take(one, 0));
    CHECK(allowance_take(other, 10));
    CHECK(allowance_take(EXPORT, 100));
    allowance_end(one);
    allowance_end(other);
}

static void a_limit_is_taken_from_that_of_its_maker(void)
{
    uint64_t outer, inner, second;
    CHECK_EQ(allowance_make(EXPORT, 10, &outer), STATUS_OK);
    CHECK_EQ(allowance_make(outer, 11, &inner), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(allowance_make(outer, UINT64_MAX, &inner), STATUS_INVALID_ARGUMENT);
    CHECK_EQ(allowance_make(outer, 6, &inner), STATUS_OK);
    CHECK_EQ(allowance_make(outer, 5, &second), STATUS_INVALID_ARGUMENT);
    CHECK(allowance_take(outer, 4));
    CHECK(!allowance_take(outer, 1));
    CHECK(allowance_take(inner, 6));
    allowance_end(inner);
    CHECK(!allowance_take(outer, 1)); // what it had isn't given back
    allowance_end(outer);
}

static void there_are_so_many_and_an_end_makes_room(void)
{
    uint64_t words[ALLOWANCE_COUNT_MAX], one_more;
    for (uint32_t i = 0; i < ALLOWANCE_COUNT_MAX; i++)
        CHECK_EQ(allowance_make(EXPORT, i, &words[i]), STATUS_OK);
    CHECK_EQ(allowance_make(EXPORT, 1, &one_more), STATUS_OVERLOADED);
    CHECK_EQ(allowance_make(words[9], 1, &one_more), STATUS_OVERLOADED);
    CHECK(allowance_take(words[9], 9)); // which took nothing from it
    allowance_end(words[3]);
    CHECK_EQ(allowance_make(EXPORT, 77, &one_more), STATUS_OK);
    CHECK(allowance_take(one_more, 77));
    words[3] = one_more;
    for (uint32_t i = 0; i < ALLOWANCE_COUNT_MAX; i++)
        allowance_end(words[i]);
}

int main(void)
{
    RUN(without_a_limit_everything_may_be_written);
    RUN(an_allowance_is_used_up_and_each_has_its_own);
    RUN(a_limit_is_taken_from_that_of_its_maker);
    RUN(there_are_so_many_and_an_end_makes_room);
    return test_report();
}
