// SPDX-License-Identifier: MIT
// What the parts of the line editor know of each other; see lib/line_editor.h.
#pragma once

#include <lib/line_editor.h>

// ---- line_editor.c: the text ----

// Puts `bytes` of valid text in the place of [from, to), if it fits; else rings.
void editor_replace(struct line_editor *editor, uint32_t from, uint32_t to, const char *text,
                    uint32_t bytes);
// Makes this the line, with the cursor at its end.
void editor_set_line(struct line_editor *editor, const char *text, uint32_t bytes);
// The characters beside an offset, combining marks included.
[[nodiscard]] uint32_t editor_next(const struct line_editor *editor, uint32_t at);
[[nodiscard]] uint32_t editor_previous(const struct line_editor *editor, uint32_t at);
// Whether a character may stand in a line.
[[nodiscard]] bool editor_is_allowed(uint32_t code_point);

// ---- line_editor_view.c: the screen ----

void editor_put(struct line_editor *editor, const char *text, size_t bytes);
void editor_put_text(struct line_editor *editor, const char *text);
// Shows the line as it is, if it isn't shown.
void editor_refresh(struct line_editor *editor);
// Leaves the line on the screen and goes to the row below it.
void editor_leave(struct line_editor *editor);
void editor_clear_screen(struct line_editor *editor);
// Shows a character that was added at the end of the line, if that is all that changed.
void editor_show_added(struct line_editor *editor, const char *text, uint32_t bytes,
                       uint32_t width);
void editor_list(struct line_editor *editor, const char *candidates, size_t bytes);

struct candidate {
    const char *text;
    uint32_t bytes;
    uint32_t width;
    const char *note; // behind the tab
    uint32_t note_bytes;
};
// Takes the next candidate from the list.  False: no more.  Those that may not stand in a
// line are passed over.
[[nodiscard]] bool editor_candidate(const char **candidates, size_t *bytes,
                                    struct candidate *out_candidate);

// ---- line_editor_history.c ----

void editor_history_older(struct line_editor *editor);
void editor_history_newer(struct line_editor *editor);
void editor_search_begin(struct line_editor *editor);
// Looks for the query, from the line that is shown, or from the one before it.
void editor_search(struct line_editor *editor, bool further);
void editor_search_cancel(struct line_editor *editor);
