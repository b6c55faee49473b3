// SPDX-License-Identifier: MIT
// Talks with a person through a TerminalSession: line editing, history, completion, raw keys,
// and programs in the foreground.  It needs `capos run --tty`; `run` also needs --grant spawner
// and --grant boot.
#include <capos/capset.h>
#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>
#include <capos/spawn.h>

#include <gen/capos/boot_package.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <gen/capos/terminal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t CALLS_MAX = 4;
constexpr uint32_t COMPLETER_WORD = 1;

static terminal_session_cap terminal;

static void require(enum status status, const char *what)
{
    if (status != STATUS_OK)
        capos_panic("talk: %s: %s", what, status_name(status));
}

static void show(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void show(const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t bytes = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    require(terminal_session_write(terminal, text, bytes), "writing");
}

// ---- Completion --------------------------------------------------------------------

static const char *const commands[] = {"help", "history", "keys", "quit", "run", "say", "size"};
constexpr size_t COMMAND_COUNT = sizeof commands / sizeof *commands;

// The commands that begin with what stands before the cursor.
static void on_complete(void *, struct capos_server_call *call,
                        const struct completer_complete_params *params)
{
    char found[128];
    uint32_t bytes = 0, cursor = params->cursor;
    if (cursor > params->line.size_bytes)
        cursor = params->line.size_bytes;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strncmp(commands[i], params->line.text, cursor) == 0)
            bytes += (uint32_t)snprintf(found + bytes, sizeof found - bytes, "%s%s",
                                        bytes != 0 ? "\n" : "", commands[i]);
    found[bytes] = '\0';
    completer_complete_reply(
        call, &(struct completer_complete_results){.start = 0, .candidates = {found, bytes}});
}

static void on_call(void *, struct capos_server_call *call)
{
    static const struct completer_server_ops ops = {.complete = on_complete};
    completer_serve(&ops, nullptr, call);
}

static void completer_start(void)
{
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    static const struct capos_server_options options = {
        .receive_count = 1, .message_bytes_max = COMPLETER_COMPLETE_PARAMS_BYTES_MAX};
    memory_budget_cap budget;
    endpoint_cap endpoint;
    completer_cap completer;
    require(memory_budget_cap_find("budget", &budget), "its budget");
    require(memory_budget_create_endpoint(budget, CALLS_MAX, &endpoint), "an endpoint");
    require(endpoint_mint(endpoint, INTERFACE_COMPLETER, COMPLETER_WORD, &completer.id),
            "a completer");
    require(capos_server_start(&server, endpoint.id, &handlers, nullptr, &options), "serving");
    require(terminal_session_set_completer(terminal, completer), "the completer");
}

// ---- Programs in the foreground ----------------------------------------------------

// Starts a program of the boot package that holds a StdIO and nothing else.
static enum status start(const char *name, uint32_t *out_program,
                         process_handle_cap *out_process)
{
    struct capos_spawner spawner;
    struct capos_image image;
    struct capos_process process;
    boot_package_cap boot;
    memory_budget_cap budget;
    memory_object_cap file;
    virtual_memory_cap memory;
    stdio_cap stdio;
    uint64_t bytes;
    enum status status = capos_spawner_find(&spawner);
    if (status == STATUS_OK)
        status = boot_package_cap_find("boot", &boot);
    if (status == STATUS_OK)
        status = memory_budget_cap_find("budget", &budget);
    if (status == STATUS_OK)
        status = virtual_memory_cap_find("memory", &memory);
    if (status == STATUS_OK)
        status = boot_package_open(boot, name, strlen(name), &file, &bytes);
    if (status != STATUS_OK)
        return status;
    status = capos_image_open(&image, &spawner, file, bytes);
    if (status == STATUS_OK) {
        require(terminal_session_open_program(terminal, out_program, &stdio), "a StdIO");
        const struct capos_spawn_grant grants[] = {
            {"stdio", capos_transfer_move(stdio.id)},
            {"memory", capos_transfer_copy(memory.id)},
        };
        status = capos_spawn(&spawner, &image,
                             &(struct capos_spawn_request){.name = name,
                                                           .budget = budget,
                                                           .grants = grants,
                                                           .grant_count = 2,
                                                           .arguments = &name,
                                                           .argument_count = 1},
                             &process);
        *out_process = process.handle;
        capos_image_close(&image, &spawner);
    }
    memory_object_cap_release(&file);
    return status;
}

static void run(const char *name)
{
    uint32_t program;
    process_handle_cap process;
    enum end_kind kind;
    int64_t code;
    enum status status = start(name, &program, &process);
    if (status != STATUS_OK) {
        show("can't run %s: %s\n", name, status_name(status));
        return;
    }
    require(terminal_session_foreground(terminal, program, process), "the foreground");
    require(
        process_handle_wait(process, &kind, &code, nullptr, nullptr, nullptr, nullptr, nullptr),
        "waiting");
    show("%s: %s %lld\n", name, end_kind_name(kind), (long long)code);
    process_handle_cap_release(&process);
}

// ---- Commands ----------------------------------------------------------------------

static void size(void)
{
    uint16_t columns, rows;
    bool is_terminal;
    require(terminal_session_size(terminal, &columns, &rows, &is_terminal), "the size");
    show("%u columns, %u rows%s\n", columns, rows, is_terminal ? "" : ", no terminal");
}

static void history(void)
{
    char line[256];
    bool found;
    size_t bytes;
    for (uint32_t age = 0; terminal_session_history_line(terminal, age, &found, line,
                                                         sizeof line, &bytes) == STATUS_OK &&
                           found;
         age++)
        show("%u: %s\n", age, line);
}

// Shows the bytes of keys until q.
static void keys(void)
{
    uint8_t data[16] = {};
    size_t bytes = 1;
    require(terminal_session_set_mode(terminal, TERMINAL_MODE_RAW), "the mode");
    show("press keys, q ends\n");
    while (bytes != 0 && data[0] != 'q') {
        require(terminal_session_read(terminal, sizeof data, data, sizeof data, &bytes),
                "reading");
        for (size_t i = 0; i < bytes; i++)
            show("<%02x>", data[i]);
    }
    show("\n");
    require(terminal_session_set_mode(terminal, TERMINAL_MODE_LINE), "the mode");
}

// False: to end.
static bool obey(const char *line)
{
    if (strcmp(line, "quit") == 0)
        return false;
    if (strcmp(line, "help") == 0)
        show("help history keys quit run PROGRAM say TEXT size\n");
    else if (strcmp(line, "history") == 0)
        history();
    else if (strcmp(line, "keys") == 0)
        keys();
    else if (strcmp(line, "size") == 0)
        size();
    else if (strncmp(line, "say ", 4) == 0)
        show("%s\n", line + 4);
    else if (strncmp(line, "run ", 4) == 0)
        run(line + 4);
    else if (line[0] != '\0')
        show("what is \"%s\"?\n", line);
    return true;
}

static void line_came(struct capos_call *, void *)
{
    capos_loop_stop();
}

// Reads a line while the completer is served.
static enum line_end read_line(char *line, size_t line_max)
{
    struct capos_call call;
    enum line_end end;
    static const char prompt[] = "talk> ";
    require(terminal_session_read_line_begin(&call, terminal, prompt, sizeof prompt - 1),
            "asking for a line");
    capos_call_on_done(&call, line_came, nullptr);
    capos_loop_run();
    require(terminal_session_read_line_finish(&call, &end, line, line_max, nullptr),
            "reading a line");
    return end;
}

int main(void)
{
    static char line[4097];
    enum line_end end = LINE_END_ENTERED;
    if (terminal_session_cap_find("terminal", &terminal) != STATUS_OK)
        capos_panic("talk: needs a TerminalSession: capos run --tty talk");
    completer_start();
    while (end != LINE_END_INPUT_ENDED) {
        end = read_line(line, sizeof line);
        if (end == LINE_END_INTERRUPTED)
            show("interrupted\n");
        if (end == LINE_END_ENTERED && !obey(line))
            break;
    }
    show("bye\n");
    return 0;
}
