// SPDX-License-Identifier: MIT
// Owns what the line editor shows: the layout of prompt and line in rows, and the bytes
// that bring the screen from what it showed to that.
//
// All is shown anew, from the first row, over what was there: nothing flickers, because
// nothing is cleared that is shown again.  A character that is added at the end is shown
// alone.
//
// If the rows don't fit the screen, those around the cursor are shown.
#include "line_editor_parts.h"

#include <lib/char_width.h>
#include <lib/fmt.h>
#include <lib/string.h>

constexpr uint32_t LISTED_MAX = 1024; // candidates; also bounds the output

// ---- Output ------------------------------------------------------------------------

void editor_put(struct line_editor *editor, const char *text, size_t bytes)
{
    size_t room = LINE_EDITOR_OUTPUT_BYTES - editor->output_bytes;
    if (bytes > room)
        bytes = room;
    memcpy(editor->output + editor->output_bytes, text, bytes);
    editor->output_bytes += (uint32_t)bytes;
}

void editor_put_text(struct line_editor *editor, const char *text)
{
    editor_put(editor, text, strlen(text));
}

// An ECMA-48 control sequence with a number, such as "up 3 rows".
static void put_sequence(struct line_editor *editor, uint32_t number, char function)
{
    char text[16];
    editor_put(editor, text, fmt_format(text, sizeof text, "\x1b[%u%c", number, function));
}

size_t line_editor_output(const struct line_editor *editor, const char **out_bytes)
{
    *out_bytes = editor->output;
    return editor->output_bytes;
}

void line_editor_output_taken(struct line_editor *editor)
{
    editor->output_bytes = 0;
}

// ---- Layout ------------------------------------------------------------------------

// Goes through all that is shown, character by character.
struct walk {
    struct line_editor *editor;
    uint32_t row, column; // where the next character goes
    bool is_full_break;   // the last row was begun because the one above is full
    uint32_t cursor_row, cursor_column;
    bool emit; // the rows from first_row to last_row; else only measure
    uint32_t last_row;
};

static bool walk_emits(const struct walk *walk)
{
    return walk->emit && walk->row >= walk->editor->first_row && walk->row <= walk->last_row;
}

static void walk_break(struct walk *walk)
{
    uint32_t columns = walk->editor->columns;
    if (walk_emits(walk)) {
        // In a full row the cursor may stand on the last character.
        if (walk->column < columns)
            editor_put_text(walk->editor, "\x1b[K");
        if (walk->row < walk->last_row)
            editor_put_text(walk->editor, "\r\n");
    }
    walk->is_full_break = walk->column >= columns;
    walk->row++;
    walk->column = 0;
}

static void walk_text(struct walk *walk, const char *text, uint32_t bytes, uint32_t width)
{
    if (walk->column + width > walk->editor->columns)
        walk_break(walk);
    if (walk_emits(walk))
        editor_put(walk->editor, text, bytes);
    walk->column += width;
}

// Where the cursor is, if it stands before a character of that width.
static void walk_mark_cursor(struct walk *walk, uint32_t width)
{
    if (walk->column + width > walk->editor->columns)
        walk_break(walk);
    walk->cursor_row = walk->row;
    walk->cursor_column = walk->column;
}

// The bytes of the escape sequence that the text begins with; 0: none.
static uint32_t escape_bytes(const char *text, uint32_t bytes)
{
    if (bytes < 2 || text[0] != '\x1b')
        return 0;
    if (text[1] != '[')
        return 2;
    uint32_t at = 2;
    while (at < bytes && (text[at] < 0x40 || text[at] > 0x7e))
        at++;
    return at < bytes ? at + 1 : bytes;
}

static void walk_control(struct walk *walk, char control)
{
    char shown[2] = {'^', (char)(control ^ 0x40)};
    walk_text(walk, shown, sizeof shown, sizeof shown);
}

// One character of any text; returns its bytes.
static uint32_t walk_character(struct walk *walk, const char *text, uint32_t bytes)
{
    uint32_t code_point;
    bool incomplete;
    uint32_t length = char_decode(text, bytes, &code_point, &incomplete);
    if (length == 0) {
        walk_text(walk, "?", 1, 1);
        return 1;
    }
    if (code_point == '\n')
        walk_break(walk);
    else if (code_point < 0x20 || code_point == 0x7f)
        walk_control(walk, text[0]);
    else
        walk_text(walk, text, length, char_width(code_point));
    return length;
}

static uint32_t width_at(const char *text, uint32_t bytes)
{
    uint32_t code_point;
    bool incomplete;
    if (char_decode(text, bytes, &code_point, &incomplete) == 0 || code_point == '\n')
        return 0;
    return code_point < 0x20 || code_point == 0x7f ? 2 : char_width(code_point);
}

static void walk_prompt(struct walk *walk, const char *text, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes;) {
        uint32_t escape = escape_bytes(text + at, bytes - at);
        if (escape != 0)
            walk_text(walk, text + at, escape, 0);
        at += escape != 0 ? escape : walk_character(walk, text + at, bytes - at);
    }
}

static void walk_search_prompt(struct walk *walk)
{
    static const char failed[] = "(no such line: ", found[] = "(search: ", end[] = ") ";
    const struct line_editor *editor = walk->editor;
    if (editor->search_failed)
        walk_prompt(walk, failed, sizeof failed - 1);
    else
        walk_prompt(walk, found, sizeof found - 1);
    walk_prompt(walk, editor->query, editor->query_bytes);
    walk_prompt(walk, end, sizeof end - 1);
}

static void walk_all(struct walk *walk)
{
    const struct line_editor *editor = walk->editor;
    if (editor->searching)
        walk_search_prompt(walk);
    else
        walk_prompt(walk, editor->prompt, editor->prompt_bytes);
    for (uint32_t at = 0; at < editor->line_bytes;) {
        const char *text = editor->line + at;
        uint32_t left = editor->line_bytes - at;
        if (at == editor->cursor)
            walk_mark_cursor(walk, width_at(text, left));
        at += walk_character(walk, text, left);
    }
    // The cursor never stays behind the last column.
    if (walk->column >= editor->columns)
        walk_break(walk);
    if (editor->cursor == editor->line_bytes)
        walk_mark_cursor(walk, 0);
}

// Chooses the rows to show, so that the cursor's is among them.
static uint32_t choose_rows(struct line_editor *editor, const struct walk *measured)
{
    uint32_t total = measured->row + 1;
    if (total <= editor->rows) {
        editor->first_row = 0;
        return measured->row;
    }
    if (editor->first_row > total - editor->rows)
        editor->first_row = total - editor->rows;
    if (editor->first_row > measured->cursor_row)
        editor->first_row = measured->cursor_row;
    if (editor->first_row + editor->rows <= measured->cursor_row)
        editor->first_row = measured->cursor_row - editor->rows + 1;
    return editor->first_row + editor->rows - 1;
}

// ---- The screen --------------------------------------------------------------------

static void go_to_first_row(struct line_editor *editor)
{
    editor_put_text(editor, "\r");
    if (editor->shown_row > 0)
        put_sequence(editor, editor->shown_row, 'A');
    editor->shown_row = 0;
}

static void go_to_cursor(struct line_editor *editor, uint32_t from_row, const struct walk *walk)
{
    if (from_row > walk->cursor_row)
        put_sequence(editor, from_row - walk->cursor_row, 'A');
    editor_put_text(editor, "\r");
    if (walk->cursor_column > 0)
        put_sequence(editor, walk->cursor_column, 'C');
    editor->shown_row = walk->cursor_row - editor->first_row;
    editor->shown_column = walk->cursor_column;
}

void editor_refresh(struct line_editor *editor)
{
    if (editor->bell)
        editor_put_text(editor, "\a");
    editor->bell = false;
    if (!editor->dirty || !editor->editing)
        return;
    if (editor->clear) {
        editor_put_text(editor, "\x1b[H\x1b[2J");
        editor->shown_row = 0;
    }
    editor->clear = editor->dirty = false;
    struct walk measured = {.editor = editor};
    walk_all(&measured);
    uint32_t last_row = choose_rows(editor, &measured);
    go_to_first_row(editor);
    struct walk shown = {.editor = editor, .emit = true, .last_row = last_row};
    walk_all(&shown);
    // A last row that was cut off is full; the one at the very end never is.
    if (last_row == shown.row)
        editor_put_text(editor, "\x1b[J");
    editor->end_is_fresh = shown.is_full_break && shown.column == 0;
    go_to_cursor(editor, last_row, &shown);
}

void editor_leave(struct line_editor *editor)
{
    uint32_t cursor = editor->cursor;
    editor->cursor = editor->line_bytes;
    editor->dirty = true;
    editor_refresh(editor);
    editor->cursor = cursor;
    if (!editor->end_is_fresh || editor->shown_row == 0)
        editor_put_text(editor, "\r\n");
    editor->shown_row = 0;
    editor->first_row = 0;
    editor->dirty = true;
}

void editor_clear_screen(struct line_editor *editor)
{
    editor->clear = true;
    editor->dirty = true;
}

void editor_show_added(struct line_editor *editor, const char *text, uint32_t bytes,
                       uint32_t width)
{
    if (editor->dirty || width == 0 || editor->shown_column + width >= editor->columns) {
        editor->dirty = true;
        return;
    }
    editor_put(editor, text, bytes);
    editor->shown_column += width;
}

void line_editor_hide(struct line_editor *editor)
{
    if (!editor->editing)
        return;
    go_to_first_row(editor);
    editor_put_text(editor, "\x1b[J");
    editor->dirty = true;
}

static void set_prompt(struct line_editor *editor, const char *prompt, size_t bytes)
{
    // Not in the middle of a character.
    while (bytes > LINE_EDITOR_PROMPT_BYTES_MAX ||
           (bytes > 0 && bytes == LINE_EDITOR_PROMPT_BYTES_MAX &&
            ((uint8_t)prompt[bytes - 1] & 0x80) != 0))
        bytes--;
    memcpy(editor->prompt, prompt, bytes);
    editor->prompt_bytes = (uint32_t)bytes;
}

// How many rows the prompt has above its last one, if the screen shows it.
static uint32_t prompt_rows(struct line_editor *editor)
{
    struct walk measured = {.editor = editor};
    walk_prompt(&measured, editor->prompt, editor->prompt_bytes);
    // A terminal that has just filled a row stays in it.
    return measured.row < editor->rows ? measured.row : editor->rows - 1;
}

void line_editor_show(struct line_editor *editor, const char *prompt, size_t prompt_bytes,
                      bool prompt_is_shown)
{
    set_prompt(editor, prompt, prompt_bytes);
    editor->shown_row = prompt_is_shown ? prompt_rows(editor) : 0;
    editor->dirty = true;
    editor_refresh(editor);
}

void line_editor_resize(struct line_editor *editor, uint32_t columns, uint32_t rows)
{
    if (columns != 0)
        editor->columns = columns;
    if (editor->columns < LINE_EDITOR_COLUMNS_MIN)
        editor->columns = LINE_EDITOR_COLUMNS_MIN;
    if (editor->columns > LINE_EDITOR_COLUMNS_MAX)
        editor->columns = LINE_EDITOR_COLUMNS_MAX;
    if (rows != 0)
        editor->rows = rows < LINE_EDITOR_ROWS_MAX ? rows : LINE_EDITOR_ROWS_MAX;
    // The cursor is where it was, unless the window got too low for that.
    if (editor->shown_row >= editor->rows)
        editor->shown_row = editor->rows - 1;
    if (!editor->editing)
        return;
    go_to_first_row(editor);
    editor_put_text(editor, "\x1b[J");
    editor->dirty = true;
    editor_refresh(editor);
}

// ---- The list of candidates --------------------------------------------------------

// The columns of a text in whole; `out_bytes` are those that fit `width_max`.  False: it has
// what may not be shown.
static bool measure(const char *text, size_t bytes, uint32_t width_max, uint32_t *out_bytes,
                    uint32_t *out_width)
{
    uint32_t code_point, width = 0, length = 0;
    bool incomplete;
    while (length < bytes) {
        uint32_t step = char_decode(text + length, bytes - length, &code_point, &incomplete);
        if (step == 0 || code_point < 0x20 || !editor_is_allowed(code_point))
            return false;
        if (width + char_width(code_point) > width_max)
            break;
        width += char_width(code_point);
        length += step;
    }
    *out_bytes = length;
    *out_width = width;
    return true;
}

// The bytes before the first `wanted`; all if there is none.
static size_t bytes_before(const char *text, size_t bytes, char wanted)
{
    size_t count = 0;
    while (count < bytes && text[count] != wanted)
        count++;
    return count;
}

bool editor_candidate(const char **candidates, size_t *bytes, struct candidate *out_candidate)
{
    struct candidate found;
    while (*bytes > 0) {
        const char *text = *candidates;
        size_t length = bytes_before(text, *bytes, '\n');
        size_t taken = length < *bytes ? length + 1 : length;
        size_t text_bytes = bytes_before(text, length, '\t');
        size_t skipped = text_bytes < length ? text_bytes + 1 : length;
        found.text = text;
        found.note = text + skipped;
        found.note_bytes = (uint32_t)(length - skipped);
        *candidates += taken;
        *bytes -= taken;
        if (text_bytes > 0 &&
            measure(text, text_bytes, UINT32_MAX, &found.bytes, &found.width)) {
            *out_candidate = found;
            return true;
        }
    }
    return false;
}

struct listing {
    uint32_t count, widest;
    bool has_notes;
};

static struct listing survey(const char *candidates, size_t bytes)
{
    struct listing listing = {};
    struct candidate candidate;
    while (editor_candidate(&candidates, &bytes, &candidate)) {
        listing.count++;
        if (candidate.width > listing.widest)
            listing.widest = candidate.width;
        listing.has_notes = listing.has_notes || candidate.note_bytes != 0;
    }
    return listing;
}

// The note, cut where the row ends.
static void put_candidate_note(struct line_editor *editor, const struct candidate *candidate,
                               uint32_t column)
{
    uint32_t bytes, width;
    if (candidate->note_bytes == 0 || column >= editor->columns ||
        !measure(candidate->note, candidate->note_bytes, editor->columns - column, &bytes,
                 &width))
        return;
    put_sequence(editor, column + 1, 'G');
    editor_put(editor, candidate->note, bytes);
}

// In columns; with notes, each on a row of its own.
void editor_list(struct line_editor *editor, const char *candidates, size_t bytes)
{
    struct listing listing = survey(candidates, bytes);
    struct candidate candidate;
    uint32_t step = listing.widest + 2;
    uint32_t per_row = editor->columns > step ? editor->columns / step : 1;
    uint32_t rows_max = editor->rows > 3 ? editor->rows - 2 : 1;
    if (listing.has_notes)
        per_row = 1;
    if (per_row * rows_max > LISTED_MAX)
        rows_max = LISTED_MAX / per_row;
    editor_leave(editor);
    for (uint32_t i = 0; i < listing.count && i / per_row < rows_max; i++) {
        if (!editor_candidate(&candidates, &bytes, &candidate))
            break;
        if (i % per_row != 0)
            put_sequence(editor, i % per_row * step + 1, 'G');
        editor_put(editor, candidate.text, candidate.bytes);
        put_candidate_note(editor, &candidate, step);
        if (i % per_row == per_row - 1 || i == listing.count - 1)
            editor_put_text(editor, "\r\n");
    }
    if (listing.count > per_row * rows_max) {
        char more[48];
        size_t length = fmt_format(more, sizeof more, "... %u more\r\n",
                                   listing.count - per_row * rows_max);
        editor_put(editor, more, length);
    }
}
