// SPDX-License-Identifier: MIT
// A server of Echo that ends when a call tells it to: for tests of restarts.  `ping` with
// first = PING_FAULT faults, PING_EXIT + n exits with n; any other is answered with the
// server's process id as second.  It takes one call at a time, so that the next one waits
// in the Endpoint.
#include <capos/capset.h>
#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>

#include <gen/capos/echo.h>
#include <gen/interfaces.h>
#include <stdlib.h>

constexpr uint64_t PING_FAULT = 1;
constexpr uint64_t PING_EXIT = 1000;

static void on_ping(void *, struct capos_server_call *call,
                    const struct echo_ping_params *params)
{
    if (params->first == PING_FAULT)
        __builtin_trap();
    if (params->first >= PING_EXIT)
        exit((int)(params->first - PING_EXIT));
    echo_ping_reply(call, &(struct echo_ping_results){.first = params->first,
                                                      .second = capos_process_id()});
}

static void on_call(void *context, struct capos_server_call *call)
{
    static const struct echo_server_ops ops = {.ping = on_ping};
    echo_serve(&ops, context, call);
}

int main(void)
{
    capos_cap_id endpoint;
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    if (capos_find("endpoint", INTERFACE_ENDPOINT, &endpoint) != STATUS_OK)
        capos_panic("crash_server: needs its endpoint");
    if (capos_server_start(&server, endpoint, &handlers, nullptr,
                           &(struct capos_server_options){.receive_count = 1}) != STATUS_OK)
        capos_panic("crash_server: can't serve");
    capos_loop_run();
    return 0;
}
