// SPDX-License-Identifier: MIT
// terminal: a person in front of the machine.
//
// It stands between a StdIO whose keys come raw (hostlink's, under `capos run --tty`) and
// those who talk to the person: holders of a TerminalSession, and ordinary programs with
// a StdIO.  If the StdIO has no person behind it, bytes pass as they are.  If it is only a
// wire, serialio's, the terminal at its other end is asked for its size at each line.
//
//     main.c     starts, dispatches the calls
//     objects.c  sessions and programs
//     input.c    who gets the keys; lines, Ctrl-C, completion
//     screen.c   what is written, and the line that is edited below it
//     size_query.c  asking a terminal for its size
//
// Invariants:
//  1. One reader at a time has the keyboard: the program in the foreground; without one, who
//     asked first.
//  2. The service never waits for a client: a slow reader, writer or completer holds up
//     itself.
//  3. Of a terminal's input, what nobody reads is bounded; what is more is dropped.
//
// Grants: memory, endpoint, stdio; control, so that Ctrl-C can end a run whose program nobody
// here holds; console, for its last words.
// Tested by tests/cli/terminal_test.py, booted, with keys through a pty.
#pragma once

#include <capos/loop.h>
#include <capos/server.h>
#include <lib/line_editor.h>

#include <gen/capos/process.h>
#include <gen/capos/stdio.h>
#include <gen/capos/terminal.h>

#include "size_query.h"

constexpr uint32_t SESSIONS_MAX = 8;
constexpr uint32_t PROGRAMS_MAX = 32;

// ---- Objects (objects.c) -----------------------------------------------------------

// What came of the keys and wasn't read yet: of a program, or of a session's `read`.
struct ready {
    uint32_t first, bytes;
    bool ended; // after Ctrl-D: once for a session, for good for a program
    char data[LINE_EDITOR_LINE_BYTES_MAX + 1];
};

struct session {
    bool open;
    enum terminal_mode mode;
    struct ready ready;
    struct line_editor *editor;
    completer_cap completer;             // asked at Tab; id 0: nobody
    struct capos_server_call *interrupt; // to be answered at Ctrl-C; nullptr: nobody asked
    uint64_t interrupt_turn;             // the highest is answered
};

struct program {
    bool open;    // its StdIO is held
    bool waiting; // for the end of `process`
    uint32_t session;
    uint64_t foreground_turn; // 0: not in the foreground; else the highest has the keys
    process_handle_cap process;
    struct capos_call wait;
    struct ready ready;
};

extern struct session sessions[SESSIONS_MAX];
extern struct program programs[PROGRAMS_MAX];

// The program that the manifest's StdIO belongs to, and the manifest's session: always open.
constexpr uint32_t ROOT = 0;

// Object words: the kind, and the index above it.
enum object_kind { OBJECT_PROGRAM = 1, OBJECT_SESSION = 2 };

[[nodiscard]] static inline uint32_t object_index(uint64_t word)
{
    return (uint32_t)(word >> 8);
}

void objects_start(endpoint_cap endpoint);
void objects_released(uint64_t word);
[[nodiscard]] struct program *program_in_foreground(void);
// Kills it, and takes the keyboard from it.
void program_interrupt(struct program *program);
// Whether the root session was ever called: then the program there minds Ctrl-C itself.
extern bool root_session_used;

void on_open_program(void *context, struct capos_server_call *call);
void on_open_session(void *context, struct capos_server_call *call);
void on_foreground(void *context, struct capos_server_call *call,
                   const struct terminal_session_foreground_params *params);

// ---- Input (input.c) ---------------------------------------------------------------

// `control` ends the run on Ctrl-C; id 0: it isn't held.
void input_start(stdio_cap host, capos_cap_id control);
// Gives the keys to whom they are for.
void input_pump(void);
// While nobody reads, Ctrl-C takes effect as it comes; the keys before it are forgotten.
void input_interrupt_if_typed(void);
// Forgets the waiting reads of an object.
void input_forget(uint64_t word);

void on_read_line(void *context, struct capos_server_call *call,
                  const struct terminal_session_read_line_params *params);
void on_session_read(void *context, struct capos_server_call *call,
                     const struct terminal_session_read_params *params);
void on_wait_interrupt(void *context, struct capos_server_call *call);
void on_program_read(void *context, struct capos_server_call *call,
                     const struct stdio_read_params *params);

// The editor whose line is on the screen; nullptr: none.
[[nodiscard]] struct line_editor *input_editor(void);

// ---- The screen (screen.c) ---------------------------------------------------------

extern struct stdio_info_results screen_info; // of the StdIO below
extern bool screen_is_terminal;               // a person types, and sees what is written

void screen_start(stdio_cap host);
// Takes what the terminal answered out of the keys; as size_query_filter.
[[nodiscard]] size_t screen_take_answers(const char *keys, size_t bytes, char *out_keys);
// What may be the beginning of an answer is keys after all; as size_query_give_up.
[[nodiscard]] size_t screen_held_keys(char *out_keys);
// Starts a line: below what was written, behind `prompt`; or, if it is nullptr, behind what
// was written last.
void screen_begin_line(struct line_editor *editor, const char *prompt, size_t prompt_bytes);
// The line has ended, and the next one begins.
void screen_end_line(void);
// Takes the line from the screen; it isn't edited any more.
void screen_drop_line(struct line_editor *editor);
// Sends what the editor has to show.
void screen_show_editor(struct line_editor *editor);

void on_program_write(void *context, struct capos_server_call *call,
                      const struct stdio_write_params *params);
void on_session_write(void *context, struct capos_server_call *call,
                      const struct terminal_session_write_params *params);
void on_wait_resize(void *context, struct capos_server_call *call,
                    const struct stdio_wait_resize_params *params);
void on_session_wait_resize(void *context, struct capos_server_call *call,
                            const struct terminal_session_wait_resize_params *params);
