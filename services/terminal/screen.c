// SPDX-License-Identifier: MIT
// Owns the screen: writes of clients, the line that is edited below them, the window's size.
//
// Writes are passed on at once, in their order, and answered when they are taken.  `tail` is
// what was written since the last newline: to a program's line it is the prompt.
#include "terminal.h"

#include <capos/panic.h>
#include <stdlib.h>
#include <string.h>

struct stdio_info_results screen_info;
bool screen_is_terminal;

static stdio_cap host;
static char tail[LINE_EDITOR_PROMPT_BYTES_MAX];
static uint32_t tail_bytes;
static bool line_has_prompt; // of its own; else the tail is before it
static bool size_is_asked;   // of the terminal itself: the StdIO can't tell it
static struct size_query size_query;

// ---- Passing on --------------------------------------------------------------------

struct output {
    struct capos_call call;
    struct capos_server_call *client; // nullptr: of an editor
};

static void output_done(struct capos_call *call, void *context)
{
    struct output *output = context;
    enum status status = stdio_write_finish(call);
    if (output->client == nullptr)
        ;
    else if (status != STATUS_OK)
        capos_server_fail(output->client, STATUS_DISCONNECTED, "nobody reads that any more");
    else if (output->client->interface_id == INTERFACE_STDIO)
        stdio_write_reply(output->client);
    else
        terminal_session_write_reply(output->client);
    free(output);
}

// Answers the client when it is done, if there is one.  Without memory an editor's bytes are
// lost: the next key shows the line again.
static void output_send(enum output_stream stream, const void *data, size_t bytes,
                        struct capos_server_call *client)
{
    struct output *output = malloc(sizeof *output);
    enum status status = output == nullptr
                             ? STATUS_OVERLOADED
                             : stdio_write_begin(&output->call, host, stream, data, bytes);
    if (status == STATUS_OK) {
        output->client = client;
        capos_call_on_done(&output->call, output_done, output);
        return;
    }
    free(output);
    if (client != nullptr)
        capos_server_fail(client, STATUS_OVERLOADED, "the terminal is out of memory");
}

static void show(const char *data, size_t bytes)
{
    if (bytes != 0)
        output_send(OUTPUT_STREAM_OUTPUT, data, bytes, nullptr);
}

static void size_ask(void)
{
    if (!size_is_asked)
        return;
    show(SIZE_QUERY, sizeof SIZE_QUERY - 1);
    size_query.open++;
}

// ---- The line below ----------------------------------------------------------------

void screen_show_editor(struct line_editor *editor)
{
    const char *bytes;
    size_t count = line_editor_output(editor, &bytes);
    for (size_t at = 0; at < count; at += STDIO_WRITE_PARAMS_DATA_BYTES_MAX) {
        size_t left = count - at;
        show(bytes + at, left < STDIO_WRITE_PARAMS_DATA_BYTES_MAX
                             ? left
                             : STDIO_WRITE_PARAMS_DATA_BYTES_MAX);
    }
    line_editor_output_taken(editor);
}

static void tail_add(const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] == '\n') {
            tail_bytes = 0;
            continue;
        }
        if (tail_bytes == sizeof tail) { // keep the end
            memmove(tail, tail + sizeof tail / 2, sizeof tail / 2);
            tail_bytes = sizeof tail / 2;
        }
        tail[tail_bytes++] = (char)data[i];
    }
}

static void tail_end(void)
{
    if (tail_bytes != 0)
        show("\r\n", 2);
    tail_bytes = 0;
}

void screen_begin_line(struct line_editor *editor, const char *prompt, size_t prompt_bytes)
{
    line_has_prompt = prompt != nullptr;
    if (line_has_prompt)
        tail_end();
    size_ask(); // here the cursor may move for a moment
    line_editor_resize(editor, screen_info.columns, screen_info.rows);
    line_editor_begin(editor, line_has_prompt ? prompt : tail,
                      line_has_prompt ? prompt_bytes : tail_bytes, !line_has_prompt);
    screen_show_editor(editor);
}

void screen_end_line(void)
{
    tail_bytes = 0;
}

void screen_drop_line(struct line_editor *editor)
{
    line_editor_hide(editor);
    editor->editing = false;
    screen_show_editor(editor);
    if (!line_has_prompt)
        show(tail, tail_bytes);
}

// Shows data above the line that is edited.
static void show_above(struct line_editor *editor, const uint8_t *data, size_t bytes,
                       struct capos_server_call *client)
{
    line_editor_hide(editor);
    screen_show_editor(editor);
    show(tail, tail_bytes);
    output_send(OUTPUT_STREAM_OUTPUT, data, bytes, client);
    tail_add(data, bytes);
    if (line_has_prompt) {
        tail_end();
        char prompt[LINE_EDITOR_PROMPT_BYTES_MAX];
        memcpy(prompt, editor->prompt, editor->prompt_bytes);
        line_editor_show(editor, prompt, editor->prompt_bytes, false);
    } else {
        line_editor_show(editor, tail, tail_bytes, true);
    }
    screen_show_editor(editor);
}

// ---- Writes ------------------------------------------------------------------------

static void screen_write(enum output_stream stream, const uint8_t *data, size_t bytes,
                         struct capos_server_call *client)
{
    bool on_screen =
        screen_is_terminal && (stream == OUTPUT_STREAM_OUTPUT || screen_info.error_is_terminal);
    struct line_editor *editor = input_editor();
    if (!on_screen) {
        output_send(stream, data, bytes, client);
    } else if (editor != nullptr) {
        show_above(editor, data, bytes, client);
    } else {
        // Both streams are the screen; on one way to it they keep their order.
        tail_add(data, bytes);
        output_send(OUTPUT_STREAM_OUTPUT, data, bytes, client);
    }
}

void on_program_write(void *, struct capos_server_call *call,
                      const struct stdio_write_params *params)
{
    screen_write(params->stream, params->data.data, params->data.size_bytes, call);
}

void on_session_write(void *, struct capos_server_call *call,
                      const struct terminal_session_write_params *params)
{
    screen_write(OUTPUT_STREAM_OUTPUT, params->data.data, params->data.size_bytes, call);
}

// ---- The window --------------------------------------------------------------------

static struct capos_server_call *resizes; // that wait, in no order
static struct capos_call resize_call;

static bool size_differs(uint64_t known)
{
    return known != ((uint64_t)screen_info.columns << 16 | screen_info.rows);
}

static void resize_answer(struct capos_server_call *call)
{
    if (call->interface_id == INTERFACE_STDIO)
        stdio_wait_resize_reply(
            call, &(struct stdio_wait_resize_results){.columns = screen_info.columns,
                                                      .rows = screen_info.rows});
    else
        terminal_session_wait_resize_reply(
            call, &(struct terminal_session_wait_resize_results){.columns = screen_info.columns,
                                                                 .rows = screen_info.rows});
}

static void resize_await(struct capos_server_call *call, uint16_t columns, uint16_t rows)
{
    uint64_t known = (uint64_t)columns << 16 | rows;
    if (size_differs(known)) {
        resize_answer(call);
        return;
    }
    struct capos_server_call *waiting = capos_server_detach(call);
    if (waiting == nullptr) {
        capos_server_fail(call, STATUS_OVERLOADED, "the terminal is out of memory");
        return;
    }
    waiting->word = known;
    waiting->next = resizes;
    resizes = waiting;
}

void on_wait_resize(void *, struct capos_server_call *call,
                    const struct stdio_wait_resize_params *params)
{
    resize_await(call, params->columns, params->rows);
}

void on_session_wait_resize(void *, struct capos_server_call *call,
                            const struct terminal_session_wait_resize_params *params)
{
    resize_await(call, params->columns, params->rows);
}

static void size_set(uint16_t columns, uint16_t rows)
{
    screen_info.columns = columns;
    screen_info.rows = rows;
    struct line_editor *editor = input_editor();
    if (editor != nullptr) {
        line_editor_resize(editor, columns, rows);
        screen_show_editor(editor);
    }
    struct capos_server_call *waiting = resizes;
    resizes = nullptr;
    while (waiting != nullptr) {
        struct capos_server_call *next = waiting->next;
        if (size_differs(waiting->word)) {
            resize_answer(waiting);
        } else {
            waiting->next = resizes;
            resizes = waiting;
        }
        waiting = next;
    }
}

static void watch_size(void);

static void size_changed(struct capos_call *call, void *)
{
    uint16_t columns, rows;
    enum status status = stdio_wait_resize_finish(call, &columns, &rows);
    if (status == STATUS_OK) {
        size_set(columns, rows);
        watch_size();
    } else if (status == STATUS_UNIMPLEMENTED && screen_is_terminal) {
        size_is_asked = true;
        if (input_editor() != nullptr)
            size_ask();
    }
}

static void watch_size(void)
{
    if (stdio_wait_resize_begin(&resize_call, host, screen_info.columns, screen_info.rows) ==
        STATUS_OK)
        capos_call_on_done(&resize_call, size_changed, nullptr);
}

size_t screen_take_answers(const char *keys, size_t bytes, char *out_keys)
{
    size_t left = size_query_filter(&size_query, keys, bytes, out_keys);
    if (size_query.columns != 0 &&
        (size_query.columns != screen_info.columns || size_query.rows != screen_info.rows))
        size_set(size_query.columns, size_query.rows);
    return left;
}

size_t screen_held_keys(char *out_keys)
{
    return size_query_give_up(&size_query, out_keys);
}

void screen_start(stdio_cap host_stdio)
{
    host = host_stdio;
    enum status status =
        stdio_info(host, &screen_info.input_is_terminal, &screen_info.output_is_terminal,
                   &screen_info.error_is_terminal, &screen_info.columns, &screen_info.rows);
    if (status != STATUS_OK)
        capos_panic("terminal: asking its StdIO: %s", status_name(status));
    screen_is_terminal = screen_info.input_is_terminal && screen_info.output_is_terminal;
    watch_size();
}
