// SPDX-License-Identifier: MIT
// Watching a call that a server received and keeps.  See <capos/server.h>.
//
// Apart from server.c, so that a server that watches nothing doesn't have the client of Endpoint.
// Tested by tests/system/files_test.c, whose services watch who waits for a change.
#include <capos/server.h>

#include <capos/loop.h>
#include <gen/capos/endpoint.h>

enum status capos_server_watch(const struct capos_server_call *call, struct capos_call *watch,
                               void (*on_ended)(struct capos_call *watch, void *context),
                               void *context)
{
    endpoint_cap endpoint = {call->server->endpoint};
    enum status status = endpoint_watch_begin(watch, endpoint, call->call_id);
    if (status == STATUS_OK)
        capos_call_on_done(watch, on_ended, context);
    return status;
}

enum status capos_server_watch_finish(struct capos_call *watch, bool *out_answered)
{
    return endpoint_watch_finish(watch, out_answered);
}
