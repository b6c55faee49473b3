// SPDX-License-Identifier: MIT
// Reads lines from the terminal, completes them, hears of Ctrl-C.
#include "session.h"

#include <capos/loop.h>
#include <capos/server.h>

#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <stdio.h>
#include <string.h>

#include "complete.h"

constexpr uint32_t CALLS_MAX = 4;
constexpr uint64_t COMPLETER_WORD = 1;

static terminal_session_cap terminal; // id 0: there is nobody
static bool reading, interrupted;
static struct capos_call interrupt_call;

// ---- Completion --------------------------------------------------------------------

static void on_complete(void *context, struct capos_server_call *call,
                        const struct completer_complete_params *params)
{
    static struct completion completion;
    complete_line(context, params->line.text, params->line.size_bytes, params->cursor,
                  &completion);
    completer_complete_reply(call, &(struct completer_complete_results){
                                       .start = completion.start,
                                       .candidates = {completion.text, completion.bytes}});
}

static void on_call(void *context, struct capos_server_call *call)
{
    static const struct completer_server_ops ops = {.complete = on_complete};
    completer_serve(&ops, context, call);
}

// Without memory for it Tab rings.
static void serve_completer(struct shell *shell)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    static const struct capos_server_options options = {
        .receive_count = 1, .message_bytes_max = COMPLETER_COMPLETE_PARAMS_BYTES_MAX};
    memory_budget_cap budget;
    endpoint_cap endpoint;
    completer_cap completer;
    if (memory_budget_cap_find("budget", &budget) != STATUS_OK ||
        memory_budget_create_endpoint(budget, CALLS_MAX, &endpoint) != STATUS_OK)
        return;
    if (endpoint_mint(endpoint, INTERFACE_COMPLETER, COMPLETER_WORD, &completer.id) !=
            STATUS_OK ||
        capos_server_start(&server, endpoint.id, &handlers, shell, &options) != STATUS_OK) {
        endpoint_cap_release(&endpoint);
        return;
    }
    (void)terminal_session_set_completer(terminal, completer);
}

// ---- Ctrl-C ------------------------------------------------------------------------

static void interrupt_await(void);

static void interrupt_came(struct capos_call *call, void *)
{
    if (terminal_session_wait_interrupt_finish(call) != STATUS_OK)
        return; // no more will come
    interrupted = true;
    interrupt_await();
}

static void interrupt_await(void)
{
    if (terminal_session_wait_interrupt_begin(&interrupt_call, terminal) == STATUS_OK)
        capos_call_on_done(&interrupt_call, interrupt_came, nullptr);
}

bool session_interrupted(void)
{
    bool was = interrupted;
    interrupted = false;
    return was;
}

// ---- Lines -------------------------------------------------------------------------

bool session_open(struct shell *shell)
{
    bool is_terminal;
    terminal_session_cap found;
    if (terminal_session_cap_find("terminal", &found) != STATUS_OK ||
        terminal_session_size(found, nullptr, nullptr, &is_terminal) != STATUS_OK ||
        !is_terminal)
        return false;
    terminal = found;
    serve_completer(shell);
    interrupt_await();
    return true;
}

bool session_is_open(void)
{
    return terminal.id != 0;
}

terminal_session_cap session_terminal(void)
{
    return terminal;
}

bool session_is_reading(void)
{
    return reading;
}

static void line_came(struct capos_call *, void *)
{
    reading = false;
}

enum line_end session_read_line(const char *prompt, char *line, size_t line_max)
{
    static struct capos_call call;
    enum line_end end;
    fflush(stdout);
    interrupted = false;
    if (terminal_session_read_line_begin(&call, terminal, prompt, strlen(prompt)) != STATUS_OK)
        return LINE_END_INPUT_ENDED;
    reading = true;
    capos_call_on_done(&call, line_came, nullptr);
    while (reading)
        capos_loop_step(true);
    if (terminal_session_read_line_finish(&call, &end, line, line_max, nullptr) != STATUS_OK)
        return LINE_END_INPUT_ENDED;
    return end;
}
