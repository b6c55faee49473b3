// SPDX-License-Identifier: MIT
// Fuzzes the line editor: whatever is typed, the line stays a line, the output stays within
// its bound, and what a terminal shows is the same as of the line shown anew.
//
// The input is read in pieces: a byte of command, then what it needs.
#include <lib/line_editor.h>

#include <stdlib.h>
#include <test/screen.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct line_editor editor;
static struct screen screen, before;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void show(void)
{
    const char *bytes;
    size_t count = line_editor_output(&editor, &bytes);
    require(count < LINE_EDITOR_OUTPUT_BYTES);
    screen_show(&screen, bytes, count);
    line_editor_output_taken(&editor);
    require(screen.unknown == 0);
}

static bool is_allowed(uint32_t code_point)
{
    return code_point != 0 && !(code_point >= 0x80 && code_point < 0xa0);
}

static void check_line(void)
{
    bool cursor_seen = editor.cursor == editor.line_bytes;
    require(editor.line_bytes <= LINE_EDITOR_LINE_BYTES_MAX);
    require(editor.line[editor.line_bytes] == '\0');
    for (uint32_t at = 0; at < editor.line_bytes;) {
        uint32_t code_point;
        bool incomplete;
        uint32_t bytes =
            char_decode(editor.line + at, editor.line_bytes - at, &code_point, &incomplete);
        require(bytes != 0 && is_allowed(code_point));
        cursor_seen = cursor_seen || at == editor.cursor;
        at += bytes;
    }
    require(cursor_seen);
}

static void check_screen(void)
{
    before = screen;
    line_editor_hide(&editor);
    line_editor_show(&editor, editor.prompt, editor.prompt_bytes, false);
    show();
    require(before.row == screen.row && before.column == screen.column);
    require(memcmp(before.cells, screen.cells, sizeof screen.cells) == 0);
}

static void type(const uint8_t *keys, size_t count)
{
    while (count > 0) {
        enum line_editor_event event;
        size_t used = line_editor_type(&editor, keys, count, &event);
        require(used > 0 && used <= count);
        keys += used;
        count -= used;
        show();
        check_line();
        if (event == LINE_EDITOR_LINE)
            line_editor_history_add(&editor, editor.line, editor.line_bytes);
        if (event != LINE_EDITOR_NOTHING && event != LINE_EDITOR_COMPLETE) {
            line_editor_begin(&editor, "> ", 2, false);
            show();
        }
    }
}

static void resize(uint8_t how)
{
    // A terminal moves what it shows when it is resized; here it is cleared.
    screen_init(&screen, LINE_EDITOR_COLUMNS_MIN + how % 32, 1 + how / 32);
    line_editor_resize(&editor, screen.columns, screen.rows);
    editor.output_bytes = 0;
    screen_init(&screen, screen.columns, screen.rows);
    line_editor_hide(&editor);
    line_editor_output_taken(&editor);
    line_editor_show(&editor, "日> ", 5, false);
    show();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    screen_init(&screen, 20, 6);
    line_editor_init(&editor);
    line_editor_resize(&editor, 20, 6);
    line_editor_begin(&editor, "> ", 2, false);
    show();
    while (size >= 2) {
        uint8_t command = data[0], argument = data[1];
        data += 2;
        size -= 2;
        size_t bytes = argument % 64 < size ? argument % 64 : size;
        if (command % 8 == 0) {
            resize(argument);
            continue;
        }
        if (command % 8 == 1)
            line_editor_complete(&editor, argument % 32, (const char *)data, bytes);
        else if (command % 8 == 2)
            line_editor_flush(&editor);
        else
            type(data, bytes);
        show();
        check_line();
        check_screen();
        data += command % 8 == 2 ? 0 : bytes;
        size -= command % 8 == 2 ? 0 : bytes;
    }
    return 0;
}
