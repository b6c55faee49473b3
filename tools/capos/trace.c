// SPDX-License-Identifier: MIT
// Owns the lines of `capos run --trace` and the rows of `--audit`.
//
//  1. Memory is bounded: what doesn't fit a table is counted or has no name.
//  2. A call has one line, written when it completes: they are in order of completion.
//  3. The records come from a guest: sizes are checked, and text is quoted.
//
// Tested by trace_test.c, and booted by tests/cli.
#include "trace.h"

#include <abi/ring.h>
#include <gen/status.h>
#include <gen/wire/errors.h>
#include <gen/wire/process.h>
#include <string.h>

#include "trace_message.h"

void trace_init(struct trace *trace, FILE *lines, bool json)
{
    memset(trace, 0, sizeof *trace);
    trace->lines = lines;
    trace->json = json;
}

static void write_line(struct trace *trace, const struct text *text)
{
    if (trace->lines == nullptr)
        return;
    fprintf(trace->lines, "%s\n", text->bytes);
    fflush(trace->lines);
}

// ---- Names -------------------------------------------------------------------------

static const struct trace_grant *find_grant(const struct trace *trace, uint64_t cap)
{
    for (uint32_t i = 0; i < trace->grant_count; i++) {
        if (trace->grants[i].cap == cap)
            return &trace->grants[i];
    }
    return nullptr;
}

// The name in the CapSet, else "#SLOT.GENERATION".
static void add_cap_name(void *context, struct text *text, uint64_t cap)
{
    const struct trace_grant *grant = find_grant(context, cap);
    if (grant != nullptr)
        text_addf(text, "%s", grant->name);
    else
        text_addf(text, "#%u.%u", (uint32_t)cap, (uint32_t)(cap >> 32));
}

static void add_interface(struct text *text, uint64_t id)
{
    struct descriptor_interface interface;
    if (descriptor_interface_by_id(trace_schema(), id, &interface))
        text_addf(text, "%s", interface.name);
    else
        text_addf(text, "0x%llx", (unsigned long long)id);
}

static bool find_method(uint64_t interface_id, uint16_t ordinal,
                        struct descriptor_method *out_method)
{
    struct descriptor_interface interface;
    return descriptor_interface_by_id(trace_schema(), interface_id, &interface) &&
           descriptor_method_at(trace_schema(), &interface, ordinal, out_method);
}

static void add_method(struct text *text, uint64_t interface_id, uint16_t ordinal)
{
    struct descriptor_method method;
    if (find_method(interface_id, ordinal, &method))
        text_addf(text, "%s", method.name);
    else
        text_addf(text, "method%u", ordinal);
}

// A name from the guest: what isn't printable becomes a question mark.
static void copy_name(char *to, size_t to_bytes, const struct capos_trace_record *record,
                      const uint8_t *captured)
{
    size_t count = record->captured_bytes < to_bytes ? record->captured_bytes : to_bytes - 1;
    for (size_t i = 0; i < count; i++)
        to[i] = captured[i] > 0x20 && captured[i] < 0x7f && captured[i] != '"' &&
                        captured[i] != '\\'
                    ? (char)captured[i]
                    : '?';
    to[count] = 0;
}

// ---- The audit ---------------------------------------------------------------------

static uint32_t find_use(struct trace *trace, const struct capos_trace_record *record)
{
    bool release = record->kind == CAPOS_TRACE_RELEASE;
    for (uint32_t i = 0; i < trace->use_count; i++) {
        const struct trace_use *use = &trace->uses[i];
        if (use->cap == record->cap && use->interface_id == record->interface_id &&
            use->method == record->method && use->release == release)
            return i;
    }
    if (trace->use_count == TRACE_USES_MAX)
        return TRACE_USES_MAX;
    trace->uses[trace->use_count] = (struct trace_use){.cap = record->cap,
                                                       .interface_id = record->interface_id,
                                                       .method = record->method,
                                                       .release = release};
    return trace->use_count++;
}

static uint32_t count_use(struct trace *trace, const struct capos_trace_record *record)
{
    uint32_t use = find_use(trace, record);
    if (use == TRACE_USES_MAX)
        trace->unused_count++;
    else
        trace->uses[use].calls++;
    return use;
}

void trace_write_audit(const struct trace *trace, FILE *file)
{
    fprintf(file, "process\tid\tcapability\tmethod\tcalls\tfailed\n");
    for (uint32_t i = 0; i < trace->use_count; i++) {
        const struct trace_use *use = &trace->uses[i];
        struct text text = {};
        add_cap_name((void *)(uintptr_t)trace, &text, use->cap);
        text_addf(&text, "\t");
        add_interface(&text, use->interface_id);
        text_addf(&text, ".");
        if (use->release)
            text_addf(&text, "(release)");
        else
            add_method(&text, use->interface_id, use->method);
        fprintf(file, "%s\t%llu\t%s\t%llu\t%llu\n", trace->process_name,
                (unsigned long long)trace->process_id, text.bytes,
                (unsigned long long)use->calls, (unsigned long long)use->failures);
    }
    fprintf(file, "# %llu records were dropped, %llu calls found no row\n",
            (unsigned long long)trace->lost_count, (unsigned long long)trace->unused_count);
}

// ---- Calls -------------------------------------------------------------------------

static struct trace_call *find_call(struct trace *trace, uint64_t id)
{
    for (uint32_t i = 0; i < TRACE_CALLS_MAX; i++) {
        if (trace->calls[i].id == id)
            return &trace->calls[i];
    }
    return nullptr;
}

static void format_call_text(struct trace *trace, const struct capos_trace_record *record,
                             const struct trace_message *params, struct text *text)
{
    const struct trace_names names = {add_cap_name, trace};
    struct descriptor_method method;
    add_cap_name(trace, text, record->cap);
    text_addf(text, ": ");
    if (record->kind == CAPOS_TRACE_RELEASE) {
        text_addf(text, "release ");
        add_interface(text, record->interface_id);
        return;
    }
    add_interface(text, record->interface_id);
    text_addf(text, ".");
    add_method(text, record->interface_id, record->method);
    text_addf(text, "(");
    if (find_method(record->interface_id, record->method, &method))
        trace_message_text(params, method.params, &names, text);
    else
        text_addf(text, "%u bytes", record->message_bytes);
    text_addf(text, ")");
}

static void format_call_json(struct trace *trace, const struct capos_trace_record *record,
                             const struct trace_message *params, struct text *text)
{
    struct descriptor_method method;
    bool release = record->kind == CAPOS_TRACE_RELEASE;
    text_addf(text, "{\"event\":\"%s\",\"timeNs\":%llu,\"cap\":\"",
              release ? "release" : "call", (unsigned long long)record->time_ns);
    add_cap_name(trace, text, record->cap);
    text_addf(text, "\",\"interface\":\"");
    add_interface(text, record->interface_id);
    text_addf(text, "\"");
    if (release)
        return;
    text_addf(text, ",\"method\":\"");
    add_method(text, record->interface_id, record->method);
    text_addf(text, "\",\"paramsBytes\":%u,\"params\":", record->message_bytes);
    if (find_method(record->interface_id, record->method, &method))
        trace_message_json(params, method.params, text);
    else
        text_addf(text, "null");
}

static void take_call(struct trace *trace, const struct capos_trace_record *record,
                      const uint8_t *captured)
{
    uint32_t use = count_use(trace, record);
    struct trace_call *call = find_call(trace, 0);
    if (call == nullptr || record->id == 0)
        return; // its completion will find no call, as if it had been lost
    struct trace_message params = {
        .captured = captured,
        .captured_bytes = record->captured_bytes,
        .message_bytes = record->message_bytes,
        .transfer_count = record->transfer_count,
    };
    call->id = record->id;
    call->time_ns = record->time_ns;
    call->interface_id = record->interface_id;
    call->method = record->method;
    call->release = record->kind == CAPOS_TRACE_RELEASE;
    call->use = use;
    call->text.count = 0;
    call->text.cut = false;
    if (trace->lines == nullptr)
        return;
    if (trace->json)
        format_call_json(trace, record, &params, &call->text);
    else
        format_call_text(trace, record, &params, &call->text);
}

// ---- Completions -------------------------------------------------------------------

static void add_duration(struct text *text, uint64_t ns)
{
    if (ns < 1000)
        text_addf(text, " <%llu ns>", (unsigned long long)ns);
    else if (ns < 1000000)
        text_addf(text, " <%.1f us>", (double)ns / 1e3);
    else if (ns < 1000000000)
        text_addf(text, " <%.1f ms>", (double)ns / 1e6);
    else
        text_addf(text, " <%.3f s>", (double)ns / 1e9);
}

// The words of an exception; empty if there are none.
static struct wire_text reason_of(const struct capos_trace_record *record,
                                  const uint8_t *captured)
{
    static alignas(8) uint8_t message[CAPOS_TRACE_CAPTURE_BYTES_MAX];
    struct cap_exception exception;
    if ((record->flags & CAPOS_CQE_EXCEPTION) == 0 ||
        record->captured_bytes < record->message_bytes)
        return (struct wire_text){};
    memcpy(message, captured, record->message_bytes);
    if (cap_exception_decode(message, record->message_bytes, &exception) != STATUS_OK)
        return (struct wire_text){};
    return exception.reason;
}

// The name of an error that a guest may have made up.
static const char *error_name(int32_t result)
{
    return result < 0 && result >= -(int32_t)STATUS_PENDING
               ? status_name((enum status) - result)
               : "unknown";
}

static void format_completion_text(struct trace *trace, const struct trace_call *call,
                                   const struct capos_trace_record *record,
                                   const uint8_t *captured, struct text *text)
{
    const struct trace_names names = {add_cap_name, trace};
    struct descriptor_method method;
    text_addf(text, " = ");
    if (record->result < 0) {
        struct wire_text reason = reason_of(record, captured);
        text_addf(text, "%s", error_name(record->result));
        if (reason.size_bytes > 0) {
            text_addf(text, " ");
            text_add_quoted(text, reason.text, reason.size_bytes, false);
        }
    } else if (call->release) {
        text_addf(text, "ok");
    } else if (find_method(call->interface_id, call->method, &method)) {
        struct trace_message results = {
            .captured = captured,
            .captured_bytes = record->captured_bytes,
            .message_bytes = record->message_bytes,
            .transfer_count = record->transfer_count,
            .results = true,
        };
        text_addf(text, "(");
        trace_message_text(&results, method.results, &names, text);
        text_addf(text, ")");
    } else {
        text_addf(text, "(%u bytes)", record->message_bytes);
    }
    add_duration(text, record->time_ns - call->time_ns);
}

static void format_completion_json(const struct trace_call *call,
                                   const struct capos_trace_record *record,
                                   const uint8_t *captured, struct text *text)
{
    struct descriptor_method method;
    text_addf(text, ",\"durationNs\":%llu",
              (unsigned long long)(record->time_ns - call->time_ns));
    if (record->result < 0) {
        struct wire_text reason = reason_of(record, captured);
        text_addf(text, ",\"error\":\"%s\"", error_name(record->result));
        if (reason.size_bytes > 0) {
            text_addf(text, ",\"reason\":");
            text_add_quoted(text, reason.text, reason.size_bytes, false);
        }
    } else if (!call->release) {
        struct trace_message results = {
            .captured = captured,
            .captured_bytes = record->captured_bytes,
            .message_bytes = record->message_bytes,
            .transfer_count = record->transfer_count,
            .results = true,
        };
        text_addf(text, ",\"resultsBytes\":%u,\"results\":", record->message_bytes);
        if (find_method(call->interface_id, call->method, &method))
            trace_message_json(&results, method.results, text);
        else
            text_addf(text, "null");
    }
    text_addf(text, "}");
}

static void take_completion(struct trace *trace, const struct capos_trace_record *record,
                            const uint8_t *captured)
{
    struct trace_call *call = record->id == 0 ? nullptr : find_call(trace, record->id);
    if (call == nullptr)
        return; // the record of the call was lost
    if (record->result < 0 && call->use < TRACE_USES_MAX)
        trace->uses[call->use].failures++;
    if (trace->lines != nullptr) {
        if (trace->json)
            format_completion_json(call, record, captured, &call->text);
        else
            format_completion_text(trace, call, record, captured, &call->text);
        // A line that was cut is still a line, but no JSON.
        if (!trace->json || !call->text.cut)
            write_line(trace, &call->text);
        else
            fprintf(trace->lines, "{\"event\":\"cut\",\"timeNs\":%llu}\n",
                    (unsigned long long)call->time_ns);
    }
    call->id = 0;
}

// ---- Other records -----------------------------------------------------------------

static void take_process(struct trace *trace, const struct capos_trace_record *record,
                         const uint8_t *captured)
{
    struct text text = {};
    trace->process_id = record->id;
    copy_name(trace->process_name, sizeof trace->process_name, record, captured);
    text_addf(&text,
              trace->json ? "{\"event\":\"process\",\"name\":\"%s\",\"id\":%llu}"
                          : "+++ process %s, id %llu",
              trace->process_name, (unsigned long long)trace->process_id);
    write_line(trace, &text);
}

static void take_grant(struct trace *trace, const struct capos_trace_record *record,
                       const uint8_t *captured)
{
    struct text text = {};
    if (trace->grant_count == TRACE_GRANTS_MAX)
        return;
    struct trace_grant *grant = &trace->grants[trace->grant_count++];
    grant->cap = record->cap;
    grant->interface_id = record->interface_id;
    copy_name(grant->name, sizeof grant->name, record, captured);
    text_addf(&text,
              trace->json ? "{\"event\":\"grant\",\"cap\":\"%s\",\"interface\":\""
                          : "+++ holds %s: ",
              grant->name);
    add_interface(&text, grant->interface_id);
    text_addf(&text, trace->json ? "\"}" : "");
    write_line(trace, &text);
}

static void take_lost(struct trace *trace, const struct capos_trace_record *record)
{
    struct text text = {};
    if (record->id <= trace->lost_count)
        return;
    unsigned long long lost = record->id - trace->lost_count;
    trace->lost_count = record->id;
    text_addf(&text,
              trace->json ? "{\"event\":\"lost\",\"records\":%llu}"
                          : "+++ %llu records were dropped: the program was faster",
              lost);
    write_line(trace, &text);
}

// ---- The stream --------------------------------------------------------------------

static void take_record(struct trace *trace, const struct capos_trace_record *record,
                        const uint8_t *captured)
{
    switch (record->kind) {
    case CAPOS_TRACE_PROCESS:
        take_process(trace, record, captured);
        break;
    case CAPOS_TRACE_GRANT:
        take_grant(trace, record, captured);
        break;
    case CAPOS_TRACE_CALL:
    case CAPOS_TRACE_RELEASE:
        take_call(trace, record, captured);
        break;
    case CAPOS_TRACE_COMPLETE:
        take_completion(trace, record, captured);
        break;
    case CAPOS_TRACE_LOST:
        take_lost(trace, record);
        break;
    default:
        trace->problem = "a record of an unknown kind";
        break;
    }
}

// How long the record that is being received will be; 0 if that isn't known yet.
static uint32_t expected_bytes(struct trace *trace)
{
    struct capos_trace_record record;
    if (trace->record_bytes < sizeof record)
        return 0;
    memcpy(&record, trace->record, sizeof record);
    if (record.size_bytes % 8 != 0 || record.size_bytes < sizeof record ||
        record.size_bytes > TRACE_RECORD_BYTES_MAX ||
        record.captured_bytes > record.size_bytes - sizeof record) {
        trace->problem = "a record of a wrong size";
        return 0;
    }
    return record.size_bytes;
}

void trace_receive(struct trace *trace, const uint8_t *data, size_t size_bytes)
{
    while (trace->problem == nullptr && size_bytes > 0) {
        uint32_t expected = expected_bytes(trace);
        uint32_t wanted =
            expected != 0 ? expected : (uint32_t)sizeof(struct capos_trace_record);
        size_t part = wanted - trace->record_bytes;
        if (part > size_bytes)
            part = size_bytes;
        memcpy(trace->record + trace->record_bytes, data, part);
        trace->record_bytes += (uint32_t)part;
        data += part;
        size_bytes -= part;
        if (trace->record_bytes != expected_bytes(trace) || trace->problem != nullptr)
            continue;
        struct capos_trace_record record;
        memcpy(&record, trace->record, sizeof record);
        trace->record_bytes = 0;
        take_record(trace, &record, trace->record + sizeof record);
    }
}

static void write_unfinished(struct trace *trace)
{
    for (uint32_t i = 0; i < TRACE_CALLS_MAX; i++) {
        struct trace_call *call = &trace->calls[i];
        if (call->id == 0 || trace->lines == nullptr)
            continue;
        text_addf(&call->text, trace->json ? ",\"unfinished\":true}" : " = ? (unfinished)");
        if (!trace->json || !call->text.cut)
            write_line(trace, &call->text);
        call->id = 0;
    }
}

void trace_end(struct trace *trace, const struct capos_link_finish *finish)
{
    struct text text = {};
    write_unfinished(trace);
    if (trace->problem != nullptr) {
        text_addf(&text,
                  trace->json ? "{\"event\":\"broken\",\"reason\":\"%s\"}" : "+++ broken: %s",
                  trace->problem);
        write_line(trace, &text);
    }
    if (finish == nullptr)
        return;
    text = (struct text){};
    if (finish->end_kind == END_KIND_EXITED)
        text_addf(&text,
                  trace->json ? "{\"event\":\"exited\",\"code\":%lld}" : "+++ exited with %lld",
                  (long long)finish->exit_code);
    else
        text_addf(&text, trace->json ? "{\"event\":\"%s\"}" : "+++ %s",
                  finish->end_kind == END_KIND_FAULTED ? "faulted" : "killed");
    write_line(trace, &text);
}
