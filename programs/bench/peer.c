// SPDX-License-Identifier: MIT
// See peer.h.
#include "peer.h"

#include <capos/capset.h>
#include <capos/server.h>
#include <gen/capos/echo.h>
#include <gen/capos/memory_object.h>
#include <gen/capos/virtual_memory.h>
#include <gen/interfaces.h>
#include <stdlib.h>

#include "rows.h"
#include "setup.h"
#include "system.h"

static virtual_memory_cap memory;
static const void *kept; // the mapping of the first object

static uint64_t map(capos_cap_id object)
{
    uint64_t address;
    require(virtual_memory_map(memory, (memory_object_cap){object}, 0, SHARED_BYTES, 0,
                               PROTECTION_READ_WRITE, &address),
            "map of the peer");
    return address;
}

static void on_pass(void *, struct capos_server_call *call,
                    const struct echo_pass_params *params)
{
    capos_cap_id object;
    require(capos_server_take(call, params->object, INTERFACE_MEMORY_OBJECT, &object), "take");
    uint64_t address = map(object);
    *(volatile uint8_t *)address = 1;
    if (kept == nullptr)
        kept = (const void *)address;
    else
        require(virtual_memory_unmap(memory, address, SHARED_BYTES), "unmap of the peer");
    struct capos_transfer transfer = capos_transfer_move(object);
    echo_pass_reply(call, &(struct echo_pass_results){.object = 0}, &transfer, 1);
}

static void on_ping(void *, struct capos_server_call *call,
                    const struct echo_ping_params *params)
{
    rows_take(kept);
    echo_ping_reply(call, &(struct echo_ping_results){.first = params->first});
}

static void on_call(void *context, struct capos_server_call *call)
{
    static const struct echo_server_ops ops = {.pass = on_pass, .ping = on_ping};
    echo_serve(&ops, context, call);
}

static void on_released(void *, uint64_t)
{
    exit(0);
}

int peer_main(void)
{
    endpoint_cap endpoint;
    require(endpoint_cap_find("endpoint", &endpoint), "endpoint");
    require(virtual_memory_cap_find("memory", &memory), "memory");
    static const struct capos_server_handlers handlers = {.on_call = on_call,
                                                          .on_released = on_released};
    require(capos_serve(endpoint.id, &handlers, nullptr), "serve");
    return 0;
}
