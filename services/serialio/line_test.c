// SPDX-License-Identifier: MIT
// Line editing: what a reader gets for what was typed.
#include "line.h"

#include <test/test.h>

static struct line line;
static char shown[10000];
static size_t shown_bytes;

static void type(const char *text)
{
    for (; *text != '\0'; text++) {
        uint8_t echo[LINE_ECHO_BYTES_MAX];
        uint32_t times;
        size_t bytes = line_type(&line, (uint8_t)*text, echo, &times);
        for (uint32_t i = 0; i < times && bytes != 0; i++) {
            memcpy(shown + shown_bytes, echo, bytes);
            shown_bytes += bytes;
        }
    }
    shown[shown_bytes] = '\0';
}

static void fresh(void)
{
    memset(&line, 0, sizeof line);
    shown_bytes = 0;
}

static bool reads(const char *expected)
{
    const uint8_t *data;
    size_t bytes = line_peek(&line, &data);
    bool same = bytes == strlen(expected) && memcmp(data, expected, bytes) == 0;
    line_take(&line, bytes);
    return same;
}

static void line_is_passed_on_at_its_end(void)
{
    fresh();
    type("hello");
    CHECK(!line_is_ready(&line));
    type("\rnext");
    CHECK(line_is_ready(&line));
    CHECK(strcmp(shown, "hello\r\nnext") == 0);
    CHECK(reads("hello\n"));
    CHECK(!line_is_ready(&line));
    type("\n");
    CHECK(reads("next\n"));
}

static void line_editing_stops_at_what_was_passed_on(void)
{
    fresh();
    type("ab\x7f\x7f\x7f\x7f");
    CHECK(strcmp(shown, "ab\b \b\b \b") == 0);
    type("one\rxyz\x15two\x7f\x7f\x7f\x7f\x7f!\r");
    CHECK(reads("one\n!\n"));
}

static void line_control_d_ends_input_at_the_start_of_a_line(void)
{
    fresh();
    type("part\x04");
    CHECK(!line.input_ended);
    CHECK(reads("part"));
    type("\x04");
    CHECK(line.input_ended && line_is_ready(&line));
    CHECK(reads(""));
}

static void line_without_room_rings_and_can_still_be_ended(void)
{
    fresh();
    for (uint32_t i = 0; i < LINE_BYTES_MAX + 10; i++)
        type("x");
    CHECK_EQ(line.end, LINE_BYTES_MAX - 1);
    CHECK(shown[shown_bytes - 1] == '\a');
    type("\r");
    CHECK(line_is_ready(&line));
    CHECK_EQ(line.ready, LINE_BYTES_MAX);
    type("y\r");
    CHECK_EQ(line.end, LINE_BYTES_MAX);
    line_take(&line, LINE_BYTES_MAX);
    type("z\r");
    CHECK(reads("z\n"));
}

int main(void)
{
    RUN(line_is_passed_on_at_its_end);
    RUN(line_editing_stops_at_what_was_passed_on);
    RUN(line_control_d_ends_input_at_the_start_of_a_line);
    RUN(line_without_room_rings_and_can_still_be_ended);
    return test_report();
}
