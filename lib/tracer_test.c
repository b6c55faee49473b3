// SPDX-License-Identifier: MIT
#include <lib/tracer.h>

#include <abi/ring.h>
#include <gen/descriptor.h>
#include <gen/interfaces.h>
#include <gen/status.h>
#include <gen/wire/errors.h>
#include <gen/wire/process.h>
#include <gen/wire/stdio.h>
#include <gen/wire/timer.h>
#include <gen/wire/virtual_memory.h>
#include <stdlib.h>
#include <string.h>

#include <test/test.h>

constexpr uint64_t CLOCK = UINT64_C(5) << 32 | 2;

constexpr uint32_t CALLS_MAX = 256;

static struct tracer tracer;
static struct tracer_call calls[CALLS_MAX];
static struct descriptor schema;
static FILE *file;
static char *output;
static size_t output_bytes;

static void write_file(void *context, const char *text, size_t size_bytes)
{
    fwrite(text, 1, size_bytes, context);
}

static void begin(bool json)
{
    file = open_memstream(&output, &output_bytes);
    tracer_init(&tracer, &schema, calls, CALLS_MAX,
                (struct value_sink){.write = write_file, .context = file}, json);
}

static void end(const char *expected)
{
    fclose(file);
    if (strcmp(output, expected) != 0)
        printf("got:\n%s\nnot:\n%s\n", output, expected);
    CHECK(strcmp(output, expected) == 0);
    free(output);
}

static void send(struct capos_trace_record record, const void *captured, uint32_t bytes)
{
    static alignas(8) uint8_t buffer[TRACER_RECORD_BYTES_MAX];
    record.captured_bytes = bytes;
    record.size_bytes = (uint32_t)(sizeof record + ((bytes + 7u) & ~7u));
    memset(buffer, 0, sizeof buffer);
    memcpy(buffer, &record, sizeof record);
    if (bytes > 0)
        memcpy(buffer + sizeof record, captured, bytes);
    tracer_receive(&tracer, buffer, record.size_bytes);
}

static void send_start(void)
{
    send((struct capos_trace_record){.kind = CAPOS_TRACE_PROCESS, .id = 9}, "demo", 4);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_GRANT,
                                     .interface_id = INTERFACE_TIMER,
                                     .cap = CLOCK},
         "clock", 5);
}

static void send_call(uint64_t id, uint64_t interface_id, uint16_t method, const void *params,
                      uint32_t bytes)
{
    send((struct capos_trace_record){.kind = CAPOS_TRACE_CALL,
                                     .method = method,
                                     .time_ns = 1000,
                                     .id = id,
                                     .interface_id = interface_id,
                                     .cap = CLOCK,
                                     .message_bytes = bytes},
         params, bytes);
}

static void send_done(uint64_t id, const void *results, uint32_t bytes)
{
    send(
        (struct capos_trace_record){
            .kind = CAPOS_TRACE_COMPLETE, .time_ns = 3500, .id = id, .message_bytes = bytes},
        results, bytes);
}

static alignas(8) uint8_t message[4096];

static void send_now(uint64_t id)
{
    uint32_t bytes = timer_now_results_encode(&(struct timer_now_results){.time_ns = 77},
                                              message, sizeof message);
    send_call(id, INTERFACE_TIMER, TIMER_METHOD_NOW, nullptr, 0);
    send_done(id, message, bytes);
}

static void send_refusal(uint64_t id)
{
    struct cap_exception exception = {.type = EXCEPTION_TYPE_INVALID_ARGUMENT,
                                      .reason = wire_text_of("not \"so\"")};
    uint32_t bytes = cap_exception_encode(&exception, message, sizeof message);
    send_call(id, INTERFACE_TIMER, TIMER_METHOD_NOW, nullptr, 0);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_COMPLETE,
                                     .time_ns = 2000000,
                                     .id = id,
                                     .result = -(int32_t)STATUS_INVALID_ARGUMENT,
                                     .flags = CAPOS_CQE_EXCEPTION,
                                     .message_bytes = bytes},
         message, bytes);
}

static void a_call_is_one_line(void)
{
    begin(false);
    send_start();
    send_now(1);
    end("+++ process demo, id 9\n"
        "+++ holds clock: Timer\n"
        "clock: Timer.now() = (timeNs: 77 ns) <2.5 us>\n");
}

static void another_thread_than_the_first_is_named(void)
{
    struct capos_trace_record call = {.kind = CAPOS_TRACE_CALL,
                                      .method = TIMER_METHOD_NOW,
                                      .time_ns = 1000,
                                      .interface_id = INTERFACE_TIMER,
                                      .cap = CLOCK};
    struct capos_trace_record released = {
        .kind = CAPOS_TRACE_RELEASED, .interface_id = INTERFACE_TIMER, .cap = 7};
    begin(false);
    for (uint64_t thread = 1; thread <= 3; thread++) {
        call.id = thread;
        call.thread_id = released.thread_id = thread;
        send(call, nullptr, 0);
        send_done(thread, nullptr, 0);
        send(released, nullptr, 0);
    }
    end("#2.5: Timer.now() = (0 bytes) <2.5 us>\n"
        "<- 7: released Timer\n"
        "thread 2: #2.5: Timer.now() = (0 bytes) <2.5 us>\n"
        "thread 2: <- 7: released Timer\n"
        "thread 3: #2.5: Timer.now() = (0 bytes) <2.5 us>\n"
        "thread 3: <- 7: released Timer\n");
}

static void a_refusal_shows_its_error_and_its_words(void)
{
    begin(false);
    send_start();
    send_refusal(1);
    end("+++ process demo, id 9\n"
        "+++ holds clock: Timer\n"
        "clock: Timer.now() = invalidArgument \"not \\\"so\\\"\" <2.0 ms>\n");
}

static void json_lines_say_the_same(void)
{
    begin(true);
    send_start();
    send_now(1);
    send_refusal(2);
    end("{\"event\":\"process\",\"name\":\"demo\",\"id\":9}\n"
        "{\"event\":\"grant\",\"cap\":\"clock\",\"interface\":\"Timer\"}\n"
        "{\"event\":\"call\",\"thread\":0,\"timeNs\":1000,\"cap\":\"clock\","
        "\"interface\":\"Timer\","
        "\"method\":\"now\",\"paramsBytes\":0,\"params\":{},\"durationNs\":2500,"
        "\"resultsBytes\":16,\"results\":{\"timeNs\":\"77\"}}\n"
        "{\"event\":\"call\",\"thread\":0,\"timeNs\":1000,\"cap\":\"clock\","
        "\"interface\":\"Timer\","
        "\"method\":\"now\",\"paramsBytes\":0,\"params\":{},\"durationNs\":1999000,"
        "\"error\":\"invalidArgument\",\"reason\":\"not \\\"so\\\"\"}\n");
}

static void data_is_quoted_and_cut_and_says_how_long_it_was(void)
{
    static uint8_t data[1000] = "a\033[31m\n\"";
    struct stdio_write_params params = {.data = {data, sizeof data}};
    uint32_t bytes = stdio_write_params_encode(&params, message, sizeof message);
    begin(false);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_CALL,
                                     .method = STDIO_METHOD_WRITE,
                                     .id = 1,
                                     .interface_id = INTERFACE_STDIO,
                                     .cap = 7,
                                     .message_bytes = bytes},
         message, 32);
    tracer_end(&tracer, END_KIND_RUNNING, 0);
    end("#7.0: StdIO.write(stream: output, data: \"a\\x1b[31m\\n\\\"\"... (1000 bytes)) = ? "
        "(unfinished)\n");
}

static void what_the_schema_does_not_know_is_shown_by_number(void)
{
    static const uint64_t word = 1;
    begin(false);
    send_call(1, 0xabc, 3, &word, 8);
    send_done(1, &word, 8);
    send_call(2, INTERFACE_TIMER, 99, &word, 8);
    send(
        (struct capos_trace_record){
            .kind = CAPOS_TRACE_COMPLETE, .time_ns = 1000, .id = 2, .result = INT32_MIN},
        nullptr, 0);
    end("#2.5: 0xabc.method3(8 bytes) = (8 bytes) <2.5 us>\n"
        "#2.5: Timer.method99(8 bytes) = unknown <0 ns>\n");
}

static void a_message_that_is_not_one_is_shown_by_its_size(void)
{
    static const uint64_t nonsense[2] = {UINT64_MAX, 5};
    begin(false);
    send_call(1, INTERFACE_TIMER, TIMER_METHOD_SLEEP, nonsense, sizeof nonsense);
    send_done(1, nullptr, 0);
    end("#2.5: Timer.sleep(16 bytes) = () <2.5 us>\n");
}

// ---- A server ----------------------------------------------------------------------

static void send_received(uint64_t id, uint64_t word, const void *params, uint32_t bytes)
{
    send((struct capos_trace_record){.kind = CAPOS_TRACE_RECEIVED,
                                     .method = TIMER_METHOD_SLEEP,
                                     .time_ns = 1000,
                                     .id = id,
                                     .interface_id = INTERFACE_TIMER,
                                     .cap = word,
                                     .message_bytes = bytes},
         params, bytes);
}

static void send_returned(uint64_t id, uint16_t exception, int32_t result, const void *answer,
                          uint32_t bytes)
{
    send((struct capos_trace_record){.kind = CAPOS_TRACE_RETURNED,
                                     .method = exception,
                                     .time_ns = 2000,
                                     .id = id,
                                     .result = result,
                                     .message_bytes = bytes},
         answer, bytes);
}

static void send_server(void)
{
    struct cap_exception exception = {.type = EXCEPTION_TYPE_FAILED,
                                      .reason = wire_text_of("tired")};
    uint32_t bytes = timer_sleep_params_encode(&(struct timer_sleep_params){.duration_ns = 5},
                                               message, sizeof message);
    send_received(8, 7, message, bytes);
    send_received(9, UINT64_C(0x123456), message, bytes);
    send_call(8, INTERFACE_TIMER, TIMER_METHOD_SLEEP, message, bytes); // ids of its own
    send_returned(8, 0, 0, nullptr, 0);
    bytes = cap_exception_encode(&exception, message, sizeof message);
    send_returned(9, STATUS_FAILED, 0, message, bytes);
    bytes = timer_sleep_params_encode(&(struct timer_sleep_params){.duration_ns = 5}, message,
                                      sizeof message);
    send_received(10, 7, message, bytes);
    send_returned(10, 0, -(int32_t)STATUS_NOT_FOUND, nullptr, 0);
    send_received(11, 7, message, bytes);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_RELEASED,
                                     .interface_id = INTERFACE_TIMER,
                                     .cap = 7},
         nullptr, 0);
    send_done(8, nullptr, 0);
    tracer_end(&tracer, END_KIND_KILLED, 0);
}

static void what_a_server_serves_is_shown_with_its_word(void)
{
    begin(false);
    send_server();
    end("<- 7: Timer.sleep(durationNs: 5 ns) = () <1.0 us>\n"
        "<- 0x123456: Timer.sleep(durationNs: 5 ns) = failed \"tired\" <1.0 us>\n"
        "<- 7: Timer.sleep(durationNs: 5 ns) = () (not delivered: notFound) <1.0 us>\n"
        "<- 7: released Timer\n"
        "#2.5: Timer.sleep(durationNs: 5 ns) = () <2.5 us>\n"
        "<- 7: Timer.sleep(durationNs: 5 ns) = ? (unfinished)\n"
        "+++ killed\n");
}

static void json_says_what_a_server_serves(void)
{
    begin(true);
    send_server();
    end("{\"event\":\"serve\",\"thread\":0,\"timeNs\":1000,\"word\":\"7\",\"interface\":\"Timer\","
        "\"method\":\"sleep\",\"paramsBytes\":16,\"params\":{\"durationNs\":\"5\"},"
        "\"durationNs\":1000,\"resultsBytes\":0,\"results\":{}}\n"
        "{\"event\":\"serve\",\"thread\":0,\"timeNs\":1000,\"word\":\"0x123456\","
        "\"interface\":\"Timer\","
        "\"method\":\"sleep\",\"paramsBytes\":16,\"params\":{\"durationNs\":\"5\"},"
        "\"durationNs\":1000,\"error\":\"failed\",\"reason\":\"tired\"}\n"
        "{\"event\":\"serve\",\"thread\":0,\"timeNs\":1000,\"word\":\"7\",\"interface\":\"Timer\","
        "\"method\":\"sleep\",\"paramsBytes\":16,\"params\":{\"durationNs\":\"5\"},"
        "\"durationNs\":1000,\"resultsBytes\":0,\"results\":{},"
        "\"undelivered\":\"notFound\"}\n"
        "{\"event\":\"released\",\"thread\":0,\"word\":\"7\",\"interface\":\"Timer\"}\n"
        "{\"event\":\"call\",\"thread\":0,\"timeNs\":1000,\"cap\":\"#2.5\",\"interface\":\"Timer\","
        "\"method\":\"sleep\",\"paramsBytes\":16,\"params\":{\"durationNs\":\"5\"},"
        "\"durationNs\":2500,\"resultsBytes\":0,\"results\":{}}\n"
        "{\"event\":\"serve\",\"thread\":0,\"timeNs\":1000,\"word\":\"7\",\"interface\":\"Timer\","
        "\"method\":\"sleep\",\"paramsBytes\":16,\"params\":{\"durationNs\":\"5\"},"
        "\"unfinished\":true}\n"
        "{\"event\":\"killed\"}\n");
}

static void send_operation(uint64_t id, uint16_t opcode, int32_t result)
{
    send(
        (struct capos_trace_record){
            .kind = CAPOS_TRACE_OPERATION, .method = opcode, .time_ns = 1000, .id = id},
        nullptr, 0);
    send(
        (struct capos_trace_record){
            .kind = CAPOS_TRACE_COMPLETE, .time_ns = 2000, .id = id, .result = result},
        nullptr, 0);
}

static void other_operations_are_shown_by_name_or_number(void)
{
    begin(false);
    send_operation(1, CAPOS_OP_CANCEL, 0);
    send_operation(2, 200, -(int32_t)STATUS_BAD_OPCODE);
    end("cancel = ok <1.0 us>\noperation 200 = badOpcode <1.0 us>\n");
    begin(true);
    send_operation(1, 200, -(int32_t)STATUS_BAD_OPCODE);
    end("{\"event\":\"operation\",\"thread\":0,\"timeNs\":1000,\"opcode\":200,\"durationNs\":1000,"
        "\"error\":\"badOpcode\"}\n");
}

static void durations_are_rounded_to_their_last_digit(void)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{999, "999 ns"},     {1000, "1.0 us"},       {1049, "1.0 us"},
                 {1050, "1.1 us"},    {999949, "999.9 us"},   {999950, "1.0 ms"},
                 {1500000, "1.5 ms"}, {999950000, "1.000 s"}, {61234500000, "61.235 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[64];
        begin(false);
        send((struct capos_trace_record){.kind = CAPOS_TRACE_OPERATION, .id = 1}, nullptr, 0);
        send((struct capos_trace_record){.kind = CAPOS_TRACE_COMPLETE,
                                         .time_ns = cases[i].ns,
                                         .id = 1},
             nullptr, 0);
        snprintf(line, sizeof line, "operation 0 = ok <%s>\n", cases[i].text);
        end(line);
    }
}

static void lost_records_are_counted_and_their_completions_ignored(void)
{
    begin(false);
    send_done(4, nullptr, 0);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_LOST, .id = 5}, nullptr, 0);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_LOST, .id = 5}, nullptr, 0);
    CHECK_EQ(tracer.lost_count, 5);
    tracer_end(&tracer, END_KIND_EXITED, -3);
    end("+++ 5 records were dropped: the program was faster\n+++ exited with -3\n");
}

static void the_stream_may_be_cut_anywhere(void)
{
    struct capos_trace_record record = {
        .size_bytes = sizeof record + 8, .kind = CAPOS_TRACE_PROCESS, .captured_bytes = 3};
    uint8_t stream[3 * (sizeof record + 8)] = {};
    for (size_t i = 0; i < 3; i++) {
        memcpy(stream + i * record.size_bytes, &record, sizeof record);
        memcpy(stream + i * record.size_bytes + sizeof record, "abc", 3);
    }
    for (size_t cut = 1; cut < sizeof stream; cut++) {
        begin(false);
        tracer_receive(&tracer, stream, cut);
        tracer_receive(&tracer, stream + cut, sizeof stream - cut);
        CHECK(tracer.problem == nullptr);
        end("+++ process abc, id 0\n+++ process abc, id 0\n+++ process abc, id 0\n");
    }
}

static void a_record_of_a_wrong_size_ends_the_trace(void)
{
    static const uint32_t sizes[][2] = {
        {0, 0}, {48, 0}, {57, 0}, {64, 9}, {UINT32_MAX & ~7u, 0}, {64, UINT32_MAX}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct capos_trace_record record = {
            .size_bytes = sizes[i][0], .kind = CAPOS_TRACE_CALL, .captured_bytes = sizes[i][1]};
        begin(false);
        tracer_receive(&tracer, (const uint8_t *)&record, sizeof record);
        CHECK(tracer.problem != nullptr);
        tracer_receive(&tracer, (const uint8_t *)&record, sizeof record);
        tracer_end(&tracer, END_KIND_RUNNING, 0);
        end("+++ broken: a record of a wrong size\n");
    }
}

static void names_from_the_guest_reach_no_terminal_unquoted(void)
{
    begin(true);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_PROCESS, .id = 1}, "a\033\"\\b", 5);
    end("{\"event\":\"process\",\"name\":\"a???b\",\"id\":1}\n");
}

static void the_audit_counts_calls_and_failures_by_method(void)
{
    begin(false);
    tracer.lines.write = nullptr;
    send_start();
    send_now(1);
    send_now(2);
    send_refusal(3);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_RELEASE,
                                     .id = 4,
                                     .interface_id = INTERFACE_TIMER,
                                     .cap = CLOCK},
         nullptr, 0);
    tracer_write_audit(&tracer, &(struct value_sink){.write = write_file, .context = file});
    end("process\tid\tcapability\tmethod\tcalls\tfailed\n"
        "demo\t9\tclock\tTimer.now\t3\t1\n"
        "demo\t9\tclock\tTimer.(release)\t1\t0\n"
        "# 0 records were dropped, 0 calls found no row\n");
}

static void the_tables_are_bounded(void)
{
    begin(false);
    tracer.lines.write = nullptr;
    for (uint32_t i = 0; i < TRACER_USES_MAX + 10; i++)
        send_call(i + 1, 0x1000 + i, 0, nullptr, 0);
    CHECK_EQ(tracer.use_count, TRACER_USES_MAX);
    CHECK_EQ(tracer.unused_count, 10);
    for (uint32_t i = 0; i < 2 * TRACER_GRANTS_MAX; i++)
        send((struct capos_trace_record){.kind = CAPOS_TRACE_GRANT, .cap = i + 1}, "x", 1);
    CHECK_EQ(tracer.grant_count, TRACER_GRANTS_MAX);
    end("");
}

int main(void)
{
    CHECK_EQ(descriptor_open(descriptor_blob, DESCRIPTOR_BLOB_BYTES, &schema), STATUS_OK);
    RUN(a_call_is_one_line);
    RUN(another_thread_than_the_first_is_named);
    RUN(a_refusal_shows_its_error_and_its_words);
    RUN(json_lines_say_the_same);
    RUN(data_is_quoted_and_cut_and_says_how_long_it_was);
    RUN(what_the_schema_does_not_know_is_shown_by_number);
    RUN(a_message_that_is_not_one_is_shown_by_its_size);
    RUN(what_a_server_serves_is_shown_with_its_word);
    RUN(json_says_what_a_server_serves);
    RUN(other_operations_are_shown_by_name_or_number);
    RUN(durations_are_rounded_to_their_last_digit);
    RUN(lost_records_are_counted_and_their_completions_ignored);
    RUN(the_stream_may_be_cut_anywhere);
    RUN(a_record_of_a_wrong_size_ends_the_trace);
    RUN(names_from_the_guest_reach_no_terminal_unquoted);
    RUN(the_audit_counts_calls_and_failures_by_method);
    RUN(the_tables_are_bounded);
    return test_report();
}
