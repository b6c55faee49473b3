// SPDX-License-Identifier: MIT
// What a client of a restarted service sees, a line for each call; the program of
// system/test-restart.capnp, read by tests/cli/restart_test.py.
#include <capos/panic.h>

#include <gen/capos/echo.h>
#include <gen/capos/timer.h>
#include <stdio.h>

constexpr uint64_t PING = 0, PING_FAULT = 1, PING_EXIT = 1000; // of crash_server.c
constexpr uint64_t DELAY_NS = 20'000'000;                      // of the manifest

static timer_cap timer;

// Names the server's process by the order in which processes were seen.
static uint32_t process_order(uint64_t process)
{
    static uint64_t seen[16];
    uint32_t i = 0;
    while (i < 15 && seen[i] != 0 && seen[i] != process)
        i++;
    seen[i] = process;
    return i;
}

static void say(const char *what, enum status status, uint64_t process)
{
    if (status == STATUS_OK)
        printf("%s: answered by process %u\n", what, process_order(process));
    else
        printf("%s: %s\n", what, status_name(status));
}

static void ping(const char *what, echo_cap server, uint64_t first)
{
    uint64_t process = 0;
    enum status status = echo_ping(server, first, 0, 0, nullptr, &process, nullptr);
    say(what, status, process);
}

// The second call waits in the endpoint while the first ends the server.
static void ping_behind_a_fault(echo_cap server)
{
    struct capos_call fatal, queued;
    uint64_t process = 0;
    if (echo_ping_begin(&fatal, server, PING_FAULT, 0, 0) != STATUS_OK ||
        echo_ping_begin(&queued, server, PING, 0, 0) != STATUS_OK)
        capos_panic("restart_client: can't begin two calls");
    say("under way", echo_ping_finish(&fatal, nullptr, nullptr, nullptr), 0);
    enum status status = echo_ping_finish(&queued, nullptr, &process, nullptr);
    say("queued", status, process);
}

static uint64_t now_ns(void)
{
    uint64_t time_ns;
    if (timer_now(timer, &time_ns) != STATUS_OK)
        capos_panic("restart_client: can't read the clock");
    return time_ns;
}

static void crash_in_a_row(echo_cap server, uint32_t restarts_max)
{
    for (uint32_t i = 0; i < restarts_max; i++) {
        uint64_t begin_ns = now_ns();
        ping("crash", server, PING_FAULT);
        ping("next", server, PING);
        printf("waited long enough: %s\n", now_ns() - begin_ns >= DELAY_NS << i ? "yes" : "no");
    }
    ping("last crash", server, PING_FAULT);
    ping("given up", server, PING);
}

int main(void)
{
    echo_cap flaky, worker;
    if (echo_cap_find("flaky", &flaky) != STATUS_OK ||
        echo_cap_find("worker", &worker) != STATUS_OK ||
        timer_cap_find("timer", &timer) != STATUS_OK)
        capos_panic("restart_client: needs the grants of system/test-restart.capnp");
    ping("first", worker, PING);
    ping_behind_a_fault(worker);
    ping("exit with 3", worker, PING_EXIT + 3);
    ping("after it", worker, PING);
    ping("exit with 0", worker, PING_EXIT);
    ping("after that", worker, PING);
    crash_in_a_row(flaky, 3);
    return 0;
}
