// SPDX-License-Identifier: MIT
// Starts the terminal service and dispatches its calls; see terminal.h.
#include "terminal.h"

#include <capos/panic.h>

#include <gen/capos/host_control.h>

constexpr uint32_t RECEIVE_COUNT = 4;
constexpr uint32_t RECEIVE_BYTES = STDIO_WRITE_PARAMS_BYTES_MAX;

static struct capos_server server;

// ---- Small calls -------------------------------------------------------------------

static struct session *session_of(const struct capos_server_call *call)
{
    return &sessions[object_index(call->word)];
}

static void on_info(void *, struct capos_server_call *call)
{
    stdio_info_reply(call, &screen_info);
}

static void on_set_mode(void *, struct capos_server_call *call,
                        const struct terminal_session_set_mode_params *params)
{
    session_of(call)->mode = params->mode;
    terminal_session_set_mode_reply(call);
    input_pump();
}

static void on_size(void *, struct capos_server_call *call)
{
    terminal_session_size_reply(call, &(struct terminal_session_size_results){
                                          .columns = screen_info.columns,
                                          .rows = screen_info.rows,
                                          .is_terminal = screen_is_terminal,
                                      });
}

static void on_add_history(void *, struct capos_server_call *call,
                           const struct terminal_session_add_history_params *params)
{
    line_editor_history_add(session_of(call)->editor, params->line.text,
                            params->line.size_bytes);
    terminal_session_add_history_reply(call);
}

static void on_history_line(void *, struct capos_server_call *call,
                            const struct terminal_session_history_line_params *params)
{
    const char *line = "";
    size_t bytes = 0;
    bool found = line_editor_history_line(session_of(call)->editor, params->age, &line, &bytes);
    terminal_session_history_line_reply(
        call, &(struct terminal_session_history_line_results){.found = found,
                                                              .line = {line, (uint32_t)bytes}});
}

static void on_set_completer(void *, struct capos_server_call *call,
                             const struct terminal_session_set_completer_params *params)
{
    struct session *session = session_of(call);
    capos_cap_id completer;
    if (capos_server_take(call, params->completer, INTERFACE_COMPLETER, &completer) !=
        STATUS_OK) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "completer: a Completer");
        return;
    }
    if (session->completer.id != 0)
        completer_cap_release(&session->completer);
    session->completer.id = completer;
    terminal_session_set_completer_reply(call);
}

// ---- Dispatch ----------------------------------------------------------------------

static void on_call(void *, struct capos_server_call *call)
{
    static const struct stdio_server_ops stdio = {.read = on_program_read,
                                                  .write = on_program_write,
                                                  .info = on_info,
                                                  .wait_resize = on_wait_resize};
    static const struct terminal_session_server_ops session = {
        .read_line = on_read_line,
        .read = on_session_read,
        .write = on_session_write,
        .set_mode = on_set_mode,
        .size = on_size,
        .wait_resize = on_session_wait_resize,
        .add_history = on_add_history,
        .history_line = on_history_line,
        .open_program = on_open_program,
        .foreground = on_foreground,
        .open_session = on_open_session,
        .set_completer = on_set_completer,
        .wait_interrupt = on_wait_interrupt,
    };
    if (call->interface_id == INTERFACE_STDIO) {
        stdio_serve(&stdio, nullptr, call);
    } else if (call->interface_id == INTERFACE_TERMINAL_SESSION) {
        root_session_used = true;
        terminal_session_serve(&session, nullptr, call);
    } else {
        capos_server_fail(call, STATUS_UNIMPLEMENTED,
                          "terminal serves StdIO and TerminalSession");
    }
}

static void on_released(void *, uint64_t word)
{
    objects_released(word);
}

int main(void)
{
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    static const struct capos_server_options options = {.receive_count = RECEIVE_COUNT,
                                                        .message_bytes_max = RECEIVE_BYTES};
    endpoint_cap endpoint;
    stdio_cap host;
    host_control_cap control;
    if (endpoint_cap_find("endpoint", &endpoint) != STATUS_OK ||
        stdio_cap_find("stdio", &host) != STATUS_OK)
        capos_panic("terminal: needs its endpoint and a StdIO");
    if (host_control_cap_find("control", &control) != STATUS_OK)
        control.id = 0;
    screen_start(host);
    objects_start(endpoint);
    input_start(host, control.id);
    enum status status = capos_server_start(&server, endpoint.id, &handlers, nullptr, &options);
    if (status != STATUS_OK)
        capos_panic("terminal: can't start to serve: %s", status_name(status));
    capos_loop_run();
    return 0;
}
