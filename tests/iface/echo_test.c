// SPDX-License-Identifier: MIT
// Messages with lists between two programs: the generated client here, the generated server
// glue in the program echo_server.  Hostile ones are in negative_test.
#include <capos/test.h>

#include <capos/loop.h>
#include <capos/spawn.h>
#include <gen/capos/boot_package.h>
#include <gen/capos/echo.h>
#include <gen/capos/endpoint.h>
#include <gen/capos/memory_budget.h>
#include <gen/capos/process.h>
#include <string.h>

constexpr uint32_t MESSAGE_BYTES = 2048;

static struct capos_process server;
static echo_cap echo;

static bool start_server(void)
{
    static struct capos_spawner spawner;
    static struct capos_image image;
    boot_package_cap boot = {test_grant("boot", INTERFACE_BOOT_PACKAGE)};
    memory_object_cap file;
    uint64_t size_bytes;
    endpoint_cap endpoint;
    if (!CHECK_OK(capos_spawner_find(&spawner)) ||
        !CHECK_OK(boot_package_open(boot, "echo_server", strlen("echo_server"), &file,
                                    &size_bytes)) ||
        !CHECK_OK(capos_image_open(&image, &spawner, file, size_bytes)) ||
        !CHECK_OK(memory_budget_create_endpoint(test_budget(), 4, &endpoint)) ||
        !CHECK_OK(endpoint_mint(endpoint, INTERFACE_ECHO, 0, &echo.id)))
        return false;
    const struct capos_spawn_grant grants[] = {
        {.name = "endpoint", .capability = capos_transfer_move(endpoint.id)},
        {.name = "memory", .capability = capos_transfer_copy(spawner.memory.id)},
        {.name = "budget", .capability = capos_transfer_copy(test_budget().id)},
    };
    const char *const arguments[] = {"echo_server", "large"};
    return CHECK_OK(capos_spawn(&spawner, &image,
                                &(struct capos_spawn_request){
                                    .name = "echo_server",
                                    .budget = test_budget(),
                                    .grants = grants,
                                    .grant_count = sizeof grants / sizeof grants[0],
                                    .arguments = arguments,
                                    .argument_count = 2,
                                },
                                &server));
}

// The message of `count` records: the i-th is named by i letters and has i % 9 tags.
static uint32_t build(void *buffer, uint32_t count)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
    static const uint16_t tags[] = {7, 0, 65535, 3, 4, 5, 6, 1};
    struct wire_builder message;
    wire_builder_init(&message, buffer, MESSAGE_BYTES);
    struct echo_records_params_builder params = echo_records_params_root(&message);
    struct echo_record_list_builder records = echo_records_params_init_records(params, count);
    for (uint32_t i = 0; i < count; i++) {
        struct echo_record_builder record = echo_record_element(records, i);
        echo_record_set_name(record, (struct wire_text){letters, 0});
        if (i > 0) {
            char name[sizeof letters];
            memcpy(name, letters, i);
            name[i] = '\0';
            echo_record_set_name(record, wire_text_of(name));
        }
        echo_record_set_number(record, ~(uint64_t)i);
        echo_record_set_tags(record, tags, i % 9);
    }
    echo_records_params_set_subject(params, 0);
    return wire_builder_finish(&message);
}

static bool is_record(const struct wire_list *records, uint32_t at, uint32_t i)
{
    struct echo_record record;
    return echo_record_at(records, at, &record) == STATUS_OK && record.name.size_bytes == i &&
           record.number == ~(uint64_t)i && record.tags.count == i % 9 &&
           (i % 9 < 3 || wire_list_number(&record.tags, 2) == 65535);
}

static void check_results(const struct echo_records_results *results, uint32_t count,
                          capos_cap_id subject)
{
    CHECK_EQ(results->records.count, count);
    for (uint32_t i = 0; i < count; i++)
        if (!is_record(&results->records, count - 1 - i, i))
            test_fail(__FILE__, __LINE__, "record %u of %u", (unsigned)i, (unsigned)count);
    // The capability came back: its interface answers.
    uint64_t limit;
    CHECK_OK(
        memory_budget_info((memory_budget_cap){subject}, &limit, nullptr, nullptr, nullptr));
    capos_release(subject);
}

static alignas(8) uint8_t request[MESSAGE_BYTES], answer[MESSAGE_BYTES];

static void records_go_there_and_back(void)
{
    const struct capos_transfer subject = capos_transfer_copy(test_budget().id);
    for (uint32_t count = 0; count <= 13; count++) {
        uint32_t size_bytes = build(request, count);
        struct echo_records_results results;
        capos_cap_id back = 0;
        if (CHECK_OK(echo_records(echo, request, size_bytes, &subject, 1, answer, sizeof answer,
                                  &results, &back)))
            check_results(&results, count, back);
    }
}

static void many_messages_with_lists_are_under_way_at_once(void)
{
    const struct capos_transfer subject = capos_transfer_copy(test_budget().id);
    struct capos_call calls[4];
    for (uint32_t i = 0; i < 4; i++)
        CHECK_OK(echo_records_begin(&calls[i], echo, request, build(request, i), &subject, 1));
    for (uint32_t i = 4; i-- > 0;) {
        struct echo_records_results results;
        capos_cap_id back = 0;
        if (CHECK_OK(echo_records_finish(&calls[i], answer, sizeof answer, &results, &back)))
            check_results(&results, i, back);
    }
}

static void a_small_buffer_takes_no_results_and_no_capability(void)
{
    struct test_usage before = test_usage_now();
    const struct capos_transfer subject = capos_transfer_copy(test_budget().id);
    struct echo_records_results results;
    capos_cap_id back = 0;
    uint32_t size_bytes = build(request, 5);
    CHECK_STATUS(
        echo_records(echo, request, size_bytes, &subject, 1, answer, 64, &results, &back),
        STATUS_NO_RESULT_SPACE);
    CHECK_EQ(back, 0);
    CHECK_EQ(test_usage_now().capability_count, before.capability_count);
}

static void what_a_message_cannot_be_is_refused_before_it_is_sent(void)
{
    const struct capos_transfer subjects[] = {capos_transfer_copy(test_budget().id),
                                              capos_transfer_copy(test_budget().id)};
    struct echo_records_results results;
    uint32_t size_bytes = build(request, 1);
    CHECK_STATUS(echo_records(echo, request, ECHO_RECORDS_PARAMS_BYTES_MAX + 8, subjects, 1,
                              answer, sizeof answer, &results, nullptr),
                 STATUS_BAD_MESSAGE);
    CHECK_STATUS(echo_records(echo, request, size_bytes - 1, subjects, 1, answer, sizeof answer,
                              &results, nullptr),
                 STATUS_BAD_MESSAGE);
    CHECK_STATUS(echo_records(echo, request, size_bytes, subjects, 2, answer, sizeof answer,
                              &results, nullptr),
                 STATUS_BAD_MESSAGE);
}

static void an_optional_capability_goes_there_and_back_or_is_null(void)
{
    capos_cap_id back = 1;
    CHECK_OK(echo_pass(echo, 0, &back));
    CHECK_EQ(back, 0);
    if (CHECK_OK(echo_pass(echo, test_budget().id, &back)) && CHECK(back != 0))
        capos_release(back);
}

static void tests(void)
{
    if (!start_server())
        return;
    RUN(records_go_there_and_back);
    RUN(many_messages_with_lists_are_under_way_at_once);
    RUN(a_small_buffer_takes_no_results_and_no_capability);
    RUN(what_a_message_cannot_be_is_refused_before_it_is_sent);
    RUN(an_optional_capability_goes_there_and_back_or_is_null);
    CHECK_OK(process_handle_kill(server.handle));
    echo_cap_release(&echo);
}

int main(int argc, char **argv)
{
    return test_main(argc, argv, tests, nullptr, 0);
}
