// SPDX-License-Identifier: MIT
// Owns the event loop between the machine and our descriptors; the protocol is link.c's.
//
//  1. Nothing blocks but poll, and the writing of a trace, which goes where a person said:
//     a reader that doesn't read holds up its own stream only, and the guest notices by the
//     credit that it doesn't get.
//  2. Memory is bounded: a window per stream, one frame of input, the end of the log.
//  3. The machine is ended as soon as its last frame is here; the output that is still
//     queued is written afterwards.
//
// Tested by tests/cli, booted.
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "link.h"
#include "outflow.h"
#include "terminal.h"

constexpr uint64_t HELLO_TIMEOUT_MS = 60 * 1000; // emulation on a busy machine is slow
constexpr uint64_t LAST_WORDS_GRACE_MS = 500;    // for the rest of the report

// What the serial port says when nothing will come over the link any more.
static const struct {
    const char *mark, *reason;
} last_words[] = {
    {"\npanic: kernel/", "the kernel panicked"},
    {"init: service hostlink ended", "the service that talks to this command ended"},
    {"init: the program ", "init could not report how the program ended"},
};

enum poll_slot { SIGNALS, SERIAL, QEMU_ERRORS, LINK, INPUT, OUTPUT, ERROR_OUTPUT, SLOT_COUNT };

struct loop {
    struct session *session;
    struct machine *machine;
    struct link link;
    void (*on_trace)(void *context, const uint8_t *data, size_t size_bytes); // or nullptr
    void *trace_context;
    struct outflow outflows[LINK_STREAM_COUNT];
    struct pollfd slots[SLOT_COUNT];
    uint64_t deadline_ms;       // of the run; UINT64_MAX: none
    uint64_t guest_deadline_ms; // for HELLO; after last words, for the rest of them
    bool spoke_last;            // one of the last words was there
    bool machine_gone;          // ended by us, with `session->end` set
    bool verbose;
    bool done;
};

static uint64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

// The signals that end a run, and SIGWINCH, which doesn't.
static sigset_t session_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGWINCH);
    return set;
}

void session_prepare(void)
{
    sigset_t set = session_signals();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
}

// ---- Ends --------------------------------------------------------------------------

// Ends the machine; output that is queued is still written.
static void end_machine(struct loop *loop, enum session_end end)
{
    if (loop->machine_gone)
        return;
    loop->machine_gone = true;
    loop->session->end = end;
    machine_end(loop->machine);
}

// Ends everything now.
static void end_now(struct loop *loop, enum session_end end)
{
    if (!loop->machine_gone)
        end_machine(loop, end);
    loop->session->end = end;
    loop->done = true;
}

// Ends the machine for a reason, unless an earlier one (last words) is known.
static void end_failed(struct loop *loop, const char *reason)
{
    if (loop->session->reason[0] == 0)
        snprintf(loop->session->reason, sizeof loop->session->reason, "%s", reason);
    end_machine(loop, SESSION_FAILED);
}

// ---- The log -----------------------------------------------------------------------

// Appends to the log, dropping its older half when it is full.
static void log_append(struct session *session, const char *bytes, size_t count)
{
    while (count > 0) {
        if (session->log_bytes == SESSION_LOG_BYTES) {
            session->log_bytes /= 2;
            memmove(session->log, session->log + session->log_bytes, session->log_bytes);
        }
        size_t room = SESSION_LOG_BYTES - session->log_bytes;
        size_t part = count < room ? count : room;
        memcpy(session->log + session->log_bytes, bytes, part);
        session->log_bytes += part;
        bytes += part;
        count -= part;
    }
    session->log[session->log_bytes] = 0;
}

// Gives the machine a moment to finish its report when it can't go on.
static void recognise_last_words(struct loop *loop)
{
    struct session *session = loop->session;
    for (size_t i = 0; !loop->spoke_last && i < sizeof last_words / sizeof *last_words; i++) {
        if (strstr(session->log, last_words[i].mark) == nullptr)
            continue;
        loop->spoke_last = true;
        loop->guest_deadline_ms = now_ms() + LAST_WORDS_GRACE_MS;
        snprintf(session->reason, sizeof session->reason, "%s", last_words[i].reason);
    }
}

// Reads what the kernel or QEMU printed.  A closed socket is no longer polled.
static void read_log(struct loop *loop, enum poll_slot slot)
{
    char bytes[4096];
    ssize_t count = read(loop->slots[slot].fd, bytes, sizeof bytes);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        loop->slots[slot].fd = -1;
        return;
    }
    if (loop->verbose && write(2, bytes, (size_t)count) < 0)
        loop->verbose = false;
    log_append(loop->session, bytes, (size_t)count);
    recognise_last_words(loop);
}

// Reads what is left of the logs of a machine that is about to be ended.
static void drain_logs(struct loop *loop)
{
    for (int slot = SERIAL; slot <= QEMU_ERRORS; slot++) {
        size_t before = SIZE_MAX;
        while (loop->slots[slot].fd >= 0 && before != loop->session->log_bytes) {
            before = loop->session->log_bytes;
            read_log(loop, (enum poll_slot)slot);
        }
    }
}

// ---- The link ----------------------------------------------------------------------

static void take_event(struct loop *loop, const struct link_event *event)
{
    struct session *session = loop->session;
    switch (event->kind) {
    case LINK_NOTHING:
        break;
    case LINK_HELLO:
        if (!loop->spoke_last)
            loop->guest_deadline_ms = UINT64_MAX;
        break;
    case LINK_DATA:
        outflow_put(&loop->outflows[event->stream], event->data, event->data_bytes);
        break;
    case LINK_TRACE:
        if (loop->on_trace != nullptr)
            loop->on_trace(loop->trace_context, event->data, event->data_bytes);
        break;
    case LINK_FINISH:
        session->finish = event->finish;
        end_machine(loop, SESSION_FINISHED);
        break;
    case LINK_REFUSE:
        session->refusal = event->refusal;
        snprintf(session->reason, sizeof session->reason, "%.*s", (int)event->data_bytes,
                 (const char *)event->data);
        end_machine(loop, SESSION_REFUSED);
        break;
    case LINK_BROKEN:
        end_failed(loop, event->problem);
        break;
    }
}

static void receive(struct loop *loop)
{
    uint8_t *space;
    size_t room = link_input_space(&loop->link, &space);
    ssize_t count = read(loop->machine->link_fd, space, room);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (count <= 0) {
        drain_logs(loop);
        end_failed(loop, "the machine ended by itself");
        return;
    }
    link_input_received(&loop->link, (size_t)count);
    struct link_event event;
    do {
        event = link_next(&loop->link);
        take_event(loop, &event);
    } while (event.kind != LINK_NOTHING && !loop->machine_gone);
}

static void transmit(struct loop *loop)
{
    const uint8_t *bytes;
    size_t count = link_output(&loop->link, &bytes);
    if (count == 0)
        return;
    ssize_t sent = send(loop->machine->link_fd, bytes, count, MSG_NOSIGNAL);
    if (sent > 0)
        link_output_sent(&loop->link, (size_t)sent);
    // An error means that the machine is gone; receive() notices.
}

// ---- Our own descriptors -----------------------------------------------------------

static void read_input(struct loop *loop)
{
    uint8_t *space;
    size_t room = link_stdin_space(&loop->link, &space);
    if (room == 0)
        return;
    ssize_t count = read(0, space, room);
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    link_stdin_read(&loop->link, count > 0 ? (size_t)count : 0);
}

static void write_output(struct loop *loop, enum link_stream stream, short revents)
{
    struct outflow *outflow = &loop->outflows[stream];
    if (revents & (POLLERR | POLLHUP | POLLNVAL))
        outflow->closed = true;
    size_t written = outflow_write(outflow);
    link_data_written(&loop->link, stream, written);
    if (outflow->closed)
        link_stream_closed(&loop->link, stream);
}

static void read_signal(struct loop *loop)
{
    struct signalfd_siginfo info;
    if (read(loop->slots[SIGNALS].fd, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGWINCH) {
        struct capos_link_info terminal = terminal_describe();
        link_tell_info(&loop->link, &terminal);
        return;
    }
    loop->session->signal = (int)info.ssi_signo;
    end_now(loop, SESSION_SIGNALLED);
}

// ---- The loop ----------------------------------------------------------------------

static void choose_events(struct loop *loop)
{
    struct pollfd *slots = loop->slots;
    if (loop->machine_gone)
        slots[SERIAL].fd = slots[QEMU_ERRORS].fd = slots[LINK].fd = slots[INPUT].fd = -1;
    const uint8_t *bytes;
    uint8_t *space;
    slots[LINK].events = POLLIN;
    if (link_output(&loop->link, &bytes) > 0)
        slots[LINK].events |= POLLOUT;
    if (slots[LINK].fd >= 0)
        slots[INPUT].fd = link_stdin_space(&loop->link, &space) > 0 ? 0 : -1;
    for (int i = 0; i < LINK_STREAM_COUNT; i++) {
        struct outflow *outflow = &loop->outflows[i];
        slots[OUTPUT + i].events = outflow->count > 0 ? POLLOUT : 0;
        // A closed stream would only repeat its error; its bytes are dropped below.
        slots[OUTPUT + i].fd = outflow->closed ? -1 : outflow->fd;
        if (outflow->closed && outflow->count > 0)
            write_output(loop, (enum link_stream)i, 0);
    }
}

static int poll_timeout_ms(const struct loop *loop)
{
    uint64_t deadline = loop->deadline_ms;
    if (!loop->machine_gone && loop->guest_deadline_ms < deadline)
        deadline = loop->guest_deadline_ms;
    if (deadline == UINT64_MAX)
        return -1;
    uint64_t now = now_ms();
    uint64_t left = deadline > now ? deadline - now : 0;
    return left < 60000 ? (int)left : 60000;
}

static void check_deadlines(struct loop *loop)
{
    uint64_t now = now_ms();
    if (now >= loop->deadline_ms) {
        end_now(loop, SESSION_TIMED_OUT);
    } else if (!loop->machine_gone && now >= loop->guest_deadline_ms) {
        drain_logs(loop);
        end_failed(loop, "it did not start within 60 seconds");
    }
}

static void dispatch(struct loop *loop)
{
    struct pollfd *slots = loop->slots;
    if (slots[SIGNALS].revents)
        read_signal(loop);
    for (int slot = SERIAL; slot <= QEMU_ERRORS; slot++) {
        if (slots[slot].revents && !loop->machine_gone)
            read_log(loop, (enum poll_slot)slot);
    }
    if ((slots[LINK].revents & (POLLIN | POLLHUP | POLLERR)) && !loop->machine_gone)
        receive(loop);
    if (slots[INPUT].revents && !loop->machine_gone)
        read_input(loop);
    for (int i = 0; i < LINK_STREAM_COUNT; i++) {
        if (slots[OUTPUT + i].revents)
            write_output(loop, (enum link_stream)i, slots[OUTPUT + i].revents);
    }
    if (!loop->machine_gone)
        transmit(loop);
}

// What was read ahead of the program goes back to a file, so that in
// `while read line; do capos run ...; done < file` the loop keeps its lines.
static void give_back_input(const struct loop *loop)
{
    struct stat status;
    if (fstat(0, &status) == 0 && S_ISREG(status.st_mode))
        (void)lseek(0, -(off_t)link_stdin_unused(&loop->link), SEEK_CUR);
}

void session_run(struct session *session, struct machine *machine,
                 const struct session_options *options)
{
    static struct loop loop;
    sigset_t signals = session_signals();
    struct capos_link_info info = terminal_describe();
    *session = (struct session){};
    loop = (struct loop){.session = session,
                         .machine = machine,
                         .verbose = options->verbose,
                         .on_trace = options->on_trace,
                         .trace_context = options->trace_context};
    link_init(&loop.link, &info);
    loop.deadline_ms = options->timeout_ms > 0 ? now_ms() + options->timeout_ms : UINT64_MAX;
    loop.guest_deadline_ms = options->gdb ? UINT64_MAX : now_ms() + HELLO_TIMEOUT_MS;
    outflow_init(&loop.outflows[LINK_OUTPUT], 1);
    outflow_init(&loop.outflows[LINK_ERROR], 2);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    loop.slots[SIGNALS] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
    loop.slots[SERIAL] = (struct pollfd){.fd = machine->serial_fd, .events = POLLIN};
    loop.slots[QEMU_ERRORS] = (struct pollfd){.fd = machine->stderr_fd, .events = POLLIN};
    loop.slots[LINK] = (struct pollfd){.fd = machine->link_fd};
    loop.slots[INPUT] = (struct pollfd){.fd = 0, .events = POLLIN};
    if (options->tty)
        terminal_take_keys();
    while (!loop.done) {
        choose_events(&loop);
        if (loop.machine_gone && loop.outflows[0].count + loop.outflows[1].count == 0)
            break;
        int timeout = poll_timeout_ms(&loop);
        int ready = poll(loop.slots, SLOT_COUNT, timeout);
        if (ready < 0 && errno != EINTR)
            end_failed(&loop, strerror(errno));
        if (ready > 0)
            dispatch(&loop);
        check_deadlines(&loop);
    }
    session->output_error = loop.outflows[LINK_OUTPUT].error;
    terminal_restore();
    give_back_input(&loop);
    close(signal_fd);
}
