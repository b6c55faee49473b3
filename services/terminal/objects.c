// SPDX-License-Identifier: MIT
// Owns sessions and programs: their making, the foreground, and their end.
#include "terminal.h"

#include <gen/capos/endpoint.h>
#include <stdlib.h>
#include <string.h>

struct session sessions[SESSIONS_MAX];
struct program programs[PROGRAMS_MAX];
bool root_session_used;

static endpoint_cap own_endpoint;
static uint64_t turns;

// ---- Sessions ----------------------------------------------------------------------

// False: no memory.
static bool session_open(struct session *session)
{
    struct line_editor *editor = malloc(sizeof *editor);
    if (editor == nullptr)
        return false;
    line_editor_init(editor);
    *session = (struct session){.open = true, .editor = editor};
    return true;
}

void on_open_session(void *, struct capos_server_call *call)
{
    uint32_t index = 1;
    while (index < SESSIONS_MAX && sessions[index].open)
        index++;
    if (index == SESSIONS_MAX || !session_open(&sessions[index])) {
        capos_server_fail(call, STATUS_OVERLOADED, "a terminal has at most 8 sessions");
        return;
    }
    capos_cap_id object;
    uint64_t word = (uint64_t)index << 8 | OBJECT_SESSION;
    if (endpoint_mint(own_endpoint, INTERFACE_TERMINAL_SESSION, word, &object) != STATUS_OK) {
        objects_released(word);
        capos_server_fail(call, STATUS_OVERLOADED, "no memory for a session");
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(object);
    terminal_session_open_session_reply(
        call, &(struct terminal_session_open_session_results){.session = 0}, &transfer, 1);
}

// ---- Programs ----------------------------------------------------------------------

void on_open_program(void *, struct capos_server_call *call)
{
    uint32_t index = 1;
    while (index < PROGRAMS_MAX && (programs[index].open || programs[index].waiting))
        index++;
    if (index == PROGRAMS_MAX) {
        capos_server_fail(call, STATUS_OVERLOADED, "a terminal has at most 31 programs");
        return;
    }
    capos_cap_id object;
    uint64_t word = (uint64_t)index << 8 | OBJECT_PROGRAM;
    if (endpoint_mint(own_endpoint, INTERFACE_STDIO, word, &object) != STATUS_OK) {
        capos_server_fail(call, STATUS_OVERLOADED, "no memory for a program");
        return;
    }
    programs[index] = (struct program){.open = true, .session = object_index(call->word)};
    struct capos_transfer transfer = capos_transfer_move(object);
    terminal_session_open_program_reply(
        call, &(struct terminal_session_open_program_results){.program = index, .stdio = 0},
        &transfer, 1);
}

struct program *program_in_foreground(void)
{
    struct program *found = nullptr;
    for (uint32_t i = 0; i < PROGRAMS_MAX; i++) {
        struct program *program = &programs[i];
        if (program->foreground_turn != 0 &&
            (found == nullptr || program->foreground_turn > found->foreground_turn))
            found = program;
    }
    return found;
}

static void program_ended(struct capos_call *call, void *context)
{
    struct program *program = context;
    // However it ended, and whatever the answer is, the keyboard is free.
    (void)process_handle_wait_finish(call, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                                     nullptr);
    process_handle_cap_release(&program->process);
    program->waiting = false;
    program->foreground_turn = 0;
    input_pump();
}

void on_foreground(void *, struct capos_server_call *call,
                   const struct terminal_session_foreground_params *params)
{
    uint32_t index = params->program;
    if (index == ROOT || index >= PROGRAMS_MAX || !programs[index].open ||
        programs[index].session != object_index(call->word)) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT,
                          "program: a number from openProgram whose StdIO is still held");
        return;
    }
    struct program *program = &programs[index];
    if (program->waiting) {
        program->foreground_turn = ++turns;
    } else {
        capos_cap_id process;
        if (capos_server_take(call, params->process, INTERFACE_PROCESS_HANDLE, &process) !=
            STATUS_OK) {
            capos_server_fail(call, STATUS_INVALID_ARGUMENT, "process: a ProcessHandle");
            return;
        }
        program->process = (process_handle_cap){process};
        if (process_handle_wait_begin(&program->wait, program->process) != STATUS_OK) {
            process_handle_cap_release(&program->process);
            capos_server_fail(call, STATUS_OVERLOADED, "the terminal waits for too much");
            return;
        }
        capos_call_on_done(&program->wait, program_ended, program);
        program->waiting = true;
        program->foreground_turn = ++turns;
    }
    terminal_session_foreground_reply(call);
    input_interrupt_if_typed(); // while the program was being started
    input_pump();
}

void program_interrupt(struct program *program)
{
    program->foreground_turn = 0;
    if (process_handle_kill(program->process) != STATUS_OK)
        return; // it has ended, and program_ended will hear of it
}

// ---- The end of an object ----------------------------------------------------------

void objects_start(endpoint_cap endpoint)
{
    own_endpoint = endpoint;
    programs[ROOT].open = true;
    if (!session_open(&sessions[ROOT]))
        abort();
}

void objects_released(uint64_t word)
{
    uint32_t index = object_index(word);
    input_forget(word);
    if (index == ROOT)
        return;
    if ((word & 0xff) == OBJECT_SESSION) {
        free(sessions[index].editor);
        if (sessions[index].completer.id != 0)
            completer_cap_release(&sessions[index].completer);
        if (sessions[index].interrupt != nullptr)
            capos_server_fail(sessions[index].interrupt, STATUS_DISCONNECTED,
                              "nobody holds the session any more");
        sessions[index] = (struct session){};
    } else {
        programs[index].open = false;
        programs[index].foreground_turn = 0;
    }
    input_pump();
}
