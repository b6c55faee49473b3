// SPDX-License-Identifier: MIT
// StdIO, as hostlink serves it: output in the order of the calls, input that can be given
// up, and what is out of bounds.  That every byte arrives is shown from the host's side
// (tests/cli).
#include <capos/test.h>

#include <gen/capos/stdio.h>
#include <stdio.h>
#include <string.h>

constexpr uint32_t TRANSFER_BYTES_MAX = 61440;

static stdio_cap stdio(void)
{
    return (stdio_cap){test_grant("stdio", INTERFACE_STDIO)};
}

static int child_prints(void)
{
    EXPECT(printf("# a line from the child of stdio_test\n") > 0);
    EXPECT(fflush(stdout) == 0);
    return 0;
}

// Without a StdIO the C functions say so, as on a closed stream.
static int child_prints_into_nothing(void)
{
    EXPECT(printf("nobody reads this\n") < 0 || fflush(stdout) != 0);
    EXPECT(getchar() == EOF);
    return 0;
}

static void stdio_is_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("stdio", INTERFACE_STDIO);
    CHECK_CHILD("prints into nothing", nullptr, 0);
}

static void stdio_prints_for_whom_it_was_granted(void)
{
    const struct test_child_grant grants[] = {test_lend("stdio", stdio().id)};
    fflush(stdout);
    CHECK_CHILD("prints", grants, 1);
}

static void the_way_to_the_host_itself_is_out_of_reach(void)
{
    CHECK_DENIED("control", INTERFACE_HOST_CONTROL);
    CHECK_DENIED("hostControl", INTERFACE_HOST_CONTROL);
    capos_cap_id found;
    CHECK(capos_find("control", INTERFACE_HOST_CONTROL, &found) == STATUS_NOT_FOUND);
    for (uint32_t i = 0; i < capos_capset_count(); i++)
        CHECK(capos_capset_at(i)->interface_id != INTERFACE_HOST_CONTROL);
    // The object that is held doesn't answer to the other interface of the same service.
    struct test_call call = {.cap = stdio().id, .interface_id = INTERFACE_HOST_CONTROL};
    CHECK_STATUS(test_call(&call), STATUS_WRONG_INTERFACE);
}

static void info_answers(void)
{
    bool input, output, error;
    uint16_t columns, rows;
    CHECK_OK(stdio_info(stdio(), &input, &output, &error, &columns, &rows));
}

static void writing_nothing_does_nothing(void)
{
    CHECK_OK(stdio_write(stdio(), OUTPUT_STREAM_OUTPUT, "", 0));
    CHECK_OK(stdio_write(stdio(), OUTPUT_STREAM_ERROR, "", 0));
}

static void many_writes_are_in_flight_and_keep_their_order(void)
{
    enum { WRITES = 10 };
    struct capos_call calls[WRITES];
    char text[WRITES + 1][16];
    fflush(stdout);
    for (unsigned i = 0; i < WRITES; i++) {
        int bytes = snprintf(text[i], sizeof text[i], "%s%u%s", i == 0 ? "# " : "", i,
                             i == WRITES - 1 ? "\n" : " ");
        CHECK_OK(stdio_write_begin(&calls[i], stdio(), OUTPUT_STREAM_OUTPUT, text[i],
                                   (size_t)bytes));
    }
    for (unsigned i = 0; i < WRITES; i++)
        CHECK_OK(stdio_write_finish(&calls[i]));
}

static void more_than_the_bound_is_refused(void)
{
    static char large[TRANSFER_BYTES_MAX + 1];
    CHECK_STATUS(stdio_write(stdio(), OUTPUT_STREAM_OUTPUT, large, sizeof large),
                 STATUS_BAD_MESSAGE);
    CHECK_STATUS(stdio_read(stdio(), 0, large, sizeof large, nullptr), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(stdio_read(stdio(), TRANSFER_BYTES_MAX + 1, large, sizeof large, nullptr),
                 STATUS_INVALID_ARGUMENT);
}

static void a_stream_that_is_none_is_refused(void)
{
    CHECK(stdio_write(stdio(), (enum output_stream)2, "x", 1) != STATUS_OK);
    CHECK(stdio_write(stdio(), (enum output_stream)999, "x", 1) != STATUS_OK);
}

static void a_limit_is_used_up_and_nobody_elses(void)
{
    stdio_cap limited = {}, narrower = {}, none = {};
    CHECK_OK(stdio_limit(stdio(), 8, &limited));
    CHECK_OK(stdio_limit(limited, 5, &narrower));
    CHECK_STATUS(stdio_limit(limited, 4, &none), STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(stdio_write(limited, OUTPUT_STREAM_OUTPUT, "# no", 4), STATUS_OVERLOADED);
    CHECK_OK(stdio_write(limited, OUTPUT_STREAM_OUTPUT, "# \n", 3));
    CHECK_STATUS(stdio_write(limited, OUTPUT_STREAM_ERROR, "\n", 1), STATUS_OVERLOADED);
    CHECK_OK(stdio_write(limited, OUTPUT_STREAM_ERROR, "", 0));
    CHECK_OK(stdio_info(limited, nullptr, nullptr, nullptr, nullptr, nullptr));
    CHECK_OK(stdio_write(narrower, OUTPUT_STREAM_OUTPUT, "# ab\n", 5));
    CHECK_STATUS(stdio_write(narrower, OUTPUT_STREAM_OUTPUT, "\n", 1), STATUS_OVERLOADED);
    CHECK_OK(stdio_write(stdio(), OUTPUT_STREAM_OUTPUT, "# others go on\n", 15));
    stdio_cap_release(&narrower);
    stdio_cap_release(&limited);
}

static void allowances_run_out_and_come_back(void)
{
    stdio_cap limited[65] = {};
    enum status status = STATUS_OK;
    uint32_t count = 0;
    while (count < 65 && status == STATUS_OK)
        count += (status = stdio_limit(stdio(), 1, &limited[count])) == STATUS_OK;
    CHECK_STATUS(status, STATUS_OVERLOADED);
    CHECK_OK(stdio_write(stdio(), OUTPUT_STREAM_OUTPUT, "", 0)); // those without go on
    for (uint32_t i = 0; i < count; i++)
        stdio_cap_release(&limited[i]);
    CHECK_OK(stdio_limit(stdio(), 1, &limited[0])); // it hears of releases before later calls
    stdio_cap_release(&limited[0]);
}

// Whether there is input depends on who runs the test; a read that waits is withdrawn.
static void a_read_that_waits_is_cancelled(void)
{
    struct capos_call call;
    uint8_t byte[64];
    size_t bytes;
    CHECK_OK(stdio_read_begin(&call, stdio(), 1));
    CHECK_OK(stdio_write(stdio(), OUTPUT_STREAM_OUTPUT, "", 0));
    if (!capos_call_is_done(&call))
        capos_call_cancel(&call);
    enum status status = stdio_read_finish(&call, byte, sizeof byte, &bytes);
    CHECK(status == STATUS_OK || status == STATUS_CANCELLED);
    CHECK_OK(stdio_write(stdio(), OUTPUT_STREAM_OUTPUT, "", 0)); // the service goes on
}

static void tests(void)
{
    RUN(stdio_is_out_of_reach_without_the_grant);
    RUN(stdio_prints_for_whom_it_was_granted);
    RUN(the_way_to_the_host_itself_is_out_of_reach);
    RUN(info_answers);
    RUN(writing_nothing_does_nothing);
    RUN(many_writes_are_in_flight_and_keep_their_order);
    RUN(more_than_the_bound_is_refused);
    RUN(a_stream_that_is_none_is_refused);
    RUN(a_limit_is_used_up_and_nobody_elses);
    RUN(allowances_run_out_and_come_back);
    RUN(a_read_that_waits_is_cancelled);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {
        {"prints", child_prints}, {"prints into nothing", child_prints_into_nothing}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
