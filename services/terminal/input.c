// SPDX-License-Identifier: MIT
// Owns the keyboard: who reads, the lines that are edited, Ctrl-C, completion.
//
// Keys that came wait in `input` until somebody reads.  A reader gets bytes as they are, or a
// line that is edited for it on the screen; one line at a time is on the screen.
#include "terminal.h"

#include <capos/panic.h>
#include <gen/capos/host_control.h>
#include <stdlib.h>
#include <string.h>

constexpr uint32_t KEYS_BYTES = 4096; // that are read at once
constexpr uint32_t INPUT_BYTES = 4 * KEYS_BYTES;
constexpr uint8_t CTRL_C = 3;
constexpr int64_t INTERRUPTED_EXIT_CODE = 130;

enum reader_kind { READ_LINE, READ_SESSION, READ_PROGRAM };

struct reader {
    struct reader *next;
    struct capos_server_call *call;
    enum reader_kind kind;
    uint32_t index; // of the session or the program
    uint32_t bytes_max;
    uint32_t prompt_bytes;
    char prompt[TERMINAL_SESSION_READ_LINE_PARAMS_PROMPT_BYTES_MAX];
};

static stdio_cap host;
static host_control_cap control;
static struct capos_call keys_call;
static bool keys_awaited;
static bool input_ended;
static uint32_t input_bytes;
static char input[INPUT_BYTES];

static struct reader *readers;             // in the order of their calls
static struct reader *line_reader;         // whose line is on the screen
static struct line_editor *program_editor; // of all programs, with their history

// The completer that was asked.  While `running`, no keys are given to anyone.
static struct {
    struct capos_call call;
    bool running;
    struct reader *reader; // nullptr: it is gone
} completion;

// ---- Readers -----------------------------------------------------------------------

static struct line_editor *editor_of(const struct reader *reader)
{
    return reader->kind == READ_PROGRAM ? program_editor : sessions[reader->index].editor;
}

static struct ready *ready_of(const struct reader *reader)
{
    return reader->kind == READ_PROGRAM ? &programs[reader->index].ready
                                        : &sessions[reader->index].ready;
}

struct line_editor *input_editor(void)
{
    return line_reader == nullptr ? nullptr : editor_of(line_reader);
}

// Who has the keyboard; nullptr: nobody who asked.
static struct reader *reader_next(void)
{
    const struct program *foreground = program_in_foreground();
    for (struct reader *reader = readers; reader != nullptr; reader = reader->next) {
        const struct program *program =
            reader->kind == READ_PROGRAM ? &programs[reader->index] : nullptr;
        bool is_eligible = foreground != nullptr ? program == foreground
                                                 : program == nullptr || reader->index == ROOT;
        if (is_eligible)
            return reader;
    }
    return nullptr;
}

static void reader_remove(struct reader *reader)
{
    struct reader **link = &readers;
    while (*link != reader)
        link = &(*link)->next;
    *link = reader->next;
    if (line_reader == reader)
        line_reader = nullptr;
    if (completion.reader == reader)
        completion.reader = nullptr;
    free(reader);
}

// Queues a read.  nullptr, and the call is answered: no memory.
static struct reader *reader_add(struct capos_server_call *call, enum reader_kind kind)
{
    struct reader *reader = calloc(1, sizeof *reader);
    struct capos_server_call *detached =
        reader != nullptr ? capos_server_detach(call) : nullptr;
    if (detached == nullptr) {
        free(reader);
        capos_server_fail(call, STATUS_OVERLOADED, "the terminal is out of memory");
        return nullptr;
    }
    reader->call = detached;
    reader->kind = kind;
    reader->index = object_index(detached->word);
    struct reader **link = &readers;
    while (*link != nullptr)
        link = &(*link)->next;
    *link = reader;
    return reader;
}

void input_forget(uint64_t word)
{
    for (struct reader *reader = readers, *next; reader != nullptr; reader = next) {
        next = reader->next;
        if (reader->call->word != word)
            continue;
        if (reader == line_reader)
            screen_drop_line(editor_of(reader));
        if (reader == completion.reader)
            capos_call_cancel(&completion.call);
        capos_server_fail(reader->call, STATUS_DISCONNECTED, "nobody holds it any more");
        reader_remove(reader);
    }
}

// ---- Answers -----------------------------------------------------------------------

static void answer_line(struct reader *reader, enum line_end end, const char *line,
                        uint32_t bytes)
{
    terminal_session_read_line_reply(reader->call, &(struct terminal_session_read_line_results){
                                                       .end = end, .line = {line, bytes}});
    reader_remove(reader);
}

// As many bytes as it asked for; returns how many.
static uint32_t answer_bytes(struct reader *reader, const char *data, uint32_t bytes)
{
    if (bytes > reader->bytes_max)
        bytes = reader->bytes_max;
    struct wire_data part = {(const uint8_t *)data, bytes};
    if (reader->kind == READ_PROGRAM)
        stdio_read_reply(reader->call, &(struct stdio_read_results){.data = part});
    else
        terminal_session_read_reply(reader->call,
                                    &(struct terminal_session_read_results){.data = part});
    reader_remove(reader);
    return bytes;
}

static void input_take(uint32_t bytes)
{
    memmove(input, input + bytes, input_bytes - bytes);
    input_bytes -= bytes;
}

// Answers with what is ready of an earlier line.  False: nothing.
static bool serve_ready(struct reader *reader)
{
    struct ready *ready = ready_of(reader);
    if (ready->bytes != 0) {
        uint32_t taken = answer_bytes(reader, ready->data + ready->first, ready->bytes);
        ready->first += taken;
        ready->bytes -= taken;
        return true;
    }
    if (!ready->ended)
        return false;
    ready->ended = reader->kind == READ_PROGRAM; // a program's end stays the end
    (void)answer_bytes(reader, "", 0);
    return true;
}

// ---- Without editing ---------------------------------------------------------------

static bool serve_bytes(struct reader *reader)
{
    if (input_bytes == 0 && !input_ended)
        return false;
    input_take(answer_bytes(reader, input, input_bytes));
    return true;
}

// Text that a message may carry: up to a NUL, which no line has.
static bool serve_plain_line(struct reader *reader)
{
    const char *newline = memchr(input, '\n', input_bytes);
    bool is_full = input_bytes >= LINE_EDITOR_LINE_BYTES_MAX;
    if (newline == nullptr && !is_full && !input_ended)
        return false;
    if (newline == nullptr && input_bytes == 0) {
        answer_line(reader, LINE_END_INPUT_ENDED, "", 0);
        return true;
    }
    uint32_t bytes = newline != nullptr ? (uint32_t)(newline - input) : input_bytes;
    uint32_t taken = newline != nullptr ? bytes + 1 : bytes;
    if (bytes > LINE_EDITOR_LINE_BYTES_MAX)
        bytes = taken = LINE_EDITOR_LINE_BYTES_MAX;
    const char *nul = memchr(input, '\0', bytes);
    char line[LINE_EDITOR_LINE_BYTES_MAX + 1];
    uint32_t line_bytes = nul != nullptr ? (uint32_t)(nul - input) : bytes;
    memcpy(line, input, line_bytes);
    line[line_bytes] = '\0';
    input_take(taken);
    answer_line(reader, LINE_END_ENTERED, line, line_bytes);
    return true;
}

// ---- Ctrl-C ------------------------------------------------------------------------

// Ends the run, as Ctrl-C does outside of the machine.
static void end_run(void)
{
    static struct capos_call call;
    static bool ended;
    if (!ended && control.id != 0 &&
        host_control_finish_begin(&call, control, END_KIND_EXITED, INTERRUPTED_EXIT_CODE,
                                  FAULT_KIND_NONE, 0, 0, 0, 0) == STATUS_OK)
        ended = true;
}

// Ctrl-C for a program: the one in the foreground, or that of the run.
static void interrupt_program(void)
{
    struct program *foreground = program_in_foreground();
    if (foreground != nullptr)
        program_interrupt(foreground);
    else if (!root_session_used)
        end_run();
}

// Answers who asked last to hear of Ctrl-C.  False: nobody did.
static bool interrupt_session(void)
{
    struct session *last = nullptr;
    for (uint32_t i = 0; i < SESSIONS_MAX; i++)
        if (sessions[i].interrupt != nullptr &&
            (last == nullptr || sessions[i].interrupt_turn > last->interrupt_turn))
            last = &sessions[i];
    if (last == nullptr)
        return false;
    terminal_session_wait_interrupt_reply(last->interrupt);
    last->interrupt = nullptr;
    return true;
}

void input_interrupt_if_typed(void)
{
    bool minds_itself = root_session_used && program_in_foreground() == nullptr;
    if (!screen_is_terminal || reader_next() != nullptr)
        return;
    for (uint32_t i = input_bytes; i-- > 0;)
        if ((uint8_t)input[i] == CTRL_C) {
            if (minds_itself && !interrupt_session())
                return; // it waits for who reads next
            input_take(i + 1);
            interrupt_program();
            return;
        }
}

// ---- Completion --------------------------------------------------------------------

static void completion_done(struct capos_call *call, void *)
{
    static char candidates[COMPLETER_COMPLETE_RESULTS_CANDIDATES_BYTES_MAX + 1];
    uint32_t start;
    size_t bytes;
    if (completer_complete_finish(call, &start, candidates, sizeof candidates, &bytes) !=
        STATUS_OK)
        start = bytes = 0;
    completion.running = false;
    if (completion.reader != nullptr && completion.reader == line_reader) {
        line_editor_complete(editor_of(line_reader), start, candidates, bytes);
        screen_show_editor(editor_of(line_reader));
    }
    completion.reader = nullptr;
    input_pump();
}

static void completion_begin(struct reader *reader)
{
    struct line_editor *editor = editor_of(reader);
    completer_cap completer =
        reader->kind == READ_LINE ? sessions[reader->index].completer : (completer_cap){};
    if (completer.id != 0 &&
        completer_complete_begin(&completion.call, completer, editor->line, editor->line_bytes,
                                 editor->cursor) == STATUS_OK) {
        completion.running = true;
        completion.reader = reader;
        capos_call_on_done(&completion.call, completion_done, nullptr);
        return;
    }
    line_editor_complete(editor, 0, "", 0); // rings
    screen_show_editor(editor);
}

// ---- Lines -------------------------------------------------------------------------

// A line for `readLine` has ended.
static void end_read_line(struct reader *reader, enum line_editor_event event)
{
    const struct line_editor *editor = editor_of(reader);
    if (event == LINE_EDITOR_LINE)
        answer_line(reader, LINE_END_ENTERED, editor->line, editor->line_bytes);
    else
        answer_line(reader,
                    event == LINE_EDITOR_INTERRUPT ? LINE_END_INTERRUPTED
                                                   : LINE_END_INPUT_ENDED,
                    "", 0);
}

// A line for `read` has ended: its bytes are ready now.
static void end_read(struct reader *reader, enum line_editor_event event)
{
    const struct line_editor *editor = editor_of(reader);
    struct ready *ready = ready_of(reader);
    if (event == LINE_EDITOR_INTERRUPT && reader->kind == READ_PROGRAM) {
        interrupt_program();
    } else if (event == LINE_EDITOR_END) {
        ready->ended = true;
    } else if (event == LINE_EDITOR_LINE) {
        memcpy(ready->data, editor->line, editor->line_bytes);
        ready->data[editor->line_bytes] = '\n';
        ready->first = 0;
        ready->bytes = editor->line_bytes + 1;
    }
}

static void end_line(struct reader *reader, enum line_editor_event event)
{
    struct line_editor *editor = editor_of(reader);
    line_reader = nullptr;
    screen_end_line();
    if (event == LINE_EDITOR_LINE)
        line_editor_history_add(editor, editor->line, editor->line_bytes);
    if (reader->kind == READ_LINE)
        end_read_line(reader, event);
    else
        end_read(reader, event);
}

// Gives keys to the editor until the line ends, or no more are there.
static bool serve_line(struct reader *reader)
{
    struct line_editor *editor = editor_of(reader);
    if (line_reader != reader) {
        line_reader = reader;
        bool has_prompt = reader->kind == READ_LINE;
        screen_begin_line(editor, has_prompt ? reader->prompt : nullptr, reader->prompt_bytes);
    }
    while (input_bytes > 0) {
        enum line_editor_event event;
        input_take((uint32_t)line_editor_type(editor, input, input_bytes, &event));
        screen_show_editor(editor);
        if (event == LINE_EDITOR_COMPLETE) {
            completion_begin(reader);
            if (completion.running)
                return false;
        } else if (event != LINE_EDITOR_NOTHING) {
            end_line(reader, event);
            return true;
        }
    }
    if (!input_ended)
        return false;
    end_line(reader, LINE_EDITOR_END);
    return true;
}

// ---- The keyboard ------------------------------------------------------------------

static bool is_raw(const struct reader *reader)
{
    return reader->kind == READ_SESSION && sessions[reader->index].mode == TERMINAL_MODE_RAW;
}

// Who reads bytes as they are isn't kept from a lone Escape because it may begin the answer to
// a question.
static void take_held_keys(void)
{
    if (INPUT_BYTES - input_bytes >= SIZE_QUERY_HELD_MAX)
        input_bytes += (uint32_t)screen_held_keys(input + input_bytes);
}

// True: the reader was answered, or something else changed.
static bool serve(struct reader *reader)
{
    if (is_raw(reader))
        take_held_keys();
    if (reader->kind != READ_LINE && serve_ready(reader))
        return true;
    if (screen_is_terminal && !is_raw(reader))
        return serve_line(reader);
    return reader->kind == READ_LINE ? serve_plain_line(reader) : serve_bytes(reader);
}

static void keys_await(void);

static void keys_came(struct capos_call *call, void *)
{
    static char typed[KEYS_BYTES], keys[KEYS_BYTES + SIZE_QUERY_HELD_MAX];
    size_t bytes;
    keys_awaited = false;
    if (stdio_read_finish(call, typed, sizeof typed, &bytes) != STATUS_OK || bytes == 0) {
        input_ended = true;
        bytes = 0;
    }
    bytes = screen_take_answers(typed, bytes, keys);
    if (completion.running && memchr(keys, CTRL_C, bytes) != nullptr)
        capos_call_cancel(&completion.call);
    // Only a person's keys come when there is no room.
    uint32_t room = INPUT_BYTES - input_bytes;
    uint32_t taken = bytes < room ? (uint32_t)bytes : room;
    memcpy(input + input_bytes, keys + bytes - taken, taken);
    input_bytes += taken;
    input_interrupt_if_typed();
    input_pump();
}

static void keys_await(void)
{
    bool has_room = INPUT_BYTES - input_bytes >= KEYS_BYTES;
    if (keys_awaited || input_ended || !(has_room || screen_is_terminal))
        return;
    if (stdio_read_begin(&keys_call, host, KEYS_BYTES) != STATUS_OK)
        capos_panic("terminal: no room to read the keys");
    keys_awaited = true;
    capos_call_on_done(&keys_call, keys_came, nullptr);
}

void input_pump(void)
{
    bool goes_on = true;
    while (goes_on && !completion.running) {
        struct reader *reader = reader_next();
        if (line_reader != nullptr && line_reader != reader) {
            screen_drop_line(editor_of(line_reader));
            line_reader = nullptr;
        }
        goes_on = reader != nullptr && serve(reader);
    }
    input_interrupt_if_typed(); // behind what was just read
    keys_await();
}

void input_start(stdio_cap host_stdio, capos_cap_id host_control)
{
    host = host_stdio;
    control = (host_control_cap){host_control};
    program_editor = malloc(sizeof *program_editor);
    if (program_editor == nullptr)
        capos_panic("terminal: no memory");
    line_editor_init(program_editor);
    keys_await();
}

// ---- Calls -------------------------------------------------------------------------

void on_read_line(void *, struct capos_server_call *call,
                  const struct terminal_session_read_line_params *params)
{
    char prompt[sizeof readers->prompt]; // the message goes with the detached call
    uint32_t prompt_bytes = params->prompt.size_bytes;
    memcpy(prompt, params->prompt.text, prompt_bytes);
    struct reader *reader = reader_add(call, READ_LINE);
    if (reader == nullptr)
        return;
    memcpy(reader->prompt, prompt, prompt_bytes);
    reader->prompt_bytes = prompt_bytes;
    input_pump();
}

void on_wait_interrupt(void *, struct capos_server_call *call)
{
    struct capos_server_call *waiting = capos_server_detach(call);
    if (waiting == nullptr) {
        capos_server_fail(call, STATUS_OVERLOADED, "the terminal is out of memory");
        return;
    }
    static uint64_t turns;
    struct session *session = &sessions[object_index(waiting->word)];
    if (session->interrupt != nullptr)
        capos_server_fail(session->interrupt, STATUS_DISCONNECTED, "a later call waits now");
    session->interrupt = waiting;
    session->interrupt_turn = ++turns;
}

static void read_bytes(struct capos_server_call *call, enum reader_kind kind,
                       uint32_t bytes_max)
{
    struct reader *reader = reader_add(call, kind);
    if (reader == nullptr)
        return;
    reader->bytes_max = bytes_max;
    input_pump();
}

void on_session_read(void *, struct capos_server_call *call,
                     const struct terminal_session_read_params *params)
{
    uint32_t bytes_max = params->max_bytes;
    if (bytes_max == 0 || bytes_max > TERMINAL_SESSION_READ_RESULTS_DATA_BYTES_MAX)
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "maxBytes: 1 to 4096");
    else
        read_bytes(call, READ_SESSION, bytes_max);
}

void on_program_read(void *, struct capos_server_call *call,
                     const struct stdio_read_params *params)
{
    uint32_t bytes_max = params->max_bytes;
    if (bytes_max == 0 || bytes_max > STDIO_READ_RESULTS_DATA_BYTES_MAX)
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "maxBytes: 1 to 61440");
    else
        read_bytes(call, READ_PROGRAM, bytes_max);
}
