// SPDX-License-Identifier: MIT
#include "size_query.h"

#include <string.h>
#include <test/test.h>

static struct size_query query;
static char kept[256];
static size_t kept_bytes;

static void begin(void)
{
    query = (struct size_query){.open = 1};
    kept_bytes = 0;
}

static void type(const char *keys)
{
    kept_bytes += size_query_filter(&query, keys, strlen(keys), kept + kept_bytes);
}

static bool keeps(const char *keys)
{
    return kept_bytes == strlen(keys) && memcmp(kept, keys, kept_bytes) == 0;
}

static void size_query_answer_is_taken_from_between_the_keys(void)
{
    begin();
    type("ab\x1b[24;80Rcd");
    CHECK(keeps("abcd"));
    CHECK_EQ(query.rows, 24);
    CHECK_EQ(query.columns, 80);
    CHECK_EQ(query.open, 0);
}

static void size_query_answer_may_come_byte_by_byte(void)
{
    static const char answer[] = "x\x1b[50;132Ry";
    begin();
    for (size_t i = 0; answer[i] != '\0'; i++) {
        char key[] = {answer[i], '\0'};
        type(key);
    }
    CHECK(keeps("xy"));
    CHECK_EQ(query.rows, 50);
    CHECK_EQ(query.columns, 132);
}

static void size_query_other_sequences_pass_in_their_order(void)
{
    begin();
    type("\x1b[A\x1b[1;5C\x1bOP\x1b\x1b[3~\x1b[");
    CHECK(keeps("\x1b[A\x1b[1;5C\x1bOP\x1b\x1b[3~"));
    type("B");
    CHECK(keeps("\x1b[A\x1b[1;5C\x1bOP\x1b\x1b[3~\x1b[B"));
    CHECK_EQ(query.open, 1);
    type("\x1b\x1b[30;90R");
    CHECK_EQ(query.columns, 90);
    CHECK(keeps("\x1b[A\x1b[1;5C\x1bOP\x1b\x1b[3~\x1b[B\x1b"));
}

static void size_query_what_no_window_has_is_keys(void)
{
    begin();
    type("\x1b[1;2R\x1b[0;80R\x1b[24;R\x1b[24R\x1b[2000;80R\x1b[24;99999999999R");
    CHECK(keeps("\x1b[1;2R\x1b[0;80R\x1b[24;R\x1b[24R\x1b[2000;80R\x1b[24;99999999999R"));
    CHECK_EQ(query.columns, 0);
    CHECK_EQ(query.open, 1);
}

static void size_query_without_a_question_everything_passes(void)
{
    begin();
    type("\x1b[2"); // held
    CHECK(keeps(""));
    char held[SIZE_QUERY_HELD_MAX];
    CHECK_EQ(size_query_give_up(&query, held), 3);
    CHECK(memcmp(held, "\x1b[2", 3) == 0);
    type("4;80R");
    CHECK(keeps("4;80R"));
    CHECK_EQ(query.columns, 0);
}

static void size_query_takes_an_answer_for_each_question(void)
{
    begin();
    query.open = 2;
    type("\x1b[24;80R\x1b[25;81R\x1b[26;82R");
    CHECK(keeps("\x1b[26;82R"));
    CHECK_EQ(query.rows, 25);
}

int main(void)
{
    RUN(size_query_answer_is_taken_from_between_the_keys);
    RUN(size_query_answer_may_come_byte_by_byte);
    RUN(size_query_other_sequences_pass_in_their_order);
    RUN(size_query_what_no_window_has_is_keys);
    RUN(size_query_without_a_question_everything_passes);
    RUN(size_query_takes_an_answer_for_each_question);
    return test_report();
}
