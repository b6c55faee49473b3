// SPDX-License-Identifier: MIT
// Tests of the line editor: keys go in, and what it sends is shown by a small terminal,
// whose screen is compared.
#include <lib/line_editor.h>

#include <stdlib.h>
#include <test/screen.h>
#include <test/test.h>

#define UP          "\x1b[A"
#define DOWN        "\x1b[B"
#define RIGHT       "\x1b[C"
#define LEFT        "\x1b[D"
#define HOME        "\x1b[H"
#define END         "\x1b[F"
#define DELETE      "\x1b[3~"
#define PASTE(text) "\x1b[200~" text "\x1b[201~"

static struct line_editor editor;
static struct screen screen;
static enum line_editor_event event;

static void show(void)
{
    const char *bytes;
    size_t count = line_editor_output(&editor, &bytes);
    CHECK(count < LINE_EDITOR_OUTPUT_BYTES);
    screen_show(&screen, bytes, count);
    line_editor_output_taken(&editor);
}

static void begin(const char *prompt)
{
    line_editor_begin(&editor, prompt, strlen(prompt), false);
    show();
}

static void start(uint32_t columns, uint32_t rows)
{
    screen_init(&screen, columns, rows);
    line_editor_init(&editor);
    line_editor_resize(&editor, columns, rows);
    begin("> ");
}

// Types to the end or to the first event, and checks that what was sent bit by bit shows
// the same as all of it shown anew.
static size_t type_bytes(const char *keys, size_t count)
{
    size_t used = line_editor_type(&editor, keys, count, &event);
    show();
    if (editor.editing) {
        static struct screen before;
        before = screen;
        line_editor_hide(&editor);
        line_editor_show(&editor, editor.prompt, editor.prompt_bytes, false);
        show();
        CHECK(before.row == screen.row && before.column == screen.column);
        for (uint32_t i = 0; i < screen.rows; i++) {
            char row[SCREEN_COLUMNS_MAX * 24 + 1];
            strcpy(row, screen_row(&before, i));
            CHECK(strcmp(row, screen_row(&screen, i)) == 0);
        }
    }
    CHECK_EQ(screen.unknown, 0);
    return used;
}

static void type(const char *keys)
{
    CHECK_EQ(type_bytes(keys, strlen(keys)), strlen(keys));
}

static void is_line(const char *text)
{
    if (strcmp(editor.line, text) != 0 || editor.line_bytes != strlen(text)) {
        printf("FAIL %s: the line is \"%s\", not \"%s\"\n", test_name, editor.line, text);
        test_this_failed = true;
    }
}

static void is_row(uint32_t row, const char *text)
{
    if (strcmp(screen_row(&screen, row), text) != 0) {
        printf("FAIL %s: row %u is \"%s\", not \"%s\"\n", test_name, row,
               screen_row(&screen, row), text);
        test_this_failed = true;
    }
}

static void is_at(uint32_t row, uint32_t column)
{
    CHECK_EQ(screen.row, row);
    CHECK_EQ(screen.column, column);
}

// Types a whole line.
static void enter(const char *line)
{
    type(line);
    type("\r");
    CHECK_EQ(event, LINE_EDITOR_LINE);
    line_editor_history_add(&editor, editor.line, editor.line_bytes);
    begin("> ");
}

// ---- Plain editing -----------------------------------------------------------------

static void a_line_is_typed_and_entered(void)
{
    start(40, 5);
    type("hello");
    is_row(0, "> hello");
    is_at(0, 7);
    CHECK_EQ(event, LINE_EDITOR_NOTHING);
    CHECK(screen.paste_brackets);
    type("\r");
    CHECK_EQ(event, LINE_EDITOR_LINE);
    is_line("hello");
    is_at(1, 0);
    CHECK(!screen.paste_brackets);
}

static void what_follows_the_line_is_left_for_the_next(void)
{
    start(40, 5);
    CHECK_EQ(type_bytes("one\rtwo\r", 8), 4);
    is_line("one");
}

static void characters_are_put_in_at_the_cursor(void)
{
    start(40, 5);
    type("hllo" LEFT LEFT LEFT "e");
    is_line("hello");
    is_row(0, "> hello");
    is_at(0, 4);
    type(HOME ">" END "<");
    is_line(">hello<");
    type("\x01"
         "a"
         "\x05"
         "b"
         "\x02\x02"
         "c"
         "\x06"
         "d");
    is_line("a>helloc<db");
}

static void characters_are_taken_away(void)
{
    start(40, 5);
    type("hello"
         "\x7f\x08");
    is_line("hel");
    type(HOME DELETE "\x04");
    is_line("l");
    CHECK_EQ(screen.bells, 0);
    type("\x7f");
    is_line("l");
    CHECK_EQ(screen.bells, 1);
    is_row(0, "> l");
}

static void words_are_gone_over_and_taken(void)
{
    start(60, 5);
    type("open the_file.txt now"
         "\x1b"
         "b");
    is_at(0, 2 + 18);
    type("\x1b[1;5D");
    is_at(0, 2 + 14);
    type("\x1b"
         "b");
    is_at(0, 2 + 5);
    type("\x1b[1;5C");
    is_at(0, 2 + 13);
    type("\x17");
    is_line("open .txt now");
    type("\x1b"
         "d");
    is_line("open  now");
    type("\x05\x1b\x7f");
    is_line("open  ");
}

static void what_is_killed_comes_back(void)
{
    start(60, 5);
    type("one two three"
         "\x17\x17");
    is_line("one ");
    type("\x19");
    is_line("one two three");
    type("\x01\x0b");
    is_line("");
    type("\x19"
         "!"
         "\x19");
    is_line("one two three!one two three");
    type("\x15"
         "x"
         "\x15\x19");
    is_line("x");
}

static void two_characters_change_places(void)
{
    start(60, 5);
    type("teh"
         "\x14");
    is_line("the");
    type("\x01\x14");
    is_line("the");
    type(END LEFT "\x14");
    is_line("teh");
}

static void control_d_on_an_empty_line_is_the_end(void)
{
    start(40, 5);
    type("x"
         "\x04");
    CHECK_EQ(event, LINE_EDITOR_NOTHING);
    type("\x7f"
         "\x04");
    CHECK_EQ(event, LINE_EDITOR_END);
}

static void control_c_interrupts(void)
{
    start(40, 5);
    type("some" LEFT LEFT "\x03");
    CHECK_EQ(event, LINE_EDITOR_INTERRUPT);
    is_row(0, "> some^C");
    is_at(1, 0);
}

static void control_z_and_unknown_keys_do_nothing(void)
{
    start(40, 5);
    type("ab"
         "\x1a\x1c\x1d\x1e\x1f\x0f\x11\x13\x18"
         "\x1b[15~\x1b[?1;2c\x1b[99;99;99X\x1bOP\x1bq");
    is_line("ab");
    is_row(0, "> ab");
}

static void control_l_clears_the_screen(void)
{
    start(40, 5);
    enter("first");
    type("second"
         "\x0c");
    is_row(0, "> second");
    is_row(1, "");
    is_at(0, 8);
}

static void an_escape_alone_does_nothing_after_a_flush(void)
{
    start(40, 5);
    type("a\x1b");
    line_editor_flush(&editor);
    show();
    type("b");
    is_line("ab");
}

static void control_characters_are_quoted_and_shown(void)
{
    start(40, 5);
    type("\x16\x01"
         "\x16\x1b"
         "\x16\t");
    is_line("\x01\x1b\t");
    is_row(0, "> ^A^[^I");
    type("\x7f\x7f");
    is_row(0, "> ^A");
}

static void a_nul_and_bad_utf8_are_dropped(void)
{
    start(40, 5);
    CHECK_EQ(type_bytes("a\0\x16\0\xff\xc3(\xe4\xb8Z\xed\xa0\x80\xc2\x9b"
                        "b",
                        17),
             17);
    is_line("a(Zb");
}

static void a_line_that_is_too_long_rings(void)
{
    start(80, 24);
    char text[LINE_EDITOR_LINE_BYTES_MAX + 10];
    memset(text, 'x', sizeof text);
    CHECK_EQ(type_bytes(text, sizeof text), sizeof text);
    CHECK_EQ(editor.line_bytes, LINE_EDITOR_LINE_BYTES_MAX);
    CHECK_EQ(screen.bells, 1);
}

// ---- Wide characters ---------------------------------------------------------------

static void wide_characters_take_two_columns(void)
{
    start(40, 5);
    type("日本語");
    is_row(0, "> 日本語");
    is_at(0, 8);
    type(LEFT);
    is_at(0, 6);
    type("\x7f");
    is_line("日語");
    is_row(0, "> 日語");
    is_at(0, 4);
    type("é😀");
    is_row(0, "> 日é😀語");
}

static void marks_stay_with_their_character(void)
{
    start(40, 5);
    type("ae\u0301o\u0302\u0323x" LEFT LEFT);
    is_at(0, 4);
    type("\x7f");
    is_line("ao\u0302\u0323x");
    type(DELETE);
    is_line("ax");
    type("\u0301");
    is_line("a\u0301x");
    is_at(0, 3);
}

static void a_wide_character_never_stands_half_at_the_edge(void)
{
    start(9, 5);
    type("abcdef日");
    is_row(0, "> abcdef");
    is_row(1, "日");
    is_at(1, 2);
    type(LEFT);
    is_at(1, 0);
    type(LEFT);
    is_at(0, 7);
    type("\x7f");
    is_row(0, "> abcdf日");
}

// ---- Many rows ---------------------------------------------------------------------

static void a_long_line_goes_on_in_the_next_row(void)
{
    start(10, 5);
    type("01234567");
    is_row(0, "> 01234567");
    is_at(1, 0);
    type("89");
    is_row(1, "89");
    type(HOME);
    is_at(0, 2);
    type("X");
    is_row(0, "> X0123456");
    is_row(1, "789");
    type(END "\r");
    is_at(2, 0);
}

static void the_row_after_a_full_one_is_used(void)
{
    start(10, 5);
    type("01234567\r");
    is_at(1, 0);
    begin("> ");
    is_row(0, "> 01234567");
    is_row(1, ">");
}

static void the_screen_scrolls_at_the_bottom(void)
{
    start(10, 3);
    enter("a");
    enter("b");
    type("0123456789");
    is_row(0, "> b");
    is_row(1, "> 01234567");
    is_row(2, "89");
    is_at(2, 2);
    type("\x15");
    is_row(1, ">");
    is_row(2, "");
    is_at(1, 2);
}

static void of_a_line_taller_than_the_screen_the_part_at_the_cursor_is_shown(void)
{
    start(10, 3);
    type("01234567abcdefghijABCDEFGHIJklmnopqrst");
    is_row(0, "ABCDEFGHIJ");
    is_row(1, "klmnopqrst");
    is_row(2, "");
    is_at(2, 0);
    type(HOME);
    is_row(0, "> 01234567");
    is_row(1, "abcdefghij");
    is_row(2, "ABCDEFGHIJ");
    is_at(0, 2);
    type("\x0b"
         "ok");
    is_row(0, "> ok");
    is_row(1, "");
}

static void a_window_that_changes_shows_the_line_anew(void)
{
    start(20, 5);
    type("0123456789abcdef");
    is_row(0, "> 0123456789abcdef");
    screen.columns = 10;
    screen.column = 9;
    line_editor_resize(&editor, 10, 5);
    show();
    is_row(0, "> 01234567");
    is_row(1, "89abcdef");
    is_at(1, 8);
    screen.columns = 30;
    line_editor_resize(&editor, 30, 5);
    show();
    is_row(0, "> 0123456789abcdef");
    is_row(1, "");
    type("!");
    is_at(0, 19);
}

static void colours_in_the_prompt_take_no_columns(void)
{
    start(20, 5);
    type("\r");
    begin("\x1b[1;32mcap\x1b[0m$ ");
    is_row(1, "cap$");
    is_at(1, 5);
    type("x" HOME);
    is_at(1, 5);
}

static void a_prompt_that_is_shown_already_isnt_doubled(void)
{
    start(20, 5);
    type("\r");
    screen_show(&screen, "name? ", 6);
    line_editor_begin(&editor, "name? ", 6, true);
    show();
    is_row(1, "name?");
    type("me");
    is_row(1, "name? me");
    is_row(2, "");
}

static void other_output_goes_above_the_line(void)
{
    start(20, 5);
    type("typing");
    line_editor_hide(&editor);
    show();
    screen_show(&screen, "news\r\n", 6);
    line_editor_show(&editor, "> ", 2, false);
    show();
    is_row(0, "news");
    is_row(1, "> typing");
    is_at(1, 8);
}

// ---- Paste -------------------------------------------------------------------------

static void pasted_newlines_and_tabs_are_text(void)
{
    start(40, 6);
    type(PASTE("one\rtwo\tx\nthree"));
    CHECK_EQ(event, LINE_EDITOR_NOTHING);
    is_line("one\ntwo\tx\nthree");
    is_row(0, "> one");
    is_row(1, "two^Ix");
    is_row(2, "three");
    is_at(2, 5);
    type("\r");
    CHECK_EQ(event, LINE_EDITOR_LINE);
}

static void a_paste_does_no_keys(void)
{
    start(40, 6);
    type(PASTE("a\x03\x1b[D\x1b[3~\x15") "b");
    is_line("a\x03\x15"
            "b");
}

// ---- History -----------------------------------------------------------------------

static void history_goes_back_and_forth(void)
{
    start(40, 24);
    enter("one");
    enter("two");
    type("dra" UP);
    is_line("two");
    type(UP);
    is_line("one");
    type(UP);
    is_line("one");
    CHECK_EQ(screen.bells, 1);
    type(DOWN DOWN);
    is_line("dra");
    type("\x10\x10"
         "!"
         "\r");
    is_line("one!");
}

static void history_keeps_no_line_twice_in_a_row(void)
{
    const char *line;
    size_t bytes;
    start(40, 24);
    enter("one");
    enter("one");
    enter("");
    CHECK(line_editor_history_line(&editor, 0, &line, &bytes) && bytes == 3);
    CHECK(!line_editor_history_line(&editor, 1, &line, &bytes));
}

static void the_oldest_lines_make_room(void)
{
    char text[1024];
    const char *line;
    size_t bytes;
    uint32_t count = 0;
    start(40, 24);
    for (int i = 0; i < 100; i++) {
        memset(text, 'a' + i % 26, sizeof text);
        line_editor_history_add(&editor, text, sizeof text - (size_t)i);
    }
    while (line_editor_history_line(&editor, count, &line, &bytes))
        CHECK_EQ(bytes, sizeof text - 99 + count++);
    CHECK(count >= 16 && editor.history_bytes <= LINE_EDITOR_HISTORY_BYTES);
}

static void history_is_searched(void)
{
    start(50, 24);
    enter("timer.now");
    enter("console.writeLine");
    enter("timer.sleep 5");
    type("draft"
         "\x12"
         "tim");
    is_row(3, "(search: tim) timer.sleep 5");
    type("\x12");
    is_row(3, "(search: tim) timer.now");
    type("\x12");
    is_row(3, "(no such line: tim) timer.now");
    CHECK_EQ(screen.bells, 1);
    type("\x07");
    is_row(3, "> draft");
    type("\x12"
         "con"
         "\r");
    CHECK_EQ(event, LINE_EDITOR_LINE);
    is_line("console.writeLine");
    is_row(3, "> console.writeLine");
}

static void a_search_ends_with_another_key(void)
{
    start(50, 24);
    enter("alpha beta");
    type("\x12"
         "beX"
         "\x7f"
         "t" END "!");
    is_line("alpha beta!");
    is_row(1, "> alpha beta!");
    type("\x15\x12"
         "alp\x1b");
    line_editor_flush(&editor);
    show();
    is_row(1, "> alpha beta");
    is_at(1, 2);
}

// ---- Completion --------------------------------------------------------------------

static void complete(uint32_t start_at, const char *candidates)
{
    line_editor_complete(&editor, start_at, candidates, strlen(candidates));
    show();
}

static void one_candidate_is_put_in(void)
{
    start(40, 10);
    type("run ti\t");
    CHECK_EQ(event, LINE_EDITOR_COMPLETE);
    complete(4, "timer.");
    is_line("run timer.");
    is_row(0, "> run timer.");
}

static void what_candidates_have_in_common_is_put_in(void)
{
    start(40, 10);
    type("x ti y" LEFT LEFT "\t");
    complete(2, "timer.now\ntimer.sleep\ntimer.arm");
    is_line("x timer. y");
    is_row(1, "");
    is_at(0, 10);
}

static void candidates_are_listed_if_they_have_no_more_in_common(void)
{
    start(30, 10);
    type("timer.\t");
    complete(0, "timer.now\ntimer.sleep\ntimer.日本");
    is_row(0, "> timer.");
    is_row(1, "timer.now    timer.sleep");
    is_row(2, "timer.日本");
    is_row(3, "> timer.");
    is_at(3, 8);
    type("n");
    is_row(3, "> timer.n");
}

static void a_long_list_is_cut(void)
{
    char list[2000];
    size_t bytes = 0;
    start(20, 6);
    for (int i = 0; i < 100; i++)
        bytes += (size_t)sprintf(list + bytes, "%c%05d\n", 'a' + i % 2, i);
    type("\t");
    line_editor_complete(&editor, 0, list, bytes);
    show();
    is_row(3, "a00006  b00007");
    is_row(4, "... 92 more");
    is_row(5, ">");
}

static void no_candidate_and_bad_ones_ring(void)
{
    start(30, 10);
    type("日x" LEFT "\t");
    complete(0, "");
    complete(1, "inside a character");
    complete(9, "behind the cursor");
    complete(0, "bad\x1b[2J\n\xff\n");
    CHECK_EQ(screen.bells, 4);
    is_line("日x");
}

static void a_common_part_ends_with_a_whole_character(void)
{
    start(30, 10);
    type("\t");
    complete(0, "aé\naè"); // differ in the second byte of the character
    is_line("a");
}

int main(void)
{
    RUN(a_line_is_typed_and_entered);
    RUN(what_follows_the_line_is_left_for_the_next);
    RUN(characters_are_put_in_at_the_cursor);
    RUN(characters_are_taken_away);
    RUN(words_are_gone_over_and_taken);
    RUN(what_is_killed_comes_back);
    RUN(two_characters_change_places);
    RUN(control_d_on_an_empty_line_is_the_end);
    RUN(control_c_interrupts);
    RUN(control_z_and_unknown_keys_do_nothing);
    RUN(control_l_clears_the_screen);
    RUN(an_escape_alone_does_nothing_after_a_flush);
    RUN(control_characters_are_quoted_and_shown);
    RUN(a_nul_and_bad_utf8_are_dropped);
    RUN(a_line_that_is_too_long_rings);
    RUN(wide_characters_take_two_columns);
    RUN(marks_stay_with_their_character);
    RUN(a_wide_character_never_stands_half_at_the_edge);
    RUN(a_long_line_goes_on_in_the_next_row);
    RUN(the_row_after_a_full_one_is_used);
    RUN(the_screen_scrolls_at_the_bottom);
    RUN(of_a_line_taller_than_the_screen_the_part_at_the_cursor_is_shown);
    RUN(a_window_that_changes_shows_the_line_anew);
    RUN(colours_in_the_prompt_take_no_columns);
    RUN(a_prompt_that_is_shown_already_isnt_doubled);
    RUN(other_output_goes_above_the_line);
    RUN(pasted_newlines_and_tabs_are_text);
    RUN(a_paste_does_no_keys);
    RUN(history_goes_back_and_forth);
    RUN(history_keeps_no_line_twice_in_a_row);
    RUN(the_oldest_lines_make_room);
    RUN(history_is_searched);
    RUN(a_search_ends_with_another_key);
    RUN(one_candidate_is_put_in);
    RUN(what_candidates_have_in_common_is_put_in);
    RUN(candidates_are_listed_if_they_have_no_more_in_common);
    RUN(a_long_list_is_cut);
    RUN(no_candidate_and_bad_ones_ring);
    RUN(a_common_part_ends_with_a_whole_character);
    return test_report();
}
