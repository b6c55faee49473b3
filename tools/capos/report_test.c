// SPDX-License-Identifier: MIT
#include "report.h"

#include <gen/wire/process.h>

#include <test/test.h>

static int status_of_exit(int64_t code)
{
    return report_status(
        &(struct capos_link_finish){.end_kind = END_KIND_EXITED, .exit_code = code});
}

static int status_of_fault(uint32_t kind)
{
    return report_status(
        &(struct capos_link_finish){.end_kind = END_KIND_FAULTED, .fault_kind = kind});
}

static void an_exit_status_is_what_a_shell_sees(void)
{
    CHECK_EQ(status_of_exit(0), 0);
    CHECK_EQ(status_of_exit(42), 42);
    CHECK_EQ(status_of_exit(256), 0);
    CHECK_EQ(status_of_exit(-1), 255);
    CHECK_EQ(status_of_exit(INT64_MIN), 0);
}

static void a_fault_has_the_status_of_its_signal(void)
{
    CHECK_EQ(status_of_fault(FAULT_KIND_UNMAPPED), 139);
    CHECK_EQ(status_of_fault(FAULT_KIND_PROTECTION), 139);
    CHECK_EQ(status_of_fault(FAULT_KIND_GUARD_PAGE), 139);
    CHECK_EQ(status_of_fault(FAULT_KIND_GENERAL_PROTECTION), 139);
    CHECK_EQ(status_of_fault(FAULT_KIND_DIVIDE), 136);
    CHECK_EQ(status_of_fault(FAULT_KIND_FLOATING_POINT), 136);
    CHECK_EQ(status_of_fault(FAULT_KIND_ILLEGAL_INSTRUCTION), 132);
    CHECK_EQ(status_of_fault(FAULT_KIND_BREAKPOINT), 133);
    CHECK_EQ(status_of_fault(FAULT_KIND_OUT_OF_MEMORY), 137);
    CHECK_EQ(status_of_fault(999999), 137);
    CHECK_EQ(report_status(&(struct capos_link_finish){.end_kind = END_KIND_KILLED}), 137);
    CHECK_EQ(report_status(&(struct capos_link_finish){.end_kind = 77}), 125);
}

static void text_is(const struct capos_link_finish *finish, const struct report_place *place,
                    const char *expected)
{
    char text[256];
    CHECK(report_text(finish, place, text, sizeof text));
    CHECK(strcmp(text, expected) == 0);
}

static void a_fault_is_named_with_address_and_place(void)
{
    struct capos_link_finish finish = {.end_kind = END_KIND_FAULTED,
                                       .fault_kind = FAULT_KIND_UNMAPPED,
                                       .fault_address = 0x10,
                                       .instruction_pointer = 0x5000,
                                       .load_bias = 0x4000};
    text_is(&finish, &(struct report_place){},
            "access to unmapped address 0x10 in instruction 0x1000");
    text_is(&finish, &(struct report_place){.function = "store", .offset = 4},
            "access to unmapped address 0x10 in store+0x4");
    text_is(&finish, &(struct report_place){"store", 4, "crash.c:9"},
            "access to unmapped address 0x10 in store+0x4 (crash.c:9)");
    finish.fault_kind = FAULT_KIND_ILLEGAL_INSTRUCTION;
    text_is(&finish, &(struct report_place){.function = "main", .offset = 1},
            "illegal instruction in main+0x1");
}

static void a_thread_but_the_first_is_named(void)
{
    struct capos_link_finish finish = {
        .end_kind = END_KIND_FAULTED, .fault_kind = FAULT_KIND_DIVIDE, .thread_id = 1};
    const struct report_place place = {.function = "work", .offset = 2};
    text_is(&finish, &place, "division by zero or quotient out of range in work+0x2");
    finish.thread_id = 3;
    text_is(&finish, &place, "division by zero or quotient out of range in work+0x2, thread 3");
    char cut[8]; // room for less than the text
    CHECK(report_text(&finish, &place, cut, sizeof cut));
    CHECK(strcmp(cut, "divisio") == 0);
}

static void an_exit_needs_no_words(void)
{
    char text[16] = "?";
    CHECK(!report_text(&(struct capos_link_finish){.end_kind = END_KIND_EXITED, .exit_code = 3},
                       &(struct report_place){}, text, sizeof text));
    CHECK(text[0] == 0);
}

int main(void)
{
    RUN(an_exit_status_is_what_a_shell_sees);
    RUN(a_fault_has_the_status_of_its_signal);
    RUN(a_fault_is_named_with_address_and_place);
    RUN(a_thread_but_the_first_is_named);
    RUN(an_exit_needs_no_words);
    return test_report();
}
