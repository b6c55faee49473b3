// SPDX-License-Identifier: MIT
// Owns the line editor's keys: what comes from the keyboard, and what it does to the line.
// See lib/line_editor.h; the parts are declared in line_editor_parts.h.
#include "line_editor_parts.h"

#include <lib/char_width.h>
#include <lib/string.h>

// In the order of ASCII.
// clang-format off
enum {
    CTRL_A = 1, CTRL_B, CTRL_C, CTRL_D, CTRL_E, CTRL_F, CTRL_G, CTRL_H, TAB, NEWLINE,
    CTRL_K, CTRL_L, ENTER, CTRL_N, CTRL_O, CTRL_P, CTRL_Q, CTRL_R, CTRL_S, CTRL_T,
    CTRL_U, CTRL_V, CTRL_W, CTRL_X, CTRL_Y, CTRL_Z, ESCAPE,
    BACKSPACE = 0x7f,
};
// clang-format on

// ---- The text ----------------------------------------------------------------------

bool editor_is_allowed(uint32_t code_point)
{
    return code_point != 0 && !(code_point >= 0x80 && code_point < 0xa0);
}

// The character at an offset, and its bytes.
static uint32_t character_at(const struct line_editor *editor, uint32_t at, uint32_t *out_bytes)
{
    uint32_t code_point = 0;
    bool incomplete;
    *out_bytes =
        char_decode(editor->line + at, editor->line_bytes - at, &code_point, &incomplete);
    return code_point;
}

// Whether a combining mark stands there.
static bool is_mark(const struct line_editor *editor, uint32_t at)
{
    uint32_t bytes, code_point;
    if (at >= editor->line_bytes)
        return false;
    code_point = character_at(editor, at, &bytes);
    return code_point >= 0xa0 && char_width(code_point) == 0;
}

uint32_t editor_next(const struct line_editor *editor, uint32_t at)
{
    uint32_t bytes;
    if (at >= editor->line_bytes)
        return editor->line_bytes;
    do {
        (void)character_at(editor, at, &bytes);
        at += bytes;
    } while (is_mark(editor, at));
    return at;
}

uint32_t editor_previous(const struct line_editor *editor, uint32_t at)
{
    while (at > 0) {
        do
            at--;
        while (at > 0 && ((uint8_t)editor->line[at] & 0xc0) == 0x80);
        if (!is_mark(editor, at))
            break;
    }
    return at;
}

void editor_replace(struct line_editor *editor, uint32_t from, uint32_t to, const char *text,
                    uint32_t bytes)
{
    uint32_t rest = editor->line_bytes - to;
    if (bytes > LINE_EDITOR_LINE_BYTES_MAX - from - rest) {
        editor->bell = true;
        return;
    }
    memmove(editor->line + from + bytes, editor->line + to, rest);
    memcpy(editor->line + from, text, bytes);
    editor->line_bytes = from + bytes + rest;
    editor->line[editor->line_bytes] = '\0';
    editor->cursor = from + bytes;
    // What follows may be a mark, which now belongs to what was put before it.
    while (is_mark(editor, editor->cursor))
        editor->cursor = editor_next(editor, editor->cursor);
    editor->dirty = true;
}

void editor_set_line(struct line_editor *editor, const char *text, uint32_t bytes)
{
    editor_replace(editor, 0, editor->line_bytes, text, bytes);
}

static void insert(struct line_editor *editor, const char *text, uint32_t bytes,
                   uint32_t code_point)
{
    bool was_dirty = editor->dirty;
    uint32_t before = editor->line_bytes;
    bool at_end = editor->cursor == before;
    editor_replace(editor, editor->cursor, editor->cursor, text, bytes);
    if (was_dirty || !at_end || code_point < 0x20 || code_point == BACKSPACE ||
        editor->line_bytes == before)
        return;
    editor->dirty = false;
    editor_show_added(editor, text, bytes, char_width(code_point));
}

// ---- Moving and killing ------------------------------------------------------------

static void move(struct line_editor *editor, uint32_t to)
{
    editor->cursor = to;
    editor->dirty = true;
}

static bool is_word(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '_' || byte >= 0x80;
}

static bool is_dark(uint8_t byte)
{
    return byte > ' ';
}

// The end of the word after the cursor, and the start of the one before it.
static uint32_t word_end(const struct line_editor *editor)
{
    uint32_t at = editor->cursor;
    while (at < editor->line_bytes && !is_word((uint8_t)editor->line[at]))
        at = editor_next(editor, at);
    while (at < editor->line_bytes && is_word((uint8_t)editor->line[at]))
        at = editor_next(editor, at);
    return at;
}

static uint32_t word_start(const struct line_editor *editor, bool (*is_part)(uint8_t byte))
{
    uint32_t at = editor->cursor;
    while (at > 0 && !is_part((uint8_t)editor->line[editor_previous(editor, at)]))
        at = editor_previous(editor, at);
    while (at > 0 && is_part((uint8_t)editor->line[editor_previous(editor, at)]))
        at = editor_previous(editor, at);
    return at;
}

// Keeps [from, to) for Ctrl-Y and takes it away.
static void kill(struct line_editor *editor, uint32_t from, uint32_t to)
{
    uint32_t bytes = to - from;
    uint32_t kept = editor->was_killing ? editor->killed_bytes : 0;
    editor->killing = true;
    if (bytes == 0)
        return;
    if (kept > LINE_EDITOR_LINE_BYTES_MAX - bytes)
        kept = 0;
    // Killed backwards, it stands before what was killed earlier.
    bool backwards = to == editor->cursor;
    if (backwards)
        memmove(editor->killed + bytes, editor->killed, kept);
    memcpy(editor->killed + (backwards ? 0 : kept), editor->line + from, bytes);
    editor->killed_bytes = kept + bytes;
    editor_replace(editor, from, to, "", 0);
}

static void erase(struct line_editor *editor, uint32_t from, uint32_t to)
{
    if (from == to)
        editor->bell = true;
    else
        editor_replace(editor, from, to, "", 0);
}

// Exchanges the two characters around the cursor.
static void transpose(struct line_editor *editor)
{
    uint32_t end = editor_next(editor, editor->cursor);
    uint32_t middle = editor_previous(editor, end), start = editor_previous(editor, middle);
    char first[64];
    uint32_t first_bytes = middle - start;
    if (start == middle || first_bytes > sizeof first) {
        editor->bell = true;
        return;
    }
    memcpy(first, editor->line + start, first_bytes);
    memmove(editor->line + start, editor->line + middle, end - middle);
    memcpy(editor->line + end - first_bytes, first, first_bytes);
    move(editor, end);
}

// ---- Lines -------------------------------------------------------------------------

void line_editor_init(struct line_editor *editor)
{
    memset(editor, 0, sizeof *editor);
    editor->columns = 80;
    editor->rows = 24;
}

void line_editor_begin(struct line_editor *editor, const char *prompt, size_t prompt_bytes,
                       bool prompt_is_shown)
{
    editor->line_bytes = editor->cursor = 0;
    editor->line[0] = '\0';
    editor->first_row = 0;
    editor->editing = true;
    editor->searching = false;
    editor->input = LINE_EDITOR_INPUT_PLAIN;
    editor->partial_bytes = 0;
    editor->pasting = editor->killing = false;
    editor->history_at = editor->history_bytes;
    editor_put_text(editor, "\x1b[?2004h"); // paste in brackets
    line_editor_show(editor, prompt, prompt_bytes, prompt_is_shown);
}

static enum line_editor_event finish(struct line_editor *editor, enum line_editor_event event)
{
    editor->searching = false;
    editor_put_text(editor, "\x1b[?2004l");
    if (event == LINE_EDITOR_INTERRUPT) {
        move(editor, editor->line_bytes);
        editor_refresh(editor);
        editor_put_text(editor, "^C\r\n");
    } else {
        editor_leave(editor);
    }
    editor->editing = false;
    return event;
}

// ---- Keys --------------------------------------------------------------------------

static void clear_search(struct line_editor *editor)
{
    if (editor->searching)
        editor->dirty = true;
    editor->searching = false;
}

// Keys of the search itself; false: another key, which ends the search.
static bool type_search(struct line_editor *editor, uint8_t key)
{
    switch (key) {
    case CTRL_R:
        editor_search(editor, true);
        return true;
    case CTRL_C:
    case CTRL_G:
        editor_search_cancel(editor);
        return true;
    case CTRL_H:
    case BACKSPACE:
        while (editor->query_bytes > 0 &&
               ((uint8_t)editor->query[--editor->query_bytes] & 0xc0) == 0x80)
            ;
        editor->history_at = editor->history_bytes;
        editor_search(editor, false);
        return true;
    default:
        clear_search(editor);
        return false;
    }
}

static void type_query(struct line_editor *editor, const char *text, uint32_t bytes)
{
    if (bytes > LINE_EDITOR_QUERY_BYTES_MAX - editor->query_bytes) {
        editor->bell = true;
        return;
    }
    memcpy(editor->query + editor->query_bytes, text, bytes);
    editor->query_bytes += bytes;
    editor_search(editor, false);
}

// A control key that ends or interrupts the line; NOTHING: another one.
static enum line_editor_event type_event(struct line_editor *editor, uint8_t key)
{
    switch (key) {
    case ENTER:
    case NEWLINE:
        return finish(editor, LINE_EDITOR_LINE);
    case CTRL_C:
        return finish(editor, LINE_EDITOR_INTERRUPT);
    case CTRL_D:
        return editor->line_bytes == 0 ? finish(editor, LINE_EDITOR_END) : LINE_EDITOR_NOTHING;
    case TAB:
        return LINE_EDITOR_COMPLETE;
    default:
        return LINE_EDITOR_NOTHING;
    }
}

static void type_edit(struct line_editor *editor, uint8_t key)
{
    switch (key) {
    case CTRL_D:
        erase(editor, editor->cursor, editor_next(editor, editor->cursor));
        break;
    case CTRL_H:
    case BACKSPACE:
        erase(editor, editor_previous(editor, editor->cursor), editor->cursor);
        break;
    case CTRL_K:
        kill(editor, editor->cursor, editor->line_bytes);
        break;
    case CTRL_U:
        kill(editor, 0, editor->cursor);
        break;
    case CTRL_W:
        kill(editor, word_start(editor, is_dark), editor->cursor);
        break;
    case CTRL_Y:
        editor_replace(editor, editor->cursor, editor->cursor, editor->killed,
                       editor->killed_bytes);
        break;
    case CTRL_T:
        transpose(editor);
        break;
    default:
        break;
    }
}

static void type_control(struct line_editor *editor, uint8_t key)
{
    switch (key) {
    case CTRL_A:
        move(editor, 0);
        break;
    case CTRL_B:
        move(editor, editor_previous(editor, editor->cursor));
        break;
    case CTRL_E:
        move(editor, editor->line_bytes);
        break;
    case CTRL_F:
        move(editor, editor_next(editor, editor->cursor));
        break;
    case CTRL_L:
        editor_clear_screen(editor);
        break;
    case CTRL_N:
        editor_history_newer(editor);
        break;
    case CTRL_P:
        editor_history_older(editor);
        break;
    case CTRL_R:
        editor_search_begin(editor);
        break;
    case CTRL_V:
        editor->input = LINE_EDITOR_INPUT_QUOTED;
        break;
    case ESCAPE:
        editor->input = LINE_EDITOR_INPUT_ESCAPE;
        break;
    default:
        type_edit(editor, key);
    }
}

// ---- Escape sequences --------------------------------------------------------------

// The function keys that are CSI and a letter, or a number and '~', or SS3 and a letter.
static void type_function(struct line_editor *editor, char function)
{
    bool with_control = editor->parameter_count >= 2 && editor->parameters[1] > 1;
    switch (function) {
    case 'A':
        editor_history_older(editor);
        break;
    case 'B':
        editor_history_newer(editor);
        break;
    case 'C':
        move(editor, with_control ? word_end(editor) : editor_next(editor, editor->cursor));
        break;
    case 'D':
        move(editor, with_control ? word_start(editor, is_word)
                                  : editor_previous(editor, editor->cursor));
        break;
    case 'H':
        move(editor, 0);
        break;
    case 'F':
        move(editor, editor->line_bytes);
        break;
    default:
        break;
    }
}

static void type_numbered(struct line_editor *editor)
{
    switch (editor->parameters[0]) {
    case 1:
    case 7:
        move(editor, 0);
        break;
    case 4:
    case 8:
        move(editor, editor->line_bytes);
        break;
    case 3:
        erase(editor, editor->cursor, editor_next(editor, editor->cursor));
        break;
    case 200:
        editor->pasting = true;
        break;
    default:
        break;
    }
}

static void type_csi(struct line_editor *editor, uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        if (editor->parameter_count == 0)
            editor->parameter_count = 1;
        uint32_t *parameter = &editor->parameters[editor->parameter_count - 1];
        if (*parameter < 1000)
            *parameter = *parameter * 10 + (byte - '0');
        return;
    }
    if (byte == ';') {
        if (editor->parameter_count < 2)
            editor->parameter_count++;
        return;
    }
    if (byte < 0x40)
        return; // an intermediate byte: of a sequence that isn't known
    editor->input = LINE_EDITOR_INPUT_PLAIN;
    if (editor->pasting) {
        if (byte == '~' && editor->parameters[0] == 201)
            editor->pasting = false;
        return;
    }
    clear_search(editor);
    if (byte == '~')
        type_numbered(editor);
    else
        type_function(editor, (char)byte);
}

static void type_escaped(struct line_editor *editor, uint8_t byte)
{
    editor->input = LINE_EDITOR_INPUT_PLAIN;
    editor->parameters[0] = editor->parameters[1] = editor->parameter_count = 0;
    if (byte == '[' || byte == 'O') {
        editor->input = byte == '[' ? LINE_EDITOR_INPUT_CSI : LINE_EDITOR_INPUT_SS3;
        return;
    }
    if (editor->pasting)
        return;
    clear_search(editor);
    switch (byte) {
    case 'b':
        move(editor, word_start(editor, is_word));
        break;
    case 'f':
        move(editor, word_end(editor));
        break;
    case 'd':
        kill(editor, editor->cursor, word_end(editor));
        break;
    case CTRL_H:
    case BACKSPACE:
        kill(editor, word_start(editor, is_word), editor->cursor);
        break;
    case ESCAPE:
        editor->input = LINE_EDITOR_INPUT_ESCAPE;
        break;
    default:
        break;
    }
}

void line_editor_flush(struct line_editor *editor)
{
    if (editor->input != LINE_EDITOR_INPUT_ESCAPE)
        return;
    editor->input = LINE_EDITOR_INPUT_PLAIN;
    clear_search(editor);
    editor_refresh(editor);
}

// ---- Bytes -------------------------------------------------------------------------

// A character of the line, or of what is searched for.
static void type_text(struct line_editor *editor, const char *text, uint32_t bytes,
                      uint32_t code_point)
{
    if (!editor_is_allowed(code_point))
        return;
    if (editor->searching && !editor->pasting)
        type_query(editor, text, bytes);
    else
        insert(editor, text, bytes, code_point);
}

// Collects the bytes of a character; what isn't UTF-8 is dropped.
static void type_byte(struct line_editor *editor, uint8_t byte)
{
    uint32_t code_point;
    bool incomplete;
    if (byte < 0x80)
        editor->partial_bytes = 0;
    editor->partial[editor->partial_bytes++] = (char)byte;
    uint32_t bytes =
        char_decode(editor->partial, editor->partial_bytes, &code_point, &incomplete);
    if (bytes == 0 && incomplete)
        return;
    if (bytes != 0)
        type_text(editor, editor->partial, bytes, code_point);
    bool restart = bytes == 0 && editor->partial_bytes > 1 && (byte & 0xc0) != 0x80;
    editor->partial_bytes = 0;
    if (restart) // a character that was cut off, then the start of another
        type_byte(editor, byte);
}

static enum line_editor_event type_plain(struct line_editor *editor, uint8_t byte)
{
    if (editor->pasting) {
        if (byte == ESCAPE)
            editor->input = LINE_EDITOR_INPUT_ESCAPE;
        else
            type_byte(editor, byte == ENTER ? NEWLINE : byte);
        return LINE_EDITOR_NOTHING;
    }
    if (byte >= 0x20 && byte != BACKSPACE) {
        type_byte(editor, byte);
        return LINE_EDITOR_NOTHING;
    }
    if (editor->searching && type_search(editor, byte))
        return LINE_EDITOR_NOTHING;
    enum line_editor_event event = type_event(editor, byte);
    if (event == LINE_EDITOR_NOTHING && editor->editing)
        type_control(editor, byte);
    return event;
}

static enum line_editor_event type_one(struct line_editor *editor, uint8_t byte)
{
    switch (editor->input) {
    case LINE_EDITOR_INPUT_ESCAPE:
        type_escaped(editor, byte);
        return LINE_EDITOR_NOTHING;
    case LINE_EDITOR_INPUT_CSI:
        type_csi(editor, byte);
        return LINE_EDITOR_NOTHING;
    case LINE_EDITOR_INPUT_SS3:
        editor->input = LINE_EDITOR_INPUT_PLAIN;
        if (!editor->pasting)
            type_function(editor, (char)byte);
        return LINE_EDITOR_NOTHING;
    case LINE_EDITOR_INPUT_QUOTED:
        editor->input = LINE_EDITOR_INPUT_PLAIN;
        type_byte(editor, byte);
        return LINE_EDITOR_NOTHING;
    default:
        return type_plain(editor, byte);
    }
}

size_t line_editor_type(struct line_editor *editor, const void *bytes, size_t count,
                        enum line_editor_event *out_event)
{
    const uint8_t *keys = bytes;
    size_t used = 0;
    *out_event = LINE_EDITOR_NOTHING;
    while (used < count && *out_event == LINE_EDITOR_NOTHING) {
        // An escape sequence is one key: kills stay consecutive within it.
        if (editor->input == LINE_EDITOR_INPUT_PLAIN) {
            editor->was_killing = editor->killing;
            editor->killing = false;
        }
        *out_event = type_one(editor, keys[used++]);
    }
    editor_refresh(editor);
    return used;
}

// ---- Completion --------------------------------------------------------------------

// The bytes that two texts begin with alike, in whole characters.
static uint32_t common_bytes(const char *a, uint32_t a_bytes, const char *b, uint32_t b_bytes)
{
    uint32_t count = 0;
    while (count < a_bytes && count < b_bytes && a[count] == b[count])
        count++;
    while (count > 0 && count < a_bytes && ((uint8_t)a[count] & 0xc0) == 0x80)
        count--;
    return count;
}

void line_editor_complete(struct line_editor *editor, uint32_t start, const char *candidates,
                          size_t candidates_bytes)
{
    const char *rest = candidates, *first = nullptr;
    size_t rest_bytes = candidates_bytes;
    struct candidate candidate;
    uint32_t common = 0, count = 0;
    while (editor_candidate(&rest, &rest_bytes, &candidate)) {
        common = count == 0 ? candidate.bytes
                            : common_bytes(first, common, candidate.text, candidate.bytes);
        first = count == 0 ? candidate.text : first;
        count++;
    }
    bool is_boundary =
        start <= editor->cursor &&
        (start == editor->line_bytes || ((uint8_t)editor->line[start] & 0xc0) != 0x80);
    if (count == 0 || !is_boundary || candidates_bytes > LINE_EDITOR_CANDIDATES_BYTES_MAX)
        editor->bell = true;
    else if (count == 1 || common > editor->cursor - start)
        editor_replace(editor, start, editor->cursor, first, common);
    else
        editor_list(editor, candidates, candidates_bytes);
    editor_refresh(editor);
}
