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
    if (params->object == WIRE_CAP_NULL) {
        echo_pass_reply(call, &(struct echo_pass_results){.object = WIRE_CAP_NULL}, nullptr, 0);
        return;
    }
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

static void copy_record(struct echo_record_builder to, const struct echo_record *from)
{
    echo_record_set_name(to, from->name);
    echo_record_set_number(to, from->number);
    uint16_t tags[ECHO_RECORD_TAGS_COUNT_MAX];
    for (uint32_t i = 0; i < from->tags.count; i++)
        tags[i] = (uint16_t)wire_list_number(&from->tags, i);
    echo_record_set_tags(to, tags, from->tags.count);
}

static void on_records(void *, struct capos_server_call *call,
                       const struct echo_records_params *params)
{
    capos_cap_id subject;
    if (capos_server_take(call, params->subject, 0, &subject) != STATUS_OK) {
        capos_server_fail(call, STATUS_INVALID_ARGUMENT, "subject: a capability");
        return;
    }
    struct wire_builder message;
    struct echo_records_results_builder results =
        echo_records_reply_begin(call, &message, call->params_bytes);
    uint32_t count = params->records.count;
    struct echo_record_list_builder records = echo_records_results_init_records(results, count);
    for (uint32_t i = 0; i < count; i++) {
        struct echo_record record;
        if (echo_record_at(&params->records, count - 1 - i, &record) == STATUS_OK)
            copy_record(echo_record_element(records, i), &record);
    }
    echo_records_results_set_subject(results, 0);
    struct capos_transfer transfer = capos_transfer_move(subject);
    echo_records_reply(call, &message, &transfer, 1);
}

static void on_call(void *context, struct capos_server_call *call)
{
    static const struct echo_server_ops ops = {
        .echo = on_echo, .pass = on_pass, .ping = on_ping, .records = on_records};
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
