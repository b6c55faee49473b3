// SPDX-License-Identifier: MIT
// InterruptController and Interrupt: a line has one owner, is free again after it, and
// wakes who waits.
//
// The one line that a program can make ring at will is the first serial port's: it
// interrupts when its transmitter is empty, which it nearly always is.
#include <capos/test.h>

#include <gen/capos/interrupt.h>
#include <gen/capos/io_ports.h>
#include <gen/capos/timer.h>

constexpr uint32_t SERIAL_LINE = 4;
constexpr uint16_t SERIAL_INTERRUPT_ENABLE = 0x3f9;
constexpr uint32_t TRANSMITTER_EMPTY = 2;

static interrupt_controller_cap controller(void)
{
    return (interrupt_controller_cap){test_grant("interrupts", INTERFACE_INTERRUPT_CONTROLLER)};
}

static int child_binds(void)
{
    interrupt_controller_cap interrupts;
    interrupt_cap line;
    EXPECT_OK(interrupt_controller_cap_find("interrupts", &interrupts));
    EXPECT_OK(interrupt_controller_bind(interrupts, SERIAL_LINE, TRIGGER_EDGE, &line));
    EXPECT(interrupt_controller_bind(interrupts, SERIAL_LINE, TRIGGER_EDGE, nullptr) ==
           STATUS_FAILED);
    return 0; // the line is free again when it has ended
}

static void lines_are_out_of_reach_without_the_grant(void)
{
    CHECK_DENIED("interrupts", INTERFACE_INTERRUPT_CONTROLLER);
    CHECK_DENIED("line", INTERFACE_INTERRUPT);
}

static void a_line_is_bound_by_whom_the_controller_was_granted(void)
{
    const struct test_child_grant grants[] = {test_lend("interrupts", controller().id),
                                              test_lend("budget", test_budget().id)};
    CHECK_CHILD("binds", grants, 2);
    CHECK_CHILD("binds", grants, 2); // and again, once the first owner is gone
}

static void a_line_has_one_owner(void)
{
    interrupt_cap line = {}, again = {};
    CHECK_OK(interrupt_controller_bind(controller(), SERIAL_LINE, TRIGGER_EDGE, &line));
    CHECK_STATUS(interrupt_controller_bind(controller(), SERIAL_LINE, TRIGGER_LEVEL, nullptr),
                 STATUS_FAILED);
    interrupt_cap_release(&line);
    CHECK_OK(interrupt_controller_bind(controller(), SERIAL_LINE, TRIGGER_LEVEL, &again));
    interrupt_cap_release(&again);
}

static void a_line_that_is_none_is_refused(void)
{
    CHECK_STATUS(interrupt_controller_bind(controller(), 100000, TRIGGER_EDGE, nullptr),
                 STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(interrupt_controller_bind(controller(), UINT32_MAX, TRIGGER_EDGE, nullptr),
                 STATUS_INVALID_ARGUMENT);
}

static void a_silent_line_is_waited_for_until_the_wait_is_cancelled(void)
{
    interrupt_cap line = {};
    struct capos_call wait;
    CHECK_OK(interrupt_controller_bind(controller(), SERIAL_LINE, TRIGGER_EDGE, &line));
    CHECK_OK(interrupt_wait_begin(&wait, line));
    CHECK_OK(timer_sleep(test_timer(), 1'000'000));
    CHECK(!capos_call_is_done(&wait));
    capos_call_cancel(&wait);
    CHECK_STATUS(interrupt_wait_finish(&wait, nullptr), STATUS_CANCELLED);
    interrupt_cap_release(&line);
}

static void serial_interrupts(io_ports_cap ports, uint32_t enabled)
{
    CHECK_OK(io_ports_write(ports, SERIAL_INTERRUPT_ENABLE, 1, enabled));
}

// Lets the device raise its line and waits for at most half a minute.
static bool rings(interrupt_cap line, io_ports_cap ports, uint64_t *out_count)
{
    struct capos_call wait;
    CHECK_OK(interrupt_wait_begin(&wait, line));
    serial_interrupts(ports, TRANSMITTER_EMPTY);
    for (int i = 0; i < 30'000 && !capos_call_is_done(&wait); i++)
        CHECK_OK(timer_sleep(test_timer(), 1'000'000));
    serial_interrupts(ports, 0);
    if (!capos_call_is_done(&wait))
        capos_call_cancel(&wait);
    return interrupt_wait_finish(&wait, out_count) == STATUS_OK;
}

static void a_device_wakes_who_waits_each_time(void)
{
    io_ports_cap ports = {};
    interrupt_cap line = {};
    uint64_t first = 0, second = 0;
    CHECK_OK(io_ports_range((io_ports_cap){test_grant("ports", INTERFACE_IO_PORTS)},
                            SERIAL_INTERRUPT_ENABLE, 1, &ports));
    CHECK_OK(interrupt_controller_bind(controller(), SERIAL_LINE, TRIGGER_EDGE, &line));
    CHECK(rings(line, ports, &first));
    CHECK(rings(line, ports, &second));
    CHECK(first >= 1 && second > first);
    interrupt_cap_release(&line);
    io_ports_cap_release(&ports);
}

static void tests(void)
{
    RUN(lines_are_out_of_reach_without_the_grant);
    RUN(a_line_is_bound_by_whom_the_controller_was_granted);
    RUN(a_line_has_one_owner);
    RUN(a_line_that_is_none_is_refused);
    RUN(a_silent_line_is_waited_for_until_the_wait_is_cancelled);
    RUN(a_device_wakes_who_waits_each_time);
}

int main(int argc, char **argv)
{
    static const struct test_role roles[] = {{"binds", child_binds}};
    return test_main(argc, argv, tests, roles, sizeof roles / sizeof roles[0]);
}
