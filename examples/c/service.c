// SPDX-License-Identifier: MIT
// A service and its clients, in one process to be short: it mints two objects on an Endpoint,
// is called through both, and revokes one.  docs/how-to/service.md goes through it.
//
//     ./capos run examples/c/service.c
#include <capos/loop.h>
#include <capos/server.h>

#include <gen/capos/echo.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

// ---- The service -------------------------------------------------------------------

// The word was chosen when the object was minted: it says which one is called.
static void on_ping(void *, struct capos_server_call *call,
                    const struct echo_ping_params *params)
{
    printf("service: object %" PRIu64 " is asked for %" PRIu64 "\n", call->word, params->first);
    echo_ping_reply(call, &(struct echo_ping_results){.first = params->first});
}

static void on_call(void *context, struct capos_server_call *call)
{
    static const struct echo_server_ops ops = {.ping = on_ping}; // the others: unimplemented
    echo_serve(&ops, context, call);
}

static void on_released(void *, uint64_t word)
{
    printf("service: nobody holds object %" PRIu64 " any more\n", word);
}

// ---- A client ----------------------------------------------------------------------

static void require(enum status status, const char *what)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "service: %s: %s\n", what, status_name(status));
    exit(1);
}

static void answered(struct capos_call *call, void *context)
{
    uint64_t first = 0;
    enum status status = echo_ping_finish(call, &first, nullptr, nullptr);
    printf("%s: %s, %" PRIu64 "\n", (const char *)context, status_name(status), first);
    capos_loop_stop();
}

// Calls and lets the loop run, in which the service answers, until the answer is there.
static void ask(const char *who, echo_cap object, uint64_t number)
{
    static struct capos_call call;
    require(echo_ping_begin(&call, object, number, 0, 0), "ping");
    capos_call_on_done(&call, answered, (void *)(uintptr_t)who);
    capos_loop_run();
}

int main(void)
{
    memory_budget_cap budget;
    endpoint_cap endpoint;
    echo_cap first, second;
    require(memory_budget_cap_find("budget", &budget), "budget");
    require(memory_budget_create_endpoint(budget, 16, &endpoint), "an endpoint");
    require(endpoint_mint(endpoint, INTERFACE_ECHO, 1, &first.id), "mint");
    require(endpoint_mint(endpoint, INTERFACE_ECHO, 2, &second.id), "mint");

    static struct capos_server server;
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    require(capos_server_start(&server, endpoint.id, &handlers, nullptr, nullptr), "serve");

    ask("first", first, 10);
    ask("second", second, 20);
    require(endpoint_revoke(endpoint, first.id), "revoke");
    ask("first", first, 30);
    ask("second", second, 40);
    echo_cap_release(&second);
    capos_loop_step(true);
    return 0;
}
