// SPDX-License-Identifier: MIT
// A server of Echo: answers every call with what it brought.  Started with the endpoint that
// it serves, granted as "endpoint".
#include <capos/capset.h>
#include <capos/loop.h>
#include <capos/panic.h>
#include <capos/server.h>
#include <gen/capos/echo.h>
#include <gen/interfaces.h>
#include <string.h>

static void on_echo(void *, struct capos_server_call *call,
                    const struct echo_echo_params *params)
{
    echo_echo_reply(call, &(struct echo_echo_results){.data = params->data});
}

static void on_pass(void *, struct capos_server_call *call,
                    const struct echo_pass_params *params)
{
    capos_cap_id object;
    enum status status = capos_server_take(call, params->object, 0, &object);
    if (status != STATUS_OK) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "object: a capability");
        return;
    }
    struct capos_transfer transfer = capos_transfer_move(object);
    echo_pass_reply(call, &(struct echo_pass_results){.object = 0}, &transfer, 1);
}

static void on_ping(void *, struct capos_server_call *call,
                    const struct echo_ping_params *params)
{
    echo_ping_reply(call, &(struct echo_ping_results){
                              .first = params->first,
                              .second = params->second,
                              .third = params->third,
                          });
}

static void on_call(void *context, struct capos_server_call *call)
{
    static const struct echo_server_ops ops = {
        .echo = on_echo, .pass = on_pass, .ping = on_ping};
    echo_serve(&ops, context, call);
}

// With the argument "large" it takes messages of 4 KiB, into memory outside the ring.
int main(int argc, char **argv)
{
    capos_cap_id endpoint;
    if (capos_find("endpoint", INTERFACE_ENDPOINT, &endpoint) != STATUS_OK)
        capos_panic("echo_server: needs the Endpoint that it serves, granted as \"endpoint\"");
    bool large = argc > 1 && strcmp(argv[1], "large") == 0;
    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call};
    enum status status =
        capos_server_start(&server, endpoint, &handlers, nullptr,
                           &(struct capos_server_options){
                               .receive_count = 2, .message_bytes_max = large ? 4096 + 64 : 0});
    if (status != STATUS_OK)
        capos_panic("echo_server: %s", status_name(status));
    capos_loop_run();
    return 0;
}
