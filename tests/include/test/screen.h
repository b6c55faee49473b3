// SPDX-License-Identifier: MIT
// A terminal for tests: interprets what is sent to a screen, as xterm does (ECMA-48, and
// the wrap of a VT100, which waits at the last column until another character comes).
#pragma once

#include <lib/char_width.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t SCREEN_COLUMNS_MAX = 100;
constexpr uint32_t SCREEN_ROWS_MAX = 40;

struct screen {
    uint32_t columns, rows;
    uint32_t row, column; // column == columns: waits to wrap
    uint32_t bells;
    bool paste_brackets;
    uint32_t unknown; // sequences that no terminal would be sent
    // A character in UTF-8 with its marks; the right half of a wide one is "\x01".
    char cells[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX][24];
};

static inline void screen_init(struct screen *screen, uint32_t columns, uint32_t rows)
{
    memset(screen, 0, sizeof *screen);
    screen->columns = columns;
    screen->rows = rows;
}

static inline void screen_line_feed(struct screen *screen)
{
    if (++screen->row < screen->rows)
        return;
    screen->row--;
    memmove(screen->cells[0], screen->cells[1], sizeof screen->cells[0] * (screen->rows - 1));
    memset(screen->cells[screen->rows - 1], 0, sizeof screen->cells[0]);
}

static inline void screen_clear(struct screen *screen, uint32_t row, uint32_t from)
{
    for (uint32_t i = from; i < screen->columns; i++)
        memset(screen->cells[row][i], 0, sizeof screen->cells[row][i]);
}

static inline void screen_mark(struct screen *screen, const char *text, uint32_t bytes)
{
    uint32_t at = screen->column > 0 ? screen->column - 1 : 0;
    if (screen->cells[screen->row][at][0] == '\x01')
        at--;
    char *cell = screen->cells[screen->row][at];
    if (strlen(cell) + bytes < sizeof screen->cells[0][0])
        memcpy(cell + strlen(cell), text, bytes);
}

static inline void screen_character(struct screen *screen, const char *text, uint32_t bytes,
                                    uint32_t code_point)
{
    uint32_t width = char_width(code_point);
    if (width == 0) {
        screen_mark(screen, text, bytes);
        return;
    }
    if (screen->column + width > screen->columns) {
        screen->column = 0;
        screen_line_feed(screen);
    }
    char *cell = screen->cells[screen->row][screen->column];
    memset(cell, 0, sizeof screen->cells[0][0]);
    memcpy(cell, text, bytes);
    if (width == 2) {
        memset(cell + sizeof screen->cells[0][0], 0, sizeof screen->cells[0][0]);
        cell[sizeof screen->cells[0][0]] = '\x01';
    }
    screen->column += width;
}

static inline void screen_sequence(struct screen *screen, const char *text, uint32_t bytes)
{
    uint32_t number = 0;
    char function = text[bytes - 1];
    if (bytes == 8 && memcmp(text, "\x1b[?2004", 7) == 0) {
        screen->paste_brackets = function == 'h';
        return;
    }
    for (uint32_t i = 2; i < bytes - 1; i++)
        number = number * 10 + (uint32_t)(text[i] - '0');
    // A cursor that waits to wrap stands on the last column.
    uint32_t column = screen->column == screen->columns ? screen->columns - 1 : screen->column;
    uint32_t count = number == 0 ? 1 : number;
    switch (function) {
    case 'A':
        screen->row -= count < screen->row ? count : screen->row;
        break;
    case 'C':
        column = column + count < screen->columns ? column + count : screen->columns - 1;
        break;
    case 'G':
        column = count - 1 < screen->columns ? count - 1 : screen->columns - 1;
        break;
    case 'H':
        screen->row = column = 0;
        break;
    case 'J':
        screen_clear(screen, number == 2 ? 0 : screen->row, number == 2 ? 0 : column);
        for (uint32_t i = number == 2 ? 0 : screen->row + 1; i < screen->rows; i++)
            screen_clear(screen, i, 0);
        break;
    case 'K':
        screen_clear(screen, screen->row, column);
        break;
    case 'm':
        break;
    default:
        screen->unknown++;
    }
    screen->column = column;
}

static inline void screen_show(struct screen *screen, const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        uint32_t code_point, length = 1;
        bool incomplete;
        switch (text[at]) {
        case '\r':
            screen->column = 0;
            break;
        case '\n':
            screen_line_feed(screen);
            break;
        case '\a':
            screen->bells++;
            break;
        case '\x1b':
            length = 2;
            while (at + length < bytes &&
                   (text[at + length] < 0x40 || text[at + length] > 0x7e))
                length++;
            screen_sequence(screen, text + at, ++length);
            break;
        default:
            length = char_decode(text + at, bytes - at, &code_point, &incomplete);
            if (length == 0 || code_point < 0x20) {
                screen->unknown++;
                length = 1;
            } else {
                screen_character(screen, text + at, length, code_point);
            }
        }
        at += length;
    }
}

// A row as text, without the blanks at its end.
static inline const char *screen_row(const struct screen *screen, uint32_t row)
{
    static char text[SCREEN_COLUMNS_MAX * 24 + 1];
    uint32_t end = 0, used = 0;
    for (uint32_t i = 0; i < screen->columns; i++) {
        const char *cell = screen->cells[row][i];
        if (cell[0] == '\x01')
            continue;
        if (cell[0] == '\0')
            text[used++] = ' ';
        else
            used += (uint32_t)sprintf(text + used, "%s", cell);
        if (text[used - 1] != ' ')
            end = used;
    }
    text[end] = '\0';
    return text;
}
