// SPDX-License-Identifier: MIT
// Owns the line editor's history: adding, going through it, searching it.
#include "line_editor_parts.h"

#include <lib/string.h>

// ---- The store ---------------------------------------------------------------------

// The start of the entry before `at`, which is the start of one or the end; `at` itself if
// there is none.
static uint32_t entry_before(const struct line_editor *editor, uint32_t at)
{
    if (at == 0)
        return 0;
    at--; // the NUL
    while (at > 0 && editor->history[at - 1] != '\0')
        at--;
    return at;
}

// The bytes of an entry, without its NUL.
static uint32_t entry_bytes(const struct line_editor *editor, uint32_t at)
{
    return (uint32_t)strlen(editor->history + at);
}

bool line_editor_history_line(const struct line_editor *editor, uint32_t age,
                              const char **out_line, size_t *out_bytes)
{
    uint32_t at = editor->history_bytes;
    do {
        if (at == 0)
            return false;
        at = entry_before(editor, at);
    } while (age-- > 0);
    *out_line = editor->history + at;
    *out_bytes = entry_bytes(editor, at);
    return true;
}

void line_editor_history_add(struct line_editor *editor, const char *line, size_t bytes)
{
    const char *newest;
    size_t newest_bytes;
    if (bytes == 0 || bytes > LINE_EDITOR_LINE_BYTES_MAX)
        return;
    if (line_editor_history_line(editor, 0, &newest, &newest_bytes) && newest_bytes == bytes &&
        memcmp(newest, line, bytes) == 0)
        return;
    for (size_t i = 0; i < bytes; i++)
        if (line[i] == '\0')
            return;
    while (LINE_EDITOR_HISTORY_BYTES - editor->history_bytes < bytes + 1) {
        uint32_t oldest = entry_bytes(editor, 0) + 1;
        memmove(editor->history, editor->history + oldest, editor->history_bytes - oldest);
        editor->history_bytes -= oldest;
    }
    memcpy(editor->history + editor->history_bytes, line, bytes);
    editor->history_bytes += (uint32_t)bytes;
    editor->history[editor->history_bytes++] = '\0';
    editor->history_at = editor->history_bytes;
}

// ---- Going through it --------------------------------------------------------------

static void draft_save(struct line_editor *editor)
{
    if (editor->history_at != editor->history_bytes)
        return;
    memcpy(editor->draft, editor->line, editor->line_bytes);
    editor->draft_bytes = editor->line_bytes;
}

// Shows an entry, or the draft.
static void show_entry(struct line_editor *editor, uint32_t at)
{
    editor->history_at = at;
    if (at == editor->history_bytes)
        editor_set_line(editor, editor->draft, editor->draft_bytes);
    else
        editor_set_line(editor, editor->history + at, entry_bytes(editor, at));
}

void editor_history_older(struct line_editor *editor)
{
    if (editor->history_at == 0) {
        editor->bell = true;
        return;
    }
    draft_save(editor);
    show_entry(editor, entry_before(editor, editor->history_at));
}

void editor_history_newer(struct line_editor *editor)
{
    uint32_t at = editor->history_at;
    if (at == editor->history_bytes)
        editor->bell = true;
    else
        show_entry(editor, at + entry_bytes(editor, at) + 1);
}

// ---- Searching ---------------------------------------------------------------------

void editor_search_begin(struct line_editor *editor)
{
    draft_save(editor);
    editor->searching = true;
    editor->search_failed = false;
    editor->query_bytes = 0;
    editor->dirty = true;
}

// Where the query stands in an entry; UINT32_MAX: nowhere.
static uint32_t find_query(const struct line_editor *editor, uint32_t at)
{
    uint32_t bytes = entry_bytes(editor, at);
    for (uint32_t i = 0; i + editor->query_bytes <= bytes; i++)
        if (memcmp(editor->history + at + i, editor->query, editor->query_bytes) == 0)
            return i;
    return UINT32_MAX;
}

void editor_search(struct line_editor *editor, bool further)
{
    uint32_t at = editor->history_at;
    editor->dirty = true;
    editor->search_failed = false;
    if (editor->query_bytes == 0)
        return;
    if (further || at == editor->history_bytes) {
        if (at == 0) {
            editor->search_failed = editor->bell = true;
            return;
        }
        at = entry_before(editor, at);
    }
    for (;;) {
        uint32_t place = find_query(editor, at);
        if (place != UINT32_MAX) {
            show_entry(editor, at);
            editor->cursor = place;
            return;
        }
        if (at == 0)
            break;
        at = entry_before(editor, at);
    }
    editor->search_failed = editor->bell = true;
}

void editor_search_cancel(struct line_editor *editor)
{
    editor->searching = false;
    show_entry(editor, editor->history_bytes);
}
