// SPDX-License-Identifier: MIT
#include "trace.h"

#include <abi/ring.h>
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

static struct trace trace;
static FILE *file;
static char *output;
static size_t output_bytes;

static void begin(bool json)
{
    file = open_memstream(&output, &output_bytes);
    trace_init(&trace, file, json);
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
    static alignas(8) uint8_t buffer[TRACE_RECORD_BYTES_MAX];
    record.captured_bytes = bytes;
    record.size_bytes = (uint32_t)(sizeof record + ((bytes + 7u) & ~7u));
    memset(buffer, 0, sizeof buffer);
    memcpy(buffer, &record, sizeof record);
    if (bytes > 0)
        memcpy(buffer + sizeof record, captured, bytes);
    trace_receive(&trace, buffer, record.size_bytes);
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
        "{\"event\":\"call\",\"timeNs\":1000,\"cap\":\"clock\",\"interface\":\"Timer\","
        "\"method\":\"now\",\"paramsBytes\":0,\"params\":{},\"durationNs\":2500,"
        "\"resultsBytes\":16,\"results\":{\"timeNs\":\"77\"}}\n"
        "{\"event\":\"call\",\"timeNs\":1000,\"cap\":\"clock\",\"interface\":\"Timer\","
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
    trace_end(&trace, nullptr);
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

static void lost_records_are_counted_and_their_completions_ignored(void)
{
    begin(false);
    send_done(4, nullptr, 0);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_LOST, .id = 5}, nullptr, 0);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_LOST, .id = 5}, nullptr, 0);
    CHECK_EQ(trace.lost_count, 5);
    trace_end(&trace,
              &(struct capos_link_finish){.end_kind = END_KIND_EXITED, .exit_code = -3});
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
        trace_receive(&trace, stream, cut);
        trace_receive(&trace, stream + cut, sizeof stream - cut);
        CHECK(trace.problem == nullptr);
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
        trace_receive(&trace, (const uint8_t *)&record, sizeof record);
        CHECK(trace.problem != nullptr);
        trace_receive(&trace, (const uint8_t *)&record, sizeof record);
        trace_end(&trace, nullptr);
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
    trace.lines = nullptr;
    send_start();
    send_now(1);
    send_now(2);
    send_refusal(3);
    send((struct capos_trace_record){.kind = CAPOS_TRACE_RELEASE,
                                     .id = 4,
                                     .interface_id = INTERFACE_TIMER,
                                     .cap = CLOCK},
         nullptr, 0);
    trace_write_audit(&trace, file);
    end("process\tid\tcapability\tmethod\tcalls\tfailed\n"
        "demo\t9\tclock\tTimer.now\t3\t1\n"
        "demo\t9\tclock\tTimer.(release)\t1\t0\n"
        "# 0 records were dropped, 0 calls found no row\n");
}

static void the_tables_are_bounded(void)
{
    begin(false);
    trace.lines = nullptr;
    for (uint32_t i = 0; i < TRACE_USES_MAX + 10; i++)
        send_call(i + 1, 0x1000 + i, 0, nullptr, 0);
    CHECK_EQ(trace.use_count, TRACE_USES_MAX);
    CHECK_EQ(trace.unused_count, 10);
    for (uint32_t i = 0; i < 2 * TRACE_GRANTS_MAX; i++)
        send((struct capos_trace_record){.kind = CAPOS_TRACE_GRANT, .cap = i + 1}, "x", 1);
    CHECK_EQ(trace.grant_count, TRACE_GRANTS_MAX);
    end("");
}

int main(void)
{
    RUN(a_call_is_one_line);
    RUN(a_refusal_shows_its_error_and_its_words);
    RUN(json_lines_say_the_same);
    RUN(data_is_quoted_and_cut_and_says_how_long_it_was);
    RUN(what_the_schema_does_not_know_is_shown_by_number);
    RUN(a_message_that_is_not_one_is_shown_by_its_size);
    RUN(lost_records_are_counted_and_their_completions_ignored);
    RUN(the_stream_may_be_cut_anywhere);
    RUN(a_record_of_a_wrong_size_ends_the_trace);
    RUN(names_from_the_guest_reach_no_terminal_unquoted);
    RUN(the_audit_counts_calls_and_failures_by_method);
    RUN(the_tables_are_bounded);
    return test_report();
}
