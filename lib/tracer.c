// SPDX-License-Identifier: MIT
// Owns the lines of a trace, and the rows of its audit: for `capos run`, and for the shell.
//
//  1. Memory is bounded: what doesn't fit a table is counted or has no name.
//  2. A call has one line, written when it completes: they are in order of completion.  So
//     has one that the process serves, written when it is answered.
//  3. The records come from a guest: sizes are checked, and text is quoted.
//
// Tested by lib/tracer_test.c, and booted by tests/cli.
#include <lib/tracer.h>

#include <abi/ring.h>
#include <gen/status.h>
#include <gen/wire/errors.h>
#include <lib/fmt.h>
#include <lib/string.h>
#include <lib/tracer_message.h>

void tracer_init(struct tracer *tracer, const struct descriptor *schema,
                 struct tracer_call *calls, uint32_t call_count, struct value_sink lines,
                 bool json)
{
    memset(tracer, 0, sizeof *tracer);
    tracer->schema = schema;
    tracer->lines = lines;
    tracer->json = json;
    tracer->calls = calls;
    tracer->call_count = call_count;
    for (uint32_t i = 0; i < call_count; i++)
        calls[i].id = 0;
}

static bool wants_lines(const struct tracer *tracer)
{
    return tracer->lines.write != nullptr;
}

// Ends the line and writes it.  One that was cut still ends with its newline.
static void write_line(struct tracer *tracer, struct text *text)
{
    if (!wants_lines(tracer))
        return;
    if (text->count == TEXT_BYTES - 1)
        text->count--;
    text_add(text, "\n", 1);
    tracer->lines.write(tracer->lines.context, text->bytes, text->count);
}

// ---- Names -------------------------------------------------------------------------

static const struct tracer_grant *find_grant(const struct tracer *tracer, uint64_t cap)
{
    for (uint32_t i = 0; i < tracer->grant_count; i++) {
        if (tracer->grants[i].cap == cap)
            return &tracer->grants[i];
    }
    return nullptr;
}

// The name in the CapSet, else "#SLOT.GENERATION".
static void add_cap_name(void *context, struct text *text, uint64_t cap)
{
    const struct tracer_grant *grant = find_grant(context, cap);
    if (grant != nullptr)
        text_addf(text, "%s", grant->name);
    else
        text_addf(text, "#%u.%u", (uint32_t)cap, (uint32_t)(cap >> 32));
}

static void add_interface(const struct tracer *tracer, struct text *text, uint64_t id)
{
    struct descriptor_interface interface;
    if (descriptor_interface_by_id(tracer->schema, id, &interface))
        text_addf(text, "%s", interface.name);
    else
        text_addf(text, "0x%llx", (unsigned long long)id);
}

static bool find_method(const struct tracer *tracer, uint64_t interface_id, uint16_t ordinal,
                        struct descriptor_method *out_method)
{
    struct descriptor_interface interface;
    return descriptor_interface_by_id(tracer->schema, interface_id, &interface) &&
           descriptor_method_at(tracer->schema, &interface, ordinal, out_method);
}

static void add_method(const struct tracer *tracer, struct text *text, uint64_t interface_id,
                       uint16_t ordinal)
{
    struct descriptor_method method;
    if (find_method(tracer, interface_id, ordinal, &method))
        text_addf(text, "%s", method.name);
    else
        text_addf(text, "method%u", ordinal);
}

// A number that a server chose: small ones count, large ones are addresses or bits.
static void add_word(struct text *text, uint64_t word)
{
    text_addf(text, word > 0xffff ? "0x%llx" : "%llu", (unsigned long long)word);
}

// Who is called, before the interface: the capability, or the word of the object served.
static void add_callee(const struct tracer *tracer, const struct capos_trace_record *record,
                       struct text *text)
{
    if (record->kind == CAPOS_TRACE_RECEIVED || record->kind == CAPOS_TRACE_RELEASED)
        add_word(text, record->cap);
    else
        add_cap_name((void *)(uintptr_t)tracer, text, record->cap);
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

static uint32_t find_use(struct tracer *tracer, const struct capos_trace_record *record)
{
    bool release = record->kind == CAPOS_TRACE_RELEASE;
    for (uint32_t i = 0; i < tracer->use_count; i++) {
        const struct tracer_use *use = &tracer->uses[i];
        if (use->cap == record->cap && use->interface_id == record->interface_id &&
            use->method == record->method && use->release == release)
            return i;
    }
    if (tracer->use_count == TRACER_USES_MAX)
        return TRACER_USES_MAX;
    tracer->uses[tracer->use_count] = (struct tracer_use){.cap = record->cap,
                                                          .interface_id = record->interface_id,
                                                          .method = record->method,
                                                          .release = release};
    return tracer->use_count++;
}

static uint32_t count_use(struct tracer *tracer, const struct capos_trace_record *record)
{
    uint32_t use = find_use(tracer, record);
    if (use == TRACER_USES_MAX)
        tracer->unused_count++;
    else
        tracer->uses[use].calls++;
    return use;
}

void tracer_write_audit(const struct tracer *tracer, const struct value_sink *sink)
{
    struct text text = {};
    text_addf(&text, "process\tid\tcapability\tmethod\tcalls\tfailed\n");
    sink->write(sink->context, text.bytes, text.count);
    for (uint32_t i = 0; i < tracer->use_count; i++) {
        const struct tracer_use *use = &tracer->uses[i];
        text.count = 0;
        text_addf(&text, "%s\t%llu\t", tracer->process_name,
                  (unsigned long long)tracer->process_id);
        add_cap_name((void *)(uintptr_t)tracer, &text, use->cap);
        text_addf(&text, "\t");
        add_interface(tracer, &text, use->interface_id);
        text_addf(&text, ".");
        if (use->release)
            text_addf(&text, "(release)");
        else
            add_method(tracer, &text, use->interface_id, use->method);
        text_addf(&text, "\t%llu\t%llu\n", (unsigned long long)use->calls,
                  (unsigned long long)use->failures);
        sink->write(sink->context, text.bytes, text.count);
    }
    text.count = 0;
    text_addf(&text, "# %llu records were dropped, %llu calls found no row\n",
              (unsigned long long)tracer->lost_count, (unsigned long long)tracer->unused_count);
    sink->write(sink->context, text.bytes, text.count);
}

// ---- Calls -------------------------------------------------------------------------

// Submissions and received calls have ids of their own.
static bool is_served(uint16_t kind)
{
    return kind == CAPOS_TRACE_RECEIVED;
}

static struct tracer_call *find_call(struct tracer *tracer, uint64_t id, bool served)
{
    for (uint32_t i = 0; i < tracer->call_count; i++) {
        struct tracer_call *call = &tracer->calls[i];
        if (call->id == id && (id == 0 || is_served(call->kind) == served))
            return call;
    }
    return nullptr;
}

static void add_operation(struct text *text, uint16_t opcode)
{
    static const char *const names[] = {
        [CAPOS_OP_RECV] = "recv",
        [CAPOS_OP_RETURN] = "return",
        [CAPOS_OP_RETURN_RECV] = "return and recv",
        [CAPOS_OP_CANCEL] = "cancel",
        [CAPOS_OP_FINISH] = "finish",
        [CAPOS_OP_PARK] = "park",
        [CAPOS_OP_UNPARK] = "unpark",
    };
    if (opcode < sizeof names / sizeof *names && names[opcode] != nullptr)
        text_addf(text, "%s", names[opcode]);
    else
        text_addf(text, "operation %u", opcode);
}

// Most programs have one thread, which needs no number.
static void add_thread(struct text *text, uint64_t thread_id)
{
    if (thread_id > 1)
        text_addf(text, "thread %llu: ", (unsigned long long)thread_id);
}

static void format_call_text(struct tracer *tracer, const struct capos_trace_record *record,
                             const struct tracer_message *params, struct text *text)
{
    const struct tracer_names names = {add_cap_name, tracer};
    struct descriptor_method method;
    add_thread(text, record->thread_id);
    if (record->kind == CAPOS_TRACE_OPERATION) {
        add_operation(text, record->method);
        return;
    }
    if (is_served(record->kind))
        text_addf(text, "<- ");
    add_callee(tracer, record, text);
    text_addf(text, ": ");
    if (record->kind == CAPOS_TRACE_RELEASE) {
        text_addf(text, "release ");
        add_interface(tracer, text, record->interface_id);
        return;
    }
    add_interface(tracer, text, record->interface_id);
    text_addf(text, ".");
    add_method(tracer, text, record->interface_id, record->method);
    text_addf(text, "(");
    if (find_method(tracer, record->interface_id, record->method, &method))
        tracer_message_text(tracer->schema, params, method.params, &names, text);
    else
        text_addf(text, "%u bytes", record->message_bytes);
    text_addf(text, ")");
}

static const char *event_name(uint16_t kind)
{
    switch (kind) {
    case CAPOS_TRACE_RELEASE:
        return "release";
    case CAPOS_TRACE_RECEIVED:
        return "serve";
    case CAPOS_TRACE_OPERATION:
        return "operation";
    default:
        return "call";
    }
}

static void format_call_json(struct tracer *tracer, const struct capos_trace_record *record,
                             const struct tracer_message *params, struct text *text)
{
    struct descriptor_method method;
    text_addf(text, "{\"event\":\"%s\",\"thread\":%llu,\"timeNs\":%llu",
              event_name(record->kind), (unsigned long long)record->thread_id,
              (unsigned long long)record->time_ns);
    if (record->kind == CAPOS_TRACE_OPERATION) {
        text_addf(text, ",\"opcode\":%u", record->method);
        return;
    }
    text_addf(text, ",\"%s\":\"", is_served(record->kind) ? "word" : "cap");
    add_callee(tracer, record, text);
    text_addf(text, "\",\"interface\":\"");
    add_interface(tracer, text, record->interface_id);
    text_addf(text, "\"");
    if (record->kind == CAPOS_TRACE_RELEASE)
        return;
    text_addf(text, ",\"method\":\"");
    add_method(tracer, text, record->interface_id, record->method);
    text_addf(text, "\",\"paramsBytes\":%u,\"params\":", record->message_bytes);
    if (find_method(tracer, record->interface_id, record->method, &method))
        tracer_message_json(tracer->schema, params, method.params, text);
    else
        text_addf(text, "null");
}

static void take_call(struct tracer *tracer, const struct capos_trace_record *record,
                      const uint8_t *captured)
{
    bool uses = record->kind == CAPOS_TRACE_CALL || record->kind == CAPOS_TRACE_RELEASE;
    uint32_t use = uses ? count_use(tracer, record) : TRACER_USES_MAX;
    struct tracer_call *call = find_call(tracer, 0, false);
    if (call == nullptr || record->id == 0)
        return; // its completion will find no call, as if it had been lost
    struct tracer_message params = {
        .captured = captured,
        .captured_bytes = record->captured_bytes,
        .message_bytes = record->message_bytes,
        .transfer_count = record->transfer_count,
        .arrived = is_served(record->kind),
    };
    call->id = record->id;
    call->time_ns = record->time_ns;
    call->interface_id = record->interface_id;
    call->method = record->method;
    call->kind = record->kind;
    call->use = use;
    call->text.count = 0;
    call->text.cut = false;
    if (!wants_lines(tracer))
        return;
    if (tracer->json)
        format_call_json(tracer, record, &params, &call->text);
    else
        format_call_text(tracer, record, &params, &call->text);
}

// ---- Completions -------------------------------------------------------------------

// With one digit behind the point, three for seconds, rounded.
static void add_duration(struct text *text, uint64_t ns)
{
    unsigned long long tenths_us = (ns + 50) / 100, tenths_ms = (ns + 50'000) / 100'000;
    unsigned long long ms = (ns + 500'000) / 1'000'000;
    if (ns < 1000)
        text_addf(text, " <%llu ns>", (unsigned long long)ns);
    else if (tenths_us < 10'000)
        text_addf(text, " <%llu.%llu us>", tenths_us / 10, tenths_us % 10);
    else if (tenths_ms < 10'000)
        text_addf(text, " <%llu.%llu ms>", tenths_ms / 10, tenths_ms % 10);
    else
        text_addf(text, " <%llu.%03llu s>", ms / 1000, ms % 1000);
}

// The words of an exception; empty if there are none.
static struct wire_text reason_of(const struct capos_trace_record *record,
                                  const uint8_t *captured)
{
    static alignas(8) uint8_t message[CAPOS_TRACE_CAPTURE_BYTES_MAX];
    struct cap_exception exception;
    if (record->captured_bytes < record->message_bytes)
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

// What a call ended with: of an own call the CQE says it, of a served one the answer.
struct outcome {
    int32_t error; // negative status, or 0
    struct wire_text reason;
    const char *undelivered; // why the answer didn't arrive, or nullptr
    struct tracer_message results;
    uint64_t time_ns;
};

static struct outcome outcome_of(const struct capos_trace_record *record,
                                 const uint8_t *captured)
{
    bool answer = record->kind == CAPOS_TRACE_RETURNED;
    struct outcome outcome = {
        .error = answer ? -(int32_t)record->method : record->result,
        .undelivered = answer && record->result < 0 ? error_name(record->result) : nullptr,
        .results =
            {
                .captured = captured,
                .captured_bytes = record->captured_bytes,
                .message_bytes = record->message_bytes,
                .transfer_count = record->transfer_count,
                .arrived = !answer,
            },
        .time_ns = record->time_ns,
    };
    if (answer ? record->method != 0 : (record->flags & CAPOS_CQE_EXCEPTION) != 0)
        outcome.reason = reason_of(record, captured);
    return outcome;
}

static void format_outcome_text(struct tracer *tracer, const struct tracer_call *call,
                                const struct outcome *outcome, struct text *text)
{
    const struct tracer_names names = {add_cap_name, tracer};
    struct descriptor_method method;
    bool has_results = call->kind == CAPOS_TRACE_CALL || is_served(call->kind);
    text_addf(text, " = ");
    if (outcome->error < 0) {
        text_addf(text, "%s", error_name(outcome->error));
        if (outcome->reason.size_bytes > 0) {
            text_addf(text, " ");
            text_add_quoted(text, outcome->reason.text, outcome->reason.size_bytes, false);
        }
    } else if (!has_results) {
        text_addf(text, "ok");
    } else if (find_method(tracer, call->interface_id, call->method, &method)) {
        text_addf(text, "(");
        tracer_message_text(tracer->schema, &outcome->results, method.results, &names, text);
        text_addf(text, ")");
    } else {
        text_addf(text, "(%u bytes)", outcome->results.message_bytes);
    }
    if (outcome->undelivered != nullptr)
        text_addf(text, " (not delivered: %s)", outcome->undelivered);
    add_duration(text, outcome->time_ns - call->time_ns);
}

static void format_outcome_json(struct tracer *tracer, const struct tracer_call *call,
                                const struct outcome *outcome, struct text *text)
{
    struct descriptor_method method;
    bool has_results = call->kind == CAPOS_TRACE_CALL || is_served(call->kind);
    text_addf(text, ",\"durationNs\":%llu",
              (unsigned long long)(outcome->time_ns - call->time_ns));
    if (outcome->error < 0) {
        text_addf(text, ",\"error\":\"%s\"", error_name(outcome->error));
        if (outcome->reason.size_bytes > 0) {
            text_addf(text, ",\"reason\":");
            text_add_quoted(text, outcome->reason.text, outcome->reason.size_bytes, false);
        }
    } else if (has_results) {
        text_addf(text, ",\"resultsBytes\":%u,\"results\":", outcome->results.message_bytes);
        if (find_method(tracer, call->interface_id, call->method, &method))
            tracer_message_json(tracer->schema, &outcome->results, method.results, text);
        else
            text_addf(text, "null");
    }
    if (outcome->undelivered != nullptr)
        text_addf(text, ",\"undelivered\":\"%s\"", outcome->undelivered);
    text_addf(text, "}");
}

// A line that was cut is still a line, but no JSON.
static void write_call(struct tracer *tracer, struct tracer_call *call)
{
    if (tracer->json && call->text.cut) {
        call->text.count = 0;
        text_addf(&call->text, "{\"event\":\"cut\",\"timeNs\":%llu}",
                  (unsigned long long)call->time_ns);
    }
    write_line(tracer, &call->text);
}

static void take_completion(struct tracer *tracer, const struct capos_trace_record *record,
                            const uint8_t *captured)
{
    bool served = record->kind == CAPOS_TRACE_RETURNED;
    struct tracer_call *call =
        record->id == 0 ? nullptr : find_call(tracer, record->id, served);
    if (call == nullptr)
        return; // the record of the call was lost
    if (record->result < 0 && call->use < TRACER_USES_MAX)
        tracer->uses[call->use].failures++;
    if (wants_lines(tracer)) {
        struct outcome outcome = outcome_of(record, captured);
        if (tracer->json)
            format_outcome_json(tracer, call, &outcome, &call->text);
        else
            format_outcome_text(tracer, call, &outcome, &call->text);
        write_call(tracer, call);
    }
    call->id = 0;
}

// ---- Other records -----------------------------------------------------------------

static void take_process(struct tracer *tracer, const struct capos_trace_record *record,
                         const uint8_t *captured)
{
    struct text text = {};
    tracer->process_id = record->id;
    copy_name(tracer->process_name, sizeof tracer->process_name, record, captured);
    text_addf(&text,
              tracer->json ? "{\"event\":\"process\",\"name\":\"%s\",\"id\":%llu}"
                           : "+++ process %s, id %llu",
              tracer->process_name, (unsigned long long)tracer->process_id);
    write_line(tracer, &text);
}

static void take_grant(struct tracer *tracer, const struct capos_trace_record *record,
                       const uint8_t *captured)
{
    struct text text = {};
    if (tracer->grant_count == TRACER_GRANTS_MAX)
        return;
    struct tracer_grant *grant = &tracer->grants[tracer->grant_count++];
    grant->cap = record->cap;
    grant->interface_id = record->interface_id;
    copy_name(grant->name, sizeof grant->name, record, captured);
    text_addf(&text,
              tracer->json ? "{\"event\":\"grant\",\"cap\":\"%s\",\"interface\":\""
                           : "+++ holds %s: ",
              grant->name);
    add_interface(tracer, &text, grant->interface_id);
    text_addf(&text, tracer->json ? "\"}" : "");
    write_line(tracer, &text);
}

static void take_released(struct tracer *tracer, const struct capos_trace_record *record)
{
    struct text text = {};
    if (tracer->json) {
        text_addf(&text, "{\"event\":\"released\",\"thread\":%llu,\"word\":\"",
                  (unsigned long long)record->thread_id);
    } else {
        add_thread(&text, record->thread_id);
        text_addf(&text, "<- ");
    }
    add_callee(tracer, record, &text);
    text_addf(&text, tracer->json ? "\",\"interface\":\"" : ": released ");
    add_interface(tracer, &text, record->interface_id);
    text_addf(&text, tracer->json ? "\"}" : "");
    write_line(tracer, &text);
}

static void take_lost(struct tracer *tracer, const struct capos_trace_record *record)
{
    struct text text = {};
    if (record->id <= tracer->lost_count)
        return;
    unsigned long long lost = record->id - tracer->lost_count;
    tracer->lost_count = record->id;
    text_addf(&text,
              tracer->json ? "{\"event\":\"lost\",\"records\":%llu}"
                           : "+++ %llu records were dropped: the program was faster",
              lost);
    write_line(tracer, &text);
}

// ---- The stream --------------------------------------------------------------------

static void take_record(struct tracer *tracer, const struct capos_trace_record *record,
                        const uint8_t *captured)
{
    switch (record->kind) {
    case CAPOS_TRACE_PROCESS:
        take_process(tracer, record, captured);
        break;
    case CAPOS_TRACE_GRANT:
        take_grant(tracer, record, captured);
        break;
    case CAPOS_TRACE_CALL:
    case CAPOS_TRACE_RELEASE:
    case CAPOS_TRACE_RECEIVED:
    case CAPOS_TRACE_OPERATION:
        take_call(tracer, record, captured);
        break;
    case CAPOS_TRACE_RELEASED:
        take_released(tracer, record);
        break;
    case CAPOS_TRACE_COMPLETE:
    case CAPOS_TRACE_RETURNED:
        take_completion(tracer, record, captured);
        break;
    case CAPOS_TRACE_LOST:
        take_lost(tracer, record);
        break;
    default:
        tracer->problem = "a record of an unknown kind";
        break;
    }
}

// How long the record that is being received will be; 0 if that isn't known yet.
static uint32_t expected_bytes(struct tracer *tracer)
{
    struct capos_trace_record record;
    if (tracer->record_bytes < sizeof record)
        return 0;
    memcpy(&record, tracer->record, sizeof record);
    if (record.size_bytes % 8 != 0 || record.size_bytes < sizeof record ||
        record.size_bytes > TRACER_RECORD_BYTES_MAX ||
        record.captured_bytes > record.size_bytes - sizeof record) {
        tracer->problem = "a record of a wrong size";
        return 0;
    }
    return record.size_bytes;
}

void tracer_receive(struct tracer *tracer, const uint8_t *data, size_t size_bytes)
{
    while (tracer->problem == nullptr && size_bytes > 0) {
        uint32_t expected = expected_bytes(tracer);
        uint32_t wanted =
            expected != 0 ? expected : (uint32_t)sizeof(struct capos_trace_record);
        size_t part = wanted - tracer->record_bytes;
        if (part > size_bytes)
            part = size_bytes;
        memcpy(tracer->record + tracer->record_bytes, data, part);
        tracer->record_bytes += (uint32_t)part;
        data += part;
        size_bytes -= part;
        if (tracer->record_bytes != expected_bytes(tracer) || tracer->problem != nullptr)
            continue;
        struct capos_trace_record record;
        memcpy(&record, tracer->record, sizeof record);
        tracer->record_bytes = 0;
        take_record(tracer, &record, tracer->record + sizeof record);
    }
}

static void write_unfinished(struct tracer *tracer)
{
    for (uint32_t i = 0; i < tracer->call_count; i++) {
        struct tracer_call *call = &tracer->calls[i];
        if (call->id == 0 || !wants_lines(tracer))
            continue;
        text_addf(&call->text, tracer->json ? ",\"unfinished\":true}" : " = ? (unfinished)");
        write_call(tracer, call);
        call->id = 0;
    }
}

void tracer_end(struct tracer *tracer, enum end_kind kind, int64_t exit_code)
{
    struct text text = {};
    write_unfinished(tracer);
    if (tracer->problem != nullptr) {
        text_addf(&text,
                  tracer->json ? "{\"event\":\"broken\",\"reason\":\"%s\"}" : "+++ broken: %s",
                  tracer->problem);
        write_line(tracer, &text);
    }
    if (kind == END_KIND_RUNNING)
        return;
    text.count = 0;
    if (kind == END_KIND_EXITED)
        text_addf(&text,
                  tracer->json ? "{\"event\":\"exited\",\"code\":%lld}"
                               : "+++ exited with %lld",
                  (long long)exit_code);
    else
        text_addf(&text, tracer->json ? "{\"event\":\"%s\"}" : "+++ %s",
                  kind == END_KIND_FAULTED ? "faulted" : "killed");
    write_line(tracer, &text);
}
