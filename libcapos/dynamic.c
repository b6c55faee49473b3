// SPDX-License-Identifier: MIT
// Calls by descriptor: build, call, read.  Tested booted, by tests/cli/shell_test.py.
#include <capos/dynamic.h>

#include <lib/fmt.h>
#include <string.h>

static uint32_t bounded(uint32_t bytes)
{
    return bytes < CAPOS_MESSAGE_BYTES_MAX ? bytes : CAPOS_MESSAGE_BYTES_MAX;
}

static enum status explain(struct capos_dynamic_call *call, enum status status,
                           const char *reason)
{
    fmt_format(call->problem.text, sizeof call->problem.text, "%s", reason);
    return status;
}

static enum status submit(struct capos_dynamic_call *call, const struct value_message *message,
                          capos_cap_id cap, uint64_t interface_id, uint16_t ordinal)
{
    struct capos_transfer transfers[CAPOS_TRANSFER_COUNT_MAX];
    for (uint32_t i = 0; i < message->capability_count; i++)
        transfers[i] = capos_transfer_copy(message->capabilities[i]);
    return capos_call_submit(&call->call, cap, interface_id, ordinal, message->size_bytes,
                             transfers, message->capability_count);
}

static enum status read_results(struct capos_dynamic_call *call,
                                const struct descriptor *descriptor, uint32_t of,
                                struct value_arena *arena)
{
    struct value_capability capabilities[CAPOS_TRANSFER_COUNT_MAX];
    for (uint32_t i = 0; i < call->call.cap_count; i++)
        capabilities[i] =
            (struct value_capability){call->call.caps[i].cap, call->call.caps[i].interface_id};
    enum status status =
        value_read(descriptor, of, call->call.results, call->call.results_bytes, capabilities,
                   call->call.cap_count, arena, &call->results);
    if (status == STATUS_OVERLOADED)
        return explain(call, status, "the results have more parts than there is room for");
    if (status != STATUS_OK)
        return explain(call, status, "the results aren't what the schema says");
    return STATUS_OK;
}

enum status capos_dynamic_begin(struct capos_dynamic_call *call,
                                const struct descriptor *descriptor, capos_cap_id cap,
                                uint64_t interface_id, const struct descriptor_method *method,
                                const struct value_item *arguments, uint32_t argument_count)
{
    uint32_t params_bytes = (bounded(value_bytes_max(descriptor, method->params)) + 7) & ~7u;
    uint32_t result_bytes = (bounded(value_bytes_max(descriptor, method->results)) + 7) & ~7u;
    struct value_message message = {.buffer_bytes = params_bytes};
    call->begun = false;
    call->results = (struct value){.kind = VALUE_STRUCT};
    message.buffer =
        capos_call_begin(&call->call, params_bytes, CAPOS_TRANSFER_COUNT_MAX, result_bytes,
                         value_capability_count(descriptor, method->results));
    if (message.buffer == nullptr)
        return explain(call, STATUS_OVERLOADED, "there is no memory for the message");
    enum status status = value_build(descriptor, method->params, arguments, argument_count,
                                     &message, &call->problem);
    if (status == STATUS_OK) {
        status = submit(call, &message, cap, interface_id, method->ordinal);
        if (status != STATUS_OK)
            explain(call, status, "too many calls are under way");
    }
    if (status != STATUS_OK)
        return capos_call_abandon(&call->call, status);
    call->begun = true;
    call->results_of = method->results;
    return STATUS_OK;
}

enum status capos_dynamic_finish(struct capos_dynamic_call *call,
                                 const struct descriptor *descriptor, struct value_arena *arena)
{
    enum status status = capos_call_wait(&call->call);
    if (status != STATUS_OK)
        return explain(call, status,
                       status <= STATUS_INVALID_ARGUMENT ? capos_last_exception()->reason : "");
    return read_results(call, descriptor, call->results_of, arena);
}

enum status capos_dynamic_call(struct capos_dynamic_call *call,
                               const struct descriptor *descriptor, capos_cap_id cap,
                               uint64_t interface_id, const struct descriptor_method *method,
                               const struct value_item *arguments, uint32_t argument_count,
                               struct value_arena *arena)
{
    enum status status = capos_dynamic_begin(call, descriptor, cap, interface_id, method,
                                             arguments, argument_count);
    return status == STATUS_OK ? capos_dynamic_finish(call, descriptor, arena) : status;
}

bool capos_dynamic_keep(struct capos_dynamic_call *call, capos_cap_id cap)
{
    capos_cap_id taken;
    for (uint32_t i = 0; call->begun && i < call->call.cap_count; i++)
        if (call->call.caps[i].cap == cap)
            return capos_call_take(&call->call, i, 0, &taken) == STATUS_OK;
    return false;
}

void capos_dynamic_end(struct capos_dynamic_call *call)
{
    if (call->begun)
        (void)capos_call_end(&call->call, STATUS_OK);
    call->begun = false;
}
