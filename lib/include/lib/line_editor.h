// SPDX-License-Identifier: MIT
// Line editing for a person at a terminal: bytes of the keyboard in, bytes for the screen
// and events out.  No input or output, no memory, no time of its own.
//
//     line_editor_begin(&editor, "> ", 2);
//     show(line_editor_output(&editor, ...));
//     used = line_editor_type(&editor, bytes, count, &event);
//     show(...);
//     if (event == LINE_EDITOR_LINE) ... editor.line, editor.line_bytes ...
//
// Keys: arrows, Home, End, Delete, Backspace; Ctrl-A B C D E F G H J K L N P R T U V W Y;
// Alt-B F D Backspace; Ctrl-arrows; Tab; Enter; bracketed paste.  Ctrl-Z and what isn't
// known do nothing.
//
// The terminal is a VT100 with the CHA sequence (ECMA-48): xterm, the Linux console and
// everything in use today.
//
// Invariants:
//  1. `line` is UTF-8 without NUL and without the C1 controls; `cursor` stands between two
//     characters, and never between a character and its combining marks.
//  2. What is shown doesn't depend on how a terminal wraps: rows are ended one by one.
//  3. After an event the rest of the input is not looked at: it may be meant for another.
//  4. No input makes the output of one function longer than LINE_EDITOR_OUTPUT_BYTES, if
//     the owner takes it each time.
//
// line_editor.c has the keys, line_editor_view.c the screen, line_editor_history.c the
// history.  Tested by line_editor_test.c against a small terminal, fuzzed by
// tests/fuzz/fuzz_line_editor.c.
#pragma once

#include <stddef.h>
#include <stdint.h>

constexpr uint32_t LINE_EDITOR_LINE_BYTES_MAX = 4095;
constexpr uint32_t LINE_EDITOR_PROMPT_BYTES_MAX = 512;
constexpr uint32_t LINE_EDITOR_QUERY_BYTES_MAX = 128;
constexpr uint32_t LINE_EDITOR_HISTORY_BYTES = 16 * 1024;
constexpr uint32_t LINE_EDITOR_CANDIDATES_BYTES_MAX = 8192;
constexpr uint32_t LINE_EDITOR_OUTPUT_BYTES = 64 * 1024;
// Narrower and wider windows are taken for these.
constexpr uint32_t LINE_EDITOR_COLUMNS_MIN = 4;
constexpr uint32_t LINE_EDITOR_COLUMNS_MAX = 1000;
constexpr uint32_t LINE_EDITOR_ROWS_MAX = 1000;

enum line_editor_event {
    LINE_EDITOR_NOTHING,
    LINE_EDITOR_LINE,      // Enter: the line is in `line`
    LINE_EDITOR_INTERRUPT, // Ctrl-C
    LINE_EDITOR_END,       // Ctrl-D on an empty line
    LINE_EDITOR_COMPLETE,  // Tab: line_editor_complete is awaited, or more keys
};

enum line_editor_input {
    LINE_EDITOR_INPUT_PLAIN,
    LINE_EDITOR_INPUT_ESCAPE, // after ESC
    LINE_EDITOR_INPUT_CSI,    // after ESC [
    LINE_EDITOR_INPUT_SS3,    // after ESC O
    LINE_EDITOR_INPUT_QUOTED, // after Ctrl-V
};

struct line_editor {
    // The line.
    uint32_t line_bytes;
    uint32_t cursor;
    char line[LINE_EDITOR_LINE_BYTES_MAX + 1];

    // Private from here on.
    bool editing; // between begin and the end of the line
    bool dirty;   // the screen doesn't show the line as it is
    bool bell;    // to be rung once
    bool clear;   // the screen is to be cleared

    // The screen.
    uint32_t columns, rows;
    uint32_t first_row; // of the rows that fit the screen
    uint32_t shown_row; // of the cursor, below the first row that is shown
    uint32_t shown_column;
    bool end_is_fresh; // the last row is empty, because the one above is full
    uint32_t prompt_bytes;
    char prompt[LINE_EDITOR_PROMPT_BYTES_MAX];

    // Input.
    enum line_editor_input input;
    bool pasting;
    uint32_t parameters[2];
    uint32_t parameter_count;
    uint32_t partial_bytes; // of a character
    char partial[4];

    // Killed text; consecutive kills add to it.
    bool killing, was_killing;
    uint32_t killed_bytes;
    char killed[LINE_EDITOR_LINE_BYTES_MAX];

    // History: lines with a NUL each, the oldest first.  `history_at` is the start of the
    // one that is shown, or history_bytes: the draft.
    uint32_t history_bytes;
    uint32_t history_at;
    uint32_t draft_bytes;
    bool searching, search_failed;
    uint32_t query_bytes;
    char query[LINE_EDITOR_QUERY_BYTES_MAX];
    char draft[LINE_EDITOR_LINE_BYTES_MAX];
    char history[LINE_EDITOR_HISTORY_BYTES];

    uint32_t output_bytes;
    char output[LINE_EDITOR_OUTPUT_BYTES];
};

// Starts with an empty history and a window of 80 columns and 24 rows.
void line_editor_init(struct line_editor *editor);

// Tells the size of the window; 0: unknown, as before.
void line_editor_resize(struct line_editor *editor, uint32_t columns, uint32_t rows);

// Starts an empty line: the cursor is at the start of a row, or behind `shown` of the
// prompt's bytes that the screen shows already (0 or all of them).  The prompt may have
// escape sequences that only change how text looks; it is cut at its bound.
void line_editor_begin(struct line_editor *editor, const char *prompt, size_t prompt_bytes,
                       bool prompt_is_shown);

// Takes bytes of the keyboard, up to the one that makes an event.  Returns how many.  Only
// between begin and an event other than NOTHING and COMPLETE.
[[nodiscard]] size_t line_editor_type(struct line_editor *editor, const void *bytes,
                                      size_t count, enum line_editor_event *out_event);
// No more bytes come for now: an ESC that was typed stands for itself.
void line_editor_flush(struct line_editor *editor);

// Answers COMPLETE: `candidates` are separated by newlines, each to stand in the place of
// the bytes of the line from `start` to the cursor.  One is put in; of several, what they
// have in common, and if that is nothing more, they are listed, each with the note that
// follows behind a tab.  Candidates with control characters or that aren't UTF-8 don't count.
void line_editor_complete(struct line_editor *editor, uint32_t start, const char *candidates,
                          size_t candidates_bytes);

// Takes the line from the screen for a moment, so that something else can be shown in its
// place, and shows it again, at the start of a row, or behind the prompt if it is shown.
void line_editor_hide(struct line_editor *editor);
void line_editor_show(struct line_editor *editor, const char *prompt, size_t prompt_bytes,
                      bool prompt_is_shown);

// What the screen is to be sent, and that it was: to be called after every function above.
[[nodiscard]] size_t line_editor_output(const struct line_editor *editor,
                                        const char **out_bytes);
void line_editor_output_taken(struct line_editor *editor);

// Adds a line to the history, unless it is empty, too long or equal to the last one.  The
// oldest make room.
void line_editor_history_add(struct line_editor *editor, const char *line, size_t bytes);
// The line of that age, 0 being the newest.  False: there is none.
[[nodiscard]] bool line_editor_history_line(const struct line_editor *editor, uint32_t age,
                                            const char **out_line, size_t *out_bytes);
